"""Taking the time series along: what a file says is what the API says."""

import csv
import io
import json
import stat
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet
import pytest

from regportal.identity.keys import add_key
from regportal.tracking.exporting import schema_of
from regportal.tracking.series import InteractionRead
from regportal.tracking.visiting import VisitRead
from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.cli.test_import_interactions import company  # noqa: F401 - a fixture
from tests.tracking.test_the_collector import (
    ANN,
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    tell,
)
from tests.tracking.test_visits_of_a_contact import SPRING, read

FORMULA = '=HYPERLINK("https://evil.example","x")'
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def did(company, regportal, ann):  # noqa: F811 - the fixtures
    """Ann looks a price up and searches a formula, and her browser fetches a page ahead of her."""
    price = {"product": FORMULA, "quantity": 3, "price": "9.50", "currency": "GBP"}
    tell(ann, event("price_lookup", FORMULA, properties=price), touch=SPRING)
    tell(ann, event("search", properties={"query": "größe ünd 価格"}))
    tell(ann, event(), headers={"Sec-Purpose": "prefetch"})
    tell(company.browser(), event(about="/anonymous"))
    company.work()
    return regportal


@pytest.fixture
def api(company, did):  # noqa: F811 - the fixture
    """What the API says of Ann, oldest first."""
    now = datetime.now(UTC)
    _, secret = company.store.write(lambda one: add_key(one, "bi", ["timeline"], now=now))
    key = did("show", "contact", ANN, "--json").json()["key"]

    def asked(what):
        told = read(company, {"Authorization": f"Bearer {secret}"}, f"contacts/{key}/{what}")
        return sorted(told[what], key=lambda one: one["id"])

    return asked


def exported(run, what, name, *more):
    ran = run(what, "export", "--out", name, *more)
    assert (ran.code, ran.out) == (0, ""), ran.err


def table_of(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize("what", ["interactions", "visits"])
def test_json_lines_are_what_the_api_says(did, api, what, tmp_path):
    exported(did, what, "all.jsonl", "--contact", ANN)
    lines = (tmp_path / "all.jsonl").read_text("utf-8").splitlines()

    assert [json.loads(line) for line in lines] == api(what)
    assert len(lines) == {"interactions": 4, "visits": 1}[what]


def test_csv_says_the_same_and_no_spreadsheet_runs_it(did, api, tmp_path):
    exported(did, "interactions", "all.csv", "--contact", ANN)
    rows = table_of(tmp_path / "all.csv")
    back = [
        row
        | {name: row[name] or None for name in row if name not in {"object", "properties"}}
        | {"properties": json.loads(row["properties"]), "object": row["object"].lstrip("'")}
        for row in rows
    ]

    assert back == api("interactions")
    assert [row["object"] for row in rows if FORMULA in row["object"]] == [f"'{FORMULA}"]


def test_parquet_says_the_same_in_typed_columns(did, api, tmp_path):
    exported(did, "interactions", "all.parquet", "--contact", ANN)
    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    rows = table.to_pylist()
    back = [
        {name: row[name] for name in InteractionRead.model_fields}
        | {"properties": json.loads(row["properties"])}
        for row in rows
    ]

    assert [InteractionRead(**row).model_dump(mode="json") for row in back] == api("interactions")
    assert table.schema == schema_of(InteractionRead)
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"
    (price,) = [row for row in rows if row["type"] == "price_lookup"]
    assert (price["amount"], price["currency"]) == (Decimal("9.5000"), "GBP")
    assert [row["amount"] for row in rows].count(None) == 3


def test_visits_have_what_led_to_them_in_columns(did, api, tmp_path):
    exported(did, "visits", "visits.parquet", "--contact", ANN)
    exported(did, "visits", "visits.csv", "--contact", ANN)
    table = pyarrow.parquet.read_table(tmp_path / "visits.parquet")
    (row,) = table.to_pylist()
    (cells,) = table_of(tmp_path / "visits.csv")
    (told,) = api("visits")

    assert table.schema == schema_of(VisitRead)
    assert dict(row["utm"]) == told["touch"]["utm"] == json.loads(cells["utm"])
    assert (row["machines"], cells["machines"], told["machines"]) == (1, "1", 1)
    assert row["contacts"] == told["contacts"] == cells["contacts"].split()
    assert cells["started_at"] == told["started_at"]


def test_without_a_contact_it_is_everything_also_what_nobody_did(did, tmp_path):
    listed = did("list", "interactions", "--json").json()
    exported(did, "interactions", "all.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]

    assert sorted(one["id"] for one in lines) == sorted(one["id"] for one in listed)
    assert {one["object"]: one["contact"] for one in lines}["/anonymous"] is None


@on_sqlite
def test_a_time_narrows_it_and_nothing_is_a_file_too(did, tmp_path):
    exported(did, "interactions", "none.csv", "--to", "2026-01-01")
    exported(did, "interactions", "none.parquet", "--to", "2026-01-01")
    header = (tmp_path / "none.csv").read_text("utf-8")

    assert next(csv.reader(io.StringIO(header))) == list(InteractionRead.model_fields)
    assert pyarrow.parquet.read_table(tmp_path / "none.parquet").num_rows == 0


@on_sqlite
def test_a_file_is_whole_or_not_there_and_for_nobody_else(did, tmp_path, monkeypatch):
    (tmp_path / "before.jsonl").write_text("before")
    monkeypatch.setattr(InteractionRead, "model_dump_json", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        did("interactions", "export", "--out", "before.jsonl")
    monkeypatch.undo()

    assert (tmp_path / "before.jsonl").read_text() == "before"
    assert list(tmp_path.glob(".before*")) == []


@on_sqlite
def test_only_its_owner_reads_the_file(did, tmp_path):
    exported(did, "visits", "visits.csv")

    assert stat.S_IMODE((tmp_path / "visits.csv").stat().st_mode) == 0o600


@on_sqlite
def test_without_the_extra_one_sentence_says_so(did, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    ran = did("interactions", "export", "--out", "all.parquet")

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "Parquet needs the optional extra: pip install 'regportal[parquet]'"
    )
    assert not (tmp_path / "all.parquet").exists()


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--format", "parquet"), 2),
        (("--format", "xlsx"), 2),
        (("--contact", "nobody@nowhere.example"), 1),
        (("--contact", "\x01@x"), 1),
        (("--out", "no/such/folder/all.csv"), 1),
        (("--from", "1"), 2),
    ],
)
@pytest.mark.parametrize("what", ["interactions", "visits"])
def test_what_cannot_be_is_refused(installed, what, arguments, code):
    ran = installed(what, "export", *arguments)

    assert ran.code == code
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()[-1]) > 20
