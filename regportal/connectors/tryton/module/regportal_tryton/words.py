"""What regportal can say here: the buying phases, and the scores of a contact."""

from trytond.model import DictSchemaMixin, ModelSQL, ModelView, Unique, fields, sequence_ordered

from .guarded import Guarded


class Phase(Guarded, sequence_ordered(), ModelSQL, ModelView):
    """A buying phase: where a customer is on the way to a decision."""

    __name__ = "regportal.phase"

    key = fields.Char("Key", required=True)
    name = fields.Char("Name", required=True, translate=True)

    @classmethod
    def __setup__(cls) -> None:
        """Let no two phases have one key."""
        super().__setup__()
        table = cls.__table__()
        one = Unique(table, table.key)
        cls._sql_constraints += [("key_unique", one, "regportal_tryton.msg_key_unique")]


class Score(Guarded, DictSchemaMixin, ModelSQL, ModelView):
    """A score: a number that says how well a contact fits, or how much they do."""

    __name__ = "regportal.score"

    @staticmethod
    def default_type_() -> str:
        """Scores are numbers."""
        return "float"
