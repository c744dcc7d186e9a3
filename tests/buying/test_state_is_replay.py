"""Whatever happens, and in whichever order: what is kept is what a replay of the log gives."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.checking import standing_differences
from regportal.buying.models import KeptStanding, Opportunity
from regportal.buying.passing import find_lost
from regportal.buying.schema import Buying
from regportal.identity.models import Contact
from regportal.identity.people import join, split
from regportal.tracking.actions import log
from regportal.tracking.models import Attributed, EntryKind, Judged
from regportal.tracking.rejudging import judge_by_hand
from tests.buying.scene import NOON

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SILENT = {"any": [{"quiet": {"for": "3d"}}]}
MODEL = Buying.model_validate(
    {
        "phases": [
            {"id": "unaware"},
            {
                "id": "interest",
                "enter": {"any": [{"event": "download", "within": "10d"}]},
                "exit": SILENT,
                "min_stay": "1d",
            },
            {
                "id": "exploration",
                "enter": {
                    "all": [
                        {"event": "download", "count": {"at_least": 2}, "within": "4d"},
                        {"none": [{"crm": {"stage": "Lost interest"}}]},
                    ]
                },
                "exit": SILENT,
            },
            {
                "id": "comparison",
                "enter": {
                    "any": [
                        {"event": "download", "where": {"category": "price-list"}, "within": "5d"},
                        {
                            "event": "page_view",
                            "count": {"at_least": 2},
                            "within": "2d",
                            "by": "distinct_contacts",
                        },
                    ]
                },
                "exit": SILENT,
                "falls_to": "interest",
                "group": {"quorum": 2},
            },
            {
                "id": "decision",
                "enter": {"all": [{"event": "form", "within": "2d"}, {"role": "decision_maker"}]},
                "exit": {"any": [{"quiet": {"for": "1d"}}, {"event": "ticket", "within": "1d"}]},
                "falls_to": "unaware",
            },
        ]
    }
)
DEEDS = [
    ("download", "paper"),
    ("download", "price-list"),
    ("page_view", "pricing"),
    ("form", None),
    ("ticket", None),
]


class Life:
    """Three people, two opportunities, and chance."""

    def __init__(self, scene, seed):
        self.scene, self.chance, self.now = scene, random.Random(seed), NOON
        scene.publish(MODEL)
        self.people = [scene.contact(f"p{number}@example.com") for number in range(3)]
        self.deals = [scene.opportunity(f"d{number}") for number in range(2)]
        for number, person in enumerate(self.people):
            scene.role(self.deals[number % 2], person)
        self.done = []

    def step(self):
        """Let one thing happen, and some time go by."""
        self.now += self.chance.choice([timedelta(seconds=1), HOUR, 5 * HOUR, DAY])
        what = self.chance.choices(
            [self.does, self.changes_part, self.sells, self.denies, self.judges, self.joins],
            [12, 2, 2, 1, 1, 1],
        )[0]
        what()
        if self.chance.random() < 0.6:
            self.scene.weigh(now=self.now, limit=self.chance.choice([1, 3, 100]))

    def does(self):
        kind, category = self.chance.choice(DEEDS)
        happened = self.now - self.chance.choice([0, 0, 0, 1, 30]) * HOUR
        whose = self.chance.choice([*self.people, None])
        self.done.append(
            self.scene.did(
                whose,
                category,
                type=kind,
                now=self.now,
                occurred_at=happened,
                attribution=Attributed.VERIFIED if whose else Attributed.ANONYMOUS,
                judged=self.chance.choice([Judged.PERSON] * 5 + [Judged.MACHINE]),
            )
        )

    def changes_part(self):
        self.scene.role(
            self.chance.choice(self.deals),
            self.chance.choice(self.people),
            add=self.chance.random() < 0.6,
            role=self.chance.choice(["user", "decision_maker", None]),
            now=self.now,
        )

    def sells(self):
        self.scene.opportunity(
            f"d{self.chance.randrange(2)}",
            now=self.now,
            stage=self.chance.choice(["Offer", "Lost interest"]),
            is_closed=self.chance.random() < 0.3,
        )

    def denies(self):
        if not self.done:
            return
        whose = self.chance.choice([*self.people, None])
        one = self.chance.choice(self.done)
        before = self.people
        self.scene.attribute(whose, one, now=self.now)

        def note(session):
            for person in before:
                log(session, EntryKind.ATTRIBUTION, person, now=self.now)

        self.scene.store.write(note)

    def judges(self):
        if self.done:
            one, judged = self.chance.choice(self.done), self.chance.choice([*Judged])
            self.scene.store.write(
                lambda session: judge_by_hand(session, one, judged, "looked", now=self.now)
            )

    def joins(self):
        """Two addresses are one person's, or no longer."""

        def work(session):
            kept, joined = (session.get_one(Contact, one) for one in self.people[:2])
            change = {"because": "told", "by": "administrator", "now": self.now}
            if joined.person_id == kept.person_id:
                split(session, joined, **change)
            else:
                join(session, kept, joined, **change)
            for one in (kept, joined):
                log(session, EntryKind.ATTRIBUTION, one.id, now=self.now)

        self.scene.store.write(work)

    def differences(self):
        self.scene.weigh(now=self.now)
        with self.scene.store.read() as session:
            published = self.scene.shelf.published(session)
            return [*standing_differences(session, published, now=self.now)]

    def phases(self):
        with self.scene.store.read() as session:
            rows = session.scalars(sa.select(Opportunity).order_by(Opportunity.external_id))
            return [one.phase for one in rows]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_is_what_a_replay_gives(scene, seed):
    life = Life(scene, seed)
    for _ in range(40):
        life.step()

    assert life.differences() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 250))
def test_what_is_kept_is_what_a_replay_gives_however_long(scene, seed):
    life = Life(scene, seed)
    for _ in range(20):
        for _ in range(10):
            life.step()

        assert life.differences() == []


def test_who_deletes_all_standings_loses_nothing(scene):
    life = Life(scene, 7)
    for _ in range(30):
        life.step()
    scene.weigh(now=life.now)
    before, moves = life.phases(), len(scene.moves())
    scene.store.write(lambda session: session.execute(sa.delete(KeptStanding)))
    scene.store.write(find_lost)
    scene.weigh(now=life.now)

    assert life.phases() == before
    assert len(scene.moves()) == moves
    assert life.differences() == []
