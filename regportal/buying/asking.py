"""What a rule asks for, and what is still missing of it, in words that people read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

from regportal.buying.facts import when
from regportal.buying.lacking import Behind, Lack, Missing
from regportal.buying.schema import Condition, Prefix, Where
from regportal.buying.vocabulary import Answer, Crm
from regportal.buying.voice import ENGLISH, Voice
from regportal.store.words import N_, NN_

NOUNS = {
    "page_view": NN_("page view", "page views"),
    "price_lookup": NN_("price lookup", "price lookups"),
    "download": NN_("download", "downloads"),
    "video_watch": NN_("video play", "video plays"),
    "search": NN_("search", "searches"),
    "share": NN_("share", "shares"),
    "form": NN_("filled-in form", "filled-in forms"),
    "reply": NN_("reply", "replies"),
    "call": NN_("call", "calls"),
    "meeting": NN_("meeting", "meetings"),
    "purchase": NN_("purchase", "purchases"),
    "ticket": NN_("ticket", "tickets"),
}
"""What a deed is called."""
OF_A_SITE = NN_("%(noun)s", "%(noun)ss")
"""What a deed is called that a site has named itself."""
OF = N_("%(deeds)s of %(what)s")
ABOUT = {
    "search": N_("%(deeds)s for %(what)s"),
    "reply": N_("%(deeds)s to %(what)s"),
} | dict.fromkeys(("form", "call", "meeting", "ticket"), N_("%(deeds)s about %(what)s"))
MANY = {
    "same_contact": N_("%(deeds)s by one person"),
    "distinct_contacts": N_("%(deeds)s by different people"),
}
MORE = {
    "same_contact": N_("%(deeds)s by the same person"),
    "distinct_contacts": N_("%(deeds)s by somebody else"),
}
"""By whose deeds count who must do them, all or the rest."""
SOME = NN_("a %(noun)s", "%(num)d %(noun)s")
AN = NN_("an %(noun)s", "%(num)d %(noun)s")
WITHIN = {
    "s": NN_("%(deeds)s within %(num)d second", "%(deeds)s within %(num)d seconds"),
    "m": NN_("%(deeds)s within %(num)d minute", "%(deeds)s within %(num)d minutes"),
    "h": NN_("%(deeds)s within %(num)d hour", "%(deeds)s within %(num)d hours"),
    "d": NN_("%(deeds)s within %(num)d day", "%(deeds)s within %(num)d days"),
    "mo": NN_("%(deeds)s within %(num)d month", "%(deeds)s within %(num)d months"),
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells what is missing, in a language and by a clock."""

    voice: Voice = ENGLISH
    title_of: Callable[[str], str] = str
    """What people call an asset or a page."""

    def tell(self, missing: Missing) -> str:
        """
        Return what is missing, in words.

        >>> from regportal.buying.lacking import Lacks
        >>> teller = Teller()
        >>> call = Lack(Condition.model_validate({"event": "call", "within": "7d"}))
        >>> silent = Lack(Condition.model_validate({"quiet": {"for": "30d"}}))
        >>> teller.tell(Lacks("all", (call, Lacks("any", (silent, call)))))
        'a call within 7 days (0 of 1), and [nobody does anything for 30 days, or a call within
        7 days (0 of 1)]'
        """
        if isinstance(missing, Behind):
            return self._behind(missing)
        if isinstance(missing, Lack):
            return self._unwanted(missing) if missing.unwanted else self._lack(missing)
        glue = N_("%(one)s, or %(other)s") if missing.how == "any" else N_("%(one)s, and %(other)s")
        parts = (
            self.tell(part) if isinstance(part, (Lack, Behind)) else f"[{self.tell(part)}]"
            for part in missing.parts
        )
        return reduce(lambda one, other: self.voice.says(glue, one=one, other=other), parts)

    def _lack(self, lack: Lack) -> str:
        """Return what is missing of a condition that must hold."""
        says, condition, until = self.voice.says, lack.condition, lack.until
        if condition.quiet and until is not None:
            return says(N_("nobody does anything until %(when)s"), when=self._moment(until))
        if not condition.event:
            return self.asked(condition)
        counted: dict[str, object] = {"have": lack.have, "least": condition.count.at_least}
        counted["deeds"] = self.asked(condition) if until is None else self._more(lack, until)
        if lack.spent is None and lack.seen:
            nearly = N_("%(deeds)s (%(have)d of %(least)d; %(share)s of one so far)")
            return says(nearly, share=self.voice.share(lack.seen), **counted)
        if lack.spent is None:
            return says(N_("%(deeds)s (%(have)d of %(least)d)"), **counted)
        spent = N_("%(deeds)s (%(have)d of %(least)d; what was done until %(when)s is spent)")
        return says(spent, when=self._moment(lack.spent), **counted)

    def _more(self, lack: Lack, until: int) -> str:
        """Return what must be done yet, before the first that was done is too old."""
        condition, number = lack.condition, lack.condition.count.at_least - lack.have
        more = NN_("%(num)d more %(noun)s", "%(num)d more %(noun)s")
        deeds = self.voice.counts(more, number, noun=self._noun(condition, number))
        deeds = self._by(MORE, condition, self._about(condition, deeds))
        until_when = {"deeds": deeds, "when": self._moment(until)}
        return self.voice.says(N_("%(deeds)s until %(when)s"), **until_when)

    def _unwanted(self, lack: Lack) -> str:
        """Return what must end, and when it does."""
        says, condition = self.voice.says, lack.condition
        several = condition.count.at_least > 1
        if condition.quiet:
            return says(N_("somebody does something"))
        if condition.event and several:
            said = says(N_("fewer than %(asked)s"), asked=self.asked(condition))
        elif condition.field or condition.crm:
            said = says(N_("not %(asked)s"), asked=self.asked(condition))
        else:
            said = self.asked(condition, unwanted=True)
        if lack.until is None or condition.role:
            return said
        there = (
            N_("%(said)s (there are so many until %(when)s)")
            if several
            else N_("%(said)s (there is such a one until %(when)s)")
        )
        return says(there, said=said, when=self._moment(lack.until))

    def _behind(self, behind: Behind) -> str:
        """Return how many more must come as far."""
        quorum, missing = behind.quorum, behind.steps
        if quorum.roles is not None:
            who = self.voice.either(
                [self._one(self.voice.role(role)) for role in sorted(quorum.roles)]
            )
            return self.voice.says(N_("%(who)s must come as far by himself"), who=who)
        counted = {"have": behind.have, "least": quorum.least}
        if quorum.weights is not None:
            weights = self.voice.listed(
                f"{self.voice.role(role)} {weight}" for role, weight in quorum.weights.items()
            )
            heavier = N_(
                "people who weigh %(missing)s more must come as far by themselves"
                " (%(have)d of %(least)d: %(weights)s)"
            )
            return self.voice.says(heavier, missing=missing, weights=weights, **counted)
        first = NN_(
            "%(num)d person must come as far by himself (%(have)d of %(least)d)",
            "%(num)d people must come as far by themselves (%(have)d of %(least)d)",
        )
        more = NN_(
            "%(num)d more person must come as far by himself (%(have)d of %(least)d)",
            "%(num)d more people must come as far by themselves (%(have)d of %(least)d)",
        )
        return self.voice.counts(more if behind.have else first, missing, **counted)

    # --- one condition ---

    def asked(self, condition: Condition, *, unwanted: bool = False) -> str:
        """
        Return what a condition asks for, or that it must not be so where it is ``unwanted``.

        >>> taken = {"event": "download", "where": {"category": ["order-form", "contract"]}}
        >>> often = {"event": "price_lookup", "count": {"at_least": 3}, "by": "same_contact"}
        >>> known = {"answer": {"question": "timeframe", "in": ["0-3m", "3-6m"], "within": "9d"}}
        >>> lately = {"crm": {"stage": "Recycled", "within": "30d"}}
        >>> held = {"field": {"name": "country", "in": ["DE", "AT"]}}
        >>> seen = {"event": "video_watch", "where": {"category": "demo"}, "watched": "75%"}
        >>> often |= {"within": "14d"}
        >>> for told in (taken, often, seen, known, lately, held, {"role": "user"}):
        ...     print(Teller().asked(Condition.model_validate(told)))
        a download of an order form or a contract within 730 days
        3 price lookups by one person within 14 days
        a video play of a demo to at least 75% within 730 days
        an answer to timeframe (0-3m or 3-6m) that is not older than 9 days
        the stage Recycled in the CRM for less than 30 days
        country: AT or DE
        somebody in the part of user
        """
        if condition.event:
            return self._done(condition, unwanted=unwanted)
        return self._known(condition, unwanted=unwanted)

    def _known(self, condition: Condition, *, unwanted: bool) -> str:
        """Return what must be known, or not, without anybody's doing anything."""
        if condition.quiet:
            long = self.voice.long(condition.quiet.span)
            return self.voice.says(N_("nobody does anything for %(span)s"), span=long)
        if condition.answer:
            return self._answer(condition.answer, unwanted=unwanted)
        if condition.score:
            score: dict[str, object] = {"least": condition.score.at_least}
            score["score"] = self.voice.label("score", condition.score.name)
            wanted = N_("a score of at least %(least)d in %(score)s")
            none = N_("no score of at least %(least)d in %(score)s")
            return self.voice.says(none if unwanted else wanted, **score)
        if condition.field:
            known = self.voice.either(sorted(condition.field.wanted or ()))
            anything = self.voice.says(N_("anything known"))
            return f"{condition.field.name}: {known or anything}"
        if condition.crm:
            return self._stage(condition.crm)
        roles = (condition.role,) if isinstance(condition.role, str) else condition.role or ()
        somebody, nobody = (
            N_("somebody in the part of %(role)s"),
            N_("nobody in the part of %(role)s"),
        )
        return self.voice.says(
            nobody if unwanted else somebody, role=self.voice.either([*map(self.voice.role, roles)])
        )

    def _done(self, condition: Condition, *, unwanted: bool) -> str:
        """Return what must be done or not, how often, by whom and within how long."""
        deeds = self.done(condition, unwanted=unwanted)
        digits = condition.within.rstrip("smhdo")
        forms = WITHIN[condition.within.removeprefix(digits)]
        return self.voice.counts(forms, int(digits), deeds=deeds)

    def done(self, condition: Condition, *, unwanted: bool = False) -> str:
        """
        Return what is to be done, how often and by whom, whenever that was.

        >>> Teller().done(Condition(event="download", where={"category": "price-list"}))
        'a download of a price list'
        """
        least = condition.count.at_least
        noun = self._noun(condition, least)
        if least > 1:
            often = self.voice.counts(SOME, least, noun=noun)
        else:
            often = self.voice.says(N_("no %(what)s"), what=noun) if unwanted else self._one(noun)
        deeds = self._about(condition, often)
        return self._by(MANY, condition, deeds) if least > 1 else deeds

    def _about(self, condition: Condition, deeds: str) -> str:
        """Return what is to be done with what it must be about, and how much of a film."""
        says = self.voice.says
        about = self._what(condition.where) if condition.where else ""
        if about:
            deeds = says(ABOUT.get(str(condition.event), OF), deeds=deeds, what=about)
        if condition.share is None:
            return deeds
        so_much = N_("%(deeds)s to at least %(share)s")
        return says(so_much, deeds=deeds, share=self.voice.share(condition.share))

    def _what(self, where: Where) -> str:
        """Return what it must be about."""
        says = self.voice.says
        told = ""
        if isinstance(where.category, Prefix):
            prefix = where.category.prefix
            told = says(N_("a category that begins with %(prefix)s"), prefix=prefix)
        elif where.category is not None:
            words = (says(name.replace("-", " ")) for name in where.categories)
            told = self.voice.either([self._one(each) for each in words])
        things = where.object
        if isinstance(things, Prefix):
            named = says(N_("what begins with %(prefix)s"), prefix=things.prefix)
        else:
            listed = (things,) if isinstance(things, str) else things or ()
            named = self.voice.either([self.title_of(each) for each in listed])
        return f"{told} ({named})" if told and named else told or named

    def _by(self, whom: Mapping[str, str], condition: Condition, deeds: str) -> str:
        """Return what is to be done with who must do it."""
        says = whom.get(condition.by)
        return self.voice.says(says, deeds=deeds) if says else deeds

    def _noun(self, condition: Condition, number: int) -> str:
        """Return what a deed is called, once or several times."""
        kind = str(condition.event)
        noun = kind.removeprefix("custom:")
        return self.voice.counts(NOUNS.get(kind, OF_A_SITE), number, noun=noun)

    def _one(self, noun: str) -> str:
        """
        Return one of something.

        >>> Teller()._one("order form"), Teller()._one("contract")
        ('an order form', 'a contract')
        """
        return self.voice.counts(AN if noun[:1].lower() in {*"aeiou"} else SOME, 1, noun=noun)

    def _answer(self, answer: Answer, *, unwanted: bool) -> str:
        """Return which answer a condition asks for."""
        says = self.voice.says
        head = N_("no answer to %(question)s") if unwanted else N_("an answer to %(question)s")
        told = says(head, question=self.voice.label("question", answer.question))
        bounds = {
            N_("at least %(limit)d"): answer.at_least,
            N_("at most %(limit)d"): answer.at_most,
        }
        ranged = [says(how, limit=limit) for how, limit in bounds.items() if limit is not None]
        named = [self.voice.answer(answer.question, each) for each in sorted(answer.wanted or ())]
        said = self.voice.either(named) or self.voice.both(ranged)
        if said:
            told = f"{told} ({said})"
        if not answer.within:
            return told
        young = {"answer": told, "span": self.voice.long(answer.within)}
        return says(N_("%(answer)s that is not older than %(span)s"), **young)

    def _stage(self, crm: Crm) -> str:
        """Return where the seller must stand."""
        stages = self.voice.either(sorted(crm.stages or ()))
        named = N_("the stage %(stage)s in the CRM") if stages else N_("the stage in the CRM")
        told = self.voice.says(named, stage=stages)
        if not crm.within:
            return told
        lately = {"stage": told, "span": self.voice.long(crm.within)}
        return self.voice.says(N_("%(stage)s for less than %(span)s"), **lately)

    def _moment(self, at: int) -> str:
        """Return a moment as people say it."""
        return self.voice.moment(when(at))
