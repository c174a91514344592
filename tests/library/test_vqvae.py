"""VQ-VAE: what must hold of any size and configuration, bad input, the shipped weights, and the
optimizer.
"""

import json
import math
from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from mmgen.checkpoints import CheckpointError
from mmgen.codebooks import FSQ, LFQ, SimVQ, unit
from mmgen.core import data_path
from mmgen.data import DigitImages
from mmgen.quantizer import EMAVectorQuantizer, VectorQuantizer, codebook_report
from mmgen.training import Recipe, fit, matrix_optimizers, run
from mmgen.vqvae import VQVAE, VQVAEConfig, reconstruct, vqvae_loss
from mmgen.weights import load_weights

SMALL = VQVAEConfig(width=8, encoder_depth=1, decoder_depth=1, n_codes=16, dim=4)


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VQVAE(SMALL).eval()


@settings(max_examples=20, deadline=None)
@given(
    b=st.integers(1, 3),
    h=st.integers(1, 5),
    w=st.integers(1, 5),
    channels=st.sampled_from([1, 3]),
    factor=st.sampled_from([1, 2, 4, 7, 8]),
)
def test_every_size_that_the_factor_divides(b, h, w, channels, factor):
    model = VQVAE(
        VQVAEConfig(
            channels=channels,
            factor=factor,
            width=8,
            encoder_depth=1,
            decoder_depth=1,
            n_codes=16,
            dim=4,
        )
    ).eval()
    x = images(b, channels, h * factor, w * factor)
    x_hat, out = model(x)
    assert (
        x_hat.shape == x.shape
        and out.indices.shape == (b, h, w)
        and out.z_q.shape == model.encode(x).shape == (b, 4, h, w)
    )
    assert_close(model.decode_indices(model.indices(x)), x_hat)


@pytest.mark.parametrize(
    "x,error,words",
    [
        (
            images(1, 1, 30, 28),
            ValueError,
            "30 x 28 pixels.*factor=4: crop to 28 x 28 or pad to 32 x 28",
        ),
        (images(1, 1, 3, 4), ValueError, "crop to 4 x 4 or pad to 4 x 4"),
        (
            images(1, 3, 28, 28),
            ValueError,
            r"3 channels; this model was made for 1: VQVAEConfig\(channels=3\)",
        ),
        (images(28, 28), ValueError, "four axes|expected"),
        (images(1, 28, 28, 1), ValueError, "permute"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.uint8), TypeError, "127.5"),
        (images(1, 1, 28, 28) * 255, ValueError, r"\[-1, 1\]"),
        (images(1, 1, 28, 28).numpy(), TypeError, "tensor"),
        (torch.full((1, 1, 28, 28), math.nan), ValueError, "finite"),
    ],
)
def test_bad_images_are_named(model, x, error, words):
    with pytest.raises(error, match=words):
        model.encode(x)


def test_bad_indices_are_named(model):
    with pytest.raises(IndexError, match="expected 0 to 15"):
        model.decode_indices(torch.full((1, 7, 7), 16))
    with pytest.raises(TypeError, match="int64"):
        model.decode_indices(torch.zeros(1, 7, 7))
    with pytest.raises(ValueError, match="rows, columns"):
        model.decode_indices(torch.zeros(49, dtype=torch.int64))


@pytest.mark.parametrize(
    "field,value",
    [
        ("width", 0),
        ("factor", 2.0),
        ("n_codes", -1),
        ("encoder_depth", -1),
        ("commit_weight", -0.1),
        ("dim", True),
        ("channels", "1"),
        ("decay", 1.1),
        ("decay", -0.1),
    ],
)
def test_bad_config_is_named(field, value):
    with pytest.raises(ValueError, match=f"{field}={value!r}; expected"):
        VQVAEConfig(**{field: value})


def test_nothing_is_random_and_eval_changes_nothing(model):
    x, before = images(2, 1, 28, 28), {k: v.clone() for k, v in model.state_dict().items()}
    assert torch.equal(model(x)[0], model(x)[0])
    for k, v in model.state_dict().items():
        assert torch.equal(v, before[k]), k


def test_permuted_codes_permute_the_indices(model):
    x, order = images(2, 1, 28, 28), torch.randperm(16)
    first, x_hat = model.indices(x), model(x)[0]
    model.quantizer.codebook.copy_(model.quantizer.codebook[order].clone())
    assert torch.equal(order[model.indices(x)], first)
    assert_close(model(x)[0], x_hat)
    model.quantizer.codebook.normal_()
    assert not torch.allclose(model(x)[0], x_hat)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EMAVectorQuantizer(16, 4),
        lambda: VectorQuantizer(16, 4),
        lambda: SimVQ(16, 4),
        lambda: FSQ((3, 3, 3, 3)),
        lambda: LFQ(4),
    ],
)
def test_any_quantizer_fits_and_every_part_learns(make):
    torch.manual_seed(0)
    model, x = VQVAE(SMALL, make()).train(), images(4, 1, 28, 28)
    loss, logs = vqvae_loss(model, (x, torch.zeros(4)))
    loss.backward()
    assert set(logs) == {"mse", "usage", "perplexity"}
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), name
    assert all(part[0].weight.grad.abs().sum() > 0 for part in (model.encoder, model.decoder))


def test_half_precision_and_autocast():
    torch.manual_seed(0)
    model, x = VQVAE(SMALL).train(), images(4, 1, 28, 28)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = vqvae_loss(model, x)
    loss.backward()
    assert loss.dtype == torch.float32 and all(p.grad.isfinite().all() for p in model.parameters())
    model.bfloat16().eval()
    x_hat, out = model(x.bfloat16())
    assert (
        x_hat.dtype == out.z_q.dtype == torch.bfloat16
        and model.quantizer.codebook.dtype == torch.float32
    )
    assert model.decode_indices(out.indices).dtype == torch.bfloat16


def test_saved_and_loaded_it_is_the_same(model, tmp_path):
    x = images(2, 1, 28, 28)
    model.save_pretrained(tmp_path)
    again = VQVAE.from_pretrained(tmp_path)
    assert again.config == model.config and not again.training
    assert torch.equal(again(x)[0], model(x)[0])
    assert {p.suffix for p in tmp_path.iterdir()} <= {".json", ".safetensors", ".md"}


def test_a_quantizer_that_the_config_does_not_describe_is_asked_for_at_loading(tmp_path):
    def cosine():
        return EMAVectorQuantizer(SMALL.n_codes, SMALL.dim, norm=unit)

    torch.manual_seed(0)
    x, model = images(4, 1, 28, 28), VQVAE(SMALL, cosine())
    model.train()(x)  # the codes begin on data
    model.eval().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"EMAVectorQuantizer\(norm=unit\).*quantizer="):
        VQVAE.from_pretrained(tmp_path)  # would read cosine codes as Euclidean ones
    again = VQVAE.from_pretrained(tmp_path, quantizer=cosine())
    assert again.config == model.config and torch.equal(again(x)[0], model(x)[0])
    again.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["quantizer"].startswith("EMAVector")


def test_the_config_of_an_ordinary_codec_is_stored_as_before(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == asdict(SMALL)
    same = VQVAE(SMALL, EMAVectorQuantizer(SMALL.n_codes, SMALL.dim))  # given, and of the same kind
    same.save_pretrained(tmp_path / "same")
    VQVAE.from_pretrained(tmp_path / "same")


def test_training_lowers_the_error_and_repeats_exactly():
    x = DigitImages("valid").tensors()[0][:64]

    def train():
        torch.manual_seed(0)
        return run(
            fit(
                VQVAE(SMALL),
                vqvae_loss,
                [x],
                Recipe(steps=30),
                device="cpu",
                optimizer=matrix_optimizers,
                progress=False,
            )
        )

    a, b = train(), train()
    assert a.history[-1]["mse"] < 0.5 * a.history[0]["mse"]
    for k, v in a.model.state_dict().items():
        assert torch.equal(v, b.model.state_dict()[k]), k


def test_labels_play_no_role(model):
    x = images(4, 1, 28, 28)
    assert (
        vqvae_loss(model, (x, torch.zeros(4)))[0]
        == vqvae_loss(model, (x, torch.ones(4)))[0]
        == vqvae_loss(model, x)[0]
    )


def test_reconstruct_puts_the_mode_back(model):
    x = images(5, 1, 28, 28)
    x_hat, codes = reconstruct(model.train(), x, batch_size=2)
    assert model.training and codes.shape == (5, 7, 7)
    assert_close(x_hat, model.eval()(x)[0].detach())


def test_a_bad_pixel_stops_before_the_codebook_learns(model):
    x = images(4, 1, 28, 28)
    x[1, 0, 3, 3] = math.nan
    before = model.quantizer.codebook.clone()
    with pytest.raises(ValueError, match="finite"):
        vqvae_loss(model.train(), x)
    assert torch.equal(model.quantizer.codebook, before)


# The shipped weights

SHIPPED = data_path("weights", "vqvae_mnist")


def test_it_can_be_exported_and_runs_without_numbers():
    model, x = VQVAE(VQVAEConfig(width=16)).eval(), torch.rand(2, 1, 28, 28) * 2 - 1
    assert_close(torch.export.export(model, (x,)).module()(x)[0], model(x)[0])
    assert model.to("meta").indices(x.to("meta")).shape == (2, 7, 7)


def test_shipped_weights_reproduce_their_record():
    weights = load_weights(SHIPPED / "model.safetensors")  # its sha256 is checked
    record, measured = weights.record, weights.record["measured"]
    model, x = VQVAE.from_pretrained(SHIPPED), DigitImages("test").tensors()[0]
    assert (
        weights.config == asdict(model.config) == json.loads((SHIPPED / "config.json").read_text())
    )
    for k in ("command", "profile", "seed", "commit", "cpu_seconds", "threads", "machine"):
        assert record[k] not in ("", None), k
    x_hat, codes = reconstruct(model, x)
    report = codebook_report(codes, model.config.n_codes)
    assert len(x) == measured["test_images"] == 10_000
    assert abs(10 * math.log10(4 / (x_hat - x).square().mean().item()) - measured["psnr_db"]) < 0.01
    assert (
        report["used"] == measured["codes_used"] == 512
        and abs(report["perplexity"] - measured["perplexity"]) < 1
    )
    assert codes[0].numel() * math.log2(model.config.n_codes) == measured["bits_per_image"] == 441
    assert measured["psnr_db"] >= 24.8 and record["cpu_seconds"] <= 60


def test_a_flipped_bit_in_the_weights_is_found(tmp_path):
    blob = bytearray((SHIPPED / "model.safetensors").read_bytes())
    blob[-1000] ^= 1
    (tmp_path / "model.safetensors").write_bytes(blob)
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(tmp_path / "model.safetensors")


def test_codes_of_images_move_no_codebook_in_training_mode_either():
    torch.manual_seed(0)
    model = VQVAE(VQVAEConfig(width=8, n_codes=16, dim=4)).train()
    x = torch.rand(8, 1, 28, 28) * 2 - 1
    model(x)  # starts the codebook on data
    before = {k: v.clone() for k, v in model.state_dict().items()}
    codes = model.indices(x)
    assert model.quantizer.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(codes, model.eval().indices(x))
