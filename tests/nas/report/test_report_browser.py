"""The page in a real browser, with a mouse, a keyboard and a finger."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nas.report import Material, read_material, write_report
from nas.report.figures.base import ACCENT
from tests.nas.report.browser import ABSENT, BROWSER, Tab
from tests.nas.report.report_runs import FakeSearch

HOSTILE = "</script><script>alert(1); document.title = 'broken into'</script>"
ACROSS, PHONE = 1280, 390
SEEN = "[...document.querySelectorAll('article')].filter(a => a.checkVisibility()).map(a => a.id)"
TEXTS = """[...document.querySelectorAll('main *')]
    .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => ({text: e.textContent.trim().slice(0, 40), size: parseFloat(getComputedStyle(e).fontSize),
                drawn: e instanceof SVGElement, ...e.getBoundingClientRect().toJSON()}))"""
TARGETS = """[...document.querySelectorAll('a, button, summary')].filter(e => e.checkVisibility())
    .map(e => ({text: e.textContent.trim(), ...e.getBoundingClientRect().toJSON()}))"""

WIDTHS = "[innerWidth, document.documentElement.scrollWidth]"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BROWSER is None, reason=ABSENT),
]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> FakeSearch:
    """A run with trained and failed trials; only read by the tests."""
    settings = {"trials": 16, "budgets": {"max_mflops": 5}}
    search = FakeSearch(tmp_path_factory.mktemp("runs"), settings=settings)
    search.train_some(12)
    search.curve(search.fail("CUDA out of memory"), 0.4, epochs=2)
    write_report(search.run)
    return search


@pytest.fixture(scope="module")
def material(search: FakeSearch) -> Material:
    return read_material(search.run)


@pytest.fixture(scope="module")
def mouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with Tab(tmp_path_factory.mktemp("browser") / "profile", ACROSS, 900) as tab:
        yield tab


@pytest.fixture(scope="module")
def finger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with Tab(tmp_path_factory.mktemp("phone") / "profile", PHONE, 844, touch=True) as tab:
        yield tab


def gives(tab: Tab, expression: str, value: object) -> bool:
    """Whether an expression has this value in a tab."""
    return bool(tab.run(expression) == value)


@pytest.fixture
def desktop(mouse: Tab, search: FakeSearch) -> Iterator[Tab]:
    """The page, newly opened on a wide screen."""
    mouse.open(search.run.report.absolute().as_uri())
    yield mouse
    assert mouse.errors == []


@pytest.fixture
def phone(finger: Tab, search: FakeSearch) -> Iterator[Tab]:
    """The page, newly opened on a phone."""
    finger.open(search.run.report.absolute().as_uri())
    yield finger
    assert finger.errors == []


def point(section: str, trace: int, index: int) -> str:
    """A point of a figure, as an expression."""
    traces = f"document.querySelectorAll('#{section} .scatterlayer .trace')[{trace}]"
    return f"{traces}.querySelectorAll('.point')[{index}]"


def column(tab: Tab, index: int) -> list[str]:
    """A column of the table of the front, from the top."""
    return list(
        tab.run(
            "[...document.querySelectorAll('#points tbody tr')]"
            f".map(row => row.cells[{index}].dataset.value)"
        )
    )


def picture(tab: Tab) -> Image.Image:
    return Image.open(io.BytesIO(tab.picture(whole=True))).convert("RGB")


def test_hostile_page_is_drawn_and_runs_nothing_else(mouse: Tab, tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs", settings={"data": HOSTILE})
    search.train_some(10)
    search.fail(HOSTILE)
    mouse.open(write_report(search.run).as_uri())
    assert mouse.errors == []
    assert mouse.run("document.title") == "first: search report"
    assert mouse.run("document.querySelectorAll('script').length") == 2
    for section in ("front", "hypervolume", "importance", "curves"):
        assert mouse.run(f"document.querySelectorAll('#{section} .main-svg').length") > 0, section


def test_policy_stops_a_script_that_is_not_the_pages(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs")
    search.train(0.3)
    page = write_report(search.run)
    text = page.read_text(encoding="utf-8")
    # As if something had not been escaped.
    page.write_text(text.replace("</h1>", f"{HOSTILE}</h1>", 1), encoding="utf-8")
    with Tab(tmp_path / "profile") as tab:
        tab.open(page.as_uri())
        assert tab.run("document.title") == "first: search report"
        (error,) = tab.errors
    assert "Content Security Policy" in error


def test_page_asks_the_network_for_nothing(tmp_path: Path, search: FakeSearch) -> None:
    page = search.run.report.absolute().as_uri()
    with Tab(tmp_path / "profile") as tab:
        tab.open(page)
        tab.click(point("front", 1, 0))
        tab.click("document.querySelector('#points th button')")
        tab.picture(whole=True)
        assert set(tab.requests) == {page}
        assert tab.errors == []
        # A request would have been seen.
        loader = tmp_path / "loader.html"
        loader.write_text("<img src='http://sknas.example/seen.png'>", encoding="utf-8")
        tab.open(loader.as_uri())
        assert "http://sknas.example/seen.png" in tab.requests


def test_a_click_on_a_point_leads_to_its_network(desktop: Tab, material: Material) -> None:
    members = [one.trial for one in material.front.points]
    others = [one.number for one in material.trained if one.number not in members]
    assert material.knee is not None
    knee = members.index(material.knee.trial)  # its ring lies over it
    specs = {one.number: one.spec for one in material.trained}
    assert desktop.run(SEEN) == []
    for trace, index, trial in (
        (0, 0, others[0]), (1, len(members) - 1, members[-1]), (1, knee, members[knee]),
    ):  # fmt: skip
        desktop.click(point("front", trace, index))
        desktop.wait(partial(gives, desktop, SEEN, [f"trial-{trial}"]))
        shown = desktop.run(f"document.getElementById('trial-{trial}').innerText")
        assert f"nas train first --trial {trial}\n" in shown
        assert f"nas export first --trial {trial} --targets onnx" in shown
        assert specs[trial].to_yaml().strip() in shown.replace("\xa0", " ")
        box = desktop.run(
            f"document.getElementById('trial-{trial}').getBoundingClientRect().toJSON()"
        )
        assert 0 <= box["y"] < 450, "the network is in sight"
    # The same point again, after looking elsewhere.
    desktop.click(point("front", 1, knee))
    desktop.wait(lambda: desktop.run(f"document.getElementById('trial-{members[knee]}')"
                                     ".getBoundingClientRect().y") < 450)  # fmt: skip
    desktop.click("document.querySelector('article:target p a')")
    desktop.wait(lambda: desktop.run(SEEN) == [])


@pytest.mark.parametrize("screen", ["mouse", "finger"])
def test_a_button_shows_the_networks_behind_the_front(
    screen: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tab: Tab = request.getfixturevalue(screen)
    search = FakeSearch(tmp_path)
    for values in ([0.08, 1.0], [0.06, 2.0], [0.05, 3.0], [0.45, 2.5]):
        trial, _ = search.propose()
        search.study.tell(trial, values)
    tab.open(write_report(search.run).absolute().as_uri())
    highest = "document.querySelector('#front [data-drawing]')._fullLayout.yaxis.range[1]"
    press = tab.click if screen == "mouse" else tab.tap
    assert tab.run(highest) < 10
    press("document.querySelectorAll('[data-view]')[1]")
    tab.wait(lambda: tab.run(highest) > 40)
    pressed = "[...document.querySelectorAll('[data-view]')].map(b => b.ariaPressed)"
    assert tab.run(pressed) == ["false", "true"]
    press("document.querySelectorAll('[data-view]')[0]")
    tab.wait(lambda: tab.run(highest) < 10)
    small = f"{TARGETS}.filter(b => b.height < {44 if screen == 'finger' else 24})"
    assert [one["text"] for one in tab.run(small) if one["text"] in ("Front", "All networks")] == []
    assert tab.errors == []


def test_points_of_the_other_figures_lead_there_too(desktop: Tab, material: Material) -> None:
    desktop.click(point("hypervolume", 0, 3))
    desktop.wait(lambda: desktop.run(SEEN) == [f"trial-{material.trained[3].number}"])
    # A failed training has a curve, and no network to take.
    (failed,) = material.curves.keys() - {one.number for one in material.trained}
    numbers = desktop.run("document.querySelector('#curves [data-drawing]').data[0].customdata")
    drawn = [number for number in numbers if number is not None]
    before = desktop.run("location.hash")
    desktop.click(point("curves", 0, drawn.index(failed) + 1))
    desktop.click("document.querySelector('#curves h2')")
    assert desktop.run("location.hash") == before


def test_a_tap_on_a_point_or_a_number_leads_to_its_network(phone: Tab, material: Material) -> None:
    phone.tap(point("front", 1, len(material.front.points) - 1))
    phone.wait(lambda: phone.run(SEEN) == [f"trial-{material.front.points[-1].trial}"])
    phone.tap("document.querySelector('#points tbody a')")
    phone.wait(lambda: phone.run(SEEN) == [f"trial-{material.front.points[0].trial}"])
    assert phone.run("document.documentElement.scrollWidth") == PHONE


def test_an_address_with_a_trial_shows_its_network(mouse: Tab, search: FakeSearch) -> None:
    mouse.open("about:blank")
    mouse.open(f"{search.run.report.absolute().as_uri()}#trial-3")
    assert mouse.run(SEEN) == ["trial-3"]


def test_heads_of_the_table_sort_it(desktop: Tab, material: Material) -> None:
    unsorted = [int(trial) for trial in column(desktop, 0)]
    assert unsorted == [one.trial for one in material.front.points]
    assert unsorted != sorted(unsorted)
    assert list(map(str, sorted(unsorted))) != sorted(map(str, unsorted)), "text sorts otherwise"
    heads = "document.querySelectorAll('#points th button')"
    aria = (
        "[...document.querySelectorAll('#points thead th')].map(th => th.getAttribute('aria-sort'))"
    )
    for index in (0, 1):
        for direction in ("ascending", "descending"):
            desktop.click(f"{heads}[{index}]")
            values = [float(value) for value in column(desktop, index)]
            assert values == sorted(values, reverse=direction == "descending")
            shown: list[Any] = desktop.run(aria)
            assert shown[index] == direction
            assert shown.count(None) == len(shown) - 1
    # Whole rows have moved.
    errors = {one.trial: one.values[0] for one in material.front.points}
    assert [errors[int(trial)] for trial in column(desktop, 0)] == values


def test_table_is_in_reach_of_the_keyboard(desktop: Tab) -> None:
    focused = "document.activeElement.closest('#points {}') !== null"

    def tab_until(element: str) -> None:
        for _ in range(30):
            desktop.press("Tab")
            if desktop.run(focused.format(element)):
                return
        pytest.fail(f"Tab does not lead to {element}")

    tab_until("th button")
    assert desktop.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    desktop.press("Enter", "\r")
    trials = [int(trial) for trial in column(desktop, 0)]
    assert trials == sorted(trials)
    tab_until("tbody a")
    desktop.press("Enter", "\r")
    desktop.wait(lambda: desktop.run(SEEN) == [f"trial-{trials[0]}"])
    assert desktop.run("document.activeElement.id") == f"trial-{trials[0]}"


def test_page_fits_a_phone(phone: Tab) -> None:
    phone.run("document.querySelector('details').open = true")
    # On a phone a page without its viewport tag is laid out 980 pixels wide.
    assert phone.run("[innerWidth, document.documentElement.scrollWidth]") == [PHONE, PHONE]
    texts = phone.run(TEXTS)
    assert len(texts) > 100
    assert [one for one in texts if one["size"] < 12] == []
    drawn = [one for one in texts if one["drawn"]]
    assert len(drawn) > 30
    assert [one for one in drawn if one["left"] < 0 or one["right"] > PHONE] == []
    targets = phone.run(TARGETS)
    assert len(targets) > 20
    assert [one for one in targets if one["height"] < 44 or one["width"] < 24] == []


def test_page_follows_a_phone_that_is_turned(phone: Tab) -> None:
    for width, height in ((844, PHONE), (320, 600), (PHONE, 844)):
        phone.resize(width, height, touch=True)
        # The figures follow a moment later.
        phone.wait(partial(gives, phone, WIDTHS, [width, width]))


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_picture_shows_the_page(screen: str, request: pytest.FixtureRequest) -> None:
    tab: Tab = request.getfixturevalue(screen)
    image = picture(tab)
    assert image.width == (ACROSS if screen == "desktop" else PHONE)
    assert len(image.getcolors(image.width * image.height) or ()) > 100
    accent = tuple(bytes.fromhex(ACCENT.removeprefix("#")))
    tab.run("scrollTo(0, 0)")
    for section in ("front", "hypervolume", "importance", "curves"):
        plot = f"document.querySelector('#{section} .plot')"
        box = tab.run(f"{plot}.getBoundingClientRect().toJSON()")
        part = image.crop(tuple(round(box[side]) for side in ("left", "top", "right", "bottom")))
        colours = {
            colour: count for count, colour in part.getcolors(part.width * part.height) or ()
        }
        assert colours.get(accent, 0) > 100, f"{section}: no marks"
        assert colours[255, 255, 255] > 0.5 * part.width * part.height, section
        # Beside the marks: axes and letters at the left and the foot.
        foot = part.crop((0, part.height - 60, part.width, part.height))
        assert len(foot.getcolors(foot.width * foot.height) or ()) > 10, section
