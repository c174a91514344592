"Exercises of the metrics notebook."

import math

import torch

from .engine import Exercise, wrong


def _symmetric(t, d):
    "A covariance of full rank with nothing special about it."
    a = t.randn(d, d, dtype=torch.float64)
    return a @ a.T / d + 0.2 * torch.eye(d, dtype=torch.float64)


def _root(c):
    values, vectors = torch.linalg.eigh(c)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


class Frechet(Exercise):
    "How far one bell curve is from another"

    id = "metrics.frechet"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("S4-Q4", "M33")
    task = (
        "Return the squared Fréchet distance of two Gaussians as a number: means `(d,)`, "
        "covariances `(d, d)`, all float64. "
        "The root in it is the matrix root, and the two covariances need not commute."
    )
    starter = """
def frechet(mean1, cov1, mean2, cov2): ...
"""
    hints = (
        "Squared distance of the means, plus the traces, minus twice the trace of a root.",
        "The trace of the root of cov1 @ cov2 is the sum of the roots of its eigenvalues, "
        "which are real and not negative.",
        "torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()",
    )

    def reference(mean1, cov1, mean2, cov2):
        root = torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
        return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * root).item()

    def another(mean1, cov1, mean2, cov2):
        values, vectors = torch.linalg.eigh(cov1)
        root = vectors * values.clamp(min=0).sqrt() @ vectors.T
        inner = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
        return (mean1 - mean2) @ (mean1 - mean2) + cov1.trace() + cov2.trace() - 2 * inner

    def check(t, frechet):
        f64 = torch.float64
        zero, one = torch.zeros(3, dtype=f64), torch.eye(3, dtype=f64)
        t.near(
            "moving the mean costs the squared length of the move",
            t.call(frechet, zero, one, zero + torch.tensor([1.0, 2.0, 2.0]), one),
            9.0,
            1e-6,
            given="equal covariances, means (0, 0, 0) and (1, 2, 2)",
            because="squared, and summed over the features",
        )
        t.near(
            "spread counts by standard deviations",
            t.call(frechet, zero, one, zero, 4 * one),
            3.0,
            1e-6,
            given="covariances I and 4 I in 3 dimensions",
            because="tr(1 + 4 - 2 * 2) is 1 for each feature",
        )
        a, b = _symmetric(t, 2), _symmetric(t, 2)
        m = a @ b
        trace = math.sqrt(
            (m.trace() + 2 * torch.linalg.det(m).sqrt()).item()
        )  # exact for 2 x 2 (Cayley and Hamilton)
        shift = torch.tensor([0.3, -0.5], dtype=f64)
        want = 0.34 + (a.trace() + b.trace()).item() - 2 * trace
        t.near(
            "the root is a matrix root of the product",
            t.call(frechet, 3 * shift, a, 2 * shift, b),
            want,
            1e-6,
            given="two covariances 2 x 2 that do not commute",
            because="roots of single entries, or a product of two roots, are something else",
        )
        t.near("order makes no difference", t.call(frechet, 0 * shift, b, shift, a), want, 1e-6)
        a, q = _symmetric(t, 4), _symmetric(t, 4)
        b, zero = q @ a @ q, torch.zeros(4, dtype=f64)  # a b = (a q)(a q): its root is a q
        t.near(
            "in four dimensions too",
            t.call(frechet, zero, a, zero, b),
            (a.trace() + b.trace() - 2 * (a @ q).trace()).item(),
            1e-5,
            given="covariances A and Q A Q, whose product is (A Q)^2",
        )

    @wrong("squared length of the move")
    def not_squared(mean1, cov1, mean2, cov2):
        return (
            (mean1 - mean2).norm()
            + cov1.trace()
            + cov2.trace()
            - 2 * torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
        ).item()

    @wrong("squared length of the move")
    def mean_over_features(mean1, cov1, mean2, cov2):
        root = torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
        return ((mean1 - mean2).square().mean() + cov1.trace() + cov2.trace() - 2 * root).item()

    @wrong("spread counts by standard deviations")
    def covariances_compared(mean1, cov1, mean2, cov2):
        return ((mean1 - mean2).square().sum() + (cov1 - cov2).square().sum()).item()

    @wrong("squared length of the move")
    def factor_forgotten(mean1, cov1, mean2, cov2):
        root = torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
        return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - root).item()

    @wrong("the root is a matrix root of the product")
    def root_of_entries(mean1, cov1, mean2, cov2):
        root = (cov1 @ cov2).clamp(min=0).sqrt().trace()
        return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * root).item()

    @wrong("the root is a matrix root of the product")
    def product_of_roots(mean1, cov1, mean2, cov2):
        return ((mean1 - mean2).square().sum() + (_root(cov1) - _root(cov2)).square().sum()).item()


class Bytes(Exercise):
    "Bytes that wrap around"

    id = "metrics.psnr_bytes"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 5
    covers = ("S4-F9",)
    task = (
        "`psnr_bytes(x, y)` should return the PSNR in decibels of two uint8 images `(h, w)`, "
        "from their mean squared error. It was "
        "copied "
        "from code for floats in [0, 1]. Repair it."
    )
    starter = """
def psnr_bytes(x, y):
    error = ((x - y) ** 2).float().mean()
    return 10 * torch.log10(1 / error)
"""
    bug = "a difference of one in every pixel"
    hints = (
        "What is 3 - 5 in uint8?",
        "Turn both into floats before subtracting; then ask what the largest difference is.",
        "10 * torch.log10(255**2 / (x.float() - y.float()).square().mean())",
    )

    def reference(x, y):
        return (10 * torch.log10(255**2 / (x.float() - y.float()).square().mean())).item()

    def another(x, y):
        error = (x.double() / 255 - y.double() / 255).square().mean()
        return -10 * torch.log10(error)

    def check(t, psnr_bytes):
        dark = torch.full((3, 4), 10, dtype=torch.uint8)
        t.near(
            "a difference of one in every pixel",
            t.call(psnr_bytes, dark + 1, dark),
            48.1308,
            1e-3,
            given="uint8 images 11 and 10",
            because="20 log10(255 / 1): the peak of a byte is 255",
        )
        t.near(
            "it does not matter which one is brighter",
            t.call(psnr_bytes, dark, dark + 1),
            48.1308,
            1e-3,
            given="uint8 images 10 and 11",
            because="10 - 11 wraps around to 255 in uint8: convert before you subtract",
        )
        far = torch.full((3, 4), 210, dtype=torch.uint8)
        t.near(
            "large differences are squared without wrapping",
            t.call(psnr_bytes, far, dark),
            20 * math.log10(255 / 200),
            1e-3,
            given="uint8 images 210 and 10",
            because="200 squared does not fit in a byte: 40000 became 64",
        )
        x, y = t.randint(0, 256, (5, 7)), t.randint(0, 256, (5, 7))
        squares = [(p - q) ** 2 for p, q in zip(x.flatten().tolist(), y.flatten().tolist())]
        t.near(
            "the mean is over all pixels",
            t.call(psnr_bytes, x.to(torch.uint8), y.to(torch.uint8)),
            10 * math.log10(255**2 * 35 / sum(squares)),
            1e-3,
            given="random bytes, 5 x 7",
            because="mean of squares first, one logarithm afterwards",
        )

    @wrong("which one is brighter")
    def still_wraps(x, y):
        return (10 * torch.log10(255**2 / ((x - y).float() ** 2).mean())).item()

    @wrong("squared without wrapping")
    def squares_wrap(x, y):
        gap = torch.where(x > y, x - y, y - x)
        return (10 * torch.log10(255**2 / (gap**2).float().mean())).item()

    @wrong("a difference of one")
    def range_two(x, y):
        return (10 * torch.log10(4 / (x.float() - y.float()).square().mean())).item()

    @wrong("a difference of one")
    def brightest_pixel(x, y):
        return (
            10 * torch.log10(x.float().max() ** 2 / (x.float() - y.float()).square().mean())
        ).item()

    @wrong("the mean is over all pixels")
    def mean_difference(x, y):
        return (20 * torch.log10(255 / (x.float() - y.float()).abs().mean())).item()


class SsimWindow(Exercise):
    "One window of SSIM"

    id = "metrics.ssim_window"
    difficulty, importance, minutes = 2, 4, 8
    covers = ("S4-Q4",)
    task = (
        "Return the SSIM of one window as a number: `x` and `y` are its pixels `(n,)`, `w` "
        "their weights `(n,)` that add up to 1, "
        "`data_range` is R. The constants are (0.01 R)² and (0.03 R)²; mean, variance and "
        "covariance are weighted by `w`."
    )
    starter = """
def ssim_window(x, y, w, data_range): ...
"""
    hints = (
        "Five weighted sums: two means, two variances, one covariance.",
        "vx = (w * (x - mx) ** 2).sum(): no division by n - 1.",
        "(2*mx*my + c1) * (2*cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))",
    )

    def reference(x, y, w, data_range):
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy, cov = (
            (w * (x - mx) ** 2).sum(),
            (w * (y - my) ** 2).sum(),
            (w * (x - mx) * (y - my)).sum(),
        )
        c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        return (
            (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        ).item()

    def another(x, y, w, data_range):
        mx, my = w @ x, w @ y
        vx, vy, cov = w @ (x * x) - mx * mx, w @ (y * y) - my * my, w @ (x * y) - mx * my
        light = (2 * mx * my + (0.01 * data_range) ** 2) / (
            mx * mx + my * my + (0.01 * data_range) ** 2
        )
        return light * (2 * cov + (0.03 * data_range) ** 2) / (vx + vy + (0.03 * data_range) ** 2)

    def check(t, ssim_window):
        f64 = torch.float64
        x, y, w = (
            torch.tensor(v, dtype=f64)
            for v in ([0.1, 0.4, 0.9, 0.2], [0.3, 0.3, 0.5, 0.6], [0.1, 0.2, 0.4, 0.3])
        )
        t.near(
            "a window equals itself",
            t.call(ssim_window, x, x, w, 1.0),
            1.0,
            1e-9,
            because="numerator and denominator must agree",
        )
        mx, my = 0.51, 0.47  # weighted means, by hand
        vx = 0.1 * 0.41**2 + 0.2 * 0.11**2 + 0.4 * 0.39**2 + 0.3 * 0.31**2
        vy = 0.1 * 0.17**2 + 0.2 * 0.17**2 + 0.4 * 0.03**2 + 0.3 * 0.13**2
        cov = 0.1 * 0.41 * 0.17 + 0.2 * 0.11 * 0.17 + 0.4 * 0.39 * 0.03 - 0.3 * 0.31 * 0.13

        def want(r):
            c1, c2 = (0.01 * r) ** 2, (0.03 * r) ** 2
            return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))

        t.near(
            "weighted means and variances",
            t.call(ssim_window, x, y, w, 1.0),
            want(1.0),
            1e-9,
            given="four pixels with weights .1 .2 .4 .3",
            because="each pixel counts by its weight, and nothing is divided by n - 1",
        )
        t.near(
            "the constants grow with the range",
            t.call(ssim_window, x, y, w, 10.0),
            want(10.0),
            1e-9,
            given="data_range 10",
            because="c1 = (0.01 R)**2 and c2 = (0.03 R)**2",
        )
        flat = torch.full((4,), 0.5, dtype=f64)
        t.near(
            "a flat window has no spread and still a score",
            t.call(ssim_window, flat, flat + 0.1, w, 1.0),
            (0.6 + 1e-4) / (0.61 + 1e-4),
            1e-9,
            given="all .5 against all .6",
            because="without c2 this is 0 / 0",
        )
        t.near(
            "a negative has a negative score",
            t.call(ssim_window, x, 1 - x, w, 1.0),
            (2 * 0.51 * 0.49 + 1e-4)
            * (-2 * vx + 9e-4)
            / ((0.51**2 + 0.49**2 + 1e-4) * (2 * vx + 9e-4)),
            1e-9,
            given="a window against its negative",
            because="the covariance keeps its sign",
        )

    @wrong("a negative has a negative score")
    def absolute(x, y, w, data_range):
        return abs(SsimWindow.reference(x, y, w, data_range))

    @wrong("a negative has a negative score")
    def without_sign(x, y, w, data_range):
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum()
        cov = (w * (x - mx) * (y - my)).sum().abs()
        c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))

    @wrong("weighted means and variances")
    def unweighted(x, y, w, data_range):
        return SsimWindow.reference(x, y, torch.full_like(w, 1 / len(w)), data_range)

    @wrong("weighted means and variances")
    def sample_variance(x, y, w, data_range):
        mx, my, f = (w * x).sum(), (w * y).sum(), len(x) / (len(x) - 1)
        vx, vy, cov = (
            f * (w * (x - mx) ** 2).sum(),
            f * (w * (y - my) ** 2).sum(),
            f * (w * (x - mx) * (y - my)).sum(),
        )
        c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        return (
            (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        ).item()

    @wrong("the constants grow with the range")
    def range_not_squared(x, y, w, data_range):
        return SsimWindow.reference(x, y, w, data_range**0.5)

    @wrong("the constants grow with the range")
    def range_ignored(x, y, w, data_range):
        return SsimWindow.reference(x, y, w, 1.0)

    @wrong("weighted means and variances")
    def structure_only(x, y, w, data_range):
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy, cov = (
            (w * (x - mx) ** 2).sum(),
            (w * (y - my) ** 2).sum(),
            (w * (x - mx) * (y - my)).sum(),
        )
        return ((2 * cov + (0.03 * data_range) ** 2) / (vx + vy + (0.03 * data_range) ** 2)).item()

    @wrong("a window equals itself")
    def no_two(x, y, w, data_range):
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy, cov = (
            (w * (x - mx) ** 2).sum(),
            (w * (y - my) ** 2).sum(),
            (w * (x - mx) * (y - my)).sum(),
        )
        return (
            (mx * my + 1e-4) * (cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        ).item()


class Kid(Exercise):
    "An estimate that can never be zero"

    id = "metrics.kid"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 7
    covers = ("S4-Q4",)
    task = (
        "`kid(x, y)` should be the unbiased squared MMD of features `(m, d)` and `(n, d)` with "
        "the kernel (x·y / d + 1)³. As "
        "written it is "
        "above zero even for two samples of one source. Repair it; m and n may differ."
    )
    starter = """
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    return (kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()).item()
"""
    bug = "an image is not compared with itself"
    hints = (
        "Which entries of kernel(x, x) compare an image with itself?",
        "Drop the diagonal, and divide by the number of pairs that are left.",
        "(k.sum() - k.diagonal().sum()) / (m * (m - 1))",
    )

    def reference(x, y):
        def kernel(a, b):
            return (a @ b.T / a.shape[1] + 1) ** 3

        def within(k):
            return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

        return (within(kernel(x, x)) + within(kernel(y, y)) - 2 * kernel(x, y).mean()).item()

    def another(x, y):
        def kernel(a, b):
            return ((a[:, None] * b).sum(-1) / a.shape[1] + 1).pow(3)

        def off(k):
            return k[~torch.eye(len(k), dtype=torch.bool)].mean()

        return off(kernel(x, x)) + off(kernel(y, y)) - 2 * kernel(x, y).mean()

    def check(t, kid):
        x, y = t.randn(4, 3, dtype=torch.float64) + 0.4, t.randn(6, 3, dtype=torch.float64) * 1.5

        def k(p, q):
            return (sum(a * b for a, b in zip(p.tolist(), q.tolist())) / 3 + 1) ** 3

        def pairs(s):
            return [k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]

        across = [k(p, q) for p in x for q in y]

        def mean(v):
            return sum(v) / len(v)

        want = mean(pairs(x)) + mean(pairs(y)) - 2 * mean(across)
        got = t.call(kid, x, y)

        def own(s):
            return [k(p, p) for p in s]

        kept = (
            (sum(pairs(x)) + sum(own(x))) / 16
            + (sum(pairs(y)) + sum(own(y))) / 36
            - 2 * mean(across)
        )
        value = got.item() if isinstance(got, torch.Tensor) else got
        t.true(
            "an image is not compared with itself",
            not isinstance(value, float) or abs(value - kept) > 1e-6,
            value,
            want,
            given="4 and 6 rows of 3 features",
            because=(
                "the diagonal of kernel(x, x) is large and has nothing to do with the other set"
            ),
        )
        less = sum(pairs(x)) / 16 + sum(pairs(y)) / 36 - 2 * mean(across)
        t.true(
            "divide by the pairs that are left",
            not isinstance(value, float) or abs(value - less) > 1e-6,
            value,
            want,
            given="4 and 6 rows of 3 features",
            because="without the diagonal there are m (m - 1) pairs, not m squared",
        )
        t.near(
            "equal to the mean over pairs",
            got,
            want,
            1e-6,
            given="4 and 6 rows of 3 features",
            because="kernel (x.y / d + 1) cubed; within x, plus within y, minus twice across",
        )
        t.near("order makes no difference", t.call(kid, y, x), want, 1e-6)
        t.near(
            "d is the width of the features",
            t.call(kid, torch.cat([x, x], 1), torch.cat([y, y], 1)),
            want,
            1e-6,
            given="every feature twice, so 6 of them: products and d both double",
        )

    @wrong("divide by the pairs that are left")
    def wrong_count(x, y):
        def kernel(a, b):
            return (a @ b.T / a.shape[1] + 1) ** 3

        def within(k):
            return (k.sum() - k.diagonal().sum()) / len(k) ** 2

        return (within(kernel(x, x)) + within(kernel(y, y)) - 2 * kernel(x, y).mean()).item()

    @wrong("equal to the mean over pairs")
    def not_divided_by_d(x, y):
        def kernel(a, b):
            return (a @ b.T + 1) ** 3

        def within(k):
            return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

        return (within(kernel(x, x)) + within(kernel(y, y)) - 2 * kernel(x, y).mean()).item()

    @wrong("equal to the mean over pairs")
    def squared(x, y):
        def kernel(a, b):
            return (a @ b.T / a.shape[1] + 1) ** 2

        def within(k):
            return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

        return (within(kernel(x, x)) + within(kernel(y, y)) - 2 * kernel(x, y).mean()).item()

    @wrong("equal to the mean over pairs")
    def across_once(x, y):
        def kernel(a, b):
            return (a @ b.T / a.shape[1] + 1) ** 3

        def within(k):
            return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

        return (within(kernel(x, x)) + within(kernel(y, y)) - kernel(x, y).mean()).item()

    @wrong("equal to the mean over pairs")
    def across_without_diagonal(x, y):
        def kernel(a, b):
            return (a @ b.T / a.shape[1] + 1) ** 3

        def within(k):
            return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

        c = kernel(x, y)
        return (
            within(kernel(x, x))
            + within(kernel(y, y))
            - 2 * (c.sum() - c.diagonal().sum()) / (c.numel() - min(c.shape))
        ).item()


class PrecisionRecall(Exercise):
    "In whose reach?"

    id = "metrics.precision_recall"
    difficulty, importance, minutes = 3, 4, 10
    covers = ("S4-Q4",)
    task = (
        "Return `(precision, recall)` as numbers. A point lies in the reach of a set if its "
        "distance to some member is at most that "
        "member's "
        "distance to its `k`-th nearest other member. Precision: share of `fake` `(m, d)` in "
        "the reach of `real` `(n, d)`; recall: "
        "share of `real` in the reach of `fake`."
    )
    starter = """
def precision_recall(real, fake, k): ...
"""
    hints = (
        "One function does both, with the sets exchanged.",
        "In torch.cdist(x, x) the nearest neighbour of each point is the point itself.",
        "reach = torch.cdist(x, x).kthvalue(k + 1, 1).values; (torch.cdist(dots, x) <= "
        "reach).any(1)",
    )

    def reference(real, fake, k):
        def share(dots, x):
            reach = torch.cdist(x, x).kthvalue(k + 1, 1).values
            return (torch.cdist(dots, x) <= reach).any(1).double().mean().item()

        return share(fake, real), share(real, fake)

    def another(real, fake, k):
        def share(dots, x):
            gaps = (x[:, None] - x).square().sum(-1)
            gaps.fill_diagonal_(math.inf)
            reach = gaps.sort(1).values[:, k - 1]
            inside = (dots[:, None] - x).square().sum(-1) <= reach[None]
            return inside.any(1).sum().item() / len(dots)

        return share(fake, real), share(real, fake)

    def check(t, precision_recall):
        def col(*v):
            return torch.tensor(v, dtype=torch.float64)[:, None]

        real, fake = col(0.0, 1.0, 2.0, 10.0), col(0.5, 1.5, 2.5, 4.5, 30.0)
        # k = 1: reach of real 1 1 1 8, of fake 1 1 1 2 25.5. fake .5 1.5 2.5 4.5 lie in a ball of
        # real (4.5 in that of 10), 30 does not
        got = t.call(precision_recall, real, fake, 1)
        t.true(
            "it returns (precision, recall)",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "two numbers",
        )
        t.near(
            "precision, k = 1",
            got[0],
            0.8,
            1e-6,
            given="real 0 1 2 10, fake .5 1.5 2.5 4.5 30",
            because=(
                "4.5 lies in the ball of 10, which reaches 8: each real point has a reach "
                "of its own, and is not its own neighbour"
            ),
        )
        t.near(
            "recall, k = 1",
            got[1],
            1.0,
            1e-6,
            given="real 0 1 2 10, fake .5 1.5 2.5 4.5 30",
            because="recall uses the balls of fake: 10 lies in that of 30, which reaches 25.5",
        )
        real, fake = col(-0.4, 1.0, 3.0, 7.0, 15.0), col(0.2, 0.5, 0.9, 40.0)
        # k = 2: reach of real 3.4 2 3.4 6 12, so 40 is out of reach; of fake .7 .4 .7 39.5, so -.4
        # is .6 from .2 and inside
        got = t.call(precision_recall, real, fake, 2)
        t.near(
            "at most: the edge belongs to the reach",
            t.call(precision_recall, col(0.0, 1.0, 5.0), col(2.0, 9.0, 20.0), 1)[0],
            2 / 3,
            1e-6,
            given="real 0 1 5, fake 2 9 20, k = 1",
            because="9 is exactly 4 from 5, whose nearest other member is 4 away",
        )
        t.near(
            "precision, k = 2",
            got[0],
            0.75,
            1e-6,
            given="real -.4 1 3 7 15, fake .2 .5 .9 40, k = 2",
        )
        t.near(
            "recall, k = 2",
            got[1],
            1.0,
            1e-6,
            given="real -.4 1 3 7 15, fake .2 .5 .9 40, k = 2",
            because=(
                "one outlier at 40 reaches everything from .5 up: that is how recall is "
                "fooled; and k counts neighbours, here two"
            ),
        )
        a, b = t.randn(12, 3, dtype=torch.float64), t.randn(15, 3, dtype=torch.float64) * 1.4 + 0.5

        def dist(p, q):
            return math.sqrt(sum((i - j) ** 2 for i, j in zip(p, q)))

        def loop(dots, x, k):
            dots, x = dots.tolist(), x.tolist()
            reach = [
                sorted(dist(p, q) for j, q in enumerate(x) if j != i)[k - 1]
                for i, p in enumerate(x)
            ]
            return sum(any(dist(p, q) <= r + 1e-9 for q, r in zip(x, reach)) for p in dots) / len(
                dots
            )

        for k in (3, 1, 5):
            t.equal(
                "the same as a loop over pairs",
                tuple(float(v) for v in t.call(precision_recall, a, b, k)),
                (loop(b, a, k), loop(a, b, k)),
                atol=1e-6,
                given=f"12 and 15 points in 3 dimensions, k = {k}",
            )

    @wrong("precision, k = 1")
    def counts_itself(real, fake, k):
        def share(dots, x):
            return (
                (torch.cdist(dots, x) <= torch.cdist(x, x).kthvalue(k, 1).values)
                .any(1)
                .double()
                .mean()
                .item()
            )

        return share(fake, real), share(real, fake)

    @wrong("precision, k = 1")
    def exchanged(real, fake, k):
        return PrecisionRecall.reference(fake, real, k)

    @wrong("precision, k = 1")
    def one_reach(real, fake, k):
        def share(dots, x):
            return (
                (torch.cdist(dots, x) <= torch.cdist(x, x).kthvalue(k + 1, 1).values.median())
                .any(1)
                .double()
                .mean()
                .item()
            )

        return share(fake, real), share(real, fake)

    @wrong("recall, k = 2")
    def coverage_for_recall(real, fake, k):
        inside = (
            torch.cdist(real, fake) <= torch.cdist(real, real).kthvalue(k + 1, 1).values[:, None]
        )
        return inside.any(0).double().mean().item(), inside.any(1).double().mean().item()

    @wrong("precision, k = 1")
    def in_all_balls(real, fake, k):
        def share(dots, x):
            return (
                (torch.cdist(dots, x) <= torch.cdist(x, x).kthvalue(k + 1, 1).values)
                .all(1)
                .double()
                .mean()
                .item()
            )

        return share(fake, real), share(real, fake)

    @wrong("recall, k = 2")
    def always_the_nearest(real, fake, k):
        return PrecisionRecall.reference(real, fake, 1)


class Fid(Exercise):
    "A distance that is not zero for what is equal"

    id = "metrics.fid"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("S4-Q4", "M33")
    task = (
        "`fid(a, b)` should be the Fréchet distance of two sets of features, float32 `(n, d)` "
        "and `(m, d)`, with unbiased "
        "covariances. It takes "
        "second moments for covariances and stops where a covariance lacks full rank. Repair "
        "both; the result is a float, never "
        "below 0."
    )
    starter = """
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = a.T @ a / len(a), b.T @ b / len(b)
    root = torch.linalg.cholesky(c1)
    inner = torch.linalg.eigvalsh(root.T @ c2 @ root).sqrt().sum()
    return ((a.mean(0) - b.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * inner).item()
"""
    bug = "moving both sets changes nothing"
    hints = (
        "A covariance is taken around the mean. Which line forgets it?",
        "An eigenvalue of 0 may come out as -1e-17: clamp before the root. A root by "
        "eigenvectors works for any rank.",
        "c1 = a.T.cov(); values, vectors = torch.linalg.eigh(c1); root = vectors * "
        "values.clamp(min=0).sqrt() @ vectors.T",
    )

    def reference(a, b):
        a, b = a.double(), b.double()
        c1, c2 = a.T.cov(), b.T.cov()
        values, vectors = torch.linalg.eigh(c1)
        root = vectors * values.clamp(min=0).sqrt() @ vectors.T
        inner = torch.linalg.eigvalsh(root @ c2 @ root).clamp(min=0).sqrt().sum()
        return max(
            0.0,
            ((a.mean(0) - b.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * inner).item(),
        )

    def another(a, b):
        a, b = a.double(), b.double()
        p, q = ((x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (a, b))
        inner = torch.linalg.svdvals(p @ q.T).sum()  # the same root, without any covariance
        gap = (
            (a.mean(0) - b.mean(0)).square().sum() + p.square().sum() + q.square().sum() - 2 * inner
        )
        return gap.clamp(min=0).item()

    def check(t, fid):
        a, b = t.randn(30, 2) + 1, t.randn(20, 2) * torch.tensor([2.0, 0.5]) - 1

        def cov(x):
            return (x - x.mean(0)).T.double() @ (x - x.mean(0)).double() / (len(x) - 1)

        def exact(a, b):
            m = cov(a) @ cov(b)
            root = (m.trace() + 2 * torch.linalg.det(m).sqrt()).sqrt()
            return (
                (a.double().mean(0) - b.double().mean(0)).square().sum()
                + cov(a).trace()
                + cov(b).trace()
                - 2 * root
            ).item()

        t.near(
            "moving both sets changes nothing",
            t.call(fid, a + 5, b + 5),
            exact(a, b),
            1e-4,
            given="both sets moved by 5 in each feature",
            because=(
                "second moments contain the mean; a covariance is centred, and unbiased "
                "divides by n - 1"
            ),
        )
        t.near(
            "equal to the formula for two features",
            t.call(fid, a, b),
            exact(a, b),
            1e-4,
            given="30 and 20 rows",
            because=(
                "squared distance of means, plus traces, minus twice the trace of the matrix root"
            ),
        )
        few = t.randn(4, 7)
        same = t.call(fid, few, few)
        value = same.item() if isinstance(same, torch.Tensor) else same
        t.true(
            "a set has distance 0 to itself, at any rank",
            isinstance(value, (int, float)) and 0 <= value < 1e-5,
            value,
            "0 <= d < 1e-5",
            given="4 rows of 7 features",
            because="NaN comes from the root of -1e-17; below 0 from rounding: clamp",
        )
        t.true("the result is a float", isinstance(same, float), type(same).__name__, "float")
        moved = t.call(fid, few, few + 1)
        t.near(
            "a move of a set of low rank costs its length",
            moved,
            7.0,
            1e-4,
            given="4 rows of 7 features, moved by 1",
        )

    @wrong("the result is a float")
    def keeps_the_tensor(a, b):
        a, b = a.double(), b.double()
        p, q = (x.sub(x.mean(0)).div(math.sqrt(len(x) - 1)) for x in (a, b))
        inner = torch.linalg.svdvals(p @ q.T).sum()
        gap = (a.mean(0) - b.mean(0)).square().sum()
        return (gap + p.square().sum() + q.square().sum() - 2 * inner).clamp(min=0)

    @wrong("moving both sets changes nothing")
    def divided_by_n(a, b):
        a, b = a.double(), b.double()
        return Fid.reference(_shrunk(a), _shrunk(b))

    @wrong("moving both sets changes nothing")
    def rows_for_features(a, b):
        c1, c2 = a.double().cov()[:2, :2], b.double().cov()[:2, :2]
        return ((a.mean(0) - b.mean(0)).square().sum() + c1.trace() + c2.trace()).item()

    @wrong("cholesky")
    def needs_full_rank(a, b):
        a, b = a.double(), b.double()
        c1, c2 = a.T.cov(), b.T.cov()
        root = torch.linalg.cholesky(c1)
        inner = torch.linalg.eigvalsh(root.T @ c2 @ root).clamp(min=0).sqrt().sum()
        return max(
            0.0,
            ((a.mean(0) - b.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * inner).item(),
        )

    @wrong("at any rank")
    def not_clamped(a, b):
        a, b = a.double(), b.double()
        c1, c2 = a.T.cov(), b.T.cov()
        inner = (
            torch.linalg.eigvals(c1 @ c2 - 1e-9 * torch.eye(len(c1), dtype=c1.dtype))
            .real.sqrt()
            .sum()
        )
        return ((a.mean(0) - b.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * inner).item()

    @wrong("moving both sets changes nothing")
    def only_the_diagonal(a, b):
        a, b = a.double(), b.double()
        return (
            (a.mean(0) - b.mean(0)).square().sum() + (a.std(0) - b.std(0)).square().sum()
        ).item()

    @wrong("moving both sets changes nothing")
    def means_forgotten(a, b):
        return Fid.reference(a - a.mean(0), b - b.mean(0))


def _shrunk(x):
    "Rows whose unbiased covariance is the biased one of `x`."
    return x.mean(0) + (x - x.mean(0)) * ((len(x) - 1) / len(x)) ** 0.5


class InceptionScore(Exercise):
    "Sure, and of many kinds"

    id = "metrics.inception_score"
    difficulty, importance, minutes = 2, 4, 7
    covers = ("S4-Q4",)
    task = (
        "`p` `(n, classes)` holds a classifier's probabilities for n generated images; none is "
        "0. Return the Inception score: exp of "
        "the mean over images of KL(p(y|x) || p(y)), where p(y) is the mean of the rows."
    )
    starter = """
def inception_score(p): ...
"""
    hints = (
        "The KL of a row p to a row q is the sum of p * (log p - log q).",
        "q = p.mean(0) is the same for every image.",
        "(p * (p.log() - p.mean(0).log())).sum(1).mean().exp()",
    )

    def reference(p):
        return (p * (p.log() - p.mean(0).log())).sum(1).mean().exp().item()

    def another(p):
        def entropy(q):
            return -(q * q.log()).sum(-1)

        return math.exp(entropy(p.mean(0)) - entropy(p).mean())

    def check(t, inception_score):
        t.near(
            "the same answer for every image is 1",
            t.call(inception_score, torch.tensor([[0.7, 0.2, 0.1]] * 4)),
            1.0,
            1e-5,
            because="no image differs from the mean: KL is 0 and exp(0) is 1",
        )
        sure = torch.full((6, 3), 1e-6) + torch.eye(3).repeat(2, 1) * (1 - 3e-6)
        t.near(
            "three pictures, repeated, reach the greatest score of three classes",
            t.call(inception_score, sure),
            3.0,
            1e-3,
            given="six images, each surely one of three classes",
            because="natural logarithm and exp go together; the score looks at no real image",
        )
        p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5], [0.6, 0.2, 0.2]])
        rows = p.double().tolist()
        q = [sum(r[c] for r in rows) / 4 for c in range(3)]
        want = math.exp(sum(r[c] * math.log(r[c] / q[c]) for r in rows for c in range(3)) / 4)
        t.near(
            "KL from each image to the mean",
            t.call(inception_score, p),
            want,
            1e-5,
            given="four images, three classes",
            because="sum over classes, weighted by p(y|x); mean over images; then exp",
        )

    @wrong("the same answer for every image is 1")
    def no_exp(p):
        return (p * (p.log() - p.mean(0).log())).sum(1).mean().item()

    @wrong("the same answer for every image is 1")
    def surety_only(p):
        return p.max(1).values.mean().item()

    @wrong("the greatest score of three classes")
    def in_bits(p):
        return (p * (p.log2() - p.mean(0).log2())).sum(1).mean().exp().item()

    @wrong("KL from each image to the mean")
    def exp_first(p):
        return (p * (p.log() - p.mean(0).log())).sum(1).exp().mean().item()

    @wrong("the greatest score of three classes")
    def reversed_kl(p):
        return (p.mean(0) * (p.mean(0).log() - p.log())).sum(1).mean().exp().item()

    @wrong("the same answer for every image is 1")
    def classes_seen(p):
        q = torch.bincount(p.argmax(1), minlength=p.shape[1]) / len(p)
        return (p * (p.log() - (q + 1e-9).log())).sum(1).mean().exp().item()


class EqualSizes(Exercise):
    "The better model was only the larger sample"

    id = "metrics.equal_sizes"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S4-Q4", "S4-F20")
    task = (
        "`compare(models, real, distance)` gets a dict of name -> features, with different "
        "numbers of rows, features of real "
        "images, and a "
        "`distance(a, b)` that falls with the number of rows. Return a dict of name -> "
        "distance at the largest size n that all can "
        'give, plus the key "floor": real against other real, at n too. No row may be used twice.'
    )
    starter = """
def compare(models, real, distance):
    table = {name: distance(features, real) for name, features in models.items()}
    table["floor"] = 0.0
    return table
"""
    bug = "every distance is taken at one size"
    hints = (
        "How many rows can every model give, and how many rows does the floor need from `real`?",
        "n is the smallest of the models' sizes and half of len(real); compare with real[:n], "
        "and the floor with real[n:2 * n].",
        "n = min(len(real) // 2, *(len(f) for f in models.values()))",
    )

    def reference(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values()))
        table = {name: distance(f[:n], real[:n]) for name, f in models.items()}
        return table | {"floor": distance(real[n : 2 * n], real[:n])}

    def another(models, real, distance):
        n = min([len(f) for f in models.values()] + [len(real) // 2])
        reference, other = real[-n:], real[:n]
        out = {"floor": distance(other, reference)}
        for name in models:
            out[name] = distance(models[name][-n:], reference)
        return out

    def check(t, compare):
        for sizes, n_real, n in (((7, 5), 12, 5), ((9, 8), 13, 6), ((4, 9), 11, 4), ((9, 8), 7, 3)):
            real = torch.arange(float(n_real))[:, None]
            models = {
                f"m{i}": 100.0 * (i + 1) + torch.arange(float(s))[:, None]
                for i, s in enumerate(sizes)
            }
            seen = []

            def distance(a, b, seen=seen):
                seen.append((a.clone(), b.clone()))
                return float(len(seen))

            got = t.call(compare, models, real, distance)
            given = f"models of {sizes[0]} and {sizes[1]} rows, {n_real} real rows"
            t.true(
                "a dict with every model and the floor",
                isinstance(got, dict) and set(got) == {"m0", "m1", "floor"},
                got,
                "m0, m1, floor",
                given,
            )
            used = [(len(a), len(b)) for a, b in seen]
            t.true(
                "every distance is taken at one size",
                all(u == used[0] and u[0] == u[1] for u in used),
                used,
                f"{n} rows on both sides",
                given,
                because="the distance falls with n: whoever brings more images wins",
            )
            t.true(
                "the largest size that all can give",
                used[0] == (n, n),
                used,
                f"{n} rows",
                given,
                because="the floor takes n rows more from real, so n is at most half of it",
            )

            def kind(x):
                return "real" if x.max() < 50 else f"m{int(x.min() // 100) - 1}"

            calls = {frozenset((kind(a), kind(b))): (k, a, b) for k, (a, b) in enumerate(seen, 1)}
            k_floor, a, b = calls.get(frozenset(["real"]), (0, real, real))
            t.true(
                "the floor compares real with other real",
                k_floor and not set(a.flatten().tolist()) & set(b.flatten().tolist()),
                "none, or rows used twice",
                "two sets without a common row",
                given,
                because="a set against itself is 0 at any size and says nothing",
            )
            t.true(
                "each model is compared with real",
                all(frozenset((m, "real")) in calls for m in models),
                [set(c) for c in calls],
                "m0 with real, m1 with real",
                given,
            )
            against = [
                x
                for c, (_, *pair) in calls.items()
                if len(c) == 2
                for x in pair
                if kind(x) == "real"
            ]
            t.true(
                "every model is compared with the same real rows",
                all(torch.equal(x, against[0]) for x in against)
                and (torch.equal(against[0], a) or torch.equal(against[0], b)),
                "different ones",
                "one reference, the floor's too",
                given,
            )
            want = {m: float(calls[frozenset((m, "real"))][0]) for m in models} | {
                "floor": float(k_floor)
            }
            t.true("each value under its own name", got == want, got, want, given=given)

    @wrong("every distance is taken at one size")
    def models_only(models, real, distance):
        n = min(len(f) for f in models.values())
        half = len(real) // 2
        return {name: distance(f[:n], real) for name, f in models.items()} | {
            "floor": distance(real[:half], real[half:])
        }

    @wrong("the floor compares real with other real")
    def floor_is_zero(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values()))
        return {name: distance(f[:n], real[:n]) for name, f in models.items()} | {"floor": 0.0}

    @wrong("the floor compares real with other real")
    def floor_of_itself(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values()))
        return {name: distance(f[:n], real[:n]) for name, f in models.items()} | {
            "floor": distance(real[:n], real[:n])
        }

    @wrong("the largest size that all can give")
    def too_few(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values())) // 2
        return {name: distance(f[:n], real[:n]) for name, f in models.items()} | {
            "floor": distance(real[n : 2 * n], real[:n])
        }

    @wrong("every model is compared with the same real rows")
    def a_new_reference_each(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values()))
        table = {
            name: distance(f[:n], real[i : n + i]) for i, (name, f) in enumerate(models.items())
        }
        return table | {"floor": distance(real[:n], real[-n:])}

    @wrong("each value under its own name")
    def names_mixed_up(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in models.values()))
        values = [distance(f[:n], real[:n]) for f in models.values()]
        return dict(zip(models, values[::-1])) | {"floor": distance(real[n : 2 * n], real[:n])}

    @wrong("a dict with every model and the floor")
    def no_floor(models, real, distance):
        n = min(len(real), *(len(f) for f in models.values()))
        return {name: distance(f[:n], real[:n]) for name, f in models.items()}

    @wrong("every distance is taken at one size")
    def without_the_first(models, real, distance):
        n = min(len(real) // 2, *(len(f) for f in list(models.values())[1:]))
        table = {name: distance(f[:n], real[:n]) for name, f in models.items()}
        return table | {"floor": distance(real[n : 2 * n], real[:n])}


class Wilson(Exercise):
    "How sure are fifty ratings?"

    id = "metrics.binomial_interval"
    difficulty, importance, minutes = 3, 3, 9
    covers = ("S4-F10",)
    task = (
        "Return Wilson's interval `(low, high)` for a share: all p for which the observed "
        "share h / n is at most z standard deviations "
        "away, where the deviation is that of p itself, sqrt(p (1 - p) / n). `z` is given."
    )
    starter = """
def interval(hits, n, z=1.96): ...
"""
    hints = (
        "Square |h / n - p| = z * sqrt(p (1 - p) / n): a quadratic equation in p.",
        "p² (1 + z²/n) - p (2 h/n + z²/n) + (h/n)² = 0; both roots are the ends.",
        "middle = (s + z*z / (2*n)) / (1 + z*z/n); half = z * sqrt(s*(1-s)/n + z*z/(4*n*n)) / "
        "(1 + z*z/n)",
    )

    def reference(hits, n, z=1.96):
        s, c = hits / n, 1 + z * z / n
        half = z * math.sqrt(s * (1 - s) / n + z * z / (4 * n * n))
        return (s + z * z / (2 * n) - half) / c, (s + z * z / (2 * n) + half) / c

    def another(hits, n, z=1.96):
        a, b, c = 1 + z * z / n, -(2 * hits / n + z * z / n), (hits / n) ** 2
        root = math.sqrt(max(0.0, b * b - 4 * a * c))
        return (-b - root) / (2 * a), (-b + root) / (2 * a)

    def check(t, interval):
        def edge(hits, n, z, low, high):
            "The end between `low` and `high`, by halving the condition itself."

            def inside(p):
                return abs(hits / n - p) <= z * math.sqrt(p * (1 - p) / n)

            keep = inside(low)
            for _ in range(60):
                mid = (low + high) / 2
                low, high = (mid, high) if inside(mid) == keep else (low, mid)
            return (low + high) / 2

        for hits, n, z in ((30, 50, 1.96), (3, 10, 1.0), (45, 60, 2.5758)):
            got, given = t.call(interval, hits, n, z), f"{hits} hits of {n}, z = {z}"
            t.true(
                "it returns (low, high)",
                isinstance(got, (tuple, list)) and len(got) == 2,
                got,
                "two numbers",
                given,
            )
            t.near(
                "the lower end",
                got[0],
                edge(hits, n, z, 0.0, hits / n),
                1e-6,
                given,
                because=(
                    "the spread is that of p, not of the observed share; and one z on each side"
                ),
            )
            t.near("the upper end", got[1], edge(hits, n, z, hits / n, 1.0), 1e-6, given)
        t.equal(
            "z is 1.96 unless given",
            tuple(t.call(interval, 30, 50)),
            tuple(t.call(interval, 30, 50, 1.96)),
            given="30 hits of 50",
        )
        low, high = t.call(interval, 0, 20, 1.96)
        t.near("no hits: the interval begins at 0", low, 0.0, 1e-6, given="0 hits of 20")
        t.near(
            "no hits: it is not empty",
            high,
            1.96**2 / (20 + 1.96**2),
            1e-6,
            given="0 hits of 20",
            because="none in twenty does not prove never",
        )

    @wrong("the lower end")
    def usual(hits, n, z=1.96):
        s = hits / n
        half = z * math.sqrt(s * (1 - s) / n)
        return s - half, s + half

    @wrong("the lower end")
    def worst_case(hits, n, z=1.96):
        return hits / n - z * 0.5 / math.sqrt(n), hits / n + z * 0.5 / math.sqrt(n)

    @wrong("the lower end")
    def two_more_of_each(hits, n, z=1.96):
        s = (hits + 2) / (n + 4)
        half = z * math.sqrt(s * (1 - s) / (n + 4))
        return s - half, s + half

    @wrong("the lower end")
    def not_divided(hits, n, z=1.96):
        low, high = Wilson.reference(hits, n, z)
        return low * (1 + z * z / n), high * (1 + z * z / n)

    @wrong("the lower end")
    def z_is_fixed(hits, n, z=1.96):
        return Wilson.reference(hits, n, 1.645)

    @wrong("it returns (low, high)")
    def half_width(hits, n, z=1.96):
        low, high = Wilson.reference(hits, n, z)
        return (high - low) / 2


class BitsPerByte(Exercise):
    "Bits for a pixel that was a byte"

    id = "metrics.bits_per_byte"
    difficulty, importance, minutes = 3, 3, 7
    covers = ("S1-F9",)
    task = (
        "A model gives `nats` `(b,)`, negative log densities of images `(c, h, w)` = `shape` "
        "whose pixels, bytes with uniform noise "
        "added, were scaled "
        "from a range of 256 to [-1, 1] (so by 2/256). Return the mean bits per dimension for "
        "the bytes."
    )
    starter = """
def bits_per_byte(nats, shape): ...
"""
    hints = (
        "Divide by the number of dimensions, and by ln 2.",
        "A density grows when its axis shrinks: per dimension by the factor 256 / 2.",
        "nats.mean() / (c * h * w * math.log(2)) + math.log2(128)",
    )

    def reference(nats, shape):
        return (nats.mean() / (math.prod(shape) * math.log(2)) + 7).item()

    def another(nats, shape):
        d = shape[0] * shape[1] * shape[2]
        whole = nats + d * math.log(128)  # nats of the whole image, as bytes
        return (whole / d / math.log(2)).mean()

    def check(t, bits_per_byte):
        shape = (3, 2, 4)
        flat = torch.full((5,), 24 * math.log(2.0))
        t.near(
            "a model that knows nothing needs 8 bits",
            t.call(bits_per_byte, flat, shape),
            8.0,
            1e-4,
            given="density 1/2 everywhere on [-1, 1], images (3, 2, 4)",
            because=(
                "256 equal bytes are 8 bits: scaling by 128 costs log2(128) = 7 bits, "
                "added, for each dimension"
            ),
        )
        half = torch.full((5,), 24 * math.log(1.0))
        t.near(
            "twice the density is one bit less",
            t.call(bits_per_byte, half, shape),
            7.0,
            1e-4,
            given="density 1 on one half of the range",
        )
        t.near(
            "the mean over images",
            t.call(bits_per_byte, torch.tensor([0.0, 24 * math.log(4.0)]), shape),
            8.0,
            1e-4,
            given="two images, density 1 and 1/4 per dimension",
        )
        t.near(
            "a narrow density goes below 0",
            t.call(bits_per_byte, torch.full((2,), -24 * math.log(256.0)), shape),
            -1.0,
            1e-4,
            given="density 256 per dimension at each image",
            because="log2(128) - log2(256) is -1: one draw of the noise bounds no bits from below",
        )

    @wrong("a narrow density goes below 0")
    def never_below_zero(nats, shape):
        return max(0.0, (nats.mean() / math.prod(shape) / math.log(2) + 7).item())

    @wrong("a model that knows nothing needs 8 bits")
    def no_scale(nats, shape):
        return (nats.mean() / (math.prod(shape) * math.log(2))).item()

    @wrong("a model that knows nothing needs 8 bits")
    def in_nats(nats, shape):
        return (nats.mean() / math.prod(shape) + math.log(128)).item()

    @wrong("a model that knows nothing needs 8 bits")
    def scale_subtracted(nats, shape):
        return (nats.mean() / (math.prod(shape) * math.log(2)) - 7).item()

    @wrong("a model that knows nothing needs 8 bits")
    def pixels_not_channels(nats, shape):
        return (nats.mean() / (math.prod(shape[1:]) * math.log(2)) + 7).item()

    @wrong("a model that knows nothing needs 8 bits")
    def scale_once(nats, shape):
        return ((nats.mean() + math.log(128)) / (math.prod(shape) * math.log(2))).item()

    @wrong("the mean over images")
    def sum_over_images(nats, shape):
        return (nats.max() / (math.prod(shape) * math.log(2)) + 7).item()
