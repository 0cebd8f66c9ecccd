"""Builds networks from the values of single fields, and checks that every combination is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blocks import BACKBONES, ArchSpec, InvalidInput, UnitOverride, UnitSpec
from blocks.backbones import SMALL_INPUT, Geometry
from blocks.profile import profile
from blocks.spec import check_unit
from blocks.yaml_files import parse
from search_spaces.assignments import upstream, walk
from search_spaces.fields import DATA_FIELDS, Value, Values, field_at
from search_spaces.rounding import round_groups
from search_spaces.variables import Variable

CHECKED_TOGETHER = (
    ("kind", "dilations", "kernel", "groups"),
    ("kind", "placement", "pool", "fusion"),
    ("blocks",),
)
"""Fields of a unit that may be impossible, with the fields that decide it."""


def base_values(
    variables: Sequence[Variable], fixed: dict[str, Value], data: dict[str, Value]
) -> Values:
    """The value of every field of the space before anything is chosen.

    Args:
        variables: The varied fields; each has its default.
        fixed: The values that the space fixes.
        data: The values of DATA_FIELDS that the data set fixes.

    Returns:
        All fields of the network, and the fields of the unit in the space. ``stem_stride`` is 1 up to
        SMALL_INPUT pixels, unless fixed.

    Raises:
        InvalidInput: The data set's value is impossible, or is not the one that the space fixes.
    """
    values: Values = {
        path: field_at(path).default for path in ArchSpec.model_fields if path != "unit"
    }
    values |= {variable.path: variable.field.default for variable in variables}
    for path, value in data.items():
        field_at(path).check(value, path)
        if fixed.get(path, value) != value:
            raise InvalidInput(f"{path}: the space fixes {fixed[path]}, the data set has {value}")
    values |= {**data, **{path: fixed[path] for path in DATA_FIELDS if path in fixed}}
    side = values["input_size"]
    assert isinstance(side, int)
    values["stem_stride"] = 1 if side <= SMALL_INPUT else 2
    return {**values, **fixed}


def assemble(values: Values) -> ArchSpec:
    """The network with these values and rounded groups; unset fields have their defaults.

    Raises:
        InvalidInput: The network does not exist.
    """
    network: dict[str, Any] = {}
    unit: dict[str, Any] = {}
    stages: dict[int, dict[str, Any]] = {}
    for path, value in values.items():
        if value is None:
            continue
        field = field_at(path)
        if field.stage is not None:
            stages.setdefault(field.stage, {})[field.name] = value
        elif field.owner is ArchSpec:
            network[field.name] = value
        else:
            unit[field.name] = value
    overrides = tuple((stage, UnitOverride(**own)) for stage, own in sorted(stages.items()))
    channels = profile(network["backbone"], _geometry(network)).channels
    rounded = round_groups(UnitSpec(**unit, stages=overrides), channels)
    return parse(ArchSpec, {**network, "unit": rounded}, "network")


def check_buildable(variables: Sequence[Variable], base: Values) -> None:
    """Check that the backbone, width, stages and unit of every combination exist.

    Groups are not checked: they are rounded. Each check covers only the combinations of the fields that
    decide it, so that large spaces are as fast as small ones.

    Raises:
        InvalidInput: One line with the field and the combination.
    """
    varied = {variable.path for variable in variables}
    for values in walk(upstream(variables, ["backbone", "width"]), base, Variable.probes):
        if values["backbone"] is None:
            raise InvalidInput("vary.backbone: no entry is active and there is no default")
        try:
            BACKBONES[str(values["backbone"])].check(_geometry(values))
        except InvalidInput as error:
            part = "vary" if "width" in varied else "fixed"
            raise InvalidInput(f"{part}.{error} (backbone {values['backbone']})") from None
    for path in (path for path in base if field_at(path).stage is not None):
        deciding = upstream(variables, ["backbone", "width", path])
        for values in walk(deciding, base, Variable.probes):
            stages = profile(str(values["backbone"]), _geometry(values)).channels
            if values[path] is not None and field_at(path).stage not in stages:
                part = "vary" if path in varied else "fixed"
                allowed = ", ".join(map(str, stages))
                raise InvalidInput(
                    f"{part}.{path}: {values['backbone']} has no such stage; allowed: {allowed}"
                )
    own = {field.stage for field in map(field_at, base) if field.stage is not None}
    for names in CHECKED_TOGETHER:
        _check_units(variables, base, names, None, own)
        for stage in sorted(own):
            _check_units(variables, base, names, stage, own)


def _check_units(
    variables: Sequence[Variable],
    base: Values,
    names: Sequence[str],
    number: int | None,
    own: set[int],
) -> None:
    """Check all combinations of the unit's fields ``names``, with the others at their defaults.

    Args:
        variables: The varied fields.
        base: The fixed values and the defaults.
        names: Names of fields of a unit.
        number: The stage to check; None: all stages but ``own``.
        own: The stages with overrides.
    """
    varied = {variable.path for variable in variables}
    paths = {name: (f"unit.stages.{number}.{name}", f"unit.{name}") for name in names}
    mentioned = [path for either in paths.values() for path in either if path in base]
    deciding = upstream(variables, ["backbone", "width", *mentioned])
    seen: set[tuple[object, ...]] = set()
    for values in walk(deciding, base, Variable.probes) if mentioned else ():
        given = {
            name: path
            for name, either in paths.items()
            for path in reversed(either)
            if values.get(path) is not None
        }
        fields = {name: values[path] for name, path in given.items()}
        case = (values["backbone"], *sorted(fields.items()))
        if case in seen:
            continue  # another width changes at most the channels
        seen.add(case)
        if isinstance(groups := fields.get("groups"), tuple):
            fields["groups"] = (1,) * len(groups)  # rounded, so that only their number matters
        unit = UnitSpec.model_validate(fields)
        for stage in profile(str(values["backbone"]), _geometry(values)).stages:
            if stage.number in own if number is None else stage.number != number:
                continue
            try:
                check_unit(unit, stage)
            except InvalidInput as error:
                name, _, problem = str(error).partition(":")
                path = given.get(name, f"unit.{name}")
                part = "vary" if path in varied else "fixed"
                raise InvalidInput(
                    f"{part}.{path}:{problem} (backbone {values['backbone']}, stage {stage.number})"
                ) from None


def _geometry(values: dict[str, Any]) -> Geometry:
    fields = ("width", *DATA_FIELDS, "stem_stride")
    return Geometry(**{name: values[name] for name in fields})
