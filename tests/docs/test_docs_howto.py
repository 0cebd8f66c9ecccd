"""The unit and the backbone of docs/howto, taken from the pages, do what the papers say.

That they can be counted, searched and exported: test_docs_commands.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from blocks import BACKBONES, UNITS, ArchSpec, SelectiveKernel, UnitSpec, build, plugins
from nas.cost import count
from tests.docs.docs_blocks import blocks_of

pytestmark = pytest.mark.integration

NONE = UnitSpec(kind="none")


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files are named in SKNAS_PLUGINS; what they register is forgotten afterwards."""
    paths = []
    for page in ("own_unit", "own_backbone"):
        (block,) = (one for one in blocks_of(f"docs/howto/{page}.md") if one.language == "python")
        path = tmp_path / block.title
        path.write_text(block.text)
        paths.append(str(path))
    monkeypatch.setenv(plugins.VARIABLE, ":".join(paths))
    monkeypatch.setattr(plugins, "_problem", None)
    for registry in (UNITS, BACKBONES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def eca(**figures: Any) -> ArchSpec:
    fields = {"width": 0.25, "num_classes": 5, "input_size": 32, "stem_stride": 1, **figures}
    return ArchSpec(**{"backbone": "mobilenet_v1", "unit": UnitSpec(kind="eca"), **fields})


@pytest.mark.usefixtures("named")
def test_the_backbone_has_the_figures_of_its_paper() -> None:
    """Table 8: 569 million multiply-adds, 4.2 million parameters."""
    counts = count(ArchSpec(backbone="mobilenet_v1", unit=NONE))
    assert round(counts.mflops) == 569
    assert round(counts.params / 1e6, 1) == 4.2


@pytest.mark.usefixtures("named")
def test_units_take_the_places_of_all_its_depthwise_convolutions() -> None:
    model = build(eca(unit=UnitSpec(kind="sk"), input_size=16))
    assert sum(isinstance(one, SelectiveKernel) for one in model.modules()) == 13
    stages = eca().profile.stages
    assert [(stage.number, stage.depth) for stage in stages] == [
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 6),
        (5, 2),
    ]
    assert model.eval()(torch.randn(2, 3, 16, 16)).shape == (2, 5)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(("channels", "taps"), [(24, 3), (64, 3), (128, 5), (512, 5), (2048, 7)])
def test_the_kernel_grows_with_the_channels_as_in_the_paper(channels: int, taps: int) -> None:
    unit = UNITS["eca"].make(UnitSpec(kind="eca"), channels)  # type: ignore[attr-defined]
    (conv,) = (one for one in unit.modules() if isinstance(one, nn.Conv1d))
    assert conv.weight.shape == (1, 1, taps)
    x = torch.randn(2, channels, 3, 4)
    means = torch.nn.functional.pad(x.mean((2, 3)), (taps // 2, taps // 2))
    gate = means.unfold(1, taps, 1) @ conv.weight.flatten()  # each channel with its neighbours
    torch.testing.assert_close(unit(x), x * gate.sigmoid()[:, :, None, None])


@pytest.mark.usefixtures("named")
def test_the_unit_starts_as_the_plain_network_and_has_one_key(tmp_path: Path) -> None:
    plain = build(eca(unit=NONE))
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    model = build(eca(), start="plain", pretrained=tmp_path / "plain.pt")
    assert len(model.state_dict()) == len(plain.state_dict()) + 13
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval()(image), plain.eval()(image), rtol=1e-4, atol=1e-5)
    assert eca(unit=UnitSpec(kind="eca", reduction=2)).key == eca().key
    assert eca(unit=UnitSpec(kind="eca", placement="pre")).key != eca().key
