"""A software bill of materials: what is installed for this package and its extras; CycloneDX 1.5, JSON.

    python tools/sbom.py [--out dist/sbom.cdx.json]

The same environment gives the same bytes: there is no date in it, and its serial number is a digest of
the rest. Packages that are installed but that nothing here asks for are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "sknas"
SPEC = "1.5"
UNCLEAR = ("", "UNKNOWN", "Dual License")
LONGEST_LICENSE = 100
"""A longer text is a licence itself, not the name of one."""


@dataclass
class Package:
    """An installed package that is asked for.

    Attributes:
        installed: What is known of it here.
        extras: Those of its extras that are asked for.
        required: Whether it is asked for without any extra of ours.
    """

    installed: Distribution
    extras: set[str] = field(default_factory=set)
    required: bool = False

    @property
    def purl(self) -> str:
        """Its address among all packages, https://github.com/package-url/purl-spec."""
        name = self.installed.name.lower().replace("_", "-")
        return f"pkg:pypi/{name}@{quote(self.installed.version, safe='')}"

    def asked(self, extras: set[str]) -> Iterator[Requirement]:
        """What it needs here with these extras, as its own metadata say."""
        for line in self.installed.requires or ():
            one = Requirement(line)
            marker = one.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                yield one


@dataclass
class Survey:
    """What a package comes to.

    Attributes:
        packages: Canonical name -> an installed package; the root among them.
        missing: Names of optional packages that are not installed.
    """

    packages: dict[str, Package] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def visit(self, name: str, extras: set[str], *, required: bool) -> None:
        """Take in a package with these extras, and all that it needs.

        Raises:
            PackageNotFoundError: It is not installed.
        """
        key = canonicalize_name(name)
        known = self.packages.get(key)
        if known and extras <= known.extras and required <= known.required:
            return
        package = self.packages.setdefault(key, known or Package(distribution(name)))
        package.extras |= extras
        package.required |= required
        for one in package.asked(package.extras):
            try:
                self.visit(one.name, {canonicalize_name(e) for e in one.extras}, required=required)
            except PackageNotFoundError:
                if required:
                    raise
                self.missing.add(canonicalize_name(one.name))


def survey(root: str = ROOT) -> Survey:
    """The package with all its extras, as far as they are installed.

    Raises:
        PackageNotFoundError: The package is not installed, or one that it cannot do without.
    """
    found = Survey()
    found.visit(root, set(), required=True)
    extras = distribution(root).metadata.get_all("Provides-Extra") or []
    found.visit(root, {canonicalize_name(extra) for extra in extras}, required=False)
    return found


def bill(found: Survey, root: str = ROOT) -> dict[str, Any]:
    """The document."""
    packages = {name: found.packages[name] for name in sorted(found.packages)}
    purls = {name: package.purl for name, package in packages.items()}
    main = packages[canonicalize_name(root)]
    document: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "component": _component(main, "application"),
            "properties": [
                {"name": "sknas:python", "value": ".".join(map(str, sys.version_info[:3]))},
                *({"name": "sknas:not-installed", "value": one} for one in sorted(found.missing)),
            ],
        },
        "components": [
            _component(package, "library")
            | {"scope": "required" if package.required else "optional"}
            for package in packages.values()
            if package is not main
        ],
        "dependencies": [
            {"ref": purls[name], "dependsOn": _needed(package, purls)}
            for name, package in packages.items()
        ],
    }
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, text)}"
    return document


def _component(package: Package, kind: str) -> dict[str, Any]:
    installed = package.installed
    component: dict[str, Any] = {
        "type": kind,
        "bom-ref": package.purl,
        "name": installed.name,
        "version": installed.version,
        "purl": package.purl,
    }
    if licenses := _licenses(installed):
        component["licenses"] = licenses
    return component


def _licenses(installed: Distribution) -> list[dict[str, Any]]:
    """As the package states them: an SPDX expression, else names."""
    about = installed.metadata
    if expressions := about.get_all("License-Expression"):
        return [{"expression": expressions[0]}]
    classifiers = about.get_all("Classifier") or []
    parts = [one.split(" :: ") for one in classifiers if one.startswith("License :: ")]
    names = {part[-1] for part in parts if part[-1] != "OSI Approved"}
    stated = (about.get_all("License") or [""])[0].strip()
    if not names and stated not in UNCLEAR and len(stated) <= LONGEST_LICENSE:
        names = {" ".join(stated.split())}
    return [{"license": {"name": name}} for name in sorted(names)]


def _needed(package: Package, purls: dict[str, str]) -> list[str]:
    names = {canonicalize_name(one.name) for one in package.asked(package.extras)}
    return sorted({purls[name] for name in names if name in purls} - {package.purl})


def main() -> int:
    """Write the document; 0, or 1 after one line that says what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist/sbom.cdx.json"))
    out = parser.parse_args().out
    try:
        document = bill(survey())
    except PackageNotFoundError as missing:
        print(f"sbom: {missing.name} is not installed here", file=sys.stderr)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{out}: {len(document['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
