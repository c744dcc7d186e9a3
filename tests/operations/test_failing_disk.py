"""A disk that fails some writes and some flushes keeps what was acknowledged (security.md R-13)."""

from contextlib import closing

import pytest
import sqlalchemy as sa

from regportal.identity.models import Claim
from regportal.store.sessions import Store, make_engine
from tests.crash.tracing import failing
from tests.operations.load import under_load
from tests.operations.test_faults import missing, told_otherwise
from tests.patience import PATIENCE, until

FAULTS = ("pwrite64:error=EIO:when=17+100", "fdatasync:error=EIO:when=7+50")
"""Of the writes of each thread one in a hundred fails, of its flushes two in a hundred."""
INJECTED = "(INJECTED)"
VISITORS = 3


def failed_in(log):
    """Return how many calls of each kind failed so far."""
    calls = log.read_text().splitlines()
    names = [fault.partition(":")[0] for fault in FAULTS]
    return {name: sum(name in call and INJECTED in call for call in calls) for name in names}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("faults", [4, pytest.param(300, marks=pytest.mark.soak)])
def test_writes_and_flushes_that_fail_lose_nothing_that_was_acknowledged(
    place, tmp_path, faults, figures
):
    """In the end the process is killed: what it could not flush nobody was told was kept."""
    (server,) = place.serve()
    log = tmp_path / "calls"
    with under_load(place, visitors=VISITORS) as load:
        assert until(lambda: load.answers)
        with failing(server.pid, FAULTS, log):
            while sum((failed := failed_in(log)).values()) < faults or not all(failed.values()):
                count = load.acknowledged
                assert until(lambda count=count: load.acknowledged > count), place.log()
        server.kill()
        server.wait(PATIENCE)
    with closing(Store(make_engine(place.database_url))) as store, store.read() as session:
        beyond = {*session.scalars(sa.select(Claim.email))} - {*load.claims}
    figures("a disk that fails now and then", **failed_in(log), **load.figures())

    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} <= {503}
    assert missing(place, load) == []
    assert len(beyond) <= VISITORS  # whoever was on his way when it ended
    assert told_otherwise(place) == []
