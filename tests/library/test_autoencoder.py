"""Sizes and models of the autoencoder module; bad input is named."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmgen.autoencoder import AutoEncoder, AutoEncoderConfig, conv_size, conv_transpose_size


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.integers(0, 2)
)
def test_sizes_are_those_of_the_layers(n, k, s, p, out):
    if n + 2 * p < k:
        with pytest.raises(ValueError, match=f"kernel={k} is wider"):
            conv_size(n, k, s, p)
    else:
        assert conv_size(n, k, s, p) == nn.Conv2d(1, 1, k, s, p)(torch.zeros(1, 1, n, n)).shape[-1]
    if out < s and conv_transpose_size(n, k, s, p, out) > 0:
        layer = nn.ConvTranspose2d(1, 1, k, s, p, out)
        assert conv_transpose_size(n, k, s, p, out) == layer(torch.zeros(1, 1, n, n)).shape[-1]


def test_sizes_that_are_often_quoted():  # M42
    assert [conv_size(32, 4, 2), conv_size(15, 4, 2), conv_size(32, 4, 2, 1)] == [15, 6, 16]
    assert [
        conv_transpose_size(4, 4, 2),
        conv_transpose_size(10, 4, 2),
        conv_transpose_size(4, 4, 2, 1),
    ] == [10, 22, 8]


BAD = [
    (
        lambda: AutoEncoderConfig(size=30),
        ValueError,
        "size=30 with stages=2; expected a multiple of 4, such as 32",
    ),
    (
        lambda: AutoEncoderConfig(latent_dim=0),
        ValueError,
        "latent_dim=0; expected a whole number of at least 1",
    ),
    (lambda: AutoEncoderConfig(width=8.0), ValueError, "width=8.0; expected a whole number"),
    (lambda: AutoEncoderConfig(channels="1"), ValueError, "channels='1'; expected a whole number"),
    (
        lambda: AutoEncoder()(torch.zeros(1, 28, 28)),
        ValueError,
        "x has shape (1, 28, 28); expected (b, c, h, w): add a batch axis",
    ),
    (
        lambda: AutoEncoder()(torch.zeros(1, 3, 28, 28)),
        ValueError,
        "x has shape (1, 3, 28, 28); expected (b, 1, h, w)",
    ),
    (lambda: AutoEncoder()(torch.zeros(1, 1, 28, 28).byte()), TypeError, "x is torch.uint8"),
    (
        lambda: AutoEncoder()(torch.full((1, 1, 28, 28), 255.0)),
        ValueError,
        "expected finite numbers in [-1, 1]",
    ),
    (
        lambda: AutoEncoder()(torch.full((1, 1, 28, 28), math.nan)),
        ValueError,
        "expected finite numbers in [-1, 1]",
    ),
    (lambda: AutoEncoder()([1, 2]), TypeError, "x is a list"),
    (
        lambda: AutoEncoder().decode(torch.zeros(2, 7)),
        ValueError,
        "z has shape (2, 7); expected (b, 16)",
    ),
    (lambda: AutoEncoder().decode([0.0] * 16), TypeError, "z is a list"),
    (
        lambda: AutoEncoder(AutoEncoderConfig(grid=True)).decode(torch.zeros(2, 16)),
        ValueError,
        "expected (b, 16, h, w)",
    ),
    (
        lambda: conv_size(3, 5),
        ValueError,
        "kernel=5 is wider than the padded input, n + 2 padding = 3",
    ),
    (lambda: conv_size(8, 3, 0), ValueError, "stride=0; expected a whole number of at least 1"),
]


@pytest.mark.parametrize("call,kind,words", BAD, ids=[words[:40] for *_, words in BAD])
def test_bad_input_is_named(call, kind, words):
    with pytest.raises(kind) as e:
        call()
    assert words in str(e.value)
