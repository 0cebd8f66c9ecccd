"""UnitSpec: the description of the unit at the spatial convolutions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetPydanticSchema, field_serializer
from pydantic_core import core_schema

from blocks.checked_model import CheckedModel, Integer
from blocks.errors import InvalidInput
from blocks.wording import plural

MAX_BRANCHES = 16

Dilations = Annotated[
    tuple[Annotated[Integer, Field(ge=0, le=32)], ...], Field(min_length=1, max_length=MAX_BRANCHES)
]
Groups = Annotated[tuple[Annotated[Integer, Field(ge=1)], ...], Field(max_length=MAX_BRANCHES)]
Blocks = Annotated[tuple[Annotated[Integer, Field(ge=-64, le=63)], ...], Field(max_length=64)]
Kernel = Literal["dilated", "real"]
Select = Literal["full", "reduced", "sum"]
Placement = Literal["conv", "standard", "pre", "post", "identity"]
Pool = Literal["avg", "max", "att", "none"]
Fusion = Literal["add", "scale", "sum", "product"]
Pairwise = Literal["gaussian", "embedded", "dot", "concat"]


class UnitOverride(CheckedModel):
    """The fields of a unit that one stage sets differently; None leaves the unit's own value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str | None = None
    dilations: Dilations | None = None
    kernel: Kernel | None = None
    group_width: Annotated[Integer, Field(ge=1)] | None = None
    reduction: Annotated[Integer, Field(ge=1)] | None = None
    min_dim: Annotated[Integer, Field(ge=1)] | None = None
    branch_act: bool | None = None
    groups: Groups | None = None
    select: Select | None = None
    shortcut: bool | None = None
    blocks: Blocks | None = None
    placement: Placement | None = None
    pool: Pool | None = None
    fusion: Fusion | None = None
    pairwise: Pairwise | None = None
    subsample: bool | None = None


def _one_entry_a_stage(value: Any) -> Any:
    """Convert a tuple of pairs, the stored form, to a mapping; refuse a stage that occurs twice."""
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
    # Validated as a mapping, so that an error names the stage; stored as pairs, so that it is hashable.
    mapping = handler(dict[int, UnitOverride])
    checked = core_schema.no_info_before_validator_function(_one_entry_a_stage, mapping)
    return core_schema.no_info_after_validator_function(
        lambda stages: tuple(sorted(stages.items())), checked
    )


Stages = Annotated[tuple[tuple[int, UnitOverride], ...], GetPydanticSchema(_mapping_to_pairs)]


class UnitSpec(CheckedModel):
    """One unit, in SKNet's terms where they apply (Li et al., CVPR 2019, Sec. 3.1; letters in brackets).

    A field that a kind does not use has no effect on the network or its key.

    Attributes:
        kind: Name in the registry of units.
        dilations: One per branch [D]; their number is the number of branches [M]. The order has no
            effect. 0 is a 1x1 kernel; it needs ``kernel: real``.
        kernel: ``dilated``: every branch is 3x3 with its dilation; ``real``: a (2d+1)x(2d+1) kernel.
        group_width: Channels per group of the branch convolutions; 1 is depthwise [G = C / it].
        reduction: The squeeze keeps 1/reduction of the channels [r].
        min_dim: sk: the least width of the squeezed vector [L]: d = max(C // r, L), eq. 4.
        branch_act: The ReLU inside each branch, as in the paper.
        groups: Groups [G] instead of ``group_width``: one value for all branches, or one per branch in
            the order of ascending dilations.
        select: sk: ``full``: one select matrix per branch, as in the paper; ``reduced``: one less, since
            one is redundant under a softmax; ``sum``: the branches are summed without attention (rows
            without a tick in SKNet's Table 7).
        shortcut: sk: also replace the depthwise convolutions on the shortcut of ShuffleNetV2's stride-2
            units. The paper does not specify it.
        blocks: Only these blocks of a stage have the unit, counted from 0, or from the end as -1, -2;
            empty: all blocks.
        placement: Position of a unit that keeps the convolution: after the spatial convolution's
            BatchNorm (``conv``), or around the residual branch, as in SENet's Fig. 5: at its end
            (``standard``), before it (``pre``), after the addition (``post``) or on the shortcut
            (``identity``). None: the position in the kind's paper.
        pool: se, gc, snl: how the image is squeezed. None: as in the kind's paper.
        fusion: gc: ``add`` or ``scale``; bam: ``sum`` or ``product``. None: as in the kind's paper.
        pairwise: nl: the pairwise function.
        subsample: nl: keys and values are max-pooled, 2x2.
        stages: Stage -> the fields with other values there.

    Examples:
        >>> import nas
        >>> nas.UnitSpec(kind="se", reduction=8).reduction
        8
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "sk"
    dilations: Dilations = (1, 2)
    kernel: Kernel = "dilated"
    group_width: Annotated[Integer, Field(ge=1)] = 1
    reduction: Annotated[Integer, Field(ge=1)] = 16
    min_dim: Annotated[Integer, Field(ge=1)] = 32
    branch_act: bool = True
    groups: Groups = ()
    select: Select = "full"
    shortcut: bool = True
    blocks: Blocks = ()
    placement: Placement | None = None
    pool: Pool | None = None
    fusion: Fusion | None = None
    pairwise: Pairwise = "embedded"
    subsample: bool = False
    stages: Stages = ()

    @field_serializer("stages")
    def _to_mapping(self, value: tuple[tuple[int, UnitOverride], ...]) -> dict[int, Any]:
        return {stage: override.model_dump(exclude_none=True) for stage, override in value}

    def at(self, stage: int) -> UnitSpec:
        """The unit of ``stage``, with the overrides of that stage."""
        for number, override in self.stages:
            if number == stage:
                changes = {k: v for k, v in vars(override).items() if v is not None}
                return self.model_copy(update={**changes, "stages": ()})
        return self

    def stands_at(self, index: int, depth: int) -> bool:
        """Whether block ``index`` of a stage of ``depth`` blocks has the unit."""
        return not self.blocks or index in self.blocks or index - depth in self.blocks

    def branches(self, channels: int) -> list[tuple[int, int]]:
        """(dilation, channels per group) of each branch, in the order in which they are built.

        The branches are sorted by both, so that the order is unique.

        Raises:
            InvalidInput: As ``branch_widths`` does.
        """
        return sorted(zip(sorted(self.dilations), self.branch_widths(channels), strict=True))

    def branch_widths(self, channels: int) -> tuple[int, ...]:
        """Channels per group of each branch, in the order of ascending dilations.

        Raises:
            InvalidInput: ``groups`` has another length than the branches, or does not divide.
        """
        count = len(self.dilations)
        if not self.groups:
            return (self.group_width,) * count
        if len(self.groups) not in (1, count):
            branches = "1 branch" if count == 1 else f"{count} branches"
            raise InvalidInput(
                f"groups: {plural(len(self.groups), 'value')} for {branches}; allowed: 1 or {count}"
            )
        for groups in self.groups:
            if channels % groups:
                raise InvalidInput(
                    f"groups: {groups} does not divide {channels} channels; allowed: a divisor of the "
                    "channels of every unit"
                )
        widths = tuple(channels // groups for groups in self.groups)
        return widths * count if len(widths) == 1 else widths
