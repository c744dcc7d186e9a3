"""A CRM, or whoever stands before it, says where the rest is: and means a place of its own."""

from regportal.connectors.base import Vocabulary
from regportal.sandbox.dynamics.reading import Reading
from tests.connectors.between import between
from tests.connectors.worlds.dynamics import dynamics


def test_a_link_to_the_next_page_takes_no_token_anywhere_else(monkeypatch):
    with dynamics() as world, between(world.sandbox.url, lambda *_: False) as elsewhere:
        for number in range(5):
            world.opportunity(name=f"deal {number}")
        connector = world.connector()
        link = Reading._link

        def led_astray(reading, *about):
            _, _, path = link(reading, *about).partition("/api/")
            return f"{elsewhere.url}/api/{path}"

        monkeypatch.setattr(Reading, "_link", led_astray)
        news, cursor = connector.changes(None, 2)
        more, _ = connector.changes(cursor, 50)

        told = {one.body["data"]["name"] for one in [*news, *more]}
        assert told == {f"deal {number}" for number in range(5)}
        assert elsewhere.count == 0
        assert "127.0.0.1" not in cursor


def test_a_redirect_takes_no_token_anywhere():
    with dynamics() as world:
        world.sandbox.luck.befall(["redirect"] * 4)
        (only,) = world.connector().check(Vocabulary())
        assert not only.fine
        assert not [one for one in world.sandbox.seen if "trap" in one.path]
