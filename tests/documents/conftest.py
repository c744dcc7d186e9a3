from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.documents import actions, planning, reading
from regportal.library.storage import open_storage
from regportal.store.sessions import Store, make_engine

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

SITE = """\
site:
  name: Acme
  controller: Acme Ltd, Leeds
  privacy_notice: https://www.acme.example/privacy
"""


class Desk:
    """A marketer's folder beside a portal: write the file, plan it, publish it."""

    def __init__(self, folder, store, storage):
        self.folder, self.store, self.storage = folder, store, storage
        self.file = folder / "regportal.yaml"

    def write(self, text, **files):
        self.file.write_text(text, encoding="utf-8")
        for name, content in files.items():
            self.add(name.replace("__", "."), content)
        return self

    def add(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def plan(self, *, prune=False):
        with self.store.read() as session:
            return planning.plan(session, reading.read(self.file), prune=prune)

    def publish(self, plan):
        return actions.apply(self.store, self.storage, plan, now=NOON)

    def apply(self, text=None, *, prune=False):
        if text is not None:
            self.write(text)
        return self.publish(self.plan(prune=prune))

    def export(self):
        with self.store.read() as session:
            return actions.export(session)

    def everything(self):
        """Every row of every table."""
        metadata = sa.MetaData()
        metadata.reflect(self.store.engine)
        with self.store.engine.connect() as connection:
            return {
                name: sorted(map(repr, connection.execute(sa.select(table))))
                for name, table in metadata.tables.items()
            }


@pytest.fixture
def desk(tmp_path, database_url):
    store = Store(make_engine(database_url))
    folder = tmp_path / "marketing"
    folder.mkdir()
    yield Desk(folder, store, open_storage(f"file://{tmp_path}/storage"))
    store.close()
