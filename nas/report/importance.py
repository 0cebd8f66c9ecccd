"""The importance of each parameter of the space for the error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.runs import ERROR
from nas.searching import SearchConfig

ENOUGH = 8
"""Least number of trials with an error; with fewer trials the shares are noise."""


@dataclass(frozen=True)
class Importance:
    """Shares of the error's variance, or the reason why there are none.

    Attributes:
        shares: (parameter, share), largest first; the shares sum to 1.
        missing: The reason as one sentence; empty if there are shares.
    """

    shares: tuple[tuple[str, float], ...] = ()
    missing: str = ""


def measure_importance(study: optuna.Study, config: SearchConfig) -> Importance:
    """Split the variance of the error among the parameters by functional ANOVA.

    Optuna's default method compares the best tenth of the trials with the rest. That tenth is two or
    three trials in a search of a few dozen trainings. This method uses every trial.
    """
    # Imported here, since its random forest takes half a second to import.
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    index = config.objectives.index(ERROR)

    def error(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    errors = [value for value in map(error, trials) if math.isfinite(value)]
    if len(errors) < ENOUGH:
        return Importance(
            missing=f"Too few trials for this figure: {len(errors)} have an error, {ENOUGH} are needed."
        )
    if len(set(errors)) == 1:
        return Importance(missing="All trials have the same error, so no parameter explains it.")
    try:
        shares = get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(seed=config.seed), target=error
        )
    except RuntimeError:
        # The forest found no split: the errors differ, but not along a parameter.
        shares = {}
    if not shares:
        return Importance(missing="No parameter explains the differences between the errors.")
    return Importance(tuple(shares.items()))
