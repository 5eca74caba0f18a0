"""What the process shows of itself at each tick, beside the numbers of every revision."""

import asyncio
from dataclasses import dataclass
from typing import Any

from autoscaler.core.state.fleet import Fleet
from autoscaler.limits import CHANGES
from autoscaler.pulse import Pulse
from autoscaler.refusals import Refusals
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.recording import Recorder
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.runtime.writer import Writer
from knative.controller.state.controller import Controller
from knative.leadership.elector import Elector, Standing
from knative.statistics.forward import Forwarder
from knative.statistics.peers import Peers
from knative.statistics.port.server import StatisticsServer
from knative.statistics.scraping.schedule import Scraping


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What there is something to show of; None = there is no such part."""

    controller: Controller
    elector: Elector
    forwarder: Forwarder
    peers: Peers
    server: StatisticsServer
    scraping: Scraping
    writer: Writer
    refusals: Refusals
    pulse: Pulse
    advice: AdviceFile | None
    recorder: Recorder | None


class Display:
    """Writes what was decided, for the advisor."""

    def __init__(self, snapshots: Snapshots, parts: Parts) -> None:
        self._snapshots, self._parts = snapshots, parts

    def show(self, now: float) -> None:
        """Put a snapshot in place of the former at Unix s ``now``."""
        controller = self._parts.controller
        follows = controller.standing is Standing.FOLLOWING
        fleet = Fleet() if follows else controller.fleet
        changes = controller.changes.take()
        self._snapshots.write(controller.revisions, fleet, changes, self._notes(now), now)

    def _notes(self, now: float) -> dict[str, Any]:
        """What is of the process, and no number a revision."""
        parts, controller = self._parts, self._parts.controller
        health = controller.health
        for part, fault in self._faults().items():
            health.say(part, fault, now)
        counts, table = parts.server.counts, parts.advice.table if parts.advice else None
        return {
            "standing": controller.standing_in_words,
            "leading": controller.standing is Standing.LEADING,
            "faults": {part: str(f) if f else "" for part, f in health.by_part.items()},
            "refused": {**parts.refusals.counts, CHANGES.name: controller.changes.left_out},
            "forwarded": {"sent": parts.forwarder.sent, "dropped": parts.forwarder.dropped},
            "activators": {"known": counts.known, "unknown": counts.unknown},
            "advice_refused": table.refused if table else 0,
            "trust_namespaces": controller.revisions.config.across_namespaces,
            "tick_counts": parts.pulse.counts,
            "tick_sum_s": parts.pulse.sum_s,
            "writes": parts.writer.writes,
        }

    def _faults(self) -> dict[str, str]:
        parts = self._parts
        return {
            "statistics": parts.peers.fault(asyncio.get_running_loop().time()),
            "scrape": parts.scraping.silence.fault,
            "leases": parts.elector.broken,
            "advice": parts.advice.fault if parts.advice else "",
            "snapshots": self._snapshots.fault,
            "recording": parts.recorder.fault if parts.recorder else "",
        }
