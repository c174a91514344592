"""Train the two shipped priors over the codes of the shipped VQ-VAE: `python recipes/priors.py ar`,
then `.. masked`.

Writes data/weights/prior_KIND. The recipe is that of nbs/09_priors.ipynb, with more steps. The
weights are kept as float16 and the figures in the record are measured from the file, so that
they can be reproduced. `--folder` holds checkpoints: a run that was stopped goes on from the
newest. The same numbers come only from the same machine with the same versions and number of
threads.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from mmgen.core import data_path, seed_everything
from mmgen.data import DigitImages
from mmgen.masked import MaskedPrior, masked_bound, masked_loss
from mmgen.priors import ARPrior, PriorConfig, ar_loss, draw_images
from mmgen.report import evaluate
from mmgen.training import Batches, Recipe, fit
from mmgen.transformer import block_optimizers
from mmgen.vqvae import VQVAE
from mmgen.weights import save_weights

DATA = Path(__file__).resolve().parents[1] / "data"
KINDS = {
    "ar": (ARPrior, ar_loss, 3000, dict(guidance_scale=2.0)),  # model, loss, steps, sampling
    "masked": (
        MaskedPrior,
        masked_loss,
        4000,
        dict(n_steps=12, guidance_scale=1.5, noise=2.0, temperature=0.9),
    ),
}


@torch.no_grad()
def codes_of(vqvae, split):
    "Codes (n, 49) and labels of a split of MNIST."
    x, y = DigitImages(split).tensors()
    return torch.cat([vqvae.indices(part) for part in x.split(1000)]).flatten(1), y


def train(kind, seed, steps, folder, vqvae):
    "The averaged model and the wall-clock seconds that it took."
    make, loss, _, _ = KINDS[kind]
    seed_everything(seed)
    prior = make(PriorConfig())
    data = Batches(codes_of(vqvae, "train"), 32, seed=seed)
    recipe = Recipe(steps=steps, warmup=50, decay="linear", ema=0.998, seed=seed)
    optimizer = block_optimizers(prior, adam_lr=2e-3, betas=(0.9, 0.95))
    states = fit(
        prior,
        loss,
        data,
        recipe,
        device="cpu",
        optimizer=optimizer,
        folder=folder,
        save_every=50,
        progress=False,
    )
    start, last = time.time(), None
    for last in states:
        if last.step % 50:
            continue
        print(
            f"step {last.step}, {last.logs['bits']:.2f} bits, {time.time() - start:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return last.ema, last.seconds


@torch.no_grad()
def measure(prior, vqvae, way):
    "Bits of 1,000 test images, and the judge's figures of 1,000 samples."
    (k, y), n = codes_of(vqvae, "test"), 1000
    k, y, generator = k[:n], y[:n], torch.Generator().manual_seed(0)
    nats = (
        prior.nll(k, y) if isinstance(prior, ARPrior) else masked_bound(prior, k, y, 10, generator)
    )

    def draw(n, seed):
        return (
            draw_images(prior, vqvae, torch.arange(n) % 10, seed, **way)[0],
            torch.arange(n) % 10,
        )

    report = evaluate(draw, DigitImages("test").tensors(), n=n)
    figures = {
        name: round(report[name].value, 4)
        for name in ("recognised", "frechet", "precision", "recall")
    }
    return {
        "bits_per_image": round(nats.mean().item() / torch.log(torch.tensor(2.0)).item(), 2),
        "samples": n,
        "sampling": way,
        **figures,
        "frechet_floor": round(report["frechet"].floor, 4),
    }


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("kind", choices=KINDS)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--steps", type=int)
    ap.add_argument("--folder", type=Path, help="for checkpoints")
    ap.add_argument("--out", type=Path)
    a = ap.parse_args()
    make, _, steps, way = KINDS[a.kind]
    steps, out = a.steps or steps, a.out or DATA / "weights" / f"prior_{a.kind}"
    vqvae = VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()
    prior, seconds = train(a.kind, a.seed, steps, a.folder, vqvae)
    prior = prior.half().float()  # what the file will give back
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=DATA, capture_output=True, text=True
    ).stdout.strip()
    record = {
        "command": f"python recipes/priors.py {a.kind} --seed {a.seed} --steps {steps}",
        "profile": "cpu",
        "seed": a.seed,
        "commit": commit,
        "wall_seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "measured": measure(prior, vqvae, way),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_weights(prior.half(), out / "model.safetensors", prior.config, record)
    (out / "config.json").write_text(
        json.dumps(asdict(prior.config), indent=1) + "\n", encoding="utf8"
    )
    json.dump(record, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
