"""What docs/webhooks.md says is true."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from regportal.connectors.schema import Connector
from regportal.connectors.signatures import keys_of, signed
from regportal.outbox.rules import WAITS
from tests.connectors.receiver import SECRET

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
TOPIC = re.compile(r'topic="([a-z]+\.[a-z_]+)"|"((?:contact|score|consent|phase)\.[a-z]+ed)"')


@pytest.fixture(scope="module")
def verified():
    """The receiver of the page, run as it is printed."""
    names = {}
    code = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)[1]
    exec(code, names)  # noqa: S102 - our own page
    return names["verified"]


def test_the_receiver_believes_what_we_send(verified, webhook_to, receiver, change_of, now):
    change = change_of()
    webhook_to(receiver.url).deliver([change], now=now)
    call = receiver.calls[0]
    headers = {name.lower(): value for name, value in call.headers.items()}

    assert verified(SECRET, headers, call.body) == str(change.id)


def test_the_receiver_believes_nobody_else(verified, now):
    good = signed(keys_of(SECRET), "m", now, b"{}")
    old = signed(keys_of(SECRET), "m", now - timedelta(seconds=302), b"{}")
    ahead = signed(keys_of(SECRET), "m", now + timedelta(seconds=302), b"{}")

    assert verified(SECRET, good, b"{}") == "m"
    assert verified(SECRET, good, b"{} ") is None
    assert verified(SECRET, good | {"webhook-id": "n"}, b"{}") is None
    assert verified("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", good, b"{}") is None
    assert verified(SECRET, old, b"{}") is None
    assert verified(SECRET, ahead, b"{}") is None
    assert verified(SECRET, {}, b"{}") is None
    assert verified(SECRET, good | {"webhook-signature": "garbäge"}, b"{}") is None


def test_every_topic_we_send_is_described():
    rooms = [ROOT / "regportal" / room for room in ("forms", "buying", "consent", "identity")]
    sources = [path for room in rooms for path in room.rglob("*.py")]
    sent = {
        one or other
        for path in sources
        for one, other in TOPIC.findall(path.read_text(encoding="utf-8"))
    }

    assert {"contact.identified", "phase.changed"} <= sent
    assert {topic for topic in sent if f"| `{topic}` |" not in PAGE} == {
        topic for topic in sent if topic.startswith("mail.")
    }


def test_the_schedule_is_the_one_we_keep():
    written = re.search(r"The schedule: at once, then after ([^±]+), each", PAGE)[1]
    units = {"s": "seconds", "min": "minutes", "h": "hours"}
    waits = [
        timedelta(**{units[unit]: int(number)})
        for number, unit in re.findall(r"(\d+) (s|min|h)\b", written)
    ]

    assert waits == list(WAITS[1:])


def test_the_connector_of_the_page_is_a_valid_one():
    document = yaml.safe_load(re.search(r"```yaml\n(.+?)```", PAGE, re.DOTALL)[1])

    assert Connector.model_validate(document["connectors"][0]).key == "crm"
