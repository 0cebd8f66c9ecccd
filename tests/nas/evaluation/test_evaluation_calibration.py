"""Temperature and reliability."""

from __future__ import annotations

import numpy as np
import pytest

from nas.evaluation import Predictions, fit_temperature, measure
from tests.nas.evaluation.test_evaluation_figures import predictions


def overconfident(factor: float, images: int = 4000) -> Predictions:
    """Labels are drawn from the softmax of logits, which are given times ``factor``."""
    draws = np.random.default_rng(0)
    logits = draws.normal(0, 2, (images, 4))
    powers = np.exp(logits)
    chances = powers / powers.sum(1, keepdims=True)
    labels = [int(draws.choice(4, p=row)) for row in chances]
    return predictions(labels, factor * logits)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_makes_logits_too_large(factor: float) -> None:
    given = overconfident(factor)
    found = fit_temperature(given)
    assert found.value == pytest.approx(factor, rel=0.1)
    assert found.images == len(given)
    figures = measure(given, found)
    assert figures.scaled_calibration_error is not None
    assert figures.scaled_calibration_error < 0.03
    if factor == 3:
        assert figures.calibration_error > 0.1


def test_without_a_mistake_there_is_nothing_to_fit() -> None:
    found = fit_temperature(predictions([0, 1, 1], np.eye(2)[[0, 1, 1]]))
    assert (found.value, found.images) == (1, 0)
    assert "no mistake among 3 validation images" in found.note


def test_the_reliability_curve_counts_every_image_once() -> None:
    figures = measure(overconfident(1.0))
    assert sum(one.images for one in figures.reliability) == 4000
    error = sum(
        one.images / 4000 * abs(one.confidence - one.accuracy)
        for one in figures.reliability
        if one.confidence is not None and one.accuracy is not None
    )
    assert error == pytest.approx(figures.calibration_error, abs=1e-4)
