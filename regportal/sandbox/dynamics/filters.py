"""What ``$filter`` and ``$orderby`` ask: the grammar of OData 4.0, as far as Dataverse knows it."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from regportal.sandbox.dynamics.refusals import QUERY, RefusedError

TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*'|"[^"]*")
  | (?P<guid>[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})
  | (?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_$][\w.]*(?:/[A-Za-z_]\w*)*)
  | (?P<mark>[()\[\],=])
    )""",
    re.VERBOSE,
)
Get = Callable[[str], Callable[[Any], Any]]
"""Returns what reads a property of a record; raises RefusedError where there is no such one."""
Holds = Callable[[Any], bool]
"""Says of a record whether it is one of those that are asked for."""
EQUAL: Mapping[str, Callable[[Any, Any], Any]] = {"eq": operator.eq, "ne": operator.ne}
ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
LIKE = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
IN = "Microsoft.Dynamics.CRM.In"
WORDS: Mapping[str, Any] = {"null": None, "true": True, "false": False}
DEEPEST = 50


def holds(text: str, get: Get) -> Holds:
    """
    Return what a filter asks of a record; raise RefusedError where it cannot be understood.

    >>> ann = {"lastname": "O'Neil", "age": 7, "note": None}
    >>> asked = (
    ...     "(lastname eq 'o''neil' or age gt 9) and not contains(lastname,'x') and note eq null"
    ... )
    >>> holds(asked, operator.itemgetter)(ann)
    True
    """
    parser = _Parser(text, get)
    found = parser.any()
    parser.end()
    return found


@dataclass(slots=True)
class _Token:
    """A word of a filter."""

    kind: str
    text: str


class _Parser:
    """Reads a filter from left to right."""

    def __init__(self, text: str, get: Get) -> None:
        """Cut the text into words."""
        self._get, self._place, self._depth = get, 0, 0
        self._tokens = [*_cut(text)]

    def any(self) -> Holds:
        """Read what is joined by ``or``."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _unclear("it is nested too deep")
        found = [self._all()]
        while self._takes("or"):
            found.append(self._all())
        self._depth -= 1
        return found[0] if len(found) == 1 else lambda row: any(one(row) for one in found)

    def end(self) -> None:
        """See that nothing is left."""
        if self._place < len(self._tokens):
            raise _unclear(f"'{self._tokens[self._place].text}' was not expected")

    def _all(self) -> Holds:
        """Read what is joined by ``and``."""
        found = [self._one()]
        while self._takes("and"):
            found.append(self._one())
        return found[0] if len(found) == 1 else lambda row: all(one(row) for one in found)

    def _one(self) -> Holds:
        """Read one condition."""
        if self._takes("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._takes("("):
            inner = self.any()
            self._must(")")
            return inner
        word = self._word()
        if word.text in LIKE:
            return self._like(word.text)
        if word.text == IN:
            return self._in()
        left = self._operand(word)
        verb = self._word().text
        right = self._operand(self._word())
        if verb in EQUAL:
            same = EQUAL[verb]
            return lambda row: bool(same(left(row), right(row)))
        if verb not in ORDER:
            raise _unclear(f"'{verb}' is no operator")
        order = ORDER[verb]
        return lambda row: _ordered(order, left(row), right(row))

    def _like(self, name: str) -> Holds:
        """Read ``contains`` and its like: they know the wildcards of SQL."""
        self._must("(")
        value = self._operand(self._word())
        self._must(",")
        pattern = like(LIKE[name].format(_literal(self._word())))
        self._must(")")
        return lambda row: pattern.fullmatch(str(value(row) or "")) is not None

    def _in(self) -> Holds:
        """Read ``Microsoft.Dynamics.CRM.In(PropertyName='…',PropertyValues=["…"])``."""
        self._must("(")
        self._named("PropertyName")
        name = _literal(self._word())
        self._must(",")
        self._named("PropertyValues")
        self._must("[")
        values: list[Any] = []
        while not self._takes("]"):
            values.append(_folded(_literal(self._word())))
            self._takes(",")
        self._must(")")
        get = self._get(str(name))
        return lambda row: _folded(get(row)) in values

    def _named(self, name: str) -> None:
        """Read the name of a parameter."""
        if self._word().text != name:
            raise _unclear(f"{name} is missing")
        self._must("=")

    def _operand(self, token: _Token) -> Callable[[Any], Any]:
        """Read a value: a property of the record, or a literal."""
        if token.kind == "word" and token.text not in WORDS:
            get = self._get(token.text)
            return lambda row: _folded(get(row))
        value = _folded(_literal(token))
        return lambda _: value

    def _takes(self, text: str) -> bool:
        """Read a word if it is the next one."""
        here = self._tokens[self._place : self._place + 1]
        if here and here[0].kind != "text" and here[0].text == text:
            self._place += 1
            return True
        return False

    def _must(self, text: str) -> None:
        """Read a word that must be the next one."""
        if not self._takes(text):
            raise _unclear(f"'{text}' was expected")

    def _word(self) -> _Token:
        """Read the next word, whatever it is."""
        if self._place >= len(self._tokens):
            raise _unclear("it ends too early")
        self._place += 1
        return self._tokens[self._place - 1]


def like(text: str) -> re.Pattern[str]:
    """
    Return a pattern of SQL: ``%`` is anything, ``_`` a letter, ``[ab]`` one of some.

    >>> bool(like("%[ab]_%").fullmatch("xxA7")), bool(like("50[%]").fullmatch("50%"))
    (True, True)
    """
    found, rest = "", text
    while rest:
        letter, rest = rest[0], rest[1:]
        if letter == "[" and "]" in rest:
            some, _, rest = rest.partition("]")
            negated = "^" if some.startswith("^") else ""
            found += f"[{negated}{re.escape(some.removeprefix('^'))}]"
        else:
            found += {"%": ".*", "_": "."}.get(letter, re.escape(letter))
    return re.compile(found, re.IGNORECASE | re.DOTALL)


def _cut(text: str) -> Iterator[_Token]:
    """Yield the words of a filter."""
    place, rest = 0, text.rstrip()
    while place < len(rest):
        found = TOKEN.match(rest, place)
        if found is None or found.lastgroup is None:
            raise _unclear(f"position {place} is no word of it")
        place = found.end()
        yield _Token(found.lastgroup, found[found.lastgroup])


def _literal(token: _Token) -> Any:
    """Return the value of a literal."""
    if token.kind == "text":
        inside = token.text[1:-1]
        return inside.replace("''", "'") if token.text.startswith("'") else inside
    if token.kind == "number":
        return float(token.text) if "." in token.text else int(token.text)
    if token.kind in {"guid", "moment"}:
        return token.text
    if token.text in WORDS:
        return WORDS[token.text]
    raise _unclear(f"'{token.text}' is no value")


def _folded(value: Any) -> Any:
    """Return by what values are compared: the database knows no difference of case."""
    return value.casefold() if isinstance(value, str) else value


def _ordered(order: Callable[[Any, Any], Any], one: Any, other: Any) -> bool:
    """Return whether an order holds: nothing is greater or less than nothing."""
    if one is None or other is None:
        return False
    try:
        return bool(order(one, other))
    except TypeError:
        raise _unclear("values of two types are compared") from None


def _unclear(says: str) -> RefusedError:
    """Return that a filter cannot be understood."""
    return RefusedError(400, QUERY, f"Syntax error in the query: {says}.")
