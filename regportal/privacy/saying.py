"""How our states are said to people."""

from collections.abc import Mapping

from regportal.store.words import N_

SURE: Mapping[str, str] = {
    "verified": N_("you said so yourself, with your address proven"),
    "claimed": N_("somebody said so with your address, unproven"),
    "imported": N_("from a file of the company"),
    "crm": N_("from the company's own system"),
    "anonymous": N_("nobody's"),
}
"""How sure we are, by assurance or attribution."""
CONSENT: Mapping[str, str] = {
    "pending": N_("waits for your yes"),
    "confirmed": N_("you get it"),
    "imported": N_("you get it"),
    "paused": N_("paused"),
    "withdrawn": N_("stopped"),
    "refused": N_("refused"),
    "expired": N_("ran out"),
    "suppressed": N_("blocked: mail came back, or was reported"),
    "erased": N_("erased"),
}
METHODS: Mapping[str, str] = {
    "gate": N_("in a form"),
    "confirm page": N_("on the page of a mail"),
    "code": N_("by the code of a mail"),
    "preference page": N_("on your own page"),
    "preference link": N_("by the link in a newsletter"),
    "unsubscribe page": N_("by the link in a newsletter"),
    "one-click": N_("by your mail program"),
    "undo": N_("taken back"),
    "import": N_("from a file with evidence"),
    "crm": N_("by the company's own system"),
    "bounce": N_("mail came back"),
    "complaint": N_("mail was reported"),
    "time": N_("by time"),
}
DEEDS: Mapping[str, str] = {
    "page_view": N_("You read “%(object)s”."),
    "price_lookup": N_("You looked up the price of “%(object)s”."),
    "download": N_("You took “%(object)s”."),
    "video_watch": N_("You watched “%(object)s”."),
    "search": N_("You searched for “%(object)s”."),
    "share": N_("You shared “%(object)s”."),
    "form": N_("You sent the form “%(object)s”."),
    "reply": N_("You answered “%(object)s”."),
    "call": N_("You spoke with us: “%(object)s”."),
    "meeting": N_("You met us: “%(object)s”."),
    "purchase": N_("You bought “%(object)s”."),
    "ticket": N_("You asked for help: “%(object)s”."),
}
DID = N_("You did “%(type)s”: “%(object)s”.")
