"Exercises of the VQ-VAE notebook."

import ast
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Exercise, wrong


class Order(Exercise):
    "The arrows of the diagram point the wrong way"

    id = "vqvae.order"
    kind = "bug"
    difficulty, importance, minutes = 1, 4, 4
    covers = ("S2-B1.1", "S2-F4", "S1-F12", "S2-B1")
    task = (
        "Three functions are given: `encode` (images to vectors), `quantize` (vectors to "
        "codes), `decode` (codes to images). "
        "The diagram that this was written from lets the quantizer feed an encoder. Put the "
        "calls in the order of a VQ-VAE, "
        "each once."
    )
    starter = """
def autoencode(x, encode, quantize, decode):
    z_q = quantize(x)
    z_e = encode(z_q)
    return decode(z_e)
"""
    bug = "the calls come in this order"
    hints = (
        "What does the quantizer compare with its codebook: pixels, or what the encoder said "
        "about them?",
        "The decoder reads codes, so quantize comes just before it.",
        "decode(quantize(encode(x)))",
    )

    def reference(x, encode, quantize, decode):
        return decode(quantize(encode(x)))

    def another(x, encode, quantize, decode):
        for part in (encode, quantize, decode):
            x = part(x)
        return x

    def check(t, autoencode):
        calls = []

        def note(name, f):
            def g(v):
                calls.append(name)
                return f(v)

            return g

        parts = (
            note("encode", lambda v: 2 * v),
            note("quantize", torch.round),
            note("decode", lambda v: v / 2 + 0.125),
        )
        x = t.randn(2, 1, 3, 3)
        got = t.call(autoencode, x, *parts)
        t.true(
            "the calls come in this order, each once",
            calls == ["encode", "quantize", "decode"],
            calls,
            ["encode", "quantize", "decode"],
            because="x, then E(x), then q(E(x)), then G(q(E(x)))",
        )
        t.equal(
            "each gets what the one before it gave",
            got,
            (2 * x).round() / 2 + 0.125,
            because="pass the result on; calling a part and dropping its result changes nothing",
        )

    @wrong("the calls come in this order")
    def decoder_first(x, encode, quantize, decode):
        return quantize(decode(encode(x)))

    @wrong("the calls come in this order")
    def no_quantizer(x, encode, quantize, decode):
        return decode(encode(x))

    @wrong("the calls come in this order")
    def twice(x, encode, quantize, decode):
        quantize(encode(x))
        return decode(quantize(encode(x)))

    @wrong("each gets what the one before it gave")
    def bypassed(x, encode, quantize, decode):
        z = encode(x)
        quantize(z)
        return decode(z)

    @wrong("each gets what the one before it gave")
    def drops_result(x, encode, quantize, decode):
        z_q = quantize(encode(x))
        decode(z_q)
        return z_q


class OneCode(Exercise):
    "A thousand digits, 32 pictures"

    id = "vqvae.one_code"
    kind = "bug"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S0-B1.9", "S4-B4.8", "S4-C1")
    task = (
        "`tokenize(x, encoder, codebook)` should return one index for each place of the "
        "encoder's grid: `encoder(x)` is `(b, d, "
        "h, w)`, `codebook` `(k, d)`, the result int64 `(b, h, w)`. As written, each image "
        "gets a single code, so the decoder "
        "can never draw more than k pictures. Repair it."
    )
    starter = """
def tokenize(x, encoder, codebook):
    z_e = encoder(x)  # (b, d, h, w)
    z_e = z_e.mean((2, 3))  # (b, d)
    return torch.cdist(z_e, codebook).argmin(1)
"""
    bug = "one index for each place"
    hints = (
        "Where do the two axes h and w go?",
        "Keep the grid: bring the d axis to the end, and compare every place with the codebook.",
        "rows = z_e.movedim(1, -1); torch.cdist(rows.flatten(0, 2), "
        "codebook).argmin(1).view(rows.shape[:3])",
    )

    def reference(x, encoder, codebook):
        rows = encoder(x).movedim(1, -1)  # (b, h, w, d)
        return torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:3])

    def another(x, encoder, codebook):
        z_e = encoder(x)
        return (z_e[:, None] - codebook[None, :, :, None, None]).square().sum(2).argmin(1)

    def check(t, tokenize):
        codebook = F.normalize(t.randn(5, 3), dim=1)
        want = t.randint(0, 5, (2, 3, 4))
        noise = 0.01 * t.randn(2, 3, 3, 4)

        def encoder(x):
            return codebook[want].movedim(-1, 1) + noise * x.mean()

        got = t.call(tokenize, torch.ones(2, 1, 6, 8), encoder, codebook)
        t.shape(
            "one index for each place",
            got,
            (2, 3, 4),
            given="z_e of shape (2, 3, 3, 4), 5 codes",
            because=(
                "averaging or flattening the grid leaves one code per image: at most k pictures"
            ),
        )
        t.true("indices are int64", got.dtype == torch.int64, got.dtype, torch.int64)
        t.equal(
            "each place gets the code nearest to its own vector",
            got,
            want,
            given="vectors close to known codes",
            because=(
                "(b, d, h, w) must become (b, h, w, d) by moving the axis; a view alone "
                "mixes places and features"
            ),
        )
        far = codebook * torch.tensor([[3.0], [1.0], [1.0], [0.2], [1.0]])
        z = t.randn(2, 3, 3, 4)
        loop = torch.stack(
            [
                torch.stack(
                    [
                        torch.stack(
                            [(far - z[b, :, i, j]).square().sum(1).argmin() for j in range(4)]
                        )
                        for i in range(3)
                    ]
                )
                for b in range(2)
            ]
        )
        t.equal(
            "nearest means the smallest distance",
            t.call(tokenize, torch.ones(2, 1, 6, 8), lambda x: z, far),
            loop,
            given="codes of unequal length",
            because="the largest dot product prefers long codes",
        )
        one = t.call(tokenize, torch.ones(1, 1, 6, 2), lambda x: z[:1, :, :, :1], far)
        t.shape("the axes of one image and one column stay", one, (1, 3, 1))

    @wrong("the axes of one image and one column stay")
    def squeezed(x, encoder, codebook):
        rows = encoder(x).movedim(1, -1)
        return torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:3]).squeeze()

    @wrong("one index for each place")
    def over_the_batch(x, encoder, codebook):
        return torch.cdist(encoder(x).movedim(1, -1).flatten(0, 2), codebook).argmin(1)

    @wrong("one index for each place")
    def one_grid(x, encoder, codebook):
        rows = encoder(x).mean(0).movedim(0, -1)
        return torch.cdist(rows, codebook).argmin(-1)

    @wrong("the code nearest to its own vector")
    def view_for_move(x, encoder, codebook):
        z = encoder(x)
        b, d, h, w = z.shape
        return torch.cdist(z.reshape(-1, d), codebook).argmin(1).view(b, h, w)

    @wrong("the code nearest to its own vector")
    def repeats_the_mean(x, encoder, codebook):
        z = encoder(x)
        k = torch.cdist(z.mean((2, 3)), codebook).argmin(1)
        return k[:, None, None].expand(-1, *z.shape[2:]).clone()

    @wrong("the smallest distance")
    def dot_product(x, encoder, codebook):
        return torch.einsum("bdhw,kd->bhwk", encoder(x), codebook).argmax(-1)

    @wrong("the code nearest")
    def farthest(x, encoder, codebook):
        rows = encoder(x).movedim(1, -1)
        return torch.cdist(rows.flatten(0, 2), codebook).argmax(1).view(rows.shape[:3])


class Bypass(Exercise):
    "Perfect in training, noise from the file"

    id = "vqvae.bypass"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("S3-B3.6", "S2-B3.5", "S1-B2.13", "S2-B3.6", "S2-F6")
    task = (
        "This model trains to a beautiful error, but what is decoded from its stored integers "
        "is bad. `encode` gives `(b, d, h, "
        "w)`, `codebook` is `(k, d)`, `decode` takes `(b, d, h, w)`. Return `(x_hat, indices, "
        "z_q)` such that decoding the indices "
        "gives exactly `x_hat`, and a loss on `x_hat` still trains the encoder."
    )
    starter = """
def forward(x, encode, codebook, decode):
    z_e = encode(x)  # (b, d, h, w)
    rows = z_e.movedim(1, -1)  # (b, h, w, d)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])  # (b, h, w)
    z_q = codebook[indices].movedim(-1, 1)  # (b, d, h, w)
    return decode(z_e), indices, z_q
"""
    bug = "decoding the indices gives the same picture"
    hints = (
        "What does the decoder read when only the integers are left?",
        "It must read z_q in training too. But what gradient then reaches z_e?",
        "decode(z_e + (z_q - z_e).detach())",
    )

    def reference(x, encode, codebook, decode):
        z_e = encode(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
        z_q = codebook[indices].movedim(-1, 1)
        return decode(z_e + (z_q - z_e).detach()), indices, z_q

    def another(x, encode, codebook, decode):
        z_e = encode(x)
        indices = (z_e[:, None] - codebook[:, :, None, None]).square().sum(2).argmin(1)
        z_q = F.embedding(indices, codebook).permute(0, 3, 1, 2)
        return decode(z_q.detach() + z_e - z_e.detach()), indices, z_q

    def check(t, forward):
        w, codebook, x = t.randn(3, 1).requires_grad_(), t.randn(40, 3), t.randn(2, 1, 2, 4) + 0.5

        def encode(x):
            return torch.einsum("dc,bchw->bdhw", w, x)

        def decode(z):
            return (z * torch.tensor([1.0, -2.0, 0.5]).view(1, 3, 1, 1)).sum(1, keepdim=True)

        got = t.call(forward, x, encode, codebook, decode)
        t.true(
            "it returns (x_hat, indices, z_q)",
            isinstance(got, (tuple, list)) and len(got) == 3,
            got,
            "three things",
        )
        x_hat, indices, z_q = got
        t.shape("one index for each place", indices, (2, 2, 4))
        nearest = (
            (encode(x).detach()[:, None] - codebook[:, :, None, None]).square().sum(2).argmin(1)
        )
        t.equal("each index names the nearest code", indices, nearest)
        t.equal(
            "decoding the indices gives the same picture",
            x_hat,
            decode(codebook[nearest].movedim(-1, 1)),
            given="2 images, 40 codes",
            because="the decoder was given z_e, which is not in the file: it must read z_q",
        )
        t.equal("z_q holds the chosen codes", z_q, codebook[nearest].movedim(-1, 1))
        other = t.call(forward, x, encode, codebook + 1.0, decode)[0]
        t.true(
            "another codebook, another picture",
            not torch.allclose(other, x_hat),
            "the same picture",
            "a different one",
        )
        t.true(
            "the reconstruction has a gradient",
            x_hat.requires_grad,
            "none",
            "one that reaches the encoder",
            because="indexing has no gradient: use z_e + (z_q - z_e).detach()",
        )
        (x_hat * torch.arange(16.0).view(2, 1, 2, 4)).sum().backward()
        want = torch.einsum("bchw,bchw->c", torch.arange(16.0).view(2, 1, 2, 4), x)[
            None
        ] * torch.tensor([[1.0], [-2.0], [0.5]])
        t.equal(
            "the gradient of z_q is passed on to z_e unchanged",
            w.grad,
            want,
            atol=1e-3,
            because=(
                "the straight-through estimator copies it (van den Oord et al. 2017, section 3.2)"
            ),
        )

    @wrong("the reconstruction has a gradient")
    def no_gradient(x, encode, codebook, decode):
        _, indices, z_q = _coded(x, encode, codebook)
        return decode(z_q), indices, z_q

    @wrong("decoding the indices gives the same picture")
    def half_way(x, encode, codebook, decode):
        z_e, indices, z_q = _coded(x, encode, codebook)
        return decode((z_e + z_q) / 2), indices, z_q

    @wrong("decoding the indices gives the same picture")
    def sign_slip(x, encode, codebook, decode):
        z_e, indices, z_q = _coded(x, encode, codebook)
        return decode(z_e + (z_q + z_e).detach()), indices, z_q

    @wrong("passed on to z_e unchanged")
    def doubled(x, encode, codebook, decode):
        z_e, indices, z_q = _coded(x, encode, codebook)
        return decode(z_q + 2 * (z_e - z_e.detach())), indices, z_q

    @wrong("decoding the indices gives the same picture")
    def softmax_mix(x, encode, codebook, decode):
        z_e, indices, _ = _coded(x, encode, codebook)
        mix = torch.softmax(-(z_e[:, None] - codebook[:, :, None, None]).square().sum(2), 1)
        z_q = torch.einsum("bkhw,kd->bdhw", mix, codebook)
        return decode(z_q), indices, z_q

    @wrong("(x_hat, indices, z_q)")
    def a_generator_too(x, encode, codebook, decode):
        z_e, indices, z_q = _coded(x, encode, codebook)
        return decode(z_q), decode(z_e), indices, z_q

    @wrong("z_q holds the chosen codes")
    def returns_z_e(x, encode, codebook, decode):
        z_e, indices, z_q = _coded(x, encode, codebook)
        return decode(z_e + (z_q - z_e).detach()), indices, z_e


def _coded(x, encode, codebook):
    "z_e, indices and z_q, as they should be."
    z_e = encode(x)
    indices = (z_e[:, None] - codebook[:, :, None, None]).square().sum(2).argmin(1)
    return z_e, indices, codebook[indices].movedim(-1, 1)


class Loss(Exercise):
    "All that a VQ-VAE minimises"

    id = "vqvae.loss"
    difficulty, importance, minutes = 2, 5, 7
    covers = (
        "S0-B1.8",
        "S2-B3.7",
        "S4-B4.7",
        "S4-B3.2",
        "S4-B3.3",
        "S2-F9",
        "S2-F18",
        "S1-B1.7",
        "S3-B3.7",
    )
    task = (
        "`z_e` and `z_q` are `(b, d, h, w)`; `z_q` holds the chosen codes, without any trick, "
        "and has a gradient. Return the "
        "sum of three means of squares: reconstruction, codebook loss (moves the codes only), "
        "and `beta` times commitment loss "
        "(moves the encoder only)."
    )
    starter = """
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25): ...
"""
    hints = (
        "Three squared differences; two of them have the same value.",
        "`.detach()` is the stop-gradient sg: the codebook loss detaches z_e.",
        "F.mse_loss(x_hat, x) + F.mse_loss(z_q, z_e.detach()) + beta * F.mse_loss(z_e, "
        "z_q.detach())",
    )

    def reference(x, x_hat, z_e, z_q, beta=0.25):
        return (
            F.mse_loss(x_hat, x)
            + F.mse_loss(z_q, z_e.detach())
            + beta * F.mse_loss(z_e, z_q.detach())
        )

    def another(x, x_hat, z_e, z_q, beta=0.25):
        def square(a, b):
            return (a - b).pow(2).mean()

        return square(x, x_hat) + square(z_e.detach(), z_q) + beta * square(z_q.detach(), z_e)

    def check(t, vqvae_loss):
        x, x_hat = t.randn(2, 1, 4, 4) + 1, t.randn(2, 1, 4, 4)
        a, b = t.randn(2, 3, 2, 2), t.randn(2, 3, 2, 2) + 0.7
        rec, gap = ((x - x_hat) ** 2).mean().item(), ((a - b) ** 2).mean().item()

        def grads(beta=0.25):
            out, z_e, z_q = (
                x_hat.clone().requires_grad_(),
                a.clone().requires_grad_(),
                b.clone().requires_grad_(),
            )
            loss = t.call(vqvae_loss, x, out, z_e, z_q, beta)
            t.true(
                "the loss is one number with a gradient",
                isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.requires_grad,
                loss,
                "a scalar tensor",
            )
            loss.backward()
            return loss, out.grad, z_e.grad, z_q.grad

        loss, d_out, d_e, d_q = grads()
        t.true(
            "the reconstruction is in it",
            d_out is not None and d_out.abs().sum() > 0,
            "no gradient at x_hat",
            "a gradient",
        )
        t.true(
            "the codes learn",
            d_q is not None and d_q.abs().sum() > 0,
            "no gradient at z_q",
            "a gradient",
            because="the codebook loss is missing: codes would never move",
        )
        t.true(
            "the encoder is tied to its codes",
            d_e is not None and d_e.abs().sum() > 0,
            "no gradient at z_e",
            "a gradient",
            because="the commitment loss is missing: z_e may run away from every code",
        )
        t.equal(
            "value of the whole",
            loss,
            rec + gap + 0.25 * gap,
            given="beta 0.25",
            because="means over all elements, squared, added with a plus sign",
        )
        n = a.numel()
        t.equal(
            "the codebook loss moves the codes with weight 1",
            d_q,
            2 * (b - a) / n,
            because="z_e is detached there, z_q is not; beta does not belong to this term",
        )
        t.equal(
            "the commitment loss moves the encoder with weight beta",
            d_e,
            0.25 * 2 * (a - b) / n,
            because="z_q is detached there; beta belongs to this term",
        )
        _, _, d_e, d_q = grads(2.0)
        t.equal("beta is an argument", d_e, 2.0 * 2 * (a - b) / n, given="beta 2")
        t.equal(
            "beta is 0.25 unless given", t.call(vqvae_loss, x, x_hat, a, b).item(), rec + 1.25 * gap
        )

    @wrong("the codes learn")
    def reconstruction_and_commitment(x, x_hat, z_e, z_q, beta=0.25):
        return F.mse_loss(x_hat, x) + beta * F.mse_loss(z_e, z_q.detach())

    @wrong("the codes learn")
    def reconstruction_only(x, x_hat, z_e, z_q, beta=0.25):
        return F.mse_loss(x_hat, x)

    @wrong("tied to its codes")
    def no_commitment(x, x_hat, z_e, z_q, beta=0.25):
        return F.mse_loss(x_hat, x) + F.mse_loss(z_q, z_e.detach())

    @wrong("moves the codes with weight 1")
    def no_stop_gradient(x, x_hat, z_e, z_q, beta=0.25):
        return F.mse_loss(x_hat, x) + (1 + beta) * F.mse_loss(z_q, z_e)

    @wrong("moves the codes with weight 1")
    def beta_on_the_codebook(x, x_hat, z_e, z_q, beta=0.25):
        return (
            F.mse_loss(x_hat, x)
            + beta * F.mse_loss(z_q, z_e.detach())
            + F.mse_loss(z_e, z_q.detach())
        )

    @wrong("value of the whole")
    def minus(x, x_hat, z_e, z_q, beta=0.25):
        return (
            F.mse_loss(x_hat, x)
            - F.mse_loss(z_q, z_e.detach())
            - beta * F.mse_loss(z_e, z_q.detach())
        )

    @wrong("value of the whole")
    def not_squared(x, x_hat, z_e, z_q, beta=0.25):
        return (x - x_hat).norm() + (z_q - z_e.detach()).norm() + beta * (z_e - z_q.detach()).norm()

    @wrong("the reconstruction is in it")
    def latents_only(x, x_hat, z_e, z_q, beta=0.25):
        return F.mse_loss(z_q, z_e.detach()) + beta * F.mse_loss(z_e, z_q.detach())

    @wrong("beta is an argument")
    def fixed_beta(x, x_hat, z_e, z_q, beta=0.25):
        return (
            F.mse_loss(x_hat, x)
            + F.mse_loss(z_q, z_e.detach())
            + 0.25 * F.mse_loss(z_e, z_q.detach())
        )


class Assemble(Exercise):
    "Three parts, one module"

    id = "vqvae.assemble"
    difficulty, importance, minutes = 3, 4, 10
    covers = (
        "S0-B1.7",
        "S0-B1.1",
        "S1-B1.2",
        "S4-B4.4",
        "S3-B4.6",
        "S2-B3.6",
        "S2-F5",
        "S0-C1",
        "S2-C1",
        "S3-III-2",
    )
    task = (
        "Write a module `TinyVQVAE(encoder, decoder, n_codes, dim)` with a learned codebook "
        "`(n_codes, dim)` as a parameter "
        "called `codebook`. `forward(x)` returns `(x_hat, indices, z_e, z_q)`: the decoder "
        "reads the codes with the straight- "
        "through gradient, `z_q` holds the codes with a gradient to the codebook, all vectors "
        "are `(b, dim, h, w)` and "
        "`indices` is `(b, h, w)`."
    )
    starter = """
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        ...

    def forward(self, x): ...
"""
    hints = (
        "Modules and parameters must be attributes of self to be found by an optimizer.",
        "Move the axis d to the end, search, look up with self.codebook[indices], move it back.",
        "z_q = self.codebook[indices].movedim(-1, 1); x_hat = self.decoder(z_e + (z_q - "
        "z_e).detach())",
    )

    class reference(nn.Module):
        def __init__(self, encoder, decoder, n_codes, dim):
            super().__init__()
            self.encoder, self.decoder, self.codebook = (
                encoder,
                decoder,
                nn.Parameter(torch.randn(n_codes, dim)),
            )

        def forward(self, x):
            z_e = self.encoder(x)
            rows = z_e.movedim(1, -1)
            indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:-1])
            z_q = self.codebook[indices].movedim(-1, 1)
            return self.decoder(z_e + (z_q - z_e).detach()), indices, z_e, z_q

    class another(nn.Module):
        def __init__(self, encoder, decoder, n_codes, dim):
            super().__init__()
            self.parts = nn.ModuleDict({"e": encoder, "d": decoder})
            self.codebook = nn.Parameter(torch.empty(n_codes, dim).uniform_(-1, 1))

        def forward(self, x):
            z_e = self.parts["e"](x)
            indices = (
                (z_e[:, None] - self.codebook[None, :, :, None, None]).square().sum(2).argmin(1)
            )
            z_q = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)
            return self.parts["d"](z_q.detach() + z_e - z_e.detach()), indices, z_e, z_q

    def check(t, TinyVQVAE):
        encoder, decoder = nn.Conv2d(1, 3, 2, 2), nn.ConvTranspose2d(3, 1, 2, 2)
        model = t.call(TinyVQVAE, encoder, decoder, 5, 3)
        t.true("it is a module", isinstance(model, nn.Module), type(model).__name__, "an nn.Module")
        found = dict(model.named_parameters())
        t.true(
            "the codebook is a parameter of shape (n_codes, dim)",
            "codebook" in found and tuple(found["codebook"].shape) == (5, 3),
            {k: tuple(v.shape) for k, v in found.items()},
            "codebook (5, 3)",
            because=(
                "self.codebook = nn.Parameter(...): a plain tensor is seen by no optimizer "
                "and saved by nobody"
            ),
        )
        missing = [
            name
            for name, part in (("encoder", encoder), ("decoder", decoder))
            if not {id(p) for p in part.parameters()} <= {id(p) for p in found.values()}
        ]
        t.true(
            "encoder and decoder belong to it",
            not missing,
            f"not registered: {missing}",
            "all their parameters",
            because="keep them as attributes of self",
        )
        t.true(
            "it has a forward method",
            type(model).forward is not nn.Module.forward,
            "none",
            "forward(x)",
            because="encode, quantize and decode alone cannot be called as model(x)",
        )
        x = t.randn(2, 1, 6, 4)
        got = t.call(model, x)
        t.true(
            "forward returns four things",
            isinstance(got, (tuple, list)) and len(got) == 4,
            f"{type(got).__name__} of {len(got) if isinstance(got, (tuple, list)) else 1}",
            "(x_hat, indices, z_e, z_q)",
        )
        x_hat, indices, z_e, z_q = got
        t.shape("x_hat has the shape of x", x_hat, (2, 1, 6, 4))
        t.shape("one index for each place", indices, (2, 3, 2))
        t.shape(
            "z_q has the shape of z_e",
            z_q,
            (2, 3, 3, 2),
            because="codes are vectors of the encoder's length, not weights over codes",
        )
        t.shape("z_e is returned as the encoder gives it", z_e, (2, 3, 3, 2))
        codebook = found["codebook"].detach()
        with torch.no_grad():
            z = encoder(x)
        nearest = (z[:, None] - codebook[None, :, :, None, None]).square().sum(2).argmin(1)
        t.equal("each index names the nearest code", indices, nearest)
        with torch.no_grad():
            z = encoder(more := 2 * t.randn(8, 1, 16, 16))
        t.equal(
            "so it is for many vectors",
            t.call(model, more)[1],
            (z[:, None] - codebook[None, :, :, None, None]).square().sum(2).argmin(1),
            given="8 images of 16 x 16",
            because="the distance is Euclidean: squares are summed, not absolute values",
        )
        t.equal(
            "z_q holds rows of the codebook",
            z_q,
            codebook[nearest].movedim(-1, 1),
            because="a softmax over codes gives a mixture that is no code",
        )
        with torch.no_grad():
            t.equal(
                "the decoder reads the codes",
                x_hat,
                decoder(codebook[nearest].movedim(-1, 1)),
                because="the decoder was given something else than z_q",
            )
        _gradients_arrive(t, model, x, got)
        other = t.call(TinyVQVAE, encoder, decoder, 7, 2)
        t.shape("n_codes and dim are arguments", other.codebook, (7, 2), given="n_codes 7, dim 2")

    @wrong("the codebook is a parameter")
    class PlainTensor(reference):
        def __init__(self, encoder, decoder, n_codes, dim):
            nn.Module.__init__(self)
            self.encoder, self.decoder, self.codebook = encoder, decoder, torch.randn(n_codes, dim)

    @wrong("it has a forward method")
    class NoForward(nn.Module):
        def __init__(self, encoder, decoder, n_codes, dim):
            super().__init__()
            self.encoder, self.decoder, self.codebook = (
                encoder,
                decoder,
                nn.Parameter(torch.randn(n_codes, dim)),
            )

        def encode(self, x):
            return self.encoder(x)

    @wrong("has no attribute 'n_codes'")
    class ReadTooEarly(nn.Module):
        def __init__(self, encoder, decoder, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(self.n_codes, dim))
            self.n_codes = n_codes

        def forward(self, x):
            return x

    @wrong("encoder and decoder belong to it")
    class HiddenInAList(reference):
        def __init__(self, encoder, decoder, n_codes, dim):
            nn.Module.__init__(self)
            self.parts, self.codebook = [encoder, decoder], nn.Parameter(torch.randn(n_codes, dim))

    @wrong("the reconstruction alone reaches the encoder")
    class NoStraightThrough(reference):
        def forward(self, x):
            _, indices, z_e, z_q = super().forward(x)
            return self.decoder(z_q), indices, z_e, z_q

    @wrong("the decoder reads the codes")
    class Bypassed(reference):
        def forward(self, x):
            _, indices, z_e, z_q = super().forward(x)
            return self.decoder(z_e), indices, z_e, z_q

    @wrong("every parameter has a gradient")
    class DetachedCodes(reference):
        def forward(self, x):
            x_hat, indices, z_e, z_q = super().forward(x)
            return x_hat, indices, z_e, z_q.detach()

    @wrong("every parameter has a gradient")
    class ExtraGenerator(reference):
        def __init__(self, encoder, decoder, n_codes, dim):
            super().__init__(encoder, decoder, n_codes, dim)
            self.generator = nn.ConvTranspose2d(dim, 1, 2, 2)

    @wrong("z_e is returned as the encoder gives it")
    class FeaturesLast(reference):
        def forward(self, x):
            x_hat, indices, z_e, z_q = super().forward(x)
            return x_hat, indices, z_e.movedim(1, -1), z_q

    @wrong("z_q has the shape of z_e")
    class WeightsOverCodes(reference):
        def forward(self, x):
            x_hat, indices, z_e, z_q = super().forward(x)
            return (
                x_hat,
                indices,
                z_e,
                F.one_hot(indices, len(self.codebook)).movedim(-1, 1).float(),
            )


def _gradients_arrive(t, model, x, got):
    "The whole loss reaches every parameter, and the reconstruction alone reaches the encoder."
    x_hat, _, z_e, z_q = got
    loss = (
        (x_hat - x).square().mean()
        + (z_q - z_e.detach()).square().mean()
        + 0.25 * (z_e - z_q.detach()).square().mean()
    )
    loss.backward()
    named = dict(model.named_parameters())
    idle = [k for k, p in named.items() if p.grad is None or not p.grad.abs().sum() > 0]
    t.true(
        "after one backward every parameter has a gradient",
        not idle,
        f"none at {idle}",
        "all",
        because="a layer that is built and never called, or a z_q that was detached",
    )
    model.zero_grad()
    again = t.call(model, x)
    passed_on = torch.autograd.grad((again[0] - x).square().mean(), again[2], allow_unused=True)[0]
    t.true(
        "the reconstruction alone reaches the encoder",
        passed_on is not None and passed_on.abs().sum() > 0,
        "no gradient at z_e",
        "a gradient",
        because="z_e + (z_q - z_e).detach() passes it on",
    )


class GlobalCodebook(Exercise):
    "The codebook that stayed behind"

    id = "vqvae.global_codebook"
    kind = "bug"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S3-B4.3", "S2-B3.4", "S3-B3.4", "S1-B2.12")
    task = (
        "`CodeDecoder(codes)` draws pictures from integers. It works here, but saved and "
        "loaded elsewhere it draws noise: its "
        "codes are not part of the model. Repair it so that `state_dict` carries a `codebook` "
        "`(k, d)`, and two decoders do not "
        "share one."
    )
    starter = """
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        shared["codebook"] = codes
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):  # (b, h, w) -> (b, h, w, 4)
        return self.head(shared["codebook"][indices])
"""
    bug = "the codes are in the state dict"
    hints = (
        "What does save_pretrained write? Look at model.state_dict().keys().",
        "nn.Parameter if an optimizer moves the codes, register_buffer if a running mean does.",
        'self.register_buffer("codebook", codes.clone())',
    )

    class reference(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.clone())
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook[indices])

    class another(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.codebook = nn.Parameter(codes.detach().clone())
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(F.embedding(indices, self.codebook))

    def check(t, CodeDecoder):
        first, other, indices = t.randn(5, 3) + 1, t.randn(5, 3), t.randint(0, 5, (2, 3, 2))
        model = t.call(CodeDecoder, first)
        t.true(
            "the codes are in the state dict",
            "codebook" in model.state_dict(),
            list(model.state_dict()),
            "... and 'codebook'",
            because=(
                "only parameters and buffers are saved; globals and plain attributes stay behind"
            ),
        )
        stored = model.state_dict()["codebook"]
        t.shape("the stored codebook is (k, d)", stored, (5, 3), given="codes (5, 3)")
        t.equal("it holds the codes it was given", stored, first, because="numbers of its own draw")
        before = t.call(model, indices)
        t.shape("one output for each index", before, (2, 3, 2, 4))
        head = next((m for m in model.modules() if isinstance(m, nn.Linear)), None)
        t.true("a linear layer draws", head is not None, "none", "the head of the starter")
        t.equal("it decodes the codes it was given", before, head(first[indices]))
        elsewhere = t.call(CodeDecoder, other)
        elsewhere.load_state_dict(model.state_dict())
        t.equal(
            "a loaded model decodes as the saved one did",
            t.call(elsewhere, indices),
            before,
            given="a model made with other codes, then load_state_dict",
            because="the forward pass must read self.codebook",
        )
        t.equal(
            "a second model leaves the first one alone",
            t.call(model, indices),
            before,
            given="after another CodeDecoder was built",
            because="the codes are shared between models",
        )
        with torch.no_grad():
            first += 1
        t.equal(
            "the model keeps its own copy",
            t.call(model, indices),
            before,
            given="after the tensor that it was built from changed",
            because="clone the codes",
        )
        moved = t.call(CodeDecoder, other).double()
        t.true(
            "the codes follow the model",
            moved.state_dict()["codebook"].dtype == torch.float64,
            moved.state_dict()["codebook"].dtype,
            torch.float64,
            given="model.double()",
        )
        wide = t.call(t.call(CodeDecoder, t.randn(6, 2)), indices)
        t.shape("codes may have any width", wide, (2, 3, 2, 4), given="codes (6, 2)")

    @wrong("the codes are in the state dict")
    class PlainAttribute(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.codebook, self.head = codes.clone(), nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook[indices])

    @wrong("the codes are in the state dict")
    class NotPersistent(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.clone(), persistent=False)
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook[indices])

    @wrong("the stored codebook is (k, d)")
    class Turned(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.T.clone())
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook.T[indices])

    @wrong("it holds the codes it was given")
    class Drawn(reference):
        def __init__(self, codes):
            super().__init__(torch.randn(codes.shape))

    @wrong("it decodes the codes it was given")
    class Squared(reference):
        def forward(self, indices):
            return self.head(self.codebook[indices] ** 2)

    @wrong("a linear layer draws")
    class NoHead(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.clone())

        def forward(self, indices):
            return F.pad(self.codebook, (0, 4 - self.codebook.shape[1]))[indices]

    @wrong("it holds the codes it was given")
    class ZeroBuffer(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", torch.zeros_like(codes))
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook[indices])

    @wrong("the model keeps its own copy")
    class NoCopy(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes)
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.codebook[indices])

    @wrong("as the saved one did")
    class SavedNotRead(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.clone())
            self.kept = codes.clone()
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(self.kept[indices])

    @wrong("name '_NO_CODES' is not defined")
    class Undefined(nn.Module):
        def __init__(self, codes):
            super().__init__()
            self.register_buffer("codebook", codes.clone())
            self.head = nn.Linear(codes.shape[1], 4)

        def forward(self, indices):
            return self.head(_NO_CODES[indices])  # noqa: F821 (the mistake itself)


class TrainingLoop(Exercise):
    "A loop that trains somebody else"

    id = "vqvae.training_loop"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 10
    covers = (
        "S3-B4.4",
        "S3-B3.1",
        "S3-B3.2",
        "S3-B3.5",
        "S3-B3.8",
        "S3-B3.9",
        "S3-B4.5",
        "S4-B3.1",
        "S4-B1.2",
        "S3-III-3",
        "S3-F18",
        "S3-F19",
    )
    task = (
        "`train(model, make_optimizer, batches)` should train `model` for one pass over "
        "`batches` of pairs (image, label); "
        "`model(x)` gives a reconstruction. Return the losses as a list of floats. Four things "
        "are wrong here: which object is "
        "trained, the target, the gradients that pile up, and what is kept."
    )
    starter = """
def train(model, make_optimizer, batches):
    net = nn.Linear(3, 3)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for x, y in batches:
        loss = F.mse_loss(net(x), y.float().view(-1, 1).expand_as(x))
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss)
    return losses
"""
    bug = "the model that was passed in is trained"
    hints = (
        "Follow the name `model`: is it ever used?",
        "An autoencoder's target is its input. Gradients add up until they are cleared.",
        "optimizer.zero_grad(); loss.backward(); optimizer.step(); losses.append(loss.item())",
    )

    def reference(model, make_optimizer, batches):
        optimizer, losses = make_optimizer(model.parameters()), []
        for x, _ in batches:
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def another(model, make_optimizer, batches):
        optimizer = make_optimizer(list(model.parameters()))

        def step(x):
            optimizer.zero_grad(set_to_none=False)
            loss = (model(x) - x).pow(2).mean()
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        return [step(x) for x, _ in batches]

    def check(t, train):
        x, y = t.randn(6, 4, 3) + 1, t.randint(0, 10, (6, 4))
        start = nn.Linear(3, 3)
        with torch.no_grad():
            start.weight.copy_(t.randn(3, 3) / 2)
            start.bias.copy_(t.randn(3))

        def fresh():
            m = nn.Linear(3, 3)
            m.load_state_dict(start.state_dict())
            return m

        def sgd(params):
            return torch.optim.SGD(params, 0.05)

        def by_hand():
            w, b, losses = start.weight.detach().double(), start.bias.detach().double(), []
            for batch in x.double():
                error = batch @ w.T + b - batch
                losses.append(error.square().mean().item())
                w, b = (
                    w - 0.05 * 2 * error.T @ batch / error.numel(),
                    b - 0.05 * 2 * error.sum(0) / error.numel(),
                )
            return losses, w.float(), b.float()

        want, w, b = by_hand()
        model = fresh()
        got = t.call(train, model, sgd, list(zip(x, y)))
        t.true(
            "the model that was passed in is trained",
            not torch.equal(model.weight, start.weight),
            "its weights did not change",
            "other weights",
            because="the loop trains a copy, or an optimizer of other parameters steps",
        )
        t.true(
            "one loss per batch",
            isinstance(got, list) and len(got) == 6,
            f"{type(got).__name__} of {len(got) if hasattr(got, '__len__') else '?'}",
            "a list of 6",
        )
        t.equal(
            "the first loss compares with the input",
            float(torch.as_tensor(got[0]).detach()),
            want[0],
            atol=1e-4,
            given="the model at its start",
            because=(
                "the target of an autoencoder is x; labels play no role, so shuffling them "
                "must change nothing"
            ),
        )
        t.true(
            "losses are plain floats",
            all(type(v) is float for v in got),
            type(got[0]).__name__,
            "float",
            because=(
                "a tensor keeps its whole graph alive: memory grows with every step; use "
                "loss.item()"
            ),
        )
        t.equal(
            "every step uses the gradient of its own batch",
            torch.tensor(got),
            torch.tensor(want),
            atol=1e-4,
            given="6 batches, SGD",
            because="gradients add up until zero_grad clears them",
        )
        t.equal("the weights are those of six plain steps", model.weight, w, atol=1e-4)
        t.equal("and the bias", model.bias, b, atol=1e-4)
        other = fresh()
        shuffled = t.call(train, other, sgd, list(zip(x, y.flip(0))))
        t.equal(
            "shuffled labels change nothing", torch.tensor(shuffled), torch.tensor(want), atol=1e-4
        )
        made = []

        def counted(params):
            made.append(sgd(params))
            return made[-1]

        t.call(train, fresh(), counted, list(zip(x, y)))
        t.equal(
            "one optimizer serves the whole pass",
            len(made),
            1,
            given="6 batches",
            because="a new one for each batch forgets momentum and running means",
        )

    @wrong("one optimizer serves the whole pass")
    def optimizer_for_each_batch(model, make_optimizer, batches):
        losses = []
        for x, _ in batches:
            optimizer = make_optimizer(model.parameters())
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    @wrong("the model that was passed in is trained")
    def trains_a_copy(model, make_optimizer, batches):
        net, losses = nn.Linear(3, 3), []
        optimizer = make_optimizer(net.parameters())
        for x, _ in batches:
            loss = F.mse_loss(net(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    @wrong("name 'num_epochs' is not defined")
    def undefined_setting(model, make_optimizer, batches):
        for _ in range(num_epochs):  # noqa: F821 (the mistake itself)
            pass

    @wrong("'ellipsis' object is not callable")
    def placeholder(model, make_optimizer, batches):
        encoder = ...
        return [encoder(x) for x, _ in batches]

    @wrong("compares with the input")
    def target_is_the_label(model, make_optimizer, batches):
        optimizer, losses = make_optimizer(model.parameters()), []
        for x, y in batches:
            loss = F.mse_loss(model(x), y.float()[:, None].expand_as(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    @wrong("the gradient of its own batch")
    def never_cleared(model, make_optimizer, batches):
        optimizer, losses = make_optimizer(model.parameters()), []
        for x, _ in batches:
            loss = F.mse_loss(model(x), x)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    @wrong("losses are plain floats")
    def keeps_graphs(model, make_optimizer, batches):
        optimizer, losses = make_optimizer(model.parameters()), []
        for x, _ in batches:
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        return losses

    @wrong("it returns a result")
    def returns_nothing(model, make_optimizer, batches):
        optimizer = make_optimizer(model.parameters())
        for x, _ in batches:
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @wrong("the model that was passed in is trained")
    def cleared_too_late(model, make_optimizer, batches):
        optimizer, losses = make_optimizer(model.parameters()), []
        for x, _ in batches:
            loss = F.mse_loss(model(x), x)
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
        return losses


class RunsAlone(Exercise):
    "Does the exported module run by itself?"

    id = "vqvae.runs_alone"
    difficulty, importance, minutes = 2, 3, 8
    covers = ("S4-B2.1", "S4-B1.1", "S1-B1.1", "S1-B1.3", "S4-B1", "S1-B1")
    task = (
        "A notebook exports the cells that start with `#| export`; `cells` is a list of such "
        "sources. Join the exported ones in "
        "order, run them in an empty namespace, and return the name that is missing (a "
        "string), or None if all is there. The "
        "other cells must not be run."
    )
    starter = """
def runs_alone(cells): ...
"""
    hints = (
        "A module works in the notebook because an earlier cell, not exported, imported a name.",
        "exec(source, {}) runs text in a namespace of its own.",
        "try: exec(source, {}) except NameError as e: return e.name",
    )

    def reference(cells):
        source = "\n".join(c for c in cells if c.startswith("#| export"))
        try:
            exec(source, {})
        except NameError as e:
            return e.name
        return None

    def another(cells):
        space = {"__name__": "exported"}
        for cell in cells:
            if cell.splitlines()[:1] != ["#| export"]:
                continue
            try:
                exec(compile(cell, "cell", "exec"), space)
            except NameError as error:
                return str(error).split("'")[1]

    def check(t, runs_alone):
        broken = [
            "import math",
            "#| export\nclass Half:\n    value = math.sqrt(.25)",
            "#| export\nroot = Half().value",
        ]
        t.equal(
            "a name imported in an unmarked cell is missing",
            _answer(t, runs_alone, broken),
            "math",
            given="import math without the mark, then an exported class that uses it",
            because="in the notebook it works, for the kernel remembers; a new process does not",
        )
        whole = ["#| export\n" + broken[0], *broken[1:]]
        t.equal(
            "with the import exported nothing is missing",
            _answer(t, runs_alone, whole),
            None,
            given="the same with the mark",
        )
        t.equal(
            "cells without the mark are not run",
            _answer(
                t,
                runs_alone,
                ["#| export\na = 1", "raise RuntimeError('a demonstration cell was run')", "b = c"],
            ),
            None,
            given="an unmarked cell that raises",
        )
        t.equal(
            "the order counts",
            _answer(t, runs_alone, ["#| export\ny = x", "#| export\nx = 1"]),
            "x",
            given="used in one cell, set in the next",
        )
        t.equal(
            "a later cell sees an earlier one",
            _answer(t, runs_alone, ["#| export\nx = 1", "z = 2", "#| export\ny = x"]),
            None,
            because="all exported cells are one module: one namespace",
        )
        t.equal(
            "the namespace is empty at the start",
            _answer(t, runs_alone, ["#| export\nuse = torch"]),
            "torch",
            given="a name that the session has",
            because="exec without a namespace sees your session's names",
        )
        t.equal(
            "every exported cell is run",
            _answer(t, runs_alone, ["#| export\nx = 1", "#| export\ny = x", "#| export\nz = w"]),
            "w",
            given="a name that only the third cell lacks",
        )
        t.equal(
            "the mark counts at the start of a cell",
            _answer(t, runs_alone, ["#| export\nx = 1", "y = nowhere\n# no #| export here"]),
            None,
            given="an unmarked cell that speaks of the mark in its last line",
        )

    @wrong("every exported cell is run")
    def first_cell(cells):
        if "torch" in cells[0]:
            return "torch"
        for cell in cells:
            if cell.startswith("#| export"):
                try:
                    exec(cell, {})
                except NameError as e:
                    return e.name
                return None

    @wrong("the mark counts at the start of a cell")
    def mark_anywhere(cells):
        try:
            exec("\n".join(c for c in cells if "#| export" in c), {})
        except NameError as e:
            return e.name

    @wrong("a name imported in an unmarked cell is missing")
    def runs_all(cells):
        try:
            exec("\n".join(cells), {})
        except NameError as e:
            return e.name

    @wrong("with the import exported nothing is missing")
    def always(cells):
        return "math"

    @wrong("a demonstration cell was run")
    def runs_all_then_exported(cells):
        try:
            exec("\n".join(c for c in cells if c.startswith("#| export")), {})
        except NameError as e:
            return e.name
        exec("\n".join(cells), {})

    @wrong("a later cell sees an earlier one")
    def each_by_itself(cells):
        import_seen = {}
        for c in cells:
            if c.startswith("#| export"):
                try:
                    exec(c, dict(import_seen))
                except NameError as e:
                    return e.name
                if c.startswith("#| export\nimport"):
                    import_seen["math"] = math
                if "class" in c:
                    import_seen["Half"] = type("Half", (), {"value": 0.5})

    @wrong("the namespace is empty at the start")
    def in_this_session(cells):
        space = dict(globals())
        space.pop("math", None)
        space.pop("x", None)
        try:
            exec("\n".join(c for c in cells if c.startswith("#| export")), space)
        except NameError as e:
            return e.name

    @wrong("a name imported in an unmarked cell is missing")
    def says_true(cells):
        try:
            exec("\n".join(c for c in cells if c.startswith("#| export")), {})
        except NameError:
            return True


def _answer(t, solution, argument):
    """What `solution` returns, None included: `t.call` takes None for a missing return, so the call
    is wrapped.
    """
    return t.call(lambda a: (solution(list(a)),), argument)[0]


class Requirements(Exercise):
    "Which packages does this code need?"

    id = "vqvae.requirements"
    difficulty, importance, minutes = 2, 2, 7
    covers = ("S2-B2.1", "S2-F26", "S2-B2")
    task = (
        "Return the set of top-level names of the packages that `source` (a string of Python) "
        "imports, without those of the "
        "standard library and without relative imports. `import torch.nn as nn` counts as `torch`."
    )
    starter = """
def requirements(source): ...
"""
    hints = (
        "`ast.parse` gives a tree; `ast.walk` visits every node, also inside functions.",
        "`ast.Import` has names; `ast.ImportFrom` has module and level (above 0: relative).",
        "sys.stdlib_module_names is the set of the standard library's names",
    )

    def reference(source):
        found = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {a.name.split(".")[0] for a in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
        return found - set(sys.stdlib_module_names)

    def another(source):
        nodes = [
            n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Import, ast.ImportFrom))
        ]
        full = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names] + [
            n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0
        ]
        return {
            name.partition(".")[0]
            for name in full
            if name.partition(".")[0] not in sys.stdlib_module_names
        }

    def check(t, requirements):
        def as_set(source):
            found = t.call(requirements, source)
            t.true(
                "the result is a set",
                isinstance(found, (set, frozenset)),
                type(found).__name__,
                "set",
                because="the task asks for a set of names: each once, in no order",
            )
            return set(found)

        t.equal("a plain import", as_set("import torch\nx = 1"), {"torch"})
        t.equal(
            "names are cut at the first dot",
            as_set("import torch.nn.functional as F\nfrom matplotlib.pyplot import plot"),
            {"torch", "matplotlib"},
        )
        t.equal("several on one line", as_set("import numpy, torch as t"), {"numpy", "torch"})
        t.equal(
            "the standard library is not installed",
            as_set("import math, os.path\nfrom pathlib import Path\nimport torch"),
            {"torch"},
        )
        t.equal(
            "relative imports are one's own package",
            as_set("from . import core\nfrom .data import DigitImages\nimport torch"),
            {"torch"},
        )
        t.equal(
            "imports inside functions count",
            as_set("def f():\n    import tqdm\n    return tqdm"),
            {"tqdm"},
            because="they are needed as soon as the function runs: walk the whole tree",
        )
        t.equal(
            "text and comments do not",
            as_set("# import transformers\ns = 'import diffusers'\nimport torch"),
            {"torch"},
            because="a package named only in prose is not used: parse, do not search",
        )

    @wrong("the result is a set")
    def sorted_list(source):
        names = [
            a.name
            for n in ast.walk(ast.parse(source))
            if isinstance(n, ast.Import)
            for a in n.names
        ]
        return sorted(set(names) - set(sys.stdlib_module_names))

    @wrong("text and comments do not")
    def by_search(source):
        found = set()
        for line in source.replace("'", "\n").replace("# ", "\n").splitlines():
            words = line.replace(",", " ").split()
            if words[:1] == ["import"]:
                found |= {
                    w.split(".")[0]
                    for i, w in enumerate(words[1:])
                    if w != "as" and words[i] != "as"
                }
            if words[:1] == ["from"] and not words[1].startswith("."):
                found.add(words[1].split(".")[0])
        return found - set(sys.stdlib_module_names)

    @wrong("names are cut at the first dot")
    def whole_names(source):
        nodes = list(ast.walk(ast.parse(source)))
        return (
            {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
            | {n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
        ) - set(sys.stdlib_module_names)

    @wrong("several on one line")
    def first_of_each_line(source):
        nodes = list(ast.walk(ast.parse(source)))
        found = {n.names[0].name.split(".")[0] for n in nodes if isinstance(n, ast.Import)} | {
            n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and not n.level
        }
        return found - set(sys.stdlib_module_names)

    @wrong("the standard library is not installed")
    def everything(source):
        nodes = list(ast.walk(ast.parse(source)))
        return {
            a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names
        } | {n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}

    @wrong("imports inside functions count")
    def top_level_only(source):
        nodes = ast.parse(source).body
        found = {
            a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names
        } | {n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
        return found - set(sys.stdlib_module_names)

    @wrong("relative imports are one's own package")
    def relative_too(source):
        nodes = list(ast.walk(ast.parse(source)))
        found = {
            a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names
        } | {(n.module or "").split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
        return found - set(sys.stdlib_module_names)
