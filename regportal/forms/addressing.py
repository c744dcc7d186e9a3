"""Which addresses a gate takes: a function of what was typed, and of nothing else."""

from regportal.forms.rules import Known
from regportal.forms.schema import Gate
from regportal.identity.addresses import Address, read_address
from regportal.store.words import N_


def address_from(gate: Gate, typed: str) -> Address:
    """Read the address; raise ValueError with one sentence where it cannot be taken."""
    if not typed.strip():
        raise ValueError(N_("Please give your e-mail address."))
    address = read_address(typed)
    fault = unfit(gate, address)
    if fault is not None:
        raise ValueError(fault)
    return address


def unfit(gate: Gate, address: Address) -> str | None:
    """Say why a gate does not take an address; None: it does."""
    if gate.addresses == "business" and not address.is_business:
        return N_("Please give the address you use at work.")
    if gate.addresses == "no-disposable" and address.is_disposable:
        return N_("Please give an address that will still be yours next month.")
    return None


def fitting(gate: Gate, address: Address | None, known: Known) -> Known:
    """Return what is known, without an address this gate does not take: it asks for another."""
    if address is None or gate.addresses == "any" or unfit(gate, address) is None:
        return known
    return Known(passed_over=known.passed_over, decided=known.decided)
