"Answers to the exercises of the tour, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch.nn import functional as F


# exercise: tour.code_bits
# right: math.prod
def code_bits(grid, n_codes):
    return math.prod(grid) * math.log2(n_codes)


# right: the ratio of two logarithms
def code_bits(grid, n_codes):
    rows, columns = grid
    return rows * columns * math.log(n_codes) / math.log(2)


# right: numpy
def code_bits(grid, n_codes):
    return np.log2(n_codes) * np.prod(grid)


# right: a tensor
def code_bits(grid, n_codes):
    return torch.full(tuple(grid), float(n_codes), dtype=torch.float64).log2().sum()


# right: a loop
def code_bits(grid, n_codes):
    bits = 0.0
    for _ in range(grid[0]):
        for _ in range(grid[1]):
            bits -= math.log2(1 / n_codes)
    return bits


# right: entropy of a uniform distribution
def code_bits(grid, n_codes):
    p = torch.full((n_codes,), 1 / n_codes, dtype=torch.float64)
    per_code = -(p * p.log2()).sum().item()
    return per_code * grid[0] * grid[1]


# right: number of grids
def code_bits(grid, n_codes):
    return math.log2(pow(n_codes, grid[0] * grid[1]))


# wrong: nats
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log(n_codes)


# wrong: digits
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log10(n_codes)


# wrong: rounded up per code
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.ceil(math.log2(n_codes))


# wrong: rounded down per code
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * int(math.log2(n_codes))


# wrong: rounded up for the grid
def code_bits(grid, n_codes):
    return math.ceil(grid[0] * grid[1] * math.log2(n_codes))


# wrong: length of the binary number
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * n_codes.bit_length()


# wrong: length of the largest code
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * (n_codes - 1).bit_length()


# wrong: one code
def code_bits(grid, n_codes):
    return math.log2(n_codes)


# wrong: rows
def code_bits(grid, n_codes):
    return grid[0] * math.log2(n_codes)


# wrong: columns
def code_bits(grid, n_codes):
    return grid[1] * math.log2(n_codes)


# wrong: square of the rows
def code_bits(grid, n_codes):
    return grid[0] ** 2 * math.log2(n_codes)


# wrong: rows and columns added
def code_bits(grid, n_codes):
    return sum(grid) * math.log2(n_codes)


# wrong: one code less
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log2(n_codes - 1)


# wrong: one code more
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log2(n_codes + 1)


# wrong: bytes
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log2(n_codes) / 8


# wrong: int64
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * 64


# wrong: places and codes exchanged
def code_bits(grid, n_codes):
    return n_codes * math.log2(grid[0] * grid[1])


# wrong: logarithm of the product
def code_bits(grid, n_codes):
    return math.log2(n_codes * grid[0] * grid[1])


# wrong: no logarithm
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * n_codes


# wrong: 512 codes
def code_bits(grid, n_codes=512):
    return grid[0] * grid[1] * math.log2(512)


# wrong: a grid of 7 x 7
def code_bits(grid, n_codes):
    return 49 * math.log2(n_codes)


# wrong: the root
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.sqrt(n_codes)


# wrong: sign
def code_bits(grid, n_codes):
    return grid[0] * grid[1] * math.log2(1 / n_codes)


# exercise: tour.psnr
# right: sum of two logarithms
def psnr(x_hat, x):
    return 20 * math.log10(2) - 10 * math.log10(F.mse_loss(x_hat, x).item())


# right: the root of the error
def psnr(x_hat, x):
    return 20 * torch.log10(2 / (x_hat - x).square().mean().sqrt())


# right: counts from 0 to 255
def psnr(x_hat, x):
    a, b = ((v.double() + 1) * 127.5 for v in (x_hat, x))
    return 10 * torch.log10(255**2 / ((a - b) ** 2).mean())


# right: from 0 to 1, with numpy
def psnr(x_hat, x):
    gap = (x_hat.numpy().astype(np.float64) - x.numpy()) / 2
    return -10 * np.log10(np.square(gap).mean())


# right: einsum and the natural logarithm
def psnr(x_hat, x):
    gap = x - x_hat
    mse = torch.einsum("bchw,bchw->", gap, gap) / gap.numel()
    return (10 / math.log(10) * (math.log(4) - mse.log())).item()


# right: errors of the images first
def psnr(x_hat, x):
    per_image = [float(F.mse_loss(a, b)) for a, b in zip(x_hat, x, strict=True)]
    return 10 * math.log10(4 * len(per_image) / math.fsum(per_image))


# wrong: peak of 1
def psnr(x_hat, x):
    return 10 * torch.log10(1 / F.mse_loss(x_hat, x))


# wrong: peak not squared
def psnr(x_hat, x):
    return 10 * torch.log10(2 / F.mse_loss(x_hat, x))


# wrong: peak of 255
def psnr(x_hat, x):
    return 10 * torch.log10(255**2 / F.mse_loss(x_hat, x))


# wrong: the largest value of x
def psnr(x_hat, x):
    return 10 * torch.log10(x.max() ** 2 / F.mse_loss(x_hat, x))


# wrong: the range of x
def psnr(x_hat, x):
    return 10 * torch.log10((x.max() - x.min()) ** 2 / F.mse_loss(x_hat, x))


# wrong: the largest size
def psnr(x_hat, x):
    return 10 * torch.log10((2 * x.abs().max()) ** 2 / F.mse_loss(x_hat, x))


# wrong: the variance of x
def psnr(x_hat, x):
    return 10 * torch.log10(x.var() / F.mse_loss(x_hat, x))


# wrong: the energy of x
def psnr(x_hat, x):
    return 10 * torch.log10(x.square().mean() / F.mse_loss(x_hat, x))


# wrong: sign
def psnr(x_hat, x):
    return 10 * torch.log10(F.mse_loss(x_hat, x) / 4)


# wrong: factor 20
def psnr(x_hat, x):
    return 20 * torch.log10(4 / F.mse_loss(x_hat, x))


# wrong: natural logarithm
def psnr(x_hat, x):
    return 10 * torch.log(4 / F.mse_loss(x_hat, x))


# wrong: logarithm to the base 2
def psnr(x_hat, x):
    return 10 * torch.log2(4 / F.mse_loss(x_hat, x))


# wrong: bels
def psnr(x_hat, x):
    return torch.log10(4 / F.mse_loss(x_hat, x))


# wrong: mean of the images' values
def psnr(x_hat, x):
    mse = (x_hat - x).square().mean((1, 2, 3))
    return (10 * torch.log10(4 / mse)).mean()


# wrong: one value per image
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (x_hat - x).square().mean((1, 2, 3)))


# wrong: mean of the channels' values
def psnr(x_hat, x):
    return (10 * torch.log10(4 / (x_hat - x).square().mean((0, 2, 3)))).mean()


# wrong: mean of the pixels' values
def psnr(x_hat, x):
    return (10 * torch.log10(4 / ((x_hat - x).square() + 1e-8))).mean()


# wrong: absolute error
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (x_hat - x).abs().mean())


# wrong: absolute error, squared
def psnr(x_hat, x):
    return 20 * torch.log10(2 / (x_hat - x).abs().mean())


# wrong: sum
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (x_hat - x).square().sum())


# wrong: sum per image
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (x_hat - x).square().sum((1, 2, 3)).mean())


# wrong: root without the square of the peak
def psnr(x_hat, x):
    return 10 * torch.log10(2 / F.mse_loss(x_hat, x).sqrt())


# wrong: variance of the error
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (x_hat - x).var(correction=0))


# wrong: a thousandth added to the error
def psnr(x_hat, x):
    return 10 * torch.log10(4 / (F.mse_loss(x_hat, x) + 1e-3))


# wrong: the first image
def psnr(x_hat, x):
    return 10 * torch.log10(4 / F.mse_loss(x_hat[0], x[0]))


# wrong: clamped to [0, 1]
def psnr(x_hat, x):
    return 10 * torch.log10(1 / F.mse_loss(x_hat.clamp(0, 1), x.clamp(0, 1)))


# wrong: rounded to counts
def psnr(x_hat, x):
    a, b = (((v + 1) * 127.5).to(torch.uint8).double() for v in (x_hat, x))
    return 10 * torch.log10(255**2 / ((a - b) ** 2).mean())


# wrong: whole decibels
def psnr(x_hat, x):
    return round(10 * math.log10(4 / F.mse_loss(x_hat, x).item()))


# wrong: at most 40
def psnr(x_hat, x):
    return (10 * torch.log10(4 / F.mse_loss(x_hat, x))).clamp(0, 40)
