"""Files that come in parts: a line may break in the middle of one, and goes on where it was."""

import uuid

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_security import current_user

from regportal.accounts.roles import Permission
from regportal.errors import BadRequestError, StaleError
from regportal.library.storage import Storage
from regportal.store.words import N_
from regportal.studio.policies import page

PART = 768 * 1024
"""Bytes of a part at most; the last one has fewer."""
MOST = 4096
"""Parts of one file: 3 GiB."""
ANOTHER = N_("Another part comes next: ask which.")

bp = Blueprint("uploads", __name__)


@bp.get("/uploads/<uuid:upload_id>")
@page(Permission.GATES)
def arrived(upload_id: uuid.UUID) -> ResponseReturnValue:
    """Say how many bytes have arrived."""
    return {"arrived": sum(_storage().parts(_own(upload_id))), "part": PART}


@bp.post("/uploads/<uuid:upload_id>")
@page(Permission.GATES)
def part(upload_id: uuid.UUID) -> ResponseReturnValue:
    """Take the next part; ``at`` says where it begins. One that is here already is refused."""
    content = request.get_data()
    arrival, at = _own(upload_id), request.args.get("at", type=int)
    before = _storage().parts(arrival)
    if not 0 < len(content) <= PART or len(before) >= MOST:
        raise BadRequestError(N_("This is no part of a file."))
    if at != sum(before):
        raise StaleError(ANOTHER)
    _storage().add_part(arrival, len(before), content)
    return {"arrived": sum(before) + len(content), "part": PART}


def arrival_of(named: str | None) -> uuid.UUID | None:
    """Return the upload that a form names, where something of it has arrived; else None."""
    try:
        arrival = _own(uuid.UUID(named or ""))
    except ValueError:
        return None
    return arrival if _storage().parts(arrival) else None


def _own(upload_id: uuid.UUID) -> uuid.UUID:
    """Return how we call somebody's upload: nobody reaches one of somebody else."""
    return uuid.uuid5(upload_id, str(current_user.id))


def _storage() -> Storage:
    """Return where the bytes are kept."""
    found: Storage = current_app.extensions["regportal.storage"]
    return found
