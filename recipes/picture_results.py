"""Draw assets/results.png, the picture of the README, from the shipped weights: `python
recipes/picture_results.py`.
"""

import json
import math
from pathlib import Path

import matplotlib
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from mmgen.core import data_path, seed_everything
from mmgen.data import DigitImages
from mmgen.latent import LatentDiffusion, generate
from mmgen.quantizer import codebook_report
from mmgen.vqvae import VQVAE, reconstruct

N = 12
seed_everything(0)
x = DigitImages("test").tensors()[0]
vqvae = VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()
x_hat, codes = reconstruct(vqvae, x)
psnr = 10 * math.log10(4 / (x_hat - x).square().mean().item())
report = codebook_report(codes, 512)
with torch.no_grad():
    noise = vqvae.decode_indices(torch.randint(0, 512, (N, 7, 7)))
    kept = json.loads(data_path("weights", "dit_pixels", "model.json").read_text())["record"][
        "measured"
    ]
    asked = torch.arange(N) % 10
    dit = generate(
        LatentDiffusion.from_pretrained(data_path("weights", "dit_pixels")).eval(),
        asked,
        0,
        guidance_scale=2.0,
    )
rows = [
    ("test digits", x[:N]),
    (f"49 integers each\n{report['used']} of 512 in use", codes[:N].float()[:, None]),
    (f"drawn from them\n{psnr:.1f} dB on 10,000", x_hat[:N]),
    ("integers at random:\na prior is missing", noise),
    (
        f"asked for 0, 1, 2, ..: diffusion\n{kept['recognised']:.1%} recognised of "
        f"{kept['samples']:,}",
        dit,
    ),
]
fig, axes = plt.subplots(
    len(rows), N, figsize=(N * 0.72 + 2, len(rows) * 0.76), layout="constrained"
)
for row, (title, images) in zip(axes, rows):
    row[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    for ax, image in zip(row, images):
        grey = image.shape[-1] == 28
        ax.imshow(
            image[0],
            cmap="gray" if grey else "viridis",
            vmin=-1 if grey else 0,
            vmax=1 if grey else 511,
        )
        ax.set(xticks=[], yticks=[])
        for side in ax.spines.values():
            side.set_visible(False)
fig.savefig(Path(__file__).parents[1] / "assets" / "results.png", dpi=110)
