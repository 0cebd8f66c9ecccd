"""A unit of one's own in a training on another machine, where nobody has named its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blocks import UNITS, ArchSpec, UnitSpec, plugins
from nas.data import DataConfig
from nas.runs import TrialFolder
from nas.training import RECIPES, TrainJob, read_metrics

UNIT = """
from blocks.units import UNITS
from blocks.units.squeeze_excitation import SqueezeExcitationUnit

UNITS.register("own", SqueezeExcitationUnit())
"""
TASK = """
import sys
from pathlib import Path
from nas.searching.executors.ray import _train

folder, plugins = sys.argv[1:]
trial = Path("trial")
sys.exit(_train(Path(folder), trial / "job.json", trial / "output.txt", plugins))
"""


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_a_task_of_a_cluster_is_told_the_plugins_of_the_parent(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray runs it: in a process elsewhere, whose environment is not the parent's."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(UNIT)
    monkeypatch.setattr(UNITS, "_entries", dict(UNITS._entries))
    monkeypatch.setattr(plugins, "_problem", None)
    monkeypatch.setenv(plugins.VARIABLE, "own.py")
    unit = UnitSpec(kind="own")
    figures: dict[str, Any] = {"num_classes": 10, "in_channels": 1, "input_size": 16}
    folder = TrialFolder(Path("trial"))
    job = TrainJob(
        spec=ArchSpec(backbone="shufflenet_v2", width=0.25, unit=unit, **figures),
        data=DataConfig(name="digits", limit=32),
        recipe=RECIPES["tiny"].model_copy(update={"epochs": 1}),
        seed=0,
        folder=folder.path,
        log_name="own",
        log_version="0",
        threads=1,
    )
    folder.path.mkdir()
    folder.job.write_text(job.model_dump_json())
    elsewhere = {name: value for name, value in os.environ.items() if name != plugins.VARIABLE}
    words = [sys.executable, "-c", TASK, str(tmp_path), "own.py" if named else ""]
    done = subprocess.run(words, cwd="/", env=elsewhere, timeout=300, check=False)
    if named:
        assert done.returncode == 0
        assert len(read_metrics(folder)) == 1
    else:
        assert done.returncode == 1
        assert "unknown unit 'own'" in folder.error.read_text()
