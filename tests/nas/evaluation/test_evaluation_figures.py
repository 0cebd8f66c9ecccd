"""Figures of predictions, against libraries where they have the same ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score

from nas.evaluation import Predictions, measure, wilson


def predictions(
    labels: list[int] | np.ndarray, logits: np.ndarray, names: tuple[str, ...] | None = None
) -> Predictions:
    count, classes = logits.shape
    return Predictions(
        names or tuple(f"class {index}" for index in range(classes)),
        tuple(f"test[{row}]" for row in range(count)),
        ("test",) * count,
        np.asarray(labels, np.int64),
        logits,
    )


def noisy(images: int, classes: int, seed: int = 0) -> Predictions:
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, classes, images)
    return predictions(
        labels, 2 * np.eye(classes)[labels] + draws.normal(0, 1.5, (images, classes))
    )


@pytest.mark.parametrize(("count", "images"), [(0, 1), (1, 1), (2, 40), (40, 40), (1234, 10_000)])
def test_the_interval_is_wilsons(count: int, images: int) -> None:
    rate = wilson(count, images)
    wanted = binomtest(count, images).proportion_ci(method="wilson")
    assert (rate.low, rate.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert rate.value == count / images


def test_figures_are_those_of_scikit_learn() -> None:
    given = noisy(400, 12)
    figures = measure(given)
    assert figures.error.value == pytest.approx(float((given.named != given.labels).mean()))
    balanced = balanced_accuracy_score(given.labels, given.named)
    assert figures.balanced_error.value == pytest.approx(1 - balanced)
    macro = f1_score(given.labels, given.named, average="macro")
    assert figures.macro_f1.value == pytest.approx(macro)
    for rate in (figures.error, figures.balanced_error, figures.macro_f1):
        assert rate.low < rate.value < rate.high
    best = np.argsort(-given.logits, axis=1)[:, :5]
    missed = float((best != given.labels[:, None]).all(1).mean())
    assert figures.top5_error is not None
    assert figures.top5_error.value == pytest.approx(missed)
    assert sum(map(sum, figures.confusion)) == 400


def test_few_classes_have_no_top_5() -> None:
    assert measure(noisy(50, 9)).top5_error is None


def test_the_interval_of_macro_f1_covers_what_it_should() -> None:
    """Of many samples of the same kind, about 95 % have the true figure in their interval."""
    truth = measure(noisy(40_000, 3, seed=99)).macro_f1.value
    covered = [measure(noisy(150, 3, seed=seed)).macro_f1.overlaps(truth) for seed in range(100)]
    assert 88 <= sum(covered) <= 100


def test_a_class_that_is_never_predicted_is_named() -> None:
    labels = [0] * 38 + [1] * 2
    logits = np.tile([5.0, 0.0, -5.0], (40, 1))
    figures = measure(predictions(labels, logits, ("sound", "mould", "rust")))
    assert figures.error.percent() == "5.0 % (1.4 to 16.5)"
    assert figures.never_predicted == ("mould",)
    assert figures.without_images == ("rust",)
    assert figures.few_images == ("mould",)
    assert figures.balanced_error.value == pytest.approx(0.5)
    mould, rust = figures.classes[1:]
    assert (mould.images, mould.predicted, mould.precision) == (2, 0, None)
    assert mould.recall is not None
    assert (mould.recall.value, mould.f1) == (0, 0)
    assert (rust.recall, rust.f1) == (None, None)


def test_pairs_are_in_order() -> None:
    labels = [0] * 5 + [1] * 4
    named = [1, 1, 0, 0, 2, 0, 1, 1, 1]
    figures = measure(predictions(labels, np.eye(3)[named], ("a", "b", "c")))
    found = [(pair.label, pair.prediction, pair.images, pair.share) for pair in figures.pairs]
    assert found == [("a", "b", 2, 0.4), ("a", "c", 1, 0.2), ("b", "a", 1, 0.25)]
