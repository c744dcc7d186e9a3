"""Who writes which letter, of all rooms, by the topic of the outbox that owes it."""

from collections.abc import Mapping
from types import MappingProxyType

from regportal.accounts import letters as accounts
from regportal.buying.alerts import letters as alerts
from regportal.forms import letters as forms
from regportal.identity import letters as identity
from regportal.mail.post import Kind
from regportal.privacy import letters as privacy

LETTERS: Mapping[str, Kind] = MappingProxyType(
    forms.LETTERS | identity.LETTERS | privacy.LETTERS | alerts.LETTERS | accounts.LETTERS
)
