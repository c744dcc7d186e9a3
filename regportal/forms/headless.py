"""The gate as JSON: what it asks, and the file; for sites that draw it themselves."""

from dataclasses import asdict
from typing import Annotated, Literal

from flask import Response, g, url_for
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel
from pydantic_core import PydanticCustomError

from regportal.consent.schema import Newsletter
from regportal.forms.asking import read_ask, write_ask
from regportal.forms.fields import choices_of
from regportal.forms.forming import fresh_ask
from regportal.forms.pages import frequency_shown
from regportal.forms.rules import Ask
from regportal.forms.schema import Question, QuestionType
from regportal.forms.taking import Crowded, Faulty, Fields, Taken, check_mine, take_fields
from regportal.forms.visiting import Visiting, country_of, is_proven, visiting_of
from regportal.identity import browser
from regportal.identity.api import Api, Moment, answer
from regportal.identity.models import Visitor
from regportal.identity.visitors import end_visitor
from regportal.library.actions import find
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.documents import said
from regportal.store.problem import problem
from regportal.store.schema import Key
from regportal.store.strict_json import KIB, Strict
from regportal.store.tokens import fresh_token
from regportal.store.words import translated

bp = Api("headless", __name__, "gates", "What a gate asks, and the file behind it.")

LARGEST = 16 * KIB
EFFORT = "Many come from your network just now: find the number, and send it as effort."


class AtGate(Asked):
    """Which gate."""

    key: Annotated[str, Field(description="The gate's key.")]


class AnswerChoice(Strict):
    """One of the answers to choose from."""

    value: str
    label: str


class QuestionAsked(Strict):
    """The one question."""

    key: str
    label: str
    why: str | None
    type: QuestionType
    choices: Annotated[
        list[AnswerChoice] | None, Field(description="Null where anything can be typed.")
    ]
    required: Annotated[bool, Field(description="May it not be declined?")]


class NewsletterOffered(Strict):
    """The newsletter whose box is shown, unticked."""

    key: str
    wording: Annotated[str, Field(description="What is agreed to: show it word for word.")]
    frequency: str | None


class GateAsks(Strict):
    """What a gate asks of this visitor."""

    gate: str
    headline: str
    ask: Annotated[str, Field(description="Stands for all of it; goes back with the answers.")]
    email: Annotated[bool, Field(description="Is the address asked for?")]
    question: QuestionAsked | None
    newsletter: NewsletterOffered | None
    recognised: Annotated[bool, Field(description="Did this browser give an address before?")]


def _given(said: object) -> object:
    """Refuse what no question is answered with, in one sentence."""
    texts = isinstance(said, list) and all(isinstance(one, str) for one in said)
    if not texts and not isinstance(said, str | bool | int | float):
        raise PydanticCustomError("answer", "must be a text, a number, true, false, or texts")
    return said


Given = str | bool | int | float | list[str]


class GateAnswers(Strict):
    """What a visitor answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"ask": "as it came", "answers": {"country": "FR"}, "newsletters": {}}
        }
    )

    ask: str
    email: str | None = None
    answers: Annotated[
        dict[Key, Annotated[Given, BeforeValidator(_given)]], Field(max_length=8)
    ] = Field(default_factory=dict)
    newsletters: Annotated[dict[Key, bool], Field(max_length=8)] = Field(default_factory=dict)
    decline: Annotated[bool, Field(description="He would rather not say.")] = False
    remember: Annotated[bool | None, Field(description="May this browser be recognised later?")] = (
        None
    )
    effort: Annotated[
        str | None, Field(max_length=20, description="The number that a 429 asked for.")
    ] = None

    @property
    def as_form(self) -> Fields:
        """
        Return the same as a page's form would send it.

        >>> GateAnswers(ask="t", answers={"seats": 250, "sure": True}, decline=True).as_form
        {'ask': ['t'], 'q-seats': ['250'], 'q-sure': ['yes'], 'decline': ['yes']}
        """
        fields = {"ask": [self.ask]}
        if self.email is not None:
            fields["email"] = [self.email]
        fields |= {f"q-{key}": _texts(given) for key, given in self.answers.items()}
        fields |= {f"n-{key}": ["yes"] if yes else [] for key, yes in self.newsletters.items()}
        if self.decline:
            fields["decline"] = ["yes"]
        if self.remember is not None:
            fields["remember"] = ["yes" if self.remember else "no"]
        if self.effort is not None:
            fields["effort"] = [self.effort]
        return fields


class Download(Strict):
    """The link to the bytes, or to the site where they lie."""

    url: str
    expires_at: Annotated[Moment | None, Field(description="Until when it can be started.")]
    name: str
    size: Annotated[int | None, Field(description="In bytes; null where it lies elsewhere.")]
    type: str | None
    asset: Annotated[str, Field(description="Its key: the object of what is told of it.")]
    show: Annotated[
        Literal["play", "download", "both"],
        Field(description="Is it a film to be played, a file to be kept, or both?"),
    ]
    code_at: Annotated[
        str | None,
        Field(description="Where the code of the mail is typed; null where none proves anything."),
    ]


class Handed(Strict):
    """The file is handed over."""

    download: Download


class Mailed(Strict):
    """The file goes by mail."""

    mailed: Literal[True] = True


class GateOpened(RootModel[Handed | Mailed]):
    """The file, or word of a mail."""


class NotYou(Strict):
    """Somebody else sits there now."""

    model_config = ConfigDict(json_schema_extra={"example": {"ask": "as it came"}})

    ask: str


class Nobody(Strict):
    """Who sits there now: nobody we know."""

    recognised: Literal[False] = False


@bp.call("GET /gates/<key>", pages="", answers=GateAsks, refuses=(403, 404))
def ask_gate(path: AtGate) -> Response:
    """
    Say what a gate asks of this visitor: his address, or one question.

    A new visitor is given a token, as a cookie or in the header he sent.
    """
    with current.store().read() as session:
        visiting = visiting_of(session, path.key, browser.held_by_script())
    ask = fresh_ask(visiting, by_call=True)
    response = _answer(_shown(visiting, ask), ask.locale)
    if visiting.is_new and not visiting.around.kiosk:
        browser.hand(response, visiting.token, remembered=False)
    return response


@bp.call(
    "POST /gates/<key>",
    pages="",
    answers=GateOpened,
    most=LARGEST,
    refuses=(404, 409, 422),
)
def answer_gate(path: AtGate, body: GateAnswers) -> Response:
    """
    Take the answers and hand over the asset, or say what is wrong with them.

    The same answers sent twice have one effect, and get the same.
    """
    match take_fields(path.key, body.as_form, browser.held_by_script(), as_form=False):
        case Taken() as taken:
            return _opened(taken)
        case Faulty(_, ask, fault):
            g.locale = ask.locale
            return problem(422, translated(fault.says, ask.locale), field=fault.field)
        case Crowded(_, _, effort, wait):
            return problem(429, EFFORT, after=wait, effort=asdict(effort))


@bp.call("POST /gates/<key>/not-you", pages="", answers=Nobody, most=LARGEST, refuses=(404, 409))
def not_you(path: AtGate, body: NotYou) -> Response:
    """Begin anew: whoever sits here now has nothing to do with who was here."""
    with current.store().read() as session:
        visiting = visiting_of(session, path.key, browser.held_by_script())
        check_mine(session, visiting, read_ask(body.ask, current.settings().keys))
    if visiting.visitor is not None:
        ended = visiting.visitor.id
        current.store().write(
            lambda session: end_visitor(session, session.get_one(Visitor, ended), now=visiting.now)
        )
    response = _answer(Nobody(), visiting.locale)
    if visiting.by_script:
        browser.hand(response, fresh_token(), remembered=False)
    else:
        browser.forget(response)
    return response


def _shown(visiting: Visiting, ask: Ask) -> GateAsks:
    """Return what a gate asks; nothing of whoever is asked."""
    gate = visiting.around.gate
    question = visiting.question(ask.question)
    newsletter = visiting.around.newsletter(ask.newsletter)
    return GateAsks(
        gate=gate.key,
        headline=said(gate.headline, ask.locale),
        ask=write_ask(ask, current.settings().keys),
        email=ask.email,
        question=_asked(visiting, ask, question) if question else None,
        newsletter=_offered(ask, newsletter) if newsletter else None,
        recognised=visiting.claim is not None and not ask.email,
    )


def _asked(visiting: Visiting, ask: Ask, question: Question) -> QuestionAsked:
    """Return the question in the visitor's language, with what there is to choose from."""
    choices = choices_of(question, ask.locale, country_of(visiting))
    return QuestionAsked(
        key=question.key,
        label=ask.wording or "",
        why=said(question.why, ask.locale) if question.why else None,
        type=question.type,
        choices=[AnswerChoice(value=value, label=label) for value, label in choices] or None,
        required=ask.required,
    )


def _offered(ask: Ask, newsletter: Newsletter) -> NewsletterOffered:
    """Return the newsletter in the visitor's language."""
    return NewsletterOffered(
        key=newsletter.key,
        wording=ask.newsletter_wording or "",
        frequency=frequency_shown(newsletter, ask.locale),
    )


def _opened(taken: Taken) -> Response:
    """Return the file, or word of a mail, and let whoever asked keep his token."""
    visiting, opened = taken.visiting, taken.opened
    handed = _download(opened.download, visiting) if opened.download else Mailed()
    response = _answer(handed, visiting.locale)
    if not visiting.around.kiosk:
        browser.hand(response, opened.token, remembered=opened.remembered)
    return response


def _download(token: str, visiting: Visiting) -> Handed:
    """Return the link to the bytes; an asset that lies elsewhere has its own."""
    asset, locale = visiting.around.asset, visiting.locale
    url, expires_at, content = asset.url or "", None, asset.content
    plays = False
    if content is not None:
        url = current.settings().origin + url_for("downloads.download", token=token)
        with current.store().read() as session:
            granted = find(session, token)
        expires_at = granted.start_by if granted else None
        plays = granted is not None and asset.plays and not granted.single
    return Handed(
        download=Download(
            url=url,
            expires_at=expires_at,
            name=content.name if content else said(asset.title, locale),
            size=content.size if content else None,
            type=content.type if content else None,
            asset=asset.key,
            show=(asset.show or "play") if plays else "download",
            code_at=_code_at(visiting),
        )
    )


def _code_at(visiting: Visiting) -> str | None:
    """Return the page that takes the code of a claim's mail; None for a token of scripts."""
    if visiting.by_script or is_proven(visiting):
        return None
    url = url_for("forms.after.done", key=visiting.around.gate.key, **visiting.frame.spoken)
    return current.settings().origin + url


def _answer(told: BaseModel, locale: str) -> Response:
    """Return what is told, as JSON in a language."""
    g.locale = locale
    return answer(told)


def _texts(given: Given) -> list[str]:
    """Return an answer as a form sends it."""
    if isinstance(given, list):
        return given
    if isinstance(given, bool):
        return ["yes" if given else "no"]
    return [str(given)]
