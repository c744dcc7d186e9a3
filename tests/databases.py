"""Databases for tests on PostgreSQL: made once, lent again and again, empty every time."""

import contextlib
import secrets

import psycopg
from psycopg import sql
from sqlalchemy import make_url

SHAPE = """
SELECT (SELECT md5(string_agg(nspname, ' ' ORDER BY nspname)) FROM pg_namespace
         WHERE nspname NOT LIKE 'pg_%'),
       (SELECT md5(string_agg(format('%s %s %s', attrelid::regclass, attname, atttypid), ' '
               ORDER BY attrelid::regclass::text, attnum))
          FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(format('%s %s', tgname, tgenabled), ' ' ORDER BY tgname))
          FROM pg_trigger WHERE NOT tgisinternal),
       pg_database_size(current_database()) > pg_size_bytes('64 MB')
"""
EMPTIED = """
DO $$
DECLARE one regclass;
BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relname <> 'alembic_version'
                AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('DELETE FROM %s', one); END LOOP;
  PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""
ALONE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def tell(server, statement):
    """Run what PostgreSQL allows only outside a transaction."""
    with _connected(server) as connection:
        connection.execute(statement)


@contextlib.contextmanager
def made(server, purpose, template="template1", *, drop=True):
    """
    Give the address of a new database, which is there inside the ``with``.

    One that is not dropped goes with its server: to drop one, the server writes all that it has in
    memory to the disk.
    """
    name = f"regportal_{purpose}_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    tell(server, create.format(*map(sql.Identifier, (name, template))))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        if drop:
            tell(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Lent:
    """
    Databases in the present shape, lent to one test at a time.

    To make one takes ten times as long as to empty one. One whose shape a test has changed, or
    which has grown large, is not lent again. They are emptied on a connection that stays: a new one
    has to read first what tables there are, which takes longer than to empty them.
    """

    def __init__(self, server, template, *, drop):
        """Take the server and the database of which the others are copies."""
        self._server, self._template, self._drop = server, template, drop
        self._made = contextlib.ExitStack()
        self._free, self._hands = [], {}
        with _connected(server.set(database=template)) as connection:
            self._shape = _shape(connection)

    @contextlib.contextmanager
    def one(self):
        """Give the address of an empty database, which nobody else has inside the ``with``."""
        url = self._free.pop() if self._free else self._another()
        yield url
        try:
            is_empty = self._empty(url)
        except psycopg.OperationalError:  # a test hung up on us, or ended the server
            del self._hands[url]
            is_empty = self._empty(url)
        if is_empty:
            self._free.append(url)
        else:
            self._hands.pop(url).close()

    def close(self):
        """Let go of them all."""
        self._made.close()

    def _another(self):
        return self._made.enter_context(made(self._server, "test", self._template, drop=self._drop))

    def _empty(self, url):
        """Hang up on whoever is still there, and delete everything; False where it is no use."""
        if url not in self._hands:
            self._hands[url] = self._made.enter_context(_connected(make_url(url)))
        connection = self._hands[url]
        connection.execute(ALONE)
        if _shape(connection) != self._shape:
            return False
        with connection.transaction():  # without triggers: the ledger lets nobody delete
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(EMPTIED)
        return True


def _shape(connection):
    return connection.execute(SHAPE).fetchone()


def _connected(url):
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)
