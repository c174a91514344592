"""draft"""
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn
from torch.nn import functional as F

from mmgen.train import Muon
from mmgen.transformer import KVCache, LabelEmbedding, Transformer, TransformerConfig, grid_positions
from mmgen.vqvae import VQVAE

def draw(logits: torch.Tensor, rng: torch.Generator | None = None) -> torch.Tensor:  # (.., k) -> (..) int64
    "One index per row from softmax(logits): where a uniform number falls in the running sum, all in float64; `rng` is on the CPU."
    if not logits.is_floating_point(): raise TypeError(f"logits are {logits.dtype}; expected a float tensor (.., k)")
    x = logits.cpu() if logits.device.type == "mps" else logits                   # MPS knows no float64
    sums = x.double().softmax(-1).cumsum(-1)                                      # (.., k)
    if not sums[..., -1].isfinite().all(): raise ValueError("logits hold NaN, +inf, or a row of -inf alone; expected a finite number in each row")
    u = torch.rand((*sums.shape[:-1], 1), generator=rng, dtype=torch.float64).to(sums.device) * sums[..., -1:]
    return torch.searchsorted(sums, u, right=True).squeeze(-1).clamp(max=x.shape[-1] - 1).to(logits.device)

def gumbel(shape: tuple, rng: torch.Generator | None = None, dtype=torch.float64) -> torch.Tensor:
    "Noise -log(-log u) with u uniform in (0, 1): argmax(logits + noise) is a draw from softmax(logits) (Maddison et al. 2014)."
    u = torch.rand(shape, generator=rng, dtype=dtype).clamp(min=torch.finfo(dtype).tiny)
    return -(-u.log()).log()

def sharpen(logits: torch.Tensor,      # (.., k)
            temperature: float = 1.,   # logits are divided by it; 0: only the likeliest stays
            top_k: int | None = None,  # only the k likeliest stay
            top_p: float | None = None,  # only the likeliest that together reach a share p stay (Holtzman et al. 2020, section 3.1)
            ) -> torch.Tensor:         # (.., k) float64, -inf where nothing may be drawn
    "Logits to draw from; temperature first, then top-k, then top-p."
    if not 0 <= temperature < math.inf: raise ValueError(f"temperature={temperature!r}; expected a number of at least 0 (1: as the model says)")
    if top_k is not None and (not isinstance(top_k, int) or top_k < 1): raise ValueError(f"top_k={top_k!r}; expected a whole number of at least 1")
    if top_p is not None and not 0 < top_p <= 1: raise ValueError(f"top_p={top_p!r}; expected a number in (0, 1]")
    x = logits.double() / (temperature or 1.)
    if not temperature: top_k = 1
    if top_k is None and top_p is None: return x
    value, where = x.sort(-1, descending=True, stable=True)                       # (.., k) likeliest first
    if top_k is not None: value[..., top_k:] = -math.inf
    if top_p is not None:
        p = value.softmax(-1)
        value = value.masked_fill(p.cumsum(-1) - p >= top_p, -math.inf)           # what stands before has reached p already
    return torch.empty_like(x).scatter(-1, where, value)

def guide(cond: torch.Tensor, uncond: torch.Tensor, s: float) -> torch.Tensor:  # twice (.., k) logits -> (.., k)
    "uncond + s (cond - uncond): s = 1 is no guidance, s = 0 forgets the label (Ho & Salimans 2022, equation 6, with s = 1 + w)."
    if cond.shape != uncond.shape: raise ValueError(f"cond has shape {tuple(cond.shape)}, uncond {tuple(uncond.shape)}; expected the same")
    if not math.isfinite(s): raise ValueError(f"s={s!r}; expected a finite number, 1 for no guidance")
    return uncond + s * (cond - uncond)

def halton(n: int, base: int) -> torch.Tensor:  # (n,) float64 in [0, 1)
    "The first n numbers of van der Corput's sequence: digits of 1, 2, 3, .. mirrored behind the point."
    i, value, share = torch.arange(1, n + 1), torch.zeros(n, dtype=torch.float64), 1 / base
    while i.any(): value, i, share = value + i % base * share, i // base, share / base
    return value

def halton_order(rows: int, columns: int) -> torch.Tensor:  # (rows * columns,) int64
    "Places row * columns + column in the order in which points (base 2, base 3) first fall on them: spread out at every moment (Besnier et al. 2025)."
    order, n = [], 4 * rows * columns
    while len(order) < rows * columns:
        n *= 2
        order = dict.fromkeys(((halton(n, 2) * rows).long() * columns + (halton(n, 3) * columns).long()).tolist())
    return torch.tensor(list(order))

SCHEDULES = {"cosine": lambda t: math.cos(math.pi / 2 * t), "linear": lambda t: 1 - t, "square": lambda t: 1 - t * t,
             "root": lambda t: 1 - t**.5, "arccos": lambda t: math.acos(t) * 2 / math.pi}

def _schedule(name):
    "The function called `name`, or `name` itself if it is one."
    if callable(name): return name
    if name not in SCHEDULES: raise ValueError(f"schedule={name!r}; expected one of {', '.join(SCHEDULES)}, or a function from [0, 1] to [0, 1]")
    return SCHEDULES[name]

def still_open(total: torch.Tensor, now: torch.Tensor, t: float, schedule="cosine") -> torch.Tensor:  # (b,), (b,) -> (b,) int64
    "How many of `total` places stay open after share `t` of the steps, `now` being open: at least one is decided (Chang et al. 2022, section 3.2)."
    return torch.minimum((total * _schedule(schedule)(t)).floor().long(), now - 1).clamp(min=0)

class Drawn(NamedTuple):
    "State of a sampler: what is decided so far."
    step: int            # passes of the network so far, 1, 2, ..
    codes: torch.Tensor  # (b, n) int64, -1 where nothing is decided
    fresh: torch.Tensor  # (b, n) bool, True where this step decided

def finish(states) -> torch.Tensor:  # (b, n) int64
    "Run a sampler to its end; the codes of its last state."
    last = None
    for last in states: pass
    if last is None: raise ValueError("states is empty or used up; pass a fresh prior.sample(..)")
    return last.codes

def _at(s, t): return s(t) if callable(s) else s

@contextmanager
def _evaluating(model):
    "Eval mode inside; the model's own mode after."
    mode = getattr(model, "training", None)
    if mode: model.eval()
    try: yield
    finally:
        if mode: model.train()

def _first(priority, open_, count):  # (b, n), (b, n) bool, (b,) -> (b, n) bool
    "The `count` open places of highest priority in each row."
    rank = priority.masked_fill(~open_, -math.inf).argsort(dim=1, descending=True, stable=True).argsort(1)
    return open_ & (rank < count[:, None])

def _priority(order, prior, b, rng):
    "(b, n) numbers, highest first, of an order that does not depend on what is drawn."
    n = prior.n_places
    if isinstance(order, torch.Tensor):
        if order.shape != (n,) or not torch.equal(order.sort().values.cpu(), torch.arange(n)):
            raise ValueError(f"order is a tensor {tuple(order.shape)}; expected each of the places 0 to {n - 1} once")
    elif order == "random": return torch.rand(b, n, generator=rng)
    elif order == "raster": order = torch.arange(n)
    elif order == "halton": order = halton_order(*prior.shape)
    else: raise ValueError(f"order={order!r}; expected 'confidence', 'random', 'halton', 'raster', or a tensor of places")
    return -order.cpu().argsort().double().expand(b, n)

def _begin(prior, labels, codes):
    "Checked labels and starting codes (b, n) on the prior's device."
    b, n = len(labels), prior.n_places
    codes = torch.full((b, n), -1) if codes is None else codes
    if tuple(codes.shape) != (b, n): raise ValueError(f"codes has shape {tuple(codes.shape)}; expected ({b}, {n}), -1 where nothing is known")
    if codes.dtype != torch.int64: raise TypeError(f"codes are {codes.dtype}; expected torch.int64")
    if codes.numel() and (codes.min() < -1 or codes.max() >= prior.n_codes):
        raise IndexError(f"codes run from {codes.min()} to {codes.max()}; expected 0 to {prior.n_codes - 1}, or -1 where nothing is known")
    return labels.to(prior.device), codes.to(prior.device)

def _steps(n_steps):
    if not isinstance(n_steps, int) or n_steps < 1: raise ValueError(f"n_steps={n_steps!r}; expected a whole number of at least 1")

@torch.no_grad()
def sample_masked(prior, labels, *,
                  n_steps: int = 12,       # passes of the network
                  schedule="cosine",       # share of places still open, see SCHEDULES
                  order="confidence",      # or "random", "halton", "raster", or places in order
                  noise: float = 4.5,      # Gumbel noise on the confidence at the start, falling to 0 at the end
                  s=1.,                    # guidance: a number, or a function of the share of steps done
                  temperature: float = 1., top_k=None, top_p=None,   # see `sharpen`
                  codes=None,              # (b, n) to be completed, -1 where open; None: all open
                  rng=None):
    "Parallel decoding: yields `Drawn` after every pass of the network (Chang et al. 2022, section 3.2). What is decided is never changed."
    _steps(n_steps); labels, codes = _begin(prior, labels, codes)
    b, total = len(labels), (codes < 0).sum(1)                                    # (b,) places to decide
    fixed = None if order == "confidence" else _priority(order, prior, b, rng).to(codes.device)
    with _evaluating(prior):
        for i in range(n_steps):
            open_ = codes < 0                                                     # (b, n)
            if not open_.any(): return
            logits = _guided(prior, codes, labels, _at(s, i / n_steps))           # (b, n, k)
            count = open_.sum(1) - still_open(total, open_.sum(1), (i + 1) / n_steps, schedule)
            look = open_ if fixed is None else _first(fixed, open_, count)
            new = torch.full_like(codes, -1)
            new[look] = draw(sharpen(logits[look], temperature, top_k, top_p), rng)
            fresh = look if fixed is not None else _first(confidence(logits, new, noise * (1 - (i + 1) / n_steps), rng), open_, count)
            codes = torch.where(fresh, new, codes)
            yield Drawn(i + 1, codes, fresh)

def confidence(logits, new, noise, rng=None):  # (b, n, k), (b, n) with -1 where there is no draw -> (b, n) float64
    "log p of what was drawn, plus `noise` times Gumbel noise."
    log_p = logits.double().log_softmax(-1).gather(-1, new.clamp(min=0)[..., None]).squeeze(-1)
    return log_p + noise * gumbel(log_p.shape, rng).to(log_p.device)

def _guided(prior, codes, labels, s):
    "Logits (b, n, k) under guidance; one pass of twice the batch, or of the batch where s is 1."
    if s == 1: return prior.predict(codes, labels)
    both = prior.predict(torch.cat([codes, codes]), torch.cat([labels, torch.full_like(labels, prior.null)]))
    return guide(*both.chunk(2), s)

class TablePrior:
    "Exact conditionals of a known distribution over n tokens out of k, by enumeration: what a perfect masked model would say."
    null, device, sample = 0, torch.device("cpu"), sample_masked
    def __init__(self, table: torch.Tensor):  # (k,) * n, sums to 1
        self.n_codes, self.n_places, self.shape = table.shape[0], table.ndim, (1, table.ndim)
        self.p, self.sequences = table.double().flatten(), grid_positions(*table.shape)      # (k^n,), (k^n, n)
        if abs(self.p.sum().item() - 1) > 1e-9 or self.p.min() < 0: raise ValueError("table: expected probabilities that sum to 1")

    def predict(self, codes, labels=None):  # (b, n), -1 where open -> (b, n, k) log probabilities
        "log p(token i = c | the decided tokens); a decided token is certain of itself."
        fits = ((codes[:, None] == self.sequences) | (codes[:, None] < 0)).all(-1)           # (b, k^n)
        joint = torch.einsum("bm,mnk->bnk", fits * self.p, F.one_hot(self.sequences, self.n_codes).double())
        return (joint / joint.sum(-1, keepdim=True)).log()

@dataclass(frozen=True)
class PriorConfig:
    "Shape of a prior over codes. ValueError names a field that is out of range."
    n_codes: int = 512       # K of the tokenizer
    shape: tuple = (7, 7)    # its grid
    n_classes: int = 10      # labels; one more is added for "no label"
    label_drop: float = .1   # share of labels hidden in training, so that guidance has something to compare with
    dim: int = 128           # numbers per token
    depth: int = 4           # blocks
    num_heads: int = 4       # heads of 32
    dropout: float = 0.      # many passes over the data want some
    order: str = "raster"    # in which ARPrior reads the grid: "raster", "columns", "halton"

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))
        if self.order not in ("raster", "columns", "halton"): raise ValueError(f"order={self.order!r}; expected 'raster', 'columns' or 'halton'")
        if not isinstance(self.n_codes, int) or self.n_codes < 2: raise ValueError(f"n_codes={self.n_codes!r}; expected a whole number of at least 2")
        if not isinstance(self.n_classes, int) or self.n_classes < 1: raise ValueError(f"n_classes={self.n_classes!r}; expected a whole number of at least 1")
        if not 0 <= self.label_drop < 1: raise ValueError(f"label_drop={self.label_drop!r}; expected a number in [0, 1)")

    def transformer(self, causal: bool) -> TransformerConfig:
        "Config of the network: a mask token more if it is not causal."
        return TransformerConfig(self.n_codes + (not causal), self.shape, self.dim, self.depth, self.num_heads, 1, causal, dropout=self.dropout)

class _Prior(nn.Module):
    "What both priors share: a transformer whose prefix is the label."
    def __init__(self, config, causal):
        super().__init__()
        c = self.config = config if isinstance(config, PriorConfig) else PriorConfig(**config)
        self.net, self.labels = Transformer(c.transformer(causal)), LabelEmbedding(c.n_classes, c.dim, c.label_drop)
        self.n_codes, self.n_places, self.shape, self.null = c.n_codes, math.prod(c.shape), c.shape, c.n_classes

    @property
    def device(self): return self.labels.table.weight.device

    def prefix(self, labels): return self.labels(labels)[:, None]                 # (b,) -> (b, 1, dim)

@torch.no_grad()
def sample_ar(prior, labels, *, s=1., temperature: float = 1., top_k=None, top_p=None, cache: bool = True, rng=None):
    "One code after another: yields `Drawn` n times. With `cache` the network sees each token once; the same codes without."
    labels, codes = _begin(prior, labels, None)
    guided = callable(s) or s != 1
    both = torch.cat([labels, torch.full_like(labels, prior.null)]) if guided else labels
    memory = KVCache(prior.net.config.max_len) if cache else None
    with _evaluating(prior):
        for i, place in enumerate(prior.order.tolist()):
            seen = codes[:, prior.order[:i]].repeat(1 + guided, 1)                # (b or 2b, i)
            logits = prior.next_logits(seen, both, memory)                        # (b or 2b, k)
            if guided: logits = guide(*logits.chunk(2), _at(s, i / prior.n_places))
            codes, fresh = codes.clone(), torch.zeros_like(codes, dtype=torch.bool)
            codes[:, place], fresh[:, place] = draw(sharpen(logits, temperature, top_k, top_p), rng), True
            yield Drawn(i + 1, codes, fresh)

class ARPrior(_Prior, PyTorchModelHubMixin):
    "p(codes | label) as a product, one code given those before it (van den Oord et al. 2017, section 3.3; Esser et al. 2021, section 3.2)."
    def __init__(self, config: PriorConfig = PriorConfig()):
        super().__init__(config, causal=True)
        rows, columns = self.shape
        order = {"raster": lambda: torch.arange(rows * columns), "columns": lambda: torch.arange(rows * columns).view(rows, columns).T.flatten(),
                 "halton": lambda: halton_order(rows, columns)}[self.config.order]()
        self.register_buffer("order", order, persistent=False)
        self.net.positions[1:] = self.net.positions[1:][order]                    # token i of the sequence lies at place order[i]

    def logits(self, codes, labels):  # (b, n), (b,) -> (b, n, k)
        "At each place the logits of its code given the codes before it in `order`; all n in one pass."
        seen = codes[:, self.order[:-1]]                                          # the last code is seen by none
        return self.net(seen, self.prefix(labels))[:, self.order.argsort()]

    def next_logits(self, seen, labels, cache=None):  # (b, i) codes in order -> (b, k)
        "Logits of code number i; with a cache only what it does not hold is computed."
        if cache is None or not cache.length: return self.net(seen, self.prefix(labels), cache=cache)[:, -1]
        return self.net(seen[:, cache.length - 1:], cache=cache)[:, -1]

    def nll(self, codes, labels):  # (b, n), (b,) -> (b,)
        "-log p(codes | label) in nats, exact."
        return F.cross_entropy(self.logits(codes, labels).float().mT, codes, reduction="none").sum(1)

    sample = sample_ar

class MaskedPrior(_Prior, PyTorchModelHubMixin):
    "Codes at the open places given those at the decided places and the label (MaskGIT: Chang et al. 2022, section 3.1)."
    def __init__(self, config: PriorConfig = PriorConfig()): super().__init__(config, causal=False)

    def predict(self, codes, labels):  # (b, n) with -1 where open, (b,) -> (b, n, k)
        "Logits for every place; the mask token itself cannot be predicted."
        tokens = codes.masked_fill(codes < 0, self.n_codes)
        return self.net(tokens, self.prefix(labels))[:, 1:, :self.n_codes]

    sample = sample_masked

def hide(codes, share, rng=None):  # (b, n), (b,) in [0, 1] -> (b, n) bool
    "At least one place of each row, ceil(share * n) in all, drawn evenly."
    n = codes.shape[1]
    count = (share * n).ceil().long().clamp(1, n)
    return (torch.rand(codes.shape, generator=rng, device=codes.device).argsort(1).argsort(1) < count[:, None])

def ar_loss(prior, batch):
    "Mean nats per code for `mmgen.train.fit`; logs bits per code."
    codes, labels = batch
    loss = prior.nll(codes, labels).mean() / prior.n_places
    return loss, {"bits": loss / math.log(2)}

def masked_loss(prior, batch, schedule="cosine"):
    "Mean nats per hidden code; shares hidden follow `schedule` of evenly spread numbers. With 'linear' it is the bound per code."
    codes, labels = batch
    b = len(codes)
    t = (torch.arange(b, device=codes.device) + torch.rand(1, device=codes.device)) / b      # (b,) one in each b-th part
    share = torch.tensor([_schedule(schedule)(v) for v in t.tolist()], device=codes.device)
    open_ = hide(codes, share)
    nats = F.cross_entropy(prior.predict(codes.masked_fill(open_, -1), labels).float().mT, codes, reduction="none")
    loss = ((nats * open_).sum(1) / open_.sum(1)).mean()
    return loss, {"bits": loss / math.log(2)}

@torch.no_grad()
def masked_bound(prior, codes, labels, n_draws: int = 49, rng=None):  # (b, n), (b,) -> (b,)
    "Upper bound on -log p in nats: the mean over random orders, by n_draws random numbers of open places (Hoogeboom et al. 2022, section 3)."
    b, n = codes.shape
    total = torch.zeros(b, dtype=torch.float64)
    with _evaluating(prior):
        for j in range(n_draws):
            m = (torch.arange(b) + j * n // n_draws) % n + 1                      # each row meets all numbers evenly
            open_ = hide(codes, (m - .5) / n, rng)
            nats = F.cross_entropy(prior.predict(codes.masked_fill(open_, -1), labels).double().mT, codes, reduction="none")
            total += n * (nats * open_).sum(1).cpu() / m
    return total / n_draws

def block_optimizers(model, lr=.02, adam_lr=2e-3):
    "For `fit`: Muon for the matrices inside the blocks, AdamW for tables, head, gains and offsets."
    inside = {id(p) for name, p in model.named_parameters() if ".blocks." in name and p.ndim == 2}
    def make(params):
        params = list(params)
        return [Muon([p for p in params if id(p) in inside], lr),
                torch.optim.AdamW([p for p in params if id(p) not in inside], adam_lr, betas=(.9, .95), weight_decay=0.)]
    return make

@torch.no_grad()
def generate(prior, vqvae: VQVAE, labels, seed: int = 0, batch_size: int = 250, **how) -> tuple:
    "Images (n, c, h, w) and codes (n, rows, columns) for labels (n,), on the CPU; `how` goes to `prior.sample`."
    rng = torch.Generator().manual_seed(seed)
    codes = torch.cat([finish(prior.sample(part, rng=rng, **how)).cpu() for part in labels.split(batch_size)]).view(-1, *prior.shape)
    where = next(vqvae.parameters()).device
    return torch.cat([vqvae.decode_indices(part.to(where)).cpu() for part in codes.split(batch_size)]).clamp(-1, 1), codes
