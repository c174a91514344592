"""Numeric questions of notebooks 0 to 5 and 7: every value is derived a second time, by another
route, for all numbers drawn.
"""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmgen.interview.arithmetic import evaluate
from mmgen.interview.bank import load_questions
from mmgen.interview.items import format_number, judge, make_item

TOPICS = ("tour", "data", "training", "autoencoder", "quantizer", "vqvae", "vqgan")
ORACLES, CLOSE = {}, {}  # id -> function of the drawn numbers; id -> relative tolerance


def oracle(id, close=1e-6):
    def keep(f):
        ORACLES[id], CLOSE[id] = f, close
        return f

    return keep


@functools.cache
def numeric():
    return {q["id"]: q for t in TOPICS for q in load_questions(t) if q["kind"] == "numeric"}


def draws(q):
    return [dict(zip(q["draw"], numbers)) for numbers in itertools.product(*q["draw"].values())]


def test_every_numeric_question_has_an_oracle():
    assert set(ORACLES) == set(numeric())


@pytest.mark.parametrize("id", sorted(numeric()))
def test_two_routes_give_one_value(id):
    q = numeric()[id]
    for drawn in draws(q):
        value, second = evaluate(q["value"], drawn), float(ORACLES[id](**drawn))
        assert value == pytest.approx(second, rel=CLOSE[id], abs=1e-12), drawn
        if q["tolerance"] == 0:
            assert value == int(value), drawn


@pytest.mark.parametrize("id", sorted(numeric()))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_value_passes_and_a_wrong_one_does_not(id, lang):
    for seed in range(4):
        item = make_item(numeric()[id], lang, seed)
        assert format_number(item.value) in item.answer
        assert judge(item, f"{item.value:.6g}" if item.tolerance else str(item.value)).score == 1
        assert judge(item, item.value * 1.1 + 1).score == 0


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_right_option_is_not_known_by_its_length(lang):
    choices = [q for t in TOPICS for q in load_questions(t) if q["kind"] == "choice"]
    longest = [
        q["id"] for q in choices if len(q["right"][lang]) > max(len(w[lang]) for w in q["wrong"])
    ]
    assert len(longest) <= 0.4 * len(choices), longest  # a quarter by chance


# What the oracles share


def bits_to_name(n):
    return (n - 1).bit_length()  # of n = 2, 4, 8, ..: length of the largest index in binary


def discriminator(n, padding):
    "Kernels and strides of a patch discriminator as a stack of convolutions, weights positive."
    layers = [torch.nn.Conv2d(1, 1, 4, stride, padding, bias=False) for stride in [2] * n + [1, 1]]
    for layer in layers:
        torch.nn.init.constant_(layer.weight, 0.1)
    return torch.nn.Sequential(*layers).double()


def integral(f, low, high, n=200001):
    x = torch.linspace(low, high, n, dtype=torch.float64)
    return torch.trapezoid(f(x), x).item()


def normal(x, mean=0.0, std=1.0):
    return torch.distributions.Normal(mean, std).log_prob(x)


# tour and data


@oracle("tour.compression")
def _(S, f, K):
    grid = np.zeros((S, S))[::f, ::f]
    return np.zeros((S, S, 3), np.uint8).nbytes * 8 / sum(bits_to_name(K) for _ in grid.flat)


@oracle("data.two-sensors")
def _(a, b):  # weights that sum to 1 with the least variance, by a Lagrange multiplier
    cov = np.diag([a**2.0, b**2.0])
    w = np.linalg.solve([[2 * a**2, 0, 1], [0, 2 * b**2, 1], [1, 1, 0]], [0, 0, 1])[:2]
    return np.sqrt(w @ cov @ w)


@oracle("data.contrastive-room")
def _(B, m):
    content, pair = torch.arange(B) // m, torch.arange(B)
    alike = (content[:, None] == content[None]).double()
    return F.cross_entropy(alike * 0, pair) - F.cross_entropy(alike * 1000, pair)


@oracle("data.speech-rate")
def _(fs, hop, n, K):
    return sum(bits_to_name(K) for _ in range(0, fs, hop) for _ in range(n))


# training


@oracle("training.bytes-of-adam")
def _(N, k):
    layer = torch.nn.Linear(50, 40, bias=False)
    adam = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 50)).sum().backward()
    adam.step()
    tensors = [
        layer.weight,
        layer.weight.grad,
        *(v for v in adam.state[layer.weight].values() if v.ndim),
    ] + [layer.weight.clone()] * k
    return sum(t.nbytes for t in tensors) / 2000 * N * 1e6 / 1e9


@oracle("training.steps-per-epoch")
def _(g, n, b, k):
    sampler = torch.utils.data.DistributedSampler(range(n), g, 0, shuffle=False, drop_last=True)
    batches = len(torch.utils.data.BatchSampler(sampler, b, drop_last=True))
    return sum((i + 1) % k == 0 for i in range(batches))


@oracle("training.what-the-start-keeps")
def _(d, n):
    average = 100.0
    for _ in range(n):
        average += (1 - d) * (0 - average)
    return average


@oracle("training.counter-stops")
def _(m):
    dtype = {7: torch.bfloat16, 10: torch.float16, 23: torch.float32}[m]
    counts = torch.arange(2**24 + 2 if m == 23 else 5000).to(
        dtype
    )  # whole numbers, as that type has them
    return counts[counts + 1 == counts][0]


@oracle("training.default-start")
def _(L):
    mean_square = 1.0
    weight = integral(
        lambda w: w**2 / 2, -1, 1
    )  # variance of sqrt(fan-in) times a weight, uniform on [-1, 1]
    for _ in range(L):
        mean_square *= weight * integral(lambda x: x.clamp(min=0) ** 2 * normal(x).exp(), -12, 12)
    return mean_square**0.5


# autoencoder


@oracle("autoencoder.price-of-a-gaussian")
def _(m, s):
    return integral(
        lambda x: normal(x, m, s).exp() * (normal(x, m, s) - normal(x)), m - 12 * s, m + 12 * s
    )


@oracle("autoencoder.threshold", 1e-4)
def _(lam, s2):
    """KL of the linear VAE of one direction with the largest ELBO, found by a search over its
    decoder weight.
    """
    w = torch.linspace(0.01, 8, 40001, dtype=torch.float64)
    variance, slope = s2 / (w**2 + s2), w / (w**2 + s2)  # posterior of x = w z + noise
    kl = 0.5 * (slope**2 * lam + variance - 1 - variance.log())
    error = lam * (1 - w * slope) ** 2 + w**2 * variance
    return kl[(-error / (2 * s2) - kl).argmax()]


@oracle("autoencoder.side-after-two")
def _(S, k):
    conv = torch.nn.Conv2d(1, 1, k, 2, 1)
    return conv(conv(torch.zeros(1, 1, S, S))).shape[-1]


@oracle("autoencoder.bits-per-dimension", 1e-4)
def _(D):
    residual, std = (
        torch.tensor([D**0.5, -(D**0.5)], dtype=torch.float64),
        torch.linspace(0.02, 0.5, 48001, dtype=torch.float64),
    )
    density = torch.distributions.Normal(0.0, std[:, None]).log_prob(residual).mean(1)
    return (-(density + math.log(2 / 256)) / math.log(2)).min()


# quantizer


@oracle("quantizer.running-code")
def _(d, c, n):
    count, total = 1.0, 0.0
    for _ in range(n):
        chosen = torch.ones(c)
        count, total = d * count + (1 - d) * len(chosen), d * total + (1 - d) * chosen.sum().item()
    return total / count


@oracle("quantizer.one-favourite")
def _(K, p):
    share = torch.full((K,), (1 - p) / (K - 1), dtype=torch.float64)
    share[0] = p
    return torch.distributions.Categorical(share).entropy().exp()


@oracle("quantizer.finite-scalar-bits")
def _(m, L, r, M):
    def levels(n):  # whole numbers that a bounded channel rounds to
        half, shift = (n - 1) * 0.999 / 2, 0 if n % 2 else 0.5
        z = torch.linspace(-20, 20, 4001, dtype=torch.float64)
        return (torch.tanh(z) * half - shift).round().unique()

    return math.log2(
        len(set(itertools.product(*[levels(L).tolist()] * m, *[levels(M).tolist()] * r)))
    )


@oracle("quantizer.stages-against-flat")
def _(n, K):
    stages = torch.rand(n, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sums = torch.cartesian_prod(*stages).sum(1)
    return len(sums.unique()) / stages.numel()


@oracle("quantizer.distance-matrix")
def _(B, h, K):
    distances = torch.empty(B * h * h, 8, device="meta") @ torch.empty(8, K, device="meta")
    return distances.numel() * distances.element_size() / 1024 / 1024


def cell_error(side):
    "Mean squared error of a number spread evenly over a cell of this side, against its middle."
    return integral(lambda x: x**2 / side, -side / 2, side / 2)


@oracle("quantizer.more-codes")
def _(d, r):
    side = 1.0
    for _ in range(60):
        side -= (side**d - 1 / r) / (
            d * side ** (d - 1)
        )  # Newton: the side of a cell of volume 1 / r
    return cell_error(side) / cell_error(1.0)


# vqvae


@oracle("vqvae.bits")
def _(K, h):
    return len("".join(format(K - 1, "b") for _ in range(h) for _ in range(h)))


@oracle("vqvae.search-operations")
def _(K, d, h):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        torch.empty(h * h, d, device="meta") @ torch.empty(d, K, device="meta")
    return counted.get_total_flops() / 2 / 1000  # a multiply-add counts as two


@oracle("vqvae.bits-under-a-prior")
def _(h, S, c):
    probability = torch.full(
        (h, h), math.exp(-c), dtype=torch.float64
    )  # of the index that stands there
    return -probability.log2().sum() / torch.zeros(S, S).numel()


@oracle("vqvae.decibels-per-bit")
def _(D, r):
    sides = [
        1 / n for n in (1000.0, 1000.0 * math.exp(math.log(r) / D))
    ]  # cells per axis before and after
    return 10 * math.log10(cell_error(sides[0]) / cell_error(sides[1]))


# vqgan


@oracle("vqgan.receptive-field")
def _(n):
    x = torch.ones(1, 1, 300, 300, dtype=torch.float64, requires_grad=True)
    out = discriminator(n, 0)(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    return (x.grad[0, 0] != 0).any(0).sum()


@oracle("vqgan.map-of-logits")
def _(n, S):
    return discriminator(n, 1)(torch.zeros(1, 1, S, S, dtype=torch.float64)).numel()


@oracle("vqgan.balanced-weight")
def _(a, b):
    last = torch.ones(4, dtype=torch.float64, requires_grad=True)
    norms = [torch.autograd.grad((last * size / 2).sum(), last)[0].norm() for size in (a, b)]
    return 0.8 * (norms[0] / (norms[1] + 1e-4)).clamp(max=1e4)


@oracle("vqgan.honest-draw")
def _(p):
    chance = {1: p, -1: 1 - p}
    return sum(
        chance[truth] * chance[drawn] * (truth - drawn) ** 2 for truth in chance for drawn in chance
    )


@oracle("vqgan.generator-slope")
def _(l):
    logit = torch.tensor(float(l), dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(F.softplus(-logit), logit)[0]


@oracle("vqgan.spiral-outwards")
def _(h, n):
    x, y = 1.0, 0.0
    for _ in range(n):
        x, y = x - h * y, y + h * x
    return math.hypot(x, y)
