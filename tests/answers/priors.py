"Answers to the exercises of priors, right ones in unusual forms and wrong ones."

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

from mmgen.transformer import KVCache


# exercise: priors.chain_rule
# right: sums over axes
def conditionals(table, sentence):
    a, b, c = sentence
    one, two = table.sum((1, 2)), table.sum(2)
    return (
        float(one[a]),
        float(two[a, b] / one[a]),
        float(table[a, b, c] / two[a, b]),
    )


# right: normalise what is left, word by word
def conditionals(table, sentence):
    rest, out = table, []
    for word in sentence:
        weights = rest.reshape(len(rest), -1).sum(1)
        out.append((weights[word] / weights.sum()).item())
        rest = rest[word]
    return tuple(out)


# right: plain loops over all sentences
def conditionals(table, sentence):
    a, b, c = sentence
    k = len(table)
    mass = [0.0, 0.0, 0.0, 0.0]
    for s in itertools.product(range(k), repeat=3):
        p = float(table[s])
        for depth in range(4):
            if s[:depth] == (a, b, c)[:depth]:
                mass[depth] += p
    return mass[1] / mass[0], mass[2] / mass[1], mass[3] / mass[2]


# right: numpy and float64
def conditionals(table, sentence):
    t = table.double().numpy()
    a, b, c = sentence
    return (
        t[a].sum(),
        t[a, b].sum() / t[a].sum(),
        t[a, b, c] / t[a, b].sum(),
    )


# right: einsum
def conditionals(table, sentence):
    a, b, c = sentence
    first = torch.einsum("abc->a", table)[a].item()
    pair = torch.einsum("abc->ab", table)[a, b].item()
    return first, pair / first, table[a, b, c].item() / pair


# wrong: marginals
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table.sum((1, 2))[a]),
        float(table.sum((0, 2))[b]),
        float(table.sum((0, 1))[c]),
    )


# wrong: joint probabilities
def conditionals(table, sentence):
    a, b, c = sentence
    return float(table[a].sum()), float(table[a, b].sum()), float(table[a, b, c])


# wrong: the last given the second only
def conditionals(table, sentence):
    a, b, c = sentence
    pair = table.sum(0)
    return (
        float(table[a].sum()),
        float(table[a, b].sum() / table[a].sum()),
        float(pair[b, c] / pair[b].sum()),
    )


# wrong: given what comes after
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table[a, b, c] / table[:, b, c].sum()),
        float(table[:, b, c].sum() / table[:, :, c].sum()),
        float(table[:, :, c].sum()),
    )


# wrong: first given the second
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table[a].sum()),
        float(table[a, b].sum() / table[:, b].sum()),
        float(table[a, b, c] / table[a, b].sum()),
    )


# wrong: sentence read backwards
def conditionals(table, sentence):
    c, b, a = sentence
    return (
        float(table[a].sum()),
        float(table[a, b].sum() / table[a].sum()),
        float(table[a, b, c] / table[a, b].sum()),
    )


# wrong: axes read backwards
def conditionals(table, sentence):
    t = table.permute(2, 1, 0)
    a, b, c = sentence
    return (
        float(t[a].sum()),
        float(t[a, b].sum() / t[a].sum()),
        float(t[a, b, c] / t[a, b].sum()),
    )


# wrong: last divided by p(a)
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table[a].sum()),
        float(table[a, b].sum() / table[a].sum()),
        float(table[a, b, c] / table[a].sum()),
    )


# wrong: logarithms
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        math.log(table[a].sum()),
        math.log(table[a, b].sum() / table[a].sum()),
        math.log(table[a, b, c] / table[a, b].sum()),
    )


# wrong: means in place of sums
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table[a].mean()),
        float(table[a, b].mean() / table[a].mean()),
        float(table[a, b, c] / table[a, b].mean()),
    )


# wrong: softmax of the table's rows
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table.sum((1, 2)).softmax(0)[a]),
        float(table.sum(2)[a].softmax(0)[b]),
        float(table[a, b].softmax(0)[c]),
    )


# wrong: vectors
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        table.sum((1, 2)),
        table[a].sum(1) / table[a].sum(),
        table[a, b] / table[a, b].sum(),
    )


# wrong: product only
def conditionals(table, sentence):
    a, b, c = sentence
    return float(table[a, b, c])


# wrong: all three the cube root of the product
def conditionals(table, sentence):
    p = float(table[tuple(sentence)]) ** (1 / 3)
    return p, p, p


# wrong: last two given the first
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        float(table[a].sum()),
        float(table[a, b].sum() / table[a].sum()),
        float(table[a, :, c].sum() / table[a].sum()),
    )


# wrong: even chance for the first
def conditionals(table, sentence):
    a, b, c = sentence
    return (
        1 / len(table),
        float(table[a, b].sum() / table[a].sum()),
        float(table[a, b, c] / table[a, b].sum()),
    )


# exercise: priors.draw
# right: counting the sums that do not exceed, the last one left out
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums[:, :-1] <= u[:, None]).sum(-1)


# right: searchsorted
def next_token(logits, u, temperature=1.0):
    p = torch.softmax(logits.to(torch.float64) / temperature, dim=1)
    index = torch.searchsorted(p.cumsum(1), u.double().unsqueeze(1), right=True)
    return index.squeeze(1).clamp(max=logits.shape[1] - 1)


# right: plain Python
def next_token(logits, u, temperature=1.0):
    out = []
    for row, v in zip(logits.tolist(), u.tolist()):
        top = max(row)
        e = [math.exp((a - top) / temperature) for a in row]
        total, running = sum(e), 0.0
        for i, w in enumerate(e):
            running += w / total
            if running > v:
                break
        out.append(i)
    return torch.tensor(out)


# right: numpy
def next_token(logits, u, temperature=1.0):
    z = logits.numpy().astype(np.float64) / temperature
    p = np.exp(z - z.max(1, keepdims=True))
    sums = np.cumsum(p / p.sum(1, keepdims=True), axis=1)
    sums[:, -1] = 1
    return torch.from_numpy(np.argmax(sums > u.numpy()[:, None], axis=1))


# right: first True by max
def next_token(logits, u, temperature=1.0):
    p = F.softmax(logits / temperature, dim=-1, dtype=torch.float64)
    above = p.cumsum(-1) > u.view(-1, 1)
    above[:, -1] = True
    return above.to(torch.uint8).max(-1).indices


# right: a triangular product in place of cumsum
def next_token(logits, u, temperature=1.0):
    p = F.softmax(logits.double().div(temperature), -1)
    k = p.shape[1]
    sums = torch.einsum("bi,ij->bj", p, torch.ones(k, k, dtype=torch.float64).triu())
    return (~(sums > u[:, None])).long().sum(1).clamp(max=k - 1)


# wrong: k where no sum exceeds
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums <= u[:, None]).sum(-1)


# wrong: 0 where no sum exceeds
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums > u[:, None]).to(torch.uint8).argmax(-1)


# wrong: index of the likeliest where no sum exceeds
def next_token(logits, u, temperature=1.0):
    p = (logits.double() / temperature).softmax(-1)
    above = p.cumsum(-1) > u[:, None]
    return torch.where(above.any(-1), above.int().argmax(-1), p.argmax(-1))


# wrong: likeliest
def next_token(logits, u, temperature=1.0):
    return logits.argmax(-1)


# wrong: temperature not read
def next_token(logits, u, temperature=1.0):
    return (logits.double().softmax(-1).cumsum(-1) <= u[:, None]).sum(-1)


# wrong: multiplied by the temperature
def next_token(logits, u, temperature=1.0):
    return ((logits.double() * temperature).softmax(-1).cumsum(-1) <= u[:, None]).sum(-1)


# wrong: probabilities divided by the temperature
def next_token(logits, u, temperature=1.0):
    return (
        ((logits.double().softmax(-1) / temperature).cumsum(-1) <= u[:, None])
        .sum(-1)
        .clamp(max=logits.shape[1] - 1)
    )


# wrong: its own random numbers
def next_token(logits, u, temperature=1.0):
    return torch.multinomial((logits.double() / temperature).softmax(-1), 1).squeeze(1)


# wrong: first u for all rows
def next_token(logits, u, temperature=1.0):
    return ((logits.double() / temperature).softmax(-1).cumsum(-1) <= u[0]).sum(-1)


# wrong: over the batch
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(0).cumsum(-1)
    return (sums <= u[:, None]).sum(-1).clamp(max=logits.shape[1] - 1)


# wrong: reaches in place of exceeds
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums < u[:, None]).sum(-1)


# wrong: searchsorted from the left
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return torch.searchsorted(sums, u.double()[:, None])[:, 0]


# wrong: one before
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return ((sums <= u[:, None]).sum(-1) - 1).clamp(min=0)


# wrong: number of sums that exceed
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums > u[:, None]).sum(-1)


# wrong: likeliest first
def next_token(logits, u, temperature=1.0):
    p, where = (logits.double() / temperature).softmax(-1).sort(-1, descending=True)
    i = (p.cumsum(-1) <= u[:, None]).sum(-1, keepdim=True)
    return where.gather(1, i)[:, 0]


# wrong: from the other end
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).flip(-1).cumsum(-1)
    return logits.shape[1] - 1 - (sums <= u[:, None]).sum(-1)


# wrong: float32
def next_token(logits, u, temperature=1.0):
    return ((logits.float() / temperature).softmax(-1).cumsum(-1) <= u[:, None]).sum(-1)


# wrong: float64 after the softmax
def next_token(logits, u, temperature=1.0):
    p = (logits / temperature).softmax(-1).double()
    return (p.cumsum(-1) <= u[:, None]).sum(-1)


# wrong: int32
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums <= u[:, None]).sum(-1).int()


# wrong: a column
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums <= u[:, None]).sum(-1, keepdim=True)


# wrong: first probability above u
def next_token(logits, u, temperature=1.0):
    p = (logits.double() / temperature).softmax(-1)
    return (p > u[:, None]).int().argmax(-1)


# wrong: u times k
def next_token(logits, u, temperature=1.0):
    return (u * logits.shape[1]).long()


# wrong: cold below 1, hot above, by adding
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() + math.log(temperature)).softmax(-1).cumsum(-1)
    return (sums <= u[:, None]).sum(-1)


# wrong: Gumbel trick with one number a row
def next_token(logits, u, temperature=1.0):
    noise = -torch.log(-torch.log(u.double().clamp(1e-9, 1 - 1e-9)))
    return (logits.double() / temperature + noise[:, None]).argmax(-1)


# wrong: exponentials without a softmax
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).exp().cumsum(-1)
    return (sums <= u[:, None]).sum(-1).clamp(max=logits.shape[1] - 1)


# wrong: the next index where u is the sum up to rounding
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / temperature).softmax(-1).cumsum(-1)
    return (sums[:, :-1] <= u[:, None] + 1e-6).sum(-1)


# wrong: u scaled to the sum of float32
def next_token(logits, u, temperature=1.0):
    sums = (logits / temperature).softmax(-1).cumsum(-1)
    return (sums[:, :-1] <= u[:, None].float() * sums[:, -1:]).sum(-1)


# wrong: temperature below 1 is read as 1
def next_token(logits, u, temperature=1.0):
    sums = (logits.double() / max(temperature, 1.0)).softmax(-1).cumsum(-1)
    return (sums[:, :-1] <= u[:, None]).sum(-1)


# exercise: priors.top_p
# right: sum before each token, scattered back
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    drop[:, 0] = False
    return torch.full_like(logits, -torch.inf).scatter(
        1, where, value.masked_fill(drop, -torch.inf)
    )


# right: row by row with Python
def top_p(logits, p):
    out = torch.full_like(logits, float("-inf"))
    for row, kept in zip(logits, out):
        prob = row.softmax(0).tolist()
        total = 0.0
        for i in sorted(range(len(prob)), key=prob.__getitem__, reverse=True):
            kept[i] = row[i]
            total += prob[i]
            if total >= p:
                break
    return out


# right: inverse permutation by argsort
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    sums = F.pad(value.softmax(-1).cumsum(-1)[:, :-1], (1, 0), value=-1.0)
    kept = value.masked_fill(sums >= p, -math.inf)
    return kept.gather(-1, where.argsort(-1))


# right: mask scattered in place
def top_p(logits, p):
    order = logits.argsort(dim=-1, descending=True)
    prob = logits.softmax(-1).gather(-1, order)
    gone = prob.cumsum(-1).sub(prob).ge(p)
    gone[..., :1] = False
    mask = torch.zeros_like(gone).scatter_(-1, order, gone)
    return torch.where(mask, -torch.inf, logits)


# right: numpy
def top_p(logits, p):
    z = logits.numpy()
    e = np.exp(z - z.max(1, keepdims=True))
    e /= e.sum(1, keepdims=True)
    out = np.full_like(z, -np.inf)
    for i in range(len(z)):
        order = np.argsort(-e[i])
        count = 1 + int((np.cumsum(e[i][order])[:-1] < p).sum())
        out[i, order[:count]] = z[i, order[:count]]
    return torch.from_numpy(out)


# wrong: places repaired, the crossing token lost
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    value = value.masked_fill(value.softmax(-1).cumsum(-1) > p, -torch.inf)
    return torch.empty_like(logits).scatter(1, where, value)


# wrong: crossing token kept, sorted places
def top_p(logits, p):
    value, _ = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    return value.masked_fill(prob.cumsum(-1) - prob >= p, -torch.inf)


# wrong: gather in place of scatter
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    value = value.masked_fill(prob.cumsum(-1) - prob >= p, -torch.inf)
    return value.gather(1, where)


# wrong: mask of the sorted tokens on the unsorted ones
def top_p(logits, p):
    value, _ = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    return logits.masked_fill(prob.cumsum(-1) - prob >= p, -torch.inf)


# wrong: at least one kept, the crossing token lost
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    drop = value.softmax(-1).cumsum(-1) > p
    drop[:, 0] = False
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: one token more than needed
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob > p + prob
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: one token more where p is reached exactly
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob > p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: least likely first
def top_p(logits, p):
    value, where = logits.sort(dim=-1)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: not sorted
def top_p(logits, p):
    prob = logits.softmax(-1)
    return logits.masked_fill(prob.cumsum(-1) - prob >= p, -torch.inf)


# wrong: a threshold for each token
def top_p(logits, p):
    return logits.masked_fill(logits.softmax(-1) < p, -torch.inf)


# wrong: share of the largest
def top_p(logits, p):
    prob = logits.softmax(-1)
    return logits.masked_fill(prob < p * prob.amax(-1, keepdim=True), -torch.inf)


# wrong: share of the number of tokens
def top_p(logits, p):
    k = max(1, math.ceil(p * logits.shape[1]))
    least = logits.topk(k).values[:, -1:]
    return logits.masked_fill(logits < least, -torch.inf)


# wrong: zeros in place of -inf
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, 0.0))


# wrong: probabilities
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, prob.masked_fill(drop, 0.0))


# wrong: softmax over the batch
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(0)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: as many in each row as in the first
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = (prob.cumsum(-1) - prob >= p)[:1].expand_as(value)
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: order of the first row for all
def top_p(logits, p):
    where = logits[:1].argsort(-1, descending=True).expand_as(logits)
    value = logits.gather(1, where)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: the mask shifted round, so that the first falls out
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    drop = (value.softmax(-1).cumsum(-1) >= p).roll(1, -1)
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: 1 - p
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= 1 - p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: p is 0.9
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= 0.9
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: running sum of the logits
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    drop = value.cumsum(-1) - value >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: logarithms of the probabilities are kept
def top_p(logits, p):
    value, where = logits.log_softmax(-1).sort(dim=-1, descending=True)
    prob = value.exp()
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: places right, p compared to the sum without the token before
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob - prob.roll(1, -1) >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# wrong: threshold of the crossing token, ties kept too
def top_p(logits, p):
    value, _ = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    count = (prob.cumsum(-1) - prob < p).sum(-1, keepdim=True)
    least = value.gather(1, (count - 1).clamp(min=0))
    return logits.masked_fill(logits < least, -torch.inf)


# wrong: a large negative number in place of -inf
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -1e9))


# wrong: two tokens always stay
def top_p(logits, p):
    value, where = logits.sort(dim=-1, descending=True)
    prob = value.softmax(-1)
    drop = prob.cumsum(-1) - prob >= p
    drop[:, :2] = False
    return torch.empty_like(logits).scatter(1, where, value.masked_fill(drop, -torch.inf))


# exercise: priors.guidance
# right: lerp
def guided(cond, uncond, s):
    return torch.lerp(uncond, cond, float(s)).softmax(-1)


# right: powers of probabilities, normalised
def guided(cond, uncond, s):
    p, q = cond.double().softmax(-1), uncond.double().softmax(-1)
    w = p.pow(s) * q.pow(1 - s)
    return (w / w.sum(-1, keepdim=True)).to(cond.dtype)


# right: log-probabilities, softmax by hand
def guided(cond, uncond, s):
    p, q = F.log_softmax(cond, -1), F.log_softmax(uncond, -1)
    z = s * p + (1 - s) * q
    return torch.exp(z - torch.logsumexp(z, -1, keepdim=True))


# right: numpy
def guided(cond, uncond, s):
    c, u = cond.numpy().astype(np.float64), uncond.numpy().astype(np.float64)
    z = u + s * (c - u)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return torch.from_numpy(e / e.sum(axis=-1, keepdims=True)).to(cond.dtype)


# right: from the conditional ones
def guided(cond, uncond, s):
    z = cond.clone()
    z += (s - 1) * (cond - uncond)
    return F.softmax(z, dim=z.ndim - 1)


# wrong: convention repaired, probabilities mixed
def guided(cond, uncond, s):
    p, q = cond.softmax(-1), uncond.softmax(-1)
    return q + s * (p - q)


# wrong: probabilities mixed, clamped and normalised
def guided(cond, uncond, s):
    p, q = cond.softmax(-1), uncond.softmax(-1)
    mixed = (q + s * (p - q)).clamp(min=0)
    return mixed / mixed.sum(-1, keepdim=True)


# wrong: logits mixed by the other convention
def guided(cond, uncond, s):
    return ((1 + s) * cond - s * uncond).softmax(-1)


# wrong: logits
def guided(cond, uncond, s):
    return uncond + s * (cond - uncond)


# wrong: log-probabilities
def guided(cond, uncond, s):
    return (uncond + s * (cond - uncond)).log_softmax(-1)


# wrong: not normalised
def guided(cond, uncond, s):
    return (s * cond.log_softmax(-1) + (1 - s) * uncond.log_softmax(-1)).exp()


# wrong: with and without exchanged
def guided(cond, uncond, s):
    return (cond + s * (uncond - cond)).softmax(-1)


# wrong: s - 1 times the unconditional ones added
def guided(cond, uncond, s):
    return (s * cond + (s - 1) * uncond).softmax(-1)


# wrong: unconditional ones not scaled
def guided(cond, uncond, s):
    return (s * cond - uncond).softmax(-1)


# wrong: difference alone
def guided(cond, uncond, s):
    return (s * (cond - uncond)).softmax(-1)


# wrong: a temperature
def guided(cond, uncond, s):
    return (s * cond).softmax(-1)


# wrong: softmax of mixed probabilities
def guided(cond, uncond, s):
    p, q = cond.softmax(-1), uncond.softmax(-1)
    return (q + s * (p - q)).softmax(-1)


# wrong: softmax over the first axis
def guided(cond, uncond, s):
    return (uncond + s * (cond - uncond)).softmax(0)


# wrong: softmax over axis 1
def guided(cond, uncond, s):
    return (uncond + s * (cond - uncond)).softmax(1 if cond.ndim > 1 else 0)


# wrong: scale never below 1
def guided(cond, uncond, s):
    return (uncond + max(s, 1.0) * (cond - uncond)).softmax(-1)


# wrong: scale never above 1
def guided(cond, uncond, s):
    return (uncond + min(s, 1.0) * (cond - uncond)).softmax(-1)


# wrong: one-hot of the likeliest
def guided(cond, uncond, s):
    z = uncond + s * (cond - uncond)
    return F.one_hot(z.argmax(-1), z.shape[-1]).to(z.dtype)


# wrong: sigmoid
def guided(cond, uncond, s):
    z = torch.sigmoid(uncond + s * (cond - uncond))
    return z / z.sum(-1, keepdim=True)


# wrong: length of the conditional ones restored
def guided(cond, uncond, s):
    z = uncond + s * (cond - uncond)
    return (z * cond.std(-1, keepdim=True) / z.std(-1, keepdim=True)).softmax(-1)


# wrong: one number for all rows
def guided(cond, uncond, s):
    z = (uncond + s * (cond - uncond)).flatten()
    return z.softmax(0).view_as(cond)


# wrong: the largest logit decides whether there is guidance
def guided(cond, uncond, s):
    if s == 0:
        return uncond.softmax(-1)
    if s == 1:
        return cond.softmax(-1)
    return ((1 + s) * cond - s * uncond).softmax(-1)


# wrong: temperature s on the conditional ones, weight of the others fixed
def guided(cond, uncond, s):
    return (cond + (s - 1) * (cond - uncond).clamp(min=0)).softmax(-1)


# exercise: priors.bits
# right: cross-entropy summed, over ln 2
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes, reduction="none")
    return loss.sum(1) / math.log(2)


# right: gather of log-probabilities
def bits_per_image(model, codes, labels):
    logp = torch.log_softmax(model(codes, labels), -1)[:, : codes.shape[1]]
    return -logp.gather(2, codes.unsqueeze(2)).squeeze(2).sum(-1) / np.log(2)


# right: plain loops
def bits_per_image(model, codes, labels):
    p = model(codes, labels).double().softmax(-1)
    totals = []
    for i, row in enumerate(codes.tolist()):
        totals.append(sum(-math.log2(float(p[i, j, code])) for j, code in enumerate(row)))
    return torch.tensor(totals)


# right: one-hot and einsum
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)
    log2p = torch.log2(logits[:, :-1].softmax(-1))
    return -torch.einsum("bnk,bnk->b", F.one_hot(codes, logits.shape[-1]).to(log2p.dtype), log2p)


# right: flat, with logsumexp
def bits_per_image(model, codes, labels):
    b, n = codes.shape
    logits = model(codes, labels)[:, :n].flatten(0, 1)
    chosen = logits[torch.arange(b * n), codes.flatten()]
    return (logits.logsumexp(1) - chosen).view(b, n).sum(1) * (1 / math.log(2))


# right: a distribution
def bits_per_image(model, codes, labels):
    d = torch.distributions.Categorical(logits=model(codes, labels)[:, :-1])
    return d.log_prob(codes).sum(1).div(-math.log(2))


# wrong: rows shifted, still a mean
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes) / math.log(2)


# wrong: nats
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1)


# wrong: times ln 2
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) * math.log(2)


# wrong: mean over the codes
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes, reduction="none")
    return loss.mean(1) / math.log(2)


# wrong: sum of all images
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="sum") / math.log(2)


# wrong: sum over the images
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes, reduction="none")
    return loss.sum(0) / math.log(2)


# wrong: the mean of all images for each
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes) / math.log(2)
    return loss * codes.shape[1] * torch.ones(len(codes))


# wrong: rows not shifted
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, 1:]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(2)


# wrong: first code left out
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, 1:-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes[:, 1:], reduction="none")
    return loss.sum(1) / math.log(2)


# wrong: shifted twice
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-2]
    loss = F.cross_entropy(logits.transpose(1, 2), codes[:, 1:], reduction="none")
    return loss.sum(1) / math.log(2)


# wrong: classes along the places
def bits_per_image(model, codes, labels):
    logp = model(codes, labels)[:, :-1].log_softmax(1)
    return -logp.gather(2, codes[..., None])[..., 0].sum(1) / math.log(2)


# wrong: logits taken for logarithms
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return -logits.gather(2, codes[..., None])[..., 0].sum(1) / math.log(2)


# wrong: softmax in base 2
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    p = 2**logits / (2**logits).sum(-1, keepdim=True)
    return -p.gather(2, codes[..., None])[..., 0].log2().sum(1)


# wrong: sign
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return -F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(2)


# wrong: entropy of the predictions
def bits_per_image(model, codes, labels):
    logp = model(codes, labels)[:, :-1].log_softmax(-1)
    return -(logp.exp() * logp).sum((1, 2)) / math.log(2)


# wrong: decimal digits
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(10)


# wrong: code 0 is not charged
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    loss = F.cross_entropy(logits.transpose(1, 2), codes, reduction="none", ignore_index=0)
    return loss.sum(1) / math.log(2)


# wrong: an even guess
def bits_per_image(model, codes, labels):
    k = model(codes, labels).shape[-1]
    return torch.full((len(codes),), codes.shape[1] * math.log2(k))


# wrong: label 0 for all
def bits_per_image(model, codes, labels):
    logits = model(codes, torch.zeros_like(labels))[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(2)


# wrong: axes of rows and classes confused by a reshape
def bits_per_image(model, codes, labels):
    logits = model(codes, labels)[:, :-1]
    b, n, k = logits.shape
    loss = F.cross_entropy(logits.reshape(b, k, n), codes, reduction="none")
    return loss.sum(1) / math.log(2)


# wrong: codes shifted in, as if the model did not shift
def bits_per_image(model, codes, labels):
    shifted = F.pad(codes[:, :-1], (1, 0))
    logits = model(shifted, labels)[:, 1:]
    return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none").sum(1) / math.log(2)


# wrong: bits of the mean probability
def bits_per_image(model, codes, labels):
    p = model(codes, labels)[:, :-1].softmax(-1).gather(2, codes[..., None])[..., 0]
    return -codes.shape[1] * p.mean(1).log2()


# exercise: priors.cached
# right: list of columns
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    out = []
    with torch.no_grad():
        logits = net(tokens, prefix, cache=memory)
        for i in range(n):
            new = logits[:, -1:].argmax(-1)
            out.append(new)
            if i < n - 1:
                logits = net(new, None, cache=memory)
    return torch.cat(out, 1)


# right: tokens grow by cat
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    while tokens.shape[1] < n:
        first = tokens.shape[1] == 0
        logits = net(tokens[:, -1:], prefix if first else None, cache=memory)
        tokens = torch.hstack([tokens, logits[:, -1].max(-1).indices[:, None]])
    return tokens


# right: a result filled in place, the last token passes too
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    codes = torch.empty(len(prefix), n, dtype=torch.int64)
    with torch.no_grad():
        row = net(tokens, prefix, cache=memory)[:, 0]
        for i in range(n):
            codes[:, i] = row.softmax(-1).argmax(-1)
            row = net(codes[:, i : i + 1], None, cache=memory)[:, 0]
    return codes


# right: topk and stack
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    given, front, columns = prefix.new_zeros(len(prefix), 0).long(), prefix, []
    for _ in range(n):
        given = net(given, front, cache=memory)[:, -1].topk(1, dim=-1).indices
        front = None
        columns.append(given[:, 0])
    return torch.stack(columns, dim=-1)


# right: a generator of columns
def greedy_cached(net, prefix, n):
    def columns():
        memory = KVCache(n + 1)
        given, front = torch.zeros(len(prefix), 0, dtype=torch.int64), prefix
        for _ in range(n):
            with torch.no_grad():
                logits = net(given, front, cache=memory)
            given, front = logits.squeeze(1).argmax(1, keepdim=True), None
            yield given

    return torch.cat(list(columns()), dim=1)


# wrong: no cache
@torch.no_grad()
def greedy_cached(net, prefix, n):
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for _ in range(n):
        logits = net(tokens, prefix)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: a new memory for each pass of the whole
@torch.no_grad()
def greedy_cached(net, prefix, n):
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for _ in range(n):
        logits = net(tokens, prefix, cache=KVCache(n + 1))
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: all tokens again into the same memory
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n * n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens, None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: prefix at each call
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(2 * n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for _ in range(n):
        logits = net(tokens[:, -1:], prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: a start token of 0
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 2)
    new = torch.zeros(len(prefix), 1, dtype=torch.int64)
    out, front = [], prefix
    for _ in range(n):
        new = net(new, front, cache=memory)[:, -1:].argmax(-1)
        front = None
        out.append(new)
    return torch.cat(out, 1)


# wrong: one code too many
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n + 1):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: first code lost
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n + 1):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens[:, 1:]


# wrong: draws
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, torch.multinomial(logits[:, -1].softmax(-1), 1)], 1)
    return tokens


# wrong: least likely
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmin(-1)], 1)
    return tokens


# wrong: the first code goes in again and again
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, :1], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: memory lost between calls
@torch.no_grad()
def greedy_cached(net, prefix, n):
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for _ in range(n):
        memory = KVCache(n + 1)
        logits = net(tokens[:, -1:], prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# wrong: the first image's code for all
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        new = logits[:1, -1:].argmax(-1).expand(len(prefix), 1)
        tokens = torch.cat([tokens, new], 1)
    return tokens


# wrong: image by image
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(1, 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix[:1], cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens.expand(len(prefix), n)


# wrong: all codes from the prefix
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    logits = net(tokens, prefix, cache=memory)
    return logits[:, -1].topk(n, -1).indices if n <= logits.shape[-1] else tokens


# wrong: latest first
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    new, front, codes = torch.zeros(len(prefix), 0, dtype=torch.int64), prefix, []
    for _ in range(n):
        new = net(new, front, cache=memory)[:, -1:].argmax(-1)
        front = None
        codes.insert(0, new)
    return torch.cat(codes, 1)


# wrong: the likeliest of each batch column
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        new = logits[:, -1].softmax(0).argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, new], 1)
    return tokens


# wrong: logits
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    rows = []
    for i in range(n):
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
        rows.append(logits[:, -1])
    return torch.stack(rows, 1)


# wrong: two passes for each token
@torch.no_grad()
def greedy_cached(net, prefix, n):
    memory = KVCache(n + 1)
    tokens = torch.zeros(len(prefix), 0, dtype=torch.int64)
    for i in range(n):
        net(tokens[:, -1:], None if i else prefix, cache=memory)
        memory.crop(i)
        logits = net(tokens[:, -1:], None if i else prefix, cache=memory)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    return tokens


# exercise: priors.schedule
# right: while something is open
def decided_per_pass(n, n_steps):
    passes, is_open, i = [], n, 0
    while is_open:
        i += 1
        left = 0 if i == n_steps else math.floor(n * math.cos(math.pi / 2 * i / n_steps))
        left = min(left, is_open - 1)
        passes.append(is_open - left)
        is_open = left
    return passes


# right: differences of a list of what is open
def decided_per_pass(n, n_steps):
    left = [n]
    for i in range(1, n_steps):
        left.append(max(0, min(left[-1] - 1, int(n * math.cos(math.pi / 2 * i / n_steps)))))
    left.append(0)
    return [a - b for a, b in itertools.pairwise(left) if a > b]


# right: recursion
def decided_per_pass(n, n_steps):
    def after(i, is_open):
        if not is_open:
            return []
        left = math.floor(n * math.cos(math.pi / 2 * i / n_steps)) if i < n_steps else 0
        count = max(1, is_open - left)
        return [count, *after(i + 1, is_open - count)]

    return after(1, n)


# right: numpy
def decided_per_pass(n, n_steps):
    target = np.floor(n * np.cos(np.pi / 2 * np.arange(1, n_steps + 1) / n_steps)).astype(int)
    target[-1] = 0
    target = np.minimum(target, n - np.arange(1, n_steps + 1)).clip(0)
    target = np.minimum.accumulate(target)
    out, is_open = [], n
    for t in target:
        if is_open == 0:
            break
        t = min(t, is_open - 1)
        out.append(int(is_open - t))
        is_open = int(t)
    return out


# right: total decided so far
def decided_per_pass(n, n_steps):
    done, out = 0, []
    for i in range(1, n_steps + 1):
        if done == n:
            break
        goal = n if i == n_steps else n - math.floor(n * math.cos(math.pi / 2 * i / n_steps))
        goal = max(goal, done + 1)
        out.append(goal - done)
        done = goal
    return out


# right: one place waits for the last pass, which leaves the list as it is
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        left = max(1, min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps))))
        left = 0 if i == n_steps else left
        if is_open > left:
            out.append(is_open - left)
        is_open = left
    return out


# right: never more passes than places, which are then one each
def decided_per_pass(n, n_steps):
    n_steps = min(n, n_steps)
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        left = 0 if i == n_steps else math.floor(n * math.cos(math.pi / 2 * i / n_steps))
        left = min(left, is_open - 1)
        out.append(is_open - left)
        is_open = left
        if not is_open:
            break
    return out


# wrong: counts of what is open
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        is_open = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open)
        if not is_open:
            break
    return out


# wrong: passes from 0
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(n_steps):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: n_steps + 1 passes
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 2):
        if not is_open:
            break
        left = max(0, math.floor(n * math.cos(math.pi / 2 * i / (n_steps + 1))))
        left = min(is_open - 1, left)
        out.append(is_open - left)
        is_open = left
    return out


# wrong: rounded up
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = math.ceil(n * math.cos(math.pi / 2 * i / n_steps)) if i < n_steps else 0
        left = min(is_open - 1, left)
        out.append(is_open - left)
        is_open = left
    return out


# wrong: rounded
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = min(is_open - 1, round(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: passes without a decision
def decided_per_pass(n, n_steps):
    left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
    return [a - b for a, b in itertools.pairwise(left)]


# wrong: passes without a decision left out
def decided_per_pass(n, n_steps):
    left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
    return [a - b for a, b in itertools.pairwise(left) if a > b]


# wrong: at least one, not counted later
def decided_per_pass(n, n_steps):
    left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
    return [max(1, a - b) for a, b in itertools.pairwise(left)]


# wrong: zeros at the end
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        left = max(0, min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps))))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: evenly many
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = min(is_open - 1, n - n * i // n_steps)
        out.append(is_open - left)
        is_open = left
    return out


# wrong: sine
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = n - math.floor(n * math.sin(math.pi / 2 * i / n_steps))
        left = min(is_open - 1, left)
        out.append(is_open - left)
        is_open = left
    return out


# wrong: cosine of what is open
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(is_open * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: half a cosine from 1 to -1
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = math.floor(n * (1 + math.cos(math.pi * i / n_steps)) / 2)
        left = min(is_open - 1, left)
        out.append(is_open - left)
        is_open = left
    return out


# wrong: cosine squared
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps) ** 2))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: all that is decided so far
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        is_open = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(n - is_open)
    return out


# wrong: largest first
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open - left)
        is_open = left
    return out[::-1]


# wrong: stops one pass early
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / n_steps)))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: eight passes
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, 9):
        if not is_open:
            break
        left = min(is_open - 1, math.floor(n * math.cos(math.pi / 2 * i / 8)))
        out.append(is_open - left)
        is_open = left
    return out


# wrong: at least one only in the first pass
def decided_per_pass(n, n_steps):
    out, is_open = [], n
    for i in range(1, n_steps + 1):
        left = math.floor(n * math.cos(math.pi / 2 * i / n_steps))
        if i == 1:
            left = min(left, n - 1)
        if is_open - left:
            out.append(is_open - left)
        is_open = left
    return out


# wrong: a plan that is not caught up
def decided_per_pass(n, n_steps):
    left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
    out, is_open = [], n
    for i, (a, b) in enumerate(itertools.pairwise(left)):
        if not is_open:
            break
        count = is_open if i == n_steps - 1 else min(is_open, max(1, a - b))
        out.append(count)
        is_open -= count
    return out


# wrong: what is too much is taken off the last pass
def decided_per_pass(n, n_steps):
    left = [math.floor(n * math.cos(math.pi / 2 * i / n_steps)) for i in range(n_steps + 1)]
    out = [max(1, a - b) for a, b in itertools.pairwise(left)]
    out[-1] -= sum(out) - n
    return out


# wrong: a tensor with float numbers
def decided_per_pass(n, n_steps):
    i = torch.arange(n_steps + 1).double()
    left = torch.floor(n * torch.cos(math.pi / 2 * i / n_steps))
    return -left.diff()


# exercise: priors.remask
# right: decided places at minus infinity, then where
def accept(codes, logits, candidates, count):
    is_open = codes == -1
    log_p = logits.log_softmax(-1).gather(-1, candidates.unsqueeze(-1)).squeeze(-1)
    best = log_p.masked_fill(~is_open, -torch.inf).topk(count, dim=1).indices
    chosen = torch.zeros_like(is_open).scatter(1, best, True) & is_open
    return torch.where(chosen, candidates, codes)


# right: row by row with Python
def accept(codes, logits, candidates, count):
    out = codes.clone()
    for i in range(len(codes)):
        log_p = F.log_softmax(logits[i], -1)
        places = [j for j, c in enumerate(codes[i].tolist()) if c < 0]
        places.sort(key=lambda j: float(log_p[j, candidates[i, j]]), reverse=True)
        for j in places[:count]:
            out[i, j] = candidates[i, j]
    return out


# right: ranks
def accept(codes, logits, candidates, count):
    p = torch.softmax(logits.double(), -1)
    mine = torch.einsum("bnk,bnk->bn", p, F.one_hot(candidates, p.shape[-1]).double())
    mine = torch.where(codes < 0, mine, -1.0)
    rank = mine.argsort(1, descending=True).argsort(1)
    return candidates.where((rank < count) & (codes < 0), codes)


# right: numpy
def accept(codes, logits, candidates, count):
    z = logits.double().numpy()
    z = z - np.log(np.exp(z).sum(-1, keepdims=True))
    log_p = np.take_along_axis(z, candidates.numpy()[..., None], -1)[..., 0]
    out = codes.numpy().copy()
    for row, p, new in zip(out, log_p, candidates.numpy()):
        places = np.flatnonzero(row == -1)
        best = places[np.argsort(-p[places], kind="stable")[:count]]
        row[best] = new[best]
    return torch.from_numpy(out)


# right: indexing, minus logsumexp
def accept(codes, logits, candidates, count):
    b, n = codes.shape
    rows, columns = torch.arange(b)[:, None], torch.arange(n)[None]
    log_p = logits[rows, columns, candidates] - logits.logsumexp(-1)
    log_p[codes >= 0] = -math.inf
    best = log_p.sort(1, descending=True).indices[:, :count]
    out = codes.clone()
    out[rows, best] = candidates[rows, best]
    return torch.where(codes < 0, out, codes)


# wrong: decided places still compete
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: decided places compete and are put back
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.topk(count, dim=1).indices
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes >= 0, codes, out)


# wrong: decided places hidden, but lost from the result
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return torch.full_like(codes, -1).scatter(1, best, candidates.gather(1, best))


# wrong: decided places have log-probability 0
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, 0.0).topk(count, dim=1).indices
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes >= 0, codes, out)


# wrong: decided places always count, as many more are accepted
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    held = int((codes >= 0).sum(1).max())
    best = log_p.masked_fill(codes >= 0, torch.inf).topk(count + held, dim=1).indices
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes >= 0, codes, out)


# wrong: logits in place of log-probabilities
def accept(codes, logits, candidates, count):
    score = logits.gather(-1, candidates[..., None])[..., 0]
    best = score.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: softmax over the places
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: confidence of the likeliest code, not of the candidate
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).amax(-1)
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: the likeliest codes are accepted
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, logits.argmax(-1).gather(1, best))


# wrong: least sure first
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, torch.inf).topk(count, dim=1, largest=False).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: least entropy first
def accept(codes, logits, candidates, count):
    p = logits.softmax(-1)
    score = (p * p.log()).sum(-1)
    best = score.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: count of the whole batch
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    flat = log_p.masked_fill(codes >= 0, -torch.inf).flatten()
    best = flat.topk(count * len(codes)).indices
    out = codes.flatten().scatter(0, best, candidates.flatten()[best])
    return out.view_as(codes)


# wrong: places of the first row for all
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf)[:1].topk(count, dim=1).indices
    best = best.expand(len(codes), count)
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes >= 0, codes, out)


# wrong: codes changed in place
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter_(1, best, candidates.gather(1, best))


# wrong: all candidates accepted
def accept(codes, logits, candidates, count):
    return torch.where(codes < 0, candidates, codes)


# wrong: first open places
def accept(codes, logits, candidates, count):
    turn = (codes < 0).cumsum(1)
    return torch.where((codes < 0) & (turn <= count), candidates, codes)


# wrong: one too many
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    log_p = log_p.masked_fill(codes >= 0, -torch.inf)
    least = log_p.topk(count + 1, dim=1).values[:, -1:]
    return torch.where((log_p >= least) & (codes < 0), candidates, codes)


# wrong: strictly above the last that belongs
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    log_p = log_p.masked_fill(codes >= 0, -torch.inf)
    least = log_p.topk(count, dim=1).values[:, -1:]
    return torch.where((log_p > least) & (codes < 0), candidates, codes)


# wrong: code 0 taken for open
def accept(codes, logits, candidates, count):
    is_open = codes <= 0
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(~is_open, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: candidates sorted by confidence, placed from the left
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return codes.scatter(1, best, candidates[:, :count])


# wrong: decided ones multiplied by 0
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = (log_p * (codes < 0)).topk(count, dim=1).indices
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes < 0, out, codes)


# wrong: a penalty of 1 for decided ones
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = (log_p - (codes >= 0).float()).topk(count, dim=1).indices
    out = codes.scatter(1, best, candidates.gather(1, best))
    return torch.where(codes < 0, out, codes)


# wrong: a threshold in place of a count
def accept(codes, logits, candidates, count):
    p = logits.softmax(-1).gather(-1, candidates[..., None])[..., 0]
    return torch.where((codes < 0) & (p > 0.5), candidates, codes)


# wrong: drawn by confidence
def accept(codes, logits, candidates, count):
    p = logits.softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = torch.multinomial(p.masked_fill(codes >= 0, 0.0), count)
    return codes.scatter(1, best, candidates.gather(1, best))


# wrong: over the batch
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    log_p = log_p.masked_fill(codes >= 0, -torch.inf)
    best = log_p.topk(min(count, len(codes)), dim=0).indices
    return codes.scatter(0, best, candidates.gather(0, best))


# wrong: a mask of the accepted places
def accept(codes, logits, candidates, count):
    log_p = logits.log_softmax(-1).gather(-1, candidates[..., None])[..., 0]
    best = log_p.masked_fill(codes >= 0, -torch.inf).topk(count, dim=1).indices
    return torch.zeros_like(codes).scatter(1, best, 1)
