"""The guard itself: what skips fails, what needs the shared data says so, groups stay together."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Runs pytest with the guard on one file of tests; returns its exit code and words."""

    def run_with_guard(text, *how, conftest=""):
        rootdir = tmp_path / "checkout"
        rootdir.mkdir()
        (rootdir / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser\n  shared_data\n")
        (rootdir / "conftest.py").write_text(conftest)
        (rootdir / "test_it.py").write_text(text)
        told = ["-p", "tests.guard", "-p", "no:cacheprovider", "--rootdir", str(rootdir)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *told, "-c", "pytest.ini", *how, "test_it.py"],
            cwd=rootdir,
            env={
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run_with_guard


def test_a_test_that_skips_fails(run):
    code, said = run("""
import pytest

def test_in_its_body():
    pytest.skip("no server")

@pytest.mark.skip("no server")
def test_by_a_mark():
    pass

@pytest.mark.skipif(True, reason="no server")
def test_by_a_condition():
    pass

@pytest.fixture
def server():
    pytest.skip("no server")

def test_by_a_fixture(server):
    pass
""")

    assert code == 1
    assert "1 failed, 3 errors" in said
    assert said.count("Skipped: no server") == 4
    assert "no test may skip" in said


def test_a_file_of_tests_that_skips_fails(run):
    code, said = run("import pytest\npytest.skip('no server', allow_module_level=True)")

    assert code == 2
    assert "no test may skip" in said


def test_a_missing_import_fails(run):
    code, said = run("import pytest\npytest.importorskip('there_is_no_such_thing')")

    assert code == 2
    assert "no test may skip" in said


def test_a_test_that_is_expected_to_fail_is_no_skip(run):
    code, said = run("import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert 0")

    assert code == 0
    assert "1 xfailed" in said


@pytest.mark.parametrize(
    "needs",
    ["@pytest.mark.shared_data\ndef test_data():", "def test_data(shared_data):"],
)
def test_tests_of_the_shared_data_are_left_out_where_it_is_not(run, needs):
    code, said = run(
        "import pytest\n"
        "@pytest.fixture\ndef shared_data():\n    return 1\n"
        f"{needs}\n    pass\n"
        "def test_it():\n    pass"
    )

    assert code == 0
    assert "1 passed, 1 deselected" in said
    assert "The tests of the shared data were left out" in said


MANY = "import pytest\n@pytest.mark.parametrize('n', range(8))\ndef test_it(n):\n    pass\n"
TWO_WORKERS = "-p", "xdist", "-n", "2", "-v", "--dist"
MARKED = """
import pytest

@pytest.hookimpl({when}=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group("the wheel"))
"""


def workers(said):
    return set(re.findall(r"^\[(gw\d)\]", said, re.MULTILINE))


def test_a_group_is_run_by_one_worker(run):
    code, said = run(MANY, *TWO_WORKERS, "loadgroup", conftest=MARKED.format(when="tryfirst"))

    assert code == 0
    assert "8 passed" in said
    assert len(workers(said)) == 1


def test_a_group_that_was_spread_fails_the_run(run):
    """Marked where xdist has looked already, or by a pytest that xdist does not understand."""
    code, said = run(MANY, *TWO_WORKERS, "loadgroup", conftest=MARKED.format(when="trylast"))

    assert workers(said) == {"gw0", "gw1"}
    assert code == 1
    assert "FAILED: the group 'the wheel' ran on gw0, gw1" in said


def test_who_asks_for_no_groups_may_spread_them(run):
    code, said = run(MANY, *TWO_WORKERS, "load", conftest=MARKED.format(when="tryfirst"))

    assert workers(said) == {"gw0", "gw1"}
    assert code == 0
