"""Where a study is kept: a file of SQLite, or a server whose restarts are waited for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from blocks.errors import InvalidInput

WAIT_SECONDS = 300
"""How long a search waits for a database that is locked or whose server is being restarted."""


def database_url(text: str) -> URL:
    """The address of a database that outlasts the process; printed, it hides its password.

    Raises:
        InvalidInput: It is none.
    """
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, ValueError):
        # Not repeated, for it may have a password in it.
        raise InvalidInput(
            "not the address of a database; allowed: sqlite:///FILE, "
            "postgresql+psycopg://USER@HOST/DATABASE, or another that SQLAlchemy knows"
        ) from None
    if is_file(url) and (
        url.database in (None, "", ":memory:") or {"mode", "uri"} & set(url.query)
    ):
        raise InvalidInput("a database in memory does not last; allowed: sqlite:///FILE")
    if "@" in (url.host or ""):
        # What follows the first one would be taken for the host, and be printed.
        raise InvalidInput("an @ in the password of a database is written %40")
    return url


def is_file(url: URL) -> bool:
    """Whether the database is a file of this machine."""
    return url.get_backend_name() == "sqlite"


def is_gone(url: URL) -> bool:
    """Whether it is a file that does not exist or is empty; SQLite would make a new one."""
    file = Path(url.database or "")
    return is_file(url) and not (file.is_file() and file.stat().st_size)


def check_can_be_made(url: URL, new: Path) -> None:
    """Make sure that a file which is not there yet can be made; writes nothing.

    Args:
        url: Of the file.
        new: A folder that will be there by then.

    Raises:
        InvalidInput: It is a folder, or would lie in none.
    """
    file = Path(str(url.database))
    if file.is_dir():
        raise InvalidInput(f"{file}: a folder; allowed: sqlite:///FILE")
    if not file.parent.is_dir() and file.parent.resolve() != new.resolve():
        raise InvalidInput(f"{file}: there is no folder {file.parent}")


def name_of(url: URL) -> str:
    """What people know the database by, without its password, which may be in the query too."""
    return str(url.database) if is_file(url) else str(url.set(query={}))


def connect(url: URL) -> RDBStorage:
    """The storage at ``url``; once connected, it waits for a server that is being restarted."""
    # Whoever reads the file (a dashboard, a backup) holds up who writes, for a moment.
    wait = {"connect_args": {"timeout": WAIT_SECONDS}} if is_file(url) else {"pool_pre_ping": True}
    storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=wait)
    if not is_file(url):
        event.listen(storage.engine, "do_connect", _connect_patiently)
    return storage


def connect_to_read(url: URL) -> RDBStorage:
    """The storage at ``url``, which cannot be written through.

    Raises:
        InvalidInput: This kind of database cannot be opened so.
    """
    options: dict[str, Any] = {}
    if is_file(url):
        file = Path(url.database or "").resolve().as_uri()
        url = url.set(database=file, query={"mode": "ro", "uri": "true"})
    elif url.get_backend_name() == "postgresql":
        options = {"execution_options": {"postgresql_readonly": True}}
    else:
        raise InvalidInput(
            f"{url.get_backend_name()}: cannot be opened for reading only; allowed: sqlite, postgresql"
        )
    storage = RDBStorage(
        url.render_as_string(hide_password=False),
        options,
        skip_compatibility_check=True,
        skip_table_creation=True,
    )
    event.listen(storage.engine, "before_cursor_execute", _refuse_to_write)
    return storage


def _refuse_to_write(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    """Before SQLAlchemy executes a statement: the database's own refusal names no reason."""
    if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
        raise InvalidInput("the study of a run is read-only: only its search writes it")


def _connect_patiently(
    dialect: Any, record: object, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Connect to a database server; see SQLAlchemy's event ``do_connect``."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return dialect.connect(*arguments, **keywords)
        except dialect.loaded_dbapi.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
