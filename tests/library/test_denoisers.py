"""Networks of others through `sample`: equal to the loops that they are published with."""

import math

import pytest
import torch
from torch import nn

from mmgen.chain import Chain, linear_betas
from mmgen.diffusion import EDMPath, noise_path
from mmgen.published.denoisers import (
    BetaPath,
    EDMDenoiser,
    PublishedDenoiser,
    edm_times,
    flow_clock,
    scaled_linear_betas,
    shifted,
    step_times,
)
from mmgen.samplers import finish, sample


class Net(nn.Module):
    "A random network that looks at the picture, its time and its label."

    def __init__(self, out=4, waves=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(4, 16, 3, padding=1)
        self.time = nn.Linear(2, 16)
        self.label = nn.Embedding(5, 16)
        self.last = nn.Conv2d(16, out, 3, padding=1)
        self.waves = waves

    def forward(self, x, time, labels=None):
        assert time.shape == x.shape[:1]
        time = time.to(x.dtype) * self.waves
        turns = torch.stack([time, time / 10], 1)
        hidden = self.first(x) + self.time(turns.sin())[:, :, None, None]
        if labels is not None:
            hidden = hidden + self.label(labels)[:, :, None, None]
        return self.last(hidden.tanh())


def noise():
    return torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(1))


# The path along a table


@pytest.mark.parametrize("betas", [linear_betas(1000), scaled_linear_betas(), linear_betas(50)])
def test_the_path_meets_the_chain_at_every_step(betas):
    chain, path = Chain(betas), BetaPath(betas)
    k = torch.arange(len(betas))
    t = (k.double() + 1) / len(betas)
    torch.testing.assert_close(path.alpha(t), chain.alpha(k), rtol=1e-9, atol=0)
    torch.testing.assert_close(path.sigma(t), chain.sigma(k), rtol=1e-9, atol=0)
    assert path.clock(t).tolist() == k.tolist()
    assert path.clock(t.float()).tolist() == k.tolist()
    torch.testing.assert_close(path.t_at(path.log_snr(t)), t, rtol=1e-9, atol=0)
    assert path.alpha(torch.tensor(0.0)) == 1 and path.sigma(torch.tensor(0.0)) == 0


def test_slopes_are_those_of_the_curve():
    path = BetaPath(scaled_linear_betas())
    t = torch.tensor([0.0004, 0.1234, 0.7777, 0.99995], dtype=torch.float64)
    step = 1e-7
    for curve, slope in zip((path.alpha, path.sigma), path.slopes(t)):
        torch.testing.assert_close(
            slope, (curve(t + step) - curve(t - step)) / 2 / step, rtol=1e-5, atol=1e-9
        )


def test_a_table_that_ends_in_noise_alone():
    path = BetaPath([0.1, 0.5, 1.0])
    assert path.alpha(torch.tensor(1.0)) == 0 and path.sigma(torch.tensor(1.0)) == 1


@pytest.mark.parametrize("betas", [[], [0.1], [0.1, 0.0], [0.1, 1.5], [[0.1, 0.2]]])
def test_what_is_no_table_of_betas(betas):
    with pytest.raises(ValueError, match=r"betas has shape .*expected \(T,\), each in \(0, 1\]"):
        BetaPath(betas)


def test_steps_and_ends_of_a_walk():
    assert step_times([999, 499, 0], 1000).tolist() == [1.0, 0.5, 0.001, 0.001]
    assert step_times([9, 4], 10, "data").tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="end='last'; expected 'first' or 'data'"):
        step_times([1], 10, "last")
    with pytest.raises(ValueError, match=r"steps has shape \(1,\), starts \[10.0\]"):
        step_times([10], 10)


# Whole loops of diffusers


def diffusers_loop(scheduler, model, x, labels=None, channels=None):
    "The loop of diffusers' pipelines."
    for step in scheduler.timesteps:
        scaled = getattr(scheduler, "scale_model_input", lambda x, step: x)
        given = scaled(x, step)
        time = step.expand(len(x)) if step.ndim == 0 else step
        output = model(given, time, labels)[:, :channels]
        x = scheduler.step(output, step, x).prev_sample
    return x


@pytest.mark.parametrize("predict,name", [("eps", "epsilon"), ("v", "v_prediction")])
def test_stable_diffusion(predict, name):
    schedulers = pytest.importorskip("diffusers").schedulers
    theirs = schedulers.DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=name,
    )
    theirs.set_timesteps(20)
    model, path, x = Net(waves=0.01), BetaPath(scaled_linear_betas()), noise()
    labels = torch.tensor([1, 3])
    denoise = PublishedDenoiser(model, path, predict, labels, clock=path.clock)
    times = step_times(theirs.timesteps, 1000)
    got = finish(sample(denoise, path, x, times=times, solver="ddim"))
    with torch.no_grad():
        wanted = diffusers_loop(theirs, model, x, labels)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_published_dit_with_a_learned_variance():
    schedulers = pytest.importorskip("diffusers").schedulers
    theirs = schedulers.DDIMScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False)
    theirs.set_timesteps(25)
    model, path, x = Net(out=8, waves=0.01), BetaPath(linear_betas(1000)), noise()
    denoise = PublishedDenoiser(model, path, "eps", 2, clock=path.clock, channels=4)
    times = step_times(theirs.timesteps, 1000, "data")
    got = finish(sample(denoise, path, x, times=times, solver="ddim"))
    with torch.no_grad():
        wanted = diffusers_loop(theirs, model, x, torch.tensor([2, 2]), channels=4)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(
        ValueError, match=r"model gave shape \(2, 8, 6, 6\), of which channels=None"
    ):
        PublishedDenoiser(model, path, "eps", clock=path.clock)(x, torch.full((2,), 0.5))


def test_an_edm_model():
    schedulers = pytest.importorskip("diffusers").schedulers
    theirs = schedulers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5, rho=7.0)
    theirs.set_timesteps(18)
    model, x = Net(), noise() * 80
    denoise = EDMDenoiser(model, EDMPath(0.002, 80.0, 7.0))
    got = finish(sample(denoise, denoise.path, x, times=edm_times(18), solver="ddim"))
    with torch.no_grad():
        wanted = diffusers_loop(theirs, model, x)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_edm_with_its_own_second_order_sampler():
    model, x = Net().double(), noise().double() * 80
    denoise = EDMDenoiser(model)

    def D(x, sigma):  # equation 7
        scale = math.sqrt(sigma**2 + 0.25)
        c_noise = torch.full((len(x),), math.log(sigma) / 4, dtype=torch.float64)
        F = model(x / scale, c_noise)
        return 0.25 / scale**2 * x + sigma * 0.5 / scale * F

    n = 10
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    sigmas = [(high + i / (n - 1) * (low - high)) ** 7 for i in range(n)] + [0.0]
    x_i = x
    with torch.no_grad():  # algorithm 1
        for now, after in zip(sigmas, sigmas[1:]):
            d = (x_i - D(x_i, now)) / now
            x_next = x_i + (after - now) * d
            if after:
                d_next = (x_next - D(x_next, after)) / after
                x_next = x_i + (after - now) * (d + d_next) / 2
            x_i = x_next
    got = finish(sample(denoise, denoise.path, x, times=edm_times(n), solver="heun"))
    torch.testing.assert_close(got, x_i, rtol=1e-4, atol=1e-4)


def test_a_flow_model_with_shifted_times():
    schedulers = pytest.importorskip("diffusers").schedulers
    theirs = schedulers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    theirs.set_timesteps(28)
    model, path, x = Net(waves=0.01), noise_path("flow"), noise()
    denoise = PublishedDenoiser(model, path, "flow", clock=flow_clock(1000))
    got = finish(sample(denoise, path, x, times=theirs.sigmas.double(), solver="euler"))
    with torch.no_grad():
        wanted = diffusers_loop(theirs, model, x)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    ends = shifted(
        torch.tensor([1.0, 0.001], dtype=torch.float64), 3.0
    )  # theirs, shifted once more
    even = torch.linspace(ends[0], ends[1], 28, dtype=torch.float64)
    torch.testing.assert_close(shifted(even, 3.0), theirs.sigmas[:-1].double(), rtol=1e-5, atol=0)


def test_shifting_times():
    t = torch.tensor([0.0, 0.25, 1.0])
    assert shifted(t, 1.0).tolist() == t.tolist()
    assert shifted(t, 3.0).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="shift=0; expected a finite number"):
        shifted(t, 0)
