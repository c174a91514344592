import difflib
import inspect
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from mmgen.diffusion import NoisePath, convert

class Level(NamedTuple):
    "One noise level of a path: x_t = alpha x_0 + sigma eps, with the slopes of both in t; Python floats."
    t: float
    alpha: float
    sigma: float
    d_alpha: float = math.nan
    d_sigma: float = math.nan

def step_size(now: Level, to: Level) -> float:
    "h, the rise of ln(alpha / sigma) from `now` to `to`: above 0 towards the data, infinite from pure noise and to clean data."
    up, down = now.sigma * to.alpha, now.alpha * to.sigma
    return math.log(up / down) if up and down else math.inf if up else -math.inf

def read_levels(path: NoisePath, times) -> list:
    "A `Level` for each of the times (n + 1,), falling or (inversion) rising. A last time 0 means the data: alpha 1, sigma 0."
    t = torch.as_tensor(times, dtype=torch.float64).cpu()
    if t.ndim != 1 or len(t) < 2: raise ValueError(f"times has shape {tuple(t.shape)}; expected one axis with two times or more")
    if not (t.isfinite() & (t >= 0) & (t <= 1)).all(): raise ValueError(f"times={t.tolist()[:5]}; expected numbers in [0, 1]")
    levels = [Level(*row) for row in zip(*(c.tolist() for c in (t, path.alpha(t), path.sigma(t), *path.slopes(t))))]
    if levels[-1].t == 0: levels[-1] = Level(0., 1., 0.)
    if not levels[0].sigma: raise ValueError(f"times[0]={levels[0].t:g} is without noise; start there with a time a little above 0")
    h = [step_size(a, b) for a, b in zip(levels, levels[1:])]
    if all(v > 0 for v in h) or all(v < 0 for v in h): return levels
    raise ValueError(f"times must fall at every step, from noise to data (or rise at every step, to invert); got {t.tolist()[:5]}")

def fresh(now: Level, to: Level) -> float:
    "1 - exp(-2 h): the share of the variance at `to` that a fully random step draws anew. ValueError for a step towards noise."
    if step_size(now, to) <= 0: raise ValueError(f"a step from t={now.t:g} to t={to.t:g} adds noise; random solvers only remove it")
    return 1 - (now.alpha * to.sigma / (to.alpha * now.sigma)) ** 2

def ddim(x, x0s, levels, look=None, draw=None, eta: float = 0.):
    "Mix the guess and the implied noise anew (Song et al. 2021, equation 12); eta = 1 is `ddpm`. Order 1."
    now, to = levels[-2:]
    if not 0 <= eta <= 1: raise ValueError(f"eta={eta}; expected a number from 0 (no new noise) to 1 (as in DDPM)")
    std = eta * to.sigma * math.sqrt(fresh(now, to)) if eta else 0.
    kept = math.sqrt(to.sigma ** 2 - std ** 2) / now.sigma
    x = torch.add(kept * x, x0s[-1], alpha=to.alpha - kept * now.alpha)    # (b, ...)
    return torch.add(x, draw(), alpha=std) if std else x

class State(NamedTuple):
    "A sampler after `step` steps, at time t: x_t, and the newest guess of the data x_0, both (b, ...)."
    step: int
    t: float
    x_t: torch.Tensor
    x_0: torch.Tensor

@torch.no_grad()
def _states(denoise, path, x, levels, step, rng, churn, options):
    "The walk itself: look, tell, step."
    def look(x, level):
        x_0 = denoise(x, x.new_full((len(x),), level.t))
        if x_0.shape != x.shape: raise ValueError(f"denoise gave shape {tuple(x_0.shape)}; expected that of x_t, {tuple(x.shape)}")
        return x_0.to(x.dtype)
    draw = lambda: torch.randn(x.shape, generator=rng, dtype=x.dtype, device=rng.device if rng else x.device).to(x.device)
    seen, x0s = levels[:1], []
    for i, to in enumerate(levels[1:]):
        if churn and i: x, seen[-1] = add_back(x, seen[-1], path, 1 + min(churn / (len(levels) - 1), math.sqrt(2) - 1), draw)
        x0s = [*x0s[-2:], look(x, seen[-1])]
        yield State(i, seen[-1].t, x, x0s[-1])
        seen = [*seen[-3:], to]
        x = step(x, x0s, seen, look=look, draw=draw, **options)
    yield State(i + 1, to.t, x, x0s[-1])

def sample(denoise,               # denoise(x_t, t) -> guess of x_0 in the shape of x_t; t (b,) in [0, 1]
           path: NoisePath,
           x_T: torch.Tensor,     # (b, ...) where the walk starts, at the first time: see `first_noise`
           n_steps: int = 20,     # steps of the grid, where `times` is a name
           times="uniform",       # "uniform", "log_snr" or "karras" (see `time_grid`), or the times themselves (n + 1,)
           solver="dpm2m",        # a name in SOLVERS, or a function with their signature
           rng=None,              # torch.Generator for solvers that draw; None: torch's own
           churn: float = 0.,     # noise put back in before each guess, over the whole walk (Karras et al. 2022, algorithm 2)
           **options):            # of the solver: `eta` of ddim, `variance` of ddpm
    "States of a walk from noise to data, as a generator (step, t, x_t, x_0); x_t is float32, or float64 if x_T is."
    step = find_solver(solver, options)
    if not churn >= 0: raise ValueError(f"churn={churn}; expected a number of at least 0")
    if not (isinstance(x_T, torch.Tensor) and x_T.is_floating_point() and x_T.ndim > 1):
        raise TypeError(f"x_T is {getattr(x_T, 'dtype', type(x_T).__name__)} of shape {tuple(getattr(x_T, 'shape', ()))}; expected floats (b, ...)")
    levels = read_levels(path, time_grid(path, n_steps, times) if isinstance(times, str) else times)
    return _states(denoise, path, x_T.to(torch.promote_types(x_T.dtype, torch.float32)), levels, step, rng, churn, options)

def finish(states) -> torch.Tensor:
    "The last x_t of a walk. FloatingPointError if it is not finite."
    last = None
    for last in states: pass
    if last is None: raise ValueError("states is used up; call sample(..) again")
    if last.x_t.isfinite().all(): return last.x_t
    raise FloatingPointError(f"x_t is not finite after step {last.step}: look at the states one by one, for x_0 of the denoiser")

SOLVERS = {}

def find_solver(solver, options=()):
    "The step function called `solver`, or `solver` itself. ValueError lists the names, TypeError an option that it does not have."
    if not callable(solver) and solver not in SOLVERS:
        near = difflib.get_close_matches(str(solver), SOLVERS, 1)
        raise ValueError(f"solver={solver!r}; expected one of {', '.join(SOLVERS)}" + (f". Did you mean {near[0]!r}?" if near else ""))
    step = SOLVERS.get(solver, solver) if isinstance(solver, str) else solver
    has = list(inspect.signature(step).parameters)[5:]
    if odd := [k for k in options if k not in has]: raise TypeError(f"{solver} has no option {odd[0]!r}; it has {', '.join(has) or 'none'}")
    return step

SOLVERS["ddim"] = ddim

def first_noise(path: NoisePath, *shape, t: float = 1., rng=None, dtype=torch.float32) -> torch.Tensor:
    "Noise of the size that the path has at time t: sigma(t) eps, of this shape."
    return path.sigma(torch.tensor(t, dtype=torch.float64)).item() * torch.randn(*shape, generator=rng, dtype=dtype)

GRIDS = ("uniform", "log_snr", "karras")

def time_grid(path: NoisePath,
              n_steps: int,             # guesses to make
              kind: str = "uniform",    # even in t; even in log-SNR (Lu et al. 2022); even in (sigma / alpha)^(1 / rho)
              log_snr=(-10., 10.),      # for the last two, the range of guesses after the first: beyond it there is little to decide
              rho: float = 7.,          # Karras et al. 2022, equation 5
              ) -> torch.Tensor:        # (n_steps + 1,) float64, from 1 to 0
    "Times at which a walk of n_steps steps guesses, then 0, the data."
    if kind not in GRIDS: raise ValueError(f"kind={kind!r}; expected one of {', '.join(GRIDS)}")
    if not (isinstance(n_steps, int) and n_steps >= 1): raise ValueError(f"n_steps={n_steps!r}; expected a whole number of at least 1")
    if kind == "uniform": return torch.linspace(1, 0, n_steps + 1, dtype=torch.float64)
    even = torch.linspace(0, 1, n_steps, dtype=torch.float64)
    low, high = path.log_snr(torch.tensor([1., 0.], dtype=torch.float64)).clamp(*log_snr).tolist()
    if kind == "log_snr": points = low + even * (high - low)
    else: points = -2 * rho * torch.log(math.exp(-low / 2 / rho) * (1 - even) + math.exp(-high / 2 / rho) * even)
    return torch.cat([torch.ones(1), path.t_at(points[1:]), torch.zeros(1)]).double()

@dataclass(frozen=True)
class Denoiser:
    "A network model(x_t, t, labels) on a path as a denoiser: its prediction, of kind `predict`, as a guess of x_0."
    model: object            # called in its own dtype; t stays float32 or better
    path: NoisePath
    predict: str             # "eps", "x0", "v", "flow" or "score"
    labels: object = None    # (b,) int64, one int for all, or None

    def __call__(self, x_t, t):
        labels = self.labels_for(x_t)
        dtype = next((p.dtype for p in getattr(self.model, "parameters", lambda: iter(()))()), x_t.dtype)
        said = self.model(x_t.to(dtype), t.to(torch.promote_types(dtype, torch.float32)), labels)
        return convert(said.to(x_t.dtype), x_t, t, self.path, self.predict, "x0")

    def labels_for(self, x_t):
        "The labels as a tensor (b,), or None. ValueError where their number does not fit."
        if self.labels is None: return None
        labels = torch.as_tensor(self.labels, device=x_t.device)
        if labels.ndim == 0: return labels.expand(len(x_t))
        if labels.shape == x_t.shape[:1]: return labels
        raise ValueError(f"labels has shape {tuple(labels.shape)}; expected ({len(x_t)},), one for each of x_t {tuple(x_t.shape)}")

VARIANCES = ("small", "large")

def ddpm(x, x0s, levels, look=None, draw=None, variance: str = "small"):
    "Draw from the posterior of the next level, given the guess (Ho et al. 2020, section 3.2; for any two levels of any path)."
    if variance not in VARIANCES: raise ValueError(f"variance={variance!r}; expected one of {', '.join(VARIANCES)}")
    now, to = levels[-2:]
    new = fresh(now, to)                                                   # 1 - e^-2h
    x = torch.add(to.sigma / now.sigma * math.sqrt(1 - new) * x, x0s[-1], alpha=to.alpha * new)
    if not to.sigma: return x
    return torch.add(x, draw(), alpha=math.sqrt(new) * (to.sigma if variance == "small" else now.sigma))

SOLVERS["ddpm"] = ddpm

def euler(x, x0s, levels, look=None, draw=None):
    "Along dx/dt = alpha' x_0 + sigma' eps, straight in t. Order 1; the last step, to the data, takes the guess."
    now, to = levels[-2:]
    if not to.sigma: return to.alpha * x0s[-1]
    pull = (to.t - now.t) * now.d_sigma / now.sigma
    return torch.add((1 + pull) * x, x0s[-1], alpha=(to.t - now.t) * now.d_alpha - pull * now.alpha)

SOLVERS["euler"] = euler

def heun(x, x0s, levels, look, draw=None):
    "DDIM, then a second look where it lands (Karras et al. 2022, algorithm 1). Order 2, two calls a step; one where an end is infinite."
    h, x_e = step_size(*levels[-2:]), ddim(x, x0s, levels)
    if not math.isfinite(h): return x_e
    return torch.add(x_e, look(x_e, levels[-1]) - x0s[-1], alpha=levels[-1].alpha * math.expm1(h) / 2)

SOLVERS["heun"] = heun

def extrapolate(x0s, levels):
    "The guess half a step ahead, on the line through the last two over ln(alpha / sigma); the last alone where that is not to be had."
    h = step_size(*levels[-2:])
    if len(x0s) < 2 or not math.isfinite(h): return x0s[-1]
    return torch.lerp(x0s[-2], x0s[-1], 1 + h / step_size(*levels[-3:-1]) / 2)   # (b, ...)

def dpm2m(x, x0s, levels, look=None, draw=None):
    "`ddim` with the extrapolated guess: DPM-Solver++ 2M (Lu et al. 2022, algorithm 2). Order 2, one call a step."
    return ddim(x, [extrapolate(x0s, levels)], levels)

def dpm2m_sde(x, x0s, levels, look=None, draw=None):
    "`ddpm` with the extrapolated guess: SDE-DPM-Solver++ 2M (Lu et al. 2022, section 5)."
    return ddpm(x, [extrapolate(x0s, levels)], levels, draw=draw)

SOLVERS.update(dpm2m=dpm2m, dpm2m_sde=dpm2m_sde)

def unic(x, x0s, levels):
    "x at levels[-1], repaired by the guess x0s[-1] that was made there: UniC of order 2 (Zhao et al. 2023, section 3.1)."
    if len(x0s) < 2: return x
    now, to = levels[-2:]
    h, gain = step_size(now, to), to.alpha - now.alpha * to.sigma / now.sigma
    if len(x0s) < 3 or not math.isfinite(h): return torch.add(x, x0s[-1] - x0s[-2], alpha=gain / 2)
    ratio = h / step_size(*levels[-3:-1])                                  # of this step and the one before
    phi_1 = math.expm1(-h)
    phi_2 = -phi_1 / h - 1
    b_1, b_2 = phi_2 / phi_1, -(2 * phi_2 / h + 1) / phi_1                 # means of 1 and of a straight line over the step
    old = (b_1 - b_2) * ratio / (1 + ratio)
    x = torch.add(x, x0s[-1] - x0s[-2], alpha=gain * (b_1 - old))
    return torch.add(x, x0s[-2] - x0s[-3], alpha=gain * (old - .5) * ratio)

def unipc(x, x0s, levels, look=None, draw=None):
    "Repair the last step, then the 2M step: UniPC-2 (Zhao et al. 2023, algorithm 1, B(h) = exp(h) - 1). Order 3, one call a step."
    return dpm2m(unic(x, x0s, levels[:-1]), x0s, levels)

SOLVERS["unipc"] = unipc

def add_back(x, level: Level, path: NoisePath, factor: float, draw):
    "x and its level after noise is put back in until sigma / alpha is `factor` times larger (Karras et al. 2022, algorithm 2)."
    t = path.t_at(torch.tensor([2 * math.log(level.alpha / level.sigma / factor)], dtype=torch.float64))
    up = read_levels(path, [t.item(), 0.])[0]
    keep = up.alpha / level.alpha
    return torch.add(keep * x, draw(), alpha=math.sqrt(max(0., up.sigma ** 2 - (keep * level.sigma) ** 2))), up

def invert(denoise, path: NoisePath, x_0: torch.Tensor, n_steps: int = 50, times=None, solver="ddim"):
    "States of a walk from data x_0 (b, ...) up to noise; `sample` over the same times, reversed, comes back. Plain solvers only."
    if times is None: times = time_grid(path, n_steps + 1, "log_snr")[:-1].flip(0)
    start = read_levels(path, times)[0]
    return sample(denoise, path, start.alpha * x_0, times=times, solver=solver)

def both(one, other, x_t, t):
    "The guesses of two denoisers, in one call where they are the same network with different labels."
    joint = isinstance(one, Denoiser) and isinstance(other, Denoiser) and one.labels is not None and other.labels is not None
    if not (joint and one.model is other.model and (one.path, one.predict) == (other.path, other.predict)): return one(x_t, t), other(x_t, t)
    labels = torch.cat([one.labels_for(x_t), other.labels_for(x_t)])
    return Denoiser(one.model, one.path, one.predict, labels)(torch.cat([x_t, x_t]), torch.cat([t, t])).chunk(2)

def guided(cond, uncond,          # denoisers: with the label and without; or a good one and a worse one (autoguidance)
           s: float,              # 1 is none and costs one call; 0 is uncond; papers' w is s - 1
           rescale: float = 0.,   # 1 gives each guess the standard deviation of cond's (Lin et al. 2024, section 3.4)
           interval=(0., 1.)):    # times at which to guide (Kynkaanniemi et al. 2024)
    "A denoiser that goes from uncond's guess to cond's and on (Ho & Salimans 2022; Karras et al. 2024 for a worse model as uncond)."
    low, high = interval
    if not (math.isfinite(s) and 0 <= rescale <= 1 and 0 <= low < high <= 1):
        raise ValueError(f"s={s}, rescale={rescale}, interval={interval}; expected a finite s, rescale in [0, 1], 0 <= low < high <= 1")
    def denoise(x_t, t):
        inside = (t >= low) & (t <= high)                                  # (b,)
        if s == 1 or not inside.any(): return cond(x_t, t)
        c, u = both(cond, uncond, x_t, t)
        x_0 = u + s * (c - u)
        if rescale: x_0 = x_0 * (rescale * _std(c) / _std(x_0) + 1 - rescale)
        return torch.where(inside.view(-1, *[1] * (x_t.ndim - 1)), x_0, c)
    return denoise

def _std(x): return x.std(tuple(range(1, x.ndim)), keepdim=True)

def thresholded(denoise, quantile: float = .995):
    "A denoiser whose guesses stay in [-1, 1]: clipped at that quantile of |x_0| of each image, if above 1, and divided by it (Imagen)."
    if not 0 < quantile <= 1: raise ValueError(f"quantile={quantile}; expected a number in (0, 1]")
    def limited(x_t, t):
        x_0 = denoise(x_t, t)
        far = x_0.flatten(1).abs().float().quantile(quantile, dim=1).clamp(min=1).to(x_0.dtype)    # (b,)
        far = far.view(-1, *[1] * (x_0.ndim - 1))
        return x_0.clamp(-far, far) / far
    return limited

def exact_denoiser(data: torch.Tensor, path: NoisePath):  # (n, ...)
    "The best possible denoiser for data that are exactly these n examples: their mean, weighted by the probability of each given x_t."
    flat = data.flatten(1)                                                 # (n, d)
    half = flat.square().sum(1) / 2                                        # (n,)
    def denoise(x_t, t):
        alpha, sigma = path.alpha(t).to(x_t)[:, None], path.sigma(t).to(x_t)[:, None]
        fit = (alpha * (x_t.flatten(1) @ flat.T.to(x_t)) - alpha ** 2 * half.to(x_t)) / sigma ** 2     # (b, n) -|x - alpha x_i|^2 / 2 sigma^2 + const
        return (fit.softmax(1) @ flat.to(x_t)).view_as(x_t)
    return denoise

