"""Chains and the step back, against numpy written from the papers; spacing, ends, bad input."""

import math

import numpy as np
import pytest
import torch
from library_fixtures import Reference, draws, table
from torch.testing import assert_close

from mmgen.chain import (
    Chain,
    GaussianDiffusion,
    betas_at,
    cosine_betas,
    linear_betas,
    spaced_steps,
    zero_terminal,
)
from mmgen.diffusion import noise_path

INSIDE = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


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
