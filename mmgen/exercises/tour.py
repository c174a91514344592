"""Exercises of the tour."""

import math

import torch

from .engine import Exercise, wrong


class CodeBits(Exercise):
    "Bits of a grid of codes"

    id = "tour.code_bits"
    difficulty, importance, minutes = 1, 4, 3
    covers = ("S0-F5", "S3-F17")
    task = (
        "`grid` is a pair of whole numbers `(rows, columns)`, the size of a grid of codes, each "
        "one of `n_codes`. Return how many bits the grid takes when every code is equally likely, "
        "fractions of a bit included."
    )
    starter = """
def code_bits(grid, n_codes): ...
"""
    hints = (
        "How many different grids are there?",
        "n_codes ** (rows * columns) grids; a choice among N equally likely things is log2(N) "
        "bits.",
        "rows * columns * math.log2(n_codes)",
    )

    def reference(grid, n_codes):
        return grid[0] * grid[1] * math.log2(n_codes)

    def another(grid, n_codes):
        return math.log2(n_codes ** (grid[0] * grid[1]))

    def check(t, code_bits):
        t.equal(
            "two codes are one bit",
            t.call(code_bits, (1, 1), 2),
            1.0,
            given="grid (1, 1), 2 codes",
            because=(
                "a choice among n codes takes log2(n) bits: not n, and not the natural "
                "logarithm, which counts nats"
            ),
        )
        t.equal(
            "every place of the grid counts",
            t.call(code_bits, (3, 5), 2),
            15.0,
            given="grid (3, 5), 2 codes",
            because="both rows and columns multiply",
        )
        t.equal(
            "bits grow with the logarithm of n_codes",
            t.call(code_bits, (7, 7), 512),
            441.0,
            given="grid (7, 7), 512 codes",
            because=(
                "one of 512 codes is a choice, not 512 numbers: nine yes-or-no questions find it"
            ),
        )
        t.near(
            "a size that is no power of two",
            t.call(code_bits, (2, 2), 1000),
            39.863137,
            1e-4,
            given="grid (2, 2), 1000 codes",
            because="no rounding is asked for: an entropy coder reaches fractions of a bit",
        )

    @wrong("two codes are one bit")
    def in_nats(grid, n_codes):
        return grid[0] * grid[1] * math.log(n_codes)

    @wrong("two codes are one bit")
    def one_per_code(grid, n_codes):
        return grid[0] * grid[1] * n_codes

    @wrong("every place of the grid counts")
    def one_row(grid, n_codes):
        return grid[1] * math.log2(n_codes)

    @wrong("a size that is no power of two")
    def rounded_up(grid, n_codes):
        return grid[0] * grid[1] * float(math.ceil(math.log2(n_codes)))


class Psnr(Exercise):
    "PSNR of images in [-1, 1]"

    id = "tour.psnr"
    difficulty, importance, minutes = 1, 4, 4
    covers = ("S4-F9",)
    task = """Return the peak signal-to-noise ratio in decibels of `x_hat` against `x`, two float
tensors `(b, c, h, w)` in [-1, 1], from the mean squared error of the whole batch."""
    starter = """
def psnr(x_hat, x): ...
"""
    hints = (
        "The peak is the whole range that a pixel can take.",
        "For [-1, 1] the range is 2, so the signal is 2 squared.",
        "10 * log10(4 / mse)",
    )

    def reference(x_hat, x):
        return 10 * math.log10(4 / (x_hat - x).square().mean().item())

    def another(x_hat, x):
        return 20 * torch.log10(2 / torch.nn.functional.mse_loss(x_hat, x).sqrt())

    def check(t, psnr):
        x = t.rand(3, 2, 4, 5) * 1.6 - 0.8
        t.near(
            "an error of 0.2 everywhere is 20 dB",
            t.call(psnr, x + 0.2, x),
            20.0,
            1e-3,
            given="x_hat = x + 0.2",
            because="pixels in [-1, 1] have range 2, not 1: forgetting it costs 6.02 dB",
        )
        t.near(
            "a tenth of the error is 20 dB more",
            t.call(psnr, x + 0.02, x),
            40.0,
            1e-2,
            given="x_hat = x + 0.02",
            because="ten decibels per factor ten of the squared error",
        )
        y = x.clone()
        y[0] += 0.4
        t.near(
            "the mean runs over the whole batch",
            t.call(psnr, y, x),
            10 * math.log10(4 / (0.16 / 3)),
            1e-3,
            given="three images, one of them off by 0.4",
            because=(
                "mean over all images first, logarithm afterwards; the mean of per-image "
                "PSNRs is another number"
            ),
        )
        z = x + 0.02
        z[:, 0] += 0.38
        t.near(
            "the mean runs over all channels",
            t.call(psnr, z, x),
            10 * math.log10(4 / ((0.16 + 0.0004) / 2)),
            1e-3,
            given="two channels, off by 0.4 and 0.02",
            because="mean over all channels first, logarithm afterwards",
        )
        t.near(
            "small errors give large values",
            t.call(psnr, x + 0.002, x),
            60.0,
            1e-2,
            given="x_hat = x + 0.002",
            because="there is no upper end",
        )

    @wrong("an error of 0.2 everywhere is 20 dB")
    def range_one(x_hat, x):
        return 10 * math.log10(1 / (x_hat - x).square().mean().item())

    @wrong("an error of 0.2 everywhere is 20 dB")
    def natural(x_hat, x):
        return 10 * math.log(4 / (x_hat - x).square().mean().item())

    @wrong("an error of 0.2 everywhere is 20 dB")
    def not_squared(x_hat, x):
        return 10 * math.log10(2 / (x_hat - x).abs().mean().item())

    @wrong("the mean runs over the whole batch")
    def absolute(x_hat, x):
        return 20 * math.log10(2 / (x_hat - x).abs().mean().item())

    @wrong("expected  40")
    def per_error(x_hat, x):
        return 2 / (x_hat - x).square().mean().sqrt().item() * 2

    @wrong("the mean runs over all channels")
    def mean_of_channels(x_hat, x):
        return (10 * torch.log10(4 / (x_hat - x).square().mean((0, 2, 3)))).mean().item()

    @wrong("small errors give large values")
    def bounded(x_hat, x):
        return min(50.0, 10 * math.log10(4 / (x_hat - x).square().mean().item()))
