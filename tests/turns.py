"""
On which database a test runs, where each runs on one.

Nearly every test can run on SQLite and on PostgreSQL, and ``pytest`` alone runs it on both.
``make test`` lets most of them take turns: by its name each runs on one of the two. Every
statement of the house serves many tests, so both databases meet it, in half the time. Tests of the
rooms where the databases differ, and those marked ``both``, run on both all the same.
``make both`` lets none take turns.
"""

import os
from collections import defaultdict
from zlib import crc32

NAMED = "REGPORTAL_TEST_TURNS"
"""Where it is set, tests take turns."""
BOTH = frozenset({"engine", "identity", "insight", "operations", "outbox", "store", "sync"})
"""The rooms whose tests do not."""
DATABASES = ("sqlite", "postgresql")
FIXTURES = ("database_url", "new_database")


def pytest_collection_modifyitems(config, items):
    """Leave out, of a test that could run on both, the one whose turn it is not."""
    if not os.environ.get(NAMED):
        return
    alike = defaultdict(dict)
    for item in items:
        kind = _database(item)
        if kind and item.path.parent.name not in BOTH and not item.get_closest_marker("both"):
            alike[item.nodeid.replace(kind, "*")].setdefault(kind, item)
    left_out = {
        id(found[DATABASES[not turn]])
        for name, found in alike.items()
        if len(found) == len(DATABASES)
        for turn in [crc32(name.encode()) % 2]
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


def _database(item):
    """Return on which database a test runs; None where it has no choice."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return next((params[name] for name in FIXTURES if params.get(name) in DATABASES), None)
