import shutil
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    """Something that answers where the CRM should be."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def running(installed, tmp_path, monkeypatch, receiver):
    """An installation with everything it needs."""
    shutil.copytree(EXAMPLE, tmp_path / "acme")
    file = tmp_path / "acme" / "regportal.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("https://crm.acme.example/in", f"http://127.0.0.1:{receiver}/in"))
    monkeypatch.setenv("CRM_SECRET", SECRET)
    monkeypatch.setenv("CRM_IN", SECRET)
    monkeypatch.setenv("REGPORTAL_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")
    assert installed("apply", file).code == 0
    return installed


def bad(ran):
    return [(one["check"], one["says"]) for one in ran.json() if not one["fine"]]


def test_upgrade_makes_everything_that_must_be_there(regportal, tmp_path):
    ran = regportal("upgrade")

    assert (ran.code, ran.out) == (0, "The database is up to date.\n")
    assert {path.name for path in (tmp_path / "instance").iterdir()} >= {
        "files",
        "mail",
        "regportal.db",
    }
    assert regportal("upgrade").code == 0


def test_upgrade_leaves_a_database_of_a_newer_release_as_it_is(regportal, tmp_path):
    regportal("upgrade")
    with sqlite3.connect(tmp_path / "instance" / "regportal.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ran = regportal("upgrade")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "The database is of a newer release; this one can work on it, too.\n"
    assert regportal("outbox", "list").code == 0


def test_upgrade_says_which_database_it_cannot_reach(regportal, monkeypatch):
    url = "postgresql+psycopg://ann:geheim@127.0.0.1:9/none"
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url)
    ran = regportal("upgrade")

    assert ran.code == 1
    assert ran.err.startswith("the database cannot be upgraded: ")
    assert "geheim" not in ran.err


def test_a_healthy_installation_passes_every_check(running):
    ran = running("doctor")

    assert ran.code == 0, ran.out
    assert {line[:3] for line in ran.out.splitlines()} == {"ok "}
    assert "ok   connector crm: its secrets are set\n" in ran.out


def test_doctor_finds_a_database_that_is_not_there(regportal):
    ran = regportal("doctor", "--json")

    assert ran.code == 1
    assert ("database", "there is none yet: run `regportal upgrade`") in bad(ran)


def test_doctor_finds_a_database_that_does_not_answer(regportal, monkeypatch):
    url = "postgresql+psycopg://ann:geheim@127.0.0.1:9/none"
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url)
    ran = regportal("doctor", "--json")

    assert ran.code == 1
    assert any(name == "database" and "cannot be reached" in says for name, says in bad(ran))
    assert "geheim" not in ran.out


def test_doctor_finds_a_secret_that_is_not_set(running, monkeypatch):
    monkeypatch.delenv("CRM_IN")
    ran = running("doctor", "--json")

    assert bad(ran) == [("connector crm", "the environment variable CRM_IN is not set")]


def test_doctor_finds_a_crm_that_does_not_answer(running, monkeypatch):
    monkeypatch.delenv("REGPORTAL_ALLOW_PRIVATE_TARGETS")

    assert [name for name, _ in bad(running("doctor", "--json"))] == ["connector crm: address"]


def test_doctor_finds_a_storage_and_a_mail_folder_that_are_not_there(
    running, monkeypatch, tmp_path
):
    monkeypatch.setenv("REGPORTAL_STORAGE_URL", f"file://{tmp_path}/nowhere")
    monkeypatch.setenv("REGPORTAL_MAIL_URL", f"file://{tmp_path}/nowhere")

    assert [name for name, _ in bad(running("doctor", "--json"))] == ["storage", "mail"]


def test_doctor_finds_a_mail_server_that_does_not_answer(running, monkeypatch):
    monkeypatch.setenv("REGPORTAL_MAIL_URL", "smtp://ann:geheim@127.0.0.1:9")
    ran = running("doctor", "--json")

    assert [name for name, _ in bad(ran)] == ["mail"]
    assert "geheim" not in ran.out


def test_doctor_says_hello_to_a_mail_server(running, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("REGPORTAL_MAIL_URL", f"smtp://127.0.0.1:{server.getsockname()[1]}")
        greeting = threading.Thread(target=_greet, args=(server,))
        greeting.start()
        ran = running("doctor", "--json")
        greeting.join()

    assert bad(ran) == []


def _greet(server):
    """Speak as much SMTP as a greeting takes."""
    connection, _ = server.accept()
    with connection, connection.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        for line in talk:
            talk.write(b"221 bye\r\n" if line.lower().startswith(b"quit") else b"250 hello\r\n")
            talk.flush()


def test_doctor_finds_that_nothing_is_published(installed):
    assert [name for name, _ in bad(installed("doctor", "--json"))] == ["documents"]


def test_doctor_finds_limits_that_are_off_and_a_host_that_is_not_trusted(running, monkeypatch):
    monkeypatch.setenv("REGPORTAL_LIMITS", "off")
    monkeypatch.setenv("REGPORTAL_TRUSTED_HOSTS", "other.example")

    assert [name for name, _ in bad(running("doctor", "--json"))] == ["address", "limits"]


def test_doctor_refuses_settings_that_cannot_be_used(regportal, monkeypatch):
    monkeypatch.setenv("REGPORTAL_BASE_URL", "http://www.acme.example")
    ran = regportal("doctor")

    assert ran.code == 1
    assert ran.err.startswith("REGPORTAL_BASE_URL must be https")


def test_settings_are_printed_without_their_secrets(regportal, monkeypatch):
    monkeypatch.setenv("REGPORTAL_SECRET_KEY", "sehr-geheimer-schluessel")
    monkeypatch.setenv("REGPORTAL_MAIL_URL", "smtp://ann:geheim@mail.example?from=a@acme.example")
    ran = regportal("settings")
    told = {one["name"]: one for one in regportal("settings", "--json").json()}

    assert "geheim" not in ran.out
    assert told["REGPORTAL_MAIL_URL"]["value"] == "smtp://ann:***@mail.example?from=a@acme.example"
    assert told["REGPORTAL_SECRET_KEY"]["value"] == "***"
    assert told["REGPORTAL_SECRET_KEY"]["from"] == "environment"
    assert told["REGPORTAL_PEPPER"]["from"].startswith("made in ")
    assert told["REGPORTAL_LIMITS"]["from"] == "default"


def test_settings_of_a_file_are_told_apart(regportal, tmp_path):
    (tmp_path / ".env").write_text("REGPORTAL_LOG_LEVEL=DEBUG\n")
    told = {one["name"]: one for one in regportal("settings", "--json").json()}

    assert told["REGPORTAL_LOG_LEVEL"]["value"] == "DEBUG"
    assert told["REGPORTAL_LOG_LEVEL"]["from"] == ".env"
