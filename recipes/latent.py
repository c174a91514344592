"""Train the shipped denoisers of notebook 13, and make its tables: `python recipes/latent.py
pixels`, `.. latents`, `.. tables`.

The first two write data/weights/dit_KIND. The tokenizer is the shipped VQ-VAE; the seconds of
its own training are added to those of the latents. `tables PART ..` trains many small models and
writes data/results/latent.json, a part at a time; parts that are there are kept. The same
numbers come only from the same machine with the same versions and number of threads.
"""

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

import torch

from mmgen.core import Stopwatch, data_path, seed_everything
from mmgen.data import DigitImages
from mmgen.diffusion import logit_normal
from mmgen.dit import DiTConfig
from mmgen.features import digit_net, embed
from mmgen.latent import LatentConfig, LatentDiffusion, generate, generate_latents, latent_loss
from mmgen.metrics import frechet_distance, precision_recall
from mmgen.report import evaluate
from mmgen.training import Batches, Recipe, fit, run
from mmgen.transformer import block_optimizers
from mmgen.vae import VAE, VAEConfig, vae_loss
from mmgen.vqvae import VQVAE
from mmgen.weights import load_weights, save_weights

DATA = Path(__file__).resolve().parents[1] / "data"
OUT = DATA / "results" / "latent.json"
STEPS = {"pixels": 2200, "latents": 1900}
WAYS = {
    "pixels": dict(guidance_scale=1.75, n_steps=12),
    "latents": dict(guidance_scale=1.75, n_steps=12),
}
FIGURES = ("recognised", "frechet", "precision", "recall")


FULL, SMALL = dict(dim=128, depth=4, num_heads=4), dict(dim=64, depth=3, num_heads=2)


def new_model(space, size=FULL, mode="modern", **changes):
    "A model of the recipe in pixels or latents; `changes` go to its config."
    shape, patch = {"pixels": ((1, 28, 28), 4), "latents": ((8, 7, 7), 1)}[space]
    dit = DiTConfig(shape, patch, n_classes=10, mode=mode, **size)
    if space == "pixels":
        return LatentDiffusion(LatentConfig(dit, **changes))
    vqvae = VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()
    config = LatentConfig(dit, vqvae.config, **{"predict": "flow"} | changes)
    return LatentDiffusion(config, vqvae).measure(DigitImages("train").tensors()[0])


def train(
    model,
    steps,
    seed=0,
    batch_size=64,
    optimizer=None,
    precision="bf16",
    ema=0.99,
    loss=latent_loss,
):
    "The averaged model, its CPU-seconds and wall-clock seconds, and the mean of its last losses."
    x, y = DigitImages("train").tensors()
    recipe = Recipe(
        steps=steps,
        warmup=min(50, steps // 4),
        decay="linear",
        ema=ema,
        precision=precision,
        seed=seed,
    )
    data, losses, optimizer = (
        Batches((model.encode(x), y), batch_size, seed),
        [],
        optimizer or block_optimizers(model, adam_lr=2e-3),
    )
    with Stopwatch() as watch:
        for state in fit(
            model, loss, data, recipe, device="cpu", optimizer=optimizer, progress=False
        ):
            losses.append(state.loss)
            if state.step % 200 == 0:
                print(
                    f"step {state.step}, loss {state.loss:.4f}, {state.seconds:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
    return state.ema.eval(), watch.cpu, watch.wall, sum(losses[-100:]) / len(losses[-100:])


def judge(draw, n, seed=0):
    "The judge's figures of n images of `draw(labels, seed)`, and the floor of the distance."
    asked = torch.arange(n) % 10
    report = evaluate(
        lambda n, seed: (draw(asked, seed), asked), DigitImages("test").tensors(), n=n, seed=seed
    )
    return {k: round(report[k].value, 4) for k in FIGURES}, round(report["frechet"].floor, 4)


def about(**more):
    "Where and when."
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=DATA, capture_output=True, text=True
    ).stdout.strip()
    return {
        "date": str(date.today()),
        "commit": commit,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        **more,
    }


def weights(kind, seed, steps, n):
    "Train and ship one model; figures are of the float16 weights in the file."
    seed_everything(seed)
    model = new_model(kind)
    before = (
        load_weights(data_path("weights", "vqvae_mnist", "model.safetensors")).record["cpu_seconds"]
        if kind == "latents"
        else 0.0
    )
    model, cpu, wall, loss = train(model, steps, seed)
    model = model.half().float()
    figures, floor = judge(lambda y, s: generate(model, y, s, **WAYS[kind]), n)
    record = about(
        command=f"python recipes/latent.py {kind} --seed {seed} --steps {steps}",
        profile="cpu",
        seed=seed,
        steps=steps,
        cpu_seconds=round(cpu, 1),
        tokenizer_cpu_seconds=before,
        wall_seconds=round(wall, 1),
        measured={"samples": n, "sampling": WAYS[kind], **figures, "frechet_floor": floor},
    )
    out = DATA / "weights" / f"dit_{kind}"
    out.mkdir(parents=True, exist_ok=True)
    save_weights(model.half(), out / "model.safetensors", model.config, record)
    (out / "config.json").write_text(
        json.dumps(asdict(model.config), indent=1) + "\n", encoding="utf8"
    )
    print(json.dumps(record, indent=1))


def drawn(model, n, **how):
    "Figures of n images. Times start a little below 1, where eps says nothing about x_0 any more."
    how = {"guidance_scale": 2.0, "times": torch.linspace(0.995, 0, 13, dtype=torch.float64)} | how
    return judge(lambda y, s: generate(model, y, s, **how), n)[0]


def where(n, steps):
    "Codes or vectors to learn, and codes or none to decode."
    for codes in (True, False):
        model, cpu, _, _ = train(new_model("latents", codes=codes), steps)
        for snapped in (True, False):

            def draw(y, s, model=model, snapped=snapped):
                return model.decode(generate_latents(model, y, s), codes=snapped)

            yield {
                "learned": "codes" if codes else "vectors",
                "snapped": snapped,
                "cpu_seconds": round(cpu),
                **judge(draw, n)[0],
            }


def predict(n, steps):
    "What the network says, three seeds."
    for space in ("pixels", "latents"):
        for kind, loss_in in (
            ("eps", "eps"),
            ("v", "v"),
            ("x0", "x0"),
            ("flow", "flow"),
            ("x0", "flow"),
        ):
            for seed in range(3):
                seed_everything(seed)
                model, cpu, _, loss = train(
                    new_model(space, SMALL, predict=kind, loss_in=loss_in), steps, seed
                )
                yield {
                    "space": space,
                    "predict": kind,
                    "loss_in": loss_in,
                    "seed": seed,
                    "steps": steps,
                    "cpu_seconds": round(cpu),
                    "loss": round(loss, 4),
                    **drawn(model, n),
                }


def recipe(n, steps):
    "One change at a time, in pixels."

    def adam(params):
        return torch.optim.AdamW(list(params), 1.5e-3, betas=(0.9, 0.95), weight_decay=0.0)

    def at(times):
        return lambda model, batch: latent_loss(model, batch, times=times)

    def small_labels(model):
        model.dit.labels.table.weight.data.mul_(0.02)
        return model

    rows = {
        "the recipe": ({}, {}),
        "AdamW for everything": ({}, dict(optimizer=adam)),
        "times even in t": ({}, dict(loss=at(lambda n, path: torch.rand(n)))),
        "times in the middle": ({}, dict(loss=at(logit_normal()))),
        "more noise still": ({}, dict(loss=at(logit_normal(1.5)))),
        "labels start at .02": (dict(change=small_labels), {}),
        "blocks of the original": (dict(mode="original"), {}),
        "no averaged weights": ({}, dict(ema=0.0)),
        "batch of 32, twice the steps": ({}, dict(batch_size=32, steps=2 * steps)),
        "float32": ({}, dict(precision="no")),
    }
    for name, (build, how) in rows.items():
        change = build.pop("change", lambda model: model)
        seed_everything(0)
        model, cpu, _, loss = train(
            change(new_model("pixels", SMALL, **build)), **{"steps": steps} | how
        )
        row = {"cpu_seconds": round(cpu), "loss": round(loss, 4)}
        yield {"name": name, **row, **drawn(model, n)}
        if name == "the recipe":

            def times(steps):
                return torch.linspace(0.995, 0, steps + 1, dtype=torch.float64)

            for more, way in {
                "no guidance": dict(guidance_scale=1.0),
                "guidance 3": dict(guidance_scale=3.0),
                "24 steps": dict(times=times(24)),
                "Euler": dict(solver="euler"),
                "6 steps of Heun": dict(solver="heun", times=times(6)),
            }.items():
                yield {"name": f"sampled with {more}", **row, **drawn(model, n, **way)}


def curve(n, steps):
    "Quality for a budget, three seeds of the full size; each run anneals its rate to the end."
    for seed in range(3):
        for space in ("pixels", "latents"):
            for part in (4, 2, 1):
                seed_everything(seed)
                model, cpu, _, _ = train(new_model(space), steps // part, seed)
                yield {
                    "space": space,
                    "seed": seed,
                    "steps": steps // part,
                    "cpu_seconds": round(cpu, 1),
                    **drawn(model, n),
                }


def against_real(own, real, n_sets=5):
    """Figures of features `own` (n, d) against sets of as many real ones, and of real sets against
    others, for each of five draws.
    """
    for draw in range(n_sets):
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(draw))
        a, b = real[order[: 2 * len(own)]].chunk(2)
        both, floor = precision_recall(a, own), precision_recall(a, b)
        yield {
            "set": draw,
            "frechet": round(frechet_distance(own, a), 4),
            "frechet_floor": round(frechet_distance(b, a), 4),
            "precision": round(both["precision"], 4),
            "precision_floor": round(floor["precision"], 4),
            "recall": round(both["recall"], 4),
            "recall_floor": round(floor["recall"], 4),
        }


def shipped(space):
    "A model of the package."
    return LatentDiffusion.from_pretrained(DATA / "weights" / f"dit_{space}").eval()


def read_digits(images, labels):
    "Features of images (n, d), and the share that is read as asked."
    net = digit_net()
    return embed(images, net), (embed(images, net.forward).argmax(1) == labels).float()


def ruler(n, _):
    "The shipped models against real digits, with sets of several sizes."
    real = embed(DigitImages("test").tensors()[0])
    asked = torch.arange(5000) % 10
    for space in ("pixels", "latents"):
        own, hit = read_digits(generate(shipped(space), asked, 1, **WAYS[space]), asked)
        for size in (500, 1000, 2000, 5000):
            for row in against_real(own[:size], real):
                share = round(hit[:size].mean().item(), 4)
                yield {"space": space, "n": size, "recognised": share, **row}


def guidance(n, _):
    "The shipped model of pixels, with guidance of several scales, 1,000 images each."
    real = embed(DigitImages("test").tensors()[0])
    asked, model = torch.arange(1000) % 10, shipped("pixels")
    for scale, interval in (
        (1.0, (0.0, 1.0)),
        (1.75, (0.0, 1.0)),
        (1.75, (0.0, 0.8)),
    ):
        images = generate(model, asked, 1, guidance_scale=scale, interval=interval)
        own, hit = read_digits(images, asked)
        for row in against_real(own, real):
            share = round(hit.mean().item(), 4)
            yield {"guidance_scale": scale, "interval": interval, "recognised": share, **row}


def systems(n, _):
    "Ways of drawing digits: what they were trained for, what an image takes, and how good it is."
    from mmgen.masked import MaskedPrior
    from mmgen.priors import ARPrior
    from mmgen.priors import draw_images as from_codes

    vqvae = VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()

    def record(name):
        return load_weights(DATA / "weights" / name / "model.safetensors").record

    both, rows = record("vqvae_mnist")["cpu_seconds"], {}
    for kind, make in (("AR", ARPrior), ("masked", MaskedPrior)):
        r, prior = (
            record(f"prior_{kind.lower()}"),
            make.from_pretrained(data_path("weights", f"prior_{kind.lower()}")).eval(),
        )

        def draw(y, s, prior=prior, way=r["measured"]["sampling"]):
            return from_codes(prior, vqvae, y, s, **way)[0]

        rows[f"codes, {kind} prior"] = r["wall_seconds"] * r["threads"] + both, draw
    for space, steps in (("pixels", 1250), ("latents", 1050)):
        seed_everything(0)
        model, cpu, _, _ = train(new_model(space), steps)
        rows[f"diffusion, {space}"] = (
            cpu + both * (space == "latents"),
            lambda y, s, m=model, k=space: generate(m, y, s, **WAYS[k]),
        )
    for space in ("pixels", "latents"):
        r, model = (
            record(f"dit_{space}"),
            LatentDiffusion.from_pretrained(DATA / "weights" / f"dit_{space}").eval(),
        )

        def draw(y, s, m=model, k=space):
            return generate(m, y, s, **WAYS[k])

        rows[f"diffusion, {space}, longer"] = r["cpu_seconds"] + r["tokenizer_cpu_seconds"], draw
    vae, cpu = train_vae(300)

    def from_vae(y, s):
        torch.manual_seed(s)
        return vae.sample(len(y)).clamp(-1, 1)

    rows["VAE (without labels)"] = cpu, from_vae
    for name, (cpu, draw) in rows.items():
        draw(torch.arange(20) % 10, 0)
        with Stopwatch() as watch:
            draw(torch.arange(200) % 10, 0)
        figures, _ = judge(draw, n)
        if draw is from_vae:
            figures["recognised"] = None
        yield {
            "name": name,
            "cpu_seconds": round(cpu),
            "ms_per_image": round(watch.cpu * 1000 / 200, 2),
            **figures,
        }


def train_vae(seconds):
    "A VAE, trained for about so many CPU-seconds."
    from mmgen.training import matrix_optimizers

    x, steps = DigitImages("train").tensors()[0], 20
    while True:  # a trial run tells what a step costs
        seed_everything(0)
        vae = VAE(VAEConfig(latent_dim=16, variance=0.1))
        recipe = Recipe(steps=steps, warmup=10, decay="linear", ema=0.99)
        with Stopwatch() as watch:
            vae = run(
                fit(
                    vae,
                    vae_loss,
                    Batches(x, 64, 0),
                    recipe,
                    device="cpu",
                    optimizer=matrix_optimizers,
                    progress=False,
                )
            ).ema
        if steps > 20:
            return vae.eval(), watch.cpu
        steps = int(steps * seconds / watch.cpu)


PARTS = {
    "where": (where, 600),
    "predict": (predict, 500),
    "recipe": (recipe, 500),
    "curve": (curve, 300),
    "ruler": (ruler, 0),
    "guidance": (guidance, 0),
    "systems": (systems, 0),
}


def tables(parts, n, out):
    "Make the parts and put them into the file, row by row."
    found = json.loads(out.read_text()) if out.exists() else {}
    floor = judge(lambda y, s: torch.randn(len(y), 1, 28, 28).clamp(-1, 1), n)[1]
    for part in parts:
        make, steps = PARTS[part]
        found[part] = []
        found["made"] = found.get("made", {}) | {part: about()}  # each part on its own day
        for row in make(n, steps):
            print(part, json.dumps(row), file=sys.stderr, flush=True)
            found[part].append(row)
            whole = about(n=n, floor=floor) | {k: found[k] for k in ("made", *PARTS) if k in found}
            out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf8")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("what", choices=("pixels", "latents", "tables"))
    ap.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="of the tables; all if none is named"
    )
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--steps", type=int)
    ap.add_argument("--n", type=int, help="images drawn for a judgement")
    ap.add_argument("--out", type=Path, default=OUT, help="of the tables")
    a = ap.parse_args()
    if a.what == "tables":
        return tables(a.parts or list(PARTS), a.n or 500, a.out)
    weights(a.what, a.seed, a.steps or STEPS[a.what], a.n or 2000)


if __name__ == "__main__":
    main()
