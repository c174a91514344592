"""What the tests of the library share: seeded tensors, models whose every number matters, and a
chain written from the papers in numpy.
"""

import hashlib
import wave

import numpy as np
import torch

from mmgen.chain import GaussianDiffusion, linear_betas
from mmgen.core import seed_everything
from mmgen.dit import DiTConfig
from mmgen.latent import LatentConfig, LatentDiffusion

# The call of the linker that PyTorch's inductor makes breaks at a space in PyTorch's own path; the
# graph is traced all the same.
INDUCTOR = "aot_eager" if " " in torch.__file__ else "inductor"


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape, seed=0):
    return torch.rand(shape, generator=gen(seed)) * 2 - 1


def randn(*shape, seed=0, **kw):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **kw)


def draws(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def lively(model, seed=0, size=0.1):
    "The model with every number moved, so that each of them matters."
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(size * torch.randn(p.shape, generator=g))
    return model.eval()


def table(T=1000):
    return GaussianDiffusion(linear_betas(T) if T > 20 else np.linspace(0.01, 0.3, T))


class Reference:
    """Ho et al. 2020, equations 4, 7, 11, 15; Nichol & Dhariwal 2021, equation 15; one number at a
    time, numpy float64.
    """

    def __init__(self, betas):
        self.b, self.bar = (
            np.asarray(betas, dtype=np.float64),
            np.cumprod(1 - np.asarray(betas, dtype=np.float64)),
        )
        self.prev = np.append(1.0, self.bar[:-1])
        self.tilde = self.b * (1 - self.prev) / (1 - self.bar)

    def x_0(self, kind, out, x_t, t):
        a, s = np.sqrt(self.bar[t]), np.sqrt(1 - self.bar[t])
        return {
            "eps": lambda: (x_t - s * out) / a,
            "x0": lambda: out,
            "v": lambda: a * x_t - s * out,
            "score": lambda: (x_t + s * s * out) / a,
        }[kind]()

    def mean(self, x_0, x_t, t):
        return (
            np.sqrt(self.prev[t]) * self.b[t] * x_0
            + np.sqrt(1 - self.b[t]) * (1 - self.prev[t]) * x_t
        ) / (1 - self.bar[t])

    def log_variance(self, kind, t, fraction=0.0):
        small = np.log(self.tilde[max(t, 1)])
        if kind == "fixed_small":
            return small
        if kind == "fixed_large":
            return np.log(self.b[t]) if t else small
        f = (fraction + 1) / 2
        return f * np.log(self.b[t]) + (1 - f) * small


def write_wav(path, samples, rate=8000, channels=1, width=2):
    "Write 16-bit samples (or other bytes) as a WAV file; its path."
    with wave.open(str(path), "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(width)
        w.setframerate(rate)
        w.writeframes(np.asarray(samples).tobytes())
    return path


def fingerprints(x) -> set:
    "A digest of each row, so that two sets can be held beside each other."
    return {hashlib.sha1(row.numpy().tobytes()).digest() for row in x}


SMALL_DIT = dict(patch=1, dim=32, depth=1, num_heads=1, n_classes=10)


def latents(vqvae, **changes):
    "A small diffusion of the latents of a VQ-VAE."
    return LatentDiffusion(
        LatentConfig(DiTConfig((8, 7, 7), **SMALL_DIT), vqvae.config, **changes), vqvae
    )


def pixels(seed=0, **changes):
    "A small diffusion of pixels whose every number matters, in eval mode."
    seed_everything(seed)
    dit = DiTConfig((1, 28, 28), **SMALL_DIT | {"patch": 7})
    model = LatentDiffusion(LatentConfig(dit, **changes))
    for p in model.dit.parameters():
        torch.nn.init.normal_(p, std=0.1)  # at the start a DiT says nothing
    return model.eval()
