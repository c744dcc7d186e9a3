from tests.crash.tracing import MAY_TRACE

collect_ignore = [] if MAY_TRACE else ["test_kill_at_every_write.py"]


def pytest_terminal_summary(terminalreporter):
    if not MAY_TRACE:
        terminalreporter.write_line(
            "The tests that kill at every write were left out: no process may be traced here."
        )
