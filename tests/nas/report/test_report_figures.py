from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest

from nas.front import Front, hypervolume, make_front, pick_knee
from nas.report import read_material, render_report
from nas.report.figures.base import hover_text
from nas.runs import TrialState
from nas.searching import read_run
from nas.training import read_metrics
from nas.training.metrics import write_metrics
from tests.nas.report.page_reader import Page, trace
from tests.nas.report.report_runs import FakeSearch


def drawn(search: FakeSearch, section: str) -> list[dict[str, Any]]:
    return Page(render_report(read_material(search.run))).drawings(section)


def front_of(search: FakeSearch) -> Front:
    config, records = read_run(search.run)
    return make_front(records, config.objectives, config.reference or ())


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> FakeSearch:
    """Trained trials, and one in training; only read by the tests."""
    search = FakeSearch(tmp_path_factory.mktemp("runs"), settings={"trials": 20})
    search.train_some(14)
    running, _ = search.propose()
    search.curve(running.number, 0.3, epochs=2)
    return search


@pytest.fixture(scope="module")
def page(search: FakeSearch) -> Page:
    return Page(render_report(read_material(search.run)))


def test_front_is_make_front(search: FakeSearch, page: Page) -> None:
    (drawing,) = page.drawings("front")
    front = front_of(search)
    line = trace(drawing, "front")
    errors, mflops = zip(*(point.values for point in front.points), strict=True)
    assert line["x"] == pytest.approx(mflops)
    assert line["y"] == pytest.approx([100 * error for error in errors])
    assert line["line"]["shape"] == "hv"
    others = trace(drawing, "other trials")
    assert len(others["x"]) + len(line["x"]) == 14
    knee = pick_knee(front)
    ring = trace(drawing, "knee")
    assert ring["name"] == f"knee: trial {knee.trial}"
    assert (ring["x"][0], ring["y"][0]) == pytest.approx((knee.values[1], 100 * knee.values[0]))


def test_hover_names_trial_key_and_unit(search: FakeSearch, page: Page) -> None:
    line = trace(page.drawings("front")[0], "front")
    for point, text in zip(front_of(search).points, line["hovertext"], strict=True):
        assert f"<b>trial {point.trial}</b>" in text
        assert f"key: {point.key}" in text
        assert f"dilations: {list(point.spec.unit.dilations)}" in text


def test_hover_shows_tags_as_text() -> None:
    assert hover_text("<i>", ["</script>"]) == "<b>&lt;i&gt;</b><br>&lt;/script&gt;"
    assert html.unescape(hover_text("a", ['"'])) == '<b>a</b><br>"'


def test_one_figure_a_cost_and_no_line_in_a_projection(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path, objectives=("mflops", "error", "params"))
    search.train_some(6)
    drawings = drawn(search, "front")
    titles = [drawing["layout"]["xaxis"]["title"]["text"] for drawing in drawings]
    assert titles == ["multiply-adds (M)", "parameters"]
    expected = {point.trial: point.values for point in front_of(search).points}
    for column, drawing in zip((0, 2), drawings, strict=True):
        line = trace(drawing, "front")
        assert line["mode"] == "markers"
        assert sorted(line["x"]) == sorted(values[column] for values in expected.values())


def test_search_for_the_error_alone(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path, objectives=("error",))
    for error in (0.3, 0.2, 0.4):
        search.train(error)
    (drawing,) = drawn(search, "front")
    assert drawing["layout"]["xaxis"]["title"]["text"] == "trial"
    assert trace(drawing, "front")["x"] == [1]


@pytest.mark.parametrize(("largest", "kind"), [(9.0, None), (11.0, "log")])
def test_wide_costs_have_a_logarithmic_axis(tmp_path: Path, largest: float, kind: str) -> None:
    search = FakeSearch(tmp_path)
    for values in ([0.5, 1.0], [0.2, largest]):
        trial, _ = search.propose()
        search.study.tell(trial, values)
    (drawing,) = drawn(search, "front")
    assert drawing["layout"]["xaxis"].get("type") == kind


@pytest.mark.parametrize(("least", "kind"), [(0.06, None), (0.04, "log"), (0.0, None)])
def test_wide_errors_have_a_logarithmic_axis(tmp_path: Path, least: float, kind: str) -> None:
    search = FakeSearch(tmp_path)
    for values in ([0.5, 1.0], [least, 2.0]):
        trial, _ = search.propose()
        search.study.tell(trial, values)
    (drawing,) = drawn(search, "front")
    assert drawing["layout"]["yaxis"].get("type") == kind


def squeezed(folder: Path, *, dominated: bool) -> FakeSearch:
    """A search whose front lies within a few points, with networks far behind it or not."""
    search = FakeSearch(folder)
    for values in ([0.08, 1.0], [0.06, 2.0], [0.05, 3.0], [0.45 if dominated else 0.07, 2.5]):
        trial, _ = search.propose()
        search.study.tell(trial, values)
    return search


def test_networks_behind_the_front_do_not_squeeze_it(tmp_path: Path) -> None:
    page = Page(render_report(read_material(squeezed(tmp_path, dominated=True).run)))
    (drawing,) = page.drawings("front")
    low, high = drawing["layout"]["yaxis"]["range"]
    assert 4 < low < 5
    assert 8 < high < 9
    assert trace(drawing, "other trials")["y"] == [45.0]
    front, everyone = page.all("button", "front")
    assert (front.text, everyone.text) == ("Front", "All networks")
    assert json.loads(front.attributes["data-view"])["yaxis.range"] == [low, high]
    assert json.loads(everyone.attributes["data-view"])["yaxis.autorange"] is True


def test_a_front_that_fills_the_figure_has_one_view(tmp_path: Path) -> None:
    page = Page(render_report(read_material(squeezed(tmp_path, dominated=False).run)))
    assert page.all("button", "front") == []
    assert "range" not in page.drawings("front")[0]["layout"]["yaxis"]


def test_errors_of_the_front_have_their_intervals(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    search.train_some(6)
    assert "error_y" not in trace(drawn(search, "front")[0], "front")
    for one in search.study.trials:
        metrics = tuple(
            epoch.model_copy(update={"val_images": 288})
            for epoch in read_metrics(search.run.trial(one.number))
        )
        write_metrics(search.run.trial(one.number), metrics)
    material = read_material(search.run)
    line = trace(drawn(search, "front")[0], "front")
    for trial, value, above, below in zip(
        line["customdata"], line["y"], line["error_y"]["array"], line["error_y"]["arrayminus"],
        strict=True,
    ):  # fmt: skip
        rate = material.uncertainty.rates[trial]
        assert (value - below, value + above) == pytest.approx((100 * rate.low, 100 * rate.high))


def test_figures_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    for values in ([float("inf"), 1.0], [0.2, 3.0]):
        trial, _ = search.propose()
        search.study.tell(trial, values)
    (drawing,) = drawn(search, "front")
    assert trace(drawing, "front")["x"] == [3.0]
    assert trace(drawing, "other trials")["x"] == []


@pytest.mark.parametrize(
    ("data", "shape", "shown"),
    [
        ("imagefolder:/images", (1000, 3, 224), True),
        ("imagefolder:/images", (1000, 3, 160), False),
        ("imagefolder:/images", (37, 3, 224), False),
        ("cifar10", (1000, 3, 224), False),
    ],
)
def test_published_rows_beside_imagenet_only(
    tmp_path: Path, data: str, shape: tuple[int, int, int], shown: bool
) -> None:
    search = FakeSearch(tmp_path, shape=shape, settings={"data": data})
    search.train(0.9)
    page = Page(render_report(read_material(search.run)))
    rows = [one for one in page.drawings("front")[0]["data"] if one["name"] == "published"]
    assert bool(rows) == shown == ("CVPR 2019, Table 4" in page.section("front").text)
    if shown:
        assert rows[0]["x"] == [40.39, 40.85, 42.58, 140.35, 141.73, 145.66]
        assert rows[0]["y"] == pytest.approx([38.41, 36.34, 35.35, 30.57, 29.47, 28.36])


def test_hypervolume_grows_to_that_of_the_front(search: FakeSearch, page: Page) -> None:
    (drawing,) = page.drawings("hypervolume")
    config, records = read_run(search.run)
    values = [one.values for one in records if one.state is TrialState.TRAINED]
    expected = [hypervolume(values[:n], config.reference or ()) for n in range(1, len(values) + 1)]
    (line,) = drawing["data"]
    assert line["y"] == pytest.approx(expected)
    assert line["y"][-1] == pytest.approx(front_of(search).hypervolume)
    low, high = drawing["layout"]["yaxis"]["range"]
    assert low < min(expected) <= max(expected) < high


def test_curves_of_all_kinds_of_trials(search: FakeSearch, page: Page) -> None:
    (drawing,) = page.drawings("curves")
    front, knee = front_of(search), pick_knee(front_of(search))

    def trials(name: str) -> set[int]:
        texts = trace(drawing, name)["hovertext"]
        return {int(text.split("</b>")[0].split()[-1]) for text in texts if text}

    assert trials("knee") == {knee.trial}
    assert trials("front") == {point.trial for point in front.points} - {knee.trial}
    everyone = trials("knee") | trials("front") | trials("other trials")
    assert everyone == set(range(15))
    curve = trace(drawing, "knee")
    assert curve["x"] == [*range(1, search.config.recipe.epochs + 1), None]
    assert curve["y"][-2] == pytest.approx(100 * knee.values[0])


def test_importance_names_what_decides(page: Page) -> None:
    (drawing,) = page.drawings("importance")
    (bars,) = drawing["data"]
    assert bars["y"][-1] == "stem_stride"
    assert sum(bars["x"]) == pytest.approx(100)
    assert bars["x"] == sorted(bars["x"])


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ([], "Too few trials for this figure: 0 have an error, 8 are needed."),
        ([0.1, 0.2, 0.3], "Too few trials for this figure: 3 have an error, 8 are needed."),
        ([0.25] * 9, "All trials have the same error, so no parameter explains it."),
    ],
)
def test_importance_is_a_sentence_where_it_means_nothing(
    tmp_path: Path, errors: list[float], sentence: str
) -> None:
    search = FakeSearch(tmp_path)
    for error in errors:
        search.train(error)
    page = Page(render_report(read_material(search.run)))
    assert page.drawings("importance") == []
    assert sentence in page.section("importance").text


def test_importance_of_parameters_that_never_changed(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    _, spec = search.propose()
    for index in range(9):
        search.study.enqueue_trial(search.space.to_params(spec))
        search.train(0.2 + index / 100)
    assert drawn(search, "importance") == []
    material = read_material(search.run)
    assert material.importance.missing == (
        "No parameter explains the differences between the errors."
    )
