"""Noise paths and the times of a batch, against formulas from the papers; limits, bad input."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from mmgen.chain import cosine_betas
from mmgen.diffusion import (
    PATHS,
    EDMPath,
    LinearPath,
    log_normal_sigma,
    logit_normal,
    noise_path,
    uniform,
    uniform_log_snr,
)

VP = ("linear", "cosine", "sigmoid")


INSIDE = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


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
            "'linear', 'cosine', 'sigmoid', 'edm', 'flow'.*mean 'cosine'",
        ),
        (lambda: noise_path("edm", s=1.0), TypeError, "no option 's'.*sigma_min"),
        (
            lambda: noise_path("edm", sigma_min=0.0),
            ValueError,
            "sigma_min=0.0.*0 < sigma_min < sigma_max",
        ),
        (lambda: noise_path("linear", n_steps=1), ValueError, "at least 2 steps"),
        (
            lambda: noise_path("sigmoid", tau=0.0),
            ValueError,
            r"tau=0.0; expected .* in \(0, inf\)",
        ),
        (
            lambda: noise_path("cosine", offset=-1.0),
            ValueError,
            r"offset=-1.0; expected .* in \[0, inf\)",
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


def test_edm_path_with_other_limits():
    path = EDMPath(0.01, 20.0, 1.0)
    assert_close(path.sigma(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([0.01, 10.005, 20.0]))


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


@pytest.mark.parametrize("name,option", [("cosine", "offset"), ("sigmoid", "tau"), ("edm", "rho")])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_options_that_are_no_numbers_are_refused(name, option, value):
    with pytest.raises(ValueError, match=f"{option}={value}"):
        noise_path(name, **{option: value})
