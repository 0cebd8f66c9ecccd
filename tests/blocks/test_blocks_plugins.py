"""Units of one's own: a file that a person names or a package that is installed, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks import UNITS, ArchSpec, InvalidInput, UnitSpec, plugins

UNIT = """
from blocks.units import UNITS
from blocks.units.squeeze_excitation import SqueezeExcitationUnit

UNITS.register("{name}", SqueezeExcitationUnit())
"""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Name files, as a new process finds them; what they register is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(UNITS, "_entries", dict(UNITS._entries))

    def name(*files: str) -> None:
        monkeypatch.setattr(plugins, "_problem", None)
        monkeypatch.setenv(plugins.VARIABLE, os.pathsep.join(files))

    return name


def test_files_that_are_named_register_units(names: Callable[..., None], tmp_path: Path) -> None:
    Path("one.py").write_text(UNIT.format(name="one"))
    Path("two.py").write_text(UNIT.format(name="two"))
    names("one.py", str(tmp_path / "two.py"), "", "./one.py")
    assert ArchSpec(backbone="mobilenet_v2", unit=UnitSpec(kind="two")).label == "two r16"
    assert list(UNITS)[-2:] == ["one", "two"]


def test_no_file_runs_for_units_that_are_there(names: Callable[..., None]) -> None:
    Path("one.py").write_text("raise SystemExit(3)")
    names("one.py")
    assert ArchSpec(backbone="mobilenet_v2").key
    assert "sk" in UNITS


def test_what_is_unknown_says_how_to_name_a_file(names: Callable[..., None]) -> None:
    Path("eca.py").write_text(UNIT.format(name="eca"))  # lying there is not being named
    names()
    with pytest.raises(InvalidInput, match=r"'eca'; allowed: none, .*; one of your own: name its"):
        UNITS["eca"]


def test_a_file_that_does_not_register_what_is_asked_for_is_named(
    names: Callable[..., None],
) -> None:
    Path("one.py").write_text(UNIT.format(name="one"))
    names("one.py")
    with pytest.raises(
        InvalidInput, match=r"'eca'; .*, one; SKNAS_PLUGINS=one\.py registers no other$"
    ):
        UNITS["eca"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "one.py: No such file or directory"),
        ("x = (", "one.py: SyntaxError: "),
        ("\n\nimport nowhere_at_all", "one.py, line 3: ModuleNotFoundError: No module named"),
        (UNIT.format(name="sk"), "one.py, line 5: ValueError: unit 'sk' is registered already"),
        ("import sys; sys.exit(0)", "one.py, line 1: SystemExit: 0"),
        (
            UNIT.format(name="x").replace("Unit())", "Unit)"),
            "one.py, line 5: TypeError: unit 'x': <class 'blocks.units.squeeze_excitation.Squeeze",
        ),
        (UNIT.format(name="x") + "1 / 0", "one.py, line 6: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_fails_is_named_each_time(
    names: Callable[..., None], tmp_path: Path, text: str | None, expected: str
) -> None:
    if text is not None:
        Path("one.py").write_text(text)
    names("one.py")
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            UNITS["own"]
        assert str(caught.value).startswith(f"SKNAS_PLUGINS: {tmp_path}/{expected}")


def test_a_plugin_may_look_at_what_there_is(names: Callable[..., None]) -> None:
    Path("one.py").write_text(
        UNIT.format(name="one") + "\nassert 'two' not in UNITS\nlist(UNITS)\n"
    )
    names("one.py")
    assert "one" in UNITS


@pytest.mark.parametrize("module", ["installed_unit", "missing_unit"])
def test_an_installed_package_needs_no_variable(
    names: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    """As pip installs it: a module, and beside it what the distribution says of itself."""
    (tmp_path / "installed_unit.py").write_text(UNIT.format(name="installed"))
    about = tmp_path / "installed_unit-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-unit\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[sknas.plugins]\ninstalled = {module}\n")
    monkeypatch.syspath_prepend(tmp_path)
    names()
    if module == "installed_unit":
        assert "installed" in UNITS
    else:
        with pytest.raises(InvalidInput, match=r"^plugin installed \(missing_unit\): ModuleNotFo"):
            UNITS["installed"]
