"""
Find the browsers, the web server and the tracer to test with, or install them; say where they are.

In this order: the one named by REGPORTAL_BROWSER (Chromium), REGPORTAL_FIREFOX, REGPORTAL_NGINX or
REGPORTAL_STRACE, one that is installed already, Playwright's own download (of Chromium; its
Firefox is not the one people have), Debian's package. Exit 1 with everything that was tried when
none of them works. The Chromium without windows comes before the whole one, which takes four
times as long to begin; where Debian has it, root gets it beside the other.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from regportal.cli.browsing import BROWSERS, NAMED, ON_A_MAC

WINDOWLESS = "chromium-headless-shell"


@dataclass(eq=False)
class Kind:
    """A program, and where it may be."""

    name: str
    says: str
    """A word of what it says, asked for its version or for help."""
    variable: str
    installed: tuple[str, ...]
    applications: tuple[str, ...]
    package: str
    asked: tuple[str, ...] = ("--version",)


CHROMIUM = Kind(
    "Chromium",
    "chrom",
    NAMED,
    (WINDOWLESS, *BROWSERS),
    (*ON_A_MAC, *(f"~{one}" for one in ON_A_MAC)),
    "chromium",
)
FIREFOX = Kind(
    "Firefox",
    "firefox",
    "REGPORTAL_FIREFOX",
    ("firefox", "firefox-esr"),
    (
        "/Applications/Firefox.app/Contents/MacOS/firefox",
        "~/Applications/Firefox.app/Contents/MacOS/firefox",
    ),
    "firefox-esr",
)
NGINX = Kind(
    "nginx", "nginx", "REGPORTAL_NGINX", ("nginx",), ("/usr/sbin/nginx",), "nginx", ("-v",)
)
PHP = Kind("PHP", "php", "REGPORTAL_PHP", ("php",), (), "php-cli")
HUGO = Kind("Hugo", "hugo", "REGPORTAL_HUGO", ("hugo",), (), "hugo", ("version",))
CADDY = Kind("Caddy", "2.", "REGPORTAL_CADDY", ("caddy",), (), "caddy", ("version",))
APACHE = Kind(
    "Apache", "apache", "REGPORTAL_APACHE", ("apache2",), ("/usr/sbin/apache2",), "apache2", ("-v",)
)
WEBKIT = Kind(
    "WebKitGTK",
    "webkitwebdriver",
    "REGPORTAL_WEBKIT",
    ("WebKitWebDriver",),
    (),
    "webkit2gtk-driver",
    ("--help",),
)
XVFB = Kind("Xvfb", "-fbdir", "REGPORTAL_XVFB", ("Xvfb",), (), "xvfb", ("-help",))
STRACE = Kind("strace", "strace", "REGPORTAL_STRACE", ("strace",), (), "strace", ("-V",))
KINDS = (CHROMIUM, FIREFOX, NGINX, PHP, HUGO, CADDY, APACHE, WEBKIT, XVFB, STRACE)
DOWNLOADED = ("chrome-headless-shell", "headless_shell", "chrome", "Chromium")
PATIENCE = 600.0

Candidate = tuple[str, str]  # a path, and the rung it is from


class MissingBrowserError(Exception):
    """No rung of the ladder led to the program; ``str(error)`` says which were tried."""


def ensure(kind: Kind = CHROMIUM) -> str:
    """Return the path of one that starts, installing one where none is there."""
    tried: list[str] = []
    for rung in (named, installed, downloaded, packaged):
        for path, what in rung(kind, tried.append):
            if starts(kind, path):
                return path
            tried.append(f"{what}: {path} does not start")
    raise MissingBrowserError(
        f"No {kind.name} to test with. Install it, or name one in {kind.variable}. Tried:\n"
        + "\n".join(f"  - {line}" for line in tried)
    )


def prefer_windowless() -> None:
    """Install Debian's Chromium without windows where one may; where not, any will do."""
    if NAMED not in os.environ and shutil.which(WINDOWLESS) is None:
        for _ in packaged(replace(CHROMIUM, package=WINDOWLESS), lambda _: None):
            pass


def starts(kind: Kind, path: str) -> bool:
    """Tell whether this is the program: it says who it is."""
    try:
        said = subprocess.run(
            [path, *kind.asked], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and kind.says in (said.stdout + said.stderr).lower()


def named(kind: Kind, tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer the one the developer names."""
    path = os.environ.get(kind.variable)
    if path:
        yield path, kind.variable
    else:
        tell(f"{kind.variable}: not set")


def installed(kind: Kind, tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer those this machine has."""
    applications = [Path(name).expanduser() for name in kind.applications]
    found = [path for name in kind.installed if (path := shutil.which(name))]
    found += [str(path) for path in applications if path.exists()]
    if not found:
        tell(f"installed: none of {', '.join(kind.installed)}, and no application")
    for path in found:
        yield path, "installed"


def downloaded(kind: Kind, tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer Playwright's own, which it downloads."""
    if kind is not CHROMIUM:
        return
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _playwright_folder())
    if not _has(folder):
        command = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
        trouble = _run(command)
        if trouble:
            tell(f"playwright install chromium: {trouble}")
            return
    paths = _has(folder)
    if not paths:
        tell(f"playwright install chromium: nothing in {folder}")
    for path in paths:
        yield path, "playwright"


def packaged(kind: Kind, tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer Debian's, which only root may install."""
    if shutil.which("apt-get") is None:
        tell(f"apt-get install {kind.package}: there is no apt-get")
        return
    if os.geteuid() != 0:
        wanted = f"apt-get install {kind.package}"
        tell(f"{wanted}: only root may; try: sudo {wanted}")
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], quiet)
    install = ["apt-get", "install", "-y", "-qq", "--no-remove", "--no-install-recommends"]
    trouble = _run([*install, kind.package], quiet)
    if trouble:
        tell(f"apt-get install {kind.package}: {trouble}")
        return
    for path, _ in installed(kind, tell):
        yield path, "apt-get"


def _playwright_folder() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches/ms-playwright").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-playwright"


def _has(folder: Path) -> list[str]:
    return [
        str(path)
        for name in DOWNLOADED
        for path in sorted(folder.glob(f"chromium*/**/{name}"), reverse=True)
        if path.is_file() and os.access(path, os.X_OK)
    ]


def _run(command: list[str], more: dict[str, str] | None = None) -> str | None:
    """Return None when it worked, else the line that says why not."""
    print("…", *command, file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(more or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return str(trouble)
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error"))]
    return next(iter([*errors[:1], *lines[-1:]]), f"exit {done.returncode}").strip()


if __name__ == "__main__":
    try:
        prefer_windowless()
        for kind in (CHROMIUM, FIREFOX, NGINX, *([STRACE] if sys.platform == "linux" else [])):
            print(ensure(kind))
    except MissingBrowserError as missing:
        sys.exit(str(missing))
