"""The page in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from page_reader import Page
from report_runs import FakeSearch

from nas.report import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "</script><script>alert(1); document.title = 'broken into'</script>"
QUIET = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=10000"
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's document after its scripts have run, and what they wrote to the console."""
    assert BROWSER is not None
    # Chromium refuses to build its sandbox as root, which containers usually are.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [BROWSER, *QUIET.split(), *as_root, f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_browser_draws_the_page_and_runs_nothing_else(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs", settings={"data": HOSTILE})
    search.train_some(10)
    search.fail(HOSTILE)
    document, console = opened(write_report(search.run), tmp_path / "profile")
    assert console == []
    assert "<title>first: search report</title>" in document
    assert document.count('class="main-svg"') >= 4
    for section in ("front", "hypervolume", "importance", "curves"):
        inside = document.split(f'<section id="{section}">')[1].split("</section>")[0]
        assert 'class="main-svg"' in inside, section


def test_policy_stops_a_script_that_is_not_the_pages(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs")
    search.train(0.3)
    page = write_report(search.run)
    text = page.read_text(encoding="utf-8")
    # As if something had not been escaped.
    page.write_text(text.replace("</h1>", f"{HOSTILE}</h1>", 1), encoding="utf-8")
    document, console = opened(page, tmp_path / "profile")
    assert "broken into" not in document.split("<title>")[1].split("</title>")[0]
    assert len(console) == 1
    assert "Content Security Policy" in console[0]


def test_heads_of_the_table_sort_it(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs")
    search.train_some(10)
    page = write_report(search.run)
    text = page.read_text(encoding="utf-8")
    policy = text.split('<meta http-equiv="Content-Security-Policy"')[1].split(">")[0]
    click = "<script>document.querySelectorAll('#points th button')[1].click();</script>"
    text = text.replace(f'<meta http-equiv="Content-Security-Policy"{policy}>', "")
    page.write_text(text.replace("</body>", f"{click}</body>"), encoding="utf-8")
    document, console = opened(page, tmp_path / "profile")
    assert console == []
    # Plotly's SVG is not for html.parser's rules of closing; the section of the table is.
    inside = document.split('<section id="points">')[1].split("</section>")[0]
    table = Page(f'<html><section id="points">{inside}</section></html>')
    rows = [one for one in table.all("tr") if "tbody" in one.path]
    width = len(table.all("td")) // len(rows)
    errors = [float(one.attributes["data-value"]) for one in table.all("td")[::width]]
    assert errors == sorted(errors)
    assert len(errors) > 1
    sorted_heads = [one.attributes.get("aria-sort") for one in table.all("th", "thead")]
    assert sorted_heads[:3] == [None, "ascending", None]
