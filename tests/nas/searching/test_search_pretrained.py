"""Searches that start from pretrained weights: what is kept, continued, trained in full and exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import nas
from blocks import ArchSpec, InvalidInput, UnitSpec, build
from nas.api.options import search_config
from nas.cli.main import main
from nas.exporting import Manifest
from nas.runs import RunFolder
from nas.searching import SearchConfig, read_config
from nas.training import TrainJob, read_info

PLAIN = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=7, input_size=32, unit=UnitSpec(kind="none")
)
SEARCH = [
    "search", "--space", "quickstart", "--data", "digits", "--recipe", "tiny", "--name", "s",
    "--threads", "1", "--limit", "128",
]  # fmt: skip
TRAIN = ["train", "s", "--trial", "0", "--recipe", "tiny", "--epochs", "1", "--threads", "1"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_weights(path: str = "w.pt") -> None:
    torch.save(build(PLAIN).state_dict(), path)


def refusal(capfd: pytest.CaptureFixture[str]) -> str:
    (line,) = capfd.readouterr().err.strip().splitlines()
    return line


@pytest.mark.integration
def test_from_a_file_to_the_model_card(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_weights()
    words = [*SEARCH, "--pretrained", "w.pt", "--trials", "1", "--epochs", "1"]
    assert main(words) == 0
    said = capfd.readouterr()
    assert "shufflenet_v2 0.5: starts from w.pt; the classifier is fresh" in said.out + said.err
    run = RunFolder.existing("s")
    config = read_config(run)
    assert config.pretrained is not None
    (weights,) = config.pretrained.weights
    job = TrainJob.model_validate_json(run.trial(0).job.read_text())
    assert (job.pretrained, job.origin) == (weights.file, weights.origin)
    info = read_info(run.trial(0).checkpoint)
    assert info.origin == weights.origin
    assert info.pretrained == weights.sha256

    caplog.set_level("INFO", "nas.recipe")  # which the command prints where nobody else listens
    assert main(TRAIN) == 0
    assert "starts from w.pt" in caplog.text
    full = read_info(run.full_training("0000").checkpoint)
    assert (full.pretrained, full.start) == (weights.sha256, job.start)

    assert main(["export", "s", "--trial", "0", "--targets", "onnx"]) == 0
    (bundle,) = (run.path / "export").iterdir()
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_text())
    assert manifest.pretrained == weights.origin
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "| started from | w.pt; licence: unknown; SHA-256 `" in card

    capfd.readouterr()
    write_weights()  # other random numbers
    for command in (
        ["search", "--resume", "s", "--trials", "2"],
        TRAIN,
    ):
        assert main(command) == 2
        assert "w.pt: other weights than at the beginning (SHA-256 " in refusal(capfd)


@pytest.mark.integration
def test_a_search_that_goes_on_keeps_its_weights() -> None:
    write_weights()
    run = nas.search(
        "quickstart", data="digits", recipe="tiny", epochs=1, trials=1, pretrained="w.pt", name="s",
        threads=1, limit=128, progress=False,
    )  # fmt: skip
    run = nas.search(resume=run, trials=2, progress=False)
    jobs = [json.loads(path.read_text()) for path in run.folder.path.glob("trials/*/job.json")]
    assert len(jobs) == 2
    assert len({job["origin"]["sha256"] for job in jobs}) == 1
    assert main([*TRAIN, "--pretrained", "none"]) == 0
    assert read_info(run.folder.full_training("0000").checkpoint).pretrained is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pretrained", "nowhere"], "nowhere: no such file, folder or run; allowed: imagenet"),
        (["--pretrained", "text.pt"], "text.pt: not a file of weights"),
        (["--pretrained", "empty"], "shufflenet_v2 at width 0.5: no weights in empty; wanted: "),
        (["--pretrained", "w.pt", "--inherit", "2"], "inherit starts from the plain network"),
        (["--pretrained-missing", "scratch"], "pretrained_missing: only with pretrained"),
        (["--pretrained", "w.pt", "--pretrained-missing", "maybe"], "refuse"),
    ],
)
def test_refusals_write_nothing(
    words: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_weights()
    Path("text.pt").write_text("text")
    Path("empty").mkdir()
    assert main([*SEARCH, *words]) == 2
    assert message in refusal(capfd)
    assert not Path("runs").exists()


def config_of(**given: object) -> SearchConfig:
    return search_config({"space": "quickstart", "data": "digits", "recipe": "tiny", **given})


def test_parent_is_another_word_for_inherit() -> None:
    whole = config_of(pretrained="parent", epochs=4)
    assert (whole.inherit, whole.pretrained, whole.epochs, whole.recipe.epochs) == (4, None, 4, 4)
    short = config_of(pretrained="parent", epochs=4, inherit=2)
    assert (short.inherit, short.epochs) == (2, 2)
    assert short == config_of(epochs=4, inherit=2)


def test_a_file_of_settings_may_name_the_source_alone() -> None:
    Path("c.yaml").write_text("{space: quickstart, data: digits, pretrained: imagenet}")
    for given in ({}, {"pretrained_missing": "scratch"}):
        start = search_config({"config": "c.yaml", **given}).pretrained
        assert start is not None
        assert (start.source, start.missing) == (
            "imagenet",
            given.get("pretrained_missing", "refuse"),
        )


def test_weights_in_a_store_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"pretrained weights is on this machine"):
        config_of(pretrained="imagenet", executor="ray", checkpoints="/mnt/store")
