"""Networks that others trained, in the samplers of this library: what they expect besides x_t.

Read `PublishedDenoiser` first: a network's clock, its kind of prediction and its channels in one
place. `BetaPath` is a noise path along a table of betas, `scaled_linear_betas` the table of Stable
Diffusion, `step_times` where that path meets whole steps. `EDMDenoiser` adds EDM's
preconditioning, `shifted` and `flow_clock` are what flow models such as SD3 use.

```python
>>> from mmgen.samplers import finish, sample
>>> path = BetaPath(scaled_linear_betas())
>>> def network(x_t, k, labels):  # told whole steps; two channels of noise, two of a variance
...     return torch.cat([x_t, 0 * x_t], 1)
>>> denoise = PublishedDenoiser(network, path, "eps", clock=path.clock, channels=2)
>>> x_T = torch.ones(1, 2, 8, 8)
>>> finish(sample(denoise, path, x_T, times=step_times([981, 481, 1], 1000))).shape
torch.Size([1, 2, 8, 8])

```
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from ..checks import number, whole
from ..diffusion import EDMPath, NoisePath, as_times, per_example
from ..samplers import Denoiser, dtype_of, labels_for

__all__ = [
    "scaled_linear_betas", "BetaPath", "step_times", "PublishedDenoiser", "EDMDenoiser",
    "edm_times", "shifted", "flow_clock",
]  # fmt: skip


def scaled_linear_betas(
    n_steps: int = 1000, start: float = 0.00085, end: float = 0.012
) -> torch.Tensor:  # (n_steps,) float64
    """Betas whose roots are evenly spaced: the schedule of Stable Diffusion (Rombach et al. 2022,
    in their published configuration).
    """
    whole("n_steps", n_steps, 2)
    number("start", start, 0, 1, "()")
    number("end", end, 0, 1, "()")
    return torch.linspace(start**0.5, end**0.5, n_steps, dtype=torch.float64) ** 2


@dataclass(frozen=True)
class BetaPath(NoisePath):
    """The path along a table of T betas: at t = (k + 1) / T it stands where step k of the chain
    does, and at t = 0 at the data. Between two steps the angle atan(sigma / alpha) is linear in t.
    """

    betas: tuple  # (T,), each in (0, 1]; a tensor or list is turned into a tuple

    def __post_init__(self):
        betas = torch.as_tensor(self.betas, dtype=torch.float64)
        if betas.ndim != 1 or len(betas) < 2 or not ((betas > 0) & (betas <= 1)).all():
            raise ValueError(
                f"betas has shape {tuple(betas.shape)}, starts {betas.flatten()[:3].tolist()}; "
                "expected (T,), each in (0, 1]"
            )
        object.__setattr__(self, "betas", tuple(betas.tolist()))

    def clock(self, t):
        "The step of the chain at times t, as the network was trained on: 0 at t = 1 / T."
        step = as_times(t) * len(self.betas) - 1
        near = step.round()
        return torch.where((step - near).abs() < 1e-3, near, step).to(t)  # t may be float32

    def _angles(self, t):
        "(angle, d angle / dt) at times t."
        angles = _angles_of(self.betas).to(t.device)  # (T + 1,), 0 at the data
        place = t * (len(angles) - 1)
        left = place.floor().long().clamp(max=len(angles) - 2)
        rise = angles[left + 1] - angles[left]
        return angles[left] + (place - left) * rise, rise * (len(angles) - 1)

    def _alpha(self, t):
        angle, _ = self._angles(t)
        return torch.where(angle >= math.pi / 2, 0.0, angle.cos())

    def _sigma(self, t):
        return self._angles(t)[0].sin()

    def _slopes(self, t):
        angle, rise = self._angles(t)
        return -rise * angle.sin(), rise * angle.cos()

    def _t_at(self, log_snr):
        angles = _angles_of(self.betas).to(log_snr.device)
        angle = (-log_snr / 2).exp().atan()
        right = torch.searchsorted(angles, angle).clamp(1, len(angles) - 1)
        low, high = angles[right - 1], angles[right]
        return (right - 1 + (angle - low) / (high - low)) / (len(angles) - 1)


@lru_cache(maxsize=16)
def _angles_of(betas: tuple) -> torch.Tensor:
    "atan(sigma / alpha) before the first and after every step, (T + 1,) float64."
    alpha_bar = (1 - torch.tensor(betas, dtype=torch.float64)).cumprod(0)
    angles = torch.atan2((1 - alpha_bar).sqrt(), alpha_bar.sqrt())
    return torch.cat([torch.zeros(1, dtype=torch.float64), angles])


def step_times(steps, n_steps: int, end: str = "first") -> torch.Tensor:
    """Times on a `BetaPath` of falling whole steps (n,), and where the walk ends: at the level of
    step 0 ("first", as Stable Diffusion does) or at the data ("data", as DDIM and DiT do).
    """
    if end not in ("first", "data"):
        raise ValueError(f"end={end!r}; expected 'first' or 'data'")
    steps = torch.as_tensor(steps, dtype=torch.float64)
    if steps.ndim != 1 or not len(steps) or not ((steps >= 0) & (steps < n_steps)).all():
        raise ValueError(
            f"steps has shape {tuple(steps.shape)}, starts {steps.flatten()[:3].tolist()}; "
            f"expected (n,), each from 0 to {n_steps - 1}"
        )
    last = 1 / n_steps if end == "first" else 0.0
    return torch.cat([(steps + 1) / n_steps, torch.tensor([last], dtype=torch.float64)])


@dataclass(frozen=True)
class PublishedDenoiser(Denoiser):
    """A published network model(x_t, time, labels) as a denoiser on a path: what it predicts, by
    which clock it lives, and which of its channels are the prediction.
    """

    clock: object = None  # t (b,) in [0, 1] -> its time (b,); None: t itself
    channels: int | None = None  # the first so many are the prediction, the rest a variance

    def __call__(self, x_t, t):
        dtype = dtype_of(self.model, x_t)
        time = t.to(torch.promote_types(dtype, torch.float32))  # (b,)
        if self.clock is not None:
            time = self.clock(time)
        output = self.model(x_t.to(dtype), time, labels_for(x_t, self.labels))
        prediction = output[:, : self.channels]  # (b, c, ...)
        if prediction.shape != x_t.shape:
            raise ValueError(
                f"model gave shape {tuple(output.shape)}, of which channels={self.channels} are "
                f"the prediction; expected {tuple(x_t.shape)}, as x_t"
            )
        return self.to_x_0(prediction.to(x_t.dtype), x_t, t)


@dataclass(frozen=True)
class EDMDenoiser:
    """A network F(c_in x, c_noise, labels) with EDM's preconditioning as a denoiser: c_skip x +
    c_out F (Karras et al. 2022, equation 7 and table 1). x_t = x_0 + sigma eps, an `EDMPath`.
    """

    model: object
    path: NoisePath = EDMPath()
    sigma_data: float = 0.5  # standard deviation of the data that it was trained on
    labels: object = None  # (b,) int64, one int for all, or None

    def __call__(self, x_t, t):
        dtype = dtype_of(self.model, x_t)
        sigma = self.path.sigma(as_times(t))  # (b,) float64
        scale = (sigma**2 + self.sigma_data**2).sqrt()
        c_skip = per_example(self.sigma_data**2 / scale**2, x_t)
        c_out = per_example(sigma * self.sigma_data / scale, x_t)
        c_in = per_example(1 / scale, x_t)
        c_noise = (sigma.log() / 4).to(torch.promote_types(dtype, torch.float32))
        labels = labels_for(x_t, self.labels)
        output = self.model((c_in * x_t).to(dtype), c_noise, labels)  # (b, c, ...)
        return c_skip * x_t + c_out * output.to(x_t.dtype)


def edm_times(n_steps: int = 18) -> torch.Tensor:  # (n_steps + 1,) float64
    """The grid of EDM on its own path: sigma_max to sigma_min in n_steps guesses, then the data
    (Karras et al. 2022, equation 5).
    """
    whole("n_steps", n_steps, 2)
    zero = torch.zeros(1, dtype=torch.float64)
    return torch.cat([torch.linspace(1, 0, n_steps, dtype=torch.float64), zero])


def shifted(times, shift: float = 3.0) -> torch.Tensor:
    """Times moved toward the noise, as large pictures need: s t / (1 + (s - 1) t) (Esser et al.
    2024, equation 23); 1 changes nothing.
    """
    number("shift", shift, 0, ends="(]")
    t = as_times(times, "times")
    return shift * t / (1 + (shift - 1) * t)


def flow_clock(n_steps: int = 1000):
    "The clock of flow models that count to n_steps: t (b,) -> n_steps t."
    return lambda t: n_steps * t
