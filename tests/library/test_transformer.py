"""Transformer: equality with PyTorch's own modules and with forms derived another way, cache,
norms, bad input.
"""

import copy
import math

import pytest
import torch
from library_fixtures import INDUCTOR, randn
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.attention import attend, attention_maps, causal_mask
from mmgen.training import Batches, Recipe, fit, run
from mmgen.transformer import (
    MLP,
    Attention,
    Block,
    KVCache,
    LabelEmbedding,
    LayerNorm,
    Residual,
    RMSNorm,
    SwiGLU,
    Transformer,
    TransformerConfig,
    block_optimizers,
    classic_block,
    grid_positions,
    modern_block,
    rotation,
)

SMALL = dict(vocab_size=11, shape=(3, 4), dim=16, depth=2, num_heads=2, prefix=1)


POSITIONS = ("rope", "sincos", "learned", "none")


def tokens(b=2, n=12, seed=0):
    return torch.randint(0, 11, (b, n), generator=torch.Generator().manual_seed(seed))


def small(block=modern_block, **changes):
    torch.manual_seed(0)
    return Transformer(TransformerConfig(**SMALL | changes), block).eval()


def test_integers_are_refused_by_norms():
    for f in (RMSNorm(4), LayerNorm(4)):
        with pytest.raises(TypeError, match="torch.int64; expected floats"):
            f(torch.ones(3, 4, dtype=torch.int64))


# The module, against PyTorch's own


@pytest.mark.parametrize("causal", [False, True])
def test_equals_pre_norm_encoder_layer(causal):
    torch.manual_seed(0)

    def gelu(x):
        return F.gelu(x, approximate="tanh")

    theirs = (
        nn.TransformerEncoderLayer(12, 3, 20, 0.0, gelu, batch_first=True, norm_first=True)
        .double()
        .train()
    )
    for name, p in theirs.named_parameters():
        nn.init.normal_(p, 1.0 if "norm" in name and "weight" in name else 0.0, 0.3)
    ours = Block(
        12, Attention(12, 3, causal=causal), MLP(12, 20), lambda d: LayerNorm(d, 1e-5)
    ).double()
    names = {
        "attention.norm": "norm1",
        "attention.part.proj": "self_attn.out_proj",
        "mlp.norm": "norm2",
        "mlp.part.fc1": "linear1",
        "mlp.part.fc2": "linear2",
    }
    state = {
        f"{a}.{w}": theirs.get_parameter(f"{b}.{w}")
        for a, b in names.items()
        for w in ("weight", "bias")
    }
    ours.load_state_dict(
        state
        | {
            f"attention.part.qkv.{w}": theirs.get_parameter(f"self_attn.in_proj_{w}")
            for w in ("weight", "bias")
        }
    )
    x = randn(2, 6, 12, dtype=torch.float64)
    assert_close(ours(x), theirs(x, src_mask=~causal_mask(6) if causal else None))


def test_one_token_reaches_the_others_through_attention_only():
    model = small(causal=False, prefix=0)
    t = tokens(1)
    other = t.clone()
    other[0, 3] = (t[0, 3] + 1) % 11
    moved = (model(t) - model(other)).abs().sum(-1)[0]
    assert (moved > 0).all()
    causal = small(prefix=0)
    moved = (causal(t) - causal(other)).abs().sum(-1)[0]
    assert (moved[:3] == 0).all() and (moved[3:] > 0).all()


# Norms and MLPs


@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_norms_equal_the_library(eps):
    x, gain, offset = randn(3, 5, 8) * 3 + 1, randn(8, seed=1), randn(8, seed=2)
    rms, layer = RMSNorm(8, eps), LayerNorm(8, eps)
    rms.weight.data, layer.weight.data, layer.bias.data = gain, gain, offset
    assert_close(rms(x), F.rms_norm(x, (8,), gain, eps))
    assert_close(layer(x), F.layer_norm(x, (8,), gain, offset, eps))
    assert not list(RMSNorm(8, affine=False).parameters()) and not list(
        LayerNorm(8, affine=False).parameters()
    )


def test_gradients_of_rms_norm_of_first_and_second_order():
    norm = RMSNorm(5, eps=0.1, affine=False).double()
    x = (randn(2, 3, 5, dtype=torch.float64) + 1).requires_grad_()
    assert torch.autograd.gradcheck(norm, x) and torch.autograd.gradgradcheck(norm, x)
    plain = x * (x.square().mean(-1, keepdim=True) + 0.1).rsqrt()
    g = randn(2, 3, 5, seed=1, dtype=torch.float64)
    assert_close(*(torch.autograd.grad((y * g).sum(), x)[0] for y in (norm(x), plain)))


@pytest.mark.parametrize("norm", [RMSNorm, LayerNorm])
def test_norms_are_float32_inside(norm):
    x = randn(4, 512).half() * 1000  # squares overflow float16
    y = norm(512)(x)
    assert y.dtype == torch.float16 and y.isfinite().all()
    assert_close(y.float(), norm(512)(x.float()), atol=1e-2, rtol=1e-2)
    assert norm(8).bfloat16()(randn(2, 8).bfloat16()).dtype == torch.bfloat16
    assert norm(8)(torch.zeros(2, 8)).isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(8)(randn(2, 8)).dtype == torch.float32


def test_swiglu_and_mlp_equal_their_formulas():
    torch.manual_seed(0)
    net, x = SwiGLU(6, 10), randn(3, 6)
    w, v = net.fc1.weight[:10], net.fc1.weight[10:]
    assert_close(net(x), ((x @ w.T) * torch.sigmoid(x @ w.T) * (x @ v.T)) @ net.fc2.weight.T)
    assert SwiGLU(128).fc2.in_features == 344 and SwiGLU(96).fc2.in_features == 256
    mlp = MLP(6)
    h = mlp.fc1(x)
    gelu = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    assert_close(mlp(x), mlp.fc2(gelu))
    assert mlp.fc1.out_features == 24


# Positions


def test_widths_that_do_not_fit_the_positions_are_named():
    with pytest.raises(ValueError, match="expected a multiple of 4"):
        small(dim=12, num_heads=2)
    with pytest.raises(ValueError, match="dim=18; expected a multiple of 4"):
        small(dim=18, num_heads=3, positions="sincos")


@pytest.mark.parametrize("positions", POSITIONS)
def test_three_axes_work_like_two(positions):
    model, t = small(shape=(2, 3, 4), dim=24, prefix=0, positions=positions), tokens(2, 24)
    assert model.positions[-1].tolist() == [1, 2, 3]
    with torch.no_grad():
        cache, full = KVCache(24), model(t)
        assert_close(
            torch.cat([model(piece, cache=cache) for piece in t.split(7, 1)], 1),
            full,
            atol=1e-5,
            rtol=0,
        )


def test_modulation_is_the_formula_and_a_gate_of_zero_is_the_identity():
    torch.manual_seed(0)
    part, norm, x = nn.Linear(6, 6), LayerNorm(6, affine=False), randn(2, 3, 6)
    shift, scale, gate = randn(3, 2, 1, 6, seed=1)
    step = Residual(norm, part)
    for b in range(2):
        y = part(norm(x[b]) * (1 + scale[b]) + shift[b])
        assert_close(step(x, (shift, scale, gate))[b], x[b] + gate[b] * y)
    assert torch.equal(step(x, (shift, scale, torch.zeros_like(gate))), x)
    zero, one = torch.zeros(2, 1, 6), torch.ones(2, 1, 6)
    assert_close(step(x, (zero, zero, one)), step(x))
    with pytest.raises(ValueError, match=r"modulation has shape \(2, 6\); expected \(b, 1, dim\)"):
        step(x, (zero[:, 0], zero, one))
    with pytest.raises(ValueError, match=r"modulation has shape \(3, 6\)"):
        step(randn(3, 3, 6), (zero[:1], zero[:1], randn(3, 6)))


def test_blocks_for_the_diffusion_transformer_are_built_from_the_same_parts():
    torch.manual_seed(0)
    block = Block(12, Attention(12, 3), MLP(12), lambda d: LayerNorm(d, affine=False))
    x, six = randn(2, 5, 12), randn(6, 2, 1, 12, seed=1)
    assert torch.equal(block(x, (six[:3] * 0, six[3:] * 0)), x)
    assert not torch.allclose(block(x, (six[:3], six[3:])), block(x))
    text = Residual(RMSNorm(12), Attention(12, 3))
    assert text(x, context=randn(2, 7, 12)).shape == x.shape


# The cache


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize(
    "shape,prefix,block",
    [((3, 4), 1, modern_block), ((12,), 0, classic_block), ((12,), 3, modern_block)],
)
def test_the_cache_changes_nothing(positions, shape, prefix, block):
    model, t = small(block, shape=shape, prefix=prefix, positions=positions), tokens()
    start = randn(2, prefix, 16) if prefix else None
    with torch.no_grad():
        full = model(t, start)
        for sizes in ([1] * 12, [5, 1, 6], [12]):
            cache, parts = KVCache(model.config.max_len), []
            for i, piece in enumerate(t.split(sizes, 1)):
                parts.append(model(piece, start if i == 0 else None, cache=cache))
            got = torch.cat(parts, 1)
            assert_close(got, full, atol=1e-5, rtol=0)
            assert (
                torch.equal(got.argmax(-1), full.argmax(-1))
                and cache.length == model.config.max_len
            )


@torch.no_grad()
def test_padded_keys_change_nothing_with_and_without_cache():
    model, t = small(), tokens(1)
    start = randn(1, 1, 16)
    junk = torch.cat([t[:, :8], tokens(1, 4, seed=9)], 1)
    real = torch.arange(12)[None] < 8
    assert_close(model(junk, start, key_mask=real)[:, :9], model(t[:, :8], start))
    cache = KVCache(13)
    real = torch.tensor([[True, False, True, True]])
    first = model(t[:, :3], start, key_mask=real[:, :3], cache=cache)
    last = model(t[:, 3:4], key_mask=real, cache=cache)
    assert_close(torch.cat([first, last], 1), model(t[:, :4], start, key_mask=real))
    both = small(causal=False, prefix=0)
    assert_close(
        both(junk, key_mask=torch.arange(12)[None] < 8)[:, :8], both(t[:, :8]), atol=1e-5, rtol=1e-5
    )
    none = torch.zeros(1, 12, dtype=torch.bool)
    assert both(t, key_mask=none).isfinite().all()


@torch.no_grad()
def test_a_full_cache_and_other_misuse_is_named_and_leaves_it_as_it_was():
    model, t, start = small(), tokens(), randn(2, 1, 16)
    cache = KVCache(5)
    model(t[:, :4], start, cache=cache)
    with pytest.raises(ValueError, match="holds 5 of 5 places and 1 more were given"):
        model(t[:, 4:5], cache=cache)
    assert cache.length == 5
    cache.crop(3)
    assert_close(model(t[:, 2:4], cache=cache), model(t[:, :4], start)[:, 3:])
    with pytest.raises(ValueError, match="length=9; expected 0 to 5"):
        cache.crop(9)
    cache.crop()
    assert_close(model(t[:, :2], start, cache=cache), model(t[:, :2], start))
    words = r"keys of layer 0 have \(batch, heads, d\) = \(1, 2, 8\).*begun with \(2, 2, 8\)"
    with pytest.raises(ValueError, match=words):
        model(t[:1, :1], cache=cache)
    assert cache.length == 3
    with pytest.raises(ValueError, match="causal=False"):
        small(causal=False)(t, start, cache=KVCache(13))
    with torch.enable_grad(), pytest.raises(RuntimeError, match="under torch.no_grad"):
        model(t, start, cache=KVCache(13))
    for bad in (0, 2.0, "3"):
        with pytest.raises(ValueError, match="max_len="):
            KVCache(bad)


@torch.no_grad()
def test_the_cache_costs_what_the_formula_says():
    model = small()
    cache = KVCache(13)
    model(tokens()[:, :1], randn(2, 1, 16), cache=cache)
    assert (
        cache.nbytes == 2 * 2 * 2 * 2 * 13 * 8 * 4
    )  # keys and values, layers, batch, heads, places, d, bytes
    half = Attention(16, 4, kv_heads=1)
    short = KVCache(13)
    half(randn(2, 3, 16), cache=short.layer(0))
    assert short.nbytes == 2 * 1 * 2 * 1 * 13 * 4 * 4


# The model


@pytest.mark.parametrize("block", [modern_block, classic_block])
@pytest.mark.parametrize("positions,tied", [("rope", False), ("learned", True)])
def test_parameter_count(block, positions, tied):
    c = TransformerConfig(
        vocab_size=31,
        shape=(10,),
        dim=24,
        depth=3,
        num_heads=3,
        positions=positions,
        tied=tied,
        prefix=2,
    )
    d, h, table = 24, 64, 31 * 24
    one = {
        modern_block: 4 * d * d + 3 * d * h + 2 * d + 2 * 8,
        classic_block: 12 * d * d + 9 * d + 4 * d,
    }[block]
    want = table * (2 - tied) + 3 * one + d + (12 * d if positions == "learned" else 0)
    assert sum(p.numel() for p in Transformer(c, block).parameters()) == want


def test_a_new_model_guesses_nearly_evenly_and_branches_are_scaled_by_depth():
    torch.manual_seed(0)
    t = torch.randint(0, 64, (8, 32))
    for depth in (2, 12):
        model = Transformer(
            TransformerConfig(vocab_size=64, shape=(32,), dim=64, depth=depth, num_heads=2)
        )
        assert abs(F.cross_entropy(model(t).flatten(0, 1), t.flatten()) - math.log(64)) < 0.15
        assert abs(model.blocks[0].mlp.part.fc2.weight.std() * (2 * depth * 176) ** 0.5 - 1) < 0.05
        seen = []
        model.norm.register_forward_pre_hook(
            lambda m, args, seen=seen: seen.append(args[0].square().mean().item())
        )
        model(t)
        assert 1 < seen[0] < 3  # the stream does not grow with depth


@pytest.mark.parametrize("block", [modern_block, classic_block])
def test_save_and_load(tmp_path, block):
    model = small(block, tied=True)
    model.save_pretrained(tmp_path)
    again = Transformer.from_pretrained(tmp_path, block=block).eval()
    t, start = tokens(), randn(2, 1, 16)
    assert (
        again.config == model.config
        and torch.equal(again(t, start), model(t, start))
        and "positions" not in model.state_dict()
    )


def test_checkpointing_gives_the_same_gradients():
    model, t, start = small().train(), tokens(), randn(2, 1, 16)
    grads = []
    for model.checkpointing in (False, True):
        model.zero_grad()
        model(t, start).square().sum().backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*grads):
        assert_close(a, b)


def test_dropout_acts_in_training_only():
    model, t, start = small(dropout=0.3), tokens(), randn(2, 1, 16)
    assert torch.equal(model(t, start), model(t, start))
    model.train()
    assert not torch.equal(model(t, start), model(t, start))


def test_autocast_and_half_precision_are_near_float32():
    model, t, start = small(), tokens(), randn(2, 1, 16)
    want = model(t, start)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert_close(model(t, start).float(), want, atol=0.03, rtol=0.05)
        cache = KVCache(13)
        got = torch.cat([model(t[:, :6], start, cache=cache), model(t[:, 6:], cache=cache)], 1)
        assert_close(got.float(), want, atol=0.03, rtol=0.05)
    assert_close(copy.deepcopy(model).bfloat16()(t, start).float(), want, atol=0.05, rtol=0.1)


@pytest.mark.parametrize(
    "changes,words",
    [
        (dict(vocab_size=0), "vocab_size=0; expected a whole number of at least 1"),
        (dict(depth=1.5), "depth=1.5"),
        (dict(dim=True), "dim=True"),
        (dict(prefix=-1), "prefix=-1"),
        (dict(dropout=1.0), r"dropout=1.0; expected"),
        (dict(dim=10, num_heads=4), "dim=10 does not split into num_heads=4"),
        (dict(shape=()), "shape=0"),
        (dict(shape=(3, 0)), "shape=0"),
        (dict(shape=7), r"shape=7; expected \(n,\) or"),
        (
            dict(positions="rotary"),
            "positions='rotary'; expected one of 'rope', 'sincos', 'learned', 'none'",
        ),
    ],
)
def test_bad_configs_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        TransformerConfig(**SMALL | changes)


@pytest.mark.parametrize(
    "call,error,words",
    [
        (lambda m, t, p: m(t[0], p), ValueError, r"tokens has shape \(12,\); expected \(b, n\)"),
        (
            lambda m, t, p: m(t.float(), p),
            TypeError,
            "tokens are torch.float32; expected torch.int64",
        ),
        (lambda m, t, p: m(t + 5, p), IndexError, "tokens run from 5 to 15; expected 0 to 10"),
        (lambda m, t, p: m(t), ValueError, r"prefix is None; expected \(2, 1, 16\)"),
        (lambda m, t, p: m(t, p[:, 0]), ValueError, r"prefix is \(2, 16\); expected \(2, 1, 16\)"),
        (
            lambda m, t, p: m(torch.cat([t, t], 1), p),
            ValueError,
            r"0 \+ 25 places, prefix included; expected 1 to 13",
        ),
        (
            lambda m, t, p: m(t, p, key_mask=torch.ones(2, 13).bool()),
            ValueError,
            r"key_mask has shape \(2, 13\); expected \(2, 12\)",
        ),
        (lambda m, t, p: m(t, p, key_mask=torch.ones(2, 12)), TypeError, "expected torch.bool"),
    ],
)
def test_bad_calls_of_the_model_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call(small(), tokens(), randn(2, 1, 16))


def test_only_a_prefix_gives_the_first_logits():
    model, start = small(), randn(2, 1, 16)
    assert_close(model(tokens()[:, :0], start), model(tokens(), start)[:, :1])
    with pytest.raises(ValueError, match="0 places"):
        small(prefix=0)(tokens()[:, :0])


def test_labels():
    torch.manual_seed(0)
    table = LabelEmbedding(10, 4, drop=0.5)
    y = torch.arange(10).repeat(200)
    dropped = (table(y)[:, None] == table.table.weight[10]).all(-1).float().mean()
    assert 0.4 < dropped < 0.6 and torch.equal(table.eval()(y), table.table.weight[y])
    assert torch.equal(table(torch.tensor([10])), table.table.weight[10:])
    with pytest.raises(IndexError, match="labels run from 0 to 11; expected 0 to 10"):
        table(torch.tensor([0, 11]))
    with pytest.raises(TypeError, match="labels are torch.float32"):
        table(torch.zeros(2))
    with pytest.raises(ValueError, match=r"drop=2.0; expected a finite number in \[0, 1\]"):
        LabelEmbedding(10, 4, drop=2.0)


def test_maps_are_the_weights_that_the_model_uses():
    model, t = small(prefix=0, depth=1), tokens()
    (weights,) = attention_maps(model, t)
    part = model.blocks[0].attention
    x = model.embed(t, None, 0)
    v = part.part.heads(part.norm(x))[2]
    assert_close(
        x + part.part.proj((weights @ v).transpose(1, 2).flatten(2)),
        part(x, rotation=rotation(model.positions, 8)),
    )
    assert (weights.triu(1) == 0).all() and not any(m._forward_hooks for m in model.modules())
    with pytest.raises(TypeError):
        attention_maps(model, t.float())
    with pytest.raises(ValueError, match="takes a full pass"):
        attention_maps(model, t, cache=KVCache(12))
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("positions,tied", [("learned", False), ("rope", True)])
def test_each_weight_has_one_optimizer_and_tables_are_not_orthogonalised(positions, tied):
    model = small(positions=positions, tied=tied)
    muon, adam = block_optimizers(model, 0.02, 1e-3)(model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    inside, rest = (
        [names[id(p)] for group in o.param_groups for p in group["params"]] for o in (muon, adam)
    )
    assert sorted(inside + rest) == sorted(names.values()) and adam.param_groups[0]["lr"] == 1e-3
    assert (
        all(
            name.endswith(("qkv.weight", "proj.weight", "fc1.weight", "fc2.weight"))
            for name in inside
        )
        and len(inside) == 8
    )


def test_it_learns_to_copy_through_the_training_loop():
    torch.manual_seed(0)
    half = torch.randint(0, 11, (256, 6))
    data = torch.cat([half, half], 1)

    def loss(model, t):
        return F.cross_entropy(model(t[:, :-1])[:, 5:].flatten(0, 1), t[:, 6:].flatten())

    model = small(prefix=0, shape=(12,), dim=32)
    history = run(
        fit(
            model,
            loss,
            Batches(data, 32, seed=0),
            Recipe(steps=120, lr=5e-3, warmup=10),
            device="cpu",
            progress=False,
        )
    ).history
    assert history[0]["loss"] > 2.2 and history[-1]["loss"] < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("block", [modern_block, classic_block])
def test_compiles_without_a_break(block):
    model, t, start = small(block), tokens(), randn(2, 1, 16)
    assert_close(
        torch.compile(model, fullgraph=True, backend=INDUCTOR)(t, start),
        model(t, start),
        atol=1e-5,
        rtol=1e-5,
    )
    part, x, six = model.blocks[0], randn(2, 5, 16), randn(6, 2, 1, 16)
    turn = rotation(grid_positions(5), 8)
    fast = torch.compile(part, fullgraph=True, backend=INDUCTOR)
    assert_close(
        fast(x, (six[:3], six[3:]), rotation=turn),
        part(x, (six[:3], six[3:]), rotation=turn),
        atol=1e-5,
        rtol=1e-5,
    )
    written = torch.compile(
        lambda q, mask: attend(q, q, q, mask, causal=True, impl="math"),
        fullgraph=True,
        backend=INDUCTOR,
    )
    q, mask = randn(1, 2, 5, 8).bfloat16(), torch.ones(1, 1, 1, 5, dtype=torch.bool)
    assert_close(
        written(q, mask).float(),
        attend(q, q, q, mask, causal=True, impl="math").float(),
        atol=0.02,
        rtol=0.02,
    )


def test_rms_norm_can_be_differentiated_by_torch_func():
    norm, x, t = RMSNorm(5, eps=0.1), randn(3, 5) + 1, randn(3, 5, seed=1)

    def plain(x):
        return x * (x.square().mean(-1, keepdim=True) + 0.1).rsqrt()

    for got, want in zip(*(torch.func.jvp(f, (x,), (t,)) for f in (norm, plain))):
        assert_close(got, want)
    slopes = [torch.func.vmap(torch.func.grad(lambda x, f=f: f(x).prod())) for f in (norm, plain)]
    assert_close(slopes[0](x), slopes[1](x))
    model, tokens_ = small(prefix=0), tokens()
    for layer in model.modules():
        if isinstance(layer, Attention):
            layer.impl = "math"  # the fused kernel has no forward mode

    def scores(table):
        return torch.func.functional_call(model, {"tokens.weight": table}, (tokens_,))

    table = model.tokens.weight.detach()
    _, moved = torch.func.jvp(scores, (table,), (table,))
    step = (scores(table * 1.001) - scores(table * 0.999)) / 0.002
    assert_close(moved, step, atol=1e-2, rtol=1e-2)


def test_the_attention_names_are_offered_here_too():
    import mmgen.attention
    import mmgen.transformer

    for name in ("Attention", "grid_positions", "rotation", "sincos", "wide"):
        assert getattr(mmgen.transformer, name) is getattr(mmgen.attention, name)
