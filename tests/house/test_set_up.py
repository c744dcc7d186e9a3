"""Two commands do all the set-up, and say in one sentence what they cannot do."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tools import ensure_browser

ROOT = Path(__file__).parents[2]


def make(*arguments, **variables):
    return subprocess.run(
        ["make", "--no-print-directory", *(f"{k}={v}" for k, v in variables.items()), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def python(tmp_path):
    """Makes a Python that cannot do everything."""

    def python_that_fails_at(word):
        path = tmp_path / "python3"
        path.write_text(f'#!/bin/sh\ncase "$*" in *"{word}"*) exit 1;; esac\nexec python3 "$@"\n')
        path.chmod(0o755)
        return path

    return python_that_fails_at


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("import venv", "Python's venv module is missing: apt install python3-venv"),
        ("version_info", "regportal needs Python 3.11 or newer"),
    ],
)
def test_a_python_that_will_not_do_is_told_in_one_sentence(python, tmp_path, lacks, says):
    place = tmp_path / "venv"
    done = make(f"{place}/bin/python", PYTHON=python(lacks), VENV=place)

    assert done.returncode != 0
    assert says in done.stderr.splitlines()[0]
    assert not place.exists()


def test_ci_does_what_make_test_does():
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & stat.S_IXUSR
    assert "exec make test" in script.read_text()


def test_make_says_what_it_can_do():
    said = make().stdout

    assert {line.split()[0] for line in said.splitlines()} >= {
        "demo",
        "test",
        "check",
        "soak",
        "lock",
        "wheel",
        "clean",
    }


# --- the ladder to a browser ---


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """No browser, no way to one; returns a function that makes one."""

    def browser(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\necho Chromium 156.0\n")
        path.chmod(0o755)
        return str(path)

    commands = []
    monkeypatch.setattr(ensure_browser.shutil, "which", lambda _: None)
    monkeypatch.setattr(ensure_browser.CHROMIUM, "applications", ())
    monkeypatch.setattr(ensure_browser, "_run", lambda *told: commands.append(told[0]) or "no")
    monkeypatch.delenv("REGPORTAL_BROWSER", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    browser.commands = commands
    return browser


def test_the_browser_that_is_named_comes_first(bare_machine, monkeypatch):
    monkeypatch.setenv("REGPORTAL_BROWSER", bare_machine("mine"))
    monkeypatch.setattr(ensure_browser.shutil, "which", lambda _: bare_machine("chromium"))

    assert ensure_browser.ensure().endswith("/mine")


def test_one_that_does_not_start_is_passed_over(bare_machine, monkeypatch):
    monkeypatch.setenv("REGPORTAL_BROWSER", "/bin/false")
    monkeypatch.setattr(ensure_browser.shutil, "which", lambda _: bare_machine("chromium"))

    assert ensure_browser.ensure().endswith("/chromium")
    assert bare_machine.commands == []


def test_what_playwright_downloaded_is_found(bare_machine):
    path = bare_machine("playwright/chromium_headless_shell-1/linux/headless_shell")

    assert ensure_browser.ensure() == path


def test_root_installs_the_package(bare_machine, monkeypatch):
    installed = []

    def which(name):
        return {"apt-get": "/usr/bin/apt-get", "chromium": installed and installed[0]}.get(name)

    def run(command, more=None):
        if command[:2] == ["apt-get", "install"]:
            installed.append(bare_machine("chromium"))
        return "no network" if "playwright" in command else None

    monkeypatch.setattr(ensure_browser.shutil, "which", which)
    monkeypatch.setattr(ensure_browser.os, "geteuid", lambda: 0)
    monkeypatch.setattr(ensure_browser, "_run", run)

    assert ensure_browser.ensure().endswith("/chromium")


@pytest.mark.parametrize("there_is_one", [True, False])
def test_root_gets_the_one_without_windows_beside_the_whole_one(
    bare_machine, monkeypatch, there_is_one
):
    found = {"apt-get": "/usr/bin/apt-get", "chromium": bare_machine("chromium")}

    def run(command, more=None):
        if command[1] == "update":
            return None
        if there_is_one and command[-1] == ensure_browser.WINDOWLESS:
            found[command[-1]] = bare_machine(command[-1])
            return None
        return "unable to locate package"

    monkeypatch.setattr(ensure_browser.shutil, "which", found.get)
    monkeypatch.setattr(ensure_browser.os, "geteuid", lambda: 0)
    monkeypatch.setattr(ensure_browser, "_run", run)
    ensure_browser.prefer_windowless()

    name = ensure_browser.WINDOWLESS if there_is_one else "chromium"
    assert ensure_browser.ensure().endswith(f"/{name}")


def test_beside_the_browser_that_is_named_none_is_installed(bare_machine, monkeypatch):
    monkeypatch.setenv("REGPORTAL_BROWSER", bare_machine("mine"))
    monkeypatch.setattr(ensure_browser.os, "geteuid", lambda: 0)
    monkeypatch.setattr(ensure_browser.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    ensure_browser.prefer_windowless()

    assert bare_machine.commands == []


def test_without_any_browser_every_try_is_told(bare_machine):
    with pytest.raises(ensure_browser.MissingBrowserError) as missing:
        ensure_browser.ensure()

    assert [line.split(":")[0] for line in str(missing.value).splitlines()[1:]] == [
        "  - REGPORTAL_BROWSER",
        "  - installed",
        "  - playwright install chromium",
        "  - apt-get install chromium",
    ]
