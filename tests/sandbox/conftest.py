"""A sandbox of a very small CRM, and a client of our own that calls it."""

import pytest

from regportal.app import web_root
from regportal.config import load
from regportal.connectors.egress import Egress, Limits
from regportal.sandbox.server import serving
from tests.sandbox.small import Small

collect_ignore = ["dataverse_client.py"]  # runs where Microsoft's client is, and regportal is not


@pytest.fixture
def small():
    with serving(Small(), web_root()) as sandbox:
        yield sandbox


@pytest.fixture
def egress(tmp_path):
    """Our only door to the network, which does not wait for long."""
    settings = load(instance=tmp_path, allow_private_targets="127.0.0.0/8", _env_file=None)
    with Egress(settings.allow_private_targets, limits=Limits(1, 0.5, 1)) as egress:
        yield egress
