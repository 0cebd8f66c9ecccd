"""From options and a file of settings to a SearchConfig."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nas
from blocks import InvalidInput
from blocks.yaml_files import dump_yaml, parse, read_yaml
from nas.api.options import resume_changes, search_config
from nas.runs.folder import RunFolder
from nas.searching import SearchConfig, read_config
from nas.searching.execution import Execution
from nas.training import RECIPES

MINIMAL: dict[str, Any] = {"space": "quickstart", "data": "digits"}


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_two_options_are_enough() -> None:
    config = search_config(MINIMAL)
    assert config.name == "quickstart-digits"
    assert config.objectives == ("error", "mflops")
    assert config.recipe == RECIPES["proxy"]
    assert config.budgets.is_empty


def test_the_networks_of_a_device_class_are_exported_for_it() -> None:
    def target(**options: Any) -> str:
        return search_config({**MINIMAL, **options}).export_target

    assert target() == "onnx"
    assert target(limits={"sram_kb": 100}) == "tflm"
    assert target(objectives="error,flash_kb") == "tflm"
    assert target(device_class="ethos-u55-128", limits={"sram_kb": 100}) == "ethos_u"


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(
        InvalidInput, match=r"^device_class: 'ethos-u99'; allowed: tflm, ethos-u55-32, "
    ):
        search_config({**MINIMAL, "device_class": "ethos-u99"})


def test_options_win_over_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "space: quickstart\ndata: {name: digits, limit: 100}\ntrials: 7\nseed: 3\n"
        "recipe: {name: tiny, epochs: 5}\nbudgets: {max_mflops: 4, max_params: 1000000}\n",
    )
    config = search_config(
        {"config": path, "trials": 9, "epochs": 2, "max_mflops": 3.0, "scale_jitter": 0.5}
    )
    assert (config.trials, config.seed) == (9, 3)
    assert config.recipe == RECIPES["tiny"].model_copy(update={"epochs": 2})
    assert (config.data.limit, config.data.scale_jitter) == (100, 0.5)
    assert (config.budgets.max_mflops, config.budgets.max_params) == (3.0, 1e6)


def test_a_plain_name_in_the_file_takes_options_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, "space: quickstart\ndata: digits\nrecipe: tiny\n")
    config = search_config({"config": path, "limit": 50, "lr": 0.01})
    assert config.data.limit == 50
    assert config.recipe == RECIPES["tiny"].model_copy(update={"lr": 0.01})


def test_the_side_of_photographs_is_an_option() -> None:
    config = search_config({**MINIMAL, "data": "imagefolder:photos", "input_size": 96})
    assert config.data.input_size == 96
    with pytest.raises(InvalidInput, match=r"^input_size: Input should be greater"):
        search_config({**MINIMAL, "input_size": 0})


def test_a_space_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "data: digits\nspace: {name: mine, about: two widths, fixed: {backbone: mobilenet_v2}, "
        "vary: {width: {choice: [0.35, 0.5]}}}\n",
    )
    assert search_config({"config": path}).name == "mine-digits"


@pytest.mark.parametrize(
    "text", ["workers: 3\nthreads: 2\n", "execution: {workers: 3}\nthreads: 2\n"]
)
def test_fields_of_execution_may_stand_beside_the_others(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"space: quickstart\ndata: digits\n{text}")
    config = search_config({"config": path})
    assert config.execution == Execution(workers=3, threads=2)
    config = search_config({"config": path, "workers": 4, "logs_dir": "logs"})
    assert config.execution == Execution(workers=4, threads=2, logs_dir=Path("logs"))


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (
            "execution: {colour: 1}",
            {},
            "execution.colour: unknown field; allowed: workers, threads",
        ),
        ("execution: ray", {}, "execution: Input should be"),
        ("execution: 3", {"workers": 2}, "execution: expected a mapping of fields, got int"),
        ("execution: [3]\nworkers: 2", {}, "execution: Input should be"),
        ("workers: 0", {}, "execution.workers: Input should be greater than or equal to 1, got 0"),
        ("", {"threads": 0}, "^threads: Input should be greater than or equal to 1, got 0"),
        ("", {"checkpoints": "s3://x"}, "^checkpoints: trainings on this machine need no store"),
        ("", {"storage": "nonsense"}, "^storage: not the address of a database"),
    ],
)
def test_a_wrong_execution_is_named_as_it_was_written(
    tmp_path: Path, text: str, given: dict[str, Any], message: str
) -> None:
    path = written(tmp_path, text or "{}")
    with pytest.raises(InvalidInput, match=message):
        search_config({**MINIMAL, "config": path, **given})


def test_objectives_are_a_list_with_commas() -> None:
    config = search_config({**MINIMAL, "objectives": "error,params,activations"})
    assert config.objectives == ("error", "params", "activations")


def test_the_resolved_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = search_config({**MINIMAL, "max_mflops": 3.0, "recipe": "tiny", "threads": 2})
    path = written(tmp_path, dump_yaml(config))
    assert parse(SearchConfig, read_yaml(path), str(path)) == config


def test_what_decides_the_search_cannot_change_when_it_is_resumed() -> None:
    run = RunFolder(Path("runs/first"))
    assert resume_changes({"trials": 9, "workers": 3}, run) == {"trials": 9, "workers": 3}
    with pytest.raises(InvalidInput, match="max_mflops cannot change"):
        resume_changes({"max_mflops": 3.0}, run)


def test_a_resumed_search_changes_its_execution(tmp_path: Path) -> None:
    config = search_config({**MINIMAL, "workers": 2, "threads": 1})
    kept = config.model_copy(update={"reference": (1.0, 9.0)})
    run = RunFolder(tmp_path)
    run.config.write_text(dump_yaml(kept))
    assert read_config(run) == kept
    changed = read_config(run, {"workers": 5, "trials": 7})
    assert changed.execution == Execution(workers=5, threads=1)
    assert changed.model_copy(update={"execution": kept.execution, "trials": kept.trials}) == kept
    with pytest.raises(InvalidInput, match=r"^workers: Input should be"):
        read_config(run, {"workers": 5000})


STORED = """
data: {name: here/own.py:images, limit: 9}
sampler: here/own.py:sampler
module: package.part:Focal
evaluator: here/own.py:evaluate
own_objectives:
- {name: depth, reference: 'here/own.py:depth', unit: blocks}
- {name: flash_kib, reference: 'flash.py:flash', unit: KiB}
"""


def run_with(folder: Path, text: str) -> RunFolder:
    run = RunFolder(folder)
    run.config.write_text(text)
    return run


@pytest.mark.parametrize(
    ("option", "value", "changes"),
    [
        ("data", "there/own.py:images", {"data": {"name": "there/own.py:images", "limit": 9}}),
        ("sampler", "other.py:sampler", {"sampler": "other.py:sampler"}),
        ("module", "renamed.part:Focal", {"module": "renamed.part:Focal"}),
        ("evaluator", "installed:evaluate", {"evaluator": "installed:evaluate"}),
        (
            "objectives",
            "error,there/own.py:depth",
            {
                "own_objectives": [
                    {"name": "depth", "reference": "there/own.py:depth", "unit": "blocks"},
                    {"name": "flash_kib", "reference": "flash.py:flash", "unit": "KiB"},
                ]
            },
        ),
    ],
)
def test_a_plugin_that_was_moved_is_given_again_when_the_search_is_resumed(
    option: str, value: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    assert resume_changes({option: value}, run_with(tmp_path, STORED)) == changes


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("data", "here/own.py:others"),
        ("data", "digits"),
        ("data", "imagefolder:images"),
        ("sampler", "here/own.py:other"),
        ("module", "package.part:Mixup"),
        ("evaluator", "here/own.py:other"),
        ("objectives", "error,mflops"),
        ("objectives", "error,here/own.py:width"),
    ],
)
def test_another_plugin_is_another_search(option: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"^{option} cannot change when a search is ") as caught:
        resume_changes({option: value}, run_with(tmp_path, STORED))
    has, allowed = str(caught.value).split("; this one has ")[1].split("; allowed: ")
    names = [one.rpartition(":")[2] for one in has.split(", ")]
    places = " or ".join(f"FILE.py:{name}" for name in names)
    assert allowed == f"the same plug-in in its new place, {places}"


def test_objectives_of_a_run_may_be_given_again(tmp_path: Path) -> None:
    again = {"objectives": "error,here/own.py:depth"}
    assert resume_changes(again, run_with(tmp_path, STORED)) == {}


def test_a_search_without_plugins_takes_none_when_it_is_resumed(tmp_path: Path) -> None:
    run = run_with(tmp_path, "data: {name: digits}\nsampler: tpe\n")
    for option in ("data", "sampler", "module", "evaluator", "objectives"):
        with pytest.raises(InvalidInput, match=r"cannot change .*; allowed: leave it out$"):
            resume_changes({option: "own.py:tpe"}, run)


@pytest.mark.parametrize("name", ["pretrained", "teacher", "data_dir", "splits", "name"])
def test_an_empty_text_is_no_value(name: str) -> None:
    spec = nas.ArchSpec(backbone="shufflenet_v2", width=0.5)
    empty: dict[str, Any] = {name: ""}
    with pytest.raises(InvalidInput, match=f"^{name}: empty; give a value"):
        nas.train(spec, data="digits", **empty)


@pytest.mark.parametrize("name", ["pretrained", "splits", "name", "config"])
def test_an_empty_text_is_no_value_of_a_search(name: str) -> None:
    empty: dict[str, Any] = {"name": "new", name: ""}
    with pytest.raises(InvalidInput, match=f"^{name}: empty; give a value"):
        nas.search("quickstart", data="digits", **empty)
