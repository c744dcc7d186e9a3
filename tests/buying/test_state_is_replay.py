"""Whatever happens, and in whichever order: what is kept is what a replay of the log gives."""

import contextlib
import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.checking import standing_differences
from regportal.buying.models import KeptStanding, Opportunity
from regportal.buying.overriding import Word, end_override, override
from regportal.buying.passing import find_lost
from regportal.buying.schema import Buying
from regportal.buying.scores.schema import Score
from regportal.errors import StaleError
from regportal.identity.actions import contact_of_claim, decide
from regportal.identity.models import Claim, ClaimState, Contact
from regportal.identity.people import join, split
from regportal.tracking.actions import attribute, disown, log, seen_of_claim
from regportal.tracking.models import Attributed, EntryKind, Judged
from regportal.tracking.rejudging import judge_by_hand
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SILENT = {"any": [{"quiet": {"for": "3d"}}]}
WARM = {"score": {"name": "warmth", "at_least": 30}}
WARMTH = Score.model_validate(
    {
        "key": "warmth",
        "behaviour": [
            {"group": "all", "half_life": "1d", "points": [{"event": "download", "points": 20}]}
        ],
        "thresholds": {"warm": 30},
    }
)
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
                        {"all": [{"event": "ticket", "within": "5d"}, WARM]},
                        {
                            "event": "page_view",
                            "count": {"at_least": 2},
                            "within": "2d",
                            "by": "distinct_contacts",
                        },
                    ]
                },
                "exit": {"any": [*SILENT["any"], {"all": [{"none": [WARM]}, {"event": "form"}]}]},
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

    def __init__(self, scene, seed, companies=("example.com",)):
        self.scene, self.chance, self.now = scene, random.Random(seed), NOON
        least = self.chance.choice(["verified", "imported", "claimed"])
        scene.publish(WARMTH, MODEL.model_copy(update={"min_attribution": least}))
        self.companies = companies
        self.people = [scene.contact(self.address(number)) for number in range(3)]
        account = {"name": "Initech", "domain": "initech.example"}
        self.deals = [scene.opportunity(f"d{number}", account=account) for number in range(2)]
        for number, person in enumerate(self.people):
            scene.role(self.deals[number % 2], person)
        self.done, self.claims = [], []

    def address(self, number):
        """Return whose is whose: everybody has a company."""
        return f"p{number}@{self.companies[number % len(self.companies)]}"

    def step(self):
        """Let one thing happen, and perhaps be weighed."""
        self.happens()
        if self.chance.random() < 0.6:
            self.scene.weigh(now=self.now, limit=self.chance.choice([1, 3, 100]))

    def happens(self):
        """Let one thing happen, and some time go by."""
        self.now += self.chance.choice([timedelta(seconds=1), HOUR, 5 * HOUR, DAY])
        what = self.chance.choices(
            [
                *(self.does, self.does_as_somebody, self.changes_part, self.sells),
                *(self.decides, self.denies, self.judges, self.joins),
                *(self.says, self.takes_back, self.reverts),
            ],
            [10, 3, 2, 2, 1, 1, 1, 1, 2, 1, 1],
        )[0]
        what()

    def does(self):
        whose = self.chance.choice([*self.people, None])
        sure = self.chance.choice([Attributed.VERIFIED] * 3 + [Attributed.IMPORTED])
        self.did(whose, sure if whose else Attributed.ANONYMOUS)

    def did(self, whose, attribution, claim=None):
        kind, category = self.chance.choice(DEEDS)
        happened = self.now - self.chance.choice([0, 0, 0, 1, 30]) * HOUR
        one = self.scene.did(
            whose,
            category,
            type=kind,
            now=self.now,
            occurred_at=happened,
            attribution=attribution,
            judged=self.chance.choice([Judged.PERSON] * 5 + [Judged.MACHINE]),
            claim=claim,
        )
        self.done.append(one)

    def does_as_somebody(self):
        """Somebody types an address and does something, once or again."""
        if not self.claims or self.chance.random() < 0.6:
            whose = self.chance.choice([self.address(0), self.address(1), "eve@example.com"])
            self.claims.append(self.scene.claim(whose, now=self.now))
        self.did(None, Attributed.CLAIMED, self.chance.choice(self.claims))

    def decides(self):
        """Yes, no, or no answer for too long."""
        if not self.claims:
            return
        state = self.chance.choice([*ClaimState])

        def work(session):
            claim = session.get_one(Claim, self.chance.choice(self.claims))
            if state is ClaimState.OPEN or not decide(session, claim, state, now=self.now):
                return
            done = [one.id for one in seen_of_claim(session, claim.id)]
            if state is ClaimState.CONFIRMED:
                contact = contact_of_claim(session, claim, now=self.now)
                session.flush()
                attribute(session, done, contact.id, Attributed.VERIFIED, "yes", now=self.now)
                return
            if state is ClaimState.REJECTED:
                attribute(session, done, None, Attributed.ANONYMOUS, "no", now=self.now)
            disown(session, claim, now=self.now)

        self.scene.store.write(work)

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
        self.scene.attribute(whose, one, now=self.now)

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

    def says(self):
        """A colleague knows better, for some hours or days."""
        until = self.now + self.chance.choice([5 * HOUR, 2 * DAY, 9 * DAY])
        word = Word(self.chance.choice(MODEL.phases).id, "Bo Lind", "met them", until)
        self.over_the_rules(override, word)

    def takes_back(self):
        """A colleague takes back what was said."""
        self.over_the_rules(end_override)

    def over_the_rules(self, action, *word):
        """Let a colleague say something of one of the two, where that may be said."""
        name = f"crm:d{self.chance.randrange(2)}"
        with contextlib.suppress(StaleError):
            self.scene.store.write(
                lambda session: action(
                    session, self.scene.shelf.published(session), name, *word, now=self.now
                )
            )

    def reverts(self):
        """A colleague knows that something was put down to the wrong person."""
        if self.done:
            one = self.chance.choice(self.done)
            with contextlib.suppress(StaleError):
                self.scene.store.write(
                    lambda session: revert(session, one, "a namesake", now=self.now)
                )

    def differences(self):
        self.scene.weigh(now=self.now)
        with self.scene.store.read() as session:
            published = self.scene.shelf.published(session)
            return [*standing_differences(session, published, now=self.now)]

    def torn(self):
        """Return moves that do not begin where the one before ended."""
        last = dict.fromkeys(self.deals, "unaware")
        found = []
        for move in self.scene.moves():
            if move.from_phase != last[move.opportunity_id]:
                found.append(move)
            last[move.opportunity_id] = move.to_phase
        return found

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
    assert life.torn() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 250))
def test_what_is_kept_is_what_a_replay_gives_however_long(scene, seed):
    life = Life(scene, seed)
    for _ in range(20):
        for _ in range(10):
            life.step()

        assert life.differences() == []
        assert life.torn() == []


def test_who_deletes_all_standings_loses_nothing(scene):
    life = Life(scene, 7)
    for _ in range(30):
        life.step()
    scene.weigh(now=life.now)
    before, moves = life.phases(), len(scene.moves())
    scene.store.write(lambda session: session.execute(sa.delete(KeptStanding)))
    scene.store.write(lambda session: find_lost(session, now=life.now))
    scene.weigh(now=life.now)

    assert life.phases() == before
    assert len(scene.moves()) == moves
    assert life.differences() == []
