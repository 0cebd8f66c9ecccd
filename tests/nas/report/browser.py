"""A real Chromium, spoken to in its DevTools protocol over two pipes: no port, no network."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
ABSENT = "there is no Chromium on this machine (Debian: apt-get install chromium)"
BOUND = 120
"""Seconds that anything may take on a busy machine."""
# All names and proxies lead to a closed port: what is fetched fails, and is seen.
FLAGS = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1 "
    "--proxy-server=127.0.0.1:9 --remote-debugging-pipe"
)


class Tab:
    """A page in a Chromium of its own.

    Args:
        profile: A folder for what the browser keeps.
        width: Of the window, in CSS pixels.
        height: Of the window.
        touch: Whether a finger is what points, as on a phone.
        flags: Further options of Chromium.
    """

    def __init__(
        self,
        profile: Path,
        width: int = 1280,
        height: int = 900,
        *,
        touch: bool = False,
        flags: Sequence[str] = (),
    ) -> None:
        assert BROWSER is not None
        # Chromium refuses to build its sandbox as root, which containers usually are.
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        # It reads commands at 3 and answers at 4.
        piped = ["sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null', BROWSER]
        self._log = profile.with_suffix(".log").open("wb")
        self._process = subprocess.Popen(
            [*piped, *FLAGS.split(), *flags, *as_root, f"--user-data-dir={profile}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._commands, self._answers = self._process.stdin, self._process.stdout
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height, touch=touch)

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session = None
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._commands.close()
        self._answers.close()
        self._log.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + BOUND
        while True:
            for told in self._told():
                if told.get("id") == number:
                    assert "error" not in told, f"{method}: {told['error']}"
                    return dict(told["result"])
            assert time.monotonic() < deadline, f"{method}: no answer"
            assert self._process.poll() is None, f"{method}: the browser has ended"
            time.sleep(0.005)

    def open(self, address: str) -> None:
        """Go to ``address``, and wait until the page and its figures are there."""
        before = self._loaded
        self.call("Page.navigate", url=address)
        self.wait(lambda: self._loaded > before)
        self.wait(
            lambda: self.run(
                "[...document.querySelectorAll('[data-drawing]')].every(p => p.querySelector('svg'))"
            )
        )

    def resize(self, width: int, height: int, *, touch: bool = False) -> None:
        """Another size of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, by the protocol: no policy forbids it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: Callable[[], object]) -> None:
        """Until ``condition()`` is true."""
        deadline = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)
            self.run("0")  # takes in what the browser tells meanwhile

    def box(self, expression: str) -> dict[str, float]:
        """Where the element of that expression lies in the window: x, y, width, height."""
        self.run(f"({expression}).scrollIntoView({{block: 'center'}})")
        return dict(self.run(f"({expression}).getBoundingClientRect().toJSON()"))

    def click(self, expression: str) -> None:
        """Press the mouse in the middle of an element."""
        box = self.box(expression)
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def tap(self, expression: str) -> None:
        """Touch the middle of an element with a finger."""
        box = self.box(expression)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str, text: str = "") -> None:
        """Press a key."""
        code = {"Tab": 9, "Enter": 13}[key]
        names = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **names)
        self.call("Input.dispatchKeyEvent", type="keyUp", **names)

    def picture(self, *, whole: bool = False) -> bytes:
        """The window, or the whole page, as PNG."""
        answer = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole)
        )
        return base64.b64decode(answer["data"])

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def _told(self) -> list[dict[str, Any]]:
        """Messages that have come since; notes the requests and errors among them."""
        self._rest += self._answers.read() or b""
        *whole, self._rest = self._rest.split(b"\0")
        messages = [json.loads(one) for one in whole]
        for told in messages:
            self._note(told.get("method", ""), told.get("params", {}))
        return messages

    def _note(self, event: str, about: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif event == "Page.loadEventFired":
            self._loaded += 1
        elif event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(about["exceptionDetails"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.errors.append(json.dumps(about["args"]))
