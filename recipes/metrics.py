"""Train the two shipped digit classifiers and write data/weights/digit_net/ROLE: `python
recipes/metrics.py judge`, then `.. loss`.

`judge` gives the features of every figure in the course. `loss` has another seed and half the
width, which makes it cheap to train against; it is for perceptual losses only. The same numbers
come only from the same machine, versions and number of threads.
"""

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn import functional as F

from mmgen.core import Stopwatch, seed_everything
from mmgen.data import DigitImages
from mmgen.features import DigitNet, DigitNetConfig, embed
from mmgen.training import Batches, Recipe, fit, run
from mmgen.weights import save_weights

DATA = Path(__file__).resolve().parents[1] / "data"
ROLES = {
    "judge": (DigitNetConfig(width=16, kernel=3), 0),
    "loss": (DigitNetConfig(width=8, kernel=3), 1),
}  # config, seed


def distort(batch):
    """Turn, scale, shear and shift each digit a little; a digit stays what it is, so the label
    stays too. Never flips: a mirrored 2 is no 2.
    """
    x, y = batch
    n = len(x)

    def spread(size):
        return (torch.rand(n) * 2 - 1) * size

    turn, shear, scale = spread(0.2), spread(0.15), 1 + spread(0.12)  # radians, share, share
    cos, sin = scale * turn.cos(), scale * turn.sin()
    rows = torch.stack([cos, -sin + shear, spread(0.16), sin, cos, spread(0.16)], 1).view(n, 2, 3)
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    return F.grid_sample(
        x + 1, grid, align_corners=False
    ) - 1, y  # outside the picture is paper, -1


def loss_fn(net, batch):
    "Cross entropy with a little smoothing, so that features do not run away."
    x, y = batch
    logits = net(x).float()
    return F.cross_entropy(logits, y, label_smoothing=0.05), {
        "accuracy": (logits.argmax(1) == y).float().mean()
    }


def train(config, seed, steps, batch_size):
    "The trained net and the seconds that it took."
    seed_everything(seed)
    data = Batches(DigitImages("train").tensors(), batch_size, seed=seed, transform=distort)
    recipe = Recipe(steps=steps, lr=4e-3, warmup=100, weight_decay=0.02, ema=0.995, seed=seed)

    def adam(params):
        return torch.optim.AdamW(params, 4e-3, weight_decay=0.02)

    with Stopwatch() as watch:
        state = run(fit(DigitNet(config), loss_fn, data, recipe, device="cpu", optimizer=adam))
    return settle(state.ema), watch


@torch.no_grad()
def settle(net):
    "Batch statistics of the averaged weights, taken over 10,000 training images."
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None  # None: a plain mean over batches
    net.train()
    for part in DigitImages("train").tensors()[0][:10_000].split(500):
        net(part)
    return net.eval()


def measure(net):
    "Figures over the validation and test sets."
    right = {}
    for split in ("valid", "test"):
        x, y = DigitImages(split).tensors()
        right[split] = int((embed(x, net.forward).argmax(1) == y).sum())
    return {
        "test_images": 10_000,
        "test_right": right["test"],
        "test_accuracy": right["test"] / 10_000,
        "valid_images": 5000,
        "valid_right": right["valid"],
        "parameters": sum(p.numel() for p in net.parameters()),
        "features": net.num_features,
    }


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("role", choices=ROLES)
    ap.add_argument("--seed", type=int)
    ap.add_argument("--steps", type=int, default=3600)
    ap.add_argument("--batch-size", type=int, default=64)
    ap.add_argument("--out", type=Path)
    a = ap.parse_args()
    config, seed = ROLES[a.role]
    seed, out = seed if a.seed is None else a.seed, a.out or DATA / "weights" / "digit_net" / a.role
    net, watch = train(config, seed, a.steps, a.batch_size)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=DATA, capture_output=True, text=True
    ).stdout.strip()
    record = {
        "command": (
            f"python recipes/metrics.py {a.role} --seed {seed} --steps {a.steps} "
            f"--batch-size {a.batch_size}"
        ),
        "profile": "cpu",
        "seed": seed,
        "commit": commit,
        "cpu_seconds": round(watch.cpu, 1),
        "wall_seconds": round(watch.wall, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "measured": measure(net),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_weights(net, out / "model.safetensors", config, record)
    (out / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf8")
    json.dump(record, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
