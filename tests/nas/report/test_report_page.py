from __future__ import annotations

from pathlib import Path

import pytest

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cost import COSTS
from nas.front import make_front, pick_knee
from nas.report import read_material, render_report, write_report
from nas.runs import RunFolder, TrialState
from nas.searching import read_run
from tests.nas.report.page_reader import Page
from tests.nas.report.report_runs import REFERENCE, FakeSearch

SECTIONS = [
    "front", "picked", "points", "budgets", "networks", "hypervolume", "importance", "curves",
    "failures",
]  # fmt: skip
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }}'


def page_of(search: FakeSearch) -> Page:
    return Page(render_report(read_material(search.run)))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> FakeSearch:
    """A run with every outcome, still going on; only read by the tests."""
    budgets = {"max_mflops": 3.5, "max_params": 1e7}
    folder = tmp_path_factory.mktemp("runs")
    search = FakeSearch(folder, settings={"trials": 30, "budgets": budgets})
    search.train_some(12)
    search.fail("CUDA out of memory")
    refused = [search.refuse("mflops 9 > 3.5") for _ in range(8)]
    assert len(refused) == 8
    search.replay(0)
    search.propose()
    return search


@pytest.fixture(scope="module")
def page(full: FakeSearch) -> Page:
    return page_of(full)


def test_written_where_the_run_says(full: FakeSearch) -> None:
    path = write_report(full.run)
    assert path == full.run.report
    assert path.read_text(encoding="utf-8") == render_report(read_material(full.run))


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    loading = {"src", "href", "srcset", "action", "data", "poster", "background"}
    led = {f"#{one.attributes['id']}" for one in page.elements if "id" in one.attributes}
    found = [one for one in page.elements if loading & one.attributes.keys()]
    assert [one for one in found if one.tag != "a" or one.attributes["href"] not in led] == []
    assert page.all("link") == page.all("iframe") == page.all("base") == []
    assert [style.text for style in page.all("style") if "url(" in style.text] == []
    assert len(page.all("script")) == 2


def test_page_may_run_its_own_scripts_only(page: Page) -> None:
    (policy,) = [
        one.attributes["content"]
        for one in page.all("meta")
        if "content" in one.attributes
        and one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 2
    assert "http" not in policy


def test_frame_of_the_page(page: Page) -> None:
    (root,) = [one for one in page.elements if one.tag == "html"]
    assert root.attributes["lang"] == "en"
    assert [title.text for title in page.all("title")] == ["first: search report"]
    assert any(
        "width=device-width" in one.attributes.get("content", "") for one in page.all("meta")
    )
    ids = [one.attributes["id"] for one in page.all("section")]
    assert ids == SECTIONS


def test_head_says_what_was_searched_and_what_came_of_it(full: FakeSearch, page: Page) -> None:
    head = page.section("summary").text
    for fact in ("digits", "quickstart", "16 x 16 pixels, 10 classes", "error, mflops", "forecast"):
        assert fact in head
    assert "mflops at most 3.5; params at most 10,000,000" in head
    assert "12 trained, 8 infeasible, 1 duplicate, 1 failed, 0 running, 1 queued." in head
    assert "17 of 30 trainings have not ended" in head
    config, records = read_run(full.run)
    front = make_front(records, config.objectives, config.reference or ())
    assert f"Hypervolume {front.hypervolume:.4f} of 1" in head
    assert "validation error" in head
    assert f"{config.recipe.epochs} epochs with one seed" in head


def test_picked_network_can_be_taken_from_the_page(
    full: FakeSearch, page: Page, tmp_path: Path
) -> None:
    config, records = read_run(full.run)
    knee = pick_knee(make_front(records, config.objectives, config.reference or ()))
    commands, yaml = (
        "".join(code.pieces) for code in page.all("code", "picked") if "pre" in code.path
    )
    assert yaml.strip() == knee.spec.to_yaml().strip()
    copied = tmp_path / "copied.yaml"
    copied.write_text(yaml, encoding="utf-8")
    assert ArchSpec.from_yaml(copied).key == knee.key
    assert commands.splitlines() == [
        f"nas train first --trial {knee.trial}",
        f"nas export first --trial {knee.trial} --targets onnx",
    ]
    assert knee.key in page.section("picked").text


def test_every_trained_network_can_be_taken_from_the_page(full: FakeSearch, page: Page) -> None:
    config, records = read_run(full.run)
    trained = [one for one in records if one.state is TrialState.TRAINED]
    articles = [one.attributes["id"] for one in page.all("article", "networks")]
    assert articles == [f"trial-{one.number}" for one in trained]
    front = make_front(records, config.objectives, config.reference or ())
    members = {point.trial for point in front.points}
    for one in trained:
        codes = ["".join(c.pieces).strip() for c in page.all("code", f"trial-{one.number}")]
        assert codes[0] == one.key
        assert codes[1].startswith(f"nas train first --trial {one.number}\n")
        assert codes[2] == one.spec.to_yaml().strip()
        heads = [h.text for h in page.all("h3", f"trial-{one.number}")]
        assert ("behind" in heads[0]) == (one.number not in members)


def test_table_has_the_front_row_by_row(full: FakeSearch, page: Page) -> None:
    config, records = read_run(full.run)
    front = make_front(records, config.objectives, config.reference or ())
    rows = [one for one in page.all("tr", "points") if "tbody" in one.path]
    trials = [
        int(one.attributes["data-value"])
        for one in page.all("th", "points")
        if "data-value" in one.attributes
    ]
    assert trials == [point.trial for point in front.points]
    assert [row.attributes.get("class") for row in rows].count("picked") == 1
    cells = [one.attributes["data-value"] for one in page.all("td", "points")]
    width = len(cells) // len(rows)
    for index, point in enumerate(front.points):
        row = cells[index * width : (index + 1) * width]
        assert [float(value) for value in row[:2]] == list(point.values)
        assert row[-1] == point.key
    heads = [one.text for one in page.all("button", "points")]
    assert len(heads) == width + 1
    assert heads[:4] == ["trial", "validation error (%)", "multiply-adds (M)", "stem_stride"]


def test_budgets_have_the_best_error_within_them(full: FakeSearch, page: Page) -> None:
    config, records = read_run(full.run)
    best = make_front(records, config.objectives, config.reference or ()).best_within()
    led = [one.text for one in page.all("a", "budgets")]
    assert led == [str(one.point.trial) for one in best]
    cells = [one.text for one in page.all("td", "budgets")]
    assert [float(text.split()[0]) for text in cells[::2]] == pytest.approx(
        [100 * one.error for one in best], abs=0.006
    )


def test_field_without_effect_is_not_shown_as_a_choice(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    trial, spec = search.propose()
    while len(spec.unit.dilations) > 1:
        trial, spec = search.propose()
    search.study.tell(trial, [0.1, 1.0])
    row = [one.text for one in page_of(search).all("td", "points")]
    assert row[-3:] == ["\N{EN DASH}", "\N{EN DASH}", spec.key]  # reduction, min_dim, key


def test_failures_and_refusals(full: FakeSearch, page: Page) -> None:
    section = page.section("failures").text
    assert "CUDA out of memory" in section
    assert "Infeasible proposals: 8" in section
    limits = [one.text for one in page.all("li", "failures")]
    config, records = read_run(full.run)
    over = sum(
        bool(config.budgets.violations(r.spec)) for r in records if r.state is TrialState.INFEASIBLE
    )
    assert limits == [
        f"mflops at most 3.5: {over} infeasible",
        "params at most 10,000,000: 0 infeasible",
    ]


def test_long_list_of_failures_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.report.tables.SHOWN_FAILURES", 2)
    search = FakeSearch(tmp_path)
    for index in range(5):
        search.fail(f"broken {index}")
    page = page_of(search)
    assert len([one for one in page.all("tr", "failures") if "tbody" in one.path]) == 2
    assert "The first 2 of 5 failed trainings are shown." in page.section("failures").text


def test_empty_run(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    page = page_of(search)
    assert [one.attributes["id"] for one in page.all("section")] == SECTIONS
    assert [page.drawings(name) for name in SECTIONS] == [[]] * len(SECTIONS)
    assert "12 of 12 trainings have not ended" in page.section("summary").text
    assert "No trial has been trained yet." in page.section("front").text
    assert "nas train" not in page.section("picked").text


def test_run_with_failures_only(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    number = search.fail("no space left on device")
    search.curve(number, 0.4, epochs=2)
    page = page_of(search)
    assert page.drawings("front") == []
    assert len(page.drawings("curves")) == 1
    assert "no space left on device" in page.section("failures").text


def test_single_trained_trial(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    search.train(0.25, epochs=1)
    page = page_of(search)
    assert len(page.drawings("front")) == len(page.drawings("hypervolume")) == 1
    assert "nas train first --trial 0" in page.section("picked").text


def test_finished_run_is_not_called_unfinished(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path, settings={"trials": 2})
    search.train(0.3)
    search.fail("broken")
    assert "not finished" not in page_of(search).section("summary").text


def test_the_unit_of_ones_own_objective_is_shown_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REFERENCE, "depth", 30.0)
    own = {"name": "depth", "reference": "nowhere.package:depth", "unit": "blocks"}
    search = FakeSearch(tmp_path, objectives=("error", "depth"), settings={"own_objectives": [own]})
    monkeypatch.setitem(COSTS, "depth", lambda spec: 16.0)  # as it was when the search ran
    search.train(0.3)
    monkeypatch.delitem(COSTS, "depth")
    page = page_of(search)
    assert "depth (blocks)" in page.section("points").text
    (figure,) = page.drawings("front")
    assert "depth (blocks)" in str(figure)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    settings = {"data": HOSTILE, "space": {"name": HOSTILE, "fixed": {"backbone": "shufflenet_v2"}}}
    search = FakeSearch(tmp_path, settings=settings)
    search.train_some(3)
    search.fail(HOSTILE)
    page = page_of(search)
    assert len(page.all("script")) == 2
    assert page.all("img") == []
    assert page.section("summary").text.count(HOSTILE) == 2
    assert page.section("failures").text.count(HOSTILE) == 1


def test_hostile_name_of_a_run(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    search.train(0.3)
    name = "<script>alert(1)<script> & 'more'"
    search.run.path.rename(tmp_path / name)
    page = Page(render_report(read_material(RunFolder(tmp_path / name))))
    assert len(page.all("script")) == 2
    assert [one.text for one in page.all("h1")] == [name]
    commands = page.all("code", "pre")[0].text
    assert commands.startswith(
        "nas train '<script>alert(1)<script> & '\"'\"'more'\"'\"'' --trial 0"
    )


def test_damaged_run_is_refused(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path)
    search.run.config.write_text("name: [", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"search\.yaml"):
        write_report(search.run)
    assert not search.run.report.exists()
