"""A real browser for tests: headless Chromium, driven over its DevTools pipe. Needs nothing but the browser."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio", "--window-size=1300,1000",
)  # fmt: skip
PATIENCE_S = 60.0


def find_browser() -> str | None:
    """The browser on PATH."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """`with Browser(find_browser()) as browser: browser.open(url)`; `messages` are what pages said on the console."""

    def __init__(self, program: str) -> None:
        self.program, self.messages, self.requests = program, [], []
        self._number, self._buffer, self._session = 0, b"", None

    def __enter__(self) -> "Browser":
        self._profile = tempfile.mkdtemp(prefix="hoi-browser-")
        child_in, self._to = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        self._from, child_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        words = [self.program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        redirect = f'exec "$@" 3<&{child_in} 4>&{child_out} {child_in}<&- {child_out}>&-'
        self._process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", *words], pass_fds=(child_in, child_out),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(child_in)
        os.close(child_out)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One DevTools command and its answer; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._read(deadline)).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, url: str) -> None:
        """Load a page and wait until it has drawn itself, or is complete where it draws nothing."""
        self.messages.clear()
        self.requests.clear()
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", str(answer)))
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.js(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true within {PATIENCE_S:.0f} s: {expression}; console: {self.messages}")
            time.sleep(0.05)

    def key(self, name: str, code: int) -> None:
        """Press and release a key (its DOM name and virtual key code)."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def screen(self, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        """The size of the window, its colour scheme and the dots a pixel."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def screenshot(self, path: Path, **options: Any) -> None:
        """Write what the window shows."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def errors(self) -> list[str]:
        """Errors on the console, uncaught exceptions and refused loads."""
        self.js("new Promise((done) => setTimeout(done, 50))")
        return [text for level, text in self.messages if level == "error"]

    def _note(self, event: dict[str, Any]) -> None:
        p, method = event.get("params", {}), event.get("method")
        if method == "Runtime.consoleAPICalled":
            text = " ".join(str(a.get("value", a.get("description"))) for a in p["args"])
            self.messages.append((p["type"], text))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(("error", str(p["exceptionDetails"])))
        elif method == "Log.entryAdded":
            self.messages.append((p["entry"]["level"], f"{p['entry']['text']} {p['entry'].get('url', '')}"))
        elif method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise TimeoutError(f"{self.program} did not answer within {PATIENCE_S:.0f} s")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise TimeoutError(f"{self.program} has ended; try: {self.program} --headless=new --no-sandbox")
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)
