"""From the options of ``nas search`` and a file of settings to a SearchConfig."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.errors import InvalidInput
from blocks.registry import Registry
from nas.cli.importing import importing
from nas.data.registry import DATASETS
from nas.search.samplers import SAMPLERS
from nas.training.recipe import RECIPES
from search_spaces.shipped import SPACES

if TYPE_CHECKING:
    from nas.search import SearchConfig

# Option -> where its value goes in a SearchConfig.
PLACES: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "space": ("space",),
    "trials": ("trials",),
    "objectives": ("objectives",),
    "sampler": ("sampler",),
    "seed": ("seed",),
    "workers": ("workers",),
    "threads": ("threads",),
    "executor": ("executor",),
    "ray_address": ("ray_address",),
    "gpus": ("gpus",),
    "checkpoints": ("checkpoints",),
    "storage": ("storage",),
    "data": ("data", "name"),
    "data_dir": ("data", "data_dir"),
    "input_size": ("data", "input_size"),
    "limit": ("data", "limit"),
    "val_limit": ("data", "val_limit"),
    "epoch_images": ("data", "epoch_images"),
    "scale_jitter": ("data", "scale_jitter"),
    "recipe": ("recipe", "name"),
    "epochs": ("recipe", "epochs"),
    "batch_size": ("recipe", "batch_size"),
    "lr": ("recipe", "lr"),
    "max_mflops": ("budgets", "max_mflops"),
    "max_params": ("budgets", "max_params"),
    "max_activations": ("budgets", "max_activations"),
    "max_latency_ms": ("budgets", "max_latency_ms"),
    "device": ("device",),
    "early_stopping": ("early_stopping",),
    "total_epochs": ("total_epochs",),
    "patience": ("patience",),
    "inherit": ("inherit",),
}
CHANGEABLE = (
    "trials", "workers", "threads", "total_epochs", "patience", "executor", "ray_address", "gpus",
    "checkpoints",
)  # fmt: skip
DEFAULT_TRIALS = 40


def search_config(given: dict[str, Any]) -> SearchConfig:
    """The configuration that options (by parameter name) and their ``config`` file make.

    Options win over the file.

    Raises:
        InvalidInput: A field is missing, unknown or out of range; named as the user wrote it.
    """
    path = given.get("config")
    fields = _read_settings(path) if path is not None else {}
    for option, value in given.items():
        if option in PLACES:
            _set(fields, PLACES[option], _names(value) if option == "objectives" else value)
    for field, names in (("space", SPACES), ("data", DATASETS)):
        if not fields.get(field):
            raise InvalidInput(f"--{field} is missing; allowed: {', '.join(names)}")
    for option, names_of in (("sampler", SAMPLERS), ("recipe", RECIPES)):
        _check_name(option, given.get(option), names_of)
    with importing():
        from blocks.yaml_files import parse
        from nas.search.config import SearchConfig, check_cluster_options
    fields.setdefault("trials", DEFAULT_TRIALS)
    fields.setdefault("name", _default_name(fields))
    typed = {
        ".".join(PLACES[option]): f"--{option.replace('_', '-')}"
        for option in given
        if option in PLACES
    }
    config = parse(SearchConfig, fields, str(path) if path is not None else "nas search", typed)
    check_cluster_options(config, given)
    return config


def resume_changes(given: dict[str, Any]) -> dict[str, Any]:
    """The options that may differ when a search goes on.

    Raises:
        InvalidInput: One that decides what the search is was given again, or a figure is below 1.
    """
    changes: dict[str, Any] = {}
    for option, value in given.items():
        if option == "resume":
            continue
        if option not in CHANGEABLE:
            allowed = ", ".join(f"--{name.replace('_', '-')}" for name in CHANGEABLE)
            raise InvalidInput(
                f"--{option.replace('_', '-')} cannot change when a search goes on; allowed: {allowed}"
            )
        if isinstance(value, int) and value < 1:
            name = option.replace("_", "-")
            raise InvalidInput(f"--{name} {value}: allowed: 1 or more")
        changes[option] = value
    if changes.get("executor") == "local":
        changes.setdefault("checkpoints", None)
    return changes


def _check_name(option: str, name: str | None, known: Registry[Any]) -> None:
    """Raise InvalidInput for a name that is not there, before large imports."""
    if name is not None:
        try:
            known.check(name)
        except InvalidInput as error:
            raise InvalidInput(f"--{option}: {error}") from None


def _read_settings(path: Path) -> dict[str, Any]:
    from blocks.yaml_files import read_yaml

    fields = read_yaml(path)
    if not isinstance(fields, dict):
        raise InvalidInput(f"{path}: expected a mapping of fields, got {type(fields).__name__}")
    return fields


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _set(fields: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    if len(place) == 1:
        fields[place[0]] = value
        return
    outer, inner = place
    current = fields.get(outer)
    # A plain name in the file stands for a table with that name in it.
    table = {"name": current} if isinstance(current, str) else dict(current or {})
    table[inner] = value
    fields[outer] = table


def _default_name(fields: dict[str, Any]) -> str:
    space, data = fields["space"], fields["data"]
    names = (
        Path(space).stem if isinstance(space, str) else str(space.get("name")),
        data if isinstance(data, str) else str(data.get("name")),
    )
    return "-".join(name.replace(":", "-").replace("/", "-") for name in names)
