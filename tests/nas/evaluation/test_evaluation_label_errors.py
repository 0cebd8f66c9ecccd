"""Planted wrong labels are among the most suspect."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from nas.evaluation.label_errors import features_of, find_suspects

PLANTED = 90


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Features, labels of which some are wrong, and the rows of these."""
    images, labels = load_digits(return_X_y=True)
    draws = np.random.default_rng(0)
    rows = draws.choice(len(labels), PLANTED, replace=False)
    labels = labels.copy()
    labels[rows] = (labels[rows] + draws.integers(1, 10, PLANTED)) % 10
    return features_of("pixels", None, images.astype(np.uint8)), labels, rows


def test_planted_labels_are_in_the_top_tenth(
    digits: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
) -> None:
    features, labels, rows = digits
    found = find_suspects(features, labels, 10)
    assert found is not None
    top = np.argsort(found.margins)[: len(labels) // 10]
    assert np.isin(rows, top).mean() >= 0.8
    assert np.isin(found.suspects, rows).mean() >= 0.8
    assert (found.margins[found.suspects] == np.sort(found.margins[found.suspects])).all()
    assert (found.likelier[rows] != labels[rows]).all()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("noise", [0.5, 0.8, 1.0], ids="noise {}".format)
def test_no_more_are_suspected_than_are_wrong(share: float, noise: float) -> None:
    """Classes that overlap: the regression errs on many images whose labels are right."""
    draws = np.random.default_rng(3)
    right = draws.integers(0, 4, 1200)
    features = np.eye(4)[right] + draws.normal(0, noise / 2, (1200, 4))
    features = (features / features.std(0)).astype(np.float32)
    wrong = draws.choice(1200, round(1200 * share), replace=False)
    labels = right.copy()
    labels[wrong] = (labels[wrong] + draws.integers(1, 4, len(wrong))) % 4
    found = find_suspects(features, labels, 4)
    assert found is not None
    assert len(found.suspects) <= 1.3 * len(wrong) + 0.02 * 1200
    if found.error < 0.25 and share:
        assert len(found.suspects) >= 0.5 * len(wrong)
        assert np.isin(found.suspects, wrong).mean() >= 0.4
    ranked = np.concatenate([found.suspects, found.least_sure])
    assert len(ranked) == len(set(ranked)) == max(120, len(found.suspects))
    assert (found.margins[found.least_sure] == np.sort(found.margins[found.least_sure])).all()


def test_right_labels_are_not_suspected() -> None:
    images, labels = load_digits(return_X_y=True)
    found = find_suspects(features_of("pixels", None, images.astype(np.uint8)), labels, 10)
    assert found is not None
    assert found.error > 0.02  # the regression errs
    assert len(found.suspects) <= 5
    assert len(found.suspects) + len(found.least_sure) == len(labels) // 10


def test_features_that_say_nothing_accuse_nobody() -> None:
    draws = np.random.default_rng(0)
    features = draws.normal(size=(300, 20)).astype(np.float32)
    found = find_suspects(features, draws.integers(0, 5, 300), 5)
    assert found is not None
    assert found.error > 0.5
    assert len(found.suspects) == len(found.least_sure) == 0


def test_classes_of_one_image_and_of_none_are_no_obstacle(
    digits: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
) -> None:
    features, labels, _ = digits
    few = labels.copy()
    few[few == 9] = 8
    few[0] = 9
    found = find_suspects(features, few, 12)
    assert found is not None
    assert np.isfinite(found.margins).all()


def test_too_few_images_are_not_judged() -> None:
    assert find_suspects(np.zeros((10, 3), np.float32), np.arange(10) % 2, 2) is None
    assert find_suspects(np.zeros((40, 3), np.float32), np.zeros(40, np.int64), 2) is None
