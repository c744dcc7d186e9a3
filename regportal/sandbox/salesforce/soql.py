"""
Reading SOQL: the sentence becomes a tree, or the complaint Salesforce makes of it.

As far as records are asked for: fields over relationships, subqueries, TYPEOF, conditions,
semi-joins, order, LIMIT and OFFSET, and COUNT. No other aggregates, no GROUP BY, no SOSL.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from regportal.sandbox.salesforce.refusals import RefusedError

TOKEN = re.compile(
    r"\s+|(?P<text>'(?:[^'\\\n]|\\.)*')"
    r"|(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<day>\d{4}-\d\d-\d\d)|(?P<number>[+-]?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*)|(?P<sign><=|>=|!=|<>|[=<>(),:])"
)
ESCAPES = {"n": "\n", "N": "\n", "r": "\r", "R": "\r", "t": "\t", "T": "\t", "b": "\b", "f": "\f"}
ESCAPES |= {one: one for one in "\"'\\_%"}
SIGNS = {"=", "!=", "<>", "<", "<=", ">", ">="}
MOST_ROWS = 50_000


class Token(NamedTuple):
    """A word, a sign or a value, and where it stands."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps of a record it leads to."""

    names: tuple[str, ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; of a field, how many have it."""

    path: Path | None


@dataclass(frozen=True, slots=True)
class Kinds:
    """TYPEOF: other fields for each kind of record that a field leads to."""

    relation: str
    whens: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A field, and what it is compared with."""

    path: Path
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions of which all, or any, must hold."""

    word: str
    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that must not hold."""

    part: Any


@dataclass(frozen=True, slots=True)
class Order:
    """By what records are sorted."""

    path: Path
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole sentence."""

    select: tuple[Any, ...]
    entity: str
    entity_at: int
    where: Any = None
    order: tuple[Order, ...] = ()
    limit: int = MOST_ROWS
    offset: int = 0


def malformed(message: str) -> RefusedError:
    """Return that a sentence is none."""
    return RefusedError("MALFORMED_QUERY", message)


def pointed(text: str, at: int, message: str, code: str) -> RefusedError:
    """Return a complaint that shows the place."""
    shown = f"\n{text}\n{' ' * at}^\nERROR at Row:1:Column:{at + 1}\n{message}"
    return RefusedError(code, shown)


def read(text: str) -> Query:
    r"""
    Return the tree of a sentence; raise RefusedError as Salesforce complains.

    >>> query = read("SELECT Id, Account.Name FROM Contact WHERE Email = 'o\\'n@x.example' LIMIT 1")
    >>> query.entity, query.where.value, query.limit
    ('Contact', "o'n@x.example", 1)
    """
    reader = _Reader(text)
    query = reader.query()
    reader.end()
    return query


class _Reader:
    """Goes through the words of a sentence."""

    def __init__(self, text: str) -> None:
        """Cut it into words."""
        self._tokens: list[Token] = []
        place = 0
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                raise malformed(f"unexpected token: '{text[place : place + 10]}'")
            if found.lastgroup:
                self._tokens.append(Token(found.lastgroup, found[0], place))
            place = found.end()
        self._next = 0

    # --- words ---

    def _peek(self, ahead: int = 0) -> Token:
        """Return the next word."""
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("end", "<EOF>", -1)

    def _take(self, kind: str | None = None) -> Token:
        """Take the next word; it must be of a kind."""
        token = self._peek()
        if token.kind == "end" or (kind is not None and token.kind != kind):
            raise malformed(f"unexpected token: '{token.text}'")
        self._next += 1
        return token

    def _is(self, *words: str) -> bool:
        """Return whether these words come next."""
        return all(
            self._peek(place).kind in {"word", "sign"}
            and self._peek(place).text.casefold() == word.casefold()
            for place, word in enumerate(words)
        )

    def _may(self, *words: str) -> bool:
        """Take these words, if they come next."""
        if not self._is(*words):
            return False
        self._next += len(words)
        return True

    def _must(self, word: str) -> None:
        """Take a word that must come next."""
        if not self._may(word):
            raise malformed(f"expecting '{word}', found '{self._peek().text}'")

    def end(self) -> None:
        """Complain of what is left."""
        if self._peek().kind != "end":
            raise malformed(f"unexpected token: '{self._peek().text}'")

    # --- the sentence ---

    def query(self) -> Query:
        """Read SELECT … FROM … and what may follow."""
        self._must("SELECT")
        select = self._several(self._column)
        self._must("FROM")
        entity = self._take("word")
        where = None
        if self._may("WHERE"):
            where = self._condition()
        order: tuple[Order, ...] = ()
        if self._may("ORDER", "BY"):
            order = self._several(self._order)
        limit = int(self._take("number").text) if self._may("LIMIT") else MOST_ROWS
        offset = int(self._take("number").text) if self._may("OFFSET") else 0
        return Query(select, entity.text, entity.at, where, order, limit, offset)

    def _several(self, one: Callable[[], Any]) -> tuple[Any, ...]:
        """Read things with commas between them."""
        found = [one()]
        while self._may(","):
            found.append(one())
        return tuple(found)

    def _path(self) -> Path:
        """Read the name of a field."""
        token = self._take("word")
        return Path(tuple(token.text.split(".")), token.at)

    def _column(self) -> Any:
        """Read one thing that is asked for."""
        if self._is("("):
            return self._inner()
        if self._may("TYPEOF"):
            return self._kinds()
        if self._is("COUNT", "("):
            self._next += 2
            path = None if self._is(")") else self._path()
            self._must(")")
            return Count(path)
        return self._path()

    def _inner(self) -> Query:
        """Read a sentence within brackets."""
        self._must("(")
        inner = self.query()
        self._must(")")
        return inner

    def _kinds(self) -> Kinds:
        """Read TYPEOF … END."""
        relation = self._take("word").text
        whens = []
        while self._may("WHEN"):
            kind = self._take("word").text
            self._must("THEN")
            whens.append((kind, self._several(self._path)))
        otherwise = self._several(self._path) if self._may("ELSE") else ()
        self._must("END")
        return Kinds(relation, tuple(whens), otherwise)

    def _order(self) -> Order:
        """Read by what is sorted."""
        path = self._path()
        is_descending = self._may("DESC") or (self._may("ASC") and False)
        nulls_last = self._may("NULLS", "LAST") or (self._may("NULLS", "FIRST") and False)
        return Order(path, is_descending, nulls_last)

    # --- conditions ---

    def _condition(self) -> Any:
        """Read conditions: AND and OR do not stand side by side without brackets."""
        parts = [self._part()]
        word = ""
        while self._is("AND") or self._is("OR"):
            here = self._peek().text.upper()
            if word and here != word:
                raise malformed(f"unexpected token: '{self._peek().text}'")
            word = here
            self._next += 1
            parts.append(self._part())
        return Both(word, tuple(parts)) if word else parts[0]

    def _part(self) -> Any:
        """Read one condition."""
        if self._may("NOT"):
            return Not(self._part())
        if self._may("("):
            inside = self._condition()
            self._must(")")
            return inside
        path = self._path()
        if self._may("NOT", "IN"):
            return Not(Compare(path, "in", self._among()))
        if self._may("IN"):
            return Compare(path, "in", self._among())
        if self._may("LIKE"):
            return Compare(path, "like", self._text(self._take("text")))
        sign = self._take("sign").text
        if sign not in SIGNS:
            raise malformed(f"unexpected token: '{sign}'")
        return Compare(path, "!=" if sign == "<>" else sign, self._value())

    def _among(self) -> Any:
        """Read the values of an IN, or the sentence that finds them."""
        if self._is("(", "SELECT"):
            return self._inner()
        self._must("(")
        values = self._several(self._value)
        self._must(")")
        return values

    def _value(self) -> Any:
        """Read a value."""
        token = self._take()
        match token.kind:
            case "text":
                return self._text(token)
            case "number":
                return float(token.text) if "." in token.text else int(token.text)
            case "moment":
                return datetime.fromisoformat(token.text).astimezone(UTC)
            case "day":
                return date.fromisoformat(token.text)
        words = {"true": True, "false": False, "null": None}
        if token.text.casefold() in words:
            return words[token.text.casefold()]
        raise malformed(f"unexpected token: '{token.text}'")

    @staticmethod
    def _text(token: Token) -> str:
        """Return what a text between quotes says."""

        def plain(found: re.Match[str]) -> str:
            if found[1] not in ESCAPES:
                raise malformed(f"invalid string escape: '{found[0]}'")
            # a wildcard that is meant as a letter stays marked for LIKE
            return found[0] if found[1] in "_%" else ESCAPES[found[1]]

        return re.sub(r"\\(.)", plain, token.text[1:-1], flags=re.DOTALL)
