"""People who have been here a while, for the tests of what they may ask of us."""

import pytest

from tests.privacy.people import Person


@pytest.fixture
def ann(portal):
    """Somebody who proved her address, answered, downloaded and takes a newsletter."""
    return Person(portal, "ann@example.com").arrives()
