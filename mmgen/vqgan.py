"""dev"""
import difflib
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from mmgen.checkpoints import load_state
from mmgen.metrics import digit_net, perceptual_distance
from mmgen.quantizer import VectorQuantizer
from mmgen.train import matrix_optimizers
from mmgen.vqvae import VQVAE


class Game(NamedTuple):
    "The losses of two players, from logits of any shape."
    critic: Callable      # (real, fake) -> one number; falls as real rises and fake falls
    generator: Callable   # (fake) -> one number; falls as fake rises

GAMES = {"hinge": Game(lambda real, fake: (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2,        # Lim & Ye 2017
                       lambda fake: -fake.mean()),
         "non-saturating": Game(lambda real, fake: (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2,   # Goodfellow et al. 2014
                                lambda fake: F.softplus(-fake).mean()),
         "least squares": Game(lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,   # Mao et al. 2017
                               lambda fake: (fake - 1).square().mean() / 2)}

def game(name: str) -> Game:
    "The losses called `name`; ValueError names the nearest one that exists."
    if name in GAMES: return GAMES[name]
    near = difflib.get_close_matches(str(name), GAMES, 1)
    raise ValueError(f"game={name!r}; expected one of {', '.join(map(repr, GAMES))}" + (f": {near[0]!r}?" if near else ""))


class PatchDiscriminator(nn.Sequential):
    "Images (b, c, h, w) -> logits (b, 1, h', w'), one for each patch (Isola et al. 2017, section 3.2.2)."
    def __init__(self, channels: int = 1, width: int = 16, layers: int = 2,
                 norm=None):        # width -> module after each stride but the first; None: none, which spares tuning in small nets
        parts = []
        for i in range(layers):
            n = width * 2 ** i
            parts += [nn.Conv2d(channels if i == 0 else n // 2, n, 4, 2, 1), *([norm(n)] if norm and i else []), nn.LeakyReLU(.2)]
        super().__init__(*parts, nn.Conv2d(n, n, 3, 1, 1), nn.LeakyReLU(.2), nn.Conv2d(n, 1, 1))


class MapDiscriminator(nn.Module):
    "Maps of a frozen network -> logits (b, n): a small head on each of the last maps, all places side by side (Sauer et al. 2021)."
    def __init__(self, widths: tuple, hidden: int = 32):   # widths: features of the last len(widths) maps
        super().__init__()
        head = lambda w: nn.Sequential(nn.Conv2d(w, hidden, 3, padding=1), nn.LeakyReLU(.2), nn.Conv2d(hidden, 1, 1))
        self.heads = nn.ModuleList(head(w) for w in widths)

    def forward(self, maps: list) -> torch.Tensor:
        "Logits (b, n) of maps (b, w, h, w), n places in all."
        if len(maps) < len(self.heads): raise ValueError(f"maps: {len(maps)}; expected at least {len(self.heads)}, from `tutor.maps(x)`")
        return torch.cat([head(m).flatten(1) for head, m in zip(self.heads, maps[-len(self.heads):])], 1)


class MultiScale(nn.Module):
    "A patch critic for the image and one for each of its halvings; logits (b, n) side by side (Wang et al. 2018, section 3.2)."
    def __init__(self, channels: int = 1, width: int = 16, scales: int = 2):
        super().__init__()
        self.critics = nn.ModuleList(PatchDiscriminator(channels, width) for _ in range(scales))

    def forward(self, x):                                                      # (b, c, h, w)
        sizes = [x if i == 0 else F.avg_pool2d(x, 2 ** i) for i in range(len(self.critics))]
        return torch.cat([critic(part).flatten(1) for critic, part in zip(self.critics, sizes)], 1)


def adaptive_weight(main: torch.Tensor, extra: torch.Tensor, last: torch.Tensor, limit: float = 1e4) -> torch.Tensor:
    "How many times `extra` must be taken to pull at `last` as hard as `main`; at most `limit`, without a gradient, 0 where none is kept."
    if not (torch.is_grad_enabled() and main.requires_grad and extra.requires_grad): return main.new_zeros(())
    pull = [torch.autograd.grad(loss, last, retain_graph=True)[0].float().norm() for loss in (main, extra)]
    return (pull[0] / (pull[1] + 1e-4)).clamp(max=limit).detach()

def last_layer(codec: nn.Module) -> nn.Parameter:
    "Weight of the decoder's last layer."
    return [m.weight for m in codec.decoder.modules() if getattr(m, "weight", None) is not None and m.weight.ndim > 1][-1]


def r1_penalty(logits: torch.Tensor, inputs: list) -> torch.Tensor:
    "Half the mean squared gradient of each sample's logits at real inputs, with a graph (Mescheder et al. 2018, equation 9)."
    grads = torch.autograd.grad(logits.sum(), inputs, create_graph=True, allow_unused=True, materialize_grads=True)
    return sum(g.flatten(1).square().sum(1) for g in grads).mean() / 2

def lecam_penalty(real: torch.Tensor, fake: torch.Tensor, means: torch.Tensor, decay: float = .99) -> torch.Tensor:
    "Squared distance of each kind's logits from the other's running mean, which is moved on (Tseng et al. 2021, equation 3)."
    with torch.no_grad(): means.lerp_(torch.stack([real.mean(), fake.mean()]), 1 - decay)
    return (real - means[1]).square().mean() + (fake - means[0]).square().mean()


@dataclass(frozen=True)
class VQGANConfig:
    "What a VQ-GAN adds to its codec's squared error."
    game: str = "hinge"         # a key of GAMES
    perceptual: float = .3      # weight of the perceptual distance; 0 for none
    adversarial: float = .5     # weight of the critic's opinion, on top of the adaptive one
    start: int = 0              # batches before the critic is heard; the published models wait until the codec is good
    ramp: int = 80              # batches over which its voice rises to full
    every: int = 1              # the critic plays at one batch in so many
    adaptive: bool = True       # balance gradients at the last layer; False: `adversarial` alone
    r1: float = 0.              # weight of the gradient penalty on real images
    lecam: float = 0.           # weight of the LeCam penalty

    def __post_init__(self):
        game(self.game)
        for name, value in vars(self).items():
            whole, least = name in ("start", "ramp", "every"), int(name == "every")
            if name not in ("game", "adaptive") and (not isinstance(value, int if whole else (int, float)) or value < least):
                raise ValueError(f"{name}={value!r}; expected a {'whole ' * whole}number of at least {least}")


class VQGAN(nn.Module):
    "A codec (`VQVAE`, `PublishedVQGAN`) and its critic. Train with `fit(model, TURNS, ..., optimizer=players(model))`, use `.codec`."
    def __init__(self, codec: nn.Module,
                 critic: nn.Module | None = None,       # of images, or a MapDiscriminator of the tutor's maps; None: PatchDiscriminator
                 config: VQGANConfig = VQGANConfig(),
                 tutor: nn.Module | None = None):       # frozen, with `.maps(x)`; None: the shipped one for grey 28 x 28 digits
        super().__init__()
        self.codec, self.config = codec, config
        self.critic = critic or PatchDiscriminator(codec.config.channels)
        self.tutor = tutor or (digit_net("loss") if config.perceptual or isinstance(self.critic, MapDiscriminator) else None)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))   # trained on so far
        self.register_buffer("opinions", torch.zeros(2))                      # running mean logits of real and fake
        self.seen = deque()                                                   # what the critic is to see in its turn

    def forward(self, x): return self.codec(x)                                # (b, c, h, w), Quantized

    def voice(self) -> float:
        "How much of the critic is heard at this batch, 0 to 1."
        c, at = self.config, int(self.batches)
        return 0. if at % c.every else min(1., max(0, at - c.start + 1) / max(1, c.ramp))

    def maps(self, x): "Maps of the tutor, or none without one."; return self.tutor.maps(x) if self.tutor else []
    def sees(self, x, maps): "What the critic gets: images, or maps."; return maps if isinstance(self.critic, MapDiscriminator) else x


def generator_loss(model: VQGAN, batch) -> tuple:  # images, or a tuple that starts with them -> loss, logs
    "The codec's turn: squared error, perceptual distance, quantizer losses, the critic's opinion (Esser et al. 2021, equations 4 to 7)."
    x, c = batch[0] if isinstance(batch, (tuple, list)) else batch, model.config
    x_hat, out = model.codec(x)
    with torch.no_grad(): maps = model.maps(x)
    fake_maps = model.maps(x_hat)
    mse = (x_hat.float() - x.float()).square().mean()
    near = perceptual_distance(x_hat, x, lambda t: maps if t is x else fake_maps).mean() if c.perceptual else mse * 0
    main = mse + c.perceptual * near
    loss, logs = main + sum(out.losses.values()), {"mse": mse, "perceptual": near, **out.stats}
    if model.training: model.seen.append([detached(model.sees(*pair)) for pair in ((x, maps), (x_hat, fake_maps))])
    if not model.voice() or not model.training: return loss, logs
    with still(model.critic): fool = game(c.game).generator(model.critic(model.sees(x_hat, fake_maps)).float())
    weight = adaptive_weight(main, fool, last_layer(model.codec)) if c.adaptive else torch.ones_like(fool)
    return loss + model.voice() * c.adversarial * weight * fool, logs | {"fool": fool, "weight": weight}

def detached(x):
    "The same numbers, cut off from what made them."
    return [t.detach() for t in x] if isinstance(x, (list, tuple)) else x.detach()

@contextmanager
def still(module: nn.Module):
    "Inside, the module's weights take no gradient, though its input does."
    moving = [p for p in module.parameters() if p.requires_grad]
    for p in moving: p.requires_grad_(False)
    try: yield
    finally:
        for p in moving: p.requires_grad_(True)


def critic_loss(model: VQGAN, batch) -> tuple:  # the same batch -> loss, logs
    "The critic's turn: real images of this batch against the fakes that the codec's turn has just made, before its step."
    c, (real, fake) = model.config, model.seen.popleft()
    heard = model.voice(); model.batches.add_(1)
    if not heard: return sum(p.sum() for p in model.critic.parameters()) * 0., {}        # it rests, its weights stay
    inputs = [t.requires_grad_() for t in (real if isinstance(real, list) else [real])] if c.r1 else None
    on_real, on_fake = model.critic(real).float(), model.critic(fake).float()
    loss = game(c.game).critic(on_real, on_fake)
    logs = {"critic": loss, "real": on_real.mean(), "fake": on_fake.mean()}
    if c.r1: loss = loss + c.r1 * r1_penalty(on_real, inputs)
    if c.lecam: loss = loss + c.lecam * lecam_penalty(on_real, on_fake, model.opinions)
    return loss, logs

TURNS = [generator_loss, critic_loss]

def players(model: VQGAN, lr: float = .02, adam_lr: float = 5e-3, critic_lr: float = 6e-3):
    "For `fit(.., optimizer=players(model))`: Muon and AdamW for the codec, AdamW with a short memory for the critic."
    return lambda _: [matrix_optimizers([p for p in model.codec.parameters() if p.requires_grad], lr, adam_lr),
                      torch.optim.AdamW(model.critic.parameters(), critic_lr, betas=(.5, .9), weight_decay=0.)]


@dataclass(frozen=True)
class PublishedConfig:
    "Shape of the published VQ-GANs (Esser et al. 2021); the defaults are the ImageNet model with 16 x 16 codes out of 1,024."
    channels: int = 3              # of the images
    resolution: int = 256          # that attention sides are counted from; any multiple of the factor can be encoded
    width: int = 128               # features at full resolution
    mult: tuple = (1, 1, 2, 2, 4)  # times width at each resolution; every step halves the sides
    depth: int = 2                 # residual blocks per resolution, one more in the decoder
    attention: tuple = (16,)       # sides at which attention follows each block
    z_channels: int = 256          # between the networks and the 1 x 1 convolutions
    dim: int = 256                 # length of a code vector
    n_codes: int = 1024            # 16,384 in the larger one

    def __post_init__(self):
        for name in ("mult", "attention"): object.__setattr__(self, name, tuple(getattr(self, name)))    # JSON gives lists
        if self.width % 32: raise ValueError(f"width={self.width!r}; expected a multiple of 32, the number of groups of the norms")

    @property
    def factor(self) -> int: "Pixels per code along each side."; return 2 ** (len(self.mult) - 1)
    @property
    def widths(self) -> list: "Features at each resolution, finest first."; return [self.width * m for m in self.mult]
    @property
    def attends(self) -> list:
        "Whether attention follows the blocks, finest resolution first."
        return [self.resolution >> i in self.attention for i in range(len(self.mult))]


def group_norm(n: int) -> nn.GroupNorm:
    "32 groups, eps 1e-6."
    return nn.GroupNorm(32, n, eps=1e-6)

class ResBlock(nn.Module):
    "Norm, swish, convolution, twice, added to the input; a 1 x 1 convolution where the widths differ."
    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.norm1, self.conv1 = group_norm(n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm2, self.conv2 = group_norm(n_out), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.nin_shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x):                                                      # (b, n_in, h, w)
        h = self.conv1(F.silu(self.norm1(x)))                                  # (b, n_out, h, w)
        return self.nin_shortcut(x) + self.conv2(F.silu(self.norm2(h)))        # (b, n_out, h, w)

class AttnBlock(nn.Module):
    "Every place looks at every place: one head, no positions, added to the input."
    def __init__(self, n: int):
        super().__init__()
        self.norm, self.q, self.k, self.v, self.proj_out = group_norm(n), *(nn.Conv2d(n, n, 1) for _ in range(4))

    def forward(self, x):                                                      # (b, n, h, w)
        q, k, v = (part(self.norm(x)).flatten(2).mT for part in (self.q, self.k, self.v))   # (b, h w, n) each
        return x + self.proj_out(F.scaled_dot_product_attention(q, k, v).mT.reshape(x.shape))


class Level(nn.Module):
    "Blocks at one resolution, each followed by attention or not; then the sides are halved, doubled or left."
    def __init__(self, n_in: int, n_out: int, depth: int, attend: bool, resize: str = ""):
        super().__init__()
        self.block = nn.ModuleList(ResBlock(n_in if i == 0 else n_out, n_out) for i in range(depth))
        self.attn = nn.ModuleList(AttnBlock(n_out) for _ in range(depth * attend))
        if resize == "halve": self.downsample = nn.ModuleDict({"conv": nn.Conv2d(n_out, n_out, 3, stride=2)})
        if resize == "double": self.upsample = nn.ModuleDict({"conv": nn.Conv2d(n_out, n_out, 3, padding=1)})

    def forward(self, x):
        for i, block in enumerate(self.block): x = self.attn[i](block(x)) if self.attn else block(x)
        if hasattr(self, "downsample"): x = self.downsample["conv"](F.pad(x, (0, 1, 0, 1)))         # right and below only
        if hasattr(self, "upsample"): x = self.upsample["conv"](F.interpolate(x, scale_factor=2., mode="nearest"))
        return x

class Middle(nn.Module):
    "Block, attention, block at the coarsest resolution."
    def __init__(self, n: int):
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = ResBlock(n, n), AttnBlock(n), ResBlock(n, n)

    def forward(self, x): return self.block_2(self.attn_1(self.block_1(x)))    # (b, n, h, w)


class PublishedEncoder(nn.Module):
    "Images (b, c, h, w) -> (b, z_channels, h / factor, w / factor)."
    def __init__(self, config: PublishedConfig):
        super().__init__()
        w, last = config.widths, len(config.mult) - 1
        self.conv_in = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.down = nn.ModuleList(Level([config.width, *w][i], w[i], config.depth, config.attends[i], "halve" * (i < last))
                                  for i in range(last + 1))
        self.mid, self.norm_out = Middle(w[-1]), group_norm(w[-1])
        self.conv_out = nn.Conv2d(w[-1], config.z_channels, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)                                                    # (b, width, h, w)
        for level in self.down: x = level(x)                                   # (b, width mult, h / 2^i, w / 2^i)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))               # (b, z_channels, h / factor, w / factor)

class PublishedDecoder(nn.Module):
    "(b, z_channels, h / factor, w / factor) -> images (b, c, h, w); `up[0]` is the finest resolution, though it runs last."
    def __init__(self, config: PublishedConfig):
        super().__init__()
        w, last = config.widths, len(config.mult) - 1
        self.conv_in, self.mid = nn.Conv2d(config.z_channels, w[-1], 3, padding=1), Middle(w[-1])
        self.up = nn.ModuleList(Level([*w, w[-1]][i + 1], w[i], config.depth + 1, config.attends[i], "double" * (i > 0))
                                for i in range(last + 1))
        self.norm_out, self.conv_out = group_norm(w[0]), nn.Conv2d(w[0], config.channels, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))                                          # (b, width mult[-1], h / factor, w / factor)
        for level in reversed(self.up): x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))                         # (b, c, h, w)


class PublishedVQGAN(VQVAE):
    "The published autoencoder behind the interface of `VQVAE`: encode, quantize, decode, indices, decode_indices."
    def __init__(self, config: PublishedConfig = PublishedConfig()):
        nn.Module.__init__(self)
        self.config = c = config if isinstance(config, PublishedConfig) else PublishedConfig(**config)
        self.encoder = nn.Sequential(PublishedEncoder(c), nn.Conv2d(c.z_channels, c.dim, 1))    # (b, dim, h / factor, w / factor)
        self.quantizer = VectorQuantizer(c.n_codes, c.dim, start=None)
        self.decoder = nn.Sequential(nn.Conv2d(c.dim, c.z_channels, 1), PublishedDecoder(c))


RENAMED = (("quantize.embedding.weight", "quantizer.codebook"), ("post_quant_conv.", "decoder.0."), ("quant_conv.", "encoder.1."),
           ("encoder.", "encoder.0."), ("decoder.", "decoder.1."))                # theirs, ours; the first that fits counts

def from_published(state: dict) -> dict:
    "Our names for a published state dict (or the file's dict around it); names under `loss.` are dropped. ValueError for remapped indices."
    state = state.get("state_dict", state)
    if "quantize.used" in state: raise ValueError("quantize.used: this model renumbers its codes; expected one that uses all of them")
    kept = {name: t for name, t in state.items() if not name.startswith("loss.")}
    swap = lambda name: next((ours + name[len(theirs):] for theirs, ours in RENAMED if name.startswith(theirs)), name)
    return {swap(name): t for name, t in kept.items()} | {"quantizer.started": torch.tensor(True)}

def to_published(model: "PublishedVQGAN") -> dict:
    "The published names for a model's tensors: the inverse of `from_published`."
    swap = lambda name: next(theirs + name[len(ours):] for theirs, ours in RENAMED if name.startswith(ours))
    return {swap(name): t for name, t in model.state_dict().items() if name != "quantizer.started"}


def published_config(state: dict, resolution: int = 256) -> PublishedConfig:
    "The config of tensors under our names, read off their shapes; `resolution` is that of training, which no tensor tells."
    at = lambda name: state[f"encoder.0.{name}"].shape
    try:
        (width, channels), z_channels = at("conv_in.weight")[:2], at("conv_out.weight")[0]
        levels = [i for i in range(99) if f"encoder.0.down.{i}.block.0.conv1.weight" in state]
        depth = sum(f"encoder.0.down.0.block.{j}.conv1.weight" in state for j in range(99))
        n_codes, dim = state["quantizer.codebook"].shape
    except KeyError as e: raise ValueError(f"{e.args[0]} is missing: these are not the weights of a published VQ-GAN") from None
    mult = [at(f"down.{i}.block.0.conv1.weight")[0] // width for i in levels]
    attention = [resolution >> i for i in levels if f"encoder.0.down.{i}.attn.0.q.weight" in state]
    return PublishedConfig(channels, resolution, width, mult, depth, attention, z_channels, dim, n_codes)

def load_published(state: dict, resolution: int = 256) -> PublishedVQGAN:
    "A model with published weights, in eval mode. ValueError lists names that are missing, unexpected or wrongly shaped."
    state = from_published(state)
    return load_state(PublishedVQGAN(published_config(state, resolution)), state).eval()

