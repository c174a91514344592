"""Guidance: the formula, its calls, interval, contrast, limits; the exact denoiser of a set."""

import math

import pytest
import torch
from torch.testing import assert_close

from mmgen.diffusion import PATHS, noise_path
from mmgen.guidance import exact_denoiser, guided, rescaled, thresholded
from mmgen.predictions import Mixture, convert
from mmgen.samplers import SOLVERS, Denoiser, finish, first_noise, sample

f64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=f64)


def network(calls):
    return lambda x, t, y: calls.append(len(x)) or x * t.view(-1, 1) + y.view(-1, 1).to(x)


def test_guidance_is_one_call_and_the_formula():
    path, calls, x, t = noise_path("flow"), [], randn(3, 2), torch.full((3,), 0.5, dtype=f64)
    net = network(calls)
    c, u = Denoiser(net, path, "x0", torch.tensor([1, 2, 3])), Denoiser(net, path, "x0", 10)

    def want(s):
        return (s * torch.tensor([1.0, 2.0, 3.0]) + (1 - s) * 10).view(-1, 1) + x * 0.5

    for s, batches in ((1.0, [3]), (0.0, [6]), (1.5, [6]), (100.0, [6]), (-1.0, [6])):
        calls.clear()
        assert_close(guided(c, u, s)(x, t), want(s).to(f64))
        assert calls == batches
    other = Denoiser(network(calls), path, "x0", 10)  # another network: autoguidance, two calls
    calls.clear()
    assert_close(guided(c, other, 2.0)(x, t), want(2.0).to(f64))
    assert calls == [3, 3]


@pytest.mark.parametrize("predict", ["eps", "v", "flow", "x0"])
def test_guidance_is_the_same_in_every_prediction(predict):
    path, x, t = noise_path("cosine"), randn(5, 2), torch.full((5,), 0.6, dtype=f64)
    a, b = randn(5, 2, seed=1), randn(5, 2, seed=2)
    in_x0 = guided(*(Denoiser(lambda x, t, y, v=v: v, path, predict) for v in (a, b)), 2.5)(x, t)
    assert_close(in_x0, convert(b + 2.5 * (a - b), x, t, path, predict, "x0"))


def test_interval_acts_for_each_example():
    c, u = (lambda x, t: torch.ones_like(x)), (lambda x, t: torch.zeros_like(x))
    t = torch.tensor([0.1, 0.2, 0.5, 0.8, 0.9])
    assert guided(c, u, 3.0, interval=(0.2, 0.8))(torch.zeros(5, 1), t).flatten().tolist() == [
        1,
        3,
        3,
        3,
        1,
    ]
    calls = []
    guided(c, lambda x, t: calls.append(1) or x, 3.0, interval=(0.4, 0.6))(
        torch.zeros(2, 1), torch.full((2,), 0.9)
    )
    assert not calls


def test_rescale_restores_the_contrast_of_each_image():
    c, u, t = (
        randn(3, 1, 4, 4) * torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1),
        randn(3, 1, 4, 4, seed=1),
        torch.full((3,), 0.5),
    )

    def f(r):
        return guided(lambda x, t: c, lambda x, t: u, 5.0, rescale=r)(c, t)

    assert_close(f(1.0).std((1, 2, 3)), c.std((1, 2, 3)))
    assert_close(f(0.7), 0.7 * f(1.0) + 0.3 * f(0.0))
    with pytest.raises(ValueError, match="rescale=2"):
        guided(None, None, 2.0, rescale=2.0)
    with pytest.raises(ValueError, match="guidance_scale=nan"):
        guided(None, None, math.nan)
    with pytest.raises(ValueError, match="interval"):
        guided(None, None, 2.0, interval=(0.5, 0.5))


def test_thresholding_leaves_good_images_alone_and_limits_others():
    x = torch.stack([torch.linspace(-0.9, 0.9, 100), torch.linspace(-5, 5, 100)]).view(2, 1, 10, 10)
    y = thresholded(lambda x, t: x, 0.9)(x, torch.ones(2))
    assert torch.equal(y[0], x[0]) and y[1].abs().max() == 1
    far = x[1].abs().flatten().quantile(0.9)
    assert_close(y[1], (x[1] / far).clamp(-1, 1))
    with pytest.raises(ValueError, match="quantile=0"):
        thresholded(None, 0)


# Exact guesses for a finite set


@pytest.mark.parametrize("name", PATHS)
def test_exact_denoiser_is_a_mixture_of_points(name):
    path, data = noise_path(name), randn(7, 2)
    points = Mixture(data, 1e-4)
    x, t = randn(5, 2, seed=1), torch.linspace(0.2, 0.8, 5, dtype=f64)
    assert_close(exact_denoiser(data, path)(x, t), points.denoise(x, t, path), rtol=1e-4, atol=1e-4)


def test_exact_denoiser_of_images_returns_members():
    path, data = noise_path("flow"), randn(20, 1, 4, 4).float()
    for solver in SOLVERS:
        end = finish(
            sample(
                exact_denoiser(data, path),
                path,
                first_noise(path, 6, 1, 4, 4, generator=generator(1)),
                60,
                times="karras",
                solver=solver,
                generator=generator(2),
            )
        )
        assert torch.cdist(end.flatten(1), data.flatten(1)).min(1).values.max() < 0.1, solver


def test_rescaled_is_part_of_the_way():
    x, like = randn(2, 3, 5), 3 * randn(2, 3, 5, seed=1)
    assert_close(rescaled(x, like, 0.0), x)
    assert_close(rescaled(x, like).std((1, 2)), like.std((1, 2)))


def test_no_look_at_times_where_every_time_is_guided():
    "On the meta device there is nothing to look at; an interval has to look."
    x, t = torch.zeros(2, 3, device="meta"), torch.zeros(2, device="meta")
    assert guided(lambda x, t: x, lambda x, t: 2 * x, 3.0)(x, t).shape == (2, 3)
    assert Denoiser(lambda x, t, y: x, noise_path("flow"), "x0")(x, t).shape == (2, 3)
