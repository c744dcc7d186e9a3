"""The gate is strict, and every exception from it says why."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SOURCES = [
    path for place in ("regportal", "tests", "tools") for path in (ROOT / place).rglob("*.py")
]


def test_every_rule_of_ruff_is_asked():
    assert tomllib.loads(PYPROJECT)["tool"]["ruff"]["lint"]["select"] == ["ALL"]


def test_every_rule_that_is_ignored_says_why():
    lint = PYPROJECT.partition("[tool.ruff.lint]")[2].partition("[tool.ruff.lint.flake8")[0]
    ignored = [line for line in lint.splitlines() if re.match(r'  "[A-Z]+[0-9]*",', line)]

    assert ignored
    assert [line for line in ignored if not re.search(r", # \S.{5,}", line)] == []


def test_every_warning_that_is_ignored_says_why():
    filters = tomllib.loads(PYPROJECT)["tool"]["pytest"]["ini_options"]["filterwarnings"]
    lines = re.findall(r'^  "(?:ignore|default|once).*$', PYPROJECT, re.MULTILINE)

    assert filters[0] == "error"
    assert len(lines) == len(filters) - 1
    assert [line for line in lines if not re.search(r'", # \S.{5,}', line)] == []


def test_every_exception_in_the_code_names_its_rule_and_says_why():
    marks = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"#\s*(noqa|type:\s*ignore)", line)
        and not re.search(
            r"#\s*(noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|type: ?ignore\[[a-z, -]+\])\s+[-#]\s*\S",
            line,
        )
        and path != Path(__file__)
    ]

    assert marks == []


@pytest.mark.parametrize(
    "bad", ["import os\n", "def f(x=[]):\n    return x\n", "eval('1')\n", "print(1)\n"]
)
def test_what_is_badly_written_does_not_pass(bad):
    checked = subprocess.run(
        [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--quiet",
            "--stdin-filename",
            "regportal/new.py",
            "-",
        ],
        cwd=ROOT,
        input=bad,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 1


@pytest.mark.parametrize(
    "tool",
    [
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "lint-imports",
        "djlint",
        "biome ci",
        "tsc --project .",
        "--test 'tests/js/**/*.test.js'",
    ],
)
def test_the_gate_asks_every_tool(tool):
    recipe = MAKEFILE.partition("check-python:")[2].partition("\nformat:")[0]

    assert re.search(rf"{re.escape(tool)}(\s|$)", recipe)


def test_make_test_runs_the_gate_first():
    assert re.search(r"^test: both ", MAKEFILE, re.MULTILINE)
    assert re.search(
        r"^both: .*\n\t@\$\(MAKE\) .* check collected\n\t.*pytest -n ", MAKEFILE, re.MULTILINE
    )


def test_every_script_that_tests_is_found_by_its_name():
    lost = [
        path.name
        for path in (ROOT / "tests" / "js").rglob("*.js")
        if "node:test" in path.read_text("utf-8") and not path.name.endswith(".test.js")
    ]

    assert lost == []


def test_everything_is_tested_with_the_python_of_the_virtual_environment():
    assert Path(sys.prefix).is_relative_to(ROOT)
