"""
Puts static/vendor together from what package-lock.json names: ``make vendor``.

Each file is one bundle; manifest.json says of each what is in it (name, version, licence) and its
hash, and LICENSES.txt has the licences in full. The same packages make the same bytes.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent
MODULES = ROOT / "node_modules"
BUNDLES = {"htmx.min.js": ("htmx.js", "iife"), "echarts.min.js": ("echarts.js", "esm")}
"""What is made of which source, and whether it is a classic script or a module."""
SPDX = {"BSD-0-Clause": "0BSD"}
"""Names that packages give their licences, and how the list of licences calls them."""
LICENCES = ("LICENSE*", "CopyrightNotice*", "NOTICE*", "licenses/*")


def make(folder: Path) -> None:
    """Write every bundle, the manifest and the licences into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files, packages = {}, set()
    for name, (source, form) in BUNDLES.items():
        inside = _bundled(SOURCES / source, folder / name, form)
        packages |= inside
        told = [_told(package) for package in sorted(inside)]
        files[name] = {"sha384": _integrity(folder / name), "packages": told}
    text = json.dumps({"files": files}, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    (folder / "LICENSES.txt").write_text(_licences(sorted(packages)), encoding="utf-8")


def _bundled(source: Path, target: Path, form: str) -> set[str]:
    """Bundle a source; return the packages that are in it."""
    command = [
        *(MODULES / ".bin" / "esbuild", source, "--bundle", "--minify", f"--format={form}"),
        *("--target=es2022", "--log-level=warning", "--legal-comments=none", "--charset=utf8"),
        *(f"--outfile={target}", "--metafile=/dev/stdout"),
    ]
    done = subprocess.run(
        [*map(str, command)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        env={"NODE_PATH": str(MODULES), "PATH": str(Path(sys.executable).parent)},
    )
    [output] = json.loads(done.stdout)["outputs"].values()
    inputs: Mapping[str, Any] = output["inputs"]
    return {path.split("/")[1] for path in inputs if path.startswith("node_modules/")}


def _told(package: str) -> dict[str, str]:
    """Return what is said of a package."""
    about = json.loads((MODULES / package / "package.json").read_text("utf-8"))
    licence = SPDX.get(about["license"], about["license"])
    return {"name": about["name"], "version": about["version"], "licence": licence}


def _integrity(path: Path) -> str:
    """Return the hash by which browsers take these bytes and no others (SRI)."""
    digest = hashlib.sha384(path.read_bytes()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


def _licences(packages: Iterable[str]) -> str:
    """Return the licences of packages, as they are written there."""
    parts = []
    for package in packages:
        about = _told(package)
        parts.append(f"=== {about['name']} {about['version']} ({about['licence']}) ===")
        found = [one for glob in LICENCES for one in sorted((MODULES / package).glob(glob))]
        parts += [one.read_text("utf-8").strip() for one in found]
    lines = [line.rstrip() for line in "\n\n".join(parts).splitlines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
