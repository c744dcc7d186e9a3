"""A real WebKitGTK, driven by plain WebDriver: the engine of Safari, as Debian has it."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.keys import strokes
from tests.patience import PATIENCE
from tools.ensure_browser import WEBKIT, XVFB, ensure
from tools.ports import free_port

FRAME = "(document.querySelector('regportal-gate')?.shadowRoot ?? document).querySelector('iframe')"


class WebKit:
    """One WebKitGTK with one window."""

    def __init__(self, driver: str, arguments: list[str], downloads: Path) -> None:
        """Begin a session of its own."""
        self._address, self.downloads = driver, downloads
        wanted = {"acceptInsecureCerts": True, "webkitgtk:browserOptions": {"args": arguments}}
        made = self._ask("POST", "/session", capabilities={"alwaysMatch": wanted})
        self._address = f"{driver}/session/{made['sessionId']}"
        self.version = made["capabilities"]["browserVersion"]

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self._ask("POST", "/url", url=url)

    def read(self, expression: str):
        """Return what a JavaScript expression gives on the page."""
        return self._ask("POST", "/execute/sync", script=f"return ({expression})", args=[])

    def read_frame(self, expression: str):
        """Return what it gives in the frame of the page; None where none is there."""
        frame = self.read(FRAME)
        if frame is None:
            return None
        self._ask("POST", "/frame", id=frame)
        try:
            return self.read(expression)
        finally:
            self._ask("POST", "/frame", id=None)

    def type(self, text: str) -> None:
        """Type a text wherever the focus is, as a keyboard does."""
        self._ask("POST", "/actions", actions=strokes(text))

    def end(self) -> None:
        """Close it."""
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, **params: object):
        body = params if method == "POST" else None
        told = requests.request(method, self._address + path, json=body, timeout=PATIENCE)
        value = told.json()["value"]
        assert told.ok, f"{path}: {value}"
        return value


@contextlib.contextmanager
def webkit(proxy: str, *, scripts: bool = True) -> Iterator[WebKit]:
    """
    Start a WebKitGTK nobody has used, on a screen nobody sees; end both.

    It reaches only what the proxy lets it. Without ``scripts`` it takes those of pages out.
    """
    port = free_port()
    arguments = ["--automation", *([] if scripts else ["--enable-javascript-markup=false"])]
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        screen = stack.enter_context(_screen())
        environment = {**os.environ, "DISPLAY": screen, "HOME": home, "XDG_RUNTIME_DIR": home}
        environment |= {"https_proxy": f"socks5://{proxy}", "no_proxy": "127.0.0.1"}
        driver = subprocess.Popen(
            [ensure(WEBKIT), f"--port={port}", "--host=127.0.0.1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(_end, driver)
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert time.monotonic() < until, "WebKitWebDriver does not listen"
            time.sleep(0.02)
        browser = WebKit(f"http://127.0.0.1:{port}", arguments, Path(home))
        stack.callback(browser.end)
        yield browser


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    reading, writing = os.pipe()
    command = [ensure(XVFB), "-displayfd", str(writing), "-screen", "0", "1280x1024x24"]
    process = subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=(writing,), stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading) as said:
        number = said.readline().strip()
    assert number, "Xvfb does not start"
    try:
        yield f":{number}"
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
