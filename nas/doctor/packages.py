"""Compares the requirements in pyproject.toml with the installed packages."""

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
        name: Name of the package; ``python`` for Python itself.
        required: Allowed versions, as in pyproject.toml; empty: any.
        installed: Installed version; None if it is not installed.
        extra: The extra that requires it; None: the program itself.
        fits: Whether an allowed version is installed.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    required: str
    installed: str | None
    extra: str | None = None
    fits: bool


def declared_packages(project: str = PROJECT) -> tuple[Package, ...]:
    """Python, the requirements of ``project``, and those of its extras, in their order.

    The list is empty if ``project`` is not installed: its requirements are unknown then.
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
        # An extra may require other extras of the project itself.
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
