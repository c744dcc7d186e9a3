"""What tests of interactions may ask for: people on pages of the site."""

from tests.two_sites import two  # noqa: F401 - a fixture
from tests.visiting import ann, place, portal_and_pages, visit  # noqa: F401 - fixtures
