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


def test_features_that_say_nothing_accuse_nobody() -> None:
    draws = np.random.default_rng(0)
    features = draws.normal(size=(300, 20)).astype(np.float32)
    found = find_suspects(features, draws.integers(0, 5, 300), 5)
    assert found is not None
    assert found.error > 0.5
    assert len(found.suspects) == 0


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
