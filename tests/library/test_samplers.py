"""Samplers: orders against an independent solution, formulas written from the papers, diffusers
where it is there, faults.
"""

import math
from functools import cache, partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from mmgen.chain import GaussianDiffusion, linear_betas
from mmgen.diffusion import PATHS, noise_path
from mmgen.guidance import exact_denoiser
from mmgen.predictions import Mixture, convert
from mmgen.samplers import (
    GRIDS,
    SOLVERS,
    Denoiser,
    Level,
    ddim,
    ddpm,
    euler,
    finish,
    first_noise,
    heun,
    invert,
    read_levels,
    sample,
    sampler_loop,
    step_size,
    time_grid,
)

CLOUDS = Mixture([[2.0, 0.0], [-1.0, 1.5], [-1.0, -1.5]], [0.3, 0.5, 0.4], [0.5, 0.3, 0.2])
PLAIN = ("ddim", "euler", "heun", "dpm2m", "unipc")
RANDOM = ("ddpm", "dpm2m_sde")
f64 = torch.float64


def exact(path, mixture=CLOUDS):
    return lambda x, t: mixture.denoise(x, t, path)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=f64)


def lam_grid(path, n, low=-3.0, high=3.0):
    return path.t_at(2 * torch.linspace(low, high, n + 1, dtype=f64))


def posterior_mean(y, nu, mixture=CLOUDS):
    "Mean of x_0 given y = x_0 + nu eps, written out."
    variance = mixture.stds**2 + nu**2  # (k,)
    log = torch.stack(
        [
            w.log() - (y - m).square().sum(1) / (2 * v) - v.log()
            for m, v, w in zip(mixture.means, variance, mixture.weights)
        ],
        1,
    )
    weights = (log - log.logsumexp(1, keepdim=True)).exp()
    return sum(
        w[:, None] * (m + (s * s / v) * (y - m))
        for w, m, s, v in zip(weights.T, mixture.means, mixture.stds, variance)
    )


@cache
def truth(low=-3.0, high=3.0, n=32):
    """Starts in noise (n, 2), and where the flow dy / dlambda = x_0 - y takes y = x / alpha from
    lambda = low to high, by scipy.
    """
    integrate, noise = pytest.importorskip("scipy.integrate"), randn(n, 2)

    def slope(lam, y):
        return (
            (posterior_mean(v := torch.tensor(y).view(-1, 2), math.exp(-lam)) - v).numpy().ravel()
        )

    start = (noise * math.exp(-low)).numpy().ravel()
    run = integrate.solve_ivp(slope, (low, high), start, method="DOP853", rtol=1e-11, atol=1e-12)
    return noise, torch.tensor(run.y[:, -1].reshape(-1, 2))


# Order


@pytest.mark.parametrize("name", PATHS)
def test_every_plain_solver_has_its_order_and_the_true_end(name):
    path = noise_path(name)
    noise, end = truth()
    first, last = lam_grid(path, 1)
    x, end = noise * path.sigma(first), end * path.alpha(last)
    for solver, order in dict(ddim=1, euler=1, heun=2, dpm2m=2, unipc=3).items():
        pair = (256, 512) if solver == "euler" else (64, 128)
        errors = [
            (finish(sample(exact(path), path, x, times=lam_grid(path, n), solver=solver)) - end)
            .norm(dim=1)
            .mean()
            .item()
            for n in pair
        ]
        if not (
            solver == "euler" and name == "linear"
        ):  # sigma' is steep there: asymptotic only with many more steps
            assert abs(math.log2(errors[0] / errors[1]) - order) < 0.25, (solver, errors)
        assert errors[1] < (0.1 if order == 1 else 1e-3)


@pytest.mark.parametrize("name", ["cosine", "flow", "edm"])
@pytest.mark.parametrize("grid", GRIDS)
def test_all_plain_solvers_end_at_the_same_points(name, grid):
    path = noise_path(name)
    x = first_noise(path, 16, 2, generator=generator(), dtype=f64)
    ends = {
        s: finish(sample(exact(path), path, x, 400, times=grid, solver=s))
        for s in ("ddim", "heun", "dpm2m", "unipc")
    }
    for s, end in ends.items():
        assert (end - ends["unipc"]).norm(dim=1).mean() < (3e-2 if s == "ddim" else 2e-3), s


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(list(PATHS)),
    n=st.integers(1, 12),
    grid=st.sampled_from(GRIDS),
    solver=st.sampled_from(PLAIN + RANDOM),
)
def test_one_point_is_always_found(name, n, grid, solver):
    path, point = noise_path(name), torch.tensor([[3.0, -1.0], [0.5, 2.0]], dtype=f64)
    x = first_noise(path, 2, 2, generator=generator(n), dtype=f64)
    assert_close(
        finish(
            sample(
                lambda x, t: point, path, x, n, times=grid, solver=solver, generator=generator(1)
            )
        ),
        point,
    )


# Formulas of the papers, written out


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_is_equation_12(name, eta):
    path, x, x_0, noise = noise_path(name), randn(4, 3), randn(4, 3, seed=1), randn(4, 3, seed=2)
    now, to = read_levels(path, [0.7, 0.4])
    a, b = now.alpha**2, to.alpha**2  # alpha-bar of the paper's alpha
    std = eta * math.sqrt((1 - b) / (1 - a)) * math.sqrt(1 - a / b)  # equation 16
    eps = (x - math.sqrt(a) * x_0) / math.sqrt(1 - a)
    want = math.sqrt(b) * x_0 + math.sqrt(1 - b - std**2) * eps + std * noise
    assert_close(ddim(x, x_0, now, to, eta=eta, randn_like=lambda x: noise), want)


def test_ddpm_is_the_posterior_of_a_chain_of_betas():
    chain, x, x_0, noise = (
        GaussianDiffusion(linear_betas()),
        randn(4, 3),
        randn(4, 3, seed=1),
        randn(4, 3, seed=2),
    )
    bar = (1 - linear_betas()).cumprod(0)
    for i in (1, 10, 500, 999):
        beta, before, now = linear_betas()[i], bar[i - 1], bar[i]
        mean = (
            before.sqrt() * beta / (1 - now) * x_0
            + (1 - beta).sqrt() * (1 - before) / (1 - now) * x
        )  # equation 7
        levels = [Level(0, bar[j].sqrt().item(), (1 - bar[j]).sqrt().item()) for j in (i, i - 1)]
        for variance, value in (("small", (1 - before) / (1 - now) * beta), ("large", beta)):
            assert_close(
                ddpm(x, x_0, *levels, variance=variance, randn_like=lambda x: noise),
                mean + value.sqrt() * noise,
                rtol=1e-9,
                atol=1e-9,
            )
        assert_close(chain.posterior(x_0, x, torch.full((4,), i))[0], mean)


@pytest.mark.parametrize("name", PATHS)
def test_ddpm_is_ddim_with_eta_one(name):
    levels, noise = read_levels(noise_path(name), [0.8, 0.3]), randn(4, 3, seed=2)
    x, x_0 = randn(4, 3), randn(4, 3, seed=1)
    assert_close(
        ddpm(x, x_0, *levels, randn_like=lambda x: noise),
        ddim(x, x_0, *levels, eta=1.0, randn_like=lambda x: noise),
    )


@pytest.mark.parametrize("variance", ["small", "large"])
def test_a_random_step_is_unbiased_where_it_should_be(variance):
    """Data N(0, 1): the large variance keeps N(0, 1) over any step; one point: the small variance
    keeps the marginal.
    """
    path, g = noise_path("cosine"), generator()
    (now, to), n = read_levels(path, [0.8, 0.3]), 200_000
    if variance == "large":
        x = torch.randn(n, 1, generator=g)
        x_0 = now.alpha * x
        want = 0.0, 1.0
    else:
        x = 2 * now.alpha + now.sigma * torch.randn(n, 1, generator=g)
        x_0 = torch.full_like(x, 2.0)
        want = 2 * to.alpha, to.sigma
    out = ddpm(x, x_0, now, to, variance, randn_like=lambda x: torch.randn(x.shape, generator=g))
    assert abs(out.mean() - want[0]) < 0.01 and abs(out.std() - want[1]) < 0.01


def test_euler_is_dx_dt_on_every_path_and_ddim_on_flow():
    for name in PATHS:
        path, x, x_0 = noise_path(name), randn(4, 3), randn(4, 3, seed=1)
        flow = convert(x_0, x, torch.full((4,), 0.6, dtype=f64), path, "x0", "flow")
        assert_close(euler(x, x_0, *read_levels(path, [0.6, 0.5])), x - 0.1 * flow)
    assert_close(
        euler(x, x_0, *read_levels(path, [0.6, 0.5])),
        ddim(x, x_0, *read_levels(path, [0.6, 0.5])),
    )  # the last is flow


def edm_sampler(denoise, x, sigmas):
    "Algorithm 1 of Karras et al. 2022 with sigma(t) = t, s(t) = 1."
    for now, to in zip(sigmas, sigmas[1:]):
        d = (x - denoise(x, now)) / now
        x_e = x + (to - now) * d
        x = x_e if to == 0 else x + (to - now) * (d + (x_e - denoise(x_e, to)) / to) / 2
    return x


def test_heun_is_edm_algorithm_1():
    path, sigmas = noise_path("edm"), [80.0, 20.0, 5.0, 1.0, 0.1, 0.002, 0.0]

    def at(s):
        return path.t_at(torch.tensor(-2 * math.log(s), dtype=f64))

    x = 80 * randn(8, 2)
    want = edm_sampler(lambda x, s: CLOUDS.denoise(x, at(s), path), x, sigmas)
    times = [at(s).item() for s in sigmas[:-1]] + [0.0]
    assert times[-2] == 0  # the least noise of this path is its t = 0, then comes the data
    got = finish(sample(exact(path), path, x, times=[*times[:-2], 1e-9, 0.0], solver="heun"))
    assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_karras_grid_is_equation_5():
    path, n = noise_path("edm"), 18
    t = time_grid(path, n, "karras", log_snr=(-100.0, 100.0))
    want = [
        (80 ** (1 / 7) + i / (n - 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(n)
    ]
    assert_close(path.sigma(t[:-1]), torch.tensor(want, dtype=f64))
    assert t[-1] == 0


def exp_integrator_2m(denoise, path, x, times):
    """DPM-Solver++ 2M of Lu et al. 2022, algorithm 2, and equation 4.1 for the first and the last
    step.
    """
    a, s = path.alpha(times), path.sigma(times)
    lam, before = (a / s).log(), None
    for i in range(len(times) - 1):
        x_0 = denoise(x, times[i])
        h = lam[i + 1] - lam[i]
        D = x_0
        if i and h.isfinite():
            r = (lam[i] - lam[i - 1]) / h
            D = (1 + 1 / (2 * r)) * x_0 - 1 / (2 * r) * before
        x = s[i + 1] / s[i] * x - a[i + 1] * torch.expm1(-h) * D
        before = x_0
    return x


@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
def test_dpm2m_is_its_paper(name):
    path, times = noise_path(name), torch.tensor([0.95, 0.8, 0.55, 0.5, 0.2, 0.1, 0.0], dtype=f64)
    x = randn(8, 2)
    assert_close(
        finish(sample(exact(path), path, x, times=times, solver="dpm2m")),
        exp_integrator_2m(exact(path), path, x, times),
    )


def unipc_of_the_paper(denoise, path, x, times):
    """UniPC-2, B(h) = exp(h) - 1 (Zhao et al. 2023, section 3) for guesses of x_0: weights from the
    2 x 2 system, corrector after each call.
    """
    a, s = path.alpha(times), path.sigma(times)
    lam, m, before = (a / s).log(), [], None
    for i in range(len(times)):
        if i == len(times) - 1 and s[i] == 0:
            return x
        if i == len(times) - 1:
            return x
        m.append(denoise(x, times[i]))
        if i:  # correct x at i, starting from x before the last step
            h = lam[i] - lam[i - 1]
            base = s[i] / s[i - 1] * before - a[i] * torch.expm1(-h) * m[i - 1]
            B, phi = torch.expm1(-h), torch.expm1(-h) / -h - 1
            if i == 1:
                x = base - a[i] * B * 0.5 * (m[1] - m[0])
            else:
                r = (lam[i - 2] - lam[i - 1]) / h
                b = torch.stack([phi / B, 2 * (phi / -h - 0.5) / B])
                rho = torch.linalg.solve(
                    torch.stack([torch.ones(2, dtype=f64), torch.stack([r, torch.ones_like(r)])]), b
                )
                x = base - a[i] * B * (
                    rho[0] * (m[i - 2] - m[i - 1]) / r + rho[1] * (m[i] - m[i - 1])
                )
        before, h = x, lam[i + 1] - lam[i]
        x = s[i + 1] / s[i] * x - a[i + 1] * torch.expm1(-h) * m[i]
        if i and h.isfinite():
            x = x - a[i + 1] * torch.expm1(-h) * 0.5 * (m[i] - m[i - 1]) * h / (lam[i] - lam[i - 1])


@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
@pytest.mark.parametrize("last", [0.0, 0.05])
def test_unipc_is_its_paper(name, last):
    path, times = noise_path(name), torch.tensor([0.95, 0.8, 0.55, 0.5, 0.2, 0.1, last], dtype=f64)
    x = randn(8, 2)
    assert_close(
        finish(sample(exact(path), path, x, times=times, solver="unipc")),
        unipc_of_the_paper(exact(path), path, x, times),
    )


# diffusers, where it is installed


@pytest.fixture
def diffusers():
    return pytest.importorskip("diffusers")


def toy_eps(x, alpha, sigma):
    "An eps network that is far from constant, and its guess of the data."
    eps = torch.tanh(x / (1 + sigma) + 0.3 * sigma) + 0.1 * x / (1 + sigma)
    return eps, (x - sigma * eps) / alpha


def walk(step, levels, x, draws=None):
    "Our solver on given levels (alpha, sigma)."
    levels = [Level(float(len(levels) - i), *v) for i, v in enumerate(levels)]

    def denoise(x, level):
        return toy_eps(x, level.alpha, level.sigma)[1]

    return finish(sampler_loop(denoise, None, x, levels, step, randn_like=lambda x: next(draws)))


def peer_walk(scheduler, n, x, levels_of, **step_args):
    """A diffusers scheduler with the toy network; `levels_of(scheduler, i)` gives alpha, sigma of
    its i-th call and the factor of its x.
    """
    for i, t in enumerate(scheduler.timesteps):
        alpha, sigma, scale = levels_of(scheduler, i)
        eps = toy_eps(x * scale, alpha, sigma)[0]
        x = scheduler.step(eps, t, x, **step_args).prev_sample
    return x


BETAS = dict(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")


def test_diffusers_ddim(diffusers):
    s = diffusers.DDIMScheduler(
        **BETAS, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    s.set_timesteps(10)
    bar = s.alphas_cumprod.double()
    levels = [(bar[t].sqrt().item(), (1 - bar[t]).sqrt().item()) for t in s.timesteps] + [
        (1.0, 0.0)
    ]
    x = randn(4, 2, 3, 3)
    assert_close(
        walk(ddim, levels, x),
        peer_walk(s, 10, x, lambda s, i: (*levels[i], 1.0)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_diffusers_ddim_takes_the_wrong_level_with_linspace(diffusers):
    """Known there: the next time is now - 1000 // n, which is not on a linspace grid; ours goes
    where the next call reads it.
    """
    s = diffusers.DDIMScheduler(**BETAS, clip_sample=False, timestep_spacing="linspace")
    s.set_timesteps(10)
    bar = s.alphas_cumprod.double()

    def level(t):
        return (bar[t].sqrt().item(), (1 - bar[t]).sqrt().item())

    at, x, x_0 = s.timesteps.tolist(), randn(4, 2), randn(4, 2, seed=1)
    eps = (x - level(at[0])[0] * x_0) / level(at[0])[1]
    got = s.step(eps, at[0], x).prev_sample
    assert_close(
        got, level(at[0] - 100)[0] * x_0 + level(at[0] - 100)[1] * eps, rtol=1e-5, atol=1e-5
    )
    assert at[1] == 888 and not torch.allclose(
        got, level(at[1])[0] * x_0 + level(at[1])[1] * eps, atol=1e-3
    )


def test_diffusers_ddpm(diffusers):
    for name, variance in (("fixed_small", "small"), ("fixed_large", "large")):
        s = diffusers.DDPMScheduler(
            **BETAS, clip_sample=False, variance_type=name, timestep_spacing="trailing"
        )
        s.set_timesteps(1000)
        bar = s.alphas_cumprod.double()
        x, x_0 = randn(4, 2), randn(4, 2, seed=1)
        for t in (999, 500, 20):
            levels = [
                Level(0, bar[j].sqrt().item(), (1 - bar[j]).sqrt().item()) for j in (t, t - 1)
            ]
            eps = (x - levels[0].alpha * x_0) / levels[0].sigma
            got = s.step(eps, t, x, generator=generator(3)).prev_sample
            noise = torch.randn(4, 2, generator=generator(3), dtype=f64)
            assert_close(
                ddpm(x, x_0, *levels, variance, randn_like=lambda x, noise=noise: noise),
                got,
                rtol=1e-4,
                atol=1e-4,
            )


def edm_levels(sigmas):
    return [(1 / math.sqrt(1 + v * v), v / math.sqrt(1 + v * v)) for v in sigmas]


@pytest.mark.parametrize("kind", ["EulerDiscreteScheduler", "HeunDiscreteScheduler"])
def test_diffusers_euler_and_heun_with_karras_sigmas(diffusers, kind):
    s = getattr(diffusers, kind)(**BETAS, use_karras_sigmas=True, timestep_spacing="linspace")
    s.set_timesteps(10)
    sigmas = s.sigmas.double().tolist()
    own = sigmas if kind.startswith("Euler") else [sigmas[0], *sigmas[1::2]]
    levels = [(1.0, v) for v in own]
    x = sigmas[0] * randn(4, 2, 3, 3)
    y = x.clone()
    for i, t in enumerate(s.timesteps):
        s.scale_model_input(y, t)  # its pipelines call this first; the toy sees x itself
        y = s.step(toy_eps(y, 1.0, sigmas[i])[0], t, y).prev_sample
    assert_close(
        walk(ddim if kind.startswith("Euler") else heun, levels, x),
        y.double(),
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize(
    "kind,solver,options",
    [
        ("DPMSolverMultistepScheduler", "dpm2m", dict(algorithm_type="dpmsolver++")),
        ("DPMSolverMultistepScheduler", "dpm2m_sde", dict(algorithm_type="sde-dpmsolver++")),
        ("UniPCMultistepScheduler", "unipc", dict(solver_type="bh2")),
    ],
)
@pytest.mark.parametrize("n", [4, 10, 20])
def test_diffusers_multistep(diffusers, kind, solver, options, n):
    s = getattr(diffusers, kind)(
        **BETAS, solver_order=2, use_karras_sigmas=True, final_sigmas_type="zero", **options
    )
    s.set_timesteps(n)
    levels = edm_levels(s.sigmas.double().tolist())
    x, g = randn(4, 2, 3, 3), generator(5)
    extra = dict(generator=g) if solver == "dpm2m_sde" else {}
    want = peer_walk(s, n, x, lambda s, i: (*levels[i], 1.0), **extra)
    g = generator(5)
    draws = (torch.randn(x.shape, generator=g, dtype=torch.float32).double() for _ in range(n))
    assert_close(walk(SOLVERS[solver], levels, x, draws), want.double(), rtol=2e-4, atol=2e-4)


def test_diffusers_flow_match_euler(diffusers):
    s = diffusers.FlowMatchEulerDiscreteScheduler()
    s.set_timesteps(10)
    sigmas, path, x = s.sigmas.double(), noise_path("flow"), randn(4, 2, 3, 3)
    y = x
    for i, t in enumerate(s.timesteps):
        guess = torch.tanh(y)
        y = s.step((y - guess) / sigmas[i], t, y).prev_sample.double()
    assert_close(
        finish(sample(lambda x, t: torch.tanh(x), path, x, times=sigmas, solver="euler")),
        y,
        rtol=1e-4,
        atol=1e-4,
    )


# The distribution of random walks


@pytest.mark.parametrize("name", ["cosine", "flow", "edm"])
@pytest.mark.parametrize(
    "solver,options",
    [
        ("ddpm", {}),
        ("ddpm", dict(variance="large")),
        ("dpm2m_sde", {}),
        ("ddim", dict(eta=0.5)),
        ("heun", {}),
    ],
)
def test_random_walks_have_mean_and_covariance_of_the_data(name, solver, options):
    path, g = noise_path(name), generator()
    x = first_noise(path, 4000, 2, generator=g)
    n = 300 if "variance" in options else 120
    end = finish(
        sample(
            exact(path),
            path,
            x,
            n,
            times="log_snr",
            solver=solver,
            generator=g,
            churn=20.0 if solver == "heun" else 0.0,
            **options,
        )
    )
    data = CLOUDS.sample(200_000, generator(9))[0]
    assert (end.mean(0) - data.mean(0)).abs().max() < 0.12 and (
        end.T.cov() - data.T.cov()
    ).abs().max() < 0.2


def test_a_given_generator_repeats_the_walk_and_leaves_the_others_alone():
    path, x = noise_path("cosine"), randn(8, 2).float()
    before = torch.get_rng_state()
    a, b = (
        finish(sample(exact(path), path, x, 10, solver="ddpm", generator=generator(4)))
        for _ in range(2)
    )
    assert torch.equal(a, b) and torch.equal(before, torch.get_rng_state())


def test_no_noise_in_the_last_step():
    path, draws = noise_path("cosine"), []
    for solver in RANDOM:
        draws.clear()
        x, x_0, levels = randn(2, 2), randn(2, 2, seed=1), read_levels(path, [0.2, 0.0])
        assert (
            torch.equal(
                SOLVERS[solver](
                    x, x_0, *levels, randn_like=lambda x: draws.append(1) or randn(2, 2)
                ),
                x_0,
            )
            and not draws
        )


# The loop


@pytest.mark.parametrize(
    "solver,calls",
    [("ddim", 10), ("dpm2m", 10), ("unipc", 10), ("ddpm", 10), ("euler", 10), ("heun", 19)],
)
def test_calls_and_states(solver, calls):
    path, count = noise_path("edm"), []
    states = list(
        sample(
            lambda x, t: count.append(1) or torch.tanh(x),
            path,
            80 * randn(2, 3).float(),
            10,
            solver=solver,
        )
    )
    assert len(count) == calls and len(states) == 11 and [s.step for s in states] == list(range(11))
    assert states[-1].t == 0 and torch.equal(states[-1].x_t, states[-1].x_0)


def test_the_ends_of_zero_terminal_snr():
    "alpha = 0 at the start and sigma = 0 at the end are finite in every solver."
    for name in ("cosine", "flow", "sigmoid"):
        path = noise_path(name)
        assert path.alpha(torch.tensor(1.0)) == 0
        for solver in SOLVERS:
            assert (
                finish(
                    sample(exact(path), path, randn(4, 2), 5, solver=solver, generator=generator())
                )
                .isfinite()
                .all()
            )


def test_any_shape_dtype_and_a_custom_solver():
    path = noise_path("flow")
    for shape in ((1, 5), (2, 1, 7, 3), (3, 2, 4)):
        for dtype, out in (
            (torch.bfloat16, torch.float32),
            (torch.float32, torch.float32),
            (f64, f64),
        ):
            kept = []

            def tanh(x, t, kept=kept):
                kept.append((x.dtype, t.dtype))
                return x.tanh()

            last = finish(sample(tanh, path, torch.ones(shape, dtype=dtype), 3))
            assert last.shape == shape and last.dtype == out and all(k == (out, out) for k in kept)
    assert_close(
        finish(sample(exact(path), path, randn(3, 2), 8, solver=partial(ddim, eta=0.0))),
        finish(sample(exact(path), path, randn(3, 2), 8, solver="ddim")),
    )


def test_a_solver_is_given_what_it_declares_and_nothing_else():
    path, x = noise_path("cosine"), randn(4, 2)

    def plain(x_t, x_0, t, t_next):
        return ddim(x_t, x_0, t, t_next)

    def second(x_t, x_0, t, t_next, denoise, strength=1.0):
        return heun(x_t, x_0, t, t_next, denoise) if strength else ddim(x_t, x_0, t, t_next)

    seen = []

    def looks_back(x_t, x_0, t, t_next, history):
        seen.append([level.t for level, _ in history])
        assert all(torch.is_tensor(guess) for _, guess in history)
        return ddim(x_t, x_0, t, t_next)

    def end(solver, **options):
        return finish(sample(exact(path), path, x, 4, solver=solver, **options))

    assert torch.equal(end(plain), end("ddim")) and torch.equal(end(looks_back), end("ddim"))
    assert torch.equal(end(second), end("heun"))
    assert torch.equal(end(second, strength=0), end("ddim"))
    assert seen == [[], [1.0], [1.0, 0.75], [0.75, 0.5]]
    for solver, option in ((plain, "eta"), (second, "denoiser"), ("dpm2m", "history")):
        with pytest.raises(TypeError, match=f"no option '{option}'"):
            end(solver, **{option: 1})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("solver", list(SOLVERS))
def test_the_widest_noise_survives_a_network_in_half_precision(dtype, solver):
    path, net = noise_path("edm"), torch.nn.Conv2d(1, 1, 1, bias=False).to(dtype)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t, labels):
            return self.net(x)

    x_T = first_noise(path, 2, 1, 4, 4, generator=generator())
    states = list(
        sample(
            Denoiser(Net(), path, "v"),
            path,
            x_T,
            6,
            times="karras",
            solver=solver,
            generator=generator(),
        )
    )
    assert all(
        s.x_t.dtype == torch.float32 and s.x_t.isfinite().all() and s.x_0.isfinite().all()
        for s in states
    )


def test_gradients_stay_out_and_the_callers_mode_stays():
    w = torch.ones(1, requires_grad=True)
    walk = sample(lambda x, t: w * x, noise_path("flow"), torch.ones(1, 2), 3)
    state = next(walk)
    assert (
        torch.is_grad_enabled() and not state.x_0.requires_grad and not finish(walk).requires_grad
    )


@pytest.mark.parametrize(
    "options,error,words",
    [
        (dict(solver="dpm2n"), ValueError, "did you mean 'dpm2m'"),
        (dict(solver="nope"), ValueError, "expected one of"),
        (dict(eta=0.5), TypeError, "no option 'eta'"),
        (dict(solver="ddim", eta=2.0), ValueError, "eta=2"),
        (dict(n_steps=0), ValueError, "n_steps=0"),
        (dict(n_steps=2.5), ValueError, "whole number"),
        (dict(times="karas"), ValueError, "'uniform', 'log_snr', 'karras'"),
        (dict(times=[0.5, 0.5, 0]), ValueError, "fall at every step"),
        (dict(times=[1.0, 0.2, 0.4]), ValueError, "fall at every step"),
        (dict(times=[0.0, 0.5]), ValueError, "without noise"),
        (dict(times=[1.0, -0.1]), ValueError, r"\[0, 1\]"),
        (dict(times=[1.0]), ValueError, "two times"),
        (dict(times=[1.0, math.nan, 0.0]), ValueError, r"\[0, 1\]"),
        (dict(churn=-1.0), ValueError, "churn"),
        (dict(solver="ddpm", variance="tiny"), ValueError, "'small', 'large'"),
        (dict(solver="ddpm", times=[0.2, 0.5]), ValueError, "adds noise"),
    ],
)
def test_bad_requests_are_named(options, error, words):
    with pytest.raises(error, match=words):
        finish(sample(lambda x, t: x, noise_path("flow"), torch.ones(1, 2), **options))


def test_bad_tensors_are_named():
    path = noise_path("flow")
    with pytest.raises(TypeError, match="int64"):
        sample(exact(path), path, torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(TypeError, match="expected a tensor of floats"):
        sample(exact(path), path, [1.0, 2.0])
    with pytest.raises(ValueError, match="denoise gave shape"):
        finish(sample(lambda x, t: x[:, :1], path, torch.ones(2, 2)))
    with pytest.raises(FloatingPointError, match="not finite"):
        finish(sample(lambda x, t: x * math.nan, path, torch.ones(2, 2)))
    with pytest.raises(ValueError, match="used up"):
        finish(iter(()))
    with pytest.raises(ValueError, match="expected \\(2,\\)"):
        Denoiser(lambda x, t, y: x, path, "x0", torch.zeros(3))(torch.ones(2, 2), torch.ones(2))


@pytest.mark.parametrize("kind", ["eps", "x0", "v", "flow", "score"])
@pytest.mark.parametrize("name", PATHS)
def test_every_prediction_on_every_path_gives_the_same_walk(name, kind):
    path = noise_path(name)

    def said(x, t, y):
        return convert(CLOUDS.denoise(x, t, path), x, t, path, "x0", kind)

    x, times = (
        randn(8, 2) * path.sigma(torch.tensor(0.9, dtype=f64)),
        torch.linspace(0.9, 0, 9, dtype=f64),
    )
    want = finish(sample(exact(path), path, x, times=times))
    assert_close(
        finish(sample(Denoiser(said, path, kind), path, x, times=times)), want, rtol=1e-6, atol=1e-6
    )


def test_a_model_is_called_in_its_own_dtype():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
            self.seen = None

        def forward(self, x, t, y):
            self.seen = x.dtype, t.dtype, y
            return self.w * x

    model = Model()
    out = Denoiser(model, noise_path("flow"), "x0", labels=3)(
        torch.ones(2, 3), torch.full((2,), 0.5)
    )
    assert (
        model.seen[:2] == (torch.bfloat16, torch.float32)
        and model.seen[2].tolist() == [3, 3]
        and out.dtype == torch.float32
    )


# There and back


@pytest.mark.parametrize("name", ["cosine", "flow", "edm"])
def test_inversion_comes_back(name):
    path, x = noise_path(name), CLOUDS.sample(50, generator())[0].double()
    times = time_grid(path, 201, "log_snr")[:-1].flip(0)
    noise = finish(invert(exact(path), path, x, times=times, solver="dpm2m"))
    assert abs(noise.std() / path.sigma(torch.tensor(1.0)) - 1) < 0.2
    assert (finish(sample(exact(path), path, noise, times=times.flip(0), solver="dpm2m")) - x).norm(
        dim=1
    ).mean() < 2e-2


# Grids and times


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(list(PATHS)), n=st.integers(1, 60), kind=st.sampled_from(GRIDS))
def test_grids_fall_from_one_to_zero(name, n, kind):
    t = time_grid(noise_path(name), n, kind)
    assert len(t) == n + 1 and t[0] == 1 and t[-1] == 0 and t.dtype == f64
    levels = read_levels(noise_path(name), t)
    assert all(step_size(a, b) > 0 for a, b in zip(levels, levels[1:]))


@pytest.mark.parametrize("predict", ["eps", "v", "flow", "score"])
def test_different_times_in_one_batch_are_as_one_by_one(predict):
    path, x, said, t = (
        noise_path("cosine"),
        randn(3, 2),
        randn(3, 2, seed=1),
        torch.tensor([0.2, 0.5, 0.9], dtype=f64),
    )
    many = Denoiser(lambda x, t, y: said, path, predict)(x, t)
    for i in range(3):
        one = Denoiser(lambda x, t, y, i=i: said[i : i + 1], path, predict)(
            x[i : i + 1], t[i : i + 1]
        )
        assert_close(one, many[i : i + 1])
        assert_close(one, convert(said[i : i + 1], x[i : i + 1], t[i : i + 1], path, predict, "x0"))
    with pytest.raises(ValueError, match="model gave shape"):
        Denoiser(lambda x, t, y: x[:, :1], path, predict)(x, t)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("solver", SOLVERS)
def test_on_a_gpu_it_is_the_same_walk(solver):
    path, x, data = noise_path("flow"), randn(4, 6).float(), randn(9, 6, seed=1).float()
    here, there = (
        finish(
            sample(
                exact_denoiser(data.to(d), path),
                path,
                x.to(d),
                12,
                solver=solver,
                generator=generator(3),
            )
        )
        for d in ("cpu", "cuda")
    )
    assert there.is_cuda
    assert_close(there.cpu(), here, rtol=1e-3, atol=1e-3)
