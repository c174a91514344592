"Answers to the exercises of training, right ones in unusual forms and wrong ones."

import copy
import math
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: training.trainable
# right: a Sequential
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))

    def forward(self, x):
        return self.net(x)


# right: derived from Sequential
class Net(nn.Sequential):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))


# right: parameters and einsum
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.a = nn.Parameter(torch.randn(n_hidden, n_in) / math.sqrt(n_in))
        self.b = nn.Parameter(torch.randn(n_hidden))
        self.c = nn.Parameter(torch.randn(n_out, n_hidden) / math.sqrt(n_hidden))
        self.d = nn.Parameter(torch.randn(n_out))

    def forward(self, x):
        h = torch.einsum("hi,bi->bh", self.a, x) + self.b
        return torch.einsum("oh,bh->bo", self.c, h.clamp(min=0)) + self.d


# right: a ModuleList
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        sizes = [n_in, n_hidden, n_out]
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])])

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else torch.relu(x))
        return x


# right: a ModuleDict, maximum with 0
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.parts = nn.ModuleDict(
            {"first": nn.Linear(n_in, n_hidden), "second": nn.Linear(n_hidden, n_out)}
        )

    def forward(self, x):
        h = self.parts["first"](x)
        return self.parts["second"](h * (h > 0))


# right: no biases
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first = nn.Linear(n_in, n_hidden, bias=False)
        self.second = nn.Linear(n_hidden, n_out, bias=False)

    def forward(self, x):
        return self.second(F.relu(self.first(x)))


# wrong: a plain list
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.layers = [nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)]

    def forward(self, x):
        return self.layers[1](self.layers[0](x).relu())


# wrong: a plain dict
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.parts = {"a": nn.Linear(n_in, n_hidden), "b": nn.Linear(n_hidden, n_out)}

    def forward(self, x):
        return self.parts["b"](self.parts["a"](x).relu())


# wrong: no ReLU
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x))


# wrong: ReLU at the end
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x)).relu()


# wrong: a second ReLU at the end
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x).relu()).relu()


# wrong: ReLU in front
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x.relu()))


# wrong: tanh
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x).tanh())


# wrong: GELU
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(F.gelu(self.first(x)))


# wrong: leaky
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(F.leaky_relu(self.first(x), 0.2))


# wrong: absolute value
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x).abs())


# wrong: softmax at the end
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x).relu()).softmax(-1)


# wrong: sigmoid at the end
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.second(self.first(x).relu()).sigmoid()


# wrong: three layers
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_out),
        )

    def forward(self, x):
        return self.net(x)


# wrong: one layer
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first = nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.first(x).relu()


# wrong: dropout between
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(n_hidden, n_out)
        )

    def forward(self, x):
        return self.net(x)


# wrong: a seed before layers made in forward
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.sizes = n_in, n_hidden, n_out

    def forward(self, x):
        n_in, n_hidden, n_out = self.sizes
        torch.manual_seed(0)
        return nn.Linear(n_hidden, n_out)(nn.Linear(n_in, n_hidden)(x).relu())


# wrong: stored anew at each call
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.sizes = n_in, n_hidden, n_out
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        n_in, n_hidden, n_out = self.sizes
        self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)
        return self.second(self.first(x).relu())


# wrong: made at the first call
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.sizes, self.net = (n_in, n_hidden, n_out), None

    def forward(self, x):
        if self.net is None:
            i, h, o = self.sizes
            self.net = nn.Sequential(nn.Linear(i, h), nn.ReLU(), nn.Linear(h, o))
        return self.net(x)


# wrong: only the first is kept
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.sizes = nn.Linear(n_in, n_hidden), (n_hidden, n_out)

    def forward(self, x):
        return nn.Linear(*self.sizes)(self.first(x).relu())


# wrong: the second is hidden in a list
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first, self.rest = nn.Linear(n_in, n_hidden), [nn.Linear(n_hidden, n_out)]

    def forward(self, x):
        return self.rest[0](self.first(x).relu())


# wrong: frozen
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))
        self.requires_grad_(False)

    def forward(self, x):
        return self.net(x)


# wrong: without a graph
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))

    @torch.no_grad()
    def forward(self, x):
        return self.net(x)


# wrong: a hidden layer of 64
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, n_out))

    def forward(self, x):
        return self.net(x)


# wrong: a hidden layer as wide as the input
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, n_in), nn.ReLU(), nn.Linear(n_in, n_out))

    def forward(self, x):
        return self.net(x)


# wrong: batch norm between
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, n_hidden),
            nn.BatchNorm1d(n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, n_out),
        )

    def forward(self, x):
        return self.net(x)


# exercise: training.clip
# right: float64 and cat
def clip(grads, limit):
    flat = torch.cat([g.flatten().double() for g in grads])
    if not flat.isfinite().all():
        raise ValueError("not finite")
    length = flat.norm().item()
    factor = limit / length if length > limit else 1.0
    return [g * factor for g in grads], length


# right: norm of norms in numpy
def clip(grads, limit):
    arrays = [g.detach().numpy().astype(np.float64) for g in grads]
    if any(not np.isfinite(a).all() for a in arrays):
        raise ValueError("NaN or infinite")
    length = float(np.hypot.reduce([np.linalg.norm(a.ravel()) for a in arrays]))
    scale = 1.0 if length <= limit else limit / length
    return [torch.from_numpy(a * scale).to(g.dtype) for a, g in zip(arrays, grads)], length


# right: in place on copies
def clip(grads, limit):
    total = 0.0
    for g in grads:
        if bool(torch.isnan(g).any()) or bool(torch.isinf(g).any()):
            raise ValueError("a number is no number")
        total += torch.einsum("i,i->", g.reshape(-1).double(), g.reshape(-1).double()).item()
    length, new = math.sqrt(total), [g.clone() for g in grads]
    if length > limit:
        for g in new:
            g.mul_(limit / length)
    return new, length


# right: plain numbers
def clip(grads, limit):
    numbers = [v for g in grads for v in g.flatten().tolist()]
    if not all(map(math.isfinite, numbers)):
        raise ValueError
    length = math.hypot(*numbers)
    factor = min(1.0, limit / max(length, 1e-300))
    return [torch.mul(g, factor) for g in grads], length


# right: divided by the larger of 1 and the ratio
def clip(grads, limit):
    length = torch.stack([torch.linalg.vector_norm(g.double()) for g in grads]).norm()
    if not torch.isfinite(length):
        raise ValueError("norm is not finite")
    return [g / max(1.0, length.item() / limit) for g in grads], float(length)


# wrong: each tensor by itself
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(g.norm().item(), 1e-12)) for g in grads], length


# wrong: each number by itself
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g.clamp(-limit, limit) for g in grads], length


# wrong: always the length of the limit
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * limit / max(length, 1e-12) for g in grads], length


# wrong: lengths added
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = sum(g.double().norm().item() for g in grads)
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: the longest tensor
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = max(g.double().norm().item() for g in grads)
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: largest number
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = max(g.abs().max().item() for g in grads)
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: absolute values added
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = sum(g.double().abs().sum().item() for g in grads)
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: root of the mean square
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = torch.cat([g.flatten() for g in grads]).square().mean().sqrt().item()
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: the squared length
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = sum(g.double().square().sum().item() for g in grads)
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: the length after
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], min(length, limit)


# wrong: the factor
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    factor = min(1.0, limit / max(length, 1e-12))
    return [g * factor for g in grads], factor


# wrong: a tensor for the float
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = torch.cat([g.flatten() for g in grads]).norm()
    return [g * min(1.0, limit / max(length.item(), 1e-12)) for g in grads], length


# wrong: in the caller's tensors
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    for g in grads:
        g.mul_(min(1.0, limit / max(length, 1e-12)))
    return grads, length


# wrong: short ones are the caller's tensors
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    if length <= limit:
        return grads, length
    return [g * limit / length for g in grads], length


# wrong: a new list of the caller's tensors
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * (limit / length) if length > limit else g for g in grads], length


# wrong: the caller's list gets the new tensors
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    for i, g in enumerate(grads):
        grads[i] = g * min(1.0, limit / max(length, 1e-12))
    return grads, length


# wrong: torch's own function on parameters
def clip(grads, limit):
    ps = [nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(ps, grads):
        p.grad = g
    length = nn.utils.clip_grad_norm_(ps, limit, error_if_nonfinite=True)
    return [p.grad for p in ps], length.item()


# wrong: nothing is refused
def clip(grads, limit):
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: only NaN is refused
def clip(grads, limit):
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    if math.isnan(length):
        raise ValueError
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: only infinity is refused
def clip(grads, limit):
    if any(g.isinf().any() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: only positive infinity is refused
def clip(grads, limit):
    if any((g.isnan() | (g == float("inf"))).any() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: only the first tensor is looked at
def clip(grads, limit):
    if not grads[0].isfinite().all():
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: NaN becomes 0
def clip(grads, limit):
    grads = [g.nan_to_num(0, 0, 0) for g in grads]
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: an assertion
def clip(grads, limit):
    assert all(g.isfinite().all() for g in grads)
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: a RuntimeError
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise RuntimeError("not finite")
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * min(1.0, limit / max(length, 1e-12)) for g in grads], length


# wrong: zeros become NaN
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = torch.cat([g.flatten() for g in grads]).norm()
    return [torch.minimum(g, g / length * limit) for g in grads], length.item()


# wrong: limit of one
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g / max(length, 1.0) for g in grads], length


# wrong: dropped where too long
def clip(grads, limit):
    if not all(g.isfinite().all() for g in grads):
        raise ValueError
    length = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    return [g * (length <= limit) for g in grads], length


# wrong: one long vector
def clip(grads, limit):
    flat = torch.cat([g.flatten() for g in grads])
    if not flat.isfinite().all():
        raise ValueError
    length = flat.double().norm().item()
    return [flat * min(1.0, limit / max(length, 1e-12))], length


# exercise: training.loop
# right: zero, backward, step
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=lr)
    losses = []
    for x in batches:
        optimizer.zero_grad()
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# right: steps by hand
def train(encoder, decoder, batches, lr):
    params = list(encoder.parameters()) + list(decoder.parameters())
    losses = []
    for x in batches:
        loss = (decoder(encoder(x)) - x).square().mean()
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads, strict=True):
                p -= lr * g
        losses.append(float(loss))
    return losses


# right: two optimizers
def train(encoder, decoder, batches, lr):
    a, b = (torch.optim.SGD(m.parameters(), lr=lr) for m in (encoder, decoder))

    def step(x):
        for o in (a, b):
            o.zero_grad(set_to_none=False)
        loss = nn.MSELoss()(decoder(encoder(x)), x)
        loss.backward()
        b.step()
        a.step()
        return loss.detach().item()

    return [step(x) for x in batches]


# right: one module over both
def train(encoder, decoder, batches, lr):
    both = nn.Sequential(encoder, decoder)
    optimizer, losses = torch.optim.SGD(both.parameters(), lr), []
    for x in batches:
        both.zero_grad()
        gap = both(x) - x
        loss = (gap * gap).sum() / gap.numel()
        loss.backward()
        losses.append(loss.tolist())
        optimizer.step()
    return losses


# right: a closure
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([{"params": m.parameters()} for m in (encoder, decoder)], lr=lr)
    losses = []
    for x in batches:

        def closure(x=x):
            optimizer.zero_grad()
            loss = F.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
    return losses


# wrong: only the loss is returned from the step
def train(encoder, decoder, batches, lr):
    optimizer, losses = torch.optim.SGD(decoder.parameters(), lr), []

    def step(x):
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        return loss

    for x in batches:
        losses.append(step(x))
    return losses


# wrong: the encoder stands still
def train(encoder, decoder, batches, lr):
    optimizer, losses = torch.optim.SGD(decoder.parameters(), lr), []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the decoder stands still
def train(encoder, decoder, batches, lr):
    optimizer, losses = torch.optim.SGD(encoder.parameters(), lr), []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: gradients are cleared before the step
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: gradients are never cleared
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: cleared once
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    optimizer.zero_grad()
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: only the decoder's gradients are cleared
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        decoder.zero_grad()
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: tensors
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


# wrong: the loss after the step
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(F.mse_loss(decoder(encoder(x)), x).item())
    return losses


# wrong: the step comes before backward
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses


# wrong: Adam
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: momentum
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr, momentum=0.9)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: weight decay
def train(encoder, decoder, batches, lr):
    params = [*encoder.parameters(), *decoder.parameters()]
    optimizer, losses = torch.optim.SGD(params, lr, weight_decay=0.01), []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: a rate of its own
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: sum of squares
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: sum over features, mean over the batch
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = (decoder(encoder(x)) - x).square().flatten(1).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: absolute error
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.l1_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the code is detached
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x).detach()), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: mean of the losses
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


# wrong: only the last loss
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [loss.item()]


# wrong: only the first batch
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        return losses


# wrong: one step for all batches
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = [F.mse_loss(decoder(encoder(x)), x) for x in batches]
    optimizer.zero_grad()
    sum(losses).backward()
    optimizer.step()
    return [loss.item() for loss in losses]


# wrong: lr for the encoder only
def train(encoder, decoder, batches, lr):
    a = torch.optim.SGD(encoder.parameters(), lr)
    b = torch.optim.SGD(decoder.parameters())
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        a.zero_grad()
        b.zero_grad()
        loss.backward()
        a.step()
        b.step()
        losses.append(loss.item())
    return losses


# wrong: copies are trained
def train(encoder, decoder, batches, lr):
    encoder, decoder = copy.deepcopy(encoder), copy.deepcopy(decoder)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses = []
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# wrong: the sum so far
def train(encoder, decoder, batches, lr):
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
    losses, total = [], 0.0
    for x in batches:
        loss = F.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        losses.append(total)
    return losses


# exercise: training.two_losses
# right: features detached
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# right: one sum, one optimizer
def train_both(body, head, probe, x, y, u, lr):
    params = [p for m in (body, head, probe) for p in m.parameters()]
    optimizer = torch.optim.SGD(params, lr=lr)
    h = body(x)
    a = (head(h) - y).square().mean()
    b = (probe(h.clone().detach()) - u).square().mean()
    optimizer.zero_grad()
    (a + b).backward()
    optimizer.step()
    return float(a), float(b)


# right: gradients by hand
def train_both(body, head, probe, x, y, u, lr):
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
    own, other = [*body.parameters(), *head.parameters()], list(probe.parameters())
    side = torch.autograd.grad(probe_loss, other, retain_graph=True)
    grads = torch.autograd.grad(loss, own)
    with torch.no_grad():
        for p, g in zip(own + other, [*grads, *side], strict=True):
            p.add_(g, alpha=-lr)
    return loss.item(), probe_loss.item()


# right: the probe first, on features without a graph
def train_both(body, head, probe, x, y, u, lr):
    with torch.no_grad():
        features = body(x)
    side = torch.optim.SGD(probe.parameters(), lr)
    side.zero_grad()
    second = F.mse_loss(probe(features), u)
    second.backward()
    side.step()
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    main.zero_grad()
    first = F.mse_loss(head(body(x)), y)
    first.backward()
    main.step()
    return first.item(), second.item()


# right: features of a copy of the body
def train_both(body, head, probe, x, y, u, lr):
    old = copy.deepcopy(body).requires_grad_(False)
    main = torch.optim.SGD(nn.ModuleList([body, head]).parameters(), lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    loss = F.mse_loss(head(body(x)), y)
    main.zero_grad()
    loss.backward()
    main.step()
    probe_loss = F.mse_loss(probe(old(x)), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: retain_graph
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss = F.mse_loss(head(h), y)
    main.zero_grad()
    loss.backward(retain_graph=True)
    main.step()
    probe_loss = F.mse_loss(probe(h), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: features after the step
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    loss = F.mse_loss(head(body(x)), y)
    main.zero_grad()
    loss.backward()
    main.step()
    probe_loss = F.mse_loss(probe(body(x).detach()), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: one sum, nothing detached
def train_both(body, head, probe, x, y, u, lr):
    params = [p for m in (body, head, probe) for p in m.parameters()]
    optimizer = torch.optim.SGD(params, lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
    optimizer.zero_grad()
    (loss + probe_loss).backward()
    optimizer.step()
    return loss.item(), probe_loss.item()


# wrong: both backward before both steps, nothing detached
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
    main.zero_grad()
    side.zero_grad()
    loss.backward(retain_graph=True)
    probe_loss.backward()
    main.step()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: detached for both
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x).detach()
    loss = F.mse_loss(head(h), y)
    main.zero_grad()
    loss.backward()
    main.step()
    probe_loss = F.mse_loss(probe(h), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: detached for the head in place of the probe
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h.detach()), y), F.mse_loss(probe(h), u)
    main.zero_grad()
    side.zero_grad()
    loss.backward()
    probe_loss.backward()
    main.step()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: the probe's prediction is detached
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    h = body(x)
    loss = F.mse_loss(head(h), y)
    main.zero_grad()
    loss.backward()
    main.step()
    with torch.no_grad():
        probe_loss = F.mse_loss(probe(h), u)
    return loss.item(), probe_loss.item()


# wrong: tensors
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.detach(), probe_loss.detach()


# wrong: exchanged
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return probe_loss.item(), loss.item()


# wrong: targets exchanged
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), u), F.mse_loss(probe(h.detach()), y)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: the losses after the step
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    h = body(x)
    return F.mse_loss(head(h), y).item(), F.mse_loss(probe(h), u).item()


# wrong: Adam for the probe
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.Adam(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: the probe's gradients are not cleared
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    main.zero_grad()
    (loss + probe_loss).backward()
    main.step()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: cleared between backward and step
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        v.backward()
        o.zero_grad()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: head stands still
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD(body.parameters(), lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: the probe reads the head
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = head(body(x))
    loss, probe_loss = F.mse_loss(h, y), F.mse_loss(probe(h.detach()), u)
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: sums of squares
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss = (head(h) - y).square().sum()
    probe_loss = (probe(h.detach()) - u).square().sum()
    for o, v in ((main, loss), (side, probe_loss)):
        o.zero_grad()
        v.backward()
        o.step()
    return loss.item(), probe_loss.item()


# wrong: mean of both losses
def train_both(body, head, probe, x, y, u, lr):
    params = [p for m in (body, head, probe) for p in m.parameters()]
    optimizer = torch.optim.SGD(params, lr)
    h = body(x)
    loss, probe_loss = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
    optimizer.zero_grad()
    ((loss + probe_loss) / 2).backward()
    optimizer.step()
    return loss.item(), probe_loss.item()


# wrong: the body is frozen afterwards
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss = F.mse_loss(head(h), y)
    main.zero_grad()
    loss.backward()
    main.step()
    for p in body.parameters():
        p.requires_grad_(False)
    probe_loss = F.mse_loss(probe(body(x)), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()


# wrong: body in both optimizers
def train_both(body, head, probe, x, y, u, lr):
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD([*body.parameters(), *probe.parameters()], lr)
    for o, m, target in ((main, head, y), (side, probe, u)):
        loss = F.mse_loss(m(body(x)), target)
        o.zero_grad()
        loss.backward()
        o.step()
        if m is head:
            first = loss.item()
    return first, loss.item()


# exercise: training.lr_factor
# right: numpy
def lr_factor(step, warmup, steps):
    if step < warmup:
        return np.linspace(0, 1, warmup + 1)[step + 1]
    return 0.5 * (1 + np.cos(np.pi * (step - warmup) / max(steps - warmup, 1)))


# right: square of a cosine
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return math.cos(math.pi / 2 * (step - warmup) / max(1, steps - warmup)) ** 2


# right: one minus the square of a sine
def lr_factor(step, warmup, steps):
    rising = 1.0 if warmup == 0 else min(1.0, (step + 1) / warmup)
    part = max(0, step - warmup) / max(1, steps - warmup)
    return rising * (1 - math.sin(part * math.pi / 2) ** 2)


# right: summed up
def lr_factor(step, warmup, steps):
    if step < warmup:
        share = 0.0
        for _ in range(step + 1):
            share += 1 / warmup
        return min(share, 1.0)
    angle = math.pi * (step - warmup) / max(1, steps - warmup)
    return max(0.0, (1 + math.cos(angle)) / 2)


# right: torch
def lr_factor(step, warmup, steps):
    s = torch.tensor(float(step), dtype=torch.float64)
    up = (s + 1) / max(warmup, 1)
    down = (1 + torch.cos(math.pi * (s - warmup) / max(steps - warmup, 1))) / 2
    return torch.where(s < warmup, up, down).item()


# wrong: starts at 0
def lr_factor(step, warmup, steps):
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: reaches 1 one step late
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: reaches 1 from 0 at the last of them
def lr_factor(step, warmup, steps):
    if step < warmup:
        return step / max(warmup - 1, 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: divided by a warm-up of 0
def lr_factor(step, warmup, steps):
    up = (step + 1) / warmup
    return min(up, 0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / (steps - warmup))))


# wrong: cosine over all steps
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * step / steps))


# wrong: warm-up times cosine from step 0
def lr_factor(step, warmup, steps):
    up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return up * 0.5 * (1 + math.cos(math.pi * step / steps))


# wrong: steps are counted after the warm-up
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / steps))


# wrong: 0 at the last step but one
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup - 1)))


# wrong: falls from the last warm-up step on
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step + 1 - warmup) / (steps + 1 - warmup)))


# wrong: a straight line down
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 1 - (step - warmup) / (steps - warmup)


# wrong: a quarter of a cosine
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return math.cos(math.pi / 2 * (step - warmup) / (steps - warmup))


# wrong: a whole cosine
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(2 * math.pi * (step - warmup) / (steps - warmup)))


# wrong: not brought to [0, 1]
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return math.cos(math.pi * (step - warmup) / (steps - warmup))


# wrong: not halved
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 1 + math.cos(math.pi * (step - warmup) / (steps - warmup))


# wrong: a sine up
def lr_factor(step, warmup, steps):
    if step < warmup:
        return math.sin(math.pi / 2 * (step + 1) / warmup)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: a floor of a tenth
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: root of the step
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return math.sqrt(max(warmup, 1) / (step + 1))


# wrong: exponential
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return math.exp(-5 * (step - warmup) / (steps - warmup))


# wrong: whole division
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) // warmup
    return 0.5 * (1 + math.cos(math.pi * ((step - warmup) // (steps - warmup))))


# wrong: degrees
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(180 * (step - warmup) / (steps - warmup)))


# wrong: cosine up
def lr_factor(step, warmup, steps):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 - math.cos(math.pi * (step - warmup) / (steps - warmup)))


# wrong: no warm-up
def lr_factor(step, warmup, steps):
    return 0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / (steps - warmup)))


# wrong: the warm-up of 0 gives 0
def lr_factor(step, warmup, steps):
    if step <= warmup:
        return min(1.0, (step + 1) / warmup) if warmup else 0.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


# exercise: training.ema_update
# right: lerp
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [torch.lerp(w.detach(), a.detach(), d) for a, w in zip(average, weights, strict=True)]


# right: no_grad and a correction
@torch.no_grad()
def ema_update(average, weights, decay, s):
    rest = 1 - min(decay, (s + 1) / (s + 10))
    return [a + rest * (w - a) for a, w in zip(average, weights)]


# right: numpy
def ema_update(average, weights, decay, s):
    d, out = np.minimum(decay, (1 + s) / (10 + s)), []
    for a, w in zip(average, weights):
        a, w = a.detach(), w.detach()
        mixed = d * a.numpy().astype(np.float64) + (1 - d) * w.numpy().astype(np.float64)
        out.append(torch.from_numpy(np.asarray(mixed)).to(a.dtype))
    return out


# right: in place on copies
def ema_update(average, weights, decay, s):
    d = decay if decay < (1 + s) / (10 + s) else (1 + s) / (10 + s)
    out = [a.detach().clone() for a in average]
    for o, w in zip(out, weights, strict=True):
        o.mul_(d).add_(w.detach(), alpha=1 - d)
    return out


# right: einsum over the pair
def ema_update(average, weights, decay, s):
    d = min(decay, 1 - 9 / (10 + s))
    shares = torch.tensor([d, 1 - d], dtype=torch.float64)
    pairs = [torch.stack([a, w]).detach().double() for a, w in zip(average, weights)]
    return [torch.einsum("k,k...->...", shares, p).to(a.dtype) for p, a in zip(pairs, average)]


# wrong: decay alone
def ema_update(average, weights, decay, s):
    return [decay * a.detach() + (1 - decay) * w.detach() for a, w in zip(average, weights)]


# wrong: the larger share
def ema_update(average, weights, decay, s):
    d = max(decay, (1 + s) / (10 + s))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: decay is not read
def ema_update(average, weights, decay, s):
    d = (1 + s) / (10 + s)
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: decay of 0.999
def ema_update(average, weights, decay, s):
    d = min(0.999, (1 + s) / (10 + s))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: shares exchanged
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [(1 - d) * a.detach() + d * w.detach() for a, w in zip(average, weights)]


# wrong: in the old average
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    for a, w in zip(average, weights):
        a.detach().mul_(d).add_(w.detach(), alpha=1 - d)
    return average


# wrong: lerp in place
@torch.no_grad()
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [a.lerp_(w, 1 - d) for a, w in zip(average, weights)]


# wrong: the caller's list is filled
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    for i, w in enumerate(weights):
        average[i] = d * average[i].detach() + (1 - d) * w.detach()
    return average


# wrong: with a graph
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [d * a + (1 - d) * w for a, w in zip(average, weights)]


# wrong: the graph of the average
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [d * a + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: parameters
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [nn.Parameter(d * a + (1 - d) * w) for a, w in zip(average, weights)]


# wrong: one update more
def ema_update(average, weights, decay, s):
    s += 1
    d = min(decay, (1 + s) / (10 + s))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: one update less
def ema_update(average, weights, decay, s):
    d = min(decay, s / (9 + s))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: the first average is the weights
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s)) if s else 0.0
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: the mean of all so far
def ema_update(average, weights, decay, s):
    d = min(decay, s / (s + 1))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: Adam's correction
def ema_update(average, weights, decay, s):
    out = [decay * a.detach() + (1 - decay) * w.detach() for a, w in zip(average, weights)]
    return [o / (1 - decay ** (s + 1)) for o in out]


# wrong: shares do not add up to one
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [d * a.detach() + (1 - decay) * w.detach() for a, w in zip(average, weights)]


# wrong: added
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return [d * a.detach() + w.detach() for a, w in zip(average, weights)]


# wrong: half the time
def ema_update(average, weights, decay, s):
    d = decay if s >= 10 else (1 + s) / (10 + s)
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: the first tensor only
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    first = d * average[0].detach() + (1 - d) * weights[0].detach()
    return [first, *(w.detach() for w in weights[1:])]


# wrong: returns at the first
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    for a, w in zip(average, weights):
        return [d * a.detach() + (1 - d) * w.detach()]


# wrong: power of the decay
def ema_update(average, weights, decay, s):
    d = min(decay ** (s + 1), (1 + s) / (10 + s))
    return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]


# wrong: a generator
def ema_update(average, weights, decay, s):
    d = min(decay, (1 + s) / (10 + s))
    return (d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights))


# exercise: training.batch_of
# right: one permutation per pass
def batch_of(s, n, batch_size, seed):
    def one(p):
        g = torch.Generator().manual_seed(seed * 1_000_003 + p)
        return torch.randperm(n, generator=g)

    first, last = s * batch_size // n, ((s + 1) * batch_size - 1) // n
    stream = torch.cat([one(p) for p in range(first, last + 1)])
    start = s * batch_size - first * n
    return stream[start : start + batch_size]


# right: numpy with a pair of seeds
def batch_of(s, n, batch_size, seed):
    out = []
    for at in range(s * batch_size, (s + 1) * batch_size):
        rng = np.random.default_rng([seed, at // n])
        out.append(rng.permutation(n)[at % n])
    return torch.from_numpy(np.array(out, dtype=np.int64))


# right: random.Random with a name
def batch_of(s, n, batch_size, seed):
    out, at = [], s * batch_size
    while len(out) < batch_size:
        order = list(range(n))
        random.Random(f"{seed} and {at // n}").shuffle(order)
        part = order[at % n :][: batch_size - len(out)]
        out += part
        at += len(part)
    return torch.tensor(out)


# right: one generator from the start
def batch_of(s, n, batch_size, seed):
    g, end = torch.Generator(), (s + 1) * batch_size
    g.manual_seed(seed)
    stream = torch.empty(0, dtype=torch.int64)
    while len(stream) < end:
        stream = torch.hstack([stream, torch.randperm(n, generator=g)])
    return stream[end - batch_size : end].clone()


# right: the state is put back
def batch_of(s, n, batch_size, seed):
    before = torch.get_rng_state()
    try:
        torch.random.default_generator.manual_seed(seed)
        passes = -(-(s + 1) * batch_size // n)
        stream = torch.cat([torch.randperm(n) for _ in range(passes)])
    finally:
        torch.set_rng_state(before)
    return stream[s * batch_size :][:batch_size]


# right: sorted random keys
def batch_of(s, n, batch_size, seed):
    at = torch.arange(s * batch_size, (s + 1) * batch_size)
    orders = {}
    for p in (at // n).unique().tolist():
        keys = np.random.RandomState((seed * 7919 + p) % 2**32).random_sample(n)
        orders[p] = keys.argsort(kind="stable")
    return torch.tensor([int(orders[i // n][i % n]) for i in at.tolist()])


# wrong: the global seed
def batch_of(s, n, batch_size, seed):
    torch.manual_seed(seed)
    passes = -(-(s + 1) * batch_size // n)
    stream = torch.cat([torch.randperm(n) for _ in range(passes)])
    return stream[s * batch_size : (s + 1) * batch_size]


# wrong: the global seed of numpy
def batch_of(s, n, batch_size, seed):
    np.random.seed(seed)
    passes = -(-(s + 1) * batch_size // n)
    stream = np.concatenate([np.random.permutation(n) for _ in range(passes)])
    return torch.from_numpy(stream[s * batch_size : (s + 1) * batch_size].astype(np.int64))


# wrong: the global seed of Python
def batch_of(s, n, batch_size, seed):
    random.seed(seed)
    stream = []
    while len(stream) < (s + 1) * batch_size:
        stream += random.sample(range(n), n)
    return torch.tensor(stream[s * batch_size : (s + 1) * batch_size])


# wrong: no seed
def batch_of(s, n, batch_size, seed):
    passes = -(-(s + 1) * batch_size // n)
    stream = torch.cat([torch.randperm(n) for _ in range(passes)])
    return stream[s * batch_size : (s + 1) * batch_size]


# wrong: the same order in every pass
def batch_of(s, n, batch_size, seed):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[torch.arange(s * batch_size, (s + 1) * batch_size) % n]


# wrong: not shuffled
def batch_of(s, n, batch_size, seed):
    return torch.arange(s * batch_size, (s + 1) * batch_size) % n


# wrong: with replacement
def batch_of(s, n, batch_size, seed):
    g = torch.Generator().manual_seed(seed * 1_000_003 + s)
    return torch.randint(0, n, (batch_size,), generator=g)


# wrong: a permutation for each batch
def batch_of(s, n, batch_size, seed):
    g, out = torch.Generator().manual_seed(seed * 1_000_003 + s), []
    while len(out) < batch_size:
        out += torch.randperm(n, generator=g).tolist()
    return torch.tensor(out[:batch_size])


# wrong: the rest of a pass is dropped
def batch_of(s, n, batch_size, seed):
    per_pass = max(1, n // batch_size)
    g = torch.Generator().manual_seed(seed * 1_000_003 + s // per_pass)
    i = s % per_pass
    return torch.randperm(n, generator=g)[i * batch_size : (i + 1) * batch_size]


# wrong: a short batch at the end of a pass
def batch_of(s, n, batch_size, seed):
    p, at = divmod(s * batch_size, n)
    g = torch.Generator().manual_seed(seed * 1_000_003 + p)
    return torch.randperm(n, generator=g)[at : at + batch_size]


# wrong: filled up from the same pass
def batch_of(s, n, batch_size, seed):
    p, at = divmod(s * batch_size, n)
    g = torch.Generator().manual_seed(seed * 1_000_003 + p)
    return torch.randperm(n, generator=g)[torch.arange(at, at + batch_size) % n]


# wrong: two passes at most
def batch_of(s, n, batch_size, seed):
    p, at = divmod(s * batch_size, n)
    gs = [torch.Generator().manual_seed(seed * 1_000_003 + q) for q in (p, p + 1)]
    return torch.cat([torch.randperm(n, generator=g) for g in gs])[at : at + batch_size]


# wrong: the seed is not read
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(0), []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(stream[s * batch_size : (s + 1) * batch_size])


# wrong: seeded by the pass alone
def batch_of(s, n, batch_size, seed):
    out = []
    for at in range(s * batch_size, (s + 1) * batch_size):
        g = torch.Generator().manual_seed(at // n)
        out.append(torch.randperm(n, generator=g)[at % n].item())
    return torch.tensor(out)


# wrong: seed times pass
def batch_of(s, n, batch_size, seed):
    out = []
    for at in range(s * batch_size, (s + 1) * batch_size):
        g = torch.Generator().manual_seed(seed * (at // n))
        out.append(torch.randperm(n, generator=g)[at % n].item())
    return torch.tensor(out)


# wrong: a generator that goes on from call to call
def batch_of(s, n, batch_size, seed):
    if not hasattr(batch_of, "g"):
        batch_of.g = torch.Generator().manual_seed(seed)
    stream = []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=batch_of.g).tolist()
    return torch.tensor(stream[s * batch_size : (s + 1) * batch_size])


# wrong: one batch later
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < (s + 2) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(stream[(s + 1) * batch_size : (s + 2) * batch_size])


# wrong: positions by n
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < s * n + batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(stream[s * n : s * n + batch_size])


# wrong: int32
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(stream[s * batch_size : (s + 1) * batch_size], dtype=torch.int32)


# wrong: a list
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return stream[s * batch_size : (s + 1) * batch_size]


# wrong: sorted
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(sorted(stream[s * batch_size : (s + 1) * batch_size]))


# wrong: the order of batches is shuffled, not of examples
def batch_of(s, n, batch_size, seed):
    p, at = divmod(s * batch_size, n)
    g = torch.Generator().manual_seed(seed * 1_000_003 + p)
    shift = torch.randint(0, n, (1,), generator=g).item()
    return (torch.arange(at, at + batch_size) + shift) % n


# wrong: numbers from 1
def batch_of(s, n, batch_size, seed):
    g, stream = torch.Generator().manual_seed(seed), []
    while len(stream) < (s + 1) * batch_size:
        stream += torch.randperm(n, generator=g).tolist()
    return torch.tensor(stream[s * batch_size : (s + 1) * batch_size]) + 1


# exercise: training.early_stop
# right: a counter
def early_stop(losses, patience):
    best, waited = 0, 0
    for i, loss in enumerate(losses):
        if i == 0 or loss < losses[best]:
            best, waited = i, 0
        else:
            waited += 1
        if waited == patience:
            return best, i
    return best, len(losses) - 1


# right: the distance to the best
def early_stop(losses, patience):
    best, i = 0, 0
    for i in range(len(losses)):
        best = i if losses[i] < losses[best] else best
        if i - best >= patience:
            break
    return best, i


# right: numpy, NaN as infinity
def early_stop(losses, patience):
    a = np.array(losses, dtype=float)
    a[np.isnan(a)] = np.inf
    for stop in range(len(a)):
        best = int(np.argmin(a[: stop + 1]))
        if stop - best == patience:
            return best, stop
    return int(np.argmin(a)), len(a) - 1


# right: a window
def early_stop(losses, patience):
    stop = len(losses) - 1
    for i in range(patience, len(losses)):
        before = [v for v in losses[: i - patience + 1] if v == v]
        if not any(v < min(before) for v in losses[i - patience + 1 : i + 1]):
            stop = i
            break
    seen = [(v, k) for k, v in enumerate(losses[: stop + 1]) if v == v]
    return min(seen)[1], stop


# right: recursion
def early_stop(losses, patience):
    def go(best, i):
        if i - best == patience or i == len(losses) - 1:
            return best, i
        return go(i + 1 if losses[i + 1] < losses[best] else best, i + 1)

    return go(0, 0)


# right: numpy numbers
def early_stop(losses, patience):
    best, i = np.int64(0), np.int64(0)
    while i - best < patience and i + 1 < len(losses):
        i = i + 1
        if losses[i] < losses[best]:
            best = i
    return best, i


# wrong: an equal loss is an improvement
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss <= losses[best]:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: one epoch more
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best > patience:
            return best, i
    return best, len(losses) - 1


# wrong: one epoch less
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience - 1:
            return best, i
    return best, len(losses) - 1


# wrong: the epoch after
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best, i + 1
    return best, len(losses)


# wrong: the length at the end
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses)


# wrong: the counter is never set back
def early_stop(losses, patience):
    best, bad = 0, 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i:
            bad += 1
            if bad >= patience:
                return best, i
    return best, len(losses) - 1


# wrong: compared with the epoch before
def early_stop(losses, patience):
    best, bad = 0, 0
    for i in range(1, len(losses)):
        if losses[i] < losses[best]:
            best = i
        bad = 0 if losses[i] < losses[i - 1] else bad + 1
        if bad >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: rises in a row
def early_stop(losses, patience):
    best, bad = 0, 0
    for i in range(1, len(losses)):
        if losses[i] < losses[best]:
            best = i
        bad = bad + 1 if losses[i] > losses[i - 1] else 0
        if bad >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: the best of all epochs
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            break
    clean = [v if v == v else math.inf for v in losses]
    return clean.index(min(clean)), i


# wrong: the last of equal losses is best
def early_stop(losses, patience):
    best, bad, at = math.inf, 0, 0
    for i, loss in enumerate(losses):
        bad = 0 if loss < best else bad + 1
        if loss <= best:
            best, at = loss, i
        if bad >= patience:
            return at, i
    return at, len(losses) - 1


# wrong: NaN is an improvement
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if i == 0 or not loss >= losses[best]:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: NaN stops at once
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if math.isnan(loss):
            return best, i
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: NaN is not counted
def early_stop(losses, patience):
    best, bad = 0, 0
    for i, loss in enumerate(losses):
        if math.isnan(loss) or i == 0:
            continue
        if loss < losses[best]:
            best, bad = i, 0
        else:
            bad += 1
        if bad >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: NaN is taken out of the list
def early_stop(losses, patience):
    losses = [v for v in losses if not math.isnan(v)]
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: argmin with NaN
def early_stop(losses, patience):
    for i in range(len(losses)):
        best = int(np.argmin(losses[: i + 1]))
        if i - best >= patience:
            return best, i
    return int(np.argmin(losses)), len(losses) - 1


# wrong: min with NaN inside
def early_stop(losses, patience):
    for i in range(patience, len(losses)):
        if not min(losses[i - patience + 1 : i + 1]) < min(losses[: i - patience + 1]):
            return losses.index(min(losses[: i + 1])), i
    return losses.index(min(losses)), len(losses) - 1


# wrong: exchanged
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return i, best
    return len(losses) - 1, best


# wrong: the loss for its index
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return losses[best], i
    return losses[best], len(losses) - 1


# wrong: counted from 1
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best + 1, i + 1
    return best + 1, len(losses)


# wrong: best plus patience, even past the end
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            break
    return best, best + patience


# wrong: does not stop
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
    return best, len(losses) - 1


# wrong: a fall of a thousandth is none
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best] - 1e-3:
            best = i
        elif i - best >= patience:
            return best, i
    return best, len(losses) - 1


# wrong: the last epochs' mean
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        if i >= patience and loss >= sum(losses[i - patience : i]) / patience:
            return best, i
    return best, len(losses) - 1


# wrong: the weights of the stop
def early_stop(losses, patience):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return i, i
    return len(losses) - 1, len(losses) - 1


# wrong: patience of 3
def early_stop(losses, patience=3):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= 3:
            return best, i
    return best, len(losses) - 1
