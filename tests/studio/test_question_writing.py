"""What the form of a question says is what is kept of it, and what the portal asks."""

from datetime import UTC, datetime

import pytest

from regportal.documents.actions import Signed
from regportal.documents.drafts import Piece, begin, look_at
from regportal.documents.planning import published_now
from regportal.documents.releasing import release
from regportal.forms.schema import Question
from regportal.studio.questions.writing import moved_up, shown, written

BOTH = ["en", "de"]
HOSTILE = "<script>alert(1)</script> \u202eless"
BUDGET = {
    "label": {"en": "Your budget?", "de": "Ihr Budget?", "fr": "Votre budget ?"},
    "type": "choice",
    "why": "For the offer",
    "choices": {"s": {"en": "Small", "de": "Klein"}, "l": "Large"},
    "ask_again_after": "6mo",
    "declined": {"again_after": "30d", "at_most": 1},
    "sensitive": True,
    "expected": 40,
    "crm_field": "Budget",
    "owner": "Mia",
    "purpose": "Offers that fit",
    "when": {"answer": {"question": "country", "in": ["DE", "AT"]}},
}
BANK = {"country": Question(key="country", label="Which country?", type="country")}


def sent_of(form):
    """What a browser sends of a form that nobody has touched."""
    sent = {"type": form.type, "when": form.when, "values": "\n".join(form.values)}
    sent |= {f"label.{one}": text for one, text in form.label.items()}
    sent |= {f"why.{one}": text for one, text in form.why.items()}
    for at, (code, texts) in enumerate(form.choices):
        sent |= {f"choice.{at}": code}
        sent |= {f"choice.{at}.{one}": text for one, text in texts.items()}
    sent |= {"again.number": form.again[0], "again.unit": form.again[1]}
    sent |= {"declined.number": form.declined[0], "declined.unit": form.declined[1]}
    sent |= {one: getattr(form, one) for one in ("at_most", "expected", "crm_field")}
    sent |= {"owner": form.owner, "purpose": form.purpose}
    return sent | ({"sensitive": "y"} if form.sensitive else {})


def sent_again(body, **typed):
    """What is written of a question whose form is sent with this typed into it."""
    sent = sent_of(shown(body, BOTH, BANK, "en")) | typed
    return written(body, sent, BOTH, BANK, "en")


@pytest.mark.parametrize(
    "body",
    [
        BUDGET,
        {"label": "How many?", "type": "number"},
        {"label": {"de": "Wie viele?"}, "type": "number"},
        {"label": "When?", "type": "timeframe", "choices": {"now": "Now", "later": "Later"}},
    ],
)
def test_a_form_that_nobody_touched_changes_nothing(body):
    assert sent_again(body) == body


def test_answers_keep_their_codes_and_a_new_one_gets_its_own():
    new = sent_again(BUDGET, **{"choice.0.en": "Tiny", "choice.2.en": "Large", "choice.3.de": "S"})

    assert new["choices"]["s"] == {"en": "Tiny", "de": "Klein"}
    assert new["choices"]["large"] == "Large"
    assert [*new["choices"]] == ["s", "l", "large", "s-2"]
    assert [*moved_up(new, "large")["choices"]] == ["s", "large", "l", "s-2"]


def test_on_what_it_depends_is_kept_by_code_however_it_is_typed():
    new = sent_again(BUDGET, values="germany\n AT \nNowhere\nGermany")

    assert new["when"]["answer"]["in"] == ["DE", "AT", "Nowhere"]


def test_hostile_words_are_kept_as_they_are_typed():
    new = sent_again(BUDGET, **{"label.en": HOSTILE, "why.en": HOSTILE})

    assert new["label"]["en"] == new["why"] == HOSTILE


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"label.en": "", "label.de": ""}, "label"),
        ({"type": "secret"}, "type"),
        ({"again.number": "soon"}, "ask_again_after"),
        ({"expected": "many"}, "expected"),
        ({"crm_field": "no field"}, "crm_field"),
    ],
)
def test_what_is_wrong_is_kept_and_said_beside_its_field(portal, typed, field):
    portal.publish()
    body = sent_again({"label": "How many?", "type": "number"}, **typed)
    with portal.store.read() as session:
        faults = look_at(session, [Piece("question", "many", body)]).faults

    assert [one.field for one in faults] == [field]


def test_what_the_form_says_is_asked_at_the_portal_once_it_is_published(portal):
    portal.publish()
    with portal.store.read() as session:
        body = published_now(session)[1]["question", "country"].body
    new = sent_again(body, **{"label.en": f"Where do you work? {HOSTILE}"})
    storage, now = portal.app.extensions["regportal.storage"], datetime.now(UTC)

    def publish(session):
        draft = begin(session, [Piece("question", "country", new)], "mia@acme.example", now=now)
        release(session, storage, draft.id, Signed("mia@acme.example", None), now=now)

    before = portal.browser().get("/g/study")
    portal.store.write(publish)
    ann = portal.browser()
    ann.claim("ann@acme.example", "guide")
    page = ann.gate("study")

    assert "Where do you work?" not in before.text
    assert page.question == "country"
    assert "Where do you work? &lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text
