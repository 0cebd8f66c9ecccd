"""The page: what is drawn in it, that it needs nothing but itself, and that a browser draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.analysis import Analysis, Request, analyse, unit_shifts, write_analysis
from nas.analysis.figures import channels_figure, group_size
from nas.analysis.page import render
from tests.nas.report.browser import ABSENT, BROWSER, Tab
from tests.nas.report.page_reader import Page, trace

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }}'


@pytest.fixture
def analysis(tmp_path: Path, make_checkpoint: Callable[..., Path]) -> Analysis:
    return analyse(Request(make_checkpoint(tmp_path / "w.pt"), limit=60))


def test_figures_show_what_was_read(analysis: Analysis) -> None:
    page = Page(render(analysis))
    channels, difference, shift = page.drawings("figure-3")
    units = analysis.attention.units
    names = [one.unit.name for one in units]
    for number, scale in enumerate(("1x", "1.5x", "2x")):
        bars = trace(difference, scale)
        assert bars["x"] == names
        assert bars["y"] == pytest.approx([one.difference[number].mean() for one in units])
        stds = [one.difference[number].std(ddof=1) for one in units]
        assert bars["error_y"]["array"] == pytest.approx(stds)
        line = trace(channels, scale)
        (middle,) = [one for one in units if one.unit == analysis.unit]
        assert middle.unit.name == "SK_3_8"
        assert line["y"] == pytest.approx(middle.channels[number].reshape(16, 3).mean(1).tolist())
        assert line["x"][:2] == [1, 4]
    assert [one["name"] for one in shift["data"]] == ["1.5x", "2x"]
    for number, one in enumerate(shift["data"]):
        shifts = [unit_shifts(found.difference)[number] for found in units]
        assert one["y"] == pytest.approx([found.mean for found in shifts])
        halves = [(found.high or 0) - found.mean for found in shifts]
        assert one["error_y"]["array"] == pytest.approx(halves)


def test_classes_are_drawn_for_an_early_a_middle_and_the_last_unit(analysis: Analysis) -> None:
    page = Page(render(analysis))
    drawings = page.drawings("figure-4")
    captions = [caption.text for caption in page.all("figcaption", "figure-4")]
    assert [caption.split(":")[0] for caption in captions] == ["SK_2_4", "SK_3_8", "SK_4_4"]
    by_name = {one.unit.name: one for one in analysis.attention.units}
    of_three = analysis.attention.labels == 3
    for name, drawing in zip(("SK_2_4", "SK_3_8", "SK_4_4"), drawings, strict=True):
        assert [one["name"] for one in drawing["data"]] == ["1x", "1.5x"]
        for number, one in enumerate(drawing["data"]):
            assert one["x"] == [str(digit) for digit in range(10)]
            expected = by_name[name].difference[number, of_three].mean()
            assert one["y"][3] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("channels", "size"), [(24, 1), (8, 1), (48, 3), (255, 15), (256, 16), (1024, 16)]
)
def test_points_are_sixteen_channels_where_there_are_enough(channels: int, size: int) -> None:
    assert group_size(channels) == size


def test_a_last_group_may_be_smaller(analysis: Analysis) -> None:
    (middle,) = [one for one in analysis.attention.units if one.unit == analysis.unit]
    unit = replace(middle.unit, channels=50)
    values = np.arange(150, dtype=np.float64).reshape(3, 50)
    attention = replace(analysis.attention, units=(replace(middle, unit=unit, channels=values),))
    figure = channels_figure(replace(analysis, attention=attention, unit=unit))
    assert "channels 48 to 49" in figure.drawing


def test_page_needs_nothing_but_itself_and_says_what_it_is_about(analysis: Analysis) -> None:
    page = Page(render(analysis))
    loading = {"src", "href", "srcset", "action", "data", "poster", "background"}
    assert [one for one in page.elements if loading & one.attributes.keys()] == []
    assert page.all("link") == page.all("iframe") == page.all("base") == []
    assert [style.text for style in page.all("style") if "url(" in style.text] == []
    assert len(page.all("script")) == 2
    summary = page.section("summary").text
    assert "validation" in summary
    assert summary.count("the shift to the larger kernel") == 3
    assert "this one training" in summary
    assert len([one for one in page.all("tr", "units") if "tbody" in one.path]) == 19


def test_names_of_classes_are_text(analysis: Analysis) -> None:
    hostile = replace(analysis.data, class_names=(HOSTILE,) * 10, name=HOSTILE)
    page = Page(render(replace(analysis, data=hostile)))
    assert len(page.all("script")) == 2
    assert page.all("img") == []
    ticks = page.drawings("figure-4")[0]["data"][0]["x"]
    assert not any("<" in tick for tick in ticks)


@pytest.mark.integration
@pytest.mark.skipif(BROWSER is None, reason=ABSENT)
def test_a_browser_draws_the_page_and_runs_no_name_of_a_class(
    analysis: Analysis, tmp_path: Path
) -> None:
    hostile = replace(analysis.data, class_names=(HOSTILE, *analysis.data.class_names[1:]))
    page = write_analysis(replace(analysis, data=hostile), tmp_path / "a").as_uri()
    with Tab(tmp_path / "profile") as tab:
        tab.open(page)
        for section, figures in (("figure-3", 3), ("figure-4", 3)):
            drawn = f"document.querySelectorAll('#{section} .plot-container').length"
            assert tab.run(drawn) == figures, section
        assert tab.run("document.querySelectorAll('img, script').length") == 2
        assert tab.requests == [page]
        assert tab.errors == []
