"Exercises of the notebook on diffusion transformers."

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..dit import DiT, DiTConfig

from .engine import Exercise, plain, wrong


def _cut(x, p):
    "Patches place by place: (b, c, h, w) -> (b, n, p p c)."
    b, c, h, w = x.shape
    out = torch.zeros(b, (h // p) * (w // p), p * p * c, dtype=x.dtype)
    for i in range(h):
        for j in range(w):
            token, inside = (i // p) * (w // p) + j // p, (i % p) * p + j % p
            out[:, token, inside * c : (inside + 1) * c] = x[:, :, i, j]
    return out


class Patchify(Exercise):
    "A picture becomes a sequence"

    id = "dit.patchify"
    difficulty, importance, minutes = 2, 5, 8
    task = (
        "Write `patchify(x, p)`: `x` is `(b, c, h, w)`, `p` divides `h` and `w`. Return `(b, "
        "n, p * p * c)`: one token for each "
        "p x p square, squares row by row, and inside a token row by row with the channel fastest."
    )
    starter = """
def patchify(x, p): ...
"""
    hints = (
        "Six axes: b, c, rows of squares, rows inside, columns of squares, columns inside. "
        "Which three belong to a token?",
        "x.reshape(b, c, h // p, p, w // p, p), then permute so that the token's axes stand "
        "last, the channel at the very end.",
        ".permute(0, 2, 4, 3, 5, 1).reshape(b, -1, p * p * c)",
    )

    def reference(x, p):
        b, c, h, w = x.shape
        return (
            x.reshape(b, c, h // p, p, w // p, p)
            .permute(0, 2, 4, 3, 5, 1)
            .reshape(b, -1, p * p * c)
        )

    def another(x, p):
        columns = F.unfold(x, p, stride=p)  # (b, c p p, n), channel slowest
        return columns.unflatten(1, (x.shape[1], p * p)).permute(0, 3, 2, 1).flatten(2)

    def check(t, patchify):
        x = t.randn(2, 3, 4, 6)
        got = t.call(patchify, x, 2)
        t.shape("one token for each square", got, (2, 6, 12), given="x (2, 3, 4, 6), p = 2")
        marked = torch.zeros(1, 3, 4, 6)
        marked[:, :, :2, 2:4] = 1
        t.equal(
            "a token holds one whole square, squares row by row",
            t.call(patchify, marked, 2)[0].sum(1),
            torch.tensor([0.0, 12.0, 0.0, 0.0, 0.0, 0.0]),
            given="ones in rows 0, 1 and columns 2, 3",
            because=(
                "a reshape without a permute cuts rows, not squares; and columns of "
                "squares run fastest"
            ),
        )
        place = torch.arange(4.0).view(1, 1, 2, 2).expand(1, 3, 2, 2)
        t.equal(
            "the channel runs fastest inside a token",
            t.call(patchify, place, 2)[0, 0].view(4, 3),
            torch.arange(4.0)[:, None].expand(4, 3),
            given="pixels 0, 1, 2, 3, the same in three channels",
            because="the channel axis goes last in the permute",
        )
        t.equal(
            "every number is where the loop puts it",
            got,
            _cut(x, 2),
            because="inside a token row before column",
        )
        x = t.randn(1, 2, 3, 6)
        t.equal("squares are as large as p says", t.call(patchify, x, 3), _cut(x, 3), given="p = 3")

    @wrong("a token holds one whole square")
    def no_permute(x, p):
        return x.reshape(len(x), -1, p * p * x.shape[1])

    @wrong("the channel runs fastest")
    def channel_slowest(x, p):
        return F.unfold(x, p, stride=p).mT

    @wrong("squares row by row")
    def columns_first(x, p):
        b, c, h, w = x.shape
        return (
            x.reshape(b, c, h // p, p, w // p, p)
            .permute(0, 4, 2, 3, 5, 1)
            .reshape(b, -1, p * p * c)
        )

    @wrong("the channel runs fastest")
    def column_before_row(x, p):
        b, c, h, w = x.shape
        return (
            x.reshape(b, c, h // p, p, w // p, p)
            .permute(0, 2, 4, 5, 3, 1)
            .reshape(b, -1, p * p * c)
        )

    @wrong("a token holds one whole square")
    def every_pth_pixel(x, p):
        b, c, h, w = x.shape
        return (
            x.reshape(b, c, p, h // p, p, w // p)
            .permute(0, 3, 5, 2, 4, 1)
            .reshape(b, -1, p * p * c)
        )

    @wrong("one token for each square")
    def token_axis_last(x, p):
        return _cut(x, p).mT

    @wrong("is invalid for input of size")
    def two_by_two(x, p):
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // 2, 2, w // 2, 2)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, 4 * c)


class Unpatchify(Exercise):
    "Every patch is right and the picture is not"

    id, kind = "dit.unpatchify", "bug"
    difficulty, importance, minutes = 2, 4, 8
    covers = ("S0-B2.1",)
    task = (
        "`unpatchify(tokens, p, h, w)` turns `(b, n, p * p * c)` back into `(b, c, h, w)`: "
        "squares row by row, inside a token "
        "row, column, channel. The shape comes out right, the picture scrambled, and only for "
        "pictures that are not square does "
        "it crash. Repair it."
    )
    starter = """
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    side = int(n**0.5)
    x = tokens.reshape(b, side, side, p, p, width // p**2)
    return x.permute(0, 5, 1, 2, 3, 4).reshape(b, -1, side * p, side * p)
"""
    bug = "a square comes back as a square"
    hints = (
        "After the permute the last four axes become height and width. Which two of them make "
        "the height?",
        "Rows of squares must be followed by rows inside a square. And n does not tell h and w "
        "apart: use them.",
        "tokens.reshape(b, h // p, w // p, p, p, -1).permute(0, 5, 1, 3, 2, 4).reshape(b, -1, "
        "h, w)",
    )

    def reference(tokens, p, h, w):
        x = tokens.reshape(len(tokens), h // p, w // p, p, p, -1)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, h, w)

    def another(tokens, p, h, w):
        x = tokens.unflatten(2, (p * p, -1)).mT.flatten(2).mT  # (b, c p p, n), channel slowest
        return F.fold(x, (h, w), p, stride=p)

    def check(t, unpatchify):
        one = torch.zeros(1, 4, 4)
        one[0, 1] = 1
        got = t.call(unpatchify, one, 2, 4, 4)
        t.shape("the picture's shape", got, (1, 1, 4, 4), given="4 tokens of 4 numbers, p = 2")
        want = torch.zeros(1, 1, 4, 4)
        want[..., :2, 2:] = 1
        t.equal(
            "a square comes back as a square",
            got,
            want,
            given="token 1 all ones",
            because=(
                "the height is (rows of squares, rows inside): permute to b, c, row, inner "
                "row, column, inner column"
            ),
        )
        for c, h, w in ((3, 4, 4), (2, 4, 6), (1, 6, 4)):
            x = t.randn(2, c, h, w)
            try:
                out = t.call(unpatchify, _cut(x, 2), 2, h, w)
            except Exception as e:
                if type(e).__name__ != "Crashed":
                    raise
                t.refuse(
                    "pictures need not be square",
                    f"{type(e.cause).__name__}: {e.cause}",
                    f"shape {(2, c, h, w)}",
                    f"h = {h}, w = {w}",
                    "the root of n is the side of a square picture only",
                )
            t.equal(
                "it undoes patchify",
                out,
                x,
                given=f"c = {c}, h = {h}, w = {w}",
                because="row, column, channel inside a token",
            )
        x = t.randn(1, 2, 3, 6)
        t.equal(
            "squares are as large as p says",
            t.call(unpatchify, _cut(x, 3), 3, 3, 6),
            x,
            given="p = 3, h = 3, w = 6",
        )

    @wrong("it undoes patchify")
    def channel_slowest(tokens, p, h, w):
        return F.fold(tokens.mT, (h, w), p, stride=p)

    @wrong("pictures need not be square")
    def squares_only(tokens, p, h, w):
        b, n, width = tokens.shape
        side = int(n**0.5)
        return (
            tokens.reshape(b, side, side, p, p, width // p**2)
            .permute(0, 5, 1, 3, 2, 4)
            .reshape(b, -1, side * p, side * p)
        )

    @wrong("it undoes patchify")
    def turned_inside(tokens, p, h, w):
        return (
            tokens.reshape(len(tokens), h // p, w // p, p, p, -1)
            .permute(0, 5, 1, 4, 2, 3)
            .reshape(len(tokens), -1, h, w)
        )

    @wrong("a square comes back as a square")
    def columns_first(tokens, p, h, w):
        return (
            tokens.reshape(len(tokens), w // p, h // p, p, p, -1)
            .permute(0, 5, 2, 3, 1, 4)
            .reshape(len(tokens), -1, h, w)
        )

    @wrong("a square comes back as a square")
    def just_a_view(tokens, p, h, w):
        return tokens.reshape(len(tokens), -1, h, w)


class Clock(Exercise):
    "A clock that almost fits the weights"

    id, kind = "dit.time_features", "bug"
    difficulty, importance, minutes = 2, 5, 8
    task = (
        "`time_features(t, width)` prepares times `(b,)` for published DiT weights: `(b, "
        "width)`, all cosines and then all "
        "sines of `t * exp(-ln(10000) * i / half)`, `half = width / 2`, `i = 0 .. half - 1`. "
        "The version below loads everywhere "
        "and is off: its hands have the speeds of another paper. Repair it."
    )
    starter = """
def time_features(t, width):
    half = width // 2
    speeds = torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    a = t[:, None] * speeds
    return torch.cat([a.sin(), a.cos()], -1)
"""
    bug = "cosines first"
    hints = (
        "What does the formula give at t = 0, and what does the code?",
        "Two things differ: the order of the halves, and what i is divided by.",
        "torch.arange(half) / half, and torch.cat([a.cos(), a.sin()], -1)",
    )

    def reference(t, width):
        half = width // 2
        a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        return torch.cat([a.cos(), a.sin()], -1)

    def another(t, width):
        a = torch.outer(t, 10000.0 ** (-torch.arange(0, width, 2) / width))
        return torch.view_as_real(torch.polar(torch.ones_like(a), a)).transpose(1, 2).flatten(1)

    def check(t, time_features):
        got = t.call(time_features, torch.tensor([0.0]), 6)
        t.shape("one row for each time", got, (1, 6), given="one time, width 6")
        t.equal(
            "cosines first",
            got[0],
            torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
            given="t = 0",
            because="at t = 0 cosines are 1 and sines 0",
        )
        times = torch.tensor([1.0, 20.5, 999.0])
        got = t.call(time_features, times, 8)
        t.shape("one row for each time", got, (3, 8))
        speeds = [10000 ** (-i / 4) for i in range(4)]
        want = torch.tensor(
            [[f(x * s) for f in (math.cos, math.sin) for s in speeds] for x in times.tolist()]
        )
        t.equal(
            "hand 0 turns by t",
            got[:, [0, 4]],
            want[:, [0, 4]],
            1e-3,
            0.0,
            "t = 1, 20.5, 999",
            "in radians, t as it is",
        )
        t.equal(
            "hand i turns by t * exp(-ln(10000) i / half)",
            got,
            want,
            1e-3,
            0.0,
            "width 8, so half = 4",
            "divided by half, not by half - 1, and all cosines before all sines",
        )

    @wrong("exp(-ln(10000) i / half)")
    def half_minus_one(t, width):
        return _clock(t, width, width // 2 - 1)

    @wrong("cosines first")
    def sine_first(t, width):
        return _clock(t, width, width // 2).roll(width // 2, 1)

    @wrong("cosines first")
    def woven(t, width):
        return _clock(t, width, width // 2).unflatten(1, (2, -1)).mT.flatten(1)

    @wrong("exp(-ln(10000) i / half)")
    def over_the_width(t, width):
        return _clock(t, width, width)

    @wrong("hand 0 turns by t")
    def in_turns(t, width):
        return _clock(2 * math.pi * t, width, width // 2)

    @wrong("hand 0 turns by t")
    def slowest_first(t, width):
        a = t[:, None] * torch.exp(
            -math.log(10000) * torch.arange(width // 2).flip(0) / (width // 2)
        )
        return torch.cat([a.cos(), a.sin()], -1)


def _clock(t, width, over):
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(width // 2) / over)
    return torch.cat([a.cos(), a.sin()], -1)


class Modulate(Exercise):
    "A block that forgets its input"

    id, kind = "dit.modulate", "bug"
    difficulty, importance, minutes = 2, 5, 7
    task = (
        "`modulated(x, part, norm, shift, scale, gate)`: `x` is `(b, n, d)`, the three vectors "
        "of each picture are `(b, d)`. It "
        "should give `x + gate * part(norm(x) * (1 + scale) + shift)`. With vectors of zero, "
        "as at the start, it should be the "
        "identity and a normed input should reach the part unchanged. Repair three things."
    )
    starter = """
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * scale + shift)
    return gate * (x + y)
"""
    bug = "with a gate of zero nothing changes"
    hints = (
        "What comes out when all three vectors are zero?",
        "The gate belongs to the branch, the scale counts from one, and (b, d) against (b, n, "
        "d) needs an axis.",
        "shift, scale, gate = (v[:, None] for v in (shift, scale, gate))",
    )

    def reference(x, part, norm, shift, scale, gate):
        shift, scale, gate = (v[:, None] for v in (shift, scale, gate))
        return x + gate * part(norm(x) * (1 + scale) + shift)

    def another(x, part, norm, shift, scale, gate):
        y = torch.addcmul(norm(x) + shift.unsqueeze(1), norm(x), scale.unsqueeze(1))
        return torch.einsum("bd,bnd->bnd", gate, part(y)) + x

    def check(t, modulated):
        b = n = 3  # equal, so that a missing axis broadcasts in silence
        x, norm, part = (
            t.randn(b, n, 4) + 1,
            lambda z: F.layer_norm(z, (4,)),
            lambda z: torch.tanh(z.cumsum(1) * 2),  # bent, so that a gate in front of it shows
        )
        zero, one = torch.zeros(b, 4), torch.ones(b, 4)
        got = t.call(modulated, x, part, norm, zero, zero, zero)
        t.shape("the shape that came in", got, x.shape)
        t.equal(
            "with a gate of zero nothing changes",
            got,
            x,
            given="shift, scale, gate all zero",
            because="the gate multiplies the branch only, never x",
        )
        t.equal(
            "a scale of zero leaves the normed input",
            t.call(modulated, x, part, norm, zero, zero, one),
            x + part(norm(x)),
            given="shift and scale zero, gate one",
            because="1 + scale: a fresh network gives scales of zero",
        )
        t.equal(
            "the gate multiplies what the part gives",
            t.call(modulated, x, part, norm, zero, zero, 3 * one),
            x + 3 * part(norm(x)),
            given="shift and scale zero, gate three",
            because="gate * part(...): in front of the part it bends another number",
        )
        shift, scale, gate = t.randn(b, 4), t.randn(b, 4), t.randn(b, 4)
        want = torch.stack(
            [
                x[i] + gate[i] * part((norm(x[i]) * (1 + scale[i]) + shift[i])[None])[0]
                for i in range(b)
            ]
        )
        got = t.call(modulated, x, part, norm, shift, scale, gate)
        t.equal(
            "each picture has its own vectors, the same for all its tokens",
            got,
            want,
            given="b = n = 3, all vectors random",
            because=(
                "v[:, None]: with b = n a missing axis gives each token another picture's vector"
            ),
        )

    @wrong("a scale of zero leaves")
    def no_one(x, part, norm, shift, scale, gate):
        return x + gate[:, None] * part(norm(x) * scale[:, None] + shift[:, None])

    @wrong("each picture has its own vectors")
    def no_axis(x, part, norm, shift, scale, gate):
        return x + gate * part(norm(x) * (1 + scale) + shift)

    @wrong("with a gate of zero nothing changes")
    def gate_counts_from_one(x, part, norm, shift, scale, gate):
        return x + (1 + gate[:, None]) * part(norm(x) * (1 + scale[:, None]) + shift[:, None])

    @wrong("with a gate of zero nothing changes")
    def no_skip(x, part, norm, shift, scale, gate):
        return gate[:, None] * part(norm(x) * (1 + scale[:, None]) + shift[:, None])

    @wrong("a scale of zero leaves")
    def no_norm(x, part, norm, shift, scale, gate):
        return x + gate[:, None] * part(x * (1 + scale[:, None]) + shift[:, None])

    @wrong("the gate multiplies what the part gives")
    def gate_in_front(x, part, norm, shift, scale, gate):
        return x + part(gate[:, None] * (norm(x) * (1 + scale[:, None]) + shift[:, None]))

    @wrong("each picture has its own vectors")
    def shift_before_scale(x, part, norm, shift, scale, gate):
        return x + gate[:, None] * part((norm(x) + shift[:, None]) * (1 + scale[:, None]))

    @wrong("each picture has its own vectors")
    def modulates_the_result(x, part, norm, shift, scale, gate):
        return x + gate[:, None] * (part(norm(x)) * (1 + scale[:, None]) + shift[:, None])


class ZeroStart(Exercise):
    "Zero, but not too much"

    id = "dit.zero_start"
    difficulty, importance, minutes = 3, 5, 12
    task = (
        "Write a module `Branch(part, dim)`: `forward(x, c)` with `x` `(b, n, dim)` and a "
        "condition `c` `(b, dim)` gives `x + "
        "gate * part(layer_norm(x) * (1 + scale) + shift)`, where shift, scale and gate, in "
        "this order, come from one linear "
        "map of `silu(c)`, called `modulation`. The norm has no gain. A new Branch must be the "
        "identity, leave `part` as it "
        "was, and still be able to learn."
    )
    starter = """
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        ...

    def forward(self, x, c): ...
"""
    hints = (
        "A product of two zeros has no gradient at all.",
        "Only the linear map starts at zero, its bias too. Then the gate has a gradient, "
        "because part has not been touched.",
        "self.modulation = nn.Linear(dim, 3 * dim); nn.init.zeros_ of weight and bias; "
        ".chunk(3, -1) with [:, None]",
    )

    class reference(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, nn.Linear(dim, 3 * dim)
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)

        def forward(self, x, c):
            shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
            return x + gate * self.part(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)

    class another(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.norm, self.part = nn.LayerNorm(dim, elementwise_affine=False), part
            self.modulation = nn.Linear(dim, 3 * dim)
            with torch.no_grad():
                self.modulation.weight.mul_(0.0), self.modulation.bias.mul_(0.0)

        def forward(self, x, c):
            m = self.modulation(c * torch.sigmoid(c)).view(len(c), 3, 1, -1)
            return torch.addcmul(
                x, m[:, 2], self.part(torch.addcmul(m[:, 0], self.norm(x), 1 + m[:, 1]))
            )

    def check(t, Branch):
        part = nn.Linear(4, 4)
        before = part.weight.detach().clone()
        module = t.call(Branch, part, 4)
        x, c, target = 2 * t.randn(3, 3, 4) + 1, t.randn(3, 4), t.randn(3, 3, 4)
        got = t.call(module, x, c)
        t.shape("the shape that came in", got, x.shape)
        t.equal(
            "a new branch is the identity",
            got,
            x,
            0.0,
            0.0,
            because="the gate is zero: weight and bias of the map start at zero",
        )
        t.true(
            "the part is left as it was",
            torch.equal(part.weight, before),
            "its weight changed",
            "the same weight",
            because="zeroing it too leaves no gradient",
        )
        t.true(
            "it has a linear map called modulation",
            isinstance(getattr(module, "modulation", None), nn.Linear),
            "none",
            "nn.Linear(dim, 3 * dim)",
        )
        known = {id(p) for p in [*part.parameters(), *module.modulation.parameters()]}
        more = [name for name, p in module.named_parameters() if id(p) not in known]
        t.true(
            "the norm has no gain",
            not more,
            f"more to learn: {', '.join(more)}",
            "numbers learned: those of part and of modulation",
            because="elementwise_affine=False, or F.layer_norm",
        )
        t.shape(
            "modulation gives three numbers for each of x",
            module.modulation.weight,
            (12, 4),
            given="dim = 4",
        )
        (got - target).square().sum().backward()
        grad = module.modulation.weight.grad
        t.true(
            "the gate has a gradient at the start",
            grad is not None and grad[8:].abs().max() > 0,
            "none",
            "a gradient",
            because=(
                "gate = 0 times a part that is zero too can never move; and the order is "
                "shift, scale, gate"
            ),
        )
        with torch.no_grad():
            for p in module.modulation.parameters():
                p.copy_(t.randn(*p.shape))
        m = module.modulation(c * torch.sigmoid(c)).detach()  # (b, 3 dim), with a bias or without
        want = torch.stack(
            [
                x[i]
                + m[i, 8:]
                * part(
                    (x[i] - x[i].mean(-1, keepdim=True))
                    / (x[i].var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
                    * (1 + m[i, 4:8])
                    + m[i, :4]
                )
                for i in range(3)
            ]
        )
        t.equal(
            "x + gate * part(norm(x) * (1 + scale) + shift)",
            t.call(module, x, c),
            want,
            1e-4,
            1e-4,
            "random weights in modulation",
            "order shift, scale, gate; silu on the condition; [:, None] for the tokens",
        )
        x, c = t.randn(2, 3, 6), t.randn(2, 6)
        wide = t.call(t.call(Branch, nn.Linear(6, 6), 6), x, c)
        t.equal("dim is an argument", wide, x, given="dim = 6")

    @wrong("a new branch is the identity")
    class NotZero(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, nn.Linear(dim, 3 * dim)

        def forward(self, x, c):
            return _branch(self, x, c)

    @wrong("a new branch is the identity")
    class BiasLeft(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, nn.Linear(dim, 3 * dim)
            nn.init.zeros_(self.modulation.weight)

        def forward(self, x, c):
            return _branch(self, x, c)

    @wrong("the part is left as it was")
    class AllZero(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, _zero(nn.Linear(dim, 3 * dim))
            for p in part.parameters():
                nn.init.zeros_(p)

        def forward(self, x, c):
            return _branch(self, x, c)

    @wrong("a new branch is the identity")
    class GateOfOne(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, _zero(nn.Linear(dim, 3 * dim))

        def forward(self, x, c):
            shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
            return x + (1 + gate) * self.part(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)

    @wrong("x + gate * part(norm(x) * (1 + scale) + shift)")
    class NoActivation(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, _zero(nn.Linear(dim, 3 * dim))

        def forward(self, x, c):
            return _branch(self, x, c, lambda c: c)

    @wrong("the gate has a gradient")
    class GateFirst(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, _zero(nn.Linear(dim, 3 * dim))

        def forward(self, x, c):
            gate, shift, scale = self.modulation(F.silu(c))[:, None].chunk(3, -1)
            return x + gate * self.part(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)

    @wrong("the gate has a gradient")
    class Detached(nn.Module):
        def __init__(self, part, dim):
            super().__init__()
            self.part, self.modulation = part, _zero(nn.Linear(dim, 3 * dim))

        def forward(self, x, c):
            shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
            return (
                x
                + gate * 0
                + gate.detach() * self.part(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)
            )


def _zero(linear):
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _branch(self, x, c, act=F.silu):
    shift, scale, gate = self.modulation(act(c))[:, None].chunk(3, -1)
    return x + gate * self.part(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)


class LabelDrop(Exercise):
    "The label that is sometimes not there"

    id, kind = "dit.label_drop", "bug"
    difficulty, importance, minutes = 2, 5, 7
    task = (
        "`drop_labels(labels, n_classes, share, training)` prepares labels `(b,)` for "
        "guidance: in training each picture by "
        "itself loses its label with probability `share` and gets `n_classes`, the index that "
        "means no label; outside training "
        "nothing is dropped. Repair the version below."
    )
    starter = """
def drop_labels(labels, n_classes, share, training):
    if torch.rand(()) < share:
        return torch.zeros_like(labels)
    return labels
"""
    bug = "outside training nothing is dropped"
    hints = (
        "Who is dropped when the coin falls once for the whole batch? And is 0 not a class?",
        "One random number for each label; torch.where or masked_fill; nothing at all if not "
        "training.",
        "labels.masked_fill(torch.rand(labels.shape) < share, n_classes)",
    )

    def reference(labels, n_classes, share, training):
        return (
            labels.masked_fill(torch.rand(labels.shape) < share, n_classes) if training else labels
        )

    def another(labels, n_classes, share, training):
        keep = torch.bernoulli(torch.full(labels.shape, 1 - share * training)).long()
        return labels * keep + n_classes * (1 - keep)

    def check(t, drop_labels):
        labels = t.randint(0, 10, (4000,))
        for share in (0.3, 1.0):
            got = [t.call(drop_labels, labels, 10, share, False) for _ in range(3)]
            t.true(
                "outside training nothing is dropped",
                all(torch.equal(g, labels) for g in got),
                "other labels",
                "the labels that came in",
                f"training=False, share={share}",
                "samples must have the label that was asked for",
            )
        got = t.call(drop_labels, labels, 10, 1.0, True)
        t.shape("a label for each picture", got, (4000,))
        t.true(
            "a dropped label is n_classes",
            bool((got == 10).all()),
            got[:5],
            10,
            "share=1.0",
            "0 is a class; the index after the last is free",
        )
        t.equal(
            "with a share of 0 nothing is dropped",
            t.call(drop_labels, labels, 10, 0.0, True),
            labels,
            given="share=0.0, training=True",
        )
        got = t.call(drop_labels, labels, 10, 0.3, True)
        gone = (got == 10).float().mean().item()
        t.near(
            "each picture loses its label by itself",
            gone,
            0.3,
            0.04,
            "4000 labels, share=0.3",
            "one random number for each, not one for the batch",
        )
        t.equal("the others keep theirs", got[got != 10], labels[got != 10])
        t.true(
            "other labels are dropped the next time",
            not torch.equal(t.call(drop_labels, labels, 10, 0.3, True), got),
            "the same ones",
            "a new draw",
        )
        shares = [
            (t.call(drop_labels, labels[:100], 10, 0.3, True) == 10).sum().item() for _ in range(20)
        ]
        t.true(
            "how many are dropped is a matter of chance",
            len(set(shares)) > 2,
            f"{shares[0]} of 100 each time",
            "other numbers each time, 30 on average",
            given="100 labels, share=0.3, 20 times",
            because="each label is dropped by itself, not a fixed share of the batch",
        )
        t.equal(
            "the index of no label is n_classes, whatever that is",
            t.call(drop_labels, labels[:5] % 3, 3, 1.0, True),
            torch.full((5,), 3),
            given="n_classes=3, share=1.0",
        )

    @wrong("how many are dropped is a matter of chance")
    def exact_share(labels, n_classes, share, training):
        gone = torch.randperm(len(labels))[: round(share * training * len(labels))]
        return labels.index_fill(0, gone, n_classes)

    @wrong("outside training nothing is dropped")
    def in_sampling_too(labels, n_classes, share, training):
        return labels.masked_fill(torch.rand(labels.shape) < share, n_classes)

    @wrong("each picture loses its label by itself")
    def all_or_none(labels, n_classes, share, training):
        return torch.full_like(labels, n_classes) if training and torch.rand(()) < share else labels

    @wrong("a dropped label is n_classes")
    def class_zero(labels, n_classes, share, training):
        return labels.masked_fill(torch.rand(labels.shape) < share, 0) if training else labels

    @wrong("a dropped label is n_classes")
    def last_class(labels, n_classes, share, training):
        return (
            labels.masked_fill(torch.rand(labels.shape) < share, n_classes - 1)
            if training
            else labels
        )

    @wrong("a dropped label is n_classes")
    def kept_for_dropped(labels, n_classes, share, training):
        return (
            labels.masked_fill(torch.rand(labels.shape) > share, n_classes) if training else labels
        )

    @wrong("other labels are dropped the next time")
    def always_the_same(labels, n_classes, share, training):
        g = torch.Generator().manual_seed(0)
        return (
            labels.masked_fill(torch.rand(labels.shape, generator=g) < share, n_classes)
            if training
            else labels
        )


class Places(Exercise):
    "Two axes in one vector"

    id = "dit.places"
    difficulty, importance, minutes = 3, 3, 12
    task = (
        "Write `places(rows, columns, dim)`, the fixed positions of the published DiT: `(rows "
        "* columns, dim)`, places row by "
        "row. The first half of a vector tells the **column**, the second the row. Each half "
        "holds `dim / 4` sines, then as "
        "many cosines, of `position / 10000 ** (4 i / dim)`, `i = 0 .. dim / 4 - 1`."
    )
    starter = """
def places(rows, columns, dim): ...
"""
    hints = (
        "Two lists first: the row and the column of every place, in the order of the tokens.",
        "torch.arange(rows).repeat_interleave(columns) is the row; .repeat(rows) makes the column.",
        "half = lambda p: torch.cat([(p[:, None] * w).sin(), (p[:, None] * w).cos()], 1); "
        "torch.cat([half(column), half(row)], 1)",
    )

    def reference(rows, columns, dim):
        w = 10000.0 ** (-4 * torch.arange(dim // 4) / dim)

        def half(p):
            return torch.cat([(p[:, None] * w).sin(), (p[:, None] * w).cos()], 1)

        return torch.cat(
            [
                half(torch.arange(columns).repeat(rows)),
                half(torch.arange(rows).repeat_interleave(columns)),
            ],
            1,
        )

    def another(rows, columns, dim):
        column, row = torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy")
        a = torch.stack([column, row], -1).flatten(0, 1)[..., None] / 10000 ** (
            torch.arange(dim // 4) * 4 / dim
        )  # (n, 2, dim / 4)
        return torch.stack([a.sin(), a.cos()], 2).flatten(1)

    def check(t, places):
        got = t.call(places, 2, 3, 8)
        t.shape("a vector for each place", got, (6, 8), given="rows = 2, columns = 3, dim = 8")
        t.equal(
            "place (0, 0) has sines of zero and cosines of one",
            got[0],
            torch.tensor([0.0, 0.0, 1.0, 1.0] * 2),
            given="dim = 8",
            because="in each half all sines, then all cosines",
        )
        t.equal(
            "neighbours in a row share the second half",
            got[0, 4:],
            got[1, 4:],
            given="places (0, 0) and (0, 1)",
            because="the first half is the column's, and places run row by row",
        )
        rows = []
        for r in range(3):
            for c in range(5):
                a = [[p / 10000 ** (4 * i / 12) for i in range(3)] for p in (c, r)]
                rows.append([f(x) for half in a for f in (math.sin, math.cos) for x in half])
        t.equal(
            "position / 10000^(4 i / dim) in each half",
            t.call(places, 3, 5, 12),
            torch.tensor(rows),
            1e-4,
            0.0,
            "rows = 3, columns = 5, dim = 12",
            "each half is a position vector of dim / 2 numbers by itself",
        )

    @wrong("neighbours in a row share")
    def row_first(rows, columns, dim):
        return _places(rows, columns, dim).roll(dim // 2, 1)

    @wrong("sines of zero and cosines of one")
    def cosine_first(rows, columns, dim):
        return _places(rows, columns, dim).unflatten(1, (2, 2, -1)).flip(2).flatten(1)

    @wrong("neighbours in a row share")
    def column_by_column(rows, columns, dim):
        return _places(rows, columns, dim).view(rows, columns, dim).transpose(0, 1).reshape(-1, dim)

    @wrong("10000^(4 i / dim)")
    def speeds_of_the_whole(rows, columns, dim):
        return _places(rows, columns, dim, 2)

    @wrong("sines of zero and cosines of one")
    def woven(rows, columns, dim):
        return _places(rows, columns, dim).unflatten(1, (2, 2, -1)).mT.flatten(1)

    @wrong("sines of zero and cosines of one")
    def counts_from_one(rows, columns, dim):
        return _places(rows, columns, dim, start=1)

    @wrong("neighbours in a row share")
    def one_line(rows, columns, dim):
        w = 10000.0 ** (-4 * torch.arange(dim // 4) / dim)
        a = torch.arange(rows * columns)[:, None] * w
        return torch.cat([a.sin(), a.cos()], 1).repeat(1, 2)


def _places(rows, columns, dim, factor=4, start=0):
    w = 10000.0 ** (-factor * torch.arange(dim // 4) / dim)

    def half(p):
        return torch.cat([((p[:, None] + start) * w).sin(), ((p[:, None] + start) * w).cos()], 1)

    return torch.cat(
        [
            half(torch.arange(columns).repeat(rows)),
            half(torch.arange(rows).repeat_interleave(columns)),
        ],
        1,
    )


class CountParameters(Exercise):
    "675 million, by hand"

    id = "dit.parameters"
    difficulty, importance, minutes = 3, 5, 12
    covers = ("S2-Q3",)
    task = (
        "Count the trained numbers of an original DiT: a patch embedding from `p * p * "
        "channels` to `d`; a time map 256 to d to "
        "d; a table of `n_classes + 1` labels; in each of `depth` blocks qkv, projection, an "
        "MLP four times as wide, and a "
        "modulation d to 6 d; at the end a modulation d to 2 d and a map from `d` to `p * p * "
        "c_out`. All maps have biases, "
        "norms have nothing, places are fixed."
    )
    starter = """
def parameters(depth, d, p, channels, c_out, n_classes): ...
"""
    hints = (
        "Weights of a block in units of d squared: 3 for qkv, 1, 4, 4, and how many for the "
        "modulation?",
        "A block has 18 d^2 weights and 15 d biases. A third of it is conditioning.",
        "ends: p*p*channels*d + d, 256*d + d + d*d + d, (n_classes + 1)*d, 2*d*d + 2*d, "
        "d*p*p*c_out + p*p*c_out",
    )

    def reference(depth, d, p, channels, c_out, n_classes):
        time, labels = 256 * d + d + d * d + d, (n_classes + 1) * d
        ends = p * p * channels * d + d + 2 * d * d + 2 * d + (d + 1) * p * p * c_out
        return depth * (18 * d * d + 15 * d) + time + labels + ends

    def another(depth, d, p, channels, c_out, n_classes):
        maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
        maps += depth * [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)]
        return sum((a + 1) * b for a, b in maps) + d * (n_classes + 1)

    def check(t, parameters):
        for depth, d, p, channels, heads, n_classes, variance in (
            (1, 8, 2, 3, 2, 4, True),
            (2, 8, 2, 3, 2, 4, False),
            (3, 16, 4, 1, 2, 10, True),
            (28, 1152, 2, 4, 16, 1000, True),
        ):
            c_out = 2 * channels if variance else channels
            config = DiTConfig(
                (channels, 8, 8), p, d, depth, heads, n_classes, 0.1, variance, "original"
            )
            with torch.device("meta"):
                want = sum(q.numel() for q in DiT(config).parameters())
            got = t.call(parameters, depth, d, p, channels, c_out, n_classes)
            got = plain(got)
            t.true("a whole number", isinstance(got, int), got, "an int", because="use //, not /")
            t.equal(
                "what the model itself holds",
                got,
                want,
                0,
                0,
                f"depth {depth}, d {d}, p {p}, {channels} channels in and {c_out} out, "
                f"{n_classes} classes",
                "biases everywhere; one label more than classes; p * p numbers for each "
                "channel of a patch",
            )

    @wrong("what the model itself holds")
    def no_biases(depth, d, p, channels, c_out, n_classes):
        return (
            depth * 18 * d * d
            + 256 * d
            + d * d
            + (n_classes + 1) * d
            + p * p * channels * d
            + 2 * d * d
            + d * p * p * c_out
        )

    @wrong("what the model itself holds")
    def no_empty_label(depth, d, p, channels, c_out, n_classes):
        return _count(depth, d, p, channels, c_out, n_classes - 1)

    @wrong("what the model itself holds")
    def modulation_forgotten(depth, d, p, channels, c_out, n_classes):
        return _count(depth, d, p, channels, c_out, n_classes) - depth * 6 * d * (d + 1)

    @wrong("what the model itself holds")
    def one_modulation_for_all(depth, d, p, channels, c_out, n_classes):
        return (
            _count(depth, d, p, channels, c_out, n_classes)
            - (depth - 1) * 6 * d * (d + 1)
            + (depth == 1)
        )

    @wrong("what the model itself holds")
    def no_learned_variance(depth, d, p, channels, c_out, n_classes):
        return _count(depth, d, p, channels, c_out // 2, n_classes)

    @wrong("what the model itself holds")
    def always_learned_variance(depth, d, p, channels, c_out, n_classes):
        return _count(depth, d, p, channels, 2 * channels, n_classes)

    @wrong("a whole number")
    def as_float(depth, d, p, channels, c_out, n_classes):
        return _count(depth, d, p, channels, c_out, n_classes) / 1.0


def _count(depth, d, p, channels, c_out, n_classes):
    ends = p * p * channels * d + d + 2 * d * d + 2 * d + (d + 1) * p * p * c_out
    return depth * (18 * d * d + 15 * d) + 256 * d + d + d * d + d + (n_classes + 1) * d + ends


class KnowsTheTime(Exercise):
    "A diffusion transformer without time"

    id, kind = "dit.knows_the_time", "bug"
    difficulty, importance, minutes = 2, 5, 8
    covers = ("S0-B2", "S0-B2.3", "S0-F19", "S0-F8", "S0-F9")
    task = (
        "`denoise(x_t, t, y, parts)` is called a diffusion transformer, but it would give the "
        "same answer at every noise level. "
        "`parts` holds functions: `patchify(x)` and `unpatchify(tokens)`, `time(t)` and "
        "`label(y)` that give `(b, d)`, "
        "`blocks`, a list of `block(tokens, condition)` with a condition `(b, 1, d)`, and "
        "`head(tokens)`. Condition every block "
        "on the sum of time and label."
    )
    starter = """
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = parts["label"](y)[:, None]
    tokens = parts["blocks"][0](tokens, condition)
    for block in parts["blocks"][1:]:
        tokens = block(tokens, torch.zeros_like(condition))
    return parts["unpatchify"](parts["head"](tokens))
"""
    bug = "the answer depends on the time"
    hints = (
        "What changes in this function when t does?",
        "condition = time + label, the same for every block.",
        "condition = (parts['time'](t) + parts['label'](y))[:, None]",
    )

    def reference(x_t, t, y, parts):
        tokens, condition = parts["patchify"](x_t), (parts["time"](t) + parts["label"](y))[:, None]
        for block in parts["blocks"]:
            tokens = block(tokens, condition)
        return parts["unpatchify"](parts["head"](tokens))

    def another(x_t, t, y, parts):
        from functools import reduce

        c = torch.stack([parts["time"](t), parts["label"](y)], 1).sum(1, keepdim=True)
        return parts["unpatchify"](
            parts["head"](
                reduce(lambda z, block: block(z, c), parts["blocks"], parts["patchify"](x_t))
            )
        )

    def check(t, denoise):
        w = [t.randn(4, 4) for _ in range(5)]
        parts = dict(
            patchify=lambda x: x.flatten(2).mT,
            unpatchify=lambda z: z.mT.unflatten(2, (2, 3)),
            time=lambda s: s[:, None].sin() * torch.arange(1.0, 5),
            label=lambda y: F.one_hot(y, 4).float() * 3,
            head=lambda z: z @ w[0],
            blocks=[
                lambda z, c, m=m: z + torch.tanh((z + z.mean(1, keepdim=True)) * (1 + c)) @ m
                for m in w[1:]
            ],
        )
        x, s, y = t.randn(3, 4, 2, 3), torch.tensor([0.1, 0.5, 0.9]), torch.tensor([1, 3, 0])
        got = t.call(denoise, x, s, y, parts)
        t.shape("the shape of x_t", got, x.shape)
        later = t.call(denoise, x, s + torch.tensor([0.0, 0.0, 0.05]), y, parts)
        t.true(
            "the answer depends on the time",
            not torch.allclose(later[2], got[2]),
            "the same answer at another time",
            "another answer",
            "the time of picture 2 moved",
            "without t the network cannot know how much noise to expect",
        )
        t.equal(
            "each picture has its own time", later[:2], got[:2], given="the time of picture 2 moved"
        )
        c = parts["time"](s) + parts["label"](y)
        want = []
        for i in range(3):
            z = x[i].flatten(1).T
            for m in w[1:]:
                z = z + torch.tanh((z + z.mean(0)) * (1 + c[i])) @ m
            want.append((z @ w[0]).T.unflatten(1, (2, 3)))
        t.equal(
            "every block gets time + label",
            got,
            torch.stack(want),
            1e-4,
            1e-4,
            because="the same condition for all blocks, in their order, then the head",
        )

    @wrong("the answer depends on the time")
    def label_only(x_t, t, y, parts):
        return _through(x_t, parts["label"](y)[:, None], parts)

    @wrong("each picture has its own time")
    def mean_time(x_t, t, y, parts):
        return _through(x_t, (parts["time"](t).mean(0) + parts["label"](y))[:, None], parts)

    @wrong("every block gets time + label")
    def time_only(x_t, t, y, parts):
        return _through(x_t, parts["time"](t)[:, None], parts)

    @wrong("every block gets time + label")
    def first_block_only(x_t, t, y, parts):
        c = (parts["time"](t) + parts["label"](y))[:, None]
        z = parts["blocks"][0](parts["patchify"](x_t), c)
        for block in parts["blocks"][1:]:
            z = block(z, 0 * c)
        return parts["unpatchify"](parts["head"](z))

    @wrong("every block gets time + label")
    def product(x_t, t, y, parts):
        return _through(x_t, (parts["time"](t) * parts["label"](y))[:, None], parts)

    @wrong("every block gets time + label")
    def blocks_backwards(x_t, t, y, parts):
        return _through(
            x_t,
            (parts["time"](t) + parts["label"](y))[:, None],
            parts | {"blocks": parts["blocks"][::-1]},
        )

    @wrong("every block gets time + label")
    def time_added_to_tokens(x_t, t, y, parts):
        z = parts["patchify"](x_t) + parts["time"](t)[:, None]
        for block in parts["blocks"]:
            z = block(z, parts["label"](y)[:, None])
        return parts["unpatchify"](parts["head"](z))


def _through(x_t, condition, parts):
    z = parts["patchify"](x_t)
    for block in parts["blocks"]:
        z = block(z, condition)
    return parts["unpatchify"](parts["head"](z))


class OneNetForAllTimes(Exercise):
    "A network for every step"

    id, kind = "dit.one_net", "bug"
    difficulty, importance, minutes = 3, 4, 10
    covers = ("S2-B4", "S2-B4.4", "S2-B4.8", "S2-B4.9")
    task = (
        "`StepNet(n_steps, d)` denoises tokens `(b, n, d)` at integer steps `(b,)`. As written "
        "it has separate weights for "
        "every step, so a thousand steps cost a thousand networks, its tokens never meet, and "
        "the batch must share a step. Make "
        "it one network: one block `nn.TransformerEncoderLayer(d, 1, d, 0., batch_first=True)` "
        "on `x + time`, where `time` is an "
        "`nn.Linear` map `d -> d` of `features(t, d)`, which is given, for each picture by itself."
    )
    starter = """
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d)) for _ in range(n_steps)
        )

    def forward(self, x, t, features):
        return self.nets[int(t[0])](x)
"""
    bug = "the number of weights does not depend on the number of steps"
    hints = (
        "What must a single network be told, so that it can act differently at every step?",
        "In __init__ a block and a linear map; n_steps is not used. In forward the time vector "
        "is added to all tokens of its picture.",
        "self.block(x + self.time(features(t, x.shape[-1]))[:, None])",
    )

    class reference(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x + self.time(features(t, x.shape[-1]))[:, None])

    class another(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.block = nn.TransformerEncoderLayer(
                d, 1, dim_feedforward=d, dropout=0.0, batch_first=True
            )
            self.time = nn.Linear(d, d)

        def forward(self, x, t, features):
            rows = [
                self.block(picture[None] + self.time(features(step[None], len(picture[0]))))
                for picture, step in zip(x, t)
            ]
            return torch.cat(rows)

    def check(t, StepNet):
        torch.manual_seed(0)
        few, many = (t.call(StepNet, n, 4) for n in (10, 1000))

        def count(m):
            return sum(p.numel() for p in m.parameters())

        t.equal(
            "the number of weights does not depend on the number of steps",
            count(many),
            count(few),
            0,
            0,
            "10 and 1000 steps",
            "one network for all times, told the time",
        )
        t.true(
            "it has weights",
            count(few) > 0,
            count(few),
            "more than 0",
            because="layers are made in __init__",
        )

        def features(s, d):
            return torch.stack([(s.float() * 10.0**-i).cos() for i in range(d)], 1)

        x, s = t.randn(3, 5, 4), torch.tensor([2, 7, 9])
        got = t.call(few.eval(), x, s, features)
        t.shape("the shape that came in", got, x.shape)
        moved = x.clone()
        moved[:, 0] += torch.tensor([1.0, -2.0, 1.0, 0.0])
        change = (t.call(few, moved, s, features) - got).abs()[:, 1:].amax()
        t.true(
            "tokens see each other",
            change > 1e-5,
            "token 1 did not move with token 0",
            "attention",
            because="Linear and ReLU work on each token alone",
        )
        other = t.call(few, x, torch.tensor([2, 7, 4]), features)
        t.true(
            "the answer depends on the step",
            (other - got).abs()[2].max() > 1e-5,
            "the same answer",
            "another answer",
            "picture 2 at step 4 in place of 9",
        )
        t.equal(
            "each picture has its own step",
            other[:2],
            got[:2],
            given="the step of picture 2 moved",
            because="time vectors (b, d) get an axis: [:, None]",
        )
        alone = torch.cat([t.call(few, x[i : i + 1], s[i : i + 1], features) for i in range(3)])
        t.equal("a batch gives what the pictures give alone", alone, got)
        blocks = [m for m in few.modules() if isinstance(m, nn.TransformerEncoderLayer)]
        linears = [
            m for name, m in few.named_modules() if isinstance(m, nn.Linear) and "." not in name
        ]
        t.true(
            "one block and one linear map",
            len(blocks) == 1 and len(linears) == 1,
            f"{len(blocks)} blocks, {len(linears)} maps",
            "one of each",
        )
        t.true(
            "the block has one head",
            blocks[0].self_attn.num_heads == 1,
            blocks[0].self_attn.num_heads,
            1,
        )
        t.equal(
            "its MLP is as wide as the tokens",
            blocks[0].linear1.out_features,
            4,
            because="the third argument, dim_feedforward, is d",
        )
        t.equal(
            "nothing is dropped in training",
            t.call(few.train(), x, s, features),
            got,
            because="the fourth argument is the dropout",
        )
        t.equal(
            "block(x + time(features(t)))",
            got,
            torch.stack(
                [
                    blocks[0](x[i : i + 1] + linears[0](features(s[i : i + 1], 4)))[0]
                    for i in range(3)
                ]
            ),
            because="the time is added to every token before the block",
        )
        t.call(few, x, s, features).square().sum().backward()
        still = [name for name, p in few.named_parameters() if p.grad is None]
        t.true(
            "every weight learns",
            not still,
            f"no gradient: {', '.join(still)}",
            "a gradient for each",
            because="the map of the time is trained together with the block",
        )
        x = t.randn(2, 3, 6)
        wide = t.call(t.call(StepNet, 10, 6), x, s[:2], features)
        t.shape("the width is d", wide, (2, 3, 6), given="StepNet(10, 6)")

    @wrong("does not depend on the number of steps")
    class TableOfSteps(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Embedding(n_steps, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x + self.time(t)[:, None])

    @wrong("tokens see each other")
    class NoAttention(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d)),
            )

        def forward(self, x, t, features):
            return self.block(x + self.time(features(t, x.shape[-1]))[:, None])

    @wrong("the answer depends on the step")
    class NoTime(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x)

    @wrong("the answer depends on the step")
    class FirstStepForAll(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x + self.time(features(t[:1], x.shape[-1])))

    @wrong("each picture has its own step")
    class MeanStep(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x + self.time(features(t, x.shape[-1])).mean(0))

    @wrong("every weight learns")
    class FrozenTime(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            with torch.no_grad():
                time = self.time(features(t, x.shape[-1]))[:, None]
            return self.block(x + time)

    @wrong("block(x + time(features(t)))")
    class AddedAfter(nn.Module):
        def __init__(self, n_steps, d):
            super().__init__()
            self.time, self.block = (
                nn.Linear(d, d),
                nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True),
            )

        def forward(self, x, t, features):
            return self.block(x) + self.time(features(t, x.shape[-1]))[:, None]


class NoisyTarget(Exercise):
    "Trained on clean pictures"

    id, kind = "dit.objective", "bug"
    difficulty, importance, minutes = 2, 5, 9
    covers = ("S0-B2.5", "S0-C2", "S2-F2", "S2-F10")
    task = (
        "`loss(model, x, y, t, eps)` should train a denoiser: `x` `(b, c, h, w)` are pictures, "
        "`t` `(b,)` in [0, 1], `eps` "
        "noise like `x`. Mix them to `x_t = (1 - t) x + t eps`, ask `model(x_t, t, y)` for the "
        "direction of change `eps - x`, "
        "and return the mean squared error. As written, the model learns to copy clean "
        "pictures and cannot draw any. Repair it."
    )
    starter = """
def loss(model, x, y, t, eps):
    pred = model(x, torch.zeros_like(t), y)
    return (pred - x).square().mean()
"""
    bug = "the model sees the noisy picture"
    hints = (
        "What will the network be given when it has to draw: a clean picture?",
        "t needs three axes more, to meet (b, c, h, w).",
        "s = t.view(-1, 1, 1, 1); x_t = (1 - s) * x + s * eps",
    )

    def reference(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().mean()

    def another(model, x, y, t, eps):
        x_t = torch.stack([torch.lerp(a, e, s) for a, e, s in zip(x, eps, t.tolist())])
        return F.mse_loss(model(x_t, t, y), eps - x)

    def check(t, loss):
        x, eps = t.randn(3, 2, 4, 3), t.randn(3, 2, 4, 3)  # b = w, so that t broadcasts in silence
        s, y = torch.tensor([0.2, 0.5, 0.9]), torch.tensor([4, 1, 7])
        seen = []

        def model(*args):
            seen.append(args)
            return torch.zeros(3, 2, 4, 3)

        got = t.call(loss, model, x, y, s, eps)
        t.true(
            "the model is asked once",
            len(seen) == 1 and len(seen[0]) == 3,
            f"{len(seen)} calls",
            "one call model(x_t, t, y)",
        )
        want = torch.stack([(1 - a) * x[i] + a * eps[i] for i, a in enumerate(s.tolist())])
        t.shape("the model sees the noisy picture", seen[0][0], x.shape)
        t.equal(
            "the model sees the noisy picture",
            seen[0][0],
            want,
            given="t = 0.2, 0.5, 0.9, and b equal to w",
            because="(1 - t) x + t eps with t.view(-1, 1, 1, 1), one time for each picture",
        )
        t.equal(
            "the model is told the time and the label",
            (seen[0][1], seen[0][2]),
            (s, y),
            because="it must know how much noise to expect",
        )
        t.equal(
            "the target is eps - x",
            got,
            (eps - x).square().mean(),
            given="a model that answers zero",
            because="mean of squares over all numbers",
        )
        exact = t.call(loss, lambda x_t, *_: eps - x, x, y, s, eps)
        t.equal(
            "a perfect answer costs nothing",
            exact,
            torch.tensor(0.0),
            given="a model that answers eps - x",
        )
        w = torch.zeros((), requires_grad=True)
        learns = t.call(loss, lambda x_t, *_: w + 0 * x_t, x, y, s, eps)
        t.true(
            "the model gets a gradient",
            isinstance(learns, torch.Tensor) and learns.requires_grad,
            "a loss without a gradient",
            "a scalar with one",
            because="a loss from detached predictions trains nobody",
        )

    @wrong("the model sees the noisy picture")
    def clean_input(model, x, y, t, eps):
        return (model(x, t, y) - (eps - x)).square().mean()

    @wrong("the model sees the noisy picture")
    def no_axes(model, x, y, t, eps):
        return (model((1 - t) * x + t * eps, t, y) - (eps - x)).square().mean()

    @wrong("the model is told the time")
    def time_of_zero(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, 0 * t, y) - (eps - x)).square().mean()

    @wrong("a perfect answer costs nothing")
    def other_direction(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, t, y) - (x - eps)).square().mean()

    @wrong("the target is eps - x")
    def picture_as_target(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, t, y) - x).square().mean()

    @wrong("the model sees the noisy picture")
    def time_runs_back(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model(s * x + (1 - s) * eps, t, y) - (eps - x)).square().mean()

    @wrong("the target is eps - x")
    def summed(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().sum()

    @wrong("the model gets a gradient")
    def detached(model, x, y, t, eps):
        s = t.view(-1, 1, 1, 1)
        return (model((1 - s) * x + s * eps, t, y).detach() - (eps - x)).square().mean()


class GuidedChannels(Exercise):
    "Three channels of four"

    id, kind = "dit.guided_channels", "bug"
    difficulty, importance, minutes = 3, 3, 9
    covers = ("W4",)
    task = (
        "`guide(with_, without, s, channels)`: both are outputs `(b, 2 * channels, h, w)` of a "
        "DiT with learned variance, the "
        "first with label, the second without. Move the first `channels`, the noise, apart: "
        "`without + s (with_ - without)`. "
        "The other half, the variance, stays that of the label. The code below was carried "
        "over from a model of colour "
        "pictures. Repair it."
    )
    starter = """
def guide(with_, without, s, channels):
    eps = with_[:, :3] + s * (with_[:, :3] - without[:, :3])
    return torch.cat([eps, with_[:, 3:]], 1)
"""
    bug = "all channels of the noise are guided"
    hints = (
        "How many channels has a latent picture here, and how many does the slice take?",
        "s = 1 must mean no guidance at all: start from the model without label.",
        "without[:, :channels] + s * (with_[:, :channels] - without[:, :channels])",
    )

    def reference(with_, without, s, channels):
        a, b = with_[:, :channels], without[:, :channels]
        return torch.cat([b + s * (a - b), with_[:, channels:]], 1)

    def another(with_, without, s, channels):
        share = torch.ones(with_.shape[1])
        share[:channels] = s
        share = share.view(-1, 1, 1)
        return share * with_ + (1 - share) * without

    def check(t, guide):
        a, b = t.randn(2, 8, 3, 5), t.randn(2, 8, 3, 5)
        got = t.call(guide, a, b, 4.0, 4)
        t.shape("the shape that came in", got, a.shape)
        t.true(
            "all channels of the noise are guided",
            not torch.allclose(got[:, 3], a[:, 3]),
            "channel 3 is that of the label alone",
            "channel 3 guided too",
            "4 channels of noise, s = 4",
            "a latent has four channels; three is the number of colours",
        )
        t.equal(
            "s = 1 is the model with label",
            t.call(guide, a, b, 1.0, 4),
            a,
            given="s = 1",
            because="without + s (with - without)",
        )
        t.equal(
            "s = 0 is the model without label",
            t.call(guide, a, b, 0.0, 4)[:, :4],
            b[:, :4],
            given="s = 0",
        )
        t.equal(
            "the variance stays that of the label",
            got[:, 4:],
            a[:, 4:],
            given="s = 4",
            because="the second half is no noise: guiding it makes no sense",
        )
        t.equal(
            "without + s (with - without)",
            got[:, :4],
            torch.stack([b[:, i] + 4 * a[:, i] - 4 * b[:, i] for i in range(4)], 1),
            given="s = 4",
        )
        other = t.call(guide, a[:, :4], b[:, :4], 3.0, 2)
        t.equal(
            "any number of channels",
            other,
            torch.cat([3 * a[:, :2] - 2 * b[:, :2], a[:, 2:4]], 1),
            given="2 channels of noise",
        )

    @wrong("all channels of the noise are guided")
    def three(with_, without, s, channels):
        return torch.cat([torch.lerp(without[:, :3], with_[:, :3], s), with_[:, 3:]], 1)

    @wrong("the variance stays")
    def everything(with_, without, s, channels):
        return torch.lerp(without, with_, s)

    @wrong("s = 1 is the model with label")
    def counts_from_zero(with_, without, s, channels):
        a, b = with_[:, :channels], without[:, :channels]
        return torch.cat([a + s * (a - b), with_[:, channels:]], 1)

    @wrong("s = 1 is the model with label")
    def variance_without_label(with_, without, s, channels):
        return torch.cat(
            [torch.lerp(without[:, :channels], with_[:, :channels], s), without[:, channels:]], 1
        )

    @wrong("s = 1 is the model with label")
    def roles_swapped(with_, without, s, channels):
        return torch.cat(
            [torch.lerp(with_[:, :channels], without[:, :channels], s), with_[:, channels:]], 1
        )

    @wrong("any number of channels")
    def always_four(with_, without, s, channels):
        return torch.cat([torch.lerp(without[:, :4], with_[:, :4], s), with_[:, 4:]], 1)
