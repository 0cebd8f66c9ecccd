"""No file that this program reads can have it run code; what imports by name is listed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal", "_pickle"}
# A function, and what a call of it must say.
SAFE_ONLY_WITH = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
NEVER = {
    "eval", "exec", "compile", "os.system", "os.popen", "torch.hub.load", "torch.jit.load",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load",
}  # fmt: skip
IMPORTS = {"import_module", "exec_module", "__import__", "run_path", "run_module"}
"""What imports a module by a name that is not in the source."""
MAY_IMPORT = {
    "blocks/plugins.py": "files that a person names, none of them in runs/ or a bundle",
    "nas/plugins/resolve.py": "modules that a person names by import path",
    "nas/data/registry.py": "the program's own modules",
    "blocks/units/selection.py": "the program's own modules",
    "nas/doctor/probe.py": "packages of a list in the program",
    "nas/paper/libraries.py": "packages of a list in the program",
}


def dotted(node: ast.expr) -> str:
    """Such as ``torch.load``; empty for what is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def unsafe(source: str) -> Iterator[str]:
    """What in a file could run code that another file holds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in UNSAFE)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.split(".")[0] in UNSAFE:
                yield module
            # Under another name it would not be found below.
            names = {f"{module}.{a.name}" for a in node.names}
            yield from names & (SAFE_ONLY_WITH.keys() | NEVER)
        elif isinstance(node, ast.Call):
            yield from _unsafe_call(node)


def _unsafe_call(call: ast.Call) -> Iterator[str]:
    name = dotted(call.func)
    given = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    if name in NEVER:
        yield name
    if name in SAFE_ONLY_WITH:
        argument, value = SAFE_ONLY_WITH[name]
        if given.get(argument) is not value:
            yield f"{name} without {argument}={value}"
    if name.split(".")[-1] in IMPORTS:
        yield name
    if given.get("shell") is True:
        yield f"{name} with a shell"
    # Lightning loads a checkpoint for whoever names one.
    if any(k.arg == "ckpt_path" for k in call.keywords) and given.get("weights_only") is not True:
        yield f"{name} with ckpt_path, without weights_only=True"
    if name.endswith("load_from_checkpoint"):
        yield name


def files() -> list[Path]:
    folders = ("blocks", "search_spaces", "nas", "benchmarks")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_run(path: Path) -> None:
    found = list(unsafe(path.read_text(encoding="utf-8")))
    if str(path.relative_to(ROOT)) in MAY_IMPORT:
        found = [one for one in found if one.split(".")[-1] not in IMPORTS]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import dill as d",
        "from joblib import load",
        "from torch import load",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import yaml\nyaml.load(t, Loader=yaml.Loader)",
        "trainer.fit(m, ckpt_path=p)",
        "Model.load_from_checkpoint(p)",
        "subprocess.run(c, shell=True)",
        "def f(x):\n    return eval(x)",
        "importlib.import_module(x)",
        "spec.loader.exec_module(x)",
    ],
)
def test_what_is_unsafe_is_found(source: str) -> None:
    assert list(unsafe(source))


def test_what_is_safe_is_not() -> None:
    source = "import torch, yaml\ntorch.load(p, weights_only=True)\nyaml.safe_load(t)\nmodel.eval()"
    assert list(unsafe(source)) == []
