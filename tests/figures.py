"""What tests found out beside that it holds: figures, in tables that the documentation can take."""

import pytest


@pytest.fixture
def figures(request):
    """
    Note a row of a table, which is printed at the end of the run.

    ``record_property`` would do the same, and refuse to where a report for CI is written, too.
    """

    def note(table, **row):
        request.node.user_properties.append(("figures", {"table": table, "row": row}))

    return note


def pytest_terminal_summary(terminalreporter):
    """Print the tables, one below the other."""
    tables = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            is_call = getattr(report, "when", "") == "call"
            for name, value in report.user_properties if is_call else ():
                if name == "figures":
                    tables.setdefault(value["table"], []).append(value["row"])
    for title, rows in tables.items():
        terminalreporter.write_sep("-", title)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [columns, ["---"] * len(columns)]
        lines += [[_said(row.get(name, "")) for name in columns] for row in rows]
        for line in lines:
            terminalreporter.write_line(f"| {' | '.join(line)} |")


def _said(value):
    return f"{value:,}" if isinstance(value, int) else str(value)
