"""What CRMs can be told by name: phases, scores and newsletters."""

from regportal.buying.labels import locale_of
from regportal.buying.reading import model_of
from regportal.buying.scores.schema import Score
from regportal.buying.words import called
from regportal.connectors.base import Vocabulary
from regportal.consent.schema import Newsletter
from regportal.store.documents import Published
from regportal.store.schema import said


def vocabulary_of(published: Published) -> Vocabulary:
    """
    Return what people call what CRMs are told of, by key, in the language of the site.

    >>> [*vocabulary_of(Published(1, [])).phases.items()][:2]
    [('unaware', 'Unaware'), ('stalled', 'Stalled')]
    """
    locale = locale_of(published)
    model, _ = model_of(published)
    phases = {phase.id: called(model, phase.id, locale) for phase in model.phases}
    scores = {
        one.key: said(one.label, locale) if one.label else one.key for one in published.all(Score)
    }
    newsletters = {one.key: said(one.title, locale) for one in published.all(Newsletter)}
    return Vocabulary(phases, scores, newsletters)
