"""Noise paths, conversions, losses and tables: equality with formulas written here from the papers,
limits, bad input.
"""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.testing import assert_close

from mmgen.diffusion import (
    KINDS,
    PATHS,
    Chain,
    EDMPath,
    GaussianDiffusion,
    LinearPath,
    Mixture,
    betas_at,
    bits_per_dim,
    convert,
    cosine_betas,
    diffusion_loss,
    discretized_log_likelihood,
    linear_betas,
    log_normal_sigma,
    logit_normal,
    loss_weight,
    min_snr,
    noise_path,
    normal_kl,
    prior_bits,
    sigmoid_weight,
    spaced_steps,
    target_of,
    uniform,
    uniform_log_snr,
    vlb_terms,
    zero_terminal,
)
from mmgen.training import Batches, Recipe, fit, run

VP = ("linear", "cosine", "sigmoid")
INSIDE = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


def draws(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def table(T=1000):
    return GaussianDiffusion(linear_betas(T) if T > 20 else np.linspace(0.01, 0.3, T))


# Paths


def test_linear_path_is_the_published_table():
    bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    assert_close(noise_path("linear").alpha(t) ** 2, torch.tensor(bar), rtol=1e-12, atol=0.0)
    assert_close(noise_path("linear").sigma(t) ** 2, torch.tensor(1 - bar), rtol=1e-10, atol=1e-15)
    assert bar[-1] == pytest.approx(4.036e-5, rel=1e-3)
    other = LinearPath(2e-3, 0.4, 50)
    assert_close(
        other.alpha(t[19::20]) ** 2,
        torch.tensor(np.cumprod(1 - np.linspace(2e-3, 0.4, 50))),
        rtol=1e-7,
        atol=0.0,
    )


def test_cosine_path_is_the_published_table():
    def f(t):
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = np.array([min(1 - f((i + 1) / 1000) / f(i / 1000), 0.999) for i in range(1000)])
    assert_close(cosine_betas(), torch.tensor(betas), rtol=1e-9, atol=1e-13)
    t = (
        torch.arange(1, 1000, dtype=torch.float64) / 1000
    )  # the last step is clipped in the table only
    assert_close(
        noise_path("cosine").alpha(t) ** 2,
        torch.tensor(np.cumprod(1 - betas))[:-1],
        rtol=1e-9,
        atol=1e-13,
    )


def test_sigmoid_edm_and_flow_paths_are_their_formulas():
    def s(v):
        return 1 / (1 + np.exp(-v))

    t = INSIDE.numpy()
    assert_close(
        noise_path("sigmoid").alpha(INSIDE) ** 2,
        torch.tensor((s(3) - s(6 * t - 3)) / (s(3) - s(-3))),
    )
    tau = noise_path("sigmoid", start=-2.0, end=5.0, tau=0.7)
    assert_close(
        tau.alpha(INSIDE) ** 2,
        torch.tensor((s(5 / 0.7) - s((7 * t - 2) / 0.7)) / (s(5 / 0.7) - s(-2 / 0.7))),
    )
    i, n = np.arange(18), 18  # EDM counts from the noisy end
    edm = (80 ** (1 / 7) + i / (n - 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert_close(
        noise_path("edm").sigma(torch.tensor(1 - i / (n - 1))),
        torch.tensor(edm),
        rtol=1e-10,
        atol=0.0,
    )
    assert_close(noise_path("flow").log_snr(INSIDE), -2 * INSIDE.logit())


@pytest.mark.parametrize("name", PATHS)
def test_path_properties(name):
    path = noise_path(name)
    assert (path.log_snr(INSIDE).diff() < 0).all() and path.alpha(INSIDE).dtype == torch.float64
    assert_close(path.t_at(path.log_snr(INSIDE)), INSIDE, atol=1e-12, rtol=0.0)
    h = 1e-6
    for slope, f in zip(path.slopes(INSIDE), (path.alpha, path.sigma)):
        assert_close(slope, (f(INSIDE + h) - f(INSIDE - h)) / (2 * h), atol=1e-6, rtol=1e-6)
    if name in VP:
        assert_close(
            path.alpha(INSIDE) ** 2 + path.sigma(INSIDE) ** 2, torch.ones(50, dtype=torch.float64)
        )
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert path.alpha(ends)[0] == 1 and path.sigma(ends)[0].item() == pytest.approx(
        0.002 if name == "edm" else 0, abs=1e-15
    )
    assert (path.alpha(ends)[1] == 0) == (name in ("cosine", "sigmoid", "flow"))
    assert_close(path.t_at(torch.tensor([-1e4, 1e4])), torch.tensor([1.0, 0.0]))
    assert (
        path.alpha(torch.rand(2, 3)).shape == (2, 3)
        and path.alpha(torch.rand(2)).dtype == torch.float32
    )
    assert copy.deepcopy(path) == path and hash(path) == hash(noise_path(name))


@pytest.mark.parametrize("name", PATHS)
def test_single_precision_stays_precise_near_the_clean_end(name):
    path, t = noise_path(name), torch.tensor([1e-5, 1e-4, 1e-3])
    assert_close(path.sigma(t), path.sigma(t.double()).float(), rtol=1e-6, atol=0.0)
    assert path.log_snr(t).isfinite().all()


def test_add_noise_has_the_mean_and_variance_of_the_chain():
    betas, x = np.linspace(1e-4, 0.02, 1000), np.full(200_000, 2.0)
    generator = np.random.default_rng(0)
    for b in betas[:200]:
        x = np.sqrt(1 - b) * x + np.sqrt(b) * generator.standard_normal(len(x))
    path, t = noise_path("linear"), torch.tensor(0.2)
    assert x.mean() == pytest.approx(
        2 * path.alpha(t).item(), abs=0.01
    ) and x.var() == pytest.approx(path.sigma(t).item() ** 2, abs=0.01)
    x_t = path.add_noise(
        torch.full((4, 1, 2, 2), 2.0), torch.zeros(4, 1, 2, 2), torch.tensor([0.0, 0.2, 0.5, 1.0])
    )
    assert_close(x_t[:, 0, 0, 0], 2 * path.alpha(torch.tensor([0.0, 0.2, 0.5, 1.0])))


@pytest.mark.parametrize(
    "call,error,words",
    [
        (
            lambda: noise_path("cosin"),
            ValueError,
            "linear, cosine, sigmoid, edm, flow.*mean 'cosine'",
        ),
        (lambda: noise_path("edm", s=1.0), TypeError, "no option 's'.*sigma_min"),
        (
            lambda: noise_path("edm", sigma_min=0.0),
            ValueError,
            "sigma_min=0.0.*0 < sigma_min < sigma_max",
        ),
        (lambda: noise_path("linear", n_steps=1), ValueError, "at least 2 steps"),
        (lambda: noise_path("sigmoid", tau=0.0), ValueError, "tau > 0"),
        (lambda: noise_path("cosine", offset=-1.0), ValueError, "at least 0"),
        (
            lambda: diffusion_loss(lambda x, t, y: x, torch.zeros(2, 3), noise_path("flow")),
            TypeError,
            "batch is a Tensor",
        ),
        (lambda: noise_path("flow").alpha(torch.tensor([3])), TypeError, r"int64.*\(i \+ 1\) / n"),
        (lambda: noise_path("flow").sigma(torch.tensor([1.2])), ValueError, "1.2.*0, 1"),
        (lambda: noise_path("flow").alpha(torch.tensor([math.nan])), ValueError, "nan"),
        (
            lambda: noise_path("flow").add_noise(torch.zeros(2, 3), torch.zeros(3), torch.rand(2)),
            ValueError,
            "equal shapes",
        ),
        (
            lambda: noise_path("flow").add_noise(
                torch.zeros(2, 3), torch.zeros(2, 3), torch.rand(3)
            ),
            ValueError,
            r"t has shape \(3,\)",
        ),
    ],
)
def test_bad_paths_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


# Conversions


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
    with pytest.raises(ValueError, match="eps, x0, v, flow, score"):
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


# Times, weights, loss


def test_times_follow_their_densities():
    torch.manual_seed(0)
    n, flow, cosine = 40_000, noise_path("flow"), noise_path("cosine")
    assert stats.kstest(uniform(n, flow).double(), "uniform").pvalue > 0.001
    for path in (flow, cosine, noise_path("linear")):
        ln_sigma = -path.log_snr(log_normal_sigma()(n, path).double()) / 2
        assert ln_sigma.mean() == pytest.approx(-1.2, abs=0.03) and ln_sigma.std() == pytest.approx(
            1.2, abs=0.03
        )
        lam = path.log_snr(uniform_log_snr(-6.0, 6.0)(n, path).double())
        assert stats.kstest(lam, stats.uniform(-6, 12).cdf).statistic < 0.02
    ln_sigma = (
        -flow.log_snr(logit_normal(0.5, 1.0)(n).double()) / 2
    )  # on the straight path ln sigma = logit t
    assert ln_sigma.mean() == pytest.approx(0.5, abs=0.03) and ln_sigma.std() == pytest.approx(
        1.0, abs=0.03
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
    with pytest.raises(ValueError, match="simple, min_snr, sigmoid"):
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


# Tables of a chain, against numpy written from the papers


class Reference:
    """Ho et al. 2020, equations 4, 7, 11, 15; Nichol & Dhariwal 2021, equation 15; one number at a
    time, numpy float64.
    """

    def __init__(self, betas):
        self.b, self.bar = (
            np.asarray(betas, dtype=np.float64),
            np.cumprod(1 - np.asarray(betas, dtype=np.float64)),
        )
        self.prev = np.append(1.0, self.bar[:-1])
        self.tilde = self.b * (1 - self.prev) / (1 - self.bar)

    def x_0(self, kind, out, x_t, t):
        a, s = np.sqrt(self.bar[t]), np.sqrt(1 - self.bar[t])
        return {
            "eps": lambda: (x_t - s * out) / a,
            "x0": lambda: out,
            "v": lambda: a * x_t - s * out,
            "score": lambda: (x_t + s * s * out) / a,
        }[kind]()

    def mean(self, x_0, x_t, t):
        return (
            np.sqrt(self.prev[t]) * self.b[t] * x_0
            + np.sqrt(1 - self.b[t]) * (1 - self.prev[t]) * x_t
        ) / (1 - self.bar[t])

    def log_variance(self, kind, t, fraction=0.0):
        small = np.log(self.tilde[max(t, 1)])
        if kind == "fixed_small":
            return small
        if kind == "fixed_large":
            return np.log(self.b[t]) if t else small
        f = (fraction + 1) / 2
        return f * np.log(self.b[t]) + (1 - f) * small


CHAINS = {
    "linear": np.linspace(1e-4, 0.02, 1000),
    "cosine": cosine_betas(100).numpy(),
    "short": np.array([0.1, 0.3, 0.7]),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("kind", ["eps", "x0", "v", "score"])
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large", "learned_range"])
def test_step_back_is_the_papers(chain, kind, variance):
    ref, diffusion = Reference(CHAINS[chain]), GaussianDiffusion(CHAINS[chain])
    T = len(diffusion)
    for t in {0, 1, T // 2, T - 2}:
        x_t, out, fraction = (
            draws(2, 3, 4, seed=t),
            draws(2, 3, 4, seed=t + 1),
            draws(2, 3, 4, seed=t + 2).tanh(),
        )
        said = torch.cat([out, fraction], 1) if variance == "learned_range" else out
        got = diffusion.reverse(said, x_t, torch.tensor([t, t]), kind, variance)
        x_0 = ref.x_0(kind, out.numpy(), x_t.numpy(), t)
        assert_close(got.x_0, torch.tensor(x_0), rtol=1e-9, atol=1e-9)
        assert_close(got.mean, torch.tensor(ref.mean(x_0, x_t.numpy(), t)), rtol=1e-9, atol=1e-9)
        want = torch.as_tensor(ref.log_variance(variance, t, fraction.numpy()))
        assert_close(got.log_variance, want.expand(got.log_variance.shape), rtol=1e-9, atol=1e-9)
    clipped = diffusion.reverse(
        said * 50, x_t, torch.tensor([T - 2, T - 2]), kind, variance, clip=1.0
    )
    assert clipped.x_0.abs().max() == 1


def test_learned_range_ends_are_the_fixed_variances():
    diffusion, x_t, out = table(), draws(2, 3, 4), draws(2, 3, 4, seed=1)
    t = torch.tensor([5, 700])
    least, most = (
        diffusion.reverse(
            torch.cat([out, torch.full_like(out, f)], 1), x_t, t, "eps", "learned_range"
        )
        for f in (-1.0, 1.0)
    )
    assert_close(least.log_variance, diffusion.reverse(out, x_t, t).log_variance.expand(2, 3, 4))
    assert_close(most.variance, diffusion.betas[t].view(2, 1, 1).expand(2, 3, 4))
    with pytest.raises(ValueError, match=r"expected \(2, 6, 4\)"):
        diffusion.reverse(out, x_t, t, "eps", "learned_range")


def test_posterior_by_bayes():
    diffusion = GaussianDiffusion([0.1, 0.3, 0.7])
    a, b, bar = 0.7, 0.3, 0.9  # x_1 ~ N(sqrt(.9) x_0, .1), x_2 ~ N(sqrt(.7) x_1, .3)
    x_0, x_2 = 1.3, -0.4
    precision = 1 / 0.1 + a / b
    mean = (math.sqrt(bar) * x_0 / 0.1 + math.sqrt(a) * x_2 / b) / precision

    def as_t(v):
        return torch.tensor([[v]], dtype=torch.float64)

    got_mean, variance, _ = diffusion.posterior(as_t(x_0), as_t(x_2), torch.tensor([1]))
    assert got_mean.item() == pytest.approx(mean, rel=1e-12) and variance.item() == pytest.approx(
        1 / precision, rel=1e-12
    )
    last, none, _ = diffusion.posterior(as_t(x_0), as_t(x_2), torch.tensor([0]))
    assert (
        last.item() == pytest.approx(x_0, rel=1e-12) and none.item() == 0
    )  # before the first step there is no doubt


def test_no_noise_in_the_last_step_back():
    diffusion, x, noise = table(10), draws(3, 2), draws(3, 2, seed=1)
    zero, later = torch.zeros(3, dtype=torch.int64), torch.full((3,), 4)
    assert_close(diffusion.step_back(x, x, zero, noise), diffusion.reverse(x, x, zero).mean)
    assert not torch.allclose(
        diffusion.step_back(x, x, later, noise), diffusion.reverse(x, x, later).mean
    )


def test_equal_to_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(clip_sample=False)
    x, out, t = (
        draws(2, 3, 4, dtype=torch.float32),
        draws(2, 3, 4, seed=1, dtype=torch.float32),
        500,
    )
    torch.manual_seed(0)
    want = scheduler.step(out, t, x).prev_sample
    torch.manual_seed(0)
    got = table().step_back(out, x, torch.tensor([t, t]), torch.randn_like(x))
    assert_close(got, want, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("keep", [50, 250, [10, 15, 20], "10,20,30", "ddim50", "ddim25", 1, 1000])
def test_respacing_keeps_the_noise_levels(keep):
    whole = table()
    part = whole.respaced(keep)
    assert_close(part.alphas_bar, whole.alphas_bar[part.steps], rtol=1e-9, atol=0.0)
    assert part.steps.diff().gt(0).all() and part.betas.gt(0).all()


def test_spacing_of_guided_diffusion():
    steps = spaced_steps(1000, 250)  # the sampling steps of the published DiT
    assert (
        steps == [round(k * 999 / 249) for k in range(250)] and steps[0] == 0 and steps[-1] == 999
    )
    strides = [b - a for a, b in zip(steps, steps[1:])]
    assert (strides.count(4), strides.count(5)) == (246, 3)
    assert spaced_steps(300, [10, 15, 20])[:10] == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert spaced_steps(1000, "ddim50") == list(range(0, 1000, 20)) and spaced_steps(10, 1) == [0]
    assert table().respaced("ddim50").respaced(5).steps.tolist() == [0, 240, 480, 740, 980]
    with pytest.raises(ValueError, match="no whole stride takes 600"):
        spaced_steps(1000, "ddim600")
    with pytest.raises(ValueError, match="11 of 10 steps"):
        spaced_steps(10, 11)
    with pytest.raises(ValueError, match="0 of 10"):
        spaced_steps(10, 0)
    with pytest.raises(ValueError, match="rising"):
        table(10).respaced(torch.tensor([3, 2]))


@pytest.mark.parametrize(
    "call,error,words",
    [
        (lambda: Chain([0.1, 1.2]), ValueError, "each in"),
        (lambda: Chain([]), ValueError, "expected"),
        (lambda: Chain([0.0]), ValueError, "0, 1"),
        (lambda: Chain([0.1, 0.2], [0]), ValueError, "1 entries"),
        (lambda: table(10).alpha(torch.tensor([10])), IndexError, "0 to 9"),
        (lambda: table(10).alpha(torch.tensor([-1])), IndexError, "-1"),
        (lambda: table(10).alpha(torch.tensor([0.5])), TypeError, "int64"),
        (lambda: table(10).slopes(0), ValueError, "no slopes"),
        (lambda: betas_at(noise_path("flow"), INSIDE), ValueError, "FlowPath"),
        (lambda: betas_at(noise_path("cosine"), torch.tensor([0.0, 0.5])), ValueError, "above 0"),
        (
            lambda: table(10).reverse(
                draws(1, 2), draws(1, 2), torch.tensor([1]), "eps", "learned"
            ),
            ValueError,
            "learned_range",
        ),
    ],
)
def test_bad_chains_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_zero_terminal_keeps_the_first_step_and_ends_in_noise():
    for betas in (
        linear_betas(),
        torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2,
    ):
        before, after = Chain(betas), Chain(zero_terminal(betas))
        assert after.alphas_bar[-1] == 0 and after.betas[-1] == 1
        assert_close(after.alphas_bar[0], before.alphas_bar[0])
        root, now = before.alphas_bar.sqrt(), after.alphas_bar.sqrt()
        assert_close(
            (now[300] - now[700]) / (now[0] - now[-1]),
            (root[300] - root[700]) / (root[0] - root[-1]),
        )  # straight stretching
    diffusion, x = GaussianDiffusion(zero_terminal(linear_betas())), draws(1, 2)
    with pytest.raises(ValueError, match="x0 from eps"):
        diffusion.reverse(x, x, torch.tensor([999]))
    assert_close(diffusion.reverse(x, x, torch.tensor([999]), "v").x_0, -x)


# The variational bound


def test_kl_and_bins():
    a, b = torch.distributions.Normal(0.3, 0.5), torch.distributions.Normal(-0.1, 1.2)
    got = normal_kl(a.mean, a.variance.log(), b.mean, b.variance.log())
    assert_close(got, torch.distributions.kl_divergence(a, b))
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean, std in ((0.1, 0.3), (-0.9, 0.01), (0.99, 0.002), (0.0, 1e-4)):
        logs = discretized_log_likelihood(
            levels,
            torch.tensor(mean, dtype=torch.float64),
            torch.tensor(std, dtype=torch.float64).log(),
        )
        edges = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]).numpy() / 2, [np.inf]])
        cdf = stats.norm(mean, std).cdf(edges)
        assert logs.exp().sum().item() == pytest.approx(1, abs=1e-9) and logs.isfinite().all()
        assert_close(logs.exp(), torch.tensor(np.diff(cdf)), atol=1e-9, rtol=1e-6)


def test_bound_terms_by_hand():
    diffusion, x_0 = GaussianDiffusion([0.1, 0.3, 0.7]), draws(2, 1, 3).tanh()
    said, t = draws(2, 1, 3, seed=1), torch.tensor([0, 2])
    x_t = diffusion.q_sample(x_0, draws(2, 1, 3, seed=2), t)
    got = vlb_terms(diffusion, said, x_0, x_t, t, predict="x0", variance="fixed_large")
    ref = Reference([0.1, 0.3, 0.7])
    log_v = ref.log_variance("fixed_large", 0)
    first = discretized_log_likelihood(x_0[0], said[0], torch.tensor(log_v / 2)).mean() / -math.log(
        2
    )
    means = [torch.tensor(ref.mean(v[1].numpy(), x_t[1].numpy(), 2)) for v in (x_0, said)]
    normals = [
        torch.distributions.Normal(m, s**0.5) for m, s in zip(means, (ref.tilde[2], ref.b[2]))
    ]
    assert_close(
        got, torch.stack([first, torch.distributions.kl_divergence(*normals).mean() / math.log(2)])
    )
    bar = 0.9 * 0.7 * 0.3
    normal = torch.distributions.Normal
    prior = torch.distributions.kl_divergence(
        normal(bar**0.5 * x_0, (1 - bar) ** 0.5), normal(0.0, 1.0)
    )
    assert_close(prior_bits(diffusion, x_0), prior.flatten(1).mean(1) / math.log(2))


def test_bound_of_the_exact_denoiser_holds_and_tightens():
    mixture, path = Mixture([[0.5, 0.0], [-0.5, 0.3]], [0.1, 0.2], [1.0, 2.0]), noise_path("cosine")
    x_0 = mixture.sample(4000, torch.Generator().manual_seed(0))[0].double()
    exact = -mixture.log_prob(x_0).mean().item() / math.log(2) / 2
    gaps = []
    for T in (8, 32, 128):
        times = path.t_at(torch.linspace(11.0, -10.0, T, dtype=torch.float64))
        diffusion = GaussianDiffusion(betas_at(path, times, most=1.0))
        torch.manual_seed(0)
        bound = bits_per_dim(
            diffusion,
            lambda x, s, times=times: mixture.denoise(x, times[s], path),
            x_0,
            predict="x0",
            variance="fixed_large",
            n_levels=None,
        )
        assert_close(bound.total, bound.prior + bound.terms.sum(0))
        gaps.append(bound.total.mean().item() - exact)
    assert gaps[0] > gaps[1] > gaps[2] > -0.02 and gaps[2] < 0.1, gaps


# The mixture


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


def test_a_single_gaussian_needs_a_variance_between_the_two_fixed_ones():
    diffusion, t = table(50), torch.tensor([20])
    for std, log_variance in (
        (1e-6, diffusion.small_variance.log()),
        (1.0, diffusion.betas.log()),
    ):  # no doubt, and nothing but noise
        a, s = diffusion.alpha(t).item(), diffusion.sigma(t).item()
        doubt = 1 / (1 / std**2 + a**2 / s**2)  # variance of x_0 given x_t
        of_x_0 = (diffusion.betas * diffusion.before.sqrt() / (1 - diffusion.alphas_bar))[t]
        assert_close(
            (diffusion.small_variance[t] + of_x_0**2 * doubt).log(),
            log_variance[t],
            atol=1e-6,
            rtol=1e-6,
        )


def test_edm_path_with_other_limits():
    path = EDMPath(0.01, 20.0, 1.0)
    assert_close(path.sigma(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([0.01, 10.005, 20.0]))


def test_a_chain_of_one_step_and_images_in_bins():
    one = GaussianDiffusion([0.5])
    x, t = draws(3, 1, 2, 2).tanh(), torch.zeros(3, dtype=torch.int64)
    for variance in ("fixed_small", "fixed_large"):
        assert one.reverse(x, x, t, "x0", variance).log_variance.isfinite().all()
    assert_close(one.step_back(x, x, t, torch.ones_like(x), predict="x0"), x)
    knows = bits_per_dim(table(25), lambda x_t, s: x, x, predict="x0", variance="fixed_large")
    guesses = bits_per_dim(
        table(25), lambda x_t, s: 0 * x_t, x, predict="x0", variance="fixed_large"
    )
    assert knows.terms.shape == (25, 3) and (knows.total < guesses.total).all()
    assert_close(knows.prior, guesses.prior)


def test_network_is_told_the_original_steps():
    told = []

    def model(x_t, s):
        told.append(s[0].item())
        return x_t

    bits_per_dim(
        table(1000).respaced(4), model, torch.zeros(2, 3, dtype=torch.float64), predict="x0"
    )
    assert told == [0, 333, 666, 999]
