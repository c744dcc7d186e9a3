"""
No test may skip.

What is missing is installed by ``make test``, or the run fails and says so. Only tests of
``../shared/data`` are left out where that folder is not, and the summary says that.

Tests with a browser go to one worker room by room: each worker that has some starts a browser
and servers of its own, and one worker alone would be the last to finish by far.
"""

import pytest

RULE = "no test may skip: `make test` installs what is missing, or the test fails"


class Guard:
    """Turns skips into failures, and leaves out the tests of a folder that is not there."""

    def __init__(self, config):
        self.shared = config.rootpath.parent / "shared" / "data"
        self.engines = {}
        """The browsers that ran, and their versions."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
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

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.engines |= getattr(node, "workeroutput", {}).get("engines", {})

    def pytest_terminal_summary(self, terminalreporter):
        if self.engines:
            ran = ", ".join(f"{name} {version}" for name, version in sorted(self.engines.items()))
            terminalreporter.write_line(f"engines: {ran}")
        if not self.shared.is_dir():
            terminalreporter.write_line(
                f"The tests of the shared data were left out: there is no {self.shared}."
            )


def _reason(longrepr):
    return longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("guard"):
        config.pluginmanager.register(Guard(config), "guard")
