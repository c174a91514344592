"""DiT: patches, clock, modulation, sizes, cost, training, bad input."""

import copy
import math

import numpy as np
import pytest
import torch
from einops import rearrange
from library_fixtures import INDUCTOR, lively, randn
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from mmgen.dit import (
    MODES,
    SIZES,
    AdaLNZero,
    CrossAttention,
    DiT,
    DiTBlock,
    DiTConfig,
    InContext,
    PlainBlock,
    branches,
    multiply_adds,
    patchify,
    preset,
    time_features,
    unpatchify,
)
from mmgen.transformer import LayerNorm, RMSNorm, block_optimizers

TRUNKS = (AdaLNZero, InContext, CrossAttention)
SMALL = dict(shape=(3, 8, 12), patch=2, dim=32, depth=2, num_heads=2, n_classes=5)


def small(trunk=AdaLNZero, seed=0, alive=True, **changes):
    torch.manual_seed(seed)
    model = DiT(DiTConfig(**SMALL | changes), trunk).eval()
    return lively(model) if alive else model


def batch(model, b=2, seed=0):
    c = model.config
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(b, generator=g) * 1000 / c.time_scale
    return randn(b, *c.shape, seed=seed), t, torch.randint(0, c.n_classes + 1, (b,), generator=g)


def n_params(model):
    return sum(p.numel() for p in model.parameters())


# Patches


@pytest.mark.parametrize(
    "c,h,w,p", [(1, 28, 28, 4), (3, 8, 12, 2), (4, 6, 9, 3), (2, 5, 5, 1), (1, 7, 7, 7)]
)
def test_patches_are_einops_patches_and_come_back(c, h, w, p):
    x = randn(2, c, h, w)
    tokens = patchify(x, p)
    assert torch.equal(tokens, rearrange(x, "b c (r p) (k q) -> b (r k) (p q c)", p=p, q=p))
    assert torch.equal(unpatchify(tokens, p, h, w), x)
    assert torch.equal(patchify(x.transpose(2, 3), p), patchify(x.transpose(2, 3).contiguous(), p))


def test_a_linear_map_of_patches_is_a_strided_convolution():
    x, conv = randn(2, 3, 8, 12, dtype=torch.float64), nn.Conv2d(3, 7, 2, 2).double()
    weight = conv.weight.permute(0, 2, 3, 1).flatten(1)
    assert_close(F.linear(patchify(x, 2), weight, conv.bias), conv(x).flatten(2).mT)


def test_bad_patches_are_named():
    with pytest.raises(
        ValueError, match="x is 7 x 8; expected height and width that patch=2 divides"
    ):
        patchify(randn(1, 1, 7, 8), 2)
    for shape, p, h, w in (((1, 5, 4), 2, 4, 4), ((1, 4, 5), 2, 4, 4), ((1, 4, 4), 2, 4, 5)):
        with pytest.raises(ValueError, match="tokens has shape"):
            unpatchify(randn(*shape), p, h, w)


# The clock


def test_time_features_are_cosines_then_sines_of_slowing_hands():
    t = torch.tensor([0.0, 1.0, 37.5, 999.0])
    got = time_features(t, 8)
    speeds = [math.exp(-math.log(10000) * i / 4) for i in range(4)]
    want = torch.tensor(
        [[math.cos(x * s) for s in speeds] + [math.sin(x * s) for s in speeds] for x in t.tolist()]
    )
    assert_close(got, want, atol=1e-4, rtol=0)
    assert torch.equal(got[0], torch.tensor([1.0] * 4 + [0.0] * 4)) and got.dtype == torch.float32
    assert (
        time_features(torch.tensor([3]), 8).shape == (1, 8)
        and time_features(t.bfloat16(), 8).dtype == torch.float32
    )


def test_time_in_zero_to_one_hardly_moves_the_clock_without_the_scale():
    ends = torch.tensor([0.0, 1.0])

    def cos(e):
        return F.cosine_similarity(*e, dim=0).item()

    assert cos(time_features(ends)) == pytest.approx(0.972, abs=1e-3) and cos(
        time_features(1000 * ends)
    ) == pytest.approx(0.19, abs=0.01)


# At the start


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_a_new_model_gives_zero(mode, trunk):
    model = small(trunk, alive=False, mode=mode)
    assert model(*batch(model)).abs().max() == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_new_block_is_the_identity_and_its_gates_get_the_first_gradient(mode):
    model = small(alive=False, mode=mode)
    x, c = randn(2, 24, 32), randn(2, 1, 32, seed=1)
    for block, linear in zip(model.trunk.blocks, model.trunk.modulations):
        assert torch.equal(block(x, linear(c)), x)
    x, t, y = batch(model)
    F.mse_loss(model(x, t, y), randn(*x.shape, seed=3)).backward()
    moved = {
        name
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().max() > 0
    }
    assert moved == {"trunk.head.weight", "trunk.head.bias"}


def test_gates_move_before_what_they_guard():
    model = small(alive=False)
    nn.init.normal_(model.trunk.head.weight)
    x, t, y = batch(model)
    F.mse_loss(model(x, t, y), randn(*x.shape, seed=3)).backward()
    grads = {name: p.grad.abs().max().item() for name, p in model.named_parameters()}
    d = model.config.dim
    for i in range(model.config.depth):
        g = model.trunk.modulations[i].weight.grad.unflatten(0, (6, d)).abs().amax((1, 2))
        assert (g > 0).tolist() == [False, False, True, False, False, True]  # the two gates
        assert (
            grads[f"trunk.blocks.{i}.attention.part.qkv.weight"]
            == 0
            == grads[f"trunk.blocks.{i}.mlp.part.fc1.weight"]
        )


def test_weights_at_the_start():
    model = DiT(DiTConfig(dim=64, depth=1, num_heads=2, n_classes=100, mode="original"))
    bound = math.sqrt(6 / (64 + 192))
    qkv = model.trunk.blocks[0].attention.part.qkv
    assert 0.9 * bound < qkv.weight.abs().max() <= bound and qkv.bias.abs().max() == 0

    def near(weight, std):
        return weight.std().item() == pytest.approx(std, rel=0.05)

    assert near(model.labels.table.weight, 0.02) and near(model.time.mlp[0].weight, 0.02)
    assert near(DiT(DiTConfig(dim=64, depth=1, num_heads=2, n_classes=100)).labels.table.weight, 1)


# What the output depends on


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_everything_given_matters_and_no_picture_sees_another(mode, trunk):
    model = small(trunk, mode=mode)
    x, t, y = batch(model)
    y = torch.tensor([1, 3])
    base = model(x, t, y)
    assert base.shape == x.shape

    def moved(other):
        return (other - base).abs().flatten(1).amax(1) > 1e-4

    assert moved(model(x, t + torch.tensor([0.0, 0.05]), y)).tolist() == [False, True]
    assert moved(model(x, t, torch.tensor([1, 4]))).tolist() == [False, True]
    assert moved(model(x, t, torch.tensor([5, 3]))).tolist() == [True, False]  # 5: no label
    corner = x.clone()
    corner[1, :, -1, -1] += 1
    change = (model(corner, t, y) - base).abs()
    assert change[0].max() < 1e-6 and change[1, :, :2, :2].max() > 1e-4  # tokens see each other
    assert_close(model(x[1:], t[1:], y[1:]), base[1:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_places_matter(mode):
    model = small(mode=mode, patch=4)
    x, t, y = batch(model)

    def tokens(z):
        return patchify(z, 4)

    order = torch.tensor([2, 1, 0, 5, 4, 3])
    shuffled = unpatchify(tokens(x)[:, order], 4, 8, 12)
    assert (tokens(model(shuffled, t, y)) - tokens(model(x, t, y))[:, order]).abs().max() > 1e-3


@pytest.mark.parametrize("trunk", TRUNKS)
def test_no_labels_are_the_last_label(trunk):
    model = small(trunk)
    x, t, _ = batch(model)
    assert torch.equal(model(x, t), model(x, t, torch.full((2,), 5)))
    assert small(trunk, n_classes=0)(x, t).shape == x.shape


def test_labels_are_dropped_in_training_only():
    model = small(label_drop=0.5)
    x, t, y = batch(model, 64)
    y = y % 5
    assert torch.equal(model(x, t, y), model(x, t, y))
    model.train()
    torch.manual_seed(0)
    with torch.no_grad():
        got, plain, none = model(x, t, y), model.eval()(x, t, y), model(x, t)

    def close(a):
        return (got - a).abs().flatten(1).amax(1) < 1e-4

    assert (close(plain) | close(none)).all() and 16 < close(none).sum() < 48


# Sizes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("h,w", [(8, 12), (12, 8), (2, 2), (16, 24), (4, 30)])
def test_any_multiple_of_the_patch(mode, h, w):
    model = small(mode=mode, learn_sigma=True)
    assert model(randn(1, 3, h, w), torch.tensor([0.5]), torch.tensor([2])).shape == (1, 6, h, w)


def test_places_of_another_grid():
    model = small(mode="original", shape=(3, 8, 8))
    zeros = torch.zeros(1, 16, 32)
    table = model.places(zeros, 4, 4)[0]
    double = model.places(torch.zeros(1, 64, 32), 8, 8)[0].view(8, 8, 32)[
        ::2, ::2
    ]  # twice the grid: every second place is an old one
    assert_close(double.reshape(1, 16, 32), table, atol=1e-6, rtol=1e-5)
    turn = small().places
    x, (cos, sin) = turn(zeros[:, :1].expand(-1, 35, -1), 5, 7)
    assert x.shape == (1, 35, 32) and cos.shape == (35, 16) and (cos[0] == 1).all()
    assert_close(
        turn(torch.zeros(1, 24, 32), 4, 6)[1][0], cos.view(5, 7, 16)[:4, :6].reshape(24, 16)
    )  # the same distances


def test_original_places_are_those_published():
    d, rows, columns = 32, 4, 6
    grid = np.stack(
        np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    ).reshape(2, -1)  # x, y
    omega = 1 / 10000 ** (np.arange(d // 4, dtype=np.float64) / (d / 4))

    def half(pos):
        return np.concatenate([np.sin(np.outer(pos, omega)), np.cos(np.outer(pos, omega))], 1)

    want = torch.from_numpy(np.concatenate([half(grid[0]), half(grid[1])], 1)).float()
    assert_close(small(mode="original").places.table[0], want, atol=1e-5, rtol=0)


# Cost

TABLE = {
    "S/2": (6.06, 33),
    "S/4": (1.41, 33),
    "S/8": (0.36, 33),
    "B/2": (23.01, 130),
    "B/4": (5.56, 130),
    "B/8": (1.42, 131),
    "L/2": (80.71, 458),
    "L/4": (19.70, 458),
    "L/8": (5.01, 459),
    "XL/2": (118.64, 675),
    "XL/4": (29.05, 675),
    "XL/8": (7.39, 676),
}


def counted(model, h=None, w=None):
    "Multiply-adds of one picture, as the library's counter sees them."
    c = model.config
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(
            torch.zeros(1, c.shape[0], h or c.shape[1], w or c.shape[2], device="meta"),
            torch.zeros(1, device="meta"),
            torch.zeros(1, dtype=torch.int64, device="meta"),
        )
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", TABLE)
def test_presets_have_the_published_size_and_cost(name):
    c = preset(name, mode="original", learn_sigma=True)
    with torch.device("meta"):
        model = DiT(c)
    gflops, millions = TABLE[name]
    assert (
        abs(multiply_adds(c) / 1e9 - gflops) < 0.005 + 2e-4 * gflops
    )  # which small parts it counts, the table does not say
    assert round(n_params(model) / 1e6) == millions  # trained ones; fixed places are not
    assert counted(model) == multiply_adds(c)


def test_xl_2_has_the_published_number_of_numbers():
    with torch.device("meta"):
        model = DiT(preset("XL/2", mode="original", learn_sigma=True))
    assert n_params(model) + model.places.table.numel() == 675_129_632
    assert multiply_adds(model.config, 64, 64) / 1e9 == pytest.approx(524.6, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_the_formula_is_what_is_counted(mode):
    with torch.device("meta"):
        model = DiT(DiTConfig(**SMALL | dict(mode=mode, learn_sigma=True)))
    assert counted(model) == multiply_adds(model.config) and counted(model, 6, 20) == multiply_adds(
        model.config, 6, 20
    )


def test_preset_names():
    assert (
        preset("S/2").dim == 384
        and preset("XL/8", n_classes=10).patch == 8
        and set(SIZES) == {"S", "B", "L", "XL"}
    )
    for name in ("M/2", "S", "S/", "S/x", "DiT-S/2"):
        with pytest.raises(ValueError, match="expected one of S, B, L, XL"):
            preset(name)


# Training and running


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_checkpointing_changes_no_gradient(mode, trunk):
    grads = []
    for checkpointing in (False, True):
        model = small(trunk, mode=mode, label_drop=0.0).train()
        model.checkpointing = checkpointing
        model(*batch(model)).square().mean().backward()
        assert all(p.grad is not None for p in model.parameters())
        grads.append([p.grad for p in model.parameters()])
    for a, b in zip(*grads):
        assert_close(a, b)


@pytest.mark.parametrize("mode", MODES)
def test_learns_a_batch(mode):
    from mmgen.training import Batches, Recipe, fit, run

    model = small(alive=False, mode=mode, label_drop=0.0)
    x, t, y = batch(model, 8)

    def loss(m, b):
        return (m(*b) - x.mean(0)).square().mean()

    state = run(
        fit(
            model,
            loss,
            Batches((x, t, y), 8),
            Recipe(60),
            device="cpu",
            progress=False,
            optimizer=block_optimizers(model, adam_lr=2e-3),
        )
    )
    assert state.loss < 0.2 * state.history[0]["loss"]


def test_muon_takes_the_matrices_inside_blocks_only():
    model = small(alive=False)
    muon, adam = block_optimizers(model)(model.parameters())
    ids = {id(p): name for name, p in model.named_parameters()}
    names = {ids[id(p)] for group in muon.param_groups for p in group["params"]}
    parts = ("attention.part.qkv", "attention.part.proj", "mlp.part.fc1", "mlp.part.fc2")
    assert names == {f"trunk.blocks.{i}.{part}.weight" for i in range(2) for part in parts}
    assert sum(len(g["params"]) for g in adam.param_groups) == len(ids) - len(names)


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_is_near(mode):
    model = small(mode=mode)
    x, t, y = batch(model)
    with torch.no_grad():
        want = model(x, t, y)
        with torch.autocast("cpu", torch.bfloat16):
            auto = model(x, t, y)
        half = copy.deepcopy(model).bfloat16()(x.bfloat16(), t, y)
    for got in (auto, half):
        assert got.isfinite().all() and (got.float() - want).norm() < 0.1 * want.norm()


@pytest.mark.parametrize("mode", MODES)
def test_saved_and_loaded(tmp_path, mode):
    model = small(mode=mode)
    model.save_pretrained(tmp_path)
    again = DiT.from_pretrained(tmp_path).eval()
    assert again.config == model.config and torch.equal(again(*batch(model)), model(*batch(model)))
    other = small(CrossAttention, mode=mode)
    other.save_pretrained(tmp_path / "b")
    assert torch.equal(
        DiT.from_pretrained(tmp_path / "b", trunk=CrossAttention).eval()(*batch(other)),
        other(*batch(other)),
    )


class Nothing(nn.Module):
    "A branch that adds nothing."

    def forward(self, x, rotation=None):
        return torch.zeros_like(x)


def test_the_trunk_is_a_part():
    class NoAttention(AdaLNZero):
        def __init__(self, c):
            super().__init__(c)
            for block in self.blocks:
                block.attention.part = Nothing()

    model = small(NoAttention)
    x, t, y = batch(model)
    corner = x.clone()
    corner[:, :, -1, -1] += 1
    change = (model(corner, t, y) - model(x, t, y)).abs()
    assert change[:, :, :-2].max() == 0 and change[:, :, -2:, -2:].max() > 1e-4
    assert isinstance(model.trunk.blocks[0], DiTBlock)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_compiles_into_one_graph(mode, trunk):
    torch._dynamo.reset()
    model = small(trunk, mode=mode).train()
    x, t, y = batch(model)
    model.labels.drop = 0.0
    got = torch.compile(
        model, fullgraph=True, backend=INDUCTOR if trunk is AdaLNZero else "aot_eager"
    )(x, t, y)
    assert_close(got, model(x, t, y), atol=1e-4, rtol=1e-4)
    got.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


# Bad input


@pytest.mark.parametrize(
    "changes,words",
    [
        (dict(shape=(3, 8)), r"shape=\(3, 8\); expected \(channels, height, width\)"),
        (dict(shape=(0, 8, 8)), "shape"),
        (dict(patch=0), "patch=0"),
        (dict(patch=5), "patch=5; expected a divisor"),
        (dict(depth=1.5), "depth=1.5"),
        (dict(dim=30), "dim=30; expected a multiple of 4 num_heads = 8"),
        (dict(n_classes=-1), "n_classes=-1"),
        (dict(label_drop=1.0), "label_drop=1.0"),
        (dict(mode="classic"), "mode='classic'; expected one of 'modern'"),
        (dict(time_scale=0.0), "time_scale=0.0"),
        (dict(num_heads=True), "num_heads=True"),
    ],
)
def test_bad_config_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        DiTConfig(**SMALL | changes)


@pytest.mark.parametrize(
    "change,error,words",
    [
        (
            lambda x, t, y: (x[0], t, y),
            ValueError,
            r"x_t has shape \(3, 8, 12\); expected \(b, 3, h, w\)",
        ),
        (lambda x, t, y: (x[:, :2], t, y), ValueError, r"expected \(b, 3, h, w\)"),
        (lambda x, t, y: (x[0, 0, 0], t, y), ValueError, r"x_t has shape \(12,\)"),
        (
            lambda x, t, y: (x[..., :11], t, y),
            ValueError,
            "x_t is 8 x 11; expected multiples of patch=2",
        ),
        (lambda x, t, y: (x, t[:1], y), ValueError, r"t has shape \(1,\); expected \(2,\)"),
        (lambda x, t, y: (x, torch.tensor(0.5), y), ValueError, r"t has shape \(\)"),
        (lambda x, t, y: (x, t * 500, y), ValueError, "expected 0 to 1, for time_scale=1000"),
        (lambda x, t, y: (x, t - 1, y), ValueError, "expected 0 to 1"),
        (lambda x, t, y: (x, t, y[:1]), ValueError, r"labels has shape \(1,\); expected \(2,\)"),
        (lambda x, t, y: (x, t, y + 6), IndexError, "expected 0 to 5"),
        (lambda x, t, y: (x, t, y.float()), TypeError, "expected torch.int64"),
    ],
)
def test_bad_input_is_named(change, error, words):
    model = small()
    x, t, _ = batch(model)
    with pytest.raises(error, match=words):
        model(*change(x, t + 0.4 - t, torch.tensor([1, 2])))


def test_one_picture_one_token_one_block():
    model = small(shape=(1, 4, 4), patch=4, depth=1)
    assert model(randn(1, 1, 4, 4), torch.zeros(1), torch.zeros(1, dtype=torch.int64)).shape == (
        1,
        1,
        4,
        4,
    )
    assert model(randn(0, 1, 4, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64)).shape == (
        0,
        1,
        4,
        4,
    )


def test_modes_have_other_parts():
    for mode, norm in (("modern", RMSNorm), ("original", LayerNorm)):
        block, plain = DiTBlock(32, 2, mode), PlainBlock(32, 2, mode)
        assert isinstance(block.mlp.norm, norm) and isinstance(plain.mlp.norm, norm)
        assert not list(block.mlp.norm.parameters()) and plain.mlp.norm.weight.shape == (32,)
    assert DiTBlock(32, 2).attention.part.q_norm.weight.shape == (16,)


@pytest.mark.parametrize("mode", MODES)
def test_a_block_is_the_formula(mode):
    torch.manual_seed(0)
    block = DiTBlock(32, 2, mode)
    x, m = randn(3, 5, 32), randn(3, 1, 192, seed=1)
    attention, mlp = block.attention, block.mlp
    want = []
    for one, (b1, s1, g1, b2, s2, g2) in zip(x, m[:, 0].unflatten(1, (6, 32))):
        one = one + g1 * attention.part((attention.norm(one) * (1 + s1) + b1)[None])[0]
        want.append(one + g2 * mlp.part(mlp.norm(one) * (1 + s2) + b2))
    assert_close(block(x, m), torch.stack(want), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"modulation has shape \(3, 192\); expected \(3, 1 or n"):
        block(x, m[:, 0])
    assert branches(32, 2, mode, affine=True)[0].norm.weight.shape == (32,)


def test_names_of_stored_weights_stay():
    names = set(small().state_dict())
    stored = {"attention.part.qkv", "attention.part.proj", "mlp.part.fc1", "mlp.part.fc2"}
    assert {f"trunk.blocks.1.{name}.weight" for name in stored} <= names
    assert {"trunk.modulations.1.bias", "trunk.last.weight", "trunk.head.weight"} <= names
    looks = set(small(CrossAttention).state_dict())
    assert {"trunk.looks.1.norm.weight", "trunk.looks.0.part.qkv.weight"} <= looks


def test_an_odd_number_of_time_features_is_refused():
    with pytest.raises(ValueError, match="width=33; expected an even number"):
        time_features(torch.zeros(1), 33)


def test_original_heads_need_no_pairs():
    assert DiTConfig(dim=36, num_heads=6, mode="original").dim == 36
    with pytest.raises(ValueError, match="dim=36; expected a multiple of 4 num_heads = 24"):
        DiTConfig(dim=36, num_heads=6)
    with pytest.raises(ValueError, match="dim=36; expected a multiple of 4 and of num_heads=5"):
        DiTConfig(dim=36, num_heads=5, mode="original")


def test_a_time_that_is_no_number_is_refused():
    model = small()
    x, t, y = batch(model)
    with pytest.raises(ValueError, match="t runs from nan to nan; expected 0 to 1"):
        model(x, t * math.nan, y)
