"""splits.csv: photographs stay where they are, and what changed is refused or said."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from nas.data.splits_file import splits_of
from tests.nas.data.photo_helpers import class_folders, fill, load, names, picture


@pytest.fixture
def said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    monkeypatch.setattr("nas.data.image_folder._SAID", set())
    caplog.set_level("INFO", "nas.data")
    return caplog


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "photos", 20)


def record(root: Path, **options: object) -> Path:
    file = root.parent / "splits.csv"
    text = splits_of(load(root, **options))
    assert text is not None
    file.write_text(text)
    return file


def test_it_says_of_every_photograph_where_it_is(photographs: Path) -> None:
    rows = list(csv.DictReader(record(photographs).read_text().splitlines()))
    assert list(rows[0]) == ["path", "label", "split", "group", "digest"]
    assert {row["path"]: row["split"] for row in rows} == names(load(photographs))
    assert all(row["path"].startswith(row["label"] + "/") for row in rows)


def test_a_photograph_more_moves_no_other(photographs: Path) -> None:
    before = names(load(photographs))
    picture(77).save(photographs / "ant" / "000_new.png")
    after = names(load(photographs))
    assert {name: after[name] for name in before} == before


def test_a_run_keeps_its_photographs(photographs: Path, said: pytest.LogCaptureFixture) -> None:
    file = record(photographs)
    first = load(photographs, record=str(file))
    fill(photographs / "bee" / "more", 3, first=500)
    then = load(photographs, record=str(file))
    assert names(then) == names(first) == names(load(photographs, record=str(file)))
    assert then.info.fingerprint == first.info.fingerprint
    assert "3 photographs are new since the run began and not used in it" in said.text


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda root: (root / "ant" / "003.png").unlink(),
            r"1 photograph of .* gone \(first: ant/003",
        ),
        (lambda root: picture(9).save(root / "bee" / "004.png"), r"changed since \(first: bee/004"),
        (
            lambda root: (root / "ant").rename(root / "red ant"),
            r"classes have changed: before ant, bee; now bee, red ant",
        ),
        (lambda root: fill(root / "cow", 2, 600), r"before ant, bee; now ant, bee, cow"),
    ],
)
def test_what_changed_is_refused_in_a_run(photographs: Path, change: object, match: str) -> None:
    file = record(photographs)
    change(photographs)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match=match) as caught:
        load(photographs, record=str(file))
    assert "\n" not in str(caught.value)


def test_a_copied_folder_is_still_that_of_the_run(photographs: Path) -> None:
    file = record(photographs)
    before = names(load(photographs))
    moved = photographs.rename(photographs.parent / "elsewhere")
    assert names(load(moved, record=str(file))) == before


def test_given_back_it_decides_for_what_it_lists(
    photographs: Path, said: pytest.LogCaptureFixture
) -> None:
    file = record(photographs)
    lines = file.read_text().splitlines()
    moved = "ant/000.png"
    side = "val" if names(load(photographs))[moved] == "train" else "train"
    edited = [
        lines[0],
        *(f"{moved},ant,{side},," if moved in line else line for line in lines[1:-2]),
    ]
    file.write_text("\n".join(edited))
    fill(photographs / "bee" / "more", 2, first=500)
    data = load(photographs, splits=str(file))
    assert names(data)[moved] == side
    assert "4 photographs are new, and split by their hash" in said.text
    (photographs / "ant" / "001.png").unlink()
    load(photographs, splits=str(file))
    assert "1 are gone" in said.text


def test_names_of_any_letters_come_back(photographs: Path) -> None:
    for name in ('a,"b".png', "two\nlines.png", "\u2028.png", " é.png"):
        picture(len(name)).save(photographs / "ant" / name)
    file = record(photographs)
    assert names(load(photographs, record=str(file))) == names(load(photographs))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path,split\nant/000.png,tarin\n", r"line 2: split 'tarin'; allowed: train, val, test"),
        ("a,b\n1,2\n", r"line 2: expected the columns path, label, split"),
        ("path,split\nelse.png,train\n", r"lists none of these photographs"),
        ("", r"lists no photographs"),
    ],
)
def test_files_of_splits_that_are_wrong(photographs: Path, text: str, match: str) -> None:
    file = photographs.parent / "own.csv"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=match):
        load(photographs, splits=str(file))
    with pytest.raises(InvalidInput, match=r"absent\.csv: no such file"):
        load(photographs, splits=str(photographs / "absent.csv"))


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def test_broken_images_stop_or_are_left_out(
    photographs: Path, said: pytest.LogCaptureFixture
) -> None:
    damage(photographs / "ant" / "002.png")
    with pytest.raises(
        InvalidInput, match=r"cannot be read: ant/002\.png \(.*\); replace or remove it"
    ):
        load(photographs)
    damage(photographs / "bee" / "005.png")
    with pytest.raises(
        InvalidInput, match=r"2 images cannot be read: ant/002\.png \(.*on_bad_image"
    ):
        load(photographs)
    data = load(photographs, on_bad_image="skip")
    assert len(names(data)) == 38
    assert "2 images cannot be read and are left out: ant/002.png (" in said.text
    file = record(photographs, on_bad_image="skip")
    assert file.read_text().count(",skipped,") == 2
    again = load(photographs, record=str(file))
    assert names(again) == names(data)
    picture(3).save(photographs / "ant" / "002.png")  # mended, and still no part of the run
    assert names(load(photographs, record=str(file))) == names(data)


def test_groups_by_an_expression(photographs: Path) -> None:
    """Crops of one photograph have one last digit."""
    data = load(photographs, group_by=r"(\d)\.png")
    sides: dict[str, set[str]] = {}
    for name, split in names(data).items():
        sides.setdefault(Path(name).stem[-1], set()).add(split)
    assert len(sides) == 10
    assert all(len(found) == 1 for found in sides.values())


def test_shares_that_groups_make_uneven_are_said(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "films"
    for place, name in enumerate(("ant", "bee")):
        for film in range(4 if name == "ant" else 60):
            for frame in range(30 if name == "ant" else 2):
                (root / name).mkdir(parents=True, exist_ok=True)
                number = 1000 * (place + 1) + 40 * film + frame
                picture(number).save(root / name / f"{film:02d}-{frame:02d}.png")
    data = load(root, group_by="(.+)-")
    (line,) = [one.getMessage() for one in said.records if "shares far" in one.getMessage()]
    assert "ant 30 of 120 validation (asked 15 %), ant 30 of 120 test (asked 15 %)" in line
    assert "bee" not in line
    assert "groups stay whole" in line
    assert "--splits" in line or "splits" in line
    before = names(data)
    for frame in range(5):
        picture(9000 + frame).save(root / "ant" / f"00-9{frame}.png")
        picture(9100 + frame).save(root / "bee" / f"77-9{frame}.png")
    after = names(load(root, group_by="(.+)-"))
    assert {name: after[name] for name in before} == before


def test_uneven_shares_are_said_without_groups_too(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    data = load(class_folders(tmp_path / "photos", 20, names=tuple("abcdefghijklmnop")))
    assert "split about 70/15/15 of each class, by a hash of each path" in said.text
    sides = names(data)
    far = set()
    for label in data.info.class_names:
        for split in ("val", "test"):
            count = sum(
                name.startswith(f"{label}/") and side == split for name, side in sides.items()
            )
            if count <= 1 or count >= 5:
                far.add(f"{label} {count} of 20 {'validation' if split == 'val' else split}")
    assert far
    (line,) = [one.getMessage() for one in said.records if "shares far" in one.getMessage()]
    assert "since each photograph goes by its own hash" in line
    listed = line.partition("hash: ")[2].partition(";")[0]
    parts = [one.partition(" (asked")[0] for one in listed.split(", ")]
    assert set(parts) <= far
    assert len(parts) == min(5, len(far))


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        ("(", r"not a regular expression"),
        ("patient", r"no column of that name, and matches no path"),
    ],
)
def test_groups_that_are_none(photographs: Path, expression: str, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        load(photographs, group_by=expression)


def test_a_group_on_both_sides_of_given_folders_is_said(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    class_folders(tmp_path / "train", 12)
    class_folders(tmp_path / "test", 4)
    picture(5).save(tmp_path / "train" / "ant" / "a.png")
    picture(5).save(tmp_path / "test" / "ant" / "b.png")
    load(tmp_path, group_by=r"\d{3}")
    assert "4 groups are in more than one split" in said.text
    assert "1 image is in more than one split" in said.text
