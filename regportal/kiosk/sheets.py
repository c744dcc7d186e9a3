"""What a stand's page asks: the address, one question and one newsletter, signed."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

from itsdangerous import BadSignature

from regportal.errors import BadRequestError
from regportal.forms.actions import Around
from regportal.forms.forming import ask_of, next_of
from regportal.forms.languages import lacking, languages_offered
from regportal.forms.pages import Frame
from regportal.forms.planner import NO_GROUNDS
from regportal.forms.rules import NOBODY, Ask, Known
from regportal.forms.visiting import Visiting
from regportal.kiosk.models import Stand
from regportal.kiosk.rules import Sheet
from regportal.store.ids import uuid7_of
from regportal.store.tokens import fresh_token, signing
from regportal.store.words import N_

PURPOSE = "regportal.sheet"


def nobody_at(around: Around, locale: str, *, now: datetime) -> Visiting:
    """Return somebody of whom nothing is known, before a stand's gate."""
    return Visiting(
        around=around,
        visitor=None,
        claim=None,
        known=NOBODY,
        grounds=NO_GROUNDS,
        arms=(),
        token=fresh_token(),
        is_new=True,
        locale=locale,
        frame=Frame(None),
        now=now,
        may_remember=False,
        by_frame=False,
        by_script=False,
    )


def ask_at(visiting: Visiting) -> Ask:
    """
    Plan what a stand asks of everybody, on one page.

    What the gate would ask of an unknown visitor, and the question that it would ask next.
    """
    published, gate = visiting.around.published, visiting.around.gate
    first = next_of(published, gate, NOBODY, NO_GROUNDS, now=visiting.now)
    then = next_of(published, gate, Known(addressed=True), NO_GROUNDS, now=visiting.now)
    return ask_of(visiting, email=True, question=then.question, newsletter=first.newsletter)


def languages_at(around: Around, ask: Ask) -> tuple[str, ...]:
    """Return the languages in which all that a stand's page shows is written."""
    own = around.site.locale
    shown = [
        one
        for one in (
            around.gate,
            around.asset,
            around.question(ask.question),
            around.newsletter(ask.newsletter),
        )
        if one is not None
    ]
    missing = {lack.language for lack in lacking(shown, own)}
    return tuple(one for one in languages_offered(shown, own) if one not in missing)


def sheet_of(stand: Stand, ask: Ask, *, now: datetime) -> Sheet:
    """Return what a stand's page asks, to be sent back with each form."""
    return Sheet(
        stand=str(stand.id),
        gate=ask.gate,
        question=ask.question,
        required=ask.required,
        wording=ask.wording,
        newsletter=ask.newsletter,
        newsletter_wording=ask.newsletter_wording,
        locale=ask.locale,
        issued=int(now.timestamp()),
    )


def write_sheet(sheet: Sheet, keys: Sequence[bytes]) -> str:
    """Return it as a page carries it."""
    return signing(keys, PURPOSE).dumps(list(astuple(sheet)))


def read_sheet(token: str, keys: Sequence[bytes]) -> Sheet:
    """Return what a page asked; raise BadRequestError where it was none of ours."""
    try:
        return Sheet(*signing(keys, PURPOSE).loads(token))
    except (BadSignature, TypeError, ValueError, UnicodeError) as error:
        says = N_("This form is not one of ours. Please open the page again.")
        raise BadRequestError(says) from error


def nonce_of(sheet: Sheet, key: str) -> str:
    """
    Return the name of one form, from the key its tablet made: the same however often it is sent.

    It begins with the time of our clock, for forms are deleted by it. Raises BadRequestError
    where the key is none.
    """
    try:
        made = uuid.UUID(key)
    except ValueError as error:
        raise BadRequestError(N_("This form cannot be read.")) from error
    digest = hashlib.sha256(f"{sheet.stand}\n{made}".encode()).digest()
    return str(uuid7_of(sheet.issued_at, digest))
