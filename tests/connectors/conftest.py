import uuid
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from regportal.config import load
from regportal.connectors.base import Change, connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.schema import Connector
from tests.connectors.receiver import SECRET, receiving
from tests.connectors.worlds.given import (  # noqa: F401 - fixtures
    tryton_modules,
    tryton_on_postgresql,
    tryton_on_sqlite,
    tryton_postgresql,
    tryton_sqlite,
    world,
)

collect_ignore = ["real_espocrm.py", "real_suitecrm.py"]  # by hand: they need a server


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def key():
    """Our key of a contact."""
    return str(uuid.uuid4())


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    return load(instance=tmp_path, allow_private_targets="127.0.0.0/8", _env_file=None)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def webhook_to(settings):
    """Connect to a URL; ``limits`` shorten what a test would wait for."""
    with ExitStack() as stack:

        def connect(url, limits=None, **given):
            document = Connector.model_validate(
                {"key": "crm", "type": "webhook", "url": url, "secret": "env:CRM_SECRET", **given}
            )
            private = settings.allow_private_targets
            egress = Egress(private, limits=limits) if limits else None
            webhook = connector_for(document, settings, egress=egress)
            stack.callback(webhook.close)
            return webhook

        yield connect


@pytest.fixture
def change_of(now):
    """Make a change about a contact."""

    def make(number=1, **given):
        facts = {
            "id": uuid.uuid4(),
            "topic": "consent.changed",
            "subject": f"contact:{number}",
            "sequence": number,
            "occurred_at": now,
            "payload": {"id": f"fact-{number}", "newsletter": "widget-prices", "name": "Zoë ✓"},
        }
        return Change(**facts | given)

    return make
