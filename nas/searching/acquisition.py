"""On which scales a search weighs networks, as search.yaml keeps it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from blocks.checked_model import CheckedModel, Integer

LEAST_ERROR = 1e-4
"""Errors below it are all alike, if the number of validation images is not known."""


class Acquisition(CheckedModel):
    """How the sampler and the early stopping ``forecast`` weigh errors and costs.

    Attributes:
        scale: ``log``: by the logarithm of both; a fall of the error from 4 to 2 % is worth as much as
            one from 40 to 20 %, and budgets of 1 to 2 million multiply-adds as much as those of 10 to
            20.
            ``linear``: as runs weigh them that were begun before there was a choice.
        images: Validation images, found when the search begins; None: not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Literal["log", "linear"] = "log"
    images: Annotated[Integer, Field(ge=1)] | None = None

    @property
    def floor(self) -> float:
        """The least error that is told from 0: that of half an image."""
        return LEAST_ERROR if self.images is None else 0.5 / self.images


LOG = Acquisition()
"""Of new searches."""
LINEAR = Acquisition(scale="linear")
"""Of runs whose search.yaml does not name it."""
