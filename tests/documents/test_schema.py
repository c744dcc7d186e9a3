from pathlib import Path

import jsonschema
import pytest
import yaml

from regportal.documents.reading import read, read_text
from regportal.documents.schema import SECTIONS, json_schema
from regportal.documents.sentences import PATTERNS, SECRET
from regportal.store.schema import WORDS

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme" / "regportal.yaml"


def patterns(part):
    """Every pattern a schema asks for."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        yield from part.get("patternProperties", {})
        for below in part.values():
            yield from patterns(below)
    elif isinstance(part, list):
        for below in part:
            yield from patterns(below)


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


def test_the_schema_takes_the_worked_example(validator):
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))

    assert list(validator.iter_errors(example)) == []


def test_the_worked_example_has_every_section_and_no_fault():
    book = read(EXAMPLE)
    book.refuse_faults()

    assert {kind for kind, _ in book.documents} == {kind.kind for kind in SECTIONS.values()}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scoring": []},
        {"scores": [{"key": "a", "thresholds": {"hot": 101}}]},
        {"gates": [{"key": "a"}]},
        {"gates": [{"key": "A", "asset": "a", "headline": "H"}]},
        {"questions": [{"key": "a", "label": {"english": "A"}, "type": "text"}]},
        {"assets": [{"key": "a", "title": "A", "category": "c", "content": {}}]},
        {"site": {"key": "a"}},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(validator, wrong):
    book = read_text(yaml.safe_dump(wrong).encode())

    assert not validator.is_valid(wrong)
    assert book.faults


def test_every_pattern_has_a_sentence():
    asked = set(patterns(json_schema())) - {SECRET}

    assert {one for one in asked if not WORDS.fullmatch(one)} == set(PATTERNS)


def test_every_part_of_the_schema_has_a_short_name():
    assert [name for name in json_schema()["$defs"] if "_" in name] == []
