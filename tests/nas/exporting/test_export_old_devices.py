"""The programs of a bundle run on what old boards have."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import vermin
from PIL import Image

from nas.data import photo
from nas.exporting.places import BENCH, PHOTO, SHIPPED
from nas.exporting.shipped.runtime import MOST_OF_A_MESSAGE, shortened

OLDEST = (3, 8)


@pytest.mark.parametrize("program", [*(SHIPPED / name for name in ("predict.py", *BENCH)), PHOTO])
def test_a_program_needs_no_later_python(program: Path) -> None:
    found = vermin.detect(program.read_text(encoding="utf-8"), vermin.Config())
    assert found[1] is not None
    assert found[1] <= OLDEST


def test_pillow_before_9_1_has_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Resampling", "Transpose"):
        for one in getattr(Image, name):
            monkeypatch.setattr(Image, one.name, one, raising=False)
        monkeypatch.delattr(Image, name)
    monkeypatch.delitem(sys.modules, "nas.data.photo")
    import nas.data.photo as old

    assert old is not photo
    assert old.BILINEAR == photo.BILINEAR
    assert old._TURNS == photo._TURNS


def test_a_long_message_keeps_its_end() -> None:
    text = "begin " + "x" * 1000 + " Unsupported model IR version: 10"
    short = shortened(ValueError(text))
    assert len(short) <= MOST_OF_A_MESSAGE + len(" ... ")
    assert short.startswith("begin")
    assert short.endswith("Unsupported model IR version: 10")
    assert shortened(ValueError("a\n b")) == "a b"
