"""What must hold between the documents of one site, and what the law asks of a wording."""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from regportal.buying.lint import lints
from regportal.buying.schema import Buying
from regportal.buying.scores.rules import check_score, fields_asked
from regportal.buying.scores.schema import Score
from regportal.connectors.schema import Connector
from regportal.consent.schema import Newsletter
from regportal.documents.connections import connector_faults, unmeant
from regportal.documents.gates import experiment_faults, gate_faults
from regportal.documents.house import Finds, House, Name, Path
from regportal.documents.pages import unlike_origins
from regportal.documents.phases import never_moved, unknown
from regportal.documents.sentences import shown, there_is_no
from regportal.forms.schema import Experiment, Gate, Question
from regportal.library.schema import Asset
from regportal.store.schema import Document, Site

MOST_SCORES = 32

SENDINGS = r"(newsletters|mailings|e-?mails|communications|publications|mailing lists)"
OTHERS = r"(partners|affiliates|sponsors|subsidiaries|group companies|third[\s-]part(y|ies))"
BLANKET = (
    rf"\b(all|other|further)\s+(of\s+)?(our\s+|the\s+|your\s+)?{SENDINGS}\b",
    r"\bany\s+(of\s+)?(our\s+|the\s+)?(newsletters?|mailings?|communications?)\b",
    rf"\b(and|or|our|its|their|selected|trusted|from|with)\s+(\w+\s+){{0,2}}{OTHERS}\b",
    r"\b(alle|sämtliche|weitere)n?\s+(unserer?n?\s+)?(newsletter|mailings)n?\b",
    r"\b(und|oder|unsere[rn]?|ausgewählte[rn]?)\s+(\w+\s+)?partnern?\b",
)
BUNDLED = (r"\bterms\s+(and\s+conditions|of\s+(use|service|business))\b", r"\bAGB\b")
ASSUMED = (
    r"\bun(tick|check)\b",
    r"\balready\s+(ticked|checked|agreed)\b",
    r"\b(tick|check)\b.*\b(do\s+not|don[\u2019']t|no\s+longer)\s+(want|wish)\b",
    r"\b(bereits|schon)\s+(angekreuzt|zugestimmt|eingewilligt)\b",
    r"\b(haken|häkchen|kreuz)\s+entfernen\b",
)

ADDRESS = r"[^\s@*<>,;:\"()]+@[^\s@*<>,;:\"()]+\.[^\s@*<>,;:\"().]+"
SECRETS = (r"\bwhsec_", r"\b[a-z][a-z0-9+.-]*://[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold: in which document, where in it, and what."""

    name: Name
    path: Path
    says: str


def check(
    documents: Mapping[Name, Document], named: Collection[Name], countries: Mapping[str, str]
) -> list[Finding]:
    """
    Return everything that does not hold between these documents.

    ``named`` are the documents that are written down, also those with faults of their own: a
    reference to one of them is not another fault. ``countries`` are names by the codes of ISO 3166.
    """
    house = House(documents, frozenset(named), countries)
    found = [] if ("site", "site") in named else [_no_site()]
    scores = [name for name in documents if name[0] == Score.kind]
    for name in scores[MOST_SCORES:]:
        says = f"is one score too many: every deed is weighed by each, and {MOST_SCORES} are enough"
        found.append(Finding(name, ("key",), says))
    for name, document in documents.items():
        found += (Finding(name, path, says) for path, says in _of_one(document, house))
        found += (Finding(name, path, says) for path, says in secrets_in(document))
    return found


def remarks(documents: Mapping[Name, Document]) -> list[str]:
    """
    Return what may be meant, and is worth a second look.

    >>> remarks({("question", "size"): Question(key="size", label="Size?", type="number")})
    ["no gate asks the question 'size'"]
    """
    gates = _all(documents, Gate)
    questions = {key for kind, key in documents if kind == "question"}
    asked = {key for gate in gates for key in gate.questions}
    says = [f"no gate asks the question {shown(key)}" for key in questions - asked]
    for letter in _all(documents, Newsletter):
        offering = [gate.asset for gate in gates if letter.key in gate.newsletters]
        assets = [documents.get(("asset", key)) for key in offering]
        topics = {topic for asset in assets if isinstance(asset, Asset) for topic in asset.topics}
        if not offering:
            says.append(f"no gate offers the newsletter {shown(letter.key)}")
        elif not topics & set(letter.topics):
            says.append(
                f"the newsletter {shown(letter.key)} is never offered:"
                " it shares no topic with the asset of a gate that lists it"
            )
    for connector in _all(documents, Connector):
        says += unmeant(connector, documents)
    types = {question.type for question in _all(documents, Question)}
    for score in _all(documents, Score):
        unasked = ", ".join(sorted(fields_asked(score) - types))
        if unasked:
            says.append(
                f"the score {shown(score.key)} gives points for what no question asks: {unasked}"
            )
    site = documents.get(("site", "site"))
    for buying in _all(documents, Buying):
        says += never_moved(buying)
        if isinstance(site, Site):
            says += unlike_origins(buying, site)
    return sorted(says)


def changed_bases(before: Mapping[Name, Document], after: Mapping[Name, Document]) -> list[str]:
    """
    Return what it means that newsletters go to another legal basis.

    >>> old = Newsletter(key="news", title="News", wording="Send me the news.")
    >>> new = old.model_copy(update={"basis": "contract"})
    >>> (says,) = changed_bases({("newsletter", "news"): old}, {("newsletter", "news"): new})
    >>> says.partition(":")[0]
    "the newsletter 'news' goes from the basis consent to contract"
    """
    pairs = [(before.get(name), letter) for name, letter in after.items()]
    return [
        f"the newsletter {shown(new.key)} goes from the basis {old.basis} to {new.basis}: lines"
        " written into the ledger from now on say so, older ones keep theirs, and nobody may be"
        " written to who may not be already"
        for old, new in pairs
        if isinstance(old, Newsletter) and isinstance(new, Newsletter) and old.basis != new.basis
    ]


def _no_site() -> Finding:
    """Say that nothing can be published without a site."""
    return Finding(
        ("site", "site"),
        (),
        "is missing: say whose site this is (name, controller, privacy_notice)",
    )


def _all(documents: Mapping[Name, Document], kind: type[Any]) -> list[Any]:
    """Return the documents of a kind."""
    return [document for document in documents.values() if isinstance(document, kind)]


def _of_one(document: Document, house: House) -> Finds:
    """Yield what does not hold of one document."""
    match document:
        case Site():
            yield from _site(document)
        case Newsletter():
            yield from _newsletter(document)
        case Question():
            yield from _question(document, house)
        case Gate():
            yield from gate_faults(document, house)
        case Experiment():
            yield from experiment_faults(document, house)
        case Connector():
            yield from connector_faults(document)
        case Buying():
            yield from lints(document)
            yield from unknown(document, house)
        case Score():
            yield from check_score(document, house)
        case _:
            return


# --- the site ---


def _site(site: Site) -> Finds:
    """Own networks and addresses must be ones."""
    for index, network in enumerate(site.ignore.networks):
        try:
            ipaddress.ip_network(network)
        except ValueError:
            says = f"{shown(network)} is not a network like 192.0.2.0/24"
            yield ("ignore", "networks", index), says
    for index, address in enumerate(site.ignore.addresses):
        if not re.fullmatch(r"(\*|[^\s@*]+)@[^\s@*]+\.[^\s@*]+", address):
            says = f"{shown(address)} is not an address like *@acme.example"
            yield ("ignore", "addresses", index), says
    yield from _alerts(site)


def _alerts(site: Site) -> Finds:
    """Alerts go to an address that letters reach, and each day is named once."""
    if site.alerts.to is not None and not re.fullmatch(ADDRESS, site.alerts.to):
        yield ("alerts", "to"), f"{shown(site.alerts.to)} is not an address like sales@acme.example"
    for index, day in enumerate(site.alerts.days):
        if day in site.alerts.days[:index]:
            yield ("alerts", "days", index), f"{shown(day)} stands there twice"


# --- newsletters ---


def _newsletter(letter: Newsletter) -> Finds:
    """Each wording asks for one permission, and asks."""
    if isinstance(letter.wording, str):
        says = wording_fault(letter.wording)
        if says:
            yield ("wording",), says
        return
    for locale, text in letter.wording.items():
        says = wording_fault(text)
        if says:
            yield ("wording", locale), says


def wording_fault(text: str) -> str | None:
    """
    Return what is wrong with the wording of a permission, or None.

    >>> wording_fault("Send me widget price alerts, about once a month.")
    >>> wording_fault("Send me all newsletters.")
    "a permission is for one newsletter: 'all newsletters' asks for more"
    >>> wording_fault("Send me price alerts from Acme and partners.")
    "a permission is for one newsletter: 'from Acme and partners' asks for more"
    >>> wording_fault("Tick here if you do not want price alerts.")
    "a permission is never assumed: 'Tick here if you do not want' says it is"
    """
    for expressions, says in (
        (BLANKET, "a permission is for one newsletter: {} asks for more"),
        (BUNDLED, "a permission stands alone: {} is another matter"),
        (ASSUMED, "a permission is never assumed: {} says it is"),
    ):
        for expression in expressions:
            found = re.search(expression, text, re.IGNORECASE)
            if found:
                return says.format(shown(found[0]))
    return None


# --- questions ---


def _question(question: Question, house: House) -> Finds:
    """Let a condition speak of another question, and of values it can have."""
    if question.when is None:
        if question.type == "region":
            says = "is missing: a region is asked of those who named a country that has regions"
            yield ("when",), says
        return
    asked = question.when.answer.question
    path: Path = ("when", "answer", "question")
    other = house.question(asked)
    if ("question", asked) not in house.named:
        yield path, there_is_no("question", asked, house.keys("question"))
    elif _in_a_circle(question, house):
        yield path, "leads back to this question: neither would ever be asked"
    elif other and question.type == "region" and other.type != "country":
        yield path, f"{shown(asked)} must be a question of type country"
    if other is None:
        return
    for index, value in enumerate(question.when.answer.values):
        fault = house.impossible(other, value)
        if fault:
            yield ("when", "answer", "in", index), fault


def _in_a_circle(question: Question, house: House) -> bool:
    """Whether the conditions lead from this question back to it."""
    passed: set[str] = set()
    current: Question | None = question
    while current and current.when and current.key not in passed:
        passed.add(current.key)
        current = house.question(current.when.answer.question)
    return current is not None and current.key == question.key and bool(passed)


# --- secrets ---


def secrets_in(document: Document) -> Finds:
    """Yield every place of a document where a secret stands; what it is is not said."""
    yield from _secrets((), document.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _secrets(path: Path, value: Any) -> Finds:
    """Look into a value."""
    if isinstance(value, str):
        if any(re.search(expression, value) for expression in SECRETS):
            says = "there is a secret or a password here: nobody may write one into a file"
            yield path, says
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _secrets((*path, key), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _secrets((*path, index), below)
