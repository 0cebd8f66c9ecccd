"""UnitSpec: what stands in place of the depthwise convolutions, as a value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, field_serializer
from pydantic_core import core_schema

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


def _one_entry_a_stage(value: Any) -> Any:
    """Take a tuple of pairs, as the field itself is, for a mapping; refuse a stage that comes twice."""
    if isinstance(value, tuple) and all(isinstance(v, tuple) and len(v) == 2 for v in value):
        pairs = list(value)
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        return value
    stages = [str(stage) for stage, _ in pairs]
    for stage in stages:
        if stages.count(stage) > 1:
            raise ValueError(f"stage {stage} comes twice")
    return dict(pairs)


def _mapping_to_pairs(_source: Any, handler: Any) -> core_schema.CoreSchema:
    # Read as a mapping, so that an error names the stage; kept as pairs, so that the spec is hashable.
    mapping = handler(dict[int, UnitOverride])
    checked = core_schema.no_info_before_validator_function(_one_entry_a_stage, mapping)
    return core_schema.no_info_after_validator_function(
        lambda stages: tuple(sorted(stages.items())), checked
    )


Stages = Annotated[tuple[tuple[int, UnitOverride], ...], GetPydanticSchema(_mapping_to_pairs)]


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
    stages: Stages = ()

    @field_serializer("stages")
    def _to_mapping(self, value: tuple[tuple[int, UnitOverride], ...]) -> dict[int, Any]:
        return {stage: override.model_dump(exclude_none=True) for stage, override in value}

    def at(self, stage: int) -> UnitSpec:
        """The unit as it stands in ``stage``, with that stage's overrides applied."""
        for number, override in self.stages:
            if number == stage:
                changes = {k: v for k, v in vars(override).items() if v is not None}
                return self.model_copy(update={**changes, "stages": ()})
        return self

    @property
    def label(self) -> str:
        """The unit in a few words for tables, such as ``sk d1,2 w1 r16 L32 act``."""
        if self.kind == "none":
            words = ["none"]
        elif self.kind == "se":
            words = [f"se r{self.reduction}"]
        else:
            words = [
                self.kind,
                f"{'d' if self.kernel == 'dilated' else 'real '}{','.join(map(str, self.dilations))}",
                f"w{self.group_width}",
                "act" if self.branch_act else "no act",
            ]
            if len(self.dilations) > 1:  # a single branch has nothing to fuse
                words.insert(3, f"r{self.reduction} L{self.min_dim}")
        words += [f"[stage {stage}: differs]" for stage, _ in self.stages]
        return " ".join(words)
