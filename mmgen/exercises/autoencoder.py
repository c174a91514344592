"Exercises of the autoencoder notebook."

import math

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Exercise, wrong


class Side(Exercise):
    "Follow the side of an image"

    id = "autoencoder.side"
    difficulty, importance, minutes = 2, 4, 8
    covers = ("S4-B4.1", "S4-B4.5", "S4-B5.3", "S0-B2.6")
    task = (
        '`layers` is a list of `(kind, kernel, stride, padding)` with kind `"conv"` or '
        '`"transposed"`. Return the side of '
        "the image that "
        "leaves the last layer when one of side `n` enters the first."
    )
    starter = """
def side(n, layers): ...
"""
    hints = (
        "Count where a kernel can start: a step of `stride` each time, the last place is n + 2 "
        "padding - kernel.",
        "A transposed convolution has the same equation with input and output exchanged.",
        "conv: (n + 2 * p - k) // s + 1; transposed: (n - 1) * s - 2 * p + k",
    )

    def reference(n, layers):
        for kind, k, s, p in layers:
            n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
        return n

    def another(n, layers):
        x = torch.zeros(1, 1, n, n)
        for kind, k, s, p in layers:
            x = (nn.Conv2d if kind == "conv" else nn.ConvTranspose2d)(1, 1, k, s, p)(x)
        return x.shape[-1]

    def check(t, side):
        t.equal(
            "padding counts on both sides",
            t.call(side, 32, [("conv", 4, 2, 1)]),
            16,
            given="32, kernel 4, stride 2, padding 1",
            because="the image grows by 2 p",
        )
        t.equal(
            "a place that does not fit is left out",
            t.call(side, 32, [("conv", 4, 2, 0), ("conv", 4, 2, 0)]),
            6,
            given="32, twice kernel 4, stride 2, padding 0",
            because="30 / 2 + 1 = 15, then 11 / 2 is rounded down before 1 is added",
        )
        t.equal(
            "stride 1 keeps all places",
            t.call(side, 9, [("conv", 5, 1, 0)]),
            5,
            given="9, kernel 5, stride 1, padding 0",
            because="n - k + 1 places",
        )
        t.equal(
            "a transposed convolution inverts the size",
            t.call(side, 4, [("transposed", 4, 2, 1)] * 3),
            32,
            given="4, three times transposed 4, 2, 1",
            because="(n - 1) s - 2 p + k",
        )
        t.equal(
            "padding takes away from a transposed convolution",
            t.call(side, 4, [("transposed", 4, 2, 0)] * 2),
            22,
            given="4, twice transposed 4, 2, 0",
            because="without padding the two ends hang over: 4, 10, 22 and not 4, 8, 16",
        )
        t.equal(
            "layers of both kinds in order",
            t.call(side, 28, [("conv", 3, 2, 1), ("conv", 3, 3, 0), ("transposed", 5, 3, 2)]),
            10,
            given="28, conv 3, 2, 1, conv 3, 3, 0, transposed 5, 3, 2",
            because="28, 14, 4, 10",
        )

    @wrong("padding counts on both sides")
    def one_side(n, layers):
        for kind, k, s, p in layers:
            n = (n + p - k) // s + 1 if kind == "conv" else (n - 1) * s - p + k
        return n

    @wrong("a place that does not fit is left out")
    def rounded_up(n, layers):
        for kind, k, s, p in layers:
            n = math.ceil((n + 2 * p - k) / s) + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
        return n

    @wrong("a place that does not fit is left out")
    def divides(n, layers):
        for kind, _, s, _ in layers:
            n = n // s if kind == "conv" else n * s
        return n

    @wrong("padding counts on both sides")
    def no_first_place(n, layers):
        for kind, k, s, p in layers:
            n = (n + 2 * p - k) // s if kind == "conv" else n * s - 2 * p + k
        return n

    @wrong("padding takes away from a transposed convolution")
    def always_doubles(n, layers):
        for kind, k, s, p in layers:
            n = (n + 2 * p - k) // s + 1 if kind == "conv" else n * s
        return n


class Reparameterize(Exercise):
    "A draw with a gradient"

    id = "autoencoder.reparameterize"
    difficulty, importance, minutes = 2, 5, 5
    covers = ("S3-F21",)
    task = (
        "Return a draw of $\\mathcal N(\\mu,\\sigma^2)$ for `mean` and `logvar` "
        "($=\\ln\\sigma^2$) of one shape, made from the "
        "standard normal "
        "noise `eps` of that shape, so that gradients reach both."
    )
    starter = """
def reparameterize(mean, logvar, eps): ...
"""
    hints = (
        "Move and stretch the noise.",
        "The deviation is the square root of the variance.",
        "mean + torch.exp(logvar / 2) * eps",
    )

    def reference(mean, logvar, eps):
        return mean + (logvar / 2).exp() * eps

    def another(mean, logvar, eps):
        return torch.addcmul(mean, logvar.exp().sqrt(), eps)

    def check(t, reparameterize):
        mean, logvar, eps = t.randn(5, 3), t.randn(5, 3), t.randn(5, 3)
        got = t.call(reparameterize, mean, logvar, eps)
        t.shape("one draw for each mean", got, (5, 3))
        t.equal(
            "no noise gives the mean",
            t.call(reparameterize, mean, logvar, eps * 0),
            mean,
            given="eps = 0",
            because="the mean is added, not multiplied",
        )
        want = torch.tensor(
            [
                [m + math.sqrt(math.exp(v)) * e for m, v, e in zip(*rows)]
                for rows in zip(mean.tolist(), logvar.tolist(), eps.tolist())
            ]
        )
        t.equal(
            "the noise is stretched by sigma",
            got,
            want,
            given="5 x 3 random numbers",
            because="logvar is the logarithm of sigma squared: sigma = exp(logvar / 2)",
        )
        t.equal(
            "any mean and any variance are allowed",
            t.call(reparameterize, mean * 0 + 9.0, mean * 0 - 18.0, eps * 0 + 1.0),
            torch.full((5, 3), 9 + math.exp(-9)),
            given="mean 9, logvar -18, eps 1",
            because="a clamp makes it another distribution",
        )
        t.equal(
            "any mean and any variance are allowed",
            t.call(reparameterize, mean * 0, mean * 0 + 12.0, eps * 0 + 1.0),
            torch.full((5, 3), math.exp(6)),
            given="mean 0, logvar 12, eps 1",
            because="a clamp makes it another distribution",
        )
        m, v = mean.clone().requires_grad_(), logvar.clone().requires_grad_()
        out = t.call(reparameterize, m, v, eps)
        t.true(
            "a gradient reaches mean and logvar",
            out.requires_grad
            and all(
                g is not None for g in torch.autograd.grad(out.sum(), (m, v), allow_unused=True)
            ),
            "none",
            "one for each",
            because="detach, .data or a sample of torch.distributions cuts the graph",
        )
        out = t.call(reparameterize, m, v, eps)
        grad = torch.autograd.grad(out.sum(), v)[0]
        t.equal(
            "the gradient to logvar is half of sigma times eps",
            grad,
            (want - mean) / 2,
            because="the chain rule through exp(logvar / 2)",
        )

    @wrong("the noise is stretched by sigma")
    def variance(mean, logvar, eps):
        return mean + logvar.exp() * eps

    @wrong("the noise is stretched by sigma")
    def raw(mean, logvar, eps):
        return mean + logvar * eps

    @wrong("the noise is stretched by sigma")
    def fresh_noise(mean, logvar, eps):
        return mean + (logvar / 2).exp() * torch.randn_like(eps) * (eps != 0)

    @wrong("no noise gives the mean")
    def times(mean, logvar, eps):
        return (mean + (logvar / 2).exp()) * eps

    @wrong("a gradient reaches mean and logvar")
    def cut(mean, logvar, eps):
        return (mean + (logvar / 2).exp() * eps).detach()

    @wrong("a gradient reaches mean and logvar")
    def half_cut(mean, logvar, eps):
        return mean + (logvar / 2).exp().detach() * eps

    @wrong("any mean and any variance are allowed")
    def bounded(mean, logvar, eps):
        return mean + (logvar.clamp(-10, 10) / 2).exp() * eps

    @wrong("any mean and any variance are allowed")
    def bounded_draw(mean, logvar, eps):
        return (mean + (logvar / 2).exp() * eps).clamp(-5, 5)


class KL(Exercise):
    "What a cloud costs"

    id = "autoencoder.kl"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S0-F4",)
    task = (
        "Return the KL divergence of $\\mathcal N(\\mu,\\operatorname{diag}\\sigma^2)$ from "
        "$\\mathcal N(0,I)$ in nats for each "
        "image: `mean` and "
        "`logvar` are `(b, d)`, the result `(b,)`."
    )
    starter = """
def kl(mean, logvar): ...
"""
    hints = (
        "It is zero for mean 0 and variance 1, and dimensions add up.",
        "Per dimension: half of (mu squared + variance - 1 - log variance).",
        "0.5 * (mean ** 2 + logvar.exp() - 1 - logvar).sum(1)",
    )

    def reference(mean, logvar):
        return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    def another(mean, logvar):
        q = torch.distributions.Normal(mean, logvar.exp().sqrt())
        return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(-1)

    def check(t, kl):
        mean, logvar = t.randn(4, 3) + 0.5, t.randn(4, 3)
        t.shape(
            "one number per image",
            t.call(kl, mean, logvar),
            (4,),
            because="dimensions add up, images do not",
        )
        t.equal(
            "the prior itself costs nothing",
            t.call(kl, torch.zeros(2, 3), torch.zeros(2, 3)),
            torch.zeros(2),
            given="mean 0, logvar 0",
            because="q equals p",
        )
        t.equal(
            "a shift costs half its square",
            t.call(kl, torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)),
            torch.tensor([2.0]),
            given="mean (2, 0), logvar 0",
            because="the mean enters squared, with a half before everything",
        )
        t.near(
            "mean 1, deviation 1/2",
            t.call(kl, torch.tensor([[1.0]]), torch.tensor([[math.log(0.25)]])),
            torch.tensor([0.818147]),
            1e-4,
            given="mean 1, logvar ln(1/4)",
            because=(
                "the term with the logarithm is minus logvar, and logvar belongs to sigma squared"
            ),
        )
        wide = torch.tensor([[math.log(1e-6)], [math.log(1e4)]])
        t.equal(
            "narrow and wide clouds cost what the formula says",
            t.call(kl, torch.zeros(2, 1), wide),
            torch.tensor([6.407756, 4994.89483]),
            atol=1e-3,
            given="mean 0, variances 1e-6 and 1e4",
            because="a clamped logvar makes a narrow cloud too cheap",
        )
        x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
        per_value = torch.stack(
            [_integral(x, m, v) for m, v in zip(mean.flatten().double(), logvar.flatten().double())]
        ).view(4, 3)
        t.equal(
            "every dimension counts once",
            t.call(kl, mean, logvar),
            per_value.sum(1).float(),
            atol=1e-3,
            given="4 images, 3 dimensions, against a numeric integral",
            because="sum over d, no mean",
        )

    @wrong("one number per image")
    def one_for_all(mean, logvar):
        return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum()

    @wrong("a shift costs half its square")
    def averaged(mean, logvar):
        return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(1)

    @wrong("a shift costs half its square")
    def no_half(mean, logvar):
        return (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    @wrong("a shift costs half its square")
    def sign(mean, logvar):
        return -0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    @wrong("mean 1, deviation 1/2")
    def reversed_log(mean, logvar):
        return 0.5 * (mean**2 + logvar.exp() - 1 + logvar).sum(1)

    @wrong("mean 1, deviation 1/2")
    def as_deviation(mean, logvar):
        return 0.5 * (mean**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)

    @wrong("the prior itself costs nothing")
    def no_one(mean, logvar):
        return 0.5 * (mean**2 + logvar.exp() - logvar).sum(1)


def _integral(x, mean, logvar):
    "KL of a one-dimensional Gaussian from N(0, 1) as a sum over the grid `x`."
    log_q = -0.5 * ((x - mean) ** 2 / logvar.exp() + logvar + math.log(2 * math.pi))
    log_p = -0.5 * (x**2 + math.log(2 * math.pi))
    return (log_q.exp() * (log_q - log_p)).sum() * (x[1] - x[0])

    @wrong("narrow and wide clouds cost what the formula says")
    def bounded(mean, logvar):
        logvar = logvar.clamp(-5, 5)
        return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)


class ELBO(Exercise):
    "The bound, with all its constants"

    id = "autoencoder.elbo"
    difficulty, importance, minutes = 3, 5, 10
    covers = ("S0-F4", "S2-F18", "S1-F9")
    task = (
        "Return the evidence lower bound in nats for each image, `(b,)`: the Gaussian "
        "log-likelihood of `x` under mean `x_hat` "
        "and the given "
        "`variance` per pixel, all constants included, minus the exact KL of `mean`, `logvar`. "
        "Images are `(b, c, h, w)`, "
        "latents `(b, d)`."
    )
    starter = """
def elbo(x, x_hat, mean, logvar, variance): ...
"""
    hints = (
        "Two terms; pixels add up in the first, latents in the second.",
        "ln N(x; m, v) = -(x - m)^2 / (2 v) - ln(2 pi v) / 2 for one pixel.",
        "log_px = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * "
        "variance)).flatten(1).sum(1), then minus the KL "
        "of the exercise before.",
    )

    def reference(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).flatten(
            1
        ).sum(1)
        return log_px - 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    def another(x, x_hat, mean, logvar, variance):
        N, kl = torch.distributions.Normal, torch.distributions.kl_divergence
        return N(x_hat, variance**0.5).log_prob(x).sum((1, 2, 3)) - kl(
            N(mean, (logvar / 2).exp()), N(0.0, 1.0)
        ).sum(1)

    def check(t, elbo):
        x, x_hat, mean, logvar = (
            t.rand(3, 2, 4, 5) * 2 - 1,
            t.rand(3, 2, 4, 5) * 2 - 1,
            t.randn(3, 6),
            t.randn(3, 6),
        )
        got = t.call(elbo, x, x_hat, mean, logvar, 0.3)
        t.shape(
            "one bound per image",
            got,
            (3,),
            because="pixels and latents are summed, images are not",
        )
        zero = torch.zeros(3, 6)
        constant = -0.5 * 40 * math.log(2 * math.pi * 0.3)
        t.near(
            "a perfect image still has its constants",
            t.call(elbo, x, x, zero, zero, 0.3),
            torch.full((3,), constant),
            1e-3,
            given="x_hat = x, q equal to the prior, 40 values, variance .3",
            because=(
                "-ln(2 pi variance) / 2 for every value; without it two variances cannot "
                "be compared"
            ),
        )
        error = torch.tensor(
            [
                sum((p - q) ** 2 for p, q in zip(a, b))
                for a, b in zip(x.flatten(1).tolist(), x_hat.flatten(1).tolist())
            ]
        )
        t.near(
            "pixel errors are summed and divided by twice the variance",
            t.call(elbo, x, x_hat, zero, zero, 0.3),
            constant - error / 0.6,
            1e-3,
            given="q equal to the prior",
            because=(
                "a mean over pixels makes the KL weigh as many times too much as there are "
                "pixels; an unsquared norm is no Gaussian"
            ),
        )
        kl = torch.tensor(
            [
                sum(0.5 * (m * m + math.exp(v) - 1 - v) for m, v in zip(a, b))
                for a, b in zip(mean.tolist(), logvar.tolist())
            ]
        )
        t.near(
            "the KL is subtracted, summed over latents",
            got,
            constant - error / 0.6 - kl,
            1e-3,
            given="3 images of 40 values, 6 latents",
            because="the bound is log-likelihood minus KL",
        )

    @wrong("pixel errors are summed and divided by twice the variance")
    def pixel_mean(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * (
            ((x - x_hat) ** 2).flatten(1).mean(1) / variance
            + x[0].numel() * math.log(2 * math.pi * variance)
        )
        return log_px - 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    @wrong("a perfect image still has its constants")
    def no_constants(x, x_hat, mean, logvar, variance):
        return -((x - x_hat) ** 2).flatten(1).sum(1) / (2 * variance) - 0.5 * (
            mean**2 + logvar.exp() - 1 - logvar
        ).sum(1)

    @wrong("the KL is subtracted, summed over latents")
    def plus_kl(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).flatten(
            1
        ).sum(1)
        return log_px + 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    @wrong("the KL is subtracted, summed over latents")
    def kl_mean(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).flatten(
            1
        ).sum(1)
        return log_px - 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(1)

    @wrong("a perfect image still has its constants")
    def as_deviation(x, x_hat, mean, logvar, variance):
        return torch.distributions.Normal(x_hat, variance).log_prob(x).sum((1, 2, 3)) - 0.5 * (
            mean**2 + logvar.exp() - 1 - logvar
        ).sum(1)

    @wrong("pixel errors are summed and divided by twice the variance")
    def unsquared(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * (
            (x - x_hat).flatten(1).norm(dim=1) / variance
            + x[0].numel() * math.log(2 * math.pi * variance)
        )
        return log_px - 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)

    @wrong("one bound per image")
    def batch_mean(x, x_hat, mean, logvar, variance):
        log_px = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).flatten(
            1
        ).sum(1)
        return (log_px - 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)).mean()


class EncoderBug(Exercise):
    "an encoder that cannot finish"

    id, kind, bug = "autoencoder.encoder_bug", "bug", "mat1 and mat2"
    difficulty, importance, minutes = 2, 4, 8
    covers = ("S0-B1.2", "S4-B4.1", "S3-B1.3", "S3-B1.4", "S3-B4.8", "S1-B1.1", "S4-B1.2")
    task = (
        "This encoder should turn `(b, channels, size, size)` into `(b, dim)` for any `size` "
        "that 4 divides. Repair it: every "
        "layer has weights "
        "that are made once, and the size of the linear layer must fit what reaches it."
    )
    starter = """
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x))
"""
    hints = (
        "Print the shape that enters the linear layer.",
        "Two things are wrong with it: it still has four axes, and without padding the sides "
        "are not size / 4.",
        "padding=1 in both convolutions, and self.net(x).flatten(1)",
    )

    class reference(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
            )
            self.head = nn.Linear(16 * (size // 4) ** 2, dim)

        def forward(self, x):
            return self.head(self.net(x).flatten(1))

    class another(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 3, 2, 1),
                nn.ReLU(),
                nn.Conv2d(8, 16, 3, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
            )
            self.head = nn.Linear(self.net(torch.zeros(1, channels, size, size)).shape[1], dim)

        def forward(self, x):
            return self.head(self.net(x))

    def check(t, Encoder):
        for channels, size, dim in ((3, 32, 5), (1, 28, 7), (2, 4, 3)):
            enc, x = t.call(Encoder, channels, size, dim), t.rand(2, channels, size, size) * 2 - 1
            given = f"2 images of {channels} x {size} x {size}, dim {dim}"
            t.true(
                "it is a module with weights before it has seen an image",
                isinstance(enc, nn.Module) and sum(p.ndim > 1 for p in enc.parameters()) > 1,
                "fewer than two layers among its parameters",
                "the convolutions and the linear layer",
                given,
                "layers made inside forward are new at every call, and no optimizer knows them",
            )
            out = t.call(enc, x)
            t.shape(
                "one vector of dim numbers per image",
                out,
                (2, dim),
                given,
                "the batch axis must stay, all others are flattened",
            )
            t.equal(
                "two calls agree",
                t.call(enc, x),
                out,
                given=given,
                because="layers made inside forward have other weights at every call",
            )
            t.equal(
                "images do not mix",
                t.call(enc, x[:1]),
                out[:1],
                given="the first image alone",
                because="the batch axis was flattened too",
            )
            other = x.clone()
            other[:, :, 1 : size - 1, 1 : size - 1] *= -1
            t.true(
                "every image reaches the output",
                (t.call(enc, other) - out).abs().max() > 1e-6,
                "the same output for another image",
                "another output",
                given,
                "forward does not use x",
            )
            curve = t.call(enc, x[:1] + x[1:]) - out[:1] - out[1:] + t.call(enc, 0 * x[:1])
            t.true(
                "it is not affine",
                curve.abs().max() > 1e-5,
                "affine: f(x + y) - f(x) - f(y) + f(0) is 0",
                "curved",
                given,
                "without the activations all layers together are one matrix",
            )

    @wrong("mat1 and mat2")
    class unpadded(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 4, 2),
                nn.ReLU(),
                nn.Conv2d(8, 16, 4, 2),
                nn.ReLU(),
                nn.Flatten(),
            )
            self.head = nn.Linear(16 * (size // 4) ** 2, dim)

        def forward(self, x):
            return self.head(self.net(x))

    @wrong("mat1 and mat2")
    class not_flat(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
            )
            self.head = nn.Linear(16 * (size // 4) ** 2, dim)

        def forward(self, x):
            return self.head(self.net(x))

    @wrong("one vector of dim numbers per image")
    class batch_flattened(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
            )
            self.head = nn.Linear(2 * 16 * (size // 4) ** 2, dim)

        def forward(self, x):
            return self.head(self.net(x).flatten())

    @wrong("it is a module with weights before it has seen an image")
    class made_in_forward(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.sizes = channels, dim

        def forward(self, x):
            h = nn.Conv2d(self.sizes[0], 16, 4, 4)(x).flatten(1)
            return nn.Linear(h.shape[1], self.sizes[1])(h)

    @wrong("it is a module with weights before it has seen an image")
    def a_function(channels, size, dim):
        conv, head = nn.Conv2d(channels, 16, 4, 4), nn.Linear(size**2, dim)
        return lambda x: head(conv(x).flatten(1))

    @wrong("two calls agree")
    class head_in_forward(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.conv, self.head, self.dim = (
                nn.Conv2d(channels, 16, 4, 4),
                nn.Linear(size**2, dim),
                dim,
            )

        def forward(self, x):
            h = self.conv(x).flatten(1)
            return nn.Linear(h.shape[1], self.dim)(h)

    @wrong("name 'z' is not defined")
    class undefined_name(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.conv, self.head = nn.Conv2d(channels, 16, 4, 4), nn.Linear(size**2, dim)

        def forward(self, x):
            self.head(self.conv(x).flatten(1))
            return z  # noqa: F821 (the mistake)

    @wrong("one vector of dim numbers per image")
    class rows_as_samples(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.conv, self.head = nn.Conv2d(channels, 1, 1), nn.Linear(size, dim)

        def forward(self, x):
            return self.head(self.conv(x))

    @wrong("Kernel size can't be greater than actual input size")
    class fits_large_sizes(nn.Module):
        def __init__(self, channels, size, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(channels, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
            )
            side = (size // 2 - 5) // 2 + 1
            self.head = nn.Linear(16 * side**2, dim)

        def forward(self, x):
            return self.head(self.net(x).flatten(1))


class DecoderBug(Exercise):
    "a decoder with three faults"

    id, kind, bug = "autoencoder.decoder_bug", "bug", "shape '[-1, 16, 4, 4]' is invalid"
    difficulty, importance, minutes = 3, 4, 10
    covers = ("S0-B1.5", "S0-B2.2", "S4-B4.4", "S4-B4.5", "S2-B3.2", "S4-B4", "S0-B1")
    task = (
        "This decoder should turn `(b, dim)` into images `(b, channels, 32, 32)` with "
        "values from -1 to 1, starting from a 4 x 4 grid of 16 "
        "features. Repair it: "
        "a layer that is never called, sizes that are exchanged, and sides that grow wrongly."
    )
    starter = """
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(16 * 4 * 4, dim)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(z.view(-1, 16, 4, 4))
"""
    hints = (
        "Follow one batch: which layer of __init__ is missing in forward?",
        "A decoder widens: dim numbers must become 16 x 4 x 4 first. And what is the side "
        "after one layer with kernel 4, "
        "stride 2, no padding?",
        "nn.Linear(dim, 256), self.start(z).view(-1, 16, 4, 4), and padding 1 in all three",
    )

    class reference(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 16 * 4 * 4)
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 16, 4, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(16, 8, 4, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 2, 1),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(self.start(z).view(-1, 16, 4, 4))

    class another(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()

            def block(a, b):
                return [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1)]

            self.net = nn.Sequential(
                nn.Linear(dim, 256),
                nn.Unflatten(1, (16, 4, 4)),
                *block(16, 16),
                nn.SiLU(),
                *block(16, 8),
                nn.SiLU(),
                *block(8, channels),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.net(z)

    def check(t, Decoder):
        for dim, channels in ((6, 3), (16, 1)):
            dec, z, given = (
                t.call(Decoder, dim, channels),
                t.randn(5, dim),
                f"5 latents of {dim} numbers, {channels} channels",
            )
            x_hat = t.call(dec, z)
            t.shape(
                "an image of 32 x 32 for each latent",
                x_hat,
                (5, channels, 32, 32),
                given,
                "kernel 4, stride 2 doubles the side only with padding 1: 4, 8, 16, 32",
            )
            t.equal(
                "two calls agree",
                t.call(dec, z),
                x_hat,
                given=given,
                because="a layer made inside forward has other weights at every call",
            )
            t.equal(
                "latents do not mix",
                t.call(dec, z[1:2]),
                x_hat[1:2],
                given="the second latent alone",
                because="a view moved numbers of one latent into the image of another",
            )
            large = t.call(dec, 1e4 * z)
            t.true(
                "values lie in [-1, 1]",
                x_hat.abs().max() <= 1 and large.abs().max() <= 1,
                f"up to {max(x_hat.abs().max(), large.abs().max()):.3g}",
                "at most 1, whatever the latent",
                f"{given}, and 10,000 times these",
                "the tanh at the end is missing",
            )
            t.true(
                "both signs are reached",
                large.min() < -0.5 and large.max() > 0.5,
                f"from {large.min():.3g} to {large.max():.3g}",
                "black and white, -1 and 1",
                f"{given}, times 10,000",
                "a sigmoid reaches [0, 1] only",
            )
            t.true(
                "every part of the image depends on the latent",
                (t.call(dec, z + 1) - x_hat).abs().amax((0, 1)).min() > 0,
                "constant pixels",
                "all change",
                given,
                "an output cut or padded to size",
            )
            dec.zero_grad()
            t.call(dec, t.randn(64, dim)).square().sum().backward()
            idle = [name for name, p in dec.named_parameters() if p.grad is None]
            t.true(
                "every layer is used",
                not idle,
                f"no gradient at {', '.join(idle)}",
                "a gradient at each parameter",
                given,
                "a layer is defined and never called",
            )
            curve = (
                t.call(dec, z[:1] + z[1:2])
                - t.call(dec, z[:1])
                - t.call(dec, z[1:2])
                + t.call(dec, z[:1] * 0)
            )
            t.true(
                "it is not affine",
                curve.abs().max() > 1e-5,
                "affine",
                "curved",
                given,
                "without activations all layers are one matrix",
            )

    @wrong("shape '[-1, 16, 4, 4]' is invalid")
    class skipped(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(nn.ConvTranspose2d(16, channels, 8, 8), nn.Tanh())

        def forward(self, z):
            return self.up(z.view(-1, 16, 4, 4))

    @wrong("Expected 3D (unbatched) or 4D (batched)")
    class not_unflattened(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(nn.ConvTranspose2d(16, channels, 8, 8), nn.Tanh())

        def forward(self, z):
            return self.up(self.start(z))

    @wrong("mat1 and mat2")
    class exchanged(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(256, dim)
            self.up = nn.Sequential(nn.ConvTranspose2d(16, channels, 8, 8), nn.Tanh())

        def forward(self, z):
            return self.up(self.start(z).view(-1, 16, 4, 4))

    @wrong("an image of 32 x 32 for each latent")
    class too_wide(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 16, 4, 2),
                nn.ReLU(),
                nn.ConvTranspose2d(16, 8, 4, 2),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 2),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(self.start(z).view(-1, 16, 4, 4))

    @wrong("an image of 32 x 32 for each latent")
    class one_doubling_short(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 8, 4, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 2, 1),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(self.start(z).view(-1, 16, 4, 4))

    @wrong("every layer is used")
    class padded_input(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(
                nn.Linear(dim, channels * 1024), nn.Unflatten(1, (channels, 32, 32)), nn.Tanh()
            )

        def forward(self, z):
            return self.up(z)

    @wrong("values lie in [-1, 1]")
    class no_tanh(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.ConvTranspose2d(16, channels, 8, 8)

        def forward(self, z):
            return 40 * self.up(self.start(z).view(-1, 16, 4, 4).relu())

    @wrong("every part of the image depends on the latent")
    class cut_to_size(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 8, 4, 2),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 2),
                nn.Tanh(),
            )

        def forward(self, z):
            return F.pad(self.up(self.start(z).view(-1, 16, 4, 4)), (5, 5, 5, 5))

    @wrong("two calls agree")
    class start_in_forward(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.dim = dim
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 8, 4, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 4),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(nn.Linear(self.dim, 256)(z).view(-1, 16, 4, 4))

    @wrong("latents do not mix")
    class mixes_latents(nn.Module):
        def __init__(self, dim, channels):
            super().__init__()
            self.start = nn.Linear(dim, 256)
            self.up = nn.Sequential(
                nn.ConvTranspose2d(16, 8, 4, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(8, channels, 4, 4),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(self.start(z).view(16, -1, 4, 4).transpose(0, 1))


class MirrorBug(Exercise):
    "a loss that broadcasting hides"

    id, kind, bug = "autoencoder.mirror_bug", "bug", "model(x) can be called"
    difficulty, importance, minutes = 3, 4, 10
    covers = ("S0-B1.6", "S0-B1.7", "S4-B4.6", "S0-B2.6")
    task = (
        "Called with images, this autoencoder should return reconstructions of their own shape "
        "for every side that 8 divides, and be more than a linear map. "
        "Repair it. Its author noticed nothing: the targets were single pixels, and the loss "
        "broadcast."
    )
    starter = """
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1), nn.Conv2d(8, 4, 4, 2, 1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)
"""
    hints = (
        "What does `model(x)` need that the class does not have?",
        "Three halvings need three doublings.",
        "Put a ReLU or SiLU between the layers: without it they multiply out to one matrix.",
    )

    class reference(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 8, 4, 2, 1),
                nn.SiLU(),
                nn.Conv2d(8, 8, 4, 2, 1),
                nn.SiLU(),
                nn.Conv2d(8, 4, 4, 2, 1),
            )
            self.decoder = nn.Sequential(
                nn.ConvTranspose2d(4, 8, 4, 2, 1),
                nn.SiLU(),
                nn.ConvTranspose2d(8, 8, 4, 2, 1),
                nn.SiLU(),
                nn.ConvTranspose2d(8, 1, 4, 2, 1),
            )

        def forward(self, x):
            return self.decoder(self.encoder(x))

    class another(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.PixelUnshuffle(8),
                nn.Conv2d(64, 16, 1),
                nn.ReLU(),
                nn.Conv2d(16, 64, 1),
                nn.PixelShuffle(8),
            )

        def forward(self, x):
            return self.net(x)

    def check(t, Mirror):
        model = t.call(Mirror)
        t.true(
            "model(x) can be called",
            getattr(type(model), "forward", None) is not nn.Module.forward,
            "a module without a forward method",
            "forward(self, x)",
            because="encode and decode alone are never called by model(x)",
        )
        for side in (32, 64, 8):
            x = t.randn(3, 1, side, side)
            t.shape(
                "the output has the shape of the input",
                t.call(model, x),
                (3, 1, side, side),
                f"3 images of {side} x {side}",
                "as many doublings as halvings: 8 against 4 returns half the side",
            )
        a, b = t.randn(1, 1, 32, 32), t.randn(1, 1, 32, 32)
        gap = t.call(model, a + b) - t.call(model, a) - t.call(model, b) + t.call(model, a * 0)
        t.true(
            "it is more than a linear map",
            gap.abs().max() > 1e-4,
            f"f(a + b) - f(a) - f(b) + f(0) up to {gap.abs().max():.1e}",
            "above 1e-4",
            "two random images",
            "convolutions without activations between them are one linear map",
        )

    @wrong("the output has the shape of the input")
    class two_up(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 8, 4, 2, 1),
                nn.SiLU(),
                nn.Conv2d(8, 8, 4, 2, 1),
                nn.SiLU(),
                nn.Conv2d(8, 4, 4, 2, 1),
                nn.ConvTranspose2d(4, 8, 4, 2, 1),
                nn.SiLU(),
                nn.ConvTranspose2d(8, 1, 4, 2, 1),
            )

        def forward(self, x):
            return self.net(x)

    @wrong("the output has the shape of the input")
    class one_pixel(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 8, 8, 8), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 1, 1)
            )

        def forward(self, x):
            return self.net(x)

    @wrong("it is more than a linear map")
    class affine(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 8, 4, 2, 1),
                nn.Conv2d(8, 8, 4, 2, 1),
                nn.Conv2d(8, 4, 4, 2, 1),
                nn.ConvTranspose2d(4, 8, 4, 2, 1),
                nn.ConvTranspose2d(8, 8, 4, 2, 1),
                nn.ConvTranspose2d(8, 1, 4, 2, 1),
            )

        def forward(self, x):
            return self.net(x)

    @wrong("model(x) can be called")
    class no_forward(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 8, 8, 8), nn.SiLU(), nn.ConvTranspose2d(8, 1, 8, 8)
            )

        def reconstruct(self, x):
            return self.net(x)

    @wrong("the output has the shape of the input")
    class only_encodes(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.SiLU(), nn.Conv2d(8, 4, 2, 2))

        def forward(self, x):
            return self.encoder(x)

    @wrong("it is more than a linear map")
    class identity(nn.Module):
        def forward(self, x):
            return x * 1.0

    @wrong("the output has the shape of the input")
    class always_32(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 8, 8, 8),
                nn.SiLU(),
                nn.ConvTranspose2d(8, 1, 8, 8),
                nn.AdaptiveAvgPool2d(32),
            )

        def forward(self, x):
            return self.net(x)


class HeadsBug(Exercise):
    "two heads that strangle the latent"

    id, kind, bug = "autoencoder.heads_bug", "bug", "the mean reaches any value"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S3-B1.5", "S3-B4.7", "S3-F21", "S3-IV-1", "S3-B4")
    task = (
        "From features `h` of shape `(b, n)` this module should return `(mean, logvar)` of a "
        "Gaussian posterior, each `(b, d)`; "
        "`logvar` is "
        "$\\ln\\sigma^2$. As it stands each latent can carry half a bit at most. Repair it: "
        "a mean may be any number, $\\sigma$ small or large."
    )
    starter = """
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, d), nn.Tanh())
        self.logvar = nn.Sequential(self.mean, nn.Linear(d, d), nn.Softplus())

    def forward(self, h):
        return self.mean(h), self.logvar(h)
"""
    hints = (
        "Which values can each of the two outputs take? Which should it?",
        "A mean may be anything, and so may the logarithm of a variance.",
        "Two plain linear layers on h, side by side, or one of 2 d numbers that is split.",
    )

    class reference(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

        def forward(self, h):
            return self.mean(h), self.logvar(h)

    class another(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.both = nn.Linear(n, 2 * d)

        def forward(self, h):
            return self.both(h).chunk(2, -1)

    class another2(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.raw = nn.Linear(n, d), nn.Linear(n, d)

        def forward(self, h):
            return self.mean(h), 2 * F.softplus(self.raw(h)).clamp(
                min=1e-20
            ).log()  # softplus suits sigma; clamp: it underflows

    def check(t, Heads):
        heads, h = t.call(Heads, 6, 4), t.randn(50, 6) * 30
        out = t.call(heads, h)
        t.true(
            "two tensors, mean and logvar",
            isinstance(out, (tuple, list)) and len(out) == 2,
            out if not isinstance(out, torch.Tensor) else f"one tensor {tuple(out.shape)}",
            "(mean, logvar)",
            because="two heads, side by side",
        )
        mean, logvar = out
        for name, v in (("mean", mean), ("logvar", logvar)):
            t.shape(f"{name} is (b, d)", v, (50, 4), "50 rows of 6 features, d = 4")
        for name, v, again in zip(("mean", "logvar"), (mean, logvar), t.call(heads, h)):
            t.equal(
                f"{name} is the same at a second call",
                again,
                v,
                given="50 rows of 6 features, twice",
                because="a layer made inside forward has other weights at every call",
            )
        t.true(
            "the mean reaches any value",
            mean.max() > 2 and mean.min() < -2,
            f"from {mean.min():.3g} to {mean.max():.3g}",
            "beyond 2 on both sides",
            "features of size 30",
            "a tanh or softplus on the mean limits what a latent can say",
        )
        sigma = (logvar / 2).exp()
        t.true(
            "sigma can be small and large",
            sigma.min() < 0.1 and sigma.max() > 2,
            f"from {sigma.min():.3g} to {sigma.max():.3g}",
            "below 0.1 and above 2",
            "features of size 30",
            "softplus on the log-variance allows sigma >= 1 only: at most half a bit per "
            "latent with a mean in (-1, 1)",
        )
        m = t.randn(20, 6) * 10
        a, b = t.call(heads, m), t.call(heads, m[:, [1, 0, 2, 3, 4, 5]])
        t.true(
            "both heads see the features",
            all((u - v).abs().max() > 1e-4 for u, v in zip(a, b)),
            "the same for other features",
            "another value",
            because="a head without h is a constant",
        )
        rank = torch.linalg.matrix_rank(
            torch.cat([mean, logvar], 1).sub(torch.cat([mean, logvar], 1).mean(0)), rtol=1e-3
        ).item()
        t.true(
            "the logvar is not a function of the mean",
            rank > 4,
            f"{rank} independent outputs of 8",
            "more than 4",
            "50 rows of 6 features",
            "the second head must stand on h, not on the first head",
        )
        for name, v in zip(("mean", "logvar"), t.call(t.call(Heads, 9, 2), t.randn(3, 9))):
            t.shape(
                f"{name} is as wide as d says",
                v,
                (3, 2),
                "3 rows of 9 features, d = 2",
                "n and d are arguments",
            )

    @wrong("sigma can be small and large")
    class softplus_logvar(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Linear(n, d), nn.Sequential(nn.Linear(n, d), nn.Softplus())

        def forward(self, h):
            return self.mean(h), self.logvar(h)

    @wrong("the mean reaches any value")
    class tanh_mean(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Sequential(nn.Linear(n, d), nn.Tanh()), nn.Linear(n, d)

        def forward(self, h):
            return self.mean(h), self.logvar(h)

    @wrong("the logvar is not a function of the mean")
    class stacked(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Linear(n, d), nn.Linear(d, d)

        def forward(self, h):
            m = self.mean(h)
            return m, 2 * self.logvar(m)

    @wrong("two tensors, mean and logvar")
    class one_stream(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(n, d), nn.Tanh(), nn.Linear(d, d), nn.Softplus())

        def forward(self, h):
            return self.net(h)

    @wrong("sigma can be small and large")
    class sigmoid_logvar(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Linear(n, d), nn.Sequential(nn.Linear(n, d), nn.Sigmoid())

        def forward(self, h):
            return self.mean(h), self.logvar(h)

    @wrong("both heads see the features")
    class constant_logvar(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Linear(n, d), nn.Parameter(torch.linspace(-6, 6, d))

        def forward(self, h):
            return self.mean(h), self.logvar.expand(len(h), -1)

    @wrong("the mean reaches any value")
    class positive_mean(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.mean, self.logvar = nn.Sequential(nn.Linear(n, d), nn.Softplus()), nn.Linear(n, d)

        def forward(self, h):
            return self.mean(h), self.logvar(h)

    @wrong("mean is the same at a second call")
    class made_in_forward(nn.Module):
        def __init__(self, n, d):
            super().__init__()
            self.n, self.d = n, d

        def forward(self, h):
            return nn.Linear(self.n, self.d)(h), nn.Linear(self.n, self.d)(h)


class TargetBug(Exercise):
    "an autoencoder that is shown labels"

    id, kind, bug = "autoencoder.target_bug", "bug", "the loss does not see labels"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S3-B3.8", "S3-F19", "S0-B1.6", "S3-B4.2", "S3-B3")
    task = (
        "`batch` is `(x, y)`: images `(b, 1, h, w)` and integer labels `(b,)`. Return the "
        "reconstruction loss of the "
        "autoencoder `model`: the mean "
        "squared error over all pixels, a tensor of one number whose gradient reaches the model. "
        "An output of another shape than `x` must raise ValueError."
    )
    starter = """
def loss(model, batch):
    x, y = batch
    return ((model(x) - y.view(-1, 1, 1, 1)) ** 2).mean()
"""
    hints = (
        "What should an autoencoder return for x?",
        "x is its own target; y has no place here.",
        "if x_hat.shape != x.shape: raise ValueError(...), then F.mse_loss(x_hat, x)",
    )

    def reference(model, batch):
        x, _ = batch
        x_hat = model(x)
        if x_hat.shape != x.shape:
            raise ValueError(
                f"x_hat has shape {tuple(x_hat.shape)}, x {tuple(x.shape)}; expected equal shapes"
            )
        return F.mse_loss(x_hat, x)

    def another(model, batch):
        x = batch[0]
        x_hat = model(x)
        if tuple(x_hat.size()) != tuple(x.size()):
            raise ValueError("shapes differ")
        return torch.dist(x_hat, x) ** 2 / x.numel()

    def check(t, loss):
        x, y = t.rand(4, 1, 6, 5) * 2 - 1, torch.tensor([3, 7, 0, 9])

        def half(v):
            return v * 0.5

        got = t.call(loss, half, (x, y))
        t.true(
            "the loss is a single number",
            isinstance(got, torch.Tensor) and got.numel() == 1,
            f"a tensor {tuple(got.shape)}" if isinstance(got, torch.Tensor) else type(got).__name__,
            "a tensor with one element",
            "a model that halves x",
            "the mean over pixels and images",
        )
        t.equal(
            "the loss does not see labels",
            t.call(loss, half, (x, y.flip(0))),
            got,
            given="the same images, labels in another order",
            because="the target is x, not y",
        )
        want = sum(v * v for v in x.flatten().tolist()) / 4 / x.numel()
        t.near(
            "the target is the image",
            got.reshape(()),
            torch.tensor(want),
            1e-5,
            given="a model that halves x",
            because="mean of (x / 2 - x) squared",
        )
        t.near(
            "a perfect copy costs nothing",
            t.call(loss, lambda v: v * 1.0, (x, y)).reshape(()),
            torch.tensor(0.0),
            1e-7,
            given="a model that returns x",
            because="a cross-entropy on grey values is not zero there",
        )
        for name, f in {
            "one pixel": lambda v: v.mean((2, 3), keepdim=True),
            "half the side": lambda v: v[:, :, ::2, ::2],
            "one image": lambda v: v[:1],
            "the image on its side": lambda v: v.mT,
        }.items():
            t.true(
                "another shape raises ValueError",
                _raises(loss, f, (x, y)),
                "no error, or another",
                "ValueError",
                f"a model that returns {name}",
                "subtraction broadcasts: an output of one pixel is compared with every pixel",
            )
        scale = torch.ones(1, requires_grad=True)
        out = t.call(loss, lambda v: v * scale * 0.5, (x, y))
        t.true(
            "a gradient reaches the model",
            out.requires_grad,
            "none",
            "a gradient",
            because=".item(), detach or no_grad cuts it",
        )

    @wrong("the loss does not see labels")
    def to_labels_too(model, batch):
        x, y = batch
        return ((model(x) - x) ** 2).mean() + 0.1 * ((model(x).mean((1, 2, 3)) - y) ** 2).mean()

    @wrong("another shape raises ValueError")
    def broadcasts(model, batch):
        return ((model(batch[0]) - batch[0]) ** 2).mean()

    @wrong("the target is the image")
    def summed(model, batch):
        x_hat, x = model(batch[0]), batch[0]
        if x_hat.shape != x.shape:
            raise ValueError
        return ((x_hat - x) ** 2).sum()

    @wrong("a perfect copy costs nothing")
    def cross_entropy(model, batch):
        x_hat, x = model(batch[0]), batch[0]
        if x_hat.shape != x.shape:
            raise ValueError
        return (
            F.binary_cross_entropy((x_hat + 1) / 2, (x + 1) / 2)
            - F.binary_cross_entropy((x / 2 + 1) / 2, (x + 1) / 2)
            + ((x / 2 - x) ** 2).mean()
        )

    @wrong("the loss is a single number")
    def per_image(model, batch):
        return ((model(batch[0]) - batch[0]) ** 2).flatten(1).mean(1)

    @wrong("a gradient reaches the model")
    def cut(model, batch):
        x_hat, x = model(batch[0]).detach(), batch[0]
        if x_hat.shape != x.shape:
            raise ValueError
        return F.mse_loss(x_hat, x)

    @wrong("the target is the image")
    def against_itself(model, batch):
        x_hat = model(batch[0])
        if x_hat.shape != batch[0].shape:
            raise ValueError
        return F.mse_loss(x_hat, x_hat)


def _raises(f, *args):
    "Whether f(*args) raises ValueError."
    try:
        f(*args)
    except ValueError:
        return True
    except Exception:
        return False
    return False

    @wrong("another shape raises ValueError")
    def counts_pixels(model, batch):
        x, _ = batch
        x_hat = model(x)
        if x_hat.numel() != x.numel():
            raise ValueError("shapes differ")
        return F.mse_loss(x_hat.reshape(x.shape), x)
