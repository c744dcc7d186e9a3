"""An installation with people of the company."""

import pytest

from tests.studio.customers import Customers
from tests.studio.staff import Company


@pytest.fixture
def company(portal):
    """An installation that nobody may come into yet, without limits."""
    return Company(portal)


@pytest.fixture
def strict(limited):
    """The same, where limits hold."""
    return Company(limited)


@pytest.fixture
def customers(portal):
    """Two sellers' customers."""
    return Customers(portal)
