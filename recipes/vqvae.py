"""Train the shipped VQ-VAE and write data/weights/vqvae_mnist: `python recipes/vqvae.py [--seed 0]
[--steps 1500]`.

The recipe is the main run of nbs/05_vqvae.ipynb at profile cpu. The same numbers come only from
one thread (OMP_NUM_THREADS=1) on the same machine with the same versions.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from mmgen.core import Stopwatch, seed_everything
from mmgen.data import DigitImages
from mmgen.quantizer import codebook_report
from mmgen.training import Batches, Recipe, fit, matrix_optimizers, run
from mmgen.vqvae import VQVAE, VQVAEConfig, reconstruct, vqvae_loss
from mmgen.weights import save_weights

DATA = Path(__file__).resolve().parents[1] / "data"


def train(seed, steps):
    "The trained model and the CPU-seconds that it took."
    seed_everything(seed)
    data = Batches(DigitImages("train").tensors()[0], 16, seed=seed)
    recipe = Recipe(steps=steps, warmup=50, decay="linear", seed=seed)
    with Stopwatch() as watch:
        state = run(
            fit(
                VQVAE(VQVAEConfig()),
                vqvae_loss,
                data,
                recipe,
                device="cpu",
                optimizer=matrix_optimizers,
            )
        )
    return state.model.eval(), watch.cpu


def measure(model):
    "Figures over the whole test set."
    x = DigitImages("test").tensors()[0]
    x_hat, codes = reconstruct(model, x)
    report = codebook_report(codes, model.config.n_codes)
    return {
        "test_images": len(x),
        "psnr_db": round(10 * math.log10(4 / (x_hat - x).square().mean().item()), 3),
        "codes_used": report["used"],
        "perplexity": round(report["perplexity"], 1),
        "bits_per_image": 49 * 9,
    }


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--steps", type=int, default=1500)
    ap.add_argument("--out", type=Path, default=DATA / "weights" / "vqvae_mnist")
    a = ap.parse_args()
    model, seconds = train(a.seed, a.steps)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=DATA, capture_output=True, text=True
    ).stdout.strip()
    record = {
        "command": f"python recipes/vqvae.py --seed {a.seed} --steps {a.steps}",
        "profile": "cpu",
        "seed": a.seed,
        "commit": commit,
        "cpu_seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "measured": measure(model),
    }
    a.out.mkdir(parents=True, exist_ok=True)
    save_weights(
        model, a.out / "model.safetensors", model.config, record
    )  # what load_weights and from_pretrained read
    (a.out / "config.json").write_text(
        json.dumps(asdict(model.config), indent=1) + "\n", encoding="utf8"
    )
    json.dump(record, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
