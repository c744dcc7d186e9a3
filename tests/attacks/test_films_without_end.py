"""Telling of films by the thousand, in splinters, so that what is remembered grows for ever."""

from regportal.buying.facts import Watched
from regportal.buying.films import MOST_FILMS, MOST_PIECES, MOST_TOLD, Films, watched_in
from regportal.store.compact import write_json

LENGTH = 3_600_000


def splinters(offset):
    """A hundred stretches of a tenth of a second each, as many as one event may tell."""
    return Watched(tuple((start, start + 100) for start in range(offset, LENGTH, 36_000)), LENGTH)


def told(films, who, titles, events):
    """Let somebody tell so much of so many films."""
    for number in range(events):
        for title in range(titles):
            films.watch(who, f"film {title}", splinters(200 * number), number, f"{who} {number}")


def test_what_is_remembered_of_one_person_stays_small():
    films = Films()
    told(films, "eve", titles=3 * MOST_FILMS, events=12)

    assert len(films.each) == MOST_FILMS
    assert max(len(film.pieces) for film in films.each.values()) == MOST_PIECES
    assert len(write_json(films.written())) < 60 * MOST_FILMS * MOST_PIECES


def test_and_costs_nobody_else_what_was_remembered_of_him():
    films = Films()
    films.watch("ann", "tour", Watched(((0, LENGTH),), LENGTH), 1, "ann's")
    told(films, "eve", titles=2 * MOST_FILMS, events=3)

    [ring] = films.rings(100, "any_contact")
    assert ring.ids == [("ann's",)]


def test_a_splinter_never_counts_for_more_than_it_is():
    films = Films()
    told(films, "eve", titles=1, events=40)

    assert films.each["eve", "film 0"].seen() <= 100 * MOST_PIECES * 100 // LENGTH


def test_of_what_is_told_at_once_the_longest_stretches_count():
    told = [[10 * number, 10 * number + 1 + number % 9] for number in range(90)]
    stretches = watched_in("video_watch", {"watched": told, "duration": 900}).stretches

    assert len(stretches) == MOST_TOLD
    assert {end - start for start, end in stretches} == {9_000}
    assert list(stretches) == sorted(stretches)
