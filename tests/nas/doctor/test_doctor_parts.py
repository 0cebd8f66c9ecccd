"""What the doctor looks at, each part by itself."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement

from nas.doctor.disk import disk_of
from nas.doctor.machine import cgroup_limits, this_machine
from nas.doctor.packages import declared_packages
from nas.doctor.probing import ProbeFailed, probe
from nas.doctor.runtimes import try_runtime
from nas.exporting.targets import OF_NETWORKS

pytestmark = pytest.mark.integration


def test_the_declared_packages_are_those_of_pyproject() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text())
    found = {(one.extra, one.name): one for one in declared_packages()}
    assert found[None, "python"].installed == platform.python_version()
    assert found[None, "torch"].installed == version("torch")
    assert all(one.fits for one in found.values() if one.extra is None)
    for line in project["project"]["optional-dependencies"]["deploy"]:
        assert ("deploy", Requirement(line).name) in found
    # `sknas[ray]` inside of the extra `test` is not a package of its own.
    assert not [name for _, name in found if name == "sknas"]


def test_a_missing_and_a_wrong_package_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = tmp_path / "ailing-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ailing\nVersion: 1.0\nRequires-Python: >=99\n"
        "Requires-Dist: torch<1\nRequires-Dist: numpy\n"
        "Requires-Dist: nowhere-to-be-found>=2; extra == 'far'\n"
        "Requires-Dist: numpy; sys_platform == 'vms'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    python, torch, numpy, far = declared_packages("ailing")
    assert (python.fits, torch.fits, numpy.fits, far.fits) == (False, False, True, False)
    assert torch.installed is not None
    assert (far.installed, far.extra, far.required) == (None, "far", ">=2")
    assert declared_packages("no-such-project") == ()


@pytest.mark.parametrize(
    ("files", "quota", "memory"),
    [
        ({}, None, None),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ({"cpu.max": "150000 100000", "memory.max": "1000000"}, 1.5, 1_000_000),
        # The narrowest counts, wherever it stands.
        (
            {"cpu.max": "400000 100000", "a/cpu.max": "50000 100000", "a/b/memory.max": "5000"},
            0.5,
            5000,
        ),
        ({"other/cpu.max": "1000 100000"}, None, None),
        # Version 1, with its number for no limit.
        (
            {
                "cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            2.0,
            None,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
    ],
)  # fmt: skip
def test_limits_of_a_container(
    files: dict[str, str], quota: float | None, memory: int | None, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    limits = cgroup_limits(tmp_path / "cgroup", own)
    assert (limits.quota, limits.memory) == (quota, memory)


def test_the_machine_is_this_one() -> None:
    machine = this_machine()
    assert 1 <= machine.cores <= machine.cores_of_machine
    assert machine.memory == psutil.virtual_memory().total
    assert machine.memory_limit is None or machine.memory_limit < machine.memory


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (2.5, True)])
def test_a_busy_machine_is_told(load: float, busy: bool) -> None:
    # The load is that of the whole machine, whatever share of it this process has.
    machine = this_machine().model_copy(update={"cores": 1, "cores_of_machine": 4, "load": load})
    assert machine.busy is busy


def test_a_folder_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    disk = disk_of(tmp_path / "not" / "yet")
    assert disk.problem is None
    assert disk.free is not None
    assert not list(tmp_path.iterdir())
    (tmp_path / "runs").write_text("")
    assert disk_of(tmp_path / "runs").problem == f"{tmp_path / 'runs'} is a file"
    assert disk_of(Path("/proc/runs")).problem is not None


@pytest.mark.long  # test_json_says_what_was_found_and_what_a_search_costs tries them all, too
@pytest.mark.parametrize("name", OF_NETWORKS)
def test_every_runtime_that_is_installed_works(name: str) -> None:
    pytest.importorskip({"litert": "ai_edge_litert", "onnx": "onnxruntime"}.get(name, name))
    found = try_runtime(name)
    assert found.problem is None
    assert found.difference is not None
    assert 0 < found.difference < 1e-4, "exactly nothing would be PyTorch itself"


def ail(monkeypatch: pytest.MonkeyPatch, folder: Path, module: str, code: str) -> None:
    """Put a module in the way of the real one, in processes that are started from here."""
    (folder / f"{module}.py").write_text(code)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), before])))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ImportError('no such thing\\nas this')", "ImportError: no such thing as this"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the process crashed (SIGSEGV)",
        ),
        ("import os; os._exit(7)", "the process ended with exit code 7: no output"),
    ],
)
def test_a_runtime_that_fails_or_crashes_is_one_line(
    code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ail(monkeypatch, tmp_path, "onnxruntime", code)
    assert try_runtime("onnx").problem == says


def test_a_package_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import importlib.metadata as metadata\nreal = metadata.version\n"
        "def version(name):\n"
        "    if name == 'ncnn': raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.version = version\n"
    )
    ail(monkeypatch, tmp_path, "sitecustomize", code)
    problem = try_runtime("ncnn").problem
    assert problem == "target ncnn: the package ncnn is missing; pip install 'sknas[deploy]'"


def test_what_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before all other imports, for the seconds are counted from the start of the process.
    code = (
        "import subprocess, time\n"
        "sleeping = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(sleeping.pid))\n"
        "time.sleep(1000)\n"
    )
    ail(monkeypatch, tmp_path, "sitecustomize", code)
    with pytest.raises(ProbeFailed, match="not finished after 10 seconds"):
        probe("runtime", {"target": "onnx", "module": "onnxruntime"}, 10)
    sleeping = int((tmp_path / "pid").read_text())
    # Killed; somebody else's child by now, which may take a moment to end and to be waited for.
    with suppress(psutil.NoSuchProcess):
        psutil.Process(sleeping).wait(30)
