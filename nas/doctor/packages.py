"""The packages that pyproject.toml asks for, beside those that are installed."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pydantic import BaseModel, ConfigDict

PROJECT = "sknas"
EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


class Package(BaseModel):
    """One requirement.

    Attributes:
        name: Of the package; ``python`` for Python itself.
        required: Versions that are allowed, as pyproject.toml has them; empty: any.
        installed: Its version; None: it is not.
        extra: Which asks for it; None: the program itself does.
        fits: Whether it is installed, in a version that is allowed.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    required: str
    installed: str | None
    extra: str | None = None
    fits: bool


def declared_packages(project: str = PROJECT) -> tuple[Package, ...]:
    """Python, then what ``project`` requires, then what its extras do, in their order.

    Empty where ``project`` is not installed but only lies in the path: nothing says what it needs.
    """
    try:
        metadata = distribution(project).metadata
    except PackageNotFoundError:
        return ()
    here = platform.python_version()
    wanted = metadata["Requires-Python"] or ""
    found = [
        Package(
            name="python",
            required=wanted,
            installed=here,
            fits=SpecifierSet(wanted).contains(here, prereleases=True),
        )
    ]
    for line in metadata.get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        marker = EXTRA.search(str(requirement.marker or ""))
        extra = marker.group(1) if marker else None
        asked = requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""})
        # An extra may ask for other extras of the project itself.
        if asked and requirement.name != project:
            found.append(_package(requirement, extra))
    return tuple(found)


def _package(requirement: Requirement, extra: str | None) -> Package:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        installed = None
    return Package(
        name=requirement.name,
        required=str(requirement.specifier),
        installed=installed,
        extra=extra,
        fits=installed is not None and requirement.specifier.contains(installed, prereleases=True),
    )
