"""Chromium without a window, driven over the pipes of its DevTools protocol.

No driver and no package needed.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Browser", "find_browser"]

_SECONDS = 60.0
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
    "about:blank",
)
_TELL_VIOLATIONS = (  # Not all of them are on the console.
    "addEventListener('securitypolicyviolation',"
    " (event) => console.error(`refused: ${event.violatedDirective} ${event.blockedURI} "
    "${event.sample}`))"
)
_EXEC = (  # Chromium reads commands from descriptor 3 and answers on 4.
    "import fcntl, os, sys\n"
    "pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]\n"
    "for number, pipe in enumerate(pipes, 3): os.dup2(pipe, number)\n"
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def find_browser() -> str | None:
    """Return the path of Chromium or Chrome on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class Browser:
    """One page of a browser.

    Parameters
    ----------
    program
        Path of Chromium.
    profile
        Empty folder for what it keeps.

    Attributes
    ----------
    errors
        What the page put on its console as an error: uncaught exceptions, failed requests,
        messages; and what its content security policy refused.
    """

    def __init__(self, program: str, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [program, *_FLAGS, *sandbox, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _EXEC, str(ours[0]), str(theirs[1]), *command],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = ours[1], theirs[0]
        self._buffer = b""
        self._number = 0
        self._loaded = False
        self._session: str | None = None
        self.errors: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_TELL_VIOLATIONS)
        self.resize(1280, 800)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come meanwhile are noted."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                answer: dict[str, Any] = message["result"]
                return answer
            self._note(message)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], _SECONDS)[0]:
                raise TimeoutError(f"the browser said nothing for {_SECONDS:.0f} s")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError(f"the browser ended with status {self._process.wait()}")
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self.errors.append(
                    " ".join(str(part.get("value", part)) for part in params["args"])
                )
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def open(self, url: str) -> None:
        """Open a page and wait until it has loaded; errors of earlier pages are forgotten."""
        self.errors.clear()
        self._loaded = False
        self._call("Page.navigate", url=url)
        while not self._loaded:
            self._note(self._message())

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(
                f"{expression}: {answer['exceptionDetails']['exception']['description']}"
            )
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + _SECONDS
        while not self._is_true(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {_SECONDS:.0f} s for {expression}")
            time.sleep(0.05)

    def _is_true(self, expression: str) -> bool:
        try:
            return bool(self.evaluate(expression))
        except RuntimeError as error:
            if "navigated" not in str(error):  # by a link that was clicked: the next page is asked
                raise
            return False

    def resize(self, width: int, height: int, *, touch: bool = False) -> None:
        """Give the page the size of a screen, in CSS pixels; a touch screen is a phone's."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if touch else 1,
            mobile=touch,
        )

    def prefer(self, scheme: str) -> None:
        """Prefer the colour scheme ``light`` or ``dark``."""
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def mouse(self, kind: str, x: float, y: float, *, pressed: bool = False) -> None:
        """Send a mouse event (``mouseMoved``, ``mousePressed``, ``mouseReleased``) at CSS pixels of
        the window.
        """
        button = "left" if pressed or kind != "mouseMoved" else "none"
        self._call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons=int(pressed),
            clickCount=1,
        )

    def screenshot(self) -> bytes:
        """Return the picture of the window, PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(
            self._write
        )  # Chromium and its children end when nobody can command them any more.
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
