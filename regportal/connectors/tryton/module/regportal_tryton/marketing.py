"""Who gets which newsletter."""

from typing import Any

from trytond.pool import PoolMeta

from .guarded import Guarded, told


class Email(Guarded, metaclass=PoolMeta):
    """An address on a list, or taken off it."""

    __name__ = "marketing.email"

    @classmethod
    @told
    def regportal_create(cls, new: list[dict[str, Any]]) -> list[int]:
        """Make addresses on lists, or off them: Tryton does not make what is not in use."""
        ids = [one.id for one in cls.create([{**one, "active": True} for one in new])]
        off = [id for id, one in zip(ids, new, strict=True) if not one["active"]]
        cls.write(cls.browse(off), {"active": False})
        return ids
