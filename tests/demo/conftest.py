import base64

import pytest

from regportal.app import web_root
from regportal.cli.demo.crm import Crm
from regportal.cli.demo.notebook import Notebook
from regportal.cli.demo.pages import Stage, create_pages
from regportal.connectors.signatures import keys_of, signed

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"


@pytest.fixture
def notebook(tmp_path):
    return Notebook(tmp_path / "demo.jsonl")


@pytest.fixture
def crm(notebook):
    return Crm(notebook, SECRET, "http://127.0.0.1:9/hooks/crm")


@pytest.fixture
def sign():
    return lambda message_id, at, body: signed(keys_of(SECRET), message_id, at, body)


@pytest.fixture
def days():
    return []


@pytest.fixture
def pages(tmp_path, notebook, crm, days):
    stage = Stage(
        portal="http://localhost:9",
        web=web_root(),
        mail=tmp_path / "mail",
        notebook=notebook,
        crm=crm,
        gates=lambda: [("guide", "A guide"), ("prices", "All prices")],
        age=lambda: days.append(1),
        studio=lambda: "http://localhost:9/studio",
    )
    return create_pages(stage)
