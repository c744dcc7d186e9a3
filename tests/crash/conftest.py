import subprocess
import sys

TRACE_ME = "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)"


def may_trace():
    """Return whether a process may be watched here: some containers forbid it."""
    if sys.platform != "linux":
        return False
    return subprocess.run([sys.executable, "-S", "-c", TRACE_ME], check=False).returncode == 0


MAY_TRACE = may_trace()
collect_ignore = [] if MAY_TRACE else ["test_kill_at_every_write.py"]


def pytest_terminal_summary(terminalreporter):
    if not MAY_TRACE:
        terminalreporter.write_line(
            "The tests that kill at every write were left out: no process may be traced here."
        )
