"""The page about what a CRM may tell us is true."""

import json
import re
from pathlib import Path

import pytest

from regportal.inbox.rules import COLUMNS, LATER

PAGE = (Path(__file__).parents[2] / "docs" / "inbound.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
UNDERSTOOD = {"opportunity.upserted", "contact_role.added", "contact_role.removed"}
WAITS = "0065g00000New"


def test_every_type_has_an_example():
    assert {json.loads(example)["type"] for example in EXAMPLES} == UNDERSTOOD | LATER


@pytest.mark.parametrize("name", ["external_id", *COLUMNS])
def test_every_field_is_described(name):
    assert f"`{name}`" in PAGE


def test_the_examples_are_understood_as_the_page_says(crm):
    for example in EXAMPLES:
        assert crm.send(example.encode()).status_code == 202
    crm.understand()

    for notice in crm.notices():
        said = json.loads(notice.body)
        expected = "unknown" if said["type"] in LATER else "done"
        if said["data"].get("opportunity") == WAITS:
            expected = "waiting"
        assert (said["type"], notice.state) == (said["type"], expected)
