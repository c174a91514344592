"""Transformer: equality with PyTorch's own modules and with forms derived another way, cache,
masks, positions, bad input.
"""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

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
    angles,
    attend,
    attention_maps,
    attention_weights,
    block_optimizers,
    causal_mask,
    classic_block,
    fastest,
    grid_positions,
    modern_block,
    rope_layout,
    rotate,
    rotation,
    sincos,
)

SMALL = dict(vocab_size=11, shape=(3, 4), dim=16, depth=2, num_heads=2, prefix=1)
POSITIONS = ("rope", "sincos", "learned", "none")


def randn(*shape, seed=0, **kw):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **kw)


def tokens(b=2, n=12, seed=0):
    return torch.randint(0, 11, (b, n), generator=torch.Generator().manual_seed(seed))


def small(block=modern_block, **changes):
    torch.manual_seed(0)
    return Transformer(TransformerConfig(**SMALL | changes), block).eval()


def by_hand(q, k, v, may_look):
    "One query at a time with Python's own exponentials: (n, d), (m, d), (m, e) -> (n, e)."
    rows = []
    for i in range(len(q)):
        seen = [j for j in range(len(k)) if may_look(i, j)]
        scores = [
            sum(float(a) * float(b) for a, b in zip(q[i], k[j])) / math.sqrt(q.shape[1])
            for j in seen
        ]
        e = [math.exp(s - max(scores)) for s in scores]
        rows.append(
            sum(
                (w / sum(e) * v[j] for w, j in zip(e, seen)), torch.zeros(v.shape[1], dtype=v.dtype)
            )
        )
    return torch.stack(rows)


# Attention as a function


@pytest.mark.parametrize("impl", ["sdpa", "math"])
@pytest.mark.parametrize(
    "n,m,causal",
    [(4, 4, False), (4, 4, True), (2, 5, True), (1, 5, True), (1, 1, True), (3, 7, False)],
)
def test_attend_equals_the_loop(impl, n, m, causal):
    q, k, v = (
        randn(2, 3, rows, 4, seed=s, dtype=torch.float64) for s, rows in enumerate((n, m, m))
    )
    mask = randn(2, 1, n, m, seed=3) > -0.5
    for given_mask in (None, mask):
        got = attend(q, k, v, given_mask, causal, impl=impl)
        for b in range(2):

            def look(i, j, b=b, mask=given_mask):
                return (mask is None or bool(mask[b, 0, i, j])) and (not causal or j <= i + m - n)

            for h in range(3):
                assert_close(got[b, h], by_hand(q[b, h], k[b, h], v[b, h], look))


@pytest.mark.parametrize("impl", ["sdpa", "math"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_query_that_sees_nothing_gets_zeros_and_a_finite_gradient(impl, dtype):
    q, k, v = (randn(1, 2, 3, 4, seed=s).to(dtype).requires_grad_() for s in range(3))
    mask = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    mask[0, 0, 1] = False
    y = attend(q, k, v, mask, impl=impl)
    y.float().square().sum().backward()
    assert (y[:, :, 1] == 0).all() and y.isfinite().all() and (y[:, :, 0] != 0).all()
    assert all(t.grad.isfinite().all() for t in (q, k, v)) and (q.grad[:, :, 1] == 0).all()


@pytest.mark.parametrize("dtype,tol", [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_both_forms_agree_with_their_gradients(dtype, tol):
    outs = []
    for impl in ("sdpa", "math"):
        q, k, v = (randn(2, 4, 9, 8, seed=s).to(dtype).requires_grad_() for s in range(3))
        y = attend(q, k[:, :2], v[:, :2], causal=True, impl=impl)
        (y.float() * randn(2, 4, 9, 8, seed=4)).sum().backward()
        assert y.dtype == dtype
        outs.append([y, q.grad, k.grad, v.grad])
    for a, b in zip(*outs):
        assert_close(a.float(), b.float(), atol=tol, rtol=tol)


def test_auto_takes_the_written_form_only_where_it_was_measured_faster():
    q = randn(1, 1, 8, 4)
    half = q.bfloat16().requires_grad_()
    assert fastest(half, q) == "math" and fastest(half, randn(1, 1, 129, 4)) == "sdpa"
    assert fastest(q.requires_grad_(), q) == "sdpa" and fastest(q.bfloat16().detach(), q) == "sdpa"


def test_shared_keys_equal_repeated_keys():
    q, k = randn(2, 6, 5, 4), randn(2, 2, 5, 4, seed=1)
    for impl in ("sdpa", "math"):
        assert_close(
            attend(q, k, k, impl=impl), attend(q, *[k.repeat_interleave(3, 1)] * 2, impl="math")
        )


def test_weights_sum_to_one_and_half_precision_is_summed_in_float32():
    q = randn(2, 3, 700, 8)
    assert_close(attention_weights(q, q, causal=True).sum(-1), torch.ones(2, 3, 700))
    assert attention_weights(q.bfloat16(), q.bfloat16()).dtype == torch.float32
    big = (q * 12).bfloat16()  # scores of several hundred
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            got = attention_weights(big, big)
        assert_close(got.double(), attention_weights(big.double(), big.double()), atol=1e-3, rtol=0)
    assert attention_weights(q.double(), q.double()).dtype == torch.float64


def test_shapes_without_numbers():
    with torch.device("meta"):
        q = torch.empty(2, 4, 9, 8)
    for impl in ("sdpa", "math"):
        assert attend(q, q, q, causal=True, impl=impl).shape == q.shape


def test_dropout_keeps_the_mean_and_is_off_in_eval():
    torch.manual_seed(0)
    q = randn(1, 1, 2000, 4)
    one = torch.ones(1, 1, 2000, 4)
    for impl in ("sdpa", "math"):
        assert abs(attend(q, q, one, dropout=0.3, impl=impl).mean() - 1) < 0.02
    layer = Attention(8, 2, dropout=0.5)
    x = randn(1, 6, 8)
    assert not torch.equal(layer(x), layer(x)) and torch.equal(layer.eval()(x), layer(x))


@pytest.mark.parametrize(
    "mask,error,words",
    [
        (
            torch.zeros(4, 4),
            TypeError,
            "mask is torch.float32; expected torch.bool, True where a query may look",
        ),
        (
            torch.ones(3, 5, dtype=torch.bool),
            ValueError,
            r"\(3, 5\); expected one that broadcasts to \(2, 1, 4, 4\)",
        ),
        (torch.ones(1, 1, 1, 4, 4, dtype=torch.bool), ValueError, "broadcasts"),
    ],
)
def test_bad_masks_are_named(mask, error, words):
    q = randn(2, 1, 4, 8)
    for impl in ("sdpa", "math"):
        with pytest.raises(error, match=words):
            attend(q, q, q, mask, impl=impl)
    with pytest.raises(TypeError, match="mask is a list"):
        attend(q, q, q, [[True]])


def test_bad_calls_are_named():
    q = randn(2, 1, 4, 8)
    with pytest.raises(ValueError, match="impl='flash'; expected 'auto'"):
        attend(q, q, q, impl="flash")
    with pytest.raises(ValueError, match="n=5 queries but m=3 keys"):
        causal_mask(5, 3)
    with pytest.raises(ValueError, match="dim=10, num_heads=4"):
        Attention(10, 4)
    with pytest.raises(ValueError, match="kv_heads=3; expected a divisor of num_heads=4"):
        Attention(16, 4, kv_heads=3)
    for changes, words in (
        (dict(num_heads=0), "num_heads=0"),
        (dict(num_heads=-4), "num_heads=-4"),
        (dict(kv_heads=0), "kv_heads=0"),
        (dict(dropout=1.0), "dropout=1.0; expected"),
        (dict(impl="flash"), "impl='flash'"),
    ):
        with pytest.raises(ValueError, match=words):
            Attention(**dict(dim=16, num_heads=4) | changes)
    with pytest.raises(ValueError, match="places of their own"):
        Attention(8, 2)(randn(1, 3, 8), randn(1, 2, 8), rotation=rotation(grid_positions(3), 4))
    with pytest.raises(ValueError, match="places of their own"):
        Attention(8, 2, causal=True)(randn(1, 2, 8), randn(1, 3, 8))
    with pytest.raises(ValueError, match="cache is for self-attention"):
        Attention(8, 2)(randn(1, 3, 8), randn(1, 2, 8), cache=KVCache(4).layer(0))


@pytest.mark.parametrize("impl", ["sdpa", "math"])
@pytest.mark.parametrize(
    "q,k,v",
    [
        ((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 6, 4)),
        ((1, 2, 3, 4), (1, 2, 5, 6), (1, 2, 5, 4)),
        ((1, 6, 3, 4), (1, 4, 5, 4), (1, 4, 5, 4)),
        ((1, 1, 3, 4), (1, 4, 5, 4), (1, 4, 5, 4)),
        ((1, 4, 3, 4), (1, 2, 5, 4), (1, 1, 5, 4)),
    ],
)
def test_queries_keys_and_values_that_do_not_fit_are_named(impl, q, k, v):
    with pytest.raises(ValueError, match="kv_heads divides heads"):
        attend(randn(*q), randn(*k), randn(*v), impl=impl)
    whole = torch.ones(1, 2, 3, 4, dtype=torch.int64)
    with pytest.raises(TypeError, match="torch.int64; expected floats"):
        attend(whole, whole, whole, impl=impl)


def test_integers_are_refused_by_norms_and_rotation():
    for f in (RMSNorm(4), LayerNorm(4), lambda x: rotate(x, rotation(grid_positions(3), 4))):
        with pytest.raises(TypeError, match="torch.int64; expected floats"):
            f(torch.ones(3, 4, dtype=torch.int64))


# The module, against PyTorch's own


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("impl", ["sdpa", "math"])
def test_equals_multihead_attention(causal, impl):
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True).double().eval()
    nn.init.normal_(theirs.in_proj_bias)
    nn.init.normal_(theirs.out_proj.bias)
    ours = Attention(12, 3, causal=causal, impl=impl).double().eval()
    ours.load_state_dict(
        {
            "qkv.weight": theirs.in_proj_weight,
            "qkv.bias": theirs.in_proj_bias,
            "proj.weight": theirs.out_proj.weight,
            "proj.bias": theirs.out_proj.bias,
        }
    )
    x, real = (
        randn(2, 5, 12, dtype=torch.float64),
        torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool(),
    )
    want, _ = theirs(
        x, x, x, key_padding_mask=~real, attn_mask=~causal_mask(5) if causal else None
    )  # True: ignore
    assert_close(ours(x, mask=real[:, None, None]), want)  # True: look
    context = randn(2, 7, 12, seed=1, dtype=torch.float64)
    if not causal:
        assert_close(ours(x, context), theirs(x, context, context)[0])


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


def test_group_attention_equals_full_attention_with_repeated_rows():
    torch.manual_seed(0)
    few, full = Attention(12, 6, kv_heads=2), Attention(12, 6)
    q, k, v = few.qkv.weight.split(few.sizes)
    a, b, c = few.qkv.bias.split(few.sizes)

    def again(t):
        return t.unflatten(0, (2, 2)).repeat_interleave(3, 0).flatten(0, 1)

    full.load_state_dict(
        {
            "qkv.weight": torch.cat([q, again(k), again(v)]),
            "qkv.bias": torch.cat([a, again(b), again(c)]),
            "proj.weight": few.proj.weight,
            "proj.bias": few.proj.bias,
        }
    )
    x = randn(2, 5, 12)
    assert_close(few(x), full(x))
    assert_close(few(x, randn(2, 4, 12)), full(x, randn(2, 4, 12)))
    assert [m.shape for m in attention_maps(few, x)] == [(2, 6, 5, 5)]


def test_without_positions_attention_commutes_with_permutation():
    layer, x, p = (
        Attention(16, 4).double(),
        randn(1, 9, 16, dtype=torch.float64),
        torch.tensor([3, 1, 8, 0, 2, 7, 6, 4, 5]),
    )
    assert (layer(x[:, p]) - layer(x)[:, p]).abs().max() < 1e-12
    turn = rotation(grid_positions(9), 4)
    assert (layer(x[:, p], rotation=turn) - layer(x, rotation=turn)[:, p]).abs().max() > 1e-3


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


@settings(max_examples=20, deadline=None)
@given(
    i=st.integers(0, 400), j=st.integers(0, 400), shift=st.integers(0, 400), seed=st.integers(0, 9)
)
def test_rotary_scores_depend_on_the_distance_only(i, j, shift, seed):
    q, k = (
        randn(1, 8, seed=seed, dtype=torch.float64),
        randn(1, 8, seed=seed + 100, dtype=torch.float64),
    )

    def turn(x, n):
        return rotate(x, rotation(torch.tensor([[n]]), 8))

    assert_close(
        turn(q, i) @ turn(k, j).T, turn(q, i + shift) @ turn(k, j + shift).T, atol=1e-3, rtol=0
    )
    assert_close(turn(q, i).norm(), q.norm(), atol=1e-6, rtol=0)


def test_rotary_in_two_dimensions_depends_on_row_and_column_distance():
    q, k = randn(1, 8), randn(1, 8, seed=1)

    def score(a, b):
        return (
            rotate(q, rotation(torch.tensor([a]), 8)) @ rotate(k, rotation(torch.tensor([b]), 8)).T
        ).item()

    assert math.isclose(score((1, 2), (4, 7)), score((3, 0), (6, 5)), abs_tol=1e-5)
    assert abs(score((1, 2), (4, 7)) - score((1, 2), (7, 4))) > 1e-3


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_rotary_is_multiplication_by_a_complex_number(shape):
    x, where = randn(2, 3, 6, 8), grid_positions(*shape)
    speeds = torch.tensor([10_000.0 ** (-2 * i * len(shape) / 8) for i in range(4 // len(shape))])
    turns = torch.cat(
        [
            torch.polar(torch.ones(6, len(speeds)), where[:, a, None] * speeds)
            for a in range(len(shape))
        ],
        1,
    )
    want = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turns).flatten(-2)
    assert_close(rotate(x, rotation(where, 8)), want)


def test_the_two_rotary_conventions_give_equal_scores_after_conversion():
    torch.manual_seed(0)
    layer, x, where = Attention(16, 2, bias=True), randn(1, 5, 16), grid_positions(5)
    cos, sin = (torch.cat([t[:, 1::2], t[:, 1::2]], -1) for t in rotation(where, 8))

    def half(t):  # GPT-NeoX, Llama in transformers
        return t * cos + torch.cat([-t[..., 4:], t[..., :4]], -1) * sin

    q, k, v = layer.heads(x, rotation=rotation(where, 8))
    other = copy.deepcopy(layer)
    for p, new in zip((layer.qkv.weight, layer.qkv.bias), (other.qkv.weight, other.qkv.bias)):
        new.data[:32] = torch.cat([rope_layout(part, 8, "half") for part in p[:32].split(16)])
        assert torch.equal(rope_layout(rope_layout(p, 8, "half"), 8, "interleaved"), p)
    q2, k2, _ = other.heads(x)
    assert_close(half(q2) @ half(k2).mT, q @ k.mT)
    assert (half(q) @ half(k).mT - q @ k.mT).abs().max() > 0.1  # unconverted: silently wrong


def test_sincos_equals_the_loop():
    got = sincos(grid_positions(3, 4), 8)
    for r in range(3):
        for c in range(4):
            want = [
                f(p / 10_000 ** (i / 2))
                for p in (r, c)
                for f in (math.sin, math.cos)
                for i in range(2)
            ]
            assert_close(got[4 * r + c], torch.tensor(want))
    assert_close(angles(grid_positions(5), 3)[:, 0], torch.arange(5.0))


def test_a_prefix_runs_along_the_diagonal_before_the_grid():
    assert grid_positions(2, 2, prefix=2).tolist() == [
        [0, 0],
        [1, 1],
        [2, 2],
        [2, 3],
        [3, 2],
        [3, 3],
    ]
    assert grid_positions(3, prefix=1).tolist() == [[0], [1], [2], [3]]


def test_bad_positions_are_named():
    with pytest.raises(ValueError, match="head_dim=6; expected a multiple of 4"):
        rotation(grid_positions(2, 2), 6)
    with pytest.raises(ValueError, match="dim=10; expected a multiple of 4"):
        sincos(grid_positions(2, 2), 10)
    with pytest.raises(ValueError, match="width=3 does not split over 2 axes"):
        angles(grid_positions(2, 2), 3)
    with pytest.raises(ValueError, match="expected a multiple of 4"):
        small(dim=12, num_heads=2)
    with pytest.raises(ValueError, match="to='llama'"):
        rope_layout(randn(8, 4), 4, "llama")
    with pytest.raises(ValueError, match="dim=18; expected a multiple of 4"):
        small(dim=18, num_heads=3, positions="sincos")
    for f in (rotation, sincos, angles):
        with pytest.raises(ValueError, match=r"positions has shape \(5,\); expected \(n, axes\)"):
            f(torch.arange(5), 8)
    for places, width in ((1, 8), (4, 8), (5, 2)):  # one place or one pair would broadcast
        with pytest.raises(ValueError, match="expected the last two axes of x"):
            rotate(randn(1, 2, 5, 8), rotation(grid_positions(places), width))


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


def test_rotary_in_three_dimensions_depends_on_the_three_distances():
    q, k = randn(1, 12), randn(1, 12, seed=1)

    def score(a, b):
        return (
            rotate(q, rotation(torch.tensor([a]), 12))
            @ rotate(k, rotation(torch.tensor([b]), 12)).T
        ).item()

    assert math.isclose(score((1, 2, 3), (4, 7, 5)), score((3, 0, 1), (6, 5, 3)), abs_tol=1e-5)
    assert abs(score((1, 2, 3), (4, 7, 5)) - score((1, 2, 3), (4, 5, 7))) > 1e-3


# Blocks and conditioning


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
            "positions='rotary'; expected one of rope, sincos, learned, none",
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
    with pytest.raises(ValueError, match="drop=2.0; expected a share"):
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
        torch.compile(model, fullgraph=True)(t, start), model(t, start), atol=1e-5, rtol=1e-5
    )
    part, x, six = model.blocks[0], randn(2, 5, 16), randn(6, 2, 1, 16)
    turn = rotation(grid_positions(5), 8)
    fast = torch.compile(part, fullgraph=True)
    assert_close(
        fast(x, (six[:3], six[3:]), rotation=turn),
        part(x, (six[:3], six[3:]), rotation=turn),
        atol=1e-5,
        rtol=1e-5,
    )
    written = torch.compile(
        lambda q, mask: attend(q, q, q, mask, causal=True, impl="math"), fullgraph=True
    )
    q, mask = randn(1, 2, 5, 8).bfloat16(), torch.ones(1, 1, 1, 5, dtype=torch.bool)
    assert_close(
        written(q, mask).float(),
        attend(q, q, q, mask, causal=True, impl="math").float(),
        atol=0.02,
        rtol=0.02,
    )
