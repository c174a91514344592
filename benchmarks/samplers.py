"""Time of a sampler's own work per step against diffusers' schedulers: see `--help`.

The denoiser is trivial, so what is timed is everything else: coefficients, state, the update.
Both sides walk the same number of steps; building the grid (`set_timesteps`, the levels of
`sample`) is left out on both. "x0": the denoiser gives the data itself, the peer has
prediction_type="sample". "eps": it gives noise, which ours turns into x_0 by `Denoiser` and the
peer inside `step`. Walks are taken in turn, ours, peer, ours, ...; the figure is the median of
the ratios of neighbours. No times are written: they belong to one machine.
"""

import argparse
import datetime
import statistics

import torch
from common import RESULTS, keep, machine, seconds

from mmgen.diffusion import noise_path
from mmgen.samplers import Denoiser, sample

SHAPES = {"2 numbers": (1, 2), "4 x 64 x 64": (1, 4, 64, 64), "16 of 4 x 64 x 64": (16, 4, 64, 64)}
BETAS = dict(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
PEERS = {
    "ddpm": ("DDPMScheduler", dict(clip_sample=False)),
    "ddim": ("DDIMScheduler", dict(clip_sample=False)),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2m": ("DPMSolverMultistepScheduler", dict(algorithm_type="dpmsolver++")),
    "dpm2m_sde": ("DPMSolverMultistepScheduler", dict(algorithm_type="sde-dpmsolver++")),
    "unipc": ("UniPCMultistepScheduler", {}),
    "euler (flow)": ("FlowMatchEulerDiscreteScheduler", {}),
}


def ours(solver, predict, shape, n, device):
    "Seconds of one walk of ours."
    name, path = solver.split(" ")[0], noise_path("flow" if "flow" in solver else "linear")
    if predict == "x0":

        def denoise(x, t):
            return x

    else:
        denoise = Denoiser(lambda x, t, y: x, path, "flow" if "flow" in solver else "eps")
    walk = sample(
        denoise,
        path,
        torch.randn(shape, device=device),
        times=torch.linspace(0.99, 0.01, n + 1),
        solver=name,
    )
    return seconds(lambda: [None for _ in walk], device)


def peer(solver, predict, shape, n, device):
    "Seconds of one walk of diffusers."
    import diffusers

    kind, options = PEERS[solver]
    if "flow" in solver:
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    else:
        scheduler = getattr(diffusers, kind)(
            **BETAS, prediction_type="sample" if predict == "x0" else "epsilon", **options
        )
    scheduler.set_timesteps(n, device=device)
    x = torch.randn(shape, device=device) * getattr(scheduler, "init_noise_sigma", 1.0)

    @torch.no_grad()
    def walk(x=x):
        for t in scheduler.timesteps:
            said = (
                scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
            )
            x = scheduler.step(said, t, x).prev_sample

    return seconds(walk, device)


def ratio(solver, predict, shape, n, device, repeats):
    """Median, least and largest of ours / peer over neighbouring walks, after two of each for
    warming up.
    """
    pairs = [
        (ours(solver, predict, shape, n, device), peer(solver, predict, shape, n, device))
        for _ in range(repeats + 2)
    ][2:]
    found = [a / b for a, b in pairs]
    return dict(median=statistics.median(found), least=min(found), largest=max(found))


def write(device, run):
    "Put this device's run into results/samplers.json and render results/samplers.md."
    runs = keep("samplers", device, run)
    text = (
        "# Samplers: own work per step against diffusers\n\nWritten by "
        "`benchmarks/samplers.py`; its first lines say what is measured. "
        "A ratio below 1 means that ours takes less time; in brackets least and largest of the "
        "repeats. `ddpm` and `dpm2m_sde` draw "
        "noise in every step, which costs both sides the same. The peer of `euler` is two "
        "operations on the velocity itself; "
        "ours goes through a guess of the data, as for every solver.\n"
    )
    for name, r in sorted(runs.items()):
        text += f"\n## {name}\n\n{r['date']}, {r['machine']}; {r['steps']} steps, "
        text += f"median of {r['repeats']} interleaved walks{r['note']}.\n\n"
        text += (
            "| solver | denoiser gives | "
            + " | ".join(SHAPES)
            + " |\n|---|---|"
            + "---|" * len(SHAPES)
            + "\n"
        )
        for row in r["rows"]:
            cells = [
                f"{c['median']:.2f} ({c['least']:.2f} to {c['largest']:.2f})" for c in row["ratios"]
            ]
            text += f"| {row['solver']} | {row['predict']} | " + " | ".join(cells) + " |\n"
    (RESULTS / "samplers.md").write_text(text)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    ap.add_argument("--repeats", type=int, default=11, help="timed walks of each, at least 9")
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument(
        "--note", default="", help="a remark for the table's first line, such as what else ran"
    )
    a = ap.parse_args()
    if a.repeats < 9:
        ap.error("--repeats must be at least 9")
    rows = []
    for solver in PEERS:
        for predict in ("x0", "eps"):
            if "flow" in solver and predict == "x0":
                continue  # that peer takes velocities only
            row = dict(solver=solver, predict="velocity" if "flow" in solver else predict)
            row["ratios"] = [
                ratio(solver, predict, shape, a.steps, a.device, a.repeats)
                for shape in SHAPES.values()
            ]
            rows.append(row)
            print(
                row["solver"],
                row["predict"],
                *(f"{r['median']:.3f}" for r in row["ratios"]),
                flush=True,
            )
    write(
        a.device,
        dict(
            date=f"{datetime.date.today()}",
            machine=machine(a.device, "diffusers"),
            repeats=a.repeats,
            steps=a.steps,
            note=a.note and f"; {a.note}",
            rows=rows,
        ),
    )


if __name__ == "__main__":
    main()
