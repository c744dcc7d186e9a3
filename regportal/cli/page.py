"""What is said of a page on a terminal."""

from collections.abc import Sequence

from regportal.cli.lines import printable
from regportal.embedding.judging import Wrong


def lines(page: str, mode: str, found: Sequence[Wrong], noted: Sequence[str] = ()) -> list[str]:
    r"""
    Return what is said of a page, so that no terminal obeys what stands on it.

    >>> lines("https://x.example/", "M1", [Wrong('There is no gate "\x1b[2J".', "See above.")])
    ['https://x.example/', '    M1', 'BAD  There is no gate "·[2J".', '     See above.']
    """
    told = [
        f"{mark}{says}" for one in found for mark, says in (("BAD  ", one.what), (" " * 5, one.do))
    ]
    told += [f"note {says}" for says in noted]
    return [printable(one) for one in (page, f"    {mode}", *told)]
