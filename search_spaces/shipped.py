"""The shipped search spaces, and spaces from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from blocks.wording import check_type

if TYPE_CHECKING:
    from search_spaces.space import SearchSpace

_FOLDER = Path(__file__).parent / "spaces"

SPACES: tuple[str, ...] = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""Names of the shipped spaces."""


def load_space(name_or_path: str) -> SearchSpace:
    """Read a space.

    Args:
        name_or_path: A name in SPACES, or a path: it has a "/" in it or ends in .yaml or .yml.

    Raises:
        InvalidInput: The space or file does not exist, or has an error; one line with the position.

    Examples:
        >>> import nas
        >>> nas.load_space("quickstart").size()
        120
    """
    check_type("space", name_or_path, str, "a name, or the path of a YAML file, as a text")
    is_path = "/" in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    if not is_path and name_or_path not in SPACES:
        raise InvalidInput(
            f"unknown space {name_or_path!r}; allowed: {', '.join(SPACES)}, or a path to a YAML file"
        )
    # Here, for the names alone need none of it.
    from blocks.yaml_files import parse, read_yaml
    from search_spaces.definition import SpaceDefinition
    from search_spaces.space import SearchSpace

    path = Path(name_or_path) if is_path else _FOLDER / f"{name_or_path}.yaml"
    definition = parse(SpaceDefinition, read_yaml(path), name_or_path)
    try:
        return SearchSpace(definition)
    except InvalidInput as error:
        raise InvalidInput(f"{name_or_path}: {error}") from None
