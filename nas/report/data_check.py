"""The page of a check of photographs, and the files beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nas.data.checking.check import Checked
from nas.data.checking.result import DOCUMENT, KINDS, PAGE, TABLE, CopyGroup, DataCheck, Finding
from nas.evaluation.pictures import data_url
from nas.report import assets
from nas.runs import write_text

_TEMPLATE = Path(__file__).with_name("data_check.html.jinja")
MOST_GROUPS, MOST_OF_GROUP = 40, 6
"""Groups of copies that are shown, and pictures of one."""
MOST_PICTURES, MOST_LINES = 40, 200
"""Pictures of another kind of finding that are shown, and lines of one that has none."""
COPIES = ("copy across splits", "label conflict", "copy")
WITHOUT_PICTURES = ("group across splits", "unreadable", "class", "imbalance", "not read")


@dataclass(frozen=True)
class Picture:
    """A picture of a gallery; ``url`` is empty for one that cannot be shown."""

    url: str
    name: str
    text: str


@dataclass(frozen=True)
class Group:
    """Copies of a picture."""

    heading: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Section:
    """The findings of one kind."""

    id: str
    heading: str
    meaning: str
    count: str
    more: str
    groups: list[Group]
    pictures: list[Picture]
    lines: list[str]


def write_data_check(checked: Checked, folder: Path) -> None:
    """Write the page, findings.csv and data-check.json of a check; each file is replaced whole."""
    write_text(folder / TABLE, findings_table(checked.result.findings))
    write_text(folder / DOCUMENT, json.dumps(checked.result.document, indent=2) + "\n")
    write_text(folder / PAGE, render_data_check(checked))


def findings_table(findings: Iterable[Finding]) -> str:
    """One line per finding: kind, path, other path, what."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["kind", "path", "other_path", "what"])
    writer.writerows((one.kind, one.path, one.other, one.what) for one in findings)
    return file.getvalue()


def render_data_check(checked: Checked) -> str:
    """The page as self-contained HTML."""
    result = checked.result
    groups = {kind: _groups(result, kind)[:MOST_GROUPS] for kind in COPIES}
    urls = {
        name: data_url(Image.fromarray(pixels))
        for name, pixels in checked.pixels(_shown(result, groups)).items()
    }
    return assets.template(_TEMPLATE).render(
        style=assets.style(),
        title=Path(result.source).name or result.source,
        understood=result.understood,
        facts=facts(result),
        notes=result.notes,
        commands=result.commands,
        classes=result.classes,
        clean=result.is_clean,
        sections=[_section(result, kind, groups.get(kind, []), urls) for kind in result.counts],
    )


def facts(result: DataCheck) -> list[tuple[str, str]]:
    """The figures of a check, each with its name."""
    said = [("images", f"{result.images:,}"), ("classes", f"{len(result.classes):,}")]
    if result.sizes is not None:
        for name in ("smallest", "median", "largest"):
            width, height = getattr(result.sizes, name)
            said.append((name, f"{width} x {height}"))
    said.append(("formats", _listed(result.formats)))
    for name, count in (
        ("greyscale", result.greyscale),
        ("transparent, on white", result.transparent),
        ("turned by EXIF", result.turned),
    ):
        if count:
            said.append((name, f"{count:,}"))
    return said


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) or "none"


def _groups(result: DataCheck, kind: str) -> list[CopyGroup]:
    """The groups of copies of a section; each is in the most serious one."""
    return [one for one in result.copies if _kind(one) == kind]


def _kind(group: CopyGroup) -> str:
    if group.across:
        return "copy across splits"
    return "label conflict" if group.disagree else "copy"


def _shown(result: DataCheck, groups: Mapping[str, list[CopyGroup]]) -> set[str]:
    """Names of the pictures that the page shows."""
    names = {name for some in groups.values() for one in some for name in _members(one)}
    for kind in KINDS:
        if kind not in (*COPIES, *WITHOUT_PICTURES):
            names |= {one.path for one in result.of(kind)[:MOST_PICTURES]}
    return names


def _members(group: CopyGroup) -> tuple[str, ...]:
    """Some of a group; where it is in several splits or has several labels, of each."""
    first: dict[tuple[str, str], str] = {}
    for name, split, label in zip(group.names, group.splits, group.labels, strict=True):
        first.setdefault((split, label), name)
    some = dict.fromkeys((*first.values(), *group.names))
    return tuple(some)[:MOST_OF_GROUP]


def _section(
    result: DataCheck, kind: str, groups: list[CopyGroup], urls: Mapping[str, str]
) -> Section:
    heading, meaning = KINDS[kind]
    found = result.of(kind)
    lines, pictures = [], []
    if kind in WITHOUT_PICTURES:
        lines = [_line(one) for one in found[:MOST_LINES]]
    elif kind not in COPIES:
        pictures = [
            Picture(urls.get(one.path, ""), one.path, one.what) for one in found[:MOST_PICTURES]
        ]
    shown = len(lines) + len(pictures)
    if kind in COPIES:
        every = len(_groups(result, kind))
        more = (
            f"The first {len(groups)} of {every:,} groups are shown." if every > len(groups) else ""
        )
        if kind == "label conflict" and any(one.across and one.disagree for one in result.copies):
            more += " Those on both sides of a split are shown there."
    else:
        more = f"The first {shown} are shown." if len(found) > shown else ""
    return Section(
        id=kind.replace(" ", "-"),
        heading=heading,
        meaning=meaning,
        count=f"{len(found):,}",
        more=f"{more} {TABLE} has all.".strip() if more else "",
        groups=[_group(one, urls) for one in groups],
        pictures=pictures,
        lines=lines,
    )


def _line(finding: Finding) -> str:
    names = " and ".join(one for one in (finding.path, finding.other) if one)
    return f"{names}: {finding.what}" if names else finding.what


def _group(group: CopyGroup, urls: Mapping[str, str]) -> Group:
    sides = " and ".join(dict.fromkeys(group.splits))
    heading = f"{group.kind.capitalize()} copies in {sides}"
    if group.disagree:
        heading += ", with different labels"
    more = len(group.names) - MOST_OF_GROUP
    if more > 0:
        heading += f"; {more:,} more"
    where = dict(zip(group.names, zip(group.splits, group.labels, strict=True), strict=True))
    pictures = [
        Picture(urls.get(name, ""), name, f"{where[name][1]}, {where[name][0]}")
        for name in _members(group)
    ]
    return Group(heading, pictures)
