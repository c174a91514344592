"""Ratings by people, and the report: what passes, what is found, what is refused."""

import json
import math

import pytest
import torch

from mmgen.data import DigitImages
from mmgen.features import DigitNet
from mmgen.report import BETTER, BlindTrial, binomial_interval, evaluate, independent_pixels


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

    def model(n, seed):
        return independent_pixels(x[:500], n, seed)

    runs = [
        evaluate(model, x[5000:], n=80, seed=s, features=judge, memory=x[:200]) for s in (3, 3, 4)
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
        (lambda x: x[:50], 100, ValueError, "model has 50 images; expected at least 100"),
        (
            lambda x: (x[:200] + 1) * 127.5,
            100,
            ValueError,
            r"model has values from 0 to 255; expected finite numbers in \[-1, 1\]",
        ),
        (lambda x: ((x[:200] + 1) * 127.5).byte(), 100, TypeError, "for 0..255 use"),
        (lambda x: x[:200].numpy(), 100, TypeError, "model is a ndarray"),
        (lambda x: x[:200] * math.nan, 100, ValueError, "expected finite numbers"),
        (lambda x: x[:200], 5001, ValueError, "reference has 10000 images"),
        (lambda x: x[:200, 0], 100, ValueError, "expected"),
        (lambda x: x[:200, :, :20, :20], 100, ValueError, "resizes nothing"),
    ],
)
def test_bad_models_are_named(bad, n, error, words, digits, judge):
    with pytest.raises(error, match=words):
        evaluate(bad(digits[0]), digits[0], n=n, features=judge)


@pytest.mark.parametrize(
    "bad,changes,words",
    [
        (
            lambda x, y: (x, y[:50]),
            {},
            r"model has 200 images and labels of shape \(50,\); expected one label for each",
        ),
        (lambda x, y: (x, torch.eye(10)[y]), {}, r"labels of shape \(200, 10\)"),
        (lambda x, y: (x, y, 0), {}, "model is a tuple of 3"),
        (lambda x, y: x, dict(n=3), "n=3; expected a whole number of at least 4"),
        (lambda x, y: x, dict(n=80.0), "n=80.0; expected a whole"),
        (lambda x, y: x[:0], {}, "model has shape .* and holds no image"),
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


def test_a_model_is_asked_for_n_and_seed(digits, judge):
    asked = []

    def model(n, seed):
        asked.append((n, seed))
        return digits[0][:n]

    evaluate(model, digits[0][5000:], n=70, seed=9, features=judge, ceiling=model)
    assert asked == [(70, 9), (70, 9)]
