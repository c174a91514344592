"Answers to the exercises of the interview, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: interview.recall
# right: numpy's power
def recall(days, stability, decay=0.1542):
    factor = np.power(0.9, -1 / decay) - 1
    return float(np.power(1 + factor * days / stability, -decay))


# right: logarithms
def recall(days, stability, decay=0.1542):
    factor = math.expm1(-math.log(0.9) / decay)
    return math.exp(-decay * math.log1p(factor * days / stability))


# right: a tensor of float64
def recall(days, stability, decay=0.1542):
    d = torch.tensor(decay, dtype=torch.float64)
    factor = torch.tensor(0.9, dtype=torch.float64).pow(-1 / d) - 1
    return (1 + factor * days / stability).pow(-d).item()


# right: the fraction turned round
def recall(days, stability, decay=0.1542):
    factor = (10 / 9) ** (1 / decay) - 1
    return (stability / (stability + factor * days)) ** decay


# right: a mixture of 1 and the tenth
def recall(days, stability, decay=0.1542):
    share = days / stability
    return (1 - share + share * 0.9 ** (-1 / decay)) ** -decay


# wrong: exponential
def recall(days, stability, decay=0.1542):
    return 0.9 ** (days / stability)


# wrong: exponential with base e
def recall(days, stability, decay=0.1542):
    return math.exp(-days / stability)


# wrong: the factor of an older version
def recall(days, stability, decay=0.1542):
    return (1 + 19 / 81 * days / stability) ** -decay


# wrong: the older version whole
def recall(days, stability, decay=0.1542):
    return (1 + 19 / 81 * days / stability) ** -0.5


# wrong: one ninth
def recall(days, stability, decay=0.1542):
    return (1 + days / (9 * stability)) ** -1


# wrong: decay is not read
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / 0.1542) - 1
    return (1 + factor * days / stability) ** -0.1542


# wrong: the factor for the default decay
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / 0.1542) - 1
    return (1 + factor * days / stability) ** -decay


# wrong: the sign of the exponent in the factor
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (1 / decay) - 1
    return abs(1 + factor * days / stability) ** -decay


# wrong: recall that grows
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return (1 + factor * days / stability) ** decay


# wrong: no minus one
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / decay)
    return (1 + factor * days / stability) ** -decay


# wrong: no factor
def recall(days, stability, decay=0.1542):
    return (1 + days / stability) ** -decay


# wrong: no inverse of the decay
def recall(days, stability, decay=0.1542):
    factor = 0.9**-decay - 1
    return (1 + factor * days / stability) ** -decay


# wrong: stability upside down
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return (1 + factor * stability / days) ** -decay if days else 1.0


# wrong: recall of a half at the stability
def recall(days, stability, decay=0.1542):
    factor = 0.5 ** (-1 / decay) - 1
    return (1 + factor * days / stability) ** -decay


# wrong: whole days
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return (1 + factor * int(days) / stability) ** -decay


# wrong: a straight line
def recall(days, stability, decay=0.1542):
    return max(0.0, 1 - 0.1 * days / stability)


# wrong: what is forgotten
def recall(days, stability, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return 1 - (1 + factor * days / stability) ** -decay


# wrong: another default
def recall(days, stability, decay=0.5):
    factor = 0.9 ** (-1 / decay) - 1
    return (1 + factor * days / stability) ** -decay


# exercise: interview.interval
# right: logarithms
def interval(stability, wanted, decay=0.1542):
    top = math.expm1(-math.log(wanted) / decay)
    return stability * top / math.expm1(-math.log(0.9) / decay)


# right: numpy
def interval(stability, wanted, decay=0.1542):
    top, bottom = np.power(np.array([wanted, 0.9]), -1 / decay) - 1
    return float(stability * top / bottom)


# right: bisection
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    low, high = 0.0, 1.0
    while (1 + factor * high / stability) ** -decay > wanted:
        high *= 2
    for _ in range(200):
        mid = (low + high) / 2
        if (1 + factor * mid / stability) ** -decay > wanted:
            low = mid
        else:
            high = mid
    return high


# right: the inverse of the power
def interval(stability, wanted, decay=0.1542):
    factor = pow(10 / 9, 1 / decay) - 1
    return (pow(1 / wanted, 1 / decay) - 1) * (stability / factor)


# right: a tensor of float64
def interval(stability, wanted, decay=0.1542):
    pair = torch.tensor([wanted, 0.9], dtype=torch.float64).pow(-1 / decay).sub(1)
    return stability * (pair[0] / pair[1]).item()


# wrong: rounded
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return round(stability / factor * (wanted ** (-1 / decay) - 1))


# wrong: one day at least
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return max(1.0, stability / factor * (wanted ** (-1 / decay) - 1))


# wrong: rounded up
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return math.ceil(stability / factor * (wanted ** (-1 / decay) - 1))


# wrong: the stability
def interval(stability, wanted, decay=0.1542):
    return stability


# wrong: in proportion to what is lost
def interval(stability, wanted, decay=0.1542):
    return stability * (1 - wanted) / (1 - 0.9)


# wrong: exponential
def interval(stability, wanted, decay=0.1542):
    return stability * math.log(wanted) / math.log(0.9)


# wrong: no minus one
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return stability / factor * wanted ** (-1 / decay)


# wrong: multiplied by the factor
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return stability * factor * (wanted ** (-1 / decay) - 1)


# wrong: no factor
def interval(stability, wanted, decay=0.1542):
    return stability * (wanted ** (-1 / decay) - 1)


# wrong: the exponent without its sign
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return stability / factor * (1 - wanted ** (1 / decay))


# wrong: the decay not inverted
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return stability / factor * (wanted**-decay - 1)


# wrong: decay is not read
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / 0.1542) - 1
    return stability / factor * (wanted ** (-1 / 0.1542) - 1)


# wrong: the factor of the default decay
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / 0.1542) - 1
    return stability / factor * (wanted ** (-1 / decay) - 1)


# wrong: the factor of an older version
def interval(stability, wanted, decay=0.1542):
    return stability * 81 / 19 * (wanted ** (-1 / decay) - 1)


# wrong: divided by the stability
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return (wanted ** (-1 / decay) - 1) / (factor * stability)


# wrong: recall in place of the days
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return (1 + factor * wanted / stability) ** -decay


# wrong: whole days counted up
def interval(stability, wanted, decay=0.1542):
    factor, day = 0.9 ** (-1 / decay) - 1, 0
    while (1 + factor * day / stability) ** -decay > wanted and day < 100_000:
        day += 1
    return float(day)


# wrong: not later than at the stability
def interval(stability, wanted, decay=0.1542):
    factor = 0.9 ** (-1 / decay) - 1
    return min(stability, stability / factor * (wanted ** (-1 / decay) - 1))


# exercise: interview.brier
# right: einsum
def calibration(said, right):
    gap = (said - right).double()
    return torch.einsum("n,n->", gap, gap).item() / len(gap), gap.mean().item()


# right: numpy
def calibration(said, right):
    p, y = np.asarray(said, dtype=np.float64), np.asarray(right, dtype=np.float64)
    return float(np.mean(np.square(p - y))), float(p.mean() - y.mean())


# right: a loop over numbers
def calibration(said, right):
    score = bias = 0.0
    for p, y in zip(said.tolist(), right.tolist(), strict=True):
        score += (p - y) ** 2
        bias += p - y
    return score / len(said), bias / len(said)


# right: F.mse_loss
def calibration(said, right):
    return F.mse_loss(said, right).item(), said.mean().item() - right.mean().item()


# right: variance and bias
def calibration(said, right):
    var, mean = torch.var_mean((said - right).double(), correction=0)
    return (var + mean**2).item(), mean.item()


# wrong: the root
def calibration(said, right):
    gap = said - right
    return gap.square().mean().sqrt().item(), gap.mean().item()


# wrong: absolute differences
def calibration(said, right):
    gap = said - right
    return gap.abs().mean().item(), gap.mean().item()


# wrong: the sum
def calibration(said, right):
    gap = said - right
    return gap.square().sum().item(), gap.mean().item()


# wrong: divided by n - 1
def calibration(said, right):
    gap = said - right
    return gap.square().sum().item() / (len(gap) - 1), gap.mean().item()


# wrong: the other sign
def calibration(said, right):
    gap = right - said
    return gap.square().mean().item(), gap.mean().item()


# wrong: bias without sign
def calibration(said, right):
    gap = said - right
    return gap.square().mean().item(), gap.mean().abs().item()


# wrong: the mean distance as bias
def calibration(said, right):
    gap = said - right
    return gap.square().mean().item(), gap.abs().mean().item()


# wrong: the square of the bias
def calibration(said, right):
    gap = said - right
    return gap.mean().square().item(), gap.mean().item()


# wrong: the bias first
def calibration(said, right):
    gap = said - right
    return gap.mean().item(), gap.square().mean().item()


# wrong: the variance of the differences
def calibration(said, right):
    gap = said - right
    return gap.var(correction=0).item(), gap.mean().item()


# wrong: cross-entropy
def calibration(said, right):
    score = F.binary_cross_entropy(said.clamp(1e-6, 1 - 1e-6), right)
    return score.item(), (said - right).mean().item()


# wrong: sure or not
def calibration(said, right):
    gap = (said > 0.5).to(right.dtype) - right
    return gap.square().mean().item(), gap.mean().item()


# wrong: bias over a half
def calibration(said, right):
    return (said - right).square().mean().item(), said.mean().item() - 0.5


# wrong: bias among the right answers only
def calibration(said, right):
    gap = said - right
    return gap.square().mean().item(), gap[right > 0].mean().item()


# wrong: the sum of the differences
def calibration(said, right):
    gap = said - right
    return gap.square().mean().item(), gap.sum().item()


# wrong: the original score, over both outcomes
def calibration(said, right):
    gap = said - right
    return 2 * gap.square().mean().item(), gap.mean().item()


# wrong: the score alone
def calibration(said, right):
    return (said - right).square().mean().item()


# wrong: the median
def calibration(said, right):
    return (said - right).square().mean().item(), (said.median() - right.median()).item()


# exercise: interview.sample_flops
# right: a list of products
def sample_flops(depth, dim, tokens, steps, guided):
    products = [(tokens, dim, dim)] * 4  # rows, inner, columns
    products += [(tokens, dim, tokens), (tokens, tokens, dim)]
    products += [(tokens, dim, 4 * dim), (tokens, 4 * dim, dim)]
    once = sum(2 * rows * inner * columns for rows, inner, columns in products)
    return once * depth * steps * (1 + bool(guided))


# right: numpy's integers
def sample_flops(depth, dim, tokens, steps, guided):
    block = np.int64(2) * np.array([4, 8]).sum() * tokens * dim**2 + 4 * tokens**2 * dim
    return int(np.prod([depth, steps, 2 if guided else 1], dtype=np.int64) * block)


# right: a loop over steps and blocks
def sample_flops(depth, dim, tokens, steps, guided):
    total = 0
    for _ in range(steps):
        for _ in range(2 if guided else 1):
            for _ in range(depth):
                total += 24 * tokens * dim * dim + 4 * tokens * tokens * dim
    return total


# right: factored
def sample_flops(depth, dim, tokens, steps, guided):
    passes = steps << int(guided)
    return 4 * passes * depth * tokens * dim * (6 * dim + tokens)


# right: modules are counted
def sample_flops(depth, dim, tokens, steps, guided):
    with torch.device("meta"):
        maps = nn.ModuleList(
            [nn.Linear(dim, dim, bias=False) for _ in range(4)]
            + [nn.Linear(dim, 4 * dim, bias=False), nn.Linear(4 * dim, dim, bias=False)]
        )
    weights = sum(p.numel() for p in maps.parameters())
    call = depth * 2 * (tokens * weights + 2 * tokens * tokens * dim)
    return call * steps * (2 if guided else 1)


# wrong: a multiply and an add are one
def sample_flops(depth, dim, tokens, steps, guided):
    block = 12 * tokens * dim**2 + 2 * tokens**2 * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: scores and weighted sum forgotten
def sample_flops(depth, dim, tokens, steps, guided):
    return depth * 24 * tokens * dim**2 * steps * (2 if guided else 1)


# wrong: the scores alone
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 2 * tokens**2 * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: no output projection
def sample_flops(depth, dim, tokens, steps, guided):
    block = 22 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: half of the MLP
def sample_flops(depth, dim, tokens, steps, guided):
    block = 16 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: no MLP
def sample_flops(depth, dim, tokens, steps, guided):
    block = 8 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: guidance is free
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * steps


# wrong: always guided
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return 2 * depth * block * steps


# wrong: guidance the other way round
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * steps * (1 if guided else 2)


# wrong: one step
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return depth * block * (2 if guided else 1)


# wrong: one block
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return block * steps * (2 if guided else 1)


# wrong: one token
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * dim**2 + 4 * tokens * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: guidance doubles the sequence
def sample_flops(depth, dim, tokens, steps, guided):
    n = 2 * tokens if guided else tokens
    return depth * (24 * n * dim**2 + 4 * n**2 * dim) * steps


# wrong: as in training, with the backward pass
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim
    return 3 * depth * block * steps * (2 if guided else 1)


# wrong: a mask that saves half of the attention
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 2 * tokens * (tokens + 1) * dim
    return depth * block * steps * (2 if guided else 1)


# wrong: the modulation too
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim + 12 * dim**2
    return depth * block * steps * (2 if guided else 1)


# wrong: attention over the channels
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens * dim**2
    return depth * block * steps * (2 if guided else 1)


# wrong: a softmax on top
def sample_flops(depth, dim, tokens, steps, guided):
    block = 24 * tokens * dim**2 + 4 * tokens**2 * dim + 3 * tokens**2
    return depth * block * steps * (2 if guided else 1)


# exercise: interview.state_bytes
# right: a table of names
def state_bytes(n, ema=False):
    table = {"weights": 2, "gradients": 2, "copy": 4, "first": 4, "second": 4}
    if ema:
        table["average"] = 4
    return n * sum(table.values())


# right: in one line
def state_bytes(n, ema=False):
    return (16 + 4 * bool(ema)) * n


# right: the sizes of the types
def state_bytes(n, ema=False):
    small, large = torch.bfloat16.itemsize, torch.float32.itemsize
    return 2 * n * small + (4 if ema else 3) * n * large


# right: shifts
def state_bytes(n, ema=False):
    return (n << 4) + ((n << 2) if ema else 0)


# right: numpy's dot product
def state_bytes(n, ema=False):
    return int(np.dot([2, 2, 4, 4, 4, 4], [n, n, n, n, n, n * int(ema)]))


# wrong: both moments, no average
def state_bytes(n, ema=False):
    weights, gradients = 2 * n, 2 * n
    copy, moments = 4 * n, 2 * 4 * n
    return weights + gradients + copy + moments


# wrong: an average, one moment
def state_bytes(n, ema=False):
    weights, gradients = 2 * n, 2 * n
    copy, moments = 4 * n, 4 * n
    return weights + gradients + copy + moments + (4 * n if ema else 0)


# wrong: always an average
def state_bytes(n, ema=False):
    return 2 * n + 2 * n + 4 * n + 8 * n + 4 * n


# wrong: average by default
def state_bytes(n, ema=True):
    return 16 * n + (4 * n if ema else 0)


# wrong: the average in bfloat16
def state_bytes(n, ema=False):
    return 16 * n + (2 * n if ema else 0)


# wrong: everything in float32
def state_bytes(n, ema=False):
    return (5 + bool(ema)) * 4 * n


# wrong: no copy of the weights
def state_bytes(n, ema=False):
    return 2 * n + 2 * n + 8 * n + (4 * n if ema else 0)


# wrong: no bfloat16 weights beside the copy
def state_bytes(n, ema=False):
    return 2 * n + 4 * n + 8 * n + (4 * n if ema else 0)


# wrong: moments in bfloat16
def state_bytes(n, ema=False):
    return 2 * n + 2 * n + 4 * n + 4 * n + (4 * n if ema else 0)


# wrong: gradients in float32
def state_bytes(n, ema=False):
    return 2 * n + 4 * n + 4 * n + 8 * n + (4 * n if ema else 0)


# wrong: no gradients
def state_bytes(n, ema=False):
    return 2 * n + 4 * n + 8 * n + (4 * n if ema else 0)


# wrong: bits
def state_bytes(n, ema=False):
    return 8 * (16 * n + (4 * n if ema else 0))


# wrong: gigabytes
def state_bytes(n, ema=False):
    return (16 * n + (4 * n if ema else 0)) / 1e9


# wrong: the average has moments too
def state_bytes(n, ema=False):
    return 16 * n + (12 * n if ema else 0)


# wrong: the average the other way round
def state_bytes(n, ema=False):
    return 16 * n + (0 if ema else 4 * n)
