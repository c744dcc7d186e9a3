"""What operators start from names nothing that is not there."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from regportal.app import create_app
from regportal.cli import COMMANDS
from regportal.cli import regportal as top
from regportal.config import Settings, load

ROOT = Path(__file__).parents[2]
COMPOSE, SYSTEMD = ROOT / "examples" / "compose", ROOT / "examples" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.glob("regportal*") if path.suffix != ".env")
COMMAND = "/opt/regportal/bin/regportal"
OTHERS = {"CRM_SECRET"}
"""Variables that are no settings: what a document may name."""


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((COMPOSE / "docker-compose.yml").read_text())


def is_called(words):
    """Whether regportal can be called so: the command is there, and all its options are."""
    name, *rest = words
    if name not in COMMANDS:
        return False
    with click.Context(top) as context:
        command = top.get_command(context, name)
    known = {
        one for parameter in command.params for one in parameter.opts + parameter.secondary_opts
    }
    return {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


def settings_of(names):
    """Those of these variables that neither regportal knows nor a document may name."""
    known = {f"REGPORTAL_{name.upper()}" for name in Settings.model_fields} | OTHERS
    return {name for name in names if name not in known}


def addresses():
    """Every address that regportal has, as it is written."""
    return {rule.rule for rule in create_app(load(_env_file=None)).url_map.iter_rules()}


def test_the_parts_of_the_composition_fit_together(compose):
    services, volumes = compose["services"], set(compose["volumes"])

    assert {"caddy", "postgres", "upgrade", "web1", "web2", "worker1", "worker2"} == set(services)
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        mounts = {one.partition(":")[0] for one in service.get("volumes", ())}
        assert {one for one in mounts if not one.startswith(".")} <= volumes
    assert services["web1"] == services["web2"]
    assert services["worker1"] == services["worker2"]
    for name in ("web1", "web2", "worker1", "worker2"):
        assert services[name]["depends_on"] == {
            "upgrade": {"condition": "service_completed_successfully"}
        }
        assert services[name]["stop_grace_period"] == "15s"


def test_the_composition_calls_commands_and_sets_settings_that_there_are(compose):
    ours = [one for one in compose["services"].values() if one["image"] == "regportal"]

    assert len(ours) == 5
    assert [one["command"] for one in ours if not is_called(one["command"])] == []
    for one in ours:
        assert settings_of(one["environment"]) == set()
    assert not is_called(["serve", "--with-wings"])
    assert settings_of(["REGPORTAL_WINGS"]) == {"REGPORTAL_WINGS"}


def test_every_variable_of_the_composition_is_in_its_example(compose):
    used = set(re.findall(r"\$\{(\w+)", (COMPOSE / "docker-compose.yml").read_text()))
    text = (COMPOSE / ".env.example").read_text()
    example = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))

    assert used == set(example)
    example = dict(
        re.findall(r"^(\w+)=(.*)$", (COMPOSE / ".env.example").read_text(), re.MULTILINE)
    )
    filled = {name: example[name] or "x" * 32 for name in used}
    settings = {
        name.removeprefix("REGPORTAL_").lower(): re.sub(
            r"\$\{(\w+)[^}]*\}", lambda found: filled[found[1]], value
        )
        for name, value in compose["services"]["web1"]["environment"].items()
        if name.startswith("REGPORTAL_")
    }
    found = load(_env_file=None, **settings)
    assert (found.proxy_hops, found.hosts) == (1, ("portal.acme.example",))


def test_the_image_is_made_of_what_there_is():
    lines = (COMPOSE / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}

    assert {word[0] for word in words} <= known
    for _, *rest in (word for word in words if word[0] == "COPY"):
        if not any(one.startswith("--from") for one in rest):
            sources = [one for one in rest[:-1] if not one.startswith("--")]
            assert all((ROOT / one).exists() for one in sources), sources
    assert ["ENTRYPOINT", '["regportal"]'] in words
    (command,) = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD")]
    assert is_called(yaml.safe_load(command))


def test_caddy_asks_the_web_servers_of_the_composition(compose):
    text = (COMPOSE / "Caddyfile").read_text()
    upstreams = re.search(r"reverse_proxy (.*) \{", text)[1].split()

    assert {one.partition(":")[0] for one in upstreams} == {"web1", "web2"}
    port = compose["services"]["web1"]["command"][-1]
    assert {one.partition(":")[2] for one in upstreams} == {port}
    assert re.search(r"health_uri (\S+)", text)[1] in addresses()


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1), (None, 1)])
def test_a_container_is_healthy_where_it_is_ready(answer, code, tmp_path):
    program = """
import sys, http.client
class Connection:
    def __init__(self, host, port, timeout): assert (host, port) == ("127.0.0.1", 8000)
    def request(self, method, path, headers):
        assert (path, headers["Host"]) == ("/portal/readyz", "www.acme.example"), path
        if sys.argv[2] == "None": raise ConnectionRefusedError
    def getresponse(self): self.status = int(sys.argv[2]); return self
http.client.HTTPConnection = Connection
exec(compile(open(sys.argv[3]).read(), "is_ready", "exec"))
"""
    left = subprocess.run(
        [sys.executable, "-c", program, "8000", str(answer), str(COMPOSE / "is_ready.py")],
        env={"REGPORTAL_BASE_URL": "https://www.acme.example/portal"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (left.returncode, left.stderr) == (code, "")


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_calls_commands_that_there_are(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    text = (SYSTEMD / name).read_text()
    unit.read_string(text)
    calls = re.findall(rf"{COMMAND} ([^\n']+)", text)

    assert unit["Unit"]["Description"].startswith("regportal")
    assert bool(calls) == name.endswith(".service")
    assert [one for one in calls if not is_called(shlex.split(one.replace("%i", "8001")))] == []
    for named in re.findall(r"regportal[-@\w]*\.(?:service|timer)", text):
        assert re.sub(r"@\d+", "@", named) in UNITS


def test_the_settings_of_the_units_are_settings():
    text = (SYSTEMD / "regportal.env").read_text()

    assert settings_of(re.findall(r"^#?(\w+)=", text, re.MULTILINE)) == set()


def test_systemd_understands_the_units(tmp_path):
    if shutil.which("systemd-analyze") is None:  # there is none to install on other systems
        return
    here = shutil.which("regportal", path=str(Path(sys.executable).parent))
    for name in UNITS:
        text = (SYSTEMD / name).read_text().replace(COMMAND, here)
        (tmp_path / name).write_text(text)
        if "@" in name:
            (tmp_path / name.replace("@", "@8001")).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )

    ours = [line for line in done.stderr.splitlines() if "regportal" in line]
    assert (done.returncode, ours) == (0, [])
