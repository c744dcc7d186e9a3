"""
Runs inside the process of Tryton: `inside.py make` the template, `inside.py serve` one database.

TRYTOND_CONFIG names the configuration, DATABASE what the database is called, and PORT where it is
served: otherwise on any port.
"""

import contextlib
import os
import socket
import sys
from decimal import Decimal
from unittest import mock

KEYS = {"regportal": "0" * 16 + "regportal" * 4, "sam": "1" * 16 + "salesman" * 4}
PHASES = ("unaware", "interest", "comparison", "decision", "purchase", "stalled")
OURS = ("acme_widgets", "regportal_tryton")
MODULES = (*OURS, "marketing_email", "sale_opportunity")
UPDATE = ("-u", *MODULES, "--activate-dependencies", "--email", "admin@acme.example")
GROUPS = (
    ("sale_opportunity", "group_opportunity"),
    ("sale", "group_sale"),
    ("marketing", "group_marketing"),
)


@contextlib.contextmanager
def believing_tryton():
    """Validate what our modules bring; to validate what Tryton's own bring takes half the time."""
    from trytond.model import ModelStorage
    from trytond.transaction import Transaction

    validated = ModelStorage._validate.__func__

    def validate(cls, records, field_names=None):
        if Transaction().context.get("module") in {None, *OURS}:
            validated(cls, records, field_names)

    with mock.patch.object(ModelStorage, "_validate", classmethod(validate)):
        yield


def make(name):
    """Make the database of a company with two users, as an administrator would."""
    from trytond.admin import run
    from trytond.commandline import get_parser_admin
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    with believing_tryton():
        run(get_parser_admin().parse_args(["-d", name, *UPDATE]))
    pool = Pool(name)
    pool.init()
    with Transaction().start(name, 1) as transaction:
        get, id = pool.get, pool.get("ir.model.data").get_id
        rates = [("create", [{"rate": Decimal(1)}])]
        euro = {"name": "Euro", "symbol": "€", "code": "EUR", "rounding": Decimal("0.01")}
        (euro,) = get("currency.currency").create([{**euro, "rates": rates}])
        acme, sam = get("party.party").create([{"name": "Acme"}, {"name": "Sam"}])
        (company,) = get("company.company").create([{"party": acme.id, "currency": euro.id}])
        employee = {"party": sam.id, "company": company.id}
        (employee,) = get("company.employee").create([employee])
        both = {
            "companies": [("add", [company.id])],
            "company": company.id,
            "employees": [("add", [employee.id])],
            "employee": employee.id,
        }
        groups = [id(*one) for one in GROUPS]
        ours = [*groups, id("regportal_tryton", "group_regportal")]
        for login, its in (("regportal", ours), ("sam", groups)):
            user = {"name": login, "login": login, "groups": [("add", its)], **both}
            (user,) = get("res.user").create([user])
            key = {"user": user.id, "application": "rest", "key": KEYS[login]}
            get("res.user.application").create([key])
        get("marketing.email.list").create([{"name": "prices", "language": id("ir", "lang_en")}])
        get("regportal.phase").create([{"key": one, "name": one.title()} for one in PHASES])
        get("regportal.score").create([{"name": "fit", "string": "Fit", "type_": "float"}])
        transaction.commit()


def serve(name):
    """Serve, and say on which port."""
    import waitress
    from trytond.pool import Pool

    Pool.start()
    Pool(name).init()
    from trytond.wsgi import app

    line = socket.create_server(("127.0.0.1", int(os.environ.get("PORT") or 0)))
    sys.stdout.write(f"{line.getsockname()[1]}\n")
    sys.stdout.flush()
    waitress.serve(app, sockets=[line], threads=4, clear_untrusted_proxy_headers=True)


if __name__ == "__main__":
    for optional in ("email_validator", "phonenumbers"):  # Tryton comes without these
        sys.modules[optional] = None  # with the first it would ask the DNS for each address
    from trytond import config

    config.update_etc(os.environ["TRYTOND_CONFIG"])
    {"make": make, "serve": serve}[sys.argv[1]](os.environ["DATABASE"])
