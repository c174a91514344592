"Exercises of the transformer notebook."

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from .engine import Exercise, plain, wrong


def _loop(q, k, v, may_look):
    """Attention one query at a time in Python numbers: (b, h, n, d), (b, h, m, d), (b, h, m, e) ->
    (b, h, n, e).
    """
    b, h, n, d = q.shape
    out = torch.zeros(b, h, n, v.shape[-1])
    for s, t, i in ((s, t, i) for s in range(b) for t in range(h) for i in range(n)):
        seen = [j for j in range(k.shape[2]) if may_look(s, i, j)]
        scores = [
            float((q[s, t, i].double() * k[s, t, j].double()).sum()) / math.sqrt(d) for j in seen
        ]
        e = [math.exp(a - max(scores)) for a in scores]
        for w, j in zip(e, seen):
            out[s, t, i] += w / sum(e) * v[s, t, j]
    return out


def _softmax(scores):
    return scores.softmax(-1)


class CausalAttention(Exercise):
    "Attention that cannot look ahead"

    id = "transformer.causal_attention"
    difficulty, importance, minutes = 2, 5, 10
    covers = ("S4-X2.2",)
    task = (
        "Write causal attention: `q` is `(b, h, n, d)`, `k` and `v` are `(b, h, m, d)` with `m "
        ">= n`, and the queries are the "
        "**last** `n` of the `m` places, as with a cache. Query `i` sees its own place and all "
        "before it. Return `(b, h, n, "
        "d)`. Do not call `scaled_dot_product_attention`."
    )
    starter = """
def causal_attention(q, k, v):  # (b, h, n, d), (b, h, m, d), (b, h, m, d) -> (b, h, n, d)
    ...
"""
    hints = (
        "Four steps: scores, scale, mask, softmax; then the weighted mean of v.",
        "A weight of zero is a score of minus infinity before the softmax. Query i stands at "
        "place i + m - n.",
        "mask = torch.ones(n, m, dtype=torch.bool).tril(m - n); scores.masked_fill(~mask, "
        "-torch.inf).softmax(-1) @ v",
    )

    def reference(q, k, v):
        n, m = q.shape[2], k.shape[2]
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        mask = torch.ones(n, m, dtype=torch.bool).tril(m - n)
        return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v

    def another(q, k, v):
        n, m = q.shape[2], k.shape[2]
        rows = [
            torch.einsum("bhd,bhmd->bhm", q[:, :, i], k[:, :, : i + m - n + 1])
            .div(q.shape[-1] ** 0.5)
            .softmax(-1)
            for i in range(n)
        ]
        return torch.stack(
            [torch.einsum("bhm,bhmd->bhd", w, v[:, :, : w.shape[-1]]) for w in rows], 2
        )

    def check(t, causal_attention):
        q, k, v = 2 * t.randn(2, 3, 4, 5), t.randn(2, 3, 4, 5), t.randn(2, 3, 4, 5)
        t.without(
            F,
            "scaled_dot_product_attention",
            causal_attention,
            q,
            k,
            v,
            because="the exercise is to write what that function does",
        )
        got = t.call(causal_attention, q, k, v)
        t.shape(
            "one vector for each query", got, (2, 3, 4, 5), given="q, k, v of shape (2, 3, 4, 5)"
        )
        later = v.clone()
        later[:, :, 2:] += 100
        same = torch.allclose(t.call(causal_attention, q, k, later)[:, :, :2], got[:, :, :2])
        t.true(
            "a later value changes no earlier result",
            same,
            "results 0 and 1 moved when values 2 and 3 did",
            "the same results",
            because="keys after the query need a score of minus infinity before the softmax",
        )
        t.true(
            "a token sees itself",
            not torch.allclose(t.call(causal_attention, q, k, later)[:, :, 2], got[:, :, 2]),
            "result 2 did not move with value 2",
            "its own place included",
            because="keep the diagonal: tril(0), not tril(-1)",
        )
        ones = t.call(causal_attention, q, k, torch.ones_like(v))
        t.equal(
            "the weights of a query sum to one",
            ones,
            torch.ones_like(v),
            given="values that are all 1",
            because=(
                "a mask after the softmax takes weight away; softmax runs over the keys, "
                "the last axis"
            ),
        )
        want = _loop(q, k, v, lambda s, i, j: j <= i)
        t.equal(
            "softmax(q k^T / sqrt(d)) v",
            got,
            want,
            because="divide the scores by sqrt(d), d = 5 here",
        )
        q = q[:, :, :2]
        t.equal(
            "with fewer queries than keys, the queries are the last places",
            t.call(causal_attention, q, k, v),
            _loop(q, k, v, lambda s, i, j: j <= i + 2),
            given="2 queries, 4 keys",
            because="tril(m - n): the corner at the lower right",
        )
        q, k, v = t.randn(1, 2, 2, 3), t.randn(1, 2, 6, 3), t.randn(1, 2, 6, 3)
        t.equal(
            "sizes are those of the arguments",
            t.call(causal_attention, q, k, v),
            _loop(q, k, v, lambda s, i, j: j <= i + 4),
            given="2 queries, 6 keys, d = 3",
        )

    @wrong("scaled_dot_product_attention is not called")
    def calls_what_it_should_write(q, k, v):
        n, m = q.shape[2], k.shape[2]
        mask = torch.ones(n, m, dtype=torch.bool).tril(m - n)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    @wrong("scaled_dot_product_attention is not called")
    def calls_it_by_another_name(q, k, v, attention=F.scaled_dot_product_attention):
        n, m = q.shape[2], k.shape[2]
        return attention(q, k, v, attn_mask=torch.ones(n, m, dtype=torch.bool).tril(m - n))

    @wrong("a later value changes no earlier result")
    def sees_all(q, k, v):
        return _softmax(q @ k.mT / math.sqrt(q.shape[-1])) @ v

    @wrong("the weights of a query sum to one")
    def mask_after_softmax(q, k, v):
        return (_softmax(q @ k.mT / math.sqrt(q.shape[-1])) * _past(q, k)) @ v

    @wrong("softmax(q k^T / sqrt(d)) v")
    def no_scale(q, k, v):
        return _softmax((q @ k.mT).masked_fill(~_past(q, k), -torch.inf)) @ v

    @wrong("softmax(q k^T / sqrt(d)) v")
    def scaled_by_d(q, k, v):
        return _softmax((q @ k.mT / q.shape[-1]).masked_fill(~_past(q, k), -torch.inf)) @ v

    @wrong("the queries are the last places")
    def upper_left(q, k, v):
        past = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
        return _softmax((q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -torch.inf)) @ v

    @wrong("a token sees itself")
    def strictly_before(q, k, v):
        past = _past(q, k).tril(k.shape[2] - q.shape[2] - 1)
        past[..., 0] = True
        return _softmax((q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -torch.inf)) @ v

    @wrong("the weights of a query sum to one")
    def over_the_queries(q, k, v):
        return (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~_past(q, k), -torch.inf).softmax(
            -2
        ) @ v

    @wrong("a later value changes no earlier result")
    def the_future(q, k, v):
        late = ~_past(q, k).tril(k.shape[2] - q.shape[2] - 1)
        return _softmax((q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~late, -torch.inf)) @ v


def _past(q, k):
    return torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2])


class Heads(Exercise):
    "Heads made of other tokens' numbers"

    id = "transformer.heads"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 8
    task = (
        "`multi_head(q, k, v, heads)` takes projected `(b, n, dim)` tensors, lets each head "
        "attend over its own `dim / heads` "
        "neighbouring features, and joins the results to `(b, n, dim)`. All shapes are right "
        "and the loss falls, yet the heads "
        "hold pieces of several tokens. Repair the two reshapes."
    )
    starter = """
def multi_head(q, k, v, heads):  # (b, n, dim) each
    b, n, dim = q.shape
    q, k, v = (t.reshape(b, heads, n, dim // heads) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)  # (b, heads, n, d)
    return y.reshape(b, n, dim)
"""
    bug = "a head holds its own features of every token"
    hints = (
        "Memory is laid out token by token. What does a reshape to (b, heads, n, d) cut it into?",
        "First (b, n, heads, d), which keeps each token whole; then swap two axes. Swap back "
        "before joining.",
        "t.view(b, n, heads, -1).transpose(1, 2) on the way in; y.transpose(1, 2).reshape(b, "
        "n, dim) on the way out",
    )

    def reference(q, k, v, heads):
        b, n, dim = q.shape
        q, k, v = (t.reshape(b, n, heads, dim // heads).transpose(1, 2) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, dim)

    def another(q, k, v, heads):
        parts = [t.chunk(heads, -1) for t in (q, k, v)]
        return torch.cat(
            [_softmax(a @ b.mT / math.sqrt(a.shape[-1])) @ c for a, b, c in zip(*parts)], -1
        )

    def check(t, multi_head):
        q, k, v = 2 * t.randn(2, 5, 6), t.randn(2, 5, 6), t.randn(2, 5, 6)
        got = t.call(multi_head, q, k, v, 3)
        t.shape("the shape that came in", got, (2, 5, 6), given="b = 2, n = 5, dim = 6, 3 heads")
        moved = v.clone()
        moved[:, :, :2] += 1
        change = (t.call(multi_head, q, k, moved, 3) - got).detach()
        t.equal(
            "a head holds its own features of every token",
            change,
            moved - v,
            given="1 added to the values of features 0 and 1",
            because=(
                "view as (b, n, heads, d) first, then transpose(1, 2); a direct view to "
                "(b, heads, n, d) cuts across tokens"
            ),
        )
        want = torch.cat(
            [
                _loop(*(a[:, None, :, i : i + 2] for a in (q, k, v)), lambda *_: True)[:, 0]
                for i in (0, 2, 4)
            ],
            -1,
        )
        t.equal(
            "each head attends by its own queries and keys, scaled by its own width",
            got,
            want,
            because="scores are divided by sqrt(dim / heads); heads are joined in their order",
        )
        want = torch.cat(
            [
                _loop(*(a[:, None, :, i : i + 3] for a in (q, k, v)), lambda *_: True)[:, 0]
                for i in (0, 3)
            ],
            -1,
        )
        t.equal("heads is an argument", t.call(multi_head, q, k, v, 2), want, given="2 heads of 3")

    @wrong("a head holds its own features")
    def right_in_wrong_out(q, k, v, heads):
        y = F.scaled_dot_product_attention(*(_split(t, heads) for t in (q, k, v)))
        return y.reshape(q.shape)

    @wrong("a head holds its own features")
    def wrong_in_right_out(q, k, v, heads):
        b, n, dim = q.shape
        q, k, v = (t.reshape(b, heads, n, dim // heads) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, dim)

    @wrong("scaled by its own width")
    def scaled_by_dim(q, k, v, heads):
        y = F.scaled_dot_product_attention(
            *(_split(t, heads) for t in (q, k, v)), scale=q.shape[-1] ** -0.5
        )
        return y.transpose(1, 2).reshape(q.shape)

    @wrong("by its own queries and keys")
    def one_head(q, k, v, heads):
        return F.scaled_dot_product_attention(q, k, v)

    @wrong("by its own queries and keys")
    def every_third_feature(q, k, v, heads):
        q, k, v = (t.unflatten(-1, (-1, heads)).movedim(-1, 1) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).movedim(1, -1).flatten(2)

    @wrong("a head holds its own features")
    def over_the_heads(q, k, v, heads):
        q, k, v = (t.unflatten(-1, (heads, -1)) for t in (q, k, v))
        return F.scaled_dot_product_attention(
            q, k, v * torch.arange(1.0, heads + 1)[:, None]
        ).flatten(2)


def _split(t, heads):
    return t.unflatten(-1, (heads, -1)).transpose(1, 2)


class Polarity(Exercise):
    "Only the padding is read"

    id = "transformer.mask_polarity"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 6
    task = (
        "`padded_attention(q, k, v, pad)`: `q`, `k`, `v` are `(b, h, n, d)`; `pad` is bool "
        "`(b, n)`, True where a token is "
        "padding, the convention of `nn.MultiheadAttention`. No query may read a padded key. "
        "The line below was carried over "
        "from there and now reads nothing but padding. Repair it."
    )
    starter = """
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=pad[:, None, None, :])
"""
    bug = "a padded token changes no result"
    hints = (
        "What does True mean to scaled_dot_product_attention?",
        "There True means: take part. And the axis of keys is the last.",
        "attn_mask=~pad[:, None, None, :]",
    )

    def reference(q, k, v, pad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad[:, None, None, :])

    def another(q, k, v, pad):
        bias = torch.zeros(pad.shape).masked_fill(pad, -torch.inf)[:, None, None]
        return _softmax(q @ k.mT / q.shape[-1] ** 0.5 + bias) @ v

    def check(t, padded_attention):
        q, k, v = (
            2 * t.randn(4, 2, 4, 3),
            t.randn(4, 2, 4, 3),
            t.randn(4, 2, 4, 3),
        )  # b = n: a mask without axes would broadcast
        pad = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]).bool()
        got = t.call(padded_attention, q, k, v, pad)
        t.shape("one vector for each query", got, (4, 2, 4, 3))
        junk = torch.where(pad[:, None, :, None], 50.0, v)
        t.equal(
            "a padded token changes no result",
            t.call(padded_attention, q, k, junk, pad),
            got,
            given="values of the padding replaced",
            because=(
                "in scaled_dot_product_attention True means take part: pass ~pad, on the "
                "axis of the keys"
            ),
        )
        ones = t.call(padded_attention, q, k, torch.ones_like(v), pad)
        t.equal(
            "the weights sum to one",
            ones,
            torch.ones_like(v),
            because="values set to zero still take weight: mask the scores",
        )
        other = t.call(padded_attention, q, torch.where(pad[:, None, :, None], 3.0, k), v, pad)
        t.equal("a padded key changes no result", other, got, given="keys of the padding replaced")
        t.equal(
            "attention over the real tokens",
            got,
            _loop(q, k, v, lambda s, i, j: not pad[s, j]),
            because="the mask of sequence s goes to sequence s: axes (b, 1, 1, n)",
        )

    @wrong("a padded token changes no result")
    def added_as_a_number(q, k, v, pad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=-pad[:, None, None, :].float())

    @wrong("a padded token changes no result")
    def no_batch_axis(q, k, v, pad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad)

    @wrong("a padded token changes no result")
    def masks_queries(q, k, v, pad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad[:, None, :, None])

    @wrong("the weights sum to one")
    def zero_values(q, k, v, pad):
        real = ~pad[:, None, :, None]
        return F.scaled_dot_product_attention(q, k * real, v * real)

    @wrong("the weights sum to one")
    def mask_after_softmax(q, k, v, pad):
        return (_softmax(q @ k.mT / q.shape[-1] ** 0.5) * ~pad[:, None, None]) @ v

    @wrong("attention over the real tokens")
    def first_sequence_for_all(q, k, v, pad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad.any(0)[None, None, None])


class SoftmaxAxis(Exercise):
    "Every key spends its budget"

    id = "transformer.softmax_axis"
    kind = "bug"
    difficulty, importance, minutes = 1, 4, 5
    task = (
        "`cross_attention(x, context, w_q, w_k, w_v)`: each of the `n` rows of `x` `(n, d)` "
        "reads from the `m` rows of "
        "`context` `(m, d)`; the matrices are `(d, d)` and multiply from the right. One axis "
        "is wrong below. Find it."
    )
    starter = """
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    weights = torch.softmax(q @ k.T / q.shape[1] ** 0.5, 0)  # (n, m)
    return weights @ v  # (n, d)
"""
    bug = "the weights of a query sum to one"
    hints = (
        "Who distributes attention, the query or the key?",
        "Each row of the (n, m) table belongs to one query and must sum to one.",
        "torch.softmax(.., -1)",
    )

    def reference(x, context, w_q, w_k, w_v):
        q, k, v = x @ w_q, context @ w_k, context @ w_v
        return torch.softmax(q @ k.T / q.shape[1] ** 0.5, -1) @ v

    def another(x, context, w_q, w_k, w_v):
        return F.scaled_dot_product_attention(
            (x @ w_q)[None], (context @ w_k)[None], (context @ w_v)[None]
        )[0]

    def check(t, cross_attention):
        x, c, w = t.randn(3, 5), t.randn(6, 5), [t.randn(5, 5) / 2 for _ in range(3)]
        got = t.call(cross_attention, x, c, *w)
        t.shape(
            "one row for each row of x",
            got,
            (3, 5),
            given="x (3, 5), context (6, 5)",
            because="queries come from x",
        )
        same = t.call(cross_attention, x, torch.ones(6, 5), *w)
        t.equal(
            "the weights of a query sum to one",
            same,
            (torch.ones(6, 5) @ w[2])[:3],
            given="six equal rows of context",
            because=(
                "softmax over the keys, axis -1; over axis 0 each key hands out one unit "
                "among the queries"
            ),
        )
        want = _loop(
            (x @ w[0])[None, None], (c @ w[1])[None, None], (c @ w[2])[None, None], lambda *_: True
        )[0, 0]
        t.equal(
            "softmax(q k^T / sqrt(d)) v with q from x, k and v from context", got, want, atol=1e-4
        )
        x, c, w = t.randn(2, 3), t.randn(4, 3), [t.randn(3, 3) for _ in range(3)]
        want = _loop(*(a[None, None] for a in (x @ w[0], c @ w[1], c @ w[2])), lambda *_: True)
        t.equal(
            "d is the width of x",
            t.call(cross_attention, x, c, *w),
            want[0, 0],
            1e-4,
            given="d = 3",
        )

    @wrong("the weights of a query sum to one")
    def over_everything(x, context, w_q, w_k, w_v):
        s = (x @ w_q) @ (context @ w_k).T / 5**0.5
        return s.flatten().softmax(0).view(s.shape) @ (context @ w_v)

    @wrong("with q from x, k and v from context")
    def no_scale(x, context, w_q, w_k, w_v):
        return _softmax((x @ w_q) @ (context @ w_k).T) @ (context @ w_v)

    @wrong("one row for each row of x")
    def roles_swapped(x, context, w_q, w_k, w_v):
        return _softmax((context @ w_q) @ (x @ w_k).T / 5**0.5) @ (x @ w_v)

    @wrong("with q from x, k and v from context")
    def matrices_turned(x, context, w_q, w_k, w_v):
        return _softmax((x @ w_q.T) @ (context @ w_k.T).T / 5**0.5) @ (context @ w_v)

    @wrong("with q from x, k and v from context")
    def hard_choice(x, context, w_q, w_k, w_v):
        return (context @ w_v)[((x @ w_q) @ (context @ w_k).T).argmax(1)]

    @wrong("the weights of a query sum to one")
    def divided_by_its_sum(x, context, w_q, w_k, w_v):
        s = ((x @ w_q) @ (context @ w_k).T / 5**0.5).exp()
        return s / s.sum(0) @ (context @ w_v)


class RMS(Exercise):
    "RMSNorm that survives half precision"

    id = "transformer.rms_norm"
    difficulty, importance, minutes = 2, 4, 8
    task = (
        "Write `rms_norm(x, gain, eps)`: `x` is `(.., d)` of any float type, `gain` is float32 "
        "`(d,)`. Divide by the root of "
        "the mean square of the last axis, with `eps` under the root, multiply by the gain. "
        "Squares of float16 numbers "
        "overflow: compute in float32, return the dtype of `x`."
    )
    starter = """
def rms_norm(x, gain, eps): ...
"""
    hints = (
        "x / sqrt(mean(x^2) + eps) * gain",
        "y = x.float(); keepdim=True for the mean",
        "return (y * ... .rsqrt() * gain).to(x.dtype)",
    )

    def reference(x, gain, eps):
        y = x.float()
        return (y * (y.square().mean(-1, keepdim=True) + eps).rsqrt() * gain).to(x.dtype)

    def another(x, gain, eps):
        d = x.shape[-1]
        root = torch.sqrt(torch.linalg.vector_norm(x.float(), dim=-1, keepdim=True) ** 2 / d + eps)
        return (gain * x.float() / root).to(x.dtype)

    def check(t, rms_norm):
        x, gain = t.randn(2, 3, 5) + 2, t.rand(5) + 0.5
        got = t.call(rms_norm, x, gain, 1e-6)
        t.shape("the shape that came in", got, (2, 3, 5))
        t.equal(
            "no mean is taken away",
            t.call(rms_norm, torch.full((1, 4), 3.0), torch.ones(4), 0.0),
            torch.ones(1, 4),
            given="four times 3, which LayerNorm would turn into zeros",
            because="that is LayerNorm: RMSNorm divides only",
        )
        t.equal(
            "x / sqrt(mean(x^2) + eps) * gain, over the last axis",
            got,
            F.rms_norm(x, (5,), gain, 1e-6),
            because="the mean of squares, not their sum; one root for each vector; and the gain",
        )
        small = t.randn(3, 5) * 0.1
        t.equal(
            "eps stands under the root",
            t.call(rms_norm, small, gain, 0.04),
            F.rms_norm(small, (5,), gain, 0.04),
            given="eps = 0.04",
            because="sqrt(m + eps), not sqrt(m) + eps",
        )
        half = (t.randn(2, 64) * 1000).half()
        out = t.call(rms_norm, half, torch.ones(64), 1e-6)
        t.true(
            "float16 comes back as float16", out.dtype == torch.float16, out.dtype, torch.float16
        )
        t.equal(
            "large float16 numbers are normed in float32",
            out.float(),
            F.rms_norm(half.float(), (64,)),
            atol=0.01,
            rtol=0.01,
            given="numbers near 1000, whose squares overflow float16",
            because="x.float() before the square",
        )
        coarse, gain = (t.randn(256, 256) * (1 + t.rand(256, 1))).bfloat16(), t.rand(256) + 0.5
        out = t.call(rms_norm, coarse, gain, 1e-6)
        t.true(
            "bfloat16 comes back as bfloat16", out.dtype == torch.bfloat16, out.dtype, "bfloat16"
        )
        want = F.rms_norm(coarse.double(), (256,), gain.double(), 1e-6)
        for axis, given in ((1, "row"), (0, "column")):
            t.near(
                "bfloat16 is normed in float32 too, gain and all",
                ((out * want).sum(axis) / want.square().sum(axis) - 1).abs().max().item(),
                0.0,
                2.5e-3,
                given=f"256 rows of 256 bfloat16 numbers; the largest relative error of a {given}",
                because="a root rounded to bfloat16 spoils a whole row, a gain a whole column",
            )

    @wrong("bfloat16 is normed in float32 too")
    def float32_for_float16_only(x, gain, eps):
        y = x.float() if x.dtype == torch.float16 else x
        return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)

    @wrong("bfloat16 is normed in float32 too")
    def gain_rounded(x, gain, eps):
        y = x.float()
        y = (y * (y.square().mean(-1, keepdim=True) + eps).rsqrt()).to(x.dtype)
        return y * gain.to(x.dtype)

    @wrong("no mean is taken away")
    def layer_norm(x, gain, eps):
        return (F.layer_norm(x.float(), x.shape[-1:], eps=eps) * gain).to(x.dtype)

    @wrong("over the last axis")
    def one_root_for_all(x, gain, eps):
        return (x.float() / (x.float().square().mean() + eps).sqrt() * gain).to(x.dtype)

    @wrong("no mean is taken away")
    def sum_of_squares(x, gain, eps):
        return (x.float() / (x.float().square().sum(-1, keepdim=True) + eps).sqrt() * gain).to(
            x.dtype
        )

    @wrong("over the last axis")
    def no_gain(x, gain, eps):
        return (x.float() / (x.float().square().mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype)

    @wrong("eps stands under the root")
    def eps_outside(x, gain, eps):
        return (x.float() / (x.float().square().mean(-1, keepdim=True).sqrt() + eps) * gain).to(
            x.dtype
        )

    @wrong("normed in float32")
    def in_half(x, gain, eps):
        return (x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * gain.to(x.dtype)).to(x.dtype)

    @wrong("float16 comes back as float16")
    def stays_wide(x, gain, eps):
        return x.float() / (x.float().square().mean(-1, keepdim=True) + eps).sqrt() * gain


class Rotary(Exercise):
    "Hands of a clock"

    id = "transformer.rotary"
    difficulty, importance, minutes = 3, 5, 12
    task = (
        "Write rotary positions with interleaved pairs: `x` is `(b, h, n, d)`, `positions` "
        "int64 `(n,)`. Pair `i` is `(x[2i], "
        "x[2i+1])`; turn it counter-clockwise by `position * 10000 ** (-2 i / d)`. Return the "
        "shape of `x`."
    )
    starter = """
def rotary(x, positions): ...
"""
    hints = (
        "angles: an (n, d/2) table. Turning (a, b) by w gives (a cos w - b sin w, a sin w + b "
        "cos w).",
        "a, b = x[..., 0::2], x[..., 1::2]; the results must be woven together again.",
        "torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)",
    )

    def reference(x, positions):
        d = x.shape[-1]
        w = positions[:, None] * 10_000.0 ** (-torch.arange(0, d, 2) / d)
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * w.cos() - b * w.sin(), a * w.sin() + b * w.cos()], -1).flatten(-2)

    def another(x, positions):
        d = x.shape[-1]
        w = torch.outer(
            positions.float(), torch.exp(-math.log(10_000) * torch.arange(d // 2) * 2 / d)
        )
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], d // 2, 2).contiguous())
        return torch.view_as_real(z * torch.polar(torch.ones_like(w), w)).flatten(-2)

    def check(t, rotary):
        x, positions = t.randn(2, 3, 4, 6), torch.tensor([0, 3, 1, 700])
        got = t.call(rotary, x, positions)
        t.shape("the shape that came in", got, x.shape)
        t.equal("place 0 turns nothing", got[:, :, 0], x[:, :, 0])
        one = torch.zeros(1, 1, 1, 4)
        one[..., 0] = 1
        turned = t.call(rotary, one, torch.tensor([1]))[0, 0, 0]
        t.equal(
            "neighbours form a pair",
            turned[2:],
            torch.zeros(2),
            given="(1, 0, 0, 0) at place 1",
            because="x[0] is paired with x[1], not with x[d/2]: that is the half-split convention",
        )
        t.equal(
            "pair 0 turns counter-clockwise by the position",
            turned[:2],
            torch.tensor([math.cos(1), math.sin(1)]),
            given="(1, 0, 0, 0) at place 1",
            because="(a cos w - b sin w, a sin w + b cos w)",
        )
        want = x.clone()
        for n, p in enumerate(positions.tolist()):
            for i in range(3):
                w = p * 10_000 ** (-2 * i / 6)
                a, b = x[:, :, n, 2 * i], x[:, :, n, 2 * i + 1]
                want[:, :, n, 2 * i], want[:, :, n, 2 * i + 1] = (
                    a * math.cos(w) - b * math.sin(w),
                    a * math.sin(w) + b * math.cos(w),
                )
        t.equal(
            "pair i turns by position * 10000^(-2i/d)",
            got,
            want,
            atol=1e-4,
            given="places 0, 3, 1, 700; d = 6",
            because=(
                "each pair has its own speed, and the position is what was given, not the "
                "row's number"
            ),
        )

    @wrong("neighbours form a pair")
    def half_split(x, positions):
        w = _turns(x, positions)
        a, b = x.chunk(2, -1)
        return torch.cat([a * w.cos() - b * w.sin(), a * w.sin() + b * w.cos()], -1)

    @wrong("turns counter-clockwise")
    def clockwise(x, positions):
        return _turn(x, -_turns(x, positions))

    @wrong("pair i turns by")
    def one_speed(x, positions):
        return _turn(x, positions[:, None].float().expand(-1, x.shape[-1] // 2))

    @wrong("pair i turns by")
    def speeds_of_i_over_d(x, positions):
        return _turn(
            x, positions[:, None] * 10_000.0 ** (-torch.arange(x.shape[-1] // 2) / x.shape[-1])
        )

    @wrong("pair i turns by")
    def row_numbers(x, positions):
        return _turn(x, _turns(x, torch.arange(len(positions)) + (len(positions) == 1)))

    @wrong("place 0 turns nothing")
    def counts_from_one(x, positions):
        return _turn(x, _turns(x, positions + 1))

    @wrong("neighbours form a pair")
    def not_woven(x, positions):
        w = _turns(x, positions)
        a, b = x[..., 0::2], x[..., 1::2]
        y = torch.cat([a * w.cos() - b * w.sin(), a * w.sin() + b * w.cos()], -1)
        return torch.where(positions[:, None] == 0, x, y)


def _turns(x, positions):
    return positions[:, None] * 10_000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])


def _turn(x, w):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * w.cos() - b * w.sin(), a * w.sin() + b * w.cos()], -1).flatten(-2)


class CacheStep(Exercise):
    "One token more"

    id = "transformer.cache_step"
    difficulty, importance, minutes = 2, 5, 8
    task = (
        "Write one step of decoding with a cache: `q`, `k`, `v` of the new token are `(b, h, "
        "1, d)`; `cache` is None at the "
        "start, then a pair of tensors `(b, h, t, d)`. Return `(y, cache)`: the new token's "
        "attention over everything so far, "
        "itself included, and the longer cache. The old cache must stay usable."
    )
    starter = """
def cache_step(q, k, v, cache): ...
"""
    hints = (
        "What does the newest token have to hide from?",
        "Join old and new along the axis of tokens, then attend; no mask is needed.",
        "k = k if cache is None else torch.cat([cache[0], k], 2)",
    )

    def reference(q, k, v, cache):
        if cache is not None:
            k, v = (torch.cat([old, new], 2) for old, new in zip(cache, (k, v)))
        return F.scaled_dot_product_attention(q, k, v), (k, v)

    def another(q, k, v, cache):
        keys, values = (
            (k, v)
            if cache is None
            else (torch.cat((cache[0], k), -2), torch.cat((cache[1], v), -2))
        )
        w = (torch.einsum("bhqd,bhkd->bhqk", q, keys) * q.shape[-1] ** -0.5).softmax(-1)
        return torch.einsum("bhqk,bhkd->bhqd", w, values), (keys, values)

    def check(t, cache_step):
        q, k, v = 2 * t.randn(2, 3, 4, 5), t.randn(2, 3, 4, 5), t.randn(2, 3, 4, 5)
        cache, ys, lengths = None, [], []
        for i in range(4):
            out = t.call(cache_step, *(x[:, :, i : i + 1] for x in (q, k, v)), cache)
            t.true(
                "it returns (y, cache)",
                isinstance(out, (tuple, list)) and len(out) == 2,
                out,
                "a pair",
            )
            y, cache = out
            t.shape("one vector for the new token", y, (2, 3, 1, 5), given=f"token {i}")
            t.true(
                "the cache is a pair of tensors",
                isinstance(cache, (tuple, list)) and len(cache) == 2,
                cache,
                "(k, v)",
            )
            ys.append(y)
            lengths.append(tuple(c.shape[2] for c in cache))
            if i == 1:
                held = [c.clone() for c in cache]
                two = cache
        t.equal(
            "the cache grows by one token a step",
            lengths,
            [(1, 1), (2, 2), (3, 3), (4, 4)],
            because="join along axis 2, and return the joined tensors",
        )
        t.equal("the cache holds all keys and values in order", tuple(cache), (k, v))
        want = _loop(q, k, v, lambda s, i, j: j <= i)
        t.equal(
            "step by step equals one causal pass",
            torch.cat(ys, 2),
            want,
            given="4 tokens",
            because=(
                "the new token sees all earlier ones and itself; is_causal=True with one "
                "query would leave it the first key only"
            ),
        )
        t.equal("an older cache stays as it was", tuple(two), tuple(held))
        other = [t.randn(2, 3, 1, 5) for _ in range(3)]
        _, branch = t.call(cache_step, *other, two)
        t.equal(
            "it continues the cache that it is given",
            tuple(branch),
            tuple(torch.cat(pair, 2) for pair in zip(held, other[1:])),
            given="another third token, after the cache of two",
            because="one start may be continued in several ways: keep nothing between two calls",
        )

    @wrong("it continues the cache that it is given")
    def remembers_by_itself(q, k, v, cache, own=[]):  # noqa: B006  the default is the fault
        own[:] = _joined(k, v, own if cache is not None else None)
        return F.scaled_dot_product_attention(q, *own), tuple(own)

    @wrong("step by step equals one causal pass")
    def without_itself(q, k, v, cache):
        y = v if cache is None else F.scaled_dot_product_attention(q, *cache)
        return y, _joined(k, v, cache)

    @wrong("step by step equals one causal pass")
    def flag_with_one_query(q, k, v, cache):
        k, v = _joined(k, v, cache)
        first = torch.ones(1, k.shape[2], dtype=torch.bool).tril()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=first), (k, v)

    @wrong("the cache grows by one token")
    def keeps_the_old(q, k, v, cache):
        k2, v2 = _joined(k, v, cache)
        return F.scaled_dot_product_attention(q, k2, v2), cache if cache is not None else (k, v)

    @wrong("in order")
    def newest_first(q, k, v, cache):
        if cache is not None:
            k, v = (torch.cat([new, old], 2) for old, new in zip(cache, (k, v)))
        return F.scaled_dot_product_attention(q, k, v), (k, v)

    @wrong("step by step equals one causal pass")
    def only_itself(q, k, v, cache):
        return v.clone(), _joined(k, v, cache)

    @wrong("in order")
    def keys_for_values(q, k, v, cache):
        k, v = _joined(k, v, cache)
        return F.scaled_dot_product_attention(q, k, v), (v, k)

    @wrong("it returns (y, cache)")
    def forgets_the_cache(q, k, v, cache):
        return F.scaled_dot_product_attention(q, *_joined(k, v, cache))


def _joined(k, v, cache):
    return (
        (k, v)
        if cache is None
        else tuple(torch.cat([old, new], 2) for old, new in zip(cache, (k, v)))
    )


class CachePosition(Exercise):
    "Every new token stands at the start"

    id = "transformer.cache_position"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 10
    task = (
        "`step(x, cache, embed, place)` prepares the input of a model that decodes with a "
        "cache of `cache` tokens (an integer):"
        " `x` int64 `(b, n)` are the new tokens, `embed(x)` gives `(b, n, d)`, `place` "
        "`(max_len, d)` is the table of "
        "positions. Return the sum. The first pass is right; with a cache, texts start to "
        "stutter. And a sequence longer than "
        "the table should raise ValueError."
    )
    starter = """
def step(x, cache, embed, place):
    n = x.shape[1]
    return embed(x) + place[:n]
"""
    bug = "new tokens stand behind the cached ones"
    hints = (
        "Where does the first new token stand when five are in the cache?",
        "Slice the table from `cache`, and check the end.",
        "place[cache:cache + n]; a slice past the end gets shorter without a word",
    )

    def reference(x, cache, embed, place):
        n = x.shape[1]
        if cache + n > len(place):
            raise ValueError(f"{cache} + {n} tokens; expected at most {len(place)}")
        return embed(x) + place[cache : cache + n]

    def another(x, cache, embed, place):
        where = torch.arange(x.shape[1]) + cache
        if where.numel() and where.max() >= place.shape[0]:
            raise ValueError("too long")
        return embed(x) + F.embedding(where, place)

    def check(t, step):
        table, place, x = t.randn(7, 3), t.randn(6, 3), t.randint(0, 7, (2, 4))

        def embed(x):
            return table[x]

        t.equal(
            "a first pass starts at place 0", t.call(step, x, 0, embed, place), table[x] + place[:4]
        )
        t.equal(
            "new tokens stand behind the cached ones",
            t.call(step, x[:, :2], 3, embed, place),
            table[x[:, :2]] + place[3:5],
            given="3 tokens in the cache, 2 new ones",
            because="the table is read from `cache` on, not from 0",
        )
        try:
            step(x[:, :1], 5, embed, place)
        except ValueError as e:
            t.refuse(
                "the last place of the table may be used",
                f"ValueError: {e}",
                "no error",
                "5 in the cache, 1 new, a table of 6",
                "6 tokens fill 6 places: only more are too many",
            )
        t.equal(
            "one new token at the last place",
            t.call(step, x[:, :1], 5, embed, place),
            table[x[:, :1]] + place[5:],
            given="5 in the cache, a table of 6",
            because="positions count from 0: the token after 5 others is number 5",
        )
        for cached, n in ((5, 2), (6, 1), (4, 4)):
            try:
                out = step(x[:, :n], cached, embed, place)
            except ValueError:
                continue
            except Exception as e:
                out = f"{type(e).__name__}: {e}"
            t.refuse(
                "past the end of the table it raises ValueError",
                out,
                "ValueError",
                f"{cached} in the cache, {n} new, a table of 6",
                "a slice past the end is short or empty, and one row broadcasts to all tokens",
            )
        place = t.randn(9, 3)
        t.equal(
            "the end is that of the table that is given",
            t.call(step, x, 4, embed, place),
            table[x] + place[4:8],
            given="4 in the cache, 4 new, a table of 9",
        )

    @wrong("the last place")
    def off_by_one(x, cache, embed, place):
        n = x.shape[1]
        start = cache + (cache == 5)
        if cache + n > len(place):
            raise ValueError("long")
        return embed(x) + place.roll(-start, 0)[:n]

    @wrong("the last place of the table may be used")
    def refuses_the_last_place(x, cache, embed, place):
        if cache + x.shape[1] >= len(place):
            raise ValueError("long")
        return embed(x) + place[cache : cache + x.shape[1]]

    @wrong("new tokens stand behind")
    def counts_from_one(x, cache, embed, place):
        start = cache + 1 if cache else 0
        return embed(x) + place[start : start + x.shape[1]]

    @wrong("raises ValueError")
    def no_check(x, cache, embed, place):
        return embed(x) + place[cache : cache + x.shape[1]]

    @wrong("raises ValueError")
    def clamped(x, cache, embed, place):
        return embed(x) + place[(torch.arange(x.shape[1]) + cache).clamp(max=len(place) - 1)]

    @wrong("new tokens stand behind")
    def all_at_one_place(x, cache, embed, place):
        return embed(x) + (place[cache] if cache else place[: x.shape[1]])

    @wrong("raises ValueError")
    def wraps_around(x, cache, embed, place):
        return embed(x) + place[(torch.arange(x.shape[1]) + cache) % len(place)]


class NotATransformer(Exercise):
    "A Transformer of Linear and ReLU"

    id = "transformer.no_attention"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 12
    covers = ("S0-B2.4", "S2-B4.9")
    task = (
        "This layer is called a Transformer block, but its tokens never meet. Make it one: "
        "first `x + attention(norm(x)) @ "
        "w_o`, with one head and `q, k, v = norm(x) @ w_q, ..`, then `x + relu(norm(x) @ w_1) "
        "@ w_2`. `x` is `(b, n, d)`, "
        "`norm` is given; every token sees every token."
    )
    starter = """
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    x = x + torch.relu(norm(x) @ w_q) @ w_o
    x = x + torch.relu(norm(x) @ w_1) @ w_2
    return x
"""
    bug = "a change of one token reaches the others"
    hints = (
        "Set one token to zero: which other outputs change?",
        "Queries, keys, values from the same normed x; softmax over the keys.",
        "y = norm(x); x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o",
    )

    def reference(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x)
        x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
        return x + torch.relu(norm(x) @ w_1) @ w_2

    def another(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x)
        scores = torch.einsum("bid,de,bje->bij", y, w_q @ w_k.T, y) / w_q.shape[1] ** 0.5
        x = x + _softmax(scores) @ y @ (w_v @ w_o)
        return x + (norm(x) @ w_1).clamp(min=0) @ w_2

    def check(t, block):
        d, norm = 5, lambda x: F.layer_norm(x, x.shape[-1:])
        w = [t.randn(*s) / 2 for s in [(d, d)] * 4 + [(d, 6), (6, d)]]
        x = t.randn(3, 5, d)
        got = t.call(block, x, norm, *w)
        t.shape("the shape that came in", got, (3, 5, d))
        zeroed = x.clone()
        zeroed[:, 2] = 0
        moved = (t.call(block, zeroed, norm, *w) - got).detach().abs().sum(-1)  # (b, n)
        t.true(
            "a change of one token reaches the others",
            (moved[:, [0, 1, 3, 4]] > 1e-6).all(),
            "outputs 0, 1, 3, 4 stayed as they were",
            "all outputs change",
            "token 2 set to zero",
            "linear maps and ReLU act on each token alone: 0 attention, not a Transformer",
        )
        other = x.clone()
        other[1] = 0
        same = torch.allclose(t.call(block, other, norm, *w)[[0, 2]], got[[0, 2]], atol=1e-6)
        t.true(
            "sequences of a batch do not meet",
            same,
            "sequences 0 and 2 moved when sequence 1 was set to zero",
            "the same outputs",
            because="attention runs over the tokens, not over the batch",
        )
        p = torch.tensor([3, 0, 4, 1, 2])
        t.equal(
            "without positions it commutes with a permutation",
            t.call(block, x[:, p], norm, *w),
            got[:, p],
            atol=1e-5,
            because="every token sees every token by the same rule: no mask, no fixed place",
        )
        want = x.clone()
        for b in range(3):
            y = norm(x[b])
            a = _loop(*((y @ m)[None, None] for m in w[:3]), lambda *_: True)[0, 0]
            h = x[b] + a @ w[3]
            want[b] = h + torch.relu(norm(h) @ w[4]) @ w[5]
        t.equal(
            "x + attention(norm(x)) @ w_o, then x + relu(norm(x) @ w_1) @ w_2",
            got,
            want,
            atol=1e-4,
            because="norm before each part, both additions, scores divided by sqrt(d)",
        )

    @wrong("sequences of a batch do not meet")
    def over_the_batch(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x).flatten(0, 1)
        x = x + (F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o).view(x.shape)
        return x + torch.relu(norm(x) @ w_1) @ w_2

    @wrong("x + attention(norm(x)) @ w_o")
    def mean_of_all(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        x = x + (norm(x) @ w_v).mean(1, keepdim=True) @ w_o
        return x + torch.relu(norm(x) @ w_1) @ w_2

    @wrong("x + attention(norm(x)) @ w_o")
    def post_norm(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        x = norm(x + F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v) @ w_o)
        return norm(x + torch.relu(x @ w_1) @ w_2)

    @wrong("commutes with a permutation")
    def convolution(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x) @ w_v
        x = x + sum(y.roll(s, 1) * s for s in range(1, 5)) @ w_o
        return x + torch.relu(norm(x) @ w_1) @ w_2

    @wrong("x + attention(norm(x)) @ w_o")
    def no_residual(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x)
        x = F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
        return x + torch.relu(norm(x) @ w_1) @ w_2

    @wrong("a change of one token reaches the others")
    def causal(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
        y = norm(x)
        x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v, is_causal=True) @ w_o
        return x + torch.relu(norm(x) @ w_1) @ w_2


class Cost(Exercise):
    "n squared d, or n d squared?"

    id = "transformer.cost"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S2-X2", "M22")
    task = (
        "Count the multiply-adds of one pass of `n` tokens through `depth` blocks of width "
        "`d`: four square projections, the "
        "two products of attention over all pairs, and an MLP four times as wide (two "
        "matrices). Norms, softmax and biases are "
        "not counted. Return an integer."
    )
    starter = """
def multiply_adds(n, d, depth): ...
"""
    hints = (
        "A (n, a) times (a, b) product costs n * a * b.",
        "Projections 4 n d^2, MLP 8 n d^2. The scores are (n, d) times (d, n).",
        "depth * (12 * n * d ** 2 + 2 * n ** 2 * d)",
    )

    def reference(n, d, depth):
        return depth * (12 * n * d**2 + 2 * n**2 * d)

    def another(n, d, depth):
        products = [(n, d, 3 * d), (n, d, n), (n, n, d), (n, d, d), (n, d, 4 * d), (n, 4 * d, d)]
        return depth * sum(a * b * c for a, b, c in products)

    def check(t, multiply_adds):
        for n, d, depth in ((7, 16, 1), (40, 8, 3)):
            nets = [nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)]
            x, wide = torch.zeros(n, d), torch.zeros(n, 4 * d)
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                for net, y in zip(nets, (x, x, x, wide)):
                    net(y)
                (x @ x.T) @ x
            got = t.call(multiply_adds, n, d, depth)
            got = plain(got)
            t.true("a whole number", isinstance(got, int), got, "an int")
            what = (
                "what a counter sees in one block"
                if depth == 1
                else "long sequences and several blocks too"
            )
            t.equal(
                what,
                got,
                depth * counter.get_total_flops() // 2,
                0,
                0,
                given=f"n = {n}, d = {d}, depth = {depth}",
                because=(
                    "per block 4 n d^2 for the projections, 8 n d^2 for the MLP, n^2 d "
                    "twice; a multiply-add counts once"
                ),
            )

    @wrong("what a counter sees in one block")
    def floating_point_operations(n, d, depth):
        return 2 * depth * (12 * n * d**2 + 2 * n**2 * d)

    @wrong("what a counter sees in one block")
    def no_pairs(n, d, depth):
        return depth * 12 * n * d**2

    @wrong("what a counter sees in one block")
    def pairs_once(n, d, depth):
        return depth * (12 * n * d**2 + n**2 * d)

    @wrong("long sequences and several blocks too")
    def one_block(n, d, depth):
        return 12 * n * d**2 + 2 * n**2 * d

    @wrong("what a counter sees in one block")
    def no_output_projection(n, d, depth):
        return depth * (11 * n * d**2 + 2 * n**2 * d)

    @wrong("a whole number")
    def as_float(n, d, depth):
        return depth * n * (12 * d**2 + 2 * n * d) / 1.0


class CacheBytes(Exercise):
    "How large is the cache?"

    id = "transformer.cache_bytes"
    difficulty, importance, minutes = 1, 5, 5
    task = (
        "Return the bytes of a key-value cache: `depth` layers, `batch` sequences of `n` "
        "tokens, `heads` query heads of width "
        "`d`, keys and values shared so that there are `kv_heads` of them, `bytes_each` per number."
    )
    starter = """
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each): ...
"""
    hints = (
        "Which of q, k and v are kept?",
        "Two tensors of shape (batch, kv_heads, n, d) in each layer.",
        "2 * depth * batch * n * kv_heads * d * bytes_each",
    )

    def reference(depth, batch, n, heads, kv_heads, d, bytes_each):
        return 2 * depth * batch * n * kv_heads * d * bytes_each

    def another(depth, batch, n, heads, kv_heads, d, bytes_each):
        total = 0
        for _ in range(depth):
            total += sum(math.prod((batch, kv_heads, n, d)) * bytes_each for _ in "kv")
        return total

    def check(t, cache_bytes):
        for dtype, size in ((torch.bfloat16, 2), (torch.float32, 4)):
            layers = [[torch.zeros(5, 2, 7, 8, dtype=dtype) for _ in "kv"] for _ in range(3)]
            want = sum(t.nbytes for pair in layers for t in pair)
            got = t.call(cache_bytes, 3, 5, 7, 6, 2, 8, size)
            t.equal(
                "the bytes of the tensors themselves",
                got,
                want,
                0,
                0,
                f"3 layers, 5 sequences of 7 tokens, 2 kv_heads of 8, {size} bytes",
                "keys and values, in each layer, for kv_heads only; queries are not kept",
            )
        t.equal(
            "every number is an argument",
            t.call(cache_bytes, 2, 3, 11, 8, 4, 5, 2),
            2 * 2 * torch.zeros(3, 4, 11, 5, dtype=torch.bfloat16).nbytes,
            0,
            0,
            "2 layers, 3 sequences of 11 tokens, 4 kv_heads of 5, 2 bytes",
        )

    @wrong("the bytes of the tensors")
    def all_heads(depth, batch, n, heads, kv_heads, d, bytes_each):
        return 2 * depth * batch * n * heads * d * bytes_each

    @wrong("the bytes of the tensors")
    def keys_only(depth, batch, n, heads, kv_heads, d, bytes_each):
        return depth * batch * n * kv_heads * d * bytes_each

    @wrong("the bytes of the tensors")
    def queries_too(depth, batch, n, heads, kv_heads, d, bytes_each):
        return depth * batch * n * (heads + 2 * kv_heads) * d * bytes_each

    @wrong("the bytes of the tensors")
    def squared(depth, batch, n, heads, kv_heads, d, bytes_each):
        return 2 * depth * batch * n * n * kv_heads * bytes_each

    @wrong("the bytes of the tensors")
    def always_two_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
        return 4 * depth * batch * n * kv_heads * d

    @wrong("the bytes of the tensors")
    def six_heads(depth, batch, n, heads, kv_heads, d, bytes_each):
        return 2 * depth * batch * n * heads * d * bytes_each // 2
