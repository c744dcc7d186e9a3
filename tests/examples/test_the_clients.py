"""The clients of docs/api.md, run as they are against a live portal."""

import importlib.util
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from regportal.identity.actions import contact_from_crm
from regportal.identity.keys import SCOPES, add_key
from regportal.tracking.models import Interaction
from tests.portal import served

FOLDER = Path(__file__).parents[2] / "examples" / "api"
ACME = "https://www.acme.example"
ANN = "ann@initech.example"
NOW = datetime.now(UTC)


@pytest.fixture
def live(database_url, tmp_path):
    """A portal, its address, a key for everything, and Ann."""
    with served(database_url, tmp_path) as (portal, url):
        _, key = portal.store.write(lambda one: add_key(one, "client", [*SCOPES], now=NOW))
        ann = portal.store.write(lambda one: contact_from_crm(one, ANN, now=NOW).id)
        yield portal, url, key, str(ann)


@pytest.fixture
def client():
    """The Python client, as somebody who copied it imports it."""
    spec = importlib.util.spec_from_file_location("client", FOLDER / "client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ran(*command):
    """Run a program to its end; return what it printed."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_python_client_tells_reads_and_asks(live, client):
    portal, url, key, ann = live
    ours = client.Portal(url, key)
    told = [ours.tell(ANN, "meeting", place, subject="Widgets") for place in ("a", "b", "c")]
    portal.work()

    assert told == [{"accepted": 1, "duplicate": 0, "refused": []}] * 3
    assert [one["object"] for one in ours.timeline(ann, limit=2)] == ["c", "b", "a"]
    assert ours.may_mail(ANN, "prices") is False


def test_the_python_client_says_what_was_wrong(live, client):
    _, url, key, ann = live

    with pytest.raises(RuntimeError, match="400: limit: "):
        next(client.Portal(url, key).timeline(ann, limit=0))
    with pytest.raises(RuntimeError, match="401: There is no key"):
        client.Portal(url, "rpk_").may_mail(ANN, "prices")


def test_the_python_client_runs_by_itself(live):
    _, url, key, ann = live
    said = ran(sys.executable, FOLDER / "client.py", url, key, ANN, ann, "prices")

    assert "'accepted': 1" in said
    assert "may not mail" in said


def test_the_javascript_client_opens_a_gate_and_tells(live):
    portal, url, _, _ = live
    said = ran("node", FOLDER / "client.mjs", url, ACME, "guide", ANN)
    portal.work()
    with portal.store.read() as session:
        kept = session.scalars(sa.select(Interaction.type)).all()
        [visitor] = set(session.scalars(sa.select(Interaction.visitor_id)))

    assert "The guide" in said
    assert f"{url}/d/" in said
    assert "{ recognise: false, track: true }" in said
    assert "{ accepted: 1, duplicate: 0, refused: [] }" in said
    assert sorted(kept) == ["download", "price_lookup"]
    assert visitor is not None


@pytest.mark.parametrize("name", ["client.py", "client.mjs"])
def test_a_client_is_read_in_a_minute(name):
    assert len((FOLDER / name).read_text().splitlines()) < 60
