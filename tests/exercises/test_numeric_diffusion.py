"""Numeric questions of notebooks 6 and 8 to 13: every value is derived a second time, by another
route, for all numbers drawn.
"""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from mmgen.interview.arithmetic import evaluate
from mmgen.interview.bank import load_questions
from mmgen.interview.items import judge, make_item

TOPICS = ("metrics", "transformer", "priors", "diffusion", "samplers", "dit", "latent")
ORACLES = {}


def oracle(id):
    return lambda f: ORACLES.setdefault(id, f)


@functools.cache
def numeric():
    return {q["id"]: q for t in TOPICS for q in load_questions(t) if q["kind"] == "numeric"}


def draws(q):
    return [dict(zip(q["draw"], numbers)) for numbers in itertools.product(*q["draw"].values())]


CASES = [
    pytest.param(id, d, id=f"{id}-{'-'.join(map(str, d.values()))}")
    for id, q in numeric().items()
    for d in draws(q)
]


def test_every_numeric_question_has_an_oracle():
    assert set(ORACLES) == set(numeric())


@pytest.mark.parametrize("id,drawn", CASES)
def test_two_routes_give_one_value(id, drawn):
    assert evaluate(numeric()[id]["value"], drawn) == pytest.approx(
        float(ORACLES[id](**drawn)), rel=1e-6, abs=1e-12
    )


@pytest.mark.parametrize("id", numeric())
def test_the_judge_takes_the_oracle_and_nothing_near_it(id):
    q = numeric()[id]
    known = {evaluate(q["value"], d): float(ORACLES[id](**d)) for d in draws(q)}
    for lang, seed in itertools.product(("en", "zh"), range(3)):
        item = make_item(q, lang, seed)
        value = known[item.value]
        assert judge(item, f"{value:.6g}").score == 1
        assert (
            judge(item, f"{value:.4g} {item.unit}").score == 1
        )  # what the answer's text shows, with its unit
        for wrong in (value * 1.06 + 1e-9, value * 0.94 - 1e-9, -value - 1):
            assert judge(item, wrong).score == 0


# Routes that several use

HERMITE = [torch.tensor(a) for a in np.polynomial.hermite_e.hermegauss(40)]


def gauss(f):
    "Mean of f over the standard normal, by quadrature: exact for polynomials."
    nodes, weights = HERMITE
    return (f(nodes) * weights).sum() / weights.sum()


def block_weights(d, modulated=False):
    """Weights of PyTorch's own block, biases and norms left out; with adaLN-Zero's map if
    `modulated`.
    """
    block = nn.ModuleList(
        [nn.TransformerEncoderLayer(d, 2, 4 * d, device="meta")]
        + [nn.Linear(d, 6 * d, device="meta")] * modulated
    )
    return sum(p.numel() for p in block.parameters() if p.dim() == 2)


def flops(f):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        f()
    return counter.get_total_flops()


@functools.cache
def block_flops(n, d):
    """Operations of one block's maps, and of its products over pairs, as PyTorch counts them;
    shapes only.
    """
    x, wide, heads = (torch.empty(n, k, device="meta") for k in (d, 4 * d, d))
    square, up, down = (torch.empty(*s, device="meta") for s in ((d, d), (d, 4 * d), (4 * d, d)))
    maps = flops(lambda: [x @ square for _ in range(4)] + [x @ up, wide @ down])
    return maps, flops(lambda: (x @ heads.T) @ heads)


# metrics


@oracle("metrics.psnr")
def _(m):  # in bytes, peak 255
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(32)
    a, b = ((x + 1) * 127.5 for x in (torch.zeros(64, dtype=torch.float64), signs * m**0.5))
    return 10 * torch.log10(255**2 / ((a - b) ** 2).mean())


@oracle("metrics.fid-one-feature")
def _(m, s):
    return gauss(lambda z: (m + s * z - z) ** 2)  # the monotone map is the optimal transport


@oracle("metrics.ten-sure-digits")
def _(p):
    given = torch.full((10, 10), (1 - p) / 9, dtype=torch.float64).fill_diagonal_(p)
    return (given * (given / given.mean(0)).log()).sum(1).mean().exp()


@oracle("metrics.fid-at-infinity")
def _(a, b):
    return np.polyfit([1 / 5000, 1 / 20000], [a, b], 1)[1]


@oracle("metrics.mixture-cost")
def _(D, a):  # noise gives this image next to nothing
    log_p, log_q = torch.tensor([-300.0, -1e6], dtype=torch.float64)
    return (log_p - torch.logaddexp(log_p + math.log(a), log_q + math.log(1 - a))) / math.log(2) / D


@oracle("metrics.ratings")
def _(h):
    return next(n for n in itertools.count(1) if 1.96 * math.sqrt(0.5 * 0.5 / n) <= h)


# transformer


@oracle("transformer.block-parameters")
def _(L, d):
    return sum(block_weights(d) for _ in range(L)) / 1e6


@oracle("transformer.cache-bytes")
def _(L, g, n):
    layer = [torch.empty(g, n, 128, dtype=torch.bfloat16, device="meta") for _ in "kv"]
    return L * sum(x.numel() * x.element_size() for x in layer) / 1024**3


@oracle("transformer.pair-share")
def _(d, n):
    maps, pairs = block_flops(n, d)
    return 100 * pairs / (maps + pairs)


@oracle("transformer.slowest-hand")
def _(w, p):
    speed = 1.0
    for _ in range(w // 2 - 1):
        speed *= 10000 ** (-2 / w)  # from each pair to the next
    return speed * p


@oracle("transformer.decode-ceiling")
def _(P, B, c):
    weights = P * 1e9 * torch.empty(1, dtype=torch.bfloat16).element_size()
    return 1 / ((weights + c * 1e9) / (B * 1e12))


# priors


@oracle("priors.bits-per-image")
def _(l, n):
    return sum(-math.log2(math.exp(-l)) for _ in range(n))


@oracle("priors.guided-code")
def _(c, u, s):
    cond, uncond = (torch.tensor([p, 1 - p], dtype=torch.float64).log() for p in (c, u))
    return (uncond + s * (cond - uncond)).softmax(0)[0]


@oracle("priors.still-hidden")
def _(n, T, t):
    return sum(math.acos(i / n) >= math.pi / 2 * t / T for i in range(1, n + 1))


@oracle("priors.without-cache")
def _(n):
    cached = repeated = 0
    for past in range(1, n + 1):
        cached, repeated = cached + 1, repeated + past
    return repeated / cached


@oracle("priors.price-of-parallel")
def _(q):
    truth = torch.tensor([[q / 2, (1 - q) / 2], [(1 - q) / 2, q / 2]], dtype=torch.float64)
    product = truth.sum(0) * truth.sum(1)[:, None]
    return (truth * (truth / product).log2()).sum()


@oracle("priors.gumbel-cap")
def _(m):
    u = (2**m - torch.arange(1, min(2**m, 1000), dtype=torch.float64)) / 2**m
    return (-(-u.log()).log()).max()


# diffusion


@oracle("diffusion.v-of-a-pair")
def _(x, n):
    angle = torch.tensor(math.acos(0.6), dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(angle.cos() * x + angle.sin() * n, angle)[0]


@oracle("diffusion.signal-left")
def _(b, n):
    signal = 1.0
    for _ in range(n):
        signal *= math.sqrt(1 - b)
    return signal


@oracle("diffusion.logsnr-flow")
def _(t):
    return -2 * torch.logit(torch.tensor(t, dtype=torch.float64))


@oracle("diffusion.posterior-mean")
def _(s, t):  # Bayes' rule on a grid
    x0 = torch.linspace(-12 * s, 12 * s, 20001, dtype=torch.float64)
    weight = (-0.5 * (x0 / s) ** 2 - 0.5 * ((1 - (1 - t) * x0) / t) ** 2).exp()
    return (weight * x0).sum() / weight.sum()


@oracle("diffusion.min-snr-v")
def _(r, g):
    alpha, sigma = math.sqrt(r / (1 + r)), math.sqrt(1 / (1 + r))

    def x0_of(v):  # at x_t = 0.3
        return alpha * 0.3 - sigma * v

    return min(r, g) * (x0_of(1.5) - x0_of(0.5)) ** 2  # an error of 1 in v


@oracle("diffusion.loss-floor")
def _(s, t):  # what is left of eps after the best linear answer
    nodes, weights = HERMITE
    x0, eps, w = (
        a.flatten()
        for a in (
            s * nodes[:, None] + 0 * nodes,
            nodes + 0 * nodes[:, None],
            weights[:, None] * weights,
        )
    )
    x, w = (1 - t) * x0 + t * eps, w / w.sum()
    slope = (w * x * eps).sum() / (w * x * x).sum()
    return (w * (eps - slope * x) ** 2).sum()


@oracle("diffusion.brightness-leak")
def _(n, m):
    mean = torch.full((n, n), 1 / n**2, dtype=torch.float64)
    return 0.068 * m / (math.cos(math.asin(0.068)) * mean.norm())


# samplers


@oracle("samplers.calls")
def _(n):
    calls, sigmas = 0, [*range(n, 0, -1), 0]
    for sigma, lower in zip(sigmas, sigmas[1:]):
        for looked_at in (sigma, lower):
            calls += 2 * (looked_at > 0)
    return calls


@oracle("samplers.guided-value")
def _(u, c, w):
    return torch.lerp(*torch.tensor([u, c, 1 + w], dtype=torch.float64))


@oracle("samplers.ddim-step")
def _(x, n):  # z = x / sigma moves by the change of alpha / sigma
    x0 = (x - 0.8 * n) / 0.6
    return 0.6 * (x / 0.8 + (0.8 / 0.6 - 0.6 / 0.8) * x0)


@oracle("samplers.measured-order")
def _(a, b):
    return -np.polyfit(np.log([20, 40]), np.log([a, b]), 1)[0]


@oracle("samplers.churn")
def _(S, N, s):
    raised = min(s + S / N * s, math.hypot(s, s))
    added = np.roots([1, 0, s**2 - raised**2])  # variances add up to the raised one
    return max(added.real)


@oracle("samplers.one-euler-step")
def _(v, S):  # dx / dsigma = -sigma score, score by autograd
    noisy = torch.distributions.Normal(
        *torch.tensor([0.0, v**2 + S**2], dtype=torch.float64).sqrt()
    )

    def step(z):
        x = (noisy.scale * z).requires_grad_()
        score = torch.autograd.grad(noisy.log_prob(x).sum(), x)[0]
        return (x + (0 - S) * -S * score).detach()

    return gauss(lambda z: step(z) ** 2).sqrt()


@oracle("samplers.fresh-variance")
def _(a, b):  # precisions of x_s given x_0, and of x_t given x_s, add
    keep = math.sqrt(a / b)
    return 1 / (1 / (1 - b) + keep**2 / (1 - keep**2))


# dit


@oracle("dit.tokens")
def _(H, p):
    latent = nn.AvgPool2d(8)(torch.empty(1, 4, H, H, device="meta"))
    return nn.Conv2d(4, 16, p, p, device="meta")(latent).flatten(2).shape[2]


@oracle("dit.block-weights")
def _(L, d):
    return sum(block_weights(d, modulated=True) for _ in range(L)) / 1e6


@oracle("dit.adam-memory")
def _(P):
    weight, kept = nn.Parameter(torch.ones(1000)), torch.zeros(1000)
    adam = torch.optim.Adam([weight])
    weight.sum().backward()
    adam.step()
    kept.lerp_(weight.detach(), 0.1)
    tensors = [weight, weight.grad, kept] + [
        x for x in adam.state[weight].values() if x.numel() == 1000
    ]
    return P * 1e6 * sum(x.numel() * x.element_size() for x in tensors) / 1000 / 1e9


@oracle("dit.forward-cost")
def _(d, n):
    return 28 * sum(block_flops(n, d)) / 2 / 1e9


@oracle("dit.card-hours")
def _(G, R):  # the share of the backward pass as PyTorch counts it
    x, w = (torch.empty(8, 8, device="meta", requires_grad=True) for _ in range(2))
    forward, both = flops(lambda: x @ w), flops(lambda: (x @ w).sum().backward())
    seconds = both / forward * G * 2e9 * 256 * 400_000 / (R * 1e12)
    return seconds / 3600


@oracle("dit.clock-hand")
def _(r):
    frequency = torch.logspace(0, -4, 129, dtype=torch.float64)[:128]
    return (frequency >= r).sum()


# latent


@oracle("latent.fewer-numbers")
def _(f, c):
    image = torch.empty(1, 3, 64, 64, device="meta")
    return image.numel() / nn.Conv2d(3, c, f, f, device="meta")(image).numel()


@oracle("latent.wrong-scale")
def _(k):
    def logsnr(scale, t):
        return math.log(((1 - t) * scale) ** 2) - math.log(t**2)

    return logsnr(k, 0.3) - logsnr(1, 0.3)


@oracle("latent.edit-calls")
def _(r, N):
    return sum(2 for step in range(N) if step >= N - r * N - 1e-9)


@oracle("latent.start-in-the-average")
def _(d, n):
    average = 1.0
    for _ in range(n):
        average += (1 - d) * (0.0 - average)
    return average


@oracle("latent.fill-in-spread")
def _(r):  # the joint density where the known one is 0.7
    y = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    inverse = torch.linalg.inv(torch.tensor([[1, r], [r, 1]], dtype=torch.float64))
    both = torch.stack([torch.full_like(y, 0.7), y], 1)
    weight = (-0.5 * (both @ inverse * both).sum(1)).exp()
    weight = weight / weight.sum()
    return (weight * (y - (weight * y).sum()) ** 2).sum().sqrt()


@oracle("latent.shifted-time")
def _(m, t):
    return torch.sigmoid(torch.logit(torch.tensor(t, dtype=torch.float64)) + math.log(m))
