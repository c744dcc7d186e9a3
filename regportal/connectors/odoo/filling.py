"""Values of a contact as Odoo's fields take them: texts that name other records become these."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Kind
from regportal.connectors.desk import Written
from regportal.connectors.odoo.shape import COMPANY, PERSON, SEVERAL, Shape
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.odoo.values import written
from regportal.connectors.rules import Outcome

COUNTRY, LETTERS = "res.country", 2
Filled = dict[str, Any] | Written
"""What is to be written; or that it cannot be."""


class Filling:
    """Turns values of ours into values of Odoo."""

    def __init__(self, odoo: Odoo, shape: Shape) -> None:
        """Take where other records are looked for."""
        self._odoo, self._shape = odoo, shape

    def all(self, kind: Kind, many: Sequence[Mapping[str, Any]]) -> list[Filled]:
        """Return what is to be written of each; companies that nobody has are made."""
        found: dict[tuple[str, str], int | None] = {}
        return [self._one(kind, values, found) for values in many]

    def _one(
        self, kind: Kind, values: Mapping[str, Any], found: dict[tuple[str, str], int | None]
    ) -> Filled:
        """Return what is to be written of one record."""
        filled: dict[str, Any] = {}
        for name, value in values.items():
            if name == COMPANY and kind == "contact":
                filled["parent_id"] = self._company(str(value), found)
                continue
            about = self._shape.about(kind, name)
            if about.get("type") in SEVERAL:
                says = f"the field {name} holds more than one value, and such are not written"
                return Written(None, Outcome.REJECTED, says)
            if about.get("type") == "many2one" and isinstance(value, str):
                id = self._named(about["relation"], value, found)
                if id is None:
                    says = f"{name} names no record that Odoo has"
                    return Written(None, Outcome.REJECTED, says)
                filled[name] = id
            else:
                filled[name] = written(value, about.get("type"))
        return filled

    def _company(self, name: str, found: dict[tuple[str, str], int | None]) -> int:
        """Return the company of a name; make it where there is none."""
        known = (COMPANY, " ".join(name.split()).casefold())
        if known not in found:
            domain = [["is_company", "=", True], ["name", "=ilike", _literal(name)]]
            ids = self._ids(PERSON, domain)
            new = {"name": " ".join(name.split()), "is_company": True}
            found[known] = ids[0] if ids else self._made(new)
        id = found[known]
        assert id is not None  # noqa: S101 - a company is always found or made
        return id

    def _made(self, company: Mapping[str, Any]) -> int:
        """Make a company."""
        context = {"mail_create_nosubscribe": True}
        (id,) = self._odoo.call(PERSON, "create", vals_list=[company], context=context)
        return int(id)

    def _named(self, model: str, name: str, found: dict[tuple[str, str], int | None]) -> int | None:
        """Return the only record of a name; of a country also by its code."""
        known = (model, name.casefold())
        if known not in found:
            ids = self._ids(model, [*_by(model, name)])
            found[known] = ids[0] if len(ids) == 1 else None
        return found[known]

    def _ids(self, model: str, domain: Sequence[Any]) -> list[int]:
        """Search for records."""
        rows = self._odoo.call(
            model, "search_read", domain=domain, fields=["id"], order="id", limit=2
        )
        return [row["id"] for row in rows]


def _by(model: str, name: str) -> Iterator[Any]:
    """Yield how a record of a name is searched for."""
    if model == COUNTRY and len(name) == LETTERS:
        yield ["code", "=", name.upper()]
    else:
        yield ["name", "=ilike", _literal(name)]


def _literal(text: str) -> str:
    r"""
    Return a text as a pattern that only it fits.

    >>> print(_literal("100% Widgets_"))
    100\% Widgets\_
    """
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
