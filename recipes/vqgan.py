"""Train the shipped VQ-GAN and make the two tables of notebook 07: `python recipes/vqgan.py
weights`, then `.. plane` and `.. ideas`.

`plane` trains three losses at three bit rates, for equal CPU time and for equal steps; `ideas`
changes one part of a VQ-GAN at a time. Both use three seeds, one thread, and every test image
that they count; results/ holds what they measured, with machine and date.
"""

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from mmgen.codebooks import FSQ, ResidualQuantizer
from mmgen.core import Stopwatch, seed_everything
from mmgen.data import DigitImages
from mmgen.features import digit_net, embed
from mmgen.metrics import frechet_distance, psnr
from mmgen.published.vqgan import AttnBlock
from mmgen.quantizer import EMAVectorQuantizer, straight_through
from mmgen.training import Batches, Recipe, fit, matrix_optimizers, run
from mmgen.vqgan import (
    TURNS,
    VQGAN,
    MapDiscriminator,
    MultiScaleDiscriminator,
    PatchDiscriminator,
    VQGANConfig,
    gan_optimizers,
)
from mmgen.vqvae import VQVAE, VQVAEConfig, vqvae_loss
from mmgen.weights import save_weights

DATA = Path(__file__).resolve().parents[1] / "data"
BUDGETS = {
    441: dict(factor=4, n_codes=512),
    128: dict(factor=7, n_codes=256),
    64: dict(factor=7, n_codes=16),
}
LOSSES = ("L2", "+ perceptual", "+ adversarial")


# of a discriminator of maps; one of pixels stays at the default strength
STRONG = dict(adversarial=2.0, adapt_every=8)


def map_discriminator(stages=(1, 2, 4), hidden=16):
    "A discriminator of maps of the perceptual network, each a multiple of its width."
    return MapDiscriminator([digit_net("loss").config.width * n for n in stages], hidden)


def attentive(discriminator):
    "The same with attention over the places of its coarsest map."
    discriminator.heads[-1].insert(2, AttnBlock(discriminator.heads[-1][0].out_channels))
    return discriminator


def game(codec, loss, steps, seed, discriminator=map_discriminator, **settings):
    "The states of a run of `fit`."
    seed_everything(seed)
    data = Batches(DigitImages("train").tensors()[0], 16, seed=seed)
    recipe = Recipe(
        steps=steps,
        warmup=min(50, steps // 4),
        decay="linear",
        ema=0.0 if loss == "L2" else 0.99,
        seed=seed,
    )
    model, losses, optimizer = codec(), vqvae_loss, matrix_optimizers
    if loss != "L2":
        late = (
            dict(start=10**9) if loss == "+ perceptual" else {}
        )  # a discriminator whose start step never comes costs nothing
        model, losses = (
            VQGAN(
                model,
                discriminator(),
                VQGANConfig(**{**STRONG, **late, **settings}),
                digit_net("loss"),
            ),
            TURNS,
        )
        optimizer = gan_optimizers(model, lr=0.03, adam_lr=7.5e-3)
    return fit(model, losses, data, recipe, device="cpu", optimizer=optimizer, progress=False)


def train(*args, **options):
    "The codec, its history and the CPU-seconds of training."
    with Stopwatch() as watch:
        state = run(game(*args, **options))
    return getattr(state.ema, "codec", state.ema).eval(), state.history, watch.cpu


def paces(codec, rounds=3, steps=60):
    "Median CPU-seconds of a step of each loss, taken in turn so that all meet the same machine."
    taken = {loss: [] for loss in LOSSES}
    for _ in range(rounds):
        for loss in LOSSES:
            ends = [time.process_time() for _ in game(codec, loss, steps, 0)]
            taken[loss] += [b - a for a, b in zip(ends[20:], ends[21:])]
    return {loss: statistics.median(v) for loss, v in taken.items()}


@torch.no_grad()
def measure(codec, n_test):
    "Figures of the test images drawn from their integers."
    x, y = (t[:: 10_000 // n_test] for t in DigitImages("test").tensors())
    judge = digit_net("judge")
    x_hat = torch.cat([codec.decode_indices(codec.indices(part)) for part in x.split(250)]).clamp(
        -1, 1
    )
    own, real = embed(x_hat, judge), embed(x, judge)
    return {
        "psnr": psnr(x_hat, x).mean().item(),
        "fd": frechet_distance(own, real),
        "recognised": (judge.head(own).argmax(1) == y).float().mean().item(),
    }


def row(name, codec, loss, steps, seed, n_test, **options):
    "One run and its figures, printed as they come."
    model, history, cpu = train(codec, loss, steps, seed, **options)
    tail = [h for h in history[len(history) // 2 :] if "discriminator" in h]
    out = dict(
        name=name,
        loss=loss,
        steps=steps,
        seed=seed,
        cpu_seconds=round(cpu, 2),
        **measure(model, n_test),
        discriminator=sum(h["discriminator"] for h in tail) / len(tail) if tail else None,
        numbers=sum(p.numel() for p in model.parameters()),
    )
    print({k: round(v, 3) if isinstance(v, float) else v for k, v in out.items()}, flush=True)
    return out


def plane(a):
    """Three losses at three rates, for equal steps, and for as many steps as fit in the CPU time of
    the dearest.
    """
    rows = []
    for bits, shape in BUDGETS.items():

        def codec(shape=shape):
            return VQVAE(VQVAEConfig(**shape))

        cost = paces(codec)
        for loss in LOSSES:
            for equal, steps in (
                ("seconds", round(a.steps * max(cost.values()) / cost[loss])),
                ("steps", a.steps),
            ):
                if equal == "steps" and cost[loss] == max(cost.values()):  # the same runs
                    rows += [r | dict(equal="steps") for r in rows[-a.seeds :]]
                    continue
                shared = dict(bits=bits, equal=equal, step_ms=round(1000 * cost[loss], 2))
                rows += [
                    shared | row(f"{bits} bits", codec, loss, steps, seed, a.n_test)
                    for seed in range(a.seeds)
                ]
    return rows


def longer(a):
    """At the lowest rate three times as many steps, for equal CPU time: what a discriminator is
    worth once both have had their fill.
    """

    def codec():
        return VQVAE(VQVAEConfig(**BUDGETS[64]))

    cost = paces(codec)
    rows = []
    for loss in ("L2", "+ adversarial"):
        steps = round(a.steps * max(cost.values()) / cost[loss])
        shared = dict(bits=64, equal="seconds, longer", step_ms=round(1000 * cost[loss], 2))
        rows += [
            shared | row("64 bits", codec, loss, steps, seed, a.n_test) for seed in range(a.seeds)
        ]
    return rows


def half(z, z_q):
    "In training, half of the vectors pass as they are: the decoder learns both."
    return torch.where(torch.rand(len(z), 1) < 0.5, z, straight_through(z, z_q))


def ideas(a):
    "One part of a VQ-GAN changed at a time, at 64 bits unless the name says so."
    base = VQVAEConfig(**BUDGETS[64])

    def codec(quantizer=None, **shape):
        return lambda: VQVAE(VQVAEConfig(**{**BUDGETS[64], **shape}), quantizer and quantizer())

    def attention():
        model = VQVAE(base)
        model.decoder.insert(2, AttnBlock(base.width))
        return model

    wide = dict(decay=base.decay)
    kinds = {
        "base: joint from scratch": (codec(), {}),
        "no discriminator": (codec(), dict(start=10**9)),
        "pretrain, then discriminator": (codec(), dict(start=a.steps // 2)),
        "a quarter as strong": (codec(), dict(adversarial=0.5)),
        "the two coarser maps": (
            codec(),
            dict(discriminator=partial(map_discriminator, (2, 4), 32), adversarial=0.5),
        ),
        "discriminator of patches": (
            codec(),
            dict(discriminator=PatchDiscriminator, adversarial=0.5),
        ),
        "multi-scale discriminator": (
            codec(),
            dict(discriminator=MultiScaleDiscriminator, adversarial=0.5),
        ),
        "attention in the discriminator": (
            codec(),
            dict(discriminator=lambda: attentive(map_discriminator(hidden=32))),
        ),
        "attention in the decoder": (attention, {}),
        "decoder twice as deep": (codec(decoder_depth=4), {}),
        "twice the codes (80 bits)": (codec(n_codes=32), {}),
        "finer grid (78 bits)": (codec(factor=4, n_codes=3), {}),
        "fixed grid of codes (FSQ)": (codec(lambda: FSQ((4, 4)), dim=2), {}),
        "two residual stages": (
            codec(lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(4, base.dim, **wide), 2)),
            {},
        ),
        "hybrid: half without codes": (
            codec(lambda: EMAVectorQuantizer(16, base.dim, estimator=half, **wide)),
            {},
        ),
    }
    return [
        row(name, make, "+ adversarial", a.steps, seed, a.n_test, **options)
        for name, (make, options) in kinds.items()
        for seed in range(a.seeds)
    ]


def weights(a):
    "Train and ship the VQ-GAN of 64 bits."
    config = VQVAEConfig(**BUDGETS[64])
    model, _, cpu = train(partial(VQVAE, config), "+ adversarial", a.steps, a.seed)
    out = DATA / "weights" / "vqgan_mnist"
    out.mkdir(parents=True, exist_ok=True)
    record = about(a) | {
        "cpu_seconds": round(cpu, 1),
        "measured": {"test_images": 10_000} | measure(model, 10_000),
    }
    save_weights(model, out / "model.safetensors", config, record)
    (out / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf8")
    return record


def about(a):
    "Command, versions and machine."
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=DATA, capture_output=True, text=True
    ).stdout.strip()
    command = " ".join(
        [
            "python recipes/vqgan.py",
            a.what,
            *(f"--{k.replace('_', '-')} {v}" for k, v in vars(a).items() if k != "what"),
        ]
    )
    return {
        "command": command,
        "profile": "cpu",
        "seed": a.seed,
        "commit": commit,
        "date": f"{datetime.date.today()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("what", choices=["weights", "plane", "longer", "ideas"])
    ap.add_argument("--seed", type=int, default=0, help="of the shipped weights")
    ap.add_argument("--seeds", type=int, default=3, help="runs of each row of a table")
    ap.add_argument("--steps", type=int, default=500)
    ap.add_argument("--n-test", type=int, default=5000)
    a = ap.parse_args()
    torch.set_num_threads(1)
    if a.what == "weights":
        print(json.dumps(weights(a), indent=1))
        return
    rows = {"plane": plane, "longer": longer, "ideas": ideas}[a.what](a)
    path = DATA / "results" / f"vqgan_{a.what}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(about(a) | {"rows": rows}, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
