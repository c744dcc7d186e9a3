"""The gate as JSON: the same gate as the page's, asked and answered by programs."""

import json

import pytest
import sqlalchemy as sa

from regportal.forms.effort import _number
from regportal.forms.models import Answer, Submission
from regportal.forms.models import Shown as Measured
from regportal.identity.limits import LIMITS
from regportal.identity.models import Claim, Visitor
from regportal.tracking.models import Interaction, Touch
from tests.portal import FIREFOX, ORIGIN, SITE

ANN = "ann@widgetworks.example"
OURS = "https://www.acme.example"
SCRIPT = "X-RP-Visitor"


class Page:
    """A page of the site in a browser nobody has used; it asks the portal by script."""

    def __init__(self, portal, **headers):
        self.client = portal.app.test_client()
        near = {"User-Agent": FIREFOX, "Origin": OURS, "Sec-Fetch-Site": "same-site"}
        self.headers = near | headers

    def ask(self, gate="guide", path="", **headers):
        """Ask what a gate asks; return the answer."""
        return self._sent("GET", f"/api/v1/gates/{gate}{path}", None, headers)

    def send(self, gate="guide", path="", headers=(), **body):
        """Answer a gate; without an ask, what it asks just now."""
        if "ask" not in body:
            body["ask"] = self.ask(gate).json["ask"]
        return self._sent("POST", f"/api/v1/gates/{gate}{path}", body, dict(headers))

    def fetch(self, url):
        """Fetch what a link leads to; return the status and the bytes."""
        path = url.removeprefix(ORIGIN)
        with self.client.get(path, base_url=ORIGIN, headers={"Accept": "*/*"}) as answer:
            return answer.status_code, answer.get_data()

    def _sent(self, method, path, body, headers):
        answer = self.client.open(
            path, method=method, json=body, base_url=ORIGIN, headers=self.headers | headers
        )
        if SCRIPT in self.headers and SCRIPT in answer.headers:
            self.headers[SCRIPT] = answer.headers[SCRIPT]
        return answer


@pytest.fixture
def near(portal):
    """A page of the site near the portal: its cookies go along."""
    return Page(portal)


@pytest.fixture
def far(portal):
    """A page of the site that is far from the portal: its script holds the token."""
    return Page(portal, **{"Sec-Fetch-Site": "cross-site", SCRIPT: ""})


def rows(portal, kind):
    """Return every row of a kind."""
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


# --- what is asked ---


def test_somebody_new_is_asked_for_the_address_and_nothing_else(near):
    asked = near.ask()

    assert asked.status_code == 200
    assert asked.json.pop("ask")
    assert asked.json == {
        "gate": "guide",
        "headline": "The guide",
        "ask": asked.json["ask"],
        "email": True,
        "question": None,
        "newsletter": {"key": "news", "wording": "Send me the news.", "frequency": None},
        "recognised": False,
    }
    assert asked.headers["Cache-Control"] == "no-store"
    assert asked.headers["Access-Control-Allow-Origin"] == OURS
    assert asked.headers["Access-Control-Allow-Credentials"] == "true"


def test_whoever_comes_back_is_asked_one_question_with_its_choices(near):
    near.send(email=ANN, remember=True)
    asked = near.ask("study").json

    assert asked["recognised"] is True
    assert asked["email"] is False
    question = asked["question"]
    assert {"value": "FR", "label": "France"} in question.pop("choices")
    assert question == {
        "key": "country",
        "label": "Which country are you in?",
        "why": "So that prices fit.",
        "type": "country",
        "required": False,
    }


def test_a_gate_speaks_the_language_of_whoever_asks(portal):
    portal.publish(SITE.replace("headline: The guide,", "headline: {en: The guide, de: Heft},"))
    near = Page(portal, **{"Accept-Language": "de"})
    wrong = near.send(email="nobody")

    assert near.ask().json["headline"] == "Heft"
    assert near.ask(path="?lang=en").json["headline"] == "The guide"
    assert wrong.json["detail"].startswith("Das sieht nicht")
    assert wrong.headers["Content-Language"] == "de"


def test_what_was_shown_is_counted_as_on_the_page(portal, near):
    near.send(email=ANN)
    portal.store.catch_up()

    [shown] = rows(portal, Measured)
    assert shown.outcome == "answered"


# --- what is answered ---


def test_an_address_gets_the_file(portal, near):
    opened = near.send(email=ANN, newsletters={"news": True}, remember=True)
    download = opened.json["download"]

    assert opened.status_code == 200
    assert download.pop("expires_at").endswith("Z")
    url = download.pop("url")
    assert url.startswith(f"{ORIGIN}/d/")
    said = {"name": "guide.txt", "size": 19, "type": "text/plain"}
    said |= {"asset": "guide", "show": "download", "code_at": f"{ORIGIN}/g/guide/done"}
    assert download == said
    assert near.fetch(url) == (200, b"This is guide.txt.\n")
    [submission] = rows(portal, Submission)
    assert submission.newsletter_taken
    assert [one.type for one in rows(portal, Interaction)] == ["download"]


def test_an_answer_gets_the_next_file_and_is_kept_as_the_page_keeps_it(portal, near):
    near.send(email=ANN)
    opened = near.send("study", answers={"country": "FR"})

    assert "download" in opened.json
    [answer] = rows(portal, Answer)
    assert (answer.question, answer.value, answer.gate) == ("country", "FR", "study")


def test_a_question_can_be_declined(portal, near):
    near.send(email=ANN)

    assert near.send("study", decline=True).status_code == 200
    [answer] = rows(portal, Answer)
    assert answer.declined


def test_a_file_that_goes_by_mail_is_only_spoken_of(near):
    assert near.send("prices", email=ANN).json == {"mailed": True}


def test_what_is_proven_in_a_browser_opens_its_gate_by_mail(portal, near):
    ann = portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    ann.prove(portal)
    near.client = ann.client

    assert "download" in near.send("prices").json


def test_a_form_sent_twice_has_one_effect_and_one_answer(portal, near):
    ask = near.ask().json["ask"]
    first, second = (near.send(ask=ask, email=ANN) for _ in range(2))

    assert first.json == second.json
    assert len(rows(portal, Claim)) == 1


def test_a_form_sent_twice_with_something_else_is_refused(near):
    ask = near.ask().json["ask"]
    near.send(ask=ask, email=ANN)
    again = near.send(ask=ask, email="bob@gearbox.example")

    assert again.status_code == 409
    assert again.mimetype == "application/problem+json"


def test_not_you_begins_anew(portal, near):
    near.send(email=ANN, remember=True)
    asked = near.ask("study").json
    answer = near.send("study", "/not-you", ask=asked["ask"])

    assert answer.json == {"recognised": False}
    assert near.ask("study").json["recognised"] is False
    [visitor] = rows(portal, Visitor)
    assert visitor.ended_at is not None


def test_nobody_is_kept_at_a_kiosk(portal, near):
    portal.publish(SITE.replace("headline: The guide,", "headline: The guide, kiosk: true,"))
    answers = [near.ask(), near.send(email=ANN)]

    assert answers[1].json == {"mailed": True}
    assert all("Set-Cookie" not in one.headers for one in answers)


def test_where_somebody_came_from_is_what_the_page_says(portal, near):
    path = "?utm_source=news&rp_ref=https://news.example/a%3Fb"
    near.send(path=path, email=ANN, headers={"Referer": f"{OURS}/"})
    eve = Page(portal)
    eve.send(path="?rp_ref=", email="eve@gearbox.example", headers={"Referer": f"{OURS}/"})
    touches = rows(portal, Touch)
    assert [(one.referrer, one.parameters) for one in touches] == [
        ("https://news.example/a", {"utm_source": "news"}),
        (None, {}),
    ]


# --- what is wrong ---


@pytest.mark.parametrize(
    ("body", "field"),
    [({"email": "ann"}, "email"), ({"email": ""}, "email"), ({}, "email")],
)
def test_an_address_that_is_none_is_named(near, body, field):
    wrong = near.send(**body)

    assert (wrong.status_code, wrong.json["field"]) == (422, field)
    assert wrong.mimetype == "application/problem+json"


def test_an_answer_that_is_none_is_named_as_on_the_page(near):
    near.send(email=ANN)

    wrong = near.send("study", answers={"country": "XX"})

    assert (wrong.status_code, wrong.json["field"]) == (422, "q-country")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ask": "forged", "email": ANN}, 400),
        ({"email": ANN, "answers": {"country": "FR"}}, 400),
        ({"email": ANN, "newsletters": {"prices": True}}, 400),
        ({"email": ANN, "csrf_token": "x"}, 400),
        ({"email": [ANN]}, 400),
        ({"email": ANN, "remember": "yes"}, 400),
        ({"email": ANN, "answers": {"country": {"a": 1}}}, 400),
        ({"email": "x" * 17_000}, 413),
    ],
)
def test_what_was_not_asked_is_refused(portal, near, body, status):
    refused = near.send(**body)

    assert refused.status_code == status
    assert refused.mimetype == "application/problem+json"
    assert rows(portal, Claim) == []


def test_a_gate_that_is_not_there_is_a_problem_too(near):
    assert near.ask("nothing").status_code == 404
    assert near.ask("nothing").mimetype == "application/problem+json"


def test_an_ask_of_another_gate_opens_nothing(near):
    assert near.send("guide", ask=near.ask("study").json["ask"], email=ANN).status_code == 400


def test_only_json_is_taken(near):
    body = json.dumps({"ask": near.ask().json["ask"], "email": ANN})
    answer = near.client.post(
        "/api/v1/gates/guide",
        data=body,
        content_type="text/plain",
        headers=near.headers,
        base_url=ORIGIN,
    )

    assert answer.status_code == 400


def test_many_from_one_place_are_given_a_calculation_that_opens_the_gate(limited):
    near = Page(limited)
    for number in range(LIMITS["claims"].most):
        Page(limited).send(email=f"a{number}@widgetworks.example")
    ask = near.ask().json["ask"]
    crowded = near.send(ask=ask, email=ANN)
    effort = crowded.json["effort"]
    number = _number(effort["salt"], limited.settings.keys[0])

    assert crowded.status_code == 429
    assert int(crowded.headers["Retry-After"]) > 0
    assert effort.keys() == {"salt", "goal", "most"}
    assert near.send(ask=ask, email=ANN, effort="1").status_code == 429
    assert "download" in near.send(ask=ask, email=ANN, effort=str(number)).json


# --- a token that scripts hold ---


def test_a_script_far_away_keeps_its_token_itself(portal, far):
    opened = far.send(email=ANN, remember=True)

    assert "Set-Cookie" not in opened.headers
    assert "Access-Control-Allow-Credentials" not in opened.headers
    assert far.ask("study").json["recognised"] is True
    assert len(rows(portal, Visitor)) == 1


def test_a_script_far_away_gets_a_link_that_starts_once(far):
    download = far.send(email=ANN).json["download"]
    url = download["url"]

    assert download["code_at"] is None
    assert [far.fetch(url)[0] for _ in range(2)] == [200, 403]


def test_a_script_that_comes_back_says_not_you(far):
    far.send(email=ANN)
    before = far.headers[SCRIPT]
    far.send("study", "/not-you", ask=far.ask("study").json["ask"])

    assert far.headers[SCRIPT] != before
    assert far.ask("study").json["recognised"] is False


# --- what is the same for everybody ---


def test_the_shell_of_a_gate_may_be_kept_by_every_cache(portal, near):
    near.send(email=ANN, remember=True)
    shell = near.ask(path="/shell")

    assert shell.headers["Cache-Control"] == "public, max-age=300"
    assert shell.headers["Vary"] == "Accept-Language, Accept-Encoding"
    assert shell.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in shell.headers
    assert shell.json == Page(portal).ask(path="/shell").json
    assert shell.json["page"] == f"{ORIGIN}/g/guide"
    assert shell.json["title"] == "A guide to widgets"
    assert shell.json["theme"]["accent"] == "#0b5cad"
    nothing = near.ask("nothing", "/shell")
    assert (nothing.status_code, nothing.headers["Access-Control-Allow-Origin"]) == (404, "*")


def test_a_gate_by_mail_says_so_in_its_shell(near):
    words = [near.ask(gate, "/shell").json["words"]["get"] for gate in ("guide", "prices")]

    assert words == ["Get it now", "Send me the link"]
