"""A space that varies the size of the images: each network is trained and exported at its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nas

pytestmark = pytest.mark.integration

SPACE = """
name: sizes
fixed: {backbone: shufflenet_v2, width: 0.5, stem_stride: 2, unit.kind: none}
vary:
  input_size: {choice: [32, 48]}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sizes.yaml").write_text(SPACE)
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 3)):
        for label in ("one", "two"):
            folder = Path("photos", part, label)
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (56, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


def test_each_network_is_trained_and_exported_at_its_own_size() -> None:
    run = nas.search(
        "sizes.yaml", data="imagefolder:photos", trials=2, epochs=1, workers=1, name="a", seed=0,
        threads=1, batch_size=4,
    )  # fmt: skip
    sizes = {}
    for record in run.trials:
        spec = nas.ArchSpec.from_yaml(run.folder.trial(record.number).arch)
        sizes[spec.input_size] = record.number
    assert sorted(sizes) == [32, 48]
    done = run.train(sizes[32], recipe="tiny", epochs=1, batch_size=4, threads=1)
    assert done.test_images == 6
    bundle = run.export(sizes[32], targets=["onnx"])
    assert bundle.manifest.preprocessing.size == 32


def test_images_that_are_not_scaled_have_one_size() -> None:
    Path("small.yaml").write_text(SPACE.replace("32, 48", "16, 32"))
    with pytest.raises(
        nas.InvalidInput, match=r"vary.input_size: the images of digits have 16 pixels"
    ):
        nas.search("small.yaml", data="digits", trials=1, name="b")
