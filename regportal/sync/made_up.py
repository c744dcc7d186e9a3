"""Somebody who is made up, to see what a CRM would be told of people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from regportal.connectors.schema import Connector
from regportal.consent.actions import subject_of_contact
from regportal.forms.schema import TIMEFRAMES, Question
from regportal.identity.models import Assurance
from regportal.outbox.actions import FieldNews, News, named
from regportal.store.documents import Published
from regportal.store.ids import uuid7
from regportal.sync.present import Present

ADDRESS = "ann.example@example.com"
"""Nobody's: the domain is kept for examples."""
ANSWERS: Mapping[str, Any] = {
    "text": "Example",
    "yes-no": "yes",
    "number": 250,
    "date": "2026-11-30",
    "phone": "+441134960000",
    "company": "Example Ltd",
    "job-title": "Buyer",
    "country": "GB",
    "region": "GB-ENG",
    "timeframe": TIMEFRAMES[0],
}
"""What is answered to a question of each type that brings no choices of its own."""


def somebody(published: Published, connector: Connector, *, now: datetime) -> Present:
    """Return what a connector would be told of somebody who has answered every question."""
    key = uuid7()
    answers = {
        one.key: FieldNews(answer_to(one), Assurance.VERIFIED.value, now, one.crm_field)
        for one in published.all(Question)
    }
    payload: dict[str, Any] = {
        "id": str(uuid7()),
        "contact": {"key": str(key), "email": ADDRESS, "assurance": Assurance.VERIFIED.value},
        "claims": [],
        "account": None,
    }
    news = News("contact.identified", subject_of_contact(key), payload, now, fields=answers)
    return Present(news.subject, ADDRESS, [named(news, connector)])


def answer_to(question: Question) -> Any:
    """
    Return an answer to a question as it would be kept.

    >>> answer_to(Question(key="a", type="choices", label="?", choices={"x": "X", "y": "Y"}))
    ['x']
    """
    if question.choices:
        first = next(iter(question.choices))
        return [first] if question.type == "choices" else first
    return ANSWERS[question.type]
