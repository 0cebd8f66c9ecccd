"""Suspected wrong labels: confident learning (Northcutt et al., JAIR 2021).

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
RANKED = 0.1
"""Share of the images that are ranked, suspects among them."""
TAILS = tuple(share / 20 for share in range(2, 20))
"""Shares of wrong labels that the estimate of their number looks at, the most suspect first."""
MOST_KNOWN = 10_000
"""Images, evenly spaced, whose wrong labels the estimate compares with."""


@dataclass(frozen=True)
class Suspicion:
    """How all labels look to the cross-validated predictions.

    Attributes:
        margins: float64 (N,): the probability of the label less that of the likeliest other class,
            both as the regression gives them; the lowest are the most suspect.
        likelier: int64 (N,): the likeliest other class.
        suspects: Rows whose label is taken for wrong, the most suspect first: no more than the
            estimated number of wrong labels, and none when the predictions are too poor to judge by.
        least_sure: Rows of the least margins besides, in their order: with the suspects a tenth of all.
            Nothing says that their labels are wrong.
        error: Share of the labels that the predictions differ from.
    """

    margins: NDArray[np.float64]
    likelier: NDArray[np.int64]
    suspects: NDArray[np.int64]
    least_sure: NDArray[np.int64]
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

    A label is a candidate if another class reaches its own threshold, the mean probability of that class
    among the images that carry its label, and is likelier than the label (the off-diagonal of the
    confident joint). A poor classifier has many candidates whose labels are right, so no more are
    suspects than ``estimated_wrong`` says.
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
    candidates = (joint != labels) & (margins < 0)
    error = float((margins < 0).mean())
    judged = error <= MOST_ERROR
    by_margin = np.argsort(margins, kind="stable")
    most = estimated_wrong(probabilities, labels, margins) if judged else 0
    suspects = by_margin[candidates[by_margin]][:most]
    worst = by_margin[: int(RANKED * len(labels))] if judged else by_margin[:0]
    rest = worst[~np.isin(worst, suspects)]
    likelier = np.asarray(others.argmax(1), np.int64)
    return Suspicion(margins, likelier, suspects, rest[: max(0, len(worst) - len(suspects))], error)


def estimated_wrong(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], margins: NDArray[np.float64]
) -> int:
    """How many labels are wrong at most, as far as out-of-fold probabilities (N, K) can tell.

    The prediction of an image does not depend on its own label. So its margin under every other class is
    that of a label that is known to be wrong. If wrong labels are like these, at least a share s of them
    has a margin below the s-quantile of the known ones. The number of labels below it, divided by s, is
    an upper bound of the number of wrong labels; the least bound over several shares is taken.
    """
    count, present = len(labels), np.unique(labels)
    some = slice(None, None, max(1, count // MOST_KNOWN))
    probabilities, labels = probabilities[some][:, present], labels[some]
    two = np.sort(probabilities, axis=1)[:, -2:]
    is_best = np.arange(len(present)) == probabilities.argmax(1)[:, None]
    known = probabilities - np.where(is_best, two[:, :1], two[:, 1:])
    places = np.quantile(known[present[None] != labels[:, None]], TAILS)
    below = np.searchsorted(np.sort(margins), places, side="right")
    # Half a label more: in a small set none may be below by chance.
    return min(count, round(float(((below + 0.5) / np.asarray(TAILS)).min())))


def find_suspects(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> Suspicion | None:
    """Judge every label by the features of its image; None when there are too few or too many images."""
    if not FEWEST_IMAGES <= len(labels) <= MOST_IMAGES or len(np.unique(labels)) < 2:
        return None
    return suspect_labels(out_of_fold_probabilities(features, labels, classes), labels)
