"Answers to the exercises of the quantizer, right ones in unusual forms and wrong ones."

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: quantizer.nearest
# right: the square expanded, with einsum
def nearest(z, codebook):
    a = torch.einsum("nd,nd->n", z, z)
    b = torch.einsum("kd,kd->k", codebook, codebook)
    table = a[:, None] + b[None, :] - 2 * torch.einsum("nd,kd->nk", z, codebook)
    return table.argmin(dim=-1)


# right: numpy inside
def nearest(z, codebook):
    gaps = z.numpy()[:, None, :] - codebook.numpy()[None, :, :]
    return torch.from_numpy((gaps**2).sum(axis=2).argmin(axis=1))


# right: float64 and topk
def nearest(z, codebook):
    d = torch.cdist(z.double(), codebook.double())
    return d.topk(1, dim=1, largest=False).indices.squeeze(1)


# right: softmax of minus the distance
def nearest(z, codebook):
    d = torch.linalg.vector_norm(z.unsqueeze(1) - codebook.unsqueeze(0), dim=2)
    return F.softmax(-d, dim=1).max(dim=1).indices


# right: codes down, vectors across
def nearest(z, codebook):
    return torch.cdist(codebook, z).argmin(0)


# right: sorted
def nearest(z, codebook):
    d = (z[:, None] - codebook[None]).pow(2).sum(2)
    return d.argsort(dim=1)[:, 0]


# wrong: absolute differences
def nearest(z, codebook):
    return (z[:, None] - codebook[None]).abs().sum(-1).argmin(1)


# wrong: largest difference
def nearest(z, codebook):
    return (z[:, None] - codebook[None]).abs().amax(-1).argmin(1)


# wrong: differences not squared
def nearest(z, codebook):
    return (z[:, None] - codebook[None]).sum(-1).argmin(1)


# wrong: differences summed, then squared
def nearest(z, codebook):
    return (z[:, None] - codebook[None]).sum(-1).square().argmin(1)


# wrong: largest product
def nearest(z, codebook):
    return (z @ codebook.T).argmax(1)


# wrong: cosine
def nearest(z, codebook):
    return F.cosine_similarity(z[:, None], codebook[None], dim=-1).argmax(1)


# wrong: factor 2 forgotten
def nearest(z, codebook):
    return (codebook.square().sum(1) - z @ codebook.T).argmin(1)


# wrong: norm in place of the squared norm
def nearest(z, codebook):
    return (codebook.norm(dim=1) - 2 * z @ codebook.T).argmin(1)


# wrong: over the vectors
def nearest(z, codebook):
    return torch.cdist(z, codebook).argmin(0)


# wrong: one index for the flat table
def nearest(z, codebook):
    return torch.cdist(z, codebook).argmin()


# wrong: the distances themselves
def nearest(z, codebook):
    return torch.cdist(z, codebook).min(1).values


# wrong: the codes themselves
def nearest(z, codebook):
    return codebook[torch.cdist(z, codebook).argmin(1)]


# wrong: one-hot
def nearest(z, codebook):
    return F.one_hot(torch.cdist(z, codebook).argmin(1), len(codebook))


# wrong: farthest
def nearest(z, codebook):
    return torch.cdist(z, codebook).argmax(1)


# wrong: vectors centred by the batch
def nearest(z, codebook):
    return torch.cdist(z - z.mean(0), codebook).argmin(1)


# wrong: a loop over the rows
def nearest(z, codebook):
    return torch.stack([(row - codebook).square().sum(1).argmin() for row in z])


# wrong: a loop over the pairs
def nearest(z, codebook):
    out = torch.zeros(len(z), dtype=torch.long)
    for i in range(len(z)):
        best = float("inf")
        for k in range(len(codebook)):
            d = (z[i] - codebook[k]).square().sum().item()
            if d < best:
                best, out[i] = d, k
    return out


# exercise: quantizer.pairs
# right: norm of the difference
def code_indices(z, codebook):
    return torch.linalg.norm(z.unsqueeze(-2) - codebook, dim=-1).argmin(dim=-1)


# right: einsum
def code_indices(z, codebook):
    product = torch.einsum("...d,kd->...k", z, codebook)
    return torch.argmin(torch.einsum("kd,kd->k", codebook, codebook) - 2 * product, dim=-1)


# right: a loop over the vectors
def code_indices(z, codebook):
    out = [(v - codebook).square().sum(1).argmin() for v in z.reshape(-1, z.shape[-1])]
    return torch.stack(out).reshape(z.shape[:-1])


# right: numpy and float64
def code_indices(z, codebook):
    a, b = z.numpy().astype(np.float64), codebook.numpy().astype(np.float64)
    return torch.as_tensor(np.argmin(((a[..., None, :] - b) ** 2).sum(-1), axis=-1))


# right: flat and back
def code_indices(z, codebook):
    flat = z.flatten(0, -2) if z.ndim > 1 else z[None]
    return torch.cdist(flat, codebook).argmin(1).reshape(z.shape[:-1])


# wrong: axis 1 as before
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).square().sum(-1).min(dim=1).indices


# wrong: only for two axes
def code_indices(z, codebook):
    return (z[:, None] - codebook[None]).square().sum(-1).argmin(-1)


# wrong: only for three axes
def code_indices(z, codebook):
    b, n, d = z.shape
    return torch.cdist(z.view(-1, d), codebook).argmin(1).view(b, n)


# wrong: min over the vectors
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).square().sum(-1).argmin(-2)


# wrong: absolute differences
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).abs().sum(-1).argmin(-1)


# wrong: largest difference
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).abs().amax(-1).argmin(-1)


# wrong: summed over the codes
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).square().sum(-2).argmin(-1)


# wrong: the smallest distances
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).square().sum(-1).min(dim=-1).values


# wrong: left flat
def code_indices(z, codebook):
    return torch.cdist(z.reshape(-1, z.shape[-1]), codebook).argmin(1)


# wrong: an axis of length one too many
def code_indices(z, codebook):
    return (z.unsqueeze(-2) - codebook).square().sum(-1).argmin(-1, keepdim=True)


# wrong: cosine
def code_indices(z, codebook):
    return (F.normalize(z, dim=-1) @ F.normalize(codebook, dim=-1).T).argmax(-1)


# wrong: the largest product
def code_indices(z, codebook):
    return (z @ codebook.T).argmax(-1)


# exercise: quantizer.buildable
# right: an embedding and a norm
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.n_codes = n_codes
        self.codebook = nn.Embedding(n_codes, dim)

    def forward(self, z):
        d = (z[:, None] - self.codebook.weight).norm(dim=2)
        indices = d.argmin(1)
        return self.codebook(indices), indices


# right: one-hot times the codebook
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.n_codes = n_codes
        self.codebook = nn.Parameter(torch.empty(n_codes, dim).uniform_(-1, 1))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).min(dim=1)[1]
        onehot = F.one_hot(indices, self.n_codes).float()
        return onehot @ self.codebook, indices


# right: a list of two
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))
        self.n_codes = n_codes

    def forward(self, z):
        indices = torch.cdist(z.double(), self.codebook.double()).argmin(1)
        return [torch.index_select(self.codebook, 0, indices), indices]


# right: a loop
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(n_codes, dim) * 0.1)

    def forward(self, z):
        indices = torch.stack([(self.table - v).pow(2).sum(1).argmin() for v in z])
        return self.table[indices], indices


# wrong: still weights
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.n_codes = n_codes
        self.codebook = nn.Parameter(torch.randn(self.n_codes, dim))

    def forward(self, z):
        weights = (z @ self.codebook.T).softmax(1)
        return weights, weights.argmax(1)


# wrong: a mixture of the codes
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        weights = (z @ self.codebook.T).softmax(1)
        return weights @ self.codebook, weights.argmax(1)


# wrong: the code of the largest product
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = (z @ self.codebook.T).softmax(1).argmax(1)
        return self.codebook[indices], indices


# wrong: only the codes
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        return self.codebook[torch.cdist(z, self.codebook).argmin(1)]


# wrong: indices first
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        return indices, self.codebook[indices]


# wrong: the axes of the table exchanged
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(dim, n_codes))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook.T).argmin(1)
        return self.codebook[indices], indices


# wrong: super().__init__ forgotten
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        return self.codebook[indices], indices


# wrong: a linear layer before the codes
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))
        self.project = nn.Linear(dim, dim)

    def forward(self, z):
        indices = torch.cdist(self.project(z), self.codebook).argmin(1)
        return self.codebook[indices], indices


# wrong: absolute differences
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook, p=1).argmin(1)
        return self.codebook[indices], indices


# wrong: largest difference
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook, p=float("inf")).argmin(1)
        return self.codebook[indices], indices


# wrong: a fresh table at every call
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.n_codes, self.dim = n_codes, dim

    def forward(self, z):
        codebook = torch.randn(self.n_codes, self.dim)
        indices = torch.cdist(z, codebook).argmin(1)
        return codebook[indices], indices


# wrong: two tables, one searched, one read
class TinyQuantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))
        self.embedding = nn.Embedding(n_codes, dim)

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        return self.embedding(indices), indices


# exercise: quantizer.copy_gradient
# right: detach on both sides
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z - z.detach() + z_q.detach()


# right: the code keeps its own gradient
def quantize(z, codebook):
    z_q = codebook[(z[:, None] - codebook).square().sum(2).argmin(1)]
    return z_q + z - z.detach()


# right: under no_grad
def quantize(z, codebook):
    with torch.no_grad():
        gap = codebook[torch.cdist(z, codebook).argmin(1)] - z
    return z + gap


# right: a hook
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)].detach()
    return z * 1.0 + (z_q - z.detach())


# right: one-hot, added to the gradient
def quantize(z, codebook):
    onehot = F.one_hot(torch.cdist(z, codebook).argmin(1), len(codebook)).to(z.dtype)
    return torch.add(z, (onehot @ codebook - z).detach())


# wrong: value of z
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z_q + (z - z_q).detach()


# wrong: no detach
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z + (z_q - z)


# wrong: detached at the end
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return (z + z_q - z).detach()


# wrong: only the code detached
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z + (z_q.detach() - z)


# wrong: only z detached in the middle
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z_q + (z - z_q.detach()) * 0


# wrong: requires_grad set on the result
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return z_q.detach().requires_grad_()


# wrong: softmax weights
def quantize(z, codebook):
    return F.softmax(-torch.cdist(z, codebook), dim=1) @ codebook


# wrong: gradient of the soft weights, value of the code
def quantize(z, codebook):
    soft = F.softmax(-torch.cdist(z, codebook), dim=1)
    hard = F.one_hot(soft.argmax(1), len(codebook)).float()
    return (hard + soft - soft.detach()) @ codebook


# wrong: gumbel-softmax
def quantize(z, codebook):
    return F.gumbel_softmax(-torch.cdist(z, codebook), hard=True) @ codebook


# wrong: half of the gradient
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook).argmin(1)]
    return 0.5 * z + (z_q - 0.5 * z).detach()


# wrong: the value in z.data
def quantize(z, codebook):
    z.data = codebook[torch.cdist(z, codebook).argmin(1)].detach()
    return z


# wrong: the nearest in absolute differences
def quantize(z, codebook):
    z_q = codebook[torch.cdist(z, codebook, p=1).argmin(1)]
    return z + (z_q - z).detach()


# exercise: quantizer.lookup
# right: index_select
def pick(weights, codebook):
    return codebook.index_select(0, weights.max(dim=-1).indices)


# right: einsum with one-hot
def pick(weights, codebook):
    hard = F.one_hot(weights.argmax(1), weights.shape[1]).to(codebook.dtype)
    return torch.einsum("nk,kd->nd", hard, codebook)


# right: a loop
def pick(weights, codebook):
    rows = []
    for row in weights:
        rows.append(codebook[int(row.argmax())])
    return torch.stack(rows)


# right: numpy
def pick(weights, codebook):
    best = np.argmax(weights.numpy(), axis=1)
    return torch.from_numpy(codebook.numpy()[best])


# right: gather
def pick(weights, codebook):
    best = weights.topk(1).indices.expand(-1, codebook.shape[1])
    return torch.gather(codebook, 0, best)


# wrong: a mixture
def pick(weights, codebook):
    return weights @ codebook


# wrong: a mixture by softmax
def pick(weights, codebook):
    return weights.softmax(1) @ codebook


# wrong: argmax over the rows
def pick(weights, codebook):
    return codebook[weights.argmax(0)]


# wrong: one code for all
def pick(weights, codebook):
    return codebook[weights.sum(0).argmax()].expand(len(weights), -1)


# wrong: the smallest score
def pick(weights, codebook):
    return codebook[weights.argmin(1)]


# wrong: argmax without an axis
def pick(weights, codebook):
    return codebook[weights.argmax()]


# wrong: a drawn code
def pick(weights, codebook):
    return codebook[torch.multinomial(weights.softmax(1), 1)[:, 0]]


# wrong: the code times its score
def pick(weights, codebook):
    best, indices = weights.max(1)
    return best[:, None] * codebook[indices]


# wrong: weights rounded
def pick(weights, codebook):
    return weights.round() @ codebook


# wrong: scores above one half
def pick(weights, codebook):
    return (weights > 0.5).float() @ codebook


# wrong: the index only
def pick(weights, codebook):
    return weights.argmax(1)


# wrong: an axis too many
def pick(weights, codebook):
    return codebook[weights.argmax(1, keepdim=True)]


# wrong: the largest in absolute value
def pick(weights, codebook):
    return codebook[weights.abs().argmax(1)]


# exercise: quantizer.deterministic
# right: the square expanded
def code_indices(z, codebook):
    return ((codebook**2).sum(1)[None] - 2 * torch.einsum("nd,kd->nk", z, codebook)).argmin(1)


# right: softmax of minus the distance
def code_indices(z, codebook):
    return (-torch.cdist(z, codebook)).softmax(1).argmax(1)


# right: a loop in numpy
def code_indices(z, codebook):
    table = codebook.numpy()
    return torch.tensor([int(((table - v) ** 2).sum(1).argmin()) for v in z.numpy()])


# right: float64
def code_indices(z, codebook):
    return torch.cdist(z.to(torch.float64), codebook.to(torch.float64)).min(1).indices


# wrong: one draw per row
def code_indices(z, codebook):
    return torch.multinomial(z.softmax(1), 1).squeeze(1)


# wrong: a draw by distance
def code_indices(z, codebook):
    return torch.multinomial((-torch.cdist(z, codebook)).softmax(1), 1)[:, 0]


# wrong: seeded draw
def code_indices(z, codebook):
    torch.manual_seed(0)
    return torch.multinomial((-torch.cdist(z, codebook)).softmax(1), 1)[:, 0]


# wrong: largest coordinate
def code_indices(z, codebook):
    return z.argmax(dim=1)


# wrong: softmax, then the largest
def code_indices(z, codebook):
    return z.softmax(1).argmax(1)


# wrong: largest product
def code_indices(z, codebook):
    return torch.argmax(z @ codebook.T, dim=1)


# wrong: cosine
def code_indices(z, codebook):
    return (F.normalize(z, dim=1) @ F.normalize(codebook, dim=1).T).argmax(1)


# wrong: absolute differences
def code_indices(z, codebook):
    return torch.cdist(z, codebook, p=1).argmin(1)


# wrong: maximum norm
def code_indices(z, codebook):
    return torch.cdist(z, codebook, p=float("inf")).argmin(1)


# wrong: over the vectors
def code_indices(z, codebook):
    return torch.cdist(z, codebook).argmin(0)


# wrong: an axis kept
def code_indices(z, codebook):
    return torch.cdist(z, codebook).argmin(1, keepdim=True)


# wrong: rounded mean
def code_indices(z, codebook):
    return z.mean(1).round().long().clamp(0, len(codebook) - 1)


# exercise: quantizer.losses
# right: sums divided by the number
def vq_losses(z_e, e, beta=0.25):
    n = z_e.numel()
    first = torch.sum((z_e.detach() - e) ** 2) / n
    second = torch.sum((z_e - e.detach()) ** 2) / n
    return first, beta * second


# right: einsum
def vq_losses(z_e, e, beta=0.25):
    a, b = z_e.detach() - e, e.detach() - z_e
    n = a.numel()
    return torch.einsum("nd,nd->", a, a) / n, torch.einsum("nd,nd->", b, b).mul(beta / n)


# right: float64
def vq_losses(z_e, e, beta=0.25):
    codebook = F.mse_loss(e.double(), z_e.double().detach())
    return codebook.float(), (F.mse_loss(z_e.double(), e.double().detach()) * beta).float()


# right: a list
def vq_losses(z_e, e, beta=0.25):
    def gap(a, b):
        return (a - b.data).square().flatten().mean()

    return [gap(e, z_e), gap(z_e, e) * beta]


# right: mean of means
def vq_losses(z_e, e, beta=0.25):
    codebook = (z_e.detach() - e).pow(2).mean(0).mean()
    return codebook, beta * (z_e - e.detach()).pow(2).mean(1).mean()


# wrong: beta on both
def vq_losses(z_e, e, beta=0.25):
    return beta * F.mse_loss(e, z_e.detach()), beta * F.mse_loss(z_e, e.detach())


# wrong: beta on the codes, detach exchanged
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(z_e, e.detach()), beta * F.mse_loss(e, z_e.detach())


# wrong: beta nowhere
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach())


# wrong: one minus beta
def vq_losses(z_e, e, beta=0.25):
    return (1 - beta) * F.mse_loss(e, z_e.detach()), beta * F.mse_loss(z_e, e.detach())


# wrong: divided by beta
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach()) / beta


# wrong: beta squared
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(e, z_e.detach()), (beta * (z_e - e.detach())).square().mean()


# wrong: absolute differences
def vq_losses(z_e, e, beta=0.25):
    return F.l1_loss(e, z_e.detach()), beta * F.l1_loss(z_e, e.detach())


# wrong: smooth absolute differences
def vq_losses(z_e, e, beta=0.25):
    return F.smooth_l1_loss(e, z_e.detach()), beta * F.smooth_l1_loss(z_e, e.detach())


# wrong: roots
def vq_losses(z_e, e, beta=0.25):
    a = (e - z_e.detach()).square().mean().sqrt()
    return a, beta * (z_e - e.detach()).square().mean().sqrt()


# wrong: length of the difference of each row
def vq_losses(z_e, e, beta=0.25):
    a = (e - z_e.detach()).norm(dim=1).mean()
    return a, beta * (z_e - e.detach()).norm(dim=1).mean()


# wrong: summed over the width
def vq_losses(z_e, e, beta=0.25):
    a = (e - z_e.detach()).square().sum(1).mean()
    return a, beta * (z_e - e.detach()).square().sum(1).mean()


# wrong: both detached
def vq_losses(z_e, e, beta=0.25):
    a = F.mse_loss(e.detach(), z_e.detach())
    return a, beta * a


# wrong: the sum of both
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach())


# wrong: the default as a constant
def vq_losses(z_e, e, beta=0.25):
    return F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach()) / 4


# wrong: no default
def vq_losses(z_e, e, beta):
    return F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach()) * beta


# wrong: another default
def vq_losses(z_e, e, beta=1.0):
    return F.mse_loss(e, z_e.detach()), F.mse_loss(z_e, e.detach()) * beta


# exercise: quantizer.learns
# right: the losses written out
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    indices = ((z_e[:, None] - codebook) ** 2).sum(-1).argmin(1)
    e = codebook.index_select(0, indices)
    z_q = e.detach() + z_e - z_e.detach()
    reconstruction = (decoder(z_q) - x).pow(2).mean()
    return reconstruction + (e - z_e.detach()).pow(2).mean() + (z_e - e.detach()).pow(2).mean() / 4


# right: one-hot
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    with torch.no_grad():
        onehot = F.one_hot(torch.cdist(z_e, codebook).argmin(1), len(codebook)).float()
    e = onehot @ codebook
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    loss = loss + F.mse_loss(e, z_e.detach())
    loss = loss + 0.25 * F.mse_loss(e.detach(), z_e)
    return loss


# right: einsum and nn.MSELoss
def total_loss(encoder, codebook, decoder, x):
    mse, z_e = nn.MSELoss(), encoder(x)
    score = torch.einsum("nd,kd->nk", z_e, codebook) - codebook.square().sum(1) / 2
    e = F.embedding(score.argmax(1), codebook)
    z_q = z_e + (e - z_e).detach()
    return sum([mse(decoder(z_q), x), mse(e, z_e.detach()), mse(z_e, e.detach()) * 0.25])


# right: losses in float64
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    x_hat = decoder(z_e + (e - z_e).detach()).double()
    gap = (e - z_e.detach()).double().square().mean()
    hold = (z_e - e.detach()).double().square().mean()
    return (F.mse_loss(x_hat, x.double()) + gap + 0.25 * hold).float()


# wrong: straight-through alone
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return F.mse_loss(decoder(z_e + (e - z_e).detach()), x)


# wrong: no straight-through
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(e.detach()), x)
    return loss + F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())


# wrong: the codes learn from the decoder
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(e), x)
    return loss + F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())


# wrong: nothing detached in the losses
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    return loss + 1.25 * F.mse_loss(e, z_e)


# wrong: beta on the codebook loss
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    return loss + 0.25 * F.mse_loss(e, z_e.detach()) + F.mse_loss(z_e, e.detach())


# wrong: beta forgotten
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    return loss + F.mse_loss(e, z_e.detach()) + F.mse_loss(z_e, e.detach())


# wrong: the decoder sees z
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e), x)
    return loss + F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())


# wrong: commitment alone
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return F.mse_loss(decoder(z_e + (e - z_e).detach()), x) + 0.25 * F.mse_loss(z_e, e.detach())


# wrong: the codebook loss alone
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return F.mse_loss(decoder(z_e + (e - z_e).detach()), x) + F.mse_loss(e, z_e.detach())


# wrong: sums for means
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = (decoder(z_e + (e - z_e).detach()) - x).square().sum()
    loss = loss + (e - z_e.detach()).square().sum()
    return loss + 0.25 * (z_e - e.detach()).square().sum()


# wrong: absolute error of the reconstruction
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.l1_loss(decoder(z_e + (e - z_e).detach()), x)
    return loss + F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())


# wrong: the three losses in a tuple
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    return loss, F.mse_loss(e, z_e.detach()), 0.25 * F.mse_loss(z_e, e.detach())


# wrong: as a Python number
def total_loss(encoder, codebook, decoder, x):
    z_e = encoder(x)
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(decoder(z_e + (e - z_e).detach()), x)
    loss = loss + F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())
    return loss.item()


# exercise: quantizer.trainable
# right: small normal codes
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.zeros(n_codes, dim))
        nn.init.normal_(self.codebook, std=0.02)

    def forward(self, z):
        indices = ((z[:, None] - self.codebook) ** 2).sum(-1).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, ((z_q - z.detach()) ** 2).mean()


# right: registered by name
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.register_parameter("codebook", nn.Parameter(torch.rand(n_codes, dim) - 0.5))

    def forward(self, z):
        z = z.detach()
        indices = torch.cdist(z, self.codebook).argmin(dim=1)
        z_q = F.embedding(indices, self.codebook)
        return z_q, indices, F.mse_loss(z_q, z)


# right: one-hot
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        with torch.no_grad():
            indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = F.one_hot(indices, len(self.codebook)).float() @ self.codebook
        return [z_q, indices, F.mse_loss(z.detach(), z_q)]


# right: Xavier and a loop
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_codes, dim)))

    def forward(self, z):
        indices = torch.stack([(self.codebook - v).norm(dim=1).argmin() for v in z])
        z_q = torch.stack([self.codebook[i] for i in indices])
        return z_q, indices, (z_q - z.data).square().mean()


# wrong: a parameter of zeros
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.zeros(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: a parameter of ones
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.ones(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: still a buffer
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.register_buffer("codebook", torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: a tensor that requires gradients
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = torch.randn(n_codes, dim, requires_grad=True)

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: a parameter that does not learn
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim), requires_grad=False)

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: the code is detached
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q.detach(), z)


# wrong: z not detached
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z)


# wrong: a sum
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, (z_q - z.detach()).square().sum()


# wrong: absolute differences in the loss
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.l1_loss(z_q, z.detach())


# wrong: largest product
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = (z @ self.codebook.T).argmax(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: nearest in the maximum norm
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook, p=float("inf")).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: nearest in absolute differences
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, z):
        indices = torch.cdist(z, self.codebook, p=1).argmin(1)
        z_q = self.codebook[indices]
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: under another name
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, dim)

    def forward(self, z):
        indices = torch.cdist(z, self.embedding.weight).argmin(1)
        z_q = self.embedding(indices)
        return z_q, indices, F.mse_loss(z_q, z.detach())


# wrong: an optimizer of its own
class CodeTable(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))
        self.optimizer = torch.optim.SGD([self.codebook], 0.1)

    def forward(self, z):
        indices = torch.cdist(z, self.codebook).argmin(1)
        z_q = self.codebook[indices]
        loss = F.mse_loss(z_q, z.detach())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return z_q, indices, loss


# exercise: quantizer.decode_codes
# right: detach on the code
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = ((z[:, None] - codebook) ** 2).sum(2).argmin(1)
    return decoder(codebook[indices].detach() + z - z.detach()), indices


# right: only the exchange removed
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    z_q = z + (codebook[indices] - z).detach()
    return decoder(z_q), indices


# right: a list, one-hot
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).min(1).indices
    e = F.one_hot(indices, len(codebook)).float() @ codebook
    return [decoder(z + (e - z).detach()), indices]


# right: an autograd function
class _Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, e):
        return e.clone()

    @staticmethod
    def backward(ctx, g):
        return g, None


def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return decoder(_Copy.apply(z, codebook[indices])), indices


# wrong: exchanged at another place
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    z_q = codebook[indices]
    return decoder(z_q + (z - z_q).detach()), indices


# wrong: z decoded
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    return decoder(z), torch.cdist(z, codebook).argmin(1)


# wrong: plain lookup
def forward(encoder, codebook, decoder, x):
    indices = torch.cdist(encoder(x), codebook).argmin(1)
    return decoder(codebook[indices]), indices


# wrong: detached before the decoder
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    z_q = z + (codebook[indices] - z).detach()
    return decoder(z_q.detach()), indices


# wrong: encoder under no_grad
def forward(encoder, codebook, decoder, x):
    with torch.no_grad():
        z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return decoder(z + codebook[indices] - z), indices


# wrong: nothing detached
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return decoder(z + (codebook[indices] - z)), indices


# wrong: a mixture
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    weights = (-torch.cdist(z, codebook)).softmax(1)
    return decoder(weights @ codebook), weights.argmax(1)


# wrong: half way
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return decoder(z + 0.5 * (codebook[indices] - z).detach()), indices


# wrong: x_hat alone
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return decoder(z + (codebook[indices] - z).detach())


# wrong: indices first
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return indices, decoder(z + (codebook[indices] - z).detach())


# wrong: the code returned, no picture
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook).argmin(1)
    return z + (codebook[indices] - z).detach(), indices


# wrong: largest product
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = (z @ codebook.T).argmax(1)
    return decoder(z + (codebook[indices] - z).detach()), indices


# wrong: absolute differences
def forward(encoder, codebook, decoder, x):
    z = encoder(x)
    indices = torch.cdist(z, codebook, p=1).argmin(1)
    return decoder(z + (codebook[indices] - z).detach()), indices


# exercise: quantizer.perplexity
# right: unique counts
def perplexity(indices, n_codes):
    counts = indices.unique(return_counts=True)[1].double()
    p = counts / counts.sum()
    return torch.exp(-(p * p.log()).sum())


# right: a Python float
def perplexity(indices, n_codes):
    flat = indices.flatten().tolist()
    shares = [flat.count(k) / len(flat) for k in range(n_codes)]
    return math.exp(-sum(p * math.log(p) for p in shares if p > 0))


# right: numpy number
def perplexity(indices, n_codes):
    p = np.bincount(indices.numpy().ravel(), minlength=n_codes) / indices.numel()
    p = p[p > 0]
    return np.exp(-(p * np.log(p)).sum())


# right: xlogy
def perplexity(indices, n_codes):
    p = torch.bincount(indices.reshape(-1), minlength=n_codes) / indices.numel()
    return (-torch.xlogy(p, p).sum()).exp()


# right: bits and powers of two
def perplexity(indices, n_codes):
    p = F.one_hot(indices.reshape(-1), n_codes).float().mean(0)
    return 2 ** -(p * torch.log2(p.clamp(min=1e-20))).sum()


# right: torch.distributions
def perplexity(indices, n_codes):
    counts = torch.histc(indices.float(), n_codes, 0, n_codes - 1)
    return torch.distributions.Categorical(probs=counts / counts.sum()).entropy().exp()


# right: a product of powers
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return 1 / (p**p).prod()


# wrong: 0 log 0
def perplexity(indices, n_codes):
    counts = torch.bincount(indices.flatten(), minlength=n_codes).float()
    p = counts / counts.sum()
    return (-(p * p.log()).sum()).exp()


# wrong: bits in exp
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return (-(p * (p + 1e-10).log2()).sum()).exp()


# wrong: the entropy
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return -(p * (p + 1e-10).log()).sum()


# wrong: sign lost
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return (p * (p + 1e-10).log()).sum().exp()


# wrong: mean in place of the sum
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return (-(p * (p + 1e-10).log()).mean()).exp()


# wrong: number of used codes
def perplexity(indices, n_codes):
    return indices.unique().numel()


# wrong: share of used codes
def perplexity(indices, n_codes):
    return indices.unique().numel() / n_codes


# wrong: inverse of the summed squares
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return 1 / (p**2).sum()


# wrong: one over the largest share
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return 1 / p.max()


# wrong: not flattened
def perplexity(indices, n_codes):
    p = torch.bincount(indices, minlength=n_codes) / len(indices)
    return torch.special.entr(p).sum().exp()


# wrong: divided by the first axis
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / len(indices)
    return torch.special.entr(p).sum().exp()


# wrong: divided by the number of codes
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / n_codes
    return torch.special.entr(p).sum().exp()


# wrong: a large constant in the logarithm
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return (-(p * (p + 0.01).log()).sum()).exp()


# wrong: log 10
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes) / indices.numel()
    return (-(p * (p + 1e-10).log10()).sum()).exp()


# wrong: softmax of the counts
def perplexity(indices, n_codes):
    p = torch.bincount(indices.flatten(), minlength=n_codes).float().softmax(0)
    return torch.special.entr(p).sum().exp()


# wrong: smoothed counts
def perplexity(indices, n_codes):
    counts = torch.bincount(indices.flatten(), minlength=n_codes).float() + 1
    return torch.special.entr(counts / counts.sum()).sum().exp()


# exercise: quantizer.ema_step
# right: index_add on copies
def ema_step(counts, sums, z, indices, decay):
    counts, sums = counts.clone().mul_(decay), sums.clone().mul_(decay)
    counts.index_add_(0, indices, torch.full((len(z),), 1 - decay))
    sums.index_add_(0, indices, (1 - decay) * z)
    return counts, sums, sums / counts.unsqueeze(1)


# right: a loop over the codes
def ema_step(counts, sums, z, indices, decay):
    new_counts, new_sums = counts.clone(), sums.clone()
    for k in range(len(counts)):
        mine = z[indices == k]
        new_counts[k] = decay * counts[k] + (1 - decay) * len(mine)
        new_sums[k] = decay * sums[k] + (1 - decay) * mine.sum(0)
    return new_counts, new_sums, new_sums / new_counts[:, None]


# right: einsum
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, counts.shape[0]).float()
    n = decay * counts + (1 - decay) * torch.einsum("nk->k", hot)
    s = decay * sums + (1 - decay) * torch.einsum("nk,nd->kd", hot, z)
    return n, s, torch.einsum("kd,k->kd", s, 1 / n)


# right: float64
def ema_step(counts, sums, z, indices, decay):
    hot = (indices[:, None] == torch.arange(len(counts))).double()
    n = decay * counts.double() + (1 - decay) * hot.sum(0)
    s = decay * sums.double() + (1 - decay) * hot.T @ z.double()
    return [n, s, s / n[:, None]]


# right: scatter_add
def ema_step(counts, sums, z, indices, decay):
    n = torch.zeros_like(counts).scatter_add(0, indices, torch.ones(len(z)))
    s = torch.zeros_like(sums).scatter_add(0, indices[:, None].expand_as(z), z)
    n = counts + (1 - decay) * (n - counts)
    s = sums + (1 - decay) * (s - sums)
    return n, s, s / n.view(-1, 1)


# wrong: decay and its rest exchanged
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = (1 - decay) * counts + decay * hot.sum(0)
    s = (1 - decay) * sums + decay * hot.T @ z
    return n, s, s / n[:, None]


# wrong: nothing weakened
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n, s = counts + hot.sum(0), sums + hot.T @ z
    return n, s, s / n[:, None]


# wrong: the batch with weight one
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n, s = decay * counts + hot.sum(0), decay * sums + hot.T @ z
    return n, s, s / n[:, None]


# wrong: decay of 0.99 whatever is given
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = 0.99 * counts + 0.01 * hot.sum(0)
    s = 0.99 * sums + 0.01 * hot.T @ z
    return n, s, s / n[:, None]


# wrong: means of the batch
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = hot.sum(0)
    s = decay * sums + (1 - decay) * (hot.T @ z) / n.clamp(min=1)[:, None]
    n = decay * counts + (1 - decay) * n
    return n, s, s / n[:, None]


# wrong: frequencies
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = decay * counts + (1 - decay) * hot.mean(0)
    s = decay * sums + (1 - decay) * hot.T @ z / len(z)
    return n, s, s / n[:, None]


# wrong: index_put that counts each code once
def ema_step(counts, sums, z, indices, decay):
    n, s = torch.zeros_like(counts), torch.zeros_like(sums)
    n[indices] += 1
    s[indices] += z
    n, s = decay * counts + (1 - decay) * n, decay * sums + (1 - decay) * s
    return n, s, s / n[:, None]


# wrong: only the chosen codes
def ema_step(counts, sums, z, indices, decay):
    n, s = counts.clone(), sums.clone()
    for k in indices.unique():
        n[k] = decay * counts[k] + (1 - decay) * (indices == k).sum()
        s[k] = decay * sums[k] + (1 - decay) * z[indices == k].sum(0)
    return n, s, s / n[:, None]


# wrong: as many counts as the largest index
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices).float()
    n = decay * counts + (1 - decay) * hot.sum(0)
    s = decay * sums + (1 - decay) * hot.T @ z
    return n, s, s / n[:, None]


# wrong: divided by the old counts
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = decay * counts + (1 - decay) * hot.sum(0)
    s = decay * sums + (1 - decay) * hot.T @ z
    return n, s, s / counts[:, None]


# wrong: codebook forgotten
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = decay * counts + (1 - decay) * hot.sum(0)
    return n, decay * sums + (1 - decay) * hot.T @ z


# wrong: in place
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    counts.mul_(decay).add_(hot.sum(0), alpha=1 - decay)
    sums.mul_(decay).add_(hot.T @ z, alpha=1 - decay)
    return counts, sums, sums / counts[:, None]


# wrong: the codebook runs, not its parts
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = decay * counts + (1 - decay) * hot.sum(0)
    s = decay * sums + (1 - decay) * hot.T @ z
    means = (hot.T @ z) / hot.sum(0).clamp(min=1)[:, None]
    return n, s, decay * sums / counts[:, None] + (1 - decay) * means


# wrong: counts clamped to one
def ema_step(counts, sums, z, indices, decay):
    hot = F.one_hot(indices, len(counts)).float()
    n = decay * counts + (1 - decay) * hot.sum(0)
    s = decay * sums + (1 - decay) * hot.T @ z
    return n, s, s / n.clamp(min=1)[:, None]


# exercise: quantizer.restart
# right: copies and a mask
def restart(codebook, counts, sums, fresh, floor):
    codebook, counts, sums = codebook.clone(), counts.clone(), sums.clone()
    dead = counts < floor
    codebook[dead], sums[dead], counts[dead] = fresh[dead], fresh[dead], 1.0
    return codebook, counts, sums


# right: a loop
def restart(codebook, counts, sums, fresh, floor):
    books, n, s = [], [], []
    for e, c, v, f in zip(codebook, counts.tolist(), sums, fresh):
        books.append(f if c < floor else e)
        n.append(1.0 if c < floor else c)
        s.append(f if c < floor else v)
    return torch.stack(books), torch.tensor(n), torch.stack(s)


# right: lerp with the mask
def restart(codebook, counts, sums, fresh, floor):
    dead = (counts < floor).to(codebook.dtype)
    codebook = torch.lerp(codebook, fresh, dead[:, None])
    counts = torch.lerp(counts, torch.ones_like(counts), dead)
    return codebook, counts, codebook * counts[:, None]


# right: masked_fill and a list
def restart(codebook, counts, sums, fresh, floor):
    dead = ~(counts >= floor)
    n = counts.masked_fill(dead, 1.0)
    book = torch.where(dead.unsqueeze(1), fresh, codebook)
    return [book, n, torch.einsum("kd,k->kd", book, n)]


# wrong: the codebook alone
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    return torch.where(dead[:, None], fresh, codebook), counts, sums


# wrong: the counts forgotten
def restart(codebook, counts, sums, fresh, floor):
    dead = (counts < floor)[:, None]
    return torch.where(dead, fresh, codebook), counts, torch.where(dead, fresh, sums)


# wrong: the sums forgotten
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    counts = torch.where(dead, torch.ones_like(counts), counts)
    return torch.where(dead[:, None], fresh, codebook), counts, sums


# wrong: the weight stays
def restart(codebook, counts, sums, fresh, floor):
    dead = (counts < floor)[:, None]
    sums = torch.where(dead, fresh * counts[:, None], sums)
    return torch.where(dead, fresh, codebook), counts, sums


# wrong: the weight of the floor
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    book = torch.where(dead[:, None], fresh, codebook)
    counts = counts.clamp(min=floor)
    return book, counts, book * counts[:, None]


# wrong: the mean count
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    book = torch.where(dead[:, None], fresh, codebook)
    counts = torch.where(dead, counts.mean(), counts)
    return book, counts, book * counts[:, None]


# wrong: at the floor as well
def restart(codebook, counts, sums, fresh, floor):
    dead = counts <= floor
    book = torch.where(dead[:, None], fresh, codebook)
    counts = torch.where(dead, 1.0, counts)
    return book, counts, book * counts[:, None]


# wrong: above the floor
def restart(codebook, counts, sums, fresh, floor):
    dead = counts > floor
    book = torch.where(dead[:, None], fresh, codebook)
    counts = torch.where(dead, 1.0, counts)
    return book, counts, book * counts[:, None]


# wrong: every count is one
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    book = torch.where(dead[:, None], fresh, codebook)
    return book, torch.ones_like(counts), book.clone()


# wrong: fresh rows in order of the dead
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    book, n = codebook.clone(), counts.clone()
    book[dead] = fresh[: int(dead.sum())]
    n[dead] = 1.0
    return book, n, book * n[:, None]


# wrong: one fresh row for all dead codes
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    book = torch.where(dead[:, None], fresh[0], codebook)
    counts = torch.where(dead, 1.0, counts)
    return book, counts, book * counts[:, None]


# wrong: a floor of one half whatever is given
def restart(codebook, counts, sums, fresh, floor=0.5):
    dead = counts < 0.5
    book = torch.where(dead[:, None], fresh, codebook)
    counts = torch.where(dead, 1.0, counts)
    return book, counts, book * counts[:, None]


# wrong: shares against the floor
def restart(codebook, counts, sums, fresh, floor):
    dead = counts / counts.sum() < floor
    book = torch.where(dead[:, None], fresh, codebook)
    counts = torch.where(dead, 1.0, counts)
    return book, counts, book * counts[:, None]


# wrong: in place
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    codebook[dead], sums[dead], counts[dead] = fresh[dead], fresh[dead], 1.0
    return codebook, counts, sums


# wrong: the order of the three
def restart(codebook, counts, sums, fresh, floor):
    dead = counts < floor
    counts = torch.where(dead, 1.0, counts)
    sums = torch.where(dead[:, None], fresh, sums)
    return counts, sums, sums / counts[:, None]


# exercise: quantizer.start
# right: a loop
def begin(codes, counts):
    return counts, torch.stack([n * e for n, e in zip(counts, codes)])


# right: a diagonal matrix
def begin(codes, counts):
    return counts, torch.diag(counts) @ codes


# right: numpy
def begin(codes, counts):
    return counts.clone(), torch.from_numpy(codes.numpy() * counts.numpy()[:, None])


# right: in place on a copy, as a list
def begin(codes, counts):
    sums = codes.clone()
    sums *= counts.view(-1, 1)
    return [counts, sums]


# right: transposed
def begin(codes, counts):
    return counts, (codes.T * counts).T


# wrong: the means
def begin(codes, counts):
    return counts, codes


# wrong: counts of one
def begin(codes, counts):
    return torch.ones_like(counts), codes


# wrong: divided
def begin(codes, counts):
    return counts, codes / counts[:, None]


# wrong: the whole number of vectors
def begin(codes, counts):
    return counts, codes * counts.sum()


# wrong: frequencies
def begin(codes, counts):
    p = counts / counts.sum()
    return p, codes * p[:, None]


# wrong: mean count for each
def begin(codes, counts):
    n = counts.mean().expand_as(counts)
    return n, codes * n[:, None]


# wrong: along the width
def begin(codes, counts):
    return counts, codes * counts


# wrong: sums first
def begin(codes, counts):
    return codes * counts[:, None], counts


# wrong: counts grown by one
def begin(codes, counts):
    return counts + 1, codes * (counts + 1)[:, None]


# wrong: the sums alone
def begin(codes, counts):
    return codes * counts[:, None]


# wrong: counts of zero
def begin(codes, counts):
    return torch.zeros_like(counts), torch.zeros_like(codes)


# wrong: scaled by a decay
def begin(codes, counts):
    return 0.01 * counts, 0.01 * codes * counts[:, None]


# exercise: quantizer.index_loss
# right: NLL of the log-softmax
def prior_loss(h, head, indices):
    log_p = F.log_softmax(head(h), dim=-1)
    return F.nll_loss(log_p.reshape(-1, log_p.shape[-1]), indices.reshape(-1))


# right: logsumexp
def prior_loss(h, head, indices):
    logits = head(h)
    chosen = torch.gather(logits, 2, indices.unsqueeze(-1)).squeeze(-1)
    return (torch.logsumexp(logits, -1) - chosen).mean()


# right: one-hot and einsum
def prior_loss(h, head, indices):
    logits = head(h)
    hot = F.one_hot(indices, logits.shape[-1]).float()
    return -torch.einsum("bnk,bnk->", hot, logits.log_softmax(-1)) / indices.numel()


# right: a loop over the batch
def prior_loss(h, head, indices):
    each = [F.cross_entropy(head(a), i, reduction="sum") for a, i in zip(h, indices)]
    return sum(each) / indices.numel()


# right: a distribution in float64
def prior_loss(h, head, indices):
    logits = head(h.flatten(0, 1)).double()
    return -torch.distributions.Categorical(logits=logits).log_prob(indices.flatten()).mean()


# wrong: no head
def prior_loss(h, head, indices):
    return F.cross_entropy(h.reshape(-1, h.shape[-1]), indices.reshape(-1))


# wrong: softmax before the cross-entropy
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).softmax(-1).transpose(1, 2), indices)


# wrong: a sum
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).transpose(1, 2), indices, reduction="sum")


# wrong: summed over the places
def prior_loss(h, head, indices):
    each = F.cross_entropy(head(h).transpose(1, 2), indices, reduction="none")
    return each.sum(1).mean()


# wrong: bits
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).transpose(1, 2), indices) / math.log(2)


# wrong: perplexity
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).transpose(1, 2), indices).exp()


# wrong: squared error of the index
def prior_loss(h, head, indices):
    return F.mse_loss(head(h).argmax(-1).float(), indices.float())


# wrong: view in place of transpose
def prior_loss(h, head, indices):
    logits = head(h)
    return F.cross_entropy(logits.reshape(len(h), -1, h.shape[1]), indices)


# wrong: softmax over the places
def prior_loss(h, head, indices):
    return -head(h).log_softmax(1).gather(-1, indices[..., None]).mean()


# wrong: sign
def prior_loss(h, head, indices):
    return head(h).log_softmax(-1).gather(-1, indices[..., None]).mean()


# wrong: probabilities without the logarithm
def prior_loss(h, head, indices):
    return 1 - head(h).softmax(-1).gather(-1, indices[..., None]).mean()


# wrong: the last place only
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h)[:, -1], indices[:, -1])


# wrong: label smoothing
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).flatten(0, 1), indices.flatten(), label_smoothing=0.1)


# wrong: the first place is not counted
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h)[:, 1:].flatten(0, 1), indices[:, 1:].flatten())


# wrong: shifted by one place
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h)[:, :-1].flatten(0, 1), indices[:, 1:].flatten())


# wrong: code 0 as padding
def prior_loss(h, head, indices):
    return F.cross_entropy(head(h).flatten(0, 1), indices.flatten(), ignore_index=0)


# wrong: binary cross-entropy of each code
def prior_loss(h, head, indices):
    logits = head(h)
    hot = F.one_hot(indices, logits.shape[-1]).float()
    return F.binary_cross_entropy_with_logits(logits, hot)


# exercise: quantizer.residual
# right: straight-through at the end
def residual(z, codebooks):
    left, total, losses = z, torch.zeros_like(z), []
    for codebook in codebooks:
        e = codebook[((left[:, None] - codebook) ** 2).sum(-1).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        total = total + e
        left = left - e
    return z + (total - z).detach(), losses


# right: everything searched under no_grad first
def residual(z, codebooks):
    with torch.no_grad():
        left, chosen = z.clone(), []
        for codebook in codebooks:
            e = codebook[torch.cdist(left, codebook).argmin(1)]
            chosen.append(e)
            left -= e
    sums = torch.stack(chosen).cumsum(0)
    losses = [(z - s).pow(2).mean() for s in sums]
    return z - z.detach() + sums[-1], losses


# right: a tuple of losses
def residual(z, codebooks):
    losses, so_far = (), 0 * z.detach()
    for codebook in codebooks:
        table = codebook.detach()
        so_far = so_far + table[torch.cdist((z - so_far).detach(), table).argmin(1)]
        losses += ((z - so_far).square().mean(),)
    return so_far + (z - z.detach()), losses


# right: one-hot in float64
def residual(z, codebooks):
    left, losses = z.double(), []
    for codebook in codebooks:
        table = codebook.double().detach()
        e = F.one_hot(torch.cdist(left, table).argmin(1), len(table)).double() @ table
        losses.append((left - e).square().mean().float())
        left = left - e
    return z - left.detach().float(), losses


# right: recursion
def residual(z, codebooks):
    def rest(left, books):
        if not books:
            return left, []
        e = books[0][torch.cdist(left, books[0]).argmin(1)].detach()
        end, losses = rest(left - e, books[1:])
        return end, [F.mse_loss(left, e), *losses]

    end, losses = rest(z, list(codebooks))
    return z - end.detach(), losses


# wrong: as it was
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)]
        losses.append(F.mse_loss(left, e.detach()))
        z_q = left + (e - left).detach()
        total = total + z_q
        left = left - z_q
    return total, losses


# wrong: what is left is detached
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        total, left = total + e, (left - e).detach()
    return z + (total - z).detach(), losses


# wrong: the codes are not detached
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)]
        losses.append(F.mse_loss(left, e))
        total, left = total + e, left - e
    return z + (total - z).detach(), losses


# wrong: detached in the loss only
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)]
        losses.append(F.mse_loss(left, e.detach()))
        total, left = total + e, left - e
    return z + (total - z).detach(), losses


# wrong: each stage quantizes z
def residual(z, codebooks):
    total, losses = 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(z, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(z, e))
        total = total + e
    return z + (total - z).detach(), losses


# wrong: the code of a code
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        total, left = total + e, e
    return z + (total - z).detach(), losses


# wrong: the last code only
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        left = left - e
    return z + (e - z).detach(), losses


# wrong: no straight-through
def residual(z, codebooks):
    left, total, losses = z, 0, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        total, left = total + e, left - e
    return total, losses


# wrong: sums of squares
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append((left - e).square().sum())
        left = left - e
    return z - left.detach(), losses


# wrong: absolute differences in the losses
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.l1_loss(left, e))
        left = left - e
    return z - left.detach(), losses


# wrong: nearest in absolute differences
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook, p=1).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        left = left - e
    return z - left.detach(), losses


# wrong: losses summed
def residual(z, codebooks):
    left, loss = z, 0
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        loss = loss + F.mse_loss(left, e)
        left = left - e
    return z - left.detach(), loss


# wrong: the last codebook is left out
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks[:-1]:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        left = left - e
    return z - left.detach(), losses


# wrong: return inside the loop
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        left = left - e
        return z - left.detach(), losses


# wrong: two codebooks assumed
def residual(z, codebooks):
    first, second = codebooks[0], codebooks[1]
    a = first[torch.cdist(z, first).argmin(1)].detach()
    b = second[torch.cdist(z - a, second).argmin(1)].detach()
    return z + (a + b - z).detach(), [F.mse_loss(z, a), F.mse_loss(z, a + b)]


# wrong: what is left in place of the sum
def residual(z, codebooks):
    left, losses = z, []
    for codebook in codebooks:
        e = codebook[torch.cdist(left, codebook).argmin(1)].detach()
        losses.append(F.mse_loss(left, e))
        left = left - e
    return z + (left - z).detach(), losses
