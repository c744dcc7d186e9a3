import pytest

from tests.library.library import make_library


@pytest.fixture
def library(tmp_path, database_url):
    """An installation that only gives, with nothing in it."""
    made = make_library(tmp_path / "instance", database_url)
    yield made
    made.store.close()
