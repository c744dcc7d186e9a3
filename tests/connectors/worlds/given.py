"""The fixtures that make worlds; real servers are started once for all tests that ask for them."""

import pytest

from tests.connectors.worlds.made import MadeCrm

WORLDS = ["made"]


@pytest.fixture(params=WORLDS)
def world(request):
    """A CRM with nobody in it yet."""
    if request.param == "made":
        return MadeCrm()
    return request.getfixturevalue(request.param.replace(" ", "_"))
