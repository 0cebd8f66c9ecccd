"""A real bundle for every runtime, and an environment without PyTorch, made once for all tests."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from nas.cli.main import main

ARCH = """
backbone: shufflenet_v2
width: 0.5
num_classes: 10
in_channels: 1
input_size: 16
stem_stride: 1
# Units in one stage are enough, and a third of the minutes that the runtimes' own passes take.
unit: {kind: none, stages: {2: {kind: sk, branch_act: false}}}
"""
TRAIN = ["train", "arch.yaml", "--data", "digits", "--recipe", "tiny", "--epochs", "8"]
EXPORT = ["--targets", "onnx,executorch,litert,ncnn", "--int8", "--out", "bundle"]
RUNTIMES = ("numpy", "pillow", "onnxruntime", "ai-edge-litert", "ncnn")


@pytest.fixture(scope="session")
def bundle(made_once: Callable[..., Path]) -> Path:
    """The bundle of a network trained in full, in float32 and int8 for every runtime; for reading."""

    def make() -> None:
        Path("arch.yaml").write_text(ARCH)
        assert main(TRAIN) == 0
        (checkpoint,) = Path("runs").glob("*/train/*/checkpoint.pt")
        assert main(["export", str(checkpoint), *EXPORT]) == 0

    return made_once("exported", make) / "bundle"


@pytest.fixture(scope="session")
def bare_python(made_once: Callable[..., Path]) -> Path:
    """Python in an environment with numpy, Pillow and the runtimes, and what they require: no more."""

    def make() -> None:
        here = Path.cwd()
        command = [sys.executable, "-m", "venv", "--without-pip", str(here)]
        subprocess.run(command, check=True, timeout=120)
        paths = {"base": str(here), "platbase": str(here)}
        packages = Path(sysconfig.get_path("purelib", "venv", paths))
        for name in required(RUNTIMES):
            link(name, packages)

    return made_once("bare", make) / "bin/python"


def required(names: tuple[str, ...]) -> set[str]:
    """Names and all that they require without extras."""
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in found:
            continue
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another system
        found.add(name)
        for requirement in requirements:
            if "extra ==" not in requirement:
                queue.append(re.split(r"[^\w.-]", requirement.strip())[0].lower())
    assert "torch" not in found
    return found


def link(name: str, packages: Path) -> None:
    """Put an installed package into the environment without a copy."""
    files = distribution(name).files or []
    for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
        source = Path(str(distribution(name).locate_file(top)))
        if not (packages / top).exists():
            (packages / top).symlink_to(source)
