"""JSON as we keep it is read as it was, whatever wrote it."""

import json

import pytest

from regportal.store.compact import read_json, write_json


@pytest.mark.parametrize(
    "value", [{}, [], {"a": 1.0, "b": [None, True]}, 10**30, "é\u0000", "half \ud800 a letter"]
)
def test_what_is_kept_as_json_is_read_as_it_was(value):
    assert read_json(json.dumps(value)) == value
    assert json.loads(write_json(value)) == value
    assert read_json(write_json(value)) == value
