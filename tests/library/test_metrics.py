"""Metrics: agreement with other packages and closed forms, properties, bad input, the shipped nets,
and the table.
"""

import json
import math
import sys
import types
import warnings
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from mmgen.checkpoints import CheckpointError, load_weights
from mmgen.core import data_path
from mmgen.data import DigitImages
from mmgen.metrics import (
    BETTER,
    BlindTrial,
    DigitNet,
    DigitNetConfig,
    binomial_interval,
    bits_per_dim,
    class_entropy,
    digit_net,
    diversity,
    embed,
    evaluate,
    frechet,
    frechet_distance,
    frechet_infinity,
    gaussian,
    inception_features,
    inception_score,
    independent_pixels,
    kernel_distance,
    lpips_distance,
    mse,
    nearest_distance,
    perceptual_distance,
    precision_recall,
    psnr,
    ssim,
)

SMALL = DigitNetConfig(width=2, kernel=3)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=gen(seed))


def images(*shape, seed=0):
    return torch.rand(shape, generator=gen(seed)) * 2 - 1


@pytest.fixture(scope="module")
def digits():
    "The test set, shuffled: its first half was written by other people than the second."
    x, y = DigitImages("test").tensors()
    order = torch.randperm(len(x), generator=gen())
    return x[order], y[order]


@pytest.fixture(scope="module")
def judge():
    return digit_net("judge")


# Pairs


@pytest.mark.parametrize(
    "shape,data_range",
    [((3, 1, 28, 28), 2.0), ((2, 3, 15, 24), 2.0), ((1, 1, 11, 11), 255.0), ((2, 1, 31, 12), 1.0)],
)
def test_psnr_and_ssim_agree_with_scikit_image(shape, data_range):
    skimage = pytest.importorskip("skimage.metrics")
    x, y = (
        images(*shape).double() * data_range / 2,
        images(*shape, seed=1).double() * data_range / 2,
    )
    y = 0.7 * x + 0.3 * y
    for i in range(shape[0]):
        a, b = x[i].numpy(), y[i].numpy()
        want = skimage.structural_similarity(
            a,
            b,
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=0,
        )
        assert abs(ssim(x, y, data_range)[i].item() - want) < 1e-5
        assert (
            abs(
                psnr(x, y, data_range)[i].item()
                - skimage.peak_signal_noise_ratio(a, b, data_range=data_range)
            )
            < 1e-5
        )


def test_pairs_have_known_values_and_edges():
    x = images(2, 1, 12, 12)
    assert (
        abs(
            psnr(torch.full((1, 1, 4, 4), -0.1), torch.zeros(1, 1, 4, 4)).item()
            - 10 * math.log10(400)
        )
        < 1e-5
    )
    assert psnr(x, x).tolist() == [math.inf] * 2 and mse(x, x).max() == 0
    assert_close(ssim(x, x), torch.ones(2).double())
    assert_close(ssim(x, x.flip(0)), ssim(x.flip(0), x))  # symmetric
    with pytest.raises(
        ValueError, match=r"x has shape \(2, 1, 12, 12\), y \(1, 1, 12, 12\); expected the same"
    ):
        psnr(x, x[:1])
    with pytest.raises(ValueError, match="12 pixels; expected at least size=13"):
        ssim(x, x, size=13)
    with pytest.raises(ValueError, match=r"expected \(b, c, h, w\)"):
        mse(x[0], x[0])
    y = x.clone().requires_grad_()
    (1 - ssim(y, x.roll(1, 3))).sum().backward()
    assert y.grad.isfinite().all() and y.grad.abs().sum() > 0


def test_bytes_and_other_ranges_give_the_right_decibels_or_an_error():
    x, y = images(2, 3, 12, 15), images(2, 3, 12, 15, seed=1)
    a, b = (((t + 1) * 127.5).round().byte() for t in (x, y))
    want = [
        10 * math.log10(255**2 / np.square(p.astype(float) - q).mean())
        for p, q in zip(a.numpy(), b.numpy())
    ]
    assert psnr(a, b, 255.0).tolist() == pytest.approx(want) and mse(a, b).dtype == torch.float64
    assert_close(ssim(a, b, 255.0), ssim(a / 255, b / 255, 1.0))
    assert_close(psnr(x.bfloat16(), y.bfloat16()), psnr(x, y), atol=0.05, rtol=0)
    for f in (psnr, ssim):
        for p, q in ((a, b), (a.float(), b.float())):
            with pytest.raises(
                ValueError,
                match="values from 0 to 255 with data_range=2; expected data_range=2 for",
            ):
                f(p, q)
        with pytest.raises(TypeError, match="x is torch.uint8, y torch.float32"):
            f(a, y)
        with pytest.raises(TypeError, match="x is a ndarray; expected a tensor"):
            f(x.numpy(), y.numpy())
        with pytest.raises(ValueError, match="data_range=0; expected a number above 0"):
            f(x, y, 0)
        with pytest.warns(UserWarning, match=r"for images in \[0, 1\] say data_range=1"):
            f((x + 1) / 2, (y + 1) / 2)
    with pytest.raises(ValueError, match="size=10; expected an odd number"):
        ssim(x, y, size=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            psnr(x, y + 0.5 * normal(2, 3, 12, 15)).isfinite().all()
        )  # noise beyond the range is no mistake
        assert psnr(x[:0], y[:0]).shape == (0,) and psnr(x * math.nan, y).isnan().all()


# Sets


def scipy_frechet(a, b):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = a.double().numpy(), b.double().numpy()
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(
        ca + cb - 2 * linalg.sqrtm(ca @ cb).real
    )


@pytest.mark.parametrize("n,m,d", [(50, 70, 5), (200, 150, 16), (40, 40, 2)])
def test_frechet_agrees_with_scipy(n, m, d):
    a, b = normal(n, d) @ normal(d, d, seed=2), 0.3 + normal(m, d, seed=1) @ normal(d, d, seed=3)
    assert abs(frechet_distance(a, b) - scipy_frechet(a, b)) < 1e-5 * max(1, scipy_frechet(a, b))


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(2, 9),
    m=st.integers(2, 9),
    d=st.integers(1, 6),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_frechet_is_a_squared_distance_at_any_rank(n, m, d, seed, scale):
    a, b = normal(n, d, seed=seed) * scale, normal(m, d, seed=seed + 1) * scale + scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        there, back = frechet_distance(a, b), frechet_distance(b, a)
        same = frechet_distance(a, a)
        moved = frechet_distance(a, a + scale)
    assert there >= 0 and math.isfinite(there) and abs(there - back) <= 1e-7 * max(there, 1e-12)
    assert 0 <= same < 1e-12 * scale**2 and abs(moved - d * scale**2) < 1e-4 * d * scale**2


def test_frechet_known_values():
    one = torch.eye(4).double()
    assert abs(frechet(torch.zeros(4), one, torch.zeros(4), 9 * one) - 16) < 1e-9
    assert abs(frechet(torch.zeros(4), one, torch.tensor([3.0, 4.0, 0.0, 0.0]), one) - 25) < 1e-9
    assert frechet(torch.zeros(4), 0 * one, torch.zeros(4), 0 * one) == 0
    mean, cov = gaussian(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
    assert_close(mean, torch.tensor([1.0, 2.0]).double())
    assert_close(cov, torch.tensor([[2.0, 4.0], [4.0, 8.0]]).double())


@pytest.mark.parametrize(
    "change,error",
    [
        (
            dict(mean1=torch.zeros(1)),
            r"mean1 has shape \(1,\), cov1 \(4, 4\); expected \(d,\) and \(d, d\)",
        ),
        (dict(cov2=torch.ones(4)), r"cov2 \(4,\)"),
        (dict(mean2=torch.zeros(3), cov2=torch.eye(3)), "mean1 has 4 features, mean2 3"),
        (dict(mean2=torch.full((4,), math.nan)), "mean2 or cov2 holds NaN"),
        (dict(cov1=torch.ones(4, 4).triu()), "cov1 is not symmetric"),
        (dict(cov1=-torch.eye(4)), "eigenvalue -1; expected none below 0"),
    ],
)
def test_bad_gaussians_are_named(change, error):
    good = dict(mean1=torch.zeros(4), cov1=torch.eye(4), mean2=torch.zeros(4), cov2=torch.eye(4))
    assert frechet(**good) < 1e-12
    with pytest.raises(ValueError, match=error):
        frechet(**good | change)


def test_frechet_survives_float32_features_with_a_large_mean():
    a, b = normal(500, 8), normal(500, 8, seed=1)
    assert abs(frechet_distance(a + 1000, b + 1000) - frechet_distance(a, b)) < 1e-2


@pytest.mark.parametrize(
    "a,b,error",
    [
        (normal(1, 4), normal(5, 4), "a has 1 samples; expected at least 2"),
        (normal(0, 4), normal(5, 4), "a has 0 samples"),
        (normal(5, 4), normal(1, 4), "b has 1 samples"),
        (normal(5, 4), normal(5, 3), "a has 4 features, b 3"),
        (normal(5, 4) / 0, normal(5, 4), "a holds NaN or infinity in 5 of 5 rows"),
        (normal(5), normal(5, 4), "expected features"),
        ([1.0], normal(5, 4), "a is list; expected features"),
    ],
)
def test_bad_sets_are_named(a, b, error):
    for f in (frechet_distance, kernel_distance):
        with pytest.raises(ValueError, match=error):
            f(a, b)


def test_fewer_samples_than_features_warn():
    with pytest.warns(RuntimeWarning, match="5 samples of 8 features"):
        frechet_distance(normal(5, 8), normal(20, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet_distance(normal(20, 8), normal(9, 8))


def test_bias_falls_with_n_and_extrapolation_removes_it():
    whole = [normal(4000, 8, seed=s) for s in (0, 1)]
    small = frechet_distance(*(x[:200] for x in whole))
    large = frechet_distance(*whole)
    limit, points = frechet_infinity(*whole)
    assert (
        small > 5 * large > 0
        and abs(limit) < large
        and len(points) == 10
        and points[0] == (4000, pytest.approx(large))
    )
    assert frechet_infinity(*whole) == (limit, points)
    with pytest.raises(ValueError, match="26 samples of 8 features; expected more than 26"):
        frechet_infinity(whole[0][:26], whole[1])
    with pytest.raises(ValueError, match="n_points=2; expected at least 3"):
        frechet_infinity(*whole, n_points=2)


def test_kernel_distance_agrees_with_torchmetrics_and_is_unbiased():
    from torchmetrics.image.kid import poly_mmd

    a, b = normal(60, 5).double(), normal(60, 5, seed=1).double() + 0.5
    assert abs(kernel_distance(a, b, block=60)[0] - poly_mmd(a, b).item()) < 1e-9
    values = [
        kernel_distance(normal(12, 5, seed=2 * s), normal(12, 5, seed=2 * s + 1))[0]
        for s in range(400)
    ]
    mean, error = np.mean(values), np.std(values) / 20
    assert abs(mean) < 4 * error and min(values) < 0 < max(values)
    mean, error = kernel_distance(normal(1000, 5), normal(1000, 5, seed=1) + 0.5, block=100)
    assert (
        error < mean / 3
        and kernel_distance(a, b) == kernel_distance(a, b)
        and math.isnan(kernel_distance(a, b)[1])
    )
    assert all(
        math.isfinite(v)
        for v in kernel_distance(a[:3], b[:5], block=2)[:1] + kernel_distance(a[:7], b, block=2)
    )
    for block in (1, 0, -5):
        with pytest.raises(ValueError, match=f"block={block}; expected at least 2"):
            kernel_distance(a, b, block=block)


def loop_precision(real, fake, k):
    def gap(p, q):
        return math.dist(p.tolist(), q.tolist())

    reach = [sorted(gap(p, q) for q in real)[k] for p in real]
    inside = [[gap(f, r) <= reach[i] for i, r in enumerate(real)] for f in fake]
    return (
        np.mean([any(row) for row in inside]),
        np.sum(inside) / (k * len(fake)),
        np.mean([any(col) for col in zip(*inside)]),
    )


@pytest.mark.parametrize("k", [1, 3])
def test_precision_recall_agrees_with_a_loop(k):
    real, fake = normal(30, 3).double(), 1.3 * normal(25, 3, seed=1).double() + 0.3
    got = precision_recall(real, fake, k)
    precision, density, coverage = loop_precision(real, fake, k)
    assert got == pytest.approx(
        {
            "precision": precision,
            "recall": loop_precision(fake, real, k)[0],
            "density": density,
            "coverage": coverage,
        }
    )


def test_precision_recall_at_the_edges():
    x = normal(20, 3)
    same = precision_recall(x, x)
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    far = precision_recall(x, x + 100)
    assert far["precision"] == far["recall"] == far["density"] == far["coverage"] == 0
    one = precision_recall(x, x[:1].repeat(20, 1))
    assert one["precision"] == 1 and one["recall"] < 0.2
    with pytest.raises(ValueError, match="b has 3 samples; expected at least 4"):
        precision_recall(x, x[:3])
    for k in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"k={k}; expected a whole number of at least 1"):
            precision_recall(x, x, k)


def test_small_measures():
    f = normal(40, 6)
    pairs = [(f[i] - f[j]).norm() for i in range(40) for j in range(40) if i != j]
    assert abs(diversity(f) - torch.stack(pairs).mean().item()) < 1e-4
    assert (
        class_entropy(torch.eye(4).repeat(3, 1)) == 2.0 and class_entropy(torch.eye(4)[:1]) == 0.0
    )
    assert (
        abs(inception_score(50 * torch.eye(10)) - 10) < 1e-4
        and abs(inception_score(torch.ones(5, 3)) - 1) < 1e-9
    )
    memory = images(30, 1, 4, 4)
    assert_close(nearest_distance(memory[:3], memory), torch.zeros(3), atol=0, rtol=0)
    x = images(5, 1, 4, 4, seed=1)
    want = torch.stack([(x[i] - memory).square().sum((1, 2, 3)).min().sqrt() for i in range(5)])
    assert_close(nearest_distance(x, memory), want)
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    assert nearest_distance((memory[:3] > 0).byte(), (memory > 0).byte()).max() == 0
    for bad in (memory[:0], images(5, 1, 2, 8)):
        with pytest.raises(ValueError, match="expected images of one shape, some in memory"):
            nearest_distance(x, bad)


def test_scores_of_logits_take_no_other_thing():
    assert inception_score(1000 * torch.eye(10)[:9]) == pytest.approx(
        9
    )  # a class that is never seen
    with pytest.raises(ValueError, match="logits are probabilities"):
        inception_score(torch.eye(4))
    for f in (inception_score, class_entropy):
        with pytest.raises(ValueError, match="logits holds NaN or infinity in 2 of 2 rows"):
            f(torch.full((2, 3), math.nan))
        with pytest.raises(ValueError, match="logits has 0 samples"):
            f(torch.zeros(0, 3))


# The nets


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
    with pytest.raises(ValueError, match="role='juge'; expected 'judge' or 'loss'"):
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


# People


@pytest.mark.parametrize("hits,n", [(0, 10), (10, 10), (7, 10), (31, 50), (1, 400)])
def test_binomial_interval_solves_its_equation(hits, n):
    low, high = binomial_interval(hits, n)
    z = 1.959963984540054
    for p in (low, high):
        assert abs((hits / n - p) ** 2 - z * z * p * (1 - p) / n) < 1e-9
    assert 0 <= low <= hits / n <= high <= 1 and high > low
    wide = binomial_interval(hits, n, 0.99)
    assert wide[0] <= low and wide[1] >= high
    for bad in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match="expected 0 <= hits <= n"):
            binomial_interval(*bad)


def test_blind_trial_hides_and_counts():
    real, fake = torch.ones(30, 1, 4, 4), -torch.ones(30, 1, 4, 4)
    trial = BlindTrial(real, fake, 30, seed=3)
    truth = ["L" if left.mean() > 0 else "R" for left, _ in trial.images]
    assert trial.images.shape == (30, 2, 1, 4, 4) and 5 < truth.count("L") < 25
    assert trial.score(truth)["share"] == 1 and trial.score(truth)["told_apart"]
    assert (
        trial.score("".join("LR"[t == "L"] for t in truth))["share"] == 0
    )  # always wrong is telling apart, too
    assert not trial.score("LR" * 15)["told_apart"]
    assert torch.equal(trial.images, BlindTrial(real, fake, 30, seed=3).images)
    with pytest.raises(ValueError, match="29 letters"):
        trial.score("L" * 29)
    with pytest.raises(ValueError, match=r"\['L', 'X'\]"):
        trial.score("X" + "L" * 29)
    with pytest.raises(ValueError, match="at least n=31 of each"):
        BlindTrial(real, fake, 31)
    for bad in (fake[:, 0], fake[..., :2]):
        with pytest.raises(ValueError, match=r"expected \(n, c, h, w\), images of one shape"):
            BlindTrial(bad, fake)


# The table


def test_real_images_pass_and_the_control_fails(digits, judge):
    x, y = digits
    report = evaluate((x[:1000], y[:1000]), (x[5000:], y[5000:]), n=1000, seed=1, features=judge)
    assert report.ok and {r.metric for r in report.rows} == set(BETTER) - {"nearest"}
    assert all(abs(r.gap) < 0.1 and r.n == 1000 and r.seed == 1 for r in report.rows)
    assert report["recognised"].value > 0.97 and set(report.per_class) == set(range(10))
    bad = evaluate(
        (independent_pixels(x[:1000], 200, seed=5), y[:200]),
        (x[5000:], y[5000:]),
        n=200,
        seed=1,
        features=judge,
    )
    assert not bad.ok and not any(
        bad[k].ok for k in ("frechet", "kernel", "precision", "coverage", "recognised")
    )
    assert bad["frechet"].gap > 0.8


def test_untrained_features_still_separate(digits):
    x = digits[0]
    torch.manual_seed(0)
    report = evaluate(x[:300], x[5000:], n=100, features=DigitNet().eval())
    assert report["frechet"].ok and report["frechet"].ceiling > 5 * report["frechet"].floor


def test_equal_seeds_give_equal_figures_and_a_record(digits, judge):
    x = digits[0]

    def generator(n, seed):
        return independent_pixels(x[:500], n, seed)

    runs = [
        evaluate(generator, x[5000:], n=80, seed=s, features=judge, memory=x[:200])
        for s in (3, 3, 4)
    ]
    values = [[(r.metric, r.value, r.floor, r.ceiling, r.gap) for r in run.rows] for run in runs]
    assert values[0] == values[1] != values[2]
    record = json.loads(json.dumps(runs[0].as_dict()))
    assert (
        record["rows"][0]["metric"] == "frechet"
        and record["ok"] is False
        and set(record) == {"ok", "seconds", "rows", "per_class"}
    )
    text = str(runs[0])
    assert (
        all(r.metric in text for r in runs[0].rows)
        and "NO" in text
        and len(text.splitlines()) == 1 + len(runs[0].rows)
    )


def test_copies_are_found_only_by_memory(digits, judge):
    train, x = DigitImages("valid").tensors()[0], digits[0]
    report = evaluate(train[:500], x, n=300, features=judge, memory=train)
    assert (
        not report.ok
        and [r.metric for r in report.rows if r.ok is False] == ["nearest"]
        and report["nearest"].value == 0
    )
    assert evaluate(train[:500], x, n=300, features=judge).ok


def test_one_mode_is_found_by_recall(digits, judge):
    x, y = digits
    ones = DigitImages("valid").tensors()
    ones = ones[0][ones[1] == 1][:300]
    report = evaluate(ones, x, n=300, features=judge)
    assert (
        report["precision"].ok
        and not report["recall"].ok
        and not report["coverage"].ok
        and not report["classes"].ok
    )


def test_wrong_labels_are_found_by_class(digits, judge):
    x, y = digits
    swapped = torch.where(y == 4, 9, torch.where(y == 9, 4, y))
    report = evaluate((x[:400], swapped[:400]), (x[5000:], y[5000:]), n=300, features=judge)
    assert report.per_class[4] < 0.1 and report.per_class[9] < 0.1 and report.per_class[0] > 0.9
    assert report["recognised"].value < 0.9 and report["frechet"].ok


def test_few_images_are_noted(digits, judge):
    report = evaluate(digits[0][:50], digits[0][5000:], n=20, features=judge)
    assert report["frechet"].note == "n <= 64 features" and "n <= 64 features" in str(report)


@pytest.mark.parametrize(
    "bad,n,error,words",
    [
        (lambda x: x[:50], 100, ValueError, "generator has 50 images; expected at least 100"),
        (
            lambda x: (x[:200] + 1) * 127.5,
            100,
            ValueError,
            r"generator has values from 0 to 255; expected finite numbers in \[-1, 1\]",
        ),
        (lambda x: ((x[:200] + 1) * 127.5).byte(), 100, TypeError, "for 0..255 use"),
        (lambda x: x[:200].numpy(), 100, TypeError, "generator is a ndarray"),
        (lambda x: x[:200] * math.nan, 100, ValueError, "expected finite numbers"),
        (lambda x: x[:200], 5001, ValueError, "reference has 10000 images"),
        (lambda x: x[:200, 0], 100, ValueError, "expected"),
        (lambda x: x[:200, :, :20, :20], 100, ValueError, "resizes nothing"),
    ],
)
def test_bad_generators_are_named(bad, n, error, words, digits, judge):
    with pytest.raises(error, match=words):
        evaluate(bad(digits[0]), digits[0], n=n, features=judge)


@pytest.mark.parametrize(
    "bad,changes,words",
    [
        (
            lambda x, y: (x, y[:50]),
            {},
            r"generator has 200 images and labels of shape \(50,\); expected one label for each",
        ),
        (lambda x, y: (x, torch.eye(10)[y]), {}, r"labels of shape \(200, 10\)"),
        (lambda x, y: (x, y, 0), {}, "generator is a tuple of 3"),
        (lambda x, y: x, dict(n=3), "n=3; expected a whole number of at least 4"),
        (lambda x, y: x, dict(n=80.0), "n=80.0; expected a whole"),
        (lambda x, y: x[:0], {}, "generator has shape .* and holds no image"),
        (lambda x, y: x, dict(memory=torch.zeros(5, 28, 28)), "memory has shape"),
        (lambda x, y: x, dict(memory=torch.zeros(5, 1, 8, 8)), "expected images of one shape"),
    ],
)
def test_bad_arguments_are_named(bad, changes, words, digits, judge):
    x, y = digits
    with pytest.raises(ValueError, match=words):
        evaluate(
            bad(x[:200], y[:200]), (x[5000:], y[5000:]), **dict(n=80, features=judge) | changes
        )


def test_values_a_little_outside_are_cut(digits, judge):
    x = digits[0]
    a, b = (
        evaluate(g, x[5000:], n=80, features=judge)["frechet"].value
        for g in (x[:200] * 1.1, (x[:200] * 1.1).clamp(-1, 1))
    )
    assert a == b


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


def test_images_in_the_wrong_range_are_warned_of(digits, judge):
    x = digits[0]
    with pytest.warns(UserWarning, match=r"no value is below 0; are its images in \[0, 1\]"):
        assert not evaluate((x[:200] + 1) / 2, x[5000:], n=80, features=judge)["frechet"].ok
    with pytest.warns(
        UserWarning, match="reference: no value is below 0"
    ):  # both wrong: nothing else would show it
        evaluate((x[:200] + 1) / 2, (x[5000:] + 1) / 2, n=80, features=judge)


def test_a_control_that_does_not_differ_is_not_judged(digits):
    x = digits[0]
    report = evaluate(
        x[:300], x[5000:], n=100, features=lambda t: t.flatten(1)[:, ::30], ceiling=x[300:600]
    )
    odd = [r for r in report.rows if r.ok is None]
    assert (
        all(math.isnan(r.gap) for r in odd)
        and "NaN" not in json.dumps(report.as_dict())
        and "recognised" not in str(report)
    )
    with pytest.raises(KeyError, match="'recognised' was not measured; rows: frechet, kernel"):
        report["recognised"]


def test_a_generator_is_asked_for_n_and_seed(digits, judge):
    asked = []

    def generator(n, seed):
        asked.append((n, seed))
        return digits[0][:n]

    evaluate(generator, digits[0][5000:], n=70, seed=9, features=judge, ceiling=generator)
    assert asked == [(70, 9), (70, 9)]
