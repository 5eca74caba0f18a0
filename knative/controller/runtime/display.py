"""What the process shows at each tick: the numbers of every revision, its own faults and counts."""

import asyncio
import math
from dataclasses import dataclass
from typing import Any

from autoscaler.core.state.fleet import Fleet
from autoscaler.exchange.snapshot import CLUSTER_BILL
from autoscaler.limits import CHANGES
from autoscaler.refusals import Refusals
from autoscaler.tick_durations import TickDurations
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.intake import Intake
from knative.controller.runtime.recording import Recorder
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.runtime.writer import Writer
from knative.controller.state.controller import Controller
from knative.leadership.elector import Elector, Leadership


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that are shown; None = there is no such part."""

    controller: Controller
    elector: Elector
    intake: Intake
    writer: Writer
    refusals: Refusals
    tick_durations: TickDurations
    advice: AdviceFile | None
    recorder: Recorder | None


class Display:
    """Writes snapshots of decisions, faults and counts for the advisor."""

    def __init__(self, snapshots: Snapshots, parts: Parts) -> None:
        self._snapshots, self._parts = snapshots, parts

    def show(self, now: float) -> None:
        """Replace the snapshot at Unix s ``now``."""
        controller = self._parts.controller
        follows = controller.leadership is Leadership.FOLLOWING
        fleet = Fleet() if follows else controller.fleet
        changes = controller.changes.take()
        self._snapshots.write(controller.revisions, fleet, changes, self._notes(now), now)

    def _notes(self, now: float) -> dict[str, Any]:
        """Faults and counts of the process."""
        parts, controller = self._parts, self._parts.controller
        health = controller.health
        for part, fault in self._faults().items():
            health.report(part, fault, now)
        intake, table = parts.intake, parts.advice.table if parts.advice else None
        counts = intake.server.counts
        return {
            "leadership": controller.follows_whom,
            "leading": controller.leadership is Leadership.LEADING,
            "faults": {part: str(f) if f else "" for part, f in health.by_part.items()},
            "refused": {**parts.refusals.counts, CHANGES.name: controller.changes.left_out},
            "forwarded": {"sent": intake.forwarder.sent, "dropped": intake.forwarder.dropped},
            "activators": {"known": counts.known, "unknown": counts.unknown},
            "advice_refused": table.refused if table else 0,
            "trust_namespaces": controller.revisions.config.across_namespaces,
            "tick_counts": parts.tick_durations.counts,
            "tick_sum_s": parts.tick_durations.sum_s,
            "writes": parts.writer.writes,
            CLUSTER_BILL: self._cluster_bill(),
        }

    def _cluster_bill(self) -> dict[str, float]:
        """What it allows, and s of pod that are left; empty where there is none."""
        controller = self._parts.controller
        credit = controller.fleet.cluster_credit
        if math.isinf(credit.max_extra) or controller.leadership is Leadership.FOLLOWING:
            return {}
        return {"max_extra": credit.max_extra, "left_s": credit.left_s}

    def _faults(self) -> dict[str, str]:
        parts = self._parts
        return {
            "statistics": parts.intake.peers.fault(asyncio.get_running_loop().time()),
            "scrape": parts.intake.scraping.outage.fault,
            "leases": parts.elector.fault,
            "advice": parts.advice.fault if parts.advice else "",
            "snapshots": self._snapshots.fault,
            "recording": parts.recorder.fault if parts.recorder else "",
        }
