"""A command in a terminal of its own: a real pseudo-terminal, and what a person would see in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

BOUND = 240
ESCAPE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Terminal:
    """Runs a command as the leader of a terminal's session, as a shell's place is.

    Args:
        command: What runs.
        folder: Where.
        columns: Of the terminal.
        environment: In place of variables of this process.
        deaf: Whether the command has SIGHUP ignored, as under nohup.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        columns: int = 100,
        environment: Mapping[str, str] | None = None,
        *,
        deaf: bool = False,
    ) -> None:
        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            # Not as this process has it: whoever runs the tests under nohup has it ignored.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if deaf else signal.SIG_DFL)

        unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "CI")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        self._master, slave = pty.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        self.output = ""
        self._bytes = b""
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, columns: int, lines: int = 30) -> None:
        """Another size; the kernel tells the command by SIGWINCH."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until ``condition()`` is true."""
        deadline = time.monotonic() + BOUND
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def end(self) -> int:
        """Wait for the command to end; its exit code."""
        code = self.process.wait(BOUND)
        self._reader.join(BOUND)
        return code

    def close(self) -> None:
        """Close the window: the kernel sends SIGHUP, and whatever is written from now on is an error."""
        self._closed = True
        self._reader.join(BOUND)
        os.close(self._master)

    def _read(self) -> None:
        os.set_blocking(self._master, False)
        while not self._closed:
            try:
                found = os.read(self._master, 65536)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            except OSError:  # the command has ended, and with it the last who held the other side
                return
            self._bytes += found
            with contextlib.suppress(UnicodeDecodeError):  # in the midst of a letter
                self.output = self._bytes.decode()


class Screen:
    """What is on a screen after some output, as far as this program's escape codes go.

    Like xterm, it does not break lines anew when it gets another width.

    Args:
        columns: Its width.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Write ``text``."""
        while text:
            if code := ESCAPE.match(text):
                self._obey(code[1], code[2])
                text = text[code.end() :]
                continue
            self._write(text[0])
            text = text[1:]

    def _write(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._down()
        else:
            if self._column == self.columns:
                self._down()
                self._column = 0
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")

    def _obey(self, numbers: str, what: str) -> None:
        if what == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif what == "K":
            assert numbers == "2"
            self.lines[self._row] = ""
        else:
            # Colours, and the cursor hidden and shown.
            assert what in "mhl", f"an escape code that this screen does not know: {numbers}{what}"
