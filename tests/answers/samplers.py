"Answers to the exercises of samplers and guidance, right ones in unusual forms and wrong ones."

import math
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F


# exercise: samplers.ddim_step
# right: two factors
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    r = sigma_next / sigma
    return r * x_t + (alpha_next - r * alpha) * x_0


# right: float64 inside
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t.double() - alpha * x_0.double()) / sigma
    return (alpha_next * x_0.double() + sigma_next * eps).to(x_t.dtype)


# right: torch.lerp between the guess and x over the ratio
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    noise_part = torch.lerp(torch.zeros_like(x_t), x_t - alpha * x_0, sigma_next / sigma)
    return torch.add(noise_part, x_0, alpha=alpha_next)


# right: in place on a copy
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    y = x_t.clone()
    y.sub_(x_0, alpha=alpha).div_(sigma).mul_(sigma_next).add_(x_0, alpha=alpha_next)
    return y


# right: einsum with a row of factors
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma
    factors = torch.tensor([alpha_next, sigma_next], dtype=x_t.dtype)
    return torch.einsum("i,i...->...", factors, torch.stack([x_0, eps]))


# wrong: noise without sigma
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = x_t - alpha * x_0
    return alpha_next * x_0 + sigma_next * eps


# wrong: guess subtracted without alpha
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - x_0) / sigma
    return alpha_next * x_0 + sigma_next * eps


# wrong: divided by alpha
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - sigma * x_0) / alpha
    return alpha_next * x_0 + sigma_next * eps


# wrong: x_0 taken for the noise
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    guess = (x_t - sigma * x_0) / max(alpha, 1e-8)
    return alpha_next * guess + sigma_next * x_0


# wrong: noise drawn anew
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    return alpha_next * x_0 + sigma_next * torch.randn_like(x_t)


# wrong: x itself as the noise
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    return alpha_next * x_0 + sigma_next * x_t


# wrong: level kept
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma
    return alpha * x_0 + sigma * eps


# wrong: noise level of now
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma
    return alpha_next * x_0 + sigma * eps


# wrong: noise from the next level's factors
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha_next * x_0) / max(sigma_next, 1e-8)
    return alpha_next * x_0 + sigma_next * eps


# wrong: sigma is a variance
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma**0.5
    return alpha_next * x_0 + sigma_next**0.5 * eps


# wrong: alpha from sigma, as if the squares summed to one
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - (1 - sigma**2) ** 0.5 * x_0) / sigma
    return (1 - sigma_next**2) ** 0.5 * x_0 + sigma_next * eps


# wrong: alphas are squares
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha**0.5 * x_0) / sigma
    return alpha_next**0.5 * x_0 + sigma_next * eps


# wrong: guess clamped
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    x_0 = x_0.clamp(-1, 1)
    eps = (x_t - alpha * x_0) / sigma
    return alpha_next * x_0 + sigma_next * eps


# wrong: the guess where no noise is left
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    if sigma_next == 0:
        return x_0
    eps = (x_t - alpha * x_0) / sigma
    return alpha_next * x_0 + sigma_next * eps


# wrong: x as it is where there are no data in it
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    if alpha == 0:
        return sigma_next * x_t
    eps = (x_t - alpha * x_0) / sigma
    return alpha_next * x_0 + sigma_next * eps


# wrong: the slope over alpha
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    a = alpha_next / max(alpha, 1e-3)
    eps = (x_t - alpha * x_0) / sigma
    return a * x_t + (sigma_next - a * sigma) * eps


# wrong: sign of the noise
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (alpha * x_0 - x_t) / sigma
    return alpha_next * x_0 + sigma_next * eps


# wrong: noise normalised
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma
    return alpha_next * x_0 + sigma_next * eps / eps.std()


# wrong: eps added for safety
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / (sigma + 1e-2)
    return alpha_next * x_0 + sigma_next * eps


# wrong: the noise first seen is kept for later calls
first = {}


def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = first.setdefault("eps", (x_t - alpha * x_0) / sigma)
    return alpha_next * x_0 + sigma_next * eps


# wrong: no noise where the path has no data yet
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma * (alpha > 0)
    return alpha_next * x_0 + sigma_next * eps


# wrong: only as much noise as the path of squares would have
def ddim_step(x_t, x_0, alpha, sigma, alpha_next, sigma_next):
    eps = (x_t - alpha * x_0) / sigma
    scale = (alpha_next**2 + sigma_next**2) ** 0.5
    return (alpha_next * x_0 + sigma_next * eps) / scale


# exercise: samplers.last_noise
# right: last step after the loop
def walk(x, n, step, draw):
    for i in range(n - 1, 0, -1):
        mean, std = step(x, i)
        x = mean + std * draw(x)
    mean, _ = step(x, 0)
    return mean


# right: while
def walk(x, n, step, draw):
    i = n
    while i > 0:
        i -= 1
        x, std = step(x, i)
        if i:
            x = x + std * draw(x)
    return x


# right: recursion
def walk(x, n, step, draw):
    mean, std = step(x, n - 1)
    if n == 1:
        return mean
    return walk(mean + std * draw(mean), n - 1, step, draw)


# right: a conditional expression
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean if i == 0 else torch.add(mean, std * draw(x))
    return x


# right: returns inside the loop
def walk(x, n, step, draw):
    for k in range(n):
        i = n - 1 - k
        mean, std = step(x, i)
        if i < 1:
            return mean
        x = std * draw(x) + mean


# wrong: draws and multiplies by 0
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x) * (i > 0)
    return x


# wrong: first step without noise
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x) if i < n - 1 else mean
    return x


# wrong: last step left out
def walk(x, n, step, draw):
    for i in reversed(range(1, n)):
        mean, std = step(x, i)
        x = mean + std * draw(x)
    return x


# wrong: no noise at all
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        x, _ = step(x, i)
    return x


# wrong: one draw for all steps
def walk(x, n, step, draw):
    noise = draw(x)
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * noise if i else mean
    return x


# wrong: last mean from the x before
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        if i:
            x = mean + std * draw(x)
    return x


# wrong: upwards
def walk(x, n, step, draw):
    for i in range(n):
        mean, std = step(x, i)
        x = mean + std * draw(x) if i < n - 1 else mean
    return x


# wrong: steps n to 1
def walk(x, n, step, draw):
    for i in range(n, 0, -1):
        mean, std = step(x, i)
        x = mean + std * draw(x) if i > 1 else mean
    return x


# wrong: std is read as a variance
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std**0.5 * draw(x) if i else mean
    return x


# wrong: std squared
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std**2 * draw(x) if i else mean
    return x


# wrong: noise subtracts from x, the mean is lost
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = x + std * draw(x) if i else mean
    return x


# wrong: two steps without noise
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x) if i > 1 else mean
    return x


# wrong: no noise where std is 0
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean if std == 0 else mean + std * draw(x)
    return x


# wrong: randn in place of draw
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * torch.randn_like(x) if i else mean
    return x


# wrong: one more step for the mean
def walk(x, n, step, draw):
    for i in reversed(range(1, n)):
        mean, std = step(x, i)
        x = mean + std * draw(x)
    x, _ = step(x, 0)
    return step(x, 0)[0]


# wrong: noise fades over the steps
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * i / n * draw(x) if i else mean
    return x


# wrong: step is asked twice
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        x = step(x, i)[0] + (step(x, i)[1] * draw(x) if i else 0)
        if i == 0:
            x, _ = step(x, 0)
    return x


# wrong: mean of the steps
def walk(x, n, step, draw):
    means = []
    for i in reversed(range(n)):
        mean, std = step(x, i)
        means.append(mean)
        x = mean + std * draw(x) if i else mean
    return sum(means) / n


# wrong: a draw that is thrown away
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        noise = draw(x)
        x = mean + std * noise if i else mean
    return x


# wrong: the first step draws twice
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        if i == n - 1 and n > 1:
            mean = mean + std * draw(x)
        elif i:
            mean = mean + std * draw(x) * draw(x)
        x = mean
    return x


# wrong: no noise left in the second half
def walk(x, n, step, draw):
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x) if 2 * i >= n else mean
    return x


# wrong: a chain of one is returned as it is
def walk(x, n, step, draw):
    if n == 1:
        return x
    for i in reversed(range(n)):
        mean, std = step(x, i)
        x = mean + std * draw(x) if i else mean
    return x


# exercise: samplers.stride
# right: zip with the shifted list
def walk(x, steps, step, n_train=1000):
    steps = list(steps)
    for now, to in zip(steps, steps[1:] + [-1]):
        x = step(x, now, to)
    return x


# right: pairwise
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([*steps, -1]):
        x = step(x, now, to)
    return x


# right: by index
def walk(x, steps, step, n_train=1000):
    last = len(steps) - 1
    for i in range(len(steps)):
        x = step(x, steps[i], -1 if i == last else steps[i + 1])
    return x


# right: the last one after the loop
def walk(x, steps, step, n_train=1000):
    now = steps[0]
    for to in steps[1:]:
        x = step(x, now, to)
        now = to
    return step(x, now, -1)


# right: recursion
def walk(x, steps, step, n_train=1000):
    now, *rest = steps
    to = rest[0] if rest else -1
    x = step(x, now, to)
    return walk(x, rest, step) if rest else x


# wrong: ends at time 0
def walk(x, steps, step, n_train=1000):
    for now, to in zip(steps, [*steps[1:], 0]):
        x = step(x, now, to)
    return x


# wrong: last step left out
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise(steps):
        x = step(x, now, to)
    return x


# wrong: spacing of the first pair
def walk(x, steps, step, n_train=1000):
    stride = steps[0] - steps[1] if len(steps) > 1 else steps[0] + 1
    for now in steps:
        x = step(x, now, max(now - stride, -1))
    return x


# wrong: mean spacing
def walk(x, steps, step, n_train=1000):
    stride = (steps[0] + 1) / len(steps)
    for now in steps:
        x = step(x, now, max(round(now - stride), -1))
    return x


# wrong: stride not rounded down but rounded
def walk(x, steps, step, n_train=1000):
    for now in steps:
        x = step(x, now, max(now - round(n_train / len(steps)), -1))
    return x


# wrong: stride rounded up
def walk(x, steps, step, n_train=1000):
    for now in steps:
        x = step(x, now, max(now + -n_train // len(steps), -1))
    return x


# wrong: the last goes to -1, all others by the stride
def walk(x, steps, step, n_train=1000):
    for i, now in enumerate(steps):
        to = -1 if i == len(steps) - 1 else now - n_train // len(steps)
        x = step(x, now, to)
    return x


# wrong: index runs round
def walk(x, steps, step, n_train=1000):
    for i, now in enumerate(steps):
        x = step(x, now, steps[(i + 1) % len(steps)])
    return x


# wrong: one level down
def walk(x, steps, step, n_train=1000):
    for now in steps:
        x = step(x, now, now - 1)
    return x


# wrong: all go to the data
def walk(x, steps, step, n_train=1000):
    for now in steps:
        x = step(x, now, -1)
    return x


# wrong: every level in between visited
def walk(x, steps, step, n_train=1000):
    for now in range(steps[0], -1, -1):
        x = step(x, now, now - 1)
    return x


# wrong: one more stop at time 0
def walk(x, steps, step, n_train=1000):
    stops = [*steps] if steps[-1] == 0 else [*steps, 0]
    for now, to in pairwise([*stops, -1]):
        x = step(x, now, to)
    return x


# wrong: now and to exchanged
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([*steps, -1]):
        x = step(x, to, now)
    return x


# wrong: rising
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([*sorted(steps), n_train]):
        x = step(x, now, to)
    return x


# wrong: x of the start each time
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([*steps, -1]):
        y = step(x, now, to)
    return y


# wrong: starts at the top of the chain
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([n_train - 1, *steps[1:], -1]):
        x = step(x, now, to)
    return x


# wrong: from n_train to the first one too
def walk(x, steps, step, n_train=1000):
    for now, to in pairwise([n_train, *steps, -1]):
        x = step(x, now, to)
    return x


# wrong: read one level late
def walk(x, steps, step, n_train=1000):
    previous = [n_train, *steps[:-1]]
    for now, to in zip(previous, steps):
        x = step(x, now, to)
    return step(x, steps[-1], -1)


# wrong: -1 only where the chain ends at 0
def walk(x, steps, step, n_train=1000):
    for i, now in enumerate(steps):
        if now == 0:
            x = step(x, now, -1)
        elif i + 1 < len(steps):
            x = step(x, now, steps[i + 1])
    return x


# wrong: a single time goes nowhere
def walk(x, steps, step, n_train=1000):
    if len(steps) == 1:
        return x
    for now, to in pairwise([*steps, -1]):
        x = step(x, now, to)
    return x


# wrong: a single time is read as the whole chain
def walk(x, steps, step, n_train=1000):
    steps = list(steps) if len(steps) > 1 else list(range(steps[0], -1, -1))
    for now, to in pairwise([*steps, -1]):
        x = step(x, now, to)
    return x


# wrong: steps made even first
def walk(x, steps, step, n_train=1000):
    even = np.linspace(steps[0], steps[-1], len(steps)).round().astype(int).tolist()
    for now, to in pairwise([*even, -1]):
        x = step(x, now, to)
    return x


# exercise: samplers.heun
# right: the mean of the slopes
def heun_step(x, sigma, sigma_next, denoise):
    h = sigma_next - sigma
    first = (x - denoise(x, sigma)) / sigma
    ahead = x + h * first
    if sigma_next == 0:
        return ahead
    second = (ahead - denoise(ahead, sigma_next)) / sigma_next
    return x + h * torch.stack([first, second]).mean(0)


# right: a correction of Euler's step
def heun_step(x, sigma, sigma_next, denoise):
    h = sigma_next - sigma
    slope = (x - denoise(x, sigma)) / sigma
    y = torch.add(x, slope, alpha=h)
    if sigma_next > 0:
        y = y + h / 2 * ((y - denoise(y, sigma_next)) / sigma_next - slope)
    return y


# right: the guess where no noise is left
def heun_step(x, sigma, sigma_next, denoise):
    guess = denoise(x, sigma)
    if not sigma_next:
        return guess
    r = sigma_next / sigma
    y = r * x + (1 - r) * guess
    slopes = (x - guess) / sigma + (y - denoise(y, sigma_next)) / sigma_next
    return x + slopes * (sigma_next - sigma) / 2


# right: an inner function
def heun_step(x, sigma, sigma_next, denoise):
    def slope(y, s):
        return (y - denoise(y, s)) / s

    k1 = slope(x, sigma)
    euler = x - (sigma - sigma_next) * k1
    k2 = slope(euler, sigma_next) if sigma_next else k1
    return x - (sigma - sigma_next) * (0.5 * k1 + 0.5 * k2)


# right: mean of two Euler steps
def heun_step(x, sigma, sigma_next, denoise):
    h = sigma_next - sigma
    one = x + h * (x - denoise(x, sigma)) / sigma
    if sigma_next == 0.0:
        return one
    other = x + h * (one - denoise(one, sigma_next)) / sigma_next
    return (one + other) / 2


# wrong: two calls at the end, a division by 0
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    slope_next = (x_next - denoise(x_next, sigma_next)) / max(sigma_next, 1e-8)
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: new x at the old level
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma)) / sigma
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: old x at the new level
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x - denoise(x, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: new guess, divided by the old sigma
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: old x minus the new guess
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: network asked at the old level
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: goes on from the new x
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x_next + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: slopes summed
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next)


# wrong: second slope alone
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * slope_next


# wrong: Euler
def heun_step(x, sigma, sigma_next, denoise):
    return x + (sigma_next - sigma) * (x - denoise(x, sigma)) / sigma


# wrong: midpoint rule
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    h = sigma_next - sigma
    if sigma_next == 0:
        return x + h * slope
    middle = sigma + h / 2
    y = x + h / 2 * slope
    return x + h * (y - denoise(y, middle)) / middle


# wrong: unchanged at the end
def heun_step(x, sigma, sigma_next, denoise):
    if sigma_next == 0:
        return x
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: half a step at the end
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    slope_next = 0
    if sigma_next > 0:
        x_next = x + (sigma_next - sigma) * slope
        slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: one call for all small levels
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next < 0.05:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# wrong: three calls
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    for _ in range(2):
        slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
        x_next = x + (sigma_next - sigma) * (slope + slope_next) / 2
    return x_next


# wrong: step the other way
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma - sigma_next) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - denoise(x_next, sigma_next)) / sigma_next
    return x + (sigma - sigma_next) * (slope + slope_next) / 2


# wrong: mean of the guesses at one slope
def heun_step(x, sigma, sigma_next, denoise):
    guess = denoise(x, sigma)
    x_next = x + (sigma_next - sigma) * (x - guess) / sigma
    if sigma_next == 0:
        return x_next
    guess = (guess + denoise(x_next, sigma_next)) / 2
    return x + (sigma_next - sigma) * (x - guess) / sigma


# wrong: network asked at the end too, answer not used
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    guess = denoise(x_next, sigma_next)
    if sigma_next == 0:
        return x_next
    return x + (sigma_next - sigma) * (slope + (x_next - guess) / sigma_next) / 2


# wrong: second slope taken at the mean level
def heun_step(x, sigma, sigma_next, denoise):
    slope = (x - denoise(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    middle = (sigma + sigma_next) / 2
    slope_next = (x_next - denoise(x_next, middle)) / middle
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


# exercise: samplers.order
# right: polyfit
def order(n_steps, errors):
    return -np.polyfit(np.log(np.asarray(n_steps)), np.log(np.asarray(errors)), 1)[0]


# right: lstsq with a column of ones
def order(n_steps, errors):
    x = torch.as_tensor(n_steps, dtype=torch.float64).log10()
    y = torch.as_tensor(errors, dtype=torch.float64).log10()
    a = torch.stack([x, torch.ones_like(x)], 1)
    return -torch.linalg.lstsq(a, y[:, None]).solution[0].item()


# right: covariance over variance, in plain Python
def order(n_steps, errors):
    xs = [math.log2(float(n)) for n in n_steps]
    ys = [math.log2(float(e)) for e in errors]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    top = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
    return -top / sum((x - mx) ** 2 for x in xs)


# right: normal equations with plain sums
def order(n_steps, errors):
    x = torch.tensor([float(n) for n in n_steps], dtype=torch.float64).log()
    y = torch.tensor([float(e) for e in errors], dtype=torch.float64).log()
    m = len(x)
    slope = (m * (x * y).sum() - x.sum() * y.sum()) / (m * (x * x).sum() - x.sum() ** 2)
    return float(-slope)


# right: covariance matrix
def order(n_steps, errors):
    pair = np.log(np.array([[float(n) for n in n_steps], [float(e) for e in errors]]))
    c = np.cov(pair)
    return float(-c[0, 1] / c[0, 0])


# wrong: sign
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(np.polyfit(x, y, 1)[0])


# wrong: sign taken away
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(abs(np.polyfit(x, y, 1)[0]))


# wrong: first and last point
def order(n_steps, errors):
    return math.log(errors[0] / errors[-1]) / math.log(n_steps[-1] / n_steps[0])


# wrong: last two points
def order(n_steps, errors):
    return math.log(errors[-2] / errors[-1]) / math.log(n_steps[-1] / n_steps[-2])


# wrong: mean of the slopes between neighbours
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-(np.diff(y) / np.diff(x)).mean())


# wrong: median of the slopes of all pairs
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    i, j = np.triu_indices(len(x), 1)
    return float(-np.median((y[i] - y[j]) / (x[i] - x[j])))


# wrong: logarithm of the ratio of neighbours, as if steps doubled
def order(n_steps, errors):
    e = np.asarray(errors, dtype=float)
    return float(np.log2(e[:-1] / e[1:]).mean())


# wrong: no logarithms
def order(n_steps, errors):
    return float(-np.polyfit(np.asarray(n_steps, float), np.asarray(errors, float), 1)[0])


# wrong: logarithm of the errors only
def order(n_steps, errors):
    return float(-np.polyfit(np.asarray(n_steps, float), np.log(np.asarray(errors)), 1)[0])


# wrong: logarithm of the steps only
def order(n_steps, errors):
    x = np.log(np.asarray(n_steps, float))
    return float(-np.polyfit(x, np.asarray(errors, float), 1)[0])


# wrong: line through the origin
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-(x * y).sum() / (x * x).sum())


# wrong: steps over errors
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-1 / np.polyfit(y, x, 1)[0])


# wrong: correlation
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-np.corrcoef(x, y)[0, 1])


# wrong: ratio of the spreads
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(y.std() / x.std())


# wrong: covariance with n - 1, variance with n
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-np.cov(x, y)[0, 1] / x.var())


# wrong: rounded
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(round(-np.polyfit(x, y, 1)[0]))


# wrong: the factor C
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(np.exp(np.polyfit(x, y, 1)[1]))


# wrong: two kinds of logarithm
def order(n_steps, errors):
    x = np.log2(np.asarray(n_steps, float))
    return float(-np.polyfit(x, np.log(np.asarray(errors, float)), 1)[0])


# wrong: parabola
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-np.polyfit(x, y, 2)[1])


# wrong: points weighted by their steps
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return float(-np.polyfit(x, y, 1, w=np.asarray(n_steps, float))[0])


# wrong: first point left out as not yet in the limit
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    return (
        float(-np.polyfit(x[1:], y[1:], 1)[0])
        if len(x) > 2
        else float((y[0] - y[1]) / (x[1] - x[0]))
    )


# wrong: only the first four points
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float))[:4] for a in (n_steps, errors))
    return float(-np.polyfit(x, y, 1)[0])


# wrong: least squares of the errors and not of their logarithms
def order(n_steps, errors):
    n, e = (np.asarray(a, dtype=float) for a in (n_steps, errors))
    best = min(
        np.arange(-6, 6, 0.001),
        key=lambda p: ((e - (e @ n**-p) / (n**-p @ n**-p) * n**-p) ** 2).sum(),
    )
    return float(best)


# wrong: perpendicular distances
def order(n_steps, errors):
    x, y = (np.log(np.asarray(a, dtype=float)) for a in (n_steps, errors))
    _, vectors = np.linalg.eigh(np.cov(x, y))
    return float(-vectors[1, 1] / vectors[0, 1])


# exercise: samplers.dpm2m
# right: sigmoids
def dpm2m_step(x, older, newer, lam):
    past, now, to = lam
    h = to - now
    guess = newer + (newer - older) * h / (2 * (now - past))
    alpha, sigma, alpha_to, sigma_to = (
        math.sqrt(1 / (1 + math.exp(-2 * s))) for s in (now, -now, to, -to)
    )
    return alpha_to * guess + sigma_to * (x - alpha * guess) / sigma


# right: exponential form of the paper
def dpm2m_step(x, older, newer, lam):
    def sigma(v):
        return 1 / math.sqrt(1 + math.exp(2 * v))

    h, last = lam[2] - lam[1], lam[1] - lam[0]
    r = last / h
    d = (1 + 1 / (2 * r)) * newer - 1 / (2 * r) * older
    alpha = sigma(-lam[2])
    return sigma(lam[2]) / sigma(lam[1]) * x - alpha * math.expm1(-h) * d


# right: the line as a function of lambda
def dpm2m_step(x, older, newer, lam):
    slope = (newer - older) / (lam[1] - lam[0])
    middle = (lam[1] + lam[2]) / 2
    guess = older + (middle - lam[0]) * slope
    angle_now, angle_to = (math.atan(math.exp(-v)) for v in lam[1:])
    noise = (x - math.cos(angle_now) * guess) / math.sin(angle_now)
    return math.cos(angle_to) * guess + math.sin(angle_to) * noise


# right: torch and float64
def dpm2m_step(x, older, newer, lam):
    v = torch.tensor([float(a) for a in lam], dtype=torch.float64)
    alpha, sigma = torch.sigmoid(2 * v).sqrt(), torch.sigmoid(-2 * v).sqrt()
    w = (v[2] - v[1]) / (v[1] - v[0]) / 2
    guess = torch.lerp(older.double(), newer.double(), 1 + w)
    y = sigma[2] / sigma[1] * (x.double() - alpha[1] * guess) + alpha[2] * guess
    return y.to(x.dtype)


# right: numpy and polyfit's line
def dpm2m_step(x, older, newer, lam):
    values = np.stack([older.numpy().ravel(), newer.numpy().ravel()]).astype(float)
    slope, offset = np.polyfit([lam[0], lam[1]], values, 1)
    guess = torch.from_numpy(slope * (lam[1] + lam[2]) / 2 + offset).view(x.shape).to(x.dtype)
    s = [(1 + math.exp(2 * v)) ** -0.5 for v in lam]
    a = [math.exp(v) * w for v, w in zip(lam, s)]
    return a[2] * guess + s[2] / s[1] * (x - a[1] * guess)


# wrong: extended to the end of the step
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0])
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: equal steps assumed
def dpm2m_step(x, older, newer, lam):
    guess = 1.5 * newer - 0.5 * older
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: ratio upside down
def dpm2m_step(x, older, newer, lam):
    w = (lam[1] - lam[0]) / (lam[2] - lam[1]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: newest guess alone
def dpm2m_step(x, older, newer, lam):
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * newer + s[2] * (x - a[1] * newer) / s[1]


# wrong: mean of the guesses
def dpm2m_step(x, older, newer, lam):
    guess = (newer + older) / 2
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: backwards along the line
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer - w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: older and newer exchanged
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = older + w * (older - newer)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: middle counted from the older guess
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[0]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: lambda is the logarithm of the ratio of squares
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(1.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-1.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: alpha and sigma without the root
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# wrong: the path of EDM, alpha = 1
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    return guess + math.exp(lam[1] - lam[2]) * (x - guess)


# wrong: the straight path, alpha + sigma = 1
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [1 / (1 + math.exp(-v)) for v in lam]
    return a[2] * guess + (1 - a[2]) / (1 - a[1]) * (x - a[1] * guess)


# wrong: step from the older level
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[0] * guess) / s[0]


# wrong: sigma ratio upside down
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return s[1] / s[2] * x - a[2] * math.expm1(lam[1] - lam[2]) * guess


# wrong: alpha of the level left
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return s[2] / s[1] * x - a[1] * math.expm1(lam[1] - lam[2]) * guess


# wrong: sign of the exponential
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return s[2] / s[1] * x + a[2] * math.expm1(lam[2] - lam[1]) * guess


# wrong: noise implied by the newest guess
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    guess = newer + w * (newer - older)
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    return a[2] * guess + s[2] * (x - a[1] * newer) / s[1]


# wrong: the guess
def dpm2m_step(x, older, newer, lam):
    w = (lam[2] - lam[1]) / (lam[1] - lam[0]) / 2
    return newer + w * (newer - older)


# wrong: line over sigma
def dpm2m_step(x, older, newer, lam):
    a = [torch.sigmoid(torch.tensor(2.0 * v)).sqrt().item() for v in lam]
    s = [torch.sigmoid(torch.tensor(-2.0 * v)).sqrt().item() for v in lam]
    w = (s[2] - s[1]) / (s[1] - s[0]) / 2
    guess = newer + w * (newer - older)
    return a[2] * guess + s[2] * (x - a[1] * guess) / s[1]


# exercise: samplers.karras
# right: linspace
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# right: plain Python
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    out = []
    for i in range(n):
        share = i / max(n - 1, 1)
        root = sigma_max ** (1 / rho) + share * (sigma_min ** (1 / rho) - sigma_max ** (1 / rho))
        out.append(root**rho)
    return torch.tensor(out + [0], dtype=torch.float64)


# right: numpy
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    ends = np.power([sigma_max, sigma_min], 1.0 / rho)
    return torch.from_numpy(np.append(np.linspace(*ends, n) ** rho, 0.0))


# right: padded
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    u = torch.arange(n).double() / (n - 1 or 1)
    roots = torch.lerp(
        torch.tensor(sigma_max ** (1 / rho), dtype=torch.float64),
        torch.tensor(sigma_min ** (1 / rho), dtype=torch.float64),
        u,
    )
    return F.pad(roots.pow(rho), (0, 1))


# right: rising, then flipped
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    if n == 1:
        return torch.tensor([sigma_max, 0.0], dtype=torch.float64)
    low, top = (math.exp(math.log(s) / rho) for s in (sigma_min, sigma_max))
    grid = torch.linspace(low, top, n, dtype=torch.float64)
    out = torch.zeros(n + 1, dtype=torch.float64)
    out[:n] = grid.flip(0) ** rho
    return out


# wrong: no 0
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    return torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n).double() ** rho


# wrong: 0 is one of the n
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n - 1, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: n + 1 levels and a 0
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n + 1, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: n levels of n + 1, so that sigma_min is replaced by 0
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n + 1, dtype=torch.float64) ** rho
    grid[-1] = 0
    return grid


# wrong: evenly spaced down to 0
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    return torch.linspace(sigma_max ** (1 / rho), 0, n + 1, dtype=torch.float64) ** rho


# wrong: power rho first, root after
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    grid = torch.linspace(sigma_max**rho, sigma_min**rho, n, dtype=torch.float64) ** (1 / rho)
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: rising
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(low, top, n, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: rho is 7
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / 7), sigma_min ** (1 / 7)
    grid = torch.linspace(top, low, n, dtype=torch.float64) ** 7
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: float32
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    grid = torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: 0 / 0 for one level
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    u = torch.arange(n, dtype=torch.float64) / torch.tensor(n - 1.0)
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = (top + u * (low - top)) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: one level is sigma_min
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(low, top, n, dtype=torch.float64).flip(0) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: divided by n
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    u = torch.arange(n, dtype=torch.float64) / n
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(top + u * (low - top)) ** rho, torch.zeros(1, dtype=torch.float64)])


# wrong: even in the logarithm
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    grid = torch.linspace(math.log(sigma_max), math.log(sigma_min), n, dtype=torch.float64)
    return torch.cat([grid.exp(), grid.new_zeros(1)])


# wrong: even in sigma
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    grid = torch.linspace(sigma_max, sigma_min, n, dtype=torch.float64)
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: power of the share
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    u = torch.linspace(1, 0, n, dtype=torch.float64) ** rho
    grid = sigma_min + u * (sigma_max - sigma_min)
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: roots not raised again
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n, dtype=torch.float64)
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: sigma_min twice, no 0
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n, dtype=torch.float64) ** rho
    return torch.cat([grid, grid[-1:]])


# wrong: 0 in front
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    grid = torch.linspace(top, low, n, dtype=torch.float64) ** rho
    return torch.cat([grid.new_zeros(1), grid])


# wrong: the paper's range
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = 80 ** (1 / rho), 0.002 ** (1 / rho)
    grid = torch.linspace(top, low, n, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# wrong: a list
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    top, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return (torch.linspace(top, low, n, dtype=torch.float64) ** rho).tolist() + [0.0]


# wrong: whole-number root of 1
def karras_sigmas(n, sigma_min, sigma_max, rho=7.0):
    inverse = 1 // rho
    grid = torch.linspace(sigma_max**inverse, sigma_min**inverse, n, dtype=torch.float64) ** rho
    return torch.cat([grid, grid.new_zeros(1)])


# exercise: samplers.guidance
# right: cat and chunk
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return cond + w * (cond - uncond)


# right: without a label first
def guide(x, t, labels, model, null, w):
    b = len(x)
    none = labels.new_full((b,), null)
    y = model(x.repeat(2, *[1] * (x.ndim - 1)), t.repeat(2), torch.cat([none, labels], dim=0))
    return (1 + w) * y[b:] - w * y[:b]


# right: neighbours
def guide(x, t, labels, model, null, w):
    both = labels.repeat_interleave(2)
    both[1::2] = null
    y = model(x.repeat_interleave(2, 0), t.repeat_interleave(2), both)
    return torch.lerp(y[1::2], y[0::2], 1.0 + w)


# right: einsum over the two halves
def guide(x, t, labels, model, null, w):
    pair = torch.stack([labels, torch.full_like(labels, null)])
    y = model(torch.stack([x, x]).flatten(0, 1), torch.stack([t, t]).flatten(), pair.flatten())
    return torch.einsum(
        "s,s...->...", torch.tensor([1.0 + w, -w], dtype=y.dtype), y.unflatten(0, (2, -1))
    )


# right: labels overwritten in a copy
def guide(x, t, labels, model, null, w):
    both = torch.cat((labels, labels))
    both[len(labels) :] = null
    y = model(torch.vstack((x, x)), torch.hstack((t, t)), both)
    with_label, without = y.split(len(x))
    return with_label.mul(1 + w).sub(without.mul(w))


# wrong: convention of 1
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return uncond + w * (cond - uncond)


# wrong: two calls
def guide(x, t, labels, model, null, w):
    cond = model(x, t, labels)
    uncond = model(x, t, torch.full_like(labels, null))
    return (1 + w) * cond - w * uncond


# wrong: halves exchanged
def guide(x, t, labels, model, null, w):
    both = torch.cat([torch.full_like(labels, null), labels])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: sign of the difference
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return cond + w * (uncond - cond)


# wrong: unconditional plus 1 + w of it without the difference
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond + w * uncond


# wrong: unconditional as the base
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return uncond + (w + 1) * cond - w * uncond


# wrong: label 0 means none
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.zeros_like(labels)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: 10 means none
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, 10)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: the label after the last one means none
def guide(x, t, labels, model, null, w):
    none = labels.max() + 1
    both = torch.cat([labels, none.expand(len(labels))])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: interleaved in, halves out
def guide(x, t, labels, model, null, w):
    both = torch.stack([labels, torch.full_like(labels, null)], 1).flatten()
    y = model(x.repeat_interleave(2, 0), t.repeat_interleave(2), both)
    cond, uncond = y.chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: x interleaved, labels in halves
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    y = model(x.repeat_interleave(2, 0), t.repeat_interleave(2), both)
    cond, uncond = y.chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: times interleaved
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), t.repeat_interleave(2), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: caller's labels overwritten
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, labels.fill_(null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: both halves with the label
def guide(x, t, labels, model, null, w):
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, labels])).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: halves along the channels
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    y = model(torch.cat([x, x]), torch.cat([t, t]), both)
    cond, uncond = y[: len(x)], y[: len(x)].flip(0)
    return (1 + w) * cond - w * uncond


# wrong: time of the unconditional half is 0
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    t2 = torch.cat([t, torch.zeros_like(t)])
    cond, uncond = model(torch.cat([x, x]), t2, both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: one call where w is 0, of one size
def guide(x, t, labels, model, null, w):
    if w == 0:
        return model(x, t, torch.full_like(labels, null))
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: divided by 1 + 2 w
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return ((1 + w) * cond - w * uncond) / (1 + 2 * w)


# wrong: both halves guided
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    y = model(torch.cat([x, x]), torch.cat([t, t]), both)
    cond, uncond = y.chunk(2)
    return torch.cat([(1 + w) * cond - w * uncond] * 2)


# wrong: w = 1 is the plain one
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return cond + (w - 1) * (cond - uncond)


# wrong: one time for all
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), t[:1].expand(len(both)), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: negative scales are cut off
def guide(x, t, labels, model, null, w):
    w = max(w, 0.5)
    both = torch.cat([labels, torch.full_like(labels, null)])
    cond, uncond = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
    return (1 + w) * cond - w * uncond


# wrong: the model is called on x alone where w is 0, else on both
def guide(x, t, labels, model, null, w):
    if w == 0:
        return model(x, t, labels)
    cond, uncond = model(x, t, labels), model(x, t, torch.full_like(labels, null))
    return (1 + w) * cond - w * uncond


# wrong: the second half of the batch is noisier
def guide(x, t, labels, model, null, w):
    both = torch.cat([labels, torch.full_like(labels, null)])
    y = model(torch.cat([x, torch.randn_like(x)]), torch.cat([t, t]), both)
    cond, uncond = y.chunk(2)
    return (1 + w) * cond - w * uncond


# exercise: samplers.rescale
# right: flattened
def rescale(cond, guided_, phi):
    ratio = cond.flatten(1).std(1) / guided_.flatten(1).std(1)
    scaled = guided_ * ratio.view(-1, 1, 1, 1)
    return phi * scaled + (1 - phi) * guided_


# right: one factor, biased deviations
def rescale(cond, guided_, phi):
    axes = (1, 2, 3)
    ratio = cond.std(axes, unbiased=False, keepdim=True) / guided_.std(
        axes, unbiased=False, keepdim=True
    )
    return guided_ * torch.lerp(torch.ones_like(ratio), ratio, phi)


# right: example by example
def rescale(cond, guided_, phi):
    rows = []
    for c, g in zip(cond, guided_):
        rows.append(g * (1 + phi * (c.std() / g.std() - 1)))
    return torch.stack(rows)


# right: numpy
def rescale(cond, guided_, phi):
    c, g = cond.double().numpy(), guided_.double().numpy()
    axes = tuple(range(1, c.ndim))
    ratio = c.std(axis=axes, keepdims=True) / g.std(axis=axes, keepdims=True)
    return torch.from_numpy(phi * g * ratio + (1 - phi) * g).to(guided_.dtype)


# right: root of the ratio of variances, einsum
def rescale(cond, guided_, phi):
    ratio = (cond.var(dim=(1, 2, 3)) / guided_.var(dim=(1, 2, 3))).sqrt()
    return torch.einsum("b,bchw->bchw", phi * ratio + (1 - phi), guided_)


# wrong: one deviation for the batch
def rescale(cond, guided_, phi):
    scaled = guided_ * cond.std() / guided_.std()
    return phi * scaled + (1 - phi) * guided_


# wrong: per channel
def rescale(cond, guided_, phi):
    ratio = cond.std((2, 3), keepdim=True) / guided_.std((2, 3), keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * guided_


# wrong: over channels only
def rescale(cond, guided_, phi):
    ratio = cond.std(1, keepdim=True) / guided_.std(1, keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * guided_


# wrong: over the batch
def rescale(cond, guided_, phi):
    ratio = cond.std(0, keepdim=True) / guided_.std(0, keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * guided_


# wrong: variances
def rescale(cond, guided_, phi):
    ratio = cond.var((1, 2, 3), keepdim=True) / guided_.var((1, 2, 3), keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * guided_


# wrong: norms, mean not taken off
def rescale(cond, guided_, phi):
    ratio = cond.flatten(1).norm(dim=1) / guided_.flatten(1).norm(dim=1)
    return guided_ * (phi * ratio + 1 - phi).view(-1, 1, 1, 1)


# wrong: ratio upside down
def rescale(cond, guided_, phi):
    ratio = guided_.std((1, 2, 3), keepdim=True) / cond.std((1, 2, 3), keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * guided_


# wrong: phi the other way
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return (1 - phi) * guided_ * ratio + phi * guided_


# wrong: phi of the paper
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return 0.7 * guided_ * ratio + 0.3 * guided_


# wrong: not mixed
def rescale(cond, guided_, phi):
    return guided_ * cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)


# wrong: mixed with the conditional one
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return phi * guided_ * ratio + (1 - phi) * cond


# wrong: the conditional one is scaled
def rescale(cond, guided_, phi):
    ratio = guided_.std((1, 2, 3), keepdim=True) / cond.std((1, 2, 3), keepdim=True)
    return phi * cond * ratio + (1 - phi) * guided_


# wrong: mean moved to that of the conditional one
def rescale(cond, guided_, phi):
    axes = (1, 2, 3)
    mean, to = guided_.mean(axes, keepdim=True), cond.mean(axes, keepdim=True)
    ratio = cond.std(axes, keepdim=True) / guided_.std(axes, keepdim=True)
    return phi * ((guided_ - mean) * ratio + to) + (1 - phi) * guided_


# wrong: scaled about its own mean
def rescale(cond, guided_, phi):
    axes = (1, 2, 3)
    mean = guided_.mean(axes, keepdim=True)
    ratio = cond.std(axes, keepdim=True) / guided_.std(axes, keepdim=True)
    return phi * ((guided_ - mean) * ratio + mean) + (1 - phi) * guided_


# wrong: deviations mixed by a power
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return guided_ * ratio**phi


# wrong: largest values in place of deviations
def rescale(cond, guided_, phi):
    ratio = cond.abs().amax((1, 2, 3), keepdim=True) / guided_.abs().amax((1, 2, 3), keepdim=True)
    return guided_ * (phi * ratio + 1 - phi)


# wrong: divided by its deviation only
def rescale(cond, guided_, phi):
    scaled = guided_ / guided_.std((1, 2, 3), keepdim=True)
    return phi * scaled + (1 - phi) * guided_


# wrong: scaled down only
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return guided_ * (phi * ratio.clamp(max=1) + 1 - phi)


# wrong: scaled part not weighted
def rescale(cond, guided_, phi):
    ratio = cond.std((1, 2, 3), keepdim=True) / guided_.std((1, 2, 3), keepdim=True)
    return guided_ * ratio + (1 - phi) * guided_


# wrong: the first example's ratio
def rescale(cond, guided_, phi):
    ratio = cond[0].std() / guided_[0].std()
    return guided_ * (phi * ratio + 1 - phi)


# wrong: mean of the channels' deviations
def rescale(cond, guided_, phi):
    def spread(x):
        return x.std((2, 3)).mean(1).view(-1, 1, 1, 1)

    return guided_ * (phi * spread(cond) / spread(guided_) + 1 - phi)
