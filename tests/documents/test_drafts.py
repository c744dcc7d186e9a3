"""What marketers write in the Studio is judged as a file is, and published as one."""

import threading
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.accounts import actions as accounts
from regportal.accounts.audit import COMMAND
from regportal.accounts.roles import Role
from regportal.documents import drafts, history, previewing, releasing
from regportal.documents.actions import Signed
from regportal.documents.drafts import FieldFault, Piece
from regportal.documents.models import Draft, DraftState
from regportal.documents.releasing import publish_due, release
from regportal.errors import (
    BadRequestError,
    DocumentError,
    ForbiddenError,
    NotHereError,
    StaleError,
)
from regportal.forms.schema import Gate
from regportal.store.documents import DocumentVersion, Publication
from regportal.store.sessions import Store, make_engine
from tests.documents.conftest import NOON, SITE

WHOLE = (
    SITE
    + """\
questions:
  - {key: country, label: "Which country?", type: country}
  - {key: company, label: "Which company?", type: company}
assets:
  - {key: prices, title: Prices, category: price-list, file: prices.txt}
gates:
  - {key: prices, asset: prices, headline: All prices, questions: [country, company]}
"""
)
ANN, BOB = "ann@acme.example", "bob@acme.example"
CAT = "cat@acme.example"
APPROVED = SITE + "  publish: {approval: by-another}\n"
LATER = NOON + timedelta(days=1)


@pytest.fixture
def shop(desk):
    """A desk with one gate, published."""
    desk.add("prices.txt", b"1 EUR\n")
    desk.apply(WHOLE)
    return desk


def body(desk, kind, key):
    with desk.store.read() as session:
        return dict(history.body_of(session, kind, key, drafts.versions_now(session)[kind, key]))


def gate(desk, **changed):
    return Piece("gate", "prices", body(desk, "gate", "prices") | changed)


def begun(desk, *pieces, by=ANN):
    return desk.store.write(lambda session: drafts.begin(session, pieces, by, now=NOON)).id


def look(desk, *pieces):
    key = begun(desk, *pieces)
    with desk.store.read() as session:
        draft = drafts.draft_called(session, key)
        return drafts.look_at(session, drafts.pieces_of(session, draft))


def draft(desk, key):
    with desk.store.read() as session:
        return drafts.draft_called(session, key)


def do(desk, work, *args, **kwargs):
    return desk.store.write(lambda session: work(session, *args, **{"now": NOON, **kwargs}))


def publish(desk, key, by=ANN, note=None, revision=None):
    return do(desk, release, desk.storage, key, Signed(by, note), revision)


def due(desk, at=LATER):
    return publish_due(desk.store, desk.storage, now=at)


def headline(desk):
    return body(desk, "gate", "prices")["headline"]


# --- judged as a file is ---


def test_a_draft_is_published_as_a_new_version_with_who_and_why(shop):
    key = begun(shop, gate(shop, headline="Every price"))

    assert publish(shop, key, note="Clearer.") == 2
    assert headline(shop) == "Every price"
    assert draft(shop, key).state is DraftState.PUBLISHED
    with shop.store.read() as session:
        newest = session.get_one(Publication, 2)
        [now, before] = history.versions(session, "gate", "prices")
    assert (newest.by, newest.note) == (ANN, "Clearer.")
    assert (now.number, now.holds, before.holds) == (2, True, False)
    assert now.changes == ('headline: "All prices" becomes "Every price"',)


def test_every_fault_names_its_document_and_field(shop):
    question = {"label": "Region", "type": "region", "when": {"answer": {"question": "cuntry"}}}
    found = look(
        shop,
        gate(shop, headline="", per_visit="many"),
        Piece("question", "region", question),
    )
    empty = "is empty: give it a text, or remove the line"

    assert found.plan is None
    assert set(found.faults) == {
        FieldFault(("gate", "prices"), "headline", empty),
        FieldFault(("gate", "prices"), "per_visit", "must be a whole number, without quotes"),
        FieldFault(("question", "region"), "when.answer.in", "is missing"),
    }


def test_what_does_not_fit_between_documents_is_found_beside_its_field(shop):
    found = look(shop, gate(shop, questions=["country", "compny"], asset="pricess"))

    assert [(one.field, one.says) for one in found.faults] == [
        ("asset", "there is no asset called 'pricess'; did you mean 'prices'?"),
        ("questions[1]", "there is no question called 'compny'; did you mean 'company'?"),
    ]


def test_a_draft_says_what_the_file_says(shop):
    """The same words in a file and in a draft have the same faults."""
    said = {"key": "prices", "asset": "lst", "headline": "x" * 3000, "questions": ["country"] * 2}
    shop.write(WHOLE.replace("asset: prices, headline: All prices", "asset: lst, headline: H"))
    with pytest.raises(DocumentError) as file:
        shop.plan()
    found = look(shop, Piece("gate", "prices", said | {"headline": "H"}))

    assert {fault.says for fault in file.value.faults} <= {one.says for one in found.faults}
    assert ("questions[1]", "'country' is listed twice") in {
        (one.field, one.says) for one in found.faults
    }


@pytest.mark.parametrize(
    "hostile",
    [
        {"headline": "\x00"},
        {"headline": "\ud800"},
        {"headline": {"en": {"a": [1, None, True]}}},
        {"": "", "key": {"a": 1}, "asset": [], "questions": {"a": "b"}},
        {"content": {"sha256": "0" * 64}, "file": "../../etc/passwd"},
        {"a" * 5000: "b"},
        {"headline": "x" * 2_000_000},
    ],
    ids=range(7),
)
def test_nothing_that_is_written_breaks_the_look(shop, hostile):
    found = look(shop, Piece("gate", "prices", body(shop, "gate", "prices") | hostile))

    assert found.plan is None
    assert found.faults
    assert all(one.says.isprintable() for one in found.faults)


@pytest.mark.parametrize("key", ["", "a: b", "x gates: []", "[0]", "}{", "&a", "k" * 5000])
def test_a_key_is_never_read_as_anything_else(shop, key):
    found = look(shop, Piece("question", key, {"label": "Q", "type": "text"}))

    assert found.plan is None
    assert {one.field for one in found.faults} <= {"key", ""}


def test_a_text_stays_the_text_that_was_written(shop):
    for text in (
        "no",
        "null",
        "007",
        "12:30",
        "~",
        "*x",
        "- a\n- b",
        " leading",
        "a: b # c",
        "!!python/x &a *a",
        "€",
    ):
        found = look(shop, gate(shop, headline=text))

        assert found.plan is not None, found.faults
        assert found.plan.changed[0].body["headline"] == text


def test_a_field_that_is_left_empty_is_not_written(shop):
    found = look(shop, gate(shop, text=None, delivery=None))

    assert found.plan.is_empty()


@pytest.mark.parametrize(
    ("piece", "field"),
    [
        (Piece("gates", "prices", {}), "kind"),
        (Piece("site", "other", {}), "key"),
        (Piece("gate", "\x00", {}), "key"),
        (Piece("gate", "\ud800", {}), "key"),
    ],
)
def test_what_is_no_document_of_ours_is_refused(shop, piece, field):
    with pytest.raises(BadRequestError) as refused:
        begun(shop, piece)

    assert refused.value.field == field


def test_one_document_is_in_a_draft_once(shop):
    with pytest.raises(BadRequestError, match="in this draft already"):
        begun(shop, gate(shop), gate(shop))


# --- files ---


def kept(desk, content, name="new.txt"):
    file = desk.folder / name
    file.write_bytes(content)
    return desk.storage.take(file, name).model_dump(mode="json")


def test_an_asset_keeps_its_file_when_only_its_title_changes(shop):
    before = body(shop, "asset", "prices")
    publish(shop, begun(shop, Piece("asset", "prices", before | {"title": "Price list"})))
    after = body(shop, "asset", "prices")

    assert after["title"] == "Price list"
    assert after["content"] == before["content"]


def test_a_new_file_that_was_uploaded_is_a_new_version(shop):
    content = kept(shop, b"2 EUR\n")
    asset = body(shop, "asset", "prices") | {"content": content}
    publish(shop, begun(shop, Piece("asset", "prices", asset)))

    assert body(shop, "asset", "prices")["content"] == content


def test_no_file_of_the_machine_is_taken_for_one_that_was_uploaded(shop, monkeypatch):
    (shop.folder / "secret.txt").write_text("secret")
    monkeypatch.chdir(shop.folder)
    asset = {"title": "T", "category": "paper", "file": "secret.txt"}
    found = look(shop, Piece("asset", "secret", asset))

    assert [(one.field, one.says) for one in found.faults] == [
        ("file", "is not there yet: upload it")
    ]


def test_a_file_that_is_not_kept_is_not_published(shop):
    content = kept(shop, b"3 EUR\n") | {"sha256": "0" * 64}
    asset = body(shop, "asset", "prices") | {"content": content}
    key = begun(shop, Piece("asset", "prices", asset))

    with pytest.raises(DocumentError, match="upload it again"):
        publish(shop, key)
    assert body(shop, "asset", "prices")["content"]["sha256"] != "0" * 64


def test_what_is_no_film_is_not_played(shop):
    asset = body(shop, "asset", "prices") | {"content": kept(shop, b"text"), "show": "play"}
    found = look(shop, Piece("asset", "prices", asset))

    assert [one.field for one in found.faults] == ["show"]


# --- together, or not at all ---


def test_several_documents_are_published_together(shop):
    question = Piece("question", "size", {"label": "How many?", "type": "number"})
    publish(shop, begun(shop, gate(shop, questions=["country", "size"]), question))

    assert body(shop, "question", "size")["label"] == "How many?"
    with shop.store.read() as session:
        [newest, _] = history.releases(session, 10)
    assert newest.versions == ((("question", "size"), 1), (("gate", "prices"), 2))


def test_nothing_is_published_of_a_draft_with_a_fault(shop):
    question = Piece("question", "size", {"label": "How many?", "type": "nmber"})
    key = begun(shop, gate(shop, headline="New"), question)
    before = shop.everything()

    with pytest.raises(DocumentError, match="question size: type: 'nmber' is not one of"):
        publish(shop, key)
    assert shop.everything() == before


def test_a_document_that_somebody_published_since_is_looked_at_again(shop):
    first = begun(shop, gate(shop, headline="Ann's"))
    second = begun(shop, gate(shop, headline="Bob's"), by=BOB)
    publish(shop, second, BOB)

    with pytest.raises(DocumentError, match="somebody published it since: version 2 holds"):
        publish(shop, first)
    assert headline(shop) == "Bob's"

    do(
        shop,
        lambda session, now: drafts.begin_anew(session, session.get(Draft, first), ANN, now=now),
    )
    publish(shop, first)
    assert headline(shop) == "Ann's"


def test_other_documents_may_be_published_meanwhile(shop):
    key = begun(shop, gate(shop, headline="Every price"))
    shop.apply(WHOLE.replace("Which company", "Your company"))

    assert publish(shop, key) == 3


def test_who_looked_at_another_wording_does_not_publish_this_one(shop):
    key = begun(shop, gate(shop, headline="One"))
    seen = draft(shop, key).revision
    rewrite = partial(rewritten, shop, key)
    rewrite(gate(shop, headline="Two"))

    with pytest.raises(StaleError, match="changed since you looked"):
        publish(shop, key, revision=seen)
    assert publish(shop, key, revision=seen + 1) == 2


def on(key, work):
    """The work, on the draft of this key."""
    return lambda session, *args, now: work(session, session.get(Draft, key), *args, now=now)


def rewritten(desk, key, *pieces, by=ANN):
    do(
        desk,
        lambda session, now: drafts.rewrite(session, session.get(Draft, key), pieces, by, now=now),
    )


def test_what_is_published_is_not_published_again_nor_changed(shop):
    key = begun(shop, gate(shop, headline="Every price"))
    publish(shop, key)

    with pytest.raises(StaleError):
        publish(shop, key)
    with pytest.raises(StaleError):
        rewritten(shop, key, gate(shop, headline="Other"))
    with pytest.raises(StaleError):
        shop.store.write(lambda session: drafts.discard(session, session.get(Draft, key)))


@pytest.mark.parametrize("note", ["\x00", "\ud800", "x" * 2001])
def test_a_note_is_a_text_of_some_length(shop, note):
    key = begun(shop, gate(shop, headline="Every price"))

    with pytest.raises(BadRequestError) as refused:
        publish(shop, key, note=note)
    assert refused.value.field == "note"
    with pytest.raises(BadRequestError):
        do(shop, releasing.propose, key, ANN, note)
    assert headline(shop) == "All prices"


def test_a_draft_that_changes_nothing_is_not_published(shop):
    with pytest.raises(StaleError, match="Nothing in this draft"):
        publish(shop, begun(shop, gate(shop)))


def test_a_discarded_draft_is_gone(shop):
    key = begun(shop, gate(shop, headline="No"))
    shop.store.write(lambda session: drafts.discard(session, session.get(Draft, key)))

    with pytest.raises(NotHereError):
        draft(shop, key)
    with shop.store.read() as session:
        assert drafts.open_drafts(session) == []


def test_a_draft_in_force_is_the_set_that_would_hold(shop):
    with shop.store.read() as session:
        would = previewing.as_if(session, [gate(shop, headline="Every price")])

    assert would.one(Gate, "prices").headline == "Every price"
    assert would.version(Gate, "prices") == 2
    assert headline(shop) == "All prices"


def test_what_differs_from_what_holds_is_said_also_while_there_are_faults(shop):
    with shop.store.read() as session:
        said = drafts.changes_of(session, [gate(shop, asset="lst", questions=["company"])])

    assert said == {
        ("gate", "prices"): ['asset: "prices" becomes "lst"', 'questions: "country" is gone']
    }


# --- going back ---


def test_an_older_version_becomes_a_new_one(shop):
    shop.apply(WHOLE.replace("All prices", "Every price"))
    with shop.store.read() as session:
        piece = history.older(session, "gate", "prices", 1)
    publish(shop, begun(shop, piece))

    assert headline(shop) == "All prices"
    with shop.store.read() as session:
        assert [one.number for one in history.versions(session, "gate", "prices")] == [3, 2, 1]


def test_an_older_version_that_no_longer_fits_is_refused(shop):
    shop.apply(WHOLE.replace("questions: [country, company]", "questions: [country]"))
    shop.apply(
        WHOLE.replace("questions: [country, company]", "questions: [country]").replace(
            '  - {key: company, label: "Which company?", type: company}\n', ""
        ),
        prune=True,
    )

    with shop.store.read() as session, pytest.raises(DocumentError, match="no question called"):
        history.back_to(session, "gate", "prices", 1)


def test_an_archived_document_comes_back_as_a_new_version(shop):
    shop.apply(SITE, prune=True)
    with shop.store.read() as session:
        pieces = [
            history.older(session, *name, 1)
            for name in (
                ("gate", "prices"),
                ("asset", "prices"),
                ("question", "country"),
                ("question", "company"),
            )
        ]
    publish(shop, begun(shop, *pieces))

    assert headline(shop) == "All prices"
    with shop.store.read() as session:
        assert drafts.versions_now(session)["gate", "prices"] == 2


# --- later ---


def scheduled(desk, *pieces, at=LATER, by=ANN):
    key = begun(desk, *pieces, by=by)
    do(desk, releasing.schedule, key, at, Signed(by, "As announced."))
    return key


def test_a_scheduled_draft_is_published_when_its_time_has_come(shop):
    key = scheduled(shop, gate(shop, headline="Tomorrow"))

    assert due(shop, LATER - timedelta(seconds=1)) == LATER
    assert headline(shop) == "All prices"
    assert due(shop) is None
    assert headline(shop) == "Tomorrow"
    assert draft(shop, key).state is DraftState.PUBLISHED
    with shop.store.read() as session:
        newest = session.get_one(Publication, 2)
    assert (newest.by, newest.note, newest.at) == (ANN, "As announced.", LATER)


def test_many_workers_publish_it_once(shop, database_url):
    scheduled(shop, gate(shop, headline="Tomorrow"))
    scheduled(shop, Piece("question", "size", {"label": "How many?", "type": "number"}))
    together = threading.Barrier(4)

    def work():
        store = Store(make_engine(database_url))
        try:
            together.wait()
            publish_due(store, shop.storage, now=LATER)
        finally:
            store.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with shop.store.read() as session:
        assert session.scalars(sa.select(Publication.number)).all() == [1, 2, 3]
        assert len(session.scalars(sa.select(DocumentVersion.id)).all()) == 5 + 2
        assert drafts.open_drafts(session) == []


def test_what_no_longer_fits_stays_a_draft_with_the_reason(shop):
    key = scheduled(shop, gate(shop, headline="Tomorrow"))
    shop.apply(WHOLE.replace("All prices", "Every price"))
    due(shop)
    kept = draft(shop, key)

    assert headline(shop) == "Every price"
    assert (kept.state, kept.due) == (DraftState.OPEN, None)
    assert kept.trouble == (
        "gate prices: somebody published it since: version 2 holds, this began with 1"
    )


def test_one_that_does_not_fit_holds_up_no_other(shop):
    scheduled(shop, gate(shop, headline="First"))
    scheduled(shop, gate(shop, headline="Second"), at=LATER + timedelta(minutes=1))
    scheduled(
        shop,
        Piece("question", "size", {"label": "How many?", "type": "number"}),
        at=LATER + timedelta(minutes=2),
    )
    due(shop, LATER + timedelta(hours=1))

    assert headline(shop) == "First"
    assert body(shop, "question", "size")["label"] == "How many?"
    with shop.store.read() as session:
        assert [one.trouble is not None for one in drafts.open_drafts(session)] == [True]


def test_what_is_written_anew_is_no_longer_scheduled(shop):
    key = scheduled(shop, gate(shop, headline="Tomorrow"))
    rewritten(shop, key, gate(shop, headline="Never meant for tomorrow"))
    due(shop)

    assert headline(shop) == "All prices"
    assert draft(shop, key).state is DraftState.OPEN


def test_what_is_taken_back_stays_a_draft(shop):
    key = scheduled(shop, gate(shop, headline="Tomorrow"))
    shop.store.write(lambda session: releasing.unschedule(session, key))
    due(shop)

    assert headline(shop) == "All prices"


def test_nothing_is_scheduled_for_yesterday_nor_with_a_fault(shop):
    with pytest.raises(BadRequestError, match="has passed"):
        scheduled(shop, gate(shop, headline="Yesterday"), at=NOON)
    with pytest.raises(DocumentError):
        scheduled(shop, gate(shop, asset="lst"))


def test_what_is_published_before_its_time_is_published_once(shop):
    key = scheduled(shop, gate(shop, headline="Tomorrow"))
    assert publish(shop, key, BOB) == 2
    due(shop)

    with shop.store.read() as session:
        assert session.scalars(sa.select(Publication.number)).all() == [1, 2]


def test_who_writes_while_it_is_published_is_told(shop, database_url):
    """Either what he wrote is published, or he hears that it is too late: never a mixture."""
    key = begun(shop, gate(shop, headline="One"))
    together, told = threading.Barrier(2), []

    def write():
        store = Store(make_engine(database_url))
        try:
            together.wait()
            store.write(lambda session: again(session, gate(shop, headline="Two")))
        except StaleError as error:
            told.append(error)
        finally:
            store.close()

    def again(session, piece):
        drafts.rewrite(session, drafts.draft_called(session, key), [piece], BOB, now=NOON)

    writer = threading.Thread(target=write)
    writer.start()
    together.wait()
    publish(shop, key)
    writer.join()
    with shop.store.read() as session:
        [kept] = drafts.pieces_of(session, drafts.draft_called(session, key))

    assert kept.body["headline"] == headline(shop)
    assert bool(told) == (headline(shop) == "One")


# --- approved by another ---


@pytest.fixture
def careful(shop):
    """The same, where somebody else approves what is published."""
    shop.apply(WHOLE.replace(SITE, APPROVED))
    return shop


def test_nobody_approves_his_own_work(careful):
    key = begun(careful, gate(careful, headline="Mine"))
    with pytest.raises(ForbiddenError, match="somebody else"):
        publish(careful, key)
    with pytest.raises(ForbiddenError):
        publish(careful, key, BOB)  # nobody proposed it
    do(careful, releasing.propose, key, ANN, "Please look.")
    with pytest.raises(ForbiddenError):
        publish(careful, key)
    number = publish(careful, key, BOB)

    with careful.store.read() as session:
        release = session.get_one(Publication, number)
    assert (release.by, release.proposed_by, release.note) == (BOB, ANN, "Please look.")


@pytest.mark.parametrize("spelled", ["ANN@acme.example", " ann@acme.example ", "", " "])
def test_another_spelling_of_oneself_is_nobody_else(careful, spelled):
    key = begun(careful, gate(careful, headline="Mine"))
    do(careful, releasing.propose, key, ANN)

    with pytest.raises(ForbiddenError):
        publish(careful, key, spelled)


def test_who_changes_what_was_proposed_does_not_approve_it(careful):
    key = begun(careful, gate(careful, headline="Ann's"))
    do(careful, releasing.propose, key, ANN)
    rewritten(careful, key, gate(careful, headline="Bob's"), by=BOB)

    with pytest.raises(ForbiddenError):
        publish(careful, key, BOB)
    do(careful, releasing.propose, key, ANN)
    with pytest.raises(ForbiddenError):
        publish(careful, key, BOB)  # he wrote it
    assert headline(careful) == "All prices"


def hire(desk, email, role):
    """Let a colleague have one role."""

    def come(session):
        who = accounts.invite(session, email, email, [Role(role)], doer=COMMAND, now=NOON)
        who.password = "hashed"

    desk.store.write(come)


def test_where_owners_approve_it_takes_another_one_who_is_an_owner(shop):
    shop.apply(WHOLE.replace(SITE, SITE + "  publish: {approval: by-owner}\n"))
    hire(shop, ANN, "owner")
    hire(shop, BOB, "marketer")
    hire(shop, CAT, "owner")
    key = begun(shop, gate(shop, headline="Mine"))
    do(shop, releasing.propose, key, ANN)
    for who in (ANN, BOB, "nobody@acme.example", ""):
        with pytest.raises(ForbiddenError):
            publish(shop, key, who)
        with pytest.raises(ForbiddenError):
            do(shop, releasing.schedule, key, LATER, Signed(who))
    publish(shop, key, CAT.upper())

    assert headline(shop) == "Mine"


def test_an_owner_who_was_disabled_meanwhile_lets_nothing_hold_later(shop):
    shop.apply(WHOLE.replace(SITE, SITE + "  publish: {approval: by-owner}\n"))
    hire(shop, ANN, "owner")
    hire(shop, CAT, "owner")
    key = begun(shop, gate(shop, headline="Mine"))
    do(shop, releasing.propose, key, ANN)
    do(shop, releasing.schedule, key, LATER, Signed(CAT))
    with shop.store.read() as session:
        cat = accounts.user_called(session, CAT).id
    do(shop, accounts.set_active, cat, active=False, doer=COMMAND)
    due(shop)

    assert headline(shop) == "All prices"
    assert "an owner" in draft(shop, key).trouble


def test_a_draft_that_lifts_the_approval_is_approved_itself(careful):
    site = body(careful, "site", "site") | {"publish": {"approval": "off"}}
    key = begun(careful, Piece("site", "site", site))

    with pytest.raises(ForbiddenError):
        publish(careful, key)


def test_nobody_schedules_his_own_work_either(careful):
    key = begun(careful, gate(careful, headline="Mine"))
    with pytest.raises(ForbiddenError):
        do(careful, releasing.schedule, key, LATER, Signed(ANN))
    do(careful, releasing.propose, key, ANN)
    do(careful, releasing.schedule, key, LATER, Signed(BOB))
    due(careful)

    assert headline(careful) == "Mine"


def test_what_was_scheduled_before_approval_was_asked_for_waits_for_it(shop):
    key = scheduled(shop, gate(shop, headline="Mine"))
    shop.apply(WHOLE.replace(SITE, APPROVED))
    due(shop)

    assert headline(shop) == "All prices"
    assert "somebody else" in draft(shop, key).trouble
