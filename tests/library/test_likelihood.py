"""The variational bound: its terms by hand, and the bound against a likelihood that is known."""

import math

import numpy as np
import pytest
import torch
from library_fixtures import Reference, draws, table
from scipy import stats
from torch.testing import assert_close

from mmgen.chain import GaussianDiffusion, betas_at
from mmgen.diffusion import noise_path
from mmgen.likelihood import (
    chain_bits_per_dim,
    discretized_log_likelihood,
    normal_kl,
    prior_bits,
    vlb_terms,
)
from mmgen.predictions import Mixture


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
        bound = chain_bits_per_dim(
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


def test_a_chain_of_one_step_and_images_in_bins():
    one = GaussianDiffusion([0.5])
    x, t = draws(3, 1, 2, 2).tanh(), torch.zeros(3, dtype=torch.int64)
    for variance in ("fixed_small", "fixed_large"):
        assert one.reverse(x, x, t, "x0", variance).log_variance.isfinite().all()
    assert_close(one.step_back(x, x, t, torch.ones_like(x), predict="x0"), x)
    knows = chain_bits_per_dim(table(25), lambda x_t, s: x, x, predict="x0", variance="fixed_large")
    guesses = chain_bits_per_dim(
        table(25), lambda x_t, s: 0 * x_t, x, predict="x0", variance="fixed_large"
    )
    assert knows.terms.shape == (25, 3) and (knows.total < guesses.total).all()
    assert_close(knows.prior, guesses.prior)


def test_network_is_told_the_original_steps():
    told = []

    def model(x_t, s):
        told.append(s[0].item())
        return x_t

    chain_bits_per_dim(
        table(1000).respaced(4), model, torch.zeros(2, 3, dtype=torch.float64), predict="x0"
    )
    assert told == [0, 333, 666, 999]
