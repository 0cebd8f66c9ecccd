"""UnitSpec: what stands in place of the depthwise convolutions, as a value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

MAX_BRANCHES = 16

Dilations = Annotated[
    tuple[Annotated[int, Field(ge=1, le=32)], ...], Field(min_length=1, max_length=MAX_BRANCHES)
]
Kernel = Literal["dilated", "real"]


class UnitOverride(BaseModel):
    """The fields of a unit that one stage sets differently; None leaves the unit's own value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str | None = None
    dilations: Dilations | None = None
    kernel: Kernel | None = None
    group_width: Annotated[int, Field(ge=1)] | None = None
    reduction: Annotated[int, Field(ge=1)] | None = None
    min_dim: Annotated[int, Field(ge=1)] | None = None
    branch_act: bool | None = None


class UnitSpec(BaseModel):
    """One unit in SKNet's terms (Li et al., CVPR 2019, Sec. 3.1; paper letters in brackets).

    Attributes:
        kind: Name in the registry of units: none, se, sk.
        dilations: One per branch [D]; their number is the branch count [M]. Order means nothing.
        kernel: ``dilated``: every branch is 3x3 with its dilation; ``real``: a (2d+1)x(2d+1) kernel.
        group_width: Channels per group of the branch convolutions; 1 is depthwise [G = C / it].
        reduction: The squeeze keeps 1/reduction of the channels [r] ...
        min_dim: ... but never fewer than this [L]: d = max(C // r, L), eq. 4.
        branch_act: The ReLU inside each branch, as the paper has it.
        stages: Stage -> the fields that differ there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "sk"
    dilations: Dilations = (1, 2)
    kernel: Kernel = "dilated"
    group_width: Annotated[int, Field(ge=1)] = 1
    reduction: Annotated[int, Field(ge=1)] = 16
    min_dim: Annotated[int, Field(ge=1)] = 32
    branch_act: bool = True
    stages: tuple[tuple[int, UnitOverride], ...] = ()

    @field_validator("stages", mode="before")
    @classmethod
    def _from_mapping(cls, value: Any) -> Any:
        return tuple(sorted(value.items())) if isinstance(value, dict) else value

    @field_serializer("stages")
    def _to_mapping(self, value: tuple[tuple[int, UnitOverride], ...]) -> dict[int, Any]:
        return {stage: override.model_dump(exclude_none=True) for stage, override in value}

    def at(self, stage: int) -> UnitSpec:
        """The unit as it stands in ``stage``, with that stage's overrides applied."""
        for number, override in self.stages:
            if number == stage:
                changes = {k: v for k, v in override if v is not None}
                return self.model_copy(update={**changes, "stages": ()})
        return self
