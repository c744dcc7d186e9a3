"""The five steps of the demo, which tick themselves off as they happen."""

from collections.abc import Sequence
from dataclasses import dataclass

from regportal.cli.demo.crm import Book


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, where, and what it shows."""

    title: str
    do: str
    shows: str
    where: str
    button: str


STEPS: Sequence[Step] = (
    Step(
        "Give a little, get the buyer's guide",
        "On the Acme site, type any e-mail address into the gate, such as"
        " ann@widgetworks.example, and choose to be remembered. No mail leaves this computer.",
        "The file is yours at once. Nobody was asked for more than an address, and what is behind"
        " it stays unproven for now.",
        "/",
        "Open the Acme site",
    ),
    Step(
        "Say that it was you",
        "Open the mailbox, follow the link in the mail and press “Yes, this was me”.",
        "Only now there is a contact. A link that a mail scanner opens would have changed nothing.",
        "/mailbox",
        "Open the mailbox",
    ),
    Step(
        "Come back tomorrow",
        "Press “Come back tomorrow” in the bar above, then take the customer story on the Acme"
        " site.",
        "One question, with its reason, and you may decline. Never two in one visit.",
        "/customers",
        "Open the customer story",
    ),
    Step(
        "Become part of a deal",
        "In the CRM, open an opportunity with your contact, as a salesperson would.",
        "What you did before counts: the buying phase is set at once, with the reason beside it.",
        "/crm",
        "Open the CRM",
    ),
    Step(
        "Take the price list",
        "Come back tomorrow once more, and ask for the prices.",
        "Whoever asks for prices compares suppliers. The opportunity moves to “comparison”"
        " in the CRM within a second.",
        "/prices",
        "Open the prices",
    ),
)


def done(book: Book) -> Sequence[bool]:
    """
    Return which of the five steps have happened, from what reached the CRM.

    >>> done(Book())
    [False, False, False, False, False]
    """
    people = book.people()
    return [
        bool(people),
        any(person.assurance == "verified" for person in people),
        any(person.fields for person in people),
        bool(book.deals),
        any(deal.phase in {"comparison", "decision"} for deal in book.deals.values()),
    ]
