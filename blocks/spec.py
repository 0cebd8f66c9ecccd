"""ArchSpec: the description of one network; it is read, compared and stored without a torch module."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from blocks.backbones.base import Geometry, ModulePaths
from blocks.checked_model import CheckedModel, Integer, Number
from blocks.errors import InvalidInput
from blocks.profile import BackboneProfile, Stage, profile
from blocks.unit_spec import UnitSpec
from blocks.unit_words import words_of
from blocks.units import UNITS
from blocks.yaml_files import dump_yaml, parse, read_yaml

NO_UNIT = UnitSpec(kind="none")
_STORED = "stored"
"""Context of a validation that leaves the backbone out."""


class ArchSpec(CheckedModel):
    """A network: a backbone, its geometry, and the unit at its spatial convolutions.

    Attributes:
        backbone: Name in the registry of backbones.
        width: Width multiplier of the backbone.
        num_classes: Outputs of the classifier.
        in_channels: Channels of the image.
        input_size: Side of the square image, in pixels.
        stem_stride: Stride of the first convolution: 2 as published, 1 for small images.
        unit: The unit that replaces, or follows, the depthwise convolutions (ResNets: the 3x3 ones).

    Raises:
        InvalidInput: A field of another type or range, an unknown backbone or unit, a width that
            the backbone does not have, a stage it does not have, a group width that does not divide.

    Examples:
        >>> import nas
        >>> spec = nas.ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32)
        >>> spec.label
        'sk d1,2 w1 r16 L32 act'
        >>> spec == nas.ArchSpec.model_validate(spec.model_dump())
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    width: Annotated[Number, Field(gt=0, le=10)] = 1.0
    num_classes: Annotated[Integer, Field(ge=1, le=100_000)] = 1000
    in_channels: Annotated[Integer, Field(ge=1, le=64)] = 3
    input_size: Annotated[Integer, Field(ge=4, le=2048)] = 224
    stem_stride: Literal[1, 2] = 2
    unit: UnitSpec = UnitSpec()

    @model_validator(mode="after")
    def _check_against_backbone(self, info: ValidationInfo) -> ArchSpec:
        if info.context == _STORED:
            return self
        channels = self.profile.channels
        for number, _ in self.unit.stages:
            if number not in channels:
                allowed = ", ".join(map(str, channels))
                raise InvalidInput(
                    f"unit.stages.{number}: {self.backbone} has no such stage; allowed: {allowed}"
                )
        for stage in self.profile.stages:
            try:
                check_unit(self.unit.at(stage.number), stage)
            except InvalidInput as error:
                raise InvalidInput(f"unit in stage {stage.number}: {error}") from None
        return self

    @property
    def geometry(self) -> Geometry:
        """The figures that determine the plain network."""
        return Geometry(
            self.width, self.num_classes, self.in_channels, self.input_size, self.stem_stride
        )

    @property
    def profile(self) -> BackboneProfile:
        """The insertion points and counts of the plain network."""
        return profile(self.backbone, self.geometry)

    @cached_property
    def key(self) -> str:
        """Canonical name, 16 hex digits: equal exactly when the same network is built.

        Fields without effect do not change the key: r and L with the same d, the order of the branches,
        a unit's fields under ``kind: none``. The key is a digest of the resolved unit at each point.
        """
        plain = self.profile
        units = [
            (point.stage, paths.index, point.on_shortcut, UNITS[unit.kind].resolve(unit, point))
            for paths, point in zip(plain.module_paths, plain.insertion_points, strict=True)
            for unit in [self.unit_at(paths)]
        ]
        whole = [self.backbone, plain.signature, self.input_size, units]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    def unit_at(self, paths: ModulePaths) -> UnitSpec:
        """The unit at one insertion point, with the overrides of its stage."""
        unit = self.unit.at(paths.stage)
        stands = unit.stands_at(paths.index, self.profile.depth(paths.stage))
        return unit if stands else NO_UNIT

    @property
    def label(self) -> str:
        """The unit in a few words for tables, such as ``sk d1,2 w1 r16 L32 act``.

        Stages with a unit of their own follow: ``sk d1,2 w1 r16 L32 act | stage 3: se r16``;
        a plain network is not named before them.
        """
        unit = self.unit
        stages = [f"stage {number}: {_words(unit.at(number))}" for number, _ in unit.stages]
        return " | ".join(stages if stages and unit.kind == "none" else [_words(unit), *stages])

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> ArchSpec:
        """A validated copy with other values for the fields in ``update``.

        Pydantic's own copy keeps a cached ``key`` and validates nothing.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})

    @classmethod
    def stored(cls, fields: Any, key: str) -> ArchSpec:
        """A spec that this program stored with its key, read without building its backbone (no torch).

        The types and ranges of all fields are checked. Whether the backbone has such a network was
        checked before it was stored, and is checked again when it is built or counted.

        Args:
            fields: As ``model_dump`` gave them.
            key: Its ``key`` then.

        Raises:
            pydantic.ValidationError: A field is unknown, or of another type or range.
        """
        spec = cls.model_validate(fields, context=_STORED)
        vars(spec)["key"] = key  # as cached_property keeps it
        return spec

    @classmethod
    def from_yaml(cls, path: Path) -> ArchSpec:
        """Read a spec from a YAML file.

        Raises:
            InvalidInput: One line with the file, the field and what is allowed.
        """
        return parse(cls, read_yaml(path), str(path))

    def to_yaml(self) -> str:
        """The spec as YAML text; reading it gives an equal spec."""
        return dump_yaml(self)


def _words(unit: UnitSpec) -> str:
    """One unit, whatever single stages have in its place."""
    known = words_of(unit)
    words = [unit.kind, *(UNITS[unit.kind].words(unit) if known is None else known)]
    if unit.blocks and unit.kind != "none":
        words.append(f"blocks {','.join(map(str, unit.blocks))}")
    return " ".join(words)


def check_unit(unit: UnitSpec, stage: Stage) -> None:
    """Raise InvalidInput, starting with the name of the field, when ``unit`` is impossible in ``stage``.

    Args:
        unit: The unit of that stage.
        stage: The stage of the plain network.
    """
    kind = UNITS[unit.kind]
    for block in unit.blocks:
        if not -stage.depth <= block < stage.depth:
            raise InvalidInput(
                f"blocks: {block}: the stage has {stage.depth} blocks; allowed: {-stage.depth} to "
                f"{stage.depth - 1}"
            )
    for point, _ in stage.groups:
        kind.check(unit, point.channels)
        kind.check_point(unit, point)
