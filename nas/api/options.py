"""From the options of ``nas search`` and a file of settings to a SearchConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.errors import InvalidInput
from blocks.registry import Registry
from blocks.wording import check_not_empty, check_type
from nas.api.default_names import run_name
from nas.api.importing import importing
from nas.api.references import named
from nas.data.registry import DATASETS
from nas.folders import given_folder, given_path, runs_dir
from nas.naming import option
from nas.plugins import is_reference
from nas.runs.folder import RunFolder
from nas.searching.execution import nested
from nas.searching.samplers import SAMPLERS
from nas.training.recipe import RECIPES, Recipe
from search_spaces.shipped import SPACES

if TYPE_CHECKING:
    from nas.searching import SearchConfig

# Option -> where its value goes in a SearchConfig.
PLACES: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "space": ("space",),
    "trials": ("trials",),
    "objectives": ("objectives",),
    "sampler": ("sampler",),
    "seed": ("seed",),
    "training_seed": ("training_seed",),
    "workers": ("execution", "workers"),
    "threads": ("execution", "threads"),
    "executor": ("execution", "executor"),
    "ray_address": ("execution", "ray_address"),
    "gpus": ("execution", "gpus"),
    "checkpoints": ("execution", "checkpoints"),
    "storage": ("execution", "storage"),
    "data": ("data", "name"),
    "data_dir": ("data", "data_dir"),
    "input_size": ("data", "input_size"),
    "cache_gb": ("data", "cache_gb"),
    "limit": ("data", "limit"),
    "val_limit": ("data", "val_limit"),
    "epoch_images": ("data", "epoch_images"),
    "scale_jitter": ("data", "scale_jitter"),
    "group_by": ("data", "group_by"),
    "splits": ("data", "splits"),
    "on_bad_image": ("data", "on_bad_image"),
    "recipe": ("recipe", "name"),
    "epochs": ("recipe", "epochs"),
    "batch_size": ("recipe", "batch_size"),
    "lr": ("recipe", "lr"),
    "metric": ("recipe", "metric"),
    "costs": ("recipe", "costs"),
    "balance": ("recipe", "balance"),
    "augment": ("recipe", "augment"),
    "reparametrise": ("recipe", "reparametrise"),
    "max_mflops": ("budgets", "max_mflops"),
    "max_params": ("budgets", "max_params"),
    "max_activations": ("budgets", "max_activations"),
    "max_latency_ms": ("budgets", "max_latency_ms"),
    "device": ("device",),
    "device_class": ("device_class",),
    "early_stopping": ("early_stopping",),
    "total_epochs": ("total_epochs",),
    "patience": ("patience",),
    "inherit": ("inherit",),
    "pretrained": ("pretrained", "source"),
    "pretrained_missing": ("pretrained", "missing"),
    "module": ("module",),
    "evaluator": ("evaluator",),
    "logs_dir": ("execution", "logs_dir"),
}
CHANGEABLE = (
    "trials", "workers", "threads", "total_epochs", "patience", "executor", "ray_address", "gpus",
    "checkpoints",
)  # fmt: skip
DEFAULT_TRIALS = 40
REFERENCES = ("data", "sampler", "module", "evaluator")
"""Options that may be an object of the user's."""
PLUGGED = (*REFERENCES, "objectives")


@dataclass(frozen=True)
class Request:
    """A search that is asked for, checked as far as files tell.

    Attributes:
        run: Its folder.
        config: Of a new search; None: one is continued.
        changes: Of a search that is continued: new values of fields of its configuration.
    """

    run: RunFolder
    config: SearchConfig | None
    changes: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Request:
        """What arguments of ``nas.search`` or options of ``nas search`` ask for, by parameter name.

        Args:
            given: Those that are None are left out.

        Raises:
            InvalidInput: One is missing, unknown or out of range.
        """
        options = dict(given)
        check_none_empty(options)
        root = options.pop("runs_dir", None)
        root = runs_dir() if root is None else given_folder("runs_dir", root)
        resumed = options.pop("resume", None)
        if resumed is not None:
            run = getattr(resumed, "folder", None) or RunFolder.existing(resumed, root)
            return cls(run, None, resume_changes(options, run))
        config = search_config(options)
        return cls(RunFolder.named(config.name, root), config, {})


def check_none_empty(given: Mapping[str, Any]) -> None:
    """Raise InvalidInput when one of the arguments, by name, is an empty text."""
    for name, value in given.items():
        check_not_empty(option(name), value)


def search_config(given: Mapping[str, Any]) -> SearchConfig:
    """The configuration that options (by parameter name) and their ``config`` file make.

    Options win over the file.

    Raises:
        InvalidInput: A field is missing, unknown or out of range; named as the user wrote it.
    """
    path = given.get("config")
    if "devices_dir" in given:
        given_folder("devices_dir", given["devices_dir"])
    fields = {} if path is None else _read_settings(given_path("config", path))
    for name, value in given.items():
        if name in PLACES:
            _set(fields, PLACES[name], _stored(name, value, given))
    if "costs" in given and "metric" not in given:
        _set(fields, PLACES["metric"], "cost")
    for field, names in (("space", SPACES), ("data", DATASETS)):
        if not fields.get(field):
            raise InvalidInput(f"{option(field)} is missing; allowed: {', '.join(names)}")
    for name, known in (("sampler", SAMPLERS), ("recipe", RECIPES)):
        _check_name(name, given.get(name), known)
    with importing():
        from blocks.yaml_files import parse
        from nas.searching.checks import check_cluster_options
        from nas.searching.config import SearchConfig
    _set_own_objectives(fields, given.get("limits"))
    fields.setdefault("trials", DEFAULT_TRIALS)
    fields.setdefault("name", _default_name(fields))
    config = parse(SearchConfig, fields, "" if path is None else str(path), _spellings(given))
    check_cluster_options(config, given)
    return config


def _spellings(given: Mapping[str, Any]) -> dict[str, str]:
    """Field of a SearchConfig -> how the caller wrote it, by path and, for limits, by name."""
    spelled = {".".join(PLACES[name]): option(name) for name in given if name in PLACES}
    spelled |= {name: option(name) for name in given if PLACES.get(name, "")[:1] == ("execution",)}
    for limit in _limits(given.get("limits") or ()):
        name, value = limit.rpartition("=")[::2]
        spelled.setdefault(f"max_{name}", f"{option('limits')} {name}={value}")
    return spelled


def _check_name(argument: str, name: Any, known: Registry[Any]) -> None:
    """Raise InvalidInput for a name that is not there, before large imports."""
    if isinstance(name, str) and not (argument in REFERENCES and is_reference(name)):
        try:
            known.check(name)
        except InvalidInput as error:
            raise InvalidInput(f"{option(argument)}: {error}") from None


def _stored(argument: str, value: Any, given: Mapping[str, Any]) -> Any:
    """What the configuration keeps of an argument: names in place of objects."""
    if argument == "objectives":
        check_type(option(argument), value, (str, Sequence), "names with commas between, or a list")
        listed = value.split(",") if isinstance(value, str) else value
        return [named(one.strip() if isinstance(one, str) else one, argument) for one in listed]
    if argument == "space":
        definition = getattr(value, "definition", value)
        if definition is value:
            check_type(
                option(argument), value, (str, Path, Mapping), "a name, a file, or a SearchSpace"
            )
        return str(value) if isinstance(value, Path) else definition
    if argument == "device":
        value = str(given_path(argument, value))
        devices = given.get("devices_dir")
        if devices is None or value.endswith(".json"):
            return value
        return str(Path(devices) / f"{value}.json")
    if argument == "logs_dir":
        return given_folder(argument, value)
    if argument in ("splits", "costs"):
        return str(given_path(argument, value))
    if argument in REFERENCES:
        return named(value, argument)
    return str(value) if isinstance(value, Path) else value


def _limits(limits: Any) -> list[str]:
    """Limits of objectives as ``NAME=VALUE``."""
    if isinstance(limits, Mapping):
        return [f"{named(one, 'objectives')}={limit}" for one, limit in limits.items()]
    check_type(option("limits"), limits, (str, Sequence), "a mapping from names to numbers")
    return [limits] if isinstance(limits, str) else list(limits)


def _set_own_objectives(fields: dict[str, Any], limits: Any) -> None:
    """Replace references to objectives by their names; the run keeps both."""
    from nas.cost import COSTS, LATENCY, NPU, limits_of, own_objectives
    from nas.runs import ERROR

    taken = (ERROR, *COSTS, LATENCY, NPU)
    own = [*fields.get("own_objectives", ())]
    if "objectives" in fields:
        fields["objectives"], found = own_objectives(fields["objectives"], taken)
        own += found
    if limits is not None:
        bounded, found = limits_of(_limits(limits))
        own += [one for one in found if one not in own]
        budgets = fields.get("budgets") or {}
        for name, limit in bounded.items():
            if budgets.get(name) not in (None, limit):
                said = f"{option('limits')} {name.removeprefix('max_')}={limit:g}"
                raise InvalidInput(
                    f"{said}: bounded by {budgets[name]:g} as well; allowed: one limit"
                )
        fields["budgets"] = {**budgets, **bounded}
    if own:
        fields["own_objectives"] = own


def check_options(given: Mapping[str, Any], base: Recipe | None = None) -> Recipe:
    """The recipe that options of a full training make; the others are checked as well.

    Args:
        base: The recipe that they change, if they name none; None: ``full``.
        given: ``recipe``, ``epochs``, ``batch_size``, ``lr``, ``metric``, ``costs``, ``balance``,
            ``augment``, ``reparametrise``, ``devices``, ``start``, ``keep`` and ``patience`` by name,
            and the ``search_costs``, if there was a search.

    Raises:
        InvalidInput: One is out of range.
    """
    check_type(option("devices"), given["devices"], int, "an integer above 0")
    if given["devices"] < 1:
        raise InvalidInput(f"{option('devices', given['devices'])}: allowed: 1 or more")
    if given["start"] not in (None, "fresh", "plain"):
        raise InvalidInput(f"{option('start', given['start'])}: allowed: fresh, plain")
    if given["keep"] not in (None, "last", "best"):
        raise InvalidInput(f"{option('keep', given['keep'])}: allowed: last, best")
    if given["patience"] is not None:
        check_type(option("patience"), given["patience"], int, "an integer above 0")
        if given["patience"] < 1:
            raise InvalidInput(f"{option('patience', given['patience'])}: allowed: 1 or more")
    names = ("epochs", "batch_size", "lr", "metric", "costs", "balance", "augment", "reparametrise")
    changes = {name: given[name] for name in names if given.get(name) is not None}
    if "costs" in changes:
        changes.setdefault("metric", "cost")
    elif changes.get("metric") == "cost" and given.get("search_costs") is not None:
        changes["costs"] = given["search_costs"]
    spelled = {name: option(name) for name in changes}
    from blocks.yaml_files import parse

    named_recipe = None if given["recipe"] is None else RECIPES[given["recipe"]]
    fields = (named_recipe or base or RECIPES["full"]).model_dump() | changes
    return parse(Recipe, fields, "", spelled)


def resume_changes(given: Mapping[str, Any], run: RunFolder) -> dict[str, Any]:
    """The options that may differ when a search is continued.

    A plug-in of the search that lies elsewhere by now may be given again.

    Raises:
        InvalidInput: One that decides what the search is was given again, or a figure is below 1.
    """
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name in PLUGGED:
            changes |= _moved(name, _stored(name, value, given), run)
            continue
        if name not in CHANGEABLE:
            raise InvalidInput(
                f"{option(name)} cannot change when a search is resumed; allowed: "
                f"{', '.join(map(option, CHANGEABLE))}"
            )
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise InvalidInput(f"{option(name, value)}: allowed: 1 or more")
        changes[name] = value
    if changes.get("executor") == "local":
        changes.setdefault("checkpoints", None)
    return changes


def _moved(argument: str, value: Any, run: RunFolder) -> dict[str, Any]:
    """Changes that give plug-ins of a run their new places.

    Raises:
        InvalidInput: ``value`` names none of them.
    """
    from blocks.yaml_files import read_yaml
    from nas.plugins import Reference

    fields = read_yaml(run.config)

    def same(new: str, old: Any) -> bool:
        if not (is_reference(new) and isinstance(old, str) and is_reference(old)):
            return False
        if new.startswith("imagefolder:"):
            return False
        return Reference.parse(new, argument).name == Reference.parse(old, argument).name

    if argument == "objectives":
        own = [dict(one) for one in fields.get("own_objectives", ())]
        new = [one for one in value if is_reference(one)]
        for one in own:
            one["reference"] = next((n for n in new if same(n, one["reference"])), one["reference"])
        if own != fields.get("own_objectives", []):
            return {"own_objectives": own}
        known = [one["reference"] for one in own]
        if new and set(new) <= set(known):
            return {}  # as they are
        raise _unmoved(argument, known)
    data = fields.get("data")
    old = (data or {}).get("name") if argument == "data" else fields.get(argument)
    if not same(value, old):
        raise _unmoved(argument, [] if old is None else [str(old)])
    return {"data": {**data, "name": value}} if argument == "data" else {argument: value}


def _unmoved(argument: str, known: Sequence[str]) -> InvalidInput:
    """What is wrong when a resumed search is given another plug-in than it has."""
    names = [one.rpartition(":")[2] for one in known if is_reference(one)]
    names = [] if known and known[0].startswith("imagefolder:") else names
    has = f"; this one has {', '.join(known)}" if known else ""
    places = " or ".join(f"FILE.py:{one}" for one in names)
    allowed = f"the same plug-in in its new place, {places}" if names else "leave it out"
    return InvalidInput(
        f"{option(argument)} cannot change when a search is resumed{has}; allowed: {allowed}"
    )


def _read_settings(path: Path) -> dict[str, Any]:
    from blocks.yaml_files import read_yaml

    fields = read_yaml(path)
    if not isinstance(fields, dict):
        raise InvalidInput(f"{path}: expected a mapping of fields, got {type(fields).__name__}")
    if isinstance(fields.get("data"), Mapping):
        # That of the run whose search.yaml it may be; this is another.
        fields.pop("recipe_choice", None)
        fields["data"] = {k: v for k, v in fields["data"].items() if k != "record"}
    return nested(fields)


def _set(fields: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    if len(place) == 1:
        fields[place[0]] = value
        return
    outer, inner = place
    current = fields.get(outer)
    # A plain name in the file stands for a table with that name in it.
    table = {"name": current} if isinstance(current, str) else current or {}
    if not isinstance(table, Mapping):
        raise InvalidInput(f"{outer}: expected a mapping of fields, got {type(table).__name__}")
    table = dict(table)
    table[inner] = value
    fields[outer] = table


def _default_name(fields: dict[str, Any]) -> str:
    space, data = fields["space"], fields["data"]
    return run_name(
        Path(space).stem if isinstance(space, str) else _name_of(space),
        data if isinstance(data, str) else _name_of(data),
    )


def _name_of(part: Any) -> str:
    """The name that a value, or a mapping of its fields, has."""
    return str(part.get("name") if isinstance(part, Mapping) else getattr(part, "name", None))
