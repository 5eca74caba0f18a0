"""Which peers may report statistics: activators, where their addresses can be seen.

The protocol has no credentials, and statistics decide how many pods there are. An activator is
identified by the address of its pod. A service mesh or a node that masquerades hides that address;
a strict check would then refuse all activators, which are restarted without a connection. So until
every ready activator was seen by its own address, any address may report, which is shown as a
fault; from then on, only known addresses may.
"""

import ipaddress
from collections.abc import Iterable
from enum import StrEnum

from autoscaler.limits import UNIDENTIFIED
from autoscaler.refusals import Refusals
from knative.mirror.reporters import Reporter

FAULT_AFTER_S = 10.0  # at the start activators connect before their pods are listed
_ALWAYS_S = float("-inf")
_CONTINUOUS_S = 5.0  # longest gap between two unidentified reports of one period

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
    """From which addresses statistics are accepted."""

    AUTO = "auto"  # from known addresses, once every ready activator was seen by its own
    ACTIVATORS = "activators"  # from known addresses
    ANY = "any"


class Peers:
    """Admits or refuses addresses."""

    def __init__(self, policy: ReporterPolicy, refusals: Refusals) -> None:
        self._policy, self._refusals = policy, refusals
        self._known = frozenset[str]()
        self._connects: list[frozenset[str]] = []  # addresses of each pod that must be connected
        self._last_s: dict[str, float] = {}  # when a known address was admitted last
        self._visible = False  # whether every such pod was seen by its own address
        self._unidentified_since_s: float | None = None  # since when unknown addresses report
        self._unidentified_last_s = self._refused_last_s = _ALWAYS_S

    def follow(self, reporters: Iterable[Reporter]) -> None:
        """Replace the pods that may report: activators and replicas of kn-ahead."""
        pods = [(frozenset(map(_normalised, r.addresses)), r.connects) for r in reporters]
        self._known = frozenset[str]().union(*(addresses for addresses, _ in pods))
        self._connects = [addresses for addresses, connects in pods if connects]
        self._last_s = {a: s for a, s in self._last_s.items() if a in self._known}

    def knows(self, address: str) -> bool:
        """Whether an address is of a pod that may report."""
        return _normalised(address) in self._known

    def admits(self, address: str, now: float) -> bool:
        """Whether an address may report; called for each new connection and every second after.

        now: s of a monotonic clock.
        """
        if self.knows(address):
            self._last_s[_normalised(address)] = now
            self._visible = self._visible or (bool(self._connects) and not self._missing(_ALWAYS_S))
            return True
        if self._policy is ReporterPolicy.ACTIVATORS or (
            self._policy is ReporterPolicy.AUTO and self._visible
        ):
            self._refusals.count(UNIDENTIFIED, address, now)
            self._refused_last_s = now
            return False
        if self._unidentified_since_s is None or now - self._unidentified_last_s > _CONTINUOUS_S:
            self._unidentified_since_s = now
        self._unidentified_last_s = now
        return True

    def _missing(self, since_s: float) -> list[frozenset[str]]:
        """The addresses of each pod that must be connected and was not seen since."""
        seen = {address for address, last_s in self._last_s.items() if last_s >= since_s}
        return [addresses for addresses in self._connects if not addresses & seen]

    def fault(self, now: float) -> str:
        """Why statistics may be forged or incomplete; "" = they are not."""
        if self._policy is ReporterPolicy.ANY:
            return FAULT_ANY
        if now - self._refused_last_s <= FAULT_AFTER_S and (
            missing := self._missing(now - FAULT_AFTER_S)
        ):
            return FAULT_MISSING.format(", ".join(sorted(missing[0])))
        since_s = self._unidentified_since_s
        if self._visible or since_s is None or now - self._unidentified_last_s > _CONTINUOUS_S:
            return ""
        return FAULT_HIDDEN if now - since_s > FAULT_AFTER_S else ""


def _normalised(address: str) -> str:
    """One spelling of each address; an IPv4-mapped IPv6 address is the IPv4 address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(getattr(ip, "ipv4_mapped", None) or ip)
