"""
What a process that goes on has ready, kept from one test to the next.

Every test makes an application and opens a database of its own. Frameworks keep what they
compile on the first use - templates, routes, statements - with the application or the engine; so
every test would compile them anew, which takes longer than most tests. So it is with publishing
the same documents.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import CodeType, MethodType
from typing import ClassVar

import sqlalchemy as sa
from argon2 import low_level
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from regportal.store import documents
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication, Published

COMPILED = ("_parts", "_trace", "_converters", "arguments", "_build", "_build_unknown")
"""What compiling a route sets."""


class _Templates(BytecodeCache):
    """The templates as one test compiled them."""

    kept: ClassVar[dict[tuple[str, str], CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of this template, where its source is the same."""
        bucket.code = self.kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of this template."""
        self.kept[bucket.key, bucket.checksum] = bucket.code


def keep_templates() -> None:
    """Compile a template once, whichever application of whichever test shows it."""
    start = Environment.__init__

    def sharing(environment: Environment, *args: object, **options: object) -> None:
        start(environment, *args, **{"bytecode_cache": _Templates(), **options})

    Environment.__init__ = sharing


def keep_passwords() -> None:
    """Verify once that a password is the one of a hash; that it is not is found out each time."""
    low_level.verify_secret = cache(low_level.verify_secret)


def keep_routes() -> None:
    """Compile a route once: what it matches and how it is written follow from its text alone."""
    compile_rule, kept = Rule.compile, {}

    def once(rule: Rule) -> None:
        if rule.defaults or rule.subdomain or rule.host:
            compile_rule(rule)
            return
        key = (rule.rule, rule.merge_slashes)
        if key not in kept:
            compile_rule(rule)
            kept[key] = {name: getattr(rule, name) for name in COMPILED}
        for name, value in kept[key].items():
            bound = isinstance(value, MethodType)
            setattr(rule, name, MethodType(value.__func__, rule) if bound else value)

    Rule.compile = once


def keep_documents() -> None:
    """Read the same documents once; they are values that requests share."""
    read, kept = documents.read_published, LRUCache(50)

    def once(session: Session, number: int) -> Published:
        published = read(session, number)
        says = repr((number, published._bodies, published._numbers))
        return kept.setdefault(says, published)

    documents.read_published = once


def keep_statements() -> None:
    """Let all engines of one kind of database share the SQL they made."""
    kept = LRUCache(2000)
    start = sa.Engine.__init__

    def sharing(engine: sa.Engine, *args: object, **options: object) -> None:
        start(engine, *args, **options)
        engine._compiled_cache = kept

    sa.Engine.__init__ = sharing
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # half the key of what is kept
        kind.__eq__ = lambda one, other: type(one) is type(other)
        kind.__hash__ = lambda one: hash(type(one))


class Publications:
    """What publishing a text wrote into a database where nothing was published."""

    def __init__(self) -> None:
        """Know of none yet."""
        self._kept: dict[str, tuple[list[Mapping], list[Mapping]]] = {}

    def keep(self, session: Session, text: str) -> None:
        """Remember what this text became; only where it was the first."""
        if session.scalars(sa.select(Publication.number)).all() == [1]:
            self._kept[text] = (_rows(session, DocumentVersion), _rows(session, CurrentDocument))

    def write(self, session: Session, text: str, *, now: datetime) -> bool:
        """Publish a text that was published before; False where it is not so simple."""
        if text not in self._kept or session.scalar(sa.select(Publication.number).limit(1)):
            return False
        versions, current = self._kept[text]
        versions = [{**version, "published_at": now} for version in versions]
        session.execute(sa.insert(DocumentVersion), versions)
        session.execute(sa.insert(CurrentDocument), current)
        session.add(Publication(at=now))
        return True


def _rows(session: Session, model: type) -> list[Mapping]:
    return [dict(row) for row in session.execute(sa.select(model.__table__)).mappings()]
