"""Who was counted, who has gaps, and who exports nothing and why, service by service."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.report.page import Section
from benchmarks.whatif.cluster import kubectl
from benchmarks.whatif.past import MANY_GAPS, Past, many
from knative.services.reader import SYSTEM, ClusterSettings
from learner.sources.presets import BY_NAME

TITLE = "Services that were not seen all the time"
COLUMNS = ("service", "not seen", "why")
MOST_NAMED = 3
PROMETHEUS = "prometheus"
GAP, SILENT = "a pod was there, and Prometheus did not see it", "exports nothing"
CHANGE = "To have them counted, which starts all pods anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is known of services' requests, and what is not."""

    counted: int  # services
    gaps: Mapping[str, float]  # share of the time, of those that have any; the most first
    silent: tuple[str, ...]  # services that export nothing
    why: str  # they do not
    remedy: str  # in words; "" = none is known
    uncalled: tuple[str, ...]  # other services that are there

    def said(self) -> list[str]:
        """In words; nothing where every service that is known was seen all the time."""
        clauses = [*self._said_of_gaps()]
        if self.silent:
            verb = "exports" if len(self.silent) == 1 else "export"
            number = f"{len(self.silent):,} {verb} nothing"
            clauses.append(f"{number}: {self.why} ({_named(self.silent)})")
        if self.uncalled:
            verb = "was" if len(self.uncalled) == 1 else "were"
            clauses.append(f"{len(self.uncalled):,} {verb} not called ({_named(self.uncalled)})")
        if not clauses:
            return []
        known = self.counted + len(self.silent) + len(self.uncalled)
        verb = "was" if self.counted == 1 else "were"
        first = f"{self.counted:,} of {many(known, 'service')} {verb} counted"
        return [f"{'; '.join((first, *clauses))}.", *([self.remedy] if self.remedy else [])]

    def _said_of_gaps(self) -> list[str]:
        wide = [f"{name} {share:.0%}" for name, share in self.gaps.items() if share > MANY_GAPS]
        if wide:
            return [f"{_have(len(wide))} gaps over {MANY_GAPS:.0%} of the time ({_named(wide)})"]
        if self.gaps:
            most = max(self.gaps.values())
            return [f"{_have(len(self.gaps))} gaps, of up to {most:.1%} of the time"]
        return []

    def section(self) -> Section:
        """A row for each service that exports nothing, then for each with a gap."""
        silent = [(name, "100%", SILENT) for name in self.silent]
        gaps = [(name, f"{share:.1%}", GAP) for name, share in self.gaps.items()]
        return Section(TITLE, COLUMNS, (*silent, *gaps), words=(0, 2))

    def as_json(self) -> dict[str, Any]:
        """Plain values, ready for json.dump."""
        return {
            "counted": self.counted,
            "gaps": dict(self.gaps),
            "silent": list(self.silent),
            "silent_because": self.why,
            "not_called": list(self.uncalled),
        }


def coverage_of(past: Past, cluster: ClusterSettings | None) -> Coverage:
    """Of all services that Prometheus or the cluster, if there is one, knows of."""
    counted = set(past.requests.services)
    there = set(cluster.services) - counted if cluster else set()
    silent, why, remedy = _silent(past, cluster, there)
    unknown = np.isnan(past.requests.counts)
    shares = (unknown & ~unknown.all(axis=0)).mean(axis=1).tolist()
    gaps = sorted(zip(past.requests.services, shares, strict=True), key=lambda gap: -gap[1])
    return Coverage(
        counted=len(counted),
        gaps={name: share for name, share in gaps if share},
        silent=tuple(sorted(silent)),
        why=why,
        remedy=remedy,
        uncalled=tuple(sorted(there - silent)),
    )


def _silent(
    past: Past, cluster: ClusterSettings | None, there: set[str]
) -> tuple[set[str], str, str]:
    """Services that export nothing, why, and what would change it.

    there: those of the cluster that were not counted.
    """
    preset = BY_NAME.get(past.source)
    if not (past.presence and preset and preset.switch):
        return set(), "", ""
    silent = set(past.presence.silent) - set(past.requests.services)
    unseen = there - past.presence.seen
    data = cluster.observability if cluster else None
    protocol = data.get(preset.switch, preset.switched) if data is not None else ""
    if protocol not in {"", PROMETHEUS}:
        silent |= unseen
    elif cluster and preset.pods:
        silent |= {name for name in unseen if cluster.services[name].pods}
    if not silent:
        return silent, "", ""
    if protocol == PROMETHEUS:
        return silent, "probably nobody scrapes port 9091 of their pods", ""
    found = f"is {protocol}, not" if protocol else "is probably not"
    why = f"{preset.switch} {found} {PROMETHEUS}"
    return silent, why, f"{CHANGE}: {_command(preset.switch, cluster)}"


def _command(key: str, cluster: ClusterSettings | None) -> str:
    """What has queue-proxies export, for a shell."""
    words = kubectl(cluster.context, cluster.kubeconfig) if cluster else ["kubectl"]
    words += ["--namespace", SYSTEM, "patch", "configmap", "config-observability"]
    patch = json.dumps({"data": {key: PROMETHEUS}}, separators=(",", ":"))
    return shlex.join([*words, "--type", "merge", "--patch", patch])


def _have(number: int) -> str:
    return f"{number:,} {'has' if number == 1 else 'have'}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
