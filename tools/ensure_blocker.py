"""
Find uBlock Origin for Firefox, with the lists it comes with; print its folder.

In this order: the folder named by REGPORTAL_BLOCKER, the one that Debian installs, Debian's
package, unpacked in this environment: installed, it would be in every Firefox of the machine.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

NAMED = "REGPORTAL_BLOCKER"
PACKAGE = "webext-ublock-origin-firefox"
WITHIN = "usr/share/mozilla/extensions"
KEPT = Path(sys.prefix) / ".blocker"


class MissingBlockerError(Exception):
    """There is none, and none can be had; ``str(error)`` says what was tried."""


def ensure() -> Path:
    """Return the folder of the extension; raise MissingBlockerError where there is none."""
    named = os.environ.get(NAMED)
    places = [Path(named)] if named else [Path("/") / WITHIN, KEPT / WITHIN]
    found = next(filter(None, map(_within, places)), None)
    if found is None and not named:
        _unpack()
        found = _within(KEPT / WITHIN)
    if found is None:
        raise MissingBlockerError(
            f"No uBlock Origin to test with. Name a folder with one in {NAMED}."
        )
    return found


def _within(place: Path) -> Path | None:
    """Return the folder of the extension in or below a place."""
    lists = place.glob("**/assets/thirdparties/easylist/easyprivacy.txt")
    return next((one.parents[3] for one in sorted(lists)), None)


def _unpack() -> None:
    """Get Debian's package, which nobody needs to be root for, and unpack it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _run("apt-get", "download", "-qq", PACKAGE, cwd=folder)
            [package] = Path(folder).glob("*.deb")
            _run("dpkg-deb", "-x", str(package), str(KEPT), cwd=folder)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise MissingBlockerError(
                f"{PACKAGE} cannot be had ({error}). Name a folder in {NAMED}."
            ) from error


def _run(*command: str, cwd: str) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


if __name__ == "__main__":
    try:
        print(ensure())
    except MissingBlockerError as missing:
        sys.exit(str(missing))
