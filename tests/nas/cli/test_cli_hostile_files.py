"""Files from strangers: checkpoints, YAML and data with code in them, names that lead elsewhere."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from blocks import ArchSpec
from nas.cli.main import main

TRAP = "touched"


class Hostile:
    """Makes the file TRAP in the current folder when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (Path(TRAP),)


def raw(path: Path) -> None:
    path.write_bytes(pickle.dumps({"sknas": Hostile()}))


def zipped(path: Path) -> None:
    torch.save({"sknas": {"format": 1}, "model": {}, "more": Hostile()}, path)


def legacy(path: Path) -> None:
    torch.save({"model": Hostile()}, path, _use_new_zipfile_serialization=False)


KINDS = [raw, zipped, legacy]


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def refused(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a wrong request gets."""
    before = fingerprints(Path())
    capfd.readouterr()
    assert main(words) == 2
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    (line,) = captured.err.strip().splitlines()
    assert fingerprints(Path()) == before
    assert not Path(TRAP).exists()
    return line


@pytest.mark.parametrize("write", KINDS)
def test_these_checkpoints_would_run_their_code(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("w.pt"))
    if write is raw:
        pickle.loads(Path("w.pt").read_bytes())
    else:
        torch.load("w.pt", weights_only=False)
    assert Path(TRAP).exists()


@pytest.mark.parametrize("write", KINDS)
def test_code_in_a_checkpoint_is_refused(
    write: Callable[[Path], None], in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Path("runs/first/trials/0000/checkpoint.pt")
    write(checkpoint)
    write(Path("w.pt"))
    for words in (
        ["export", "w.pt"],
        ["export", "first", "--trial", "0"],
        ["attention", "w.pt"],
        ["attention", "first", "--trial", "0"],
    ):
        assert "not a checkpoint" in refused(words, capfd), words


@pytest.mark.slow
def test_code_in_the_checkpoint_of_an_open_trial_is_not_run(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Path("runs/first/trials/0002")
    folder.mkdir()
    zipped(folder / "checkpoint.pt")
    # Trained anew, like any trial whose checkpoint is damaged.
    assert main(["search", "--resume", "first", "--trials", "3", "--threads", "1"]) == 0
    assert not Path(TRAP).exists()
    assert "training starts over" in (folder / "output.txt").read_text()
    assert "Traceback" not in capfd.readouterr().err
    torch.load(folder / "checkpoint.pt", weights_only=True)


@pytest.mark.slow
def test_code_in_the_checkpoint_or_the_weights_of_a_training_is_not_run(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--recipe", "tiny", "--epochs", "1", "--threads", "1"]
    zipped(Path("w.pt"))
    words = ["train", "first", "--trial", "0", *options]
    assert main([*words, "--pretrained", "w.pt"]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "w.pt: not a file of weights" in line
    folder = Path("runs/first/train/0000")
    folder.mkdir(parents=True, exist_ok=True)
    zipped(folder / "checkpoint.pt")
    assert main(words) == 0
    assert not Path(TRAP).exists()
    torch.load(folder / "checkpoint.pt", weights_only=True)


@pytest.mark.integration
def test_code_in_data_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=2, input_size=32)
    Path("a.yaml").write_text(spec.to_yaml())
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            for number in range(3):
                path = Path("photos") / part / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                (raw, zipped, legacy)[number](path)
    words = ["train", "a.yaml", "--data", "imagefolder:photos", "--epochs", "1"]
    assert main(words) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "cannot be read" in line
    assert not Path(TRAP).exists()


def test_published_pickles_are_read_as_published_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """CIFAR's own files are pickles; torchvision reads them where their checksums are the published."""

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = Path("data/cifar-10-batches-py")
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        raw(folder / name)
    words = ["search", "--space", "quickstart", "--data", "cifar10", "--data-dir", "data"]
    assert "cifar10 is damaged" in refused(words, capfd)


@pytest.mark.integration
def test_programs_in_a_bundle_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = Path("bundle")
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    for name in ("bench.py", "runtime.py", "device.py", "suite.py", "numpy.py"):
        (bundle / name).write_text(f"open({TRAP!r}, 'w')\n")
    assert "manifest.json: missing or damaged" in refused(["bench", "bundle"], capfd)


TAG = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{TRAP}]]"
TAGGED: dict[str, list[list[str]]] = {
    "runs/first/search.yaml": [
        ["pareto", "first"], ["search", "--resume", "first"], ["report", "first"],
    ],
    "runs/first/trials/0000/arch.yaml": [["train", "first", "--trial", "0"]],
    "c.yaml": [["search", "--config", "c.yaml"]],
    "s.yaml": [["search", "--space", "s.yaml", "--data", "digits"]],
    "a.yaml": [["count", "a.yaml"], ["train", "a.yaml", "--data", "digits"]],
}  # fmt: skip


@pytest.mark.parametrize("name", list(TAGGED))
def test_code_in_yaml_is_refused(
    name: str, in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = Path(name)
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}more: {TAG}\n")
    for words in TAGGED[name]:
        line = refused(words, capfd)
        assert f"{name}: not valid YAML" in line
        assert "could not determine a constructor" in line


def test_aliases_within_aliases_take_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    levels = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30)]
    text = "\n".join(["x0: &x0 [a]", *levels])
    for field in ("width", "unit", "backbone"):
        rest = "" if field == "backbone" else "backbone: shufflenet_v2\n"
        Path("a.yaml").write_text(f"{text}\n{rest}{field}: *x29\n")
        assert f"a.yaml: {field}: Input should be" in refused(["count", "a.yaml"], capfd)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", ".", "a\0b", "x" * 101, "x" * 100_000, "a/b", "a\nb", "~"]
)
def test_a_name_that_leads_elsewhere_is_refused_by_every_command(
    name: str, in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begin = ["search", "--space", "quickstart", "--data", "digits", "--trials", "1", "--name", name]
    for words in (begin, ["search", "--resume", name], ["pareto", name], ["report", name]):
        line = refused(words, capfd)
        assert "run name" in line
        assert len(line) < 400


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["search", "--space", "quickstart", "--data", "digits", "--name", ""], "--name"),
        (["search", "--space", "quickstart", "--data", "digits", "--pretrained="], "--pretrained"),
        (["search", "--space", "", "--data", "digits"], "--space"),
        (["train", "first", "--pick", "knee", "--teacher", ""], "--teacher"),
        (["train", "first", "--pick", "knee", "--pretrained", " "], "--pretrained"),
        (["export", "first", "--pick", "knee", "--out", ""], "--out"),
        (["data", "check", "photos", "--network", ""], "--network"),
        (["data", "check", ""], "argument"),
        (["tables", ""], "argument"),
    ],
)
def test_empty_values_are_refused_by_every_command(
    words: list[str], named: str, in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert f"{named}: empty; give a value" in refused(words, capfd)


def test_the_name_in_a_run_cannot_lead_its_logs_elsewhere(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = Path("runs/first/search.yaml")
    path.write_text(path.read_text().replace("name: first", "name: ../../first", 1))
    line = refused(["search", "--resume", "first", "--trials", "3"], capfd)
    assert f"{path}: name: run name '../../first'" in line


def test_a_link_out_of_runs_is_refused(
    in_run: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    Path("runs/link").symlink_to(outside)
    Path("runs/dangling").symlink_to(outside / "none")
    for name in ("link", "dangling"):
        words = ["search", "--space", "quickstart", "--data", "digits", "--name", name]
        assert "a link that leads out of runs/" in refused(words, capfd)
        assert "a link that leads out of runs/" in refused(["search", "--resume", name], capfd)
    assert list(outside.iterdir()) == []
    # Within runs/ a link is another name; and all of runs/ may lie on another disk.
    Path("runs/latest").symlink_to("first")
    assert main(["pareto", "latest"]) == 0
    Path("runs").rename(outside / "moved")
    Path("runs").symlink_to(outside / "moved")
    assert main(["pareto", "first"]) == 0
