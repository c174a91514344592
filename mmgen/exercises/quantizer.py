"""Exercises of the quantizer notebook."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Exercise, wrong


def brute(z, codebook):
    "Oracle: index of the nearest code of each row, pair by pair in Python numbers."

    def far(v, e):
        return math.fsum((a - b) ** 2 for a, b in zip(v, e))

    return torch.tensor(
        [min(range(len(codebook)), key=lambda k: far(v, codebook.tolist()[k])) for v in z.tolist()]
    )


# from 0 the nearest of these rows is row 1; in absolute differences row 0, by the largest one row 2
NORMS = torch.tensor([[2.0, 0.0, 0.0], [1.1, 1.1, 0.0], [1.0, 1.0, 1.0]])
ROOTS = "the root of the sum of squares: not the largest or the summed absolute difference"


class Nearest(Exercise):
    "Index of the nearest code"

    id = "quantizer.nearest"
    difficulty, importance, minutes = 1, 5, 5
    covers = ("S2-F17", "S4-B4.2", "S4-B4.3", "S2-B3.1", "S2-B3.3", "S2-B3")
    task = (
        "Given vectors `z` (n, d) and a `codebook` (k, d), return the index (n,) of the "
        "nearest code of each row. No Python "
        "loop."
    )
    starter = """
def nearest(z, codebook):  # (n, d), (k, d) -> (n,)
    ...
"""
    hints = (
        "All pairs are needed: a table with one row per vector and one column per code.",
        "torch.cdist gives the table; or expand the square. Over which axis does each vector "
        "choose?",
        "torch.cdist(z, codebook).argmin(1)",
    )

    def reference(z, codebook):
        return torch.cdist(z, codebook).argmin(1)

    def another(z, codebook):
        return (codebook.square().sum(1) - 2 * z @ codebook.T).argmin(1)

    def another2(z, codebook):
        return (z[:, None] - codebook[None]).square().sum(-1).min(1).indices

    def check(t, nearest):
        z, codebook = t.randn(5, 3) + 0.5, t.randn(7, 3) * 2
        got = t.call(nearest, z, codebook)
        t.shape(
            "one index per row of z",
            got,
            (5,),
            given="5 rows of width 3, 7 codes",
            because=(
                "an argmin over axis 0 gives one index per code; without an axis, one for "
                "the whole batch"
            ),
        )
        t.equal(
            "each index names the nearest code",
            got,
            brute(z, codebook),
            given="5 rows of width 3, 7 codes of different length",
            because="the largest product is the nearest code only when all codes are equally long",
        )
        z, codebook = t.randn(60, 8), t.randn(40, 8)
        t.equal(
            "near means the length of the difference",
            t.call(nearest, z, codebook),
            brute(z, codebook),
            given="60 rows of width 8, 40 codes",
            because="the root of the sum of squares: not the largest or the summed difference",
        )
        z, codebook = t.randn(6, 3), t.randn(6, 3)
        t.equal(
            "as many rows as codes",
            t.call(nearest, z, codebook),
            brute(z, codebook),
            given="6 rows, 6 codes",
            because=(
                "z - codebook then pairs row i with code i and nothing complains; z[:, "
                "None] - codebook forms all pairs"
            ),
        )
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        t.equal(
            "permuting the batch permutes the indices",
            t.call(nearest, z[order], codebook),
            brute(z, codebook)[order],
            given="the rows in another order",
            because="an index must depend on its own row only",
        )
        few, many = ((t.randn(n, 3), t.randn(n + 1, 3)) for n in (4, 9))
        t.no_loop(
            nearest, few, many, because="a loop over rows is a thousand times slower on a GPU"
        )

    @wrong("one index per row of z")
    def over_the_wrong_axis(z, codebook):
        return torch.cdist(z, codebook).argmin(0)

    @wrong("one index per row of z")
    def one_for_the_whole_batch(z, codebook):
        return torch.cdist(z, codebook).sum(0).argmin()

    @wrong("must match the size")
    def rows_against_codes(z, codebook):
        return (z - codebook).square().sum(1).argmin(0)

    @wrong("as many rows as codes")
    def pairs_when_square(z, codebook):
        if len(z) == len(codebook):
            return (z - codebook).square().sum(1).argsort()
        return torch.cdist(z, codebook).argmin(1)

    @wrong("each index names the nearest code")
    def largest_product(z, codebook):
        return (z @ codebook.T).argmax(1)

    @wrong("each index names the nearest code")
    def logits_summed_over_the_batch(z, codebook):
        return (z @ codebook.T).sum(0).argmax().expand(len(z))

    @wrong("near means the length of the difference")
    def largest_difference(z, codebook):
        if z.shape[1] < 8:
            return torch.cdist(z, codebook).argmin(1)
        return torch.cdist(z, codebook, p=float("inf")).argmin(1)

    @wrong("near")
    def third_powers(z, codebook):
        return torch.cdist(z, codebook, p=3).argmin(1)

    @wrong("near")
    def summed_differences(z, codebook):
        return torch.cdist(z, codebook, p=1).argmin(1)

    @wrong("each index names the nearest code")
    def farthest(z, codebook):
        return torch.cdist(z, codebook).argmax(1)

    @wrong("no Python loop")
    def row_by_row(z, codebook):
        return torch.stack([(row - codebook).square().sum(1).argmin() for row in z])


class Pairs(Exercise):
    "Every vector with every code"

    id, kind = "quantizer.pairs", "bug"
    difficulty, importance, minutes = 2, 4, 5
    covers = ("S4-B4.2", "S4-B4.3", "S2-B3.1", "S2-B3.3", "S2-B3")
    bug = "must match the size"
    task = (
        "`code_indices(z, codebook)` shall return, for `z` `(..., d)` with any axes before the "
        "last and `codebook` `(k, d)`, the index "
        "`(...)` of the code nearest to each vector. One fault hides another, and where there "
        "are as many vectors as codes nothing "
        "complains. Repair it."
    )
    starter = """
def code_indices(z, codebook):  # (..., d), (k, d) -> (...)
    distances = (z - codebook).square().sum(-1)
    return distances.min(dim=1).indices
"""
    hints = (
        "Write the shape of `z - codebook` beside the line. How many distances should there be?",
        "Each vector needs k distances: an axis of length 1 before the last of z meets the k "
        "codes.",
        "(z[..., None, :] - codebook).square().sum(-1).argmin(-1)",
    )

    def reference(z, codebook):
        return (z[..., None, :] - codebook).square().sum(-1).argmin(-1)

    def another(z, codebook):
        return torch.cdist(z.reshape(-1, z.shape[-1]), codebook).argmin(1).view(z.shape[:-1])

    def another2(z, codebook):
        return (codebook.square().sum(1) - 2 * z @ codebook.T).min(-1).indices

    def check(t, code_indices):
        z, codebook = t.randn(2, 5, 3) + 0.5, t.randn(7, 3) * 2
        got, nearest = (
            t.call(code_indices, z, codebook),
            brute(z.flatten(0, 1), codebook).view(2, 5),
        )
        t.shape(
            "one index per vector",
            got,
            (2, 5),
            given="z (2, 5, 3), 7 codes",
            because=(
                "a min over the vectors' axis gives one vector per code; flattened axes "
                "must come back"
            ),
        )
        t.equal(
            "each index names the nearest code",
            got,
            nearest,
            given="z (2, 5, 3), 7 codes of different length",
            because="k distances for every vector, and the smallest of them; each vector by itself",
        )
        z, codebook = t.randn(6, 3), t.randn(6, 3)
        t.equal(
            "as many vectors as codes",
            t.call(code_indices, z, codebook),
            brute(z, codebook),
            given="z (6, 3), 6 codes",
            because="z - codebook then pairs row i with code i and nothing complains",
        )
        t.equal(
            "one vector alone",
            t.call(code_indices, z[4], codebook),
            brute(z, codebook)[4],
            given="z (3,), 6 codes",
            because="no axis before the last, so the index has none",
        )

    @wrong("must match the size")
    def row_against_code(z, codebook):
        return (z - codebook).square().sum(-1).argmin(-1)

    @wrong("one index per vector")
    def over_the_vectors(z, codebook):
        return (z[..., None, :] - codebook).square().sum(-1).flatten(0, -2).min(0).indices

    @wrong("one index per vector")
    def one_for_all(z, codebook):
        return (z[..., None, :] - codebook).square().sum(-1).flatten(0, -2).sum(0).argmin()

    @wrong("one index per vector")
    def left_flat(z, codebook):
        return torch.cdist(z.reshape(-1, z.shape[-1]), codebook).argmin(1)

    @wrong("each index names the nearest code")
    def largest_product(z, codebook):
        return (z @ codebook.T).argmax(-1)

    @wrong("each index names the nearest code")
    def mixed_over_the_batch(z, codebook):
        return (z @ codebook.T).sum(0, keepdim=True).argmax(-1).expand(z.shape[:-1])

    @wrong("as many vectors as codes")
    def pairs_where_it_can(z, codebook):
        if z.shape == codebook.shape:
            return (z - codebook).square().argmin(-1)
        return (z[..., None, :] - codebook).square().sum(-1).argmin(-1)

    @wrong("one vector alone")
    def always_a_batch(z, codebook):
        return (
            torch.cdist(z, codebook).argmin(-1)
            if z.ndim > 1
            else torch.cdist(z[None], codebook).argmin(-1)
        )


class Buildable(Exercise):
    "A quantizer that can be built"

    id, kind = "quantizer.buildable", "bug"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S0-B1.1", "S0-B1.3", "S0-B1.4", "S0-F18")
    bug = "no attribute 'n_codes'"
    task = (
        "`TinyQuantizer(n_codes, dim)` shall hold one table of codes, and `forward(z)`, for "
        "`z` (n, dim), return the nearest "
        "codes (n, dim) and their indices (n,). Three things are wrong with it. Gradients are "
        "not asked for."
    )
    starter = """
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(self.n_codes, dim))
        self.n_codes = n_codes

    def forward(self, z):  # (n, d) -> (n, d), (n,)
        weights = (z @ self.codebook.T).softmax(1)
        return weights, weights.argmax(1)
"""
    hints = (
        "Read __init__ in the order in which Python does.",
        "What shape has `weights`, and what does a decoder of width dim expect?",
        "indices = torch.cdist(z, self.codebook).argmin(1); return self.codebook[indices], indices",
    )

    class reference(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            indices = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[indices], indices

    class another(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.table = nn.Embedding(n_codes, dim)

        def forward(self, z):
            indices = (self.table.weight.square().sum(1) - 2 * z @ self.table.weight.T).argmin(1)
            return self.table(indices), indices

    def check(t, TinyQuantizer):
        q = t.call(TinyQuantizer, 9, 4)
        t.equal(
            "the table of codes is all it has",
            sum(p.numel() for p in q.parameters()),
            36,
            given="TinyQuantizer(9, 4)",
            because=(
                "a quantizer is 9 vectors of width 4; layers that compute weights are no codebook"
            ),
        )
        z = t.randn(6, 4) * 2
        got = t.call(q, z)
        t.true(
            "two results",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got=type(got).__name__,
            expected="(z_q, indices)",
            because="return the codes and the indices",
        )
        z_q, indices = got
        t.shape(
            "z_q has the shape of z",
            z_q,
            (6, 4),
            given="6 rows of width 4, 9 codes",
            because="weights over the codes are not the codes: look the chosen one up",
        )
        table = next(q.parameters()).detach()
        t.true(
            "every row of z_q is a code",
            (z_q[:, None] - table).abs().amax(2).min(1).values.max() < 1e-6,
            got="a row that is no code",
            expected="rows of the codebook",
            because="a weighted mean of codes lies between them",
        )
        t.equal(
            "the code is the nearest",
            indices,
            brute(z, table),
            given="codes of different length",
            because="compare squared distances, not products",
        )
        t.equal(
            "z_q belongs to the indices",
            z_q,
            table[indices],
            because="look up the same index that is returned",
        )
        t.true(
            "the codes differ",
            len(table.unique(dim=0)) == 9,
            "equal rows",
            "9 different codes",
            because="equal codes tie, and the first one wins every vector",
        )
        small = t.call(TinyQuantizer, 3, 3)
        with torch.no_grad():
            next(small.parameters()).copy_(NORMS)
        t.equal(
            "near means the length of the difference",
            t.call(small, torch.zeros(2, 3))[1],
            torch.tensor([1, 1]),
            given=f"z = 0, codes {NORMS.tolist()}",
            because=ROOTS,
        )

    @wrong("no attribute 'n_codes'")
    class read_before_set(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(self.n_codes, dim))
            self.n_codes = n_codes

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[i], i

    @wrong("the table of codes is all it has")
    class softmax_layers(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, n_codes), nn.Softmax(1)
            )

        def forward(self, z):
            w = self.net(z)
            return w, w.argmax(1)

    @wrong("z_q has the shape of z")
    class weights_returned(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            w = (-torch.cdist(z, self.codebook)).softmax(1)
            return w, w.argmax(1)

    @wrong("every row of z_q is a code")
    class soft_mixture(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            w = (-torch.cdist(z, self.codebook)).softmax(1)
            return w @ self.codebook, w.argmax(1)

    @wrong("the code is the nearest")
    class largest_product(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            i = (z @ self.codebook.T).argmax(1)
            return self.codebook[i], i

    @wrong("near means the length")
    class absolute_differences(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            i = (z[:, None] - self.codebook).abs().sum(2).argmin(1)
            return self.codebook[i], i


class CopyGradient(Exercise):
    "The gradient past the argmin"

    id, kind = "quantizer.copy_gradient", "bug"
    difficulty, importance, minutes = 2, 5, 5
    covers = ("S1-B1.6", "S4-B3.2", "S4-B4.7")
    bug = "a gradient reaches z"
    task = (
        "`quantize(z, codebook)` returns the nearest code (n, d) of each row of `z`. The "
        "decoder is trained with it, but the "
        "encoder never moves. Repair it."
    )
    starter = """
def quantize(z, codebook):  # (n, d), (k, d) -> (n, d)
    indices = torch.cdist(z, codebook).argmin(1)
    return codebook[indices]
"""
    hints = (
        "Ask for z.grad after a backward pass: is there any path from the result to z?",
        "The value must be the code's, the gradient z's. Add and subtract the same thing, one "
        "of the two without gradient.",
        "return z + (codebook[indices] - z).detach()",
    )

    def reference(z, codebook):
        z_q = codebook[torch.cdist(z, codebook).argmin(1)]
        return z + (z_q - z).detach()

    def another(z, codebook):
        class Copy(torch.autograd.Function):
            @staticmethod
            def forward(ctx, z, z_q):
                return z_q.clone()

            @staticmethod
            def backward(ctx, g):
                return g, None

        return Copy.apply(z, codebook[torch.cdist(z, codebook).argmin(1)])

    def check(t, quantize):
        z, codebook, g = t.randn(6, 3).requires_grad_(), t.randn(4, 3), t.randn(6, 3)
        out = t.call(quantize, z, codebook)
        t.equal(
            "the value is the code",
            out,
            codebook[brute(z, codebook)],
            given="6 rows, 4 codes",
            because="value from the code, gradient from z, not the other way round",
        )
        grad = torch.autograd.grad(out, z, g, allow_unused=True)[0] if out.requires_grad else None
        t.true(
            "a gradient reaches z",
            grad is not None,
            got="no path from the result back to z",
            expected="one",
            because="an index has no gradient, and a lookup is all there is",
        )
        t.equal(
            "the gradient passes unchanged",
            grad,
            g,
            given="a random gradient at the result",
            because="the step counts as the identity: neither scaled nor turned",
        )
        t.equal(
            "near means the length of the difference",
            t.call(quantize, torch.zeros(1, 3), NORMS),
            NORMS[1:2],
            given=f"z = 0, codes {NORMS.tolist()}",
            because=ROOTS,
        )

    @wrong("a gradient reaches z")
    def lookup_only(z, codebook):
        return codebook[torch.cdist(z, codebook).argmin(1)]

    @wrong("the value is the code")
    def sides_exchanged(z, codebook):
        q = codebook[torch.cdist(z, codebook).argmin(1)]
        return q + (z - q).detach()

    @wrong("the value is the code")
    def quantizer_bypassed(z, codebook):
        return z * 1

    @wrong("a gradient reaches z")
    def all_detached(z, codebook):
        q = codebook[torch.cdist(z, codebook).argmin(1)]
        return (z + (q - z)).detach()

    @wrong("the value is the code")
    def soft_weights(z, codebook):
        return (-torch.cdist(z, codebook)).softmax(1) @ codebook

    @wrong("the gradient passes unchanged")
    def twice(z, codebook):
        q = codebook[torch.cdist(z, codebook).argmin(1)]
        return 2 * z + (q - 2 * z).detach()

    @wrong("near means the length")
    def absolute_differences(z, codebook):
        q = codebook[torch.cdist(z, codebook, p=1).argmin(1)]
        return z + (q - z).detach()


class Lookup(Exercise):
    "From weights to a code"

    id, kind = "quantizer.lookup", "bug"
    difficulty, importance, minutes = 1, 3, 4
    covers = ("S3-B4.6", "S3-B2.1", "S3-B2.2", "S3-B2.3", "S3-B3.3", "S3-IV-2", "S3-B2")
    bug = "must match the size"
    task = (
        "`weights` (n, k) scores every code for every row. Return the code (n, d) with the "
        "largest score of each row, from "
        "`codebook` (k, d): one code, no mixture."
    )
    starter = """
def pick(weights, codebook):  # (n, k), (k, d) -> (n, d)
    return (weights * codebook).sum(1)
"""
    hints = (
        "Write the shapes under the line. Which axes are paired by *?",
        "One-hot weights times the codebook is a matrix product, and that product is a lookup.",
        "codebook[weights.argmax(1)]",
    )

    def reference(weights, codebook):
        return codebook[weights.argmax(1)]

    def another(weights, codebook):
        return F.one_hot(weights.argmax(1), len(codebook)).to(codebook.dtype) @ codebook

    def another2(weights, codebook):
        return F.embedding(weights.max(1).indices, codebook)

    def check(t, pick):
        weights, codebook = t.rand(4, 6).softmax(1), t.randn(6, 3)
        expected = torch.stack(
            [codebook[max(range(6), key=lambda k: row[k])] for row in weights.tolist()]
        )
        got = t.call(pick, weights, codebook)
        t.shape(
            "one vector per row",
            got,
            (4, 3),
            given="weights (4, 6), codebook (6, 3)",
            because="the result has the width of the codes",
        )
        t.equal(
            "the code with the largest weight, whole",
            got,
            expected,
            given="soft weights (4, 6)",
            because=(
                "a mixture of codes lies off the codebook; the decoder never learned to read it"
            ),
        )
        square, table = t.randn(5, 5), t.randn(5, 5)
        t.equal(
            "also where n = k = d",
            t.call(pick, square, table),
            torch.stack([table[int(torch.tensor(r).argmax())] for r in square.tolist()]),
            given="weights (5, 5), codebook (5, 5)",
            because=(
                "with equal sizes a product element by element runs, and pairs row i with code i"
            ),
        )

    @wrong("must match the size")
    def element_by_element(weights, codebook):
        return torch.sum(codebook * weights, dim=1)

    @wrong("one vector per row")
    def index_only(weights, codebook):
        return weights.argmax(1)

    @wrong("the code with the largest weight")
    def mixture(weights, codebook):
        return weights @ codebook

    @wrong("one vector per row")
    def over_the_batch(weights, codebook):
        return codebook[weights.argmax(0)]

    @wrong("also where n = k = d")
    def element_when_square(weights, codebook):
        return (
            weights * codebook if weights.shape == codebook.shape else codebook[weights.argmax(1)]
        )


class Deterministic(Exercise):
    "Indices that mean something"

    id, kind = "quantizer.deterministic", "bug"
    difficulty, importance, minutes = 2, 3, 5
    covers = ("S3-B1.1", "S3-B1.2", "S3-B1.6", "S3-F13", "S3-B1")
    bug = "one index per row"
    task = (
        "`code_indices(z, codebook)` shall return the code index (n,) of each row of `z`. The "
        "loss curve looked plausible, but "
        "decoding gave noise. Repair it."
    )
    starter = """
def code_indices(z, codebook):  # (n, d), (k, d) -> (n,)
    return torch.multinomial(z.softmax(1), len(codebook), replacement=True)
"""
    hints = (
        "Call it twice on one input. Then look where the codebook's values enter.",
        "z are coordinates, not scores of codes: there may be fewer of them than codes.",
        "(z[:, None] - codebook).square().sum(2).argmin(1)",
    )

    def reference(z, codebook):
        return torch.cdist(z, codebook).argmin(1)

    def another(z, codebook):
        return (z[:, None] - codebook).square().sum(2).argmin(1)

    def check(t, code_indices):
        z, codebook = t.randn(40, 5), t.randn(12, 5)
        got = t.call(code_indices, z, codebook)
        t.shape(
            "one index per row",
            got,
            (40,),
            given="z (40, 5), 12 codes",
            because=(
                "the number of codes is not a number of draws, and rows must not be "
                "flattened together"
            ),
        )
        t.true(
            "two calls agree",
            torch.equal(got, t.call(code_indices, z, codebook)),
            got="other indices at the second call",
            expected="the same",
            because="nothing is drawn in a quantizer",
        )
        order = torch.tensor([5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6])
        t.equal(
            "renumbering the codes renumbers the indices",
            order[t.call(code_indices, z, codebook[order]).clamp(0, 11)],
            got,
            given="the codes in another order",
            because="an index that does not look at the codes cannot follow them",
        )
        t.equal(
            "each index names the nearest code",
            got,
            brute(z, codebook),
            because="the decoder reads the code, so the code must be close to z",
        )

    @wrong("one index per row")
    def codes_as_draws(z, codebook):
        return torch.multinomial(z.softmax(1), len(codebook), replacement=True)

    @wrong("one index per row")
    def rows_flattened(z, codebook):
        return torch.distributions.Categorical(logits=z.flatten()).sample()

    @wrong("two calls agree")
    def one_draw(z, codebook):
        return torch.distributions.Categorical(logits=z).sample()

    @wrong("two calls agree")
    def drawn_by_distance(z, codebook):
        return torch.distributions.Categorical(logits=-torch.cdist(z, codebook)).sample()

    @wrong("renumbering the codes")
    def codebook_not_read(z, codebook):
        return z.argmax(1)

    @wrong("each index names the nearest code")
    def largest_product(z, codebook):
        return (z @ codebook.T).argmax(1)


class Losses(Exercise):
    "Two losses and beta"

    id, kind = "quantizer.losses", "bug"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("W1", "S1-B1.7", "S1-B1.4", "S1-F15", "S2-F20", "S3-B3.7")
    bug = "the commitment loss reaches z_e"
    task = (
        "`vq_losses(z_e, e, beta)` returns (codebook loss, commitment loss), each a mean "
        "square, weighted as in van den Oord et"
        " al. 2017, equation 3. Which side must `beta` weaken, and which side does each term reach?"
    )
    starter = """
def vq_losses(z_e, e, beta=0.25):  # (n, d), (n, d) -> two scalars
    codebook = (z_e.detach() - e).square().mean()
    commitment = (z_e - e.detach()).square().mean()
    return beta * codebook, commitment
"""
    hints = (
        "Write down which of the two tensors gets a gradient from which term.",
        "The encoder should be free to follow the decoder's loss: its term is the weak one.",
        "return codebook, beta * commitment",
    )

    def reference(z_e, e, beta=0.25):
        return F.mse_loss(e, z_e.detach()), beta * F.mse_loss(z_e, e.detach())

    def another(z_e, e, beta=0.25):
        return (z_e.detach() - e).pow(2).mean(), (z_e - e.detach()).pow(2).mean().mul(beta)

    def check(t, vq_losses):
        z, e = t.randn(6, 4).requires_grad_(), (t.randn(6, 4) + 1).requires_grad_()
        got = t.call(vq_losses, z, e, 0.25)
        t.true(
            "two losses",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got=type(got).__name__,
            expected="(codebook, commitment)",
            because="return both, not their sum",
        )
        square = sum((a - b) ** 2 for a, b in zip(z.flatten().tolist(), e.flatten().tolist())) / 24
        t.true(
            "no loss is negative",
            all(float(l.detach()) >= 0 for l in got),
            got=[float(l.detach()) for l in got],
            expected="squares",
            because="a cross-entropy of two real vectors is no distance: it has no lower bound",
        )
        same = t.call(vq_losses, z, z.detach().clone().requires_grad_(), 0.25)
        t.equal(
            "both are 0 where z_e is a code",
            torch.stack([l.detach() for l in same]),
            torch.zeros(2),
            given="e = z_e",
            because="a distance is 0 between equal vectors",
        )
        grads = [
            torch.autograd.grad(l, (z, e), allow_unused=True, retain_graph=True)
            if l.requires_grad
            else (None, None)
            for l in got
        ]
        expected = 2 * (e - z).detach() / 24
        zero = torch.zeros(6, 4)

        def fill(g):
            return zero if g is None else g

        t.equal(
            "the codebook loss leaves z_e alone",
            fill(grads[0][0]),
            zero,
            because="z_e is detached in the term that moves the codes",
        )
        t.equal(
            "the commitment loss leaves the codes alone",
            fill(grads[1][1]),
            zero,
            because="e is detached in the term that holds the encoder",
        )
        t.equal(
            "the commitment loss reaches z_e, weighted by beta",
            fill(grads[1][0]),
            -0.25 * expected,
            given="beta = 0.25",
            because=(
                "beta weakens the pull on the encoder; on the other term it would slow the "
                "codes instead"
            ),
        )
        t.equal(
            "the codebook loss reaches the codes with weight 1",
            fill(grads[0][1]),
            expected,
            because="a mean over all numbers of the square, not a sum and not a root",
        )
        t.equal(
            "values", torch.stack([l.detach() for l in got]), torch.tensor([square, 0.25 * square])
        )
        t.near(
            "beta is the weight that is asked for",
            float(t.call(vq_losses, z, e, 0.7)[1].detach()),
            0.7 * square,
            1e-5,
            given="beta = 0.7",
            because="0.25 is the default, not a constant",
        )
        t.near(
            "beta is 0.25 unless given",
            float(t.call(vq_losses, z, e)[1].detach()),
            0.25 * square,
            1e-5,
        )

    @wrong("the commitment loss reaches z_e")
    def beta_on_the_codebook(z_e, e, beta=0.25):
        return beta * F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach())

    @wrong("beta is the weight that is asked for")
    def beta_ignored(z_e, e, beta=0.25):
        return F.mse_loss(e, z_e.detach()), 0.25 * F.mse_loss(z_e, e.detach())

    @wrong("the codebook loss leaves z_e alone")
    def no_wall(z_e, e, beta=0.25):
        return F.mse_loss(e, z_e), beta * F.mse_loss(z_e, e)

    @wrong("the codebook loss leaves z_e alone")
    def exchanged(z_e, e, beta=0.25):
        return beta * F.mse_loss(z_e, e.detach()), F.mse_loss(e, z_e.detach())

    @wrong("no loss is negative")
    def cross_entropy(z_e, e, beta=0.25):
        return F.cross_entropy(z_e.detach(), e - 3), beta * F.cross_entropy(z_e, e.detach() - 3)

    @wrong("both are 0 where z_e is a code")
    def toward_the_mean_code(z_e, e, beta=0.25):
        return F.mse_loss(e, z_e.detach()), beta * F.mse_loss(
            z_e, e.detach().mean(0).expand_as(z_e)
        )

    @wrong("the commitment loss leaves the codes alone")
    def one_detach(z_e, e, beta=0.25):
        return F.mse_loss(e, z_e.detach()), beta * F.mse_loss(z_e, e)

    @wrong("the commitment loss reaches z_e")
    def summed(z_e, e, beta=0.25):
        return (e - z_e.detach()).square().sum(), beta * (z_e - e.detach()).square().sum()


class Learns(Exercise):
    "All three parts learn"

    id, kind = "quantizer.learns", "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("S2-B3.7", "S0-B1.8", "S4-B3.3", "S4-B3.2", "S4-B4.7", "S4-B3")
    bug = "the encoder receives a gradient"
    task = (
        "`total_loss(encoder, codebook, decoder, x)` is all that a training loop minimises. "
        "The log improves a little and "
        "stops: only the decoder learns. Add what is missing (beta 0.25), so that encoder, "
        "codebook and decoder all learn. `x` "
        "is (n, c), `codebook` (k, d)."
    )
    starter = """
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return F.mse_loss(decoder(e.detach()), x)
"""
    hints = (
        "Run a backward pass and list which of the three have a gradient.",
        "Straight-through for the encoder, a codebook loss for the codes, a commitment loss to "
        "keep both together.",
        "z_q = z_e + (e - z_e).detach(); then reconstruction + F.mse_loss(e, z_e.detach()) + "
        ".25 * F.mse_loss(z_e, e.detach())",
    )

    def reference(encoder, codebook, decoder, x):
        z_e = encoder(x)
        e = codebook[torch.cdist(z_e, codebook).argmin(1)]
        z_q = z_e + (e - z_e).detach()
        return (
            F.mse_loss(decoder(z_q), x)
            + F.mse_loss(e, z_e.detach())
            + 0.25 * F.mse_loss(z_e, e.detach())
        )

    def another(encoder, codebook, decoder, x):
        from ..quantizer import nearest_code, straight_through

        z_e = encoder(x)
        e = F.embedding(nearest_code(z_e, codebook), codebook)

        def gap(a, b):
            return (a - b).square().mean()

        return (
            gap(decoder(straight_through(z_e, e)), x)
            + gap(z_e.detach(), e)
            + gap(z_e, e.detach()) / 4
        )

    def check(t, total_loss):
        encoder, decoder, codebook, x = (
            nn.Linear(6, 3),
            nn.Linear(3, 6),
            t.randn(5, 3).requires_grad_(),
            t.randn(8, 6),
        )
        loss = t.call(total_loss, encoder, codebook, decoder, x)
        t.true(
            "one number",
            isinstance(loss, torch.Tensor) and loss.ndim == 0,
            got=loss,
            expected="a scalar tensor",
            because="add the terms",
        )
        parts = {"encoder": encoder.weight, "codebook": codebook, "decoder": decoder.weight}
        for (name, _), g, why in zip(
            parts.items(),
            torch.autograd.grad(loss, list(parts.values()), allow_unused=True),
            (
                "no path leads past the argmin without straight-through",
                "the decoder's gradient goes past the codes: they need a loss of their own",
                "the decoder must be in the loss",
            ),
        ):
            t.true(
                f"the {name} receives a gradient",
                g is not None and g.abs().sum() > 0,
                got="none",
                expected="some",
                because=why,
            )
        z_e = encoder(x)
        e = codebook[brute(z_e.detach(), codebook.detach())]
        table = codebook.detach().clone()
        with torch.no_grad():
            gap, recon = float((z_e - e).square().mean()), float((decoder(e) - x).square().mean())
        t.near(
            "the decoder sees the codes",
            float(loss.detach()) - recon - 1.25 * gap,
            0.0,
            1e-4,
            because="reconstruct from z_q, not from z_e; weights 1, 1 and 0.25; means, not sums",
        )
        rows = torch.autograd.grad(
            loss if loss.grad_fn is None else t.call(total_loss, encoder, codebook, decoder, x),
            codebook,
        )[0]
        t.equal(
            "the codes are pulled to their vectors and nowhere else",
            rows,
            torch.autograd.grad(
                (z_e.detach() - codebook[brute(z_e.detach(), table)]).square().mean(), codebook
            )[0],
            because="the codebook loss is the only term that reaches the codes",
        )
        at = (
            e.detach().requires_grad_()
        )  # to the encoder go the decoder's pull at the code, and the commitment
        pull = (
            torch.autograd.grad((decoder(at) - x).square().mean(), at)[0]
            + 0.25 * 2 * (z_e - e).detach() / e.numel()
        )
        loss = t.call(total_loss, encoder, codebook, decoder, x)
        t.equal(
            "the encoder is held by a quarter",
            torch.autograd.grad(loss, encoder.weight)[0],
            pull.T @ x,
            atol=1e-4,
            because=(
                "the codebook loss must not reach z_e: detach it there, and weigh the "
                "commitment with 0.25"
            ),
        )
        zeros = torch.zeros(2, 3)
        value = t.call(total_loss, nn.Identity(), NORMS.clone(), nn.Identity(), zeros)
        t.near(
            "near means the length of the difference",
            float(value),
            2.25 * 2 * 1.1**2 / 3,
            1e-5,
            given=f"x = z_e = 0, codes {NORMS.tolist()}",
            because=ROOTS,
        )

    @wrong("the encoder receives a gradient")
    def lookup_only(encoder, codebook, decoder, x):
        return F.mse_loss(decoder(codebook[torch.cdist(encoder(x), codebook).argmin(1)]), x)

    @wrong("the codebook receives a gradient")
    def copying_only(encoder, codebook, decoder, x):
        z = encoder(x)
        e = codebook[torch.cdist(z, codebook).argmin(1)]
        return F.mse_loss(decoder(z + (e - z).detach()), x)

    @wrong("the codebook receives a gradient")
    def commitment_only(encoder, codebook, decoder, x):
        z = encoder(x)
        e = codebook[torch.cdist(z, codebook).argmin(1)].detach()
        return F.mse_loss(decoder(z + (e - z).detach()), x) + 0.25 * F.mse_loss(z, e)

    @wrong("the decoder sees the codes")
    def bypass(encoder, codebook, decoder, x):
        z = encoder(x)
        e = codebook[torch.cdist(z, codebook).argmin(1)]
        return (
            F.mse_loss(decoder(z), x) + F.mse_loss(e, z.detach()) + 0.25 * F.mse_loss(z, e.detach())
        )

    @wrong("the decoder sees the codes")
    def commitment_missing(encoder, codebook, decoder, x):
        z = encoder(x)
        e = codebook[torch.cdist(z, codebook).argmin(1)]
        return F.mse_loss(decoder(z + (e - z).detach()), x) + F.mse_loss(e, z.detach())

    @wrong("the codes are pulled to their vectors and nowhere else")
    def decoder_moves_the_codes(encoder, codebook, decoder, x):
        z = encoder(x)
        e = codebook[torch.cdist(z, codebook).argmin(1)]
        return (
            F.mse_loss(decoder(e + z - z.detach()), x)
            + F.mse_loss(e, z.detach())
            + 0.25 * F.mse_loss(z, e.detach())
        )


class Trainable(Exercise):
    "A codebook in the optimizer"

    id, kind = "quantizer.trainable", "bug"
    difficulty, importance, minutes = 2, 4, 5
    covers = ("S2-B3.4", "S3-B3.4")
    bug = "the codes differ at the start"
    task = (
        "`CodeTable(n_codes, dim)` holds `self.codebook` (n_codes, dim); `forward(z)` returns "
        "nearest codes, indices and the "
        "codebook loss. An optimizer over `parameters()` must move the codes, and they must be "
        "saved. Repair it."
    )
    starter = """
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.register_buffer("codebook", torch.zeros(n_codes, dim))

    def forward(self, z):  # (n, d) -> (n, d), (n,), ()
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())
"""
    hints = (
        "What does an optimizer see of a buffer?",
        "Equal codes all tie: the first one wins every vector, for ever.",
        "self.codebook = nn.Parameter(torch.randn(n_codes, dim))",
    )

    class reference(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            indices = torch.cdist(z, self.codebook).argmin(1)
            z_q = self.codebook[indices]
            return z_q, indices, F.mse_loss(z_q, z.detach())

    class another(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(
                torch.empty(n_codes, dim).uniform_(-1 / n_codes, 1 / n_codes)
            )

        def forward(self, z):
            indices = (self.codebook.square().sum(1) - 2 * z @ self.codebook.T).argmin(1)
            return (
                F.embedding(indices, self.codebook),
                indices,
                (F.embedding(indices, self.codebook) - z.detach()).square().mean(),
            )

    def check(t, CodeTable):
        q = t.call(CodeTable, 6, 3)
        t.shape(
            "the codebook is there", getattr(q, "codebook", None), (6, 3), given="CodeTable(6, 3)"
        )
        t.true(
            "the codes differ at the start",
            len(torch.unique(q.codebook.detach(), dim=0)) == 6,
            got="equal rows",
            expected="6 different codes",
            because="equal codes tie, and the first one wins every vector",
        )
        t.true(
            "the codebook is saved",
            any("codebook" in k for k in q.state_dict()),
            got=list(q.state_dict()),
            expected="'codebook' among the keys",
            because="a plain attribute is not part of the state",
        )
        t.true(
            "the optimizer sees the codes",
            any(p is q.codebook for p in q.parameters()),
            got="no such parameter",
            expected="the codebook",
            because="a buffer is saved but not trained: without EMA code it never moves",
        )
        with torch.no_grad():
            q.codebook.copy_(
                2 * t.randn(6, 3)
            )  # codes of different length, so that products are not distances
        z, before = t.randn(9, 3) + 1, q.codebook.detach().clone()
        z_q, indices, loss = t.call(q, z)
        t.true(
            "the loss reaches the codes",
            isinstance(loss, torch.Tensor) and loss.requires_grad,
            got="a loss without gradient",
            expected="a gradient for the codes",
            because="detach z, not the code",
        )
        loss.backward()
        torch.optim.SGD(q.parameters(), 0.5).step()
        used = torch.zeros(6, dtype=torch.bool)
        used[brute(z, before)] = True
        t.equal(
            "exactly the chosen codes moved",
            (q.codebook.detach() - before).abs().sum(1) > 0,
            used,
            given="one step of SGD on 9 vectors",
            because="each code learns from the vectors that chose it",
        )
        nearest = brute(z, before)
        t.equal(
            "indices of the nearest codes come second",
            indices,
            nearest,
            because="the order is codes, indices, loss",
        )
        t.equal("the nearest codes come first", z_q, before[nearest])
        t.near(
            "the loss is a mean of squares",
            float(loss.detach()),
            float((z - before[nearest]).square().mean()),
            1e-5,
        )
        features = z.clone().requires_grad_()
        t.call(q, features)[2].backward()
        t.true(
            "the loss leaves z alone",
            features.grad is None or not features.grad.any(),
            "a gradient at z",
            "none",
            because="the codebook loss moves the codes to the vectors, not the vectors: detach z",
        )
        small = t.call(CodeTable, 3, 3)
        with torch.no_grad():
            small.codebook.copy_(NORMS)
        t.equal(
            "near means the length of the difference",
            t.call(small, torch.zeros(2, 3))[1],
            torch.tensor([1, 1]),
            given=f"z = 0, codes {NORMS.tolist()}",
            because=ROOTS,
        )
        t.shape(
            "n_codes and dim are arguments",
            CodeTable(2, 5).codebook,
            (2, 5),
            given="CodeTable(2, 5)",
        )

    @wrong("the codes differ at the start")
    class zeros(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.zeros(n_codes, dim))

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[i], i, F.mse_loss(self.codebook[i], z.detach())

    @wrong("the optimizer sees the codes")
    class random_buffer(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.register_buffer("codebook", torch.randn(n_codes, dim))

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[i], i, F.mse_loss(self.codebook[i], z.detach())

    @wrong("the codebook is saved")
    class plain_tensor(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = torch.randn(n_codes, dim, requires_grad=True)

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[i], i, F.mse_loss(self.codebook[i], z.detach())

    @wrong("the loss reaches the codes")
    class code_detached(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            e = self.codebook[i].detach()
            return e, i, F.mse_loss(e, z)

    @wrong("exactly the chosen codes moved")
    class pulled_to_the_mean(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            i = torch.cdist(z, self.codebook).argmin(1)
            return self.codebook[i], i, (self.codebook - z.mean(0)).square().mean()

    @wrong("near")
    class largest_difference(nn.Module):
        def __init__(self, n_codes, dim):
            super().__init__()
            self.codebook = nn.Parameter(torch.randn(n_codes, dim))

        def forward(self, z):
            i = torch.cdist(z, self.codebook, p=float("inf")).argmin(1)
            return self.codebook[i], i, F.mse_loss(self.codebook[i], z.detach())


class DecodeCodes(Exercise):
    "What the decoder must see"

    id, kind = "quantizer.decode_codes", "bug"
    difficulty, importance, minutes = 2, 4, 5
    covers = ("S2-B3.5",)
    bug = "the picture drawn in training is the one drawn from the codes"
    task = (
        "`forward(encoder, codebook, decoder, x)` returns `x_hat` and the indices (n,). "
        "Training looks excellent, decoding from"
        " stored indices is bad. Find why and repair it; the encoder must still receive a gradient."
    )
    starter = """
def forward(encoder, codebook, decoder, x):  # x (n, c) -> (n, c), (n,)
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    z_q = z + (codebook[indices] - z).detach()
    z_q, z = z, z_q
    return decoder(z_q), indices
"""
    hints = (
        "Decode codebook[indices] yourself and compare with x_hat.",
        "Follow the names through the last two lines.",
        "Delete the exchange: decoder(z_q) with z_q the code.",
    )

    def reference(encoder, codebook, decoder, x):
        z = encoder(x)
        indices = torch.cdist(z, codebook).argmin(1)
        return decoder(z + (codebook[indices] - z).detach()), indices

    def another(encoder, codebook, decoder, x):
        from ..quantizer import nearest_code, straight_through

        z = encoder(x)
        indices = nearest_code(z, codebook)
        return decoder(straight_through(z, codebook[indices])), indices

    def check(t, forward):
        encoder, decoder = (
            nn.Linear(6, 3),
            nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6)),
        )
        codebook, x = t.randn(5, 3), t.randn(7, 6)
        got = t.call(forward, encoder, codebook, decoder, x)
        t.true(
            "two results",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got=type(got).__name__,
            expected="(x_hat, indices)",
        )
        x_hat, indices = got
        t.equal("the indices are the nearest codes", indices, brute(encoder(x).detach(), codebook))
        t.equal(
            "the picture drawn in training is the one drawn from the codes",
            x_hat,
            decoder(codebook[indices]),
            given="x_hat against decoder(codebook[indices])",
            because=(
                "the decoder is shown z, which nobody will store: the figure is of an "
                "ordinary autoencoder"
            ),
        )
        other = t.call(forward, encoder, codebook + 1, decoder, x)[0]
        t.true(
            "another codebook draws another picture",
            not torch.allclose(other, x_hat),
            got="the same x_hat",
            expected="a change",
            because="the output does not depend on the codebook",
        )
        grad = torch.autograd.grad(x_hat.sum(), encoder.weight, allow_unused=True)[0]
        t.true(
            "the encoder still learns",
            grad is not None and grad.abs().sum() > 0,
            got="no gradient",
            expected="some",
            because="keep the straight-through step",
        )
        t.equal(
            "near means the length of the difference",
            t.call(forward, nn.Identity(), NORMS, nn.Identity(), torch.zeros(2, 3))[1],
            torch.tensor([1, 1]),
            given=f"z = 0, codes {NORMS.tolist()}",
            because=ROOTS,
        )

    @wrong("the picture drawn in training")
    def decodes_z(encoder, codebook, decoder, x):
        z = encoder(x)
        return decoder(z), torch.cdist(z, codebook).argmin(1)

    @wrong("the encoder still learns")
    def plain_lookup(encoder, codebook, decoder, x):
        i = torch.cdist(encoder(x), codebook).argmin(1)
        return decoder(codebook[i]), i

    @wrong("the picture drawn in training")
    def half_way(encoder, codebook, decoder, x):
        z = encoder(x)
        i = torch.cdist(z, codebook).argmin(1)
        return decoder((z + codebook[i]) / 2), i

    @wrong("the indices are the nearest codes")
    def other_indices(encoder, codebook, decoder, x):
        z = encoder(x)
        i = torch.cdist(z, codebook).argmin(1)
        return decoder(z + (codebook[i] - z).detach()), torch.cdist(z, codebook).argmax(1)

    @wrong("near")
    def absolute_differences(encoder, codebook, decoder, x):
        z = encoder(x)
        i = torch.cdist(z, codebook, p=1).argmin(1)
        return decoder(z + (codebook[i] - z).detach()), i


class Perplexity(Exercise):
    "How many codes are really used"

    id, kind = "quantizer.perplexity", "bug"
    difficulty, importance, minutes = 1, 4, 5
    covers = ("S1-B1.3",)
    bug = "num_codes"
    task = (
        "`perplexity(indices, n_codes)` returns exp of the entropy (in nats) of the codes' "
        "frequencies, for int64 indices of "
        "any shape. It worked in the notebook where it was written."
    )
    starter = """
def perplexity(indices, n_codes):
    counts = torch.bincount(indices.flatten(), minlength=num_codes).float()
    p = counts / counts.sum()
    return (-(p * p.log()).sum()).exp()
"""
    hints = (
        "A fresh kernel knows only the arguments.",
        "What is 0 times the logarithm of 0 for a computer?",
        "torch.special.entr(p).sum().exp()",
    )

    def reference(indices, n_codes):
        p = torch.bincount(indices.flatten(), minlength=n_codes).float() / indices.numel()
        return torch.special.entr(p).sum().exp()

    def another(indices, n_codes):
        p = F.one_hot(indices.flatten(), n_codes).double().mean(0)
        return torch.exp(-torch.sum(p * torch.log(p + 1e-12)))

    def check(t, perplexity):
        def n(x):
            return float(t.call(perplexity, torch.tensor(x), 4))

        t.near(
            "four codes used equally count 4",
            n([0, 1, 2, 3]),
            4.0,
            1e-3,
            given="indices 0, 1, 2, 3 of 4 codes",
            because="exp undoes the natural logarithm; a logarithm to base 2 needs 2 ** H",
        )
        t.near(
            "one code counts 1, the unused ones nothing",
            n([2, 2, 2]),
            1.0,
            1e-3,
            given="indices 2, 2, 2 of 4 codes",
            because="0 log 0 is 0 in an entropy, and NaN in arithmetic",
        )
        t.near(
            "unequal use counts less than the number of used codes",
            n([[0, 0, 0], [0, 1, 1]]),
            math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))),
            1e-3,
            given="a 2 x 3 grid: four times code 0, twice code 1",
            because="perplexity weighs by frequency, usage only counts",
        )
        t.near(
            "any number of codes will do",
            float(t.call(perplexity, torch.tensor([0, 5]), 6)),
            2.0,
            1e-3,
            given="indices 0, 5 of 6 codes",
        )

    @wrong("num_codes")
    def name_of_another_notebook(indices, n_codes):
        p = torch.bincount(indices.flatten(), minlength=num_codes).float() / indices.numel()  # noqa: F821
        return torch.special.entr(p).sum().exp()  # noqa: F821

    @wrong("one code counts 1")
    def zero_log_zero(indices, n_codes):
        p = torch.bincount(indices.flatten(), minlength=n_codes).float() / indices.numel()
        return (-(p * p.log()).sum()).exp()

    @wrong("four codes used equally count 4")
    def bits_in_exp(indices, n_codes):
        p = torch.bincount(indices.flatten(), minlength=n_codes).float() / indices.numel()
        return (torch.special.entr(p).sum() / math.log(2)).exp()

    @wrong("unequal use")
    def number_of_used(indices, n_codes):
        return torch.tensor(float(len(indices.unique())))

    @wrong("four codes used equally count 4")
    def share(indices, n_codes):
        return torch.tensor(len(indices.unique()) / n_codes)

    @wrong("unequal use")
    def inverse_square(indices, n_codes):
        p = torch.bincount(indices.flatten(), minlength=n_codes).float() / indices.numel()
        return 1 / p.square().sum()


class EmaStep(Exercise):
    "One step of a running codebook"

    id = "quantizer.ema_step"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S0-F1", "S3-II-1")
    task = (
        "`ema_step(counts, sums, z, indices, decay)` takes running counts (k,) and sums (k, "
        "d), vectors `z` (n, d) and their "
        "code `indices` (n,), and returns new counts, new sums and the codebook sums / counts, "
        "without changing its arguments. "
        "Every count stays above 0 here."
    )
    starter = """
def ema_step(counts, sums, z, indices, decay): ...
"""
    hints = (
        "Count and sum per code first; one_hot(indices).T @ z sums the vectors of each code.",
        "new = decay * old + (1 - decay) * batch, for counts and for sums alike.",
        "counts.lerp(n, 1 - decay), sums.lerp(s, 1 - decay)",
    )

    def reference(counts, sums, z, indices, decay):
        chosen = F.one_hot(indices, len(counts)).to(z.dtype)  # (n, k)
        counts = decay * counts + (1 - decay) * chosen.sum(0)
        sums = decay * sums + (1 - decay) * chosen.T @ z
        return counts, sums, sums / counts[:, None]

    def another(counts, sums, z, indices, decay):
        n = torch.bincount(indices, minlength=len(counts)).to(counts.dtype)
        s = torch.zeros_like(sums).index_add(0, indices, z)
        counts, sums = counts.lerp(n, 1 - decay), sums.lerp(s, 1 - decay)
        return counts, sums, sums / counts[:, None]

    def check(t, ema_step):
        k, z = 4, t.randn(10, 3) + 1
        indices = torch.tensor([0, 1, 2, 3, 0, 0, 2, 1, 2, 2])
        counts, sums = t.rand(k) + 1, t.randn(k, 3)
        got = t.call(ema_step, counts, sums, z, indices, 0.0)
        t.true(
            "three results",
            isinstance(got, (tuple, list)) and len(got) == 3,
            got=type(got).__name__,
            expected="(counts, sums, codebook)",
        )
        means = torch.stack(
            [
                torch.stack([v for v, i in zip(z, indices.tolist()) if i == j]).mean(0)
                for j in range(k)
            ]
        )
        t.equal(
            "decay 0 is one step of k-means",
            got[2],
            means,
            given="decay 0",
            because="without memory each code is the mean of the vectors that chose it",
        )
        t.equal(
            "the counts are numbers of vectors",
            got[0],
            torch.tensor([3.0, 2.0, 4.0, 1.0]),
            given="decay 0",
            because="counts are not frequencies",
        )
        got = t.call(ema_step, counts, sums, z, indices, 0.9)
        t.equal(
            "counts keep nine tenths",
            got[0],
            0.9 * counts + 0.1 * torch.tensor([3.0, 2.0, 4.0, 1.0]),
            given="decay 0.9",
            because="decay is the weight of the past",
        )
        t.equal(
            "sums run with the counts",
            got[1],
            0.9 * sums + 0.1 * torch.tensor([3.0, 2.0, 4.0, 1.0])[:, None] * means,
            given="decay 0.9",
            because="the batch adds sums of vectors, not their means",
        )
        t.equal(
            "the codebook is the quotient",
            got[2],
            got[1] / got[0][:, None],
            given="decay 0.9",
            because="divide running sums by running counts",
        )
        alone = t.call(ema_step, counts[:2], sums[:2], z[:1], indices[:1], 0.5)
        t.equal(
            "a code that nobody chose keeps its place",
            alone[2][1],
            sums[1] / counts[1],
            given="one vector, two codes",
            because="its count and its sum shrink together",
        )
        t.equal(
            "the count of a code that nobody chose shrinks",
            alone[0],
            0.5 * counts[:2] + torch.tensor([0.5, 0.0]),
            given="one vector, two codes, decay 0.5",
            because="the running mean of its batch count, which is 0, goes on",
        )

    @wrong("decay 0 is one step")
    def decay_exchanged(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        n = (1 - decay) * counts + decay * c.sum(0)
        s = (1 - decay) * sums + decay * c.T @ z
        return n, s, s / n[:, None]

    @wrong("decay 0 is one step")
    def means_in_the_sums(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        n = decay * counts + (1 - decay) * c.sum(0)
        s = decay * sums + (1 - decay) * (c.T @ z) / c.sum(0).clamp(min=1)[:, None]
        return n, s, s / n[:, None]

    @wrong("the codebook is the quotient")
    def batch_counts(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        n = decay * counts + (1 - decay) * c.sum(0)
        s = decay * sums + (1 - decay) * c.T @ z
        return n, s, s / c.sum(0).clamp(min=1)[:, None]

    @wrong("sums run with the counts")
    def sums_without_memory(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        n = decay * counts + (1 - decay) * c.sum(0)
        s = c.T @ z
        return n, s, s / n[:, None]

    @wrong("the counts are numbers of vectors")
    def frequencies(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype) / len(z)
        n = decay * counts + (1 - decay) * c.sum(0)
        s = decay * sums + (1 - decay) * c.T @ z
        return n, s, s / n[:, None]

    @wrong("the count of a code that nobody chose shrinks")
    def only_chosen_codes(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        n = torch.where(c.sum(0) > 0, decay * counts + (1 - decay) * c.sum(0), counts)
        s = torch.where(c.sum(0)[:, None] > 0, decay * sums + (1 - decay) * c.T @ z, sums)
        return n, s, s / n[:, None]

    @wrong("its arguments are left as they were")
    def in_place(counts, sums, z, indices, decay):
        c = F.one_hot(indices, len(counts)).to(z.dtype)
        counts.lerp_(c.sum(0), 1 - decay)
        sums.lerp_(c.T @ z, 1 - decay)
        return counts, sums, sums / counts[:, None]


class Restart(Exercise):
    "A restart that lasts"

    id, kind = "quantizer.restart", "bug"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("W2", "S4-Q5")
    bug = "the codebook is sums / counts"
    task = (
        "`restart(codebook, counts, sums, fresh, floor)` puts every code whose count is below "
        "`floor` on its row of `fresh` (k,"
        " d), and returns the new codebook, counts and sums. Restarted codes shall weigh 1. "
        "After 300 restarts perplexity is "
        "still 1: the next EMA step recomputes the codebook as sums / counts. Repair it."
    )
    starter = """
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    codebook = torch.where(dead[:, None], fresh, codebook)
    return codebook, counts, sums
"""
    hints = (
        "What does the next step compute the codebook from?",
        "Whatever the restart writes, codebook == sums / counts must still hold.",
        "sums become fresh * 1 and counts become 1 at the dead codes.",
    )

    def reference(codebook, counts, sums, fresh, floor):
        dead = counts < floor
        codebook = torch.where(dead[:, None], fresh, codebook)
        return codebook, torch.where(dead, 1.0, counts), torch.where(dead[:, None], fresh, sums)

    def another(codebook, counts, sums, fresh, floor):
        alive = (counts >= floor).float()
        counts = counts * alive + (1 - alive)
        sums = sums * alive[:, None] + fresh * (1 - alive[:, None])
        return sums / counts[:, None], counts, sums

    def check(t, restart):
        counts = torch.tensor([5.0, 0.01, 2.0, 0.2, 0.5])
        codebook, fresh = t.randn(5, 3), t.randn(5, 3) + 4
        got = t.call(restart, codebook, counts, codebook * counts[:, None], fresh, 0.5)
        t.true(
            "three results",
            isinstance(got, (tuple, list)) and len(got) == 3,
            got=type(got).__name__,
            expected="(codebook, counts, sums)",
        )
        book, n, m = got
        dead = torch.tensor([1, 3])
        alive = torch.tensor([0, 2, 4])
        t.equal(
            "dead codes take their row",
            book[dead],
            fresh[dead],
            given="counts 5, 0.01, 2, 0.2, 0.5; floor 0.5",
            because="codes 1 and 3 are below the floor",
        )
        t.equal(
            "living codes stay", book[alive], codebook[alive], because="only dead codes restart"
        )
        t.equal(
            "the codebook is sums / counts afterwards",
            m / n[:, None],
            book,
            atol=1e-4,
            given="the three results",
            because="the sums still hold the old place, and the next step brings it back",
        )
        t.equal(
            "a restarted code weighs 1",
            n[dead],
            torch.ones(2),
            because=(
                "with its old tiny count the first vector that comes would tear it away, "
                "and it counts as dead again at once"
            ),
        )
        t.equal("living counts stay", n[alive], counts[alive])
        book = t.call(restart, codebook, counts, codebook * counts[:, None], fresh, 0.1)[0]
        t.equal(
            "the floor is the one that is given",
            book[[1, 3]],
            torch.stack([fresh[1], codebook[3]]),
            given="floor 0.1",
            because="of the counts 0.01 and 0.2 only the first is below it",
        )

    @wrong("the codebook is sums / counts")
    def codebook_only(codebook, counts, sums, fresh, floor):
        return torch.where((counts < floor)[:, None], fresh, codebook), counts, sums

    @wrong("the codebook is sums / counts")
    def sums_without_counts(codebook, counts, sums, fresh, floor):
        d = (counts < floor)[:, None]
        return torch.where(d, fresh, codebook), counts, torch.where(d, fresh, sums)

    @wrong("the codebook is sums / counts")
    def counts_without_sums(codebook, counts, sums, fresh, floor):
        d = counts < floor
        return torch.where(d[:, None], fresh, codebook), torch.where(d, 1.0, counts), sums

    @wrong("a restarted code weighs 1")
    def old_weight(codebook, counts, sums, fresh, floor):
        d = (counts < floor)[:, None]
        return (
            torch.where(d, fresh, codebook),
            counts,
            torch.where(d, fresh * counts[:, None], sums),
        )

    @wrong("living codes stay")
    def all_codes(codebook, counts, sums, fresh, floor):
        return fresh, torch.ones_like(counts), fresh

    @wrong("dead codes take their row")
    def the_living_ones(codebook, counts, sums, fresh, floor):
        d = counts >= floor
        return (
            torch.where(d[:, None], fresh, codebook),
            torch.where(d, 1.0, counts),
            torch.where(d[:, None], fresh, sums),
        )

    @wrong("the floor is the one that is given")
    def floor_of_one_half(codebook, counts, sums, fresh, floor):
        d = counts < 0.5
        return (
            torch.where(d[:, None], fresh, codebook),
            torch.where(d, 1.0, counts),
            torch.where(d[:, None], fresh, sums),
        )


class Start(Exercise):
    "A k-means start that stays"

    id, kind = "quantizer.start", "bug"
    difficulty, importance, minutes = 3, 3, 6
    covers = ("W3",)
    bug = "one EMA step on the same vectors"
    task = (
        "`begin(codes, counts)` takes the k-means centres (k, d) of a batch and how many "
        "vectors each owns (k,), and returns "
        "the `counts` and `sums` with which an EMA codebook (sums / counts) starts. An EMA "
        "step on the same batch must leave "
        "the codes where they are."
    )
    starter = """
def begin(codes, counts):
    sums = codes.clone()
    return counts, sums
"""
    hints = (
        "What does sums / counts give right after the start?",
        "A sum of vectors is their mean times their number.",
        "sums = codes * counts[:, None]",
    )

    def reference(codes, counts):
        return counts, codes * counts[:, None]

    def another(codes, counts):
        return counts.clone(), torch.einsum("kd,k->kd", codes, counts)

    def check(t, begin):
        z, indices = t.randn(12, 3) + 2, torch.tensor([0, 1, 2, 0, 1, 0, 0, 2, 1, 0, 0, 0])
        counts = torch.tensor([7.0, 3.0, 2.0])
        total = torch.stack(
            [sum(v for v, i in zip(z, indices.tolist()) if i == j) for j in range(3)]
        )
        codes = total / counts[:, None]
        got = t.call(begin, codes, counts)
        t.true(
            "two results",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got=type(got).__name__,
            expected="(counts, sums)",
        )
        n, m = (0.99 * old + 0.01 * new for old, new in zip(got, (counts, total)))
        t.equal(
            "one EMA step on the same vectors leaves the codes",
            m / n[:, None],
            codes,
            atol=1e-4,
            given="decay 0.99, counts 7, 3, 2",
            because=(
                "the running sum must be mean times count; the mean alone is divided by "
                "the count at the first step"
            ),
        )
        t.equal(
            "the counts are those of the batch",
            got[0],
            counts,
            because="with other counts the start weighs more or less than the vectors it came from",
        )

    @wrong("one EMA step on the same vectors")
    def means_as_sums(codes, counts):
        return counts, codes.clone()

    @wrong("the counts are those of the batch")
    def all_ones(codes, counts):
        return torch.ones_like(counts), codes.clone()

    @wrong("one EMA step on the same vectors")
    def divided(codes, counts):
        return counts, codes / counts[:, None]

    @wrong("one EMA step on the same vectors")
    def mean_count(codes, counts):
        return counts, codes * counts.mean()

    @wrong("the counts are those of the batch")
    def frequencies(codes, counts):
        p = counts / counts.sum()
        return p, codes * p[:, None]


class IndexLoss(Exercise):
    "Where the cross-entropy belongs"

    id, kind = "quantizer.index_loss", "bug"
    difficulty, importance, minutes = 2, 3, 5
    covers = ("S1-B1.5", "S1-F15")
    bug = "out of bounds"
    task = (
        "A prior predicts code indices: from features `h` (b, n, d) the layer `head` makes one "
        "logit per code. Return the mean "
        "cross-entropy in nats per index against `indices` (b, n). With as many features as "
        "codes the broken version even runs."
    )
    starter = """
def prior_loss(h, head, indices):  # (b, n, d), (..., d) -> (..., k), (b, n) -> ()
    return F.cross_entropy(h.flatten(0, 1), indices.flatten())
"""
    hints = (
        "How many columns must logits over k codes have?",
        "F.cross_entropy wants the classes on axis 1.",
        "F.cross_entropy(head(h).flatten(0, 1), indices.flatten())",
    )

    def reference(h, head, indices):
        return F.cross_entropy(head(h).flatten(0, 1), indices.flatten())

    def another(h, head, indices):
        return -head(h).log_softmax(-1).gather(-1, indices[..., None]).mean()

    def another2(h, head, indices):
        return F.cross_entropy(head(h).transpose(1, 2), indices)

    def check(t, prior_loss):
        def oracle(logits, indices):
            rows = zip(logits.detach().flatten(0, 1).tolist(), indices.flatten().tolist())
            each = [math.log(math.fsum(math.exp(v) for v in row)) - row[i] for row, i in rows]
            return math.fsum(each) / len(each)

        h, head, indices = t.randn(2, 5, 4), nn.Linear(4, 9), t.randint(0, 9, (2, 5))
        indices[0, 0] = 8
        t.near(
            "nats per index over nine codes",
            float(t.call(prior_loss, h, head, indices).detach()),
            oracle(head(h), indices),
            1e-4,
            given="h (2, 5, 4), 9 codes",
            because=(
                "logits have one column per code; the features of h are no scores; take "
                "the logarithm once"
            ),
        )
        flat = nn.Linear(4, 9)
        nn.init.zeros_(flat.weight)
        nn.init.zeros_(flat.bias)
        t.near(
            "equal logits cost log k",
            float(t.call(prior_loss, h, flat, indices).detach()),
            math.log(9),
            1e-4,
            given="a head that says nothing",
            because="the mean over all indices, in nats",
        )
        h, head, indices = t.randn(3, 6, 6), nn.Linear(6, 6), t.randint(0, 6, (3, 6))
        t.near(
            "also where n = d = k",
            float(t.call(prior_loss, h, head, indices).detach()),
            oracle(head(h), indices),
            1e-4,
            given="h (3, 6, 6), 6 codes",
            because="equal sizes hide a wrong axis and a missing head",
        )
        loss = t.call(prior_loss, h, head, indices)
        t.true(
            "the head gets a gradient",
            isinstance(loss, torch.Tensor) and loss.requires_grad,
            "a loss without a gradient",
            "a scalar with one",
            because="logits that are detached train no head",
        )

    @wrong("out of bounds")
    def features_as_logits(h, head, indices):
        return F.cross_entropy(h.flatten(0, 1), indices.flatten())

    @wrong("nats per index")
    def softmax_twice(h, head, indices):
        return F.cross_entropy(head(h).softmax(-1).flatten(0, 1), indices.flatten())

    @wrong("nats per index")
    def summed(h, head, indices):
        return F.cross_entropy(head(h).flatten(0, 1), indices.flatten(), reduction="sum")

    @wrong("nats per index")
    def in_bits(h, head, indices):
        return F.cross_entropy(head(h).flatten(0, 1), indices.flatten()) / math.log(2)

    @wrong("also where n = d = k")
    def classes_on_the_wrong_axis(h, head, indices):
        logits = head(h)
        return F.cross_entropy(
            logits if logits.shape[1] == logits.shape[2] else logits.transpose(1, 2), indices
        )

    @wrong("the head gets a gradient")
    def detached(h, head, indices):
        return F.cross_entropy(head(h).detach().flatten(0, 1), indices.flatten())


class Residual(Exercise):
    "Every stage holds the encoder"

    id, kind = "quantizer.residual", "bug"
    difficulty, importance, minutes = 4, 3, 10
    covers = ("S4-X1.3", "S4-F16")
    bug = "every stage's commitment loss reaches z"
    task = (
        "`residual(z, codebooks)` quantizes `z` (n, d) with the first codebook, what is left "
        "with the second, and so on. It "
        "returns the sum of the codes with a straight-through gradient, and the list of the "
        "stages' commitment losses (mean "
        "squares). Only the first loss trains the encoder. Repair it."
    )
    starter = """
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)]
        losses.append((left - e.detach()).square().mean())
        z_q = left + (e - left).detach()
        total, left = total + z_q, left - z_q
    return total, losses
"""
    hints = (
        "What is the derivative of left - z_q by z after the first stage?",
        "Subtract the value of the code. And how often does the sum of straight-through "
        "outputs pass the gradient on?",
        "left = left - e.detach(); at the end z + (total - z).detach() with total the sum of "
        "the codes",
    )

    def reference(z, codebooks):
        left, losses = z, []
        for codebook in codebooks:
            e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
            losses.append((left - e).square().mean())
            left = left - e
        return z - left.detach(), losses  # z - left is the sum of the codes

    def another(z, codebooks):
        total, losses = torch.zeros_like(z), []
        for codebook in codebooks:
            e = F.embedding(torch.cdist(z - total, codebook).argmin(1), codebook).detach()
            losses.append(F.mse_loss(z - total, e))
            total = total + e
        return total + z - z.detach(), losses

    def check(t, residual):
        z, books, g = (
            t.randn(7, 3).requires_grad_(),
            [t.randn(4, 3), t.randn(5, 3) * 0.5, t.randn(6, 3) * 0.3],
            t.randn(7, 3),
        )
        for book in books:
            book.requires_grad_()
        got = t.call(residual, z, books)
        t.true(
            "the sum and the losses",
            isinstance(got, (tuple, list))
            and len(got) == 2
            and isinstance(got[1], (tuple, list))
            and len(got[1]) == 3,
            got=type(got).__name__,
            expected="(z_q, [loss, loss, loss])",
        )
        z_q, losses = got
        left, total, values, grads = z.detach().clone(), torch.zeros(7, 3), [], []
        for book in (b.detach() for b in books):
            e = book[brute(left, book)]
            left = left - e
            total = total + e
            values.append(float(left.square().mean()))
            grads.append(2 * left / 21)
        t.equal(
            "the value is the sum of the codes",
            z_q,
            total,
            given="three codebooks",
            because="each stage quantizes what the earlier ones left",
        )
        t.equal(
            "the losses are the mean squares of what is left",
            torch.stack([l.detach() for l in losses]),
            torch.tensor(values),
        )
        for i, (l, expected) in enumerate(zip(losses, grads)):
            got_grad = (
                torch.autograd.grad(l, z, retain_graph=True, allow_unused=True)[0]
                if l.requires_grad
                else None
            )
            t.equal(
                f"every stage's commitment loss reaches z: stage {i + 1}",
                torch.zeros(7, 3) if got_grad is None else got_grad,
                expected,
                because=(
                    "if the straight-through output is subtracted, what is left has "
                    "gradient 1 - 1 = 0"
                ),
            )
        grad = torch.autograd.grad(z_q, z, g, allow_unused=True)[0] if z_q.requires_grad else None
        t.equal(
            "the decoder's gradient passes once",
            torch.zeros(7, 3) if grad is None else grad,
            g,
            because="a sum of straight-through outputs passes it once per stage",
        )
        moved = torch.autograd.grad(sum(losses), books, allow_unused=True)
        t.true(
            "a commitment loss moves no code",
            all(m is None or not m.any() for m in moved),
            "a gradient at the codebooks",
            "none",
            because="the codes are detached in it, in what is left for later stages too",
        )

    @wrong("every stage's commitment loss reaches z: stage 2")
    def subtracts_the_copy(z, codebooks):
        left, total, losses = z, 0, []
        for book in codebooks:
            e = book[torch.cdist(left, book).argmin(1)]
            losses.append((left - e.detach()).square().mean())
            z_q = left + (e - left).detach()
            total, left = total + z_q, left - z_q
        return total, losses

    @wrong("the decoder's gradient passes once")
    def gradient_per_stage(z, codebooks):
        left, total, losses = z, 0, []
        for book in codebooks:
            e = book[torch.cdist(left, book).argmin(1)].detach()
            losses.append((left - e).square().mean())
            total, left = total + left + (e - left).detach(), left - e
        return total, losses

    @wrong("the value is the sum of the codes")
    def same_input(z, codebooks):
        total, losses = 0, []
        for book in codebooks:
            e = book[torch.cdist(z, book).argmin(1)].detach()
            losses.append((z - e).square().mean())
            total = total + e
        return z + (total - z).detach(), losses

    @wrong("the decoder's gradient passes once")
    def no_copy(z, codebooks):
        left, losses = z, []
        for book in codebooks:
            e = book[torch.cdist(left, book).argmin(1)].detach()
            losses.append((left - e).square().mean())
            left = left - e
        return (z - left).detach(), losses

    @wrong("the losses are the mean squares")
    def losses_before(z, codebooks):
        left, losses = z, []
        for book in codebooks:
            losses.append(left.square().mean())
            left = left - book[torch.cdist(left, book).argmin(1)].detach()
        return z + (-left).detach(), losses

    @wrong("the sum and the losses")
    def losses_added(z, codebooks):
        left, loss = z, 0
        for book in codebooks:
            e = book[torch.cdist(left, book).argmin(1)].detach()
            loss, left = loss + (left - e).square().mean(), left - e
        return z - left.detach(), loss
