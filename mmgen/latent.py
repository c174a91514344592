from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn
from torch.nn import functional as F

from mmgen.diffusion import KINDS, diffusion_loss, logit_normal, noise_path
from mmgen.dit import DiT, DiTConfig
from mmgen.samplers import Denoiser, finish, guided, sample
from mmgen.vqvae import VQVAE, VQVAEConfig

@dataclass(frozen=True)
class LatentConfig:
    "A denoiser and the space it works in. ValueError names a field that does not fit."
    dit: DiTConfig = DiTConfig((1, 28, 28), 4, 128, 4, 4, 10)  # its shape is that of a latent, or of an image
    tokenizer: VQVAEConfig | None = None  # of the codec whose latents are used; None: pixels as they are
    path: str = "flow"                    # a name of `mmgen.diffusion.PATHS`
    predict: str = "x0"                   # what the network says: "x0", "eps", "v" or "flow"
    loss_in: str = "flow"                 # the kind in which its errors are measured
    codes: bool = True                    # latents are codes z_q; False: the vectors z_e before the quantizer

    def __post_init__(self):
        for name, kind in (("dit", DiTConfig), ("tokenizer", VQVAEConfig)):       # JSON gives dicts
            if isinstance(v := getattr(self, name), dict): object.__setattr__(self, name, kind(**v))
        if self.dit.learn_sigma: raise ValueError("dit.learn_sigma=True; expected False: this loss trains no variance")
        if self.tokenizer and self.dit.shape[0] != self.tokenizer.dim:
            raise ValueError(f"dit.shape={self.dit.shape}; expected {self.tokenizer.dim} channels, as the tokenizer's latents have")
        for name in ("predict", "loss_in"):
            if (v := getattr(self, name)) not in KINDS: raise ValueError(f"{name}={v!r}; expected one of {', '.join(KINDS)}")
        noise_path(self.path)                                                      # an unknown name fails here

class LatentDiffusion(nn.Module, PyTorchModelHubMixin):
    "A DiT that draws latents of a frozen tokenizer (Rombach et al. 2022, section 3), or pixels. Called with (x_t, t, labels)."
    def __init__(self, config: LatentConfig = LatentConfig(),
                 codec: VQVAE | None = None):  # the trained tokenizer; None: one of the config, whose weights are loaded with the rest
        super().__init__()
        c = self.config = config if isinstance(config, LatentConfig) else LatentConfig(**config)
        self.dit, self.path = DiT(c.dit), noise_path(c.path)
        self.tokenizer = codec if codec or not c.tokenizer else VQVAE(c.tokenizer)
        if self.tokenizer: self.tokenizer.eval().requires_grad_(False)
        for name, fill in (("mean", 0.), ("std", 1.)): self.register_buffer(name, torch.full((c.dit.shape[0], 1, 1), fill))

    def train(self, mode: bool = True):
        "The denoiser's mode; the tokenizer stays in evaluation."
        super().train(mode)
        if self.tokenizer: self.tokenizer.eval()
        return self

    def forward(self, x_t, t, labels): return self.dit(x_t, t, labels)             # (b, c, h, w), (b,), (b,) -> (b, c, h, w)

    def raw(self, images):  # (b, ., H, W) -> (b, c, h, w)
        "Latents on the tokenizer's own scale; images where there is none."
        if not self.tokenizer: return images
        z_e = self.tokenizer.encode(images)
        return self.tokenizer.quantize(z_e).z_q if self.config.codes else z_e

    @torch.no_grad()
    def encode(self, images, batch_size: int = 500):  # (b, ., H, W) -> (b, c, h, w)
        "What the denoiser works on: latents with mean 0 and variance 1 in each channel, on the CPU."
        return torch.cat([((self.raw(part.to(self.mean.device)) - self.mean) / self.std).cpu() for part in images.split(batch_size)])

    @torch.no_grad()
    def decode(self, z, codes: bool = True, batch_size: int = 500):  # (b, c, h, w) -> (b, ., H, W) in [-1, 1]
        "Images of latents, on the CPU: back to the tokenizer's scale, to the nearest codes unless told not to, through its decoder."
        if not self.tokenizer: return z.clamp(-1, 1).cpu()
        raw = (part.to(self.mean.device) * self.std + self.mean for part in z.split(batch_size))
        return torch.cat([self.tokenizer.decode(self.tokenizer.quantize(z).z_q if codes else z).clamp(-1, 1).cpu() for z in raw])

    @torch.no_grad()
    def measure(self, images):
        "Set mean and std to those of the latents of `images`, channel by channel; in pixels they stay 0 and 1. Returns the model."
        if not self.tokenizer: return self
        z = torch.cat([self.raw(part.to(self.mean.device)) for part in images.split(500)])
        self.mean.copy_(z.mean((0, 2, 3)).view(-1, 1, 1)); self.std.copy_(z.std((0, 2, 3)).view(-1, 1, 1))
        return self

def denoiser(model: LatentDiffusion, labels,   # (b,) int64
             s: float = 1.,                    # guidance: 1 is none
             interval: tuple = (0., 1.),       # times at which it acts (Kynkaanniemi et al. 2024)
             ) -> Callable:
    "`denoise(x_t, t)` -> x_0 estimate (b, c, h, w), for these labels."
    said = partial(Denoiser, model, model.path, model.config.predict)
    return guided(said(labels), said(torch.full_like(labels, model.config.dit.n_classes)), s, interval=interval)

def evaluating(model: nn.Module):
    "The model in evaluation mode, as sampling needs it: in training a share of the labels is dropped. ValueError says so."
    if model.training: raise ValueError("model is in training mode, in which labels are dropped at random; expected model.eval() first")
    return model

@torch.no_grad()
def generate_latents(model: LatentDiffusion, labels: torch.Tensor,  # (n,) int64; n_classes for no label
                     seed: int = 0, s: float = 2., n_steps: int = 12, interval: tuple = (0., 1.), batch_size: int = 250,
                     **how) -> torch.Tensor:                        # (n, c, h, w) on the CPU; `how` goes to `sample`
    "What the denoiser draws for the labels. Equal seeds give equal results, whatever the batch size, unless the solver draws noise."
    evaluating(model); rng, drawn = torch.Generator().manual_seed(seed), []
    noise = torch.randn(len(labels), *model.config.dit.shape, generator=rng)
    for x_t, y in zip(noise.split(batch_size), labels.split(batch_size)):
        x_t, y = x_t.to(model.mean.device), y.to(model.mean.device)
        drawn.append(finish(sample(denoiser(model, y, s, interval), model.path, x_t, n_steps, rng=rng, **how)).cpu())
    return torch.cat(drawn)

def generate(model: LatentDiffusion, labels: torch.Tensor, seed: int = 0, **how) -> torch.Tensor:  # (n,) -> (n, ., H, W) in [-1, 1]
    "Images of the labels, on the CPU; `how` goes to `generate_latents`."
    return model.decode(generate_latents(model, labels, seed, **how))

def latent_loss(model: LatentDiffusion, batch, times=logit_normal(1.)) -> tuple:  # (z, labels) from `encode` -> loss, logs
    "`diffusion_loss` with the model's own path and kinds, for `mmgen.train.fit`."
    return diffusion_loss(model, batch, model.path, model.config.predict, model.config.loss_in, times)

def with_known(denoise: Callable, known, mask) -> Callable:
    "A denoiser that knows x_0 = `known` (b, c, h, w) where `mask` (b, 1, h, w) is True (in the spirit of Lugmayr et al. 2022, section 4)."
    return lambda x_t, t: torch.where(mask, known, denoise(x_t, t))

@torch.no_grad()
def inpaint(model: LatentDiffusion, images, mask, labels,  # (n, ., H, W), (n or 1, 1, H, W) bool: True is kept, (n,)
            seed: int = 0, s: float = 2., n_steps: int = 12, **how) -> torch.Tensor:
    "Images with the part outside `mask` drawn anew. In latents a place is kept only if all of its pixels are."
    evaluating(model)
    if mask.dtype != torch.bool: raise TypeError(f"mask is {mask.dtype}; expected torch.bool, True where the image is kept")
    h, w = images.shape[-2:]
    if mask.shape[-2:] != (h, w): raise ValueError(f"mask is {tuple(mask.shape)}; expected (n, 1, {h}, {w})")
    known, noise = model.encode(images), torch.randn(len(images), *model.config.dit.shape, generator=torch.Generator().manual_seed(seed))
    factor = images.shape[-1] // known.shape[-1]
    kept = -F.max_pool2d(-mask.float(), factor) > .5                             # (n or 1, 1, h, w)
    known, noise, kept, y = (v.to(model.mean.device) for v in (known, noise, kept, labels))
    drawn = model.decode(finish(sample(with_known(denoiser(model, y, s), known, kept), model.path, noise, n_steps, **how)))
    return torch.where(mask, images, drawn)                                      # what is kept is kept to the last bit

@torch.no_grad()
def vary(model: LatentDiffusion, images, labels, t: float = .6,  # (n, ., H, W), (n,); t in (0, 1]: 1 forgets the image
         seed: int = 0, s: float = 2., n_steps: int = 12, **how) -> torch.Tensor:
    "Images redrawn from their own noisy version at time t (Meng et al. 2022, section 3)."
    evaluating(model)
    if not 0 < t <= 1: raise ValueError(f"t={t!r}; expected a time in (0, 1]: near 0 little changes, 1 forgets the image")
    z = model.encode(images)
    eps = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed))
    x_t = model.path.add_noise(z, eps, torch.full((len(z),), float(t))).to(model.mean.device)
    times = torch.linspace(t, 0, n_steps + 1, dtype=torch.float64)
    return model.decode(finish(sample(denoiser(model, labels.to(x_t.device), s), model.path, x_t, times=times, **how)))

def slerp(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:  # (.., d) twice -> (.., d); all axes of one example together
    "The point at `share` of the arc from a to b, both seen as one long vector (Shoemake 1985)."
    cosine = F.cosine_similarity(a.flatten(), b.flatten(), 0).clamp(-1, 1)
    angle = cosine.acos()
    if angle < 1e-4: return torch.lerp(a, b, share)                              # no arc to speak of
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)

