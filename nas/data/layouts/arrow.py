"""Hugging Face data sets (``save_to_disk``) and Parquet files with an image and a label column.

Images are written once as files into the folder of caches, with a table that lists them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blocks.errors import InvalidInput
from nas.data.layouts.kinds import ending, read_endings
from nas.data.layouts.listing import SPLIT_NAMES
from nas.data.layouts.unpacking import made_once

ENDINGS = (".parquet",)
TABLE = "photos.csv"
IMAGE_COLUMNS = ("image", "img", "photo", "picture")
LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "fine_label")
OURS = ("path", "label", "split")
"""Columns of the table; it also has the other columns of text or whole numbers, for ``--group-by``."""
# The first bytes of a file -> its ending, for images that came without a name.
MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}
ROWS = 256


def is_dataset(folder: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``, or holds Parquet files."""
    return bool(_saved(folder) or _parquet_files(folder))


def kind_of(source: Path) -> str:
    """What a source for which ``as_table`` works is, in words."""
    return "Parquet" if source.is_file() or not _saved(source) else "Hugging Face data set"


def as_table(source: Path) -> Path:
    """The table that lists the images of a data set, which are written beside it.

    Args:
        source: A Parquet file, or a folder for which ``is_dataset`` is true.

    Raises:
        InvalidInput: pyarrow is not installed, the files are damaged, or have no column of images or
            of labels.
    """
    _require_pyarrow(source)
    parts = _parts(source)
    from pyarrow import ArrowException

    try:
        folder = made_once([file for _, file in parts], lambda half: _write(parts, source, half))
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput(f"{source}: not a data set that can be read ({reason})") from None
    return folder / TABLE


def _require_pyarrow(source: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InvalidInput(
            f"{source}: a Hugging Face data set needs pyarrow: pip install 'sknas[photos]'"
        ) from None


def _saved(folder: Path) -> list[tuple[str, Path]]:
    """Split and file of each part of what ``save_to_disk`` wrote; the split of a single set is empty."""
    if (folder / "dataset_dict.json").is_file():
        return [(one.parent.name, one) for one in sorted(folder.glob("*/*.arrow"))]
    if (folder / "state.json").is_file():
        return [("", one) for one in sorted(folder.glob("*.arrow"))]
    return []


def _parquet_files(folder: Path) -> list[tuple[str, Path]]:
    """Split and file of each Parquet file; ``train-00000-of-00002.parquet`` names its split."""
    for place in (folder, folder / "data"):
        files = sorted(one for one in place.glob("*.parquet") if not one.name.startswith("."))
        if files:
            return [(_named_split(one), one) for one in files]
    return []


def _named_split(file: Path) -> str:
    word = file.stem.replace("_", "-").replace(".", "-").split("-")[0].lower()
    return word if word in SPLIT_NAMES else ""


def _parts(source: Path) -> list[tuple[str, Path]]:
    if source.is_file():
        return [("", source)]
    parts = _saved(source) or _parquet_files(source)
    for split, file in parts:
        if split and split.lower() not in SPLIT_NAMES:
            raise InvalidInput(
                f"{file.parent}: a split called {split!r}; allowed: {', '.join(SPLIT_NAMES)}"
            )
    return parts


def _write(parts: Sequence[tuple[str, Path]], source: Path, folder: Path) -> None:
    rows: list[dict[str, str]] = []
    for split, file in parts:
        for batch, features in _batches(file):
            columns = batch.schema.names
            image = _column(IMAGE_COLUMNS, columns, features, "Image", source)
            label = _column(LABEL_COLUMNS, columns, features, "ClassLabel", source)
            names = features.get(label, {}).get("names")
            others = [one for one in columns if one not in (image, label, *OURS)]
            for row in batch.to_pylist():
                word = row[label]
                if (
                    word is None or word != word or str(word).strip() == ""
                ):  # NaN differs from itself
                    raise InvalidInput(f"{file}, row {len(rows)}: no label")
                said = names[word] if names and isinstance(word, int) else word
                name = _save(row[image], folder, split, len(rows), file)
                more = {one: str(row[one]) for one in others if isinstance(row[one], str | int)}
                rows.append({"path": name, "label": str(said), "split": split, **more})
    titles = list(dict.fromkeys((*OURS, *(title for row in rows for title in row))))
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, titles, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _batches(file: Path) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Record batches of a file, and what Hugging Face notes of its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix == ".parquet":
        parquet = pq.ParquetFile(file)
        features = _features(parquet.schema_arrow.metadata)
        for batch in parquet.iter_batches(ROWS):
            yield batch, features
        return
    with pa.memory_map(str(file)) as memory:
        reader = pa.ipc.open_stream(memory)
        features = _features(reader.schema.metadata)
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS):
                yield batch.slice(start, ROWS), features


def _features(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    noted = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    found: Mapping[str, Any] = noted.get("info", {}).get("features", {})
    return found


def _column(
    names: Sequence[str],
    columns: Sequence[str],
    features: Mapping[str, Any],
    kind: str,
    source: Path,
) -> str:
    """The column of a kind that Hugging Face notes, or else of a usual name."""
    noted = [one for one in columns if features.get(one, {}).get("_type") == kind]
    usual = [one for one in names if one in columns]
    found = [one for one in usual if one in noted] or noted or usual
    if not found:
        raise InvalidInput(
            f"{source}: no column called {' or '.join(names[:2])}; its columns are: "
            f"{', '.join(columns)}"
        )
    return found[0]


def _save(image: Any, folder: Path, split: str, place: int, file: Path) -> str:
    """Write an image, and give its name."""
    content: Any = image
    name = ""
    if isinstance(image, Mapping):
        content, name = image.get("bytes"), image.get("path") or ""
    if isinstance(content, str):
        content, name = None, content
    if content is None and name:
        content = (file.parent / name).read_bytes()
    if not isinstance(content, bytes):
        raise InvalidInput(f"{file}: image {place} is a {type(image).__name__}; expected bytes")
    kind = ending(Path(name).name) if ending(Path(name).name) in read_endings() else _kind(content)
    target = f"{split or 'images'}/{place:07d}{kind}"
    (folder / target).parent.mkdir(exist_ok=True)
    (folder / target).write_bytes(content)
    return target


def _kind(content: bytes) -> str:
    for magic, kind in MAGIC.items():
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return ".png"  # whatever it is, it is read by its content
