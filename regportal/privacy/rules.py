"""What a person may press about a newsletter."""

from collections.abc import Sequence
from datetime import timedelta

LINK_LIFE = timedelta(minutes=15)
"""How long a mailed link to one's own page can be pressed."""

STOP, PAUSE, RESUME, WANT = "stop", "pause", "resume", "want"
"""What a person presses; anything else is the name of a rhythm."""


def choices(state: str | None, *, proven: bool) -> Sequence[str]:
    """
    Return what may be pressed about a newsletter in this state.

    The link of a letter narrows what is allowed and ends a pause; only somebody whose browser is
    proven may ask for more.

    >>> choices("confirmed", proven=False), choices("paused", proven=False)
    (('pause', 'stop'), ('resume', 'stop'))
    >>> choices("withdrawn", proven=False), choices("withdrawn", proven=True)
    ((), ('want',))
    >>> choices("pending", proven=True), choices("suppressed", proven=True)
    (('want', 'stop'), ())
    """
    if state in {"confirmed", "imported"}:
        return (PAUSE, STOP)
    if state == "paused":
        return (RESUME, STOP)
    if state in {"suppressed", "erased"}:
        return ()
    wanted = (WANT,) if proven else ()
    return (*wanted, STOP) if state == "pending" else wanted
