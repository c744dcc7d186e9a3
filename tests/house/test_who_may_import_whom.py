"""What import-linter cannot say: what stays free of frameworks, and who knows the engine."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "regportal"
PURE = frozenset(
    {
        *(
            f"regportal.buying.{name}"
            for name in ("facts", "standing", "films", "counting", "conditions")
        ),
        *(f"regportal.buying.{name}" for name in ("compiled", "foreign", "glance", "lint")),
        *(
            f"regportal.buying.{name}"
            for name in ("asking", "english", "folding", "lacking", "replaying", "telling", "words")
        ),
        *(
            f"regportal.documents.{name}"
            for name in ("connections", "gates", "house", "pages", "phases")
        ),
        "regportal.forms.planner",
        "regportal.inbox.telling",
        "regportal.insight.trials",
    }
)
"""Parts of rules that are modules of their own: as pure as the rules themselves."""
TELLING = frozenset(
    {"regportal.buying.asking", "regportal.buying.words", "regportal.forms.planner"}
)
"""Those that also say sentences in a language."""
SPEECH = frozenset({"regportal.buying.voice", "regportal.store.words"})
"""What says them: it reads catalogues, which are the same for everybody."""
VOCABULARY = frozenset({"regportal.buying.vocabulary"})
"""A part of a schema that is a module of its own."""
STANDARD = {*sys.stdlib_module_names, "__future__"}

# --- what a module imports ---


def names_imported(module, text):
    """
    Every dotted name this module imports, wherever in it.

    >>> sorted(names_imported("regportal.forms.rules", "from . import schema\\nimport dbos.x"))
    ['dbos.x', 'regportal.forms.schema']
    """
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def foreign(module, text, *, may):
    """The imports of this module that are neither the standard library's nor allowed."""
    return [
        name
        for name in names_imported(module, text)
        if name.split(".")[0] not in STANDARD and not may(name)
    ]


def modules(pattern):
    """Every module of ours called so, as a case of a test."""
    for path in sorted(HOUSE.rglob(pattern)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield pytest.param(name, path.read_text("utf-8"), id=name)


def is_ours(name, *kinds):
    """
    Whether this name is, or lies in, a module of ours called so.

    >>> is_ours("regportal.buying.rules.next_phase", "rules")
    True
    >>> is_ours("regportal.buying.models.rules", "rules")
    False
    >>> is_ours("regportal.buying.scores.rules.check_score", "rules")
    True
    """
    parts = name.split(".")
    within = 2
    while (ROOT / Path(*parts[: within + 1])).is_dir():  # a part of a room with modules of its own
        within += 1
    return parts[0] == "regportal" and parts[within : within + 1] != [] and parts[within] in kinds


def is_one_of(known, name):
    """Whether this name is, or lies in, one of these modules."""
    return any(f"{name}.".startswith(f"{one}.") for one in known)


def for_rules(name):
    return is_ours(name, "rules", "schema", "sentences") or is_one_of(PURE | VOCABULARY, name)


def for_telling(name):
    return for_rules(name) or is_one_of(SPEECH, name)


def for_schema(name):
    return (
        name.split(".")[0] in {"pydantic", "annotated_types"}
        or is_ours(name, "schema")
        or is_one_of(VOCABULARY, name)
        or f"{name}.".startswith("regportal.store.documents.")
    )


# --- the claims ---


@pytest.mark.parametrize(
    ("module", "text"),
    [
        *modules("rules.py"),
        *modules("sentences.py"),
        *(case for case in modules("*.py") if case.id in PURE),
    ],
)
def test_rules_import_only_the_standard_library_and_other_rules(module, text):
    assert foreign(module, text, may=for_telling if module in TELLING else for_rules) == []


@pytest.mark.parametrize(("module", "text"), [*modules("schema.py"), *modules("vocabulary.py")])
def test_schemas_import_only_pydantic_and_other_schemas(module, text):
    assert foreign(module, text, may=for_schema) == []


@pytest.mark.parametrize(
    ("module", "text"), [case for case in modules("*.py") if case.id != "regportal.engine.durable"]
)
def test_only_the_engine_knows_dbos(module, text):
    assert [name for name in names_imported(module, text) if name.split(".")[0] == "dbos"] == []


@pytest.mark.parametrize(
    "line",
    [
        "import flask",
        "from sqlalchemy.orm import Session",
        "import requests",
        "from regportal.buying.models import Phase",
        "from regportal.buying import models",
        "from ..store import sessions",
        "def late():\n    from flask import g",
    ],
)
def test_the_test_sees_what_rules_must_not_import(line):
    assert foreign("regportal.buying.rules", line, may=for_rules)


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime",
        "from regportal.buying.rules import next_phase",
        "from regportal.buying import schema",
        "from .schema import Question",
    ],
)
def test_the_test_lets_rules_import_what_they_may(line):
    assert foreign("regportal.forms.rules", line, may=for_rules) == []
