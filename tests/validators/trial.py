"""Random questions to resolvers while endpoints go down and up; replies are held against what the unsigned zone says.

    for each flip:  order it -> wait until the server says so -> every resolver is asked its share -> replies are judged

A resolver keeps an answer for its TTL, so what was decided until then is right too (`States`). For a name that nobody
has asked before nothing is kept.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
from dns.rdatatype import RdataType

from tests.validators.decisions import FEW, MANY, Decisions, Down, Outcome
from tests.validators.known_faults import KnownFault, known_fault
from tests.validators.questions import NETWORKS, UNCOMPARED, Question, Questions
from tests.validators.resolvers import Bind, Resolver
from tests.validators.signed_world import HASHED, INSECURE_CUT, RULED_TTL_S, SECURE_CUT, SIGNED, STEERED_WILDCARDS

ANSWER_S = 15.0
KEPT_S = RULED_TTL_S + 1.5  # resolvers count whole seconds
FRESH_S = 0.3
HOPS = 12
TOLD_TIMES = 20  # a trial tells how far it is
CO_FLAG = 0x4000  # RFC 9824 section 5.1
NOTHING = "NOERROR", "NXDOMAIN"
ADDRESSES = dns.rdatatype.A, dns.rdatatype.AAAA
SIGNATURES = frozenset({dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3})


@dataclass(slots=True)
class States:
    """Which endpoints were down from when to when (monotonic seconds); the last state has no end."""

    known: list[tuple[float, float, Down]]

    def begin(self, down: Down) -> None:
        """From now on this may be so too."""
        self.known.append((time.monotonic(), float("inf"), down))

    def settle(self) -> None:
        """The last state is so; the one before is no more."""
        now_s = time.monotonic()
        begun_s, _, down = self.known[-2]
        self.known[-2] = begun_s, now_s, down

    def within(self, since_s: float, until_s: float) -> list[Down]:
        """Return the states of a time, the latest first."""
        found = [down for begun_s, ended_s, down in self.known if begun_s <= until_s and ended_s >= since_s]
        return list(dict.fromkeys(reversed(found)))


@dataclass(slots=True)
class Report:
    """What came of the questions to one resolver. `known`: what is wrong, and explained by a fault that it has with
    anybody's zone (known_faults.py); `wrong`: what is not."""

    asked: int = 0
    secure: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    known: list[tuple[KnownFault, str]] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        faults = "".join(
            f", {count} by a fault of its own: {fault.name} (findings/{fault.finding}.sh)"
            for fault, count in Counter(fault for fault, _ in self.known).items()
        )
        return f"{self.asked} asked, {self.secure} secure; {told}; {len(self.wrong)} wrong{faults}"


class Below:
    """The zones below cuts, which the servers under test do not serve."""

    def __init__(self, zones: Mapping[str, dns.zone.Zone]) -> None:
        self._zones = {dns.name.from_text(apex): zone for apex, zone in zones.items()}

    def outcome(self, name: dns.name.Name, rtype: RdataType) -> Outcome | None:
        """Return what a name below a cut gives; None for any other."""
        apex = next((apex for apex in self._zones if name.is_subdomain(apex)), None)
        if apex is None or (name == apex and rtype == dns.rdatatype.DS):
            return None
        zone = self._zones[apex]
        rdataset = zone.get_rdataset(name, rtype)
        if rdataset is not None:
            return Outcome(
                "NOERROR", frozenset({(dns.rdatatype.to_text(rtype), frozenset(str(one).lower() for one in rdataset))})
            )
        exists = any(owner.is_subdomain(name) for owner in zone.nodes)
        return Outcome("NOERROR" if exists else "NXDOMAIN", frozenset())


class Trial:
    """Resolvers, the server that they ask, and what it decides."""

    def __init__(
        self,
        decisions: Decisions,
        below: Below,
        resolvers: Sequence[Resolver],
        order: Callable[[str, bool], None],
        compact: Collection[str],
        seed: int,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`order` puts an endpoint (POOL/NAME) down or up at the server and returns when it is; in the `compact` zones
        denial is compact, so that NXDOMAIN is told as NOERROR; `tell` hears how far it is, and of each wrong reply."""
        self._decisions = decisions
        self._below = below
        self._resolvers = resolvers
        self._order = order
        self._compact = [dns.name.from_text(apex) for apex in compact]
        self._seed = seed
        self._tell = tell
        self._states = States([(0.0, float("inf"), frozenset())])
        self.reports = {resolver.name: Report() for resolver in resolvers}

    def run(self, questions: int, flips: int) -> None:
        """Ask every resolver so many questions, spread over flips: each endpoint goes down and up, then again."""
        streams = {one.name: Questions(self._seed * 1000 + number) for number, one in enumerate(self._resolvers)}
        down: set[str] = set()
        with ThreadPoolExecutor(len(self._resolvers)) as threads:
            for number, (endpoint, is_down) in enumerate(self._flips(flips)):
                (down.add if is_down else down.discard)(endpoint)
                self._states.begin(frozenset(down))
                self._order(endpoint, not is_down)
                self._states.settle()
                share = questions * (number + 1) // flips - questions * number // flips
                asked = {one.name: threads.submit(_ask_all, one, streams[one.name], share) for one in self._resolvers}
                for one in self._resolvers:
                    for exchange in asked[one.name].result():
                        self._judge(one, exchange)
                if (number + 1) * TOLD_TIMES // flips > number * TOLD_TIMES // flips:
                    self._tell(f"{number + 1} of {flips} flips")

    def _flips(self, count: int) -> Iterator[tuple[str, bool]]:
        """Yield endpoints and whether they go down; about half of them are down at the same time."""
        chance = random.Random(self._seed)
        made = 0
        while True:
            order = chance.sample(self._decisions.endpoints, len(self._decisions.endpoints))
            half = len(order) // 2
            turns = [(one, True) for one in order[:half]]
            for gone, comes in zip(order[half:], order[:half], strict=False):
                turns += [(gone, True), (comes, False)]
            turns += [(one, False) for one in order[half:]]
            for turn in turns:
                yield turn
                made += 1
                if made == count:
                    return

    def _judge(self, resolver: Resolver, exchange: Exchange) -> None:
        report = self.reports[resolver.name]
        report.asked += 1
        why = self._why_wrong(resolver, exchange)
        if exchange.reply is not None:
            report.secure += bool(exchange.reply.flags & dns.flags.AD)
            report.counts[dns.rcode.to_text(exchange.reply.rcode()) if exchange.reply.answer else _empty(exchange)] += 1
        if why:
            report.counts["different" if "SERVFAIL" not in why else "bogus"] += 1
            states = self._states.within(exchange.asked_s, exchange.replied_s)
            line = f"{resolver.name}: {exchange.question}: {why}; down: {sorted(states[0])}"
            fault = self._known_fault(resolver, exchange)
            if fault is None:
                report.wrong.append(line)
                self._tell(line)
            else:
                report.known.append((fault, line))

    def _known_fault(self, resolver: Resolver, exchange: Exchange) -> KnownFault | None:
        """Return the fault of the resolver's that explains a wrong reply, None where none does."""
        question, reply = exchange.question, exchange.reply
        if reply is None or reply.answer:
            return None
        name, rtype = dns.name.from_text(question.name), dns.rdatatype.from_text(question.rtype)
        allowed = self._allowed(resolver, exchange, name, rtype, _outcome(name, reply), FEW)
        is_alias_wanted = all(one.is_alias for one in allowed)
        return known_fault(resolver.name, question, dns.rcode.to_text(reply.rcode()), is_alias_wanted)

    def _why_wrong(self, resolver: Resolver, exchange: Exchange) -> str:
        """Return what is wrong with a reply, "" for nothing."""
        question, reply = exchange.question, exchange.reply
        if reply is None:
            return "no reply"
        rcode = dns.rcode.to_text(reply.rcode())
        if question.rtype == "RRSIG" and f".{SECURE_CUT}." in f".{question.name.lower()}":
            return ""  # the zones below cuts have no answer to that
        if (
            rcode not in NOTHING
            and (question.rtype, resolver.name) == ("NSEC", Bind.name)
            and _is_below(question, HASHED)
        ):
            return ""  # it takes no alias for an answer to that, as servers of zones without NSEC give
        if rcode not in NOTHING:
            return f"{rcode} {[str(one) for one in reply.options]}"
        if question.rtype in UNCOMPARED or (question.rtype == "DNAME" and reply.answer):
            return ""  # of a DNAME above the name some give the DNAME, some the CNAME that is made of it
        if question.rtype == "DS" and (reply.answer or question.name.lower().rstrip(".") in SIGNED):
            return ""  # an apex's is the root's; not all follow aliases for it
        name, rtype = dns.name.from_text(question.name), dns.rdatatype.from_text(question.rtype)
        is_secure = True
        for _ in range(HOPS):
            is_secure &= _is_signed(name)
            found = _outcome(name, reply)
            if not self._is_right(resolver, exchange, name, rtype, found):
                allowed = self._allowed(resolver, exchange, name, rtype, found, FEW)
                return f"{name} gives {_show(found)}, not {' or '.join(map(_show, allowed))}"
            target = next((rdatas for one, rdatas in found.data if one == "CNAME"), None)
            if target is None or question.rtype == "CNAME":
                break
            name = dns.name.from_text(next(iter(target)))
        is_told = bool(reply.flags & dns.flags.AD)
        is_made = question.rtype == "CNAME" and any(one.rdtype == dns.rdatatype.DNAME for one in reply.answer)
        if question.rtype == "DS" and is_told:
            return ""  # that there is none is what is secure
        if is_made and not is_told:
            return ""  # the CNAME that a DNAME makes has no signature of its own
        return "" if is_told == is_secure else f"AD is {is_told}, and it is {'secure' if is_secure else 'not secure'}"

    def _is_right(
        self, resolver: Resolver, exchange: Exchange, name: dns.name.Name, rtype: RdataType, found: Outcome
    ) -> bool:
        for draws in (FEW, MANY):
            allowed = self._allowed(resolver, exchange, name, rtype, found, draws)
            if _is_hidden(name, rtype) and any(one.data for one in allowed):
                return (found.rcode, found.data) == ("NOERROR", frozenset())
            if rtype == dns.rdatatype.CNAME and not found.data and _gives_alias(name):
                return True
            if any(one.data == found.data and (one.data or self._same_rcode(name, one, found)) for one in allowed):
                return True
        return False

    def _same_rcode(self, name: dns.name.Name, allowed: Outcome, found: Outcome) -> bool:
        """Whether nothing is told alike."""
        if allowed.rcode == found.rcode:
            return True
        is_compact = any(name.is_subdomain(apex) for apex in self._compact)
        return is_compact and (allowed.rcode, found.rcode) == ("NXDOMAIN", "NOERROR")

    def _allowed(
        self, resolver: Resolver, exchange: Exchange, name: dns.name.Name, rtype: RdataType, found: Outcome, draws: int
    ) -> set[Outcome]:
        """Return what a name may give, as far as is known after so many draws."""
        below = self._below.outcome(name, rtype)
        if below is not None:
            return {below}
        network = exchange.question.network
        networks = (network,) if network and resolver.tells_networks else ("", *resolver.networks_of_none)
        if resolver.denies_for_all and not found.data:
            networks = ("", *resolver.networks_of_none, *NETWORKS)
        is_fresh = exchange.question.is_fresh and str(name).lower() == exchange.question.name.lower()
        since_s = exchange.asked_s - (FRESH_S if is_fresh else KEPT_S)
        known = name.canonicalize()
        allowed: set[Outcome] = set()
        for down in self._states.within(since_s, exchange.replied_s):
            for one in networks:
                allowed.update(self._decisions.outcomes(known, rtype, one, down, draws))
                if found.is_alias:  # a resolver that has an alias gives it for every type
                    for other in ADDRESSES:
                        aliases = self._decisions.outcomes(known, other, one, down, draws)
                        allowed.update(outcome for outcome in aliases if outcome.is_alias)
        return allowed


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, when it was asked and answered (monotonic seconds), and the reply, None where none came."""

    question: Question
    asked_s: float
    replied_s: float
    reply: dns.message.Message | None


def _ask_all(resolver: Resolver, questions: Questions, count: int) -> list[Exchange]:
    return [_ask(resolver, questions.next(resolver.refuses)) for _ in range(count)]


def _ask(resolver: Resolver, question: Question) -> Exchange:
    options = [dns.edns.ECSOption.from_text(question.network)] if question.network else []
    query = dns.message.make_query(
        question.name, question.rtype, use_edns=0, want_dnssec=question.do, options=options, payload=1232
    )
    query.flags |= dns.flags.AD
    query.ednsflags |= CO_FLAG if question.co else 0
    asked_s = time.monotonic()
    try:
        reply = dns.query.udp_with_fallback(query, "127.0.0.1", ANSWER_S, resolver.port)[0]
    except dns.exception.Timeout:
        return Exchange(question, asked_s, time.monotonic(), None)
    return Exchange(question, asked_s, time.monotonic(), reply)


def _outcome(name: dns.name.Name, reply: dns.message.Message) -> Outcome:
    data = {
        (dns.rdatatype.to_text(rrset.rdtype), frozenset(str(rdata).lower() for rdata in rrset))
        for rrset in reply.answer
        if rrset.rdtype not in SIGNATURES and rrset.name == name
    }
    return Outcome(dns.rcode.to_text(reply.rcode()), frozenset(data))


def _is_signed(name: dns.name.Name) -> bool:
    labels = [label.decode("latin-1").lower() for label in name.labels]
    apex = ".".join(labels[-3:-1])
    return apex in SIGNED and labels[-4:-3] != [INSECURE_CUT]


def _is_hidden(name: dns.name.Name, rtype: RdataType) -> bool:
    """Whether a signed zone hides what the unsigned one has: what a load balancer gives a name that begins with `*`,
    for a signature over that would be one over a wildcard's (RFC 4034 section 3.1.3)."""
    labels = [label.decode("latin-1").lower() for label in name.labels]
    is_below = len(labels) > 4 and ".".join(labels[-3:-1]) in SIGNED and labels[-4] in STEERED_WILDCARDS
    return labels[0] == "*" and is_below and rtype in ADDRESSES


def _gives_alias(name: dns.name.Name) -> bool:
    """Whether a load balancer of a signed zone gives a name an alias, of which no denial there says that it has one."""
    labels = [label.decode("latin-1").lower() for label in name.labels]
    if ".".join(labels[-3:-1]) not in SIGNED or len(labels) < 4:
        return False
    return labels[-4] == "cdns" or (len(labels) == 4 and labels[0] in ("cdn", "failing-alias"))


def _is_below(question: Question, apex: str) -> bool:
    return question.name.lower().endswith(f".{apex}.")


def _empty(exchange: Exchange) -> str:
    rcode = dns.rcode.to_text(exchange.reply.rcode()) if exchange.reply else "no reply"
    return "NODATA" if rcode == "NOERROR" else rcode


def _show(outcome: Outcome) -> str:
    told = " + ".join(f"{rtype} {', '.join(sorted(rdatas))}" for rtype, rdatas in sorted(outcome.data, key=str))
    return told or f"{outcome.rcode} and nothing"
