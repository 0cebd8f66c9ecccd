from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import TensorDataset

import nas
from nas.data import load_data, own_batches, shared_memory
from nas.data.config import DataConfig
from nas.data.photo_progress import say_once
from nas.data.shared_memory import SharedMemory, workers_that_fit
from nas.errors import WorkFailed

CPU = torch.device("cpu")


def grey() -> nas.Datasets:
    """Tensors of two classes."""
    images = torch.linspace(0, 1, 40 * 256).reshape(40, 1, 16, 16)
    labels = torch.arange(40) % 2
    split = TensorDataset(images, labels)
    return nas.Datasets(split, split, split, ["one", "other"])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataConfig]:
    code = Path(__file__).read_text(encoding="utf-8")
    start, stop = code.index("def grey"), code.index("@pytest.fixture")
    head = "import nas, torch\nfrom torch.utils.data import TensorDataset\n"
    (tmp_path / "sets.py").write_text(head + code[start:stop], encoding="utf-8")
    say_once.cache_clear()
    yield DataConfig(name=f"{tmp_path / 'sets.py'}:grey", workers=2)
    say_once.cache_clear()


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    found = SharedMemory(total=64 * 2**20, free=free)
    monkeypatch.setattr(shared_memory, "shared_memory", lambda path: found)


def test_half_of_the_shared_memory_is_for_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, 600)
    assert [workers_that_fit(9, size) for size in (0, 1, 20, 50, 51, 101)] == [9, 9, 5, 2, 1, 0]


def test_without_such_a_file_system_nothing_is_limited(tmp_path: Path) -> None:
    assert shared_memory.shared_memory(tmp_path / "absent") is None
    assert workers_that_fit(4, 10**12, tmp_path / "absent") == 4


@pytest.mark.parametrize(("free", "said"), [(0, "the training itself reads"), (10**9, None)])
@pytest.mark.integration
def test_the_images_are_the_same_with_little_shared_memory(
    free: int, said: str | None, data: DataConfig, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    expected = [images for images, _ in load_data(data).val_batches(16, CPU)]
    capsys.readouterr()
    with_free(monkeypatch, free)
    for _ in range(2):
        seen = [images for images, _ in load_data(data).val_batches(16, CPU)]
        assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]


@pytest.mark.integration
def test_a_process_that_gives_no_batch_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(
        "import nas, os, time, torch\n"
        "from torch.utils.data import Dataset\n"
        "MAIN = os.getpid()\n"
        "class Slow(Dataset):\n"
        "    def __len__(self):\n"
        "        return 4\n"
        "    def __getitem__(self, row):\n"
        "        if os.getpid() != MAIN:\n"
        "            time.sleep(60)\n"
        "        return torch.rand(1, 16, 16), row % 2\n"
        "def slow():\n"
        "    return nas.Datasets(Slow(), Slow(), Slow(), ['one', 'other'])\n"
    )
    monkeypatch.setattr(own_batches, "WAIT_SECONDS", 1)
    data = load_data(DataConfig(name=f"{tmp_path / 'slow.py'}:slow", workers=1))
    with pytest.raises(WorkFailed, match=r"a process that reads images was lost \(.*timed out"):
        list(data.val_batches(2, CPU))
