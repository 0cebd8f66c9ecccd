"""The zero-cost scores of a search: computed once, kept beside the run, and judged at its end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict

from blocks.errors import InvalidInput
from nas.data import DataConfig, load_data
from nas.runs import ERROR, Outcome, RunFolder, TrialRecord, write_text
from nas.search.candidates import Candidates
from nas.search.zero_cost.score import IMAGES, score_networks

ZERO_COST = "zero_cost.json"
FEWEST = 5
"""Networks trained in full that a rank correlation is worth stating for."""


class ZeroCostScores(BaseModel):
    """What zero_cost.json holds.

    Attributes:
        name: Of the score.
        scores: Key of a network -> its score, higher is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    scores: dict[str, float]

    @classmethod
    def of_run(
        cls, name: str, run: RunFolder, candidates: Candidates, data: DataConfig, seed: int
    ) -> ZeroCostScores:
        """Read what the run holds, or compute and keep it.

        Raises:
            InvalidInput: zero_cost.json is damaged.
        """
        path = run.path / ZERO_COST
        if path.is_file():
            try:
                return cls.model_validate_json(path.read_text(encoding="utf-8"))
            except ValueError:
                raise InvalidInput(
                    f"{path}: damaged; delete it to have the networks scored anew"
                ) from None
        batches = load_data(data).train_batches(IMAGES, seed, torch.device("cpu"))
        images, _ = next(iter(batches))
        made = cls(name=name, scores=score_networks(candidates.specs, name, images, seed))
        write_text(path, made.model_dump_json(indent=1) + "\n")
        return made

    def judged(self, records: Sequence[TrialRecord], objectives: Sequence[str]) -> str:
        """One line: how well the score has told the error of the networks trained in full."""
        error = list(objectives).index(ERROR)
        known = [
            (self.scores[one.key], one.values[error])
            for one in records
            if one.outcome is Outcome.TRAINED and one.key in self.scores
        ]
        if len(known) < FEWEST or any(len(set(column)) == 1 for column in zip(*known, strict=True)):
            return f"{self.name}: too few networks trained in full to judge the score by"
        scores, errors = zip(*known, strict=True)
        from scipy.stats import spearmanr  # here, for it takes a second that others need not

        rho = float(spearmanr([-score for score in scores], errors).statistic)
        return (
            f"{self.name}: Spearman's rank correlation with the error of {len(known)} networks trained "
            f"in full is {rho:.2f} (1: it ranks them rightly; 0: it tells nothing)"
        )
