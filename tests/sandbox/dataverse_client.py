"""
Drives a Dataverse with Microsoft's own client, and prints as JSON what that saw.

It runs in an environment of its own, without regportal: `python vendors_client.py URL`.
"""

import enum
import json
import sys
import time

import requests
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.upsert import UpsertItem


class Phase(enum.IntEnum):
    """The options of a choice."""

    Interest = 727000000
    Comparison = 727000001


class Entra(TokenCredential):
    """Gets tokens as an application does, of whoever stands in for Entra."""

    def __init__(self, url, client, secret):
        self._url, self._client, self._secret = url, client, secret

    def get_token(self, *scopes, **more):
        del more
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret,
            "scope": scopes[0],
        }
        answer = requests.post(f"{self._url}/tenant/oauth2/v2.0/token", data=form, timeout=30)
        told = answer.json()
        return AccessToken(told["access_token"], int(time.time()) + told["expires_in"])


def refusal(call):
    """Return what a call is refused with."""
    try:
        call()
    except HttpError as error:
        return [error.status_code, error.details.get("service_error_code"), str(error)]
    return None


def records(client):
    """Make, read, change and delete records, one and many at once."""
    one = client.records.create("account", {"name": "Initech", "websiteurl": "initech.example"})
    many = client.records.create("account", [{"name": f"Firm {n}"} for n in range(3)])
    client.records.update("account", one, {"telephone1": "+44 1", "industrycode": "Accounting"})
    client.records.update("account", many, {"telephone1": "+44 2"})
    client.records.update("account", many[:2], [{"name": "First"}, {"name": "Second"}])
    seen = client.records.retrieve("account", one, select=["name", "telephone1", "industrycode"])
    client.records.delete("account", many[2])
    ann = client.records.create(
        "contact",
        {
            "firstname": "Ann",
            "lastname": "O'Neil",
            "parentcustomerid_account@odata.bind": f"/accounts({one})",
        },
    )
    led = client.records.retrieve(
        "contact", ann, select=["fullname"], expand=["parentcustomerid_account"]
    )
    return {
        "one": {name: seen[name] for name in ("name", "telephone1", "industrycode")},
        "led": [led["fullname"], led["parentcustomerid_account"]["name"]],
        "gone": refusal(lambda: client.records.update("account", many[2], {"name": "x"})),
        "bad": refusal(lambda: client.records.create("account", {"nonsense": 1})),
        "long": refusal(lambda: client.records.create("account", {"name": "x" * 161})),
        "option": refusal(lambda: client.records.create("account", {"industrycode": 77})),
    }


def queries(client):
    """Ask for records: conditions, order, pages, and what people read."""
    client.records.create(
        "contact", [{"lastname": f"Reader {n}", "jobtitle": "reader"} for n in range(7)]
    )
    builder = client.query.builder("contact").select("lastname", "donotbulkemail")
    asked = builder.where((col("jobtitle") == "READER") & ~(col("lastname") == "Reader 3"))
    pages = [*asked.order_by("lastname", descending=True).page_size(4).execute_pages()]
    wild = client.records.list(
        "contact", filter="contains(lastname,'READER') and statecode eq 0", top=2
    )
    some = client.query.builder("contact").where(col("lastname").in_(["Reader 1", "reader 2"]))
    read = client.records.list(
        "contact", filter="lastname eq 'Reader 1'", select=["statecode"], include_annotations="*"
    )
    return {
        "pages": [[one["lastname"] for one in page] for page in pages],
        "wild": len([*wild]),
        "in": sorted(one["lastname"] for one in some.execute()),
        "formatted": read[0]["statecode@OData.Community.Display.V1.FormattedValue"],
        "syntax": refusal(lambda: client.records.list("contact", filter="lastname eq")),
        "unknown": refusal(lambda: client.records.list("contact", filter="nonsense eq 1")),
    }


def batches(client):
    """Do several things in one call: what fails alone, and what fails together."""
    alone = client.batch.new()
    alone.records.create("contact", {"lastname": "Batch 1"})
    alone.records.create("contact", {"nonsense": 1})
    alone.records.create("contact", {"lastname": "Batch 2"})
    went_on = alone.execute(continue_on_error=True)
    again = client.batch.new()
    again.records.create("contact", {"nonsense": 1})
    again.records.create("contact", {"lastname": "Batch 3"})
    stopped = again.execute()
    together = client.batch.new()
    with together.changeset() as changes:
        firm = changes.records.create("account", {"name": "Together"})
        changes.records.create(
            "contact", {"lastname": "Batch 4", "parentcustomerid_account@odata.bind": firm}
        )
    done = together.execute()
    broken = client.batch.new()
    with broken.changeset() as changes:
        changes.records.create("contact", {"lastname": "Batch 5"})
        changes.records.create("contact", {"lastname": "x" * 99})
    undone = broken.execute()
    there = client.records.list(
        "contact", filter="startswith(lastname,'Batch')", select=["lastname"]
    )
    return {
        "went on": [one.status_code for one in went_on.responses],
        "stopped": [[one.status_code, one.error_code] for one in stopped.responses],
        "done": [one.status_code for one in done.responses],
        "undone": [[one.status_code, one.error_code] for one in undone.responses],
        "there": sorted(one["lastname"] for one in there),
    }


def definitions(client):
    """Make columns, a choice and an alternate key; write by that key."""
    client.records.create(
        "publisher",
        {"friendlyname": "Ours", "uniquename": "ours", "customizationprefix": "our"},
    )
    foreign = refusal(lambda: client.tables.add_columns("contact", {"other_Key": "string"}))
    made = client.tables.add_columns(
        "opportunity", {"our_Phase": Phase, "our_Since": "datetime", "our_Why": "memo"}
    )
    client.tables.add_columns("contact", {"our_Key": "string", "our_Fit": "float"})
    client.tables.create_alternate_key("contact", "our_ByKey", ["our_key"])
    keys = client.tables.get_alternate_keys("contact")
    deal = client.records.create("opportunity", {"name": "500 widgets", "our_phase": "Comparison"})
    item = UpsertItem({"our_key": "k'1"}, {"lastname": "By key", "our_fit": 7.5})
    for _ in range(2):
        client.records.upsert("contact", [item])
    two = [UpsertItem({"our_key": f"k{n}"}, {"lastname": "By keys"}) for n in (2, 3)]
    client.records.upsert("contact", two)
    there = client.records.list("contact", filter="our_key ne null", select=["our_key", "our_fit"])
    twice = refusal(lambda: client.records.create("contact", {"our_key": "K2"}))
    custom = client.tables.list_columns("opportunity", filter="IsCustomAttribute eq true")
    client.tables.create("our_Thing", {"our_Size": "int"})
    thing = client.records.create("our_Thing", {"our_Name": "A", "our_Size": 3})
    size = client.records.retrieve("our_Thing", thing, select=["our_size"])["our_size"]
    client.tables.delete("our_Thing")
    return {
        "foreign": foreign,
        "made": sorted(made),
        "keys": [[one.schema_name, one.status] for one in keys],
        "phase": client.records.retrieve("opportunity", deal, select=["our_phase"])["our_phase"],
        "there": sorted([one["our_key"], one["our_fit"]] for one in there),
        "twice": twice and twice[:2],
        "custom": sorted(one["LogicalName"] for one in custom),
        "size": size,
        "no table": client.tables.get("our_Thing"),
    }


def main(url, client, secret):
    """Print what the client saw."""
    with DataverseClient(url, Entra(url, client, secret)) as dataverse:
        told = {one.__name__: one(dataverse) for one in (records, queries, batches, definitions)}
    json.dump(told, sys.stdout)


main(*sys.argv[1:])
