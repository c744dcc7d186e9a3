"""Access tokens: fetched when one is first needed, kept until a CRM no longer takes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from regportal.connectors.calls import FINE, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.rules import Outcome

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
REFUSED = frozenset({400, 401, 403})
PASSING = {
    "server_error": Outcome.RETRY,
    "temporarily_unavailable": Outcome.RETRY,
    "login_rate_exceeded": Outcome.THROTTLED,
}
"""What is said with a refusal and does not mean that we are not let in."""
CODE = re.compile(r"[a-z][a-z_]{0,39}")
WORD = re.compile(r"[\x21-\x7e]{1,16384}")
"""What may stand in a header."""


@dataclass(slots=True)
class Token:
    """
    The access token of one connection, by the client credentials of RFC 6749, section 4.4.

    ``asked`` is what the token endpoint at ``url`` is told. :meth:`headers` and :meth:`renew` are
    what :class:`~regportal.connectors.calls.Calls` asks for.
    """

    url: str
    egress: Egress
    asked: Mapping[str, str]
    _told: Mapping[str, Any] | None = None

    def told(self) -> Mapping[str, Any]:
        """
        Return what the endpoint answered: the token, and whatever its CRM says beside it.

        Raises UnreachableError where there is no answer, NotTakenError where there is no token.
        """
        told = self._told
        if told is None:
            form = {"grant_type": "client_credentials", **self.asked}
            answer = self.egress.ask("POST", self.url, body=urlencode(form).encode(), headers=FORM)
            told = self._told = _told(answer)
        return told

    def headers(self) -> Mapping[str, str]:
        """Return how a call says who we are; raise as :meth:`told` does."""
        return {"Authorization": f"Bearer {self.told()['access_token']}"}

    def renew(self) -> None:
        """Let the next call be made with another token."""
        self._told = None


def _told(answer: Answer) -> Mapping[str, Any]:
    """
    Return what an answer with a token says; of a refusal its code is repeated, and no more.

    Without a code of RFC 6749 it is no word of the endpoint, whatever its status: it passes.
    """
    told = said(answer)
    told = told if isinstance(told, dict) else {}
    if answer.status in FINE:
        if WORD.fullmatch(str(told.get("access_token") or "")):
            return told
        raise NotTakenError(Outcome.RETRY, "the CRM answered no access token")
    code = str(told.get("error"))
    if answer.status not in REFUSED or not CODE.fullmatch(code):
        raise from_elsewhere(answer)
    outcome = PASSING.get(code, Outcome.AUTH)
    raise NotTakenError(outcome, f"the CRM gives us no access token: {code}")
