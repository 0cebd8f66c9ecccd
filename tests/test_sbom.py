"""The bill of materials that goes with a release."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tools import sbom

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[1]
PURL = re.compile(r"pkg:pypi/[a-z0-9][a-z0-9.-]*@[A-Za-z0-9.%-]+")


def written(out: Path, hash_seed: str) -> bytes:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/sbom.py"), "--out", str(out)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    content = written(tmp_path_factory.mktemp("sbom") / "dist/sbom.cdx.json", "1")
    return dict(json.loads(content))


def test_same_environment_gives_the_same_bytes(tmp_path: Path, document: dict[str, Any]) -> None:
    content = written(tmp_path / "other.json", "2")
    assert json.loads(content) == document
    assert content == (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()
    assert str(ROOT).encode() not in content


def test_document_is_cyclonedx_1_5(document: dict[str, Any]) -> None:
    assert document.keys() == {
        "$schema", "bomFormat", "specVersion", "version", "serialNumber", "metadata", "components",
        "dependencies",
    }  # fmt: skip
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    assert document["version"] == 1
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", document["serialNumber"]
    )
    main = document["metadata"]["component"]
    assert (main["type"], main["name"], main["version"]) == (
        "application",
        "sknas",
        version("sknas"),
    )
    for one in document["components"]:
        assert one["type"] == "library"
        assert one["scope"] in ("required", "optional")
        assert PURL.fullmatch(one["purl"]), one["purl"]
        assert one["bom-ref"] == one["purl"]
        licenses = one.get("licenses", [])
        assert [x.keys() for x in licenses] == [{"expression"}] or all(
            x.keys() == {"license"} and x["license"].keys() == {"name"} for x in licenses
        )
    refs = [main["bom-ref"], *(one["bom-ref"] for one in document["components"])]
    assert len(set(refs)) == len(refs)
    edges = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert sorted(edges) == sorted(refs)
    assert set().union(*edges.values()) == set(refs) - {main["bom-ref"]}, "each is asked for"


def test_packages_stand_in_it_with_their_versions(document: dict[str, Any]) -> None:
    found = {one["name"].lower(): one for one in document["components"]}
    for name in ("torch", "optuna", "numpy", "pytest"):
        assert found[name]["version"] == version(name)
        assert found[name]["purl"].startswith(f"pkg:pypi/{name}@")
    assert [found[name]["scope"] for name in ("torch", "sympy", "pytest", "ray")] == [
        "required", "required", "optional", "optional",
    ]  # fmt: skip
    assert found["optuna"]["licenses"]
    # torch asks for it; this package does not.
    assert "sympy" in found


def test_edges_are_what_the_packages_ask_for(document: dict[str, Any]) -> None:
    edges = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    lines = importlib.metadata.requires("sknas") or []
    named = {Requirement(line).name.lower().replace("_", "-") for line in lines} - {"sknas"}
    left = {line.split("@")[0] for line in edges[document["metadata"]["component"]["bom-ref"]]}
    absent = {
        one["value"]
        for one in document["metadata"]["properties"]
        if one["name"] == "sknas:not-installed"
    }
    assert left == {f"pkg:pypi/{name}" for name in named - absent}
    torch = next(ref for ref in edges if ref.startswith("pkg:pypi/torch@"))
    assert any(one.startswith("pkg:pypi/sympy@") for one in edges[torch])
    # Of an extra that is asked for: psycopg[binary].
    psycopg = next((ref for ref in edges if ref.startswith("pkg:pypi/psycopg@")), None)
    if psycopg is not None:
        assert any(one.startswith("pkg:pypi/psycopg-binary@") for one in edges[psycopg])


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: str) -> Distribution:
        if name == package:
            raise PackageNotFoundError(name)
        return importlib.metadata.distribution(name)

    monkeypatch.setattr(sbom, "distribution", ask)


def test_missing_extras_are_named_and_nothing_else_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = sbom.bill(sbom.survey())
    without("ray", monkeypatch)
    document = sbom.bill(sbom.survey())
    assert {"name": "sknas:not-installed", "value": "ray"} in document["metadata"]["properties"]
    assert "ray" not in [one["name"] for one in document["components"]]
    assert document["serialNumber"] != whole["serialNumber"]
    without("torch", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["sbom.py", "--out", str(tmp_path / "sbom.json")])
    assert sbom.main() == 1
    assert capsys.readouterr().err == "sbom: torch is not installed here\n"
    assert list(tmp_path.iterdir()) == []
