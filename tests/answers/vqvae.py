"Answers to the exercises of the VQ-VAE, right ones in unusual forms and wrong ones."

import ast
import copy
import re
import sys
import types
from functools import reduce

import torch
from torch import nn
from torch.nn import functional as F


# exercise: vqvae.order
# right: nested calls
def autoencode(x, encode, quantize, decode):
    return decode(quantize(encode(x)))


# right: folded over the three
def autoencode(x, encode, quantize, decode):
    return reduce(lambda value, step: step(value), (encode, quantize, decode), x)


# right: a loop
def autoencode(x, encode, quantize, decode):
    for step in [encode, quantize, decode]:
        x = step(x)
    return x


# right: a function inside
def autoencode(x, encode, quantize, decode):
    def codes():
        z_e = encode(x)
        return quantize(z_e)

    return decode(codes())


# right: other words for the arguments
def autoencode(images, to_vectors, to_codes, to_images):
    vectors = to_vectors(images)
    codes = to_codes(vectors)
    images = to_images(codes)
    return images


# wrong: no quantizer
def autoencode(x, encode, quantize, decode):
    return decode(encode(x))


# wrong: quantized and thrown away
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    quantize(z_e)
    return decode(z_e)


# wrong: images quantized
def autoencode(x, encode, quantize, decode):
    return decode(encode(quantize(x)))


# wrong: quantizer last
def autoencode(x, encode, quantize, decode):
    return quantize(decode(encode(x)))


# wrong: the decoder first
def autoencode(x, encode, quantize, decode):
    return encode(quantize(decode(x)))


# wrong: quantized twice
def autoencode(x, encode, quantize, decode):
    return decode(quantize(quantize(encode(x))))


# wrong: encoded twice
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    z_q = quantize(encode(x))
    return decode(z_e + (z_q - z_e).detach())


# wrong: decoded twice
def autoencode(x, encode, quantize, decode):
    z_q = quantize(encode(x))
    decode(z_q)
    return decode(z_q)


# wrong: the codes
def autoencode(x, encode, quantize, decode):
    return quantize(encode(x))


# wrong: all three
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    z_q = quantize(z_e)
    return decode(z_q), z_q, z_e


# wrong: vectors and codes added
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    return decode(z_e + quantize(z_e))


# wrong: what the quantizer changed
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    return decode(quantize(z_e) - z_e)


# wrong: halfway between vectors and codes
def autoencode(x, encode, quantize, decode):
    z_e = encode(x)
    return decode((z_e + quantize(z_e)) / 2)


# exercise: vqvae.one_code
# right: einsum
def tokenize(x, encoder, codebook):
    z = encoder(x)
    product = torch.einsum("bdhw,kd->bkhw", z, codebook)
    squares = torch.einsum("kd,kd->k", codebook, codebook)[:, None, None]
    return (squares - 2 * product).argmin(1)


# right: a convolution with the codes
def tokenize(x, encoder, codebook):
    half = codebook.square().sum(1) / 2
    return F.conv2d(encoder(x), codebook[:, :, None, None], -half).argmax(1)


# right: loops over the places
def tokenize(x, encoder, codebook):
    z = encoder(x)
    b, d, h, w = z.shape
    out = torch.empty(b, h, w, dtype=torch.int64)
    for i in range(b):
        for j in range(h):
            for k in range(w):
                out[i, j, k] = torch.linalg.norm(codebook - z[i, :, j, k], dim=1).argmin()
    return out


# right: numpy inside, float64
def tokenize(x, encoder, codebook):
    z = encoder(x).detach().numpy().astype("float64").transpose(0, 2, 3, 1)
    d = ((z[..., None, :] - codebook.detach().numpy()) ** 2).sum(-1)
    return torch.from_numpy(d.argmin(-1))


# right: one table of rows
def tokenize(x, encoder, codebook):
    z = encoder(x).permute(0, 2, 3, 1)
    rows = z.reshape(-1, z.size(-1))
    return torch.cdist(rows, codebook).argmin(-1).reshape(z.shape[:3])


# right: broadcast over the channels
def tokenize(x, encoder, codebook):
    z = encoder(x)
    gaps = z[:, None] - codebook[None, :, :, None, None]
    return gaps.pow(2).sum(2).min(1)[1]


# right: one image after the other
def tokenize(x, encoder, codebook):
    grids = []
    for z in encoder(x):
        d, h, w = z.shape
        grids.append(torch.cdist(z.flatten(1).T, codebook).argmin(1).unflatten(0, (h, w)))
    return torch.stack(grids)


# wrong: the same code at all places
def tokenize(x, encoder, codebook):
    z_e = encoder(x)
    one = torch.cdist(z_e.mean((2, 3)), codebook).argmin(1)
    return one[:, None, None].expand(-1, *z_e.shape[2:])


# wrong: reshaped without moving the features
def tokenize(x, encoder, codebook):
    z = encoder(x)
    b, d, h, w = z.shape
    return torch.cdist(z.reshape(-1, d), codebook).argmin(1).view(b, h, w)


# wrong: one code per row of the grid
def tokenize(x, encoder, codebook):
    z = encoder(x).mean(3).movedim(1, -1)
    return torch.cdist(z.flatten(0, 1), codebook).argmin(1).view(z.shape[:2])


# wrong: flat indices
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook).argmin(1)


# wrong: a sequence per image
def tokenize(x, encoder, codebook):
    z = encoder(x).flatten(2).mT
    return torch.cdist(z.flatten(0, 1), codebook).argmin(1).view(z.shape[:2])


# wrong: height and width exchanged
def tokenize(x, encoder, codebook):
    z = encoder(x).permute(0, 3, 2, 1)
    return torch.cdist(z.flatten(0, 2), codebook).argmin(1).view(z.shape[:3])


# wrong: exchanged, then viewed in the right shape
def tokenize(x, encoder, codebook):
    z = encoder(x)
    b, d, h, w = z.shape
    rows = z.permute(0, 3, 2, 1).reshape(-1, d)
    return torch.cdist(rows, codebook).argmin(1).view(b, h, w)


# wrong: the batch inside
def tokenize(x, encoder, codebook):
    z = encoder(x)
    b, d, h, w = z.shape
    rows = z.permute(2, 3, 0, 1).reshape(-1, d)
    return torch.cdist(rows, codebook).argmin(1).view(b, h, w)


# wrong: largest product
def tokenize(x, encoder, codebook):
    return torch.einsum("bdhw,kd->bkhw", encoder(x), codebook).argmax(1)


# wrong: cosine
def tokenize(x, encoder, codebook):
    z = F.normalize(encoder(x), dim=1)
    return torch.einsum("bdhw,kd->bkhw", z, F.normalize(codebook, dim=1)).argmax(1)


# wrong: farthest code
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook).argmax(1).view(z.shape[:3])


# wrong: absolute differences
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook, p=1).argmin(1).view(z.shape[:3])


# wrong: the codes
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    indices = torch.cdist(z.flatten(0, 2), codebook).argmin(1).view(z.shape[:3])
    return codebook[indices].movedim(-1, 1)


# wrong: int32
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook).argmin(1).view(z.shape[:3]).int()


# wrong: an axis of one channel left
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook).argmin(1).view(z.shape[:3])[:, None]


# wrong: a square grid
def tokenize(x, encoder, codebook):
    z = encoder(x)
    b, d, h, w = z.shape
    rows = z.movedim(1, -1).reshape(-1, d)
    return torch.cdist(rows, codebook).argmin(1).view(b, h, h)


# wrong: only the first image
def tokenize(x, encoder, codebook):
    z = encoder(x)[0].movedim(0, -1)
    return torch.cdist(z.flatten(0, 1), codebook).argmin(1).view(1, *z.shape[:2])


# wrong: squeezed
def tokenize(x, encoder, codebook):
    z = encoder(x).movedim(1, -1)
    return torch.cdist(z.flatten(0, 2), codebook).argmin(1).view(z.shape[:3]).squeeze()


# exercise: vqvae.bypass
# right: the difference without gradient
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + (z_q - z_e).detach()), indices, z_q


# right: codes exact, zero with a gradient added
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.permute(0, 2, 3, 1)
    indices = (rows[..., None, :] - codebook).square().sum(-1).argmin(-1)
    z_q = F.embedding(indices, codebook).permute(0, 3, 1, 2)
    return decode(z_q.detach() + (z_e - z_e.detach())), indices, z_q


# right: a Function of its own
def forward(x, encode, codebook, decode):
    class Through(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z_e, z_q):
            return z_q.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(Through.apply(z_e, z_q)), indices, z_q


# right: a changed value behind the gradient
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.detach().movedim(1, -1)
    indices = torch.einsum("bhwd,kd->bhwk", rows, codebook.detach())
    indices = (codebook.detach().square().sum(1) - 2 * indices).argmin(-1)
    z_q = codebook[indices].movedim(-1, 1)
    through = z_e.clone()
    through.data.copy_(z_q)
    return decode(through), indices, z_q


# right: one-hot codes
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    hot = F.one_hot(indices, len(codebook)).to(codebook.dtype)
    z_q = torch.einsum("bhwk,kd->bdhw", hot, codebook)
    return decode(z_e - (z_e - z_q).detach()), indices, z_q


# wrong: no gradient to the encoder
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_q), indices, z_q


# wrong: difference with its gradient
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + (z_q - z_e)), indices, z_q


# wrong: vectors in place of codes
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_q + (z_e - z_q).detach()), indices, z_q


# wrong: detach around the vectors alone
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e.detach() + (z_q - z_e.detach())), indices, z_q


# wrong: the whole sum detached
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode((z_e + z_q - z_e).detach()), indices, z_q


# wrong: halfway
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode((z_e + z_q) / 2), indices, z_q


# wrong: a picture of the vectors, and only the value of the other
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    x_hat = decode(z_e)
    return decode(z_q).detach() + x_hat - z_q.mean() + z_q.detach().mean(), indices, z_q


# wrong: vectors and codes added
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + z_q.detach()), indices, z_q


# wrong: the difference decoded
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode((z_q - z_e).detach() - z_e), indices, z_q


# wrong: features last for the decoder
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = rows + (codebook[indices] - rows).detach()
    return decode(z), indices, z_q


# wrong: codes with features last
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_e + (z_q - z_e).detach()
    return decode(z), indices, z_q.movedim(1, -1)


# wrong: flat indices
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_e + (z_q - z_e).detach()
    return decode(z), indices.flatten(), z_q


# wrong: codes before indices
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_e + (z_q - z_e).detach()
    return decode(z), z_q, indices


# wrong: only the picture
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + (z_q - z_e).detach())


# wrong: vectors returned as codes
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + (z_q - z_e).detach()), indices, z_e


# wrong: requires_grad_ on the codes
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_q.detach().requires_grad_()
    return decode(z), indices, z_q


# wrong: without gradient
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    with torch.no_grad():
        x_hat = decode(z_e + (z_q - z_e))
    return x_hat, indices, z_q


# wrong: codes in training only where gradients are off
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_e if torch.is_grad_enabled() else z_q
    return decode(z), indices, z_q


# wrong: indices counted from 1
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    z = z_e + (z_q - z_e).detach()
    return decode(z), indices + 1, z_q


# wrong: another code for the picture than for the index
def forward(x, encode, codebook, decode):
    z_e = encode(x)
    rows = z_e.movedim(1, -1)
    d = torch.cdist(rows.flatten(0, 2), codebook).view(*rows.shape[:-1], -1)
    soft = (-d).softmax(-1) @ codebook
    indices = d.argmin(-1)
    return decode(soft.movedim(-1, 1)), indices, codebook[indices].movedim(-1, 1)


# wrong: the encoder detached before the quantizer
def forward(x, encode, codebook, decode):
    z_e = encode(x).detach()
    rows = z_e.movedim(1, -1)
    indices = torch.cdist(rows.flatten(0, 2), codebook).argmin(1).view(rows.shape[:-1])
    z_q = codebook[indices].movedim(-1, 1)
    return decode(z_e + (z_q - z_e).detach()), indices, z_q


# exercise: vqvae.loss
# right: mse_loss three times
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + codes + F.mse_loss(z_e, z_q.detach()) * beta


# right: sums over counts
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    a = torch.sum((x - x_hat) ** 2) / x.numel()
    b = torch.sum((z_e.detach() - z_q) ** 2) / z_e.numel()
    c = torch.sum((z_e - z_q.detach()) ** 2) / z_q.numel()
    return a + b + beta * c


# right: squared norms
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    def square(v):
        return torch.linalg.vector_norm(v).square() / v.numel()

    return square(x_hat - x) + square(z_q - z_e.detach()) + beta * square(z_q.detach() - z_e)


# right: einsum
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    gap = z_e.detach() - z_q
    far = z_e - z_q.detach()
    error = x - x_hat
    total = torch.einsum("...,...->", error, error) / error.numel()
    total = total + torch.einsum("bdhw,bdhw->", gap, gap) / gap.numel()
    return total + beta * torch.einsum("bdhw,bdhw->", far, far) / far.numel()


# right: float64 and back
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    x, x_hat, z_e, z_q = (v.double() for v in (x, x_hat, z_e, z_q))
    loss = ((x - x_hat) ** 2).mean() + ((z_e.detach() - z_q) ** 2).mean()
    return (loss + beta * ((z_e - z_q.detach()) ** 2).mean()).float()


# right: a loop over the images
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    total = 0
    for one, two, a, b in zip(x, x_hat, z_e, z_q):
        total = total + (one - two).pow(2).mean() + (a.detach() - b).pow(2).mean()
        total = total + beta * (a - b.detach()).pow(2).mean()
    return total / len(x)


# right: mean over features of the mean over places
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    def mean(v):
        return v.pow(2).mean((2, 3)).mean(1).mean(0)

    codes = mean(z_q - z_e.data)
    return mean(x_hat - x) + codes + beta * mean(z_e - z_q.data)


# wrong: no detach
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    return F.mse_loss(x_hat, x) + (1 + beta) * F.mse_loss(z_e, z_q)


# wrong: detach the other way round
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q.detach(), z_e)
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_q, z_e.detach())


# wrong: beta on the codebook loss
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + beta * codes + F.mse_loss(z_e, z_q.detach())


# wrong: beta on both
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    both = F.mse_loss(z_q, z_e.detach()) + F.mse_loss(z_e, z_q.detach())
    return F.mse_loss(x_hat, x) + beta * both


# wrong: beta always 0.25
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + codes + 0.25 * F.mse_loss(z_e, z_q.detach())


# wrong: no commitment loss
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    return F.mse_loss(x_hat, x) + F.mse_loss(z_q, z_e.detach())


# wrong: no codebook loss
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    return F.mse_loss(x_hat, x) + beta * F.mse_loss(z_e, z_q.detach())


# wrong: no reconstruction
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    return F.mse_loss(z_q, z_e.detach()) + beta * F.mse_loss(z_e, z_q.detach())


# wrong: absolute error of the picture
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.l1_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# wrong: sums
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = (z_q - z_e.detach()).pow(2).sum()
    return (x - x_hat).pow(2).sum() + codes + beta * (z_e - z_q.detach()).pow(2).sum()


# wrong: squared distance of the vectors, mean over places
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = (z_q - z_e.detach()).pow(2).sum(1).mean()
    far = (z_e - z_q.detach()).pow(2).sum(1).mean()
    return F.mse_loss(x_hat, x) + codes + beta * far


# wrong: distances not squared
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = (z_q - z_e.detach()).norm(dim=1).mean()
    far = (z_e - z_q.detach()).norm(dim=1).mean()
    return F.mse_loss(x_hat, x) + codes + beta * far


# wrong: root of the whole
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    far = F.mse_loss(z_e, z_q.detach())
    return (F.mse_loss(x_hat, x) + codes + beta * far).sqrt()


# wrong: a third of the sum
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    far = F.mse_loss(z_e, z_q.detach())
    return (F.mse_loss(x_hat, x) + codes + beta * far) / 3


# wrong: half squares
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    far = F.mse_loss(z_e, z_q.detach())
    return 0.5 * (F.mse_loss(x_hat, x) + codes + beta * far)


# wrong: detach on the moving side
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    far = F.mse_loss(z_e.detach(), z_q.detach())
    return F.mse_loss(x_hat, x) + codes + beta * far


# wrong: the codes frozen in both
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q.detach(), z_e.detach())
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# wrong: the picture detached
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat.detach(), x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# wrong: commitment loss also moves the codes
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q)


# wrong: codebook loss also moves the encoder
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e)
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# wrong: a picture after the straight-through sum
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    z_q = z_e + (z_q - z_e).detach()
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# wrong: three losses
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x), codes, beta * F.mse_loss(z_e, z_q.detach())


# wrong: a Python number
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return (F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())).item()


# wrong: one loss per image
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = (z_q - z_e.detach()).pow(2).mean((1, 2, 3))
    far = (z_e - z_q.detach()).pow(2).mean((1, 2, 3))
    return (x - x_hat).pow(2).mean((1, 2, 3)) + codes + beta * far


# wrong: commitment to the picture
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    codes = F.mse_loss(z_q, z_e.detach())
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(x_hat, x.detach())


# wrong: no_grad for detach, and the gradient of both terms lost
def vqvae_loss(x, x_hat, z_e, z_q, beta=0.25):
    with torch.no_grad():
        codes = F.mse_loss(z_q, z_e)
    return F.mse_loss(x_hat, x) + codes + beta * F.mse_loss(z_e, z_q.detach())


# exercise: vqvae.assemble
# right: plain
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# right: einsum and one-hot codes
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        scores = torch.einsum("bdhw,kd->bhwk", z_e, self.codebook)
        indices = (self.codebook.square().sum(1) - 2 * scores).argmin(-1)
        hot = F.one_hot(indices, len(self.codebook)).type_as(z_e)
        z_q = torch.einsum("bhwk,kd->bdhw", hot, self.codebook)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# right: register_parameter, uniform codes, embedding
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        codes = torch.empty(n_codes, dim).uniform_(-1 / n_codes, 1 / n_codes)
        self.register_parameter("codebook", nn.Parameter(codes))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.permute(0, 2, 3, 1).contiguous()
        indices = (rows.unsqueeze(-2) - self.codebook).norm(dim=-1).argmin(-1)
        z_q = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)
        x_hat = self.decoder(z_q.detach() + z_e - z_e.detach())
        return x_hat, indices, z_e, z_q


# right: other names for the parts, a helper for the search
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.parts = nn.ModuleList([encoder, decoder])
        self.codebook = nn.Parameter(torch.zeros(n_codes, dim))
        nn.init.normal_(self.codebook)

    @torch.no_grad()
    def search(self, z):
        return ((z[:, None] - self.codebook[None, :, :, None, None]) ** 2).sum(2).argmin(1)

    def forward(self, x):
        encoder, decoder = self.parts
        z_e = encoder(x)
        indices = self.search(z_e)
        z_q = self.codebook[indices].permute(0, 3, 1, 2)
        return decoder(z_e - (z_e - z_q).detach()), indices, z_e, z_q


# right: loops over the grid
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        nn.Module.__init__(self)
        self.encoder, self.decoder, self.dim = encoder, decoder, dim
        self.codebook = nn.Parameter(torch.rand(n_codes, dim) * 2 - 1)

    def forward(self, x):
        z_e = self.encoder(x)
        b, d, h, w = z_e.shape
        indices = torch.zeros(b, h, w, dtype=torch.long)
        z_q = torch.zeros(b, self.dim, h, w)
        for i in range(b):
            for j in range(h):
                for k in range(w):
                    gaps = self.codebook - z_e[i, :, j, k]
                    indices[i, j, k] = gaps.pow(2).sum(1).argmin()
                    z_q[i, :, j, k] = self.codebook[indices[i, j, k]]
        return self.decoder(z_e + (z_q - z_e).detach()), indices, z_e, z_q


# wrong: the decoder reads the vectors
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e)
        return x_hat, indices, z_e, z_q


# wrong: the decoder reads the codes without the trick
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_q)
        return x_hat, indices, z_e, z_q


# wrong: difference with its gradient
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e))
        return x_hat, indices, z_e, z_q


# wrong: vectors in place of codes
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_q + (z_e - z_q).detach())
        return x_hat, indices, z_e, z_q


# wrong: codes overwritten by the straight-through sum
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        z_q = z_e + (z_q - z_e).detach()
        x_hat = self.decoder(z_q)
        return x_hat, indices, z_e, z_q


# wrong: codes detached
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1).detach()
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: codes looked up without gradient
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        with torch.no_grad():
            rows = z_e.movedim(1, -1)
            d = torch.cdist(rows.flatten(0, 2), self.codebook)
            indices = d.argmin(1).view(rows.shape[:3])
            z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: the codebook is a buffer
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("codebook", torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: the codebook is a tensor with a gradient
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = torch.randn(n_codes, dim, requires_grad=True)

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: the codebook does not learn
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim), requires_grad=False)

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: the codebook is an Embedding
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Embedding(n_codes, dim)

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = (
            torch.cdist(rows.flatten(0, 2), self.codebook.weight).argmin(1).view(rows.shape[:3])
        )
        z_q = self.codebook(indices).movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: another name
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codes = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codes).argmin(1).view(rows.shape[:3])
        z_q = self.codes[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: the codebook turned
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(dim, n_codes))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook.T).argmin(1).view(rows.shape[:3])
        z_q = self.codebook.T[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: 512 codes
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(512, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: encoder and decoder in a dict
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.parts = {"encoder": encoder, "decoder": decoder}
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.parts["encoder"](x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.parts["decoder"](z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: copies of encoder and decoder without their weights' gradient
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        with torch.no_grad():
            z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: flat indices
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1)
        z_q = self.codebook[indices].view(rows.shape).movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: indices of a sequence
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices.flatten(1), z_e, z_q


# wrong: codes with features last
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q.movedim(1, -1)


# wrong: vectors with features last
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e.movedim(1, -1), z_q


# wrong: reshaped without moving the features
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        b, d, h, w = z_e.shape
        indices = torch.cdist(z_e.reshape(-1, d), self.codebook).argmin(1)
        z_q = self.codebook[indices].view(b, d, h, w)
        indices = indices.view(b, h, w)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: viewed back without moving the features
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].view(z_e.shape)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: codes before vectors
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_q, z_e


# wrong: indices last
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, z_e, z_q, indices


# wrong: only the picture
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmin(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat


# wrong: farthest code
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        indices = torch.cdist(rows.flatten(0, 2), self.codebook).argmax(1).view(rows.shape[:3])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: largest product
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        indices = torch.einsum("bdhw,kd->bkhw", z_e, self.codebook).argmax(1)
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: one code per image
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        one = torch.cdist(z_e.mean((2, 3)), self.codebook).argmin(1)
        indices = one[:, None, None].expand(-1, *z_e.shape[2:])
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# wrong: codes of the batch's mean distance
class TinyVQVAE(nn.Module):
    def __init__(self, encoder, decoder, n_codes, dim):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.codebook = nn.Parameter(torch.randn(n_codes, dim))

    def forward(self, x):
        z_e = self.encoder(x)
        rows = z_e.movedim(1, -1)
        d = torch.cdist(rows.flatten(0, 2), self.codebook).view(*rows.shape[:3], -1)
        indices = d.mean(0, keepdim=True).expand_as(d).argmin(-1)
        z_q = self.codebook[indices].movedim(-1, 1)
        x_hat = self.decoder(z_e + (z_q - z_e).detach())
        return x_hat, indices, z_e, z_q


# exercise: vqvae.global_codebook
# right: a buffer, cloned
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# right: a parameter, cloned
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = nn.Parameter(codes.detach().clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# right: a parameter that rests, embedding
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = nn.Parameter(torch.empty_like(codes), requires_grad=False)
        self.codebook.data.copy_(codes)
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(F.embedding(indices, self.codebook))


# right: a buffer through numpy
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", torch.tensor(codes.numpy()))
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# right: a deep copy
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = nn.Parameter(copy.deepcopy(codes))
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# right: one-hot times the table of answers
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", torch.clone(codes))
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return F.one_hot(indices, len(self.codebook)).float() @ self.head(self.codebook)


# right: the head before the look-up
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes + 0)
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook)[indices]


# wrong: a plain attribute
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = codes
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: a plain copy
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = codes.clone()
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: a buffer that is not stored
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.clone(), persistent=False)
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: an attribute of the class
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        CodeDecoder.codebook = codes.clone()
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: a parameter of the class
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        type(self).codebook = nn.Parameter(codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: a dict of its own
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.shared = {"codebook": codes.clone()}
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.shared["codebook"][indices])


# wrong: a list of its own
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = [codes.clone()]
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[0][indices])


# wrong: an Embedding
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = nn.Embedding.from_pretrained(codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook(indices))


# wrong: another name
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codes", codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codes[indices])


# wrong: turned
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.T.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook.T[indices])


# wrong: stored and not read
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        shared["codebook"] = codes
        self.register_buffer("codebook", codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(shared["codebook"][indices])


# wrong: stored, but empty
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", torch.zeros_like(codes))
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: stored, but random
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(codes.shape))
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: a dict per id, still outside
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        shared[id(self)] = codes.clone()
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(shared[id(self)][indices])


# wrong: the table of answers stored
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", torch.zeros(len(codes), 4))
        self.codebook += nn.Linear(codes.shape[1], 4)(codes).detach()

    def forward(self, indices):
        return self.codebook[indices]


# wrong: one buffer for all decoders
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        shared.setdefault("codebook", codes.clone())
        self.register_buffer("codebook", shared["codebook"])
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: one parameter for all decoders
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        if "codebook" not in shared:
            shared["codebook"] = nn.Parameter(codes.clone())
        self.codebook = shared["codebook"]
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: the last decoder's codes, kept by name
shared = {}


class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        shared["codebook"] = codes
        self.register_buffer("codebook", shared["codebook"].clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(shared.get("codebook", self.codebook)[indices])


# wrong: a ParameterDict
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.shared = nn.ParameterDict({"codebook": codes.clone()})
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.shared["codebook"][indices])


# wrong: a head without the codes' length
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.clone())
        self.head = nn.Linear(8, 4)

    def forward(self, indices):
        return self.head(self.codebook[indices])


# wrong: the codes unread
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(indices[..., None].expand(*indices.shape, self.codebook.shape[1]).float())


# wrong: height and width exchanged
class CodeDecoder(nn.Module):
    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codebook", codes.clone())
        self.head = nn.Linear(codes.shape[1], 4)

    def forward(self, indices):
        return self.head(self.codebook[indices.mT])


# exercise: vqvae.training_loop
# right: zeroed before the forward pass
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        optimizer.zero_grad(set_to_none=False)
        loss = (model(x) - x).pow(2).mean()
        loss.backward()
        optimizer.step()
        losses += [float(loss)]
    return losses


# right: gradients by autograd.grad
def train(model, make_optimizer, batches):
    weights = list(model.parameters())
    optimizer = make_optimizer(weights)
    losses = []
    for batch in batches:
        x = batch[0]
        loss = F.mse_loss(model(x), x)
        for p, g in zip(weights, torch.autograd.grad(loss, weights)):
            p.grad = g
        optimizer.step()
        losses.append(loss.detach().numpy().item())
    return losses


# right: a closure
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, y in batches:

        def closure():
            model.zero_grad()
            loss = torch.mean((x - model(x)) ** 2)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).tolist())
    return losses


# right: a comprehension over a step
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())

    def step(x):
        loss = torch.nn.MSELoss()(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return [step(x) for x, _ in batches]


# right: an iterator, gradients set to None by hand
def train(model, make_optimizer, batches):
    net = model.train()
    optimizer = make_optimizer(net.parameters())
    losses, it = [], iter(batches)
    while (pair := next(it, None)) is not None:
        for p in net.parameters():
            p.grad = None
        loss = F.mse_loss(net(pair[0]), pair[0])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: another network
def train(model, make_optimizer, batches):
    net = nn.Linear(3, 3)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(net(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the optimizer holds another network
def train(model, make_optimizer, batches):
    net = nn.Linear(3, 3)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: a copy of the model
def train(model, make_optimizer, batches):
    model = copy.deepcopy(model)
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: labels as the target
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, y in batches:
        loss = F.mse_loss(model(x), y.float().view(-1, 1).expand_as(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the reconstruction is its own target
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        x_hat = model(x)
        loss = F.mse_loss(x_hat, x_hat.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: gradients pile up
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: zeroed between backward and step
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: zeroed once before the loop
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    optimizer.zero_grad()
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: tensors kept
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses


# wrong: detached tensors kept
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


# wrong: arrays kept
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().numpy())
    return losses


# wrong: the mean loss
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


# wrong: the last loss
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1]


# wrong: one tensor
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


# wrong: nothing returned
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return None


# wrong: return inside the loop
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        return losses
    return losses


# wrong: no step
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses


# wrong: no backward
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: two passes
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in [*batches, *batches]:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: absolute error, and the sum of it
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.l1_loss(model(x), x, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: an optimizer for every batch
def train(model, make_optimizer, batches):
    losses = []
    for x, _ in batches:
        optimizer = make_optimizer(model.parameters())
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the first half of the batches
def train(model, make_optimizer, batches):
    batches = list(batches)
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches[: len(batches) // 2]:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the first batch over and over
def train(model, make_optimizer, batches):
    batches = list(batches)
    optimizer = make_optimizer(model.parameters())
    first = batches[0][0]
    losses = []
    for x in [first] * len(batches):
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the model put under no_grad
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        with torch.no_grad():
            x_hat = model(x)
        loss = F.mse_loss(x_hat, x).requires_grad_()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: loss of all batches at once
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    x = torch.cat([x for x, _ in batches])
    losses = []
    for _ in range(1):
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: running sum of the losses
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(sum(losses) + loss.item())
    return losses


# wrong: step at the end of the pass
def train(model, make_optimizer, batches):
    optimizer = make_optimizer(model.parameters())
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    return losses


# wrong: a fixed optimizer
def train(model, make_optimizer, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, _ in batches:
        loss = F.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# exercise: vqvae.runs_alone
# right: exec in a dict
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# right: a module's namespace, the name cut from the message
def runs_alone(cells):
    module = types.ModuleType("exported")
    text = ""
    for cell in cells:
        if cell.startswith("#| export"):
            text += cell + "\n\n"
    try:
        exec(compile(text, "exported.py", "exec"), module.__dict__)
        return None
    except NameError as error:
        return str(error).split("'")[1]


# right: one cell after the other in one namespace
def runs_alone(cells):
    space = {}
    for cell in filter(lambda c: c[:9] == "#| export", cells):
        try:
            exec(cell, space, space)
        except NameError as error:
            return re.search(r"name '(\w+)' is not defined", str(error)).group(1)
    return None


# right: a regular expression for the mark
def runs_alone(cells):
    source = "\n".join([c for c in cells if re.match(r"#\| export", c)])
    missing = None
    try:
        exec(source, dict())
    except NameError as error:
        missing = error.name
    return missing


# right: named as a module
def runs_alone(cells):
    chosen = []
    for c in cells:
        if c.find("#| export") == 0:
            chosen.append(c)
    try:
        exec("\n".join(chosen), {"__name__": "exported"})
    except NameError as error:
        return error.args[0].split()[1].strip("'")
    return None


# right: joined without line breaks, which a comment does not need
def runs_alone(cells):
    source = "".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# right: joined with blanks, which stand before a comment
def runs_alone(cells):
    source = " ".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: all cells
def runs_alone(cells):
    source = "\n".join(cells)
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: the course's own names are there
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, globals())
    except NameError as error:
        return error.name


# wrong: the caller's names are there
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source)
    except NameError as error:
        return error.name


# wrong: a copy of the names that are there
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, dict(globals()))
    except NameError as error:
        return error.name


# wrong: the message
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return str(error)


# wrong: the name in its quotes
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return str(error).split()[1]


# wrong: the error
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error


# wrong: a list with the name
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return [error.name]


# wrong: True or False
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return False
    return True


# wrong: an empty string when all is there
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name
    return ""


# wrong: each cell by itself
def runs_alone(cells):
    for cell in cells:
        if cell.startswith("#| export"):
            try:
                exec(cell, {})
            except NameError as error:
                return error.name
    return None


# wrong: the mark anywhere
def runs_alone(cells):
    source = "\n".join(c for c in cells if "#| export" in c)
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: the mark without a blank
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#|export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: the cells that are not exported
def runs_alone(cells):
    source = "\n".join(c for c in cells if not c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: from the last to the first
def runs_alone(cells):
    source = "\n".join(c for c in reversed(cells) if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: sorted
def runs_alone(cells):
    source = "\n".join(c for c in sorted(cells) if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: only the first exported cell
def runs_alone(cells):
    source = next(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: only the last exported cell
def runs_alone(cells):
    source = [c for c in cells if c.startswith("#| export")][-1]
    try:
        exec(source, {})
    except NameError as error:
        return error.name


# wrong: apart for globals and locals
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {}, {})
    except NameError as error:
        return error.name


# wrong: torch is there
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {"torch": torch})
    except NameError as error:
        return error.name


# wrong: compiled and not run
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        compile(source, "exported.py", "exec")
    except NameError as error:
        return error.name


# wrong: what no cell imports, read from the text
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    known = set(dir(__builtins__)) | set(re.findall(r"import (\w+)", source))
    return next(iter(sorted(names - known)), None)


# wrong: ImportError caught, the missing name not
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except ImportError as error:
        return error.name


# wrong: any error is no missing name
def runs_alone(cells):
    source = "\n".join(c for c in cells if c.startswith("#| export"))
    try:
        exec(source, {})
    except Exception:
        return None


# wrong: other cells run first
def runs_alone(cells):
    space = {}
    for cell in cells:
        if not cell.startswith("#| export"):
            exec(cell, {})
        else:
            try:
                exec(cell, space)
            except NameError as error:
                return error.name


# exercise: vqvae.requirements
# right: a walk over the tree
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# right: a visitor
def requirements(source):
    class Imports(ast.NodeVisitor):
        def __init__(self):
            self.found = set()

        def visit_Import(self, node):
            self.found.update(alias.name.partition(".")[0] for alias in node.names)

        def visit_ImportFrom(self, node):
            if not node.level:
                self.found.add(node.module.partition(".")[0])

    visitor = Imports()
    visitor.visit(ast.parse(source))
    return {n for n in visitor.found if n not in sys.stdlib_module_names}


# right: a list, made a set in the end
def requirements(source):
    tree = ast.parse(source)
    plain = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    froms = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level < 1]
    return set(re.match(r"\w+", name)[0] for name in plain + froms) - sys.stdlib_module_names


# right: a recursion by hand
def requirements(source):
    def of(node):
        if isinstance(node, ast.Import):
            full = {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            full = set() if node.level > 0 else {node.module}
        else:
            full = set()
        full = {name[: name.index(".")] if "." in name else name for name in full}
        for child in ast.iter_child_nodes(node):
            full = full | of(child)
        return full

    return of(ast.parse(source)).difference(sys.stdlib_module_names)


# right: unparsed lines
def requirements(source):
    out = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            line = ast.unparse(node)
            if line.startswith("from "):
                names = [line.split()[1]]
            else:
                names = [part.split()[0] for part in line[len("import ") :].split(",")]
            out.update(name.split(".")[0] for name in names)
    return {name for name in out if name and name not in sys.stdlib_module_names}


# wrong: a standard library of five modules
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - {"os", "sys", "re", "math", "json"}


# wrong: the standard library too
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


# wrong: only the built-in modules taken away
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.builtin_module_names)


# wrong: only the standard library
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names & set(sys.stdlib_module_names)


# wrong: relative imports too
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: relative imports of names too
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or node.names[0].name).split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: dotted names
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return names - set(sys.stdlib_module_names)


# wrong: the last part of the name
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[-1] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[-1])
    return names - set(sys.stdlib_module_names)


# wrong: standard library taken away before the dots
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return {n.split(".")[0] for n in names - set(sys.stdlib_module_names)}


# wrong: the nicknames
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: the imported names of from
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {a.name for a in node.names}
    return names - set(sys.stdlib_module_names)


# wrong: only import
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
    return names - set(sys.stdlib_module_names)


# wrong: only from
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: only the first name of a line
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {node.names[0].name.split(".")[0]}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: only the top level of the file
def requirements(source):
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: a sorted list
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return sorted(names - set(sys.stdlib_module_names))


# wrong: a regular expression at the beginning of lines
def requirements(source):
    names = re.findall(r"^(?:import|from) (\w+)", source, re.M)
    return set(names) - set(sys.stdlib_module_names)


# wrong: a regular expression anywhere
def requirements(source):
    names = re.findall(r"(?:import|from)\s+(\w+)", source)
    return set(names) - set(sys.stdlib_module_names)


# wrong: split at blanks
def requirements(source):
    names = set()
    for line in source.splitlines():
        words = line.split()
        if words and words[0] in ("import", "from"):
            names.add(words[1].split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: modules that are there after running it
def requirements(source):
    before = set(sys.modules)
    exec(source, {})
    return {m.split(".")[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)


# wrong: the first import only
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
            return names - set(sys.stdlib_module_names)
    return names - set(sys.stdlib_module_names)


# wrong: inside functions only
def requirements(source):
    names = set()
    for node in [
        m for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) for m in n.body
    ]:
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


# wrong: one string
def requirements(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return " ".join(sorted(names - set(sys.stdlib_module_names)))


# wrong: names used, imported or not
def requirements(source):
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    return names - set(sys.stdlib_module_names)
