"""What is installed is named by version and hash, never by the address of a registry."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKED = sorted((ROOT / "requirements").glob("*.txt"))

# Written in pieces, so that this file does not name what no file may name.
HOSTS = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
]
SETTINGS = ["-".join(pieces) for pieces in (("index", "url"), ("find", "links"))]
NEGATED = re.compile("--no-emit-" + r"[a-z-]+")


def files_of_the_project():
    """What is in the repository, or would be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry():
    named = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in files_of_the_project()
        for text in [NEGATED.sub("", path.read_bytes().decode("utf-8", "replace"))]
        for word in [*HOSTS, *SETTINGS]
        if re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", text)
    ]

    assert named == []


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_requirement_has_its_hashes(path):
    text = path.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]

    assert lines
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_no_requirement_is_a_path_of_some_machine(path):
    assert re.findall(r"file:|://|@ |^-e|^/", path.read_text("utf-8"), re.MULTILINE) == []


def test_every_package_of_the_scripts_has_its_hash_and_no_address():
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_every_optional_package_of_the_scripts_is_locked():
    """Else `npm ci` fails on the machine that needs it."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = {name for entry in lock.values() for name in entry.get("optionalDependencies", {})}

    assert {name for name in wanted if f"node_modules/{name}" not in lock} == set()


def test_the_test_requirements_have_what_is_run():
    run, test = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("run.txt", "test.txt")
    )

    assert run <= test
