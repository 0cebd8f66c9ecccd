"""Metrics and weights for classes of unequal size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from nas.api.options import search_config
from nas.data import DataConfig, load_data
from nas.training import RECIPES
from nas.training.balance import (
    AdjustedCrossEntropy,
    WeightedCrossEntropy,
    class_weights,
)
from nas.training.class_metrics import balanced_error, macro_f1_loss, mean_cost, metric_rate
from nas.training.intervals import Rate
from nas.training.module import Classifier
from nas.training.recipe import BALANCES, Metric


def test_metrics_are_those_of_scikit_learn() -> None:
    draws = np.random.default_rng(0)
    labels = draws.choice(4, 300, p=[0.7, 0.2, 0.08, 0.02])
    named = np.where(draws.random(300) < 0.7, labels, draws.integers(0, 4, 300))
    table = confusion_matrix(labels, named)
    wanted: dict[Metric, float] = {
        "error": float((labels != named).mean()),
        "balanced_error": 1 - balanced_accuracy_score(labels, named),
        "1-macro_f1": 1 - f1_score(labels, named, average="macro"),
    }
    for metric, value in wanted.items():
        rate = metric_rate(table, metric)
        assert rate.value == pytest.approx(value)
        assert 0 < rate.low < rate.value < rate.high < 1
    with pytest.raises(ValueError, match="needs the costs"):
        metric_rate(table, "cost")


def test_a_rare_class_without_a_mistake_has_a_wide_interval() -> None:
    table = np.diag([200, 3])
    assert balanced_error(table).value == 0
    assert balanced_error(table).high > 0.25
    assert macro_f1_loss(table).high > 0.2
    # A class without images is left out.
    assert balanced_error(np.diag([200, 3, 0])) == balanced_error(table)


def test_about_95_of_100_intervals_have_the_true_figure() -> None:
    shares = np.array([0.6, 0.3, 0.1])
    wrong = np.array([[0.95, 0.03, 0.02], [0.1, 0.85, 0.05], [0.2, 0.1, 0.7]])
    costs = np.array([[0, 1, 1], [2, 0, 1], [10, 2, 0]], float)
    cells = shares[:, None] * wrong
    large = (cells * 1e7).round().astype(int)
    draws = np.random.default_rng(0)
    metrics: dict[str, Callable[[Any], Rate]] = {
        "balanced": balanced_error,
        "macro F1": macro_f1_loss,
        "cost": lambda table: mean_cost(table, costs),
    }
    tables = [draws.multinomial(200, cells.ravel()).reshape(3, 3) for _ in range(300)]
    for name, metric in metrics.items():
        truth = metric(large).value
        covered = sum(metric(table).overlaps(truth) for table in tables) / len(tables)
        assert 0.9 <= covered <= 1, name


def test_weights_give_classes_equal_shares() -> None:
    counts = [10, 190, 0]
    weights = class_weights(counts)
    shares = weights * torch.tensor(counts)
    assert shares.tolist() == pytest.approx([100, 100, 0])
    loss = WeightedCrossEntropy(weights, 0.1)
    draws = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(8, 3, generator=draws), torch.tensor([0, 1] * 4)
    halves = (loss(logits[:4], labels[:4]) + loss(logits[4:], labels[4:])) / 2
    assert float(loss(logits, labels)) == pytest.approx(float(halves))
    equal = WeightedCrossEntropy(torch.ones(3), 0.1)(logits, labels)
    plain = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels)
    assert float(equal) == pytest.approx(float(plain))


def test_the_counts_are_those_of_the_training_images() -> None:
    data = load_data(DataConfig(name="digits"))
    labels = [y for _, y in data.plain_train_batches(500, torch.device("cpu"))]
    assert data.class_counts() == tuple(torch.bincount(torch.cat(labels)).tolist())
    assert sum(data.class_counts(full=True)) == data.info.train_images + data.info.val_images


def test_weights_are_no_part_of_a_checkpoint() -> None:
    spec = ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=3, in_channels=1, input_size=16,
        stem_stride=1, unit=UnitSpec(kind="none"),
    )  # fmt: skip
    plain = Classifier(build(spec), RECIPES["tiny"], 3, 1)
    for balance in ("weights", "logits"):
        recipe = RECIPES["tiny"].model_copy(update={"balance": balance})
        balanced = Classifier(build(spec), recipe, 3, 1)
        balanced.balance_classes([5, 1, 0])
        assert plain.state_dict().keys() == balanced.state_dict().keys()
        assert type(balanced.loss) is not type(plain.loss)


def test_adjusted_logits_are_right_where_the_shares_explain_all() -> None:
    """A network that knows nothing has the least loss with equal logits."""
    loss = AdjustedCrossEntropy([90, 10], 0.0)
    labels = torch.tensor([0] * 9 + [1])

    def of(first: float) -> float:
        return float(loss(torch.tensor([[first, 0.0]]).expand(10, 2), labels))

    assert of(0.0) < min(of(0.5), of(-0.5))


def test_options_reach_the_recipe() -> None:
    given = {"space": "quickstart", "data": "digits"}
    config = search_config({**given, "metric": "balanced_error", "balance": "weights"})
    assert (config.recipe.metric, config.recipe.balance) == ("balanced_error", "weights")
    for balance in BALANCES:
        assert search_config({**given, "balance": balance}).recipe.balance == balance
    with pytest.raises(InvalidInput, match="metric"):
        search_config({**given, "metric": "accuracy"})
