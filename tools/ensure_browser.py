"""
Find a Chromium to test with, or install one; print where it is.

In this order: the one named by REGPORTAL_BROWSER, one that is installed already, Playwright's
own download, Debian's package. Exit 1 with everything that was tried when none of them works.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

INSTALLED = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Chromium.app/Contents/MacOS/Chromium",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
DOWNLOADED = ("chrome-headless-shell", "headless_shell", "chrome", "Chromium")
PATIENCE = 600.0

Candidate = tuple[str, str]  # a path, and the rung it is from


class MissingBrowserError(Exception):
    """No rung of the ladder led to a browser; ``str(error)`` says which were tried."""


def ensure() -> str:
    """Return the path of a browser that starts, installing one where none is there."""
    tried: list[str] = []
    for rung in (named, installed, downloaded, packaged):
        for path, what in rung(tried.append):
            if starts(path):
                return path
            tried.append(f"{what}: {path} does not start")
    raise MissingBrowserError(
        "No browser to test with. Install Chromium, or name one in REGPORTAL_BROWSER. Tried:\n"
        + "\n".join(f"  - {line}" for line in tried)
    )


def starts(path: str) -> bool:
    """Tell whether this is a browser: it says its version."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and "chrom" in said.stdout.lower()


def named(tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer the one the developer names."""
    path = os.environ.get("REGPORTAL_BROWSER")
    if path:
        yield path, "REGPORTAL_BROWSER"
    else:
        tell("REGPORTAL_BROWSER: not set")


def installed(tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer those this machine has."""
    applications = [Path(name).expanduser() for name in APPLICATIONS]
    found = [path for name in INSTALLED if (path := shutil.which(name))]
    found += [str(path) for path in applications if path.exists()]
    if not found:
        tell(f"installed: none of {', '.join(INSTALLED)}, and no application")
    for path in found:
        yield path, "installed"


def downloaded(tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer Playwright's own, which it downloads."""
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


def packaged(tell: Callable[[str], None]) -> Iterator[Candidate]:
    """Offer Debian's, which only root may install."""
    if shutil.which("apt-get") is None:
        tell("apt-get install chromium: there is no apt-get")
        return
    if os.geteuid() != 0:
        tell("apt-get install chromium: only root may; try: sudo apt-get install chromium")
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], quiet)
    trouble = _run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], quiet
    )
    if trouble:
        tell(f"apt-get install chromium: {trouble}")
    elif path := shutil.which("chromium"):
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
        print(ensure())
    except MissingBrowserError as missing:
        sys.exit(str(missing))
