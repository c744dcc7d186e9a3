"""`regportal serve` and `regportal worker`, as an operator starts and stops them."""

import signal
import socket
from contextlib import closing, contextmanager

import pytest
import requests

from tests.commands import Command, run
from tests.environment import environment_of
from tests.patience import PATIENCE


@pytest.fixture
def environment(tmp_path, database_url):
    """An installation in the present shape, with nothing published."""
    return environment_of(instance=tmp_path / "instance", database_url=database_url)


def refused(arguments, environment, folder):
    """Run a command that is to be refused; return its code and what it says."""
    done = run(*arguments, folder=folder, environment=environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip()


@contextmanager
def serving(environment, folder, *arguments):
    """Run `serve` on a free port; give the process and the address it prints."""
    begun = Command("serve", "--port", "0", *arguments, folder=folder, environment=environment)
    with closing(begun) as child:
        said = child.stdout.readline()
        assert said.startswith("regportal is ready at http://localhost:"), child.communicate()
        yield child, said.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_when_it_says_so_and_ends_gracefully(environment, tmp_path, number):
    with serving(environment, tmp_path) as (child, url):
        assert requests.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200
        child.send_signal(number)
        _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode == 0
    assert "Traceback" not in errors
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=PATIENCE)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_serve_on_one_sqlite_file_is_refused(environment, tmp_path):
    with serving(environment, tmp_path):
        code, says = refused(["serve", "--port", "0"], environment, tmp_path)

    assert code == 1
    assert says.startswith("another `regportal serve` already uses ")
    assert "\n" not in says


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unclean_stop_is_recovered(environment, tmp_path):
    with serving(environment, tmp_path) as (child, _):
        child.kill()
        child.wait()
    with serving(environment, tmp_path) as (child, _):
        child.terminate()
        _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode == 0
    assert "recovered after an unclean stop" in errors


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_file_is_refused(environment, tmp_path):
    (tmp_path / "regportal.db.running").touch()
    with (tmp_path / "regportal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 4)

    code, says = refused(["serve", "--port", "0"], environment, tmp_path)

    assert code == 1
    assert "is damaged" in says


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (["serve", "--port", "0"], {"FLASK_DEBUG": "1"}, "FLASK_DEBUG is set"),
        (
            ["serve"],
            {"REGPORTAL_BASE_URL": "http://portal.acme.example"},
            "REGPORTAL_BASE_URL must be https",
        ),
        (["serve", "--host", "300.1.1.1"], {}, "not an address to listen on"),
        (["serve", "--without-worker"], {}, "on SQLite the worker is part of"),
        (["worker"], {}, "on SQLite the worker is part of"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(
    environment, tmp_path, arguments, settings, sentence
):
    code, says = refused(arguments, environment | settings, tmp_path)

    assert code == 1
    assert sentence in says
    assert "\n" not in says


def test_a_database_of_another_shape_is_refused(environment, tmp_path):
    other = environment | {"REGPORTAL_DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}

    code, says = refused(["serve", "--port", "0"], other, tmp_path)

    assert code == 1
    assert says == "the database is not up to date: run `regportal upgrade` first"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_port_in_use_is_refused_in_one_sentence(environment, tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        code, says = refused(["serve", "--port", str(port)], environment, tmp_path)

    assert code == 1
    assert says == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_of_its_own_ends_gracefully(environment, tmp_path):
    with closing(Command("worker", folder=tmp_path, environment=environment)) as child:
        said = child.stdout.readline()
        child.terminate()
        _, errors = child.communicate(timeout=PATIENCE)

    assert said == "regportal works\n"
    assert child.returncode == 0
    assert "Traceback" not in errors
