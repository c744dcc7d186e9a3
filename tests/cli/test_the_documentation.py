import re
from pathlib import Path

from regportal.cli import COMMANDS
from regportal.config import Settings

DOCS = Path(__file__).parents[2] / "docs"


def first_cells(name, pattern):
    """The first word of each row of the tables."""
    return re.findall(rf"^\| `{pattern}", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_setting_is_described_once_and_in_order():
    assert first_cells("settings.md", r"REGPORTAL_([A-Z_]+)`") == [
        name.upper() for name in Settings.model_fields
    ]


def test_every_command_is_described_once():
    assert sorted(first_cells("commands.md", r"regportal ([a-z-]+)")) == sorted(COMMANDS)
