"Answers to the exercises of latent diffusion, right ones in unusual forms and wrong ones."

import copy
import math

import numpy as np
import torch
from torch.nn import functional as F


# exercise: latent.units
# right: a loop over the channels
def units(train):
    numbers = [(train[:, c].mean(), train[:, c].std()) for c in range(train.shape[1])]

    def there(z):
        return torch.stack([(z[:, c] - m) / s for c, (m, s) in enumerate(numbers)], 1)

    def back(z):
        return torch.stack([z[:, c] * s + m for c, (m, s) in enumerate(numbers)], 1)

    return there, back


# right: numpy's numbers, which divide by n
def units(train):
    a = train.numpy().astype(np.float64)
    mean = torch.tensor(a.mean((0, 2, 3)), dtype=train.dtype).reshape(1, -1, 1, 1)
    std = torch.tensor(a.std((0, 2, 3)), dtype=train.dtype).reshape(1, -1, 1, 1)
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# right: einsum and a square root of the variance
def units(train):
    flat = train.movedim(1, 0).flatten(1)
    mean = flat.mean(1)
    rest = flat - mean[:, None]
    std = (torch.einsum("cn,cn->c", rest, rest) / rest.shape[1]).sqrt()

    def there(z):
        return ((z.movedim(1, -1) - mean) / std).movedim(-1, 1)

    def back(z):
        return (z.movedim(1, -1) * std + mean).movedim(-1, 1)

    return there, back


# right: a class with two methods
class Units:
    def __init__(self, train):
        std, self.mean = torch.std_mean(train, dim=(0, 2, 3), keepdim=True)
        self.factor = std.reciprocal()

    def there(self, z):
        return z.sub(self.mean).mul(self.factor)

    def back(self, z):
        return z.div(self.factor).add(self.mean)


def units(train):
    u = Units(train)
    return u.there, u.back


# right: on a copy, in place
def units(train):
    mean, std = train.mean((0, 2, 3)), train.std((0, 2, 3))

    def there(z):
        out = z.clone()
        out -= mean[:, None, None]
        out /= std[:, None, None]
        return out

    def back(z):
        out = z.clone()
        out *= std[:, None, None]
        out += mean[:, None, None]
        return out

    return there, back


# wrong: a mean for each channel, one factor
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std()
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# wrong: one mean, a factor for each channel
def units(train):
    mean, std = train.mean(), train.std((0, 2, 3), keepdim=True)
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# wrong: a factor for each channel, the mean stays
def units(train):
    std = train.std((0, 2, 3), keepdim=True)
    return (lambda z: z / std), (lambda z: z * std)


# wrong: the mean alone
def units(train):
    mean = train.mean((0, 2, 3), keepdim=True)
    return (lambda z: z - mean), (lambda z: z + mean)


# wrong: the variance for the deviation
def units(train):
    mean, var = train.mean((0, 2, 3), keepdim=True), train.var((0, 2, 3), keepdim=True)
    return (lambda z: (z - mean) / var), (lambda z: z * var + mean)


# wrong: other latents by their own numbers
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)

    def there(z):
        return (z - z.mean((0, 2, 3), keepdim=True)) / z.std((0, 2, 3), keepdim=True)

    return there, (lambda z: z * std + mean)


# wrong: numbers for each place
def units(train):
    mean, std = train.mean(0), train.std(0)
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# wrong: numbers for each image
def units(train):
    def there(z):
        return (z - z.mean((2, 3), keepdim=True)) / z.std((2, 3), keepdim=True)

    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return there, (lambda z: z * std + mean)


# wrong: divided before the mean goes
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return (lambda z: z / std - mean), (lambda z: (z + mean) * std)


# wrong: back in the wrong order
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return (lambda z: (z - mean) / std), (lambda z: (z + mean) * std)


# wrong: back forgets the mean
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return (lambda z: (z - mean) / std), (lambda z: z * std)


# wrong: the two changed over
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return (lambda z: z * std + mean), (lambda z: (z - mean) / std)


# wrong: to [-1, 1] by the extremes
def units(train):
    low, high = train.amin((0, 2, 3), keepdim=True), train.amax((0, 2, 3), keepdim=True)
    mid, half = (low + high) / 2, (high - low) / 2
    return (lambda z: (z - mid) / half), (lambda z: z * half + mid)


# wrong: the mean size in place of the deviation
def units(train):
    mean = train.mean((0, 2, 3), keepdim=True)
    size = (train - mean).abs().mean((0, 2, 3), keepdim=True)
    return (lambda z: (z - mean) / size), (lambda z: z * size + mean)


# wrong: the root mean square, mean included
def units(train):
    mean = train.mean((0, 2, 3), keepdim=True)
    std = train.square().mean((0, 2, 3), keepdim=True).sqrt()
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# wrong: outliers are cut
def units(train):
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    return (lambda z: ((z - mean) / std).clamp(-3, 3)), (lambda z: z * std + mean)


# wrong: the published factor
def units(train):
    return (lambda z: z * 0.18215), (lambda z: z / 0.18215)


# wrong: a channel axis in the wrong place
def units(train):
    mean, std = train.mean((0, 2, 3)), train.std((0, 2, 3))
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


# exercise: latent.to_images
# right: einsum and the square expanded
def to_images(z, mean, std, codebook, decoder):
    raw = z * std.view(1, -1, 1, 1) + mean.view(1, -1, 1, 1)
    score = codebook.square().sum(1)[:, None, None] - 2 * torch.einsum(
        "bchw,kc->bkhw", raw, codebook
    )
    return decoder(F.embedding(score.argmin(1), codebook).permute(0, 3, 1, 2))


# right: differences with a channel axis kept
def to_images(z, mean, std, codebook, decoder):
    raw = z * std[:, None, None] + mean[:, None, None]
    gaps = ((raw[:, None] - codebook[None, :, :, None, None]) ** 2).sum(2)  # (b, k, h, w)
    one_hot = F.one_hot(gaps.argmin(1), len(codebook)).to(codebook.dtype)
    return decoder(torch.einsum("bhwk,kc->bchw", one_hot, codebook))


# right: a loop over the places
def to_images(z, mean, std, codebook, decoder):
    out = torch.empty_like(z)
    for i in range(z.shape[0]):
        for y in range(z.shape[2]):
            for x in range(z.shape[3]):
                raw = z[i, :, y, x] * std + mean
                out[i, :, y, x] = codebook[(codebook - raw).norm(dim=1).argmin()]
    return decoder(out)


# right: numpy inside
def to_images(z, mean, std, codebook, decoder):
    raw = z.numpy().transpose(0, 2, 3, 1) * std.numpy() + mean.numpy()
    book = codebook.numpy()
    index = ((raw[..., None, :] - book) ** 2).sum(-1).argmin(-1)
    return decoder(torch.from_numpy(book[index].transpose(0, 3, 1, 2).copy()))


# right: addcmul and topk
def to_images(z, mean, std, codebook, decoder):
    raw = torch.addcmul(mean, z.movedim(1, -1), std)
    flat = raw.flatten(0, 2)
    index = torch.cdist(flat, codebook).topk(1, largest=False).indices[:, 0]
    return decoder(codebook.index_select(0, index).view_as(raw).movedim(-1, 1))


# wrong: the nearest in units, the code left as it is
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c)
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: raw, and the units undone once more
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)] * std + mean
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: raw, then put back into units
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = (codebook[torch.cdist(flat, codebook).argmin(1)] - mean) / std
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: the codebook put into units
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c)
    codes = codebook[torch.cdist(flat, (codebook - mean) / std).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: no codes at all
def to_images(z, mean, std, codebook, decoder):
    return decoder(z * std[:, None, None] + mean[:, None, None])


# wrong: the units applied once more
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = (z.movedim(1, -1).reshape(-1, c) - mean) / std
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: mean and deviation in the wrong order
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = (z.movedim(1, -1).reshape(-1, c) + mean) * std
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: no mean
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: no deviation
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: one mean, one deviation
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std.mean() + mean.mean()
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: the channels never moved
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, c, h, w))


# wrong: the channels not moved back
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, c, h, w))


# wrong: rows and columns changed over
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return decoder(codes.reshape(b, w, h, c).permute(0, 3, 2, 1))


# wrong: the furthest code
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmax(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: the most similar direction
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[(F.normalize(flat, dim=1) @ F.normalize(codebook, dim=1).T).argmax(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: the largest product
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[(flat @ codebook.T).argmax(1)]
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))


# wrong: codes that are not decoded
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    return codes.reshape(b, h, w, c).movedim(-1, 1)


# wrong: indices go to the decoder
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c) * std + mean
    return decoder(torch.cdist(flat, codebook).argmin(1).reshape(b, h, w))


# exercise: latent.estimates
# right: eps from x_0, whether cut or not
def estimates(x_t, u, t, limit=None):
    s = t.reshape(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = torch.clip(x_0, min=-limit, max=limit)
    return x_0, (x_t - (1 - s) * x_0) / s


# right: a limit of infinity, in float64
def estimates(x_t, u, t, limit=None):
    limit = math.inf if limit is None else limit
    s, a, b = t.double()[:, None, None, None], x_t.double(), u.double()
    x_0 = torch.minimum(torch.maximum(a - s * b, torch.tensor(-limit)), torch.tensor(limit))
    eps = x_0 + (a - x_0) / s
    return x_0.to(x_t.dtype), eps.to(x_t.dtype)


# right: a loop over the batch
def estimates(x_t, u, t, limit=None):
    clean, noise = [], []
    for x, v, s in zip(x_t, u, t.tolist(), strict=True):
        x_0 = x - s * v if limit is None else (x - s * v).clamp(-limit, limit)
        clean.append(x_0)
        noise.append((x - (1 - s) * x_0) / s)
    return torch.stack(clean), torch.stack(noise)


# right: the direction is made anew from what was cut
def estimates(x_t, u, t, limit=None):
    x_0 = x_t - torch.einsum("b,bchw->bchw", t, u)
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
        u = torch.einsum("bchw,b->bchw", x_t - x_0, 1 / t)
    return x_0, x_0 + u


# right: numpy inside
def estimates(x_t, u, t, limit=None):
    a, b, s = x_t.numpy(), u.numpy(), t.numpy()[:, None, None, None]
    x_0 = a - s * b
    eps = a + (1 - s) * b
    if limit is not None:
        x_0 = np.clip(x_0, -limit, limit)
        eps = (a - (1 - s) * x_0) / s
    return torch.from_numpy(x_0), torch.from_numpy(eps)


# wrong: eps from before the cut
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0, eps = x_t - s * u, x_t + (1 - s) * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, eps


# wrong: the cut x_0 plus the old direction
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, x_0 + u


# wrong: never cut
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    return x_t - s * u, x_t + (1 - s) * u


# wrong: always cut to 1
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = (x_t - s * u).clamp(-1, 1)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: cut to 1, whatever the limit
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-1, 1)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: cut from above only
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(max=limit)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: cut to [0, limit]
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(0, limit)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: scaled into the limit
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0 * (limit / x_0.abs().amax((1, 2, 3), keepdim=True)).clamp(max=1)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: the noise is cut too
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    eps = x_t + (1 - s) * u
    if limit is not None:
        x_0, eps = x_0.clamp(-limit, limit), eps.clamp(-limit, limit)
    return x_0, eps


# wrong: the other direction
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t + s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: time runs the other way
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - (1 - s) * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, (x_t - s * x_0) / (1 - s)


# wrong: the noise first
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return (x_t - (1 - s) * x_0) / s, x_0


# wrong: no division by the share of the noise
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, x_t - (1 - s) * x_0


# wrong: the first time for the batch
def estimates(x_t, u, t, limit=None):
    s = t[0]
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, (x_t - (1 - s) * x_0) / s


# wrong: times on the axis of columns
def estimates(x_t, u, t, limit=None):
    x_0 = x_t - t * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, (x_t - (1 - t) * x_0) / t


# wrong: x_t is cut in place of x_0
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    if limit is not None:
        x_t = x_t.clamp(-limit, limit)
    return x_t - s * u, x_t + (1 - s) * u


# wrong: with a circle in mind
def estimates(x_t, u, t, limit=None):
    s = t.view(-1, 1, 1, 1)
    x_0 = x_t - s * u
    if limit is not None:
        x_0 = x_0.clamp(-limit, limit)
    return x_0, (x_t - (1 - s**2).sqrt() * x_0) / s


# exercise: latent.one_batch
# right: the label first in the batch
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    both = torch.cat([labels, torch.full_like(labels, n_classes)])
    a, b = model(x_t.repeat(2, 1, 1, 1), t.repeat(2), both).chunk(2)
    return s * a + (1 - s) * b


# right: pictures side by side in the batch
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1.0:
        return model(x_t, t, labels)
    pairs = torch.stack([torch.full_like(labels, n_classes), labels], 1).flatten()
    out = model(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), pairs)
    return torch.lerp(out[0::2], out[1::2], float(s))


# right: einsum of two weights
def guided(model, x_t, t, labels, s, n_classes):
    if not s != 1:
        return model(x_t, t, labels)
    both = torch.stack([labels * 0 + n_classes, labels])
    out = model(torch.cat([x_t, x_t]), torch.cat([t, t]), both.reshape(-1))
    weights = torch.tensor([1 - s, s], dtype=out.dtype)
    return torch.einsum("k,kb...->b...", weights, out.reshape(2, len(x_t), *out.shape[1:]))


# right: in place on the answer
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    n = len(labels)
    both = labels.new_full((2 * n,), n_classes)
    both[n:] = labels
    out = model(torch.cat((x_t, x_t), 0), torch.cat((t, t), 0), both)
    none, with_ = out[:n], out[n:]
    return none + s * (with_ - none)


# right: numpy after the call
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    both = torch.tensor([n_classes] * len(labels) + labels.tolist())
    out = model(torch.cat([x_t, x_t]), torch.cat([t, t]), both).detach().numpy()
    none, with_ = np.split(out, 2)
    return torch.from_numpy(none + np.float32(s) * (with_ - none))


# wrong: zero still means none
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.zeros_like(labels)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: the halves are still changed over
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    without, with_label = both.chunk(2)
    return without + s * (with_label - without)


# wrong: twice the size for s = 1 too
def guided(model, x_t, t, labels, s, n_classes):
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: two calls
def guided(model, x_t, t, labels, s, n_classes):
    with_label = model(x_t, t, labels)
    if s == 1:
        return with_label
    without = model(x_t, t, torch.full_like(labels, n_classes))
    return without + s * (with_label - without)


# wrong: the plain call comes first in any case
def guided(model, x_t, t, labels, s, n_classes):
    plain = model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return plain if s == 1 else without + s * (with_label - without)


# wrong: the last class means none
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes - 1)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: ten means none
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, 10)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: minus one means none
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, -1)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: plain and none for s = 1
def guided(model, x_t, t, labels, s, n_classes):
    none = torch.full_like(labels, n_classes)
    if s == 1:
        return model(x_t, t, none)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: no guidance from s = 1 down
def guided(model, x_t, t, labels, s, n_classes):
    if s <= 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: the plain call for s = 0
def guided(model, x_t, t, labels, s, n_classes):
    if s == 0:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: counted from the label
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return with_label + s * (with_label - without)


# wrong: the scale written as 1 + s
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return (1 + s) * with_label - s * without


# wrong: away from the label
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2)
    return without + s * (without - with_label)


# wrong: pictures side by side, read in halves
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    labels = torch.cat([labels, none])
    both = model(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), labels)
    with_label, without = both.chunk(2)
    return without + s * (with_label - without)


# wrong: halves of the channels
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    with_label, without = both.chunk(2, 1)
    return without + s * (with_label - without)


# wrong: time of zero for the half without label
def guided(model, x_t, t, labels, s, n_classes):
    if s == 1:
        return model(x_t, t, labels)
    none = torch.full_like(labels, n_classes)
    both = torch.cat([labels, none])
    out = model(torch.cat([x_t, x_t]), torch.cat([t, torch.zeros_like(t)]), both)
    with_label, without = out.chunk(2)
    return without + s * (with_label - without)


# exercise: latent.cost
# right: a loop over the steps
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    total = 0
    for step in range(n_steps):
        calls = 2 if order == 2 and step < n_steps - 1 else 1
        total += n_images * calls * call * (1 if s == 1 else 2)
    return int(total + n_images * decode)


# right: order times steps, less what the last saves
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = (order * n_steps - (order - 1)) << (s != 1)
    return n_images * (calls * call + decode)


# right: a table
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = {1: n_steps, 2: 2 * n_steps - 1}[order] * {True: 1, False: 2}[s == 1]
    return calls * call * n_images + decode * n_images


# right: numpy's integers
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = np.full(n_steps, order, dtype=np.int64)
    calls[-1] = 1
    doubled = np.where(s == 1, 1, 2)
    return int((calls * doubled * call).sum() * n_images + n_images * decode)


# right: one image after the other
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    one = n_steps if order == 1 else n_steps + n_steps - 1
    if s != 1:
        one += one
    return sum(one * call + decode for _ in range(n_images))


# wrong: Heun twice in the last step too
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    return n_images * (order * n_steps * call * (1 if s == 1 else 2) + decode)


# wrong: no decoder
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * calls * call * (1 if s == 1 else 2)


# wrong: the decoder once
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * calls * call * (1 if s == 1 else 2) + decode


# wrong: the decoder in each step
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (1 if s == 1 else 2) + n_steps * decode)


# wrong: guidance doubles the decoder
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call + decode) * (1 if s == 1 else 2)


# wrong: guidance above 1 only
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (2 if s > 1 else 1) + decode)


# wrong: guidance wherever s is not 0
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (2 if s else 1) + decode)


# wrong: guidance is free
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call + decode)


# wrong: s times as much
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return int(n_images * (calls * call * s + decode))


# wrong: guidance doubles the first call of a step only
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * ((calls + (n_steps if s != 1 else 0)) * call + decode)


# wrong: order is not read
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    return n_images * (n_steps * call * (1 if s == 1 else 2) + decode)


# wrong: Heun by default
def cost(n_images, n_steps, call, decode, order=2, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (1 if s == 1 else 2) + decode)


# wrong: guided by default
def cost(n_images, n_steps, call, decode, order=1, s=2.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (1 if s == 1 else 2) + decode)


# wrong: one step fewer
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = order * (n_steps - 1)
    return n_images * (calls * call * (1 if s == 1 else 2) + decode)


# wrong: one call more at the end
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps + 1 if order == 1 else 2 * n_steps
    return n_images * (calls * call * (1 if s == 1 else 2) + decode)


# wrong: one image
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return calls * call * (1 if s == 1 else 2) + decode


# wrong: the ratio to the VAE
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return n_images * (calls * call * (1 if s == 1 else 2) + decode) // (n_images * decode)


# wrong: two operations for a multiply-add
def cost(n_images, n_steps, call, decode, order=1, s=1.0):
    calls = n_steps if order == 1 else 2 * n_steps - 1
    return 2 * n_images * (calls * call * (1 if s == 1 else 2) + decode)


# exercise: latent.two_sides
# right: kthvalue, the point itself taken out
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    said, labels, real, fake = said[:n], labels[:n], real[:n], fake[:n]

    def covered(points, others):
        table = torch.cdist(others, others)
        table.fill_diagonal_(math.inf)
        radius = table.kthvalue(k, dim=1).values
        return (torch.cdist(points, others) <= radius).any(1).float().mean().item()

    return {
        "recognised": (said == labels).float().mean().item(),
        "precision": covered(fake, real),
        "recall": covered(real, fake),
    }


# right: loops
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))

    def covered(points, others):
        radius = []
        for i, a in enumerate(others):
            rest = torch.cat([others[:i], others[i + 1 :]])
            radius.append((rest - a).norm(dim=1).sort().values[k - 1])
        hits = 0
        for p in points:
            hits += any((p - o).norm() <= r for o, r in zip(others, radius, strict=True))
        return hits / len(points)

    right = sum(int(a) == int(b) for a, b in zip(said[:n], labels[:n], strict=True))
    return dict(
        recall=covered(real[:n], fake[:n]),
        precision=covered(fake[:n], real[:n]),
        recognised=right / n,
    )


# right: numpy
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    r, f = real[:n].double().numpy(), fake[:n].double().numpy()

    def table(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    def covered(points, others):
        radius = np.sort(table(others, others), axis=1)[:, k]
        return float((table(points, others) <= radius[None]).any(axis=1).mean())

    return {
        "recognised": float((said[:n] == labels[:n]).numpy().mean()),
        "precision": covered(f, r),
        "recall": covered(r, f),
    }


# right: topk and squares
def report(said, labels, real, fake, k=3):
    n = min(real.shape[0], fake.shape[0])
    real, fake = real.narrow(0, 0, n), fake.narrow(0, 0, n)

    def squares(a, b):
        return (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(2)

    def covered(points, others):
        radius = squares(others, others).topk(k + 1, largest=False).values.amax(1)
        return ((squares(points, others) - radius).amin(1) <= 0).double().mean().item()

    out = {"recognised": said[:n].eq(labels[:n]).sum().item() / n}
    out["precision"] = covered(fake, real)
    out["recall"] = covered(real, fake)
    return out


# right: both tables from one
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    between = torch.cdist(real[:n], fake[:n])

    def radius(z):
        return torch.cdist(z, z).sort(1).values[:, k]

    precision = (between <= radius(real[:n])[:, None]).any(0)
    recall = (between <= radius(fake[:n])).any(1)
    return {
        "recognised": (said[:n] == labels[:n]).double().mean().item(),
        "precision": precision.double().mean().item(),
        "recall": recall.double().mean().item(),
    }


# wrong: the point is its own first neighbour
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k - 1]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: sizes as they come
def report(said, labels, real, fake, k=3):
    recognised = (said == labels).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: recognised over all fakes
def report(said, labels, real, fake, k=3):
    recognised = (said == labels).double().mean().item()
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: precision and recall changed over
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(real, fake, k),
        "recall": covered(fake, real, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: the radius of the point that asks
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(points, points).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius[:, None]).any(1).double().mean().item()


# wrong: radii laid along the wrong axis
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius[:, None]).any(1).double().mean().item()


# wrong: within the radius of each point
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).all(1).double().mean().item()


# wrong: one mean radius
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k].mean()
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: the radius of the nearest point only
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    near = torch.cdist(points, others).min(1)
    return (near.values <= radius[near.indices]).double().mean().item()


# wrong: always three neighbours
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real),
        "recall": covered(real, fake),
    }


def covered(points, others, k=3):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: absolute differences
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others, p=1).sort(1).values[:, k]
    return (torch.cdist(points, others, p=1) <= radius).any(1).double().mean().item()


# wrong: coverage in place of recall
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    radius = torch.cdist(real, real).sort(1).values[:, k]
    inside = torch.cdist(fake, real) <= radius
    return {
        "recognised": (said[:n] == labels[:n]).double().mean().item(),
        "precision": inside.any(1).double().mean().item(),
        "recall": inside.any(0).double().mean().item(),
    }


# wrong: density in place of precision
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]

    def radius(z):
        return torch.cdist(z, z).sort(1).values[:, k]

    return {
        "recognised": (said[:n] == labels[:n]).double().mean().item(),
        "precision": (torch.cdist(fake, real) <= radius(real)).double().sum().item() / (k * n),
        "recall": (torch.cdist(real, fake) <= radius(fake)).any(1).double().mean().item(),
    }


# wrong: the last of each
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[-n:], fake[-n:]
    recognised = (said[-n:] == labels[-n:]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: only the fakes are cut
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    fake = fake[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: only the real ones are cut
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real = real[:n]
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {
        "recognised": recognised,
        "precision": covered(fake, real, k),
        "recall": covered(real, fake, k),
    }


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# wrong: the smaller of the two for both
def report(said, labels, real, fake, k=3):
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    worse = min(covered(fake, real, k), covered(real, fake, k))
    recognised = (said[:n] == labels[:n]).double().mean().item()
    return {"recognised": recognised, "precision": worse, "recall": worse}


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k]
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()


# exercise: latent.averaged
# right: swap by names, in a try
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    modes = {m: m.training for m in model.modules()}
    try:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(shadow[name])
            model.eval()
            return draw(model)
    finally:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(own[name])
        for m, mode in modes.items():
            m.training = mode


# right: a copy of the model draws
def draw_averaged(model, shadow, draw):
    other = copy.deepcopy(model)
    other.load_state_dict(shadow, strict=False)
    other.eval()
    with torch.no_grad():
        return draw(other)


# right: the data exchanged for copies
def draw_averaged(model, shadow, draw):
    params = dict(model.named_parameters())
    own = {name: p.data for name, p in params.items()}
    flags = [(m, m.training) for m in model.modules()]
    for name, p in params.items():
        p.data = shadow[name].clone()
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        for name, p in params.items():
            p.data = own[name]
        for m, flag in flags:
            m.training = flag


# right: the whole state, cloned and loaded
def draw_averaged(model, shadow, draw):
    state = copy.deepcopy(model.state_dict())
    flags = [m.training for m in model.modules()]
    try:
        model.load_state_dict({**state, **shadow})
        with torch.inference_mode():
            out = draw(model.eval())
    finally:
        model.load_state_dict(state)
        for m, flag in zip(model.modules(), flags, strict=True):
            m.training = flag
    return out


# right: a context manager
def draw_averaged(model, shadow, draw):
    from contextlib import ExitStack

    def restore(p, value):
        p.data.copy_(value)

    with ExitStack() as stack, torch.no_grad():
        for m in model.modules():
            stack.callback(setattr, m, "training", m.training)
        for name, p in model.named_parameters():
            stack.callback(restore, p, p.data.clone())
            p.data.copy_(shadow[name])
        model.eval()
        return draw(model)


# wrong: the averaged weights stay
def draw_averaged(model, shadow, draw):
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.train(was)


# wrong: nothing is restored when draw raises
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    with torch.no_grad():
        out = draw(model)
    model.load_state_dict(own, strict=False)
    model.train(was)
    return out


# wrong: restored only when draw raises
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    except Exception:
        model.load_state_dict(own, strict=False)
        model.train(was)
        raise


# wrong: the own weights are not copied
def draw_averaged(model, shadow, draw):
    own = model.state_dict()
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.load_state_dict(own)
        model.train(was)


# wrong: a dict of the parameters themselves
def draw_averaged(model, shadow, draw):
    own = dict(model.named_parameters())
    was = model.training
    try:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(shadow[name])
            return draw(model.eval())
    finally:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(own[name])
        model.train(was)


# wrong: training mode afterwards in any case
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.load_state_dict(own, strict=False)
        model.train()


# wrong: evaluation mode stays
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.load_state_dict(own, strict=False)


# wrong: no evaluation mode
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(shadow, strict=False)
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.load_state_dict(own, strict=False)


# wrong: evaluation mode with the raw weights
def draw_averaged(model, shadow, draw):
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.train(was)


# wrong: the mode is not restored when draw raises
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            out = draw(model)
    finally:
        model.load_state_dict(own, strict=False)
    model.train(was)
    return out


# wrong: by the order, not by the name
def draw_averaged(model, shadow, draw):
    own = [p.detach().clone() for p in model.parameters()]
    was = model.training
    try:
        with torch.no_grad():
            for p, q in zip(model.parameters(), shadow.values(), strict=True):
                p.copy_(q.reshape(p.shape))
            return draw(model.eval())
    finally:
        with torch.no_grad():
            for p, q in zip(model.parameters(), own, strict=True):
                p.copy_(q)
        model.train(was)


# wrong: weights exchanged with the shadow, once
def draw_averaged(model, shadow, draw):
    was = model.training
    with torch.no_grad():
        for name, p in model.named_parameters():
            own = p.clone()
            p.copy_(shadow[name])
            shadow[name].copy_(own)
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.train(was)


# wrong: the model keeps the shadow's tensors
def draw_averaged(model, shadow, draw):
    was = model.training
    for name, p in model.named_parameters():
        p.data = shadow[name]
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        model.train(was)


# wrong: the own weights restored into the shadow's tensors
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    for name, p in model.named_parameters():
        p.data = shadow[name]
    model.eval()
    try:
        with torch.no_grad():
            return draw(model)
    finally:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(own[name])
        model.train(was)


# wrong: half averaged, half raw
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    try:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.lerp_(shadow[name], 0.5)
            return draw(model.eval())
    finally:
        model.load_state_dict(own, strict=False)
        model.train(was)


# wrong: the model in place of the draw
def draw_averaged(model, shadow, draw):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    was = model.training
    model.load_state_dict(shadow, strict=False)
    model.eval()
    try:
        with torch.no_grad():
            draw(model)
        return model
    finally:
        model.load_state_dict(own, strict=False)
        model.train(was)


# exercise: latent.vary
# right: counted from the end
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-(k + 1) :]
    return torch.lerp(x_0, noise, float(rest[0])), rest


# right: an index and a narrow
def start(x_0, noise, times, strength):
    n = times.shape[0] - 1
    k = int(np.clip(np.round(strength * n), 1, n))
    rest = times.narrow(0, n - k, k + 1)
    return x_0 + rest[0] * (noise - x_0), rest


# right: flipped twice
def start(x_0, noise, times, strength):
    k = round(strength * (len(times) - 1)) or 1
    rest = times.flip(0)[: k + 1].flip(0)
    t = rest[0].item()
    return noise * t + x_0 * (1 - t), rest


# right: numpy inside, a list of times
def start(x_0, noise, times, strength):
    n = len(times) - 1
    k = max(round(strength * n), 1)
    rest = torch.tensor([times[i].item() for i in range(n - k, n + 1)])
    x_t = (1 - rest[0].item()) * x_0.numpy() + rest[0].item() * noise.numpy()
    return torch.from_numpy(x_t), rest


# right: einsum
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[len(times) - 1 - k :].clone()
    weights = torch.stack([1 - rest[0], rest[0]])
    return torch.einsum("k,k...->...", weights, torch.stack([x_0, noise])), rest


# wrong: the level is the strength
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    return (1 - strength) * x_0 + strength * noise, times[-k - 1 :]


# wrong: still the front of the grid
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[: k + 1]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: k times
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k:]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: one step more
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 2 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: cut at k from the front
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[k:]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: strength of what is kept
def start(x_0, noise, times, strength):
    k = max(1, round((1 - strength) * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: rounded down
def start(x_0, noise, times, strength):
    k = max(1, int(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: rounded up
def start(x_0, noise, times, strength):
    k = max(1, math.ceil(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: no step at all is possible
def start(x_0, noise, times, strength):
    k = round(strength * (len(times) - 1))
    rest = times[len(times) - 1 - k :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: a share of the n + 1 times
def start(x_0, noise, times, strength):
    k = min(len(times) - 1, max(1, round(strength * len(times))))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: the level one step further down
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[1]) * x_0 + rest[1] * noise, rest


# wrong: picture and noise changed over
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return rest[0] * x_0 + (1 - rest[0]) * noise, rest


# wrong: noise is added to the whole picture
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return x_0 + rest[0] * noise, rest


# wrong: a circle
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0] ** 2).sqrt() * x_0 + rest[0] * noise, rest


# wrong: noise of its own
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * torch.randn_like(noise), rest


# wrong: times that rise
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[-k - 1 :]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest.flip(0)


# wrong: an even grid of its own
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = torch.linspace(k / (len(times) - 1), 0, k + 1)
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# wrong: the times below the strength
def start(x_0, noise, times, strength):
    rest = times[times <= max(strength, float(times[-2]))]
    return (1 - rest[0]) * x_0 + rest[0] * noise, rest


# exercise: latent.paint_over
# right: a mask of numbers
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, x_t.new_full((x_t.shape[0],), t))
    m = mask.to(x_t.dtype)
    x_s = (1 - s) * x_0 + s / t * (x_t - (1 - t) * x_0)
    return m * ((1 - s) * known + s * noise) + (1 - m) * x_s


# right: in place on a copy
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, t * torch.ones(len(x_t)))
    out = (x_t - x_0) * (s / t) + x_0
    where = mask.expand_as(out)
    out = out.clone()
    out[where] = torch.lerp(known, noise, s)[where]
    return out


# right: along the direction
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.tensor([t] * len(x_t)))
    u = (x_t - x_0) / t
    return torch.where(mask, known + s * (noise - known), x_t + (s - t) * u)


# right: numpy's where
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t)).numpy()
    eps = (x_t.numpy() - (1 - t) * x_0) / t
    back = (1 - s) * known.numpy() + s * noise.numpy()
    out = np.where(mask.numpy(), back, (1 - s) * x_0 + s * eps)
    return torch.from_numpy(out.astype(np.float32))


# right: where the mask is not
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    pair = torch.stack([(1 - s) * known + s * noise, (1 - s) * x_0 + s * eps])
    weights = torch.stack([mask, ~mask]).to(pair.dtype)[:, :, 0]
    return torch.einsum("kbchw,kbhw->bchw", pair, weights)


# wrong: the mask the other way round
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, x_s, (1 - s) * known + s * noise)


# wrong: known noised to t
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - t) * known + t * noise, x_s)


# wrong: known with the estimated noise
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    return (1 - s) * torch.where(mask, known, x_0) + s * eps


# wrong: the given noise in the new part too
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    return (1 - s) * torch.where(mask, known, x_0) + s * noise


# wrong: noise of its own
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - s) * known + s * torch.randn_like(known), x_s)


# wrong: noise on top of the known pixels
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, known + s * noise, x_s)


# wrong: known and noise changed over
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, s * known + (1 - s) * noise, x_s)


# wrong: the denoiser is told s
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), s))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - s) * known + s * noise, x_s)


# wrong: one time for the batch
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.tensor(t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - s) * known + s * noise, x_s)


# wrong: the known part is put in before the step
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_t = torch.where(mask, (1 - t) * known + t * noise, x_t)
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    return (1 - s) * x_0 + s * eps


# wrong: put in before and after the step
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_t = torch.where(mask, (1 - t) * known + t * noise, x_t)
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - s) * known + s * noise, x_s)


# wrong: no step
def paint_over(denoise, x_t, t, s, known, mask, noise):
    return torch.where(mask, (1 - s) * known + s * noise, x_t)


# wrong: the clean estimate in the new part
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    return torch.where(mask, (1 - s) * known + s * noise, x_0)


# wrong: eps without the division
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = x_t - (1 - t) * x_0
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, (1 - s) * known + s * noise, x_s)


# wrong: eps is the plain difference
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    x_s = (1 - s) * x_0 + s * (x_t - x_0)
    return torch.where(mask, (1 - s) * known + s * noise, x_s)


# wrong: the step of a circle
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = math.sqrt(1 - s**2) * x_0 + s * eps
    return torch.where(mask, math.sqrt(1 - s**2) * known + s * noise, x_s)


# wrong: the first picture's mask
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask[:1], (1 - s) * known + s * noise, x_s)


# exercise: latent.back_up
# right: the root as a product of two sides
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + max(0.0, (t - a * s) * (t + a * s)) ** 0.5 * noise


# right: numpy's hypotenuse turned round
def back_up(x_s, s, t, noise):
    scale = np.divide(1 - t, 1 - s)
    left = np.square(t) - np.square(scale * s)
    return float(scale) * x_s + float(np.sqrt(np.maximum(left, 0))) * noise


# right: in tensors of float64
def back_up(x_s, s, t, noise):
    s, t = torch.tensor(s, dtype=torch.float64), torch.tensor(t, dtype=torch.float64)
    a = (1 - t) / (1 - s)
    b = (t.square() - (a * s).square()).clamp(min=0).sqrt()
    return (a * x_s.double() + b * noise.double()).to(x_s.dtype)


# right: everything over 1 - s
def back_up(x_s, s, t, noise):
    add = (t * (1 - s)) ** 2 - (s * (1 - t)) ** 2
    return ((1 - t) * x_s + math.sqrt(max(add, 0.0)) * noise) / (1 - s)


# right: by the ratios of noise to signal
def back_up(x_s, s, t, noise):
    if t == 1:
        return noise.clone()
    old, new = s / (1 - s), t / (1 - t)
    return (1 - t) * (x_s / (1 - s) + math.sqrt(max(new**2 - old**2, 0.0)) * noise)


# wrong: the difference of the levels
def back_up(x_s, s, t, noise):
    return (1 - t) / (1 - s) * x_s + (t - s) * noise


# wrong: noise levels subtracted, not variances
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + (t - a * s) * noise


# wrong: the noise already there is not scaled
def back_up(x_s, s, t, noise):
    return (1 - t) / (1 - s) * x_s + math.sqrt(t**2 - s**2) * noise


# wrong: no scale
def back_up(x_s, s, t, noise):
    return x_s + math.sqrt(t**2 - s**2) * noise


# wrong: x_s is taken for a clean picture
def back_up(x_s, s, t, noise):
    return (1 - t) * x_s + t * noise


# wrong: all the noise of t on top
def back_up(x_s, s, t, noise):
    return (1 - t) / (1 - s) * x_s + t * noise


# wrong: as in a process that keeps the variance
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + math.sqrt(1 - a**2) * noise


# wrong: the roots of that process
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return math.sqrt(a) * x_s + math.sqrt(1 - a) * noise


# wrong: the variance in place of its root
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + (t**2 - (a * s) ** 2) * noise


# wrong: the scale upside down
def back_up(x_s, s, t, noise):
    a = (1 - s) / (1 - t) if t < 1 else 0.0
    return a * x_s + math.sqrt(abs(t**2 - (a * s) ** 2)) * noise


# wrong: scaled by the noise levels
def back_up(x_s, s, t, noise):
    a = t / s if s else 1.0
    return a * x_s + math.sqrt(abs(t**2 - (a * s) ** 2)) * noise


# wrong: the sum of the variances
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + math.sqrt(t**2 + (a * s) ** 2) * noise


# wrong: the scale not squared
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + math.sqrt(t**2 - a * s**2) * noise


# wrong: no squares
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + math.sqrt(t - a * s) * noise


# wrong: noise of its own
def back_up(x_s, s, t, noise):
    a = (1 - t) / (1 - s)
    return a * x_s + math.sqrt(max(0.0, t**2 - (a * s) ** 2)) * torch.randn_like(x_s)


# wrong: only the scale
def back_up(x_s, s, t, noise):
    return (1 - t) / (1 - s) * x_s


# wrong: mixed with the share of the way
def back_up(x_s, s, t, noise):
    w = (t - s) / (1 - s)
    return (1 - w) * x_s + w * noise


# wrong: the scale of 1 - (t - s)
def back_up(x_s, s, t, noise):
    a = 1 - (t - s)
    return a * x_s + math.sqrt(max(0.0, t**2 - (a * s) ** 2)) * noise


# exercise: latent.arc
# right: a loop over the pairs in float64
def blend(a, b, w):
    out = []
    for p, q in zip(a.double(), b.double(), strict=True):
        cos = (p * q).sum() / (p.norm() * q.norm())
        f = torch.acos(cos.clamp(-1, 1))
        if f < 1e-4:
            out.append((1 - w) * p + w * q)
        else:
            out.append((torch.sin((1 - w) * f) * p + torch.sin(w * f) * q) / torch.sin(f))
    return torch.stack(out).to(a.dtype)


# right: einsum and where
def blend(a, b, w):
    dot = torch.einsum("nchw,nchw->n", a, b)
    size = torch.einsum("nchw,nchw->n", a, a).sqrt() * torch.einsum("nchw,nchw->n", b, b).sqrt()
    f = torch.arccos(torch.clamp(dot / size, -1.0, 1.0)).view(-1, 1, 1, 1)
    near = f.sin() < 1e-3
    bottom = torch.where(near, torch.ones_like(f), f.sin())
    left = torch.where(near, torch.full_like(f, 1 - w), ((1 - w) * f).sin() / bottom)
    right = torch.where(near, torch.full_like(f, w), (w * f).sin() / bottom)
    return left * a + right * b


# right: the angle by atan2
def blend(a, b, w):
    p, q = F.normalize(a.flatten(1).double(), dim=1), F.normalize(b.flatten(1).double(), dim=1)
    f = 2 * torch.atan2((p - q).norm(dim=1), (p + q).norm(dim=1))

    def part(share):
        ratio = torch.sin(share * f) / torch.sin(f)
        return torch.where(f < 1e-6, torch.full_like(f, share), ratio)

    left, right = part(1 - w)[:, None, None, None], part(w)[:, None, None, None]
    return (left * a + right * b).to(a.dtype)


# right: numpy's sinc
def blend(a, b, w):
    p, q = a.double().flatten(1).numpy(), b.double().flatten(1).numpy()
    cos = (p * q).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(q, axis=1)
    f = np.arccos(np.clip(cos, -1, 1)) / np.pi
    left = (1 - w) * np.sinc((1 - w) * f) / np.sinc(f)
    right = w * np.sinc(w * f) / np.sinc(f)
    out = torch.from_numpy(left[:, None] * p + right[:, None] * q)
    return out.to(a.dtype).reshape(a.shape)


# right: cosine similarity
def blend(a, b, w):
    cos = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1)
    f = cos.acos()[:, None, None, None]
    arc = (torch.sin(f - w * f) * a + torch.sin(w * f) * b) / torch.sin(f)
    return torch.where(f > 1e-3, arc, torch.lerp(a, b, w))


# wrong: equal inputs divide zero by zero
def blend(a, b, w):
    p, q = a.flatten(1).double(), b.flatten(1).double()
    f = ((p * q).sum(1) / (p.norm(dim=1) * q.norm(dim=1))).clamp(-1, 1).acos()
    f = torch.where(f < 1e-4, torch.zeros_like(f), f).view(-1, 1, 1, 1)
    return (((1 - w) * f).sin() / f.sin() * a + (w * f).sin() / f.sin() * b).to(a.dtype)


# wrong: zeros for equal inputs
def blend(a, b, w):
    cos = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1)
    f = cos.acos().view(-1, 1, 1, 1)
    f = torch.where(f < 1e-3, torch.zeros_like(f), f)
    return (((1 - w) * f).sin() / f.sin() * a + (w * f).sin() / f.sin() * b).nan_to_num()


# wrong: an angle for each place
def blend(a, b, w):
    f = F.cosine_similarity(a, b, dim=1).clamp(-1, 1).acos()[:, None]
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: an angle for each channel
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(2), b.flatten(2), dim=2).clamp(-1, 1).acos()
    f = f[:, :, None, None]
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: one angle for the batch
def blend(a, b, w):
    f = ((a * b).sum() / (a.norm() * b.norm())).clamp(-1, 1).acos()
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: the mean of the angles
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos().mean()
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: a right angle in any case
def blend(a, b, w):
    out = math.cos(w * math.pi / 2) * a + math.sin(w * math.pi / 2) * b
    same = (a == b).flatten(1).all(1)[:, None, None, None]
    return torch.where(same, a, out)


# wrong: a line with the variance kept
def blend(a, b, w):
    out = ((1 - w) * a + w * b) / math.sqrt((1 - w) ** 2 + w**2)
    same = (a == b).flatten(1).all(1)[:, None, None, None]
    return torch.where(same, a, out)


# wrong: a line stretched to the mean length
def blend(a, b, w):
    out = (1 - w) * a + w * b
    length = (1 - w) * a.flatten(1).norm(dim=1) + w * b.flatten(1).norm(dim=1)
    return out * (length / out.flatten(1).norm(dim=1))[:, None, None, None]


# wrong: from b to a
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos()[:, None, None, None]
    arc = ((w * f).sin() * a + ((1 - w) * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, w * a + (1 - w) * b)


# wrong: no division by the sine
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos()[:, None, None, None]
    arc = ((1 - w) * f).sin() * a + (w * f).sin() * b
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: divided by the angle
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos()[:, None, None, None]
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: the cosine is taken for the angle
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1))[:, None, None, None]
    same = (a == b).flatten(1).all(1)[:, None, None, None]
    return torch.where(same, a, (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin())


# wrong: the product is not divided by the lengths
def blend(a, b, w):
    f = (a * b).flatten(1).sum(1).clamp(-1, 1).acos()[:, None, None, None]
    same = (a == b).flatten(1).all(1)[:, None, None, None]
    return torch.where(same, a, (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin())


# wrong: the product is a mean
def blend(a, b, w):
    f = (a * b).flatten(1).mean(1).clamp(-1, 1).acos()[:, None, None, None]
    same = (a == b).flatten(1).all(1)[:, None, None, None]
    return torch.where(same, a, (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin())


# wrong: the shorter of two arcs
def blend(a, b, w):
    cos = F.cosine_similarity(a.flatten(1), b.flatten(1)).abs().clamp(max=1)
    f = cos.acos()[:, None, None, None]
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(f > 1e-3, arc, (1 - w) * a + w * b)


# wrong: a line for the batch as soon as one pair is equal
def blend(a, b, w):
    f = F.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos()[:, None, None, None]
    if (f < 1e-3).any():
        return (1 - w) * a + w * b
    return (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()


# wrong: a line for all that is alike
def blend(a, b, w):
    cos = F.cosine_similarity(a.flatten(1), b.flatten(1))[:, None, None, None]
    f = cos.clamp(-1, 1).acos()
    arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
    return torch.where(cos < 0.5, arc, (1 - w) * a + w * b)


# wrong: both brought to length 1
def blend(a, b, w):
    p = a / a.flatten(1).norm(dim=1)[:, None, None, None]
    q = b / b.flatten(1).norm(dim=1)[:, None, None, None]
    f = (p * q).flatten(1).sum(1).clamp(-1, 1).acos()[:, None, None, None]
    arc = (((1 - w) * f).sin() * p + (w * f).sin() * q) / f.sin()
    return torch.where(f > 1e-3, arc, a)
