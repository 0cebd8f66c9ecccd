"""The figures of a network on labelled images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.evaluation.calibration import Bin, Temperature, calibration_error, reliability
from nas.evaluation.predictions import Predictions
from nas.training.class_metrics import balanced_error, macro_f1_loss, mean_cost
from nas.training.cost_matrix import CostMatrix
from nas.training.intervals import Rate, wilson

TOP5_CLASSES = 10
"""Classes from which on the five likeliest are of interest."""
FEW_IMAGES = 10
"""A recall of fewer images than that says next to nothing: its interval is wider than 50 points."""
MOST_PAIRS = 20


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class.

    Attributes:
        name: Of the class.
        images: Number of images with this label.
        predicted: Number of images that are classified as this class.
        precision: Share of the latter that have the label; None when there are none.
        recall: Share of the former that are classified correctly; None when there are none.
        f1: Harmonic mean of both; None without images.
    """

    name: str
    images: int
    predicted: int
    precision: Rate | None
    recall: Rate | None
    f1: float | None


@dataclass(frozen=True)
class Pair:
    """Images of one class that are taken for another.

    Attributes:
        label: Name of their class.
        prediction: Name of the class that they are taken for.
        images: Their number.
        share: Of the images of their class.
    """

    label: str
    prediction: str
    images: int
    share: float


@dataclass(frozen=True)
class Figures:
    """What predictions come to. Intervals are of 95 %.

    Attributes:
        images: Number of images.
        error: Share of misclassified images, with Wilson's interval.
        top5_error: Share of images whose label is not among the five likeliest classes; None with
            fewer than ten classes.
        balanced_error: Mean over the classes with images of the share of their images that are
            misclassified.
        macro_f1: Mean F1 over the classes with images.
        cost: Mean cost of an image; None without a cost matrix.
        loss: Cross entropy.
        confusion: Images by label (rows) and prediction (columns).
        classes: Figures of each class.
        pairs: The most confused pairs, the most images first.
        never_predicted: Classes with images that no image is classified as.
        without_images: Classes without an image.
        few_images: Classes with some images, but fewer than ten.
        calibration_error: Expected calibration error (ECE) at temperature 1.
        reliability: Accuracy by probability, at temperature 1.
        scaled_calibration_error: ECE at the fitted temperature; None when none was fitted.
        scaled_reliability: Accuracy by probability at the fitted temperature; empty likewise.
    """

    images: int
    error: Rate
    top5_error: Rate | None
    balanced_error: Rate
    macro_f1: Rate
    cost: Rate | None
    loss: float
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassFigures, ...]
    pairs: tuple[Pair, ...]
    never_predicted: tuple[str, ...]
    without_images: tuple[str, ...]
    few_images: tuple[str, ...]
    calibration_error: float
    reliability: tuple[Bin, ...]
    scaled_calibration_error: float | None = None
    scaled_reliability: tuple[Bin, ...] = ()


def measure(
    predictions: Predictions,
    temperature: Temperature | None = None,
    costs: CostMatrix | None = None,
) -> Figures:
    """The figures of predictions.

    Args:
        predictions: At least one image.
        temperature: Fitted on other images.
        costs: What each kind of mistake costs.

    Raises:
        InvalidInput: The costs are of other classes.
    """
    from sklearn.metrics import confusion_matrix, log_loss

    names = predictions.class_names
    labels, named = predictions.labels, predictions.named
    table = confusion_matrix(labels, named, labels=range(len(names)))
    classes = _class_figures(table, names)
    raw = predictions.probabilities()
    fitted = temperature is not None and temperature.images > 0
    scaled = predictions.probabilities(temperature.value) if temperature and fitted else None
    f1 = macro_f1_loss(table)
    return Figures(
        images=len(predictions),
        error=wilson(int((named != labels).sum()), len(predictions)),
        top5_error=_top5(predictions),
        balanced_error=balanced_error(table),
        macro_f1=Rate(1 - f1.value, 1 - f1.high, 1 - f1.low),
        cost=None if costs is None else mean_cost(table, np.asarray(costs.of(names))),
        loss=float(log_loss(labels, raw, labels=range(len(names)))),
        confusion=tuple(tuple(map(int, row)) for row in table),
        classes=classes,
        pairs=_pairs(table, names),
        never_predicted=tuple(one.name for one in classes if one.images and not one.predicted),
        without_images=tuple(one.name for one in classes if not one.images),
        few_images=tuple(one.name for one in classes if 0 < one.images < FEW_IMAGES),
        calibration_error=calibration_error(raw, labels),
        reliability=reliability(raw, labels),
        scaled_calibration_error=None if scaled is None else calibration_error(scaled, labels),
        scaled_reliability=() if scaled is None else reliability(scaled, labels),
    )


def _class_figures(table: NDArray[np.int64], names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    found = []
    for index, name in enumerate(names):
        right, images, predicted = (
            int(table[index, index]),
            int(table[index].sum()),
            int(table[:, index].sum()),
        )
        found.append(
            ClassFigures(
                name,
                images,
                predicted,
                wilson(right, predicted) if predicted else None,
                wilson(right, images) if images else None,
                2 * right / (images + predicted) if images else None,
            )
        )
    return tuple(found)


def _top5(predictions: Predictions) -> Rate | None:
    if len(predictions.class_names) < TOP5_CLASSES:
        return None
    from sklearn.metrics import top_k_accuracy_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without images
        hits = top_k_accuracy_score(
            predictions.labels,
            predictions.logits,
            k=5,
            labels=range(len(predictions.class_names)),
            normalize=False,
        )
    return wilson(len(predictions) - int(hits), len(predictions))


def _pairs(table: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Pair, ...]:
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    cells = [divmod(int(cell), len(names)) for cell in order]
    return tuple(
        Pair(names[a], names[b], int(wrong[a, b]), float(wrong[a, b] / table[a].sum()))
        for a, b in cells
        if wrong[a, b]
    )
