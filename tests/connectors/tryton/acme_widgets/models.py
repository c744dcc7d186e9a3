"""Acme's own field of a party, with its own rule; and opportunities won without a sale."""

from trytond.model import fields
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

CLOSED = "Closed to regportal"


class Party(metaclass=PoolMeta):
    __name__ = "party.party"

    country = fields.Char("Country")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__["acme_merge"] = RPC(readonly=False)

    @classmethod
    def acme_merge(cls, source, destination):
        """What a person does with Tryton's assistant: the source becomes part of the other."""
        Replace = Pool().get("party.replace", type="wizard")  # noqa: N806 - a class of the pool
        with Transaction().set_user(0):
            wizard = Replace(Replace.create()[0])
            wizard.ask.source, wizard.ask.destination = cls(source), cls(destination)
            wizard.transition_replace()

    @classmethod
    def validate_fields(cls, parties, names):
        super().validate_fields(parties, names)
        for party in parties:
            if party.country == "refused":
                raise ValidationError(f"The country of {party.name} is refused.")
            user = Pool().get("res.user")(Transaction().user)
            if party.name == CLOSED and user.login == "regportal":
                raise ValidationError("This party is none of regportal's.")


class Opportunity(metaclass=PoolMeta):
    __name__ = "sale.opportunity"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__["acme_win"] = RPC(readonly=False)

    @classmethod
    def acme_win(cls, id):
        with without_check_access():
            cls.write([cls(id)], {"state": "won"})
