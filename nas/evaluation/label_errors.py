"""Images whose label is probably wrong: confident learning (Northcutt et al., JAIR 2021).

The probabilities are those of a logistic regression on the features of the network and on small
pictures, each image judged by a regression that has not seen it. The pictures are there since a network
that was trained on a wrong label has features that fit it. cleanlab ranks by the same rule; it is not
used since it would bring pandas into every installation for twenty lines.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEATURES = ("network", "pixels", "both")
FOLDS = 5
PENALTY = 0.07
"""Weight of the squared coefficients beside the mean loss: such a regression does not bend to single
labels."""
MOST_COMPONENTS, IMAGES_PER_COMPONENT = 64, 10
"""Principal components that the regression sees: fast for large sets, and no noise of small ones."""
MOST_IMAGES = 100_000
FEWEST_IMAGES = 20
MOST_ERROR = 0.5
"""Error of the cross-validated predictions above which they judge no label."""


@dataclass(frozen=True)
class Suspicion:
    """How all labels look to the cross-validated predictions.

    Attributes:
        margins: float64 (N,): the probability of the label less that of the likeliest other class,
            both as the regression gives them; the lowest are the most suspect.
        likelier: int64 (N,): the likeliest other class.
        suspects: Rows that confident learning takes for wrong, the most suspect first; a tenth of all at
            most, and none when the predictions are too poor to judge by.
        error: Share of the labels that the predictions differ from.
    """

    margins: NDArray[np.float64]
    likelier: NDArray[np.int64]
    suspects: NDArray[np.int64]
    error: float


def features_of(
    kind: str, network: NDArray[np.float32] | None, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What the regression sees of each image.

    Args:
        kind: One of FEATURES.
        network: What the last layer of the network is given, (N, F); None for ``pixels``.
        pixels: Small pictures, (N, ...).
    """
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    parts: list[NDArray[np.float32]] = [] if kind == "network" else [flat]
    if network is not None and kind != "pixels":
        parts.insert(0, network)
    return np.concatenate([_components(part) for part in parts], axis=1)


def _components(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first principal components of standardised features, each of variance 1."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = min(MOST_COMPONENTS, features.shape[1], max(2, len(features) // IMAGES_PER_COMPONENT))
    reduced = make_pipeline(StandardScaler(), PCA(count, random_state=0), StandardScaler())
    return np.asarray(reduced.fit_transform(features), np.float32)


def out_of_fold_probabilities(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int, seed: int = 0
) -> NDArray[np.float64]:
    """Probabilities (N, classes) of each image from a logistic regression that has not seen it.

    Args:
        features: (N, F).
        labels: (N,), from 0.
        classes: Number of classes; one without images has probability 0.
        seed: Of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    present, compact = np.unique(labels, return_inverse=True)
    model = LogisticRegression(C=1 / (PENALTY * len(labels)), max_iter=300)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer images than folds
        found = cross_val_predict(model, features, compact, cv=folds, method="predict_proba")
    probabilities = np.zeros((len(labels), classes))
    probabilities[:, present] = found
    return probabilities


def suspect_labels(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Suspicion:
    """Judge every label by out-of-fold probabilities (N, K).

    A label is suspect if another class reaches its own threshold, the mean probability of that class
    among the images that carry its label, and is likelier than the label.
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -1.0
    margins = own - others.max(1)
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    joint = np.where(reached.max(1) >= 0, reached.argmax(1), labels)
    suspects = np.flatnonzero((joint != labels) & (margins < 0))
    order = np.argsort(margins[suspects], kind="stable")[: len(labels) // 10]
    error = float((margins < 0).mean())
    listed = suspects[order] if error <= MOST_ERROR else suspects[:0]
    return Suspicion(margins, np.asarray(others.argmax(1), np.int64), listed, error)


def find_suspects(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> Suspicion | None:
    """Judge every label by the features of its image; None when there are too few or too many images."""
    if not FEWEST_IMAGES <= len(labels) <= MOST_IMAGES or len(np.unique(labels)) < 2:
        return None
    return suspect_labels(out_of_fold_probabilities(features, labels, classes), labels)
