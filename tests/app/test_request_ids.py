"""Whoever writes to us about an error names an id, and it is in the log."""

import json
import logging
import re

import pytest
from werkzeug.test import Client

from regportal.app.logs import Lines
from regportal.app.server import logged

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_and_the_log_name_the_same_id(portal, caplog):
    caplog.set_level(logging.INFO, "regportal.requests")
    caplog.handler.setFormatter(Lines())
    client = Client(logged(portal.app))
    pages = [
        client.get(path, headers={"Host": "localhost:8000", "Accept": "text/html"})
        for path in ("/nothing-here", "/g/nothing")
    ]
    shown = [re.search(rf"name <code[^>]*>({UUID})</code>", page.text)[1] for page in pages]
    lines = [json.loads(line) for line in caplog.text.splitlines()]

    assert [page.status_code for page in pages] == [404, 404]
    assert len(set(shown)) == 2
    assert [line["request"] for line in lines] == shown


def test_a_program_reads_it_as_the_instance(portal):
    client = Client(logged(portal.app))
    answer = client.post("/hooks/crm", data=b"{}", headers={"Host": "localhost:8000"})

    assert answer.status_code == 401
    assert re.fullmatch(rf"urn:uuid:{UUID}", answer.json["instance"])


def test_nobody_can_choose_it(portal):
    chosen = {"X-Request-Id": "mine", "Host": "localhost:8000", "Accept": "text/html"}
    page = Client(logged(portal.app)).get("/nothing-here", headers=chosen)

    assert "mine" not in page.text
