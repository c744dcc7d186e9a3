"""The API, asked at random what its document allows and what it does not (schemathesis)."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from regportal.identity.actions import contact_from_crm
from regportal.identity.browser import SCRIPT_HEADER
from regportal.identity.keys import SCOPES, add_key
from regportal.tracking.series import written
from tests.portal import served

SETTINGS = Path(__file__).with_name("schemathesis.toml")
NOW = datetime.now(UTC)


@pytest.fixture
def ask(database_url, tmp_path):
    """Asks a live portal at random as somebody; fails with what was found."""
    with served(database_url, tmp_path) as (portal, url):
        contact = portal.store.write(
            lambda one: contact_from_crm(one, "ann@acme.example", now=NOW).id
        )

        def ask(who, *how):
            headers = [f"--header={name}: {value}" for name, value in who(portal, url).items()]
            command = [
                *(sys.executable, "-m", "schemathesis.cli"),
                *(f"--config-file={SETTINGS}", "run", f"{url}/api/openapi.json", *headers, *how),
            ]
            told = {"CONTACT": str(contact), "MARK": written((NOW, contact))}
            ended = subprocess.run(
                command,
                env=os.environ | told,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )

            assert ended.returncode == 0, ended.stdout + ended.stderr
            assert " generated, " in ended.stdout

        yield ask


def a_key(portal, url):
    _, secret = portal.store.write(lambda one: add_key(one, "all", [*SCOPES], now=NOW))
    return {"Authorization": f"Bearer {secret}"}


def a_page(portal, url):
    return {"Origin": url}


def a_visitor(portal, url):
    allowed = requests.post(
        f"{url}/api/v1/choice",
        json={"recognise": True, "track": True},
        headers={"Origin": url, SCRIPT_HEADER: "x" * 43},
        timeout=10,
    )
    return {"Origin": url, SCRIPT_HEADER: allowed.headers[SCRIPT_HEADER]}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("who", [a_key, a_page, a_visitor])
def test_it_does_what_its_document_says(ask, who):
    ask(who, "--phases=examples,fuzzing", "--max-examples=5")


@pytest.mark.soak
@pytest.mark.parametrize("who", [a_key, a_page, a_visitor])
def test_it_does_what_its_document_says_for_long(ask, who):
    ask(who, "--max-examples=400", f"--seed={NOW:%Y%m%d}")
