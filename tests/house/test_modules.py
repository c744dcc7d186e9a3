"""A module has one subject: what grows beyond a few screens has found a second one."""

from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "regportal"
MOST = 350


def is_module(path):
    """
    Whether a file can be imported by its name; a migration cannot: it is a record, run once.

    >>> is_module(Path("rules.py")), is_module(Path("0001_the_first_house.py"))
    (True, False)
    """
    return path.stem.isidentifier()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.relative_to(HOUSE).as_posix())
        for path in sorted(HOUSE.rglob("*.py"))
        if is_module(path)
    ],
)
def test_no_module_is_too_long(path):
    lines = path.read_text("utf-8").count("\n")

    assert lines <= MOST, "find the seam: a decision, what reads, what writes, a thing with a name"
