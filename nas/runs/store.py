"""Files of a run in a store that several machines reach: s3://bucket/folder, a folder, ..."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from fsspec.core import url_to_fs

from blocks.errors import InvalidInput
from nas.runs.atomic import replace_file

PROBE = Path(".sknas-probe")


@dataclass(frozen=True)
class Store:
    """A place for files, each under the path it has from the folder that the search runs in.

    Args:
        url: Of the place, as fsspec takes it. Keys come from the environment (``AWS_ACCESS_KEY_ID``,
            ``AWS_ENDPOINT_URL``, ...), never from here.
    """

    url: str

    @classmethod
    def checked(cls, url: str) -> Store:
        """A store that was written to and read from.

        Raises:
            InvalidInput: It cannot be.
        """
        store = cls(url)
        try:
            store.write(PROBE, "sknas")
            if store.read(PROBE) != "sknas":
                raise OSError("what was written is not what is read")
        except Exception as error:  # each kind of store has errors of its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise InvalidInput(f"checkpoints: {url}: {reason}") from None
        return store

    def put(self, file: Path) -> None:
        """Write a file of this machine into the store; it appears there whole or not at all."""
        with file.open("rb") as here, self._whole(file) as there:
            shutil.copyfileobj(here, there)

    def get(self, file: Path) -> bool:
        """Write a file of the store where it belongs on this machine; False when there is none."""
        try:
            with self._files.open(self._key(file), "rb") as there, replace_file(file) as here:
                shutil.copyfileobj(there, here)
        except FileNotFoundError:
            return False
        return True

    def write(self, file: Path, text: str) -> None:
        """Write a text into the store."""
        with self._whole(file) as there:
            there.write(text.encode("utf-8"))

    def read(self, file: Path) -> str:
        """A text of the store; empty when there is none."""
        self._files.invalidate_cache()
        try:
            return bytes(self._files.cat_file(self._key(file))).decode("utf-8")
        except FileNotFoundError:
            return ""

    @contextmanager
    def _whole(self, file: Path) -> Iterator[IO[bytes]]:
        with self._files.transaction, self._files.open(self._key(file), "wb") as there:
            yield there

    @cached_property
    def _place(self) -> tuple[Any, str]:
        # Another machine writes there too: what the library remembers of it would be out of date.
        files, root = url_to_fs(self.url, use_listings_cache=False)
        if files.protocol in ("file", ("file", "local")):
            files.auto_mkdir = True
        return files, root.rstrip("/")

    @property
    def _files(self) -> Any:
        return self._place[0]

    def _key(self, file: Path) -> str:
        if file.is_absolute() or ".." in file.parts:
            raise ValueError(f"{file}: not a path below the folder that the search runs in")
        return f"{self._place[1]}/{file.as_posix()}"
