"""The whole file that marketers write: its sections, and what may stand in them."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from regportal.buying.schema import Buying
from regportal.buying.scores.schema import Score
from regportal.connectors.schema import Connector
from regportal.consent.schema import Newsletter
from regportal.forms.schema import Experiment, Gate, Question
from regportal.library.schema import Asset
from regportal.store.schema import Document, Site

DRAFT = "https://json-schema.org/draft/2020-12/schema"

SECTIONS: dict[str, type[Document]] = {
    "site": Site,
    "newsletters": Newsletter,
    "questions": Question,
    "assets": Asset,
    "gates": Gate,
    "experiments": Experiment,
    "buying": Buying,
    "scores": Score,
    "connectors": Connector,
}
"""The sections in the order in which they are written, and what each holds."""

SINGLE = {"site": "site", "buying": "default"}
"""The sections that hold one document, and the key under which it is kept."""

SECTION_OF = {kind.kind: section for section, kind in SECTIONS.items()}

FILLED_IN = {"Asset": "content", "Site": "key", "Buying": "key"}
"""What we know without being told: nobody writes it."""


class Book(BaseModel):
    """Everything marketers write down about one site; any section may be left out."""

    model_config = ConfigDict(extra="forbid")
    site: Site | None = None
    newsletters: tuple[Newsletter, ...] = ()
    questions: tuple[Question, ...] = ()
    assets: tuple[Asset, ...] = ()
    gates: tuple[Gate, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    buying: Buying | None = None
    scores: tuple[Score, ...] = ()
    connectors: tuple[Connector, ...] = ()


def json_schema() -> dict[str, Any]:
    """
    Return the JSON Schema (2020-12) of the file.

    >>> schema = json_schema()
    >>> list(schema["properties"])[:3]
    ['site', 'newsletters', 'questions']
    >>> "content" in schema["$defs"]["Asset"]["properties"]
    False
    """
    schema: dict[str, Any] = _as_written(Book.model_json_schema())
    for name, key in FILLED_IN.items():
        del schema["$defs"][name]["properties"][key]
    del schema["$defs"]["Content"]
    return {"$schema": DRAFT, "title": "regportal documents"} | schema


def _as_written(part: Any) -> Any:
    """Leave out what belongs to Python: nulls nobody writes, and titles made of names."""
    if isinstance(part, list):
        return [_as_written(item) for item in part]
    if not isinstance(part, dict):
        return part
    plain = {
        name: _as_written(value)
        for name, value in part.items()
        if not (name == "title" and isinstance(value, str))
        and not (name == "default" and value is None)
    }
    options = plain.get("anyOf")
    if isinstance(options, list):
        plain["anyOf"] = [option for option in options if option != {"type": "null"}]
        if len(plain["anyOf"]) == 1:
            plain |= plain.pop("anyOf")[0]
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain
