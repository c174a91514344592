"Exercises of the samplers notebook."

import math

import numpy as np
import torch

from .engine import Exercise, wrong


class DDIMStep(Exercise):
    "One step from noise towards data"

    id = "samplers.ddim_step"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S2-Q2", "S0-B2.5", "S2-B4.10")
    task = (
        "`x_t` holds `alpha * data + sigma * noise`; `x_0` is a guess of the data, in the same "
        "shape. Return x at the next level, "
        "`alpha_next`, `sigma_next`: the guess and the noise that it implies, mixed anew. No "
        "randomness. All four factors are "
        "floats; `alpha` may be 0, and so may `sigma_next`."
    )
    starter = """
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next): ...
"""
    hints = (
        "If the guess is right, which noise must have been mixed in to give x_t?",
        "eps = (x_t - alpha x_0) / sigma: this needs no alpha below a fraction line.",
        "alpha_next * x_0 + sigma_next * (x_t - alpha * x_0) / sigma",
    )

    def reference(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha_next * x_0 + sigma_next * (x_t - alpha * x_0) / sigma

    def another(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        kept = sigma_next / sigma
        return torch.lerp(x_0 * alpha_next, x_0 * alpha_next + x_t - alpha * x_0, kept)

    def check(t, ddim_step):
        x_0, eps, other = t.randn(3, 2) + 1, t.randn(3, 2), t.randn(3, 2)

        def mixed(a, s):
            return a * x_0 + s * eps

        for given, (a, s, b, r) in {
            "a path with alpha^2 + sigma^2 = 1": (0.6, 0.8, 0.8, 0.6),
            "the flow path": (0.3, 0.7, 0.45, 0.55),
            "an EDM path, alpha always 1": (1.0, 5.0, 1.0, 2.0),
        }.items():
            t.equal(
                "a right guess leads to the same data and noise, mixed anew",
                t.call(ddim_step, mixed(a, s), x_0, a, s, b, r),
                mixed(b, r),
                given=given,
                because=(
                    "x_next = alpha_next x_0 + sigma_next eps, with eps = (x_t - alpha x_0) / sigma"
                ),
            )
        t.equal(
            "from pure noise it works too",
            t.call(ddim_step, other, x_0, 0.0, 1.0, 0.5, 0.5),
            (x_0 + other) / 2,
            given="alpha = 0, another noise",
            because="nothing may be divided by alpha, and nothing kept from an earlier call",
        )
        t.equal(
            "without noise left, the guess is the result",
            t.call(ddim_step, mixed(0.9, 0.2), x_0 + 1, 0.9, 0.2, 1.0, 0.0),
            x_0 + 1,
            given="sigma_next = 0, a guess that is off by 1",
        )
        t.equal(
            "alpha_next multiplies the guess without noise too",
            t.call(ddim_step, mixed(0.9, 0.2), x_0, 0.9, 0.2, 0.5, 0.0),
            x_0 / 2,
            given="alpha_next = 0.5, sigma_next = 0",
            because="the next level holds alpha_next times the data, also where it is not 1",
        )

    @wrong("from pure noise")
    def noise_of_the_first_call(x_t, x_0, alpha, sigma, alpha_next, sigma_next, kept=[]):  # noqa: B006
        kept.append((x_t - alpha * x_0) / sigma)
        return alpha_next * x_0 + sigma_next * kept[0]

    @wrong("alpha_next multiplies the guess without noise too")
    def guess_as_it_is(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        if sigma_next == 0:
            return x_0
        return alpha_next * x_0 + sigma_next * (x_t - alpha * x_0) / sigma

    @wrong("mixed anew")
    def keeps_x_t(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha_next * x_0 + sigma_next * x_t

    @wrong("mixed anew")
    def forgets_alpha(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha_next * x_0 + sigma_next * (x_t - x_0) / sigma

    @wrong("mixed anew")
    def fresh_noise(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha_next * x_0 + sigma_next * torch.randn_like(x_t)

    @wrong("mixed anew")
    def forward_factors(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha * x_t + sigma * (x_t - alpha * x_0) / sigma

    @wrong("from pure noise")
    def divides_by_alpha(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        a = alpha or math.nan
        return (
            alpha_next / a * x_t
            + (sigma_next - alpha_next * sigma / a) * (x_t - alpha * x_0) / sigma
        )

    @wrong("mixed anew")
    def variance_preserving(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
        return alpha_next * x_0 + math.sqrt(max(0, 1 - alpha_next**2)) * (x_t - alpha * x_0) / sigma


class LastNoise(Exercise):
    "The grain that never goes away"

    id = "samplers.last_noise"
    kind = "bug"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S2-B4.10", "S2-F27")
    task = (
        "A DDPM walk over a list of `(mean, std)` functions' values: `step(x, i)` returns mean "
        "and standard deviation of the level "
        "below step i, for i = n - 1 down to 0; `draw(x)` gives noise like x. The pictures "
        "that come out are grainy, whatever n is. "
        "Repair the walk; the number of draws should be n - 1."
    )
    starter = """
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x)
    return x
"""
    bug = "the last step adds no noise"
    hints = (
        "What level does step 0 arrive at?",
        "At the data there is no noise left to be uncertain about: return the mean there.",
        "x = mean + std * draw(x) if i else mean",
    )

    def reference(x, n, step, draw):
        for i in reversed(range(n)):
            mean, std = step(x, i)
            x = mean + std * draw(x) if i else mean
        return x

    def another(x, n, step, draw):
        for i in range(n - 1, 0, -1):
            mean, std = step(x, i)
            x = mean + draw(x) * std
        return step(x, 0)[0]

    def check(t, walk):
        x, noises, calls = t.randn(2, 3), t.randn(5, 2, 3), []

        def step(x, i):
            calls.append(i)
            return 0.5 * x + i, 0.1 * (i + 1)

        def run(n):
            calls.clear()
            drawn = iter(noises)
            used = []

            def draw(x):
                used.append(1)
                return next(drawn)

            return t.call(walk, x, n, step, draw), len(used)

        got, used = run(4)
        t.true(
            "steps go from n - 1 down to 0, each once", calls == [3, 2, 1, 0], calls, [3, 2, 1, 0]
        )
        t.true(
            "the last step adds no noise",
            used == 3,
            f"{used} draws",
            "3 draws",
            given="n = 4",
            because=(
                "step 0 arrives at the data; noise added there stays in the picture (a "
                "published tutorial does this)"
            ),
        )
        want = x
        for k, i in enumerate((3, 2, 1)):
            want = 0.5 * want + i + 0.1 * (i + 1) * noises[k]
        t.equal(
            "every other step adds its own noise, and the last returns its mean",
            got,
            0.5 * want,
            given="n = 4",
        )
        got, used = run(1)
        t.equal("a walk of one step is its mean", got, 0.5 * x, given="n = 1")

    @wrong("the last step adds no noise")
    def none_at_all(x, n, step, draw):
        for i in reversed(range(n)):
            x = step(x, i)[0]
        return x

    @wrong("the last step adds no noise")
    def none_at_first(x, n, step, draw):
        for i in reversed(range(n)):
            mean, std = step(x, i)
            x = mean + std * draw(x) if i < n - 1 and i > 0 else mean
        return x

    @wrong("each once")
    def stops_early(x, n, step, draw):
        for i in range(n - 1, 0, -1):
            mean, std = step(x, i)
            x = mean + std * draw(x)
        return x

    @wrong("every other step adds its own noise")
    def variance_for_std(x, n, step, draw):
        for i in reversed(range(n)):
            mean, std = step(x, i)
            x = mean + std**2 * draw(x) if i else mean
        return x

    @wrong("every other step adds its own noise")
    def wrong_end(x, n, step, draw):
        for i in reversed(range(n)):
            mean, std = step(x, i)
            x = mean + std * draw(x) if i != n - 1 else mean
        return x


class Heun(Exercise):
    "The second look that sees nothing new"

    id = "samplers.heun"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 9
    covers = ("S2-Q2",)
    task = (
        "One step of Heun's method on the EDM path (alpha = 1): `denoise(x, sigma)` guesses "
        "the data, the slope is `(x - guess) / "
        "sigma`. Halving the steps divides the error by two only, as if this were Euler. "
        "Repair it: order 2, two calls, and one "
        "where `sigma_next` is 0."
    )
    starter = """
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    slope_next = (x - denoise(x, sigma)) / sigma
    return x + (sigma_next - sigma) * (slope + slope_next) / 2
"""
    bug = "the second slope is taken at the end of the step"
    hints = (
        "Where is the second slope taken, and with which x?",
        "It belongs to x_next and sigma_next. What if that is 0?",
        "if sigma_next: slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next, else "
        "return x_next",
    )

    def reference(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        x_next = x + (sigma_next - sigma) * slope
        if sigma_next == 0:
            return x_next
        slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
        return x + (sigma_next - sigma) * (slope + slope_next) / 2

    def another(x, sigma, sigma_next, denoise):
        first = denoise(x, sigma)
        x_next = first + sigma_next / sigma * (x - first)
        if not sigma_next:
            return x_next
        return x_next + (sigma / sigma_next - 1) / 2 * (denoise(x_next, sigma_next) - first)

    def check(t, heun_step):
        x, asked = t.randn(3, 2, dtype=torch.float64), []

        def denoise(x, sigma):
            asked.append((x.detach().clone(), float(sigma)))
            return torch.tanh(x) / (1 + sigma)

        got = t.call(heun_step, x, 2.0, 1.2, denoise)
        t.true("it asks twice", len(asked) == 2, f"{len(asked)} calls", "2 calls")
        end = x - 0.8 * (x - torch.tanh(x) / 3) / 2
        t.true(
            "the second slope is taken at the end of the step",
            abs(asked[1][1] - 1.2) < 1e-6 and torch.allclose(asked[1][0], end),
            f"asked at sigma = {asked[1][1]:g}",
            "asked at sigma = 1.2, with the x that the first slope leads to",
            given="a step from sigma = 2 to 1.2",
            because="a slope used twice is Euler's method at double price",
        )
        second = (end - torch.tanh(end) / 2.2) / 1.2
        t.equal(
            "the step uses the mean of both slopes",
            got,
            x - 0.8 * ((x - torch.tanh(x) / 3) / 2 + second) / 2,
        )
        asked.clear()
        t.equal(
            "the last step takes the first guess",
            t.call(heun_step, x, 0.5, 0.0, denoise),
            torch.tanh(x) / 1.5,
            given="sigma_next = 0",
            because="at sigma = 0 the slope is 0 / 0",
        )
        t.true(
            "and asks once",
            len(asked) == 1,
            f"{len(asked)} calls",
            "1 call",
            given="sigma_next = 0",
        )
        asked.clear()
        t.call(heun_step, x, 0.01, 0.001, denoise)
        t.true(
            "a small sigma_next is not 0",
            len(asked) == 2,
            f"{len(asked)} calls",
            "2 calls",
            given="a step from sigma = 0.01 to 0.001",
            because="only at 0 itself there is no slope; one call is order 1",
        )

    @wrong("a small sigma_next is not 0")
    def one_call_for_small(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        x_next = x + (sigma_next - sigma) * slope
        if sigma_next < 0.05:
            return x_next
        slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
        return x + (sigma_next - sigma) * (slope + slope_next) / 2

    @wrong("the second slope is taken at the end")
    def old_sigma(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        x_next = x + (sigma_next - sigma) * slope
        if sigma_next == 0:
            return x_next
        return x + (sigma_next - sigma) * (slope + (x_next - denoise(x_next, sigma)) / sigma) / 2

    @wrong("the second slope is taken at the end")
    def old_x(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        if sigma_next == 0:
            return x - sigma * slope
        return x + (sigma_next - sigma) * (slope + (x - denoise(x, sigma_next)) / sigma_next) / 2

    @wrong("mean of both slopes")
    def adds_to_the_end(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        x_next = x + (sigma_next - sigma) * slope
        if sigma_next == 0:
            return x_next
        return (
            x_next
            + (sigma_next - sigma)
            * (slope + (x_next - denoise(x_next, sigma_next)) / sigma_next)
            / 2
        )

    @wrong("mean of both slopes")
    def second_alone(x, sigma, sigma_next, denoise):
        x_next = x + (sigma_next - sigma) * (x - denoise(x, sigma)) / sigma
        if sigma_next == 0:
            return x_next
        return x + (sigma_next - sigma) * (x_next - denoise(x_next, sigma_next)) / sigma_next

    @wrong("it asks twice")
    def euler(x, sigma, sigma_next, denoise):
        return x + (sigma_next - sigma) * (x - denoise(x, sigma)) / sigma

    @wrong("the last step takes the first guess")
    def no_last_step(x, sigma, sigma_next, denoise):
        slope = (x - denoise(x, sigma)) / sigma
        x_next = x + (sigma_next - sigma) * slope
        s = max(sigma_next, 1e-3)
        return x + (sigma_next - sigma) * (slope + (x_next - denoise(x_next, s)) / s) / 2


class Order(Exercise):
    "What order does this solver have?"

    id = "samplers.order"
    difficulty, importance, minutes = 2, 3, 7
    covers = ("S2-Q2",)
    task = (
        "Errors of a solver after `n_steps[i]` steps are `errors[i]` (lists or 1-D tensors). "
        "If the error is $C\\,n^{-p}$, return p "
        "as a float, from all the points: the slope of the straight line of least squares "
        "through the logarithms."
    )
    starter = """
def order(n_steps, errors): ...
"""
    hints = (
        "Take logarithms: ln error = ln C - p ln n is a straight line.",
        "Slope of least squares: sum of (x - mean x)(y - mean y) over the sum of (x - mean "
        "x)^2. Mind the sign.",
        "x, y = log n, log e as tensors; x = x - x.mean(); return -(x @ y / (x @ x)).item()",
    )

    def reference(n_steps, errors):
        x, y = (torch.as_tensor(v, dtype=torch.float64).log() for v in (n_steps, errors))
        x = x - x.mean()
        return -(x @ y / (x @ x)).item()

    def another(n_steps, errors):
        return -float(
            np.polyfit(np.log(np.asarray(n_steps, float)), np.log(np.asarray(errors, float)), 1)[0]
        )

    def check(t, order):
        n = [10, 20, 40, 80]
        t.near(
            "exact power laws give their power",
            t.call(order, n, [3 / v**2 for v in n]),
            2.0,
            1e-6,
            given="errors 3 / n^2",
            because="p is minus the slope of ln error over ln n",
        )
        t.near(
            "the constant in front plays no role",
            t.call(order, n, [1e-5 / v for v in n]),
            1.0,
            1e-6,
            given="errors 1e-5 / n",
        )
        m = [8, 24, 120]
        t.near(
            "steps need not double",
            t.call(order, m, [v**-3.0 for v in m]),
            3.0,
            1e-6,
            given="n = 8, 24, 120",
        )
        e = [0.2, 0.04, 0.02, 0.003]
        xs, ys = [math.log(v) for v in n], [math.log(v) for v in e]
        mx, my = sum(xs) / 4, sum(ys) / 4
        want = -sum((a - mx) * (b - my) for a, b in zip(xs, ys)) / sum((a - mx) ** 2 for a in xs)
        t.near(
            "with uneven errors it is the line of least squares",
            t.call(order, n, e),
            want,
            1e-6,
            given=f"errors {e}",
            because=(
                "first and last point alone, or a mean of the pairs' slopes, give another number"
            ),
        )
        t.near("tensors do as well", t.call(order, torch.tensor(n), torch.tensor(e)), want, 1e-4)
        t.near(
            "all points count, however many",
            t.call(order, [5, *n, 200], [0.5, *e, 0.002]),
            -float(np.polyfit(np.log([5, *n, 200]), np.log([0.5, *e, 0.002]), 1)[0]),
            1e-6,
            given="six points",
        )
        t.near(
            "errors that grow have a negative order",
            t.call(order, n, [v**0.5 for v in n]),
            -0.5,
            1e-6,
            given="errors n^(1/2)",
            because="p is minus the slope, and not its size: such a solver diverges",
        )

    @wrong("all points count")
    def first_four(n_steps, errors):
        x, y = (np.log(np.asarray(v, float))[:4] for v in (n_steps, errors))
        return -float(np.polyfit(x, y, 1)[0])

    @wrong("errors that grow have a negative order")
    def size_of_the_slope(n_steps, errors):
        x, y = (np.log(np.asarray(v, float)) for v in (n_steps, errors))
        return float(abs(np.polyfit(x, y, 1)[0]))

    @wrong("exact power laws")
    def sign(n_steps, errors):
        return float(
            np.polyfit(np.log(np.asarray(n_steps, float)), np.log(np.asarray(errors, float)), 1)[0]
        )

    @wrong("least squares")
    def two_points(n_steps, errors):
        return math.log(float(errors[0]) / float(errors[-1])) / math.log(
            float(n_steps[-1]) / float(n_steps[0])
        )

    @wrong("steps need not double")
    def doubling(n_steps, errors):
        e = [float(v) for v in errors]
        return sum(math.log2(a / b) for a, b in zip(e, e[1:])) / (len(e) - 1)

    @wrong("the constant in front")
    def through_zero(n_steps, errors):
        x, y = (torch.as_tensor(v, dtype=torch.float64).log() for v in (n_steps, errors))
        return -((x @ (y - math.log(3))) / (x @ x)).item()

    @wrong("exact power laws")
    def half_logarithm(n_steps, errors):
        return -float(
            np.polyfit(np.asarray(n_steps, float), np.log(np.asarray(errors, float)), 1)[0]
        )

    @wrong("steps need not double")
    def indices(n_steps, errors):
        return -float(
            np.polyfit(np.arange(len(errors)) * math.log(2), np.log(np.asarray(errors, float)), 1)[
                0
            ]
        )


class Guidance(Exercise):
    "Two papers, two meanings of 3"

    id = "samplers.guidance"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S2-Q2",)
    task = (
        "`guide(x, t, labels, model, null, w)` should give the guided prediction in the "
        "convention of Ho & Salimans (2022): w = 0 "
        "is the plain conditional prediction. `model(x, t, labels)` takes a batch; `null` is "
        "the number of the label that means "
        "none. As written, w = 0 ignores the label. Repair it, and make **one** call of the "
        "model, on a batch of twice the size."
    )
    starter = """
def guide(x, t, labels, model, null, w):
    with_label = model(x, t, labels)
    without = model(x, t, torch.full_like(labels, null))
    return without + w * (with_label - without)
"""
    bug = "one call of the model"
    hints = (
        "Write down what w = 0 and w = 1 give here, and what they should.",
        "(1 + w) with - w without; both halves of one batch.",
        "both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, "
        "torch.full_like(labels, null)])); c, u = both.chunk(2)",
    )

    def reference(x, t, labels, model, null, w):
        said = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, null)])
        )
        c, u = said.chunk(2)
        return (1 + w) * c - w * u

    def another(x, t, labels, model, null, w):
        n = len(x)
        said = model(
            x.repeat(2, *[1] * (x.ndim - 1)),
            t.repeat(2),
            torch.cat([torch.full_like(labels, null), labels]),
        )
        return said[n:] + w * (said[n:] - said[:n])

    def check(t, guide):
        calls, x, time, labels = [], t.randn(3, 2, 2), t.rand(3), torch.tensor([4, 0, 2])

        def model(x, t, y):
            calls.append((len(x), len(t), len(y)))
            return x * t.view(-1, 1, 1) + (y.float() ** 2).view(-1, 1, 1)

        c, u = (
            x * time.view(-1, 1, 1) + (labels.float() ** 2).view(-1, 1, 1),
            x * time.view(-1, 1, 1) + 100.0,
        )
        got = t.call(guide, x, time, labels, model, 10, 0.0)
        t.true(
            "one call of the model",
            len(calls) == 1 and calls[0] == (6, 6, 6),
            f"calls with batches {calls}",
            "one call, with x, t and labels of length 6",
            given="3 examples",
            because="concatenate x, t and labels with themselves, the second labels all null",
        )
        t.equal(
            "w = 0 is the conditional prediction",
            got,
            c,
            given="w = 0",
            because="in this convention guidance is (1 + w) c - w u",
        )
        t.equal(
            "w goes beyond it, away from the one without label",
            t.call(guide, x, time, labels, model, 10, 1.5),
            2.5 * c - 1.5 * u,
            atol=1e-3,
            given="w = 1.5",
        )
        t.equal(
            "null is the argument, not a number typed in",
            t.call(guide, x, time, labels, model, 7, 0.5),
            1.5 * c - 0.5 * (u - 51.0),
            atol=1e-3,
            given="null = 7, w = 0.5",
        )

    @wrong("one call of the model")
    def two_calls(x, t, labels, model, null, w):
        return (1 + w) * model(x, t, labels) - w * model(x, t, torch.full_like(labels, null))

    @wrong("w = 0 is the conditional")
    def other_convention(x, t, labels, model, null, w):
        c, u = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, null)])
        ).chunk(2)
        return u + w * (c - u)

    @wrong("w = 0 is the conditional")
    def halves_swapped(x, t, labels, model, null, w):
        u, c = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, null)])
        ).chunk(2)
        return (1 + w) * c - w * u

    @wrong("w goes beyond it")
    def sign(x, t, labels, model, null, w):
        c, u = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, null)])
        ).chunk(2)
        return c - w * (c - u)

    @wrong("null is the argument")
    def typed_in(x, t, labels, model, null, w):
        c, u = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, 10)])
        ).chunk(2)
        return (1 + w) * c - w * u

    @wrong("w = 0 is the conditional")
    def interleaved(x, t, labels, model, null, w):
        said = model(
            torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, torch.full_like(labels, null)])
        )
        return (1 + w) * said[::2] - w * said[1::2]


class Multistep(Exercise):
    "Second order for the price of one call"

    id = "samplers.dpm2m"
    difficulty, importance, minutes = 4, 3, 12
    covers = ("S2-Q2",)
    task = (
        "DPM-Solver++ 2M. `newer` and `older` are guesses of the data made at "
        "$\\lambda=\\ln(\\alpha/\\sigma)$ = `lam[1]` and "
        "`lam[0]`; x is at `lam[1]` and goes to `lam[2]` (floats, rising). Extend the line "
        "through the guesses over $\\lambda$ to "
        "the middle of the step, and take a DDIM step with that guess on a path with "
        "$\\alpha^2+\\sigma^2=1$."
    )
    starter = """
def dpm2m_step(x, older, newer, lam): ...
"""
    hints = (
        "alpha = sqrt(sigmoid(2 lam)), sigma = sqrt(sigmoid(-2 lam)).",
        "Half a step beyond newer: newer + (newer - older) * (lam[2] - lam[1]) / 2 / (lam[1] - "
        "lam[0]).",
        "then alpha[2] * D + sigma[2] * (x - alpha[1] * D) / sigma[1]",
    )

    def reference(x, older, newer, lam):
        D = newer + (newer - older) * (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
        alpha = [math.sqrt(1 / (1 + math.exp(-2 * v))) for v in lam]
        sigma = [math.sqrt(1 / (1 + math.exp(2 * v))) for v in lam]
        return alpha[2] * D + sigma[2] * (x - alpha[1] * D) / sigma[1]

    def another(x, older, newer, lam):
        alpha, sigma = (
            torch.sigmoid(2 * torch.tensor(lam[1:], dtype=torch.float64) * s).sqrt().tolist()
            for s in (1, -1)
        )
        h, h_0 = lam[2] - lam[1], lam[1] - lam[0]
        D = (1 + h / h_0 / 2) * newer - h / h_0 / 2 * older
        return sigma[1] / sigma[0] * x - alpha[1] * math.expm1(-h) * D

    def check(t, dpm2m_step):
        lam, x, older, newer = (
            [-1.0, -0.2, 0.7],
            t.randn(3, 2) + 1,
            t.randn(3, 2),
            t.randn(3, 2) - 1,
        )
        a = [math.cos(math.atan(math.exp(-v))) for v in lam]
        s = [math.sin(math.atan(math.exp(-v))) for v in lam]

        def plain(D, i):
            return a[2] * D + s[2] * (x - a[1] * D) / s[1]

        t.equal(
            "equal guesses give a DDIM step",
            t.call(dpm2m_step, x, newer, newer, lam),
            plain(newer, 1),
            given="older = newer",
            because=(
                "alpha_next D + sigma_next (x - alpha D) / sigma with alpha^2 = sigmoid(2 lambda)"
            ),
        )
        middle = newer + (newer - older) * 0.45 / 0.8
        t.equal(
            "the guess is that of the middle of the step",
            t.call(dpm2m_step, x, older, newer, lam),
            plain(middle, 1),
            given=f"lam = {lam}",
            because=(
                "go on from newer by half the step: (lam[2] - lam[1]) / 2 over the "
                "distance lam[1] - lam[0]"
            ),
        )

    @wrong("the middle of the step")
    def first_order(x, older, newer, lam):
        return _ddim(x, newer, lam)

    @wrong("the middle of the step")
    def whole_step(x, older, newer, lam):
        return _ddim(x, newer + (newer - older) * (lam[2] - lam[1]) / (lam[1] - lam[0]), lam)

    @wrong("the middle of the step")
    def equal_steps(x, older, newer, lam):
        return _ddim(x, 1.5 * newer - 0.5 * older, lam)

    @wrong("the middle of the step")
    def ratio_upside_down(x, older, newer, lam):
        return _ddim(x, newer + (newer - older) * (lam[1] - lam[0]) / (lam[2] - lam[1]) / 2, lam)

    @wrong("the middle of the step")
    def between_the_guesses(x, older, newer, lam):
        return _ddim(x, (newer + older) / 2, lam)

    @wrong("the middle of the step")
    def backwards(x, older, newer, lam):
        return _ddim(x, newer - (newer - older) * (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2, lam)

    @wrong("equal guesses give a DDIM step")
    def log_snr_for_lambda(x, older, newer, lam):
        return _ddim(
            x,
            newer + (newer - older) * (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2,
            [v / 2 for v in lam],
        )


def _ddim(x, D, lam):
    "A DDIM step from lam[1] to lam[2]."
    (a, s), (b, r) = (
        (math.cos(math.atan(math.exp(-v))), math.sin(math.atan(math.exp(-v)))) for v in lam[1:]
    )
    return b * D + r * (x - a * D) / s


class Karras(Exercise):
    "A grid that crowds where the noise is small"

    id = "samplers.karras"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S2-Q2",)
    task = (
        "Noise levels of Karras et al. (2022, equation 5): n values from `sigma_max` down to "
        "`sigma_min`, evenly spaced in "
        "$\\sigma^{1/\\rho}$, then a 0. Return a float64 tensor (n + 1,). n = 1 gives "
        "`sigma_max` and 0."
    )
    starter = """
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0): ...
"""
    hints = (
        "First space sigma^(1 / rho) evenly, then raise to the power rho.",
        "torch.linspace has a dtype argument, and takes n = 1.",
        "torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n, "
        "dtype=torch.float64) ** rho, then cat a zero",
    )

    def reference(n, sigma_min, sigma_max, rho=7.0):
        even = torch.linspace(
            sigma_max ** (1 / rho), sigma_min ** (1 / rho), n, dtype=torch.float64
        )
        return torch.cat([even**rho, torch.zeros(1, dtype=torch.float64)])

    def another(n, sigma_min, sigma_max, rho=7.0):
        a, b = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
        return torch.tensor(
            [(a + i / max(n - 1, 1) * (b - a)) ** rho for i in range(n)] + [0.0],
            dtype=torch.float64,
        )

    def check(t, karras_sigmas):
        got = t.call(karras_sigmas, 5, 0.002, 80.0)
        t.shape("n levels and a zero", got, (6,), given="n = 5")
        t.true(
            "values are float64",
            got.dtype == torch.float64,
            got.dtype,
            torch.float64,
            because="in float32 the smallest level is off in the fifth digit",
        )
        t.true("levels fall", bool((got.diff() < 0).all()), got, "from sigma_max down to 0")
        t.near("the first is sigma_max", got[0], 80.0, 1e-9, given="sigma_min 0.002, sigma_max 80")
        t.near("the one before the zero is sigma_min", got[4], 0.002, 1e-12)
        want = [
            math.exp(7 * math.log(80 ** (1 / 7) * (1 - u) + 0.002 ** (1 / 7) * u))
            for u in (0, 0.25, 0.5, 0.75, 1)
        ]
        t.equal(
            "even in sigma^(1 / rho)",
            got,
            torch.tensor([*want, 0.0], dtype=torch.float64),
            atol=1e-9,
            rtol=1e-9,
            because="not even in sigma, and not in ln sigma",
        )
        t.equal(
            "rho is used",
            t.call(karras_sigmas, 3, 1.0, 9.0, 2.0),
            torch.tensor([9.0, 4.0, 1.0, 0.0]).double(),
            atol=1e-9,
            given="1, 9, rho = 2",
        )
        t.equal(
            "one level is sigma_max",
            t.call(karras_sigmas, 1, 0.1, 5.0),
            torch.tensor([5.0, 0.0]).double(),
            atol=1e-9,
            given="n = 1",
        )

    @wrong("n levels and a zero")
    def no_zero(n, sigma_min, sigma_max, rho=7.0):
        return (
            torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n, dtype=torch.float64)
            ** rho
        )

    @wrong("float64")
    def single(n, sigma_min, sigma_max, rho=7.0):
        return torch.cat(
            [
                torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n) ** rho,
                torch.zeros(1),
            ]
        )

    @wrong("levels fall")
    def rising(n, sigma_min, sigma_max, rho=7.0):
        even = torch.linspace(
            sigma_min ** (1 / rho), sigma_max ** (1 / rho), n, dtype=torch.float64
        )
        return torch.cat([even**rho, torch.zeros(1, dtype=torch.float64)])

    @wrong("even in sigma^(1 / rho)")
    def even_in_sigma(n, sigma_min, sigma_max, rho=7.0):
        return torch.cat(
            [
                torch.linspace(sigma_max, sigma_min, n, dtype=torch.float64),
                torch.zeros(1, dtype=torch.float64),
            ]
        )

    @wrong("even in sigma^(1 / rho)")
    def even_in_log(n, sigma_min, sigma_max, rho=7.0):
        return torch.cat(
            [
                torch.logspace(
                    math.log10(sigma_max), math.log10(sigma_min), n, dtype=torch.float64
                ),
                torch.zeros(1, dtype=torch.float64),
            ]
        )

    @wrong("the one before the zero is sigma_min")
    def reaches_zero(n, sigma_min, sigma_max, rho=7.0):
        return torch.linspace(sigma_max ** (1 / rho), 0, n + 1, dtype=torch.float64) ** rho

    @wrong("rho is used")
    def seven(n, sigma_min, sigma_max, rho=7.0):
        even = torch.linspace(sigma_max ** (1 / 7), sigma_min ** (1 / 7), n, dtype=torch.float64)
        return torch.cat([even**7, torch.zeros(1, dtype=torch.float64)])


class Rescale(Exercise):
    "Contrast back to normal"

    id = "samplers.rescale"
    difficulty, importance, minutes = 2, 3, 7
    covers = ("S2-Q2",)
    task = (
        "Lin et al. (2024, section 3.4): strong guidance makes predictions too strong. Given "
        "`cond` and `guided_` of shape `(b, c, "
        "h, w)`, multiply each example of `guided_` by the one factor that gives it the standard "
        "deviation of its `cond`, over "
        "all its numbers, and mix: `phi` of "
        "the scaled, `1 - phi` of the unscaled."
    )
    starter = """
def rescale(cond, guided_, phi): ...
"""
    hints = (
        "One standard deviation for each example of the batch.",
        "std over axes (1, 2, 3) with keepdim=True broadcasts back.",
        "phi * guided_ * cond.std(axes) / guided_.std(axes) + (1 - phi) * guided_",
    )

    def reference(cond, guided_, phi):
        axes = (1, 2, 3)
        return (
            phi * guided_ * cond.std(axes, keepdim=True) / guided_.std(axes, keepdim=True)
            + (1 - phi) * guided_
        )

    def another(cond, guided_, phi):
        ratio = cond.flatten(1).std(1) / guided_.flatten(1).std(1)
        return torch.einsum("b,bchw->bchw", phi * ratio + 1 - phi, guided_)

    def check(t, rescale):
        sizes = torch.tensor([1.0, 3.0, 0.2]).view(3, 1, 1, 1)
        cond, strong = (
            sizes * t.randn(3, 2, 4, 5) + 1,
            4 * t.randn(3, 2, 4, 5) * torch.tensor([1.0, 5.0]).view(1, 2, 1, 1) - 2,
        )
        t.equal("phi = 0 changes nothing", t.call(rescale, cond, strong, 0.0), strong)
        got = t.call(rescale, cond, strong, 1.0)
        t.shape("the shape stays", got, (3, 2, 4, 5))
        t.equal(
            "phi = 1: each example has the standard deviation of its cond",
            got.flatten(1).std(1),
            cond.flatten(1).std(1),
            rtol=1e-4,
            given="three examples of very different contrast",
            because="over all numbers of an example; not over the batch, not per channel",
        )
        want = torch.stack([s * c.std() / s.std() for c, s in zip(cond, strong)])
        t.equal(
            "scaling is all: no shift",
            got,
            want,
            atol=1e-4,
            because="the paper multiplies; it does not move the mean",
        )
        t.equal(
            "phi mixes scaled and unscaled",
            t.call(rescale, cond, strong, 0.7),
            0.7 * want + 0.3 * strong,
            atol=1e-4,
            given="phi = 0.7",
        )
        t.equal(
            "too weak a prediction is made stronger",
            t.call(rescale, strong, cond, 1.0).flatten(1).std(1),
            strong.flatten(1).std(1),
            rtol=1e-4,
            given="cond of more contrast than guided_",
            because="the factor may exceed 1",
        )

    @wrong("too weak a prediction is made stronger")
    def only_down(cond, guided_, phi):
        ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
        return guided_ * (phi * ratio.clamp(max=1) + 1 - phi)

    @wrong("each example has the standard deviation")
    def whole_batch(cond, guided_, phi):
        return phi * guided_ * cond.std() / guided_.std() + (1 - phi) * guided_

    @wrong("each example has the standard deviation")
    def per_channel(cond, guided_, phi):
        return (
            phi * guided_ * cond.std((2, 3), keepdim=True) / guided_.std((2, 3), keepdim=True)
            + (1 - phi) * guided_
        )

    @wrong("phi = 0 changes nothing")
    def phi_swapped(cond, guided_, phi):
        axes = (1, 2, 3)
        return (1 - phi) * guided_ * cond.std(axes, keepdim=True) / guided_.std(
            axes, keepdim=True
        ) + phi * guided_

    @wrong("each example has the standard deviation")
    def upside_down(cond, guided_, phi):
        axes = (1, 2, 3)
        return (
            phi * guided_ * guided_.std(axes, keepdim=True) / cond.std(axes, keepdim=True)
            + (1 - phi) * guided_
        )

    @wrong("no shift")
    def standardised(cond, guided_, phi):
        axes = (1, 2, 3)
        z = (guided_ - guided_.mean(axes, keepdim=True)) / guided_.std(axes, keepdim=True)
        return (
            phi * (z * cond.std(axes, keepdim=True) + cond.mean(axes, keepdim=True))
            + (1 - phi) * guided_
        )

    @wrong("phi mixes scaled and unscaled")
    def always_whole(cond, guided_, phi):
        axes = (1, 2, 3)
        return (
            guided_ * cond.std(axes, keepdim=True) / guided_.std(axes, keepdim=True)
            if phi
            else guided_
        )


class Stride(Exercise):
    "The level that nobody reads"

    id = "samplers.stride"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S2-Q2",)
    task = (
        "`walk(x, steps, step)` visits the whole-number times `steps` (falling, any spacing, "
        "of a chain of `n_train`): `step(x, "
        "now, to)` goes from one time to another, and -1 means the data. A published scheduler "
        "computes `to` as here. Repair it, so "
        "that each x is read at the level it was made for, and the walk ends at the data."
    )
    starter = """
def walk(x, steps, step, n_train=1000):
    for now in steps:
        to = now - n_train // len(steps)
        x = step(x, now, max(to, -1))
    return x
"""
    bug = "each step goes to the time at which the next one starts"
    hints = (
        "Print now and to for steps = [999, 749, 499, 249, 0].",
        "The next time is in the list; after the last comes -1.",
        "for now, to in zip(steps, [*steps[1:], -1])",
    )

    def reference(x, steps, step, n_train=1000):
        for now, to in zip(steps, [*steps[1:], -1]):
            x = step(x, now, to)
        return x

    def another(x, steps, step, n_train=1000):
        for i in range(len(steps)):
            x = step(x, steps[i], steps[i + 1] if i + 1 < len(steps) else -1)
        return x

    def check(t, walk):
        for steps, given in (
            ([999, 749, 499, 249, 0], "times over both ends"),
            ([900, 400, 350, 10], "uneven times"),
            ([640], "one time"),
        ):
            seen = []

            def step(x, now, to, seen=seen):
                seen.append((int(now), int(to)))
                return x * (to + 2.0) / (now + 2.0)

            x = t.randn(2, 3)
            got = t.call(walk, x, list(steps), step)
            t.true(
                "every time is visited, in order",
                [a for a, _ in seen] == list(steps),
                [a for a, _ in seen],
                list(steps),
                given=given,
            )
            want = [*steps[1:], -1]
            t.true(
                "the last step goes to the data",
                seen[-1][1] == -1,
                seen[-1][1],
                -1,
                given=given,
                because="after the last time comes -1",
            )
            t.true(
                "each step goes to the time at which the next one starts",
                [b for _, b in seen] == want,
                [b for _, b in seen],
                want,
                given=f"{given}: {list(steps)}",
                because=(
                    "a constant stride fits one spacing only; otherwise x is read at a "
                    "level that it is not at"
                ),
            )
            t.equal("the result of each step is passed on", got, x / (steps[0] + 2.0), given=given)

    @wrong("the last step goes to the data")
    def ends_at_zero(x, steps, step, n_train=1000):
        for now, to in zip(steps, [*steps[1:], 0]):
            x = step(x, now, to)
        return x

    @wrong("every time is visited")
    def drops_the_last(x, steps, step, n_train=1000):
        for now, to in zip(steps, steps[1:]):
            x = step(x, now, to)
        return x

    @wrong("each step goes to the time")
    def mean_stride(x, steps, step, n_train=1000):
        stride = (steps[0] + 1) // len(steps)
        for i, now in enumerate(steps):
            x = step(x, now, now - stride if i + 1 < len(steps) else -1)
        return x

    @wrong("each step goes to the time")
    def one_down(x, steps, step, n_train=1000):
        for i, now in enumerate(steps):
            x = step(x, now, now - 1 if i + 1 < len(steps) else -1)
        return x

    @wrong("passed on")
    def forgets(x, steps, step, n_train=1000):
        for now, to in zip(steps, [*steps[1:], -1]):
            y = step(x, now, to)
        return y

    @wrong("every time is visited")
    def upwards(x, steps, step, n_train=1000):
        steps = steps[::-1]
        for now, to in zip(steps, [*steps[1:], -1]):
            x = step(x, now, to)
        return x
