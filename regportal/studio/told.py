"""What CRMs are told, as people of the company may see it: what goes where, and payloads."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from regportal.buying.scores.schema import Score
from regportal.connectors.schema import Connector
from regportal.forms.schema import Question
from regportal.outbox.masking import masked
from regportal.store.documents import Published, said

WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Led:
    """Where something we know goes in a CRM."""

    what: str
    key: str
    field: str
    policy: str
    """What becomes of what stands there; empty where nobody but us writes it."""


def mapped(published: Published, document: Connector) -> list[Led]:
    """Return where answers and scores go, as the documents say; no CRM is asked."""
    return [*_answers(published, document), *_scores(published, document)]


def concealed(published: Published, document: Connector | None, told: Any) -> Any:
    """
    Return a payload without what nobody is shown: answers to what was asked as sensitive.

    An answer is shown where its field is that of a question of today that is not sensitive.
    """
    fields = told.get("fields") if isinstance(told, Mapping) else None
    if not isinstance(fields, Mapping):
        return told
    open_ = set()
    for one in published.all(Question):
        names = {one.key, one.crm_field or one.key}
        names |= {document.field_name(one.key, one.crm_field)} if document else set()
        open_ |= set() if one.sensitive else names
    closed = {
        name
        for one in published.all(Question)
        if one.sensitive
        for name in (one.key, one.crm_field, document and document.fields.get(one.key))
    }
    shown = {
        name: value if name in open_ - closed else masked(value) for name, value in fields.items()
    }
    return {**told, "fields": shown}


def written(told: Any) -> str:
    """Return a payload as it is read: JSON, one value a line."""
    return json.dumps(told, indent=2, ensure_ascii=False)


def _answers(published: Published, document: Connector) -> Iterator[Led]:
    """Yield where each answer goes."""
    if "contact" not in document.sends:
        return
    for one in published.all(Question):
        name = document.field_name(one.key, one.crm_field)
        policy = "" if document.type == WEBHOOK else document.policies.get(name, "overwrite")
        yield Led(said(one.label, g.locale), one.key, name, policy)


def _scores(published: Published, document: Connector) -> Iterator[Led]:
    """Yield where each score goes."""
    if "score" not in document.sends or document.type == WEBHOOK:
        return
    for one in published.all(Score):
        name = document.scores.get(one.key, f"regportal_{one.key}")
        yield Led(said(one.label, g.locale) if one.label else one.key, one.key, name, "")
