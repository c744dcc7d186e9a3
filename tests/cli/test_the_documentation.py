"""What the pages say of settings and commands is all there is, and there is all of it."""

import re
from pathlib import Path

import click

from regportal.cli import COMMANDS
from regportal.cli import regportal as top
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


def below(name, command):
    """Yield what can be called below a command: `outbox resume`, `list claims`."""
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for one in command.list_commands(context):
                yield f"{name} {one}"
                yield from below(f"{name} {one}", command.get_command(context, one))
        return
    if " " in name:
        return
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and isinstance(parameter.type, click.Choice):
            yield from (f"{name} {one}" for one in parameter.type.choices)


def called():
    """Everything that can be called, as one writes it."""
    with click.Context(top) as context:
        return {one for name in COMMANDS for one in below(name, top.get_command(context, name))}


def described():
    """Everything that the page of commands says can be called, below one that is."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    found = re.findall(r"`(?:regportal )?([a-z-]+) ([a-z][a-z0-9-]*)(?: [^`]*)?`", text)
    return {f"{name} {one}" for name, one in found if name in COMMANDS}


def test_every_command_below_a_command_is_described():
    assert {"outbox resume", "contact forget", "list subscribers"} <= called()
    assert called() - described() == set()


def test_nothing_is_described_that_cannot_be_called():
    assert described() - called() == set()
