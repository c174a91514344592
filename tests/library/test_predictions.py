"""Conversions, weights, the loss, the mixture, against formulas from the papers; limits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from library_fixtures import draws
from scipy import stats
from torch import nn
from torch.testing import assert_close

from mmgen.diffusion import PATHS, logit_normal, noise_path
from mmgen.predictions import (
    KINDS,
    Mixture,
    convert,
    diffusion_loss,
    loss_weight,
    min_snr,
    sigmoid_weight,
    target_of,
)
from mmgen.training import Batches, Recipe, fit, run

INSIDE = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


def by_hand(kind, x_0, eps, t, path):
    a, s = (c.view(-1, 1) for c in (path.alpha(t), path.sigma(t)))
    if kind == "flow":
        h = 1e-6
        return (path.add_noise(x_0, eps, t + h) - path.add_noise(x_0, eps, t - h)) / (2 * h)
    return {"eps": eps, "x0": x_0, "v": a * eps - s * x_0, "score": -eps / s}[kind]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("source", KINDS)
def test_every_kind_from_every_kind(name, source):
    path, x_0, eps = noise_path(name), draws(50, 3), draws(50, 3, seed=1)
    x_t = path.add_noise(x_0, eps, INSIDE)
    said = target_of(source, x_0, eps, INSIDE, path)
    assert_close(said, by_hand(source, x_0, eps, INSIDE, path), atol=1e-5, rtol=1e-5)
    for target in KINDS:
        want = target_of(target, x_0, eps, INSIDE, path)
        got = convert(said, x_t, INSIDE, path, source, target)
        assert_close(got, want, atol=1e-10, rtol=1e-10)
        assert_close(convert(got, x_t, INSIDE, path, target, source), said, atol=1e-10, rtol=1e-10)


@settings(max_examples=30, deadline=None)
@given(
    t=st.floats(1e-4, 1 - 1e-4),
    name=st.sampled_from(list(PATHS)),
    source=st.sampled_from(KINDS),
    target=st.sampled_from(KINDS),
)
def test_round_trip_in_double(t, name, source, target):
    path, value, x_t, t = (
        noise_path(name),
        draws(1, 4),
        draws(1, 4, seed=1),
        torch.tensor([t], dtype=torch.float64),
    )
    back = convert(convert(value, x_t, t, path, source, target), x_t, t, path, target, source)
    assert_close(back, value, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", PATHS)
def test_limits_at_both_ends(name):
    path, x_0, eps = noise_path(name), draws(1, 4), draws(1, 4, seed=1)
    for end in (0.0, 1.0):
        t = torch.tensor([end], dtype=torch.float64)
        x_t = path.add_noise(x_0, eps, t)
        for source in KINDS:
            said = target_of(source, x_0, eps, t, path)
            if not said.isfinite().all():
                continue  # a vertical curve: there is no such number
            for target in KINDS:
                want = target_of(target, x_0, eps, t, path)
                try:
                    got = convert(said, x_t, t, path, source, target)
                except ValueError as e:
                    assert "no answer" in str(e)
                    continue
                if want.isfinite().all():
                    assert_close(got, want, atol=1e-9, rtol=1e-9)
    clean, noisy = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for target in ("x0", "eps"):  # v knows both at both ends
        for t in (clean, noisy):
            x_t = path.add_noise(x_0, eps, t)
            assert_close(
                convert(target_of("v", x_0, eps, t, path), x_t, t, path, "v", target),
                target_of(target, x_0, eps, t, path),
            )
    if name in ("cosine", "sigmoid", "flow"):
        with pytest.raises(ValueError, match="x0 from eps has no answer at t=1.*alpha=0"):
            convert(eps, eps, noisy, path, "eps", "x0")
    if name != "edm":
        with pytest.raises(ValueError, match="eps from x0 has no answer at t=0"):
            convert(x_0, x_0, clean, path, "x0", "eps")


def test_convert_keeps_dtype_and_names_bad_input():
    path, x = noise_path("flow"), torch.randn(2, 3)
    t = torch.tensor([0.3, 0.6])
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        assert convert(x.to(dtype), x.to(dtype), t, path, "v", "x0").dtype == dtype
    with pytest.raises(ValueError, match="'eps', 'x0', 'v', 'flow', 'score'"):
        convert(x, x, t, path, "epsilon", "x0")
    with pytest.raises(ValueError, match="equal shapes"):
        convert(x[:1], x, t, path, "eps", "x0")
    assert (
        convert(x, x, torch.ones(2), path, "eps", "eps") is not None
    )  # nothing to solve: no error


def test_edm_network_is_v_up_to_a_sign():
    path, x_0, eps, t = (
        noise_path("edm"),
        draws(5, 3),
        draws(5, 3, seed=1),
        torch.linspace(0.1, 0.9, 5, dtype=torch.float64),
    )
    sigma = path.sigma(t).view(-1, 1)
    x_t, sd = x_0 + sigma * eps, 1.0  # Karras et al. 2022, table 1, sigma_data = 1
    skip, out = sd**2 / (sigma**2 + sd**2), sigma * sd / (sigma**2 + sd**2).sqrt()
    assert_close(
        (x_0 - skip * x_t) / out, -target_of("v", x_0, eps, t, path) / (1 + sigma**2).sqrt()
    )


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("predict", KINDS)
@pytest.mark.parametrize("loss_in", KINDS)
def test_an_error_in_one_kind_is_an_error_in_another_times_a_weight(name, predict, loss_in):
    path, t = noise_path(name), INSIDE[::7]
    x_0, eps, wrong = draws(len(t), 3), draws(len(t), 3, seed=1), draws(len(t), 3, seed=2)
    x_t = path.add_noise(x_0, eps, t)
    there = convert(wrong, x_t, t, path, predict, loss_in) - target_of(loss_in, x_0, eps, t, path)
    here = wrong - target_of(predict, x_0, eps, t, path)
    assert_close(
        loss_weight(t, path, predict, loss_in).view(-1, 1) * here**2,
        there**2,
        rtol=1e-8,
        atol=1e-10,
    )


def test_min_snr_is_that_of_the_paper_for_every_kind():
    path, t = noise_path("cosine"), INSIDE
    snr = path.log_snr(t).exp()
    assert_close(
        loss_weight(t, path, "x0", weighting="min_snr"), snr.clamp(max=5)
    )  # Hang et al. 2023, section 3.4
    assert_close(loss_weight(t, path, "eps", weighting="min_snr"), snr.clamp(max=5) / snr)
    assert_close(loss_weight(t, path, "v", weighting="min_snr"), snr.clamp(max=5) / (snr + 1))
    assert_close(loss_weight(t, path, "eps", weighting=min_snr(1.0)), snr.clamp(max=1) / snr)
    assert_close(loss_weight(t, path, "eps", weighting="sigmoid"), 1 / (1 + snr / math.e**2))
    assert_close(sigmoid_weight(math.log(5))(path.log_snr(t)), 5 / (5 + snr))  # a soft min-SNR
    with pytest.raises(ValueError, match="'simple', 'min_snr', 'sigmoid'"):
        loss_weight(t, path, "eps", weighting="min-snr")
    with pytest.raises(ValueError, match="predict='noise'"):
        loss_weight(t, path, "noise")


@pytest.mark.parametrize(
    "predict,loss_in", [("eps", None), ("x0", "flow"), ("v", "eps"), ("flow", None)]
)
def test_loss_is_the_mean_of_weighted_squares(predict, loss_in):
    path, x_0 = noise_path("flow"), torch.randn(64, 1, 2, 2)
    torch.manual_seed(3)
    loss, logs = diffusion_loss(
        lambda x, t, y: 0.3 * x + y, (x_0, 0.1), path, predict, loss_in, logit_normal()
    )
    torch.manual_seed(3)
    t = logit_normal()(64)
    eps = torch.randn_like(x_0)
    x_t = path.add_noise(x_0, eps, t)
    gap = convert(0.3 * x_t + 0.1, x_t, t, path, predict, loss_in or predict) - target_of(
        loss_in or predict, x_0, eps, t, path
    )
    assert_close(loss, gap.square().mean(), rtol=1e-3, atol=1e-5)
    assert logs["mse"] >= 0


def test_loss_at_the_very_ends_is_finite():
    for name in PATHS:
        for kind in KINDS:

            def at(n, path):
                return torch.linspace(0, 1, n)

            loss, _ = diffusion_loss(
                lambda x, t, y: 0 * x, (torch.randn(8, 3), None), noise_path(name), "v", kind, at
            )
            assert loss.isfinite()
    with pytest.raises(TypeError, match="batch is a Tensor"):
        diffusion_loss(lambda x, t, y: x, torch.zeros(2, 3), noise_path("flow"))
    with pytest.raises(ValueError, match="model gave shape"):
        diffusion_loss(lambda x, t, y: x[:, :1], (torch.randn(8, 3), None), noise_path("flow"))


def test_zero_output_starts_at_loss_one_and_training_lowers_it():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 2))

        def forward(self, x, t, y):
            return self.layers(torch.cat([x, t[:, None]], 1))

    path, x = noise_path("cosine"), 0.2 * torch.randn(2000, 2) + 1
    torch.manual_seed(0)
    assert diffusion_loss(lambda x, t, y: 0 * x, (x, None), path, "eps")[0].item() == pytest.approx(
        1.0, abs=0.1
    )

    def loss(m, b):
        return diffusion_loss(m, b, path, "eps")

    last = run(
        fit(
            Net(),
            loss,
            Batches((x, torch.zeros(2000)), 128),
            Recipe(steps=200, lr=1e-2),
            device="cpu",
            progress=False,
        )
    )
    assert sum(h["loss"] for h in last.history[-20:]) / 20 < 0.6


def test_mixture_score_and_denoiser_are_exact():
    mixture = Mixture([[2.0, 0.0], [-1.0, 1.0]], [0.3, 0.6], [1.0, 2.0])
    for name in PATHS:
        path, t = (
            noise_path(name),
            torch.rand(20, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
        )
        x_0 = mixture.sample(20, torch.Generator().manual_seed(1))[0].double()
        x_t = path.add_noise(x_0, draws(20, 2), t).requires_grad_()
        score = torch.autograd.grad(mixture.log_prob(x_t, t, path).sum(), x_t)[0]
        assert_close(mixture.score(x_t, t, path), score, atol=1e-9, rtol=1e-9)
        assert_close(
            convert(score, x_t, t, path, "score", "x0"),
            mixture.denoise(x_t, t, path),
            atol=1e-7,
            rtol=1e-7,
        )
    x = mixture.sample(5)[0]
    assert_close(mixture.denoise(x, torch.zeros(5), noise_path("flow")), x)  # nothing to remove
    assert_close(
        mixture.denoise(x, torch.ones(5), noise_path("flow")),
        (mixture.weights @ mixture.means).float().expand(5, 2),
    )


def test_mixture_against_scipy_and_shapes():
    mixture = Mixture([[2.0, 0.0], [-1.0, 1.0]], [0.3, 0.6], [1.0, 2.0])
    x, which = mixture.sample(50_000, torch.Generator().manual_seed(0))
    want = sum(
        w * stats.multivariate_normal(m, s**2).pdf(x[:20].numpy())
        for w, m, s in ((1 / 3, [2, 0], 0.3), (2 / 3, [-1, 1], 0.6))
    )
    assert_close(mixture.log_prob(x[:20].double()).exp(), torch.tensor(want))
    assert (
        which.float().mean().item() == pytest.approx(2 / 3, abs=0.01) and x.dtype == torch.float32
    )
    image = Mixture(torch.zeros(1, 4), 1.0)
    assert image.denoise(
        torch.ones(3, 1, 2, 2), torch.full((3,), 0.5), noise_path("flow")
    ).shape == (3, 1, 2, 2)
    assert_close(
        image.denoise(torch.ones(3, 1, 2, 2), torch.tensor(0.5), noise_path("cosine")),
        torch.full((3, 1, 2, 2), noise_path("cosine").alpha(torch.tensor(0.5)).item()),
    )  # for N(0, 1) data: alpha x_t
    with pytest.raises(ValueError, match="expected 2 numbers"):
        mixture.score(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="positive"):
        Mixture([[0.0]], [0.0])
    with pytest.raises(ValueError, match=r"expected \(k, d\)"):
        Mixture([0.0], [1.0])
