"""Attention: equality with PyTorch's own modules and with forms derived another way, masks,
positions, bad input.
"""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from library_fixtures import randn
from torch import nn
from torch.testing import assert_close

from mmgen.attention import (
    Attention,
    angles,
    attend,
    attention_maps,
    attention_weights,
    causal_mask,
    fastest,
    grid_positions,
    rope_layout,
    rotate,
    rotation,
    sincos,
)
from mmgen.transformer import KVCache


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
    with pytest.raises(ValueError, match="impl='flash'; expected one of 'auto'"):
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


def test_bad_positions_are_named():
    with pytest.raises(ValueError, match="head_dim=6; expected a multiple of 4"):
        rotation(grid_positions(2, 2), 6)
    with pytest.raises(ValueError, match="dim=10; expected a multiple of 4"):
        sincos(grid_positions(2, 2), 10)
    with pytest.raises(ValueError, match="width=3 does not split over 2 axes"):
        angles(grid_positions(2, 2), 3)
    with pytest.raises(ValueError, match="to='llama'"):
        rope_layout(randn(8, 4), 4, "llama")
    for f in (rotation, sincos, angles):
        with pytest.raises(ValueError, match=r"positions has shape \(5,\); expected \(n, axes\)"):
            f(torch.arange(5), 8)
    for places, width in ((1, 8), (4, 8), (5, 2)):  # one place or one pair would broadcast
        with pytest.raises(ValueError, match="expected the last two axes of x"):
            rotate(randn(1, 2, 5, 8), rotation(grid_positions(places), width))


def test_integers_are_refused_by_the_rotation():
    with pytest.raises(TypeError, match="torch.int64; expected floats"):
        rotate(torch.ones(3, 4, dtype=torch.int64), rotation(grid_positions(3), 4))


@pytest.mark.parametrize("impl", ["sdpa", "math"])
@pytest.mark.parametrize("kv_heads", [2, 4])
def test_a_mask_of_keys_alone_stands_for_all_queries(impl, kv_heads):
    q, k, keys = randn(2, 4, 5, 4), randn(2, kv_heads, 5, 4, seed=1), torch.arange(5) < 3
    assert_close(attend(q, k, k, keys, impl=impl), attend(q, k[:, :, :3], k[:, :, :3], impl=impl))
