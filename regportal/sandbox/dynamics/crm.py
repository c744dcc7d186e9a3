"""The fake Dynamics: its address, its records for the page, and what its people do."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, request

from regportal.sandbox.base import Deed
from regportal.sandbox.dynamics.api import Api, refused
from regportal.sandbox.dynamics.batch import Answered, Asked
from regportal.sandbox.dynamics.entrance import TOO_MANY, Entrance
from regportal.sandbox.dynamics.records import Records, Row
from regportal.sandbox.dynamics.refusals import QUERY, RefusedError
from regportal.sandbox.dynamics.schema import LOOKUPS, Table, new_id
from regportal.sandbox.dynamics.standard import standard

CLIENT, SECRET = "6f1d4c3e-0000-4000-8000-00000000c11e", "sandbox-secret"
TENANT = "11111111-2222-3333-4444-555555555555"
VERSIONS = ("v9.0", "v9.1", "v9.2")
EMAIL, VALUE = 534120000, {True: 534120001, False: 534120002}
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
SHOWN = ("contact", "opportunity", "account", "lead", "annotation", "connection")
CONSENTS = "msdynmkt_contactpointconsent4"
HIDDEN = frozenset({"versionnumber", "createdby", "ownerid"})
LAST = frozenset({"createdon", "modifiedon", "modifiedby"})


class Dynamics:
    """A Dynamics 365 Sales with Customer Insights - Journeys, and some people in it."""

    name = "Dynamics"

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Set it up: an application user, a salesperson, a currency, and a purpose for mails."""
        self.records = Records(standard(), clock)
        self.entrance = Entrance(clock, CLIENT, SECRET)
        self.app = self._made_app()
        self.user, self.seller = new_id(), new_id()
        self._make("systemuser", self.user, fullname="# regportal", applicationid=CLIENT)
        self._make("organization", name="Acme", languagecode=1033)
        mailbox = {"internalemailaddress": "alex@acme.example"}
        self._make("systemuser", self.seller, fullname="Alex Baker", **mailbox)
        euro = self._make("transactioncurrency", currencyname="Euro", isocurrencycode="EUR")
        self._euro = ("transactioncurrency", euro)
        self._purpose = (
            "msdynmkt_purpose",
            self._make("msdynmkt_purpose", msdynmkt_name="Commercial"),
        )
        self._make("connectionrole", name="Stakeholder")

    # --- the page ---

    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return its records by table, as the page shows them."""
        shown = (*SHOWN, "msdynmkt_topic", CONSENTS)
        needed = [
            {"what": "client", "is": CLIENT},
            {"what": "secret", "is": SECRET},
            {"what": "path of token_url", "is": f"/{TENANT}/oauth2/v2.0/token"},
        ]
        found: dict[str, Sequence[Mapping[str, Any]]] = {
            self.records.tables[name].entity_set: [
                self._shown(self.records.tables[name], row)
                for row in self.records.rows[name].values()
            ]
            for name in shown
        }
        return found | {"what connectors need": needed}

    def deeds(self) -> Mapping[str, Deed]:
        """Return what its people can do, by name."""
        return {
            "make a contact": self.make_contact,
            "make an opportunity": self.make_opportunity,
            "add a stakeholder": self.add_stakeholder,
            "set a column": self.set_column,
            "forbid a record": self.forbid,
            "take a privilege away": self.take_away,
            "take a column away": self.take_column,
            "win an opportunity": self.win,
            "lose an opportunity": self.lose,
            "merge contacts": self.merge,
            "delete a record": self.delete,
            "make a topic": self.make_topic,
            "opt out of a topic": self.opt_out,
            "end all tokens": self.entrance.end_tokens,
        }

    # --- what its people do ---

    def make_contact(self, email: str, firstname: str = "", lastname: str = "") -> str:
        """Write down a contact; return its id."""
        names = {"firstname": firstname or None, "lastname": lastname or email.partition("@")[0]}
        return self._make("contact", emailaddress1=email, **names)

    def make_opportunity(self, name: str, contact: str = "", amount: str = "12000") -> str:
        """Begin an opportunity with a contact; return its id."""
        led = {"parentcontactid": ("contact", self._id("contact", contact))} if contact else {}
        return self._make(
            "opportunity",
            name=name,
            estimatedvalue=float(amount),
            closeprobability=20,
            stepname="1-Qualify",
            salesstage=0,
            estimatedclosedate="2026-12-31",
            transactioncurrencyid=self._euro,
            **led,
        )

    def add_stakeholder(self, opportunity: str, contact: str, role: str = "Stakeholder") -> str:
        """Connect a contact with an opportunity; return the connection's id."""
        roles = self.records.rows["connectionrole"].values()
        known = [one["connectionroleid"] for one in roles if one["name"] == role]
        id = known[0] if known else self._make("connectionrole", name=role)
        return self._make(
            "connection",
            record1id=("opportunity", self._id("opportunity", opportunity)),
            record2id=("contact", self._id("contact", contact)),
            record2roleid=("connectionrole", id),
        )

    def set_column(self, table: str, id: str, column: str, value: str) -> None:
        """Let a column of a record say something; of a choice its option's label, or its value."""
        about = self.records.tables.get(table)
        there = about.columns.get(column) if about else None
        if there is None or there.type in LOOKUPS:
            raise ValueError(f"there is no column {column} that can be set in {table}")
        set_to: Any = value or None
        if there.options and value:
            named = [one.value for one in there.options if value in {one.label, str(one.value)}]
            if not named:
                raise ValueError(f"{column} has no option {value}")
            set_to = bool(named[0]) if there.type == "Boolean" else named[0]
        self._set(table, id, {column: set_to})

    def forbid(self, table: str, id: str) -> None:
        """Let a record be none of our user's business, nor what is to stand beside it."""
        self.records.row(table, self._id(table, id))
        self.records.forbidden.add((table, id.lower(), self.user))

    def take_away(self, privilege: str) -> None:
        """Let our user's role lack a privilege, ``prvWriteContact`` for one."""
        self.records.lacking.add((privilege, self.user))

    def take_column(self, table: str, column: str) -> None:
        """Take a column of contacts, opportunities… away, with what it held and its keys."""
        there = self.records.tables.get(table)
        if there is None or column not in there.columns:
            raise ValueError(f"there is no column {column} in {table}")
        del there.columns[column]
        there.keys[:] = [one for one in there.keys if column not in one.columns]

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        ended = {"statecode": 1, "statuscode": 3, "closeprobability": 100}
        self._set("opportunity", opportunity, ended | {"actualclosedate": self.records.now()})

    def lose(self, opportunity: str) -> None:
        """Close an opportunity as lost."""
        ended = {"statecode": 2, "statuscode": 4, "closeprobability": 0}
        self._set("opportunity", opportunity, ended | {"actualclosedate": self.records.now()})

    def merge(self, target: str, subordinate: str) -> None:
        """Merge a contact into another, which stays."""
        ids = self._id("contact", target), self._id("contact", subordinate)
        self._done(lambda: self.records.merge("contact", *ids, {}, self.seller))

    def delete(self, table: str, id: str) -> None:
        """Delete a record."""
        self._done(lambda: self.records.delete(table, self._id(table, id), self.seller))

    def make_topic(self, name: str) -> str:
        """Make a topic that people may opt in to; return its id."""
        return self._make("msdynmkt_topic", msdynmkt_name=name, msdynmkt_purposeid=self._purpose)

    def opt_out(self, email: str, topic: str = "") -> None:
        """Write down that an address opts out of a topic; without one, of all."""
        names = self.records.rows["msdynmkt_topic"].values()
        topics = [one["msdynmkt_topicid"] for one in names if one["msdynmkt_name"] == topic]
        if topic and not topics:
            raise ValueError(f"there is no topic {topic}")
        about = ("msdynmkt_topic", topics[0]) if topic else None
        rows = self.records.rows[CONSENTS].values()
        address = email.casefold()
        for row in [*rows]:
            mine = str(row["msdynmkt_contactpointvalue"]).casefold() == address
            if mine and row["msdynmkt_topicid"] == about:
                self._set(CONSENTS, row[f"{CONSENTS}id"], {"msdynmkt_value": VALUE[False]})
                return
        self._make(
            CONSENTS,
            msdynmkt_contactpointvalue=email,
            msdynmkt_contactpointtype=EMAIL,
            msdynmkt_contactpointconsenttype=534120001 if topic else 534120000,
            msdynmkt_value=VALUE[False],
            msdynmkt_purposeid=self._purpose,
            msdynmkt_topicid=about,
        )

    # --- inside ---

    def _make(self, table: str, id: str | None = None, /, **values: Any) -> str:
        """Make a record as a person; return its id."""
        by = getattr(self, "seller", self.user)
        row = self._done(lambda: self.records.create(table, values, by, id))
        return str(row[self.records.tables[table].id])

    def _set(self, table: str, id: str, values: Mapping[str, Any]) -> None:
        """Change a record as a person."""
        self._done(lambda: self.records.update(table, self._id(table, id), values, self.seller))

    def _id(self, table: str, id: str) -> str:
        """Return the id of a record; raise ValueError where it is not there."""
        if table not in self.records.tables or id.lower() not in self.records.rows[table]:
            raise ValueError(f"there is no {table} {id}")
        return id.lower()

    @staticmethod
    def _done(deed: Callable[[], Any]) -> Any:
        """Do something; raise ValueError with one sentence where Dynamics does not let people."""
        try:
            return deed()
        except RefusedError as error:
            raise ValueError(error.message) from error

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        """Return a record as the page shows it: what is filled, ids first."""
        shown = {table.id: row[table.id]}
        for name in sorted(row, key=LAST.__contains__):
            value = row[name]
            if value is None or name in HIDDEN or name == table.id or value is False:
                continue
            labels = {one.value: one.label for one in table.columns[name].options}
            if isinstance(value, tuple):
                other = self.records.tables[value[0]]
                there = self.records.rows[other.name].get(value[1], {})
                shown[name] = there.get(other.title) or value[1]
            else:
                shown[name] = labels.get(value, value)
        return shown

    def _made_app(self) -> Flask:
        """Return what answers: the API, and who gives out tokens."""
        app = Flask(__name__, static_folder=None, template_folder=None)

        @app.post("/<tenant>/oauth2/v2.0/token")
        def token(tenant: str) -> Response:
            del tenant
            status, told = self.entrance.token(request.form)
            return Response(json.dumps(told), status, content_type="application/json")

        @app.route("/api/data/<version>/", defaults={"path": ""}, methods=METHODS)
        @app.route("/api/data/<version>/<path:path>", methods=METHODS)
        def api(version: str, path: str) -> Response:
            del path
            return self._answered(version)

        return app

    def _answered(self, version: str) -> Response:
        """Return the answer to the call that is made."""
        origin = request.host_url.rstrip("/")
        if not self.entrance.lets_in(request.headers.get("Authorization", "")):
            where = f"{origin}/{TENANT}/oauth2/authorize"
            says = f"Bearer authorization_uri={where}, resource_id={origin}/"
            return Response(b"", 401, {"WWW-Authenticate": says})
        waits = self.entrance.waits()
        if waits is not None:
            error = RefusedError(429, TOO_MANY, self.entrance.exceeded)
            return self._response(refused(error), {"Retry-After": str(waits)})
        if version not in VERSIONS:
            says = f"The version {version} of the Web API is not supported."
            return self._response(refused(RefusedError(404, QUERY, says)))
        self.records.work()
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = request.full_path if request.query_string else request.path
        asked = Asked(request.method, url, headers, request.get_data())
        return self._response(Api(self.records, self.user, origin, version).call(asked))

    def _response(
        self, answer: Answered, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Response:
        """Return an answer with what all answers have."""
        more = {
            "OData-Version": "4.0",
            "x-ms-service-request-id": new_id(),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(self.entrance.left),
        }
        response = Response(answer.body, answer.status, {**more, **headers, **answer.headers})
        if "Content-Type" not in answer.headers:
            response.headers.pop("Content-Type", None)
        return response
