"""Exercises of notebook 19: the forgetting curve and its inverse, calibration, and two estimates
that interviews ask for.
"""

import math

import torch
from torch.nn import functional as F  # noqa: F401 (learners' solutions may use it)

from .engine import Exercise, wrong


class Recall(Exercise):
    "The forgetting curve of FSRS"

    id = "interview.recall"
    difficulty, importance, minutes = 2, 1, 6
    task = """FSRS-6 says that the probability of recall $t$ days after a review is $R = (1 + F
t/S)^{-d}$. The stability $S$ is the
number of days after which $R = 0.9$, which fixes $F$. Return $R$ for floats `days`, `stability`
and `decay`, without a look into the
package."""
    starter = """
def recall(days, stability, decay=0.1542): ...
"""
    hints = (
        "Put t = S into the formula and solve for F.",
        "(1 + F) ** -d = 0.9",
        "F = 0.9 ** (-1 / d) - 1, then (1 + F * t / S) ** -d",
    )

    def reference(days, stability, decay=0.1542):
        factor = 0.9 ** (-1 / decay) - 1
        return (1 + factor * days / stability) ** -decay

    def another(days, stability, decay=0.1542):
        return math.exp(-decay * math.log1p(math.expm1(-math.log(0.9) / decay) * days / stability))

    def check(t, recall):
        for decay in (0.1542, 0.5):
            t.near(
                "right after the review everything is known",
                t.call(recall, 0.0, 7.0, decay),
                1.0,
                1e-9,
                given=f"0 days, decay {decay}",
                because="with t = 0 the bracket is 1",
            )
            t.near(
                "after S days recall is 0.9",
                t.call(recall, 7.0, 7.0, decay),
                0.9,
                1e-9,
                given=f"7 days, stability 7, decay {decay}",
                because="F follows from the decay: F = 0.9 ** (-1 / d) - 1",
            )
        t.near(
            "with decay 1/2 the factor is 19/81",
            t.call(recall, 81.0, 19.0, 0.5),
            1 / math.sqrt(2),
            1e-9,
            given="81 days, stability 19",
            because=(
                "the curve is a power of time: an exponential agrees with it at 0 and at S only"
            ),
        )
        t.near(
            "days need not be whole",
            t.call(recall, 40.5, 9.5, 0.5),
            1 / math.sqrt(2),
            1e-9,
            given="40.5 days, stability 9.5, decay 0.5",
            because="the curve falls at every moment, not once a day",
        )
        t.near(
            "the default decay is that of FSRS-6",
            t.call(recall, 1000.0, 10.0),
            (1 + 100 * (0.9 ** (-1 / 0.1542) - 1)) ** -0.1542,
            1e-9,
            given="1000 days, stability 10",
            because="without an argument d is 0.1542",
        )

    @wrong("with decay 1/2 the factor")
    def exponential(days, stability, decay=0.1542):
        return 0.9 ** (days / stability)

    @wrong("after S days recall is 0.9")
    def factor_of_fsrs_5(days, stability, decay=0.1542):
        return (1 + 19 / 81 * days / stability) ** -decay

    @wrong("after S days recall is 0.9")
    def upside_down(days, stability, decay=0.1542):
        return (1 + (0.9 ** (-1 / decay) - 1) * stability * days / 7**3) ** -decay

    @wrong("right after the review")
    def a_day_late(days, stability, decay=0.1542):
        return (1 + (0.9 ** (-1 / decay) - 1) * (days + 1) / stability) ** -decay

    @wrong("days need not be whole")
    def whole_days(days, stability, decay=0.1542):
        return (1 + (0.9 ** (-1 / decay) - 1) * int(days) / stability) ** -decay

    @wrong("the default decay")
    def decay_of_fsrs_5(days, stability, decay=0.5):
        return (1 + (0.9 ** (-1 / decay) - 1) * days / stability) ** -decay


class Interval(Exercise):
    "When to come back"

    id = "interview.interval"
    difficulty, importance, minutes = 2, 1, 6
    task = """Return after how many days recall has fallen to `wanted`, for a card of stability
`stability`, by the same curve
$R = (1 + F t/S)^{-d}$ with $F = 0.9^{-1/d} - 1$. No rounding."""
    starter = """
def interval(stability, wanted, decay=0.1542): ...
"""
    hints = (
        "Solve R = wanted for t.",
        "wanted ** (-1 / d) = 1 + F t / S",
        "S / F * (wanted ** (-1 / d) - 1)",
    )

    def reference(stability, wanted, decay=0.1542):
        return stability * (wanted ** (-1 / decay) - 1) / (0.9 ** (-1 / decay) - 1)

    def another(stability, wanted, decay=0.1542):
        low, high = 0.0, 1e12
        for _ in range(200):
            middle = (low + high) / 2
            known = (1 + (0.9 ** (-1 / decay) - 1) * middle / stability) ** -decay
            low, high = (middle, high) if known > wanted else (low, middle)
        return low

    def check(t, interval):
        t.near(
            "recall of 0.9 lasts as long as the stability",
            t.call(interval, 12.5, 0.9),
            12.5,
            1e-6,
            given="stability 12.5, wanted 0.9",
            because="that is what stability means",
        )
        t.near(
            "recall of 1 lasts no time",
            t.call(interval, 12.5, 1.0),
            0.0,
            1e-6,
            given="wanted 1",
            because="subtract 1 inside the bracket",
        )
        t.near(
            "twice the stability, twice the interval",
            t.call(interval, 38.0, 0.8, 0.5) / 2,
            t.call(interval, 19.0, 0.8, 0.5),
            1e-6,
            because="the curve depends on t / S alone",
        )
        t.near(
            "with decay 1/2 it can be done by hand",
            t.call(interval, 19.0, 0.8, 0.5),
            81 * (1 / 0.64 - 1),
            1e-6,
            given="stability 19, wanted 0.8",
            because="F = 19/81, and 0.8 ** -2 - 1 = 0.5625",
        )
        t.near(
            "decay is 0.1542 where none is given",
            t.call(interval, 10.0, 0.5),
            903.545,
            0.01,
            given="stability 10, wanted 0.5",
            because="0.9 ** (-1 / 0.1542) - 1 is the factor F",
        )

    @wrong("recall of 1 lasts no time")
    def without_the_one(stability, wanted, decay=0.1542):
        return stability * wanted ** (-1 / decay) / 0.9 ** (-1 / decay)

    @wrong("with decay 1/2 it can be done by hand")
    def exponential(stability, wanted, decay=0.1542):
        return stability * math.log(wanted) / math.log(0.9)

    @wrong("recall of 0.9 lasts")
    def no_factor(stability, wanted, decay=0.1542):
        return stability * (wanted ** (-1 / decay) - 1)

    @wrong("with decay 1/2 it can be done by hand")
    def linear(stability, wanted, decay=0.1542):
        return stability * (1 - wanted) / 0.1

    @wrong("with decay 1/2 it can be done by hand")
    def power_upside_down(stability, wanted, decay=0.1542):
        return stability * (wanted**-decay - 1) / (0.9**-decay - 1)


class Brier(Exercise):
    "How far confidence can be trusted"

    id = "interview.brier"
    difficulty, importance, minutes = 2, 3, 8
    covers = ()
    task = """`said` (n,) is how sure a candidate was of each answer, in [0, 1]; `right` (n,) is
1. where it was right, else 0. Return two floats: the Brier score, which is the mean squared
difference, and the bias, which is the mean of `said` minus the mean of `right` (above 0: too
sure)."""
    starter = """
def calibration(said, right): ...
"""
    hints = (
        "Both are one mean each.",
        "Square the difference for the first, keep its sign for the second.",
        "((said - right) ** 2).mean().item(), (said - right).mean().item()",
    )

    def reference(said, right):
        return (said - right).square().mean().item(), (said - right).mean().item()

    def another(said, right):
        n = len(said)
        return sum((float(s) - float(r)) ** 2 for s, r in zip(said, right)) / n, (
            float(said.sum()) - float(right.sum())
        ) / n

    def check(t, calibration):
        ones, zeros = torch.ones(4), torch.zeros(4)
        t.equal(
            "sure and right costs nothing",
            t.call(calibration, ones, ones),
            (0.0, 0.0),
            given="four answers, all sure, all right",
        )
        t.equal(
            "sure and wrong costs one",
            t.call(calibration, ones, zeros),
            (1.0, 1.0),
            given="four answers, all sure, all wrong",
            because="the bias is what was said minus what was right",
        )
        t.equal(
            "too modest is a bias below 0",
            t.call(calibration, zeros, ones),
            (1.0, -1.0),
            given="four answers, none of them sure, all right",
            because="the bias keeps its sign: what was said minus what was right",
        )
        half = torch.full((6,), 0.5)
        t.equal(
            "always one half costs a quarter",
            t.call(calibration, half, torch.tensor([1.0, 0, 1, 0, 1, 0])),
            (0.25, 0.0),
            given="0.5 six times, half of them right",
            because="the difference is squared, and its mean taken",
        )
        t.equal(
            "each answer counts alike",
            t.call(calibration, torch.tensor([0.9, 0.6, 0.2]), torch.tensor([1.0, 0, 0])),
            (0.41 / 3, 0.7 / 3),
            given="said 0.9, 0.6, 0.2; only the first was right",
            because="differences -0.1, 0.6, 0.2",
        )

    @wrong("always one half costs a quarter")
    def absolute(said, right):
        return (said - right).abs().mean().item(), (said - right).mean().item()

    @wrong("sure and wrong costs one")
    def turned_round(said, right):
        return (said - right).square().mean().item(), (right - said).mean().item()

    @wrong("sure and wrong costs one")
    def summed(said, right):
        return (said - right).square().sum().item(), (said - right).mean().item()

    @wrong("too modest is a bias below 0")
    def bias_without_sign(said, right):
        return (said - right).square().mean().item(), abs((said - right).mean().item())

    @wrong("each answer counts alike")
    def square_of_the_mean(said, right):
        rounded = (said - right).abs().mean() ** 2
        return rounded.item(), (said - right).mean().item()

    @wrong("always one half costs a quarter")
    def accuracy(said, right):
        return 1 - ((said >= 0.5) == right.bool()).float().mean().item(), (
            said - right
        ).mean().item()


class Shape:
    """A matrix without numbers: its products add up what they would cost, two operations for each
    multiply and add.
    """

    spent = 0

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns

    @property
    def T(self):
        "Its transpose."
        return Shape(self.columns, self.rows)  # noqa: N802

    def __matmul__(self, other):
        if self.columns != other.rows:
            raise ValueError(f"{self.columns} columns do not fit {other.rows} rows")
        Shape.spent += 2 * self.rows * self.columns * other.columns
        return Shape(self.rows, other.columns)


class SampleFlops(Exercise):
    "FLOPs of one sample"

    id = "interview.sample_flops"
    difficulty, importance, minutes = 3, 5, 8
    covers = ()
    task = """A transformer denoiser has `depth` blocks of width `dim`; each holds attention
(query, key, value and output projections) and an MLP that widens four times. One picture is
`tokens` tokens. Return the floating-point operations, an integer, of drawing it in `steps` steps;
a multiply and an add are two. With `guided` each step runs the network twice. Matrix products
only: no norms, no softmax, no modulation."""
    starter = """
def sample_flops(depth, dim, tokens, steps, guided): ...
"""
    hints = (
        "A product (n, a) by (a, b) takes 2 n a b operations. Count the weights of one block "
        "first.",
        "Weights of a block: 4 d^2 in attention, 8 d^2 in the MLP. And two products of n x n x "
        "d in attention.",
        "(24 n d^2 + 4 n^2 d) * depth * steps * (2 if guided else 1)",
    )

    def reference(depth, dim, tokens, steps, guided):
        block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
        return block * depth * steps * (2 if guided else 1)

    def another(depth, dim, tokens, steps, guided):
        def product(n, a, b):
            return 2 * n * a * b

        weights = (
            4 * product(tokens, dim, dim)
            + product(tokens, dim, 4 * dim)
            + product(tokens, 4 * dim, dim)
        )
        attention = product(tokens, dim, tokens) + product(tokens, tokens, dim)
        return (1 + guided) * steps * depth * (weights + attention)

    def check(t, sample_flops):
        def counted(dim, n):
            x, w, up, down = (
                Shape(n, dim),
                Shape(dim, dim),
                Shape(dim, 4 * dim),
                Shape(4 * dim, dim),
            )
            Shape.spent = 0
            q, k, v = x @ w, x @ w, x @ w
            (q @ k.T) @ v @ w @ up @ down
            return Shape.spent

        t.equal(
            "one block, one step: product by product",
            t.call(sample_flops, 1, 16, 5, 1, False),
            counted(16, 5),
            given="width 16, 5 tokens",
            because=(
                "2 for multiply and add; 12 d^2 weights a block; and two products between "
                "tokens, which grow with n^2"
            ),
        )
        t.equal(
            "another block, product by product",
            t.call(sample_flops, 1, 8, 64, 1, False),
            counted(8, 64),
            given="width 8, 64 tokens",
            because="with many tokens the products between tokens weigh most",
        )
        t.equal(
            "blocks and steps multiply",
            t.call(sample_flops, 3, 16, 5, 7, False),
            21 * counted(16, 5),
            given="3 blocks, 7 steps",
        )
        t.equal(
            "guidance runs the network twice",
            t.call(sample_flops, 3, 16, 5, 7, True),
            42 * counted(16, 5),
            given="guided",
            because="once with the label and once without",
        )

    @wrong("one block, one step")
    def multiply_adds(depth, dim, tokens, steps, guided):
        return (12 * tokens * dim**2 + 2 * tokens**2 * dim) * depth * steps * (1 + guided)

    @wrong("one block, one step")
    def no_attention(depth, dim, tokens, steps, guided):
        return 24 * tokens * dim**2 * depth * steps * (1 + guided)

    @wrong("one block, one step")
    def half_of_the_attention(depth, dim, tokens, steps, guided):
        return (24 * tokens * dim**2 + 2 * tokens**2 * dim) * depth * steps * (1 + guided)

    @wrong("guidance runs the network twice")
    def unguided(depth, dim, tokens, steps, guided):
        return (24 * tokens * dim**2 + 4 * tokens**2 * dim) * depth * steps

    @wrong("blocks and steps multiply")
    def one_step(depth, dim, tokens, steps, guided):
        return (24 * tokens * dim**2 + 4 * tokens**2 * dim) * depth * (1 + guided)

    @wrong("one block, one step")
    def no_output_projection(depth, dim, tokens, steps, guided):
        return (22 * tokens * dim**2 + 4 * tokens**2 * dim) * depth * steps * (1 + guided)


class StateBytes(Exercise):
    "Bytes of a training state"

    id, kind = "interview.state_bytes", "bug"
    difficulty, importance, minutes = 2, 5, 5
    covers = ()
    task = """`n` weights are trained with AdamW in mixed precision: weights and gradients in
bfloat16, and in float32 a copy of the weights and both moments; with `ema` also an averaged copy
in float32. A candidate's estimate forgets something. Repair it; activations are not counted."""
    starter = """
def state_bytes(n, ema=False):
    weights, gradients = 2 * n, 2 * n  # bfloat16
    copy, moments = 4 * n, 4 * n  # float32
    return weights + gradients + copy + moments
"""
    bug = "16 bytes a weight"
    hints = (
        "How many moments does Adam keep?",
        "And what does the argument `ema` do here?",
        "2 + 2 + 4 + 8, and 4 more with ema",
    )

    def reference(n, ema=False):
        return (2 + 2 + 4 + 4 + 4 + (4 if ema else 0)) * n

    def another(n, ema=False):
        bfloat16, float32 = torch.bfloat16.itemsize, torch.float32.itemsize
        return n * (2 * bfloat16 + (3 + bool(ema)) * float32)

    def check(t, state_bytes):
        w = torch.zeros(7, 3)  # AdamW keeps exp_avg and exp_avg_sq, each like the weights
        held, n = (
            [w.bfloat16(), w.bfloat16(), w, torch.zeros_like(w), torch.zeros_like(w)],
            w.numel(),
        )
        t.equal(
            "16 bytes a weight without an average",
            t.call(state_bytes, n),
            sum(h.nbytes for h in held),
            given=f"{n} weights",
            because=(
                "Adam keeps two moments, exp_avg and exp_avg_sq, 4 bytes each; the "
                "bfloat16 weights and gradients take 2 each"
            ),
        )
        t.equal(
            "an averaged copy takes 4 more",
            t.call(state_bytes, n, True),
            20 * n,
            given=f"{n} weights, ema=True",
            because=(
                "the average is kept in float32, since its steps are smaller than bfloat16 resolves"
            ),
        )
        t.equal(
            "it grows with the number of weights",
            t.call(state_bytes, 10 * n, True),
            200 * n,
            given="ten times the weights",
        )

    @wrong("16 bytes a weight")
    def one_moment(n, ema=False):
        return (12 + (4 if ema else 0)) * n

    @wrong("16 bytes a weight")
    def no_copy(n, ema=False):
        return (12 + 4 * ema) * n

    @wrong("an averaged copy takes 4 more")
    def no_average(n, ema=False):
        return 16 * n

    @wrong("an averaged copy takes 4 more")
    def average_in_bfloat16(n, ema=False):
        return (16 + 2 * ema) * n

    @wrong("16 bytes a weight")
    def all_in_float32(n, ema=False):
        return (4 * 5 + 4 * ema) * n
