"""How people keep photographs: every layout is understood, or named in one line."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from blocks.errors import InvalidInput
from nas.data import DataConfig, load_data
from nas.data.layouts.find import list_photos
from nas.data.layouts.kinds import is_photo, is_system
from tests.nas.data.photo_helpers import class_folders, counts, fill, load, names, picture

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    monkeypatch.setattr("nas.data.image_folder._SAID", set())
    caplog.set_level("INFO", "nas.data")
    return caplog


def test_class_folders_alone_are_split(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    root = class_folders(tmp_path / "photos", 40)
    data = load(root)
    assert data.info.class_names == ("ant", "bee")
    assert sum(counts(data)) == 80
    assert all(count >= 2 for count in counts(data))
    line = said.messages[0]
    assert line.startswith(f"{root}: class folders; 80 photographs of 2 classes: ")
    assert "70/15/15" in line


@pytest.mark.parametrize("held_out", ["val", "valid", "validation", "Val", "test"])
def test_train_and_one_more_folder(tmp_path: Path, held_out: str) -> None:
    """That folder is the test set, and validation images are held out of train."""
    class_folders(tmp_path / "train", 20)
    class_folders(tmp_path / held_out, 3)
    data = load(tmp_path)
    assert {name.split("/")[0] for name in data.image_names("test")} == {held_out}
    assert {name.split("/")[0] for name in data.image_names("val")} == {"train"}
    assert counts(data)[2] == 6
    assert counts(data)[0] + counts(data)[1] == 40


def test_three_folders_are_what_they_are_called(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("valid", 3), ("test", 2)):
        class_folders(tmp_path / part, count)
    data = load(tmp_path)
    assert counts(data) == (16, 6, 4)
    assert all(name.startswith("valid/") for name in data.image_names("val"))


def test_train_alone_is_split_as_class_folders_are(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", 20)
    assert sum(counts(load(tmp_path))) == 40
    assert counts(load(tmp_path))[2] > 0


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert load(class_folders(tmp_path, 8, ("bus", "train"))).info.class_names == ("bus", "train")


@pytest.mark.parametrize(
    ("header", "mark", "ending"),
    [
        ("path,label,split", ",", ".csv"),
        ("file;class;set", ";", ".csv"),
        ("image\tlabel", "\t", ".tsv"),
    ],
)
def test_tables(tmp_path: Path, header: str, mark: str, ending: str) -> None:
    fill(tmp_path / "images", 30)
    lines = [header]
    for number in range(30):
        split = "val" if number < 6 else "train"
        row = [f"images/{number:03d}.png", ("ant", "bée")[number % 2], split]
        lines.append(mark.join(row[: len(header.split(mark))]))
    (tmp_path / f"list{ending}").write_text("\n".join(lines), encoding="utf-8")
    data = load(tmp_path / f"list{ending}")
    assert data.info.class_names == ("ant", "bée")
    assert sum(counts(data)) == 30
    if "split" in header:
        assert sorted(data.image_names("test")) == [f"images/{n:03d}.png" for n in range(6)]
    by_folder = load(tmp_path)  # a single table in a folder is its list
    assert names(by_folder) == names(data)


def test_labels_belong_to_their_images(tmp_path: Path) -> None:
    for number in range(30):
        image = picture(number)
        image.paste((250, 0, 0) if number % 2 else (0, 0, 250), (0, 0, 12, 11))
        image.save(tmp_path / f"{number:03d}.png")
    rows = [f"{number:03d}.png,{('blue', 'red')[number % 2]}" for number in range(30)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(rows))
    data = load(tmp_path / "list.csv")
    for batches in (
        data.val_batches(4, CPU),
        data.test_batches(4, CPU),
        data.train_batches(4, 0, CPU),
    ):
        for images, labels in batches:
            assert torch.equal(
                (images[:, 0] > images[:, 2]).float().mean((1, 2)).round().long(), labels
            )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path,label\n000.png,ant\ngone.png,bee\n", r"1 file is missing \(line 3: gone\.png\)"),
        ("path,label,split\n000.png,ant,tset\n", r"line 2: split 'tset'; allowed: train"),
        ("name,kind\n000.png,ant\n", r"has no column path or file"),
        ("path,label\n000.png,\n", r"line 2: no label"),
        (
            "path,label\n000.png,ant\n000.png,bee\n",
            r"line 3: 000\.png is also in line 2, with another label \(ant, not bee\)",
        ),
        (
            "path,label,split\n000.png,ant,train\n001.png,bee,test\n",
            r"without training images \(bee\)",
        ),
        ("", r"empty"),
        ("path,label\n", r"lists no photographs"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, match: str) -> None:
    fill(tmp_path, 3)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InvalidInput, match=match) as caught:
        load(tmp_path / "list.csv")
    assert "\n" not in str(caught.value)


def test_a_path_written_in_two_ways_is_one_photograph(tmp_path: Path) -> None:
    fill(tmp_path / "img", 20)
    lines = [f"img/{number:03d}.png,{'ab'[number % 2]}" for number in range(20)]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,label", *lines, "./img/000.png,a", r"img\001.png,b"]))
    assert sum(counts(load(table))) == 20
    table.write_text("\n".join(["path,label", *lines, "./img/000.png,b"]))
    with pytest.raises(
        InvalidInput, match=r"line 22: \./img/000.png is also in line 2, with another label"
    ):
        load(table)


def test_a_table_of_another_encoding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,label\na.png,Bär\n", encoding="latin-1")
    with pytest.raises(InvalidInput, match=r"not UTF-8 .* save it as UTF-8"):
        load(tmp_path / "list.csv")


def test_a_label_with_a_line_break_is_one_line(tmp_path: Path) -> None:
    fill(tmp_path / "img", 20)
    lines = [f'"img/{number:03d}.png","big\n{"ab"[number % 2]}"' for number in range(20)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]))
    assert load(tmp_path / "list.csv").info.class_names == ("big a", "big b")


def test_classes_spelled_in_two_ways_are_said(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    load(class_folders(tmp_path / "photos", 20, ("Ant", "ant", "bee")))
    assert "classes whose names differ in case or spaces only: 'Ant' and 'ant'" in said.text


def test_train_and_val_without_class_folders_are_no_classes(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "photos", 8, ("train", "val"))
    with pytest.raises(InvalidInput, match="train/, val/: photographs without class folders"):
        load(root)


def test_links_that_lead_nowhere_are_said(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    root = class_folders(tmp_path / "photos", 20)
    (root / "cow").symlink_to("unmounted")
    load(root)
    assert "1 link to nothing, not used: cow" in said.text


def test_a_folder_too_high_is_said(tmp_path: Path) -> None:
    from nas.data.layouts.find import list_photos

    class_folders(tmp_path / "photos/all", 8)
    (note,) = list_photos(tmp_path / "photos").notes
    assert note.endswith("photos/all: if the classes are its folders, give that path")


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("top", ["", "photos/"])
def test_archives(tmp_path: Path, ending: str, top: str, own_cache: Path) -> None:
    class_folders(tmp_path / "photos", 10)
    archive = tmp_path / f"photos{ending}"
    files = sorted((tmp_path / "photos").rglob("*.png"))
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in files:
                zipped.write(path, top + path.relative_to(tmp_path / "photos").as_posix())
            zipped.writestr("__MACOSX/photos/._ant", b"x")
    else:
        with tarfile.open(archive, "w:gz" if ending.endswith("gz") else "w") as tar:
            for path in files:
                tar.add(path, top + path.relative_to(tmp_path / "photos").as_posix())
    before = sorted(tmp_path.rglob("*"))
    data = load(archive)
    assert data.info.class_names == ("ant", "bee")
    assert names(data) == names(load(tmp_path / "photos"))
    assert sorted(tmp_path.rglob("*")) == before  # nothing beside the person's files
    unpacked = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.png")}
    load(archive)
    assert {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.png")} == unpacked


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "a/../../outside.png"])
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_archives_that_lead_outside(
    tmp_path: Path, name: str, ending: str, own_cache: Path
) -> None:
    archive = tmp_path / f"photos{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(name, b"x")
    else:
        with tarfile.open(archive, "w") as tar:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    with pytest.raises(InvalidInput, match=r"would lie outside"):
        load(archive)
    assert not list(own_cache.rglob("outside*"))
    assert not list(own_cache.rglob(".half-*"))


def test_links_of_an_archive_are_left_out(tmp_path: Path) -> None:
    class_folders(tmp_path / "photos", 8)
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(tmp_path / "photos", "photos")
        link = tarfile.TarInfo("photos/ant/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert sum(counts(load(tmp_path / "photos.tar"))) == 16


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.data.layouts.archive.SMALL", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("ant/a.png", bytes(64 << 20))
    with pytest.raises(InvalidInput, match=r"more than 50 times as large"):
        load(tmp_path / "bomb.zip")


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK not really")
    with pytest.raises(InvalidInput, match=r"photos\.zip cannot be unpacked") as caught:
        load(tmp_path / "photos.zip")
    assert "\n" not in str(caught.value)


def as_bytes(number: int) -> bytes:
    out = io.BytesIO()
    picture(number).save(out, "PNG")
    return out.getvalue()


def test_parquet_and_saved_data_sets(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = [
        {
            "image": {"bytes": as_bytes(number), "path": None},
            "label": number % 2,
            "film": f"f{number // 4}",
        }
        for number in range(40)
    ]
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["ant", "bee"]},
        "film": {"_type": "Value", "dtype": "string"},
    }
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.Table.from_pylist(rows).replace_schema_metadata(noted)
    pq.write_table(table, tmp_path / "photos.parquet")
    data = load(tmp_path / "photos.parquet")
    assert data.info.class_names == ("ant", "bee")
    assert sum(counts(data)) == 40
    films = load(tmp_path / "photos.parquet", group_by="film")
    sides: dict[int, set[str]] = {}
    for name, split in names(films).items():
        sides.setdefault(int(Path(name).stem) // 4, set()).add(split)
    assert all(len(found) == 1 for found in sides.values())
    for split, part in (("train", table.slice(0, 30)), ("test", table.slice(30))):
        folder = tmp_path / "saved" / split
        folder.mkdir(parents=True)
        out = pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb")
        with out, pa.ipc.new_stream(out, part.schema) as stream:
            stream.write_table(part)
        (folder / "state.json").write_text("{}")
    (tmp_path / "parts").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    saved = load(tmp_path / "saved")
    assert counts(saved)[2] == 10
    assert saved.info.class_names == ("ant", "bee")
    listing = list_photos(tmp_path / "saved")
    assert listing.layout == "Hugging Face data set"
    assert "images are named by their rows, such as test/00000" in listing.notes[0]
    pq.write_table(table.slice(0, 30), tmp_path / "parts" / "train-0.parquet")
    pq.write_table(table.slice(30), tmp_path / "parts" / "validation-0.parquet")
    parts = list_photos(tmp_path / "parts")
    assert (parts.layout, parts.sides) == ("Parquet", {"train": "train", "val": "validation"})


def test_a_folder_of_several_tables(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,label\n000.png,ant\n")
    with pytest.raises(
        InvalidInput, match=r"holds 2 tables; give the path of one, such as .*a\.csv"
    ):
        load(tmp_path)


@pytest.mark.parametrize("label", [None, float("nan"), " "])
def test_a_parquet_with_a_row_without_label(tmp_path: Path, label: object) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    out = io.BytesIO()
    picture(0).save(out, "PNG")
    labels = [label, *([1.0] * 3 if isinstance(label, float) else ["a"] * 3)]
    pq.write_table(
        pa.table({"image": [out.getvalue()] * 4, "label": labels}), tmp_path / "a.parquet"
    )
    with pytest.raises(InvalidInput, match=r"a\.parquet, row 0: no label"):
        load(tmp_path / "a.parquet")


def test_a_parquet_without_images(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"], "label": [0]}), tmp_path / "text.parquet")
    with pytest.raises(InvalidInput, match=r"no column called image"):
        load(tmp_path / "text.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"no parquet")
    with pytest.raises(InvalidInput, match=r"not a data set that can be read"):
        load(tmp_path / "damaged.parquet")


@pytest.mark.parametrize(
    "ending",
    [".avif", ".jfif", ".gif", ".webp", ".tif", ".TIFF", ".bmp", ".JPG", ".jpe", ".ppm", ".pgm"],
)
def test_kinds_that_are_read(ending: str) -> None:
    assert is_photo(f"a{ending}")


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints",
        "__MACOSX",
        "@eaDir",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "._a.png",
    ],
)
def test_names_of_systems(name: str) -> None:
    assert is_system(name)
    assert not is_photo(name)


def test_files_that_are_not_read_are_named_in_one_line(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    root = class_folders(tmp_path / "photos", 8)
    for name in ("a.txt", "b.txt", "c.pdf", "Thumbs.db", "README"):
        (root / "ant" / name).write_text("x")
    (root / "ant" / "loop").symlink_to(root, target_is_directory=True)
    (root / "ant" / "deeper" / "still").mkdir(parents=True)
    picture(5).save(root / "ant" / "deeper" / "still" / "x.png")
    (root / "fox").mkdir()
    picture(6).save(root / "loose.png")
    data = load(root)
    assert sum(counts(data)) == 17
    assert data.info.class_names == ("ant", "bee")
    text = "\n".join(said.messages)
    assert "4 files are not read: 2 .txt, 1 .pdf, 1 without an ending" in text
    assert "1 class folder without photographs: fox" in text
    assert "1 photograph in no class folder, not used: loose.png" in text


def test_a_class_of_files_that_are_not_read_is_refused(tmp_path: Path) -> None:
    root = class_folders(tmp_path, 8)
    (root / "fox").mkdir()
    (root / "fox" / "1.raw").write_text("x")
    with pytest.raises(
        InvalidInput, match=r"fox has no file that is read: 1 file is not read: 1 \.raw"
    ):
        load(root)


def test_links_are_followed_and_pipes_are_not_read(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "photos", 8)
    elsewhere = class_folders(tmp_path / "elsewhere", 8, ("cow",))
    (root / "cow").symlink_to(elsewhere / "cow", target_is_directory=True)
    (root / "dog").symlink_to("ant", target_is_directory=True)
    assert load(root).info.class_names == ("ant", "bee", "cow", "dog")
    os.mkfifo(root / "ant" / "pipe.png")
    (root / "bee" / "nowhere.png").symlink_to("gone.png")
    with pytest.raises(
        InvalidInput, match=r"3 images cannot be read: ant/pipe\.png \(not a plain file"
    ):
        load(root)


def test_animated_files_give_their_first_frame(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    root = class_folders(tmp_path, 8)
    picture(1).save(root / "ant" / "film.gif", save_all=True, append_images=[picture(2)])
    assert sum(counts(load(root))) == 17
    assert "1 file has several frames; the first is used (ant/film.gif)" in "\n".join(said.messages)


def test_names_in_any_script_and_a_wrong_ending(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "фото 1", 8, ("くも", "дом и сад", "été"))
    picture(3).save(root / "été" / "is a png.jpg", format="PNG")
    data = load(root)
    assert set(data.info.class_names) == {"くも", "дом и сад", "été"}
    assert sum(counts(data)) == 25


def test_classes_with_few_held_out_images_are_named(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    root = class_folders(tmp_path, 60)
    fill(root / "rare", 1, first=99)
    data = load(root)
    assert data.info.class_names == ("ant", "bee", "rare")
    assert "rare (1 training, 0 validation, 0 test)" in "\n".join(said.messages)


def test_a_path_alone_is_enough_and_names_of_sets_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    class_folders(Path("photos"), 8)
    assert DataConfig(name="photos").name == "imagefolder:photos"
    assert load_data(DataConfig(name="./photos", input_size=8)).info.num_classes == 2
    class_folders(Path("digits"), 8)
    assert load_data(DataConfig(name="digits")).info.num_classes == 10
    assert "for the folder of this name write ./digits" in "\n".join(said.messages)
    with pytest.raises(InvalidInput, match=r"unknown data set 'photoz'; allowed are digits"):
        load_data(DataConfig(name="photoz"))


def test_nothing_is_written_into_the_folder(tmp_path: Path) -> None:
    root = class_folders(tmp_path, 8)
    before = {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))}
    load(root)
    assert {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))} == before


def test_a_folder_of_caches_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path / "file"))
    assert sum(counts(load(class_folders(tmp_path / "photos", 8)))) == 16
