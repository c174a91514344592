"Latent diffusion: the two spaces, sampling and its uses, faults, and the shipped weights."

import json

import pytest
import torch
from library_fixtures import SMALL_DIT, gen, latents, pixels
from torch.testing import assert_close

from mmgen.core import data_path, seed_everything
from mmgen.data import DigitImages
from mmgen.diffusion import noise_path
from mmgen.dit import DiTConfig
from mmgen.editing import inpaint, vary
from mmgen.features import digit_net, embed
from mmgen.latent import (
    LatentConfig,
    LatentDiffusion,
    denoiser,
    generate,
    generate_latents,
    latent_loss,
)
from mmgen.metrics import frechet_distance
from mmgen.training import Batches, Recipe, fit
from mmgen.vqvae import VQVAEConfig
from mmgen.weights import load_weights

# Two spaces


@pytest.mark.parametrize("codes", [True, False])
def test_latents_have_mean_0_and_variance_1_in_each_channel(vqvae, few, codes):
    model = latents(vqvae, codes=codes).measure(few[0])
    z = model.encode(few[0])
    assert_close(z.mean((0, 2, 3)), torch.zeros(8), atol=1e-5, rtol=0)
    assert_close(z.std((0, 2, 3)), torch.ones(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("codes", [True, False])
def test_there_and_back_is_a_reconstruction(vqvae, few, codes):
    model = latents(vqvae, codes=codes).measure(few[0])
    with torch.no_grad():
        expected = vqvae(few[0])[0].clamp(-1, 1)
    assert_close(model.decode(model.encode(few[0])), expected, atol=1e-4, rtol=0)


def test_vectors_are_not_set_to_codes_before_decoding_unless_asked(vqvae, few):
    model = latents(vqvae, codes=False).measure(few[0])
    z = model.encode(few[0][:20])
    with torch.no_grad():
        expected = vqvae.decode(vqvae.encode(few[0][:20])).clamp(-1, 1)
    assert_close(model.decode(z, codes=False), expected, atol=1e-4, rtol=0)
    assert (model.decode(z, codes=False) - model.decode(z)).abs().max() > 0.05


def test_pixels_are_taken_as_they_are(few):
    model = pixels().measure(few[0])
    assert torch.equal(model.encode(few[0]), few[0]) and torch.equal(
        model.decode(2 * few[0]), (2 * few[0]).clamp(-1, 1)
    )
    assert torch.equal(model.mean, torch.zeros(1, 1, 1)) and torch.equal(
        model.std, torch.ones(1, 1, 1)
    )


def test_batches_of_any_size_give_the_same(vqvae, few):
    model = latents(vqvae).measure(few[0])
    assert_close(model.encode(few[0], batch_size=37), model.encode(few[0]), atol=1e-5, rtol=0)
    z = model.encode(few[0])
    assert_close(model.decode(z, batch_size=37), model.decode(z), atol=1e-5, rtol=0)


def test_the_tokenizer_is_frozen_for_real(vqvae, few):
    model = latents(vqvae).measure(few[0])
    before = {k: v.clone() for k, v in model.tokenizer.state_dict().items()}
    data = Batches((model.encode(few[0]), few[1]), 16, 0)
    for _ in fit(model, latent_loss, data, Recipe(steps=3), device="cpu", progress=False):
        assert not model.tokenizer.training
    assert model.dit.training and not any(p.requires_grad for p in model.tokenizer.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.tokenizer.state_dict().items())


@pytest.mark.parametrize("kind", ["eps", "v", "x0", "flow"])
def test_a_few_steps_lower_the_loss_whatever_the_network_says(few, kind):
    seed_everything(0)
    model = LatentDiffusion(
        LatentConfig(DiTConfig((1, 28, 28), **SMALL_DIT | {"patch": 7}), predict=kind, loss_in=kind)
    )
    losses = [
        s.loss
        for s in fit(
            model,
            latent_loss,
            Batches(few, 50, 0),
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


# Config and files


def test_config_says_what_does_not_fit():
    with pytest.raises(ValueError, match="expected 8 channels"):
        LatentConfig(DiTConfig((4, 7, 7), **SMALL_DIT), VQVAEConfig())
    with pytest.raises(ValueError, match="name='flo'"):
        LatentConfig(path="flo")
    with pytest.raises(ValueError, match="learn_sigma=True"):
        LatentConfig(DiTConfig((1, 28, 28), learn_sigma=True, **SMALL_DIT))
    with pytest.raises(ValueError, match="predict='x1'"):
        LatentConfig(predict="x1")


@pytest.mark.parametrize("space", ["pixels", "latents"])
def test_saved_and_loaded_it_draws_the_same(vqvae, few, space, tmp_path):
    model = pixels() if space == "pixels" else latents(vqvae).measure(few[0]).eval()
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
    folder = data_path("weights", f"dit_{kind}")
    measured = load_weights(folder / "model.safetensors").record["measured"]
    rows = json.loads(data_path("results", "latent.json").read_text())["ruler"]
    row = next(r for r in rows if (r["space"], r["n"], r["set"]) == (kind, 500, 0))
    model, judge = LatentDiffusion.from_pretrained(folder).eval(), digit_net()
    asked = torch.arange(500) % 10
    own = embed(generate(model, asked, 1, **measured["sampling"]), judge)  # (500, d)
    real = embed(DigitImages("test").tensors()[0], judge)
    real = real[torch.randperm(len(real), generator=gen())[:500]]
    recognised = (judge.head(own).argmax(1) == asked).float().mean().item()
    assert recognised == pytest.approx(row["recognised"], abs=0.005)
    assert recognised == pytest.approx(measured["recognised"], abs=0.01)
    assert frechet_distance(own, real) == pytest.approx(row["frechet"], rel=0.1)


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


def test_a_path_starts_at_its_own_noise():
    "EDM's first noise has standard deviation 80, so an exact denoiser finds its data."
    model = pixels(path="edm", predict="x0")
    seen = []
    model.forward = lambda x_t, t, labels: seen.append(x_t) or torch.zeros_like(x_t)
    generate_latents(model, torch.arange(10), 0, n_steps=3)
    assert_close(seen[0].std(), torch.tensor(80.0), rtol=0.05, atol=0)


def test_a_constant_channel_keeps_its_scale(vqvae, few):
    model = latents(vqvae)
    model.raw = lambda images, batch_size=500: torch.full((len(images), 8, 7, 7), 0.3)
    model.measure(few[0])
    assert torch.equal(model.std, torch.ones(8, 1, 1))
    assert_close(model.encode(few[0][:2]), torch.zeros(2, 8, 7, 7), atol=1e-5, rtol=0)


def test_a_codec_that_the_config_does_not_describe_is_refused(vqvae):
    with pytest.raises(ValueError, match="codec has .*expected that of config.tokenizer, None"):
        LatentDiffusion(LatentConfig(DiTConfig((8, 7, 7), **SMALL_DIT)), vqvae)


def test_guidance_needs_a_row_trained_without_label():
    config = LatentConfig(DiTConfig((1, 28, 28), label_drop=0.0, **SMALL_DIT | {"patch": 7}))
    model = LatentDiffusion(config).eval()
    assert generate(model, [1], n_steps=1).shape == (1, 1, 28, 28)
    with pytest.raises(ValueError, match="label_drop=0"):
        generate(model, [1], n_steps=1, guidance_scale=2.0)


def test_half_precision_draws(vqvae, few):
    model = latents(vqvae).measure(few[0]).eval().bfloat16()
    images = generate(model, [1, 2], n_steps=2)
    assert images.dtype == torch.float32 and images.isfinite().all()


@pytest.mark.parametrize("labels", ["3", None, {"a": 1}])
def test_labels_that_are_no_numbers_are_named(labels):
    model = pixels().eval()
    with pytest.raises(TypeError, match="labels is .*; expected whole numbers"):
        generate(model, labels, n_steps=2)


def test_images_that_are_not_finite_are_no_latents():
    model = pixels().eval()
    with pytest.raises(ValueError, match="images has values"):
        model.encode(torch.full((1, 1, 28, 28), float("nan")))
