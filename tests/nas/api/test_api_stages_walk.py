"""Photographs, a space whose units are chosen stage by stage, and four runtimes: the whole way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import nas

RUNTIMES = ("onnx", "executorch", "litert", "ncnn")
SPACE = """
name: stages
about: Units whose branches are summed, selected or absent, stage by stage.
fixed:
  backbone: shufflenet_v2
  width: 0.25
  stem_stride: 1
  unit.kind: none
  unit.branch_act: false
  unit.stages.2.kind: sk
  unit.stages.2.select: sum
  unit.stages.3.kind: sk
vary:
  unit.stages.2.dilations: {choice: [[1, 1], [1, 2]]}
  unit.stages.3.dilations: {choice: [[1, 2], [1, 2, 3]]}
  unit.stages.4.kind: {choice: [none, se]}
"""


def cut_photographs(folder: Path) -> Path:
    """Cuttings of the two photographs that scikit-learn contains, a class each."""
    rng = np.random.default_rng(0)
    for name in ("china", "flower"):
        photograph = load_sample_image(f"{name}.jpg")
        (folder / name).mkdir(parents=True)
        for number in range(150):
            top, left = (int(rng.integers(side - 96)) for side in photograph.shape[:2])
            cut = Image.fromarray(photograph[top : top + 96, left : left + 96])
            cut.save(folder / name / f"{number:03d}.jpg")
    return folder


@pytest.mark.long
def test_from_photographs_to_four_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cut_photographs(tmp_path / "photos")
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    run = nas.search(
        "space.yaml", data="photos", input_size=32, trials=3, recipe="tiny", epochs=1, threads=1,
        seed=1, name="walk", progress=False,
    )  # fmt: skip
    point = run.pick()
    spec = point.spec
    assert spec.unit.at(2).select == "sum"
    assert spec.unit.at(2) != spec.unit.at(3)
    trained = run.train(point.trial, recipe="tiny", epochs=10, threads=1)
    bundle = nas.export(trained.checkpoint, targets=RUNTIMES, int8=True)
    manifest = bundle.manifest
    assert manifest.missing == ()
    assert manifest.spec.key == spec.key
    assert manifest.accuracy.top1 > 0.8
    made = {(one.target, one.precision): one for one in manifest.artifacts}
    assert set(made) == {(name, precision) for name in RUNTIMES for precision in ("fp32", "int8")}
    for name, one in ((one.name, one) for one in made.values()):
        assert one.parity is not None
        assert one.accuracy is not None
        assert one.parity.images == one.accuracy.images > 20
        if one.precision == "fp32":
            assert one.parity.max_abs_difference < 1e-4, name
        assert one.parity.top1_agreement > (0.999 if one.precision == "fp32" else 0.9), name
        assert one.accuracy.top1 >= manifest.accuracy.top1 - 0.1, name
