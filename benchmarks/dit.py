"""A DiT against diffusers' DiTTransformer2DModel of the same size: `python benchmarks/dit.py
[--device cuda] [--note ..]`.

Both models first get the same weights and must agree (the peer's clock divides by half - 1 where
the published one divides by half: it is set to half for this). Then passes are timed in turn,
peer, original, modern, peer, ..: a forward pass without gradients, and forward with backward of
a squared error, without an optimizer. On a CPU the CPU seconds of the process count, on a GPU
wall time between synchronisations. Ratios are ours to the peer's, medians of all turns; below 1
ours is faster. On a GPU all are compiled, and the share of the card's bfloat16 arithmetic that
ours uses (MFU) is given too, forward and backward counted as three forward passes.
"""

import argparse
import datetime
import statistics
from contextlib import nullcontext

import torch
from common import RESULTS, keep, machine, seconds
from torch.nn import functional as F

from mmgen.dit import DiT, DiTConfig, multiply_adds, preset
from mmgen.published.dit import to_published

S2 = dict(mode="original", learn_sigma=True, time_scale=1.0)
CPU = {
    "S/2, 256 tokens": (preset("S/2", **S2), 2),
    "S/2, 64 tokens": (preset("S/2", shape=(4, 16, 16), **S2), 8),
    "128 wide, 4 deep, 49 tokens": (DiTConfig((1, 28, 28), 4, 128, 4, 4, 10, **S2), 32),
}
CUDA = {
    "S/2, 256 tokens": (preset("S/2", **S2), 256),
    "S/2, 64 tokens": (preset("S/2", shape=(4, 16, 16), **S2), 1024),
    "XL/2, 256 tokens": (preset("XL/2", **S2), 32),
}
PEAK = {
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L4": 121e12,
    "T4": 65e12,
}  # dense bfloat16 (T4: float16) operations per second


def peer_of(c):
    "diffusers' model of the same shape, with the clock of the published weights."
    from diffusers import DiTTransformer2DModel

    if c.shape[1] != c.shape[2]:
        raise ValueError(f"shape={c.shape}; the peer takes squares only")
    peer = DiTTransformer2DModel(
        c.num_heads,
        c.dim // c.num_heads,
        c.shape[0],
        c.c_out,
        c.depth,
        sample_size=c.shape[1],
        patch_size=c.patch,
        num_embeds_ada_norm=c.n_classes,
        norm_eps=1e-6,
    )
    for block in peer.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    return peer


def for_diffusers(theirs, peer):
    """Published weights under the names of `peer`, whose places are its own and whose embedders
    stand in every block.
    """
    out = {k: v for k, v in peer.state_dict().items() if k == "pos_embed.pos_embed"}
    for k in ("weight", "bias"):
        out[f"pos_embed.proj.{k}"] = theirs[f"x_embedder.proj.{k}"]
        out[f"proj_out_1.{k}"], out[f"proj_out_2.{k}"] = (
            theirs[f"final_layer.adaLN_modulation.1.{k}"],
            theirs[f"final_layer.linear.{k}"],
        )
        for i in range(len(peer.transformer_blocks)):
            a, b = f"transformer_blocks.{i}", f"blocks.{i}"
            for n, m in ((1, 0), (2, 2)):
                out[f"{a}.norm1.emb.timestep_embedder.linear_{n}.{k}"] = theirs[
                    f"t_embedder.mlp.{m}.{k}"
                ]
            for name, part in zip("qkv", theirs[f"{b}.attn.qkv.{k}"].chunk(3)):
                out[f"{a}.attn1.to_{name}.{k}"] = part
            pairs = (
                ("norm1.linear", "adaLN_modulation.1"),
                ("attn1.to_out.0", "attn.proj"),
                ("ff.net.0.proj", "mlp.fc1"),
                ("ff.net.2", "mlp.fc2"),
            )
            for name, ours in pairs:
                out[f"{a}.{name}.{k}"] = theirs[f"{b}.{ours}.{k}"]
    name, table = (
        "transformer_blocks.{}.norm1.emb.class_embedder.embedding_table.weight",
        theirs["y_embedder.embedding_table.weight"],
    )
    return out | {name.format(i): table for i in range(len(peer.transformer_blocks))}


def models(c, device, compiled):
    "The three models, the first two with the same weights that all matter, checked to agree."
    torch.manual_seed(0)
    original, peer = DiT(c).eval(), peer_of(c).eval()
    with torch.no_grad():
        for p in original.parameters():
            p.add_(0.02 * torch.randn_like(p))
    peer.load_state_dict(for_diffusers(to_published(original), peer))
    x, t, y = inputs(c, 2, "cpu")
    with torch.no_grad():
        gap = (original(x, t, y) - peer(x, t, y).sample).abs().max().item()
    assert gap < 1e-4, f"the two disagree by {gap}"
    ours = {
        "peer": peer,
        "original": original,
        "modern": DiT(DiTConfig(**vars(c) | dict(mode="modern"))),
    }
    return {k: torch.compile(m.to(device)) if compiled else m.to(device) for k, m in ours.items()}


def inputs(c, batch, device):
    "Pictures, integer times and labels."
    g = torch.Generator().manual_seed(0)
    x = torch.randn(batch, *c.shape, generator=g)
    t, y = (torch.randint(0, n, (batch,), generator=g) for n in (1000, c.n_classes))
    return x.to(device), t.to(device), y.to(device)


def work(model, c, batch, device, half, training):
    "A function that does one pass."
    x, t, y = inputs(c, batch, device)
    target = torch.zeros(batch, c.c_out, *c.shape[1:], device=device)

    def auto():
        return torch.autocast(torch.device(device).type, torch.bfloat16) if half else nullcontext()

    def predict():
        out = model(x, t, y)
        return out if isinstance(out, torch.Tensor) else out.sample

    def forward():
        with torch.no_grad(), auto():
            return predict()

    def both():
        model.zero_grad(set_to_none=True)
        with auto():
            loss = F.mse_loss(predict().float(), target)
        loss.backward()

    model.train(training)
    return both if training else forward


def measure(name, device, repeats, half):
    "Rows of one setting: forward and training."
    c, batch = (CPU if device == "cpu" else CUDA)[name]
    nets, rows = models(c, device, device != "cpu"), []
    for training in (False, True):
        taken = {k: [] for k in nets}
        calls = {k: work(m, c, batch, device, half, training) for k, m in nets.items()}
        for turn in range(-2 if device != "cpu" else -1, repeats):
            for k, call in calls.items():
                s = seconds(call, device)
                if turn >= 0:
                    taken[k].append(s)
        median = {k: statistics.median(v) for k, v in taken.items()}
        peak = next(
            (
                v
                for k, v in PEAK.items()
                if device != "cpu" and half and k in torch.cuda.get_device_name()
            ),
            None,
        )
        passes = 2 * multiply_adds(c) * batch * (3 if training else 1)
        rows.append(
            dict(
                setting=name,
                batch=batch,
                precision="bf16" if half else "float32",
                what="training" if training else "forward",
                **{k: median[k] / median["peer"] for k in ("original", "modern")},
                mfu=peak and passes / median["original"] / peak,
            )
        )
    return rows


def table(run):
    "Markdown of one device's rows."
    head = (
        "| setting | batch | precision | pass | original / peer | modern / peer | MFU "
        "|\n|---|---|---|---|---|---|---|\n"
    )

    def mfu(r):
        return "-" if r["mfu"] is None else f"{r['mfu']:.0%}"

    def ratios(r):
        return f"{r['original']:.2f} | {r['modern']:.2f} | {mfu(r)} |\n"

    def line(r):
        return f"| {r['setting']} | {r['batch']} | {r['precision']} | {r['what']} | {ratios(r)}"

    what = (
        f"{run['date']}, {run['machine']}; medians of {run['repeats']} passes each, taken "
        f"in turn{run['note']}."
    )
    return f"{what}\n\n{head}{''.join(map(line, run['rows']))}"


def write(device, run):
    "Put this device's run into results/dit.json and render results/dit.md."
    runs = keep("dit", device, run)
    body = "\n".join(f"## {name}\n\n{table(r)}" for name, r in sorted(runs.items()))
    if "cuda" not in runs:
        body += "\n## cuda\n\nNot run yet.\n"
    (RESULTS / "dit.md").write_text(
        "# DiT: a pass against diffusers' DiTTransformer2DModel\n\n"
        "Written by `benchmarks/dit.py`; its first lines say what is measured. Below 1 ours is "
        "faster.\n\n" + body
    )


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    ap.add_argument("--repeats", type=int, default=9, help="timed passes of each")
    ap.add_argument(
        "--note", default="", help="a remark for the table's first line, such as what else ran"
    )
    a = ap.parse_args()
    if a.repeats < 9:
        ap.error("--repeats must be at least 9")
    rows = []
    for name in CPU if a.device == "cpu" else CUDA:
        for half in (False, True):
            rows += measure(name, a.device, a.repeats, half)
            for r in rows[-2:]:
                print(r, flush=True)
            write(
                a.device,
                dict(
                    date=f"{datetime.date.today()}",
                    machine=machine(a.device, "diffusers"),
                    repeats=a.repeats,
                    note=a.note and f"; {a.note}",
                    rows=rows,
                ),
            )


if __name__ == "__main__":
    main()
