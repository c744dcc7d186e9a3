"""What is said about a value that cannot be taken, in the words of those who wrote it."""

import difflib
from collections.abc import Collection
from typing import Any

from regportal.store.schema import words_of

SHOWN = 60

KEY = "use small letters, digits, - and _, at most 64, beginning with a letter or digit"
LANGUAGE = "texts by language begin with its code, like en or de-AT"

PATTERNS = {
    r"^[a-z0-9][a-z0-9_-]{0,63}$": f"cannot be a key: {KEY}",
    r"^([1-9][0-9]{0,4})(s|m|h|d|mo)$": "is not a length of time like 30m, 2h, 540d or 24mo",
    r"^(0|[1-9][0-9]{0,4})(s|m|h|d|mo)$": "is not a length of time like 0d, 2h, 14d or 24mo",
    r"^#[0-9a-fA-F]{3,8}$": "is not a colour like '#0b5cad' (in quotes, because of the #)",
    r"^[0-9]{1,2}(\.[0-9]+)?(px|rem|em)$": "is not a length like 6px or 0.5rem",
    r"^[A-Za-z0-9 ,'_-]{1,200}$": "is not a list of fonts like Inter, system-ui",
    r"^([1-9][0-9]?|100)%$": "is not a share of a film like 75%",
    r"^[A-Za-z][A-Za-z0-9_.]{0,79}$": (
        "is not a field's name: use letters, digits, _ and dots, beginning with a letter"
    ),
    r"^[A-Za-z][A-Za-z0-9_]{0,79}$": (
        "is not a field's name: use letters, digits and _, beginning with a letter"
    ),
    r"^[0-9]{1,20}$": "is not an account's number like 62515",
    r"^[0-9A-Za-z.-]{1,20}$": "is not a version like 19 or v68.0",
    r"^[A-Za-z0-9_.-]{1,80}$": "is not a database's name: use letters, digits, _, - and dots",
    r"^[a-z]{2,3}(-[A-Z]{2})?$": "is not a language like en or de-AT",
    r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$": f"is not a language: {LANGUAGE}",
    r"^[0-9a-f]{64}$": "is not a SHA-256 in 64 small hexadecimal digits",
    r"^https://[^\s]+$": "is not an address that begins with https://",
    r"^https?://[^\s]+$": "is not an address like https://www.acme.example/page",
    r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$": (
        "is not an origin: write scheme and host alone, in small letters, like"
        " https://www.acme.example"
    ),
    r"^[\s\S]*\S[\s\S]*$": "says nothing",
}
"""Every pattern of the schema, but that of a secret, whose value is never shown."""

SECRET = r"^(env:[A-Za-z_][A-Za-z0-9_]*|vault:[a-z0-9][a-z0-9_-]{0,63})$"  # noqa: S105 - the pattern of a name
ONLY_A_NAME = (
    "must name an environment variable or a secret that is kept, like env:CRM_SECRET or vault:crm:"
    " the secret itself is never in a file"
)

NOT_YET = {
    "segment": "segments are not built yet: write field",
    "survey": "surveys are not built yet: leave this out",
    "version": "versions are numbered by us: leave this out",
}
"""Keys of the method that a later release takes."""

KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list (lines that begin with -)",
    "object": "keys with values below it",
}


def shown(text: str) -> str:
    """
    Return a value as a sentence quotes it.

    >>> shown("no")
    "'no'"
    >>> len(shown("x" * 500))
    62
    >>> shown("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    "'(a secret)'"
    """
    line = " ".join(text.split())
    if "whsec_" in line:
        return "'(a secret)'"
    return f"'{line}'" if len(line) <= SHOWN else f"'{line[: SHOWN - 1]}…'"


def nearest(wrong: str, known: Collection[str]) -> str | None:
    """
    Return what was probably meant.

    >>> nearest("headlin", ["headline", "asset"])
    'headline'
    >>> nearest("ofer", ["Offer"])
    'Offer'
    """
    words = {word.casefold(): word for word in sorted(known, reverse=True)}
    found = difflib.get_close_matches(wrong.casefold(), sorted(words), n=1, cutoff=0.7)
    return words[found[0]] if found else None


def unknown_key(key: str, known: Collection[str]) -> str:
    """
    Say that a key means nothing here.

    >>> unknown_key("headlin", ["headline", "asset"])
    "is not a key of this place; did you mean 'headline'?"
    >>> unknown_key("colour", ["key", "title"])
    'is not a key of this place; there are key, title'
    """
    if key in NOT_YET:
        return NOT_YET[key]
    meant = nearest(key, known)
    if meant:
        return f"is not a key of this place; did you mean {shown(meant)}?"
    return f"is not a key of this place; there are {', '.join(known)}"


def there_is_no(what: str, key: str, known: Collection[str]) -> str:
    """
    Say that something is referred to that is not there.

    >>> there_is_no("asset", "price-lst", ["price-list"])
    "there is no asset called 'price-lst'; did you mean 'price-list'?"
    """
    meant = nearest(key, known)
    says = f"there is no {what} called {shown(key)}"
    return f"{says}; did you mean {shown(meant)}?" if meant else says


def wanted(kinds: Collection[str]) -> str:
    """
    Say what should stand here.

    >>> wanted(["string", "array"])
    'must be a text or a list (lines that begin with -)'
    """
    return "must be " + " or ".join(KINDS[kind] for kind in kinds)


def pattern(text: str, expression: str) -> str:
    """
    Say what is wrong with a text that does not look as it must.

    >>> pattern("Ask", "^(ask|never)$")
    "'Ask' is not one of ask, never; did you mean 'ask'?"
    """
    if expression == SECRET:
        return ONLY_A_NAME
    if words := words_of(expression):
        return one_of(text, words)
    return f"{shown(text)} {PATTERNS.get(expression, f'does not match {expression}')}"


def only_a_label(text: str, key: str) -> str:
    """
    Say that a label stands where a key is wanted.

    >>> only_a_label("Comparing suppliers", "comparison")
    "'Comparing suppliers' is a label, for people: write 'comparison'"
    """
    return f"{shown(text)} is a label, for people: write {shown(key)}"


def one_of(text: str, options: list[Any]) -> str:
    """
    Say that a word is none of those that may stand here.

    >>> one_of("mial", ["instant", "mail"])
    "'mial' is not one of instant, mail; did you mean 'mail'?"
    """
    words = [str(option) for option in options]
    meant = nearest(text, words)
    if len(words) == 1:
        return f"{shown(text)} cannot stand here: only {words[0]} can"
    says = f"{shown(text)} is not one of {', '.join(words)}"
    return f"{says}; did you mean {shown(meant)}?" if meant else says
