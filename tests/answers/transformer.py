"Answers to the exercises of attention and Transformer, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: transformer.causal_attention
# right: einsum, mask from positions
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    place = torch.arange(m - n, m)
    seen = place[:, None] >= torch.arange(m)[None, :]
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    return torch.einsum("bhij,bhjd->bhid", weights, v)


# right: a loop over the queries, each with its own past
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    rows = []
    for i in range(n):
        end = m - n + i + 1
        w = q[:, :, i : i + 1] @ k[:, :, :end].transpose(2, 3) / q.shape[3] ** 0.5
        rows.append(w.softmax(-1) @ v[:, :, :end])
    return torch.cat(rows, dim=2)


# right: a large finite number in place of infinity
def causal_attention(q, k, v):
    n, m = q.shape[-2], k.shape[-2]
    future = torch.ones(n, m).triu(m - n + 1)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return F.softmax(scores - 1e9 * future, -1) @ v


# right: exponentials divided by hand, in float64
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q.double() @ k.double().transpose(-1, -2) / math.sqrt(q.size(-1))
    scores = scores - scores.amax(-1, keepdim=True)
    e = torch.exp(scores) * torch.ones(n, m, dtype=torch.float64).tril(m - n)
    return ((e @ v.double()) / e.sum(-1, keepdim=True)).to(q.dtype)


# right: queries padded to all places, then cut
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    full = F.pad(q, (0, 0, m - n, 0))
    scores = full @ k.transpose(-2, -1) / full.shape[-1] ** 0.5
    hide = torch.triu(torch.full((m, m), -torch.inf), diagonal=1)
    return (torch.softmax(scores + hide, -1) @ v)[:, :, m - n :]


# right: baddbmm on the batch of heads
def causal_attention(q, k, v):
    b, h, n, d = q.shape
    m = k.shape[2]
    hide = torch.zeros(n, m).masked_fill(torch.ones(n, m).triu(m - n + 1).bool(), -math.inf)
    scores = torch.baddbmm(
        hide.expand(b * h, n, m), q.flatten(0, 1), k.flatten(0, 1).mT, alpha=d**-0.5
    )
    return torch.bmm(scores.softmax(2), v.flatten(0, 1)).view(b, h, n, d)


# wrong: triangle from the upper left corner
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    seen = torch.ones(n, m, dtype=torch.bool).tril()
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v


# wrong: own place hidden
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n)
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return scores.masked_fill(future, -1e9).softmax(-1) @ v


# wrong: one place too many
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 2)
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return scores.masked_fill(future, -torch.inf).softmax(-1) @ v


# wrong: no scale
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    return (q @ k.mT).masked_fill(future, -torch.inf).softmax(-1) @ v


# wrong: divided by d
def causal_attention(q, k, v):
    n, m, d = q.shape[2], k.shape[2], q.shape[3]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    return (q @ k.mT / d).masked_fill(future, -torch.inf).softmax(-1) @ v


# wrong: scale by the width of all heads
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    dim = q.shape[1] * q.shape[3]
    return (q @ k.mT / dim**0.5).masked_fill(future, -torch.inf).softmax(-1) @ v


# wrong: scale by the number of places
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    return (q @ k.mT / n**0.5).masked_fill(future, -torch.inf).softmax(-1) @ v


# wrong: hidden scores are set to 0 before the softmax
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return scores.tril(m - n).softmax(-1) @ v


# wrong: hidden weights are set to 0 after the softmax
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return weights.tril(m - n) @ v


# wrong: softmax over the queries
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    future = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(future, -1e9)
    return scores.softmax(-2) @ v


# wrong: no mask
def causal_attention(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


# wrong: everything but the future is hidden
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    seen = torch.ones(n, m, dtype=torch.bool).tril(m - n)
    return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(seen, -1e9).softmax(-1) @ v


# wrong: only the first heads' mask, a square one of the keys cut from above
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    hide = torch.full((m, m), -torch.inf).triu(1)[:n]
    return (q @ k.mT / q.shape[-1] ** 0.5 + hide).softmax(-1) @ v


# wrong: the cached places are dropped
def causal_attention(q, k, v):
    n = q.shape[2]
    k, v = k[:, :, -n:], v[:, :, -n:]
    hide = torch.full((n, n), -torch.inf).triu(1)
    return (q @ k.mT / q.shape[-1] ** 0.5 + hide).softmax(-1) @ v


# wrong: the weights
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    hide = torch.full((n, m), -torch.inf).triu(m - n + 1)
    return (q @ k.mT / q.shape[-1] ** 0.5 + hide).softmax(-1)


# wrong: joined heads
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    hide = torch.full((n, m), -torch.inf).triu(m - n + 1)
    y = (q @ k.mT / q.shape[-1] ** 0.5 + hide).softmax(-1) @ v
    return y.transpose(1, 2).flatten(2)


# wrong: sdpa, whose triangle starts at the upper left
def causal_attention(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


# wrong: the forbidden function, with the right mask
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    seen = torch.ones(n, m, dtype=torch.bool).tril(m - n)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


# wrong: the forbidden function under another name
from torch.nn.functional import scaled_dot_product_attention as sdpa  # noqa: E402


def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    return sdpa(q, k, v, attn_mask=torch.ones(n, m, dtype=torch.bool).tril(m - n))


# wrong: a mask only where queries and keys are equally many
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if n == m:
        scores = scores + torch.full((n, n), -torch.inf).triu(1)
    return scores.softmax(-1) @ v


# wrong: no mask for one query, else from the upper left
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if n > 1:
        scores = scores + torch.full((n, m), -torch.inf).triu(1)
    return scores.softmax(-1) @ v


# wrong: exponentials without a maximum taken off, hidden ones at -1 before the exponential
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q @ k.mT / q.shape[-1] ** 0.5
    hidden = torch.ones(n, m, dtype=torch.bool).triu(m - n + 1)
    e = scores.masked_fill(hidden, -1.0).exp()
    return e / e.sum(-1, keepdim=True) @ v


# wrong: a penalty of 10 for the future
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    scores = q @ k.mT / q.shape[-1] ** 0.5 - 10 * torch.ones(n, m).triu(m - n + 1)
    return scores.softmax(-1) @ v


# wrong: a window of the last places
def causal_attention(q, k, v):
    n, m = q.shape[2], k.shape[2]
    seen = torch.ones(n, m, dtype=torch.bool).tril(m - n).triu(m - n - 3)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v


# exercise: transformer.heads
# right: view and transpose
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.transpose(1, 2).reshape(b, n, dim)


# right: chunk and cat
def multi_head(q, k, v, heads):
    parts = zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1))
    return torch.cat([F.scaled_dot_product_attention(*part) for part in parts], -1)


# right: unflatten, einsum, no transposes
def multi_head(q, k, v, heads):
    q, k, v = (t.unflatten(2, (heads, q.shape[2] // heads)) for t in (q, k, v))
    scores = torch.einsum("bihd,bjhd->bhij", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v).flatten(2)


# right: slices into an empty result
def multi_head(q, k, v, heads):
    d = q.shape[-1] // heads
    y = torch.empty_like(q)
    for h in range(heads):
        part = slice(h * d, (h + 1) * d)
        weights = torch.softmax(q[..., part] @ k[..., part].mT / math.sqrt(d), -1)
        y[..., part] = weights @ v[..., part]
    return y


# right: heads stacked in front
def multi_head(q, k, v, heads):
    q, k, v = (torch.stack(t.tensor_split(heads, 2)) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return torch.cat(y.unbind(0), 2)


# wrong: only the first reshape repaired
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).reshape(b, n, dim)


# wrong: only the last reshape repaired
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.reshape(b, heads, n, dim // heads) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, dim)


# wrong: heads take every other feature
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, -1, heads).permute(0, 3, 1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.permute(0, 2, 3, 1).reshape(b, n, dim)


# wrong: width and number of heads changed
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, dim // heads, heads).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.transpose(1, 2).reshape(b, n, dim)


# wrong: tokens and heads not exchanged, so that heads attend to heads
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).reshape(b, n, dim)


# wrong: values not split
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k))
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(1)
    return weights @ v


# wrong: one head
def multi_head(q, k, v, heads):
    return F.scaled_dot_product_attention(q, k, v)


# wrong: scale of the whole width
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, scale=dim**-0.5)
    return y.transpose(1, 2).reshape(b, n, dim)


# wrong: causal
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.transpose(1, 2).reshape(b, n, dim)


# wrong: head-major features joined
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.permute(0, 2, 3, 1).reshape(b, n, dim)


# wrong: two heads always
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, 2, dim // 2).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.transpose(1, 2).reshape(b, n, dim)


# wrong: heads not joined
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


# wrong: view of a batch moved to the heads
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(n, b, heads, -1).permute(1, 2, 0, 3) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.permute(2, 0, 1, 3).reshape(b, n, dim)


# wrong: keys and values exchanged
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.view(b, n, heads, -1).transpose(1, 2) for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, v, k)
    return y.transpose(1, 2).reshape(b, n, dim)


# wrong: swapped axes in the reshape only
def multi_head(q, k, v, heads):
    b, n, dim = q.shape
    q, k, v = (t.reshape(b, heads, dim // heads, n).mT for t in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.mT.reshape(b, n, dim)


# exercise: transformer.mask_polarity
# right: logical_not
def padded_attention(q, k, v, pad):
    seen = torch.logical_not(pad).unsqueeze(1).unsqueeze(1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


# right: a float mask that is added
def padded_attention(q, k, v, pad):
    hide = torch.zeros(pad.shape).masked_fill(pad, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hide[:, None, None].to(q.dtype))


# right: written out
def padded_attention(q, k, v, pad):
    scores = torch.einsum("bhnd,bhmd->bhnm", q, k) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(pad.view(len(pad), 1, 1, -1), -torch.inf)
    return scores.softmax(-1) @ v


# right: each example without its padding
def padded_attention(q, k, v, pad):
    rows = []
    for i in range(len(q)):
        real = (~pad[i]).nonzero()[:, 0]
        rows.append(F.scaled_dot_product_attention(q[i], k[i][:, real], v[i][:, real]))
    return torch.stack(rows)


# right: expanded to all queries
def padded_attention(q, k, v, pad):
    b, h, n, d = q.shape
    mask = (pad == 0)[:, None, None, :].expand(b, h, n, n)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


# wrong: queries in place of keys
def padded_attention(q, k, v, pad):
    mask = ~pad[:, None, :, None].expand(-1, 1, -1, k.shape[2])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).nan_to_num()


# wrong: float of the padding is added
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=pad[:, None, None, :].float())


# wrong: float of the real tokens is added
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=(~pad)[:, None, None, :].float())


# wrong: infinity times the wrong tokens
def padded_attention(q, k, v, pad):
    hide = torch.zeros(pad.shape).masked_fill(~pad, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hide[:, None, None])


# wrong: a gentle penalty
def padded_attention(q, k, v, pad):
    hide = -1.0 * pad[:, None, None].float()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hide)


# wrong: no mask
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v)


# wrong: padded keys zeroed
def padded_attention(q, k, v, pad):
    k = k.masked_fill(pad[:, None, :, None], 0.0)
    return F.scaled_dot_product_attention(q, k, v)


# wrong: padded values zeroed
def padded_attention(q, k, v, pad):
    v = v.masked_fill(pad[:, None, :, None], 0.0)
    return F.scaled_dot_product_attention(q, k, v)


# wrong: padded keys and values zeroed
def padded_attention(q, k, v, pad):
    real = ~pad[:, None, :, None]
    return F.scaled_dot_product_attention(q, k * real, v * real)


# wrong: the first example's padding for all
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad[0])


# wrong: padding of any example
def padded_attention(q, k, v, pad):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=~pad.any(0))


# wrong: causal too
def padded_attention(q, k, v, pad):
    n = q.shape[2]
    mask = ~pad[:, None, None, :] & torch.ones(n, n, dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).nan_to_num()


# wrong: hidden after the softmax
def padded_attention(q, k, v, pad):
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return weights.masked_fill(pad[:, None, None], 0) @ v


# wrong: scores zeroed
def padded_attention(q, k, v, pad):
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(pad[:, None, None], 0)
    return scores.softmax(-1) @ v


# wrong: lengths, as if padding stood at the end of each row by number
def padded_attention(q, k, v, pad):
    longest = int((~pad).sum(1).max())
    return F.scaled_dot_product_attention(q, k[:, :, :longest], v[:, :, :longest])


# wrong: scores without a scale
def padded_attention(q, k, v, pad):
    scores = (q @ k.mT).masked_fill(pad[:, None, None], -torch.inf)
    return scores.softmax(-1) @ v


# wrong: a large penalty added to the real tokens
def padded_attention(q, k, v, pad):
    hide = (pad.float() - 1)[:, None, None] * 1e9
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hide)


# wrong: the padded queries' rows are zeroed and no key is hidden
def padded_attention(q, k, v, pad):
    y = F.scaled_dot_product_attention(q, k, v)
    return y.masked_fill(pad[:, None, :, None], 0.0)


# wrong: batch and heads confused
def padded_attention(q, k, v, pad):
    mask = ~pad[None, :, None, :] if len(pad) == q.shape[1] else ~pad[:1, None, None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


# wrong: a penalty of 5
def padded_attention(q, k, v, pad):
    hide = -5.0 * pad[:, None, None].float()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hide)


# exercise: transformer.softmax_axis
# right: sdpa
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = (x @ w_q)[None], (context @ w_k)[None], (context @ w_v)[None]
    return F.scaled_dot_product_attention(q, k, v)[0]


# right: transposed throughout
def cross_attention(x, context, w_q, w_k, w_v):
    scores = (context @ w_k) @ (x @ w_q).T / math.sqrt(x.shape[1])
    return scores.softmax(0).T @ (context @ w_v)


# right: row by row
def cross_attention(x, context, w_q, w_k, w_v):
    rows = []
    for row in x:
        scores = torch.stack([(row @ w_q) @ (c @ w_k) for c in context]) / len(row) ** 0.5
        weights = scores.exp() / scores.exp().sum()
        rows.append(sum(w * (c @ w_v) for w, c in zip(weights, context)))
    return torch.stack(rows)


# right: einsum, values projected last
def cross_attention(x, context, w_q, w_k, w_v):
    scores = torch.einsum("nd,de,fe,mf->nm", x, w_q, w_k, context) * x.shape[1] ** -0.5
    return scores.softmax(dim=1) @ context @ w_v


# right: F.linear
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = F.linear(x, w_q.T), F.linear(context, w_k.T), F.linear(context, w_v.T)
    weights = F.softmax(q @ k.T / q.shape[-1] ** 0.5, dim=-1)
    return weights @ v


# wrong: softmax over both axes
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    scores = q @ k.T / q.shape[1] ** 0.5
    return scores.flatten().softmax(0).view_as(scores) @ v


# wrong: scale by the number of context rows
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T / k.shape[0] ** 0.5, 1) @ v


# wrong: scale by the number of queries
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T / q.shape[0] ** 0.5, 1) @ v


# wrong: no scale
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T, 1) @ v


# wrong: divided by d
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T / q.shape[1], 1) @ v


# wrong: scaled after the softmax
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T, 1) @ v / q.shape[1] ** 0.5


# wrong: matrices from the left
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q.T, context @ w_k.T, context @ w_v.T
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


# wrong: keys and values exchanged
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_v, context @ w_k
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


# wrong: self-attention
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


# wrong: the context asks
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = context @ w_q, x @ w_k, x @ w_v
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


# wrong: scores transposed with the axis kept
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    weights = torch.softmax(k @ q.T / q.shape[1] ** 0.5, 1)
    return weights.T @ v


# wrong: values not projected
def cross_attention(x, context, w_q, w_k, w_v):
    q, k = x @ w_q, context @ w_k
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ context


# wrong: softmax over the features of the result
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5 @ v, 1)


# wrong: rows divided by their sum without exponentials
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    scores = q @ k.T / q.shape[1] ** 0.5
    return scores / scores.sum(1, keepdim=True) @ v


# wrong: residual added
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    return x + torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


# wrong: columns first, then rows
def cross_attention(x, context, w_q, w_k, w_v):
    q, k, v = x @ w_q, context @ w_k, context @ w_v
    weights = torch.softmax(q @ k.T / q.shape[1] ** 0.5, 0)
    return weights / weights.sum(1, keepdim=True) @ v


# exercise: transformer.rotary
# right: complex numbers
def rotary(x, positions):
    d = x.shape[-1]
    freq = 10000.0 ** (-torch.arange(0, d, 2).double() / d)
    angle = positions[:, None] * freq
    turn = torch.polar(torch.ones_like(angle), angle)
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


# right: stack of even and odd
def rotary(x, positions):
    d = x.shape[-1]
    i = torch.arange(d // 2)
    angle = positions.float()[:, None] * 10000 ** (-2 * i / d)
    even, odd = x[..., 0::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([even * c - odd * s, even * s + odd * c], -1).flatten(-2)


# right: loops and a copy
def rotary(x, positions):
    y = x.clone()
    d = x.shape[-1]
    for row, position in enumerate(positions.tolist()):
        for i in range(d // 2):
            angle = position * 10000 ** (-2 * i / d)
            a, b = x[:, :, row, 2 * i], x[:, :, row, 2 * i + 1]
            y[:, :, row, 2 * i] = a * math.cos(angle) - b * math.sin(angle)
            y[:, :, row, 2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return y


# right: the partner of each number, with a sign
def rotary(x, positions):
    d = x.shape[-1]
    freq = torch.exp(-math.log(10000) * torch.arange(0, d, 2) / d).repeat_interleave(2)
    angle = positions[:, None].to(freq.dtype) * freq
    pairs = x.unflatten(-1, (d // 2, 2))
    partner = (pairs.flip(-1) * torch.tensor([-1.0, 1.0])).flatten(-2)
    return x * angle.cos() + partner * angle.sin()


# right: numpy and matrices of two by two
def rotary(x, positions):
    d = x.shape[-1]
    angle = np.outer(positions.numpy(), 10000.0 ** (-2 * np.arange(d // 2) / d))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pairs = x.numpy().reshape(*x.shape[:-1], d // 2, 2)
    y = np.einsum("ijnp,bhnpj->bhnpi", turn, pairs)
    return torch.from_numpy(y.reshape(x.shape)).to(x.dtype)


# wrong: halves in place of neighbours
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x.chunk(2, -1)
    c, s = angle.cos(), angle.sin()
    return torch.cat([a * c - b * s, a * s + b * c], -1)


# wrong: clockwise
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c + b * s, b * c - a * s], -1).flatten(-2)


# wrong: neighbours turned, halves joined
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.cat([a * c - b * s, a * s + b * c], -1)


# wrong: exponent without its 2
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: exponent of even numbers doubled
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(0, d, 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: exponent positive
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: places counted from 0, positions not read
def rotary(x, positions):
    d = x.shape[-1]
    angle = torch.arange(x.shape[2])[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: positions from 1
def rotary(x, positions):
    d = x.shape[-1]
    angle = (positions + 1)[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: one sign for both
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s - b * c], -1).flatten(-2)


# wrong: the second line reads the first one's result
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    y = x.clone()
    c, s = angle.cos(), angle.sin()
    y[..., ::2] = y[..., ::2] * c - y[..., 1::2] * s
    y[..., 1::2] = y[..., ::2] * s + y[..., 1::2] * c
    return y


# wrong: sine and cosine exchanged
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    s, c = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: base 1000
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 1000 ** (-2 * torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: divided by half the width
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / (d // 2))
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: one angle for all pairs
def rotary(x, positions):
    angle = positions[:, None].float()
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# wrong: a sinusoid is added
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000 ** (-2 * torch.arange(d // 2) / d)
    return x + torch.stack([angle.cos(), angle.sin()], -1).flatten(-2)


# wrong: frequencies repeated in halves for interleaved pairs
def rotary(x, positions):
    d = x.shape[-1]
    freq = 10000 ** (-2 * torch.arange(d // 2) / d)
    angle = positions[:, None] * torch.cat([freq, freq])
    partner = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
    return x * angle.cos() + partner * angle.sin()


# wrong: whole-number exponents
def rotary(x, positions):
    d = x.shape[-1]
    angle = positions[:, None] * 10000.0 ** (-2 * torch.arange(d // 2) // d)
    a, b = x[..., ::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


# exercise: transformer.no_attention
# right: sdpa
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + F.relu(norm(x) @ w_1) @ w_2


# right: einsum, clamp for the relu
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = (torch.einsum("bnd,de->bne", y, w) for w in (w_q, w_k, w_v))
    weights = (torch.einsum("bie,bje->bij", q, k) / math.sqrt(q.shape[-1])).softmax(2)
    x = x + torch.einsum("bij,bje,ed->bid", weights, v, w_o)
    return x + (norm(x) @ w_1).clamp(min=0) @ w_2


# right: example by example
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    rows = []
    for one in y:
        q, k, v = one @ w_q, one @ w_k, one @ w_v
        rows.append(torch.softmax(q @ k.T * k.shape[-1] ** -0.5, -1) @ v @ w_o)
    h = x + torch.stack(rows)
    mlp = torch.maximum(norm(h) @ w_1, torch.zeros(())) @ w_2
    return mlp + h


# right: a head axis put in and taken out
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    q, k, v = ((norm(x) @ w)[:, None] for w in (w_q, w_k, w_v))
    x = torch.add(x, F.scaled_dot_product_attention(q, k, v).squeeze(1) @ w_o)
    hidden = norm(x) @ w_1
    return x + hidden * (hidden > 0) @ w_2


# right: values joined with w_o first
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    weights = torch.softmax((y @ w_q) @ (y @ w_k).mT / w_q.shape[1] ** 0.5, -1)
    h = x.clone()
    h += weights @ (y @ (w_v @ w_o))
    h += torch.relu(norm(h) @ w_1) @ w_2
    return h


# wrong: post-norm
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    x = norm(x + F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v) @ w_o)
    return norm(x + torch.relu(x @ w_1) @ w_2)


# wrong: no residual around attention
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: no residual around the MLP
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return torch.relu(norm(x) @ w_1) @ w_2


# wrong: residual from the normed x
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    x = norm(x)
    x = x + F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v) @ w_o
    x = norm(x)
    return x + torch.relu(x @ w_1) @ w_2


# wrong: MLP reads the first norm
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + torch.relu(y @ w_1) @ w_2


# wrong: causal
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = y @ w_q, y @ w_k, y @ w_v
    x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: no scale
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = y @ w_q, y @ w_k, y @ w_v
    x = x + (q @ k.mT).softmax(-1) @ v @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: scale by d
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = y @ w_q, y @ w_k, y @ w_v
    x = x + (q @ k.mT / q.shape[-1]).softmax(-1) @ v @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: softmax over the queries
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = y @ w_q, y @ w_k, y @ w_v
    x = x + (q @ k.mT / q.shape[-1] ** 0.5).softmax(1) @ v @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: no norm before attention
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    x = x + F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: no norm before the MLP
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + torch.relu(x @ w_1) @ w_2


# wrong: values not normed
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, x @ w_v) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: w_o forgotten
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v)
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: gelu
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + F.gelu(norm(x) @ w_1) @ w_2


# wrong: relu after the second matrix too
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + torch.relu(torch.relu(norm(x) @ w_1) @ w_2)


# wrong: relu stays on the queries
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    q, k, v = torch.relu(y @ w_q), y @ w_k, y @ w_v
    x = x + F.scaled_dot_product_attention(q, k, v) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: no activation in the MLP
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    x = x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + norm(x) @ w_1 @ w_2


# wrong: parallel branches
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x)
    a = F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o
    return x + a + torch.relu(y @ w_1) @ w_2


# wrong: attention over the batch
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x).transpose(0, 1)
    a = F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v).transpose(0, 1)
    x = x + a @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# wrong: MLP first
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    x = x + torch.relu(norm(x) @ w_1) @ w_2
    y = norm(x)
    return x + F.scaled_dot_product_attention(y @ w_q, y @ w_k, y @ w_v) @ w_o


# wrong: one token attends to all examples
def block(x, norm, w_q, w_k, w_v, w_o, w_1, w_2):
    y = norm(x).flatten(0, 1)
    a = F.scaled_dot_product_attention((y @ w_q)[None], (y @ w_k)[None], (y @ w_v)[None])
    x = x + a[0].view_as(x) @ w_o
    return x + torch.relu(norm(x) @ w_1) @ w_2


# exercise: transformer.rms_norm
# right: norm over the root of d, eps inside the square
def rms_norm(x, gain, eps):
    y = x.to(torch.float32)
    size = torch.sqrt(y.pow(2).sum(-1, keepdim=True) / y.shape[-1] + eps)
    return torch.div(y, size).mul(gain).type_as(x)


# right: F.rms_norm in float32
def rms_norm(x, gain, eps):
    return F.rms_norm(x.float(), x.shape[-1:], gain, eps).to(x.dtype)


# right: rsqrt and einsum
def rms_norm(x, gain, eps):
    y = x.float()
    power = torch.einsum("...d,...d->...", y, y) / y.size(-1)
    return (y * gain * (power + eps).rsqrt().unsqueeze(-1)).to(x.dtype)


# right: vector_norm
def rms_norm(x, gain, eps):
    y = x.float()
    power = torch.linalg.vector_norm(y, dim=-1, keepdim=True) ** 2 / y.shape[-1]
    return (gain * (y / torch.sqrt(power + eps))).to(x.dtype)


# right: a layer with its parameters filled
def rms_norm(x, gain, eps):
    layer = nn.RMSNorm(x.shape[-1], eps=eps)
    layer.weight.data = gain.clone()
    return layer(x.float()).detach().to(x.dtype)


# wrong: computed in the dtype of x
def rms_norm(x, gain, eps):
    return (x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: float32 comes after the squares
def rms_norm(x, gain, eps):
    size = (x.square().float().mean(-1, keepdim=True) + eps).sqrt()
    return (x.float() / size * gain).to(x.dtype)


# wrong: returns float32
def rms_norm(x, gain, eps):
    y = x.float()
    return y * (y.square().mean(-1, keepdim=True) + eps).rsqrt() * gain


# wrong: returns float32 since the gain comes after
def rms_norm(x, gain, eps):
    y = x.float()
    return (y * (y.square().mean(-1, keepdim=True) + eps).rsqrt()).to(x.dtype) * gain


# wrong: eps outside the root
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True).sqrt() + eps) * gain).to(x.dtype)


# wrong: sum in place of the mean
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().sum(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: mean subtracted
def rms_norm(x, gain, eps):
    y = x.float()
    y = y - y.mean(-1, keepdim=True)
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: standard deviation
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.var(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: no root
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True) + eps) * gain).to(x.dtype)


# wrong: mean of absolute values
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.abs().mean(-1, keepdim=True) + eps) * gain).to(x.dtype)


# wrong: eps not read
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt() * gain).to(x.dtype)


# wrong: no eps
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / y.square().mean(-1, keepdim=True).sqrt() * gain).to(x.dtype)


# wrong: gain forgotten
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype)


# wrong: gain plus one
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * (1 + gain)).to(x.dtype)


# wrong: over all axes but the first
def rms_norm(x, gain, eps):
    y = x.float()
    axes = tuple(range(1, x.ndim)) or -1
    return (y / (y.square().mean(axes, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: over axis 1
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: returns float16 always
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * gain).half()


# wrong: eps is the least mean square
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / y.square().mean(-1, keepdim=True).clamp(min=eps).sqrt() * gain).to(x.dtype)


# wrong: one number for the whole tensor
def rms_norm(x, gain, eps):
    y = x.float()
    return (y / (y.square().mean() + eps).sqrt() * gain).to(x.dtype)


# wrong: divided by the root in half precision
def rms_norm(x, gain, eps):
    size = (x.float().square().mean(-1, keepdim=True) + eps).to(x.dtype).sqrt()
    return (x / size * gain).to(x.dtype)


# wrong: float32 for float16 only
def rms_norm(x, gain, eps):
    y = x.float() if x.dtype == torch.float16 else x
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: gain rounded to the dtype of x and applied there
def rms_norm(x, gain, eps):
    y = x.float()
    y = (y * (y.square().mean(-1, keepdim=True) + eps).rsqrt()).to(x.dtype)
    return y * gain.to(x.dtype)


# wrong: scaled by the largest so that nothing overflows, eps not scaled with it
def rms_norm(x, gain, eps):
    top = x.abs().amax(-1, keepdim=True).clamp(min=1e-6)
    y = x / top
    return (y / (y.square().mean(-1, keepdim=True) + eps).sqrt() * gain).to(x.dtype)


# wrong: squares clamped to what half precision holds
def rms_norm(x, gain, eps):
    y = x.float()
    power = y.square().clamp(max=65504).mean(-1, keepdim=True)
    return (y / (power + eps).sqrt() * gain).to(x.dtype)


# exercise: transformer.cache_step
# right: sdpa
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, k, v), (k, v)


# right: einsum, empty cache at the start
def cache_step(q, k, v, cache):
    keys, values = cache or (k[:, :, :0], v[:, :, :0])
    keys, values = torch.cat((keys, k), dim=-2), torch.cat((values, v), dim=-2)
    weights = torch.einsum("bhqd,bhtd->bhqt", q, keys).div(math.sqrt(q.size(-1))).softmax(-1)
    return torch.einsum("bhqt,bhtd->bhqd", weights, values), (keys, values)


# right: a new buffer with one place more
def cache_step(q, k, v, cache):
    t = 0 if cache is None else cache[0].shape[2]
    longer = []
    for i, new in enumerate((k, v)):
        b, h, _, d = new.shape
        buffer = new.new_empty(b, h, t + 1, d)
        if t:
            buffer[:, :, :t] = cache[i]
        buffer[:, :, t:] = new
        longer.append(buffer)
    keys, values = longer
    weights = (q * keys).sum(-1).div(q.shape[-1] ** 0.5).softmax(-1)
    return (weights[..., None] * values).sum(2, keepdim=True), tuple(longer)


# right: list of two
def cache_step(q, k, v, cache):
    new = [k, v] if cache is None else [torch.cat(pair, 2) for pair in zip(cache, (k, v))]
    weights = torch.softmax(q @ new[0].transpose(2, 3) * q.shape[-1] ** -0.5, dim=3)
    return weights @ new[1], new


# right: padded and filled
def cache_step(q, k, v, cache):
    if cache is None:
        return v.clone(), (k, v)
    keys, values = (F.pad(c, (0, 0, 0, 1)) for c in cache)
    keys[:, :, -1:], values[:, :, -1:] = k, v
    return F.scaled_dot_product_attention(q, keys, values), (keys, values)


# wrong: attention over the old cache only
def cache_step(q, k, v, cache):
    if cache is None:
        return F.scaled_dot_product_attention(q, k, v), (k, v)
    y = F.scaled_dot_product_attention(q, *cache)
    return y, (torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2))


# wrong: attention over the new token only
def cache_step(q, k, v, cache):
    y = F.scaled_dot_product_attention(q, k, v)
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return y, (k, v)


# wrong: new token in front
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([k, cache[0]], 2), torch.cat([v, cache[1]], 2)
    return F.scaled_dot_product_attention(q, k, v), (k, v)


# wrong: joined along the heads
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 1), torch.cat([cache[1], v], 1)
    return F.scaled_dot_product_attention(q, k[:, -q.shape[1] :], v[:, -q.shape[1] :]), (k, v)


# wrong: joined along the features
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], -1), torch.cat([cache[1], v], -1)
    d = q.shape[-1]
    return F.scaled_dot_product_attention(q, k[..., :d], v[..., :d]), (k, v)


# wrong: causal triangle, so that the new query sees the first place only
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True), (k, v)


# wrong: cache not made longer
def cache_step(q, k, v, cache):
    keys, values = k, v
    if cache is not None:
        keys, values = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, keys, values), cache or (k, v)


# wrong: cache is the new token alone
def cache_step(q, k, v, cache):
    keys, values = k, v
    if cache is not None:
        keys, values = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, keys, values), (k, v)


# wrong: values not kept
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[0], v], 2)
    return F.scaled_dot_product_attention(q, k, v), (k, v)


# wrong: old cache written over
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        cache[0].zero_()
        cache[1].zero_()
    return F.scaled_dot_product_attention(q, k, v), (k, v)


# wrong: old cache grows in place
def cache_step(q, k, v, cache):
    if cache is None:
        return F.scaled_dot_product_attention(q, k, v), (k, v)
    keys, values = cache
    t = keys.shape[2]
    for held, new in ((keys, k), (values, v)):
        longer = torch.cat([held, new], 2)
        held.set_(longer)
    return F.scaled_dot_product_attention(q, keys, values), (keys, values)


# wrong: the oldest place makes room
def cache_step(q, k, v, cache):
    if cache is not None and cache[0].shape[2] > 1:
        k, v = torch.cat([cache[0][:, :, 1:], k], 2), torch.cat([cache[1][:, :, 1:], v], 2)
    elif cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, k, v), (k, v)


# wrong: no scale
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return (q @ k.mT).softmax(-1) @ v, (k, v)


# wrong: scale by the length
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return (q @ k.mT / k.shape[2] ** 0.5).softmax(-1) @ v, (k, v)


# wrong: softmax over the one query
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-2) @ v, (k, v)


# wrong: keys and values exchanged in the cache
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[1], k], 2), torch.cat([cache[0], v], 2)
    return F.scaled_dot_product_attention(q, k, v), (v, k)


# wrong: the running mean of the outputs is kept
def cache_step(q, k, v, cache):
    y = F.scaled_dot_product_attention(q, k, v)
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        y = v.mean(2, keepdim=True)
    return y, (k, v)


# wrong: only the output
def cache_step(q, k, v, cache):
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
    return F.scaled_dot_product_attention(q, k, v)


# wrong: remembers by itself, the cache only tells whether it is the start
memory = {}


def cache_step(q, k, v, cache):
    if cache is None:
        memory.update(k=k, v=v)
    else:
        memory["k"] = torch.cat([memory["k"], k], 2)
        memory["v"] = torch.cat([memory["v"], v], 2)
    held = memory["k"], memory["v"]
    return F.scaled_dot_product_attention(q, *held), held


# exercise: transformer.cache_position
# right: narrow
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > place.shape[0]:
        raise ValueError(f"{cache + n} tokens; expected at most {place.shape[0]}")
    return embed(x) + place.narrow(0, cache, n)


# right: indices, and the error of the table turned
def step(x, cache, embed, place):
    where = torch.arange(cache, cache + x.size(1))
    try:
        rows = place[where]
    except IndexError as error:
        raise ValueError("too long") from error
    return embed(x) + rows.unsqueeze(0)


# right: F.embedding, token by token
def step(x, cache, embed, place):
    if not cache + x.shape[1] <= len(place):
        raise ValueError("the sequence is longer than the table of positions")
    columns = [embed(x[:, i : i + 1]) + place[cache + i] for i in range(x.shape[1])]
    return torch.cat(columns, 1)


# right: the shape of the slice tells
def step(x, cache, embed, place):
    b, n = x.shape
    rows = place[cache:][:n]
    if rows.shape[0] < n:
        raise ValueError
    return rows.expand(b, -1, -1) + embed(x)


# right: one-hot product
def step(x, cache, embed, place):
    n, length = x.shape[1], len(place)
    if n > length - cache:
        raise ValueError("longer than the table")
    pick = torch.eye(length, dtype=place.dtype)[cache : cache + n]
    return torch.einsum("nl,ld->nd", pick, place) + embed(x)


# wrong: no error
def step(x, cache, embed, place):
    n = x.shape[1]
    return embed(x) + place[cache : cache + n]


# wrong: an assertion
def step(x, cache, embed, place):
    n = x.shape[1]
    assert cache + n <= len(place), "too long"
    return embed(x) + place[cache : cache + n]


# wrong: error for the new tokens alone
def step(x, cache, embed, place):
    n = x.shape[1]
    if n > len(place):
        raise ValueError("too long")
    return embed(x) + place[cache : cache + n]


# wrong: error for the cache alone
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache > len(place):
        raise ValueError("too long")
    return embed(x) + place[cache : cache + n]


# wrong: error at the last place that fits
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n >= len(place):
        raise ValueError("too long")
    return embed(x) + place[cache : cache + n]


# wrong: error one place late
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > len(place) + 1:
        raise ValueError("too long")
    return embed(x) + place[cache : cache + n]


# wrong: one place behind
def step(x, cache, embed, place):
    n = x.shape[1]
    start = max(cache - 1, 0)
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + place[start : start + n]


# wrong: one place ahead
def step(x, cache, embed, place):
    n = x.shape[1]
    start = cache + 1 if cache else 0
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + place[start : start + n]


# wrong: place of the first new token for all
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + (place[cache] if cache else place[:n])


# wrong: last places of the table
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + (place[-n:] if cache else place[:n])


# wrong: places start again at the end
def step(x, cache, embed, place):
    where = torch.arange(cache, cache + x.shape[1]) % len(place)
    return embed(x) + place[where]


# wrong: places stay at the last one
def step(x, cache, embed, place):
    where = torch.arange(cache, cache + x.shape[1]).clamp(max=len(place) - 1)
    return embed(x) + place[where]


# wrong: IndexError
def step(x, cache, embed, place):
    return embed(x) + place[torch.arange(cache, cache + x.shape[1])]


# wrong: from the cache to n
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + place[cache:n] if cache == 0 else embed(x) + place[n : n + n]


# wrong: an error for any cache
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache:
        raise ValueError("start again")
    return embed(x) + place[:n]


# wrong: length taken from the batch
def step(x, cache, embed, place):
    n = x.shape[0]
    if cache + n > len(place):
        raise ValueError("too long")
    return embed(x) + place[cache : cache + n][: x.shape[1]]


# wrong: the places alone
def step(x, cache, embed, place):
    n = x.shape[1]
    if cache + n > len(place):
        raise ValueError("too long")
    return place[cache : cache + n].expand(len(x), -1, -1)


# wrong: a token has the place of its id
def step(x, cache, embed, place):
    if cache + x.shape[1] > len(place):
        raise ValueError("too long")
    return embed(x) + place[(x + cache) % len(place)]


# exercise: transformer.cost
# right: one closed form
def multiply_adds(n, d, depth):
    return depth * 2 * n * d * (6 * d + n)


# right: sum over the matrices
def multiply_adds(n, d, depth):
    shapes = [(d, d)] * 4 + [(d, 4 * d), (4 * d, d)]
    linear = sum(n * rows * columns for rows, columns in shapes)
    return sum(linear + n * n * d + n * n * d for _ in range(depth))


# right: numpy integers
def multiply_adds(n, d, depth):
    n, d = np.int64(n), np.int64(d)
    return int(depth * (12 * n * d**2 + 2 * n**2 * d))


# right: per token
def multiply_adds(n, d, depth):
    per_token = 4 * d * d + 8 * d * d + 2 * n * d
    return depth * n * per_token


# right: counted from modules
def multiply_adds(n, d, depth):
    parts = [nn.Linear(d, d, bias=False, device="meta") for _ in range(4)]
    parts += [nn.Linear(d, 4 * d, bias=False, device="meta")]
    parts += [nn.Linear(4 * d, d, bias=False, device="meta")]
    weights = sum(p.weight.numel() for p in parts)
    return depth * (n * weights + 2 * n**2 * d)


# wrong: flops, two for each
def multiply_adds(n, d, depth):
    return 2 * depth * (12 * n * d * d + 2 * n * n * d)


# wrong: three projections
def multiply_adds(n, d, depth):
    return depth * (11 * n * d * d + 2 * n * n * d)


# wrong: one product of attention
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + n * n * d)


# wrong: one matrix of the MLP
def multiply_adds(n, d, depth):
    return depth * (8 * n * d * d + 2 * n * n * d)


# wrong: causal half
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + n * (n + 1) * d)


# wrong: attention without its width
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + 2 * n * n)


# wrong: weights only
def multiply_adds(n, d, depth):
    return depth * 12 * d * d * n


# wrong: parameters in place of work
def multiply_adds(n, d, depth):
    return depth * 12 * d * d


# wrong: one block
def multiply_adds(n, d, depth):
    return 12 * n * d * d + 2 * n * n * d


# wrong: MLP as wide as its input
def multiply_adds(n, d, depth):
    return depth * (6 * n * d * d + 2 * n * n * d)


# wrong: a gated MLP of three matrices
def multiply_adds(n, d, depth):
    return depth * (16 * n * d * d + 2 * n * n * d)


# wrong: hidden times hidden
def multiply_adds(n, d, depth):
    return depth * (4 * n * d * d + 16 * n * d * d + 2 * n * n * d)


# wrong: projections over all pairs
def multiply_adds(n, d, depth):
    return depth * (12 * n * n * d + 2 * n * d * d)


# wrong: biases counted
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + 9 * n * d + 2 * n * n * d)


# wrong: depth in the projections only
def multiply_adds(n, d, depth):
    return depth * 12 * n * d * d + 2 * n * n * d


# wrong: softmax counted
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + 2 * n * n * d + n * n)


# wrong: heads of width 64
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + 2 * n * n * 64)


# wrong: a float
def multiply_adds(n, d, depth):
    return depth * (12.0 * n * d * d + 2.0 * n * n * d)


# wrong: in thousands of millions
def multiply_adds(n, d, depth):
    return depth * (12 * n * d * d + 2 * n * n * d) // 10**9


# exercise: transformer.cache_bytes
# right: product of a list
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return math.prod([2, depth, batch, n, kv_heads, d, bytes_each])


# right: keys plus values, layer by layer
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    total = 0
    for _ in range(depth):
        keys = batch * kv_heads * n * d
        total += (keys + keys) * bytes_each
    return total


# right: numpy
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return np.prod([depth, 2, batch, n, kv_heads, d], dtype=np.int64) * bytes_each


# right: a tensor without memory
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    pair = torch.empty(depth, 2, batch, kv_heads, n, d, device="meta")
    return pair.numel() * bytes_each


# right: from the full cache
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    full = 2 * depth * batch * n * heads * d * bytes_each
    return full * kv_heads // heads


# wrong: keys only
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return depth * batch * n * kv_heads * d * bytes_each


# wrong: query heads
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * heads * d * bytes_each


# wrong: queries kept too
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return depth * batch * n * (heads + 2 * kv_heads) * d * bytes_each


# wrong: d is the width of all heads
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * (d // heads) * kv_heads * bytes_each


# wrong: number of heads left out
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * d * bytes_each


# wrong: one sequence
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * n * kv_heads * d * bytes_each


# wrong: one layer
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * batch * n * kv_heads * d * bytes_each


# wrong: numbers in place of bytes
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * kv_heads * d


# wrong: half precision always
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * kv_heads * d * 2


# wrong: bits
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * kv_heads * d * bytes_each * 8


# wrong: a table of weights
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * n * kv_heads * bytes_each


# wrong: last token not counted
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * (n - 1) * kv_heads * d * bytes_each


# wrong: groups of queries in place of their number
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * (heads // kv_heads) * d * bytes_each


# wrong: keys of all heads, values shared
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return depth * batch * n * (heads + kv_heads) * d * bytes_each


# wrong: mebibytes
def cache_bytes(depth, batch, n, heads, kv_heads, d, bytes_each):
    return 2 * depth * batch * n * kv_heads * d * bytes_each / 2**20
