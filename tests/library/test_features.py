"""The shipped nets, features of many images, perceptual distance, published networks."""

import json
import sys
import types
from dataclasses import asdict

import pytest
import torch
from library_fixtures import images
from torch import nn
from torch.testing import assert_close

from mmgen.checkpoints import CheckpointError
from mmgen.core import data_path
from mmgen.features import (
    DigitNet,
    DigitNetConfig,
    digit_net,
    embed,
    inception_features,
    lpips_distance,
    perceptual_distance,
)
from mmgen.metrics import frechet_distance
from mmgen.weights import load_weights

SMALL = DigitNetConfig(width=2, kernel=3)


@pytest.mark.parametrize(
    "field,value", [("width", 0), ("kernel", 4), ("size", 2.0), ("n_classes", True)]
)
def test_bad_config_is_named(field, value):
    with pytest.raises(ValueError, match=f"{field}={value!r}; expected"):
        DigitNetConfig(**{field: value})


def test_net_says_what_it_takes_and_round_trips(tmp_path):
    net, x = DigitNet(SMALL).eval(), images(3, 1, 28, 28)
    assert [tuple(m.shape) for m in net.maps(x)] == [(3, 2, 28, 28), (3, 4, 14, 14), (3, 8, 7, 7)]
    assert net.features(x).shape == (3, 8) and net(x).shape == (3, 10) and net.num_features == 8
    for bad in (
        images(1, 3, 28, 28),
        images(1, 1, 32, 32),
        images(28, 28),
        torch.zeros(1, 1, 28, 28, dtype=torch.uint8),
    ):
        with pytest.raises(ValueError, match=r"DigitNet takes float \(b, 1, 28, 28\)"):
            net.features(bad)
    net.save_pretrained(tmp_path)
    again = DigitNet.from_pretrained(tmp_path)
    assert again.config == SMALL and torch.equal(again(x), net(x))


def test_frozen_means_frozen(judge):
    parent = nn.ModuleList([judge, nn.Dropout()]).train()
    before = {k: v.clone() for k, v in judge.state_dict().items()}
    x = images(4, 1, 28, 28).requires_grad_()
    judge(x).sum().backward()
    assert parent.training and not any(m.training for m in judge.modules())
    assert not any(p.requires_grad for p in judge.parameters()) and x.grad.abs().sum() > 0
    assert not any(isinstance(m, nn.Dropout) for m in judge.modules())
    for k, v in judge.state_dict().items():
        assert torch.equal(v, before[k]), k
    assert DigitNet(SMALL).train().training
    with pytest.raises(ValueError, match="role='juge'; expected one of 'judge', 'loss'; did"):
        digit_net("juge")


@pytest.mark.parametrize("role", ["judge", "loss"])
def test_shipped_nets_reproduce_their_record(role, digits):
    folder = data_path("weights", "digit_net", role)
    weights = load_weights(folder / "model.safetensors")  # its sha256 is checked
    record, measured, net = weights.record, weights.record["measured"], digit_net(role)
    assert weights.config == asdict(net.config) == json.loads((folder / "config.json").read_text())
    for k in ("command", "profile", "seed", "commit", "cpu_seconds", "threads", "machine"):
        assert record[k] not in ("", None), k
    right = int((embed(digits[0], net.forward).argmax(1) == digits[1]).sum())
    assert (
        abs(right - measured["test_right"]) <= 2
        and measured["test_accuracy"] == measured["test_right"] / 10_000 >= 0.993
    )
    assert (
        sum(p.numel() for p in net.parameters()) == measured["parameters"]
        and net.num_features == measured["features"]
    )
    assert (folder / "model.safetensors").stat().st_size < 1e6


def test_the_two_nets_differ():
    a, b = (
        json.loads((data_path("weights", "digit_net", role) / "model.json").read_text())
        for role in ("judge", "loss")
    )
    assert a["config"] != b["config"] and a["record"]["seed"] != b["record"]["seed"]


def test_a_flipped_bit_in_the_weights_is_found(tmp_path):
    blob = bytearray(
        (data_path("weights", "digit_net", "judge") / "model.safetensors").read_bytes()
    )
    blob[-1000] ^= 1
    (tmp_path / "model.safetensors").write_bytes(blob)
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(tmp_path / "model.safetensors")


def test_perceptual_distance_agrees_with_a_loop(judge):
    x, y = images(2, 1, 28, 28), images(2, 1, 28, 28, seed=1).requires_grad_()
    want = torch.zeros(2)
    with torch.no_grad():
        for a, b in zip(judge.maps(x), judge.maps(y)):
            for n in range(2):
                u, v = (m[n].flatten(1).T for m in (a, b))  # (places, c)
                u, v = (m / m.norm(dim=1, keepdim=True).clamp(min=1e-5) for m in (u, v))
                want[n] += (u - v).square().sum(1).mean()
    got = perceptual_distance(x, y, judge)
    assert_close(got, want, atol=1e-3, rtol=1e-3)
    got.sum().backward()
    assert (
        y.grad.isfinite().all()
        and y.grad.abs().sum() > 0
        and perceptual_distance(x, x, judge).max() == 0
    )
    signs = 4 * (x * y < 0).float().mean((1, 2, 3))  # one channel: unit length leaves the sign
    assert_close(perceptual_distance(x, y.detach(), lambda t: [t]), signs, atol=1e-3, rtol=1e-2)
    with pytest.raises(ValueError, match="expected the same"):
        perceptual_distance(x, y[:1], judge)


def test_embed_takes_nets_and_functions(judge):
    x = images(7, 1, 28, 28)
    assert_close(embed(x, judge, batch_size=3), judge.features(x).detach(), atol=1e-5, rtol=1e-4)
    assert embed(x, lambda t: t[:, :, ::7, ::7]).shape == (7, 16) and embed(x).shape == (
        7,
        judge.num_features,
    )
    assert embed(x, nn.Flatten()).shape == (7, 784) and not embed(x, judge).requires_grad
    with pytest.raises(ValueError, match="gave 3 rows for 7 images"):
        embed(x, lambda t: t[:3])
    with pytest.raises(ValueError, match="NaN or infinity in 7 of 7"):
        embed(x, lambda t: t.flatten(1) / 0)
    assert_close(embed(x.double(), judge), embed(x, judge))
    assert embed(x.bfloat16()).shape == (7, judge.num_features)
    assert torch.equal(embed(x, nn.Sequential()), x.flatten(1))  # empty, and yet not the judge
    for f in (lambda t: embed(t, judge), lambda t: perceptual_distance(t, t, judge)):
        with pytest.raises(ValueError, match="x has values from .* for 0..255 use x / 127.5 - 1"):
            f((x + 1) * 127.5)
    with pytest.raises(TypeError, match="images is a ndarray"):
        embed(x.numpy())


def test_embed_reads_in_eval_mode_and_leaves_the_mode_as_it_was():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.5)).train()
    net[2].eval()
    x, before = images(7, 1, 4, 4), {k: v.clone() for k, v in net.state_dict().items()}
    assert_close(embed(x, net), x.flatten(1), atol=1e-4, rtol=1e-4)
    assert torch.equal(embed(x, net.forward), embed(x, net))
    assert [m.training for m in net.modules()] == [True, True, True, False]
    for k, v in net.state_dict().items():
        assert torch.equal(v, before[k]), k


def test_the_published_nets_say_what_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(ImportError, match=r"torch-fidelity: pip install 'torchmetrics\[image\]'"):
        inception_features()
    with pytest.raises(ImportError, match=r"torchvision: pip install"):
        lpips_distance(images(1, 3, 64, 64), images(1, 3, 64, 64))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    for x, y in (
        (images(1, 3, 32, 64), images(1, 3, 32, 64)),
        (images(2, 3, 64, 64), images(1, 3, 64, 64)),
    ):
        with pytest.raises(ValueError, match="at least 64 x 64"):
            lpips_distance(x, y)


def test_inception_gets_bytes_of_three_channels(monkeypatch):
    from torchmetrics.image import fid

    seen = []

    def net(x):
        seen.append(x)
        return x.float().mean((2, 3))

    monkeypatch.setattr(
        fid, "FrechetInceptionDistance", lambda n: types.SimpleNamespace(inception=net)
    )
    x = torch.tensor([-1.0, 0.0, 1.0, 1.2]).view(4, 1, 1, 1).expand(4, 1, 5, 6)
    assert embed(x, inception_features()).shape == (4, 3)
    assert (
        seen[0].dtype == torch.uint8
        and seen[0].shape == (4, 3, 5, 6)
        and seen[0][:, 2, 0, 0].tolist() == [0, 128, 255, 255]
    )


def test_torchmetrics_takes_our_features(judge, digits):
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Ruler(nn.Module):
        num_features = judge.num_features

        def forward(self, x):
            return embed(x, judge)

    fid, x = FrechetInceptionDistance(Ruler()), digits[0]
    fid.update(x[:200], real=True)
    fid.update(x[200:400], real=False)
    assert_close(
        fid.compute().item(),
        frechet_distance(embed(x[:200], judge), embed(x[200:400], judge)),
        rtol=1e-4,
        atol=1e-4,
    )
