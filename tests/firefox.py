"""A real Firefox, driven by WebDriver BiDi: just enough of it to fill forms and press buttons."""

import contextlib
import itertools
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from tests.keys import strokes
from tests.patience import PATIENCE
from tools.ensure_browser import FIREFOX, ensure

PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.download.folderList": 2,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
}
"""It reaches nothing but this machine: all other hosts lie behind a proxy that is not there."""


class Firefox:
    """One Firefox with one tab."""

    def __init__(self, wire: ClientConnection, downloads: Path) -> None:
        self._wire, self._number = wire, itertools.count(1)
        self.downloads = downloads
        wanted = {"alwaysMatch": {"acceptInsecureCerts": True}}
        self.version = self._ask("session.new", capabilities=wanted)["capabilities"][
            "browserVersion"
        ]
        # A tab of our own: the one it starts with never gets the focus.
        self._tab = self._ask("browsingContext.create", type="tab")["context"]

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there; a download that begins is let go."""
        asked = {"context": self._tab, "url": url, "wait": "complete"}
        try:
            self._ask("browsingContext.navigate", **asked)
        except AssertionError as error:
            if "NS_BINDING_ABORTED" not in str(error):
                raise
            self._ask("browsingContext.navigate", **asked)

    def read(self, expression: str):
        """Return what a JavaScript expression gives on the page."""
        return self._read(expression, self._tab)

    def read_frame(self, expression: str):
        """Return what it gives in the frame of the page; None where none is there."""
        [tab] = self._ask("browsingContext.getTree", root=self._tab)["contexts"]
        return self._read(expression, tab["children"][0]["context"]) if tab["children"] else None

    def _read(self, expression: str, context: str):
        done = self._ask(
            "script.evaluate",
            expression=expression,
            target={"context": context},
            awaitPromise=True,
            userActivation=True,
        )
        assert done["type"] == "success", done
        return done["result"].get("value")

    def type(self, text: str) -> None:
        """Type a text wherever the focus is, as a keyboard does."""
        self._ask("input.performActions", context=self._tab, actions=strokes(text))

    def has(self, selector: str) -> bool:
        """Tell whether the page has such an element."""
        return bool(self.read(f"document.querySelector({json.dumps(selector)}) !== null"))

    def fill(self, selector: str, value: str) -> None:
        """Type into a field."""
        self.read(
            f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}; null"
        )

    def press(self, selector: str) -> None:
        """Press a button, and wait until the next page is there."""
        self.read("window.rpOld = true; null")
        self.read(f"document.querySelector({json.dumps(selector)}).click(); null")
        until = time.monotonic() + PATIENCE
        while self.read("Boolean(window.rpOld) || document.readyState !== 'complete'"):
            assert time.monotonic() < until, "the next page does not come"
            time.sleep(0.01)

    @property
    def text(self) -> str:
        """Return what the page says."""
        return self.read("document.documentElement.outerHTML") or ""

    def cookies(self) -> list[dict[str, str]]:
        """Return every cookie it keeps, as ``name`` and ``value``."""
        kept = self._ask("storage.getCookies")["cookies"]
        return [{"name": one["name"], "value": one["value"]["value"]} for one in kept]

    def add(self, extension: Path) -> None:
        """Let it have an extension, from its folder."""
        self._ask("webExtension.install", extensionData={"type": "path", "path": str(extension)})

    def forget(self) -> None:
        """Drop every cookie."""
        self._ask("storage.deleteCookies")

    def _ask(self, method: str, **params: object) -> dict:
        number = next(self._number)
        self._wire.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._wire.recv(timeout=PATIENCE))
            if told.get("id") == number:
                assert told["type"] == "success", f"{method}: {told}"
                return told["result"]


@contextlib.contextmanager
def firefox(proxy: str = "", *, scripts: bool = True, **more: object) -> Iterator[Firefox]:
    """Start a Firefox nobody has used; end it. ``a__b`` stands for the preference ``a.b``."""
    preferences = PREFERENCES | {name.replace("__", "."): value for name, value in more.items()}
    preferences["javascript.enabled"] = scripts
    if proxy:
        host, port = proxy.split(":")
        preferences |= {
            "network.proxy.http": "",
            "network.proxy.ssl": "",
            "network.proxy.socks": host,
            "network.proxy.socks_port": int(port),
            "network.proxy.socks_remote_dns": True,
        }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        preferences["browser.download.dir"] = f"{profile}/downloads"
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines), encoding="utf-8")
        process = subprocess.Popen(
            [ensure(FIREFOX), "--headless", "--remote-debugging-port=0", "--profile", profile],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            listening = None
            while listening is None:
                line = process.stderr.readline()
                assert line, "Firefox ended before it listened"
                listening = re.search(r"WebDriver BiDi listening on (ws://\S+)", line)
            with connect(f"{listening[1]}/session", max_size=None, proxy=None) as wire:
                yield Firefox(wire, Path(profile) / "downloads")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()
