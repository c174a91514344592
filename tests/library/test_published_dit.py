"""Published DiT weights: names there and back, equality with a forward pass written from the names
and with diffusers, guidance on some channels.
"""

import copy
import math
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from library_fixtures import lively, randn
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.dit import DiT, DiTConfig, InContext, guided_prediction, preset
from mmgen.published.dit import from_published, load_published, published_config, to_published

SMALL = dict(shape=(3, 8, 12), patch=2, dim=32, depth=2, num_heads=2, n_classes=5)


def batch(model, b=2, seed=0):
    c = model.config
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(b, generator=g) * 1000 / c.time_scale
    return randn(b, *c.shape, seed=seed), t, torch.randint(0, c.n_classes + 1, (b,), generator=g)


# Published weights


def reference(sd, x, t, y, heads):
    """The forward pass written out from the published names alone (Peebles & Xie 2023), in plain
    functions.
    """

    def lin(name, x):
        return x @ sd[f"{name}.weight"].T + sd[f"{name}.bias"]

    def silu(x):
        return x * torch.sigmoid(x)

    def gelu(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def norm(x):
        return (x - x.mean(-1, keepdim=True)) / (
            x.var(-1, unbiased=False, keepdim=True) + 1e-6
        ).sqrt()

    w = sd["x_embedder.proj.weight"]
    p = w.shape[-1]
    b, _, height, width = x.shape
    r, k = height // p, width // p
    h = (
        F.conv2d(x, w, sd["x_embedder.proj.bias"], stride=p).reshape(b, -1, r * k).transpose(1, 2)
        + sd["pos_embed"]
    )
    a = t[:, None].to(x.dtype) * torch.exp(
        -math.log(10000) * torch.arange(128, dtype=torch.float32) / 128
    )
    c = lin(
        "t_embedder.mlp.2",
        silu(lin("t_embedder.mlp.0", torch.cat([torch.cos(a), torch.sin(a)], 1))),
    )
    c = c + sd["y_embedder.embedding_table.weight"][y]
    for i in range(sum(name.endswith("attn.qkv.weight") for name in sd)):
        m = lin(f"blocks.{i}.adaLN_modulation.1", silu(c))[:, None].split(h.shape[-1], -1)
        qkv = lin(f"blocks.{i}.attn.qkv", norm(h) * (1 + m[1]) + m[0]).reshape(
            b, r * k, 3, heads, -1
        )
        q, key, v = qkv.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(
            torch.einsum("bhnd,bhmd->bhnm", q, key) / math.sqrt(q.shape[-1]), -1
        )
        h = h + m[2] * lin(
            f"blocks.{i}.attn.proj", torch.einsum("bhnm,bhmd->bnhd", weights, v).reshape(h.shape)
        )
        h = h + m[5] * lin(
            f"blocks.{i}.mlp.fc2", gelu(lin(f"blocks.{i}.mlp.fc1", norm(h) * (1 + m[4]) + m[3]))
        )
    shift, scale = lin("final_layer.adaLN_modulation.1", silu(c))[:, None].split(h.shape[-1], -1)
    out = lin("final_layer.linear", norm(h) * (1 + scale) + shift).reshape(b, r, k, p, p, -1)
    return torch.einsum("brkpqc->bcrpkq", out).reshape(b, -1, height, width)


PUBLISHED = DiTConfig((4, 8, 8), 2, 48, 3, 4, 7, 0.1, True, "original", 1.0)


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(0)
    return lively(DiT(PUBLISHED), size=0.05)


@pytest.mark.parametrize("dtype,tol", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_published_forward_equals_one_written_from_the_names(published, dtype, tol):
    model = copy.deepcopy(published).to(dtype)
    x, t, y = randn(3, 4, 8, 8, dtype=dtype), torch.tensor([0, 417, 999]), torch.tensor([0, 6, 7])
    if dtype == torch.float64:
        t = t.double()
    want = reference(to_published(model), x, t, y, 4)
    assert want.std() > 0.3
    with torch.no_grad():
        assert_close(model(x, t, y), want, atol=tol, rtol=tol)


def test_published_names_go_there_and_back(published):
    theirs = to_published(published)
    shapes = {
        "pos_embed": (1, 16, 48),
        "x_embedder.proj.weight": (48, 4, 2, 2),
        "x_embedder.proj.bias": (48,),
        "t_embedder.mlp.0.weight": (48, 256),
        "t_embedder.mlp.2.bias": (48,),
        "y_embedder.embedding_table.weight": (8, 48),
        "blocks.2.attn.qkv.weight": (144, 48),
        "blocks.0.attn.proj.bias": (48,),
        "blocks.1.mlp.fc1.weight": (192, 48),
        "blocks.1.mlp.fc2.bias": (48,),
        "blocks.2.adaLN_modulation.1.weight": (288, 48),
        "final_layer.linear.weight": (32, 48),
        "final_layer.adaLN_modulation.1.bias": (96,),
    }
    assert {k: tuple(theirs[k].shape) for k in shapes} == shapes and len(theirs) == 12 + 10 * 3
    again = load_published({"ema": theirs, "model": {}, "args": None}, 4)
    assert again.config == PUBLISHED and not again.training
    back = to_published(again)
    assert back.keys() == theirs.keys() and all(torch.equal(back[k], theirs[k]) for k in theirs)
    assert set(from_published(theirs)) == set(published.state_dict())
    x, t, y = batch(published)
    with torch.no_grad():
        assert torch.equal(again(x, t, y), published(x, t, y))


def test_xl_2_has_the_published_names_and_shapes():
    with torch.device("meta"):
        model = DiT(preset("XL/2", mode="original", learn_sigma=True, time_scale=1.0))
    theirs = to_published(model)
    assert tuple(theirs["blocks.27.adaLN_modulation.1.weight"].shape) == (6912, 1152) and tuple(
        theirs["pos_embed"].shape
    ) == (1, 256, 1152)
    assert (
        tuple(theirs["y_embedder.embedding_table.weight"].shape) == (1001, 1152)
        and "blocks.28.attn.qkv.weight" not in theirs
    )
    assert (
        sum(t.numel() for t in theirs.values()) == 675_129_632
        and published_config(theirs) == model.config
    )


def test_published_weights_that_do_not_fit_are_listed_by_their_names(published):
    theirs = to_published(published)
    without = {k: v for k, v in theirs.items() if "blocks.1.mlp.fc1" not in k}
    with pytest.raises(
        ValueError, match=r"2 missing: blocks\.1\.mlp\.fc1\.weight, blocks\.1\.mlp\.fc1\.bias"
    ):
        load_published(without, 4)
    with pytest.raises(ValueError, match="1 unexpected: blocks.0.attn.extra"):
        load_published(theirs | {"blocks.0.attn.extra": torch.zeros(1)}, 4)
    with pytest.raises(
        ValueError, match=r"1 wrongly shaped: t_embedder\.mlp\.2\.bias \(3,\) for \(48,\)"
    ):
        load_published(theirs | {"t_embedder.mlp.2.bias": torch.zeros(3)}, 4)
    with pytest.raises(ValueError, match="pos_embed is missing: these are not"):
        load_published({k: v for k, v in theirs.items() if k != "pos_embed"})
    with pytest.raises(ValueError, match="num_heads"):
        load_published(theirs)
    with pytest.raises(ValueError, match="mode='modern'"):
        to_published(DiT(DiTConfig(**SMALL)))
    with pytest.raises(ValueError, match="InContext"):
        to_published(DiT(DiTConfig(**SMALL, mode="original"), InContext))


def test_equals_diffusers(published, monkeypatch):
    pytest.importorskip("diffusers")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    spec = spec_from_file_location("bench_dit", Path(__file__).parents[2] / "benchmarks" / "dit.py")
    bench = module_from_spec(spec)
    spec.loader.exec_module(bench)
    peer = bench.peer_of(published.config).eval()
    peer.load_state_dict(bench.for_diffusers(to_published(published), peer), strict=True)
    x, t, y = randn(3, 4, 8, 8), torch.tensor([0, 417, 999]), torch.tensor([0, 6, 3])
    with torch.no_grad():
        assert_close(peer(x, t, y).sample, published(x, t, y), atol=1e-5, rtol=1e-5)
        for block in peer.transformer_blocks:
            block.norm1.emb.time_proj.downscale_freq_shift = 1  # as diffusers builds it
        far = (peer(x, t, y).sample - published(x, t, y)).abs().amax((1, 2, 3))
    assert far[0] < 1e-5 < 1e-2 < far[1]  # its clock divides by half - 1, the weights' by half


def test_guidance_on_all_channels_and_on_three(published):
    x, t, y = randn(2, 4, 8, 8), torch.tensor([100.0, 700.0]), torch.tensor([1, 6])
    with torch.no_grad():
        with_, without = published(x, t, y), published(x, t)
        moved = without + 4 * (with_ - without)
        every, three = (
            guided_prediction(published, x, t, y, 4.0),
            guided_prediction(published, x, t, y, 4.0, channels=3),
        )
        assert_close(every, torch.cat([moved[:, :4], with_[:, 4:]], 1), atol=1e-4, rtol=1e-4)
        assert_close(three, torch.cat([moved[:, :3], with_[:, 3:]], 1), atol=1e-4, rtol=1e-4)
        assert_close(guided_prediction(published, x, t, y, 1.0), with_, atol=1e-5, rtol=1e-5)
