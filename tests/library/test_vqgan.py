"""Who moves when, what each loss is worth, that the balance holds, and that published weights mean
the same thing here.
"""

import copy
import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.codebooks import FSQ
from mmgen.core import data_path
from mmgen.data import DigitImages
from mmgen.features import digit_net, embed
from mmgen.metrics import frechet_distance, psnr
from mmgen.published.vqgan import (
    PublishedConfig,
    PublishedVQGAN,
    from_published,
    load_published,
    to_published,
)
from mmgen.quantizer import EMAVectorQuantizer
from mmgen.training import Batches, NonFiniteError, Recipe, fit, run
from mmgen.vqgan import (
    GAMES,
    TURNS,
    VQGAN,
    MapDiscriminator,
    MultiScaleDiscriminator,
    PatchDiscriminator,
    VQGANConfig,
    adaptive_weight,
    discriminator_loss,
    frozen,
    game,
    gan_optimizers,
    generator_loss,
    last_layer,
    lecam_penalty,
    r1_penalty,
)
from mmgen.vqvae import VQVAE, VQVAEConfig
from mmgen.weights import load_state, load_weights

SMALL = VQVAEConfig(factor=7, n_codes=8, width=16, encoder_depth=1, decoder_depth=1)
NOW = dict(start=0, ramp=0)


def images(n=6, c=1, size=28):
    return torch.rand(n, c, size, size, generator=torch.Generator().manual_seed(n)) * 2 - 1


def map_discriminator():
    return MapDiscriminator(
        [2 * digit_net("loss").config.width, 4 * digit_net("loss").config.width], 8
    )


def duel(discriminator=None, **settings):
    torch.manual_seed(0)
    return VQGAN(
        VQVAE(SMALL),
        discriminator or PatchDiscriminator(width=4),
        VQGANConfig(**{**NOW, **settings}),
    ).train()


def trained(model, x, size=4, **recipe):
    "The last state of a short run of both gan_optimizers."
    return run(
        fit(
            model,
            TURNS,
            Batches(x, size, seed=0),
            Recipe(**recipe),
            device="cpu",
            optimizer=gan_optimizers(model),
            progress=False,
        )
    )


# Losses from logits


def by_hand(name, real, fake):
    "The losses number by number, from the papers."

    def sigmoid(v):
        return 1 / (1 + math.exp(-v))

    each = {
        "hinge": (lambda r: max(0, 1 - r), lambda f: max(0, 1 + f), lambda f: -f),
        "non-saturating": (
            lambda r: -math.log(sigmoid(r)),
            lambda f: -math.log(1 - sigmoid(f)),
            lambda f: -math.log(sigmoid(f)),
        ),
        "least squares": (lambda r: (r - 1) ** 2, lambda f: f**2, lambda f: (f - 1) ** 2 / 2),
    }[name]

    def mean(f, v):
        return sum(map(f, v)) / len(v)

    return (mean(each[0], real) + mean(each[1], fake)) / 2, mean(each[2], fake)


@pytest.mark.parametrize("name", GAMES)
def test_losses_are_those_of_the_papers(name):
    real, fake = torch.tensor([-2.0, 0.3, 1.7]), torch.tensor([-0.4, 2.5])
    discriminator, generator = by_hand(name, real.tolist(), fake.tolist())
    assert GAMES[name].discriminator(real, fake).item() == pytest.approx(discriminator, rel=1e-5)
    assert GAMES[name].generator(fake).item() == pytest.approx(generator, rel=1e-5)
    assert all(
        math.isfinite(v)
        for v in (
            GAMES[name].discriminator(real * 1e4, fake * 1e4).item(),
            GAMES[name].generator(fake * 1e4).item(),
        )
    )


def test_an_unknown_game_is_named_with_the_nearest():
    with pytest.raises(
        ValueError, match="game='hing'; expected one of 'hinge', .*; did you mean 'hinge'?"
    ):
        game("hing")


@pytest.mark.parametrize(
    "field,bad,words",
    [
        ("game", "wgan", "expected one of"),
        ("start", -1, "whole number of at least 0"),
        ("every", 0, "at least 1"),
        ("adversarial", -0.5, r"number in \[0, inf\)"),
        ("ramp", 1.5, "whole number"),
        ("perceptual", "1", "number"),
    ],
)
def test_a_config_names_a_field_that_is_out_of_range(field, bad, words):
    with pytest.raises(ValueError, match=words):
        VQGANConfig(**{field: bad})


# Discriminators


@pytest.mark.parametrize("layers,size,places", [(1, 28, 14), (2, 28, 7), (3, 32, 4), (2, 30, 7)])
def test_patch_discriminator_gives_a_map(layers, size, places):
    assert PatchDiscriminator(3, 4, layers)(images(2, 3, size)).shape == (2, 1, places, places)


def test_patch_discriminator_is_not_affine_and_judges_each_image_alone():
    torch.manual_seed(0)
    d, x = PatchDiscriminator(), images(4)
    assert (d(x * 2) - 2 * d(x) + d(x * 0)).abs().max() > 1e-3
    assert_close(d(x[2:3]), d(x)[2:3], atol=1e-6, rtol=1e-5)
    assert [type(m).__name__ for m in PatchDiscriminator(layers=3, norm=nn.BatchNorm2d)].count(
        "BatchNorm2d"
    ) == 2


def test_the_discriminators_of_scales_and_maps():
    x = images(3)
    assert MultiScaleDiscriminator(width=4)(x).shape == (3, 49 + 9)
    net = digit_net("loss")
    assert map_discriminator()(net.maps(x)).shape == (3, 14 * 14 + 7 * 7)
    with pytest.raises(ValueError, match="maps: 1; expected at least 2"):
        map_discriminator()(net.maps(x)[:1])


# Who moves when


@pytest.mark.parametrize("discriminator", [None, map_discriminator])
def test_each_turn_leaves_the_other_player_alone(discriminator):
    model = duel(discriminator and discriminator())
    x = images()
    loss, _, *shown = generator_loss(model, x)
    loss.backward()
    assert all(p.grad is None for p in model.discriminator.parameters())
    assert (
        all(p.grad is not None for p in model.codec.parameters())
        and model.codec.encoder[0].weight.grad.norm() > 0
    )  # straight through
    model.zero_grad(set_to_none=True)
    discriminator_loss(model, x, *shown)[0].backward()
    assert all(p.grad is None for p in model.codec.parameters()) and all(
        p.grad is not None for p in model.discriminator.parameters()
    )
    assert (
        all(p.grad is None for p in model.perceptual_net.parameters())
        and not model.perceptual_net.training
    )
    assert all(p.requires_grad for p in model.discriminator.parameters())  # frozen() let go


def test_the_discriminators_push_changes_the_codecs_gradient():
    x, grads = images(), []
    for adversarial in (0.0, 1.0):
        model = duel(adversarial=adversarial)
        generator_loss(model, x)[0].backward()
        grads.append(model.codec.encoder[0].weight.grad.clone())
    assert (grads[0] - grads[1]).abs().max() > 1e-4 * grads[0].abs().max()


def test_a_step_of_each_player_moves_only_it():
    model = duel()
    before = copy.deepcopy(model.state_dict())
    optimizers = gan_optimizers(model)(None)
    x = images()
    model.zero_grad()
    loss, _, *shown = generator_loss(model, x)
    loss.backward()
    for o in optimizers[0]:
        o.step()
    moved = {
        k.split(".")[0] for k, v in model.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == {"codec", "balance"}
    middle = copy.deepcopy(model.state_dict())
    model.zero_grad()
    discriminator_loss(model, x, *shown)[0].backward()
    optimizers[1].step()
    assert {
        k.split(".")[0] for k, v in model.state_dict().items() if not torch.equal(v, middle[k])
    } == {"discriminator", "batches"}


def test_the_voice_starts_rises_and_rests():
    model = duel(start=4, ramp=2, every=1)
    heard = []
    for at in range(8):
        model.batches.fill_(at)
        heard.append(model.discriminator_factor())
    assert heard == [0, 0, 0, 0, 0.5, 1, 1, 1]
    model = duel(every=3)
    rest = []
    for at in range(6):
        model.batches.fill_(at)
        rest.append(model.discriminator_factor())
    assert rest == [1, 0, 0, 1, 0, 0]


def test_a_resting_discriminator_does_not_move_and_costs_no_gradient():
    model = duel(start=100)
    x = images()
    _, logs, *shown = generator_loss(model, x)
    loss = discriminator_loss(model, x, *shown)[0]
    loss.backward()
    assert (
        "adversarial" not in logs
        and loss.item() == 0
        and all(p.grad.abs().max() == 0 for p in model.discriminator.parameters())
    )


def test_fakes_survive_accumulation():
    model = duel()
    x = images(8)
    state = trained(model, x, 2, steps=2, accumulate=3)
    assert int(model.batches) == 6 and math.isfinite(state.logs["discriminator"])


def test_evaluation_computes_the_loss_without_the_discriminator():
    model = duel().eval()
    with torch.no_grad():
        loss, logs, *_ = generator_loss(model, images())
    assert loss.isfinite() and "adversarial" not in logs


# The balance


def test_adaptive_weight_equalises_gradients_whatever_the_scale():
    model, x = duel(), images()
    last = last_layer(model.codec)
    x_hat, _ = model.codec(x)
    main = (x_hat - x).square().mean()
    for scale in (1e-2, 1.0, 1e3):
        extra = scale * model.discriminator(x_hat).mean()
        weight = adaptive_weight(main, extra, last)
        own, push = (
            torch.autograd.grad(v, last, retain_graph=True)[0].norm().item() for v in (main, extra)
        )
        assert (
            weight.item() == pytest.approx(own / (push + 1e-4), rel=1e-4)
            and not weight.requires_grad
        )
        if scale >= 1:
            assert weight.item() * push == pytest.approx(own, rel=0.01)


def test_the_balance_holds_until_it_is_measured_again():
    model = duel(start=1, adapt_every=3)
    weights = []
    for i in range(7):
        _, logs, *shown = generator_loss(model, images(4 + i))
        discriminator_loss(model, images(4 + i), *shown)
        weights.append(logs["weight"].item() if "weight" in logs else None)
    assert (
        weights[0] is None and weights[1] == weights[2] and weights[3] == weights[4] == weights[5]
    )  # batches 1, then 3, then 6
    assert len({weights[1], weights[3], weights[6]}) == 3 and min(weights[1:]) > 0
    fresh = duel()
    each = []
    for i in range(3):
        _, logs, *shown = generator_loss(fresh, images(4 + i))
        each.append(logs["weight"].item())
        discriminator_loss(fresh, images(4 + i), *shown)
    assert len(set(each)) == 3  # by default every batch is measured


def test_adaptive_weight_at_its_ends():
    w = torch.ones(3, requires_grad=True)
    assert (
        adaptive_weight(w.sum() * 1e6, (w * 0).sum(), w).item() == 1e4
    )  # a dead discriminator: the limit, not infinity
    with torch.no_grad():
        assert adaptive_weight(w.sum(), w.sum(), w).item() == 0
    assert adaptive_weight(w.sum(), torch.tensor(1.0), w).item() == 0  # nothing to balance


def test_last_layer_is_the_last():
    codec = VQVAE(SMALL)
    assert last_layer(codec) is codec.decoder[-1].weight
    big = PublishedVQGAN(TINY)
    assert last_layer(big) is big.decoder[1].conv_out.weight
    codec.decoder[-1].requires_grad_(False)
    assert last_layer(codec).requires_grad
    codec.decoder.requires_grad_(False)
    with pytest.raises(ValueError, match="no weight is trained"):
        last_layer(codec)
    normed = duel()
    nn.utils.parametrizations.weight_norm(normed.codec.decoder[-1])
    assert generator_loss(normed, images())[1]["weight"] > 0
    with pytest.raises(ValueError, match="perceptual_net=None; expected a network with .maps"):
        VQGAN(VQVAE(VQVAEConfig(channels=3, width=8)))


def test_r1_is_half_the_squared_slope():
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
    x = images(3).requires_grad_()
    assert_close(r1_penalty(net(x), [x]), net[1].weight.square().sum() / 2)

    def curved(t):
        return t.flatten(1).square().sum(1)

    assert_close(r1_penalty(curved(x), [x]), (2 * x).square().flatten(1).sum(1).mean() / 2)
    d = PatchDiscriminator(width=4)
    r1_penalty(d(x), [x]).backward()
    assert d[0].weight.grad.norm() > 0


def test_lecam_moves_its_means_and_measures_across():
    means = torch.tensor([0.0, 0.0])
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([-1.0])
    value = lecam_penalty(real, fake, means, decay=0.5)
    assert_close(means, torch.tensor([1.5, -0.5]))
    assert value.item() == pytest.approx(((2 + 0.5) ** 2 + (4 + 0.5) ** 2) / 2 + (-1 - 1.5) ** 2)


@pytest.mark.parametrize(
    "settings",
    [
        dict(r1=0.1),
        dict(lecam=0.1),
        dict(game="least squares"),
        dict(game="non-saturating"),
        dict(every=2),
        dict(adaptive=False),
        dict(perceptual=0.0),
    ],
)
@pytest.mark.parametrize("discriminator", [None, map_discriminator])
def test_every_setting_trains(settings, discriminator):
    model = duel(discriminator and discriminator(), **settings)
    state = trained(model, images(12), steps=3, ema=0.9)
    assert math.isfinite(state.loss) and state.ema.codec.decode_indices(
        torch.zeros(1, 4, 4, dtype=torch.int64)
    ).shape == (1, 1, 28, 28)


def test_bf16_is_finite_and_its_codebook_stays_float32():
    model = duel(map_discriminator())
    state = trained(model, images(8), steps=3, precision="bf16")
    assert (
        math.isfinite(state.loss)
        and math.isfinite(state.logs["discriminator"])
        and model.codec.quantizer.codebook.dtype == torch.float32
    )


def test_a_bad_pixel_stops_both_gan_optimizers():
    x = images(4)
    x[1, 0, 3, 3] = math.nan
    model = duel()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises((NonFiniteError, ValueError)):
        trained(model, x, steps=3)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_both_gan_optimizers_go_on_bit_for_bit(tmp_path):
    def go(folder, stop):
        torch.manual_seed(1)
        model = duel(map_discriminator(), start=2, ramp=3, lecam=0.1, adapt_every=3)
        states = fit(
            model,
            TURNS,
            Batches(images(20), 4, seed=0),
            Recipe(steps=12, ema=0.9, seed=0),
            device="cpu",
            folder=folder,
            save_every=5,
            optimizer=gan_optimizers(model),
            progress=False,
        )
        for state in states:
            if state.step == stop:
                states.close()
                return state

    whole = go(tmp_path / "a", 12)
    go(tmp_path / "b", 7)
    again = go(tmp_path / "b", 12)
    for a, b in ((whole.model, again.model), (whole.ema, again.ema)):
        assert all(
            torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values())
        )


def test_any_quantizer_and_colour():
    model = VQGAN(
        VQVAE(VQVAEConfig(channels=3, factor=8, width=32, dim=2), FSQ((4, 4))),
        config=VQGANConfig(perceptual=0.0, **NOW),
    ).train()
    loss, _, *shown = generator_loss(model, images(2, 3, 32))
    loss.backward()
    discriminator_loss(model, images(2, 3, 32), *shown)[0].backward()
    assert isinstance(VQVAE(SMALL).quantizer, EMAVectorQuantizer)


def old_names(state):
    "A state as earlier versions named it."
    old = {"discriminator": "critic", "perceptual_net": "tutor", "mean_logits": "opinions"}

    def rename(name):
        head, dot, rest = name.partition(".")
        return old.get(head, head) + dot + rest.replace("scales.", "critics.")

    return {rename(name): t for name, t in state.items()}


@pytest.mark.parametrize("discriminator", [None, map_discriminator, MultiScaleDiscriminator])
def test_weights_and_config_of_earlier_versions_load(discriminator):
    saved = duel(discriminator and discriminator())
    old = old_names(saved.state_dict())
    assert {"opinions"} < set(old) and any(name.startswith("critic.") for name in old)
    for load in (load_state, lambda model, state: model.load_state_dict(state)):
        model = duel(discriminator and discriminator())
        with torch.no_grad():
            for p in model.discriminator.parameters():
                p.zero_()
        load(model, old)
        state = model.state_dict()
        assert all(torch.equal(t, state[name]) for name, t in saved.state_dict().items())
    config = json.loads('{"game": "hinge", "start": 3, "ramp": 2, "every": 1, "adapt_every": 8}')
    assert VQGANConfig(**config).start == 3


def test_the_discriminator_sees_the_fakes_of_its_own_batch_after_a_refused_step():
    x = images(4)
    bad = x.clone()
    bad[0, 0, 0, 0] = math.nan
    model = duel()
    with pytest.raises((NonFiniteError, ValueError)):
        trained(model, bad, steps=1)
    seen = []
    model.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    trained(model, x, steps=1)
    fake, real, shown = seen  # the generator's turn, then real and fake in the discriminator's
    assert torch.equal(real.sort(0).values, x.sort(0).values)
    assert torch.equal(fake, shown) and fake.requires_grad and not shown.requires_grad


def test_a_resting_discriminator_stays_though_it_has_momentum():
    model = duel(every=2)
    weights = []
    states = fit(
        model,
        TURNS,
        Batches(images(8), 4, seed=0),
        Recipe(steps=4),
        device="cpu",
        optimizer=gan_optimizers(model),
        progress=False,
    )
    for _ in states:
        weights.append(model.discriminator[0].weight.detach().clone())
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[2], weights[3])
    assert not torch.equal(weights[1], weights[2])


def test_frozen_gives_the_weights_back_after_an_error():
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    with pytest.raises(RuntimeError), frozen(net):
        raise RuntimeError
    assert net.weight.requires_grad and not net.bias.requires_grad


# The published architecture

TINY = PublishedConfig(
    resolution=32, width=32, mult=(1, 2), attention=(16,), z_channels=16, dim=8, n_codes=24
)


def reference(sd, x):
    """Encoder, nearest code and decoder written out from the published names alone, two levels,
    attention at the second.
    """

    def conv(name, x, **kw):
        return F.conv2d(x, sd[f"{name}.weight"], sd[f"{name}.bias"], **kw)

    def norm(name, x):
        return F.group_norm(x, 32, sd[f"{name}.weight"], sd[f"{name}.bias"], 1e-6)

    def swish(x):
        return x * torch.sigmoid(x)

    def res(name, x):
        h = conv(f"{name}.conv1", swish(norm(f"{name}.norm1", x)), padding=1)
        h = conv(f"{name}.conv2", swish(norm(f"{name}.norm2", h)), padding=1)
        return (conv(f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in sd else x) + h

    def attn(name, x):
        b, c, h, w = x.shape
        n = norm(f"{name}.norm", x)
        q, k, v = (conv(f"{name}.{part}", n).reshape(b, c, h * w) for part in "qkv")
        weight = (torch.einsum("bci,bcj->bij", q, k) * c**-0.5).softmax(2)
        return x + conv(
            f"{name}.proj_out", torch.einsum("bij,bcj->bci", weight, v).reshape(b, c, h, w)
        )

    def mid(name, x):
        return res(f"{name}.block_2", attn(f"{name}.attn_1", res(f"{name}.block_1", x)))

    h = conv("encoder.conv_in", x, padding=1)
    h = res("encoder.down.0.block.1", res("encoder.down.0.block.0", h))
    h = conv("encoder.down.0.downsample.conv", F.pad(h, (0, 1, 0, 1)), stride=2)
    for j in range(2):
        h = attn(f"encoder.down.1.attn.{j}", res(f"encoder.down.1.block.{j}", h))
    z = conv(
        "quant_conv",
        conv("encoder.conv_out", swish(norm("encoder.norm_out", mid("encoder.mid", h))), padding=1),
    )
    far = (
        (z[:, :, None] - sd["quantize.embedding.weight"].T[None, :, :, None, None]).square().sum(1)
    )  # (b, k, h, w)
    z_q = sd["quantize.embedding.weight"][far.argmin(1)].movedim(-1, 1)
    h = mid("decoder.mid", conv("decoder.conv_in", conv("post_quant_conv", z_q), padding=1))
    for j in range(3):
        h = attn(f"decoder.up.1.attn.{j}", res(f"decoder.up.1.block.{j}", h))
    h = conv(
        "decoder.up.1.upsample.conv", h.repeat_interleave(2, 2).repeat_interleave(2, 3), padding=1
    )
    for j in range(3):
        h = res(f"decoder.up.0.block.{j}", h)
    return far.argmin(1), conv("decoder.conv_out", swish(norm("decoder.norm_out", h)), padding=1)


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(0)
    model = PublishedVQGAN(TINY).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))  # biases and gains that matter
    return model


def test_published_forward_equals_one_written_from_the_names(published):
    x = images(2, 3, 32)
    codes, x_hat = reference(to_published(published), x)
    with torch.no_grad():
        got, out = published(x)
    assert torch.equal(out.indices, codes)
    assert_close(got, x_hat, atol=1e-5, rtol=1e-5)


def test_published_names_go_there_and_back(published):
    theirs = to_published(published)
    assert {
        "quantize.embedding.weight",
        "quant_conv.weight",
        "post_quant_conv.bias",
        "encoder.down.0.downsample.conv.weight",
        "decoder.up.1.upsample.conv.bias",
        "encoder.mid.attn_1.proj_out.weight",
        "decoder.up.1.block.0.norm1.weight",
    } <= set(theirs)
    assert not [k for k in theirs if k.startswith(("quantizer", "encoder.0", "decoder.1."))]
    again = load_published({"state_dict": theirs | {"loss.logvar": torch.zeros(1)}}, 32)
    assert again.config == TINY and not again.training
    back = to_published(again)
    assert back.keys() == theirs.keys() and all(torch.equal(back[k], theirs[k]) for k in theirs)
    assert set(from_published(theirs)) == set(published.state_dict())


def test_the_imagenet_model_has_the_published_shapes():
    with torch.device("meta"):
        model = PublishedVQGAN(PublishedConfig())
    theirs = {k: tuple(v.shape) for k, v in to_published(model).items()}
    assert theirs["quantize.embedding.weight"] == (1024, 256) and theirs[
        "encoder.conv_in.weight"
    ] == (128, 3, 3, 3)
    assert (
        theirs["encoder.down.4.attn.1.q.weight"] == (512, 512, 1, 1)
        and "encoder.down.3.attn.0.q.weight" not in theirs
    )
    assert (
        theirs["decoder.up.4.block.2.conv2.weight"] == (512, 512, 3, 3)
        and "decoder.up.0.block.0.nin_shortcut.weight" not in theirs
    )
    assert (
        theirs["decoder.up.1.block.0.nin_shortcut.weight"] == (128, 256, 1, 1)
        and "decoder.up.0.upsample.conv.weight" not in theirs
    )
    assert "encoder.down.4.downsample.conv.weight" not in theirs and model.config.factor == 16


def test_published_weights_that_do_not_fit_are_listed(published):
    theirs = to_published(published)
    with pytest.raises(ValueError, match=r"2 missing: encoder\.mid\.block_1\.conv1\.weight"):
        load_published(
            {k: v for k, v in theirs.items() if "encoder.mid.block_1.conv1" not in k}, 32
        )
    with pytest.raises(ValueError, match="1 unexpected: encoder.extra"):
        load_published(theirs | {"encoder.extra": torch.zeros(1)}, 32)
    with pytest.raises(ValueError, match="1 wrongly shaped"):
        load_published(theirs | {"quant_conv.bias": torch.zeros(3)}, 32)
    with pytest.raises(ValueError, match="renumbers"):
        load_published(theirs | {"quantize.used": torch.arange(3)}, 32)
    with pytest.raises(ValueError, match="is missing: these are not the weights"):
        load_published({"a": torch.zeros(1)})
    with pytest.raises(ValueError, match="multiple of 32"):
        PublishedConfig(width=48)


def test_sizes_that_do_not_divide_are_refused(published):
    assert published(images(1, 3, 48))[0].shape == (1, 3, 48, 48)
    with pytest.raises(ValueError, match="factor"):
        published(images(1, 3, 31))


# What is shipped


def test_shipped_weights_reproduce_their_record():
    folder = data_path("weights", "vqgan_mnist")
    record = load_weights(folder / "model.safetensors").record
    codec = VQVAE.from_pretrained(folder).eval()
    x, y = DigitImages("test").tensors()
    judge = digit_net("judge")
    with torch.no_grad():
        x_hat = torch.cat(
            [codec.decode_indices(codec.indices(part)) for part in x.split(500)]
        ).clamp(-1, 1)
    own, measured = embed(x_hat, judge), record["measured"]
    assert abs(psnr(x_hat, x).mean().item() - measured["psnr"]) < 0.01
    assert abs(frechet_distance(own, embed(x, judge)) - measured["fd"]) < 2e-3
    assert abs(
        (judge.head(own).argmax(1) == y).float().mean().item() - measured["recognised"]
    ) < 1e-3 and measured["test_images"] == len(x)


@pytest.mark.parametrize("what,n_groups", [("plane", 18), ("longer", 2), ("ideas", 15)])
def test_recorded_tables_are_complete_and_say_how_they_were_made(what, n_groups):
    record = json.loads(data_path("results", f"vqgan_{what}.json").read_text())
    assert all(record[k] for k in ("command", "date", "machine", "torch", "threads", "commit"))
    rows = record["rows"]
    groups = {}
    for r in rows:
        groups.setdefault((r["name"], r["loss"], r.get("equal")), set()).add(r["seed"])
    assert all(seeds == {0, 1, 2} for seeds in groups.values()) and len(groups) == n_groups
    if what == "longer":  # the claim of the notebook, from the figures it shows

        def mean(loss):
            return sum(r["fd"] for r in rows if r["loss"] == loss) / 3

        assert mean("+ adversarial") <= 0.5 * mean("L2")
