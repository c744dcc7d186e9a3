"""
Reading the secrets of the CRM out of a stolen disk, a log, an export or an error page.

Elsewhere a signing secret lies in a settings table as it is: whoever reads a backup, or makes a
page render a placeholder, can speak in the company's name. Here it is sealed with a key that is
not in the database, for its own name alone; it goes in, and no command, page, log, export or
error ever shows it again.
"""

import json
import logging
import os
import re
import secrets
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.app.logs import Lines
from regportal.app.worker import Worker
from regportal.connectors.schema import Connector
from regportal.connectors.signatures import keys_of, signed
from regportal.errors import ConfigError
from regportal.store import vault
from regportal.store.vault import Secret, Vault
from tests import commands
from tests.connectors.receiver import receiving
from tests.portal import SITE, Portal

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
OLD, NEW = b"old secret key of 32 characters!", b"new secret key of 32 characters!"


def keep(store, key, value, *keys):
    store.write(lambda session: vault.keep(session, key, value, keys or (OLD,), now=NOW))


def opened(store, key, *keys):
    with store.read() as session:
        return vault.opened(session, key, keys or (OLD,))


def whsec():
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


def test_what_is_kept_can_be_opened_with_the_key_alone(store):
    keep(store, "crm", "hush")

    assert opened(store, "crm") == "hush"
    with pytest.raises(ConfigError, match="does not name any more"):
        opened(store, "crm", NEW)


def test_kept_again_it_is_the_new_one(store):
    keep(store, "crm", "hush")
    keep(store, "crm", "hush, hush")

    assert opened(store, "crm") == "hush, hush"


def test_the_same_secret_twice_looks_different(store):
    keep(store, "one", "hush")
    keep(store, "two", "hush")
    with store.read() as session:
        first, second = session.scalars(sa.select(Secret.sealed)).all()

    assert first != second


def test_a_secret_moved_into_another_row_is_refused(store):
    keep(store, "mine", "of mallory")
    keep(store, "crm", "of the company")
    with store.read() as session:
        mine, crm = (session.get_one(Secret, key) for key in ("mine", "crm"))
    moved = {"nonce": mine.nonce, "sealed": mine.sealed, "key_id": mine.key_id}
    back = {"nonce": crm.nonce, "sealed": crm.sealed, "key_id": crm.key_id}
    for key, row in (("crm", moved), ("mine", back)):
        change = sa.update(Secret).where(Secret.key == key).values(row)
        store.write(lambda session, change=change: session.execute(change) and None)

    for key in ("crm", "mine"):
        with pytest.raises(ConfigError, match=f"vault:{key} cannot be opened"):
            opened(store, key)


@pytest.mark.parametrize("column", ["nonce", "sealed"])
def test_no_bit_of_a_row_can_be_turned(store, column):
    keep(store, "crm", "hush")
    with store.read() as session:
        whole = getattr(session.get_one(Secret, "crm"), column)
    for bit in range(len(whole) * 8):
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        change = sa.update(Secret).values({column: bytes(turned)})
        store.write(lambda session, change=change: session.execute(change) and None)
        with pytest.raises(ConfigError):
            opened(store, "crm")


def test_after_a_rotation_the_old_key_may_go(store):
    keep(store, "crm", "hush")
    both = (NEW, OLD)
    before = opened(store, "crm", *both)
    first = store.write(lambda session: vault.rotate(session, "crm", both))
    again = store.write(lambda session: vault.rotate(session, "crm", both))

    assert before == opened(store, "crm", *both) == opened(store, "crm", NEW) == "hush"
    assert (first, again) == (True, False)


def test_a_rotation_under_load_loses_no_call_and_no_change(store):
    keep(store, "crm", "0")
    over, wrong, changed = threading.Event(), [], []

    def reads():
        while not over.is_set():
            try:
                opened(store, "crm", NEW, OLD)
            except ConfigError as error:
                wrong.append(error)
                over.set()

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(reads) for _ in range(3)]
        for number in range(30):
            keep(store, "crm", str(number), *((OLD,) if number % 2 else (NEW, OLD)))
            rotating = threads.submit(store.write, lambda s: vault.rotate(s, "crm", (NEW, OLD)))
            keep(store, "crm", f"changed {number}", OLD)
            rotating.result()
            changed.append(opened(store, "crm", NEW, OLD))
        over.set()
        for reader in readers:
            reader.result()

    assert wrong == []
    assert changed == [f"changed {number}" for number in range(30)]


# --- fifty canaries ---


def run(portal, *arguments, given="", **environment):
    """Run a command as the operator does."""
    settings = portal.settings
    ours = {
        "REGPORTAL_DATABASE_URL": settings.database_url.get_secret_value(),
        "REGPORTAL_INSTANCE": str(settings.instance),
        "REGPORTAL_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
        **environment,
    }
    return commands.run(
        *arguments, folder=settings.instance, environment={**os.environ, **ours}, given=given
    )


def book(count, url):
    """Return a site with so many connectors, each with a secret of its own."""
    lines = "\n".join(
        f'  - {{key: crm{n}, type: webhook, url: "{url}", secret: "vault:crm{n}"}}'
        for n in range(count)
    )
    return re.sub(r"connectors:.*", f"connectors:\n{lines}\n", SITE, flags=re.DOTALL)


def _as_text(table):
    return sa.select(sa.literal_column(f'"{table}"::text')).select_from(sa.table(table))


def everything_kept(portal):
    """Return every byte of the database: its files, or each row as PostgreSQL has it."""
    if portal.settings.sqlite:
        return b"".join(
            path.read_bytes() for path in portal.folder.rglob("*") if path.is_file()
        ) + b"".join(path.read_bytes() for path in portal.folder.glob("regportal.db*"))
    with portal.store.read() as session:
        tables = sa.inspect(session.get_bind()).get_table_names()
        rows = [session.execute(_as_text(one)) for one in tables]
        return repr([list(one) for one in rows]).encode()


def test_fifty_canaries_are_found_nowhere(database_url, tmp_path, caplog):
    canaries = {f"crm{n}": whsec() for n in range(50)}
    logged = []
    watch = logging.Handler()
    watch.emit = lambda record: logged.append(Lines().format(record))
    logging.getLogger().addHandler(watch)
    portal = Portal(database_url, tmp_path, limits="off", allow_private_targets="127.0.0.0/8")
    try:
        with receiving("127.0.0.1") as crm:
            portal.publish(book(50, f"http://127.0.0.1:{crm.port}/in"))
            for key, value in canaries.items():
                keep(portal.store, key, value, *portal.settings.keys)
            asked = Vault(portal.settings, portal.store).secret
            assert [asked(f"vault:{key}") for key in canaries] == list(canaries.values())
            shown = [
                run(portal, *what)
                for what in (
                    ("secret", "list"),
                    ("secret", "list", "--json"),
                    ("secret", "rotate"),
                    ("secret", "set", "crm0", canaries["crm1"]),
                    ("export",),
                    ("doctor",),
                    ("settings",),
                    ("list", "contacts", "--csv"),
                    ("show", "contact", "ann@widgetworks.example"),
                    ("secret", "delete", "crm3"),
                    ("outbox", "list", "--json"),
                )
            ]
            pages = [hooked(portal, key, value) for key, value in canaries.items()]
            portal.store.write(
                lambda session: session.execute(sa.update(Secret).values(sealed=b"broken")) and None
            )
            broken = [run(portal, "doctor"), run(portal, "secret", "rotate")]
            pages += [hooked(portal, key, value) for key, value in canaries.items()]
        kept = everything_kept(portal)
    finally:
        logging.getLogger().removeHandler(watch)
        portal.close()

    assert [page.status_code for page in pages] == [202] * 50 + [401] * 50
    told = "".join(one.stdout + one.stderr for one in (*shown, *broken))
    told += "".join(logged) + caplog.text + "".join(page.get_data(as_text=True) for page in pages)
    assert "vault:crm7" in told
    assert "cannot be opened" in told
    for value in canaries.values():
        for spelt in (value, value.removeprefix("whsec_"), b64encode(value.encode()).decode()):
            assert spelt not in told
            assert spelt.encode() not in kept


def hooked(portal, key, value):
    """Let the CRM call, signed with its secret."""
    body = json.dumps({"type": "x", "timestamp": "2026-03-04T12:00:00Z", "data": {}}).encode()
    headers = signed(keys_of(value), f"msg_{secrets.token_hex(8)}", datetime.now(UTC), body)
    return portal.app.test_client().post(f"/hooks/{key}", data=body, headers=headers)


def test_a_changed_secret_holds_from_the_next_call(portal):
    portal.publish(book(1, "https://crm.acme.example/in"))
    first, second = whsec(), whsec()
    keep(portal.store, "crm0", first, *portal.settings.keys)
    before = [hooked(portal, "crm0", one).status_code for one in (first, second)]
    keep(portal.store, "crm0", second, *portal.settings.keys)
    after = [hooked(portal, "crm0", one).status_code for one in (first, second)]

    assert (before, after) == ([202, 401], [401, 202])


# --- the commands ---


@pytest.fixture
def site(portal):
    """An installation whose connector's secret is in the vault."""
    portal.publish(book(1, "https://crm.acme.example/in"))
    return portal


def test_a_secret_is_given_on_standard_input(site):
    done = run(site, "secret", "set", "crm0", given="hush\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert "hush" not in done.stdout + done.stderr
    assert Vault(site.settings, site.store).secret("vault:crm0") == "hush"


@pytest.mark.parametrize(
    ("arguments", "given", "code", "says"),
    [
        (("set", "crm0", "hush"), "", 2, "asked for, or piped in"),
        (("set", "CRM 0"), "hush", 1, "small letters"),
        (("set", "crm0"), "", 1, "nothing to keep"),
        (("set", "crm0"), " \n", 1, "nothing to keep"),
        (("set", "crm0"), "x" * 9000, 1, "at most 8192 characters"),
        (("delete", "crm0"), "", 1, "is used by the connector crm0"),
        (("delete", "other"), "", 1, "there is no secret vault:other"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_done_is_one_sentence(site, arguments, given, code, says):
    done = run(site, "secret", *arguments, given=given)

    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_keys_are_rotated_in_three_steps(site):
    old, new = OLD.decode(), NEW.decode()
    run(site, "secret", "set", "crm0", given="hush", REGPORTAL_SECRET_KEY=old)
    both = {"REGPORTAL_SECRET_KEY": f"{new},{old}"}
    listed = run(site, "secret", "list", **both).stdout
    rotated = run(site, "secret", "rotate", **both)
    after = run(site, "secret", "list", "--json", REGPORTAL_SECRET_KEY=new)

    assert "older key" in listed
    assert "1 of 1 secrets were sealed anew" in rotated.stdout
    assert [one["newest_key"] for one in json.loads(after.stdout)] == [True]
    assert opened(site.store, "crm0", NEW) == "hush"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_missing_secret_is_said_by_the_doctor(site):
    done = run(site, "doctor")

    assert done.returncode == 1
    assert "there is no secret vault:crm0; keep it with `regportal secret set`" in done.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_worker_signs_with_what_the_vault_holds_now(database_url, tmp_path):
    portal = Portal(database_url, tmp_path, limits="off", allow_private_targets="127.0.0.0/8")
    try:
        with receiving("127.0.0.1") as crm:
            portal.publish(book(1, f"http://127.0.0.1:{crm.port}/in"))
            worker = Worker(portal.app)
            worker._meet_connectors()
            made = []
            for value in (whsec(), whsec()):
                keep(portal.store, "crm0", value, *portal.settings.keys)
                lines = worker._lines["crm0"]  # they tell the CRM, ask it, and look it over
                made += [(line.current()._keys, keys_of(value)) for line in lines]
            worker._hang_up()
    finally:
        portal.close()

    assert [ours for ours, _ in made] == [theirs for _, theirs in made]
    with portal.store.read() as session:
        assert portal.shelf.published(session).one(Connector, "crm0").secret == "vault:crm0"
