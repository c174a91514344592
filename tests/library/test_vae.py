"""Bounds and densities of the VAE module against the library and closed forms; both models train,
reload and name bad input.
"""

import json
import math
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from mmgen.autoencoder import AutoEncoder, AutoEncoderConfig, image_loss
from mmgen.vae import (
    VAE,
    VAEConfig,
    bits_per_dim,
    elbo,
    estimate_log_px,
    gaussian_kl,
    gaussian_log_prob,
    importance_log_px,
    reparameterize,
    vae_loss,
)

ROOT = Path(__file__).parents[2]
SMALL = dict(size=8, width=4, latent_dim=3)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(config, b=2, side=None):
    return torch.rand(b, config.channels, side or config.size, side or config.size) * 2 - 1


@settings(max_examples=40, deadline=None)
@given(st.floats(-6, 6), st.floats(-12, 12))
def test_kl_is_the_library_s_and_never_negative(mean, logvar):
    m, v = torch.tensor([[mean, 0.0]]), torch.tensor([[logvar, 0.0]])
    want = kl_divergence(Normal(m.double(), (v.double() / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert_close(gaussian_kl(m, v).double(), want, rtol=1e-5, atol=1e-5)
    assert gaussian_kl(m, v) >= 0


def test_kl_of_known_values():
    assert (
        abs(gaussian_kl(torch.tensor([[1.0]]), torch.tensor([[2 * math.log(0.5)]])).item() - 0.8181)
        < 1e-4
    )
    tiny = torch.full((1, 4), 1e-4)
    assert_close(
        gaussian_kl(torch.zeros(1, 4), tiny), torch.full((1,), 4 * 1e-8 / 4), rtol=1e-2, atol=0.0
    )  # no cancellation near 0


def test_kl_by_monte_carlo():
    mean, logvar = torch.randn(1, 3), torch.randn(1, 3)
    z = reparameterize(mean.expand(200_000, 3), logvar.expand(200_000, 3))
    log_ratio = gaussian_log_prob(z, mean.expand_as(z), logvar.exp()) - gaussian_log_prob(
        z, torch.zeros_like(z), 1.0
    )
    assert (
        abs(log_ratio.mean() - gaussian_kl(mean, logvar)).item()
        < 5 * log_ratio.std().item() / 200_000**0.5
    )


def test_a_grid_is_summed_like_a_vector():
    mean, logvar = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5)
    assert_close(gaussian_kl(mean, logvar), gaussian_kl(mean.flatten(1), logvar.flatten(1)))


def test_half_precision_is_summed_in_float32():
    mean, logvar = torch.randn(2, 5000), torch.randn(2, 5000)
    got = gaussian_kl(mean.bfloat16(), logvar.bfloat16())
    assert got.dtype == torch.float32 and abs(got / gaussian_kl(mean, logvar) - 1).max() < 0.01


def test_log_prob_has_every_constant():
    x, m = torch.randn(4, 2, 3, 3), torch.randn(4, 2, 3, 3)
    assert_close(gaussian_log_prob(x, m, 0.3), Normal(m, 0.3**0.5).log_prob(x).flatten(1).sum(1))
    assert_close(gaussian_log_prob(x, m, torch.full_like(x, 0.3)), gaussian_log_prob(x, m, 0.3))


def test_best_variance_is_the_mean_squared_error():
    x, m = torch.randn(1, 50), torch.randn(1, 50)
    best = (x - m).square().mean().item()
    for v in (best * 0.9, best * 1.1):
        assert gaussian_log_prob(x, m, v) < gaussian_log_prob(x, m, best)


def test_gradient_of_the_draw():
    mean, logvar, eps = (
        torch.randn(3, 2, requires_grad=True),
        torch.randn(3, 2, requires_grad=True),
        torch.randn(3, 2),
    )
    assert torch.autograd.gradcheck(
        lambda m, v: reparameterize(m, v, eps.double()), (mean.double(), logvar.double())
    )
    assert_close(reparameterize(mean, logvar, torch.zeros_like(mean)), mean)


def linear_model():
    "A linear Gaussian model with its exact log p(x) and posterior."
    W = torch.linalg.qr(torch.randn(5, 2))[0] * torch.tensor([2.0, 1.0])
    x, s2 = torch.randn(3, 5), 0.4
    m = W.square().sum(0) + s2
    log_px = MultivariateNormal(torch.zeros(5), W @ W.T + s2 * torch.eye(5)).log_prob(x)
    return W, x, s2, log_px, x @ W / m, (s2 / m).log().expand(3, 2)


def test_elbo_never_exceeds_the_likelihood_and_importance_weights_reach_it():
    W, x, s2, log_px, mean, logvar = linear_model()
    weights = []
    for _ in range(4000):
        z = reparameterize(mean + 0.3, logvar + 0.3)
        joint = gaussian_log_prob(x, z @ W.T, s2) + gaussian_log_prob(z, z * 0, 1.0)
        weights.append(joint - gaussian_log_prob(z, mean + 0.3, (logvar + 0.3).exp()))
    weights = torch.stack(weights)
    assert (weights.mean(0) < log_px - 0.05).all()
    assert_close(importance_log_px(weights), log_px, atol=0.05, rtol=0.0)
    assert_close(importance_log_px(weights[:1]), weights[0])


def test_elbo_is_exact_at_the_exact_posterior():
    W, x, s2, log_px, mean, logvar = linear_model()
    z = reparameterize(mean, logvar)  # at the exact posterior every single weight is p(x)
    weight = (
        gaussian_log_prob(x, z @ W.T, s2)
        + gaussian_log_prob(z, z * 0, 1.0)
        - gaussian_log_prob(z, mean, logvar.exp())
    )
    assert_close(weight, log_px, atol=1e-4, rtol=1e-4)


def test_elbo_adds_up():
    x, x_hat, mean, logvar = (
        torch.randn(3, 1, 4, 4),
        torch.randn(3, 1, 4, 4),
        torch.randn(3, 2),
        torch.randn(3, 2),
    )
    bound = elbo(x, x_hat, mean, logvar, 0.2)
    assert_close(bound.elbo, bound.log_px_z - bound.kl)
    assert_close(bound.log_px_z, gaussian_log_prob(x, x_hat, 0.2))
    assert_close(bits_per_dim(torch.tensor(-16 * math.log(2)), 16), torch.tensor(1.0))


CONFIGS = [
    dict(),
    dict(channels=3),
    dict(size=24, stages=3),
    dict(grid=True),
    dict(grid=True, stages=1, channels=3),
    dict(size=2, stages=1),
]


@pytest.mark.parametrize("change", CONFIGS)
@pytest.mark.parametrize("kind", [AutoEncoder, VAE])
def test_shapes_gradients_and_batch_of_one(kind, change):
    config = (VAEConfig if kind is VAE else AutoEncoderConfig)(**{**SMALL, **change})
    model, x = kind(config), images(config)
    out = model(x)
    x_hat = out.x_hat if kind is VAE else out
    assert x_hat.shape == x.shape and x_hat.abs().max() <= 1
    (vae_loss(model, x)[0] if kind is VAE else image_loss(model, x)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    one = model(x[:1])
    assert (one.mean if kind is VAE else one).shape[0] == 1


def test_a_grid_model_takes_other_sizes_and_a_vector_model_does_not():
    config = VAEConfig(**SMALL, grid=True)
    model = VAE(config)
    assert model(images(config, side=20)).x_hat.shape == (2, 1, 20, 20)
    assert model.sample(3).shape == (3, 1, 8, 8) and model.sample(3, side=16).shape == (
        3,
        1,
        16,
        16,
    )
    with pytest.raises(
        ValueError, match=r"x has shape \(2, 1, 20, 20\); expected \(b, 1, h, w\) with sides of 8"
    ):
        VAE(VAEConfig(**SMALL))(images(config, side=20))


def test_deterministic_encoder_random_draw():
    ae, vae, x = (
        AutoEncoder(AutoEncoderConfig(**SMALL)),
        VAE(VAEConfig(**SMALL)),
        images(AutoEncoderConfig(**SMALL)),
    )
    assert (
        torch.equal(ae(x), ae(x))
        and torch.equal(vae(x).mean, vae(x).mean)
        and not torch.equal(vae(x).z, vae(x).z)
    )


def test_losses_do_not_see_labels():
    ae, vae, x = (
        AutoEncoder(AutoEncoderConfig(**SMALL)),
        VAE(VAEConfig(**SMALL)),
        images(AutoEncoderConfig(**SMALL)),
    )
    assert torch.equal(image_loss(ae, (x, torch.tensor([1, 2]))), image_loss(ae, x))
    torch.manual_seed(1)
    a = vae_loss(vae, (x, torch.tensor([1, 2])))[0]
    torch.manual_seed(1)
    b = vae_loss(vae, x)[0]
    assert torch.equal(a, b)


def test_loss_is_the_negative_bound_per_value():
    vae, x = VAE(VAEConfig(**SMALL)), images(VAEConfig(**SMALL))
    torch.manual_seed(1)
    loss, logs = vae_loss(vae, x)
    torch.manual_seed(1)
    bound = vae.elbo(x)
    assert_close(loss, -bound.elbo.mean() / 64)
    assert_close(logs["bits"], bound.kl.mean() / math.log(2))


def test_more_importance_samples_give_a_higher_bound():
    vae, x = VAE(VAEConfig(**SMALL)), images(VAEConfig(**SMALL), 20)
    few = torch.stack([estimate_log_px(vae, x, 1) for _ in range(100)]).mean()
    assert estimate_log_px(vae, x, 100).mean() > few and estimate_log_px(vae, x, 1).shape == (20,)


def test_autocast_keeps_the_bound_in_float32():
    vae, x = VAE(VAEConfig(**SMALL)), images(VAEConfig(**SMALL))
    with torch.autocast("cpu", torch.bfloat16):
        bound = vae.elbo(x)
    assert bound.elbo.dtype == torch.float32 and bound.elbo.isfinite().all()


@pytest.mark.parametrize(
    "kind,config",
    [
        (AutoEncoder, AutoEncoderConfig(**SMALL)),
        (VAE, VAEConfig(**SMALL, variance=0.07, grid=True)),
    ],
)
def test_save_and_load(kind, config, tmp_path):
    model = kind(config)
    model.save_pretrained(tmp_path / "m")
    again = kind.from_pretrained(tmp_path / "m")
    assert again.config == config and all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values())
    )
    assert {p.suffix for p in (tmp_path / "m").iterdir()} <= {
        ".safetensors",
        ".json",
        ".md",
    }  # never a pickle


def test_it_trains():
    from mmgen.training import Batches, Recipe, fit, run

    x = (
        torch.where(torch.arange(8) < 4, -1.0, 1.0).expand(32, 1, 8, 8)
        * torch.where(torch.arange(32) < 16, -1.0, 1.0)[:, None, None, None]
    )
    for model, loss in (
        (AutoEncoder(AutoEncoderConfig(**SMALL)), image_loss),
        (VAE(VAEConfig(**SMALL, variance=0.1)), vae_loss),
    ):
        history = run(
            fit(model, loss, Batches(x, 8), Recipe(steps=60, lr=1e-2), device="cpu", progress=False)
        ).history
        assert sum(h["loss"] for h in history[-5:]) < 0.5 * sum(h["loss"] for h in history[:5])


def test_config_is_frozen_and_round_trips():
    config = VAEConfig(variance=0.2)
    with pytest.raises(FrozenInstanceError):
        config.variance = 1.0
    assert VAEConfig(**json.loads(json.dumps(asdict(config)))) == config == replace(config, size=28)


BAD = [
    (
        lambda: VAEConfig(variance=0.0),
        ValueError,
        "variance=0.0; expected a finite number in (0, inf)",
    ),
    (
        lambda: VAEConfig(variance=math.nan),
        ValueError,
        "variance=nan; expected a finite number in (0, inf)",
    ),
    (
        lambda: VAEConfig(variance="0.1"),
        ValueError,
        "variance='0.1'; expected a finite number in (0, inf)",
    ),
    (
        lambda: reparameterize(torch.zeros(2, 3), torch.zeros(3)),
        ValueError,
        "logvar has shape (3,); expected (2, 3)",
    ),
    (
        lambda: gaussian_kl(torch.zeros(2, 3), torch.zeros(2, 1)),
        ValueError,
        "logvar has shape (2, 1); expected (2, 3)",
    ),
    (
        lambda: gaussian_log_prob(torch.zeros(2, 4, 4), torch.zeros(2, 1, 1), 0.1),
        ValueError,
        "mean has shape (2, 1, 1); expected (2, 4, 4)",
    ),
    (
        lambda: elbo(*[torch.zeros(2, 3)] * 4, -1.0),
        ValueError,
        "variance=-1.0; expected a finite number in (0, inf)",
    ),
    (
        lambda: estimate_log_px(VAE(), torch.zeros(1, 1, 28, 28), 0),
        ValueError,
        "n_samples=0; expected a whole number of at least 1",
    ),
    (lambda: VAE().sample(0), ValueError, "n=0; expected a whole number of at least 1"),
]


@pytest.mark.parametrize("call,kind,words", BAD, ids=[words[:40] for *_, words in BAD])
def test_bad_input_is_named(call, kind, words):
    with pytest.raises(kind) as e:
        call()
    assert words in str(e.value)


def test_stored_claims_hold():
    cells = json.loads((ROOT / "nbs" / "03b_vae.ipynb").read_text(encoding="utf8"))["cells"]
    text = "".join("".join(o.get("text", "")) for c in cells for o in c.get("outputs", []))
    assert text.count(": holds") >= 4 and "does not hold at this size" not in text
