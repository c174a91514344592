"Exercises of the notebook on priors."

import math

import numpy as np
import torch
from torch.nn import functional as F

from ..priors import ARPrior, PriorConfig
from ..transformer import KVCache

from .engine import Exercise, plain, wrong


class ChainRule(Exercise):
    "What a sentence costs"

    id = "priors.chain_rule"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S2-F19", "S1-F14", "S2-F7")
    task = (
        "`table` has shape `(k, k, k)` and sums to 1: the probability of every sentence of "
        "three tokens. Return the three "
        "conditional probabilities `(p(a), p(b | a), p(c | a, b))` of `sentence = (a, b, c)` "
        "as floats. Their product is the "
        "probability of the sentence."
    )
    starter = """
def conditionals(table, sentence):
    a, b, c = sentence
    ...
"""
    hints = (
        "p(a) is a sum over everything that may follow.",
        "p(b | a) = p(a, b) / p(a), and p(a, b) sums over the last token.",
        "first = table[a].sum(); second = table[a, b].sum() / first; third = table[a, b, c] / "
        "table[a, b].sum()",
    )

    def reference(table, sentence):
        a, b, c = sentence
        return (
            table[a].sum().item(),
            (table[a, b].sum() / table[a].sum()).item(),
            (table[a, b, c] / table[a, b].sum()).item(),
        )

    def another(table, sentence):
        found, rest = [], table / table.sum()
        for token in sentence:
            marginal = rest.reshape(rest.shape[0], -1).sum(1)
            found.append((marginal[token] / marginal.sum()).item())
            rest = rest[token]
        return tuple(found)

    def check(t, conditionals):
        table = t.rand(4, 4, 4).double() ** 3
        table = table / table.sum()
        a, b, c = 2, 0, 3
        got = t.call(conditionals, table, (a, b, c))
        t.true(
            "three numbers",
            isinstance(got, (tuple, list)) and len(got) == 3,
            got,
            "(p(a), p(b | a), p(c | a, b))",
        )
        one = [isinstance(g, (int, float, np.number)) or getattr(g, "ndim", 1) == 0 for g in got]
        t.true(
            "each of them is one number",
            all(one),
            [tuple(getattr(g, "shape", ())) for g in got],
            "floats",
            because="pick the entry of the sentence's token from each distribution",
        )
        got = [float(g) for g in got]
        p_a, p_ab = (
            sum(table[a, i, j].item() for i in range(4) for j in range(4)),
            sum(table[a, b, j].item() for j in range(4)),
        )
        t.near(
            "the first is the share of all sentences that begin with a",
            got[0],
            p_a,
            1e-8,
            because="p(a) sums over both later tokens, and over axis 0 nothing is summed",
        )
        t.near(
            "the second is given the first",
            got[1],
            p_ab / p_a,
            1e-8,
            given="p(b | a) = p(a, b) / p(a)",
            because="p(b) alone, or p(a, b) undivided, is another number",
        )
        t.near(
            "the third is given both",
            got[2],
            table[a, b, c].item() / p_ab,
            1e-8,
            because="divide by p(a, b), not by p(a)",
        )
        t.near(
            "their product is the probability of the sentence",
            math.prod(got),
            table[a, b, c].item(),
            1e-9,
        )

    @wrong("the second is given the first")
    def marginals(table, sentence):
        a, b, c = sentence
        return table[a].sum().item(), table[:, b].sum().item(), table[:, :, c].sum().item()

    @wrong("the second is given the first")
    def joint(table, sentence):
        a, b, c = sentence
        return table[a].sum().item(), table[a, b].sum().item(), table[a, b, c].item()

    @wrong("the third is given both")
    def given_the_first_only(table, sentence):
        a, b, c = sentence
        return (
            table[a].sum().item(),
            (table[a, b].sum() / table[a].sum()).item(),
            (table[a, b, c] / table[a].sum()).item(),
        )

    @wrong("that begin with a")
    def last_axis_first(table, sentence):
        a, b, c = sentence
        return (
            table[..., a].sum().item(),
            (table[a, b].sum() / table[a].sum()).item(),
            (table[a, b, c] / table[a, b].sum()).item(),
        )

    @wrong("each of them is one number")
    def whole_distributions(table, sentence):
        a, b, c = sentence
        return (
            table.sum((1, 2)),
            table[a].sum(1) / table[a].sum(),
            table[a, b] / table[a, b].sum(),
        )

    @wrong("three numbers")
    def only_the_product(table, sentence):
        return table[sentence].item()


class NextToken(Exercise):
    "One draw with a temperature"

    id = "priors.draw"
    difficulty, importance, minutes = 2, 5, 7
    covers = ("S2-Q2",)
    task = (
        "`logits` is `(b, k)`, `u` is `(b,)` with numbers in [0, 1). Divide the logits by "
        "`temperature`, take the softmax in "
        "float64, and return for each row the first index whose running sum exceeds its `u`, or "
        "the last index where rounding lets none exceed it, "
        "int64 `(b,)`."
    )
    starter = """
def next_token(logits, u, temperature=1.0): ...
"""
    hints = (
        "Which is sharper, temperature .5 or 2?",
        "softmax, cumsum, then a search: torch.searchsorted takes a column of values.",
        "torch.searchsorted((logits.double() / temperature).softmax(-1).cumsum(-1), u[:, "
        "None].double(), right=True)[:, 0]",
    )

    def reference(logits, u, temperature=1.0):
        sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
        return torch.searchsorted(sums, u[:, None].double(), right=True)[:, 0].clamp(
            max=logits.shape[1] - 1
        )

    def another(logits, u, temperature=1.0):
        p = torch.exp(
            logits.double() / temperature
            - torch.logsumexp(logits.double() / temperature, 1, keepdim=True)
        )
        return (p.cumsum(1) <= u.double()[:, None]).sum(1).clamp(max=logits.shape[1] - 1)

    def check(t, next_token):
        logits, u = 2 * t.randn(40, 7), t.rand(40)

        def oracle(logits, u, temperature):
            out = []
            for row, v in zip((logits / temperature).double().tolist(), u.tolist()):
                weights, total, k = [math.exp(r - max(row)) for r in row], 0.0, -1
                while total <= v and k < len(row) - 1:
                    k += 1
                    total += weights[k] / sum(weights)
                out.append(k)
            return torch.tensor(out)

        got = t.call(next_token, logits, u, 1.0)
        t.shape("one index per row", got, (40,))
        t.true("indices are int64", got.dtype == torch.int64, got.dtype, torch.int64)
        t.equal(
            "the index where u falls in the running sum",
            got,
            oracle(logits, u, 1.0),
            given="40 rows, temperature 1",
        )
        for temperature in (0.5, 2.0):
            t.equal(
                "the temperature divides the logits",
                t.call(next_token, logits, u, temperature),
                oracle(logits, u, temperature),
                given=f"temperature {temperature}",
                because="below 1 sharper, above 1 flatter; it acts before the softmax",
            )
        rare = torch.tensor([[0.0, math.log(1e-9), math.log(1e-9)]]).expand(2, 3)
        t.equal(
            "a rare token is drawn when u says so",
            t.call(next_token, rare, torch.tensor([0.5, 1 - 1.5e-9], dtype=torch.float64), 1.0),
            torch.tensor([0, 1]),
            given="two tokens of probability 1e-9, u = 1 - 1.5e-9",
            because="float32 cannot tell 1 - 1.5e-9 from 1",
        )
        never = torch.tensor([[-math.inf, 0.0, -math.inf]])
        t.equal(
            "what has probability 0 is never drawn",
            t.call(next_token, never, torch.tensor([0.0]), 1.0),
            torch.tensor([1]),
            given="logits -inf, 0, -inf and u = 0",
            because="the running sum must exceed u, not reach it: right=True",
        )
        t.equal(
            "the temperature is 1 unless given",
            t.call(next_token, logits, u),
            oracle(logits, u, 1.0),
            given="40 rows",
        )
        last = t.call(
            next_token, t.randn(500, 7), torch.full((500,), 1 - 2.0**-53, dtype=torch.float64), 1.0
        )
        t.true(
            "every index is one of the row's",
            last.max() < 7,
            last.max(),
            "at most 6",
            given="500 rows of 7, u = 1 - 2**-53",
            because="a running sum may end a little below 1: the last index is the answer then",
        )
        t.true(
            "the last index where no running sum exceeds u",
            last.min() == 6,
            last.min(),
            6,
            given="500 rows of 7, u = 1 - 2**-53",
            because="an argmax over nothing that is True answers 0",
        )
        last = t.call(
            next_token, t.randn(900, 3), torch.full((900,), 1 - 2.0**-53, dtype=torch.float64), 1.0
        )
        t.true(
            "every index is one of the row's", last.max() < 3, last.max(), "at most 2", "rows of 3"
        )

    @wrong("the last index where no running sum exceeds u")
    def first_of_none(logits, u, temperature=1.0):
        sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
        return (sums > u[:, None]).int().argmax(-1)

    @wrong("the temperature divides the logits")
    def multiplied(logits, u, temperature=1.0):
        return torch.searchsorted(
            (logits.double() * temperature).softmax(-1).cumsum(-1), u[:, None].double(), right=True
        )[:, 0]

    @wrong("the temperature divides the logits")
    def after_the_softmax(logits, u, temperature=1.0):
        p = logits.double().softmax(-1) / temperature
        return torch.searchsorted(p.cumsum(-1), u[:, None].double(), right=True)[:, 0].clamp(
            max=logits.shape[1] - 1
        )

    @wrong("the index where u falls")
    def greedy(logits, u, temperature=1.0):
        return (logits / temperature).argmax(-1)

    @wrong("a rare token is drawn")
    def single_precision(logits, u, temperature=1.0):
        sums = (logits.float() / temperature).softmax(-1).cumsum(-1)
        return torch.searchsorted(sums, u[:, None].float(), right=True)[:, 0].clamp(
            max=logits.shape[1] - 1
        )

    @wrong("probability 0 is never drawn")
    def reaches(logits, u, temperature=1.0):
        return torch.searchsorted(
            (logits.double() / temperature).softmax(-1).cumsum(-1), u[:, None].double()
        )[:, 0]

    @wrong("the index where u falls")
    def no_running_sum(logits, u, temperature=1.0):
        return ((logits.double() / temperature).softmax(-1) > u.double()[:, None]).int().argmax(1)


class TopP(Exercise):
    "The nucleus that swallows too much"

    id = "priors.top_p"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 8
    task = (
        "`top_p(logits, p)`, with 0 < `p` <= 1, should keep, in each row of `(b, k)`, the fewest "
        "likeliest tokens "
        "whose probabilities reach `p` "
        "together, and set all others to -inf, each at its own place. The token that crosses "
        "`p` stays; so at least one always "
        "does. As written it loses tokens and puts them in wrong places. Repair it."
    )
    starter = """
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    value = value.masked_fill(value.softmax(-1).cumsum(-1) > p, -torch.inf)
    return value
"""
    bug = "at its own place"
    hints = (
        "`value` is sorted. Where did each number come from?",
        "A token goes if those *before* it have reached p.",
        "q = value.softmax(-1); value.masked_fill(q.cumsum(-1) - q >= p, -inf), then scatter "
        "with `where`",
    )

    def reference(logits, p):
        value, where = logits.sort(dim=-1, descending=True)
        q = value.softmax(-1)
        return torch.empty_like(logits).scatter(
            -1, where, value.masked_fill(q.cumsum(-1) - q >= p, -torch.inf)
        )

    def another(logits, p):
        out = torch.full_like(logits, -torch.inf)
        for i, row in enumerate(logits.softmax(-1).tolist()):
            total = 0.0
            for k in sorted(range(len(row)), key=lambda k: -row[k]):
                if total >= p:
                    break
                out[i, k] = logits[i, k]
                total += row[k]
        return out

    def check(t, top_p):
        inf = torch.inf
        logits = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.05, 0.05, 0.1, 0.8]]).log()
        got = t.call(top_p, logits, 0.7)
        t.shape("the shape stays", got, (2, 4))
        moved = torch.where(got[0].isfinite(), got[0] - logits[0], 0.0)
        t.equal(
            "each survivor stands at its own place",
            moved,
            torch.zeros(4),
            given="probabilities .1, .5, .15, .25 and p = .7",
            because="sorted values must be scattered back with their indices",
        )
        t.equal(
            "the token that crosses p stays",
            got[0],
            torch.tensor([-inf, math.log(0.5), -inf, math.log(0.25)]),
            given="probabilities .1, .5, .15, .25 and p = .7",
            because=".5 is below .7, so .25 is needed to reach it",
        )
        t.equal(
            "one token always stays",
            got[1],
            torch.tensor([-inf, -inf, -inf, math.log(0.8)]),
            given="one token of probability .8 and p = .7",
            because="the first alone exceeds p: without it nothing could be drawn",
        )
        t.equal("p = 1 keeps everything", t.call(top_p, logits, 1.0), logits)
        t.equal(
            "reaching p is enough",
            t.call(top_p, torch.zeros(1, 4), 0.5).isfinite().sum().item(),
            2,
            given="four tokens of probability 1/4 and p = .5",
            because="two of them reach .5 together: a third is one too many",
        )
        x = t.randn(6, 9)
        t.equal(
            "every row by itself",
            t.call(top_p, x, 0.6),
            TopP.another(x, 0.6),
            given="6 rows of 9 random logits, p = .6",
        )

    @wrong("the token that crosses p stays")
    def crossing_lost(logits, p):
        value, where = logits.sort(dim=-1, descending=True)
        keep = value.softmax(-1).cumsum(-1) <= p
        keep[..., 0] = True
        return torch.empty_like(logits).scatter(-1, where, value.masked_fill(~keep, -torch.inf))

    @wrong("at its own place")
    def gathered(logits, p):
        value, where = logits.sort(dim=-1, descending=True)
        q = value.softmax(-1)
        return value.masked_fill(q.cumsum(-1) - q >= p, -torch.inf).gather(-1, where)

    @wrong("the token that crosses p stays")
    def threshold(logits, p):
        return logits.masked_fill(logits.softmax(-1) < 1 - p, -torch.inf)

    @wrong("the token that crosses p stays")
    def unlikeliest_first(logits, p):
        value, where = logits.sort(dim=-1)
        q = value.softmax(-1)
        return torch.empty_like(logits).scatter(
            -1, where, value.masked_fill(q.cumsum(-1) - q >= p, -torch.inf)
        )

    @wrong("one token always stays")
    def none_left(logits, p):
        value, where = logits.sort(dim=-1, descending=True)
        q = value.softmax(-1)
        out = torch.empty_like(logits).scatter(
            -1, where, value.masked_fill(q.cumsum(-1) - q >= p, -torch.inf)
        )
        return out.masked_fill(out.softmax(-1) == 1, -torch.inf)

    @wrong("every row by itself")
    def first_row_for_all(logits, p):
        if len(logits) < 3:
            return TopP.reference(logits, p)
        value, where = logits.sort(dim=-1, descending=True)
        q = value[:1].softmax(-1)
        return torch.empty_like(logits).scatter(
            -1, where, value.masked_fill((q.cumsum(-1) - q >= p).expand_as(value), -torch.inf)
        )


class Guidance(Exercise):
    "Guidance in the wrong place"

    id = "priors.guidance"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("M26", "W4")
    task = (
        "`guided(cond, uncond, s)` gets logits `(.., k)` with and without the label and should "
        "return the probabilities to draw "
        "from, `(.., k)`, under guidance of scale `s`, where `s = 1` is none and `s = 0` "
        "forgets the label. As written it mixes "
        "probabilities, by a convention in which 0 is none. Repair it."
    )
    starter = """
def guided(cond, uncond, s):
    p, q = cond.softmax(-1), uncond.softmax(-1)
    return (1 + s) * p - s * q
"""
    bug = "s = 1 is no guidance"
    hints = (
        "At s = 1 the result must be softmax(cond).",
        "Mix logits, then take the softmax: a mix of probabilities may be negative.",
        "(uncond + s * (cond - uncond)).softmax(-1)",
    )

    def reference(cond, uncond, s):
        return (uncond + s * (cond - uncond)).softmax(-1)

    def another(cond, uncond, s):
        log_p = s * cond.log_softmax(-1) + (1 - s) * uncond.log_softmax(-1)
        return log_p.exp() / log_p.exp().sum(-1, keepdim=True)

    def check(t, guided):
        cond, uncond = t.randn(2, 3, 5), t.randn(2, 3, 5) + 1

        def weights(s):
            return cond.double().exp() ** s * uncond.double().exp() ** (1 - s)

        def want(s):
            return (weights(s) / weights(s).sum(-1, keepdim=True)).float()

        t.equal(
            "s = 1 is no guidance",
            t.call(guided, cond, uncond, 1.0),
            cond.softmax(-1),
            because="uncond + s (cond - uncond): with (1 + w) and w, none is w = 0",
        )
        t.equal("s = 0 forgets the label", t.call(guided, cond, uncond, 0.0), uncond.softmax(-1))
        got = t.call(guided, cond, uncond, 3.0)
        t.true(
            "probabilities lie in [0, 1]",
            got.min() >= 0 and got.max() <= 1 + 1e-6,
            got,
            "numbers from 0 to 1",
            given="s = 3",
            because="guidance moves logits; probabilities moved that far leave [0, 1]",
        )
        t.equal(
            "probabilities sum to one",
            got.sum(-1),
            torch.ones(2, 3),
            given="s = 3",
            because="softmax after the mix, over the last axis",
        )
        t.equal(
            "the value at s = 3", got, want(3.0), given="p(c | label)^3 / p(c)^2, made to sum to 1"
        )
        t.equal("the value at s = 1.5", t.call(guided, cond, uncond, 1.5), want(1.5))

    @wrong("s = 1 is no guidance")
    def convention_w(cond, uncond, s):
        return ((1 + s) * cond - s * uncond).softmax(-1)

    @wrong("probabilities lie in [0, 1]")
    def of_probabilities(cond, uncond, s):
        p, q = cond.softmax(-1), uncond.softmax(-1)
        return q + s * (p - q)

    @wrong("the value at s = 3")
    def cut_off(cond, uncond, s):
        p, q = cond.softmax(-1), uncond.softmax(-1)
        mix = (q + s * (p - q)).clamp(min=0)
        return mix / mix.sum(-1, keepdim=True)

    @wrong("s = 1 is no guidance")
    def sides_swapped(cond, uncond, s):
        return (cond + s * (uncond - cond)).softmax(-1)

    @wrong("s = 1 is no guidance")
    def wrong_axis(cond, uncond, s):
        return (uncond + s * (cond - uncond)).softmax(1)

    @wrong("s = 0 forgets the label")
    def scaled_only(cond, uncond, s):
        return (s * cond).softmax(-1)

    @wrong("the value at s = 3")
    def some_codes_only(cond, uncond, s):
        out = cond.clone() if s else uncond.clone()
        out[..., :3] = (uncond + s * (cond - uncond))[..., :3]
        return out.softmax(-1)


class HowMany(Exercise):
    "How many are still hidden?"

    id = "priors.schedule"
    difficulty, importance, minutes = 2, 3, 8
    task = (
        "MaskGIT leaves floor(n cos(pi / 2 * i / n_steps)) of n places open after pass i, but "
        "always decides at least one, and "
        "after the last pass none is open. Return the list of how many places each pass "
        "decides, `n_steps` or fewer numbers that "
        "sum to `n`; it ends when nothing is open."
    )
    starter = """
def decided_per_pass(n, n_steps): ...
"""
    hints = (
        "Keep a running number of open places.",
        "open after pass i = max(0, min(floor(n cos(..)), open before - 1))",
        "after the last pass cos(pi / 2) is 6e-17 in floating point: floor makes it 0",
    )

    def reference(n, n_steps):
        counts, now = [], n
        for i in range(1, n_steps + 1):
            if not now:
                break
            after = max(0, min(math.floor(n * math.cos(math.pi / 2 * i / n_steps)), now - 1))
            counts.append(now - after)
            now = after
        return counts

    def another(n, n_steps):
        left = [n]
        while left[-1] and len(left) <= n_steps:
            left.append(
                max(0, min(int(n * math.cos(math.pi / 2 * len(left) / n_steps)), left[-1] - 1))
            )
        return [a - b for a, b in zip(left, left[1:])]

    def check(t, decided_per_pass):
        got = t.call(decided_per_pass, 49, 8)
        t.true(
            "a list of whole numbers",
            isinstance(got, (list, tuple)) and all(isinstance(plain(g), int) for g in got),
            got,
            "such as [1, 3, ..]",
        )
        t.true(
            "they sum to the number of places",
            sum(got) == 49,
            sum(got),
            49,
            given="n = 49, 8 passes",
        )
        t.true(
            "few at first, many at the end",
            got[0] < got[-1],
            got,
            "a growing list",
            given="n = 49, 8 passes",
            because="the cosine is the share that stays open, not the share that is decided",
        )
        t.equal("one pass decides everything", t.call(decided_per_pass, 49, 1), [49])
        t.equal(
            "the numbers for 10 places and 4 passes",
            t.call(decided_per_pass, 10, 4),
            [1, 2, 4, 3],
            given="floor of 9.24, 7.07, 3.83 and 0 stay open",
        )
        t.equal(
            "at least one per pass",
            t.call(decided_per_pass, 5, 5),
            [1, 1, 1, 1, 1],
            given="floor of 4.76, 4.05, 2.94, 1.55 and 0 stay open",
            because="the second pass would decide none: 4 open before and after",
        )
        t.equal(
            "it ends when nothing is open",
            t.call(decided_per_pass, 3, 20),
            [1, 1, 1],
            given="3 places, 20 passes",
        )

    @wrong("few at first, many at the end")
    def as_decided(n, n_steps):
        counts, done = [], 0
        for i in range(n_steps, 0, -1):
            upto = (
                n
                if i == 1
                else min(
                    n, max(done + 1, math.floor(n * math.cos(math.pi / 2 * (i - 1) / n_steps)))
                )
            )
            counts.append(upto - done)
            done = upto
            if done == n:
                break
        return counts

    @wrong("the numbers for 10 places")
    def linear(n, n_steps):
        counts, now = [], n
        for i in range(1, n_steps + 1):
            if not now:
                break
            after = max(0, min(math.floor(n * (1 - i * i / n_steps / n_steps)), now - 1))
            counts.append(now - after)
            now = after
        return counts

    @wrong("at least one per pass")
    def may_be_zero(n, n_steps):
        left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
        return [a - b for a, b in zip(left, left[1:])]

    @wrong("it ends when nothing is open")
    def never_ends(n, n_steps):
        counts, now = [], n
        for i in range(1, n_steps + 1):
            after = max(0, min(math.floor(n * math.cos(math.pi / 2 * i / n_steps)), now - 1))
            counts.append(now - after)
            now = after
        return counts

    @wrong("the numbers for 10 places")
    def rounded_up(n, n_steps):
        counts, now = [], n
        for i in range(1, n_steps + 1):
            if not now:
                break
            after = max(0, min(math.ceil(n * math.cos(math.pi / 2 * i / n_steps) - 1e-9), now - 1))
            counts.append(now - after)
            now = after
        return counts

    @wrong("sum to the number of places")
    def one_pass_short(n, n_steps):
        left = [n] + [
            math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(1, n_steps)
        ]
        return [a - b for a, b in zip(left, left[1:])]


class Remask(Exercise):
    "The sampler that takes back what it decided"

    id = "priors.remask"
    kind = "bug"
    difficulty, importance, minutes = 4, 4, 12
    task = (
        "One pass of parallel decoding. `codes` `(b, n)` holds -1 where a place is open, "
        "`logits` `(b, n, k)`, `candidates` "
        "`(b, n)` a draw for every place. Accept candidates at the `count` open places whose "
        "candidate has the highest "
        "log-probability, in each row; return the new codes, without changing `codes` itself. "
        "What was decided before stays, "
        "whatever its confidence. As written, decided places compete, are overwritten, and "
        "open ones lose their turn. Repair it."
    )
    starter = """
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.topk(count, dim=1).indices
    out = torch.full_like(codes, -1)
    return out.scatter(1, best, candidates.gather(1, best))
"""
    bug = "decided places keep their code"
    hints = (
        "Two things must not happen to a decided place: be chosen, and be changed.",
        "Give decided places a confidence of -inf.",
        "log_p = log_p.masked_fill(codes >= 0, -inf); start from codes.clone() instead of all -1",
    )

    def reference(codes, logits, candidates, count):
        log_p = (
            logits.log_softmax(-1)
            .gather(-1, candidates[..., None])[..., 0]
            .masked_fill(codes >= 0, -torch.inf)
        )
        best = log_p.topk(count, dim=1).indices
        return codes.scatter(1, best, candidates.gather(1, best))

    def another(codes, logits, candidates, count):
        out = codes.clone()
        for i in range(len(codes)):
            open_ = [j for j in range(codes.shape[1]) if codes[i, j] < 0]
            sure = {
                j: (logits[i, j, candidates[i, j]] - logits[i, j].logsumexp(0)).item()
                for j in open_
            }
            for j in sorted(open_, key=lambda j: -sure[j])[:count]:
                out[i, j] = candidates[i, j]
        return out

    def check(t, accept):
        b, n, k = 3, 8, 5
        codes = torch.full((b, n), -1)
        codes[0, :2], codes[1, 3:5], codes[2, [0, 7]] = 0, 2, 3
        logits, candidates = 2 * t.randn(b, n, k) + 3 * t.randn(b, n, 1), t.randint(0, k, (b, n))
        logits[0, 0, candidates[0, 0]] += 50.0
        logits[1, 3, candidates[1, 3]] += 50.0  # sure of themselves, and decided already
        decided, got = codes >= 0, t.call(accept, codes, logits, candidates, 3)
        t.shape("the shape stays", got, (b, n))
        t.equal(
            "decided places keep their code",
            got[decided],
            codes[decided],
            given="two places decided in each of 3 rows",
            because="what is decided is neither reopened nor redrawn",
        )
        t.equal(
            "each row decides count more",
            ((got >= 0) & ~decided).sum(1),
            torch.tensor([3, 3, 3]),
            given="count 3",
            because="decided places must not take part, or they use up the turns",
        )
        fresh = (got >= 0) & ~decided
        t.equal("accepted places hold their candidate", got[fresh], candidates[fresh])
        t.equal(
            "the most confident are accepted",
            got,
            Remask.another(codes, logits, candidates, 3),
            because=(
                "confidence is the log-probability of the candidate, so logits must be normed first"
            ),
        )
        wild = 200 * t.randn(b, n, k)
        least = wild.argmin(-1)
        t.equal(
            "unlikely candidates are ranked too",
            t.call(accept, codes, wild, least, 3),
            Remask.another(codes, wild, least, 3),
            given="candidates of probability e-100 and less",
            because="as probabilities they are all 0 in float32; as logarithms not",
        )
        t.equal(
            "count is an argument",
            t.call(accept, codes, logits, candidates, 1),
            Remask.another(codes, logits, candidates, 1),
            given="count 1",
        )
        uneven = codes.clone()
        uneven[0], uneven[1, 5:] = -1, 4  # 0, 5 and 2 places decided
        t.equal(
            "rows may have unequally many open places",
            t.call(accept, uneven, logits, candidates, 3),
            Remask.another(uneven, logits, candidates, 3),
            given="0, 5 and 2 of 8 places decided, count 3",
            because="count is what each row decides now, whatever it held before",
        )

    @wrong("rows may have unequally many open places")
    def as_many_as_the_fullest_row(codes, logits, candidates, count):
        log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
        held = int((codes >= 0).sum(1).max())
        best = log_p.masked_fill(codes >= 0, torch.inf).topk(count + held, dim=1).indices
        return torch.where(codes >= 0, codes, codes.scatter(1, best, candidates.gather(1, best)))

    @wrong("decided places keep their code")
    def overwritten(codes, logits, candidates, count):
        log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
        best = log_p.topk(count, dim=1).indices
        return codes.scatter(1, best, candidates.gather(1, best))

    @wrong("each row decides count more")
    def use_up_turns(codes, logits, candidates, count):
        log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
        best = log_p.topk(count, dim=1).indices
        return torch.where(codes >= 0, codes, codes.scatter(1, best, candidates.gather(1, best)))

    @wrong("the most confident are accepted")
    def raw_logits(codes, logits, candidates, count):
        score = logits.gather(-1, candidates[..., None])[..., 0].masked_fill(codes >= 0, -torch.inf)
        best = score.topk(count, dim=1).indices
        return codes.scatter(1, best, candidates.gather(1, best))

    @wrong("accepted places hold their candidate")
    def takes_the_likeliest(codes, logits, candidates, count):
        log_p = (
            logits.log_softmax(-1)
            .gather(-1, candidates[..., None])[..., 0]
            .masked_fill(codes >= 0, -torch.inf)
        )
        best = log_p.topk(count, dim=1).indices
        return codes.scatter(1, best, logits.argmax(-1).gather(1, best))

    @wrong("the most confident are accepted")
    def least_confident(codes, logits, candidates, count):
        log_p = (
            logits.log_softmax(-1)
            .gather(-1, candidates[..., None])[..., 0]
            .masked_fill(codes >= 0, torch.inf)
        )
        best = log_p.topk(count, dim=1, largest=False).indices
        return codes.scatter(1, best, candidates.gather(1, best))

    @wrong("each row decides count more")
    def over_the_batch(codes, logits, candidates, count):
        log_p = (
            logits.log_softmax(-1)
            .gather(-1, candidates[..., None])[..., 0]
            .masked_fill(codes >= 0, -torch.inf)
        )
        best = log_p.flatten().topk(3 * count).indices
        return codes.flatten().scatter(0, best, candidates.flatten()[best]).view_as(codes)


class Bits(Exercise):
    "Bits per image, off by one"

    id = "priors.bits"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 9
    covers = ("M10", "S1-B1.5")
    task = (
        "`model(codes, labels)` returns logits `(b, n + 1, k)`: the first row of each image "
        "was computed from the label alone, row i "
        "from the label and the first i codes. Return the cost of each image in bits, `(b,)`: "
        "the sum over its n codes of -log2 p(code "
        "| label, codes before it). As written, each code is charged at the place that has "
        "seen it already, and the whole is a "
        "mean, in nats."
    )
    starter = """
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)  # (b, n + 1, k)
    return F.cross_entropy(logits[:, 1:].transpose(1, 2), codes)
"""
    bug = "one cost per image"
    hints = (
        "How many numbers come out: one, or one per image?",
        "Which row of logits knows the label and nothing else? It predicts code 0.",
        "F.cross_entropy(logits[:, :-1].transpose(1, 2), codes, reduction='none').sum(1) / "
        "math.log(2)",
    )

    def reference(model, codes, labels):
        logits = model(codes, labels)
        return F.cross_entropy(logits[:, :-1].transpose(1, 2), codes, reduction="none").sum(
            1
        ) / math.log(2)

    def another(model, codes, labels):
        log_p = model(codes, labels).log_softmax(-1)[:, : codes.shape[1]]
        return -log_p.gather(-1, codes[..., None]).squeeze(-1).sum(-1) * math.log2(math.e)

    def check(t, bits_per_image):
        b, n, k = 5, 6, 8
        codes, labels, table, start = (
            t.randint(0, k, (b, n)),
            t.randint(0, 3, (b,)),
            2 * t.randn(k, k),
            t.randn(3, k),
        )

        def model(codes, labels):  # a chain: the last code tells the next
            return torch.cat([start[labels][:, None], table[codes]], 1)

        got = t.call(bits_per_image, model, codes, labels)
        t.shape(
            "one cost per image",
            got,
            (b,),
            given=f"{b} images of {n} codes",
            because="cross_entropy takes a mean unless told otherwise",
        )
        even = t.call(bits_per_image, lambda codes, labels: torch.zeros(b, n + 1, k), codes, labels)
        t.equal(
            "a uniform model pays log2 k bits for each code",
            even,
            torch.full((b,), 18.0),
            given="6 codes out of 8: 18 bits",
            because="nats must be divided by ln 2, and all n codes be summed",
        )
        want = []
        for row, label in zip(codes.tolist(), labels.tolist()):
            cost, before = 0.0, start[label].double()
            for c in row:
                cost -= (before[c] - before.logsumexp(0)).item() / math.log(2)
                before = table[c].double()
            want.append(cost)
        t.equal(
            "each code is charged before it is seen",
            got,
            torch.tensor(want),
            atol=1e-3,
            given="a Markov chain whose exact cost is known",
            because=(
                "row i has seen codes 0 to i - 1, so it predicts code i: drop the last "
                "row, not the first"
            ),
        )

    @wrong("each code is charged before it is seen")
    def shifted(model, codes, labels):
        return F.cross_entropy(
            model(codes, labels)[:, 1:].transpose(1, 2), codes, reduction="none"
        ).sum(1) / math.log(2)

    @wrong("log2 k bits for each code")
    def in_nats(model, codes, labels):
        return F.cross_entropy(
            model(codes, labels)[:, :-1].transpose(1, 2), codes, reduction="none"
        ).sum(1)

    @wrong("log2 k bits for each code")
    def mean_over_places(model, codes, labels):
        return F.cross_entropy(
            model(codes, labels)[:, :-1].transpose(1, 2), codes, reduction="none"
        ).mean(1) / math.log(2)

    @wrong("one cost per image")
    def over_the_images(model, codes, labels):
        return F.cross_entropy(
            model(codes, labels)[:, :-1].transpose(1, 2), codes, reduction="none"
        ).sum(0) / math.log(2)

    @wrong("log2 k bits for each code")
    def first_is_free(model, codes, labels):
        return F.cross_entropy(
            model(codes, labels)[:, 1:-1].transpose(1, 2), codes[:, 1:], reduction="none"
        ).sum(1) / math.log(2)

    @wrong("each code is charged before it is seen")
    def skips_one(model, codes, labels):
        logits = model(codes, labels)
        logits = torch.cat([logits[:, :1], logits[:, :-2]], 1)
        return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(2)


class Cached(Exercise):
    "The same codes, each token once"

    id = "priors.cached"
    difficulty, importance, minutes = 4, 4, 15
    task = (
        "`net(tokens, prefix, cache=memory)` is a causal Transformer that returns logits of "
        "what it was given; `KVCache(n)` remembers "
        "n places. The prefix `(b, 1, dim)` goes in at the first call only, with no token `(b, "
        "0)`; then one token per call. Return "
        "the greedy codes `(b, n)`: the likeliest each time. Each token may pass the network once."
    )
    starter = """
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    ...
"""
    hints = (
        "The first call gets no tokens and the prefix; it answers with one row of logits.",
        "Afterwards pass only the newest token, and no prefix.",
        "logits = net(tokens, prefix, cache=memory)[:, -1]; new = logits.argmax(-1)[:, None]; "
        "logits = net(new, cache=memory)[:, -1]",
    )

    @torch.no_grad()
    def reference(net, prefix, n):
        memory = KVCache(n + 1)
        new, found = torch.zeros(len(prefix), 0, dtype=torch.int64), []
        for i in range(n):
            logits = net(new, prefix if i == 0 else None, cache=memory)[:, -1]
            new = logits.argmax(-1)[:, None]
            found.append(new)
        return torch.cat(found, 1)

    @torch.no_grad()
    def another(net, prefix, n):
        memory, codes = KVCache(n + 1), torch.zeros(len(prefix), n, dtype=torch.int64)
        logits = net(codes[:, :0], prefix, cache=memory)
        for i in range(n):
            codes[:, i] = logits[:, -1].argmax(-1)
            if i < n - 1:
                logits = net(codes[:, i : i + 1], cache=memory)
        return codes

    @torch.no_grad()
    def check(t, greedy_cached):
        prior = ARPrior(
            PriorConfig(n_codes=11, shape=(2, 3), n_classes=3, dim=16, depth=2, num_heads=2)
        ).eval()
        for p in prior.net.parameters():
            p.copy_(t.randn(*p.shape) * (1.0 if p.ndim < 2 else 0.5))
        prefix, calls, misfits = prior.prefix(torch.tensor([0, 1, 2, 0])), [], []

        def net(tokens, prefix=None, **rest):
            calls.append((tokens.shape[1], prefix is not None, rest.get("cache") is not None))
            try:
                return prior.net(tokens, prefix, **rest)
            except ValueError as error:  # said below, and not as an error of the checker
                misfits.append(f"call {len(calls)}: {error}")
                return torch.zeros(len(tokens), max(1, tokens.shape[1]), 11)

        with torch.no_grad():
            got = t.call(greedy_cached, net, prefix, 6)
        t.true(
            "the network takes every call",
            not misfits,
            (misfits or [""])[0],
            "the prefix and no token at first, then one token and no prefix",
        )
        t.shape("one code per place", got, (4, 6))
        seen = torch.zeros(4, 0, dtype=torch.int64)
        for _ in range(6):
            seen = torch.cat([seen, prior.net(seen, prefix)[:, -1].argmax(-1, keepdim=True)], 1)
        t.equal(
            "the same codes as without a cache",
            got,
            seen,
            given="a random network, 4 rows of 6 codes",
            because="the newest token belongs in the next call, at its own place",
        )
        t.true(
            "each token passes once",
            sum(k for k, _, _ in calls) <= 6 and all(cached for _, _, cached in calls),
            [k for k, _, _ in calls],
            "at most 1 token per call, with the cache",
            because="pass only the newest token; the cache holds the others",
        )
        t.true("no more than 7 passes", len(calls) <= 7, len(calls), "6, or 7")
        short = t.call(greedy_cached, net, prefix[:2], 4)
        t.equal("n codes for each row of the prefix", short, seen[:2, :4], given="2 rows, n = 4")

    @wrong("each token passes once")
    @torch.no_grad()
    def without(net, prefix, n):
        tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
        for _ in range(n):
            tokens = torch.cat([tokens, net(tokens, prefix)[:, -1].argmax(-1, keepdim=True)], 1)
        return tokens

    @wrong("the network takes every call")
    @torch.no_grad()
    def prefix_each_time(net, prefix, n):
        memory, new, found = KVCache(n + 1), torch.zeros(len(prefix), 0, dtype=torch.int64), []
        for _ in range(n):
            new = net(new, prefix, cache=memory)[:, -1].argmax(-1, keepdim=True)
            found.append(new)
        return torch.cat(found, 1)

    @wrong("the cache holds")
    @torch.no_grad()
    def everything_each_time(net, prefix, n):
        memory, tokens = KVCache(n + 1), torch.zeros(len(prefix), 0, dtype=torch.int64)
        for i in range(n):
            tokens = torch.cat(
                [
                    tokens,
                    net(tokens, None if i else prefix, cache=memory)[:, -1].argmax(
                        -1, keepdim=True
                    ),
                ],
                1,
            )
        return tokens

    @wrong("the same codes as without")
    @torch.no_grad()
    def one_behind(net, prefix, n):
        memory, codes = KVCache(n + 1), torch.zeros(len(prefix), n, dtype=torch.int64)
        logits = net(codes[:, :0], prefix, cache=memory)
        for i in range(n):
            codes[:, i] = logits[:, -1].argmax(-1)
            if i < n - 1:
                logits = net(codes[:, max(i - 1, 0) : max(i - 1, 0) + 1], cache=memory)
        return codes

    @wrong("one code per place")
    @torch.no_grad()
    def one_too_many(net, prefix, n):
        memory, new, found = KVCache(n + 1), torch.zeros(len(prefix), 0, dtype=torch.int64), []
        for i in range(n + 1):
            new = net(new, prefix if i == 0 else None, cache=memory)[:, -1].argmax(-1, keepdim=True)
            found.append(new)
        return torch.cat(found, 1)

    @wrong("the same codes as without")
    @torch.no_grad()
    def least_likely(net, prefix, n):
        memory, new, found = KVCache(n + 1), torch.zeros(len(prefix), 0, dtype=torch.int64), []
        for i in range(n):
            new = net(new, prefix if i == 0 else None, cache=memory)[:, -1].argmin(-1, keepdim=True)
            found.append(new)
        return torch.cat(found, 1)
