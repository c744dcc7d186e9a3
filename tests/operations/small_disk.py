"""A disk of a few MiB in memory, which only the processes begun within it see (unshare, mount)."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

OWN = [] if os.name != "posix" or os.geteuid() == 0 else ["--map-root-user"]
THEIRS = ["--user", "--preserve-credentials"] if OWN else []
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo here && exec cat'


class SmallDisk:
    """A disk, mounted at a folder that is there."""

    def __init__(self, folder, size):
        """Make it: ``size`` as mount reads it."""
        self._holder = subprocess.Popen(
            ["unshare", *OWN, "--mount", "sh", "-c", MOUNT, "sh", size, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.is_here = self._holder.stdout.readline() == "here\n"
        self.within = [
            *("nsenter", f"--target={self._holder.pid}", *THEIRS, "--mount", "--"),
            *("sh", "-c", 'cd "$0" && exec "$@"', str(folder.parent)),
        ]
        """What a command is begun with that is to see it."""
        self.folder = Path(f"/proc/{self._holder.pid}/root{folder}")
        """The same as whoever is not within sees it."""

    def fill(self):
        """Leave not one byte."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (2**16, 2**12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free(self):
        """Leave room again."""
        (self.folder / "filler").unlink()

    def close(self):
        """Let it go, and all that is on it."""
        self._holder.communicate()


def may_mount():
    """Return whether a disk may be made here: some machines forbid it."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError), contextlib.closing(SmallDisk(Path("/mnt"), "1m")) as disk:
        return disk.is_here
    return False


MAY_MOUNT = may_mount()
