"Answers to the exercises of the metrics, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch.nn import functional as F


# exercise: metrics.frechet
# right: root of the symmetric product
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# right: eigenvalues of the product
def frechet(mean1, cov1, mean2, cov2):
    inner = torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner)


# right: nuclear norm
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    inner = torch.linalg.matrix_norm(root(cov1) @ root(cov2), ord="nuc")
    return (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner


# right: numpy
def frechet(mean1, cov1, mean2, cov2):
    m = mean1.numpy() - mean2.numpy()
    a, b = cov1.numpy(), cov2.numpy()
    values = np.linalg.eigvals(a @ b).astype(complex)
    return float(m @ m + np.trace(a) + np.trace(b) - 2 * np.sqrt(values).real.sum())


# right: einsum, the other covariance in the middle
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov2)
    middle = torch.einsum("ij,jk,kl->il", s, cov1, s)
    trace = torch.einsum("ii->", cov1 + cov2 - 2 * root((middle + middle.T) / 2))
    gap = mean2 - mean1
    return (torch.einsum("i,i->", gap, gap) + trace).item()


# right: a sum over the means by a loop
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    total = sum(float(a - b) ** 2 for a, b in zip(mean1, mean2))
    total += sum(float(cov1[i, i] + cov2[i, i]) for i in range(len(cov1)))
    return total - 2 * torch.linalg.svdvals(root(cov1) @ root(cov2)).sum().item()


# wrong: root of each entry
def frechet(mean1, cov1, mean2, cov2):
    inner = (cov1 @ cov2).abs().sqrt().trace()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: roots of the diagonals
def frechet(mean1, cov1, mean2, cov2):
    inner = (cov1.diagonal() * cov2.diagonal()).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: as if they commuted
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    return ((mean1 - mean2).square().sum() + (root(cov1) - root(cov2)).square().sum()).item()


# wrong: trace of the product of roots
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    inner = (root(cov1) @ root(cov2)).trace()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: the root once
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - inner).item()


# wrong: no root
def frechet(mean1, cov1, mean2, cov2):
    return (
        (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * (cov1 @ cov2).trace()
    ).item()


# wrong: not squared
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).sqrt().item()


# wrong: distance of the means not squared
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).norm() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: absolute differences of the means
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).abs().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: mean over the dimensions
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().mean() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: no means
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return (cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: only the means
def frechet(mean1, cov1, mean2, cov2):
    return (mean1 - mean2).square().sum().item()


# wrong: plus the root
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() + 2 * inner).item()


# wrong: the covariances' difference
def frechet(mean1, cov1, mean2, cov2):
    return ((mean1 - mean2).square().sum() + (cov1 - cov2).square().sum()).item()


# wrong: eigenvalues of a product taken for symmetric
def frechet(mean1, cov1, mean2, cov2):
    inner = torch.linalg.eigvalsh(cov1 @ cov2).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: the product made symmetric
def frechet(mean1, cov1, mean2, cov2):
    p = cov1 @ cov2
    inner = torch.linalg.eigvalsh((p + p.T) / 2).clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: singular values of the product
def frechet(mean1, cov1, mean2, cov2):
    inner = torch.linalg.svdvals(cov1 @ cov2).sqrt().sum()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: Cholesky factors for roots
def frechet(mean1, cov1, mean2, cov2):
    a, b = torch.linalg.cholesky(cov1), torch.linalg.cholesky(cov2)
    inner = (a @ b.T).trace()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: the spectra matched in order
def frechet(mean1, cov1, mean2, cov2):
    a, b = torch.linalg.eigvalsh(cov1), torch.linalg.eigvalsh(cov2)
    return ((mean1 - mean2).square().sum() + (a.sqrt() - b.sqrt()).square().sum()).item()


# wrong: the root of one only
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    inner = (root(cov1) @ cov2).trace()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: root of the trace
def frechet(mean1, cov1, mean2, cov2):
    inner = (cov1 @ cov2).trace().sqrt()
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: Kullback-Leibler
def frechet(mean1, cov1, mean2, cov2):
    p = torch.distributions.MultivariateNormal(mean1, cov1)
    q = torch.distributions.MultivariateNormal(mean2, cov2)
    return torch.distributions.kl_divergence(p, q).item()


# wrong: a trace that adds all entries
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    return ((mean1 - mean2).square().sum() + (cov1 + cov2 - 2 * root(s @ cov2 @ s)).sum()).item()


# wrong: product of the traces of roots
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    inner = root(cov1).trace() * root(cov2).trace() / len(mean1)
    return ((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * inner).item()


# wrong: means scaled by the covariance
def frechet(mean1, cov1, mean2, cov2):
    def root(c):
        w, v = torch.linalg.eigh(c)
        return (v * w.clamp(min=0).sqrt()) @ v.T

    s = root(cov1)
    inner = torch.linalg.eigvalsh(s @ cov2 @ s).clamp(min=0).sqrt().sum()
    gap = mean1 - mean2
    return (gap @ torch.linalg.solve(cov1, gap) + cov1.trace() + cov2.trace() - 2 * inner).item()


# exercise: metrics.psnr_bytes
# right: floats
def psnr_bytes(x, y):
    return 10 * torch.log10(255**2 / (x.float() - y.float()).square().mean())


# right: numpy, float64
def psnr_bytes(x, y):
    error = (x.numpy().astype(np.float64) - y.numpy()) ** 2
    return float(10 * np.log10(255.0**2 / error.mean()))


# right: int64 and a sum
def psnr_bytes(x, y):
    gap = x.long() - y.long()
    return 10 * torch.log10(65025 * x.numel() / (gap * gap).sum().double())


# right: math
def psnr_bytes(x, y):
    mse = F.mse_loss(x.double(), y.double()).item()
    return 20 * math.log10(255) - 10 * math.log10(mse)


# right: scaled to [0, 1] first
def psnr_bytes(x, y):
    error = (x / 255 - y / 255).pow(2).mean()
    return -10 * error.log10()


# right: the norm
def psnr_bytes(x, y):
    gap = torch.linalg.vector_norm(x.double() - y.double()) / x.numel() ** 0.5
    return 20 * torch.log10(255 / gap)


# right: loops
def psnr_bytes(x, y):
    total = 0
    for one, two in zip(x.tolist(), y.tolist()):
        for a, b in zip(one, two):
            total += (a - b) ** 2
    return 10 * math.log10(255 * 255 * x.numel() / total)


# right: ten times the natural logarithm over that of ten
def psnr_bytes(x, y):
    error = (x.int() - y.int()).float().pow(2).mean()
    return 10 * (255**2 / error).log() / math.log(10)


# wrong: bytes subtracted
def psnr_bytes(x, y):
    error = (x - y).float().square().mean()
    return 10 * torch.log10(255**2 / error)


# wrong: bytes squared
def psnr_bytes(x, y):
    error = ((x - y) ** 2).float().mean()
    return 10 * torch.log10(255**2 / error)


# wrong: signed bytes
def psnr_bytes(x, y):
    error = (x.to(torch.int8) - y.to(torch.int8)).float().square().mean()
    return 10 * torch.log10(255**2 / error)


# wrong: int16, squared there
def psnr_bytes(x, y):
    error = ((x.short() - y.short()) ** 2).float().mean()
    return 10 * torch.log10(255**2 / error)


# wrong: range 1
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(1 / error)


# wrong: range not squared
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(255 / error)


# wrong: range 256
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(256**2 / error)


# wrong: range 2
def psnr_bytes(x, y):
    error = (x.float() / 127.5 - y.float() / 127.5).square().mean()
    return 10 * torch.log10(1 / error)


# wrong: twenty
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 20 * torch.log10(255**2 / error)


# wrong: ten with the root
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean().sqrt()
    return 10 * torch.log10(255 / error)


# wrong: natural logarithm
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log(255**2 / error)


# wrong: base 2
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log2(255**2 / error)


# wrong: sign
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(error / 255**2)


# wrong: absolute error
def psnr_bytes(x, y):
    error = (x.float() - y.float()).abs().mean()
    return 20 * torch.log10(255 / error)


# wrong: sum
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().sum()
    return 10 * torch.log10(255**2 / error)


# wrong: the brightest pixel for the range
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(x.max().float() ** 2 / error)


# wrong: range of the pixels
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    range_ = x.max().float() - x.min().float()
    return 10 * torch.log10(range_**2 / error)


# wrong: mean of rows' PSNR
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean(1)
    return (10 * torch.log10(255**2 / error)).mean()


# wrong: PSNR for each pixel, averaged
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square() + 1e-8
    return (10 * torch.log10(255**2 / error)).mean()


# wrong: one of them scaled
def psnr_bytes(x, y):
    error = (x.float() / 255 - y.float()).square().mean()
    return 10 * torch.log10(1 / error)


# wrong: means compared
def psnr_bytes(x, y):
    error = (x.float().mean() - y.float().mean()).square()
    return 10 * torch.log10(255**2 / error)


# wrong: variance of the difference
def psnr_bytes(x, y):
    error = (x.float() - y.float()).var()
    return 10 * torch.log10(255**2 / error)


# wrong: darker pixels count as equal
def psnr_bytes(x, y):
    error = (x.float() - y.float()).clamp(min=0).square().mean()
    return 10 * torch.log10(255**2 / error)


# wrong: the error
def psnr_bytes(x, y):
    return (x.float() - y.float()).square().mean()


# wrong: a large eps
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return 10 * torch.log10(255**2 / (error + 1))


# wrong: ten forgotten
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().mean()
    return torch.log10(255**2 / error)


# wrong: shape of 28 x 28
def psnr_bytes(x, y):
    error = (x.float() - y.float()).square().sum() / 784
    return 10 * torch.log10(255**2 / error)


# exercise: metrics.ssim_window
# right: einsum
def ssim_window(x, y, w, data_range):
    a, b = torch.einsum("n,n->", w, x), torch.einsum("n,n->", w, y)
    va = torch.einsum("n,n,n->", w, x, x) - a * a
    vb = torch.einsum("n,n,n->", w, y, y) - b * b
    cov = torch.einsum("n,n,n->", w, x, y) - a * b
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# right: numpy, float64
def ssim_window(x, y, w, data_range):
    x, y, w = (v.numpy().astype(np.float64) for v in (x, y, w))
    a, b = np.average(x, weights=w), np.average(y, weights=w)
    va, vb = np.average((x - a) ** 2, weights=w), np.average((y - b) ** 2, weights=w)
    cov = np.average((x - a) * (y - b), weights=w)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return float((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2)))


# right: loops
def ssim_window(x, y, w, data_range):
    xs, ys, ws = x.tolist(), y.tolist(), w.tolist()
    a = sum(p * q for p, q in zip(ws, xs))
    b = sum(p * q for p, q in zip(ws, ys))
    va = vb = cov = 0.0
    for p, q, r in zip(ws, xs, ys):
        va += p * (q - a) ** 2
        vb += p * (r - b) ** 2
        cov += p * (q - a) * (r - b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return (2 * a * b + c1) * (2 * cov + c2) / (a * a + b * b + c1) / (va + vb + c2)


# right: luminance, contrast and structure
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    sa, sb = va.sqrt(), vb.sqrt()
    luminance = (2 * a * b + c1) / (a**2 + b**2 + c1)
    contrast = (2 * sa * sb + c2) / (va + vb + c2)
    structure = (cov + c2 / 2) / (sa * sb + c2 / 2)
    return luminance * contrast * structure


# right: a table of both
def ssim_window(x, y, w, data_range):
    both = torch.stack([x, y]).double()
    mean = both @ w.double()
    centred = both - mean[:, None]
    cov = (centred * w.double()) @ centred.T
    c1, c2 = 1e-4 * data_range**2, 9e-4 * data_range**2
    up = (2 * mean.prod() + c1) * (2 * cov[0, 1] + c2)
    return up.item() / ((mean @ mean + c1) * (cov.trace() + c2)).item()


# right: torch.cov with weights
def ssim_window(x, y, w, data_range):
    c = torch.cov(torch.stack([x, y]), aweights=w, correction=0)
    a, b = torch.dot(w, x), torch.dot(w, y)
    va, vb, cov = c[0, 0], c[1, 1], c[0, 1]
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: all pixels alike
def ssim_window(x, y, w, data_range):
    a, b = x.mean(), y.mean()
    va, vb = ((x - a) ** 2).mean(), ((y - b) ** 2).mean()
    cov = ((x - a) * (y - b)).mean()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: only the means weighted
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = ((x - a) ** 2).mean(), ((y - b) ** 2).mean()
    cov = ((x - a) * (y - b)).mean()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: means not weighted
def ssim_window(x, y, w, data_range):
    a, b = x.mean(), y.mean()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: covariance not weighted
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = ((x - a) * (y - b)).mean()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: unbiased
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    k = len(x) / (len(x) - 1)
    va, vb, cov = va * k, vb * k, cov * k
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: weighted and averaged again
def ssim_window(x, y, w, data_range):
    a, b = (w * x).mean(), (w * y).mean()
    va, vb = (w * (x - a) ** 2).mean(), (w * (y - b) ** 2).mean()
    cov = (w * (x - a) * (y - b)).mean()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: second moments for variances
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * x**2).sum(), (w * y**2).sum()
    cov = (w * x * y).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: weights squared in the variances
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w**2 * (x - a) ** 2).sum(), (w**2 * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: standard deviations for variances
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    va, vb = va.sqrt(), vb.sqrt()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: range 1
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: range 2
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = 0.02**2, 0.06**2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: range 255
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: range not squared
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = 0.01**2 * data_range, 0.03**2 * data_range
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: constants not squared
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = 0.01 * data_range, 0.03 * data_range
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: constants exchanged
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c2, c1 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: no constants
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1 = c2 = 0
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: 0.01 twice
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1 = c2 = (0.01 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: range taken from the pixels
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    r = max(x.max(), y.max()) - min(x.min(), y.min())
    c1, c2 = (0.01 * r) ** 2, (0.03 * r) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: no luminance
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * cov + c2) / (va + vb + c2)).item()


# wrong: no structure
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) / (a**2 + b**2 + c1)).item()


# wrong: luminance and contrast alone
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    s = (2 * a * b + c1) / (a**2 + b**2 + c1)
    return (s * (2 * (va * vb).sqrt() + c2) / (va + vb + c2)).item()


# wrong: factor 2 forgotten
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((a * b + c1) * (cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: product of variances below
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va * vb + c2))).item()


# wrong: a sum of both factors
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    s = (2 * a * b + c1) / (a**2 + b**2 + c1)
    return ((s + (2 * cov + c2) / (va + vb + c2)) / 2).item()


# wrong: as a loss
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    s = (2 * a * b + c1) / (a**2 + b**2 + c1)
    s = s * (2 * cov + c2) / (va + vb + c2)
    return (1 - s).item()


# wrong: not below 0
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    s = (2 * a * b + c1) / (a**2 + b**2 + c1)
    s = s * (2 * cov + c2) / (va + vb + c2)
    return s.clamp(min=0).item()


# wrong: absolute covariance
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    cov = cov.abs()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: correlation for covariance
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    cov = cov / (va * vb).sqrt()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# wrong: square of the sum below
def ssim_window(x, y, w, data_range):
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / (((a + b) ** 2 + c1) * (va + vb + c2))).item()


# wrong: pixels scaled to the range, constants too
def ssim_window(x, y, w, data_range):
    x, y = x / data_range, y / data_range
    a, b = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - a) ** 2).sum(), (w * (y - b) ** 2).sum()
    cov = (w * (x - a) * (y - b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a**2 + b**2 + c1) * (va + vb + c2))).item()


# exercise: metrics.kid
# right: trace taken away
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# right: a mask
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def inside(a):
        away = ~torch.eye(len(a), dtype=torch.bool)
        return kernel(a, a)[away].mean()

    return float(inside(x) + inside(y) - 2 * kernel(x, y).mean())


# right: loops over the pairs
def kid(x, y):
    def k(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    one = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * m - m)
    two = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * n - n)
    return one + two - 2 * sum(k(p, q) for p in x for q in y) / (m * n)


# right: numpy, float64, upper triangles
def kid(x, y):
    x, y = x.numpy().astype(np.float64), y.numpy().astype(np.float64)

    def upper(a):
        i, j = np.triu_indices(len(a), 1)
        return ((np.einsum("nd,nd->n", a[i], a[j]) / a.shape[1] + 1) ** 3).mean()

    cross = ((x @ y.T / x.shape[1] + 1) ** 3).mean()
    return float(upper(x) + upper(y) - 2 * cross)


# right: diagonal set to 0
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    k, j, c = kernel(x, x), kernel(y, y), kernel(x, y)
    k.fill_diagonal_(0)
    j.fill_diagonal_(0)
    m, n = c.shape
    return (k.sum() / m / (m - 1) + j.sum() / n / (n - 1) - 2 * c.sum() / m / n).item()


# right: the mean put right
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def inside(a):
        n, k = len(a), kernel(a, a)
        return (n * k.mean() - k.diagonal().mean()) / (n - 1)

    return (inside(x) + inside(y) - kernel(x, y).mean() - kernel(y, x).mean()).item()


# right: float64 and einsum
def kid(x, y):
    x, y = x.double(), y.double()

    def k(a, b):
        return (1 + torch.einsum("id,jd->ij", a, b).div(a.size(-1))).pow(3)

    m, n = x.size(0), y.size(0)
    a = (k(x, x) * (1 - torch.eye(m, dtype=x.dtype))).sum() / (m * (m - 1))
    b = (k(y, y) * (1 - torch.eye(n, dtype=y.dtype))).sum() / (n * (n - 1))
    return (a + b - 2 * k(x, y).mean()).item()


# wrong: diagonal removed, divided by all
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * m)
    b = (j.sum() - j.trace()) / (n * n)
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: diagonal kept, divided by the others
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = k.sum() / (m * (m - 1))
    b = j.sum() / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: divided by the square of one less
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m - 1) ** 2
    b = (j.sum() - j.trace()) / (n - 1) ** 2
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: only the first sum put right
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = j.mean()
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: only the second sum put right
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = k.mean()
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: m for both
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (m * (m - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: cut to the smaller set
def kid(x, y):
    size = min(len(x), len(y))
    x, y = x[:size], y[:size]

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: cross term without its diagonal
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    c = kernel(x, y)
    return (a + b - 2 * (c.sum() - c.diagonal().sum()) / (m * n - min(m, n))).item()


# wrong: cross term divided by m (m - 1)
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).sum() / (m * (m - 1))).item()


# wrong: cross term once
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - kernel(x, y).mean()).item()


# wrong: not below 0
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return max((a + b - 2 * kernel(x, y).mean()).item(), 0.0)


# wrong: absolute value
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return abs((a + b - 2 * kernel(x, y).mean()).item())


# wrong: root
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).clamp(min=0).sqrt().item()


# wrong: sign
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (2 * kernel(x, y).mean() - a - b).item()


# wrong: times a thousand
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return 1000 * (a + b - 2 * kernel(x, y).mean()).item()


# wrong: kernel not divided by d
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: kernel divided by the rows
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / len(a) + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: kernel divided by the root of d
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] ** 0.5 + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: squared kernel
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 2

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: kernel without 1
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1]) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: 1 inside the division
def kid(x, y):
    def kernel(a, b):
        return ((a @ b.T + 1) / a.shape[1]) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: features of length 1
def kid(x, y):
    x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: features centred
def kid(x, y):
    centre = torch.cat([x, y]).mean(0)
    x, y = x - centre, y - centre

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: biased part taken away by a guess
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    return (kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()).item() - 1 / len(x)


# wrong: 2048 dimensions
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / 2048 + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: a Gaussian kernel
def kid(x, y):
    def kernel(a, b):
        return (-torch.cdist(a, b).square() / a.shape[1]).exp()

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = (k.sum() - k.trace()) / (m * (m - 1))
    b = (j.sum() - j.trace()) / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: half the first triangle
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, n = len(x), len(y)
    k, j = kernel(x, x), kernel(y, y)
    a = torch.triu(k, 1).sum() / (m * (m - 1))
    b = torch.triu(j, 1).sum() / (n * (n - 1))
    return (a + b - 2 * kernel(x, y).mean()).item()


# wrong: only the mean's kernel
def kid(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    a, b = x.mean(0, keepdim=True), y.mean(0, keepdim=True)
    return (kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)).item()


# exercise: metrics.precision_recall
# right: a wall on the diagonal
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# right: k + 1 with itself
def precision_recall(real, fake, k):
    def share(points, members):
        apart = (members[:, None] - members[None]).square().sum(-1)
        radius = apart.sort(dim=1).values[:, k]
        inside = (points[:, None] - members[None]).square().sum(-1) <= radius
        return inside.any(1).double().mean().item()

    return share(fake, real), share(real, fake)


# right: loops
def precision_recall(real, fake, k):
    def gap(a, b):
        return sum((p - q) ** 2 for p, q in zip(a, b))

    def share(points, members):
        radius = []
        for i, a in enumerate(members):
            others = sorted(gap(a, b) for j, b in enumerate(members) if j != i)
            radius.append(others[k - 1])
        hits = 0
        for p in points:
            hits += any(gap(p, m) <= r for m, r in zip(members, radius))
        return hits / len(points)

    one, two = real.double().tolist(), fake.double().tolist()
    return share(two, one), share(one, two)


# right: numpy
def precision_recall(real, fake, k):
    r, f = real.numpy(), fake.numpy()

    def table(a, b):
        return np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(-1))

    radius_r = np.partition(table(r, r), k, axis=1)[:, k]
    radius_f = np.partition(table(f, f), k, axis=1)[:, k]
    cross = table(f, r)
    precision = (cross <= radius_r[None, :]).any(1).mean()
    recall = (cross.T <= radius_f[None, :]).any(1).mean()
    return float(precision), float(recall)


# right: topk, float64, margins
def precision_recall(real, fake, k):
    def margin(points, members):
        a, b = points.double(), members.double()
        own = (b[:, None] - b[None]).norm(dim=-1)
        radius = own.topk(k + 1, largest=False).values[:, -1]
        return (radius - (a[:, None] - b[None]).norm(dim=-1)).amax(1)

    found = [
        (margin(*pair) >= 0).sum().item() / len(pair[0]) for pair in ((fake, real), (real, fake))
    ]
    return tuple(found)


# wrong: itself counted as a neighbour
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: one neighbour too many
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k + 1, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: k always 3
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(3, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: the nearest
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(1, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: on the border is outside
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d < reach(real)[:, None]).any(0).float().mean().item()
    recall = (d < reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: in the reach of all
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).all(0).float().mean().item()
    recall = (d <= reach(fake)[None]).all(1).float().mean().item()
    return precision, recall


# wrong: exchanged
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return recall, precision


# wrong: the reach of the real for both
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(real)[:, None]).any(1).float().mean().item()
    return precision, recall


# wrong: the reach of the fake for both
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(fake)[None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: the point's own reach
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(fake)[None]).any(0).float().mean().item()
    recall = (d <= reach(real)[:, None]).any(1).float().mean().item()
    return precision, recall


# wrong: only the nearest member is asked
def precision_recall(real, fake, k):
    def share(points, members):
        own = torch.cdist(members, members).fill_diagonal_(float("inf"))
        radius = own.kthvalue(k, dim=1).values
        near, who = torch.cdist(points, members).min(1)
        return (near <= radius[who]).float().mean().item()

    return share(fake, real), share(real, fake)


# wrong: one mean reach
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values.mean().expand(len(a))

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: the largest reach for all
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values.max().expand(len(a))

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: k-th neighbour in both sets
def precision_recall(real, fake, k):
    both = torch.cat([real, fake])
    d = torch.cdist(both, both).fill_diagonal_(float("inf"))
    radius = d.kthvalue(k, dim=1).values
    n = len(real)
    precision = (d[:n, n:] <= radius[:n, None]).any(0).float().mean().item()
    recall = (d[:n, n:] <= radius[None, n:]).any(1).float().mean().item()
    return precision, recall


# wrong: k-th neighbour in the other set
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (
        (d <= torch.cdist(real, fake).kthvalue(k, dim=1).values[:, None])
        .any(0)
        .float()
        .mean()
        .item()
    )
    recall = (
        (d <= torch.cdist(fake, real).kthvalue(k, dim=1).values[None]).any(1).float().mean().item()
    )
    return precision, recall


# wrong: counts
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).sum().item()
    recall = (d <= reach(fake)[None]).any(1).sum().item()
    return precision, recall


# wrong: density
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).float().sum(0).div(k).mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: coverage for recall
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(real)[:, None]).any(1).float().mean().item()
    return precision, recall


# wrong: absolute differences
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a, p=1)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake, p=1)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: squared distance against a distance
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake).square()
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: the farthest k-th
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return torch.cdist(a, a).topk(k, dim=1).values[:, -1]

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: the mean of k neighbours
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.topk(k, dim=1, largest=False).values.mean(1)

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: wrong axis of any
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(1).float().mean().item()
    recall = (d <= reach(fake)[None]).any(0).float().mean().item()
    return precision, recall


# wrong: precision alone
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision


# wrong: shares of the real for both
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().sum().div(len(real)).item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: standardised features
def precision_recall(real, fake, k):
    mean, std = real.mean(0), real.std(0)
    real, fake = (real - mean) / std, (fake - mean) / std

    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return precision, recall


# wrong: complements
def precision_recall(real, fake, k):
    def reach(a):
        d = torch.cdist(a, a)
        d.fill_diagonal_(float("inf"))
        return d.kthvalue(k, dim=1).values

    d = torch.cdist(real, fake)
    precision = (d <= reach(real)[:, None]).any(0).float().mean().item()
    recall = (d <= reach(fake)[None]).any(1).float().mean().item()
    return 1 - precision, 1 - recall


# exercise: metrics.inception_score
# right: entropy of the mean less the mean entropy
def inception_score(p):
    def h(q):
        return -(q * q.log()).sum(-1)

    return (h(p.mean(0)) - h(p).mean()).exp().item()


# right: kl_div
def inception_score(p):
    q = p.mean(0, keepdim=True).expand_as(p)
    return F.kl_div(q.log(), p, reduction="batchmean").exp()


# right: numpy, float64
def inception_score(p):
    a = p.numpy().astype(np.float64)
    q = a.mean(0)
    return float(np.exp((a * np.log(a / q)).sum(1).mean()))


# right: loops
def inception_score(p):
    rows = p.tolist()
    n = len(rows)
    q = [sum(row[c] for row in rows) / n for c in range(len(rows[0]))]
    total = 0.0
    for row in rows:
        total += sum(a * math.log(a / b) for a, b in zip(row, q))
    return math.exp(total / n)


# right: einsum
def inception_score(p):
    q = torch.einsum("nc->c", p) / p.size(0)
    gain = p.log() - q.log()
    return torch.exp(torch.einsum("nc,nc->", p, gain) / len(p)).item()


# right: distributions
def inception_score(p):
    d = torch.distributions
    each = d.kl_divergence(d.Categorical(probs=p), d.Categorical(probs=p.mean(0).expand_as(p)))
    return each.mean().exp().item()


# right: base 2 throughout
def inception_score(p):
    return (2 ** (p * (p / p.mean(0)).log2()).sum(1).mean()).item()


# wrong: KL the other way round
def inception_score(p):
    q = p.mean(0)
    return (q * (q / p).log()).sum(1).mean().exp().item()


# wrong: no exp
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum(1).mean().item()


# wrong: exp for each image
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum(1).exp().mean().item()


# wrong: mean over the classes
def inception_score(p):
    return (p * (p / p.mean(0)).log()).mean(1).mean().exp().item()


# wrong: sum over the images
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum().exp().item()


# wrong: sum over images, mean over classes
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum(0).mean().exp().item()


# wrong: p(y) uniform
def inception_score(p):
    return (p * (p * p.shape[1]).log()).sum(1).mean().exp().item()


# wrong: p(y) for each image
def inception_score(p):
    return (p * (p / p.mean(1, keepdim=True)).log()).sum(1).mean().exp().item()


# wrong: p(y) not divided by n
def inception_score(p):
    return (p * (p / p.sum(0)).log()).sum(1).mean().exp().item()


# wrong: bits
def inception_score(p):
    return (p * (p / p.mean(0)).log2()).sum(1).mean().exp().item()


# wrong: 2 to the nats
def inception_score(p):
    return 2 ** (p * (p / p.mean(0)).log()).sum(1).mean().item()


# wrong: entropy of the mean alone
def inception_score(p):
    q = p.mean(0)
    return (-(q * q.log()).sum()).exp().item()


# wrong: mean entropy alone
def inception_score(p):
    return (-(p * p.log()).sum(1)).mean().exp().item()


# wrong: entropies added
def inception_score(p):
    q = p.mean(0)
    return (-(q * q.log()).sum() - (p * p.log()).sum(1).mean()).exp().item()


# wrong: sign
def inception_score(p):
    return (-(p * (p / p.mean(0)).log()).sum(1).mean()).exp().item()


# wrong: softmax once more
def inception_score(p):
    p = p.softmax(1)
    return (p * (p / p.mean(0)).log()).sum(1).mean().exp().item()


# wrong: geometric mean for p(y)
def inception_score(p):
    q = p.log().mean(0).softmax(0)
    return (p * (p / q).log()).sum(1).mean().exp().item()


# wrong: ratio without logarithm
def inception_score(p):
    return (p * (p / p.mean(0))).sum(1).mean().exp().item()


# wrong: logarithm not weighted
def inception_score(p):
    return (p / p.mean(0)).log().sum(1).mean().exp().item()


# wrong: with the spread
def inception_score(p):
    kl = (p * (p / p.mean(0)).log()).sum(1)
    return kl.mean().exp().item(), kl.std().exp().item()


# wrong: ten parts
def inception_score(p):
    scores = []
    for part in p.chunk(min(10, len(p) // 2)):
        scores.append((part * (part / part.mean(0)).log()).sum(1).mean().exp())
    return torch.stack(scores).mean().item()


# wrong: median
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum(1).median().exp().item()


# wrong: an eps that is seen
def inception_score(p):
    return (p * ((p + 1e-2) / (p.mean(0) + 1e-2)).log()).sum(1).mean().exp().item()


# wrong: the likeliest class alone
def inception_score(p):
    top, who = p.max(1)
    return (top / p.mean(0)[who]).log().mean().exp().item()


# wrong: hard labels
def inception_score(p):
    hot = F.one_hot(p.argmax(1), p.shape[1]).float().mean(0)
    hot = hot[hot > 0]
    return (-(hot * hot.log()).sum()).exp().item()


# wrong: for each class
def inception_score(p):
    return (p * (p / p.mean(0)).log()).mean(0).exp()


# wrong: Jensen-Shannon
def inception_score(p):
    m = (p + p.mean(0)) / 2
    a = (p * (p / m).log()).sum(1)
    b = (p.mean(0) * (p.mean(0) / m).log()).sum(1)
    return ((a + b) / 2).mean().exp().item()


# wrong: divided by the number of classes
def inception_score(p):
    return (p * (p / p.mean(0)).log()).sum(1).mean().exp().item() / p.shape[1]


# wrong: 10 classes
def inception_score(p):
    return (p * (p / p.mean(0)).log()).reshape(-1, 10).sum(1).mean().exp().item()


# exercise: metrics.bits_per_byte
# right: seven bits
def bits_per_byte(nats, shape):
    return nats.mean().item() / math.prod(shape) / math.log(2) + 7


# right: change of variables in nats
def bits_per_byte(nats, shape):
    d = math.prod(shape)
    return ((nats + d * math.log(128)) / (d * math.log(2))).mean()


# right: numpy
def bits_per_byte(nats, shape):
    return float(
        np.mean(nats.numpy().astype(np.float64)) / np.prod(shape) / np.log(2) - np.log2(2 / 256)
    )


# right: a loop
def bits_per_byte(nats, shape):
    c, h, w = shape
    total = 0.0
    for value in nats.tolist():
        total += value * math.log2(math.e) / (c * h * w) + math.log2(256) - math.log2(2)
    return total / len(nats)


# right: logarithms of torch, float64
def bits_per_byte(nats, shape):
    size = torch.tensor(list(shape)).prod()
    bits = nats.double() / torch.tensor(2.0, dtype=torch.float64).log()
    return (bits / size).mean() + 7.0


# right: density at each place
def bits_per_byte(nats, shape):
    per = nats / torch.Size(shape).numel()
    return -torch.log2(torch.exp(-per.double().mean()) / 128).item()


# wrong: eight bits
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2) + 8).item()


# wrong: seven taken away
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2) - 7).item()


# wrong: no scale
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2)).item()


# wrong: 127.5
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2) + math.log2(127.5)).item()


# wrong: scale in nats
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2) + math.log(128)).item()


# wrong: scale once per image
def bits_per_byte(nats, shape):
    d = math.prod(shape)
    return ((nats.mean() + math.log(128)) / d / math.log(2)).item()


# wrong: nats
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) + math.log(128)).item()


# wrong: nats, and the scale in bits
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) + 7).item()


# wrong: scale added before the change to bits
def bits_per_byte(nats, shape):
    return ((nats.mean() / math.prod(shape) + 7) / math.log(2)).item()


# wrong: times log 2
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) * math.log(2) + 7).item()


# wrong: per pixel, channels forgotten
def bits_per_byte(nats, shape):
    return (nats.mean() / (shape[1] * shape[2]) / math.log(2) + 7).item()


# wrong: per image
def bits_per_byte(nats, shape):
    return (nats.mean() / math.log(2) + 7 * math.prod(shape)).item()


# wrong: bits per image and seven
def bits_per_byte(nats, shape):
    return (nats.mean() / math.log(2) + 7).item()


# wrong: sum over the images
def bits_per_byte(nats, shape):
    return (nats.sum() / math.prod(shape) / math.log(2) + 7).item()


# wrong: divided by the batch again
def bits_per_byte(nats, shape):
    return (nats.mean() / len(nats) / math.prod(shape) / math.log(2) + 7).item()


# wrong: one value per image
def bits_per_byte(nats, shape):
    return nats / math.prod(shape) / math.log(2) + 7


# wrong: first image
def bits_per_byte(nats, shape):
    return (nats[0] / math.prod(shape) / math.log(2) + 7).item()


# wrong: 784 dimensions
def bits_per_byte(nats, shape):
    return (nats.mean() / 784 / math.log(2) + 7).item()


# wrong: sign of the likelihood
def bits_per_byte(nats, shape):
    return (-nats.mean() / math.prod(shape) / math.log(2) + 7).item()


# wrong: log 10
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(10) + 7).item()


# wrong: base 256
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(256) + 7).item()


# wrong: sum of the sizes
def bits_per_byte(nats, shape):
    return (nats.mean() / sum(shape) / math.log(2) + 7).item()


# wrong: bits of a byte less
def bits_per_byte(nats, shape):
    return (8 - nats.mean() / math.prod(shape) / math.log(2)).item()


# wrong: scaled by 128
def bits_per_byte(nats, shape):
    return (nats.mean() / math.prod(shape) / math.log(2) * 128).item()


# wrong: square images
def bits_per_byte(nats, shape):
    return (nats.mean() / (shape[0] * shape[1] ** 2) / math.log(2) + 7).item()


# wrong: not below 0
def bits_per_byte(nats, shape):
    return max((nats.mean() / math.prod(shape) / math.log(2) + 7).item(), 0.0)


# wrong: median
def bits_per_byte(nats, shape):
    return (nats.median() / math.prod(shape) / math.log(2) + 7).item()


# exercise: metrics.fid
# right: torch.cov and the symmetric root
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# right: nuclear norm of the features' products
def fid(a, b):
    a, b = a.double(), b.double()
    p = (a - a.mean(0)) / (len(a) - 1) ** 0.5
    q = (b - b.mean(0)) / (len(b) - 1) ** 0.5
    inner = torch.linalg.matrix_norm(p @ q.T, ord="nuc")
    value = (a.mean(0) - b.mean(0)).pow(2).sum() + p.pow(2).sum() + q.pow(2).sum() - 2 * inner
    return value.clamp(min=0).item()


# right: numpy
def fid(a, b):
    a, b = a.numpy().astype(np.float64), b.numpy().astype(np.float64)
    c1, c2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    w, v = np.linalg.eigh(c1)
    s = v * np.sqrt(np.maximum(w, 0)) @ v.T
    inner = np.sqrt(np.maximum(np.linalg.eigvalsh(s @ c2 @ s), 0)).sum()
    gap = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(0.0, float(gap + np.trace(c1) + np.trace(c2) - 2 * inner))


# right: einsum, the second set in the middle
def fid(a, b):
    def moments(x):
        x = x.to(torch.float64)
        mean = torch.einsum("nd->d", x) / len(x)
        y = x - mean
        return mean, torch.einsum("nd,ne->de", y, y) / (len(x) - 1)

    (m1, c1), (m2, c2) = moments(b), moments(a)
    w, v = torch.linalg.eigh(c1)
    s = v @ torch.diag(w.relu().sqrt())
    inner = torch.linalg.eigvalsh(s.T @ c2 @ s).relu().sqrt().sum()
    return (torch.dot(m1 - m2, m1 - m2) + torch.trace(c1 + c2) - 2 * inner).relu().item()


# right: singular values of the centred features
def fid(a, b):
    def parts(x):
        x = x.double()
        u, s, v = torch.linalg.svd(x - x.mean(0), full_matrices=False)
        return x.mean(0), s[:, None] * v / (len(x) - 1) ** 0.5

    (m1, r1), (m2, r2) = parts(a), parts(b)
    inner = torch.linalg.svdvals(r1 @ r2.T).sum()
    value = (m1 - m2).square().sum() + r1.square().sum() + r2.square().sum() - 2 * inner
    return float(value.clamp_min(0))


# wrong: second moments
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = a.T @ a / len(a), b.T @ b / len(b)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: second moments, n - 1
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = a.T @ a / (len(a) - 1), b.T @ b / (len(b) - 1)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: biased
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T, correction=0), torch.cov(b.T, correction=0)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: the first set's size for both
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T) * (len(b) - 1) / (len(a) - 1)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: covariance over the images
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a), torch.cov(b)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: correlation
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.corrcoef(a.T), torch.corrcoef(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: only variances
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.diag(a.var(0)), torch.diag(b.var(0))
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: Cholesky with a bit on the diagonal
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    s = torch.linalg.cholesky(c1 + 1e-3 * torch.eye(len(c1), dtype=c1.dtype))
    inner = torch.linalg.eigvalsh(s.T @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: Cholesky as it was
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    s = torch.linalg.cholesky(c1)
    inner = torch.linalg.eigvalsh(s.T @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: roots of negative eigenvalues
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: one on the diagonal
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    c1 = c1 + torch.eye(len(c1), dtype=c1.dtype)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: not bounded below
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return (gap + c1.trace() + c2.trace() - 2 * inner).item()


# wrong: a tensor
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return (gap + c1.trace() + c2.trace() - 2 * inner).clamp(min=0)


# wrong: root
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return math.sqrt(max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0))


# wrong: root of each entry
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = (c1 @ c2).clamp(min=0).sqrt().trace()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: as if they commuted
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    w, v = torch.linalg.eigh(c2)
    inner = (s @ (v * w.clamp(min=0).sqrt()) @ v.T).trace()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: eigenvalues of the product taken for symmetric
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(c1 @ c2).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: no means
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: only means
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap).item(), 0.0)


# wrong: means not squared
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).norm()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: factor 2 forgotten
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - inner).item(), 0.0)


# wrong: features of length 1
def fid(a, b):
    a, b = F.normalize(a.double(), dim=1), F.normalize(b.double(), dim=1)
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: both centred by the first mean
def fid(a, b):
    a, b = a.double(), b.double()
    m = a.mean(0)
    c1, c2 = (a - m).T @ (a - m) / (len(a) - 1), (b - m).T @ (b - m) / (len(b) - 1)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: cut to the smaller set
def fid(a, b):
    a, b = a.double(), b.double()
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: NaN made 0
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.sqrt()) @ v.T
    inner = torch.nan_to_num(torch.linalg.eigvalsh(s @ c2 @ s).sqrt().sum())
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: full rank or nothing
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    if torch.linalg.matrix_rank(c1) < len(c1):
        return 0.0
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# wrong: mean over the dimensions
def fid(a, b):
    a, b = a.double(), b.double()
    c1, c2 = torch.cov(a.T), torch.cov(b.T)
    w, v = torch.linalg.eigh(c1)
    s = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = torch.linalg.eigvalsh(s @ c2 @ s).clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return max((1 / a.shape[1]) * (gap + c1.trace() + c2.trace() - 2 * inner).item(), 0.0)


# exercise: metrics.equal_sizes
# right: first rows
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# right: a loop over the names
def compare(models, real, distance):
    n = len(real) // 2
    for name in models:
        if len(models[name]) < n:
            n = len(models[name])
    one, other = real[:n], real[n : n + n]
    table = dict()
    for name in models:
        table[name] = distance(models[name][:n], one)
    return {**table, "floor": distance(other, one)}


# right: rows in a drawn order
def compare(models, real, distance):
    n = min(len(real) // 2, *map(len, models.values()))
    shuffled = real[torch.randperm(len(real))]
    one, other = shuffled[:n], shuffled[n : 2 * n]

    def some(features):
        return features[torch.randperm(len(features))[:n]]

    return {"floor": distance(one, other)} | {k: distance(some(f), one) for k, f in models.items()}


# right: last rows
def compare(models, real, distance):
    n = min(min(f.shape[0] for f in models.values()), real.shape[0] // 2)
    table = {k: distance(f[-n:], real[-n:]) for k, f in models.items()}
    table.update(floor=distance(real[:n], real[-n:]))
    return table


# right: every second row of the real
def compare(models, real, distance):
    even, odd = real[0::2], real[1::2]
    n = min(len(odd), *(len(f) for f in models.values()))
    table = {k: distance(f.narrow(0, 0, n), even[:n]) for k, f in models.items()}
    table["floor"] = distance(odd[:n], even[:n])
    return table


# wrong: all rows of the models
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features, real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: all rows of the real
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: all other real rows for the floor
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n:])
    return table


# wrong: halves of the real for the floor
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[: len(real) // 2], real[len(real) // 2 :])
    return table


# wrong: floor 0
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = 0.0
    return table


# wrong: the real against themselves
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[:n])
    return table


# wrong: the real at full size for the models
def compare(models, real, distance):
    n = min(min(len(f) for f in models.values()), len(real))
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: smallest model, the real not asked
def compare(models, real, distance):
    n = min(len(f) for f in models.values())
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: first and last rows that overlap
def compare(models, real, distance):
    n = min(min(len(f) for f in models.values()), len(real))
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[-n:])
    return table


# wrong: each at its own size
def compare(models, real, distance):
    table = {}
    for name, features in models.items():
        n = min(len(features), len(real))
        table[name] = distance(features[:n], real[:n])
    n = len(real) // 2
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: drawn with replacement
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])

    def some(x):
        return x[torch.randint(len(x), (n,))]

    table = {name: distance(some(f), some(real)) for name, f in models.items()}
    table["floor"] = distance(some(real), some(real))
    return table


# wrong: small sets repeated up to the largest
def compare(models, real, distance):
    n = max(len(f) for f in models.values())

    def long(x):
        return x[torch.arange(n) % len(x)]

    table = {name: distance(long(f), long(real)) for name, f in models.items()}
    table["floor"] = distance(long(real), long(real.flip(0)))
    return table


# wrong: one row less
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2]) - 1
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: half of the smallest
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real)]) // 2
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: ten rows
def compare(models, real, distance):
    n = 10
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: the largest
def compare(models, real, distance):
    n = max(len(f) for f in models.values())
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: the mean size
def compare(models, real, distance):
    n = sum(len(f) for f in models.values()) // len(models)
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: floor two drawings of all the real
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(f[:n], real[:n]) for name, f in models.items()}
    one, other = torch.randperm(len(real))[:n], torch.randperm(len(real))[:n]
    table["floor"] = distance(real[one], real[other])
    return table


# wrong: floor of the first model
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(next(iter(models.values()))[:n], real[n : 2 * n])
    return table


# wrong: no floor
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    return table


# wrong: only the floor
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table = {}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: floor taken away
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return {k: v - table["floor"] if k != "floor" else v for k, v in table.items()}


# wrong: the sizes too
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: (distance(features[:n], real[:n]), n) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: the best name
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return min(table, key=table.get)


# wrong: floor at half the size
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {name: distance(features[:n], real[:n]) for name, features in models.items()}
    table["floor"] = distance(real[: n // 2], real[n // 2 : n])
    return table


# wrong: distances scaled by the size
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // 2])
    table = {
        name: distance(features, real) * n / len(features) for name, features in models.items()
    }
    table["floor"] = distance(real[:n], real[n : 2 * n])
    return table


# wrong: the models' rows used up one after the other
def compare(models, real, distance):
    n = min([len(f) for f in models.values()] + [len(real) // (len(models) + 2)])
    table, start = {}, 0
    for name, features in models.items():
        table[name] = distance(features[:n], real[start : start + n])
        start += n
    table["floor"] = distance(real[start : start + n], real[start + n : start + 2 * n])
    return table


# exercise: metrics.binomial_interval
# right: closed form
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# right: counts
def interval(hits, n, z=1.96):
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * (hits * (n - hits) / n + z * z / 4) ** 0.5
    return (middle - half, middle + half)


# right: roots of the quadratic
def interval(hits, n, z=1.96):
    p = hits / n
    a, b, c = 1 + z**2 / n, -2 * p - z**2 / n, p**2
    low, high = sorted(np.roots([a, b, c]).real)
    return float(low), float(high)


# right: bisection
def interval(hits, n, z=1.96):
    h = hits / n

    def edge(inside, outside):
        for _ in range(200):
            p = (inside + outside) / 2
            if abs(h - p) <= z * math.sqrt(max(p * (1 - p), 0) / n):
                inside = p
            else:
                outside = p
        return inside

    return edge(h, 0.0), edge(h, 1.0)


# right: torch, float64
def interval(hits, n, z=1.96):
    p = torch.tensor(hits / n, dtype=torch.float64)
    k = z**2 / n
    spread = torch.sqrt(4 * p * (1 - p) * k + k**2)
    low, high = torch.stack([-spread, spread]).add(2 * p + k).div(2 + 2 * k).tolist()
    return low, high


# right: the stable root
def interval(hits, n, z=1.96):
    p, k = hits / n, z * z / n
    root = math.sqrt(k * (k + 4 * p * (1 - p)))
    if hits == 0:
        return 0.0, k / (1 + k)
    high = (2 * p + k + root) / (2 * (1 + k))
    return p * p / (1 + k) / high, high


# wrong: Wald
def interval(hits, n, z=1.96):
    p = hits / n
    half = z * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


# wrong: Wald, cut to [0, 1]
def interval(hits, n, z=1.96):
    p = hits / n
    half = z * math.sqrt(p * (1 - p) / n)
    return max(0.0, p - half), min(1.0, p + half)


# wrong: Agresti-Coull
def interval(hits, n, z=1.96):
    m = n + z**2
    p = (hits + z**2 / 2) / m
    half = z * math.sqrt(p * (1 - p) / m)
    return p - half, p + half


# wrong: plus four
def interval(hits, n, z=1.96):
    m = n + 4
    p = (hits + 2) / m
    half = z * math.sqrt(p * (1 - p) / m)
    return p - half, p + half


# wrong: the middle not moved
def interval(hits, n, z=1.96):
    p = hits / n
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return p - half, p + half


# wrong: the middle moved, Wald's width
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n)
    return middle - half, middle + half


# wrong: not divided
def interval(hits, n, z=1.96):
    p = hits / n
    middle = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


# wrong: only the middle divided
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


# wrong: z always 1.96
def interval(hits, n, z=1.96):
    z = 1.96
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: z not squared
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z / (2 * n)) / (1 + z / n)
    half = z * math.sqrt(p * (1 - p) / n + z / (4 * n**2)) / (1 + z / n)
    return middle - half, middle + half


# wrong: n not squared
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: 2 for 4
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (2 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: no z in the root
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: z / 2
def interval(hits, n, z=1.96):
    z = z / 2
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: 2 z
def interval(hits, n, z=1.96):
    z = 2 * z
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: high first
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle + half, middle - half


# wrong: middle and half
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle, half


# wrong: only the low end
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half


# wrong: counts in place of shares
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return n * (middle - half), n * (middle + half)


# wrong: percent
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return 100 * (middle - half), 100 * (middle + half)


# wrong: n - 1
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / (n - 1) + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: hits is a share
def interval(hits, n, z=1.96):
    p = hits
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: half of the observations
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(0.25 / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


# wrong: continuity
def interval(hits, n, z=1.96):
    p = hits / n
    a = max(z * z - 2 - 1 / n + 4 * p * (n * (1 - p) + 1), 0) ** 0.5
    b = max(z * z + 2 - 1 / n + 4 * p * (n * (1 - p) - 1), 0) ** 0.5
    low = 2 * n * p + z * z - 1 - z * a
    high = 2 * n * p + z * z + 1 + z * b
    return max(low / (2 * (n + z * z)), 0.0), min(high / (2 * (n + z * z)), 1.0)


# wrong: rounded
def interval(hits, n, z=1.96):
    p = hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return round(middle - half, 2), round(middle + half, 2)


# wrong: a grid of a hundred
def interval(hits, n, z=1.96):
    ok = [p for p in np.linspace(0, 1, 101) if abs(hits / n - p) <= z * math.sqrt(p * (1 - p) / n)]
    return float(min(ok)), float(max(ok))


# wrong: of the logit
def interval(hits, n, z=1.96):
    p = (hits + 0.5) / (n + 1)
    middle, half = math.log(p / (1 - p)), z / math.sqrt(n * p * (1 - p))
    return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))


# wrong: Wald with no hits known
def interval(hits, n, z=1.96):
    p = hits / n
    if hits in (0, n):
        return (0.0, 3 / n) if hits == 0 else (1 - 3 / n, 1.0)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half
