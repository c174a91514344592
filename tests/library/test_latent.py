"Latent diffusion: the two spaces, sampling and its uses, faults, and the shipped weights."

import json
import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.checkpoints import load_weights
from mmgen.core import data_path, seed_everything
from mmgen.data import DigitImages
from mmgen.diffusion import noise_path
from mmgen.dit import DiTConfig
from mmgen.latent import (
    LatentConfig,
    LatentDiffusion,
    denoiser,
    generate,
    generate_latents,
    inpaint,
    latent_loss,
    slerp,
    vary,
    with_known,
)
from mmgen.samplers import finish, sample
from mmgen.training import Batches, Recipe, fit
from mmgen.vqvae import VQVAE, VQVAEConfig

SMALL = dict(patch=1, dim=32, depth=1, num_heads=1, n_classes=10)


@pytest.fixture(scope="module")
def digits():
    return tuple(t[:200] for t in DigitImages("test").tensors())


@pytest.fixture(scope="module")
def vqvae():
    return VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()


def latents(vqvae, **changes):
    return LatentDiffusion(
        LatentConfig(DiTConfig((8, 7, 7), **SMALL), vqvae.config, **changes), vqvae
    )


def pixels(seed=0, **changes):
    seed_everything(seed)
    model = LatentDiffusion(LatentConfig(DiTConfig((1, 28, 28), **SMALL | {"patch": 7}), **changes))
    for p in model.dit.parameters():
        torch.nn.init.normal_(p, std=0.1)  # at the start a DiT says nothing
    return model.eval()


# Two spaces


@pytest.mark.parametrize("codes", [True, False])
def test_latents_have_mean_0_and_variance_1_in_each_channel(vqvae, digits, codes):
    model = latents(vqvae, codes=codes).measure(digits[0])
    z = model.encode(digits[0])
    assert_close(z.mean((0, 2, 3)), torch.zeros(8), atol=1e-5, rtol=0)
    assert_close(z.std((0, 2, 3)), torch.ones(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("codes", [True, False])
def test_there_and_back_is_a_reconstruction(vqvae, digits, codes):
    model = latents(vqvae, codes=codes).measure(digits[0])
    with torch.no_grad():
        expected = vqvae(digits[0])[0].clamp(-1, 1)
    assert_close(model.decode(model.encode(digits[0])), expected, atol=1e-4, rtol=0)


def test_vectors_are_not_set_to_codes_before_decoding_unless_asked(vqvae, digits):
    model = latents(vqvae, codes=False).measure(digits[0])
    z = model.encode(digits[0][:20])
    with torch.no_grad():
        expected = vqvae.decode(vqvae.encode(digits[0][:20])).clamp(-1, 1)
    assert_close(model.decode(z, codes=False), expected, atol=1e-4, rtol=0)
    assert (model.decode(z, codes=False) - model.decode(z)).abs().max() > 0.05


def test_pixels_are_taken_as_they_are(digits):
    model = pixels().measure(digits[0])
    assert torch.equal(model.encode(digits[0]), digits[0]) and torch.equal(
        model.decode(2 * digits[0]), (2 * digits[0]).clamp(-1, 1)
    )
    assert torch.equal(model.mean, torch.zeros(1, 1, 1)) and torch.equal(
        model.std, torch.ones(1, 1, 1)
    )


def test_batches_of_any_size_give_the_same(vqvae, digits):
    model = latents(vqvae).measure(digits[0])
    assert_close(model.encode(digits[0], batch_size=37), model.encode(digits[0]), atol=1e-5, rtol=0)
    z = model.encode(digits[0])
    assert_close(model.decode(z, batch_size=37), model.decode(z), atol=1e-5, rtol=0)


def test_the_tokenizer_is_frozen_for_real(vqvae, digits):
    model = latents(vqvae).measure(digits[0])
    before = {k: v.clone() for k, v in model.tokenizer.state_dict().items()}
    data = Batches((model.encode(digits[0]), digits[1]), 16, 0)
    for _ in fit(model, latent_loss, data, Recipe(steps=3), device="cpu", progress=False):
        assert not model.tokenizer.training
    assert model.dit.training and not any(p.requires_grad for p in model.tokenizer.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.tokenizer.state_dict().items())


@pytest.mark.parametrize("kind", ["eps", "v", "x0", "flow"])
def test_a_few_steps_lower_the_loss_whatever_the_network_says(digits, kind):
    seed_everything(0)
    model = LatentDiffusion(
        LatentConfig(DiTConfig((1, 28, 28), **SMALL | {"patch": 7}), predict=kind, loss_in=kind)
    )
    losses = [
        s.loss
        for s in fit(
            model,
            latent_loss,
            Batches(digits, 50, 0),
            Recipe(steps=60, lr=3e-3),
            device="cpu",
            progress=False,
        )
    ]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


# Sampling


def test_equal_seeds_equal_images_whatever_the_batch_size():
    model, y = pixels(), torch.arange(10)
    a = generate(model, y, 3, n_steps=4)
    assert torch.equal(a, generate(model, y, 3, n_steps=4)) and not torch.equal(
        a, generate(model, y, 4, n_steps=4)
    )
    assert_close(a, generate(model, y, 3, n_steps=4, batch_size=3), atol=1e-5, rtol=0)
    assert a.shape == (10, 1, 28, 28) and a.min() >= -1 and a.max() <= 1


def test_the_label_and_the_guidance_count():
    model = pixels()
    one, other = (generate_latents(model, torch.full((4,), y), 0, n_steps=4) for y in (1, 2))
    assert (one - other).abs().max() > 1e-3
    strong = generate_latents(model, torch.full((4,), 1), 0, n_steps=4, guidance_scale=4.0)
    assert (one - strong).abs().max() > 1e-3
    none = generate_latents(model, torch.full((4,), 10), 0, n_steps=4, guidance_scale=1.0)
    assert_close(
        generate_latents(model, torch.full((4,), 1), 0, n_steps=4, guidance_scale=0.0), none
    )  # s = 0: the one without a label


def test_guidance_is_the_line_through_two_predictions():
    model, y = pixels(predict="flow"), torch.arange(4)
    x_t, t = torch.randn(4, 1, 28, 28), torch.full((4,), 0.6)
    with torch.no_grad():
        with_, without = model(x_t, t, y), model(x_t, t, torch.full_like(y, 10))

    def x_0(flow):  # on the straight path
        return x_t - 0.6 * flow

    with torch.no_grad():
        got = denoiser(model, y, 3.0)(x_t, t)
    assert_close(got, x_0(without) + 3 * (x_0(with_) - x_0(without)), atol=1e-4, rtol=1e-4)


def test_sampling_in_training_mode_is_refused():
    model = pixels().train()
    y = torch.arange(4)
    x = torch.zeros(4, 1, 28, 28)
    for call in (
        lambda: generate(model, y),
        lambda: vary(model, x, y),
        lambda: inpaint(model, x, y, torch.ones(1, 1, 28, 28) > 0),
    ):
        with pytest.raises(ValueError, match=r"training mode.*model\.eval\(\)"):
            call()


# Painting over, varying, blending


@pytest.mark.parametrize("space", ["pixels", "latents"])
def test_what_is_kept_is_kept_to_the_last_bit(vqvae, digits, space):
    model = pixels() if space == "pixels" else latents(vqvae).measure(digits[0]).eval()
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 5:17, 3:20] = True
    out = inpaint(model, digits[0][:4], digits[1][:4], mask, n_steps=4)
    assert torch.equal(
        out[mask.expand_as(out)], digits[0][:4][mask.expand_as(out)]
    ) and out.shape == (4, 1, 28, 28)
    assert (out - digits[0][:4])[~mask.expand_as(out)].abs().max() > 0.01


def test_everything_kept_in_latents_is_the_reconstruction_inside(vqvae, digits):
    model = latents(vqvae).measure(digits[0]).eval()
    x, y = digits[0][:4], digits[1][:4]
    z, all_ = model.encode(x), torch.ones(4, 1, 7, 7, dtype=torch.bool)
    states = sample(with_known(denoiser(model, y), z, all_), model.path, torch.randn_like(z), 6)
    assert_close(finish(states), z, atol=1e-5, rtol=0)


def test_the_known_part_runs_on_its_straight_path():
    model = pixels()
    known, noise = torch.full((2, 1, 28, 28), 0.5), torch.randn(2, 1, 28, 28)
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., :9] = True
    for state in sample(
        with_known(denoiser(model, torch.tensor([1, 2])), known, mask),
        model.path,
        noise,
        5,
        solver="ddim",
    ):
        expected = (1 - state.t) * known + state.t * noise
        assert_close(state.x_t[..., :9], expected[..., :9], atol=1e-5, rtol=0)


def test_a_place_is_kept_only_if_all_its_pixels_are(vqvae, digits):
    model = latents(vqvae).measure(digits[0]).eval()
    mask = torch.ones(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 10, 10] = False  # one pixel of place (2, 2)
    drawn = inpaint(model, digits[0][:2], digits[1][:2], mask, n_steps=3)
    hole = (F.max_pool2d((~mask).float(), 4) > 0)[0, 0]  # the mask of places, made another way
    z, generator = model.encode(digits[0][:2]), torch.Generator().manual_seed(0)
    states = sample(
        with_known(denoiser(model, digits[1][:2], 2.0), z, ~hole),
        model.path,
        torch.randn(z.shape, generator=generator),
        3,
    )
    expected = model.decode(finish(states))
    assert hole.sum() == 1 and torch.equal(drawn[..., 10, 10], expected[..., 10, 10])


def test_bad_masks_are_refused(digits):
    model, (x, y) = pixels(), (digits[0][:2], digits[1][:2])
    with pytest.raises(TypeError, match="mask is torch.float32; expected torch.bool"):
        inpaint(model, x, y, torch.ones(1, 1, 28, 28))
    with pytest.raises(ValueError, match="mask is .*expected .*28"):
        inpaint(model, x, y, torch.ones(1, 1, 7, 7, dtype=torch.bool))


def test_vary_keeps_more_the_earlier_it_starts(digits):
    model = LatentDiffusion.from_pretrained(data_path("weights", "dit_pixels")).eval()
    x, y = digits[0][:16], digits[1][:16]
    away = [(vary(model, x, y, t) - x).square().mean().item() for t in (0.2, 0.5, 0.9)]
    assert away[0] < away[1] < away[2]
    for t in (0, -0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"expected a time in \(0, 1\]"):
            vary(model, x, y, t)


def test_slerp_keeps_the_norm_and_meets_its_ends():
    a, b = torch.randn(2, 3, 20, 20).double()
    a, b = a / a.norm(), b / b.norm()
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert_close(slerp(a, b, share).norm(), torch.tensor(1.0).double())
    assert_close(slerp(a, b, 0.0), a)
    assert_close(slerp(a, b, 1.0), b)
    assert_close(slerp(a, a, 0.3), a)

    def angle(u, v):
        return (u * v).sum().clamp(-1, 1).acos()

    assert_close(angle(a, slerp(a, b, 0.25)), 0.25 * angle(a, b))


# Config and files


def test_config_says_what_does_not_fit():
    with pytest.raises(ValueError, match="expected 8 channels"):
        LatentConfig(DiTConfig((4, 7, 7), **SMALL), VQVAEConfig())
    with pytest.raises(ValueError, match="name='flo'"):
        LatentConfig(path="flo")
    with pytest.raises(ValueError, match="learn_sigma=True"):
        LatentConfig(DiTConfig((1, 28, 28), learn_sigma=True, **SMALL))
    with pytest.raises(ValueError, match="predict='x1'"):
        LatentConfig(predict="x1")


@pytest.mark.parametrize("space", ["pixels", "latents"])
def test_saved_and_loaded_it_draws_the_same(vqvae, digits, space, tmp_path):
    model = pixels() if space == "pixels" else latents(vqvae).measure(digits[0]).eval()
    model.save_pretrained(tmp_path)
    again = LatentDiffusion.from_pretrained(tmp_path).eval()
    assert again.config == model.config and type(again.path) is type(noise_path(model.config.path))
    assert torch.equal(
        generate(again, torch.arange(5), n_steps=3), generate(model, torch.arange(5), n_steps=3)
    )


# Shipped weights


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pixels", "latents"])
def test_shipped_weights_reproduce_their_record(kind):
    from mmgen.report import evaluate

    folder = data_path("weights", f"dit_{kind}")
    m = load_weights(folder / "model.safetensors").record["measured"]
    model = LatentDiffusion.from_pretrained(folder).eval()
    n = m["samples"]
    report = evaluate(
        lambda n, s: (
            generate(model, torch.arange(n) % 10, s, **m["sampling"]),
            torch.arange(n) % 10,
        ),
        DigitImages("test").tensors(),
        n=n,
    )
    assert report["recognised"].value == pytest.approx(m["recognised"], abs=0.003)
    assert report["frechet"].value == pytest.approx(m["frechet"], rel=0.1)
    assert report["frechet"].floor == pytest.approx(m["frechet_floor"], rel=0.02)


def test_the_tables_are_whole():
    found = json.loads(data_path("results", "latent.json").read_text())
    rows = {(r["space"], r["predict"], r["loss_in"]) for r in found["predict"]}
    assert rows >= {(s, k, k) for s in ("pixels", "latents") for k in ("eps", "v", "x0", "flow")}
    assert (
        {r["seed"] for r in found["predict"]} == {0, 1, 2}
        and found["threads"] >= 1
        and found["recipe"][0]["name"] == "the recipe"
    )


def test_labels_may_be_a_list_but_not_none_at_all():
    model = LatentDiffusion.from_pretrained(data_path("weights", "dit_pixels")).eval()
    assert torch.equal(
        generate(model, [3], n_steps=1), generate(model, torch.tensor([3]), n_steps=1)
    )
    for bad in ([], 3):
        with pytest.raises(
            ValueError, match=r"labels has shape \(0?,?\); expected \(n,\), at least one"
        ):
            generate(model, bad)
