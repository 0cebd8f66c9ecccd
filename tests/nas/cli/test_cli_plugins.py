"""Mistakes in a unit or a backbone of one's own: one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import BACKBONES, UNITS, plugins
from blocks.profile import profile
from nas.cli.main import main

UNIT = """
from torch import nn
from blocks.counting import Counts
from blocks.units import UNITS
from blocks.units.feature import FeatureUnit

class Own(FeatureUnit):
    name, default = "own", "standard"
    def make(self, unit, channels): return nn.Identity()
    def fields(self, unit, channels): return ()
    def cost(self, unit, shape): return Counts()
    def make_plain(self, module): pass

UNITS.register("own", Own())
"""
BACKBONE = """
from torch import nn
from blocks.backbones import BACKBONES, Backbone
from blocks.backbones.base import ModulePaths

class Tiny(Backbone):
    def make(self, geometry):
        depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        body = nn.Sequential(nn.Conv2d(3, 8, 3), depthwise, nn.BatchNorm2d(8))
        return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    def stem(self): return "0.0"
    def classifier(self): return "3"
    def module_paths(self, model): return [ModulePaths(1, 0, "0.1", "0.2", "0", "0.1", "0.2", "0.2")]

BACKBONES.register("tiny", Tiny())
"""
ARCH = "backbone: {}\nnum_classes: 10\ninput_size: 32\nunit: {{kind: {}}}\n"
TEXTS = {"unit": (UNIT, ("shufflenet_v2", "own")), "backbone": (BACKBONE, ("tiny", "sk"))}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "own.py")
    monkeypatch.setattr(plugins, "_problem", None)
    monkeypatch.setattr(plugins, "_files", [])
    for registry in (UNITS, BACKBONES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    profile.cache_clear()
    return tmp_path


@pytest.mark.integration
@pytest.mark.parametrize("what", TEXTS)
def test_the_example_is_counted(what: str, place: Path) -> None:
    text, names = TEXTS[what]
    Path("own.py").write_text(text)
    Path("arch.yaml").write_text(ARCH.format(*names))
    assert main(["count", "arch.yaml"]) == 0


@pytest.mark.integration
@pytest.mark.parametrize(
    ("what", "old", "new", "said"),
    [
        (
            "unit",
            "return Counts()",
            "return None",
            "unit own: cost gives None; allowed: Counts of 0",
        ),
        ("unit", "return Counts()", "return Counts(-3)", "unit own: cost gives Counts(params=-3, "),
        (
            "unit",
            "return Counts()",
            "return 1 / 0",
            "own.py, line 11, in cost: ZeroDivisionError: div",
        ),
        (
            "unit",
            "return nn.Identity()",
            "return 1 / 0",
            "own.py, line 9, in make: ZeroDivisionError",
        ),
        (
            "unit",
            '"standard"',
            '"nowhere"',
            "AttributeError: 'InsertionPoint' object has no attribute 'nowhere'",
        ),
        ("unit", "    def cost", "    def costs", "own.py, line 14: TypeError: Can't instantiate"),
        (
            "backbone",
            "return nn.S",
            "return 1 / 0 or nn.S",
            "own.py, line 10, in make: ZeroDivisionEr",
        ),
        ("backbone", "return nn.S", "nn.S", "perhaps because of what a method gives in"),
        ("backbone", "return [Mod", "[Mod", "perhaps because of what a method gives in"),
        ("backbone", '0, "0.1", "0.2"', '0, "0.2", "0.2"', "conv is no Conv2d but BatchNorm2d"),
        ("backbone", '0, "0.1"', '0, "0.9"', "conv is no Conv2d but NoneType"),
        ("backbone", '"0.2", "0.2")', '"0.2", "0.7")', "there is no module 0.7"),
        (
            "backbone",
            "    def make",
            "    def widths(self): ...\n    def make",
            "TypeError: argument of",
        ),
    ],
)
def test_a_mistake_is_one_line(
    what: str, old: str, new: str, said: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text, names = TEXTS[what]
    assert old in text
    Path("own.py").write_text(text.replace(old, new))
    Path("arch.yaml").write_text(ARCH.format(*names))
    code = main(["count", "arch.yaml"])
    _, error = capfd.readouterr()
    # What is wrong with the module itself shows when it is built, for fvcore to count.
    assert code == (1 if "fvcore cannot count" in error else 2)
    assert error.count("\n") == 1
    assert said in error
    assert "own" in error or "tiny" in error
