"""The log tells what happened, and of nobody: the product runs, and its log is searched."""

import itertools
import json
import sqlite3
from contextlib import closing

import requests
import sqlalchemy as sa

from tests.operations.load import under_load
from tests.patience import PATIENCE, until
from tests.stories.receiver import SECRET

NAME = "Wilhelmina Featherstonehaugh"
CAMPAIGN = "letter-to-wilhelmina"


def odd_requests(url, key):
    """Ask for much that is refused, with names in every place that a request has."""
    mail = "wilhelmina@acme.example"
    for path in (
        f"/g/prices?email={mail}&utm_campaign={CAMPAIGN}",
        f"/g/{mail}",
        f"/m/{CAMPAIGN}-{'x' * 40}",
        f"/nothing/{mail}",
        f"/api/v1/contacts?email={mail}",
    ):
        headers = {"Referer": f"{url}/?who={mail}", "Authorization": f"Bearer {key}"}
        requests.get(url + path, headers=headers, timeout=PATIENCE)
    for path, body in (
        ("/hooks/crm", json.dumps({"type": "x", "data": {"name": NAME}})),
        ("/api/v1/bounces", json.dumps({"email": mail, "name": NAME})),
        ("/api/v1/interactions", json.dumps({"events": [{"contact": mail, "name": NAME}]})),
        ("/g/prices", f"email={mail}&ask={NAME}"),
    ):
        requests.post(url + path, data=body, headers={"Origin": url}, timeout=PATIENCE)


def test_the_log_has_no_address_name_answer_or_token(place, crm):
    added = place.run("key", "add", "shop", "--scope", "timeline", "--json")
    key = json.loads(added.stdout)["secret"]
    crm.take = failing(crm.take)
    place.serve(REGPORTAL_LOG_LEVEL="DEBUG")
    with under_load(place) as load:
        odd_requests(place.url, key)
        assert until(lambda: len(load.answers) > 2 and crm.told("contact.identified")), vars(load)
    assert load.faults == []
    break_the_database(place)
    requests.get(f"{place.url}/g/prices?email=wilhelmina@acme.example", timeout=PATIENCE)

    written = place.log()
    lines = [json.loads(line) for line in written.splitlines()]
    assert {"at", "level", "from", "says"} <= set.intersection(*(set(one) for one in lines))
    assert any(one.get("path") == "/g/prices" and one["status"] == 200 for one in lines)
    assert any("not available" in one["says"] or one["level"] == "ERROR" for one in lines)
    kept = {(place.folder / "instance" / file).read_text() for file in ("secret_key", "pepper")}
    forbidden = {key, SECRET, CAMPAIGN, *NAME.split(), *kept, *load.tokens, *load.answers}
    forbidden |= {address.partition("@")[0] for address in load.claims}
    assert len(load.tokens) > 5
    assert [one for one in forbidden if one.lower() in written.lower()] == []


def failing(take):
    """Let the CRM refuse every third message."""
    count = itertools.count()
    return lambda headers, body: 500 if next(count) % 3 == 0 else take(headers, body)


def break_the_database(place):
    """Take away what every page reads."""
    statement = "ALTER TABLE publication RENAME TO gone"
    if place.sqlite:
        path = place.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
            connection.execute(statement)
        return
    engine = sa.create_engine(place.database_url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
