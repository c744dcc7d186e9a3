"""
No test may skip, and no group of tests may be spread over workers.

What is missing is installed by ``make test``, or the run fails and says so. Only tests of
``../shared/data`` are left out where that folder is not, and the summary says that.

HubSpot's own files of what its calls look like may not be shipped: where nobody named a folder of
them, the summary says that nothing was held against them.

Tests with a browser go to one worker room by room: each worker that has some starts a browser
and servers of its own, and one worker alone would be the last to finish by far. Where one of these
groups, or another, was spread all the same, the run fails: nothing else would say so.
"""

import os
from collections import defaultdict

import pytest

from tests.connectors.shapes import NAMED

RULE = "no test may skip: `make test` installs what is missing, or the test fails"


class Guard:
    """Fails what skips and what spreads, and leaves out the tests of a folder that is not there."""

    def __init__(self, config):
        self.shared = config.rootpath.parent / "shared" / "data"
        self.engines = {}
        """The browsers that ran, and their versions."""
        self.groups = set()
        """The groups of which this worker ran tests."""
        self.workers = defaultdict(set)
        """Each group's workers."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        self.groups.update(mark.args[0] for mark in item.iter_markers("xdist_group"))
        if report.skipped and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {_reason(report.longrepr)}\n{RULE}"
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        if report.skipped:
            report.outcome = "failed"
            report.longrepr = f"{collector.nodeid}: {_reason(report.longrepr)}\n{RULE}"
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        for item in items:
            asked = set(getattr(item, "fixturenames", ()))
            if "playwright" in asked:
                item.add_marker("browser")
                if item.get_closest_marker("xdist_group") is None:
                    item.add_marker(pytest.mark.xdist_group(f"browser of {item.path.parent.name}"))
            if "shared_data" in asked:
                item.add_marker("shared_data")
        if not self.shared.is_dir():
            left_out = [item for item in items if item.get_closest_marker("shared_data")]
            items[:] = [item for item in items if not item.get_closest_marker("shared_data")]
            if left_out:
                config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        made = yield
        if fixturedef.argname == "browser":
            self.engines["chromium"] = made.version
        return made

    def pytest_sessionfinish(self, session):
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["engines"] = self.engines
            session.config.workeroutput["groups"] = sorted(self.groups)
        elif self._spread(session.config):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        told = getattr(node, "workeroutput", {})  # a worker that broke down tells nothing
        self.engines |= told.get("engines", {})
        for group in told.get("groups", ()):
            self.workers[group].add(node.gateway.id)

    def _spread(self, config):
        if config.getoption("dist", "no") != "loadgroup":
            return {}
        return {group: on for group, on in sorted(self.workers.items()) if len(on) > 1}

    def pytest_terminal_summary(self, terminalreporter, config):
        for group, on in self._spread(config).items():
            ran = ", ".join(sorted(on))
            terminalreporter.write_line(f"FAILED: the group {group!r} ran on {ran}", red=True)
        if self.engines:
            ran = ", ".join(f"{name} {version}" for name, version in sorted(self.engines.items()))
            terminalreporter.write_line(f"engines: {ran}")
        if NAMED not in os.environ:
            terminalreporter.write_line(f"HubSpot's own files were not asked: there is no {NAMED}.")
        if not self.shared.is_dir():
            terminalreporter.write_line(
                f"The tests of the shared data were left out: there is no {self.shared}."
            )


def _reason(longrepr):
    return longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("guard"):
        config.pluginmanager.register(Guard(config), "guard")
