"""A damaged installation of Vela is one line, before a training and in an export."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ethosu")
ROOT = Path(__file__).parents[3]
BROKEN = {
    "raises": ('raise RuntimeError("numpy is\\ntoo new")', "RuntimeError: numpy is too new"),
    "lacks a package": ("import no_such_package", "ModuleNotFoundError: No module named 'no_such"),
    "ends": ('raise SystemExit("no licence")', "SystemExit: no licence"),
}


def with_damaged_vela(folder: Path, code: str, *command: str) -> subprocess.CompletedProcess[str]:
    package = folder / "damaged/ethosu/vela"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package / "vela.py").write_text(code)
    paths = os.pathsep.join([str(folder / "damaged"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "SKNAS_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=300,
        cwd=folder, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_search_names_the_package(case: str, tmp_path: Path) -> None:
    code, reason = BROKEN[case]
    words = ["--space", "mcu_sk", "--data", "digits", "--max", "sram_kb=200", "--trials", "1"]
    words += ["--device-class", "ethos-u65-512", "--name", "none"]
    answer = with_damaged_vela(tmp_path, code, "-m", "nas", "search", *words)
    assert answer.returncode == 2, answer
    (line,) = answer.stderr.strip().splitlines()
    assert line.startswith(
        f"nas: --device-class ethos-u65-512: the package ethos-u-vela does not start ({reason}"
    )
    assert line.endswith("pip install --force-reinstall ethos-u-vela")
    assert not (tmp_path / "runs").exists()


def test_an_export_says_why(tmp_path: Path) -> None:
    code, reason = BROKEN["raises"]
    compiling = (
        "from pathlib import Path\nfrom nas.cost.microcontroller.vela import compile_file\n"
        "from nas.errors import WorkFailed\n"
        "try:\n    compile_file(Path('a.tflite'), 'ethos-u55-128', Path('out'))\n"
        "except WorkFailed as failed:\n    print(failed)\n"
    )
    answer = with_damaged_vela(tmp_path, code, "-c", compiling)
    wanted = f"Vela cannot compile the file: it does not start: {reason}"
    assert answer.stdout.strip() == wanted, answer


def test_the_doctor_says_it(tmp_path: Path) -> None:
    asking = "from nas.doctor.runtimes import try_chip\nprint(try_chip('ethos_u').problem)"
    pytest.importorskip("litert_torch")
    answer = with_damaged_vela(tmp_path, BROKEN["raises"][0], "-c", asking)
    assert "the package ethos-u-vela does not start (RuntimeError" in answer.stdout, answer
