"""``nas.check_data`` on small pictures with planted trouble."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nas
from tests.nas.data.photo_helpers import class_folders

SIDE = 120


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path / "cache"))


def photograph(number: int, side: int = SIDE) -> Image.Image:
    """A coarse pattern; no two are alike."""
    coarse = np.random.default_rng(number).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def photographs(root: str = "photos", train: int = 24, val: int = 6) -> Path:
    """train/ and val/ of two classes, without trouble but for few images."""
    for part, count, first in (("train", train, 0), ("val", val, 1000)):
        for place, name in enumerate(("ant", "bee")):
            folder = Path(root, part, name)
            folder.mkdir(parents=True)
            for number in range(count):
                image = photograph(first + 10_000 * place + number)
                image.save(folder / f"{number:03d}.jpg", quality=92)
    return Path(root)


def pairs(found: nas.DataCheck, kind: str) -> set[tuple[str, str, str]]:
    """Path, other path and words of the findings of a kind."""
    return {(one.path, one.other, one.what) for one in found.of(kind)}


def check(root: Path | str, **options: object) -> nas.DataCheck:
    """The check at a small input size."""
    return nas.check_data(root, **{"input_size": 96, **options})  # type: ignore[arg-type]


def test_photographs_without_trouble() -> None:
    found = check(photographs(val=8, train=100))
    assert found.findings == ()
    assert found.images == 216
    assert [(one.name, one.images, one.test, one.unreadable) for one in found.classes] == [
        ("ant", 108, 8, 0),
        ("bee", 108, 8, 0),
    ]
    assert sum(one.val for one in found.classes) > 5
    assert found.formats == {"JPEG": 216}
    assert found.sizes is not None
    assert found.sizes.smallest == found.sizes.median == found.sizes.largest == (SIDE, SIDE)
    assert "train/, val/; 216 photographs of 2 classes" in found.understood
    assert "Nothing was found" in found.page.read_text()


def test_every_copy_across_the_split_is_found() -> None:
    root = photographs()
    train, val = root / "train/ant", root / "val/ant"
    shutil.copy(train / "000.jpg", val / "same.jpg")
    Image.open(train / "001.jpg").save(val / "lossless.png")
    Image.open(train / "002.jpg").save(val / "encoded.jpg", quality=60)
    Image.open(train / "003.jpg").resize((100, 100)).save(val / "scaled.webp", quality=80)
    Image.open(train / "004.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        val / "turned.jpg"
    )
    shutil.copy(val / "000.jpg", val / "twice.jpg")
    found = check(root)
    where = dict(zip(("same", "lossless", "encoded", "scaled", "turned"), range(5), strict=True))
    expected = set()
    for name, kind, end in (
        ("same", "exact", "jpg"),
        ("lossless", "exact", "png"),
        ("encoded", "near", "jpg"),
        ("scaled", "near", "webp"),
        ("turned", "near", "jpg"),
    ):
        first = f"train/ant/{where[name]:03d}.jpg"
        expected.add((first, f"val/ant/{name}.{end}", kind))
    got = {(one, other, what.split()[0]) for one, other, what in pairs(found, "copy across splits")}
    # One that was held out of train/ for validation is across as well.
    assert got == expected
    assert pairs(found, "copy") == {("val/ant/000.jpg", "val/ant/twice.jpg", "exact copy in test")}
    assert [one.across for one in found.copies] == [True] * 5 + [False]
    assert not found.of("label conflict")


def test_copies_with_different_labels_are_named_once_for_each_trouble() -> None:
    root = photographs()
    shutil.copy(root / "train/ant/000.jpg", root / "train/bee/x.jpg")
    Image.open(root / "train/ant/001.jpg").save(root / "val/bee/y.jpg", quality=60)
    found = check(root)
    conflicts = {(one, other, what) for one, other, what in pairs(found, "label conflict")}
    assert conflicts == {
        ("train/ant/000.jpg", "train/bee/x.jpg", "exact copy, ant and bee"),
        ("train/ant/001.jpg", "val/bee/y.jpg", "near copy, ant and bee"),
    }
    assert [one.other for one in found.of("copy across splits")] == ["val/bee/y.jpg"]


def test_all_damaged_files_are_named_and_the_rest_is_checked() -> None:
    root = photographs()
    (root / "train/ant/broken.jpg").write_bytes(b"no picture")
    whole = (root / "val/bee/000.jpg").read_bytes()
    (root / "val/bee/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "train/bee/empty.png").touch()
    found = check(root)
    assert {one.path for one in found.of("unreadable")} == {
        "train/ant/broken.jpg", "val/bee/cut.jpg", "train/bee/empty.png"
    }  # fmt: skip
    assert all(one.what for one in found.of("unreadable"))
    assert found.images == 60
    assert {one.name: one.unreadable for one in found.classes} == {"ant": 1, "bee": 2}
    assert "--on-bad-image skip" in found.commands[0]
    assert "--input-size 96" in found.commands[0]  # the size of the pictures


def test_photographs_that_are_all_damaged_are_named() -> None:
    for name in ("ant", "bee"):
        Path("photos", name).mkdir(parents=True)
        Path("photos", name, "a.jpg").write_bytes(b"no picture")
    found = check("photos")
    assert (found.images, found.sizes, found.commands) == (0, None, ())
    assert len(found.of("unreadable")) == 2


def test_what_is_odd_about_single_pictures() -> None:
    root = photographs()
    folder = root / "train/ant"
    photograph(1).convert("L").save(folder / "grey.png")
    photograph(2).convert("RGBA").save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x112] = 6
    photograph(3).resize((200, 100)).save(folder / "turned.jpg", exif=exif)
    frames = [photograph(one) for one in (4, 5)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    photograph(6).resize((500, 100)).save(folder / "long.png")
    photograph(7, side=50).save(folder / "small.png")
    Image.new("RGB", (SIDE, SIDE), (9, 120, 7)).save(folder / "green.png")
    photograph(8).save(folder / "named.png", "JPEG")
    (folder / "notes.txt").write_text("nothing")
    (folder / "Thumbs.db").write_text("nothing")
    found = check(root)
    assert (found.greyscale, found.transparent, found.turned) == (1, 1, 1)
    assert found.sizes is not None
    assert found.sizes.smallest == (50, 50)
    kinds = {
        "animated": "film.gif",
        "odd shape": "long.png",
        "small": "small.png",
        "blank": "green.png",
        "wrong ending": "named.png",
        "not read": "notes.txt",
    }
    for kind, name in kinds.items():
        assert [one.path for one in found.of(kind)] == [f"train/ant/{name}"], kind
    assert found.unread == {".txt": 1}
    assert found.formats == {"JPEG": 62, "PNG": 5, "GIF": 1}


def test_an_upright_picture_is_measured() -> None:
    for name in ("ant", "bee"):
        Path("photos", name).mkdir(parents=True)
        exif = Image.Exif()
        exif[0x112] = 8
        photograph(len(name)).resize((200, 100)).save(f"photos/{name}/a.jpg", exif=exif)
    sizes = check("photos").sizes
    assert sizes is not None
    assert sizes.largest == (100, 200)


def test_hidden_folders_are_no_classes_and_do_not_count() -> None:
    root = class_folders(Path("photos"))
    shutil.copytree(root / "ant", root / ".ipynb_checkpoints")
    shutil.copytree(root / "ant", root / "ant/.thumbnails")
    found = check(root)
    assert [one.name for one in found.classes] == ["ant", "bee"]
    assert found.images == 24
    assert found.copies == ()
    assert any("fewer than 48 pixels" in one for one in found.notes)


def test_unequal_and_small_classes() -> None:
    root = class_folders(Path("photos"), count=60)
    for file in sorted((root / "bee").iterdir())[2:]:
        file.unlink()
    found = check(root)
    (imbalance,) = found.of("imbalance")
    assert "ant has 60 images, bee has 2: 30 times as many" in imbalance.what
    assert any(one.what.startswith("bee: only 1 training") for one in found.of("class"))
    assert "--metric balanced_error --balance logits" in found.commands[0]


def test_one_class_is_a_finding() -> None:
    found = check(class_folders(Path("photos"), names=("ant",)))
    assert any("only class" in one.what for one in found.of("class"))
    assert found.commands == ()


def test_groups_on_both_sides_are_named() -> None:
    root = photographs()
    found = check(root, group_by=r"/0(\d\d)\.jpg")
    assert found.of("group across splits")
    assert "--group-by" in found.commands[0]
    apart = check(class_folders(Path("apart")), group_by=r"(\d\d\d)\.png")
    assert not apart.of("group across splits")


def test_a_table() -> None:
    root = photographs()
    shutil.copy(root / "train/ant/000.jpg", root / "val/ant/copy.jpg")
    rows = [("path", "label", "split")]
    for path in sorted(root.rglob("*.jpg")):
        rows.append((path.relative_to(root).as_posix(), path.parent.name, path.parts[1]))
    with Path("photos/list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = check("photos/list.csv")
    assert found.understood.startswith("table list.csv; 61 photographs")
    assert [one.other for one in found.of("copy across splits")] == ["val/ant/copy.jpg"]
    assert found.path == Path("runs/data-check/list")


def test_an_archive() -> None:
    root = photographs()
    shutil.copy(root / "train/bee/000.jpg", root / "val/bee/copy.jpg")
    with zipfile.ZipFile("set.zip", "w") as archive:
        for path in sorted(root.rglob("*.jpg")):
            archive.write(path)
    found = check("set.zip")
    assert found.images == 61
    assert [one.other for one in found.of("copy across splits")] == ["val/bee/copy.jpg"]
    assert found.path == Path("runs/data-check/set")


def test_the_files_of_a_check() -> None:
    root = photographs()
    shutil.copy(root / "train/ant/000.jpg", root / "val/ant/a <b>.jpg")
    before = sorted(root.rglob("*"))
    found = check(root)
    assert sorted(root.rglob("*")) == before
    assert found.path == Path("runs/data-check/photos")
    rows = list(csv.reader(io.StringIO((found.path / "findings.csv").read_text())))
    assert rows[0] == ["kind", "path", "other_path", "what"]
    assert rows[1][:3] == ["copy across splits", "train/ant/000.jpg", "val/ant/a <b>.jpg"]
    assert len(rows) == len(found.findings) + 1
    document = json.loads((found.path / "data-check.json").read_text())
    assert document == json.loads(json.dumps(found.document))
    assert document["counts"]["copy across splits"] == 1
    page = found.page.read_text()
    assert "a &lt;b&gt;.jpg" in page
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert page.count("data:image/jpeg") == 2


def test_the_page_is_bounded() -> None:
    root = photographs(train=60, val=50)
    for name in ("ant", "bee"):
        for number in range(50):
            for copy in range(4):
                shutil.copy(
                    root / f"train/{name}/{number:03d}.jpg",
                    root / f"val/{name}/{number}_{copy}.jpg",
                )
    found = check(root, input_size=128)
    assert len(found.of("copy across splits")) >= 400
    assert len(found.of("small")) == found.images
    page = found.page.read_text()
    assert page.count("data:image/jpeg") <= 40 * 6 + 40
    assert "The first 40 of 100 groups are shown. findings.csv has all." in page


def test_a_search_reads_no_photograph_again(monkeypatch: pytest.MonkeyPatch) -> None:
    root = photographs()
    check(root)
    from nas.data.image_files import PhotoFiles
    from tests.nas.data.photo_helpers import load

    def refuse(*_: object) -> None:
        pytest.fail("a photograph was decoded twice")

    monkeypatch.setattr(PhotoFiles, "pixels", refuse)
    assert load(root, input_size=96).info.test_images == 12


def test_the_photographs_are_never_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    root = photographs().resolve()
    with pytest.raises(nas.InvalidInput, match="inside the photographs"):
        check(root, out=root / "report")
    before = sorted(root.rglob("*"))
    monkeypatch.chdir(root)
    found = check(".")
    assert sorted(root.rglob("*")) == before
    assert found.path == Path(os.environ["SKNAS_CACHE_DIR"], "data-check", "photos")
    assert found.page.is_file()


def test_what_is_refused() -> None:
    Path("empty").mkdir()
    Path("file.txt").write_text("nothing")
    Path("flat").mkdir()
    photograph(0).save("flat/a.png")
    root = photographs()
    for path, words in (
        ("nowhere", "does not exist"),
        ("empty", "has no class folders"),
        ("file.txt", "a .txt file, not photographs"),
        ("flat", "no class folders"),
    ):
        with pytest.raises(nas.InvalidInput, match=words):
            nas.check_data(path)
    for options, words in (
        ({"group_by": "("}, "not a regular expression"),
        ({"network": "nothing.pt"}, "no such file"),
        ({"network": "norun"}, "norun"),
        ({"input_size": 0}, "input_size"),
        ({"splits": "none.csv"}, "none.csv"),
    ):
        with pytest.raises(nas.InvalidInput, match=words):
            check(root, **options)
    assert not Path("runs").exists()
