"""What docs/studio.md says of roles is what they are."""

import re
from pathlib import Path

from regportal.accounts.roles import GRANTED, PERMISSIONS, Role

PAGE = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")


def test_the_table_of_roles_is_the_one_of_the_program():
    rows = re.findall(r"^\| `([a-z]+)` \|[^|]+\| ([^|]+) \|$", PAGE, re.MULTILINE)

    assert {name: set(re.findall(r"`([a-z]+)`", may)) for name, may in rows} == {
        role.value: {one.value for one in GRANTED[role]} for role in Role
    }


def test_every_permission_is_explained_as_the_program_does():
    told = dict(re.findall(r"^- `([a-z]+)`: (.+)$", PAGE, re.MULTILINE))

    assert told == {one.value: says for one, says in PERMISSIONS.items()}
