"""What pages with a list share: filters from the address, and copies as files."""

import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from flask import Response, request, send_file

from regportal.accounts import audit
from regportal.insight.filters import Filters
from regportal.insight.tables import WRITERS
from regportal.store import current
from regportal.studio.datastore import doer_of_request

F = TypeVar("F", bound=Filters)
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


def asked(filters: Filters) -> dict[str, Any]:
    """Return what an address must say for a list to be narrowed like this."""
    return filters.model_dump(mode="json", exclude_defaults=True)


def copied(name: str, form: str, kind: type[Any], rows: Iterable[Any]) -> Response:
    """
    Return rows (dataclasses of a kind) as a file, and tell the audit log who took them.

    It is written whole before its first byte is sent: a list that breaks off is no answer.
    """
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - sending closes it
    writer = WRITERS[form](file, kind)
    writer.write(rows)
    writer.close()
    doer, now = doer_of_request(), datetime.now(UTC)
    current.store().write(
        lambda writing: audit.write(writing, doer, "export", "list", name, {"form": form}, now=now)
    )
    file.seek(0)
    return send_file(file, mimetype=FORMS[form], as_attachment=True, download_name=f"{name}.{form}")
