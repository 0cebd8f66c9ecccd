from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest

from blocks.errors import InvalidInput
from nas.data import DataConfig, load_data


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "archive"),
    [("cifar10", "cifar-10-python.tar.gz"), ("cifar100", "cifar-100-python.tar.gz")],
)
def test_missing_archive_is_one_line_with_place_and_cure(
    tmp_path: Path, name: str, archive: str
) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is missing") as caught:
        load_data(DataConfig(name=name, data_dir=str(tmp_path / "data")))
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / "data") in message
    assert ".cache/sknas" in message
    assert f"put {archive} from https://" in message


def test_partial_archive_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"the first bytes of an archive")
    with pytest.raises(InvalidInput, match=r"cifar10 is missing.* could not be downloaded"):
        load_data(DataConfig(name="cifar10", data_dir=str(tmp_path)))


def test_damaged_folder_is_called_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"half a batch")
    with pytest.raises(InvalidInput, match=r"cifar10 is damaged.* could not be downloaded"):
        load_data(DataConfig(name="cifar10", data_dir=str(tmp_path)))


def test_data_dir_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InvalidInput, match="cifar100 is missing"):
        load_data(DataConfig(name="cifar100", data_dir=str(file)))
