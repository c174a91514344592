# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The two stages together
# > Draw digits of the class you ask for out of noise, in pixels and in the latents of a VQ-VAE; guide them, paint over them, vary them; and know what each costs.
#
# *About 4 minutes on two CPU cores. Needs notebooks 05, 06 and 09 to 12; explains what `mmgen.latent` exports.*

# %% tags=["setup"]
# On Colab, or wherever mmgen is missing, install it; elsewhere this does nothing.
try: import mmgen
except ImportError:
    # %pip install -q git+https://github.com/mmgen/mmgen.git@main

# %%
#| default_exp latent

# %% tags=["parameters"]
seed = 0            # every random number below follows from it
device = "auto"     # "cpu", "cuda", "mps" or "auto"
n_train = 55_000    # training images
batch_size = 64     # images per step
steps = 250         # of the training in pixels that is done here; the shipped weights had more
n_eval = 1000       # images drawn for a judgement
n_line = 200        # images drawn for a line of a table
n_solve = 12        # steps of the sampler

# %%
#| export
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

# %%
import json
import math

import matplotlib.pyplot as plt
from torch.testing import assert_close

from mmgen.core import Stopwatch, data_path, get_device, seed_everything, show_images
from mmgen.data import DigitImages
from mmgen.metrics import digit_net, embed, evaluate, frechet_distance, precision_recall
from mmgen.train import Batches, Recipe, fit
from mmgen.transformer import block_optimizers

dev = get_device(device)
threads = f"{torch.get_num_threads()} threads" if dev.type == "cpu" else torch.cuda.get_device_name()
seed_everything(seed)

# %% [markdown]
# ## The space of another model
# A denoiser can work on pixels, or on the vectors that a tokenizer makes of them. **Predict:** of the 784 pixels of a digit and the 392 numbers of its 7 by 7 by 8 latent, which are easier to denoise, and which will look better at the end?

# %%
x_train, y_train = (t[:n_train] for t in DigitImages("train").tensors())
x_test, y_test = DigitImages("test").tensors()
mixed = torch.randperm(len(x_test), generator=torch.Generator().manual_seed(seed))          # the test set is sorted by writers
x_test, y_test = x_test[mixed], y_test[mixed]
vqvae = VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()
with torch.no_grad(): z_e = vqvae.encode(x_test[:500]); z_q = vqvae.quantize(z_e).z_q
print("image", tuple(x_test.shape[1:]), "· latent", tuple(z_e.shape[1:]))

# %%
rows = z_q[:6].transpose(0, 1).flatten(0, 1)                                             # channel by channel
show_images(torch.cat([x_test[:6], F.interpolate((rows / rows.abs().max())[:, None], 28)]), ncols=6, scale=.9,
            suptitle="six digits, and below them their eight latent channels")

# %% [markdown]
# Each row below the digits is one channel: a coarse picture on 7 by 7 places. One can read the strokes in them, but no channel is a small copy of the image.
#
# What is gained, and what is lost for good? Both spaces make as many tokens here; no denoiser of latents can draw better than the decoder reconstructs.

# %%
judge = digit_net(); real = embed(x_test[:n_eval], judge)
def judged(images, labels):
    "Recognised share, Frechet distance, precision and recall of images against as many real ones."
    own = embed(images, judge); both = precision_recall(real[:len(own)], own)
    hit = (embed(images, judge.forward).argmax(1) == labels).float().mean().item()
    return {"recognised": hit, "frechet": frechet_distance(own, real[:len(own)]), "precision": both["precision"], "recall": both["recall"]}

def line(r):
    "A row of figures; those that a system has not are left out."
    hit = "     -" if r["recognised"] is None else f"{r['recognised']:6.3f}"
    return f"recognised {hit}  Frechet {r['frechet']:6.3f}  precision {r['precision']:.2f}  recall {r['recall']:.2f}"

others, other_y = x_test[-n_eval:], y_test[-n_eval:]
with torch.no_grad(): x_hat = torch.cat([vqvae(part)[0].clamp(-1, 1) for part in others.split(500)])
for name, numbers, width, images in (("pixels", 784, 16, others), ("latents", z_q[0].numel(), z_q.shape[1], x_hat)):
    print(f"{name:8} {numbers} numbers, 49 tokens of {width:2}; at best {line(judged(images, other_y))}")

# %% [markdown]
# ## How large is a latent
# Noise of variance 1 is mixed in, so data should have variance 1 too. **Predict** what happens to a latent ten times smaller.

# %%
each = z_q.std((0, 2, 3)); whole = z_q.std()
print("mean of each channel", *[f"{v:.2f}" for v in z_q.mean((0, 2, 3))])
print("std of each channel ", *[f"{v:.2f}" for v in each], f"· of all {whole:.2f}")
flow = noise_path("flow"); t = torch.tensor([.1, .5, .9])
for name, std in (("as they are", each.mean()), ("ten times smaller", each.mean() / 10), ("variance 1", torch.tensor(1.))):
    print(f"{name:18} log-SNR at t = .1, .5, .9:", *[f"{v:6.1f}" for v in flow.log_snr(t) + 2 * std.log()])

# %% [markdown]
# A factor of the data moves the whole schedule: what was meant for the middle of the path is spent at its end. Published models carry such a factor for their latents; here each channel has its mean and its deviation, measured once on the training images.
#
# ## One class for pixels and latents
# The model is a denoiser, a frozen tokenizer or none, and two small tables. In pixels `encode` and `decode` do nothing but cut to the range of images.

# %%
#| export
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


# %%
#| export
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


# %% [markdown]
# A tokenizer that trained along would move the target under the denoiser's feet; so it is frozen for real, and stays in evaluation even when the model is set to train.

# %%
tiny = LatentDiffusion(LatentConfig(DiTConfig((8, 7, 7), 1, 32, 1, 1, 10), vqvae.config), vqvae).measure(x_train[:2000])
z = tiny.encode(x_train[:2000])
assert_close(z.mean((0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0); assert_close(z.std((0, 2, 3)), torch.ones(8), atol=1e-3, rtol=0)
with torch.no_grad(): assert_close(tiny.decode(tiny.encode(x_test[:50])), vqvae(x_test[:50])[0].clamp(-1, 1), atol=1e-4, rtol=0)
assert not tiny.train().tokenizer.training and not any(p.requires_grad for p in tiny.tokenizer.parameters())
try: LatentConfig(DiTConfig((4, 7, 7), 1, 32, 1, 1, 10), vqvae.config)
except ValueError as e: print("ValueError -", e)

# %% [markdown]
# ### Draw
# A sample is the last state of the sampler, decoded. The denoiser is built per batch: it knows the labels, and the guidance.

# %%
#| export
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


# %% [markdown]
# ## Train both
# The recipe is short: a random time, the straight path, errors counted as errors of the velocity, Muon for the matrices inside blocks, averaged weights. Latents are made once, before the training.

# %%
#| export
def latent_loss(model: LatentDiffusion, batch, times=logit_normal()) -> tuple:  # (z, labels) from `encode` -> loss, logs
    "`diffusion_loss` with the model's own path and kinds, for `mmgen.train.fit`."
    return diffusion_loss(model, batch, model.path, model.config.predict, model.config.loss_in, times)


# %%
recipe = Recipe(steps=steps, warmup=min(50, steps // 4), decay="linear", ema=.99, seed=seed)
model = LatentDiffusion(LatentConfig()).to(dev)
data = Batches((model.encode(x_train), y_train), batch_size, seed)
curve = []
with Stopwatch() as watch:
    for state in fit(model, latent_loss, data, recipe, device=dev, optimizer=block_optimizers(model, adam_lr=2e-3), progress=False):
        curve.append(state.loss)
print(f"{steps} steps in {watch.wall:.0f} s, {watch.cpu:.0f} CPU-s, {threads}; {sum(p.numel() for p in model.dit.parameters()):,} numbers")

# %%
smooth = F.avg_pool1d(torch.tensor(curve)[None], 15, 1, 7, count_include_pad=False)[0]
plt.figure(figsize=(5, 2.4), layout="constrained"); plt.semilogy(curve, lw=.4, alpha=.5); plt.semilogy(smooth)
plt.xlabel("step"); plt.ylabel("loss"); plt.title("The loss falls fast, then hardly at all"); plt.show()

# %% [markdown]
# The flat part is deceptive: most of the loss is noise that nobody can predict. What is gained there shows in the samples. Below, from the same noise: this short run, and the shipped weights, trained by the same recipe for longer (`data/make_latent.py`).

# %%
models = {kind: LatentDiffusion.from_pretrained(data_path("weights", f"dit_{kind}")).eval().to(dev) for kind in ("pixels", "latents")}
records = {kind: json.loads(data_path("weights", f"dit_{kind}", "model.json").read_text())["record"] for kind in models}
digits = torch.arange(10)
drawn = [generate(state.ema, digits, seed), *(generate(m, digits, seed) for m in models.values())]
show_images(torch.cat(drawn), ncols=10, scale=.8, suptitle="from above: pixels, short · pixels, shipped · latents, shipped")

# %%
for kind, r in records.items():
    print(f"{kind:8} {r['steps']} steps, {r['cpu_seconds']:.0f} CPU-s, {r['wall_seconds'] / 60:.1f} minutes on {r['threads']} threads, {r['machine']}")

# %% [markdown]
# ## The ruler
# The judge of notebook 06 reads them: are they what was asked for, are they like real digits, and are they as various? **Predict** in which of these the guided model falls short of real digits.

# %%
# covers: M25, S2-F13
asked = torch.arange(n_eval) % 10
reports = {}
for kind, m in models.items():
    reports[kind] = evaluate(lambda n, seed: (generate(m, asked[:n], seed), asked[:n]), (x_test, y_test), n=n_eval, seed=seed)
    print(kind); print(reports[kind]); print()

# %%
for kind, report in reports.items():
    fd, bar = report["frechet"], {"pixels": (.993, 2), "latents": (.985, 3)}[kind]
    hit = report["recognised"].value
    print(f"{kind:8} recognised {hit:.3f} (bar {bar[0]}), Frechet {fd.value / fd.floor:.1f} times the floor (bar {bar[1]})")

# %% [markdown]
# Guidance pulls samples to the typical digit: what is recognised rises above real digits, what is various falls below them. Later a sweep shows the whole trade.

# %%
with Stopwatch() as watch: generate(models["pixels"], asked[:100], seed)
print(f"pixels: {watch.wall * 1000 / 100:.0f} s for 1,000 images; {n_solve} steps, each twice for the guidance; {threads}")

# %% [markdown]
# ## Where to quantize
# The denoiser may learn codes $z_q$ or the vectors $z_e$ before the quantizer; its samples may be set to codes before decoding or not. **Predict:** does it matter that a sample is no code?

# %%
measured = json.loads(data_path("results", "latent.json").read_text())
print(measured["date"], "·", measured["machine"], "·", measured["threads"], "thread")
for r in measured["where"]: print(f"learned {r['learned']}, {'set to codes' if r['snapped'] else 'decoded as it is':16}  {line(r)}")

# %% [markdown]
# Codes are a finite set, so the nearest code throws the denoiser's small errors away: a free correction, if the tokenizer has one.

# %%
m = models["latents"]
with torch.no_grad():
    z = generate_latents(m, asked[:n_line], seed).to(dev)
    off = (z * m.std + m.mean - m.tokenizer.quantize(z * m.std + m.mean).z_q).square().mean().sqrt().item()
    books = torch.cdist(m.tokenizer.quantizer.codebook, m.tokenizer.quantizer.codebook).fill_diagonal_(torch.inf).min(1).values
print(f"a sample lies {off * z.shape[1] ** .5:.3f} from its code on average; the nearest two codes are {books.mean().item():.3f} apart")

# %% [markdown]
# ## What to predict
# Notation aside, eps, v, x0 and the flow are one prediction, as notebook 10 shows; but a network's errors are not. **Predict** which wins where a token is a patch of 16 pixels, and which where it is a latent of 8.

# %%
# covers: M25
print(measured["date"], "·", measured["machine"], "·", measured["threads"], "thread · three seeds, equal steps")
def spread(rows, key, form): v = [r[key] for r in rows]; return f"{sum(v) / len(v):{form}} ({min(v):{form}}..{max(v):{form}})"
groups = {}
for r in measured["predict"]: groups.setdefault((r["space"], r["predict"]), []).append(r)
for (space, kind), rows in groups.items():
    print(f"{space:8} {kind:5} {rows[0]['steps']} steps  recognised {spread(rows, 'recognised', '.3f')}  Frechet {spread(rows, 'frechet', '.2f')}",
          f" loss {spread(rows, 'loss', '.3f')}")

# %% [markdown]
# The losses of one space lie close together where recognition does not: the loss hardly sees the label. Samples have to be measured.
#
# ## What mattered
# One change at a time against the recipe, same steps and seed. **Predict** the worst.

# %%
base = next(r for r in measured["recipe"] if r["name"] == "the recipe")
for r in measured["recipe"]:
    print(f"{r['name']:34} {r['cpu_seconds']:4.0f} CPU-s  {line(r)}  Frechet {r['frechet'] / base['frechet']:.1f} of the recipe's")

# %% [markdown]
# ## Quality against seconds
# How much training is enough? Three seeds per budget; each run lets its rate fall to zero at its own end. The last point of each line is the shipped model, one seed.

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for space, colour in (("pixels", "tab:blue"), ("latents", "tab:orange")):
    rows = [r for r in measured["curve"] if r["space"] == space]
    rows.append(records[space] | records[space]["measured"])
    seconds = [r["cpu_seconds"] + records[space]["tokenizer_cpu_seconds"] for r in rows]
    axes[0].plot(seconds, [1 - r["recognised"] for r in rows], ".", color=colour, label=space)
    axes[1].plot(seconds, [r["frechet"] for r in rows], ".", color=colour)
for ax, name in zip(axes, ("share not recognised", "Frechet distance")):
    ax.set(xlabel="CPU-seconds, tokenizer included", ylabel=name, xscale="log", yscale="log")
axes[1].axhline(measured["floor"], color="k", ls=":"); axes[0].legend(); plt.show()

# %% [markdown]
# Both measures fall with the budget over the whole range, and faster than the loss ever did. Dotted: real against real at the size of the small runs. A tokenizer has to be paid first, so at the smallest budgets pixels are ahead.
#
# ## How hard to guide
# Guidance moves the estimate away from the one without a label. **Predict** the best $s$ for recognition, for the distance, and for recall.

# %%
few = asked[:n_line]
sweep = {s: judged(generate(models["pixels"], few, seed, s=s), few) for s in (1., 1.5, 2., 3., 5.)}
sweep["2, t < .8"] = judged(generate(models["pixels"], few, seed, s=2., interval=(0., .8)), few)
for s, r in sweep.items(): print(f"s {s!s:10} {line(r)}")
print(f"real {'':10} {line(judged(x_test[-n_line:], y_test[-n_line:]))} · {n_line} images each")

# %%
shown = torch.cat([generate(models["pixels"], torch.full((10,), 4), seed, s=s) for s in (1., 2., 5.)])
show_images(shown, ncols=10, scale=.8, suptitle="ten fours from the same noise; from above: s = 1, 2, 5")

# %% [markdown]
# The upper row wanders, some of it no fours; the lower row is all fours and nearly all the same four. That is what recall counts.
#
# ## Paint over, vary, blend
# Three uses of one trained model. Each changes what the sampler starts from, or what the denoiser says, and nothing in the sampler.
# ### Paint over
# Where a part of the image is known, its $x_0$ is known. A denoiser that says so keeps that part on its own straight path to the truth, at every noise level, and the rest is drawn to fit.

# %%
#| export
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


# %%
left = torch.zeros(1, 1, 28, 28, dtype=torch.bool); left[..., :12] = True
some, some_y = x_test[:8], y_test[:8]
halves = [inpaint(m, some, left, some_y, seed + i) for m in models.values() for i in range(2)]
assert all(torch.equal(h[..., :12], some[..., :12]) for h in halves)
show_images(torch.cat([some, torch.where(left, some, 0.), *halves]), ncols=8, scale=.8,
            suptitle="test digits · what is kept · pixels, twice · latents, twice")

# %% [markdown]
# Two draws of the right side differ, and both continue the strokes they were given. In latents the smallest thing that can be kept is a whole place. The exercises below do it the way of RePaint: paste the known part, noised to the level reached, after each step, and go back up some steps so that the two parts meet.
# ### Vary
# Noise an image only part of the way and come back: what survives that level of noise stays (Meng et al. 2022, SDEdit).

# %%
#| export
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


# %%
shown = [some] + [vary(models["pixels"], some, some_y, t, seed) for t in (.3, .6, .9)]
as_nine = vary(models["pixels"], some, torch.full_like(some_y, 9), .7, seed)
show_images(torch.cat([*shown, as_nine]), ncols=8, scale=.8,
            suptitle="test digits · redrawn from t = .3, .6, .9 · from .7 as nines")

# %% [markdown]
# At .3 the hand is the same; at .9 only the label is left. The last row keeps slant and weight and becomes another digit.
# ### Blend
# Straight mixtures of two noises are too short: in many dimensions their norm shrinks by $\sqrt2$ in the middle. <!-- exact --> The arc between them keeps it.

# %%
#| export
def slerp(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:  # (.., d) twice -> (.., d); all axes of one example together
    "The point at `share` of the arc from a to b, both seen as one long vector (Shoemake 1985)."
    cosine = F.cosine_similarity(a.flatten(), b.flatten(), 0).clamp(-1, 1)
    angle = cosine.acos()
    if angle < 1e-4: return torch.lerp(a, b, share)                              # no arc to speak of
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)


# %%
a, b = torch.randn(2, 784, generator=torch.Generator().manual_seed(seed))
print(f"norms: ends {a.norm():.1f} and {b.norm():.1f}, straight middle {((a + b) / 2).norm():.1f}, middle of the arc {slerp(a, b, .5).norm():.1f}")
assert_close(slerp(a, b, 0.), a); assert_close(slerp(a, b, 1.), b)

# %%
def blend(model, label, seeds, n=9):
    "n digits of one label on the arc between the noises of two seeds."
    ends = [torch.randn(model.config.dit.shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    x = torch.stack([slerp(*ends, i / (n - 1)) for i in range(n)]).to(model.mean.device)
    return model.decode(finish(sample(denoiser(model, torch.full((n,), label, device=x.device), 2.), model.path, x, n_solve)))

show_images(torch.cat([blend(models["pixels"], 2, (1, 2)), blend(models["latents"], 2, (1, 2))]), ncols=9, scale=.8,
            suptitle="from one two to another; above in pixels, below in latents")

# %% [markdown]
# In pixels the strokes move; in latents they move by jumps, since between two codes there is nothing.
# ### Try it
# Sliders need a running kernel; the pictures above show a few of their positions.

# %%
def latent_widget():
    "Sliders for label, guidance, steps and seed beside ten drawn digits."
    import ipywidgets as w
    from IPython.display import display
    space = w.ToggleButtons(options=list(models), description="space")
    sliders = [w.IntSlider(7, 0, 9, description="label"), w.FloatSlider(2., min=1, max=6, step=.5, description="guidance"),
               w.IntSlider(12, 2, 40, description="steps"), w.IntSlider(0, 0, 99, description="seed")]
    out = w.Output()
    def draw(_=None):
        label, s, n_steps, chosen = (v.value for v in sliders)
        with out:
            out.clear_output(wait=True)
            show_images(generate(models[space.value], torch.full((10,), label), chosen, s=s, n_steps=n_steps), ncols=10, scale=.9)
    for v in (space, *sliders): v.observe(draw, "value")
    display(w.VBox([space, w.HBox(sliders[:2]), w.HBox(sliders[2:]), out])); draw()

latent_widget()

# %% [markdown]
# ## Is it faster
# One hears that a diffusion transformer generates faster than a VAE, and better than anything. **Predict** the order of four generators in seconds per image, and in quality.

# %%
# covers: M24, S0-F11, S2-F14
codes = vqvae.indices(x_test[:100])
calls = {"one pass of a decoder": lambda: vqvae.decode_indices(codes),
         f"pixels, {n_solve} steps": lambda: generate(models["pixels"], asked[:100], seed, s=1.),
         f"pixels, {n_solve} steps, guided": lambda: generate(models["pixels"], asked[:100], seed, s=2.),
         f"latents, {n_solve} steps, guided": lambda: generate(models["latents"], asked[:100], seed, s=2.)}
took = {}
for name, call in calls.items():
    with torch.no_grad(): call()                                                  # warm up
    with Stopwatch() as watch, torch.no_grad(): call()
    took[name] = watch.wall
first = took["one pass of a decoder"]
for name, seconds in took.items(): print(f"{name:28} {seconds * 10:7.2f} ms per image, {seconds / first:6.0f} times the decoder's ({threads})")

# %% [markdown]
# The denoiser is asked many times, a decoder once: per image a diffusion model is the slow one. What it buys is in the next table: all systems trained on the same digits for about the same time on one machine, judged by the same judge.

# %%
# covers: S0-F10, S0-F16, S2-F3, S0-Q4
print(measured["date"], "·", measured["machine"], "·", measured["threads"], "thread ·", f"{measured['n']} images each; floor {measured['floor']:.3f}")
for r in measured["systems"]: print(f"{r['name']:32} trained {r['cpu_seconds']:4.0f} CPU-s · {r['ms_per_image']:6.2f} ms per image · {line(r)}")

# %% [markdown]
# A VAE draws at once and blurs. Codes with a prior and diffusion both draw real digits; which is ahead depends on the budget, the guidance and the ruler, not on the name. The words "faster" and "better" want a number each.
#
# ## What bites
# - **The scale of latents.** Weights trained with one factor and sampled with another give grey mush without an error. Keep the factor in the checkpoint, as `mean` and `std` are here.
# - **The tokenizer's mode.** Batch statistics, dropout or moving codebooks in the first stage shift the target while the second stage trains.
# - **Guidance conventions.** Some code writes $1+w$, some $s=1+w$, some guides three channels of four.
# - **Training mode at sampling time.** A share of the labels is dropped at random; the samples look almost right.
# - **The last step.** A sampler that adds noise there, or stops above zero, leaves grain that the distance sees before the eye does.
# - **Masks in latents.** A pixel mask scaled down by averaging lets unknown pixels leak into what is kept.
#
# ## Exercises

# %%
from mmgen.exercises import check, hint, solution, status

# %% [markdown]
# ### Exercise

# %%
check("latent.units")

# %% [markdown]
# ### Exercise

# %%
check("latent.to_images")

# %% [markdown]
# ### Exercise

# %%
check("latent.estimates")

# %% [markdown]
# ### Exercise

# %%
check("latent.one_batch")

# %% [markdown]
# ### Exercise

# %%
check("latent.vary")

# %% [markdown]
# ### Exercise

# %%
check("latent.paint_over")

# %% [markdown]
# ### Exercise

# %%
check("latent.back_up")

# %% [markdown]
# ### Exercise

# %%
check("latent.arc")

# %% [markdown]
# ### Exercise

# %%
check("latent.cost")

# %% [markdown]
# ### Exercise

# %%
check("latent.two_sides")

# %% [markdown]
# ### Exercise

# %%
check("latent.averaged")

# %% [markdown]
# ## In the interview
# Say your answer aloud for two minutes, then unfold.

# %%
from mmgen.interview import questions

questions("latent")

# %% [markdown]
# This was the last of the two stages. What is left is to put text and speech beside the images.
