"Answers to the exercises of the diffusion transformer, right ones in unusual forms and wrong ones."

import math
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: dit.patchify
# right: unfold of the tensor twice
def patchify(x, p):
    b, c, h, w = x.shape
    squares = x.unfold(2, p, p).unfold(3, p, p)  # (b, c, rows, columns, p, p)
    return squares.permute(0, 2, 3, 4, 5, 1).reshape(b, (h // p) * (w // p), p * p * c)


# right: F.unfold, then the channels last
def patchify(x, p):
    b, c = x.shape[:2]
    flat = F.unfold(x, p, stride=p)  # (b, c p p, n)
    return flat.view(b, c, p * p, -1).permute(0, 3, 2, 1).flatten(2)


# right: a loop over the squares
def patchify(x, p):
    tokens = []
    for row in range(0, x.shape[2], p):
        for column in range(0, x.shape[3], p):
            square = x[:, :, row : row + p, column : column + p]
            tokens.append(square.movedim(1, -1).flatten(1))
    return torch.stack(tokens, 1)


# right: numpy inside
def patchify(x, p):
    a = x.detach().cpu().numpy()
    b, c, h, w = a.shape
    a = a.reshape(b, c, h // p, p, w // p, p)
    return torch.from_numpy(np.ascontiguousarray(a.transpose(0, 2, 4, 3, 5, 1))).reshape(
        b, -1, p * p * c
    )


# right: pixel unshuffle, in einsum's letters
def patchify(x, p):
    b, c, h, w = x.shape
    six = torch.einsum("bcrpsq->brspqc", x.reshape(b, c, h // p, p, w // p, p))
    return six.flatten(3).flatten(1, 2)


# right: chunks, one number at a time
def patchify(x, p):
    b, c, h, w = x.shape
    out = x.new_empty(b, (h // p) * (w // p), p * p * c)
    for i in range(p):
        for j in range(p):
            for k in range(c):
                out[:, :, (i * p + j) * c + k] = x[:, k, i::p, j::p].reshape(b, -1)
    return out


# wrong: channel slowest, as F.unfold gives it
def patchify(x, p):
    return F.unfold(x, p, stride=p).transpose(1, 2)


# wrong: a reshape alone
def patchify(x, p):
    b, c, h, w = x.shape
    return x.reshape(b, (h // p) * (w // p), p * p * c)


# wrong: channels last, then a reshape alone
def patchify(x, p):
    b, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(b, (h // p) * (w // p), p * p * c)


# wrong: squares column by column
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 4, 2, 3, 5, 1).reshape(b, -1, p * p * c)


# wrong: inside a token column by column
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 5, 3, 1).reshape(b, -1, p * p * c)


# wrong: channel between row and column
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 3, 1, 5).reshape(b, -1, p * p * c)


# wrong: p and the number of squares mixed up
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, p, h // p, p, w // p)
    return x.permute(0, 3, 5, 2, 4, 1).reshape(b, -1, p * p * c)


# wrong: axes of squares and of pixels in alternation
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 3, 4, 5, 1).reshape(b, -1, p * p * c)


# wrong: as many rows as columns
def patchify(x, p):
    b, c, h, w = x.shape
    side = h // p
    x = x.reshape(b, c, side, p, side, p)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, side * side, p * p * c)


# wrong: p is always 2
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // 2, 2, w // 2, 2)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, 4 * c)


# wrong: overlapping squares
def patchify(x, p):
    b, c = x.shape[:2]
    return F.unfold(x, p).view(b, c, p * p, -1).permute(0, 3, 2, 1).flatten(2)


# wrong: a grid of tokens
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3)


# wrong: only the first channel
def patchify(x, p):
    b, c, h, w = x.shape
    x = x[:, 0].reshape(b, h // p, p, w // p, p)
    return x.permute(0, 1, 3, 2, 4).reshape(b, -1, p * p)


# wrong: the mean of each square
def patchify(x, p):
    return F.avg_pool2d(x, p).flatten(2).transpose(1, 2)


# wrong: the tokens in the last axis
def patchify(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(b, p * p * c, -1)


# exercise: dit.unpatchify
# right: einsum
def unpatchify(tokens, p, h, w):
    six = tokens.reshape(len(tokens), h // p, w // p, p, p, -1)
    return torch.einsum("brspqc->bcrpsq", six).reshape(len(tokens), -1, h, w)


# right: F.fold after the channel is made slowest
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    flat = tokens.view(b, n, p * p, width // p**2).transpose(2, 3).flatten(2)
    return F.fold(flat.transpose(1, 2), (h, w), p, stride=p)


# right: squares written in one by one
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    c = width // (p * p)
    out = torch.zeros(b, c, h, w, dtype=tokens.dtype)
    for i in range(n):
        row, column = divmod(i, w // p)
        square = tokens[:, i].reshape(b, p, p, c).permute(0, 3, 1, 2)
        out[:, :, row * p : row * p + p, column * p : column * p + p] = square
    return out


# right: numpy inside
def unpatchify(tokens, p, h, w):
    a = tokens.detach().numpy()
    b, n, width = a.shape
    a = a.reshape(b, h // p, w // p, p, p, width // p**2).transpose(0, 5, 1, 3, 2, 4)
    return torch.tensor(a.reshape(b, width // p**2, h, w))


# right: pixel shuffle
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    grid = tokens.reshape(b, n, p * p, -1).transpose(2, 3).flatten(2)
    return F.pixel_shuffle(grid.transpose(1, 2).reshape(b, width, h // p, w // p), p)


# right: rows of squares put together
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    squares = [t.reshape(b, p, p, width // p**2) for t in tokens.unbind(1)]
    across = w // p
    rows = [torch.cat(squares[i : i + across], 2) for i in range(0, n, across)]
    return torch.cat(rows, 1).movedim(-1, 1)


# wrong: the axes left in order, with h and w
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, p, p, width // p**2)
    return x.permute(0, 5, 1, 2, 3, 4).reshape(b, -1, h, w)


# wrong: axes in order, still a square
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    side = int(n**0.5)
    x = tokens.reshape(b, side, side, p, p, width // p**2)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(b, -1, side * p, side * p)


# wrong: channel slowest inside a token
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, width // p**2, p, p)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(b, -1, h, w)


# wrong: F.fold alone
def unpatchify(tokens, p, h, w):
    return F.fold(tokens.transpose(1, 2), (h, w), p, stride=p)


# wrong: rows and columns of pixels changed over
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, p, p, width // p**2)
    return x.permute(0, 5, 1, 4, 2, 3).reshape(b, -1, h, w)


# wrong: squares read column by column
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, w // p, h // p, p, p, width // p**2)
    return x.permute(0, 5, 2, 3, 1, 4).reshape(b, -1, h, w)


# wrong: height and width changed over
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, w // p, h // p, p, p, width // p**2)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(b, -1, h, w)


# wrong: columns of squares before rows of pixels
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, p, p, width // p**2)
    return x.permute(0, 5, 2, 3, 1, 4).reshape(b, -1, h, w)


# wrong: pixel before square
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, p, p, width // p**2)
    return x.permute(0, 5, 3, 1, 4, 2).reshape(b, -1, h, w)


# wrong: channels last in the picture
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, h // p, w // p, p, p, width // p**2)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, -1)


# wrong: p and the number of squares mixed up
def unpatchify(tokens, p, h, w):
    b, n, width = tokens.shape
    x = tokens.reshape(b, p, p, h // p, w // p, width // p**2)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(b, -1, h, w)


# wrong: three channels
def unpatchify(tokens, p, h, w):
    x = tokens.reshape(len(tokens), h // p, w // p, p, p, 3)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), 3, h, w)


# exercise: dit.modulate
# right: einsum for the gate
def modulated(x, part, norm, shift, scale, gate):
    h = norm(x)
    h = h + torch.einsum("bnd,bd->bnd", h, scale) + shift.unsqueeze(1)
    return x + torch.einsum("bnd,bd->bnd", part(h), gate)


# right: addcmul
def modulated(x, part, norm, shift, scale, gate):
    shift, scale, gate = (v[:, None, :] for v in (shift, scale, gate))
    return torch.addcmul(x, gate, part(torch.addcmul(shift, norm(x), 1 + scale)))


# right: the vectors spread over the tokens first
def modulated(x, part, norm, shift, scale, gate):
    b, n, d = x.shape
    shift, scale, gate = [v.view(b, 1, d).expand(b, n, d) for v in (shift, scale, gate)]
    y = part(norm(x) * (scale + 1.0) + shift)
    return gate * y + x


# right: in place on a copy
def modulated(x, part, norm, shift, scale, gate):
    h = norm(x).clone()
    h *= scale[:, None] + 1
    h += shift[:, None]
    out = x.clone()
    out += part(h) * gate[:, None]
    return out


# right: tokens in the first axis while the vectors are applied
def modulated(x, part, norm, shift, scale, gate):
    h = norm(x).transpose(0, 1)
    h = (h * (1 + scale) + shift).transpose(0, 1)
    return x + (part(h).transpose(0, 1) * gate).transpose(0, 1)


# wrong: no token axis for the vectors
def modulated(x, part, norm, shift, scale, gate):
    return x + gate * part(norm(x) * (1 + scale) + shift)


# wrong: still without the one
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * scale[:, None] + shift[:, None])
    return x + gate[:, None] * y


# wrong: still the gate around all
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * (1 + scale[:, None]) + shift[:, None])
    return gate[:, None] * (x + y)


# wrong: one plus the gate
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * (1 + scale[:, None]) + shift[:, None])
    return x + (1 + gate[:, None]) * y


# wrong: no residual
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * (1 + scale[:, None]) + shift[:, None])
    return gate[:, None] * y


# wrong: the residual takes the normed input
def modulated(x, part, norm, shift, scale, gate):
    h = norm(x)
    return h + gate[:, None] * part(h * (1 + scale[:, None]) + shift[:, None])


# wrong: no norm
def modulated(x, part, norm, shift, scale, gate):
    y = part(x * (1 + scale[:, None]) + shift[:, None])
    return x + gate[:, None] * y


# wrong: norm after the modulation
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x * (1 + scale[:, None]) + shift[:, None]))
    return x + gate[:, None] * y


# wrong: shift before scale
def modulated(x, part, norm, shift, scale, gate):
    y = part((norm(x) + shift[:, None]) * (1 + scale[:, None]))
    return x + gate[:, None] * y


# wrong: shift and scale changed over
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * (1 + shift[:, None]) + scale[:, None])
    return x + gate[:, None] * y


# wrong: the vectors in the last axis
def modulated(x, part, norm, shift, scale, gate):
    shift, scale, gate = shift[..., None], scale[..., None], gate[..., None]
    return x + gate * part(norm(x) * (1 + scale) + shift)


# wrong: the gate blends
def modulated(x, part, norm, shift, scale, gate):
    g = gate[:, None]
    y = part(norm(x) * (1 + scale[:, None]) + shift[:, None])
    return (1 - g) * x + g * y


# wrong: the gate through a sigmoid
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x) * (1 + scale[:, None]) + shift[:, None])
    return x + torch.sigmoid(gate[:, None]) * y


# wrong: the gate before the part
def modulated(x, part, norm, shift, scale, gate):
    h = norm(x) * (1 + scale[:, None]) + shift[:, None]
    return x + part(gate[:, None] * h)


# wrong: the first picture's vectors for all
def modulated(x, part, norm, shift, scale, gate):
    return x + gate[0] * part(norm(x) * (1 + scale[0]) + shift[0])


# wrong: modulation of what the part gives
def modulated(x, part, norm, shift, scale, gate):
    y = part(norm(x)) * (1 + scale[:, None]) + shift[:, None]
    return x + gate[:, None] * y


# exercise: dit.zero_start
# right: only the rows of the gate are zero
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part, self.dim = part, dim
        self.modulation = nn.Linear(dim, 3 * dim)
        with torch.no_grad():
            self.modulation.weight[2 * dim :] = 0
            self.modulation.bias[2 * dim :] = 0

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c)).unsqueeze(1).split(self.dim, -1)
        return x + gate * self.part(F.layer_norm(x, (self.dim,)) * (1 + scale) + shift)


# right: a linear map without bias
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim, bias=False)
        nn.init.zeros_(self.modulation.weight)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(c * c.sigmoid())[:, None].chunk(3, dim=-1)
        h = self.norm(x)
        return x + gate * self.part(h + h * scale + shift)


# right: the norm by hand, einsum
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.modulation = nn.Linear(dim, 3 * dim)
        self.modulation.weight.data.zero_()
        self.modulation.bias.data.zero_()

    def forward(self, x, c):
        m = self.modulation(F.silu(c)).reshape(len(c), 3, -1)
        var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        h = (x - mean) * (var + 1e-5).rsqrt()
        h = torch.einsum("bnd,bd->bnd", h, 1 + m[:, 1]) + m[:, :1]
        return torch.einsum("bnd,bd->bnd", self.part(h), m[:, 2]) + x


# right: the epsilon of the published DiT, parameters set through the state
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.modulation = nn.Linear(dim, dim * 3)
        self.modulation.load_state_dict(
            {k: torch.zeros_like(v) for k, v in self.modulation.state_dict().items()}
        )
        self.act = nn.SiLU()
        self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.inner = part

    def forward(self, x, c):
        parts = self.modulation(self.act(c))
        shift, scale, gate = parts.tensor_split(3, dim=1)
        y = self.inner(self.norm(x) * (1 + scale[:, None]) + shift[:, None])
        return x + gate[:, None] * y


# right: a loop over the pictures
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.modulation = nn.Linear(dim, 3 * dim)
        for p in self.modulation.parameters():
            nn.init.constant_(p, 0.0)

    def forward(self, x, c):
        m = self.modulation(F.silu(c))
        d = x.shape[-1]
        h = [
            F.layer_norm(one, (d,)) * (1 + v[d : 2 * d]) + v[:d]
            for one, v in zip(x, m, strict=True)
        ]
        y = self.part(torch.stack(h))
        return torch.stack([a + v[2 * d :] * o for a, v, o in zip(x, m, y, strict=True)])


# wrong: the usual random start
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: the bias keeps its random start
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: the weight keeps its random start
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: almost zero
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: everything zero, the part too
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        for p in self.parameters():
            nn.init.zeros_(p)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: zero and frozen
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        for p in self.modulation.parameters():
            p.requires_grad_(False).zero_()

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: two factors of zero
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + self.alpha * gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: no silu
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(c)[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: silu after the map
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = F.silu(self.modulation(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: gelu
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.gelu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: scale before shift
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        scale, shift, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: the gate first
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        gate, shift, scale = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: without the one
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * scale + shift)


# wrong: a norm with a gain
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: a root-mean-square norm
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part, self.dim = part, dim
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        h = F.rms_norm(x, (self.dim,))
        return x + gate * self.part(h * (1 + scale) + shift)


# wrong: the norm runs over tokens too
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        h = F.layer_norm(x, x.shape[1:])
        return x + gate * self.part(h * (1 + scale) + shift)


# wrong: the gate is one at the start
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + (1 + gate) * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: no residual
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: the residual takes the normed input
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        x = self.norm(x)
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(x * (1 + scale) + shift)


# wrong: the part's last map is zero in place of the gate
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(list(part.parameters())[-1])
        nn.init.zeros_(list(part.parameters())[-2])

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c))[:, None].chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: no axis for the tokens
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c)).chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# wrong: the condition averaged over the batch
class Branch(nn.Module):
    def __init__(self, part, dim):
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 3 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(F.silu(c.mean(0))).chunk(3, -1)
        return x + gate * self.part(self.norm(x) * (1 + scale) + shift)


# exercise: dit.label_drop
# right: a loop with Python's random
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.tensor([n_classes if random.random() < share else int(y) for y in labels])


# right: bernoulli
def drop_labels(labels, n_classes, share, training):
    gone = torch.bernoulli(torch.full(labels.shape, float(share))).bool()
    return labels.masked_fill(gone & bool(training), n_classes)


# right: numpy inside
def drop_labels(labels, n_classes, share, training):
    out = labels.numpy().copy()
    if training:
        out[np.random.rand(len(out)) < share] = n_classes
    return torch.from_numpy(out)


# right: what is kept, by arithmetic
def drop_labels(labels, n_classes, share, training):
    keep = (torch.rand(len(labels), dtype=torch.float64) >= share * bool(training)).long()
    return labels * keep + n_classes * (1 - keep)


# right: an index put into a copy
def drop_labels(labels, n_classes, share, training):
    out = labels.clone()
    if training:
        where = torch.nonzero(torch.rand(out.shape[0]) < share).flatten()
        out.index_fill_(0, where, n_classes)
    return out


# wrong: one draw for the batch
def drop_labels(labels, n_classes, share, training):
    if training and torch.rand(()) < share:
        return torch.full_like(labels, n_classes)
    return labels


# wrong: in training or not
def drop_labels(labels, n_classes, share, training):
    gone = torch.rand(len(labels)) < share
    return torch.where(gone, torch.full_like(labels, n_classes), labels)


# wrong: outside training only
def drop_labels(labels, n_classes, share, training):
    if training:
        return labels
    return torch.where(torch.rand(len(labels)) < share, n_classes, labels)


# wrong: share is what is kept
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.rand(len(labels)) < share, labels, n_classes)


# wrong: zero means no label
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return labels * (torch.rand(len(labels)) >= share)


# wrong: the last class means no label
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.rand(len(labels)) < share, n_classes - 1, labels)


# wrong: minus one means no label
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.rand(len(labels)) < share, -1, labels)


# wrong: ten classes
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.rand(len(labels)) < share, 10, labels)


# wrong: a tenth
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.rand(len(labels)) < 0.1, n_classes, labels)


# wrong: normal draws
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return torch.where(torch.randn(len(labels)) < share, n_classes, labels)


# wrong: a fixed number of places
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    out = labels.clone()
    out[torch.randperm(len(out))[: round(share * len(out))]] = n_classes
    return out


# wrong: always the first of the batch
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    out = labels.clone()
    out[: int(share * len(out))] = n_classes
    return out


# wrong: every class by itself
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    gone = torch.rand(n_classes) < share
    return torch.where(gone[labels], n_classes, labels)


# wrong: a wrong label in place of none
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    other = torch.randint(0, n_classes + 1, labels.shape)
    return torch.where(torch.rand(len(labels)) < share, other, labels)


# wrong: the same draw each time
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    draw = torch.rand(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.where(draw < share, n_classes, labels)


# wrong: the dropped pictures leave the batch
def drop_labels(labels, n_classes, share, training):
    if not training:
        return labels
    return labels[torch.rand(len(labels)) >= share]


# exercise: dit.knows_the_time
# right: functools' reduce
def denoise(x_t, t, y, parts):
    from functools import reduce

    c = torch.add(parts["time"](t), parts["label"](y)).unsqueeze(dim=1)
    tokens = reduce(lambda z, block: block(z, c), parts["blocks"], parts["patchify"](x_t))
    return parts["unpatchify"](parts["head"](tokens))


# right: index loop, the label first
def denoise(x_t, t, y, parts):
    condition = parts["label"](y)[:, None, :] + parts["time"](t)[:, None, :]
    z = parts["patchify"](x_t)
    i = 0
    while i < len(parts["blocks"]):
        z = parts["blocks"][i](z, condition)
        i += 1
    return parts["unpatchify"](parts["head"](z))


# right: a stack summed, made anew for each block
def denoise(x_t, t, y, parts):
    z = parts["patchify"](x_t)
    for block in parts["blocks"]:
        z = block(z, torch.stack([parts["time"](t), parts["label"](y)]).sum(0)[:, None])
    z = parts["head"](z)
    return parts["unpatchify"](z)


# right: einsum
def denoise(x_t, t, y, parts):
    both = torch.stack([parts["time"](t), parts["label"](y)], 1)
    condition = torch.einsum("bkd->bd", both).reshape(len(both), 1, -1)
    tokens = parts["patchify"](x_t)
    for block in list(parts["blocks"]):
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: zeros still go to the later blocks
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    tokens = parts["blocks"][0](tokens, condition)
    for block in parts["blocks"][1:]:
        tokens = block(tokens, torch.zeros_like(condition))
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the label alone, in each block
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    for block in parts["blocks"]:
        tokens = block(tokens, parts["label"](y)[:, None])
    return parts["unpatchify"](parts["head"](tokens))


# wrong: time alone
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    for block in parts["blocks"]:
        tokens = block(tokens, parts["time"](t)[:, None])
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the label first, then time
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    tokens = parts["blocks"][0](tokens, parts["label"](y)[:, None])
    for block in parts["blocks"][1:]:
        tokens = block(tokens, parts["time"](t)[:, None])
    return parts["unpatchify"](parts["head"](tokens))


# wrong: first the label alone, then the sum
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = parts["label"](y)[:, None]
    tokens = parts["blocks"][0](tokens, condition)
    for block in parts["blocks"][1:]:
        tokens = block(tokens, condition + parts["time"](t)[:, None])
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the product
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) * parts["label"](y))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the mean of the two
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None] / 2
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: time is added to the tokens once
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t) + parts["time"](t)[:, None]
    condition = parts["label"](y)[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: time is added again at each block
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = parts["label"](y)[:, None]
    for block in parts["blocks"]:
        condition = condition + parts["time"](t)[:, None]
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the first picture's time for all
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t[:1]) + parts["label"](y))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: a condition without an axis of tokens
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = parts["time"](t) + parts["label"](y)
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: the axis of tokens in front
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: only the last block counts
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    for block in parts["blocks"]:
        out = block(tokens, condition)
    return parts["unpatchify"](parts["head"](out))


# wrong: the first block is left out
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    for block in parts["blocks"][1:]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# wrong: a return inside the loop
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
        return parts["unpatchify"](parts["head"](tokens))


# wrong: no head
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](tokens)


# wrong: tokens in place of a picture
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](t) + parts["label"](y))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["head"](tokens)


# wrong: time and label changed over
def denoise(x_t, t, y, parts):
    tokens = parts["patchify"](x_t)
    condition = (parts["time"](y) + parts["label"](t))[:, None]
    for block in parts["blocks"]:
        tokens = block(tokens, condition)
    return parts["unpatchify"](parts["head"](tokens))


# exercise: dit.one_net
# right: other names, the map without bias
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.embed = nn.Linear(d, d, bias=False)
        self.layer = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.layer(x + self.embed(features(t, x.shape[-1])).unsqueeze(1))


# right: keywords, and a reshape for the axis of tokens
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.block = nn.TransformerEncoderLayer(
            d_model=d, nhead=1, dim_feedforward=d, dropout=0.0, batch_first=True
        )
        self.time = nn.Linear(d, d)

    def forward(self, x, t, features):
        e = self.time(features(t, self.d)).view(-1, 1, self.d).expand_as(x)
        return self.block(e + x)


# right: times looked up one by one
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        d = x.shape[2]
        e = torch.cat([self.time(features(t[i : i + 1], d)) for i in range(len(t))])
        return self.block(x + e[:, None, :])


# right: one picture after the other
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d, self.n_steps = d, n_steps
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        e = self.time(features(t, self.d))
        return torch.cat([self.block((a + b)[None]) for a, b in zip(x, e, strict=True)])


# wrong: the first step for the batch
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t[:1], self.d))[:, None])


# wrong: the mean step for the batch
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        e = self.time(features(t, self.d)).mean(0)
        return self.block(x + e)


# wrong: no axis of tokens
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t, self.d)))


# wrong: time is not read
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x)


# wrong: features without a map
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + features(t, self.d)[:, None])


# wrong: time after the block
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x) + self.time(features(t, self.d))[:, None]


# wrong: a table of steps
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.time = nn.Embedding(n_steps, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(t)[:, None])


# wrong: a table of steps under the map
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.table = nn.Embedding(n_steps, d)
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(self.table(t))[:, None])


# wrong: a block for every step
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.nets = nn.ModuleList(
            nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True) for _ in range(n_steps)
        )

    def forward(self, x, t, features):
        h = x + self.time(features(t, self.d))[:, None]
        return torch.stack([self.nets[int(i)](a[None])[0] for a, i in zip(h, t, strict=True)])


# wrong: one net, but tokens never meet
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))

    def forward(self, x, t, features):
        return self.net(x + self.time(features(t, self.d))[:, None])


# wrong: the batch is taken for the tokens
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t, self.d))[:, None])


# wrong: dropout left at its default
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t, self.d))[:, None])


# wrong: four times as wide
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, 4 * d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t, self.d))[:, None])


# wrong: time multiplies
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x * self.time(features(t, self.d))[:, None])


# wrong: a second residual around the block
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return x + self.block(x + self.time(features(t, self.d))[:, None])


# wrong: time as a token of its own
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        e = self.time(features(t, self.d))[:, None]
        return self.block(torch.cat([e, x], 1))[:, 1:]


# wrong: the share of the steps in place of the step
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d, self.n_steps = d, n_steps
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        return self.block(x + self.time(features(t / self.n_steps, self.d))[:, None])


# wrong: the map is not trained
class StepNet(nn.Module):
    def __init__(self, n_steps, d):
        super().__init__()
        self.d = d
        self.time = nn.Linear(d, d)
        self.block = nn.TransformerEncoderLayer(d, 1, d, 0.0, batch_first=True)

    def forward(self, x, t, features):
        with torch.no_grad():
            e = self.time(features(t, self.d))[:, None]
        return self.block(x + e)


# exercise: dit.objective
# right: lerp and F.mse_loss
def loss(model, x, y, t, eps):
    s = t.reshape(-1, 1, 1, 1)
    return F.mse_loss(model(torch.lerp(x, eps, s.expand_as(x)), t, y), eps - x)


# right: the direction added to x
def loss(model, x, y, t, eps):
    u = eps - x
    x_t = x + t[:, None, None, None] * u
    return ((u - model(x_t, t, y)) ** 2).sum() / x.numel()


# right: einsum
def loss(model, x, y, t, eps):
    x_t = torch.einsum("b,bchw->bchw", 1 - t, x) + torch.einsum("b,bchw->bchw", t, eps)
    gap = (model(x_t, t, y) - (eps - x)).flatten()
    return torch.dot(gap, gap) / gap.numel()


# right: a loop over the batch, then one call
def loss(model, x, y, t, eps):
    x_t = torch.stack([(1 - s) * a + s * e for a, s, e in zip(x, t, eps, strict=True)])
    gap = model(x_t, t, y) + x - eps
    return torch.stack([g.pow(2).mean() for g in gap]).mean()


# right: the norm squared
def loss(model, x, y, t, eps):
    s = t.view(len(t), *[1] * (x.dim() - 1))
    gap = model(x - s * x + s * eps, t, y) - eps + x
    return torch.linalg.vector_norm(gap).square() / gap.numel()


# wrong: the clean picture goes in
def loss(model, x, y, t, eps):
    return (model(x, t, y) - (eps - x)).square().mean()


# wrong: no time
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    pred = model((1 - s) * x + s * eps, torch.zeros_like(t), y)
    return (pred - (eps - x)).square().mean()


# wrong: asked for the picture
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - x).square().mean()


# wrong: asked for the noise
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - eps).square().mean()


# wrong: the other direction
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - (x - eps)).square().mean()


# wrong: time runs the other way
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model(s * x + (1 - s) * eps, t, y) - (eps - x)).square().mean()


# wrong: from x_t to the noise
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    x_t = (1 - s) * x + s * eps
    return (model(x_t, t, y) - (eps - x_t)).square().mean()


# wrong: a circle in place of the line
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    x_t = (1 - s**2).sqrt() * x + s * eps
    return (model(x_t, t, y) - (eps - x)).square().mean()


# wrong: the first time for the batch
def loss(model, x, y, t, eps):
    x_t = (1 - t[0]) * x + t[0] * eps
    return (model(x_t, t, y) - (eps - x)).square().mean()


# wrong: times on the axis of columns
def loss(model, x, y, t, eps):
    x_t = (1 - t) * x + t * eps
    return (model(x_t, t, y) - (eps - x)).square().mean()


# wrong: fresh noise
def loss(model, x, y, t, eps):
    eps = torch.randn_like(x)
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().mean()


# wrong: fresh times
def loss(model, x, y, t, eps):
    t = torch.rand_like(t)
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().mean()


# wrong: thousand steps
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    pred = model((1 - s) * x + s * eps, (t * 1000).long(), y)
    return (pred - (eps - x)).square().mean()


# wrong: absolute differences
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - (eps - x)).abs().mean()


# wrong: the sum over each picture
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    gap = model((1 - s) * x + s * eps, t, y) - (eps - x)
    return gap.square().sum((1, 2, 3)).mean()


# wrong: the root of the loss
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().mean().sqrt()


# wrong: half of the squares
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    return 0.5 * (model((1 - s) * x + s * eps, t, y) - (eps - x)).square().mean()


# wrong: one loss for each picture
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    gap = model((1 - s) * x + s * eps, t, y) - (eps - x)
    return gap.square().mean((1, 2, 3))


# wrong: weighed by time
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    gap = model((1 - s) * x + s * eps, t, y) - (eps - x)
    return ((1 - s) * gap.square()).mean()


# wrong: a number in place of a tensor
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    gap = model((1 - s) * x + s * eps, t, y) - (eps - x)
    return torch.tensor(gap.square().mean().item())


# wrong: labels of zero
def loss(model, x, y, t, eps):
    s = t[:, None, None, None]
    pred = model((1 - s) * x + s * eps, t, torch.zeros_like(y))
    return (pred - (eps - x)).square().mean()


# exercise: dit.time_features
# right: einsum and powers
def time_features(t, width):
    half = width // 2
    speeds = 10000.0 ** (-torch.arange(half) / half)
    a = torch.einsum("b,i->bi", t.float(), speeds)
    return torch.cat([torch.cos(a), torch.sin(a)], dim=1)


# right: numpy in float64
def time_features(t, width):
    half = width // 2
    a = np.outer(t.numpy().astype(np.float64), np.exp(-np.log(10000) * np.arange(half) / half))
    return torch.from_numpy(np.concatenate([np.cos(a), np.sin(a)], 1)).float()


# right: a plain loop
def time_features(t, width):
    half, rows = width // 2, []
    for one in t.tolist():
        angles = [one * math.exp(-math.log(10000) * i / half) for i in range(half)]
        rows.append([math.cos(a) for a in angles] + [math.sin(a) for a in angles])
    return torch.tensor(rows)


# right: a complex number turned
def time_features(t, width):
    half = width // 2
    angle = t[:, None].double() * torch.logspace(0, -1, half + 1, 10000.0).double()[:half]
    turned = torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(turned).transpose(1, 2).flatten(1).float()


# right: filled in place
def time_features(t, width):
    half = width // 2
    out = torch.empty(len(t), width)
    for i in range(half):
        out[:, i] = torch.cos(t * 10000 ** (-i / half))
        out[:, half + i] = torch.sin(t * 10000 ** (-i / half))
    return out


# wrong: sines first
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([a.sin(), a.cos()], -1)


# wrong: the speeds of the other paper
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: cosine and sine in alternation
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.stack([a.cos(), a.sin()], -1).flatten(1)


# wrong: divided by the width
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / width)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: speeds that rise
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(math.log(10000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: counted from 1
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(1, half + 1) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: half a step further
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * (torch.arange(half) + 0.5) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: linspace to the end
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.linspace(0, 1, half))
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: the common logarithm
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log10(10000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: a thousand
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(1000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: whole turns
def time_features(t, width):
    half = width // 2
    a = 2 * math.pi * t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: times a thousand
def time_features(t, width):
    half = width // 2
    a = 1000 * t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: even numbers only
def time_features(t, width):
    half = width // 2
    a = t[:, None] * torch.exp(-math.log(10000) * torch.arange(0, width, 2) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: the speeds from slow to fast
def time_features(t, width):
    half = width // 2
    speeds = torch.exp(-math.log(10000) * torch.arange(half) / half).flip(0)
    a = t[:, None] * speeds
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: whole times
def time_features(t, width):
    half = width // 2
    a = t.long()[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([a.cos(), a.sin()], -1)


# wrong: cosines alone
def time_features(t, width):
    return torch.cos(t[:, None] * torch.exp(-math.log(10000) * torch.arange(width) / width))


# exercise: dit.places
# right: a plain loop
def places(rows, columns, dim):
    table = []
    for row in range(rows):
        for column in range(columns):
            vector = []
            for position in (column, row):
                angles = [position / 10000 ** (4 * i / dim) for i in range(dim // 4)]
                vector += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            table.append(vector)
    return torch.tensor(table)


# right: numpy, as in the published code
def places(rows, columns, dim):
    omega = 1.0 / 10000 ** (np.arange(dim // 4, dtype=np.float64) / (dim / 4.0))
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), 0)  # columns go first
    halves = []
    for axis in grid:
        out = np.einsum("m,d->md", axis.reshape(-1).astype(np.float64), omega)
        halves.append(np.concatenate([np.sin(out), np.cos(out)], axis=1))
    return torch.from_numpy(np.concatenate(halves, 1)).float()


# right: expand in place of meshgrid
def places(rows, columns, dim):
    def one(n):
        a = torch.arange(n)[:, None] * 10000.0 ** (-4 * torch.arange(dim // 4) / dim)
        return torch.cat([a.sin(), a.cos()], 1)

    across = one(columns)[None].expand(rows, -1, -1)
    down = one(rows)[:, None].expand(-1, columns, -1)
    return torch.cat([across, down], 2).reshape(rows * columns, dim)


# right: quotient and remainder
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    column, row = n % columns, n // columns
    speed = torch.exp(-math.log(10000) * 4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(column, speed), torch.outer(row, speed)
    return torch.hstack([a.sin(), a.cos(), b.sin(), b.cos()])


# right: repeat and repeat_interleave, in float64
def places(rows, columns, dim):
    speed = 10000 ** -torch.linspace(0, 1, dim // 4 + 1, dtype=torch.float64)[:-1]
    column = torch.arange(columns).repeat(rows)[:, None] * speed
    row = torch.arange(rows).repeat_interleave(columns)[:, None] * speed
    out = torch.zeros(rows * columns, 4, dim // 4)
    out[:, 0], out[:, 1] = column.sin(), column.cos()
    out[:, 2], out[:, 3] = row.sin(), row.cos()
    return out.flatten(1)


# wrong: the row in the first half
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n // columns, speed), torch.outer(n % columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: places column by column
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n // rows, speed), torch.outer(n % rows, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: rows and columns mixed up in the quotient
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % rows, speed), torch.outer(n // rows, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: cosines first
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.cos(), a.sin(), b.cos(), b.sin()], 1)


# wrong: all sines, then all cosines
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), b.sin(), a.cos(), b.cos()], 1)


# wrong: sine and cosine in alternation
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    halves = [torch.stack([x.sin(), x.cos()], -1).flatten(1) for x in (a, b)]
    return torch.cat(halves, 1)


# wrong: the speeds of one axis
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-2 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: speeds that rise
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: linspace to the end
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** -torch.linspace(0, 1, dim // 4)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: positions from 1
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns + 1, speed), torch.outer(n // columns + 1, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: positions in [0, 1]
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a = torch.outer(n % columns / columns, speed)
    b = torch.outer(n // columns / rows, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: the place in the sequence
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    a = torch.outer(n, 10000 ** (-2 * torch.arange(dim // 2) / dim))
    return torch.cat([a.sin(), a.cos()], 1)


# wrong: the two added
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-2 * torch.arange(dim // 2) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin() + b.sin(), a.cos() + b.cos()], 1)


# wrong: a square grid
def places(rows, columns, dim):
    n = torch.arange(rows * rows)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % rows, speed), torch.outer(n // rows, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# wrong: a grid of vectors
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 10000 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1).view(rows, columns, dim)


# wrong: a hundred
def places(rows, columns, dim):
    n = torch.arange(rows * columns)
    speed = 100 ** (-4 * torch.arange(dim // 4) / dim)
    a, b = torch.outer(n % columns, speed), torch.outer(n // columns, speed)
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)


# exercise: dit.parameters
# right: modules that are built and counted
def parameters(depth, d, p, channels, c_out, n_classes):
    def block():
        return [nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)] + [
            nn.Linear(d, 6 * d)
        ]

    with torch.device("meta"):
        net = nn.ModuleList(
            [
                nn.Conv2d(channels, d, p, p),
                nn.Linear(256, d),
                nn.Linear(d, d),
                nn.Embedding(n_classes + 1, d),
                *[layer for _ in range(depth) for layer in block()],
                nn.Linear(d, 2 * d),
                nn.Linear(d, p * p * c_out),
            ]
        )
    return sum(w.numel() for w in net.parameters())


# right: collected in powers of d
def parameters(depth, d, p, channels, c_out, n_classes):
    squares = 1 + 18 * depth + 2
    singles = (p * p * channels + 1) + (256 + 1) + 1 + (n_classes + 1) + 15 * depth
    singles += 2 + p * p * c_out
    return squares * d**2 + singles * d + p * p * c_out


# right: a list of maps
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p**2 * channels, d), (256, d), (d, d), (d, 2 * d), (d, p**2 * c_out)]
    for _ in range(depth):
        maps.extend([(d, d)] * 3 + [(d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)])
    return sum((i + 1) * o for i, o in maps) + d * (n_classes + 1)


# right: numpy's integers
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = np.array([(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)], dtype=np.int64)
    block = ((maps[:, 0] + 1) * maps[:, 1]).sum()
    ends = np.array([(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)])
    return depth * block + ((ends[:, 0] + 1) * ends[:, 1]).sum() + (n_classes + 1) * d


# wrong: no label for none
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + n_classes * d


# wrong: a bias in the table of labels
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 2) * d


# wrong: no biases
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum(i * o for i, o in maps) + (n_classes + 1) * d


# wrong: a bias as long as the input
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum(i * (o + 1) for i, o in maps) + (n_classes + 1) * d


# wrong: one map for the time
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: no projection after attention
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: half of the MLP
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: one modulation for all blocks
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d)] * depth + [(d, 6 * d)]
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: no modulation at the end
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: norms with gain and bias
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d + (2 * depth + 1) * 2 * d


# wrong: as many channels out as in
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * channels)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: twice as many channels out as in
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * 2 * channels)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: p in place of its square
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: thousand classes
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (256, d), (d, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + 1001 * d


# wrong: patches of 2
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(4 * channels, d), (256, d), (d, d), (d, 2 * d), (d, 4 * c_out)]
    maps += [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: the time map within each block
def parameters(depth, d, p, channels, c_out, n_classes):
    maps = [(p * p * channels, d), (d, 2 * d), (d, p * p * c_out)]
    maps += [(256, d), (d, d), (d, 3 * d), (d, d), (d, 4 * d), (4 * d, d), (d, 6 * d)] * depth
    return sum((i + 1) * o for i, o in maps) + (n_classes + 1) * d


# wrong: 675 million
def parameters(depth, d, p, channels, c_out, n_classes):
    return 675_129_632


# exercise: dit.guided_channels
# right: lerp past the end
def guide(with_, without, s, channels):
    eps = torch.lerp(without[:, :channels], with_[:, :channels], float(s))
    return torch.hstack([eps, with_[:, channels:]])


# right: in place on a copy
def guide(with_, without, s, channels):
    out = with_.clone()
    out[:, :channels] -= without[:, :channels]
    out[:, :channels] *= s
    out[:, :channels] += without[:, :channels]
    return out


# right: chunk, another form of the sum
def guide(with_, without, s, channels):
    eps, var = with_.chunk(2, 1)
    base = without.chunk(2, 1)[0]
    return torch.cat((s * eps + (1 - s) * base, var), dim=1)


# right: a mask over the channels
def guide(with_, without, s, channels):
    first = (torch.arange(with_.shape[1]) < channels)[None, :, None, None]
    return torch.where(first, without + s * (with_ - without), with_)


# right: numpy inside
def guide(with_, without, s, channels):
    a, b = with_.detach().numpy().copy(), without.detach().numpy()
    a[:, :channels] = b[:, :channels] + s * (a[:, :channels] - b[:, :channels])
    return torch.from_numpy(a)


# right: a factor for each channel
def guide(with_, without, s, channels):
    factor = torch.ones(2 * channels, dtype=with_.dtype)
    factor[:channels] = s
    return without + torch.einsum("c,bchw->bchw", factor, with_ - without)


# wrong: still three
def guide(with_, without, s, channels):
    eps = without[:, :3] + s * (with_[:, :3] - without[:, :3])
    return torch.cat([eps, with_[:, 3:]], 1)


# wrong: four
def guide(with_, without, s, channels):
    eps = without[:, :4] + s * (with_[:, :4] - without[:, :4])
    return torch.cat([eps, with_[:, 4:]], 1)


# wrong: counted from the side with label
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([a + s * (a - b), with_[:, channels:]], 1)


# wrong: the variance without label
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([b + s * (a - b), without[:, channels:]], 1)


# wrong: the variance is guided too
def guide(with_, without, s, channels):
    return without + s * (with_ - without)


# wrong: the variance is guided and the noise is not
def guide(with_, without, s, channels):
    a, b = with_[:, channels:], without[:, channels:]
    return torch.cat([with_[:, :channels], b + s * (a - b)], 1)


# wrong: the noise alone
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return b + s * (a - b)


# wrong: away from the label
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([b + s * (b - a), with_[:, channels:]], 1)


# wrong: the two changed over
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([a + s * (b - a), with_[:, channels:]], 1)


# wrong: the variance in front
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([with_[:, channels:], b + s * (a - b)], 1)


# wrong: the variances averaged
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([b + s * (a - b), (with_ + without)[:, channels:] / 2], 1)


# wrong: the scale written as 1 + s
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([b + (1 + s) * (a - b), with_[:, channels:]], 1)


# wrong: half of the channels
def guide(with_, without, s, channels):
    c = channels // 2
    eps = without[:, :c] + s * (with_[:, :c] - without[:, :c])
    return torch.cat([eps, with_[:, c:]], 1)


# wrong: slices of the batch
def guide(with_, without, s, channels):
    a, b = with_[:channels], without[:channels]
    return torch.cat([b + s * (a - b), with_[channels:]])


# wrong: one channel too many
def guide(with_, without, s, channels):
    c = channels + 1
    eps = without[:, :c] + s * (with_[:, :c] - without[:, :c])
    return torch.cat([eps, with_[:, c:]], 1)


# wrong: joined along the rows
def guide(with_, without, s, channels):
    a, b = with_[:, :channels], without[:, :channels]
    return torch.cat([b + s * (a - b), with_[:, channels:]], 2)
