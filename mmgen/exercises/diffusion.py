"Exercises of the diffusion notebook."

import math

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Exercise, wrong


class OneStep(Exercise):
    "A step that lets the variance wander"

    id, kind = "diffusion.one_step", "bug"
    difficulty, importance, minutes = 1, 4, 4
    covers = ("S2-B4.5", "S2-F21")
    task = (
        "One noising step should turn `x` of variance 1 into values of variance 1, with a "
        "share `beta` of noise. `eps` is normal "
        "noise in the shape of `x`, `beta` a float in (0, 1). Repair it."
    )
    starter = """
def noising_step(x, eps, beta):
    return beta * x + (1 - beta) ** 0.5 * eps
"""
    bug = "what is left of x"
    hints = (
        "At beta = 0.01, how much of x should be left? And how much does this leave?",
        "Variances of independent parts add: a^2 + b^2 = 1, and the noise has b^2 = beta.",
        "(1 - beta) ** 0.5 * x + beta ** 0.5 * eps",
    )

    def reference(x, eps, beta):
        return (1 - beta) ** 0.5 * x + beta**0.5 * eps

    def another(x, eps, beta):
        angle = math.asin(math.sqrt(beta))
        return math.cos(angle) * x + math.sin(angle) * eps

    def check(t, noising_step):
        x, zero = t.randn(3, 4), torch.zeros(3, 4)
        for beta, kept, added in ((0.36, 0.8, 0.6), (0.64, 0.6, 0.8), (0.0975, 0.95, 0.3122499)):
            t.equal(
                "what is left of x",
                t.call(noising_step, x, zero, beta),
                kept * x,
                given=f"beta {beta}, no noise",
                because="variances add, not factors: the share of x is the root of 1 - beta",
            )
            t.equal(
                "how much noise comes in",
                t.call(noising_step, zero, x, beta),
                added * x,
                given=f"beta {beta}, x = 0",
                because="noise of variance beta is the root of beta times eps",
            )
        t.equal(
            "both parts together",
            t.call(noising_step, x, 2 * x + 1, 0.36),
            0.8 * x + 0.6 * (2 * x + 1),
        )

    @wrong("what is left of x")
    def no_roots(x, eps, beta):
        return (1 - beta) * x + beta * eps

    @wrong("how much noise comes in")
    def one_root(x, eps, beta):
        return (1 - beta) ** 0.5 * x + beta * eps

    @wrong("what is left of x")
    def swapped(x, eps, beta):
        return beta**0.5 * x + (1 - beta) ** 0.5 * eps

    @wrong("what is left of x")
    def only_adds(x, eps, beta):
        return x + beta**0.5 * eps

    @wrong("both parts together")
    def noise_of_its_own(x, eps, beta):
        if not eps.any() or not x.any():
            return (1 - beta) ** 0.5 * x + beta**0.5 * eps
        return (1 - beta) ** 0.5 * x + beta**0.5 * torch.randn_like(eps)


class WholeTimes(Exercise):
    "A schedule that whole numbers break"

    id, kind = "diffusion.whole_times", "bug"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S2-B4.1", "S2-B4.2", "S2-B4.3")
    bug = "must be Tensor"
    task = (
        "At step t the share of noise is beta = 1 - 2 ** (-t). `noised(x, t, eps)` should "
        "return sqrt(1 - beta) x + sqrt(beta) eps for "
        "`x` `(b, d)`, where `t` is one Python number for all rows, or a tensor `(b,)`, int64 "
        "or float, of one step for each row. It "
        "stops for a Python number, and for int64 steps it returns something. Repair it."
    )
    starter = """
def noised(x, t, eps):
    beta = 1 - 2 ** (-t)
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps
"""
    hints = (
        "What is 2 ** -torch.tensor(5)? And which axis of x does a tensor (b,) meet?",
        "Powers of whole numbers are whole numbers. Make t a float tensor with an axis for the "
        "columns first.",
        "t = torch.as_tensor(t, dtype=x.dtype).view(-1, 1)",
    )

    def reference(x, t, eps):
        t = torch.as_tensor(t, dtype=x.dtype).view(-1, 1)
        return (2**-t).sqrt() * x + (1 - 2**-t).sqrt() * eps

    def another(x, t, eps):
        steps = t.tolist() if isinstance(t, torch.Tensor) else [t] * len(x)
        return torch.stack(
            [2.0 ** (-s / 2) * row + math.sqrt(1 - 2.0**-s) * e for s, row, e in zip(steps, x, eps)]
        )

    def check(t, noised):
        x, eps = t.randn(4, 3) + 2, t.randn(4, 3)

        def want(x, steps, eps):
            keep = [math.exp(-s * math.log(2)) for s in steps]
            return torch.tensor(
                [
                    [math.sqrt(k) * a + math.sqrt(1 - k) * b for a, b in zip(p, q)]
                    for k, p, q in zip(keep, x.tolist(), eps.tolist())
                ]
            )

        t.equal(
            "one Python number",
            t.call(noised, x, 3, eps),
            want(x, [3] * 4, eps),
            given="t = 3",
            because="beta 7/8; torch.sqrt takes tensors only, and both shares stand under a root",
        )
        floats = [0.0, 0.5, 2.0, 5.0]
        t.equal(
            "float steps, one for each row",
            t.call(noised, x, torch.tensor(floats), eps),
            want(x, floats, eps),
            given="t = 0, 0.5, 2, 5 for 4 rows of 3",
            because="(b,) meets the last axis of x: give it an axis for the columns",
        )
        t.equal(
            "int64 steps, one for each row",
            t.call(noised, x, torch.tensor([0, 1, 2, 5]), eps),
            want(x, [0, 1, 2, 5], eps),
            given="t = 0, 1, 2, 5 as int64",
            because="2 ** (-t) of whole numbers is a whole number, 0: all data gone at once",
        )
        x, eps = t.randn(3, 3), t.randn(3, 3)
        t.equal(
            "as many rows as columns",
            t.call(noised, x, torch.tensor([1.0, 2.0, 3.0]), eps),
            want(x, [1, 2, 3], eps),
            given="3 rows of 3 numbers",
            because="steps along the columns run without complaint here",
        )

    @wrong("must be Tensor")
    def as_it_was(x, t, eps):
        b = 1 - 2 ** (-t)
        return torch.sqrt(1 - b) * x + torch.sqrt(b) * eps

    @wrong("int64 steps")
    def still_whole(x, t, eps):
        b = (
            1 - 2 ** -torch.as_tensor(t).view(-1, 1)
            if isinstance(t, torch.Tensor)
            else torch.tensor(1 - 2.0**-t)
        )
        return (1 - b).sqrt() * x + b.sqrt() * eps

    @wrong("float steps")
    def cut_to_whole(x, t, eps):
        b = 1 - 0.5 ** torch.as_tensor(t).long().view(-1, 1)
        return (1 - b).sqrt() * x + b.sqrt() * eps

    @wrong("as many rows as columns")
    def along_the_columns(x, t, eps):
        t = torch.as_tensor(t, dtype=x.dtype)
        t = t[:, None] if t.ndim and x.shape[0] != x.shape[1] else t
        return (2**-t).sqrt() * x + (1 - 2**-t).sqrt() * eps

    @wrong("one Python number")
    def no_root(x, t, eps):
        b = 1 - 2 ** -torch.as_tensor(t, dtype=x.dtype).view(-1, 1)
        return (1 - b) * x + b * eps

    @wrong("one Python number")
    def exchanged(x, t, eps):
        b = 2 ** -torch.as_tensor(t, dtype=x.dtype).view(-1, 1)
        return (1 - b).sqrt() * x + b.sqrt() * eps


class Table(Exercise):
    "From betas to what is left"

    id = "diffusion.table"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S2-F22", "S2-F23", "S2-B4.1", "S2-B4.2")
    task = (
        "`betas` is a list of T numbers or a tensor of any dtype. Return two float64 tensors "
        "(T,): `alpha_bar`, the share of the "
        "data's variance that is left after 1, 2 .. T steps, and `before`, the same one step "
        "earlier, which starts with 1."
    )
    starter = """
def table(betas): ...
"""
    hints = (
        "Each step multiplies what is left by 1 - beta.",
        "torch.cumprod; and float64 before, not after.",
        "bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0); torch.cat([ones, "
        "bar[:-1]])",
    )

    def reference(betas):
        bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
        return bar, torch.cat([torch.ones(1, dtype=torch.float64), bar[:-1]])

    def another(betas):
        left, bar, before = 1.0, [], []
        for b in [float(b) for b in betas]:
            before.append(left)
            left *= 1 - b
            bar.append(left)
        return torch.tensor(bar, dtype=torch.float64), torch.tensor(before, dtype=torch.float64)

    def check(t, table):
        got = t.call(table, [0.1, 0.5, 0.2])
        t.true(
            "it returns two tensors",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "(alpha_bar, before)",
        )
        t.equal(
            "what is left after 1, 2 and 3 steps",
            got[0],
            torch.tensor([0.9, 0.45, 0.36]),
            given="betas .1, .5, .2",
            because="a product of 1 - beta over all steps so far; it falls",
        )
        t.equal(
            "one step earlier",
            got[1],
            torch.tensor([1.0, 0.9, 0.45]),
            because="before the first step all is left",
        )
        bar, before = t.call(table, torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
        t.true(
            "float64",
            bar.dtype == before.dtype == torch.float64,
            (bar.dtype, before.dtype),
            torch.float64,
        )
        exact = math.exp(sum(math.log1p(-(1e-4 + i * (0.02 - 1e-4) / 999)) for i in range(1000)))
        t.equal(
            "the published schedule ends at",
            bar[-1].item(),
            exact,
            atol=1e-12,
            rtol=1e-9,
            given="1000 betas from 1e-4 to 0.02",
            because="computed in float32 and then widened the digits are gone",
        )
        t.equal("one step only", t.call(table, [0.25])[1], torch.ones(1))
        for given, betas in (
            ("a list", [0.1, 0.5]),
            ("a float32 tensor", torch.tensor([0.1, 0.5])),
        ):
            t.true(
                "float64, whatever betas are",
                all(v.dtype == torch.float64 for v in t.call(table, betas)),
                "another dtype",
                torch.float64,
                given,
                because=(
                    "torch.as_tensor of a list gives float32, and an operation keeps the "
                    "dtype it meets"
                ),
            )

    @wrong("what is left after 1, 2 and 3 steps")
    def sums(betas):
        b = torch.as_tensor(betas, dtype=torch.float64)
        bar = 1 - b.cumsum(0)
        return bar, torch.cat([b[:1] * 0 + 1, bar[:-1]])

    @wrong("what is left after 1, 2 and 3 steps")
    def each_power(betas):
        b = torch.as_tensor(betas, dtype=torch.float64)
        n = torch.arange(1, len(b) + 1)
        bar = 1 - (1 - b) ** n
        return bar, torch.cat([b[:1] * 0 + 1, bar[:-1]])

    @wrong("one step earlier")
    def shifted_the_wrong_way(betas):
        bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
        return bar, torch.cat([bar[1:], bar[-1:]])

    @wrong("float64")
    def in_single(betas):
        bar = (1 - torch.as_tensor(betas, dtype=torch.float32)).cumprod(0)
        return bar, torch.cat([torch.ones(1), bar[:-1]])

    @wrong("the published schedule ends at")
    def widened_too_late(betas):
        bar = (1 - torch.as_tensor(betas, dtype=torch.float32)).cumprod(0).double()
        return bar, torch.cat([bar[:1] * 0 + 1, bar[:-1]])

    @wrong("it returns two tensors")
    def only_one(betas):
        return (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)


class AddNoise(Exercise):
    "A jump that lands elsewhere"

    id, kind = "diffusion.add_noise", "bug"
    difficulty, importance, minutes = 2, 5, 7
    covers = ("S2-B4.3", "S2-B4.6", "S2-B4.7", "S2-B4")
    task = (
        "Return `(x_t, eps)`: `x_0` (b, c, h, w) after step `t` (b,) int64, in one jump, and "
        "the normal noise that was drawn, which "
        "the loss will need. `alphas_bar` is a float64 table (T,); `x_t` keeps the dtype of "
        "`x_0`. Three things are wrong here."
    )
    starter = """
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t]
    x_t = bar * x_0 + (1 - bar) * torch.randn_like(x_0)
    return x_t
"""
    bug = "it returns (x_t, eps)"
    hints = (
        "Who needs the noise later? And which axis does a factor of shape (b,) run along?",
        "Factors are roots of shares of variance, of shape (b, 1, 1, 1).",
        "bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype); bar.sqrt() * x_0 + (1 - "
        "bar).sqrt() * eps",
    )

    def reference(x_0, t, alphas_bar):
        bar = alphas_bar[t].view(-1, 1, 1, 1)
        eps = torch.randn_like(x_0)
        return bar.sqrt().to(x_0.dtype) * x_0 + (1 - bar).sqrt().to(x_0.dtype) * eps, eps

    def another(x_0, t, alphas_bar):
        eps = torch.randn_like(x_0)
        rows = [
            math.sqrt(alphas_bar[k]) * x + math.sqrt(1 - alphas_bar[k]) * e
            for x, e, k in zip(x_0, eps, t.tolist())
        ]
        return torch.stack(rows), eps

    def check(t, add_noise):
        bar = torch.tensor([0.81, 0.64, 0.36, 0.04], dtype=torch.float64)
        x, steps = (
            t.randn(4, 2, 3, 4),
            torch.tensor([3, 0, 2, 1]),
        )  # b equals the last axis: the silent case
        got = t.call(add_noise, x, steps, bar)
        t.true(
            "it returns (x_t, eps)",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "x_t and the noise",
            because="noise that is drawn inside and dropped leaves nothing to learn",
        )
        x_t, eps = got
        t.shape("x_t is like x_0", x_t, (4, 2, 3, 4))
        t.shape("one noise for each number", eps, (4, 2, 3, 4))
        t.true(
            "x_t keeps the dtype",
            x_t.dtype == x.dtype,
            x_t.dtype,
            x.dtype,
            because="a float64 table makes everything float64",
        )
        t.true(
            "the noise is normal",
            0.7 < eps.std() < 1.3 and abs(eps.mean()) < 0.4,
            f"std {eps.std():.2f}",
            "std about 1",
        )
        kept, added = (
            torch.tensor([0.2, 0.9, 0.6, 0.8]).view(4, 1, 1, 1),
            torch.tensor([0.96**0.5, 0.19**0.5, 0.8, 0.6]).view(4, 1, 1, 1),
        )
        t.equal(
            "each image has the factors of its own step",
            x_t,
            kept * x + added * eps,
            given="steps 3, 0, 2, 1",
            because=(
                "factors are roots, shaped (b, 1, 1, 1): otherwise they run along the "
                "width, silently where b equals w"
            ),
        )
        again = t.call(add_noise, x, steps, bar)[1]
        t.true(
            "fresh noise each time", not torch.equal(again, eps), "the same noise", "other noise"
        )
        many = t.call(add_noise, t.randn(64, 2, 8, 8), t.randint(0, 4, (64,)), bar)[1]
        t.true(
            "each image has noise of its own",
            len(many.flatten(1).unique(dim=0)) == 64,
            "the same noise in several images",
            "64 different draws",
            given="64 images",
            because="noise of shape (1, c, h, w) is broadcast over the batch",
        )
        t.true(
            "each channel has noise of its own",
            not torch.allclose(many[:, 0], many[:, 1]),
            "the same noise in both channels",
            "different draws",
            because="noise of shape (b, 1, h, w) is broadcast over the channels",
        )
        far = (many.abs() > 2).double().mean().item()
        t.near(
            "the noise is normal: one number in 22 lies beyond 2",
            far,
            0.0455,
            0.014,
            given="8192 numbers",
            because="a uniform draw of the same mean and variance has no tails",
        )

    @wrong("each image has the factors of its own step")
    def no_roots(x_0, t, alphas_bar):
        bar, eps = alphas_bar[t].view(-1, 1, 1, 1).float(), torch.randn_like(x_0)
        return bar * x_0 + (1 - bar) * eps, eps

    @wrong("each image has the factors of its own step")
    def along_the_width(x_0, t, alphas_bar):
        bar, eps = alphas_bar[t].float(), torch.randn_like(x_0)
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("each image has the factors of its own step")
    def other_noise(x_0, t, alphas_bar):
        bar = alphas_bar[t].view(-1, 1, 1, 1).float()
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * torch.randn_like(x_0), torch.randn_like(x_0)

    @wrong("each image has the factors of its own step")
    def t_draws(x_0, t, alphas_bar):
        bar, eps = alphas_bar[t].view(-1, 1, 1, 1).float(), torch.randn_like(x_0)
        for _ in range(3):
            x_0 = bar.sqrt() * x_0 + (1 - bar).sqrt() * eps
        return x_0, eps

    @wrong("x_t keeps the dtype")
    def doubles(x_0, t, alphas_bar):
        bar, eps = alphas_bar[t].view(-1, 1, 1, 1), torch.randn_like(x_0)
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("the noise is normal")
    def uniform_noise(x_0, t, alphas_bar):
        bar, eps = alphas_bar[t].view(-1, 1, 1, 1).float(), torch.rand_like(x_0)
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("each image has noise of its own")
    def one_for_the_batch(x_0, t, alphas_bar):
        eps = torch.randn_like(x_0[:1]).expand_as(x_0)
        bar = alphas_bar[t].view(-1, 1, 1, 1).float()
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("the noise is normal: one number in 22 lies beyond 2")
    def uniform_of_variance_one(x_0, t, alphas_bar):
        eps = (torch.rand_like(x_0) - 0.5) * 12**0.5
        bar = alphas_bar[t].view(-1, 1, 1, 1).float()
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("fresh noise each time")
    def seeded(x_0, t, alphas_bar):
        eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
        bar = alphas_bar[t].view(-1, 1, 1, 1).float()
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps

    @wrong("each channel has noise of its own")
    def one_for_the_channels(x_0, t, alphas_bar):
        eps = torch.randn_like(x_0[:, :1]).expand_as(x_0)
        bar = alphas_bar[t].view(-1, 1, 1, 1).float()
        return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


class Undo(Exercise):
    "Noise removed by adding it again"

    id, kind = "diffusion.undo", "bug"
    difficulty, importance, minutes = 2, 5, 5
    covers = ("S2-F24",)
    task = (
        "`x_t = root * x_0 + rest * eps`, with `root` the root of alpha_bar and `rest` the "
        "root of 1 - alpha_bar, both (b, 1). Given "
        "the network's `eps`, return its estimate of x_0, limited to [-1, 1] if `clip` is true."
    )
    starter = """
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = root * x_t + rest * eps
    return x_0.clip(-1, 1)
"""
    bug = "the noise comes off"
    hints = (
        "Solve the equation of the task for x_0.",
        "Subtract first, divide then; and mind the argument clip.",
        "x_0 = (x_t - rest * eps) / root",
    )

    def reference(x_t, eps, root, rest, clip=False):
        x_0 = (x_t - rest * eps) / root
        return x_0.clamp(-1, 1) if clip else x_0

    def another(x_t, eps, root, rest, clip=False):
        ratio = rest / root
        x_0 = x_t / root - ratio * eps
        return (
            torch.maximum(torch.minimum(x_0, torch.ones_like(x_0)), -torch.ones_like(x_0))
            if clip
            else x_0
        )

    def check(t, estimate):
        x_0, eps = 2 * t.randn(3, 4), t.randn(3, 4)
        root, rest = torch.tensor([[0.8], [0.6], [0.28]]), torch.tensor([[0.6], [0.8], [0.96]])
        x_t = root * x_0 + rest * eps
        t.equal(
            "the noise comes off",
            t.call(estimate, x_t, eps, root, rest),
            x_0,
            atol=1e-4,
            given="the true noise, no clip",
            because=(
                "root x_t + rest eps is the forward formula with the names swapped: it "
                "adds noise a second time"
            ),
        )
        t.equal(
            "limited when asked",
            t.call(estimate, x_t, eps, root, rest, True),
            x_0.clamp(-1, 1),
            atol=1e-4,
            given="clip=True",
        )
        half = x_t.clone()
        t.equal(
            "the estimate for another answer of the network",
            t.call(estimate, half, 0 * eps, root, rest),
            half / root,
            given="eps = 0",
        )

    @wrong("the noise comes off")
    def divides_only_one(x_t, eps, root, rest, clip=False):
        x = x_t - rest * eps / root
        return x.clamp(-1, 1) if clip else x

    @wrong("the noise comes off")
    def forgets_to_divide(x_t, eps, root, rest, clip=False):
        x = x_t - rest * eps
        return x.clamp(-1, 1) if clip else x

    @wrong("the noise comes off")
    def adds(x_t, eps, root, rest, clip=False):
        x = (x_t + rest * eps) / root
        return x.clamp(-1, 1) if clip else x

    @wrong("the noise comes off")
    def always_clips(x_t, eps, root, rest, clip=False):
        return ((x_t - rest * eps) / root).clamp(-1, 1)

    @wrong("limited when asked")
    def never_clips(x_t, eps, root, rest, clip=False):
        return (x_t - rest * eps) / root

    @wrong("limited when asked")
    def tanh(x_t, eps, root, rest, clip=False):
        x = (x_t - rest * eps) / root
        return x.tanh() if clip else x


class Velocity(Exercise):
    "v on any path, and back"

    id = "diffusion.velocity"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S2-C2",)
    task = (
        "v = alpha eps - sigma x_0. Given `v`, `x_t` (b, d) and factors `alpha`, `sigma` (b, "
        "1), return `(x_0, eps)`. The path need "
        "not have alpha^2 + sigma^2 = 1: on the straight path it has not. It must work where "
        "alpha or sigma is 0."
    )
    starter = """
def from_velocity(v, x_t, alpha, sigma): ...
"""
    hints = (
        "Two equations: x_t = alpha x_0 + sigma eps, and v. Which multiples of them leave x_0 "
        "alone?",
        "alpha x_t - sigma v = (alpha^2 + sigma^2) x_0.",
        "n = alpha**2 + sigma**2; (alpha*x_t - sigma*v)/n, (sigma*x_t + alpha*v)/n",
    )

    def reference(v, x_t, alpha, sigma):
        n = alpha**2 + sigma**2
        return (alpha * x_t - sigma * v) / n, (sigma * x_t + alpha * v) / n

    def another(v, x_t, alpha, sigma):
        system = torch.stack(
            [torch.cat([alpha, sigma], 1), torch.cat([-sigma, alpha], 1)], 1
        )  # (b, 2, 2)
        both = torch.linalg.solve(system, torch.stack([x_t, v], 1))  # (b, 2, d)
        return both[:, 0], both[:, 1]

    def check(t, from_velocity):
        x_0, eps = t.randn(5, 3), t.randn(5, 3)
        alpha, sigma = (
            torch.tensor([[0.8], [0.3], [1.0], [0.0], [1.0]]),
            torch.tensor([[0.6], [0.7], [0.0], [1.0], [9.0]]),
        )
        got = t.call(
            from_velocity, alpha * eps - sigma * x_0, alpha * x_0 + sigma * eps, alpha, sigma
        )
        t.true(
            "it returns (x_0, eps)",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "two tensors",
        )
        t.shape("x_0 is like x_t", got[0], (5, 3))
        t.shape("eps is like x_t", got[1], (5, 3))
        t.equal(
            "where the variance is kept", got[0][0], x_0[0], given="alpha .8, sigma .6", atol=1e-4
        )
        t.equal(
            "at both ends",
            torch.stack([got[0][2], got[0][3], got[1][2], got[1][3]]),
            torch.stack([x_0[2], x_0[3], eps[2], eps[3]]),
            given="(alpha, sigma) = (1, 0) and (0, 1)",
            atol=1e-4,
            because="dividing by alpha or sigma has no answer there, v has one",
        )
        t.equal(
            "where it is not kept",
            got[0],
            x_0,
            given="also .3, .7 and 1, 9",
            atol=1e-3,
            because="divide by alpha^2 + sigma^2, which is 1 only on variance-preserving paths",
        )
        t.equal("the noise too", got[1], eps, atol=1e-3)

    @wrong("where it is not kept")
    def keeps_variance(v, x_t, alpha, sigma):
        return alpha * x_t - sigma * v, sigma * x_t + alpha * v

    @wrong("at both ends")
    def by_alpha(v, x_t, alpha, sigma):
        x = (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)
        return x, (v + sigma * x) / alpha

    @wrong("where the variance is kept")
    def sign(v, x_t, alpha, sigma):
        n = alpha**2 + sigma**2
        return (alpha * x_t + sigma * v) / n, (sigma * x_t - alpha * v) / n

    @wrong("it returns (x_0, eps)")
    def only_x_0(v, x_t, alpha, sigma):
        return (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)

    @wrong("where the variance is kept")
    def swapped(v, x_t, alpha, sigma):
        n = alpha**2 + sigma**2
        return (sigma * x_t + alpha * v) / n, (alpha * x_t - sigma * v) / n

    @wrong("where the variance is kept")
    def flow_only(v, x_t, alpha, sigma):
        return x_t - sigma * v, x_t + alpha * v


class Posterior(Exercise):
    "One step back, if x_0 were known"

    id = "diffusion.posterior"
    difficulty, importance, minutes = 3, 4, 10
    covers = ("S2-B4.10",)
    task = (
        "The chain has a list `betas`. Return mean and variance (floats) of x_{t-1} given "
        "numbers `x_0` and `x_t`, where `t` counts "
        "from 1 to T. At t = 1 the variance is 0 and the mean is x_0."
    )
    starter = """
def posterior(x_0, x_t, t, betas): ...
"""
    hints = (
        "Two pieces of evidence: x_{t-1} ~ N(sqrt(before) x_0, 1 - before), and x_t ~ N(sqrt(1 "
        "- beta) x_{t-1}, beta).",
        "Precisions add: 1 / (1 - before) + (1 - beta) / beta. For t = 1 use the closed form "
        "instead.",
        "mean = (sqrt(before) beta x_0 + sqrt(1 - beta) (1 - before) x_t) / (1 - bar); "
        "variance = beta (1 - before) / (1 - bar)",
    )

    def reference(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        mean = (math.sqrt(before) * beta * x_0 + math.sqrt(1 - beta) * (1 - before) * x_t) / (
            1 - bar
        )
        return mean, beta * (1 - before) / (1 - bar)

    def another(x_0, x_t, t, betas):
        if t == 1:
            return x_0, 0.0
        before = math.exp(sum(math.log1p(-b) for b in betas[: t - 1]))
        precision = 1 / (1 - before) + (1 - betas[t - 1]) / betas[t - 1]
        return (
            math.sqrt(before) * x_0 / (1 - before)
            + math.sqrt(1 - betas[t - 1]) * x_t / betas[t - 1]
        ) / precision, 1 / precision

    def check(t, posterior):
        betas = [0.1, 0.3, 0.7, 0.2]
        got = t.call(posterior, 1.3, -0.4, 2, betas)
        t.true(
            "it returns (mean, variance)",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "two numbers",
        )
        grid = torch.linspace(
            -12, 12, 400_001, dtype=torch.float64
        )  # an oracle without any formula: multiply the densities
        for n, a, b in ((2, 1.3, -0.4), (3, -0.5, 2.0), (4, 1.3, 0.7)):
            kept = math.prod(1 - v for v in betas[: n - 1])
            joint = (
                -((grid - kept**0.5 * a) ** 2) / 2 / (1 - kept)
                - (b - (1 - betas[n - 1]) ** 0.5 * grid) ** 2 / 2 / betas[n - 1]
            ).exp()
            joint = joint / joint.sum()
            mean = (joint * grid).sum().item()
            got = t.call(posterior, a, b, n, betas)
            t.equal(
                "the variance",
                float(got[1]),
                (joint * (grid - mean) ** 2).sum().item(),
                atol=1e-5,
                given=f"t = {n}, betas {betas}",
                because=(
                    "it is smaller than beta: x_0 is known; and `before` is the product up to t - 1"
                ),
            )
            t.equal(
                "the mean",
                float(got[0]),
                mean,
                atol=1e-5,
                given=f"x_0 = {a}, x_t = {b}, t = {n}",
                because=(
                    "x_0 gets sqrt(before) beta / (1 - bar), x_t gets sqrt(1 - beta) (1 - "
                    "before) / (1 - bar)"
                ),
            )
        first = t.call(posterior, 1.3, -0.4, 1, betas)
        t.equal(
            "at t = 1 there is no doubt",
            [float(v) for v in first],
            [1.3, 0.0],
            because="before the first step stands x_0 itself",
        )

    @wrong("the variance")
    def large(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        return (math.sqrt(before) * beta * x_0 + math.sqrt(1 - beta) * (1 - before) * x_t) / (
            1 - bar
        ), beta if t > 1 else 0.0

    @wrong("the variance")
    def one_off(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[:t])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        return (math.sqrt(before) * beta * x_0 + math.sqrt(1 - beta) * (1 - before) * x_t) / (
            1 - bar
        ), beta * (1 - before) / (1 - bar)

    @wrong("the mean")
    def swapped(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        return (math.sqrt(before) * beta * x_t + math.sqrt(1 - beta) * (1 - before) * x_0) / (
            1 - bar
        ), beta * (1 - before) / (1 - bar)

    @wrong("the mean")
    def no_roots(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        return (before * beta * x_0 + (1 - beta) * (1 - before) * x_t) / (1 - bar), beta * (
            1 - before
        ) / (1 - bar)

    @wrong("at t = 1 there is no doubt")
    def clipped_at_one(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        bar = before * (1 - beta)
        mean = (math.sqrt(before) * beta * x_0 + math.sqrt(1 - beta) * (1 - before) * x_t) / (
            1 - bar
        )
        return mean, max(beta * (1 - before) / (1 - bar), 0.01)

    @wrong("it returns (mean, variance)")
    def mean_only(x_0, x_t, t, betas):
        before = math.prod(1 - b for b in betas[: t - 1])
        beta = betas[t - 1]
        return (math.sqrt(before) * beta * x_0 + math.sqrt(1 - beta) * (1 - before) * x_t) / (
            1 - before * (1 - beta)
        )


class MinSNR(Exercise):
    "The clamp from the wrong side"

    id, kind = "diffusion.min_snr", "bug"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S2-X10",)
    task = (
        "Return the min-SNR weight for the squared error of what the network predicts: min(SNR, "
        "gamma) for `x0`, that over SNR for `eps`, "
        "over SNR + 1 for `v`. `snr` is a tensor (b,); another kind raises ValueError. Two "
        "things are wrong."
    )
    starter = """
def min_snr_weight(snr, kind, gamma=5.0):
    limited = snr.clamp(min=gamma)
    if kind == "x0":
        return limited
    if kind == "eps":
        return limited / snr
    return limited / snr
"""
    bug = "x0: no weight is above gamma"
    hints = (
        "At SNR = 10,000, how heavy may an error in x0 be?",
        "The smaller of two numbers is a clamp from above. And v is not eps.",
        'snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]',
    )

    def reference(snr, kind, gamma=5.0):
        per = {"x0": torch.ones_like(snr), "eps": snr, "v": snr + 1}
        if kind not in per:
            raise ValueError(f"kind={kind!r}; expected x0, eps or v")
        return snr.clamp(max=gamma) / per[kind]

    def another(snr, kind, gamma=5.0):
        if kind == "x0":
            return torch.where(snr < gamma, snr, torch.full_like(snr, gamma))
        if kind == "eps":
            return torch.where(snr < gamma, torch.ones_like(snr), gamma / snr)
        if kind == "v":
            return torch.where(snr < gamma, snr / (snr + 1), gamma / (snr + 1))
        raise ValueError(kind)

    def check(t, weight):
        snr = torch.tensor([0.01, 1.0, 4.0, 6.0, 10_000.0])
        got = t.call(weight, snr, "x0")
        t.shape("one weight for each", got, (5,))
        t.true(
            "x0: no weight is above gamma",
            (got <= 5 + 1e-6).all(),
            got,
            "at most 5",
            given=f"SNR {snr.tolist()}",
            because="clamp(min=..) is the larger of the two; the smaller is clamp(max=..)",
        )
        t.equal("x0: min(SNR, gamma)", got, torch.tensor([0.01, 1.0, 4.0, 5.0, 5.0]))
        t.equal(
            "eps: over SNR",
            t.call(weight, snr, "eps"),
            torch.tensor([1.0, 1.0, 1.0, 5 / 6, 0.0005]),
            atol=1e-7,
            because="an error in x0 is an error in eps times sigma / alpha, squared: 1 / SNR",
        )
        t.equal(
            "v: over SNR + 1",
            t.call(weight, snr, "v"),
            torch.tensor([0.01 / 1.01, 0.5, 0.8, 5 / 7, 5 / 10_001]),
            atol=1e-7,
            because=(
                "where alpha^2 + sigma^2 = 1, an error in v is one in x0 times 1 / sigma^2 "
                "= SNR + 1"
            ),
        )
        t.equal(
            "gamma is used",
            t.call(weight, snr, "x0", 2.0),
            torch.tensor([0.01, 1.0, 2.0, 2.0, 2.0]),
            given="gamma 2",
        )
        try:
            out = weight(snr, "noise")
        except ValueError:
            return
        t.refuse("an unknown kind raises ValueError", out, "ValueError", given="kind 'noise'")

    @wrong("x0: no weight is above gamma")
    def no_clamp(snr, kind, gamma=5.0):
        return snr / {"x0": 1, "eps": snr, "v": snr + 1}[kind]

    @wrong("eps: over SNR")
    def same_for_all(snr, kind, gamma=5.0):
        return snr.clamp(max=gamma)

    @wrong("v: over SNR + 1")
    def v_as_eps(snr, kind, gamma=5.0):
        return snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr}[kind]

    @wrong("gamma is used")
    def always_five(snr, kind, gamma=5.0):
        return snr.clamp(max=5.0) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]

    @wrong("an unknown kind raises ValueError")
    def accepts_all(snr, kind, gamma=5.0):
        return snr.clamp(max=gamma) / {"x0": 1, "eps": snr}.get(kind, snr + 1)

    @wrong("x0: min(SNR, gamma)")
    def soft(snr, kind, gamma=5.0):
        return snr * gamma / (snr + gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


class TimeWaves(Exercise):
    "Time that a network can tell apart"

    id = "diffusion.time_waves"
    difficulty, importance, minutes = 2, 4, 7
    covers = ("S0-B2.3",)
    task = (
        "Return the sinusoidal embedding (b, dim) of times `t` (b,) in [0, 1], `dim` even: "
        "first dim / 2 cosines, then the "
        "sines, of `scale * t * f`, with frequencies f that fall geometrically, f_i = 10000 ** "
        "(-i / (dim / 2)), i = 0 .. dim / 2 - 1."
    )
    starter = """
def time_waves(t, dim, scale=1000.0): ...
"""
    hints = (
        "An outer product of times and frequencies, then cos and sin side by side.",
        "Divide i by dim / 2, not by dim / 2 - 1, and do not forget the scale: in [0, 1] the "
        "waves hardly turn.",
        "angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2)); "
        "torch.cat([angle.cos(), angle.sin()], 1)",
    )

    def reference(t, dim, scale=1000.0):
        angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
        return torch.cat([angle.cos(), angle.sin()], 1)

    def another(t, dim, scale=1000.0):
        half = dim // 2
        turning = torch.exp(
            1j
            * scale
            * t.double()[:, None]
            * torch.exp(-math.log(10000) * torch.arange(half).double() / half)
        )
        return torch.cat([turning.real, turning.imag], 1).to(t.dtype)

    def check(t, time_waves):
        times = torch.tensor([0.0, 0.25, 0.5, 1.0])
        got = t.call(time_waves, times, 8)
        t.shape("one row for each time", got, (4, 8), given="4 times, dim 8")
        t.equal(
            "at t = 0: cosines 1, then sines 0",
            got[0],
            torch.tensor([1.0] * 4 + [0.0] * 4),
            because="cosines come first",
        )
        far = t.call(time_waves, torch.linspace(0, 1, 50), 256)
        moved = (far.amax(0) - far.amin(0) > 0.1).sum().item()
        t.true(
            "most features move while t goes from 0 to 1",
            moved > 200,
            f"{moved} of 256",
            "more than 200",
            because="without the scale of 1000 the slow waves never turn",
        )
        rows = [
            [f(1000 * s * 10000 ** (-i / 4)) for f in (math.cos, math.sin) for i in range(4)]
            for s in times.tolist()
        ]
        loop = torch.tensor(rows)
        t.equal(
            "every value",
            got,
            loop,
            atol=1e-3,
            given="dim 8",
            because="frequencies 1, 1/10, 1/100, 1/1000: i over dim / 2",
        )
        slow = torch.tensor([math.cos(1.0), math.cos(0.01), math.sin(1.0), math.sin(0.01)])
        t.equal(
            "scale is used",
            t.call(time_waves, times, 4, 2.0)[2],
            slow,
            given="t = .5, dim 4, scale 2",
        )

    @wrong("cosines 1, then sines 0")
    def sines_first(t, dim, scale=1000.0):
        angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
        return torch.cat([angle.sin(), angle.cos()], 1)

    @wrong("most features move")
    def no_scale(t, dim, scale=1000.0):
        angle = t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
        return torch.cat([angle.cos(), angle.sin()], 1)

    @wrong("every value")
    def half_less_one(t, dim, scale=1000.0):
        angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2 - 1))
        return torch.cat([angle.cos(), angle.sin()], 1)

    @wrong("cosines 1, then sines 0")
    def interleaved(t, dim, scale=1000.0):
        angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
        return torch.stack([angle.cos(), angle.sin()], 2).flatten(1)

    @wrong("scale is used")
    def always_thousand(t, dim, scale=1000.0):
        angle = 1000 * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
        return torch.cat([angle.cos(), angle.sin()], 1)

    @wrong("one row for each time")
    def twice_as_wide(t, dim, scale=1000.0):
        angle = scale * t[:, None] * 10000 ** (-torch.arange(dim) / dim)
        return torch.cat([angle.cos(), angle.sin()], 1)


class ZeroTerminal(Exercise):
    "A chain that ends in noise alone"

    id = "diffusion.zero_terminal"
    difficulty, importance, minutes = 3, 3, 10
    covers = ("S2-F8",)
    task = (
        "`betas` is float64 (T,). Return new betas for which the root of alpha_bar is shifted "
        "so that its last entry is 0, and "
        "stretched so that its first entry stays as it was (Lin et al. 2024, algorithm 1)."
    )
    starter = """
def zero_terminal(betas): ...
"""
    hints = (
        "Work on the roots of alpha_bar: subtract the last, then multiply all by one number.",
        "Then square, and get betas back from ratios of neighbours; the first ratio is to 1.",
        "root = (root - root[-1]) * root[0] / (root[0] - root[-1]); bar = root ** 2; 1 - bar / "
        "cat([1, bar[:-1]])",
    )

    def reference(betas):
        root = (1 - betas).cumprod(0).sqrt()
        bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        return 1 - bar / torch.cat([torch.ones(1, dtype=bar.dtype), bar[:-1]])

    def another(betas):
        left, roots = 1.0, []
        for b in betas.tolist():
            left *= 1 - b
            roots.append(math.sqrt(left))
        first, last = roots[0], roots[-1]
        bars = [((r - last) * first / (first - last)) ** 2 for r in roots]
        return torch.tensor([1 - b / a for a, b in zip([1.0] + bars, bars)], dtype=torch.float64)

    def check(t, zero_terminal):
        betas = torch.tensor([0.19, 0.2, 0.3, 0.25], dtype=torch.float64)
        got = t.call(zero_terminal, betas)
        t.shape("as many betas", got, (4,))
        bar = (1 - got.double()).cumprod(0)
        t.near(
            "nothing of the data is left at the end",
            bar[-1].item(),
            0.0,
            1e-12,
            because="the last beta is exactly 1",
        )
        t.equal(
            "the first step stays",
            bar[0].item(),
            0.81,
            because="after shifting, stretch by first / (first - last)",
        )
        old = torch.tensor(
            [
                0.9,
                0.81**0.5 * 0.8**0.5,
                (0.81 * 0.8 * 0.7) ** 0.5,
                (0.81 * 0.8 * 0.7 * 0.75) ** 0.5,
            ],
            dtype=torch.float64,
        )
        want = (old - old[3]) * 0.9 / (0.9 - old[3])
        t.equal(
            "the roots between keep their proportions",
            bar.clamp(min=0).sqrt(),
            want,
            atol=1e-7,
            because=(
                "shift and stretch the roots of alpha_bar: neither alpha_bar itself nor the betas"
            ),
        )
        t.true("each beta is in (0, 1]", ((got > 0) & (got <= 1)).all(), got, "above 0, at most 1")

    @wrong("nothing of the data is left at the end")
    def unchanged(betas):
        return betas.clone()

    @wrong("the first step stays")
    def only_shifts(betas):
        root = (1 - betas).cumprod(0).sqrt()
        bar = (root - root[-1]) ** 2
        return 1 - bar / torch.cat([torch.ones(1, dtype=bar.dtype), bar[:-1]])

    @wrong("the roots between keep their proportions")
    def without_roots(betas):
        bar = (1 - betas).cumprod(0)
        bar = (bar - bar[-1]) * bar[0] / (bar[0] - bar[-1])
        return 1 - bar / torch.cat([torch.ones(1, dtype=bar.dtype), bar[:-1]])

    @wrong("the roots between keep their proportions")
    def last_beta_one(betas):
        out = betas.clone()
        out[-1] = 1.0
        return out

    @wrong("nothing of the data is left at the end")
    def returns_alpha_bar(betas):
        root = (1 - betas).cumprod(0).sqrt()
        return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2

    @wrong("as many betas")
    def without_the_first(betas):
        root = (1 - betas).cumprod(0).sqrt()
        bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        return 1 - bar[1:] / bar[:-1]


def _fresh_draws(t, loss, model, seen):
    "Are times uniform, and is the noise normal and each example's own? `seen` holds x_t and t."
    many = []
    for _ in range(4):
        t.call(loss, model, t.randn(1024, 1, 1, 1))
        many.append(seen["t"])
    drawn = torch.cat(many).double().sort().values
    share = torch.arange(1, len(drawn) + 1) / len(drawn)
    t.near(
        "times are uniform",
        (drawn - share).abs().max().item(),
        0.0,
        0.06,
        given="the largest gap between the share of 4096 times below s, and s",
        because="a sigmoid of a normal, or a square, prefers some times",
    )
    x_0 = 3 + t.randn(256, 2, 4, 4)
    t.call(loss, model, x_0)
    s = seen["t"].view(-1, 1, 1, 1)
    eps = ((seen["x_t"] - (1 - s) * x_0) / s)[seen["t"] > 0.2]
    t.true(
        "each example has noise of its own",
        (eps[1:] - eps[0]).abs().flatten(1).amax(1).min() > 0.1,
        "the same noise in several examples",
        "a draw for each",
        given="256 images",
    )
    t.near(
        "the noise is normal: one number in 22 lies beyond 2",
        (eps.abs() > 2).double().mean().item(),
        0.0455,
        0.014,
        because="a uniform draw of the same mean and variance has no tails",
    )


class TrainingStep(Exercise):
    "A loss that falls and teaches nothing"

    id, kind = "diffusion.training_step", "bug"
    difficulty, importance, minutes = 3, 5, 10
    covers = ("S0-B2.5", "S2-B4.8", "S2-F10", "S0-C2", "S0-B2")
    task = (
        "`loss(model, x_0)` should be the mean squared error of `model(x_t, t)` against the "
        "noise, on the path "
        "x_t = (1 - t) x_0 + t eps, with a uniform t in [0, 1) for each example of `x_0` (b, "
        "c, h, w). Four things are wrong."
    )
    starter = """
def loss(model, x_0):
    t = torch.rand(1)
    eps = torch.rand_like(x_0)
    x_t = (1 - t) * x_0 + t * eps
    return F.mse_loss(model(x_t, torch.zeros(len(x_0))), x_0)
"""
    bug = "one time for each example"
    hints = (
        "One t for all makes every step lopsided. And what is `rand` without the n?",
        "The network must be given t, and asked for the noise that was used.",
        "t = torch.rand(len(x_0)); s = t.view(-1, 1, 1, 1); F.mse_loss(model((1 - s) * x_0 + s "
        "* eps, t), eps)",
    )

    def reference(model, x_0):
        t = torch.rand(len(x_0), device=x_0.device)
        s, eps = t.view(-1, 1, 1, 1), torch.randn_like(x_0)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    def another(model, x_0):
        t, eps = torch.rand(x_0.shape[0]), torch.randn(x_0.shape)
        x_t = torch.stack([torch.lerp(x, e, k.item()) for x, e, k in zip(x_0, eps, t)])
        return (model(x_t, t) - eps).square().mean()

    def check(t, loss):
        x_0, seen = t.randn(64, 2, 3, 4) + 3, {}

        class Spy(nn.Module):
            def __init__(self, answer):
                super().__init__()
                self.w, self.answer = nn.Parameter(torch.tensor(0.0)), answer

            def forward(self, x_t, time):
                seen.update(x_t=x_t, t=time)
                return self.answer(x_t, time) + self.w

        value = t.call(loss, Spy(lambda x, s: 0 * x), x_0)
        t.true(
            "the loss is one number with a gradient",
            isinstance(value, torch.Tensor) and value.numel() == 1 and value.requires_grad,
            value,
            "a scalar tensor with a gradient",
        )
        time = seen["t"]
        t.shape(
            "one time for each example",
            time,
            (64,),
            given="64 images",
            because="the model gets a time per example",
        )
        t.true(
            "one time for each example",
            time.unique().numel() > 50,
            f"{time.unique().numel()} different times",
            "64 different times",
            because="the times drawn must be the times that the model gets",
        )
        t.true(
            "times are in [0, 1)",
            (time >= 0).all() and (time < 1).all() and time.max() > 0.8 and time.min() < 0.2,
            time,
            "from 0 to 1",
        )
        s = time.view(-1, 1, 1, 1).clamp(min=1e-3)
        eps = (seen["x_t"] - (1 - s) * x_0) / s  # the noise that must have been used
        late = eps[time > 0.2]
        t.true(
            "the noise is normal",
            abs(late.mean()) < 0.25 and 0.85 < late.std() < 1.15,
            f"mean {late.mean():.2f}, std {late.std():.2f}",
            "mean 0, std 1",
            because="torch.rand is uniform; or x_t was not made with the time that the model gets",
        )
        t.near(
            "a network whose output is 0 pays 1",
            value.item(),
            1.0,
            0.15,
            because="the target is the noise, of variance 1",
        )
        know = Spy(
            lambda x, k: (x - (1 - k.view(-1, 1, 1, 1)) * x_0) / k.view(-1, 1, 1, 1).clamp(min=1e-3)
        )
        t.near(
            "a network that knows the noise pays 0",
            t.call(loss, know, x_0).item(),
            0.0,
            0.02,
            because="target and x_t share one draw",
        )
        flat = t.call(loss, Spy(lambda x, k: (0.5 - k).view(-1, 1, 1, 1).expand_as(x)), x_0).item()
        t.near("errors are squared and averaged", flat, 1 + 1 / 12, 0.2)
        far = t.call(loss, Spy(lambda x, k: 0 * x + 3), x_0).item()
        t.near(
            "a network that is 3 off pays 9 more",
            far,
            10.0,
            1.2,
            because="the mean of squares: no root over the whole, no Huber loss",
        )
        _fresh_draws(t, loss, Spy(lambda x, k: 0 * x), seen)
        x_0 = 3 + t.randn(256, 2, 4, 4)
        half = Spy(
            lambda x, k: (
                (x - (1 - k.view(-1, 1, 1, 1)) * x_0) / k.view(-1, 1, 1, 1)
                + 3.0 * (k > 0.5).view(-1, 1, 1, 1)
            )
        )
        value = t.call(loss, half, x_0).item()
        t.near(
            "every time counts alike",
            value,
            9 * (seen["t"] > 0.5).double().mean().item(),
            0.1,
            given="a network that is 3 off where t > 0.5, and right elsewhere",
            because="a plain mean: no weight that depends on t",
        )

    @wrong("one time for each example")
    def one_time(model, x_0):
        t, eps = torch.rand(1), torch.randn_like(x_0)
        return F.mse_loss(model((1 - t) * x_0 + t * eps, t.expand(len(x_0))), eps)

    @wrong("a network whose output is 0 pays 1")
    def target_is_the_data(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), x_0)

    @wrong("the noise is normal")
    def uniform_noise(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.rand_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    @wrong("a network that knows the noise pays 0")
    def two_draws(model, x_0):
        t = torch.rand(len(x_0))
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(
            model((1 - s) * x_0 + s * torch.randn_like(x_0), t), torch.randn_like(x_0)
        )

    @wrong("the noise is normal")
    def tells_another_time(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, torch.rand(len(x_0))), eps)

    @wrong("the noise is normal")
    def clean_input(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        return F.mse_loss(model(x_0, t), eps)

    @wrong("a network that is 3 off pays 9 more")
    def root_over_the_whole(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return (F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps) + 1e-12).sqrt()

    @wrong("pays")
    def huber(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return 2 * F.huber_loss(model((1 - s) * x_0 + s * eps, t), eps, delta=2.0)

    @wrong("times are uniform")
    def logit_normal_times(model, x_0):
        t, eps = torch.randn(len(x_0)).sigmoid(), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    @wrong("times are uniform")
    def squared_times(model, x_0):
        t, eps = torch.rand(len(x_0)).square(), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    @wrong("the loss is one number with a gradient")
    def as_float(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps).item()

    @wrong("noise")
    def one_noise(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0[:1]).expand_as(x_0)
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    @wrong("one number in 22 lies beyond 2")
    def uniform_of_variance_one(model, x_0):
        t, eps = torch.rand(len(x_0)), (torch.rand_like(x_0) - 0.5) * 12**0.5
        s = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)

    @wrong("every time counts alike")
    def weighted_by_time(model, x_0):
        t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
        s = t.view(-1, 1, 1, 1)
        return (2 * s * (model((1 - s) * x_0 + s * eps, t) - eps).square()).mean()


class SameLoss(Exercise):
    "Which of these losses is which?"

    id, kind = "diffusion.weight", "answer"
    difficulty, importance, minutes = 3, 4, 6
    covers = ()
    task = (
        "On the straight path, x_t = (1 - t) x_0 + t eps, a network predicts x_0, but its error is "
        "measured as flow, eps - x_0. At t = 0.2 "
        "its squared error in x_0 is 0.01. Set `answer` to its squared error in flow, and in "
        "eps, as a pair."
    )
    starter = "answer = ...  # (in flow, in eps)"
    hints = (
        "x_t is given, so an error e in x_0 fixes the error in eps: (1 - t) e + t (error in "
        "eps) = 0.",
        "Error in eps: -(1 - t) / t times e. Flow is eps - x_0, so its error is the difference.",
        "0.01 / t ** 2, and 0.01 * ((1 - t) / t) ** 2",
    )

    def reference():
        return (0.25, 0.16)

    def another():
        return [0.01 / 0.2**2, 0.01 * (0.8 / 0.2) ** 2]

    def check(t, answer):
        t.true(
            "a pair of numbers",
            isinstance(answer, (tuple, list)) and len(answer) == 2,
            answer,
            "(in flow, in eps)",
        )
        t.equal(
            "the squared error in flow",
            float(answer[0]),
            0.25,
            because="an error e in x_0 is -e / t in flow",
        )
        t.equal(
            "the squared error in eps",
            float(answer[1]),
            0.16,
            because="an error e in x_0 is -e (1 - t) / t in eps: SNR, not 1 / SNR",
        )

    @wrong("the squared error in flow")
    def same():
        return (0.01, 0.01)

    @wrong("the squared error in flow")
    def not_squared():
        return (0.05, 0.04)

    @wrong("the squared error in flow")
    def exchanged():
        return (0.16, 0.25)

    @wrong("the squared error in eps")
    def inverse():
        return (0.25, 0.000625)

    @wrong("a pair of numbers")
    def one_number():
        return 0.25
