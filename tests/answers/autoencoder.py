"Answers to the exercises of the autoencoder, right ones in unusual forms and wrong ones."

import math
from functools import reduce

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: autoencoder.side
# right: a reduction
def side(n, layers):
    def one(n, layer):
        kind, k, s, p = layer
        return (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s + k - 2 * p

    return reduce(one, layers, n)


# right: modules on an image of zeros
def side(n, layers):
    x = torch.zeros(1, 1, n, n)
    for kind, kernel, stride, padding in layers:
        layer = nn.Conv2d if kind == "conv" else nn.ConvTranspose2d
        with torch.no_grad():
            x = layer(1, 1, kernel, stride, padding)(x)
    return x.shape[-1]


# right: recursion
def side(n, layers):
    if not layers:
        return n
    (kind, k, s, p), *rest = layers
    if kind == "transposed":
        return side(s * (n - 1) - p - p + k, rest)
    return side(1 + (n + p + p - k) // s, rest)


# right: positions of the kernel counted
def side(n, layers):
    for kind, k, s, p in layers:
        if kind == "conv":
            n = len(range(-p, n + p - k + 1, s))
        else:
            reached = {i * s + j for i in range(n) for j in range(k)}
            n = max(reached) + 1 - 2 * p
    return n


# right: math.floor and match
def side(n, layers):
    for layer in layers:
        match layer:
            case ("conv", k, s, p):
                n = math.floor((n - k + 2 * p) / s) + 1
            case ("transposed", k, s, p):
                n = n * s - s + k - 2 * p
    return n


# right: numpy integers
def side(n, layers):
    n = np.int64(n)
    for kind, k, s, p in layers:
        n = np.floor_divide(n + 2 * p - k, s) + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: rounded up
def side(n, layers):
    for kind, k, s, p in layers:
        n = math.ceil((n + 2 * p - k) / s) + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: rounded to the nearest
def side(n, layers):
    for kind, k, s, p in layers:
        n = round((n + 2 * p - k) / s) + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: no rounding
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) / s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: rounded at the end only
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) / s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return int(n)


# wrong: one is forgotten
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: one is inside the division
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k + 1) // s if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: padding on one side
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: padding of the transposed on one side
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - p + k
    return n


# wrong: padding enlarges the transposed
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s + 2 * p + k
    return n


# wrong: padding without effect on the transposed
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s + k
    return n


# wrong: divided and multiplied by the stride
def side(n, layers):
    for kind, k, s, p in layers:
        n = n // s if kind == "conv" else n * s
    return n


# wrong: the transposed multiplies by the stride
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else n * s
    return n


# wrong: n times the stride, not n - 1
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else n * s - 2 * p + k
    return n


# wrong: kinds exchanged
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "transposed" else (n - 1) * s - 2 * p + k
    return n


# wrong: every layer a convolution
def side(n, layers):
    for _, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1
    return n


# wrong: only the first layer
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
        return n


# wrong: only the last layer
def side(n, layers):
    kind, k, s, p = layers[-1]
    return (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k


# wrong: from the last layer to the first
def side(n, layers):
    for kind, k, s, p in reversed(layers):
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: each from the first image
def side(n, layers):
    m = n
    for kind, k, s, p in layers:
        m = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return m


# wrong: padding and stride exchanged
def side(n, layers):
    for kind, k, p, s in layers:
        s = max(s, 1)
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# wrong: all sides
def side(n, layers):
    out = [n]
    for kind, k, s, p in layers:
        n = out[-1]
        out.append((n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k)
    return out


# wrong: the transposed has an output padding
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k + s - 1
    return n


# wrong: pixels
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // s + 1 if kind == "conv" else (n - 1) * s - 2 * p + k
    return n * n


# wrong: stride 2 whatever is asked
def side(n, layers):
    for kind, k, s, p in layers:
        n = (n + 2 * p - k) // 2 + 1 if kind == "conv" else (n - 1) * 2 - 2 * p + k
    return n


# wrong: same padding assumed
def side(n, layers):
    for kind, k, s, p in layers:
        n = -(-n // s) if kind == "conv" else (n - 1) * s - 2 * p + k
    return n


# exercise: autoencoder.encoder_bug
# right: flatten inside the chain
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        s = size // 4
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 4, 2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * s * s, dim),
        )

    def forward(self, x):
        return self.net(x)


# right: the size is measured
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1), nn.GELU(), nn.Conv2d(8, 16, 3, 2, 1), nn.GELU()
        )
        with torch.no_grad():
            n = self.net(torch.zeros(1, channels, size, size)).numel()
        self.head = nn.Linear(n, dim)

    def forward(self, x):
        return self.head(self.net(x).reshape(len(x), -1))


# right: the mean over the places
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16, dim)

    def forward(self, x):
        return self.head(self.net(x).mean((2, 3)))


# right: the head as a convolution over the whole grid
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, dim, size // 4),
        )

    def forward(self, x):
        return self.net(x)[:, :, 0, 0]


# right: patches of two without padding
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 2, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim, bias=False)

    def forward(self, x):
        return self.head(self.net(x).flatten(start_dim=1))


# right: parameters of its own and einsum
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.patch = nn.Parameter(torch.randn(16, channels * 16) / 4)
        self.out = nn.Parameter(torch.randn(dim, 16, (size // 4) ** 2) / size)

    def forward(self, x):
        places = F.unfold(x, 4, stride=4)
        h = torch.einsum("op,bpn->bon", self.patch, places).relu()
        return torch.einsum("don,bon->bd", self.out, h)


# wrong: only flattened
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: only padded
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x))


# wrong: the linear layer is made in forward
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        self.dim = dim

    def forward(self, x):
        h = self.net(x).flatten(1)
        return nn.Linear(h.shape[1], self.dim)(h)


# wrong: the linear layer is replaced when it does not fit
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * size // 4, dim)
        self.dim = dim

    def forward(self, x):
        h = self.net(x).flatten(1)
        self.head = nn.Linear(h.shape[1], self.dim)
        return self.head(h)


# wrong: the side is not squared
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4), dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: made for 28
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * 7 * 7, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: made for the sides of no padding, so the smallest fails
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        s = (((size - 4) // 2 + 1) - 4) // 2 + 1
        self.head = nn.Linear(16 * s**2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: one of two is padded
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: one of two is padded, and the size says so
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4 - 1) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: flattened with the batch
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten())


# wrong: one channel
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: a fixed width
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, 8)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: a grid is returned
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, dim, 4, 2, 1)
        )

    def forward(self, x):
        return self.net(x)


# wrong: two axes of one stay
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Conv2d(16, dim, size // 4)

    def forward(self, x):
        return self.head(self.net(x))


# wrong: squeezed, so that a batch of one is lost
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Conv2d(16, dim, size // 4)

    def forward(self, x):
        return self.head(self.net(x)).squeeze()


# wrong: convolutions are made in forward
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.channels = channels
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        h = nn.Conv2d(self.channels, 8, 4, 2, 1)(x).relu()
        h = nn.Conv2d(8, 16, 4, 2, 1)(h).relu()
        return self.head(h.flatten(1))


# wrong: padding of two
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 2), nn.ReLU()
        )
        self.head = nn.Linear(16 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: channels of the first layer counted
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(8 * (size // 4) ** 2, dim)

    def forward(self, x):
        return self.head(self.net(x).flatten(1))


# wrong: a linear layer over the columns
class Encoder(nn.Module):
    def __init__(self, channels, size, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(size // 4, dim)

    def forward(self, x):
        return self.head(self.net(x))


# exercise: autoencoder.decoder_bug
# right: unflatten inside the chain
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim, 256),
            nn.Unflatten(1, (16, 4, 4)),
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(z)


# right: features last, then permuted
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 4 * 4 * 16)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 2, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 2, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 2, 2),
        )

    def forward(self, z):
        return torch.tanh(self.up(self.start(z).reshape(-1, 4, 4, 16).permute(0, 3, 1, 2)))


# right: enlarged, then a convolution
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(16, 16, 3, padding=1),
                nn.Conv2d(16, 8, 3, padding=1),
                nn.Conv2d(8, channels, 3, padding=1),
            ]
        )

    def forward(self, z):
        x = self.start(z).unflatten(-1, (16, 4, 4))
        for conv in self.convs:
            x = conv(F.interpolate(x.relu(), scale_factor=2))
        return x.tanh()


# right: kernel 3 and output padding
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 3, 2, 1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 3, 2, 1, output_padding=1),
        )

    def forward(self, z):
        return 2 * torch.sigmoid(self.up(self.start(z).view(-1, 16, 4, 4))) - 1


# right: a transposed convolution makes the grid
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.ConvTranspose2d(dim, 16, 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z[:, :, None, None]))


# wrong: no padding
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: sizes still exchanged
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(16 * 4 * 4, dim)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: the layer is still not called
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(z.view(-1, 16, 4, 4))


# wrong: numbers repeated in place of the layer
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        times = -(-256 // z.shape[1])
        return self.up(z.repeat(1, times)[:, :256].reshape(-1, 16, 4, 4))


# wrong: a new layer in forward
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.dim = dim
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(nn.Linear(self.dim, 256)(z).view(-1, 16, 4, 4))


# wrong: no tanh
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: sigmoid
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: tanh before the last layer
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.Tanh(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: ReLU after tanh
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.ReLU(),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: two layers
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: kernel 3
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 3, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 3, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: only the last is padded
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: three channels
class Decoder(nn.Module):
    def __init__(self, dim, channels=3):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: a fixed width
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(32, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4))


# wrong: features of different images are mixed
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(16, -1, 4, 4).transpose(0, 1))


# wrong: one image
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z)[0].view(1, 16, 4, 4))


# wrong: channels last
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4)).permute(0, 2, 3, 1)


# wrong: counts
class Decoder(nn.Module):
    def __init__(self, dim, channels):
        super().__init__()
        self.start = nn.Linear(dim, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(self.start(z).view(-1, 16, 4, 4)) * 127.5 + 127.5


# exercise: autoencoder.mirror_bug
# right: a third layer up, ReLU between
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# right: the last layer grows by 4
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(8, 1, 4, 4)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# right: tanh by hand, the last layer down taken away
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 4, 4, 2, 1)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ConvTranspose2d(8, 1, 4, 2, 1)]
        )

    def encode(self, x):
        for layer in self.down:
            x = layer(x).tanh()
        return x

    def decode(self, z):
        return self.up[1](self.up[0](z).tanh())

    def forward(self, x):
        return self.decode(self.encode(x))


# right: folded patches
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(8), nn.Conv2d(64, 32, 1), nn.Softplus(), nn.Conv2d(32, 4, 1)
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(4, 32, 1), nn.Softplus(), nn.Conv2d(32, 64, 1), nn.PixelShuffle(8)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# right: enlarged by nearest neighbours
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=8),
            nn.Conv2d(4, 8, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(8, 1, 3, padding=1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: the shape only
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1), nn.Conv2d(8, 4, 4, 2, 1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: activations only
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: an activation that nobody calls
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1), nn.Conv2d(8, 4, 4, 2, 1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )
        self.act = nn.ReLU()

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: nothing is done
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Identity(), nn.Identity()

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: pooling in place of an activation
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, 1, 1),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 8, 3, 1, 1),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 4, 3, 1, 1),
            nn.AvgPool2d(2),
        )
        self.decoder = nn.Sequential(nn.Upsample(scale_factor=8), nn.Conv2d(4, 1, 3, 1, 1))

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: always 28
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 4, 2, 1), nn.ReLU()
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return F.interpolate(self.decoder(z), size=(28, 28))

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: always 32
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 4, 2, 1), nn.AdaptiveAvgPool2d(4)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: linear layers for 32
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(1024, 64), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(64, 1024), nn.Unflatten(1, (1, 32, 32)))

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: twice as large
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 4, 2, 1))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: grown by 4 with padding
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 4, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: the third layer up is not padded
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: eight channels out
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: the axis of channels is lost
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z).squeeze(1)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: one pixel that broadcasts
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z).mean((2, 3), keepdim=True)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: resized by 4
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(4, 1, 3, padding=1))

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: a leaky ReLU of slope 1
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.LeakyReLU(1.0),
            nn.Conv2d(8, 4, 4, 2, 1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.LeakyReLU(1.0),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


# wrong: model(x) cannot be called
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.ReLU())
        self.decoder = nn.ConvTranspose2d(8, 1, 4, 4)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)


# wrong: forward ends at the code
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.ReLU())
        self.decoder = nn.ConvTranspose2d(8, 1, 4, 4)

    def forward(self, x):
        return self.encoder(x)


# wrong: code and reconstruction
class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.ReLU())
        self.decoder = nn.ConvTranspose2d(8, 1, 4, 4)

    def forward(self, x):
        z = self.encoder(x)
        return z, self.decoder(z)


# exercise: autoencoder.target_bug
# right: mse_loss
def loss(model, batch):
    x = batch[0]
    x_hat = model(x)
    if x_hat.shape != x.shape:
        raise ValueError(f"{tuple(x_hat.shape)} for {tuple(x.shape)}")
    return F.mse_loss(x_hat, x)


# right: einsum
def loss(model, batch):
    x, _ = batch
    gap = model(x) - x if model(x).shape == x.shape else None
    if gap is None:
        raise ValueError("shapes differ")
    return torch.einsum("bchw,bchw->", gap, gap) / gap.numel()


# right: image by image
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if tuple(out.size()) != tuple(x.size()):
        raise ValueError("an output of another shape")
    return torch.stack([(a - b).pow(2).mean() for a, b in zip(out, x, strict=True)]).mean()


# right: a norm, in float64
def loss(model, batch):
    x, y = batch
    out = model(x)
    if list(out.shape) != list(x.shape):
        raise ValueError
    return torch.linalg.vector_norm(out.double() - x.double()).square() / x.numel()


# right: square expanded
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError("shape")
    return (out * out).mean() - 2 * (out * x).mean() + (x * x).mean()


# wrong: nothing is checked
def loss(model, batch):
    x, _ = batch
    return ((model(x) - x) ** 2).mean()


# wrong: labels
def loss(model, batch):
    x, y = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return ((out - y.view(-1, 1, 1, 1)) ** 2).mean()


# wrong: sum
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return ((out - x) ** 2).sum()


# wrong: sum per image
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return ((out - x) ** 2).sum((1, 2, 3)).mean()


# wrong: one number per image
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return ((out - x) ** 2).mean((1, 2, 3))


# wrong: absolute
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.l1_loss(out, x)


# wrong: smooth
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.smooth_l1_loss(out, x)


# wrong: root
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x).sqrt()


# wrong: half
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return 0.5 * F.mse_loss(out, x)


# wrong: mean first
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return (out - x).mean() ** 2


# wrong: only the number of pixels is compared
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.numel() != x.numel():
        raise ValueError
    return F.mse_loss(out.reshape(x.shape), x)


# wrong: only the number of axes is compared
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.ndim != x.ndim:
        raise ValueError
    return ((out - x) ** 2).mean()


# wrong: only the sides are compared
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape[-2:] != x.shape[-2:]:
        raise ValueError
    return ((out - x) ** 2).mean()


# wrong: only the batch is compared
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if len(out) != len(x):
        raise ValueError
    return ((out - x) ** 2).mean()


# wrong: everything but the batch is compared
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape[1:] != x.shape[1:]:
        raise ValueError
    return ((out - x) ** 2).mean()


# wrong: refused only where it cannot broadcast
def loss(model, batch):
    x, _ = batch
    try:
        return ((model(x) - x) ** 2).mean()
    except RuntimeError as e:
        raise ValueError from e


# wrong: an assertion
def loss(model, batch):
    x, _ = batch
    out = model(x)
    assert out.shape == x.shape
    return F.mse_loss(out, x)


# wrong: resized to fit
def loss(model, batch):
    x, _ = batch
    out = F.interpolate(model(x), size=x.shape[-2:])
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x)


# wrong: expanded to fit
def loss(model, batch):
    x, _ = batch
    return F.mse_loss(model(x).expand_as(x), x)


# wrong: the first image
def loss(model, batch):
    x, _ = batch
    out = model(x[:1])
    if out.shape != x[:1].shape:
        raise ValueError
    return F.mse_loss(out, x[:1])


# wrong: the output is cut off
def loss(model, batch):
    x, _ = batch
    out = model(x).detach()
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x)


# wrong: without a graph
def loss(model, batch):
    x, _ = batch
    with torch.no_grad():
        out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x)


# wrong: a Python number
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x).item()


# wrong: relative to the variance
def loss(model, batch):
    x, _ = batch
    out = model(x)
    if out.shape != x.shape:
        raise ValueError
    return F.mse_loss(out, x) / x.var()


# exercise: autoencoder.reparameterize
# right: addcmul
def reparameterize(mean, logvar, eps):
    return torch.addcmul(mean, eps, torch.exp(logvar / 2))


# right: root of the variance
def reparameterize(mean, logvar, eps):
    return logvar.exp().sqrt().mul(eps).add(mean)


# right: float64
def reparameterize(mean, logvar, eps):
    z = mean.double() + eps.double() * (0.5 * logvar.double()).exp()
    return z.to(mean.dtype)


# right: powers of e
def reparameterize(mean, logvar, eps):
    return mean + (math.e ** (logvar * 0.5)) * eps


# right: row by row
def reparameterize(mean, logvar, eps):
    return torch.stack([m + torch.exp(v * 0.5) * e for m, v, e in zip(mean, logvar, eps)])


# right: the transform of torch.distributions
def reparameterize(mean, logvar, eps):
    to = torch.distributions.transforms.AffineTransform(mean, torch.exp(0.5 * logvar))
    return to(eps)


# right: Python's square root as a power
def reparameterize(mean, logvar, eps):
    sigma = torch.pow(torch.exp(logvar), 0.5)
    return torch.einsum("...,...->...", sigma, eps) + mean


# wrong: the variance
def reparameterize(mean, logvar, eps):
    return mean + logvar.exp() * eps


# wrong: the logarithm
def reparameterize(mean, logvar, eps):
    return mean + logvar * eps


# wrong: half the logarithm
def reparameterize(mean, logvar, eps):
    return mean + 0.5 * logvar * eps


# wrong: half the variance
def reparameterize(mean, logvar, eps):
    return mean + 0.5 * logvar.exp() * eps


# wrong: inverse
def reparameterize(mean, logvar, eps):
    return mean + (-0.5 * logvar).exp() * eps


# wrong: logarithm of sigma, doubled
def reparameterize(mean, logvar, eps):
    return mean + (2 * logvar).exp() * eps


# wrong: own noise
def reparameterize(mean, logvar, eps):
    return mean + (0.5 * logvar).exp() * torch.randn_like(mean)


# wrong: rsample
def reparameterize(mean, logvar, eps):
    return torch.distributions.Normal(mean, (0.5 * logvar).exp()).rsample()


# wrong: no gradient
def reparameterize(mean, logvar, eps):
    with torch.no_grad():
        return mean + (0.5 * logvar).exp() * eps


# wrong: sigma detached
def reparameterize(mean, logvar, eps):
    return mean + (0.5 * logvar).exp().detach() * eps


# wrong: mean detached
def reparameterize(mean, logvar, eps):
    return mean.detach() + (0.5 * logvar).exp() * eps


# wrong: numpy
def reparameterize(mean, logvar, eps):
    z = mean.detach().numpy() + np.exp(0.5 * logvar.detach().numpy()) * eps.numpy()
    return torch.from_numpy(z)


# wrong: softplus
def reparameterize(mean, logvar, eps):
    return mean + F.softplus(logvar) * eps


# wrong: unit variance
def reparameterize(mean, logvar, eps):
    return mean + eps


# wrong: mean left out
def reparameterize(mean, logvar, eps):
    return (0.5 * logvar).exp() * eps


# wrong: both are scaled
def reparameterize(mean, logvar, eps):
    return (mean + eps) * (0.5 * logvar).exp()


# wrong: one noise for the batch
def reparameterize(mean, logvar, eps):
    return mean + (0.5 * logvar).exp() * eps[:1]


# wrong: logvar bounded
def reparameterize(mean, logvar, eps):
    return mean + (0.5 * logvar.clamp(-4, 4)).exp() * eps


# wrong: logvar bounded at 0
def reparameterize(mean, logvar, eps):
    return mean + (0.5 * logvar.clamp(max=0)).exp() * eps


# wrong: density in place of a draw
def reparameterize(mean, logvar, eps):
    return torch.distributions.Normal(mean, (0.5 * logvar).exp()).log_prob(eps)


# wrong: standardised
def reparameterize(mean, logvar, eps):
    return (eps - mean) / (0.5 * logvar).exp()


# wrong: base 2
def reparameterize(mean, logvar, eps):
    return mean + torch.exp2(0.5 * logvar) * eps


# wrong: clamped draw
def reparameterize(mean, logvar, eps):
    return (mean + (0.5 * logvar).exp() * eps).clamp(-3, 3)


# exercise: autoencoder.kl
# right: torch.distributions
def kl(mean, logvar):
    q = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return torch.distributions.kl_divergence(q, p).sum(-1)


# right: einsum
def kl(mean, logvar):
    return 0.5 * (
        torch.einsum("bd,bd->b", mean, mean)
        + torch.einsum("bd->b", logvar.exp() - logvar)
        - mean.shape[1]
    )


# right: numpy in float64
def kl(mean, logvar):
    m, v = mean.detach().double().numpy(), logvar.detach().double().numpy()
    return torch.from_numpy((m**2 + np.expm1(v) - v).sum(axis=1) / 2).to(mean.dtype)


# right: a loop over the latents
def kl(mean, logvar):
    out = torch.zeros(len(mean), dtype=torch.float64)
    for j in range(mean.shape[1]):
        sigma = torch.exp(logvar[:, j].double() / 2)
        out += sigma**2 / 2 + mean[:, j] ** 2 / 2 - sigma.log() - 0.5
    return out


# right: minus a half times
def kl(mean, logvar):
    return -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp(), dim=1)


# right: determinant and trace
def kl(mean, logvar):
    out = []
    for m, v in zip(mean, logvar, strict=True):
        s = torch.diag(v.exp())
        out.append((torch.trace(s) + m @ m - len(m) - torch.logdet(s)) / 2)
    return torch.stack(out)


# wrong: one number
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum()


# wrong: mean over the batch
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1).mean()


# wrong: mean over the latents
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).mean(1)


# wrong: over the batch
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(0)


# wrong: per latent
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1)


# wrong: no half
def kl(mean, logvar):
    return (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: sign
def kl(mean, logvar):
    return 0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1)


# wrong: no one
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar).sum(1)


# wrong: one taken off once
def kl(mean, logvar):
    return 0.5 * ((mean**2 + logvar.exp() - logvar).sum(1) - 1)


# wrong: the other direction
def kl(mean, logvar):
    return 0.5 * (mean**2 * (-logvar).exp() + (-logvar).exp() + logvar - 1).sum(1)


# wrong: bits
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1) / math.log(2)


# wrong: logvar as the logarithm of sigma
def kl(mean, logvar):
    return (0.5 * (mean**2 + (2 * logvar).exp() - 1) - logvar).sum(1)


# wrong: sigma for its square
def kl(mean, logvar):
    return 0.5 * (mean**2 + (0.5 * logvar).exp() - logvar - 1).sum(1)


# wrong: logvar as the scale
def kl(mean, logvar):
    q = torch.distributions.Normal(mean, logvar.exp())
    p = torch.distributions.Normal(0.0, 1.0)
    return torch.distributions.kl_divergence(q, p).sum(1)


# wrong: mean not squared
def kl(mean, logvar):
    return 0.5 * (mean.abs() + logvar.exp() - logvar - 1).sum(1)


# wrong: sum of the means squared
def kl(mean, logvar):
    return 0.5 * (mean.sum(1) ** 2 + (logvar.exp() - logvar - 1).sum(1))


# wrong: mean left out
def kl(mean, logvar):
    return 0.5 * (logvar.exp() - logvar - 1).sum(1)


# wrong: variance left out
def kl(mean, logvar):
    return 0.5 * mean.square().sum(1)


# wrong: sign of the logarithm
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() + logvar - 1).sum(1)


# wrong: axis kept
def kl(mean, logvar):
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1, keepdim=True)


# wrong: free bits
def kl(mean, logvar):
    return (0.5 * (mean**2 + logvar.exp() - logvar - 1)).clamp(min=0.1).sum(1)


# wrong: logvar bounded
def kl(mean, logvar):
    v = logvar.clamp(-2, 2)
    return 0.5 * (mean**2 + v.exp() - v - 1).sum(1)


# wrong: estimated by a draw
def kl(mean, logvar):
    z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
    return 0.5 * (z**2 - (z - mean) ** 2 * (-logvar).exp() - logvar).sum(1)


# wrong: entropy
def kl(mean, logvar):
    return 0.5 * (logvar + 1 + math.log(2 * math.pi)).sum(1)


# exercise: autoencoder.elbo
# right: torch.distributions
def elbo(x, x_hat, mean, logvar, variance):
    scale = torch.as_tensor(variance, dtype=x.dtype).sqrt().expand_as(x)
    rec = torch.distributions.Normal(x_hat, scale).log_prob(x).flatten(1).sum(1)
    q = torch.distributions.Normal(mean, (logvar / 2).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return rec - torch.distributions.kl_divergence(q, p).sum(1)


# right: image by image in float64
def elbo(x, x_hat, mean, logvar, variance):
    out = []
    for a, b, m, v in zip(x.double(), x_hat.double(), mean.double(), logvar.double()):
        rec = -((a - b) ** 2).sum() / (2 * variance)
        rec = rec - a.numel() / 2 * math.log(2 * math.pi * variance)
        out.append(rec + 0.5 * (1 + v - m * m - v.exp()).sum())
    return torch.stack(out).to(x.dtype)


# right: einsum
def elbo(x, x_hat, mean, logvar, variance):
    gap = x - x_hat
    n = x.shape[1] * x.shape[2] * x.shape[3]
    fit = torch.einsum("bchw,bchw->b", gap, gap) / variance
    constants = n * (np.log(2 * np.pi) + np.log(float(variance)))
    cost = torch.einsum("bd->b", mean.square() + logvar.expm1() - logvar)
    return -0.5 * (fit + constants + cost)


# right: gaussian_nll_loss
def elbo(x, x_hat, mean, logvar, variance):
    var = torch.full_like(x, float(variance))
    nll = F.gaussian_nll_loss(x_hat, x, var, full=True, eps=1e-12, reduction="none")
    kl = 0.5 * (mean**2 + logvar.exp() - logvar - 1)
    return -nll.sum((1, 2, 3)) - kl.sum(1)


# right: log of the density
def elbo(x, x_hat, mean, logvar, variance):
    sigma = float(variance) ** 0.5
    z = (x - x_hat) / sigma
    log_density = -z.pow(2) / 2 - math.log(sigma * math.sqrt(2 * math.pi))
    kl = ((mean**2 + logvar.exp()) / 2 - logvar / 2 - 0.5).sum(dim=-1)
    return log_density.reshape(len(x), -1).sum(dim=-1) - kl


# wrong: no constants
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: constants once
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance).sum((1, 2, 3))
    rec = rec - 0.5 * math.log(2 * math.pi * variance)
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: pi without the variance
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: the variance without pi
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: constants of one channel
def elbo(x, x_hat, mean, logvar, variance):
    n = x.shape[-1] * x.shape[-2]
    rec = -0.5 * ((x - x_hat) ** 2 / variance).sum((1, 2, 3))
    rec = rec - 0.5 * n * math.log(2 * math.pi * variance)
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: constants of the batch
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance).sum((1, 2, 3))
    rec = rec - 0.5 * x.numel() * math.log(2 * math.pi * variance)
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: mean over the pixels
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).mean((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: mean over the latents
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).mean(1)


# wrong: plus the KL
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec + 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: a loss
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1) - rec


# wrong: variance taken for the standard deviation
def elbo(x, x_hat, mean, logvar, variance):
    rec = torch.distributions.Normal(x_hat, variance).log_prob(x).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: the fit by the standard deviation
def elbo(x, x_hat, mean, logvar, variance):
    rec = (x - x_hat) ** 2 / math.sqrt(variance) + math.log(2 * math.pi * variance)
    return -0.5 * rec.sum((1, 2, 3)) - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: unit variance
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 + math.log(2 * math.pi)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: no half before the fit
def elbo(x, x_hat, mean, logvar, variance):
    rec = -((x - x_hat) ** 2 / variance + 0.5 * math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: no half before the constants
def elbo(x, x_hat, mean, logvar, variance):
    rec = -(0.5 * (x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: sign of the constants
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance - math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: mean over the batch
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return (rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)).mean()


# wrong: KL of the whole batch
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum()


# wrong: no half before the KL
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: KL left out
def elbo(x, x_hat, mean, logvar, variance):
    return -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))


# wrong: bits
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return (rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)) / math.log(2)


# wrong: per pixel
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    out = rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)
    return out / x[0].numel()


# wrong: absolute
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat).abs() / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1)


# wrong: logvar as the logarithm of sigma
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    return rec - (0.5 * (mean**2 + (2 * logvar).exp() - 1) - logvar).sum(1)


# wrong: KL by a draw
def elbo(x, x_hat, mean, logvar, variance):
    rec = -0.5 * ((x - x_hat) ** 2 / variance + math.log(2 * math.pi * variance)).sum((1, 2, 3))
    eps = torch.randn_like(mean)
    z = mean + (0.5 * logvar).exp() * eps
    return rec - 0.5 * (z**2 - eps**2 - logvar).sum(1)


# exercise: autoencoder.heads_bug
# right: one layer, chunked
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.both = nn.Linear(n, 2 * d)

    def forward(self, h):
        return self.both(h).chunk(2, dim=-1)


# right: every other column
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.both = nn.Linear(n, 2 * d, bias=False)

    def forward(self, h):
        out = self.both(h)
        return out[:, 0::2], out[:, 1::2]


# right: logarithm of a softplus
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.variance = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), F.softplus(self.variance(h)).log()


# right: a hidden layer in each
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, 64), nn.GELU(), nn.Linear(64, d))
        self.logvar = nn.Sequential(nn.Linear(n, 64), nn.GELU(), nn.Linear(64, d))

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# right: parameters and einsum
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, n, d) / n**0.5)
        self.bias = nn.Parameter(torch.zeros(2, 1, d))

    def forward(self, h):
        mean, logvar = torch.einsum("bn,knd->kbd", h, self.weight) + self.bias
        return mean, logvar


# right: bounded far away
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return [self.mean(h), self.logvar(h).clamp(-30, 20)]


# wrong: tanh stays
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, d), nn.Tanh())
        self.logvar = nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: softplus stays
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Linear(n, d)
        self.logvar = nn.Sequential(nn.Linear(n, d), nn.Softplus())

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: only taken apart
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, d), nn.Tanh())
        self.logvar = nn.Sequential(nn.Linear(n, d), nn.Softplus())

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: ReLU in place of tanh
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, d), nn.ReLU())
        self.logvar = nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: sigmoid in place of tanh
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n, d), nn.Sigmoid())
        self.logvar = nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: ReLU in place of softplus
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Linear(n, d)
        self.logvar = nn.Sequential(nn.Linear(n, d), nn.ReLU())

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: the variance
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), self.logvar(h).exp()


# wrong: the standard deviation
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), (0.5 * self.logvar(h)).exp()


# wrong: minus softplus
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h), -F.softplus(self.logvar(h))


# wrong: one tensor
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.both = nn.Linear(n, 2 * d)

    def forward(self, h):
        return self.both(h)


# wrong: cut over the batch
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.both = nn.Linear(n, 2 * d)

    def forward(self, h):
        return self.both(h).chunk(2)


# wrong: half of d each
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.both = nn.Linear(n, d)

    def forward(self, h):
        return self.both(h).chunk(2, dim=1)


# wrong: one logvar for all latents
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, 1)

    def forward(self, h):
        return self.mean(h), self.logvar(h)


# wrong: logvar does not see the features
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Linear(n, d)
        self.logvar = nn.Parameter(torch.randn(d))

    def forward(self, h):
        return self.mean(h), self.logvar.expand(len(h), -1)


# wrong: logvar of zeros
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean = nn.Linear(n, d)

    def forward(self, h):
        mean = self.mean(h)
        return mean, torch.zeros_like(mean)


# wrong: mean bounded
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return self.mean(h).clamp(-1, 1), self.logvar(h)


# wrong: mean on the sphere
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        return F.normalize(self.mean(h), dim=1), self.logvar(h)


# wrong: a draw
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.mean, self.logvar = nn.Linear(n, d), nn.Linear(n, d)

    def forward(self, h):
        mean, logvar = self.mean(h), self.logvar(h)
        return mean + (0.5 * logvar).exp() * torch.randn_like(mean)


# wrong: layers made in forward
class Heads(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.n, self.d = n, d

    def forward(self, h):
        return nn.Linear(self.n, self.d)(h), nn.Linear(self.n, self.d)(h)
