"Answers to the exercises of diffusion, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: diffusion.one_step
# right: in place on a copy
def noising_step(x, eps, beta):
    out = x.clone()
    out.mul_(math.sqrt(1 - beta)).add_(eps, alpha=math.sqrt(beta))
    return out


# right: numpy roots
def noising_step(x, eps, beta):
    return float(np.sqrt(1 - beta)) * x + float(np.sqrt(beta)) * eps


# right: float64 inside
def noising_step(x, eps, beta):
    out = (1 - beta) ** 0.5 * x.double() + beta**0.5 * eps.double()
    return out.to(x.dtype)


# right: einsum over both parts
def noising_step(x, eps, beta):
    shares = torch.tensor([1 - beta, beta]).sqrt()
    return torch.einsum("k,k...->...", shares, torch.stack([x, eps]))


# right: a loop over the rows
def noising_step(x, eps, beta):
    alpha = 1 - beta
    return torch.stack([alpha**0.5 * a + (1 - alpha) ** 0.5 * b for a, b in zip(x, eps)])


# wrong: shares, no roots
def noising_step(x, eps, beta):
    return (1 - beta) * x + beta * eps


# wrong: roots exchanged
def noising_step(x, eps, beta):
    return beta**0.5 * x + (1 - beta) ** 0.5 * eps


# wrong: root of the noise forgotten
def noising_step(x, eps, beta):
    return (1 - beta) ** 0.5 * x + beta * eps


# wrong: root of the data forgotten
def noising_step(x, eps, beta):
    return (1 - beta) * x + beta**0.5 * eps


# wrong: nothing taken away
def noising_step(x, eps, beta):
    return x + beta**0.5 * eps


# wrong: beta squared
def noising_step(x, eps, beta):
    return (1 - beta**2) ** 0.5 * x + beta * eps


# wrong: minus the noise twice
def noising_step(x, eps, beta):
    return (1 - beta) ** 0.5 * x - beta**0.5 * eps


# wrong: noise of its own
def noising_step(x, eps, beta):
    return (1 - beta) ** 0.5 * x + beta**0.5 * torch.randn_like(x)


# wrong: divided by the root of the sum of squares
def noising_step(x, eps, beta):
    out = (1 - beta) * x + beta * eps
    return out / out.std()


# wrong: root over the whole
def noising_step(x, eps, beta):
    return ((1 - beta) * x + beta * eps).abs() ** 0.5


# wrong: one minus the root
def noising_step(x, eps, beta):
    return (1 - beta**0.5) * x + beta**0.5 * eps


# exercise: diffusion.whole_times
# right: reshape and exp2
def noised(x, t, eps):
    t = t.to(x.dtype) if isinstance(t, torch.Tensor) else torch.full((len(x),), float(t))
    kept = torch.exp2(-t).reshape(-1, 1)
    return kept.sqrt() * x + (1 - kept).sqrt() * eps


# right: a loop over the rows
def noised(x, t, eps):
    out = []
    for i in range(len(x)):
        s = float(t[i]) if torch.is_tensor(t) else float(t)
        beta = 1 - 2.0 ** (-s)
        out.append((1 - beta) ** 0.5 * x[i] + beta**0.5 * eps[i])
    return torch.stack(out)


# right: numpy
def noised(x, t, eps):
    t = np.asarray(t, dtype=np.float64)
    beta = np.broadcast_to(1 - 2.0 ** (-t), (len(x),))[:, None]
    out = np.sqrt(1 - beta) * x.numpy() + np.sqrt(beta) * eps.numpy()
    return torch.from_numpy(out.astype(np.float32))


# right: einsum
def noised(x, t, eps):
    t = torch.as_tensor(t).float().expand(len(x))
    beta = 1 - 0.5**t
    return torch.einsum("b,bd->bd", (1 - beta).sqrt(), x) + torch.einsum(
        "b,bd->bd", beta.sqrt(), eps
    )


# right: double and expm1
def noised(x, t, eps):
    t = torch.as_tensor(t, dtype=torch.float64).reshape(-1, 1) * math.log(2)
    return ((-t / 2).exp() * x + (-torch.expm1(-t)).sqrt() * eps).float()


# wrong: a tensor of the same kind of number
def noised(x, t, eps):
    t = torch.as_tensor(t).view(-1, 1)
    beta = 1 - 2 ** (-t)
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: floats, but along the columns
def noised(x, t, eps):
    beta = 1 - 2 ** (-torch.as_tensor(t).float())
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: math.sqrt for numbers only
def noised(x, t, eps):
    beta = 1 - 2 ** (-t)
    return math.sqrt(1 - beta) * x + math.sqrt(beta) * eps


# wrong: the power after the conversion
def noised(x, t, eps):
    beta = torch.as_tensor(1 - 2 ** (-t)).float().view(-1, 1)
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: whole steps
def noised(x, t, eps):
    beta = 1 - 2.0 ** -torch.as_tensor(t).long().view(-1, 1)
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: the first step for all rows
def noised(x, t, eps):
    s = float(t[0]) if torch.is_tensor(t) else float(t)
    beta = 1 - 2.0**-s
    return (1 - beta) ** 0.5 * x + beta**0.5 * eps


# wrong: the mean step for all rows
def noised(x, t, eps):
    beta = 1 - 2 ** -torch.as_tensor(t).float().mean()
    return (1 - beta).sqrt() * x + beta.sqrt() * eps


# wrong: powers of e
def noised(x, t, eps):
    beta = 1 - torch.exp(-torch.as_tensor(t).float().view(-1, 1))
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: no roots
def noised(x, t, eps):
    beta = 1 - 2 ** (-torch.as_tensor(t).float().view(-1, 1))
    return (1 - beta) * x + beta * eps


# wrong: only tensors
def noised(x, t, eps):
    beta = 1 - 2 ** (-t.float()[:, None])
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: exchanged
def noised(x, t, eps):
    beta = 2 ** (-torch.as_tensor(t).float().view(-1, 1))
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# wrong: clamped away from 0
def noised(x, t, eps):
    beta = (1 - 2 ** (-torch.as_tensor(t).float().view(-1, 1))).clamp(0.01, 0.9)
    return torch.sqrt(1 - beta) * x + torch.sqrt(beta) * eps


# exercise: diffusion.table
# right: numpy
def table(betas):
    bar = np.cumprod(1 - np.asarray(betas, dtype=np.float64))
    return torch.from_numpy(bar), torch.from_numpy(np.concatenate([[1.0], bar[:-1]]))


# right: logarithms
def table(betas):
    logs = torch.log1p(-torch.as_tensor(betas, dtype=torch.float64)).cumsum(0)
    before = torch.zeros_like(logs)
    before[1:] = logs[:-1]
    return logs.exp(), before.exp()


# right: padded
def table(betas):
    b = torch.tensor([float(v) for v in betas], dtype=torch.float64)
    whole = F.pad((1 - b).cumprod(0), (1, 0), value=1.0)
    return [whole[1:], whole[:-1]]


# right: products of slices
def table(betas):
    a = [1 - float(b) for b in betas]
    bar = [math.prod(a[: i + 1]) for i in range(len(a))]
    before = torch.tensor([1.0, *bar[:-1]], dtype=torch.float64)
    return torch.tensor(bar, dtype=torch.float64), before


# right: rolled
def table(betas):
    bar = torch.cumprod(1 - torch.as_tensor(betas, dtype=torch.float64), dim=0)
    before = bar.roll(1)
    before[0] = 1
    return bar, before


# wrong: float32
def table(betas):
    bar = torch.cumprod(1 - torch.as_tensor(betas), dim=0)
    return bar, torch.cat([torch.ones(1), bar[:-1]])


# wrong: widened at the end
def table(betas):
    bar = torch.cumprod(1 - torch.as_tensor(betas, dtype=torch.float32), dim=0).double()
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: a list made a tensor first
def table(betas):
    bar = torch.cumprod(1 - torch.as_tensor(betas).double(), dim=0)
    before = torch.cat([torch.ones(1), bar[:-1]])
    return bar.float(), before.float()


# wrong: a sum
def table(betas):
    bar = 1 - torch.as_tensor(betas, dtype=torch.float64).cumsum(0)
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: product of the betas
def table(betas):
    bar = torch.as_tensor(betas, dtype=torch.float64).cumprod(0)
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: the complement
def table(betas):
    bar = 1 - (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: roots
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).sqrt().cumprod(0)
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: one entry too many
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return bar, torch.cat([torch.ones(1).double(), bar])


# wrong: before starts with zero
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return bar, torch.cat([torch.zeros(1).double(), bar[:-1]])


# wrong: rolled without a one
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return bar, bar.roll(1)


# wrong: the alphas
def table(betas):
    alpha = 1 - torch.as_tensor(betas, dtype=torch.float64)
    return alpha, torch.cat([torch.ones(1).double(), alpha[:-1]])


# wrong: order of the two
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return torch.cat([torch.ones(1).double(), bar[:-1]]), bar


# wrong: from the end
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).flip(0).cumprod(0).flip(0)
    return bar, torch.cat([torch.ones(1).double(), bar[:-1]])


# wrong: stacked into one
def table(betas):
    bar = (1 - torch.as_tensor(betas, dtype=torch.float64)).cumprod(0)
    return torch.stack([bar, torch.cat([torch.ones(1).double(), bar[:-1]])])[0]


# exercise: diffusion.add_noise
# right: einsum
def add_noise(x_0, t, alphas_bar):
    eps = torch.randn(x_0.shape)
    bar = alphas_bar[t].to(x_0.dtype)
    a = torch.einsum("b,bchw->bchw", bar.sqrt(), x_0)
    return a + torch.einsum("b,bchw->bchw", (1 - bar).sqrt(), eps), eps


# right: in place on copies
def add_noise(x_0, t, alphas_bar):
    eps = torch.empty_like(x_0).normal_()
    x_t = x_0.clone()
    for i, k in enumerate(t.tolist()):
        x_t[i] *= math.sqrt(float(alphas_bar[k]))
        x_t[i] += math.sqrt(1 - float(alphas_bar[k])) * eps[i]
    return x_t, eps


# right: float64 to the end
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar.gather(0, t)[:, None, None, None]
    eps = torch.randn_like(x_0)
    x_t = bar.sqrt() * x_0.double() + (1 - bar).sqrt() * eps.double()
    return x_t.to(x_0.dtype), eps


# right: numpy noise
def add_noise(x_0, t, alphas_bar):
    eps = torch.from_numpy(np.random.randn(*x_0.shape)).to(x_0)
    a = alphas_bar.sqrt()[t].float().reshape(-1, 1, 1, 1)
    b = (1 - alphas_bar).sqrt()[t].float().reshape(-1, 1, 1, 1)
    return [a * x_0 + b * eps, eps]


# right: torch.normal
def add_noise(x_0, t, alphas_bar):
    eps = torch.normal(torch.zeros_like(x_0), torch.ones_like(x_0))
    bar = alphas_bar[t].float().unflatten(0, (-1, 1, 1, 1))
    return torch.addcmul(bar.sqrt() * x_0, (1 - bar).sqrt(), eps), eps


# wrong: no roots
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype)
    eps = torch.randn_like(x_0)
    return bar * x_0 + (1 - bar) * eps, eps


# wrong: along the width
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].to(x_0.dtype)
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: along the channels
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(1, -1, 1, 1).to(x_0.dtype)
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: only x_t
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * torch.randn_like(x_0)


# wrong: another noise returned
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype)
    x_t = bar.sqrt() * x_0 + (1 - bar).sqrt() * torch.randn_like(x_0)
    return x_t, torch.randn_like(x_0)


# wrong: the scaled noise returned
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype)
    noise = (1 - bar).sqrt() * torch.randn_like(x_0)
    return bar.sqrt() * x_0 + noise, noise


# wrong: order of the two
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).to(x_0.dtype)
    eps = torch.randn_like(x_0)
    return eps, bar.sqrt() * x_0 + (1 - bar).sqrt() * eps


# wrong: float64 comes out
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1)
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: uniform noise
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).float()
    eps = 2 * torch.rand_like(x_0) - 1
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: uniform noise of variance one
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).float()
    eps = (2 * torch.rand_like(x_0) - 1) * 3**0.5
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: one noise for all channels
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).float()
    eps = torch.randn_like(x_0[:, :1]).expand_as(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: one noise for all images
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t].view(-1, 1, 1, 1).float()
    eps = torch.randn(x_0.shape[1:]).expand_as(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: the time of the first image
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t[0]].float()
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: product of the table once more
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar.cumprod(0)[t].view(-1, 1, 1, 1).float()
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: seeded
def add_noise(x_0, t, alphas_bar):
    torch.manual_seed(0)
    bar = alphas_bar[t].view(-1, 1, 1, 1).float()
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# wrong: off by one step
def add_noise(x_0, t, alphas_bar):
    bar = alphas_bar[t - 1].view(-1, 1, 1, 1).float()
    eps = torch.randn_like(x_0)
    return bar.sqrt() * x_0 + (1 - bar).sqrt() * eps, eps


# exercise: diffusion.undo
# right: torch.where
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    if not clip:
        return x_0
    x_0 = torch.where(x_0 > 1, torch.ones_like(x_0), x_0)
    return torch.where(x_0 < -1, -torch.ones_like(x_0), x_0)


# right: a loop over the rows
def estimate(x_t, eps, root, rest, clip=False):
    rows = [(x - float(b) * e) / float(a) for x, e, a, b in zip(x_t, eps, root, rest)]
    out = torch.stack(rows)
    return out.clamp(min=-1, max=1) if clip else out


# right: numpy
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t.numpy() - rest.numpy() * eps.numpy()) / root.numpy()
    return torch.from_numpy(np.clip(x_0, -1, 1) if clip else x_0)


# right: float64 and in place on a copy
def estimate(x_t, eps, root, rest, clip=False):
    out = x_t.double().clone()
    out -= rest.double() * eps.double()
    out /= root.double()
    if clip:
        out.clip_(-1, 1)
    return out.float()


# right: hardtanh
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = torch.addcmul(x_t, rest, eps, value=-1).div(root)
    return F.hardtanh(x_0) if clip is True else x_0


# wrong: always limited
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0.clip(-1, 1)


# wrong: never limited
def estimate(x_t, eps, root, rest, clip=False):
    return (x_t - rest * eps) / root


# wrong: limited when not asked
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0 if clip else x_0.clip(-1, 1)


# wrong: limited by default
def estimate(x_t, eps, root, rest, clip=True):
    x_0 = (x_t - rest * eps) / root
    return x_0.clip(-1, 1) if clip else x_0


# wrong: limited to [0, 1]
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0.clip(0, 1) if clip else x_0


# wrong: plus
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t + rest * eps) / root
    return x_0.clip(-1, 1) if clip else x_0


# wrong: root and rest exchanged
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - root * eps) / rest
    return x_0.clip(-1, 1) if clip else x_0


# wrong: not divided
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = x_t - rest * eps
    return x_0.clip(-1, 1) if clip else x_0


# wrong: multiplied
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) * root
    return x_0.clip(-1, 1) if clip else x_0


# wrong: precedence
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = x_t - rest * eps / root
    return x_0.clip(-1, 1) if clip else x_0


# wrong: divided by alpha_bar
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root**2
    return x_0.clip(-1, 1) if clip else x_0


# wrong: scaled by the largest value
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0 / x_0.abs().max() if clip else x_0


# wrong: tanh
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return torch.tanh(x_0) if clip else x_0


# wrong: limited from above only
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0.clip(max=1) if clip else x_0


# wrong: clip as the limit
def estimate(x_t, eps, root, rest, clip=False):
    x_0 = (x_t - rest * eps) / root
    return x_0.clip(-float(clip), float(clip))


# exercise: diffusion.velocity
# right: complex numbers
def from_velocity(v, x_t, alpha, sigma):
    z = torch.complex(x_t, v) / torch.complex(alpha, -sigma)
    return z.real, z.imag


# right: einsum with a matrix
def from_velocity(v, x_t, alpha, sigma):
    n = alpha[:, 0] ** 2 + sigma[:, 0] ** 2
    turn = torch.stack([alpha[:, 0], -sigma[:, 0], sigma[:, 0], alpha[:, 0]], 1).view(-1, 2, 2)
    both = torch.einsum("bij,bjd->bid", turn / n[:, None, None], torch.stack([x_t, v], 1))
    return both[:, 0], both[:, 1]


# right: a loop over the rows
def from_velocity(v, x_t, alpha, sigma):
    data, noise = [], []
    for a, s, y, w in zip(alpha.flatten().tolist(), sigma.flatten().tolist(), x_t, v):
        data.append((a * y - s * w) / (a * a + s * s))
        noise.append((s * y + a * w) / (a * a + s * s))
    return torch.stack(data), torch.stack(noise)


# right: numpy inverse in float64
def from_velocity(v, x_t, alpha, sigma):
    a, s = alpha.numpy().astype(float), sigma.numpy().astype(float)
    m = np.stack([np.concatenate([a, s], 1), np.concatenate([-s, a], 1)], 1)
    out = np.linalg.inv(m) @ np.stack([x_t.numpy(), v.numpy()], 1)
    return torch.tensor(out[:, 0]).float(), torch.tensor(out[:, 1]).float()


# right: a list, through the angle
def from_velocity(v, x_t, alpha, sigma):
    angle, r = torch.atan2(sigma, alpha), torch.hypot(alpha, sigma)
    return [
        (angle.cos() * x_t - angle.sin() * v) / r,
        (angle.sin() * x_t + angle.cos() * v) / r,
    ]


# wrong: variance kept
def from_velocity(v, x_t, alpha, sigma):
    return alpha * x_t - sigma * v, sigma * x_t + alpha * v


# wrong: the root of the sum of squares
def from_velocity(v, x_t, alpha, sigma):
    n = (alpha**2 + sigma**2).sqrt()
    return (alpha * x_t - sigma * v) / n, (sigma * x_t + alpha * v) / n


# wrong: eps from x_t by sigma
def from_velocity(v, x_t, alpha, sigma):
    x_0 = (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)
    return x_0, (x_t - alpha * x_0) / sigma


# wrong: eps by alpha
def from_velocity(v, x_t, alpha, sigma):
    x_0 = (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)
    return x_0, (v + sigma * x_0) / alpha


# wrong: a small number in the division
def from_velocity(v, x_t, alpha, sigma):
    eps = (sigma * x_t + alpha * v) / (alpha**2 + sigma**2)
    return (x_t - sigma * eps) / (alpha + 1e-8), eps


# wrong: sign of v
def from_velocity(v, x_t, alpha, sigma):
    n = alpha**2 + sigma**2
    return (alpha * x_t + sigma * v) / n, (sigma * x_t - alpha * v) / n


# wrong: exchanged
def from_velocity(v, x_t, alpha, sigma):
    n = alpha**2 + sigma**2
    return (sigma * x_t + alpha * v) / n, (alpha * x_t - sigma * v) / n


# wrong: straight path only
def from_velocity(v, x_t, alpha, sigma):
    return x_t - sigma * v, x_t + alpha * v


# wrong: divided by the sum
def from_velocity(v, x_t, alpha, sigma):
    n = alpha + sigma
    return (alpha * x_t - sigma * v) / n, (sigma * x_t + alpha * v) / n


# wrong: x_0 alone
def from_velocity(v, x_t, alpha, sigma):
    return (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)


# wrong: only x_0 divided
def from_velocity(v, x_t, alpha, sigma):
    return (alpha * x_t - sigma * v) / (alpha**2 + sigma**2), sigma * x_t + alpha * v


# wrong: nan made zero
def from_velocity(v, x_t, alpha, sigma):
    x_0 = (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)
    return x_0, ((x_t - alpha * x_0) / sigma).nan_to_num(0.0)


# wrong: normed by the first row
def from_velocity(v, x_t, alpha, sigma):
    n = alpha[0] ** 2 + sigma[0] ** 2
    return (alpha * x_t - sigma * v) / n, (sigma * x_t + alpha * v) / n


# exercise: diffusion.posterior
# right: precisions
def posterior(x_0, x_t, t, betas):
    if t == 1:
        return float(x_0), 0.0
    before = np.prod([1 - b for b in betas[: t - 1]])
    a = 1 - betas[t - 1]
    precision = 1 / (1 - before) + a / (1 - a)
    mean = (before**0.5 * x_0 / (1 - before) + a**0.5 * x_t / (1 - a)) / precision
    return mean, 1 / precision


# right: tensors of float64
def posterior(x_0, x_t, t, betas):
    b = torch.tensor(betas, dtype=torch.float64)
    bar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - b).cumprod(0)])
    beta, before, now = b[t - 1], bar[t - 1], bar[t]
    mean = before.sqrt() * beta * x_0 + (1 - beta).sqrt() * (1 - before) * x_t
    return (mean / (1 - now)).item(), (beta * (1 - before) / (1 - now)).item()


# right: a loop and the gain of a Kalman filter
def posterior(x_0, x_t, t, betas):
    mean, variance = x_0, 0.0
    for b in betas[: t - 1]:
        mean, variance = (1 - b) ** 0.5 * mean, (1 - b) * variance + b
    root, b = (1 - betas[t - 1]) ** 0.5, betas[t - 1]
    gain = variance * root / (root**2 * variance + b)
    return mean + gain * (x_t - root * mean), (1 - gain * root) * variance


# right: numpy numbers
def posterior(x_0, x_t, t, betas):
    bar = np.cumprod(np.concatenate([[1.0], 1 - np.array(betas)]))
    beta = betas[t - 1]
    c_0 = np.sqrt(bar[t - 1]) * beta / (1 - bar[t])
    c_t = np.sqrt(1 - beta) * (1 - bar[t - 1]) / (1 - bar[t])
    return c_0 * x_0 + c_t * x_t, beta * (1 - bar[t - 1]) / (1 - bar[t])


# wrong: variance beta
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, beta


# wrong: standard deviation
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, (beta * (1 - before) / (1 - bar)) ** 0.5


# wrong: t counted from 0
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[:t]), betas[min(t, len(betas) - 1)]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, beta * (1 - before) / (1 - bar)


# wrong: exchanged
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_t + (1 - beta) ** 0.5 * (1 - before) * x_0) / (1 - bar)
    return mean, beta * (1 - before) / (1 - bar)


# wrong: no roots
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before * beta * x_0 + (1 - beta) * (1 - before) * x_t) / (1 - bar)
    return mean, beta * (1 - before) / (1 - bar)


# wrong: root of bar in place of before
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (bar**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, beta * (1 - before) / (1 - bar)


# wrong: the inverse of the variance
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, beta * (1 - bar) / (1 - before + 1e-20) if t > 1 else 0.0


# wrong: the mean of the marginal
def posterior(x_0, x_t, t, betas):
    before = math.prod(1 - b for b in betas[: t - 1])
    return before**0.5 * x_0, 1 - before


# wrong: the step backwards without x_0
def posterior(x_0, x_t, t, betas):
    beta = betas[t - 1]
    return x_t / (1 - beta) ** 0.5, beta


# wrong: precisions, so no answer at 1
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    precision = 1 / (1 - before) + (1 - beta) / beta
    mean = (before**0.5 * x_0 / (1 - before) + (1 - beta) ** 0.5 * x_t / beta) / precision
    return mean, 1 / precision


# wrong: a sum of betas
def posterior(x_0, x_t, t, betas):
    before, beta = 1 - sum(betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (abs(before) ** 0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, beta * (1 - before) / (1 - bar)


# wrong: the mean alone
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    return (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)


# wrong: variance kept above 0
def posterior(x_0, x_t, t, betas):
    before, beta = math.prod(1 - b for b in betas[: t - 1]), betas[t - 1]
    bar = before * (1 - beta)
    mean = (before**0.5 * beta * x_0 + (1 - beta) ** 0.5 * (1 - before) * x_t) / (1 - bar)
    return mean, max(beta * (1 - before) / (1 - bar), 1e-3)


# exercise: diffusion.min_snr
# right: torch.minimum
def min_snr_weight(snr, kind, gamma=5.0):
    small = torch.minimum(snr, torch.full_like(snr, gamma))
    if kind == "x0":
        return small
    if kind == "eps":
        return small / snr
    if kind == "v":
        return small / (snr + 1)
    raise ValueError(kind)


# right: a loop over numbers
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(f"unknown kind {kind}")
    out = []
    for s in snr.tolist():
        below = 1.0 if kind == "x0" else s if kind == "eps" else s + 1
        out.append(min(s, gamma) / below)
    return torch.tensor(out)


# right: match and numpy
def min_snr_weight(snr, kind, gamma=5.0):
    s = snr.numpy().astype(np.float64)
    divisors = dict(x0=np.ones_like(s), eps=s, v=1 + s)
    try:
        return torch.from_numpy(np.minimum(s, gamma) / divisors[kind])
    except KeyError:
        raise ValueError("kind must be x0, eps or v") from None


# right: an error class below ValueError
class UnknownKind(ValueError):
    "Another kind."


def min_snr_weight(snr, kind, gamma=5.0):
    if kind == "eps":
        return (gamma / snr).clamp(max=1)
    if kind == "v":
        return snr.clip(max=gamma) / (snr + 1)
    if kind != "x0":
        raise UnknownKind(kind)
    return snr.clip(max=gamma)


# right: in place on a copy
def min_snr_weight(snr, kind, gamma=5.0):
    w = snr.double().clone()
    w[w > gamma] = gamma
    if kind == "x0":
        return w
    if kind in ("eps", "v"):
        w /= snr + (kind == "v")
        return w
    raise ValueError(f"{kind!r}")


# wrong: clamp from below
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    return snr.clamp(min=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


# wrong: v as eps
def min_snr_weight(snr, kind, gamma=5.0):
    limited = snr.clamp(max=gamma)
    if kind == "x0":
        return limited
    if kind in ("eps", "v"):
        return limited / snr
    raise ValueError(kind)


# wrong: anything else is v
def min_snr_weight(snr, kind, gamma=5.0):
    limited = snr.clamp(max=gamma)
    if kind == "x0":
        return limited
    if kind == "eps":
        return limited / snr
    return limited / (snr + 1)


# wrong: KeyError
def min_snr_weight(snr, kind, gamma=5.0):
    return snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


# wrong: an assertion
def min_snr_weight(snr, kind, gamma=5.0):
    assert kind in ("x0", "eps", "v")
    return snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


# wrong: None for another kind
def min_snr_weight(snr, kind, gamma=5.0):
    limited = snr.clamp(max=gamma)
    if kind == "x0":
        return limited
    if kind == "eps":
        return limited / snr
    if kind == "v":
        return limited / (snr + 1)


# wrong: gamma is 5 whatever is given
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    return snr.clamp(max=5.0) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


# wrong: another default
def min_snr_weight(snr, kind, gamma=1.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    return snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]


# wrong: x0 and eps exchanged
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    return snr.clamp(max=gamma) / {"x0": snr, "eps": 1, "v": snr + 1}[kind]


# wrong: the denominator is limited too
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    snr = snr.clamp(max=gamma)
    return snr / {"x0": torch.ones_like(snr), "eps": snr, "v": snr + 1}[kind]


# wrong: one number for all
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    return (snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]).mean()


# wrong: normed to mean one
def min_snr_weight(snr, kind, gamma=5.0):
    if kind not in ("x0", "eps", "v"):
        raise ValueError(kind)
    w = snr.clamp(max=gamma) / {"x0": 1, "eps": snr, "v": snr + 1}[kind]
    return w / w.mean()


# exercise: diffusion.time_waves
# right: a loop in Python
def time_waves(t, dim, scale=1000.0):
    half, rows = dim // 2, []
    for s in t.tolist():
        angles = [scale * s * 10000 ** (-i / half) for i in range(half)]
        rows.append([math.cos(a) for a in angles] + [math.sin(a) for a in angles])
    return torch.tensor(rows)


# right: outer product in float64
def time_waves(t, dim, scale=1000.0):
    f = torch.logspace(0, -4, dim // 2 + 1, dtype=torch.float64)[:-1]
    angle = torch.outer(scale * t.double(), f)
    return torch.hstack([torch.cos(angle), torch.sin(angle)]).float()


# right: numpy
def time_waves(t, dim, scale=1000.0):
    half = dim // 2
    angle = scale * np.outer(t.numpy(), np.exp(-np.log(10000) * np.arange(half) / half))
    return torch.from_numpy(np.concatenate([np.cos(angle), np.sin(angle)], 1)).to(t.dtype)


# right: einsum, filled in place
def time_waves(t, dim, scale=1000.0):
    f = 10000 ** (-torch.arange(0, dim, 2) / dim)
    angle = torch.einsum("b,f->bf", t * scale, f)
    out = torch.empty(len(t), dim)
    out[:, : dim // 2] = angle.cos()
    out[:, dim // 2 :] = angle.sin()
    return out


# wrong: sines first
def time_waves(t, dim, scale=1000.0):
    f = 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    angle = scale * t[:, None] * f
    return torch.cat([angle.sin(), angle.cos()], 1)


# wrong: in turns
def time_waves(t, dim, scale=1000.0):
    f = 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    angle = scale * t[:, None] * f
    out = torch.zeros(len(t), dim)
    out[:, 0::2], out[:, 1::2] = angle.cos(), angle.sin()
    return out


# wrong: no scale
def time_waves(t, dim, scale=1000.0):
    angle = t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: the scale is 1000 whatever is given
def time_waves(t, dim, scale=1000.0):
    angle = 1000.0 * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: the last frequency is 1 / 10000
def time_waves(t, dim, scale=1000.0):
    f = torch.logspace(0, -4, dim // 2)
    angle = scale * t[:, None] * f
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: exponents over dim
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / dim)
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: frequencies rise
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * 10000 ** (torch.arange(dim // 2) / (dim // 2))
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: whole numbers in the exponent
def time_waves(t, dim, scale=1000.0):
    f = 10000.0 ** (-(torch.arange(dim // 2) // (dim // 2)))
    angle = scale * t[:, None] * f
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: falling in a line
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * torch.linspace(1, 1e-4, dim // 2)
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: with two pi
def time_waves(t, dim, scale=1000.0):
    f = 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    angle = 2 * math.pi * scale * t[:, None] * f
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: times across
def time_waves(t, dim, scale=1000.0):
    f = 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    angle = scale * t * f[:, None]
    return torch.cat([angle.cos(), angle.sin()], 0)


# wrong: base 1000
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * 1000 ** (-torch.arange(dim // 2) / (dim // 2))
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: twice as wide
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * 10000 ** (-torch.arange(dim) / dim)
    return torch.cat([angle.cos(), angle.sin()], 1)


# wrong: cosines twice
def time_waves(t, dim, scale=1000.0):
    angle = scale * t[:, None] * 10000 ** (-torch.arange(dim // 2) / (dim // 2))
    return torch.cat([angle.cos(), angle.cos()], 1)


# exercise: diffusion.zero_terminal
# right: a loop
def zero_terminal(betas):
    roots, left = [], 1.0
    for b in betas.tolist():
        left *= 1 - b
        roots.append(left**0.5)
    factor = roots[0] / (roots[0] - roots[-1])
    bars = [1.0] + [((r - roots[-1]) * factor) ** 2 for r in roots]
    return torch.tensor([1 - b / a for a, b in zip(bars, bars[1:])], dtype=torch.float64)


# right: numpy
def zero_terminal(betas):
    root = np.sqrt(np.cumprod(1 - betas.numpy()))
    new = np.interp(root, [root[-1], root[0]], [0.0, root[0]])
    alpha = np.concatenate([new[:1] ** 2, new[1:] ** 2 / new[:-1] ** 2])
    return torch.from_numpy(1 - alpha)


# right: in place on copies
def zero_terminal(betas):
    root = torch.cumprod(1.0 - betas, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    root -= last
    root *= first / (first - last)
    bar = root**2
    alpha = bar[1:] / bar[:-1]
    return 1 - torch.cat([bar[0:1], alpha])


# right: ratios of the roots
def zero_terminal(betas):
    root = (1 - betas).sqrt().cumprod(0)
    root = torch.lerp(-root[-1] * 0, root[0], (root - root[-1]) / (root[0] - root[-1]))
    before = F.pad(root[:-1], (1, 0), value=1.0)
    return 1 - (root / before).square()


# wrong: only shifted
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    bar = (root - root[-1]) ** 2
    return 1 - bar / F.pad(bar[:-1], (1, 0), value=1.0)


# wrong: stretched to one
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    bar = ((root - root[-1]) / (root[0] - root[-1])) ** 2
    return 1 - bar / F.pad(bar[:-1], (1, 0), value=1.0)


# wrong: alpha_bar itself shifted
def zero_terminal(betas):
    bar = (1 - betas).cumprod(0)
    bar = (bar - bar[-1]) * bar[0] / (bar[0] - bar[-1])
    return 1 - bar / F.pad(bar[:-1], (1, 0), value=1.0)


# wrong: the last beta set to one
def zero_terminal(betas):
    out = betas.clone()
    out[-1] = 1
    return out


# wrong: betas scaled to end at one
def zero_terminal(betas):
    return betas / betas[-1]


# wrong: not squared
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return 1 - root / F.pad(root[:-1], (1, 0), value=1.0)


# wrong: alpha_bar returned
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


# wrong: alphas returned
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return bar / F.pad(bar[:-1], (1, 0), value=1.0)


# wrong: one minus alpha_bar
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    return 1 - ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


# wrong: the first ratio lost
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return 1 - bar[1:] / bar[:-1]


# wrong: ratios upside down
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return 1 - F.pad(bar[:-1], (1, 0), value=1.0) / bar.clamp(min=1e-12)


# wrong: a smallest value kept
def zero_terminal(betas):
    root = (1 - betas).cumprod(0).sqrt()
    root = ((root - root[-1]) * root[0] / (root[0] - root[-1])).clamp(min=1e-3)
    return 1 - (root / F.pad(root[:-1], (1, 0), value=1.0)) ** 2


# wrong: the roots of the betas
def zero_terminal(betas):
    root = betas.sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root**2


# exercise: diffusion.training_step
# right: einsum
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    x_t = torch.einsum("b,bchw->bchw", 1 - t, x_0) + torch.einsum("b,bchw->bchw", t, eps)
    gap = model(x_t, t) - eps
    return torch.einsum("bchw,bchw->", gap, gap) / gap.numel()


# right: a loop over the batch
def loss(model, x_0):
    t, eps = torch.empty(x_0.shape[0]).uniform_(), torch.empty_like(x_0).normal_()
    x_t = x_0.clone()
    for i in range(len(x_0)):
        x_t[i] += t[i] * (eps[i] - x_0[i])
    return nn.MSELoss()(model(x_t, t), eps)


# right: numpy draws
def loss(model, x_0):
    t = torch.from_numpy(np.random.uniform(size=len(x_0))).float()
    eps = torch.from_numpy(np.random.standard_normal(x_0.shape)).float()
    s = t[:, None, None, None]
    return (eps - model(x_0 * (1 - s) + s * eps, t)).pow(2).mean()


# right: mean over each image first, in float64
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn(x_0.size())
    x_t = torch.lerp(x_0, eps, t.reshape(-1, 1, 1, 1))
    return (model(x_t, t).double() - eps.double()).square().flatten(1).mean(1).mean()


# right: torch.distributions
def loss(model, x_0):
    t = torch.distributions.Uniform(0.0, 1.0).sample((len(x_0),))
    eps = torch.distributions.Normal(0.0, 1.0).sample(x_0.shape)
    s = t.view(len(x_0), *[1] * (x_0.ndim - 1))
    return F.mse_loss(model(s * eps + (1 - s) * x_0, t), eps, reduction="sum") / x_0.numel()


# right: stratified times
def loss(model, x_0):
    n = len(x_0)
    t = ((torch.randperm(n) + torch.rand(n)) / n).clamp(max=1 - 1e-7)
    eps = torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: the root of the loss
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps).sqrt()


# wrong: absolute error
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.l1_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: Huber
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.huber_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: logit-normal times
def loss(model, x_0):
    t, eps = torch.randn(len(x_0)).sigmoid(), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: squared times
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)) ** 2, torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: one noise for the batch
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0[:1]).expand_as(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: uniform noise of variance one
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), (torch.rand_like(x_0) - 0.5) * 12**0.5
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: one time for the batch
def loss(model, x_0):
    t, eps = torch.rand(1).expand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: the flow as the target
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps - x_0)


# wrong: the path the other way round
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model(s * x_0 + (1 - s) * eps, t), eps)


# wrong: times of whole thousandths told
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, (1000 * t).long()), eps)


# wrong: no time told
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, torch.zeros(len(x_0))), eps)


# wrong: roots on the path
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s).sqrt() * x_0 + s.sqrt() * eps, t), eps)


# wrong: weighted by time
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return (2 * s * (model((1 - s) * x_0 + s * eps, t) - eps).square()).mean()


# wrong: a sum over each image
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return (model((1 - s) * x_0 + s * eps, t) - eps).square().sum((1, 2, 3)).mean()


# wrong: under no_grad
@torch.no_grad()
def loss(model, x_0):
    t, eps = torch.rand(len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# wrong: an even grid of times
def loss(model, x_0):
    t, eps = torch.linspace(0.2, 0.8, len(x_0)), torch.randn_like(x_0)
    s = t.view(-1, 1, 1, 1)
    return F.mse_loss(model((1 - s) * x_0 + s * eps, t), eps)


# exercise: diffusion.weight
# right: a list
answer = [0.25, 0.16]

# right: a computed pair
t, e = 0.2, 0.01
answer = (e / t**2, e * ((1 - t) / t) ** 2)

# right: numpy numbers
answer = tuple(np.array([0.01 / 0.04, 0.01 * 16]))

# right: tensors of one number
answer = (torch.tensor(0.25), torch.tensor(0.16))

# wrong: the same error
answer = (0.01, 0.01)

# wrong: not squared
answer = (0.05, 0.04)

# wrong: the other order
answer = (0.16, 0.25)

# wrong: multiplied by t
answer = (0.01 * 0.2**2, 0.01 * 0.8**2)

# wrong: the inverse ratio
answer = (0.25, 0.01 * (0.2 / 0.8) ** 2)

# wrong: flow only
answer = 0.25

# wrong: the errors themselves
answer = (0.5, 0.4)

# wrong: eps as flow
answer = (0.16, 0.16)

# wrong: flow without the noise
answer = (0.01, 0.16)

# wrong: added
answer = (0.01 + 0.16, 0.16)

# wrong: three numbers
answer = (0.25, 0.16, 0.01)

# wrong: text
answer = ("0.25", "0.17")
