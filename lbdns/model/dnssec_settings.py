"""The setting `dnssec`: how zones are signed and how their keys live; a zone may have a policy that differs.

Which zones are signed does not stand here: that is the signer's state, which `lbdns dnssec enable` changes.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from lbdns.dns.codes import ALGORITHM_NAMES, CREATED_ALGORITHMS, TOKEN_ALGORITHMS
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.model import bounds
from lbdns.model.durations import duration
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.plain_fields import Flag
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import format_socket_address, parse_resolver
from lbdns.model.user_field import User

_CODES: Final = {ALGORITHM_NAMES[code]: code for code in CREATED_ALGORITHMS}


def _algorithm(value: Any) -> Any:
    """Return an algorithm's name in capitals; its number stands for it too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return ALGORITHM_NAMES.get(value, str(value))
    return value.upper() if isinstance(value, str) else value


def _check_algorithm(name: str) -> str:
    if name not in _CODES:
        raise refusal(f'"{name}" is no algorithm that keys are made with; expected one of {", ".join(_CODES)}')
    return name


def _check_parent(text: str) -> str:
    host, port = parse_resolver(text)
    return host if port == bounds.DNS_PORT else format_socket_address(host, port)


def _check_zone(text: str) -> str:
    try:
        return show_name(encode_canonical(text))
    except BadName as error:
        raise refusal(f"a zone's name is a domain name: {error}") from error


def distinct_zones(value: Any) -> Any:
    """Return what zones are said of by name; raises a refusal at each that is another spelling of one before it."""
    first: dict[str, str] = {}
    mistakes = []
    for written in value if isinstance(value, dict) else ():
        if isinstance(written, str):
            other = first.setdefault(written.lower().removesuffix("."), written)
            if other is not written:
                mistakes.append(Mistake((written,), f'this is the zone "{other}" again; say it once'))
    refuse_all("Zones", mistakes)
    return value


if TYPE_CHECKING:
    NsecTtl = int
    SignatureInception = int
    SignatureLife = int
    SignatureRenewal = int
    KeyLifetime = int
    DnskeyTtl = int
    Propagation = int
    DsTtl = int
else:
    NsecTtl = duration(0, bounds.MAX_NSEC_TTL_S)
    SignatureInception = duration(0, bounds.MAX_SIGNATURE_INCEPTION_S)
    SignatureLife = duration(bounds.MIN_SIGNATURE_LIFE_S, bounds.MAX_SIGNATURE_LIFE_S)
    SignatureRenewal = duration(bounds.MIN_SIGNATURE_RENEWAL_S, bounds.MAX_SIGNATURE_LIFE_S)
    KeyLifetime = duration(bounds.MIN_KEY_LIFETIME_S, bounds.MAX_KEY_LIFETIME_S, may_be_never=True)
    DnskeyTtl = duration(0, bounds.MAX_DNSKEY_TTL_S)
    Propagation = duration(0, bounds.MAX_PROPAGATION_S)
    DsTtl = duration(0, bounds.MAX_PARENT_DS_TTL_S)
KeyAlgorithm = Annotated[
    str,
    AfterValidator(_check_algorithm),
    BeforeValidator(_algorithm),
    WithJsonSchema({"enum": [*_CODES]}),
]
ZoneName = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_NAME_CHARS), AfterValidator(_check_zone)
]
Parents = Annotated[tuple[Annotated[str, AfterValidator(_check_parent)], ...], Field(max_length=bounds.MAX_PARENTS)]


class DnssecPolicy(Frozen):
    """How a zone is signed and how its keys live. Lengths of time are seconds, or texts such as 90d, 12h or 5m."""

    denial: Literal["nsec", "nsec3", "compact"] = "nsec"
    """How the zone proves what is not there: by a chain of its names (`nsec`), of their hashes (`nsec3`, without salt
    and iterations), or by a record that is made for the name that was asked (`compact`, RFC 9824)."""
    nsec_ttl: NsecTtl | None = None
    """How long NSEC records are kept by resolvers, and so how long a name that was just made may stay unseen. Without
    it, the lesser of the SOA's TTL and its minimum, in a zone with load balancers at most 60 s."""
    algorithm: KeyAlgorithm = "ECDSAP256SHA256"
    """What new keys are made with: by name, or by number (13, 14 or 15). Where it changes, zones that had the other one
    roll to it."""
    keys: Literal["csk", "split"] = "csk"
    """One key for all (`csk`), or one that the parent names and another that signs the zone (`split`: KSK and ZSK).
    Where it changes, zones roll to it."""
    zsk_lifetime: KeyLifetime = bounds.DEFAULT_ZSK_LIFETIME_S
    """How long a ZSK signs until another one follows by itself; or `never`."""
    ksk_lifetime: KeyLifetime = 0
    """The same of a KSK or CSK: its roll waits for the parent. `never` (0): it is rolled by `lbdns dnssec roll`."""
    ksk_roll: Literal["double_signature", "double_ds"] = "double_signature"
    """How a KSK or CSK follows another (RFC 7583 section 3.3): both keys stand in the zone while the parent changes its
    DS once, or both DS stand at the parent while the zone changes its key once. Another algorithm is always rolled to
    in the first way (RFC 6781 section 4.1.4)."""
    dnskey_ttl: DnskeyTtl = bounds.DEFAULT_DNSKEY_TTL_S
    """The TTL of DNSKEY, CDS and CDNSKEY records."""
    signature_life: SignatureLife = bounds.DEFAULT_SIGNATURE_LIFE_S
    """How long a signature holds from when it is made."""
    signature_renewal: SignatureRenewal = bounds.DEFAULT_SIGNATURE_RENEWAL_S
    """How much of its life a signature has left when it is made anew."""
    signature_inception: SignatureInception = bounds.DEFAULT_SIGNATURE_INCEPTION_S
    """How far before its making a signature begins, for validators whose clock is behind."""
    propagation: Propagation = bounds.DEFAULT_PROPAGATION_S
    """How long after a change all servers of the zone have it; they may be others than this one."""
    unsigned_ttl: DsTtl | None = None
    """How long resolvers may hold what a zone answered before it was signed, with a margin for a clock that is set. The
    zone above is not asked for a DS before: with one, what is unsigned counts as forged. Without it, the longest TTL
    that the zone has when it is signed: say more where that was lowered just before."""
    parent: Parents = ()
    """The parent's name servers, IP or IP:PORT, which are asked for the zone's DS; without them they are looked up."""
    parent_ds_ttl: DsTtl = bounds.DEFAULT_PARENT_DS_TTL_S
    """The TTL of the parent's DS, where it has not told one yet."""
    parent_propagation: Propagation = bounds.DEFAULT_PARENT_PROPAGATION_S
    """How long after a change all that answers for the parent has it."""
    safety: Propagation = bounds.DEFAULT_SAFETY_S
    """How much longer than TTLs and propagation every step of a roll waits: for clocks that are set, and for what
    nobody thought of."""
    cds: Flag = True
    """Whether the zone says by CDS and CDNSKEY which DS the parent should have (RFC 7344, RFC 8078)."""

    @property
    def algorithm_code(self) -> int:
        """The number of the algorithm that new keys are made with."""
        return _CODES[self.algorithm]

    @property
    def inception_s(self) -> int:
        """How far back signatures begin but those of keys."""
        return self.signature_inception

    @property
    def key_inception_s(self) -> int:
        """How far back signatures of DNSKEY, CDS and CDNSKEY begin."""
        return min(self.signature_inception, bounds.KEY_SIGNATURE_INCEPTION_S)

    @property
    def life_s(self) -> int:
        """How long a signature holds from when it is made."""
        return self.signature_life

    @property
    def renew_s(self) -> int:
        """How much of its life a signature has left when it is made anew."""
        return self.signature_renewal

    def mistakes(self, given: Container[str]) -> Iterator[Mistake]:
        """Yield what is wrong with fields that do not fit together; `given`: those that were written here."""
        if 2 * self.signature_renewal > self.signature_life + self.signature_inception:
            about = (("signature_renewal",), ("signature_life",))
            message = (
                f"signatures of {self.signature_life:,} s (signature_life) cannot be made anew with "
                f"{self.signature_renewal:,} s left (signature_renewal): that is at most half of their life"
            )
            at = "signature_life" if "signature_life" in given else "signature_renewal"
            yield Mistake((at,), message, about)


class TokenSettings(Frozen):
    """A token in a device that is spoken to by PKCS #11."""

    module: FilePath
    """The path of the device's library, such as `/usr/lib/softhsm/libsofthsm2.so`."""
    token: Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_TOKEN_LABEL_CHARS)]
    """The token's label."""
    pin_file: FilePath
    """The path of a file with the token's PIN, which whoever `dnssec.user` names can read, and nobody else should."""


class DnssecSettings(DnssecPolicy):
    """How zones are signed, in general and each."""

    user: User | None = None
    """Whom the process becomes that has the private keys, `USER` or `USER:GROUP`. All processes are one user so far: it
    names whom `user` names, and anybody else is refused."""
    pkcs11: TokenSettings | None = None
    """A token in which new keys are made, by algorithm 13 or 14, and which their private halves never leave. Without
    it, keys are files in the state directory. Keys that are there already stay where they are until they are rolled."""
    zones: Annotated[
        dict[ZoneName, DnssecPolicy], Field(max_length=bounds.MAX_SIGNED_ZONES), BeforeValidator(distinct_zones)
    ] = Field(default_factory=dict)
    """Policies of zones by their names: what one does not say is as above."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        found = [*self.mistakes(self.model_fields_set), *self._token_mistakes()]
        for name, own in self.zones.items() if not found else ():
            at = ("zones", name)
            for one in self.policy_of(name).mistakes(own.model_fields_set):
                found.append(Mistake((*at, *one.location), one.message, tuple((*at, *about) for about in one.about)))
        refuse_all("DnssecSettings", found)
        return self

    def _token_mistakes(self) -> Iterator[Mistake]:
        if self.pkcs11 is None:
            return
        written = [((), self), *((("zones", name), own) for name, own in self.zones.items())]
        for at, policy in written:
            if policy.algorithm_code not in TOKEN_ALGORITHMS:
                words = ", ".join(ALGORITHM_NAMES[code] for code in TOKEN_ALGORITHMS)
                message = f"no keys of {policy.algorithm} are made in a token (pkcs11); expected one of {words}"
                yield Mistake((*at, "algorithm"), message, (("pkcs11",),))

    def policy_of(self, zone: str) -> DnssecPolicy:
        """Return a zone's policy; `zone`: its name as text, in lower case and without the final dot."""
        own = self.zones.get(zone)
        general = DnssecPolicy.model_construct(**{name: getattr(self, name) for name in DnssecPolicy.model_fields})
        return (
            general
            if own is None
            else general.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
        )
