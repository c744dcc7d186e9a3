"""What pages with a list share: filters from the address, and copies as files."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from flask import Response, render_template, request, send_file
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError
from regportal.insight.filters import Filters
from regportal.insight.paging import MOST, Page, walk
from regportal.insight.tables import WRITERS
from regportal.store import current
from regportal.store.words import N_, Sentence
from regportal.studio.seeing import READ, TAKEN, note

F = TypeVar("F", bound=Filters)
FORM = "<any(csv, xlsx, jsonl):form>"
"""How an address ends under which a list is had as a file."""
ROWS = 50
"""Of one page."""
ALL = 100_000
"""Of one file: who wants more narrows the list, or asks on the machine."""
TOO_MANY = N_("There are more than %(most)d rows: please narrow the list.")
MARK = "at"
"""What the address calls the place of a page in its list."""
FORMS: Mapping[str, str] = MappingProxyType(
    {
        "csv": "text/csv",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "jsonl": "application/jsonl",
    }
)
"""As which files a list can be had, and what they are to a browser."""
IN_MEMORY = 4 * 1024 * 1024
"""Bytes of a copy that are kept in memory; a larger one lies in a temporary file."""


def filters_of(kind: type[F]) -> F:
    """Return what the address narrows a list to; raise BadRequestError for the first fault."""
    return kind.of(request.args.lists(), beside={MARK})


def mark_asked() -> str | None:
    """Return where in a list the address of this page begins; None at its beginning."""
    return request.args.get(MARK) or None


def asked(filters: Filters) -> dict[str, Any]:
    """Return what an address must say for a list to be narrowed like this."""
    return filters.given


def copied(
    name: str, form: str, kind: type[Any], rows: Iterable[Any], *, of: str = "list", key: str = ""
) -> Response:
    """
    Return rows (dataclasses of a kind) as a file, and tell the audit log who took them.

    ``of`` and ``key`` say what they are about, where that is not the list as such. It is written
    whole before its first byte is sent: a list that breaks off is no answer. Raises
    BadRequestError for more rows than one file may have.
    """
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - sending closes it
    taken = _Counted(rows)
    with contextlib.ExitStack() as undo:
        undo.callback(file.close)  # unless all of it succeeds
        writer = WRITERS[form](file, kind)
        with contextlib.closing(writer):  # also of half a table: it has files of its own
            writer.write(taken)
        undo.pop_all()
    note(TAKEN, of, key or name, form=form, rows=taken.number, **({"table": name} if key else {}))
    file.seek(0)
    return send_file(file, mimetype=FORMS[form], as_attachment=True, download_name=f"{name}.{form}")


@dataclass(frozen=True, slots=True)
class List(Generic[F]):
    """One list of people, or of what they did: whoever looks at it, the audit log says so."""

    name: str
    """In the audit log, and as a file."""
    filters: type[F]
    row: type[Any]
    read: Callable[[Session, F, str | None, int], Page[Any]]
    """Returns so many rows at a mark; raises BadRequestError."""

    def shown(self, template: str, **beside: Any) -> str:
        """Return the page that is asked for, with what else its template is told."""
        filters = filters_of(self.filters)
        with current.store().read() as session:
            found = self.read(session, filters, mark_asked(), ROWS)
        by = {"narrowed by": sorted(filters.given)} if filters.given else {}  # not to what
        note(READ, "list", self.name, rows=len(found.rows), **by)
        about = {"found": found, "filters": filters, "asked": asked(filters)}
        return render_template(template, **about, **beside)

    def taken(self, form: str) -> Response:
        """Return all that is asked for as a file."""
        filters = filters_of(self.filters)
        with current.store().read() as session:
            rows = walk(lambda at: self.read(session, filters, at, MOST))
            return copied(self.name, form, self.row, rows)


class _Counted:
    """Rows that are counted as they come, up to as many as one file may have."""

    def __init__(self, rows: Iterable[Any]) -> None:
        """Count these."""
        self._rows, self.number = rows, 0

    def __iter__(self) -> Iterator[Any]:
        """Yield them; raises BadRequestError for one too many."""
        for self.number, row in enumerate(self._rows, 1):  # noqa: B020 - it is the count
            if self.number > ALL:
                raise BadRequestError(Sentence(TOO_MANY, most=ALL))
            yield row
