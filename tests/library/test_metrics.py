"""Metrics: agreement with other packages and closed forms, properties, bad input."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from library_fixtures import gen, images
from torch.testing import assert_close

from mmgen.metrics import (
    class_entropy,
    diversity,
    frechet,
    frechet_distance,
    frechet_infinity,
    gaussian,
    inception_score,
    kernel_distance,
    mse,
    nats_to_bits_per_dim,
    nearest_distance,
    precision_recall,
    psnr,
    ssim,
)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=gen(seed))


def scipy_frechet(a, b):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = a.double().numpy(), b.double().numpy()
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(
        ca + cb - 2 * linalg.sqrtm(ca @ cb).real
    )


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
    with pytest.raises(ValueError, match="n_points=2; expected a whole number of at least 3"):
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
        with pytest.raises(ValueError, match=f"block={block}; expected a whole number"):
            kernel_distance(a, b, block=block)


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
    assert nats_to_bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
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
