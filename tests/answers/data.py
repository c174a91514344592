"Answers to the exercises of data, right ones in unusual forms and wrong ones."

import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F


# exercise: data.to_uint8
# right: numpy, rint and clip
def to_uint8(x):
    counts = np.rint((x.detach().numpy().astype(np.float64) + 1) * 127.5)
    return torch.from_numpy(np.asarray(np.clip(counts, 0, 255)).astype(np.uint8))


# right: half added, then the floor
def to_uint8(x):
    return ((x.double() + 1) / 2 * 255 + 0.5).floor().clamp(min=0, max=255).type(torch.uint8)


# right: hardtanh first
def to_uint8(x):
    return F.hardtanh(x).mul(127.5).add(127.5).round().byte()


# right: nearest of 256 levels
def to_uint8(x):
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    return (x.double().unsqueeze(-1) - levels).abs().argmin(-1).to(torch.uint8)


# right: a Python loop
def to_uint8(x):
    out = [min(255, max(0, round((v + 1) * 127.5))) for v in x.flatten().tolist()]
    return torch.tensor(out, dtype=torch.uint8).reshape(x.shape)


# right: minimum and maximum in place on a copy
def to_uint8(x):
    y = x.clone()
    y[y > 1] = 1
    y[y < -1] = -1
    y += 1
    y *= 255 / 2
    return y.round_().to(torch.uint8)


# wrong: no clamp
def to_uint8(x):
    return ((x + 1) * 127.5).round().to(torch.uint8)


# wrong: truncated
def to_uint8(x):
    return ((x.clamp(-1, 1) + 1) * 127.5).to(torch.uint8)


# wrong: 127 per unit
def to_uint8(x):
    return ((x.clamp(-1, 1) + 1) * 127).round().to(torch.uint8)


# wrong: 128 per unit, then clamped
def to_uint8(x):
    return (x * 128 + 128).round().clamp(0, 255).to(torch.uint8)


# wrong: taken for [0, 1]
def to_uint8(x):
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


# wrong: clamped after the cast
def to_uint8(x):
    return ((x + 1) * 127.5).round().to(torch.uint8).clamp(0, 255)


# wrong: int64
def to_uint8(x):
    return ((x.clamp(-1, 1) + 1) * 127.5).round().long()


# wrong: still float
def to_uint8(x):
    return ((x.clamp(-1, 1) + 1) * 127.5).round()


# wrong: stretched to the ends
def to_uint8(x):
    return ((x - x.min()) / (x.max() - x.min()) * 255).round().to(torch.uint8)


# wrong: divided by the largest
def to_uint8(x):
    x = x / x.abs().max().clamp(min=1)
    return ((x + 1) * 127.5).round().to(torch.uint8)


# wrong: rounded up
def to_uint8(x):
    return ((x.clamp(-1, 1) + 1) * 127.5).ceil().to(torch.uint8)


# wrong: 256 equal bins
def to_uint8(x):
    return ((x + 1) / 2 * 256).floor().clamp(0, 255).to(torch.uint8)


# wrong: tanh in place of a clamp
def to_uint8(x):
    return ((x.tanh() + 1) * 127.5).round().to(torch.uint8)


# wrong: only the upper end is clamped
def to_uint8(x):
    return ((x + 1) * 127.5).round().clamp(max=255).to(torch.uint8)


# wrong: only the lower end is clamped
def to_uint8(x):
    return ((x + 1) * 127.5).round().clamp(min=0).to(torch.uint8)


# wrong: what lies outside becomes black
def to_uint8(x):
    x = torch.where(x.abs() > 1, -torch.ones_like(x), x)
    return ((x + 1) * 127.5).round().to(torch.uint8)


# wrong: int8
def to_uint8(x):
    return (x.clamp(-1, 1) * 127).round().to(torch.int8)


# wrong: flattened
def to_uint8(x):
    return ((x.flatten().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


# wrong: channels last
def to_uint8(x):
    y = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return y.movedim(-3, -1) if y.ndim > 2 else y


# exercise: data.from_camera
# right: einsum
def from_camera(photos):
    return torch.einsum("bhwc->bchw", photos.float()) / 127.5 - 1


# right: numpy
def from_camera(photos):
    a = photos.numpy().transpose(0, 3, 1, 2).astype(np.float32)
    return torch.from_numpy(a / 255 * 2 - 1)


# right: float64 inside
def from_camera(photos):
    return ((photos.double() - 127.5) / 127.5).movedim(3, 1).float()


# right: channel by channel
def from_camera(photos):
    planes = [photos[..., i].to(torch.float32) for i in range(photos.shape[-1])]
    return torch.stack(planes, dim=1).mul_(2 / 255).sub_(1)


# right: two swaps
def from_camera(photos):
    return photos.swapaxes(2, 3).swapaxes(1, 2).float().sub(127.5).div(127.5).contiguous()


# right: a table of 256 floats
def from_camera(photos):
    table = torch.linspace(-1, 1, 256)
    return table[photos.long()].permute(0, 3, 1, 2)


# right: reshaped to a matrix and transposed
def from_camera(photos):
    b, h, w, c = photos.shape
    return photos.view(b, h * w, c).mT.reshape(b, c, h, w).float() / 255 * 2 - 1


# wrong: viewed in place of permuted
def from_camera(photos):
    b, h, w, c = photos.shape
    return photos.float().view(b, c, h, w) / 127.5 - 1


# wrong: sides exchanged
def from_camera(photos):
    return photos.float().transpose(1, 3) / 127.5 - 1


# wrong: in [0, 1]
def from_camera(photos):
    return photos.permute(0, 3, 1, 2).float() / 255


# wrong: divided by 128
def from_camera(photos):
    return photos.permute(0, 3, 1, 2).float() / 128 - 1


# wrong: divided by 256
def from_camera(photos):
    return photos.permute(0, 3, 1, 2).float() / 256 * 2 - 1


# wrong: doubled as uint8
def from_camera(photos):
    return (photos * 2 - 255).permute(0, 3, 1, 2).float() / 255


# wrong: shifted as uint8
def from_camera(photos):
    return ((photos - 128) / 127.5).permute(0, 3, 1, 2).float()


# wrong: float64
def from_camera(photos):
    return photos.permute(0, 3, 1, 2).double() / 127.5 - 1


# wrong: half precision
def from_camera(photos):
    return (photos.permute(0, 3, 1, 2).float() / 127.5 - 1).half()


# wrong: by the largest of the batch
def from_camera(photos):
    x = photos.permute(0, 3, 1, 2).float()
    return x / x.max() * 2 - 1


# wrong: each photo stretched to both ends
def from_camera(photos):
    x = photos.permute(0, 3, 1, 2).float()
    lo, hi = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return (x - lo) / (hi - lo) * 2 - 1


# wrong: standardised per channel
def from_camera(photos):
    x = photos.permute(0, 3, 1, 2).float() / 255
    return (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)


# wrong: channels left last
def from_camera(photos):
    return photos.float() / 127.5 - 1


# wrong: blue first
def from_camera(photos):
    return photos.flip(-1).permute(0, 3, 1, 2).float() / 127.5 - 1


# wrong: only the first three channels
def from_camera(photos):
    return photos[..., :3].permute(0, 3, 1, 2).float() / 127.5 - 1


# wrong: one photo
def from_camera(photos):
    return photos[0].permute(2, 0, 1).float() / 127.5 - 1


# wrong: grey
def from_camera(photos):
    return photos.float().mean(-1)[:, None] / 127.5 - 1


# wrong: whole division
def from_camera(photos):
    return (photos.permute(0, 3, 1, 2) // 255).float() * 2 - 1


# wrong: negated
def from_camera(photos):
    return 1 - photos.permute(0, 3, 1, 2).float() / 127.5


# exercise: data.entropy
# right: a Counter
def entropy(values):
    counts = Counter(values.flatten().tolist())
    n = sum(counts.values())
    return -sum(c / n * math.log2(c / n) for c in counts.values())


# right: numpy
def entropy(values):
    _, c = np.unique(values.numpy(), return_counts=True)
    return np.log2(c.sum()) - (c * np.log2(c)).sum() / c.sum()


# right: bincount from the smallest
def entropy(values):
    v = values.flatten().long()
    p = torch.bincount(v - v.min()).double() / v.numel()
    return torch.special.entr(p).sum() / math.log(2)


# right: torch.distributions
def entropy(values):
    counts = values.unique(return_counts=True)[1].double()
    return torch.distributions.Categorical(probs=counts).entropy() / math.log(2)


# right: mean surprise of the elements
def entropy(values):
    v = values.reshape(-1)
    share = (v[:, None] == v[None]).double().mean(1)
    return -share.log2().mean()


# right: runs of the sorted elements
def entropy(values):
    v = values.flatten().sort().values.tolist()
    bits, start = 0.0, 0
    for i in range(1, len(v) + 1):
        if i == len(v) or v[i] != v[start]:
            p = (i - start) / len(v)
            bits -= p * math.log(p, 2)
            start = i
    return bits


# wrong: nats
def entropy(values):
    p = values.unique(return_counts=True)[1] / values.numel()
    return -(p * p.log()).sum()


# wrong: all values equally likely
def entropy(values):
    return math.log2(values.unique().numel())


# wrong: bits of the range
def entropy(values):
    return math.log2(values.max().item() - values.min().item() + 1)


# wrong: bits of the whole table
def entropy(values):
    c = values.unique(return_counts=True)[1].double()
    return -(c * (c / c.sum()).log2()).sum()


# wrong: sign
def entropy(values):
    p = values.unique(return_counts=True)[1] / values.numel()
    return (p * p.log2()).sum()


# wrong: mean over the values that occur
def entropy(values):
    p = values.unique(return_counts=True)[1] / values.numel()
    return -(p * p.log2()).mean()


# wrong: surprise not weighted
def entropy(values):
    p = values.unique(return_counts=True)[1] / values.numel()
    return -p.log2().mean()


# wrong: absolute values counted
def entropy(values):
    p = torch.bincount(values.flatten().abs()).double() / values.numel()
    p = p[p > 0]
    return -(p * p.log2()).sum()


# wrong: negative values left out
def entropy(values):
    v = values.flatten()
    c = torch.bincount(v[v >= 0]).double()
    p = c[c > 0] / c.sum()
    return -(p * p.log2()).sum()


# wrong: bincount of negative numbers
def entropy(values):
    c = torch.bincount(values.flatten()).double()
    p = c[c > 0] / c.sum()
    return -(p * p.log2()).sum()


# wrong: empty bins give NaN
def entropy(values):
    v = values.flatten()
    p = torch.bincount(v - v.min()).double() / v.numel()
    return -(p * p.log2()).sum()


# wrong: a large epsilon inside the logarithm
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return -(p * (p + 1e-2).log2()).sum()


# wrong: whole rows counted
def entropy(values):
    p = values.unique(dim=0, return_counts=True)[1].double() / len(values)
    return -(p * p.log2()).sum()


# wrong: divided by the number of rows
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / len(values)
    return -(p * p.log2()).sum()


# wrong: mean of the rows' entropies
def entropy(values):
    out = []
    for row in values.reshape(len(values), -1):
        p = row.unique(return_counts=True)[1].double() / row.numel()
        out.append(-(p * p.log2()).sum())
    return torch.stack(out).mean()


# wrong: rounded up to whole bits
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return torch.ceil(-(p * p.log2()).sum())


# wrong: softmax of the counts
def entropy(values):
    p = values.unique(return_counts=True)[1].double().softmax(0)
    return -(p * p.log2()).sum()


# wrong: the values as weights
def entropy(values):
    p = values.flatten().double().softmax(0)
    return -(p * p.log2()).sum()


# wrong: differences of neighbours
def entropy(values):
    v = values.flatten().diff()
    p = v.unique(return_counts=True)[1].double() / v.numel()
    return -(p * p.log2()).sum()


# wrong: 256 bins from 0
def entropy(values):
    c = torch.histc(values.float(), 256, 0, 255).double()
    p = c[c > 0] / c.sum()
    return -(p * p.log2()).sum()


# wrong: wrapped to uint8
def entropy(values):
    c = torch.bincount(values.flatten().to(torch.uint8).long(), minlength=256).double()
    p = c[c > 0] / c.sum()
    return -(p * p.log2()).sum()


# wrong: Gini
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return 1 - p.square().sum()


# wrong: collision entropy
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return -p.square().sum().log2()


# wrong: bits of the most common
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return -p.max().log2()


# wrong: perplexity
def entropy(values):
    p = values.unique(return_counts=True)[1].double() / values.numel()
    return 2 ** -(p * p.log2()).sum()


# exercise: data.one_vocabulary
def checked(text, n_text, image, n_image):
    if ((text < 0) | (text >= n_text)).any() or ((image < 0) | (image >= n_image)).any():
        raise ValueError("out of range")


# right: numpy
def join(text, n_text, image, n_image):
    t, i = text.numpy().astype(np.int64), image.numpy().astype(np.int64)
    if (t < 0).any() or (t >= n_text).any() or (i < 0).any() or (i >= n_image).any():
        raise ValueError("an id outside its range")
    return torch.from_numpy(np.concatenate([t, i.reshape(len(i), -1) + n_text], axis=1))


# right: filled into zeros
def join(text, n_text, image, n_image):
    for ids, n in ((text, n_text), (image, n_image)):
        if bool(((ids < 0) | (ids >= n)).any()):
            raise ValueError(f"ids lie in [0, {n})")
    b, n = text.shape
    out = torch.zeros(b, n + image[0].numel(), dtype=torch.int64)
    out[:, :n] = text
    out[:, n:] = image.flatten(1)
    out[:, n:] += n_text
    return out


# right: Python lists
def join(text, n_text, image, n_image):
    out = []
    for words, rows in zip(text.tolist(), image.tolist(), strict=True):
        codes = [c for row in rows for c in row]
        if not all(0 <= w < n_text for w in words) or not all(0 <= c < n_image for c in codes):
            raise ValueError("out of range")
        out.append(words + [c + n_text for c in codes])
    return torch.tensor(out, dtype=torch.long)


# right: a padded offset added at the end
def join(text, n_text, image, n_image):
    both = torch.hstack([text.long(), image.long().flatten(1)])
    n = text.shape[1]
    is_code = torch.arange(both.shape[1]) >= n
    limit = torch.where(is_code, n_image, n_text)
    if torch.any(both.lt(0) | both.ge(limit)):
        raise ValueError("no such id")
    return both + is_code * n_text


# right: row by row of the image
def join(text, n_text, image, n_image):
    if any(i < 0 or i >= n_text for i in text.flatten().tolist()):
        raise ValueError("text")
    if any(i < 0 or i >= n_image for i in image.flatten().tolist()):
        raise ValueError("image")
    parts = [text.to(torch.int64)]
    for r in range(image.shape[1]):
        parts.append(image[:, r].to(torch.int64) + n_text)
    return torch.cat(parts, dim=-1)


# wrong: no offset
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1)], 1).long()


# wrong: image first
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([image.flatten(1) + n_text, text], 1).long()


# wrong: the text is moved
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text + n_image, image.flatten(1)], 1).long()


# wrong: offset by the number of codes
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + n_image], 1).long()


# wrong: offset by the last text id
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + n_text - 1], 1).long()


# wrong: offset by the largest id of this batch
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + text.max() + 1], 1).long()


# wrong: offset by the length of the text
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + text.shape[1]], 1).long()


# wrong: column by column
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.mT.flatten(1) + n_text], 1).long()


# wrong: nothing is checked
def join(text, n_text, image, n_image):
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: only the text is checked
def join(text, n_text, image, n_image):
    if ((text < 0) | (text >= n_text)).any():
        raise ValueError("text")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: only the image is checked
def join(text, n_text, image, n_image):
    if ((image < 0) | (image >= n_image)).any():
        raise ValueError("image")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: negative ids pass
def join(text, n_text, image, n_image):
    if (text >= n_text).any() or (image >= n_image).any():
        raise ValueError("too large")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: negative codes pass
def join(text, n_text, image, n_image):
    if (text < 0).any() or (text >= n_text).any() or (image >= n_image).any():
        raise ValueError("out of range")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: the bounds themselves pass
def join(text, n_text, image, n_image):
    if (text < 0).any() or (text > n_text).any() or (image < 0).any() or (image > n_image).any():
        raise ValueError("out of range")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: the joined ids are checked
def join(text, n_text, image, n_image):
    out = torch.cat([text, image.flatten(1) + n_text], 1).long()
    if (out < 0).any() or (out >= n_text + n_image).any():
        raise ValueError("out of range")
    return out


# wrong: only where all are out of range
def join(text, n_text, image, n_image):
    if ((text < 0) | (text >= n_text)).all() or ((image < 0) | (image >= n_image)).all():
        raise ValueError("out of range")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: an assertion
def join(text, n_text, image, n_image):
    assert text.min() >= 0 and text.max() < n_text
    assert image.min() >= 0 and image.max() < n_image
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: an IndexError
def join(text, n_text, image, n_image):
    if ((text < 0) | (text >= n_text)).any() or ((image < 0) | (image >= n_image)).any():
        raise IndexError("out of range")
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: clamped
def join(text, n_text, image, n_image):
    text, image = text.clamp(0, n_text - 1), image.clamp(0, n_image - 1)
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# wrong: int32
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + n_text], 1).int()


# wrong: one line for the batch
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text.flatten(), image.flatten() + n_text]).long()


# wrong: joined before the batch is split
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    flat = torch.cat([text.flatten(), image.flatten() + n_text]).long()
    return flat.view(len(text), -1)


# wrong: an id between them stays free
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    return torch.cat([text, image.flatten(1) + n_text + 1], 1).long()


# wrong: rows of the image numbered on
def join(text, n_text, image, n_image):
    checked(text, n_text, image, n_image)
    step = torch.arange(image.shape[1])[:, None] * n_image
    return torch.cat([text, (image + step).flatten(1) + n_text], 1).long()


# wrong: both checked against the sum
def join(text, n_text, image, n_image):
    n = n_text + n_image
    checked(text, n, image, n)
    return torch.cat([text, image.flatten(1) + n_text], 1).long()


# exercise: data.batch_axis
# right: an axis in front
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or images.shape[1] * images.shape[2] != weight.shape[0]:
        raise ValueError(f"{tuple(images.shape)} does not fit {tuple(weight.shape)}")
    return torch.einsum("bp,pd->bd", images.flatten(1), weight)


# right: the matched cases
def encode(images, weight):
    match images.shape:
        case (h, w):
            b = 1
        case (b, h, w):
            pass
        case _:
            raise ValueError("one image or a batch")
    if h * w != len(weight):
        raise ValueError("weight is for another size")
    return images.reshape(b, h * w).mm(weight)


# right: the error of the product turned
def encode(images, weight):
    if images.ndim not in (2, 3):
        raise ValueError("axes")
    flat = images.reshape(1, -1) if images.ndim == 2 else images.reshape(len(images), -1)
    try:
        return flat @ weight
    except RuntimeError as e:
        raise ValueError("images do not fit the weight") from e


# right: weight as a stack of images
def encode(images, weight):
    if images.dim() < 2 or images.dim() > 3:
        raise ValueError("axes")
    *_, h, w = images.shape
    if h * w != weight.size(0):
        raise ValueError("size")
    return torch.tensordot(images.view(-1, h, w), weight.view(h, w, -1), dims=2)


# right: numpy, one image after the other
def encode(images, weight):
    a, m = images.numpy(), weight.numpy()
    if a.ndim == 2:
        a = a[np.newaxis]
    if a.ndim != 3 or a[0].size != m.shape[0]:
        raise ValueError("shape")
    return torch.from_numpy(np.stack([one.ravel() @ m for one in a]))


# right: calls itself
def encode(images, weight):
    if images.ndim == 2:
        return encode(images.unsqueeze(0), weight)
    if images.ndim != 3 or images.shape[1:].numel() != weight.shape[0]:
        raise ValueError("shape")
    return F.linear(images.flatten(1), weight.T)


# wrong: any number of axes above one
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    images = images.flatten(1)
    if images.shape[1] != len(weight):
        raise ValueError("fit")
    return images @ weight


# wrong: everything is cut into rows of the weight
def encode(images, weight):
    return images.reshape(-1, weight.shape[0]) @ weight


# wrong: cut into rows, checked by division
def encode(images, weight):
    if images.ndim not in (2, 3) or images.numel() % weight.shape[0]:
        raise ValueError("fit")
    return images.reshape(-1, weight.shape[0]) @ weight


# wrong: one image gives one axis
def encode(images, weight):
    if images.ndim not in (2, 3):
        raise ValueError("axes")
    flat = images.flatten(-2)
    if flat.shape[-1] != len(weight):
        raise ValueError("fit")
    return flat @ weight


# wrong: a batch of one is squeezed
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or images[0].numel() != len(weight):
        raise ValueError("fit")
    return (images.flatten(1) @ weight).squeeze(0)


# wrong: a misfit is a RuntimeError
def encode(images, weight):
    if images.ndim not in (2, 3):
        raise ValueError("axes")
    if images.ndim == 2:
        images = images[None]
    return images.flatten(1) @ weight


# wrong: one image is refused
def encode(images, weight):
    if images.ndim != 3 or images[0].numel() != len(weight):
        raise ValueError("a batch is needed")
    return images.flatten(1) @ weight


# wrong: asserts
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    assert images.ndim == 3
    assert images.shape[1] * images.shape[2] == weight.shape[0]
    return images.flatten(1) @ weight


# wrong: only the columns are compared
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or weight.shape[0] % images.shape[2]:
        raise ValueError("fit")
    return images.flatten(1) @ weight


# wrong: one image is taken for a batch of rows
def encode(images, weight):
    if images.ndim not in (2, 3):
        raise ValueError("axes")
    images = images.flatten(1)
    if images.shape[1] != len(weight):
        raise ValueError("fit")
    return images @ weight


# wrong: a batch axis at the end
def encode(images, weight):
    if images.ndim == 2:
        images = images.unsqueeze(-1)
    if images.ndim != 3:
        raise ValueError("axes")
    flat = images.flatten(1)
    if flat.shape[1] != len(weight):
        raise ValueError("fit")
    return flat @ weight


# wrong: pixels column by column
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or images[0].numel() != len(weight):
        raise ValueError("fit")
    return images.mT.flatten(1) @ weight


# wrong: a vector of pixels is accepted
def encode(images, weight):
    if images.ndim < 3:
        images = images.reshape(1, -1)
    if images.ndim != 3 and images.ndim != 2:
        raise ValueError("axes")
    images = images.flatten(1)
    if images.shape[1] != len(weight):
        raise ValueError("fit")
    return images @ weight


# wrong: a weight with rows of one image row is let through
def encode(images, weight):
    if images.ndim == 2 and images.shape[1] != len(weight):
        images = images[None]
    if images.ndim == 3:
        images = images.flatten(1)
    if images.ndim != 2 or images.shape[1] != len(weight):
        raise ValueError("fit")
    return images @ weight


# wrong: cut to what fits
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3:
        raise ValueError("axes")
    flat = images.flatten(1)
    n = min(flat.shape[1], len(weight))
    return flat[:, :n] @ weight[:n]


# wrong: flattened batches are accepted
def encode(images, weight):
    if images.ndim == 2 and images.numel() == len(weight):
        images = images.reshape(1, -1)
    elif images.ndim == 3:
        images = images.flatten(1)
    if images.ndim != 2 or images.shape[1] != len(weight):
        raise ValueError("fit")
    return images @ weight


# wrong: a channel axis is squeezed
def encode(images, weight):
    images = images.squeeze()
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or images[0].numel() != len(weight):
        raise ValueError("fit")
    return images.flatten(1) @ weight


# wrong: a TypeError
def encode(images, weight):
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or images[0].numel() != len(weight):
        raise TypeError("fit")
    return images.flatten(1) @ weight


# exercise: data.pairs
# right: split
def batches(images, labels, size):
    for x, y in zip(images.split(size), labels.split(size), strict=True):
        yield x.float(), y


# right: while
def batches(images, labels, size):
    at = 0
    while at < len(images):
        yield images[at : at + size].to(torch.float32), labels[at : at + size]
        at += size


# right: a DataLoader
def batches(images, labels, size):
    pairs = torch.utils.data.TensorDataset(images.float(), labels)
    yield from ((x, y) for x, y in torch.utils.data.DataLoader(pairs, batch_size=size))


# right: collected one by one
def batches(images, labels, size):
    xs, ys = [], []
    for x, y in zip(images, labels, strict=True):
        xs.append(x.float())
        ys.append(y)
        if len(xs) == size:
            yield torch.stack(xs), torch.stack(ys)
            xs, ys = [], []
    if xs:
        yield torch.stack(xs), torch.stack(ys)


# right: an iterator is returned
def batches(images, labels, size):
    starts = range(0, images.shape[0], size)
    return ((images[i : i + size].float(), labels[i : i + size]) for i in starts)


# right: lists of indices
def batches(images, labels, size):
    for k in range(math.ceil(len(images) / size)):
        rows = [i for i in range(k * size, (k + 1) * size) if i < len(labels)]
        yield images[rows].float(), labels[rows]


# wrong: pair by pair
def batches(images, labels, size):
    for x, y in zip(images, labels):
        yield x.float(), y


# wrong: the last short batch is dropped
def batches(images, labels, size):
    for k in range(len(images) // size):
        yield images[k * size : (k + 1) * size].float(), labels[k * size : (k + 1) * size]


# wrong: an empty batch at the end
def batches(images, labels, size):
    for k in range(len(images) // size + 1):
        yield images[k * size : (k + 1) * size].float(), labels[k * size : (k + 1) * size]


# wrong: shuffled
def batches(images, labels, size):
    order = torch.randperm(len(images))
    for i in range(0, len(images), size):
        rows = order[i : i + size]
        yield images[rows].float(), labels[rows]


# wrong: images shuffled without their labels
def batches(images, labels, size):
    order = torch.randperm(len(images))
    for i in range(0, len(images), size):
        yield images[order[i : i + size]].float(), labels[i : i + size]


# wrong: all labels each time
def batches(images, labels, size):
    for x in images.split(size):
        yield x.float(), labels


# wrong: chunks for sizes
def batches(images, labels, size):
    for x, y in zip(images.chunk(size), labels.chunk(size)):
        yield x.float(), y


# wrong: one too many
def batches(images, labels, size):
    for i in range(0, len(images), size):
        yield images[i : i + size + 1].float(), labels[i : i + size + 1]


# wrong: windows that overlap
def batches(images, labels, size):
    for i in range(len(images) - size + 1):
        yield images[i : i + size].float(), labels[i : i + size]


# wrong: the last batch is filled up from the end
def batches(images, labels, size):
    for i in range(0, len(images), size):
        j = max(0, min(i, len(images) - size))
        yield images[j : j + size].float(), labels[j : j + size]


# wrong: the last batch is filled up from the start
def batches(images, labels, size):
    for i in range(0, len(images), size):
        rows = torch.arange(i, i + size) % len(images)
        yield images[rows].float(), labels[rows]


# wrong: only the first batch
def batches(images, labels, size):
    for i in range(0, len(images), size):
        return iter([(images[i : i + size].float(), labels[i : i + size])])


# wrong: by stride
def batches(images, labels, size):
    n = math.ceil(len(images) / size)
    for i in range(n):
        yield images[i::n].float(), labels[i::n]


# wrong: equal parts
def batches(images, labels, size):
    n = math.ceil(len(images) / size)
    for x, y in zip(images.tensor_split(n), labels.tensor_split(n)):
        yield x.float(), y


# wrong: the first label of each batch
def batches(images, labels, size):
    for i in range(0, len(images), size):
        yield images[i : i + size].float(), labels[i]


# wrong: labels by batch number
def batches(images, labels, size):
    for k, x in enumerate(images.split(size)):
        yield x.float(), labels[k : k + len(x)]


# wrong: exchanged
def batches(images, labels, size):
    for i in range(0, len(images), size):
        yield labels[i : i + size], images[i : i + size].float()


# wrong: flattened
def batches(images, labels, size):
    for i in range(0, len(images), size):
        yield images[i : i + size].flatten(1).float(), labels[i : i + size]


# wrong: starts at the second batch
def batches(images, labels, size):
    for i in range(size, len(images), size):
        yield images[i : i + size].float(), labels[i : i + size]


# wrong: two images in a batch
def batches(images, labels, size):
    for i in range(0, len(images), 2):
        yield images[i : i + 2].float(), labels[i : i + 2]


# wrong: the number of columns for the number of images
def batches(images, labels, size):
    for i in range(0, images.shape[1], size):
        yield images[i : i + size].float(), labels[i : i + size]


# exercise: data.offline
# right: fetched before the file is opened
def load(path, fetch, download=False):
    path = Path(path)
    if path.exists():
        return path.read_bytes()
    if not download:
        raise FileNotFoundError(f"{path} is missing; call load with download=True")
    data = fetch()
    path.write_bytes(data)
    return data


# right: os, and a second file that is renamed
def load(path, fetch, download=False):
    if not os.path.isfile(path):
        if not download:
            raise FileNotFoundError("missing: pass download=True to fetch it")
        part = str(path) + ".part"
        content = fetch()
        with open(part, "wb") as f:
            f.write(content)
        os.replace(part, path)
    with open(path, "rb") as f:
        return f.read()


# right: the attempt to read comes first
def load(path, fetch, download=False):
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        if not download:
            raise FileNotFoundError(f"no {path}, use download=True") from None
    Path(path).write_bytes(fetch())
    return Path(path).read_bytes()


# right: the file is removed after a failure
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists() and not download:
        raise FileNotFoundError("download=True would fetch it")
    if not path.exists():
        try:
            with open(path, "wb") as f:
                f.write(fetch())
        except BaseException:
            path.unlink()
            raise
    return path.read_bytes()


# right: the folder is made
def load(path, fetch, download=False):
    path = Path(path)
    missing = not path.is_file()
    if missing and download:
        content = bytes(fetch())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    elif missing:
        raise FileNotFoundError(2, "missing, see download=True", str(path))
    return path.read_bytes()


# wrong: fetched whenever download is true
def load(path, fetch, download=False):
    path = Path(path)
    if download:
        path.write_bytes(fetch())
    if not path.exists():
        raise FileNotFoundError("use download=True")
    return path.read_bytes()


# wrong: fetched whenever the file is missing
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: the text does not say how
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError(path)
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: the text names the argument only
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("set download to True")
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: another exception
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise ValueError("use download=True")
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: the parent class of the exception
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise OSError("use download=True")
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: a failed fetch leaves an empty file
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        with open(path, "wb") as f:
            f.write(fetch())
    return path.read_bytes()


# wrong: touched first
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        path.touch()
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: removed after a ConnectionError only
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        try:
            with open(path, "wb") as f:
                f.write(fetch())
        except ConnectionError:
            path.unlink()
            raise
    return path.read_bytes()


# wrong: or for and
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists() or download:
        if not download:
            raise FileNotFoundError("use download=True")
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: fetched before anything is asked
def load(path, fetch, download=False):
    path = Path(path)
    content = fetch()
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        path.write_bytes(content)
    return path.read_bytes()


# wrong: download inverted
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if download:
            raise FileNotFoundError("use download=True")
        path.write_bytes(fetch())
    return path.read_bytes()


# wrong: nothing is kept
def load(path, fetch, download=False):
    path = Path(path)
    if path.exists():
        return path.read_bytes()
    if not download:
        raise FileNotFoundError("use download=True")
    return fetch()


# wrong: nothing is returned after a download
def load(path, fetch, download=False):
    path = Path(path)
    if path.exists():
        return path.read_bytes()
    if not download:
        raise FileNotFoundError("use download=True")
    path.write_bytes(fetch())


# wrong: an empty file counts as missing
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists() or path.stat().st_size == 0:
        if not download:
            raise FileNotFoundError("use download=True")
        content = fetch()
        path.write_bytes(content)
    return path.read_bytes()


# wrong: download is true without being said
def load(path, fetch, download=True):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        content = fetch()
        path.write_bytes(content)
    return path.read_bytes()


# wrong: text for bytes
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        content = fetch()
        path.write_bytes(content)
    return path.read_text(errors="replace")


# wrong: the path
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        content = fetch()
        path.write_bytes(content)
    return path


# wrong: a refusal leaves an empty file
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            path.write_bytes(b"")
            raise FileNotFoundError("use download=True")
        content = fetch()
        path.write_bytes(content)
    return path.read_bytes()


# wrong: the file that was there is removed
def load(path, fetch, download=False):
    path = Path(path)
    if not path.exists():
        if not download:
            raise FileNotFoundError("use download=True")
        path.write_bytes(fetch())
    try:
        return path.read_bytes()
    finally:
        path.unlink()


# exercise: data.split_by_voice
# right: sets
def split_by_voice(voices, test_voices):
    if not set(test_voices) <= set(voices):
        raise ValueError("unknown voice")
    test = {i for i, v in enumerate(voices) if v in set(test_voices)}
    return sorted(set(range(len(voices))) - test), sorted(test)


# right: numpy
def split_by_voice(voices, test_voices):
    a = np.array(list(voices))
    for name in test_voices:
        if not (a == name).any():
            raise ValueError(name)
    mask = np.isin(a, list(test_voices))
    return np.flatnonzero(~mask).tolist(), np.flatnonzero(mask).tolist()


# right: positions per voice
def split_by_voice(voices, test_voices):
    where = {}
    for i, v in enumerate(voices):
        where.setdefault(v, []).append(i)
    test = []
    for v in dict.fromkeys(test_voices):
        if v not in where:
            raise ValueError(f"nobody is called {v}")
        test += where.pop(v)
    return sorted(i for part in where.values() for i in part), sorted(test)


# right: one pass into two lists
def split_by_voice(voices, test_voices):
    wanted, seen = set(test_voices), set()
    parts = ([], [])
    for i, v in enumerate(voices):
        parts[v in wanted].append(i)
        seen.add(v)
    if wanted - seen:
        raise ValueError(sorted(wanted - seen))
    return parts


# right: torch nonzero
def split_by_voice(voices, test_voices):
    names = sorted(set(voices))
    unknown = [v for v in test_voices if v not in names]
    if unknown:
        raise ValueError(unknown)
    ids = torch.tensor([names.index(v) for v in voices])
    keep = torch.zeros(len(names), dtype=torch.bool)
    keep[[names.index(v) for v in test_voices]] = True
    mask = keep[ids]
    return (~mask).nonzero()[:, 0].tolist(), mask.nonzero()[:, 0].tolist()


# wrong: exchanged
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    test = [i for i, v in enumerate(voices) if v in test_voices]
    return test, [i for i, v in enumerate(voices) if v not in test_voices]


# wrong: names
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    return [v for v in voices if v not in test_voices], [v for v in voices if v in test_voices]


# wrong: unknown names are passed over
def split_by_voice(voices, test_voices):
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    return train, [i for i, v in enumerate(voices) if v in test_voices]


# wrong: refused only if no name is known
def split_by_voice(voices, test_voices):
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    test = [i for i, v in enumerate(voices) if v in test_voices]
    if not test:
        raise ValueError
    return train, test


# wrong: an empty test is refused
def split_by_voice(voices, test_voices):
    if not test_voices or set(test_voices) - set(voices):
        raise ValueError
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    return train, [i for i, v in enumerate(voices) if v in test_voices]


# wrong: a train set without voices is refused
def split_by_voice(voices, test_voices):
    if set(test_voices) >= set(voices):
        raise ValueError
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    return train, [i for i, v in enumerate(voices) if v in test_voices]


# wrong: KeyError
def split_by_voice(voices, test_voices):
    where = {v: [i for i, w in enumerate(voices) if w == v] for v in voices}
    test = sorted(i for v in test_voices for i in where[v])
    return [i for i in range(len(voices)) if i not in test], test


# wrong: assertion
def split_by_voice(voices, test_voices):
    assert set(test_voices) <= set(voices)
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    return train, [i for i, v in enumerate(voices) if v in test_voices]


# wrong: one recording of each test voice
def split_by_voice(voices, test_voices):
    test = sorted(list(voices).index(v) for v in test_voices)
    return [i for i in range(len(voices)) if i not in test], test


# wrong: test positions in the order of the names
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    test = [i for name in test_voices for i, v in enumerate(voices) if v == name]
    return [i for i in range(len(voices)) if i not in test], test


# wrong: train positions grouped by voice
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    order = sorted(range(len(voices)), key=lambda i: voices[i])
    train = [i for i in order if voices[i] not in test_voices]
    return train, [i for i in range(len(voices)) if voices[i] in test_voices]


# wrong: parts of names count
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    test = [i for i, v in enumerate(voices) if any(name in v for name in test_voices)]
    return [i for i in range(len(voices)) if i not in test], test


# wrong: parts of the joined names count
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    joined = " ".join(test_voices)
    test = [i for i, v in enumerate(voices) if v in joined]
    return [i for i in range(len(voices)) if i not in test], test


# wrong: upper and lower case are one
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    names = {v.lower() for v in test_voices}
    test = [i for i, v in enumerate(voices) if v.lower() in names]
    return [i for i in range(len(voices)) if i not in test], test


# wrong: counted from one
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    train = [i for i, v in enumerate(voices, 1) if v not in test_voices]
    return train, [i for i, v in enumerate(voices, 1) if v in test_voices]


# wrong: train keeps everything
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    return list(range(len(voices))), [i for i, v in enumerate(voices) if v in test_voices]


# wrong: the last recordings
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    n = sum(v in test_voices for v in voices)
    return list(range(len(voices) - n)), list(range(len(voices) - n, len(voices)))


# wrong: half of each voice
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    train, test, seen = [], [], set()
    for i, v in enumerate(voices):
        if v in test_voices and v in seen:
            test.append(i)
        else:
            train.append(i)
        seen.add(v)
    return train, test


# wrong: masks
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    test = [v in test_voices for v in voices]
    return [not t for t in test], test


# wrong: only the first test voice
def split_by_voice(voices, test_voices):
    if set(test_voices) - set(voices):
        raise ValueError
    name = list(test_voices)[0] if test_voices else None
    return (
        [i for i, v in enumerate(voices) if v != name],
        [i for i, v in enumerate(voices) if v == name],
    )


# wrong: compared by the number of names
def split_by_voice(voices, test_voices):
    if set(voices) != set(test_voices) and len(set(voices)) <= len(set(test_voices)):
        raise ValueError
    train = [i for i, v in enumerate(voices) if v not in test_voices]
    return train, [i for i, v in enumerate(voices) if v in test_voices]


# exercise: data.fuse
# right: einsum
def fuse(readings, sigma):
    precision = sigma.double() ** -2
    w = precision / precision.sum()
    return torch.einsum("k,kn->n", w, readings.double()).to(readings.dtype), 1 / precision.sum()


# right: numpy
def fuse(readings, sigma):
    p = 1 / np.square(sigma.numpy())
    estimate = np.average(readings.numpy(), axis=0, weights=p)
    return torch.from_numpy(estimate.astype(readings.numpy().dtype)), float(1 / p.sum())


# right: one sensor after the other
def fuse(readings, sigma):
    estimate, variance = readings[0].clone(), float(sigma[0]) ** 2
    for r, s in zip(readings[1:], sigma[1:].tolist(), strict=True):
        gain = variance / (variance + s * s)
        estimate += gain * (r - estimate)
        variance *= 1 - gain
    return estimate, variance


# right: softmax of minus twice the logarithm
def fuse(readings, sigma):
    w = F.softmax(-2 * sigma.log(), dim=0)
    return w @ readings, (w**2 * sigma**2).sum()


# right: least squares
def fuse(readings, sigma):
    a = (1 / sigma)[:, None].double()
    x = torch.linalg.lstsq(a, readings.double() / sigma[:, None].double()).solution[0]
    return x.to(readings.dtype), torch.linalg.inv(a.T @ a).item()


# right: weights by products of the other variances
def fuse(readings, sigma):
    v = sigma**2
    w = torch.stack([torch.cat([v[:i], v[i + 1 :]]).prod() for i in range(len(v))])
    return (w[:, None] * readings).sum(0) / w.sum(), (v.prod() / w.sum()).item()


# wrong: the mean
def fuse(readings, sigma):
    return readings.mean(0), sigma.square().sum() / len(sigma) ** 2


# wrong: by the reciprocal of sigma
def fuse(readings, sigma):
    w = 1 / sigma
    w = w / w.sum()
    return w @ readings, (w**2 * sigma**2).sum()


# wrong: by the reciprocal of sigma, variance of the best
def fuse(readings, sigma):
    w = 1 / sigma
    return w @ readings / w.sum(), 1 / (1 / sigma**2).sum()


# wrong: by the variance
def fuse(readings, sigma):
    w = sigma**2 / (sigma**2).sum()
    return w @ readings, (w**2 * sigma**2).sum()


# wrong: by sigma
def fuse(readings, sigma):
    w = sigma / sigma.sum()
    return w @ readings, 1 / (1 / sigma**2).sum()


# wrong: the standard deviation
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), (1 / p.sum()).sqrt()


# wrong: the precision
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), p.sum()


# wrong: variances added
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), (sigma**2).sum()


# wrong: mean variance
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), (sigma**2).mean()


# wrong: weighted variance, weights not squared
def fuse(readings, sigma):
    w = sigma**-2 / (sigma**-2).sum()
    return w @ readings, (w * sigma**2).sum()


# wrong: mean variance over k
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), (sigma**2).mean() / len(sigma)


# wrong: harmonic mean, times k too large
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / p.sum(), len(p) / p.sum()


# wrong: the spread of the readings
def fuse(readings, sigma):
    p = sigma**-2
    estimate = p @ readings / p.sum()
    return estimate, (readings - estimate).square().mean()


# wrong: spread of the estimate over n
def fuse(readings, sigma):
    p = sigma**-2
    estimate = p @ readings / p.sum()
    return estimate, estimate.var()


# wrong: the best sensor alone
def fuse(readings, sigma):
    i = sigma.argmin()
    return readings[i], sigma[i] ** 2


# wrong: the median
def fuse(readings, sigma):
    return readings.median(0).values, 1 / (sigma**-2).sum()


# wrong: weights not normalised
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings, 1 / p.sum()


# wrong: two sensors only
def fuse(readings, sigma):
    a, b = sigma[0] ** 2, sigma[1] ** 2
    return (b * readings[0] + a * readings[1]) / (a + b), a * b / (a + b)


# wrong: softmax of minus the variance
def fuse(readings, sigma):
    w = (-(sigma**2)).softmax(0)
    return w @ readings, (w**2 * sigma**2).sum()


# wrong: a variance for each of the n
def fuse(readings, sigma):
    p = sigma**-2
    estimate = p @ readings / p.sum()
    return estimate, (1 / p.sum()).expand_as(estimate)


# wrong: shrunk to zero by a prior
def fuse(readings, sigma):
    p = sigma**-2
    return p @ readings / (1 + p.sum()), 1 / (1 + p.sum())


# wrong: the axis of sensors is kept
def fuse(readings, sigma):
    p = sigma**-2
    return (p[:, None] * readings).sum(0, keepdim=True) / p.sum(), 1 / p.sum()


# wrong: a sum over all
def fuse(readings, sigma):
    p = sigma**-2
    return (p[:, None] * readings).sum() / p.sum(), 1 / p.sum()


# wrong: sigma taken for the variance
def fuse(readings, sigma):
    p = 1 / sigma
    return p @ readings / p.sum(), 1 / p.sum()
