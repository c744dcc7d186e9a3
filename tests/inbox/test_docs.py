"""The page about what a CRM may tell us is true."""

import json
import re
from pathlib import Path

import pytest

from regportal.consent.schema import Newsletter
from regportal.inbox.rules import COLUMNS, KINDS
from regportal.store.schema import Site

PAGE = (Path(__file__).parents[2] / "docs" / "inbound.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WAITS = "0065g00000New"
ACME = Site(name="Acme", controller="Acme Ltd, Leeds", privacy_notice="https://acme.example/p")
PRICES = Newsletter(key="widget-prices", title="Prices", wording="Send me prices.")


def test_every_type_has_an_example():
    assert {json.loads(example)["type"] for example in EXAMPLES} == KINDS


@pytest.mark.parametrize("name", ["external_id", *COLUMNS])
def test_every_field_is_described(name):
    assert f"`{name}`" in PAGE


def test_the_examples_are_understood_as_the_page_says(crm):
    crm.publish(ACME, PRICES)
    for example in EXAMPLES:
        assert crm.send(example.encode()).status_code == 202
    crm.understand()

    for example, notice in zip(EXAMPLES, crm.notices(), strict=True):
        said = json.loads(example)
        expected = "waiting" if said["data"].get("opportunity") == WAITS else "done"
        assert (said["type"], notice.state) == (said["type"], expected)
