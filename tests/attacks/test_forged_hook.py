"""Thousands of forgeries of a genuine call: each is refused, none is a fault of ours (T-19)."""

import base64
import io
import random

import pytest
import sqlalchemy as sa

from regportal.inbox.models import Notice
from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM
from tests.inbox.crm import Crm

BODY = b'{"type": "opportunity.upserted", "data": {"external_id": "006", "is_won": true}}'
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
NASTY = ["", " ", ",", "v1", "v1,", "v1,=", "v1,%", "v2,", "whsec_", "\u00ff", "-1", "1e9", "NaN",
         "9" * 400, "0x10", "١٢٣", "A" * 10_000, "v1," * 3_000, "a.b", "null"]  # fmt: skip


@pytest.fixture
def crm(tmp_path, monkeypatch, _sqlite_template):
    path = tmp_path / "regportal.db"
    path.write_bytes(_sqlite_template.read_bytes())
    store = Store(make_engine(f"sqlite:///{path}"))
    crm = Crm(store)
    monkeypatch.setenv("CRM_SECRET", crm.secret)
    crm.publish(CRM)
    yield crm
    store.close()


def forged(chance, headers, body):  # noqa: C901 - there are ten ways to forge
    """Change one thing of a genuine call, so that it is no longer genuine."""
    headers, name = dict(headers), chance.choice(HEADERS)
    value = headers[name]
    match chance.randrange(10):
        case 0:
            del headers[name]
        case 1:
            headers[name] = chance.choice(NASTY)
        case 2:  # another letter
            place = chance.randrange(len(value))
            letter = chance.choice([each for each in "aZ09+/.,= -" if each != value[place]])
            headers[name] = value[:place] + letter + value[place + 1 :]
        case 3:  # shorter
            headers[name] = value[: chance.randrange(len(value))]
        case 4:  # another moment
            moved = int(headers["webhook-timestamp"]) + chance.choice([-1, 1, 3600, -3600, 10**9])
            headers["webhook-timestamp"] = str(moved)
        case 5:  # another body
            place = chance.randrange(len(body))
            flipped = body[place] ^ 1 << chance.randrange(8)
            body = body[:place] + bytes([flipped]) + body[place + 1 :]
        case 6:  # more of a body
            body += chance.randbytes(chance.randint(1, 20))
        case 7:  # another signature
            text = base64.b64encode(chance.randbytes(chance.choice([0, 1, 31, 32, 33, 64])))
            headers["webhook-signature"] = "v1," + text.decode()
        case 8:  # another kind of signature
            kind = chance.choice(["v1a", "v0", "V1", "v1 ", "", "v11"])
            headers["webhook-signature"] = kind + value.removeprefix("v1")
        case 9:  # two things changed places
            other = chance.choice([each for each in HEADERS if each != name])
            headers[name], headers[other] = headers[other], headers[name]
    return headers, body


def is_the_same(headers, genuine, body):
    """Whether a change left what the signature covers, and one good signature, as they were."""
    if body != BODY or any(headers.get(name) != genuine[name] for name in HEADERS[:2]):
        return False
    good = genuine["webhook-signature"]
    given = headers.get("webhook-signature", "").split(" ")
    return any(one == good or decoded(one) == decoded(good) for one in given)


def decoded(text):
    """Return what base64 says: its last letter has spare bits, so two spellings say one thing."""
    version, _, rest = text.partition(",")
    try:
        return version, base64.b64decode(rest, validate=True)
    except ValueError:
        return None


def call(app, headers, body):
    """Call the hook as a server would, without a test client's ceremony; return the status."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hooks/crm",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value.encode().decode("latin-1")
    answered = []
    app(environ, lambda status, _: answered.append(int(status[:3])))
    return answered[0]


@pytest.mark.parametrize("tries", [2_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_thousands_of_forgeries_are_refused_and_none_is_a_fault_of_ours(crm, tries):
    chance = random.Random(19)
    answers = {}
    tried = 0
    while tried < tries:
        genuine = crm.headers(BODY, message_id="msg_1")
        headers, body = forged(chance, genuine, BODY)
        if is_the_same(headers, genuine, body):
            continue
        tried += 1
        status = call(crm.client.application, headers, body)
        answers[status] = answers.get(status, 0) + 1

    assert answers == {401: tries}
    with crm.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notice)) == 0


def test_the_genuine_call_among_them_is_taken(crm):
    answer = crm.client.post("/hooks/crm", data=BODY, headers=crm.headers(BODY))

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "key",
    ["..", "../crm", "crm/", "crm%00", "crm%2f..", "CRM", "crm ", "%ff", "{{7*7}}", "a" * 5000],
)
def test_a_connector_of_a_strange_name_is_not_here(crm, key):
    answer = crm.client.post(f"/hooks/{key}", data=BODY, headers=crm.headers(BODY))

    assert answer.status_code in {404, 308}
    with crm.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notice)) == 0
