"""What tests of interactions may ask for: people on pages of the site."""

from tests.visiting import ann, place, portal_and_pages, visit  # noqa: F401 - fixtures
