"""What each kind of mistake costs: the file, the metric, and what a run keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nas
from blocks.errors import InvalidInput
from blocks.yaml_files import dump_yaml, read_yaml
from nas.api.options import check_options, search_config
from nas.cli.main import main
from nas.runs import RunFolder
from nas.searching import read_config
from nas.training.class_metrics import mean_cost
from nas.training.cost_matrix import CostMatrix, read_costs
from nas.training.recipe import Recipe, metric_text

CATS = "true,dog,cat\ncat,1.5,0\ndog,0,20\n"
DIGITS = [str(digit) for digit in range(10)]


def write(folder: Path, text: str) -> Path:
    file = folder / "costs.csv"
    file.write_text(text, encoding="utf-8")
    return file


def digits_costs(folder: Path, dear: float = 5) -> Path:
    """Every mistake costs 1, but to take a 7 for a 1 costs ``dear``."""
    lines = [",".join(["", *DIGITS])]
    for label in DIGITS:
        costs = [
            "0" if label == one else f"{dear:g}" if (label, one) == ("7", "1") else "1"
            for one in DIGITS
        ]
        lines.append(",".join([label, *costs]))
    return write(folder, "\n".join(lines) + "\n")


@pytest.mark.parametrize("text", [CATS, CATS.replace(",", ";"), CATS.replace(",", "\t")])
def test_rows_are_true_classes_and_columns_predicted_ones(tmp_path: Path, text: str) -> None:
    costs = read_costs(write(tmp_path, "\ufeff" + text))
    assert costs.of(("dog", "cat")) == ((0, 20), (1.5, 0))
    assert costs.of(("cat", "dog")) == ((0, 1.5), (20, 0))
    assert costs.largest == 20
    # The order of rows and columns in the file makes no difference.
    assert costs == read_costs(write(tmp_path, "x,cat,dog\ndog,20,0\ncat,0,1.5\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; expected a line with the predicted classes"),
        (",cat,dog\n", "no rows"),
        (",cat,dog\ncat,0,1\n", "'dog': not both a row and a column"),
        (",cat,dog\ncat,0,1\ncow,1,0\n", "'cow', 'dog': not both"),
        (",cat,dog\ncat,0,1\ndog,1\n", "row 'dog' has 1 cost; expected 2"),
        (",cat,dog\ncat,0,1,2\ndog,1,0\n", "row 'cat' has 3 costs; expected 2"),
        (",cat,dog\ncat,0,-1\ndog,1,0\n", "cost of 'dog' for an image of 'cat': -1; allowed: 0 or"),
        (",cat,dog\ncat,0,much\ndog,1,0\n", "'much'; expected a number"),
        (",cat,dog\ncat,0,\ndog,1,0\n", "''; expected a number"),
        (",cat,dog\ncat,0,nan\ndog,1,0\n", "nan; allowed: 0 or more"),
        (",cat,dog\ncat,0,inf\ndog,1,0\n", "inf; allowed: 0 or more"),
        (",cat,dog\ncat,1,1\ndog,1,0\n", "cost of 'cat' for an image of 'cat': 1; allowed: 0"),
        (",cat,dog\ncat,0,0\ndog,0,0\n", "every cost is 0"),
        (",cat,dog,dog\ncat,0,1,1\ndog,1,0,0\n", "'dog': more than once among the columns"),
        (",cat,dog\ncat,0,1\ndog,1,0\ndog,1,0\n", "'dog': more than once among the rows"),
        (",cat\ncat,0\n", "two classes or more"),
        (',"cat,dog\n', "costs.csv: "),
    ],
)
def test_a_file_that_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_costs(write(tmp_path, text))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'costs.csv'}: ")
    assert said in message
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        read_costs(tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_costs(tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_costs(tmp_path / "binary.csv")


def test_costs_of_other_classes_are_refused() -> None:
    costs = CostMatrix(classes=("cat", "dog"), rows=((0, 1), (2, 0)))
    with pytest.raises(InvalidInput, match="missing: 'emu'; not in the data: 'cat'"):
        costs.of(("dog", "emu"))


def test_a_recipe_keeps_the_costs_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, CATS)
    given = {"space": "quickstart", "data": "digits", "costs": file}
    recipe = search_config(given).recipe
    assert (recipe.metric, recipe.worst) == ("cost", 20)
    file.unlink()
    (tmp_path / "recipe.yaml").write_text(dump_yaml(recipe))
    assert Recipe.model_validate(read_yaml(tmp_path / "recipe.yaml")) == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_metric_and_costs_belong_together(tmp_path: Path) -> None:
    file = write(tmp_path, CATS)
    given = {"space": "quickstart", "data": "digits"}
    with pytest.raises(InvalidInput, match="costs: missing with metric cost; give a CSV file"):
        search_config({**given, "metric": "cost"})
    with pytest.raises(InvalidInput, match="costs: given with metric error"):
        search_config({**given, "metric": "error", "costs": file})
    nothing = dict.fromkeys(("recipe", "start", "keep", "patience"))
    assert check_options({**nothing, "devices": 1, "costs": str(file)}).metric == "cost"
    with pytest.raises(InvalidInput, match="costs: missing"):
        check_options({**nothing, "devices": 1, "metric": "cost"})


def test_the_mean_cost_and_its_interval() -> None:
    table = np.array([[90, 10], [2, 48]])
    rate = mean_cost(table, np.array([[0, 1.0], [10.0, 0]]))
    assert rate.value == pytest.approx((10 * 1 + 2 * 10) / 150)
    assert 0 < rate.low < rate.value < rate.high
    # Costs that are all 1 are the error.
    plain = mean_cost(table, 1 - np.eye(2))
    wanted = nas_error(12, 150)
    assert (plain.value, plain.low, plain.high) == pytest.approx(wanted)
    # Without a mistake the largest cost is what there is to fear.
    assert mean_cost(np.diag([20, 20]), np.array([[0, 1.0], [10.0, 0]])).high == pytest.approx(
        10 * nas_error(0, 40)[2]
    )


def nas_error(count: int, images: int) -> tuple[float, float, float]:
    from nas.evaluation import wilson

    rate = wilson(count, images)
    return rate.value, rate.low, rate.high


def test_figures_have_their_unit() -> None:
    assert metric_text("cost", 1.25) == "1.2500 per image"
    assert metric_text("balanced_error", 0.125) == "12.50 %"


@pytest.mark.integration
def test_a_search_for_the_least_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From the search to the evaluation, with a file that is gone after the first command."""
    monkeypatch.chdir(tmp_path)
    file = digits_costs(tmp_path, 30)
    command = (
        "search --space quickstart --data digits --limit 200 --recipe tiny --epochs 1 --trials 1 "
        f"--threads 1 --sampler tpe --balance sampling --costs {file} --name dear"
    )
    assert main(command.split()) == 0
    file.unlink()
    capfd.readouterr()
    assert main(["search", "--resume", "dear", "--trials", "2"]) == 0
    assert "mean cost" in capfd.readouterr().out
    run = RunFolder.existing("dear")
    config = read_config(run)
    assert config.recipe.costs is not None
    assert config.reference_point[0] == 30

    assert main(["pareto", "dear", "--json"]) == 0
    first = json.loads(capfd.readouterr().out)["front"][0]
    low, high = first["error_interval"]
    error = first["values"]["error"]
    assert low < error < high
    assert main(["pareto", "dear"]) == 0
    out = capfd.readouterr().out
    assert f"{error:.4f}" in out
    assert f"({low:.3f} to" in out
    assert "validation mean cost (per image)" in nas.open_run("dear").report().read_text()

    words = "train dear --trial 0 --recipe tiny --epochs 1 --threads 1 --keep best"
    assert main(words.split()) == 0
    out = capfd.readouterr().out
    assert "validation mean cost" in out
    assert "test mean cost" in out
    result = json.loads(run.full_training("0000").result.read_text())
    low, high = result["test_interval"]
    assert low <= result["test_metric"] <= high
    found = nas.open_run("dear").evaluate(0).figures.cost
    assert found is not None
    assert found.value == pytest.approx(result["test_metric"], abs=1e-5)

    # Other costs belong to another training, and to no search that goes on.
    other = digits_costs(tmp_path, 2)
    assert main([*words.split(), "--costs", str(other)]) == 2
    assert "belongs to another training (other recipe)" in capfd.readouterr().err
    assert main(["search", "--resume", "dear", "--costs", str(other)]) == 2
    assert "--costs cannot change when a search is resumed" in capfd.readouterr().err
    assert main(["evaluate", "dear", "--trial", "0", "--costs", str(write(tmp_path, CATS))]) == 2
    assert "costs: missing: '0', '1', '2' and 7 more" in capfd.readouterr().err
    begin = "search --space quickstart --data digits --costs costs.csv --name none"
    assert main(begin.split()) == 2
    assert "costs: missing: '0'" in capfd.readouterr().err
    assert not Path("runs", "none").exists()
