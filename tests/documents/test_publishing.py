import re
import threading

import pytest
import sqlalchemy as sa

from regportal.documents import actions, planning
from regportal.errors import DocumentError, NotHereError
from regportal.forms.schema import Gate, Question
from regportal.library.schema import Asset
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication, Shelf
from tests.documents.conftest import NOON, SITE

QUESTIONS = """\
questions:
  - {key: country, label: Which country, type: country}
  - key: size
    label: How large
    type: choice
    choices: {zebra: Very large, b: Large, aa: Small, c: Tiny}
"""
ASSETS = """\
assets:
  - {key: prices, title: Prices, category: price-list, file: files/prices.txt}
  - {key: paper, title: Paper, category: paper, url: https://acme.example/paper}
"""
GATES = """\
gates:
  - {key: prices, asset: prices, headline: All prices, questions: [country, size]}
"""
WHOLE = SITE + QUESTIONS + ASSETS + GATES


@pytest.fixture
def shop(desk):
    desk.write(WHOLE)
    desk.add("files/prices.txt", b"1 EUR\n")
    return desk


def names(found):
    return [getattr(one, "name", one) for one in found]


def versions(desk):
    with desk.store.read() as session:
        return {
            (row.kind, row.key, row.number): row.body
            for row in session.scalars(sa.select(DocumentVersion))
        }


def published(desk):
    with desk.store.read() as session:
        return Shelf().published(session)


def test_a_plan_writes_nothing(shop):
    before = shop.everything()
    shop.plan()

    assert shop.everything() == before
    assert not shop.folder.with_name("storage").exists()


def test_what_is_applied_holds_in_the_order_it_was_written(shop):
    assert shop.apply() == 1

    held = published(shop)
    assert [question.key for question in held.all(Question)] == ["country", "size"]
    assert list(held.one(Question, "size").choices) == ["zebra", "b", "aa", "c"]
    assert held.one(Gate, "prices").per_visit == 1


def test_the_bytes_of_a_file_are_kept_under_their_hash(shop):
    shop.apply()
    content = published(shop).one(Asset, "prices").content

    assert (content.name, content.size) == ("prices.txt", 6)
    with shop.storage.open(content.sha256) as file:
        assert file.read() == b"1 EUR\n"


def test_applying_the_same_again_changes_nothing(shop):
    shop.apply()
    before = shop.everything()

    assert shop.plan().is_empty()
    assert shop.apply() is None
    assert shop.everything() == before


def test_only_what_changed_becomes_a_new_version(shop):
    shop.apply()
    plan = shop.write(WHOLE.replace("All prices", "Every price")).plan()

    assert [(one.key, one.before, one.after) for one in plan.changed[0].differences] == [
        ("headline", "All prices", "Every price")
    ]
    assert len(plan.unchanged) == 5
    assert shop.publish(plan) == 2
    assert versions(shop)["gate", "prices", 1]["headline"] == "All prices"
    assert versions(shop)["gate", "prices", 2]["headline"] == "Every price"
    assert len(versions(shop)) == 7


def test_the_order_of_choices_is_a_change(shop):
    shop.apply()
    plan = shop.write(WHOLE.replace("zebra: Very large, b: Large", "b: Large, zebra: Very large"))

    assert names(plan.plan().changed) == [("question", "size")]


def test_new_bytes_under_the_same_key_are_a_new_version(shop):
    shop.apply()
    shop.add("files/prices.txt", b"2 EUR\n")
    plan = shop.plan()

    assert names(plan.changed) == [("asset", "prices")]
    assert [one.key for one in plan.changed[0].differences] == ["file"]
    shop.publish(plan)
    assert published(shop).version(Asset, "prices") == 2


def test_a_file_that_moved_to_another_folder_is_no_change(shop):
    shop.apply()
    shop.add("elsewhere/prices.txt", b"1 EUR\n")

    assert shop.write(WHOLE.replace("files/", "elsewhere/")).plan().is_empty()


def test_what_the_file_leaves_out_stays_and_is_listed(shop):
    shop.apply()
    plan = shop.write(QUESTIONS).plan()

    assert plan.is_empty()
    assert plan.absent == (
        ("site", "site"),
        ("asset", "prices"),
        ("asset", "paper"),
        ("gate", "prices"),
    )


def test_prune_archives_what_the_file_leaves_out(shop):
    shop.apply()
    plan = shop.write(WHOLE.replace("  - {key: paper", "#")).plan(prune=True)

    assert plan.archived == (("asset", "paper"),)
    shop.publish(plan)
    assert published(shop).find(Asset, "paper") is None
    assert ("asset", "paper", 1) in versions(shop)


def test_what_was_archived_can_come_back_as_its_next_version(shop):
    shop.apply()
    shop.apply(WHOLE.replace("  - {key: paper", "#"), prune=True)
    shop.apply(WHOLE)

    assert published(shop).version(Asset, "paper") == 2


def test_the_site_is_never_pruned(shop):
    shop.apply()

    with pytest.raises(DocumentError, match=r"regportal\.yaml:1: site: is missing"):
        shop.apply(QUESTIONS, prune=True)


def test_another_order_is_published_without_new_versions(shop):
    shop.apply()
    head, first, second = QUESTIONS.partition(
        "  - {key: country, label: Which country, type: country}\n"
    )
    plan = shop.write(SITE + head + second + first + ASSETS + GATES).plan()

    assert (plan.reordered, plan.changed) == (("question",), ())
    shop.publish(plan)
    assert [question.key for question in published(shop).all(Question)] == ["size", "country"]
    assert len(versions(shop)) == 6


def test_a_part_of_the_documents_is_checked_against_what_is_published(shop):
    shop.apply()
    gate = "gates:\n  - {key: second, asset: paper, headline: H, questions: [country]}\n"

    assert shop.apply(gate) == 2


def test_a_change_that_would_break_what_is_published_is_refused(shop):
    shop.apply()
    shop.apply(
        "questions:\n  - key: why\n    label: Why\n    type: text\n"
        "    when: {answer: {question: size, in: [zebra]}}\n"
    )

    with pytest.raises(DocumentError, match=r"questions: why \(published before\).*zebra"):
        shop.apply(QUESTIONS.replace("zebra", "zebu"))


def test_a_plan_is_refused_when_somebody_published_since(shop):
    shop.apply()
    stale = shop.write(WHOLE.replace("All prices", "One")).plan()
    shop.apply(WHOLE.replace("All prices", "Two"))
    before = shop.everything()

    with pytest.raises(DocumentError, match="somebody published since this plan: plan again"):
        shop.publish(stale)
    assert shop.everything() == before


def test_of_many_who_apply_the_same_plan_at_once_one_publishes(shop):
    plan = shop.plan()
    outcomes = []
    start = threading.Barrier(8)

    def publish():
        start.wait()
        try:
            outcomes.append(shop.publish(plan))
        except DocumentError:
            outcomes.append("refused")

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, outcomes)) == ["1", *["refused"] * 7]
    with shop.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Publication)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(CurrentDocument)) == 6


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("file: files/prices.txt, show: play", "files/prices.txt is no film that browsers play"),
        ("file: files/film.mp4, show: both", "files/film.mp4 is no film that browsers play"),
        ("url: 'https://acme.example/film', show: play", "show is about a file"),
        ("file: files/prices.txt, show: loop", "'loop' is not one of play, download, both"),
    ],
)
def test_only_a_film_can_be_played(shop, line, says):
    shop.add("files/film.mp4", b"<script>alert(1)</script>")
    shop.write(WHOLE.replace("file: files/prices.txt", line))

    with pytest.raises(DocumentError, match=re.escape(says)):
        shop.plan()


def test_a_film_is_played_unless_its_document_says_otherwise(shop):
    shop.add("files/film.mp4", b"\0\0\0\x20ftypisom")
    plays = []
    for show in ("", ", show: both", ", show: download", ", show: play"):
        shop.write(WHOLE.replace("files/prices.txt", f"files/film.mp4{show}")).apply()
        plays.append(published(shop).one(Asset, "prices").plays)

    assert plays == [True, True, False, True]


def test_a_file_that_changes_between_plan_and_apply_is_refused(shop):
    plan = shop.plan()
    shop.add("files/prices.txt", b"3 EUR\n")
    before = shop.everything()

    with pytest.raises(DocumentError, match=r"assets\[0\]\.file: the file changed"):
        shop.publish(plan)
    assert shop.everything() == before


BROKEN = {
    "a fault in the last line": WHOLE + "scoring: []\n",
    "a reference to nothing": WHOLE.replace("asset: prices,", "asset: nothing,"),
    "a file that is missing": WHOLE.replace("files/prices", "files/missing"),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_fault_anywhere_leaves_the_database_as_it_was(shop, text):
    shop.apply(WHOLE.replace("All prices", "Before"))
    before = shop.everything()

    with pytest.raises(DocumentError):
        shop.apply(text)
    assert shop.everything() == before


def test_a_write_that_fails_halfway_leaves_the_database_as_it_was(shop):
    plan, before = shop.plan(), shop.everything()
    contents = actions._take(shop.storage, plan)

    def work(session):
        actions.publish(session, plan, contents, now=NOON)
        raise RuntimeError("the machine stumbles")

    with pytest.raises(RuntimeError):
        shop.store.write(work)
    assert shop.everything() == before


def test_nothing_can_be_exported_before_the_first_publication(desk):
    with pytest.raises(NotHereError, match="nothing is published yet"):
        desk.export()


def test_a_running_portal_sees_a_publication_at_its_next_look(shop):
    shelf = Shelf()
    shop.apply()
    with shop.store.read() as session:
        first = shelf.published(session)
    shop.apply(WHOLE.replace("All prices", "Every price"))
    with shop.store.read() as session:
        second = shelf.published(session)

    assert first.one(Gate, "prices").headline == "All prices"
    assert second.one(Gate, "prices").headline == "Every price"


LETTERS = """\
newsletters:
  - {key: news, title: News, wording: Send me the news., %s}
"""


def test_a_plan_says_what_a_change_of_basis_means(desk):
    desk.apply(SITE + LETTERS % "basis: consent")
    same = desk.write(SITE + LETTERS % "owner: Sales").plan()
    other = desk.write(SITE + LETTERS % "basis: legitimate-interest").plan()

    assert [one for one in same.remarks if "basis" in one] == []
    (says,) = [one for one in other.remarks if "basis" in one]
    assert says == (
        "the newsletter 'news' goes from the basis consent to legitimate-interest: lines written"
        " into the ledger from now on say so, older ones keep theirs, and nobody may be written to"
        " who may not be already"
    )


@pytest.mark.parametrize("basis", ["vital-interest", "Consent", "art-6"])
def test_a_basis_we_do_not_know_is_refused(desk, basis):
    with pytest.raises(DocumentError, match="is not one of consent, contract"):
        desk.apply(SITE + LETTERS % f"basis: {basis}")


CRM = SITE + "connectors:\n  - {{key: crm, url: 'https://crm.example/in', secret: 'env:S', {}}}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("type: webhok", r"connectors\[0\]\.type: 'webhok' (is not one|cannot stand).*webhook"),
        (
            "type: webhook, database: acme",
            r"database: has no meaning for a connector of type webhook",
        ),
        ("type: odoo", r"database: is missing: a connector of type odoo needs it"),
        (
            "type: tryton, database: acme, account: '62515'",
            r"account: has no meaning for a connector of type tryton",
        ),
        (
            "type: hubspot, version: v3",
            r"version: 'v3' is no version of hubspot: they are like 2026-09",
        ),
        (
            "type: webhook, fields: {a: b}, policies: {c: never}",
            r"policies: has no meaning for a connector of type webhook",
        ),
    ],
)
def test_a_connector_says_what_its_type_needs_and_cannot_use(desk, words, says):
    with pytest.raises(DocumentError, match=says):
        desk.apply(CRM.format(words))


def test_a_type_that_went_away_does_not_stop_what_is_published(desk, monkeypatch):
    desk.apply(CRM.format("type: webhook"))
    monkeypatch.setattr(planning, "installed_types", lambda: frozenset({"other"}))
    desk.apply(SITE)  # says nothing of connectors
    with pytest.raises(DocumentError, match="'webhook' cannot stand here: only other can"):
        desk.apply(CRM.format("type: webhook"))
