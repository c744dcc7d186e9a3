import re
from pathlib import Path

import pytest

from regportal.documents.schema import SECTIONS, json_schema

TEXT = (Path(__file__).parents[2] / "docs" / "documents.md").read_text(encoding="utf-8")


def keys():
    """Every key of the schema, by the section's model."""
    for name, part in json_schema()["$defs"].items():
        for key in part.get("properties", {}):
            yield f"{name}.{key}"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_document_is_described_with_an_example(section):
    assert re.search(rf"^## {section}$.*?^```yaml\n{section}:$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("key", list(keys()))
def test_every_key_is_described(key):
    assert f"`{key.partition('.')[2]}`" in TEXT


def test_the_examples_can_be_applied(desk):
    desk.add("files/price-list-2026.csv", b"article,price\n")
    desk.write("\n".join(re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)))
    plan = desk.plan()

    assert {kind for kind, _ in plan.order} == {kind.kind for kind in SECTIONS.values()}
    assert plan.remarks == ()
    assert desk.publish(plan) == 1
