"""`regportal bench weight`: what a marketing page loads."""

import gzip

from regportal.app import web_root
from regportal.cli.bench.measure import Goal
from regportal.cli.bench.report import Report

SCRIPTS = {"recorder.js": 3_000, "regportal.js": 12_000}
"""How many bytes each may have on its way to a page, compressed."""


def bench_weight() -> Report:
    """Weigh the scripts as they are served, compressed as a proxy does it."""
    folder = web_root() / "static" / "js"
    goals = [
        Goal(
            f"{name}, bytes with gzip",
            at_least=False,
            wanted=most,
            each=(float(len(gzip.compress((folder / name).read_bytes(), 9))),),
        )
        for name, most in SCRIPTS.items()
    ]
    return Report("weight", [], goals, ["regportal.js: gate and recorder; recorder.js: it alone"])
