"""From whom statistics are taken: activators, as far as their addresses can be seen.

The protocol has no credentials, and what is reported decides how many pods there are. An activator
is known by the address of its pod. A service mesh or a node that masquerades hides that address,
and a strict check would cut off all activators, which are restarted then. So the check has to prove
itself first: until every ready activator has been seen by its own address, everybody may report,
and operators are told; from then on, only known addresses may.
"""

import ipaddress
from collections.abc import Iterable
from enum import StrEnum

from autoscaler.limits import STRANGERS
from autoscaler.refusals import Refusals
from knative.mirror.reporters import Reporter

TOLD_AFTER_S = 10.0  # when we start, activators connect before pods are listed
_EVER_S = float("-inf")
_CONTINUOUS_S = 5.0  # between two calls of `admits` at most; else strangers had left in between

_FAULT = "statistics are taken from anybody"
FAULT_HIDDEN = (
    f"{_FAULT}: not every activator connects from its own address; a mesh or masquerading hides it"
)
FAULT_ANY = f"{_FAULT}, because --statistics-from is any"
FAULT_MISSING = (
    "unknown addresses are refused, while an activator of a known one does not connect: {}; "
    "if a mesh or masquerading hides it, set --statistics-from any"
)


class ReporterPolicy(StrEnum):
    """From whom statistics are taken."""

    AUTO = "auto"  # from known addresses, once every ready activator was seen by one
    ACTIVATORS = "activators"  # from known addresses
    ANY = "any"


class Peers:
    """Decides which addresses may report."""

    def __init__(self, policy: ReporterPolicy, refusals: Refusals) -> None:
        self._policy, self._refusals = policy, refusals
        self._known = frozenset[str]()
        self._connects: list[frozenset[str]] = []  # of each pod that must be connected
        self._last_s: dict[str, float] = {}  # when a known address was admitted last
        self._proved = False  # every pod that must be connected was seen by its own address
        self._anybody_since_s: float | None = None  # since when strangers may report, and do
        self._anybody_last_s = self._refused_last_s = _EVER_S

    def follow(self, reporters: Iterable[Reporter]) -> None:
        """Replace the pods that may report: activators and our own replicas."""
        pods = [(frozenset(map(_normalised, r.addresses)), r.connects) for r in reporters]
        self._known = frozenset[str]().union(*(addresses for addresses, _ in pods))
        self._connects = [addresses for addresses, connects in pods if connects]
        self._last_s = {a: s for a, s in self._last_s.items() if a in self._known}

    def knows(self, address: str) -> bool:
        """Whether an address is known."""
        return _normalised(address) in self._known

    def admits(self, address: str, now: float) -> bool:
        """Whether a connection may report; asked when it opens, and every second while it is open.

        now: s of a monotonic clock.
        """
        if self.knows(address):
            self._last_s[_normalised(address)] = now
            self._proved = self._proved or (bool(self._connects) and not self._missing(_EVER_S))
            return True
        if self._policy is ReporterPolicy.ACTIVATORS or (
            self._policy is ReporterPolicy.AUTO and self._proved
        ):
            self._refusals.count(STRANGERS, address, now)
            self._refused_last_s = now
            return False
        if self._anybody_since_s is None or now - self._anybody_last_s > _CONTINUOUS_S:
            self._anybody_since_s = now
        self._anybody_last_s = now
        return True

    def _missing(self, since_s: float) -> list[frozenset[str]]:
        """The addresses of each pod that must be connected, and was not seen since then."""
        seen = {address for address, last_s in self._last_s.items() if last_s >= since_s}
        return [addresses for addresses in self._connects if not addresses & seen]

    def fault(self, now: float) -> str:
        """What operators have to know; "" = nothing."""
        if self._policy is ReporterPolicy.ANY:
            return FAULT_ANY
        if now - self._refused_last_s <= TOLD_AFTER_S and (
            missing := self._missing(now - TOLD_AFTER_S)
        ):
            return FAULT_MISSING.format(", ".join(sorted(missing[0])))
        since_s = self._anybody_since_s
        if self._proved or since_s is None or now - self._anybody_last_s > _CONTINUOUS_S:
            return ""
        return FAULT_HIDDEN if now - since_s > TOLD_AFTER_S else ""


def _normalised(address: str) -> str:
    """One spelling of each address; an IPv4-mapped IPv6 address is the IPv4 address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(getattr(ip, "ipv4_mapped", None) or ip)
