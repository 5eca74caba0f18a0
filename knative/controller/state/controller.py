"""The controller as a state machine: events in, instructions out; no I/O, no clock.

It keeps what was observed of every revision of our classes (`Revisions`), lets the core decide
(`control`), and plans what has to be written. Nothing here awaits, so each event is handled whole;
the same events give the same instructions, live and when a recording is replayed.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np

from autoscaler.core.accounting import count_report, count_tick
from autoscaler.core.control import (
    Advised,
    Answered,
    Changed,
    ControlState,
    Failed,
    Instructions,
    Succeeded,
    Tick,
    control,
)
from autoscaler.core.demand import NONE_COUNTED, count_demand
from autoscaler.core.state.fleet import Fleet
from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import AdviceTable, for_fleet
from autoscaler.health import Health
from autoscaler.logs import get_logger
from knative.controller.state import events as seen
from knative.controller.state.changes import ChangeLog
from knative.controller.state.events import Event
from knative.controller.state.failed_plans import FailedPlans
from knative.controller.state.instructions import (
    AskActivator,
    CancelWrites,
    ForwardTo,
    Instruction,
)
from knative.controller.state.plan import plan_of
from knative.controller.state.reports import reports_of
from knative.controller.state.revisions import Revisions
from knative.leadership.elector import Leadership, address_of
from knative.settings.cluster import cluster_config, progress_deadline_s

TWIN = "twin"  # the name under which it is reported that the other policy is not counted
WRITES = "writes"  # the name under which failed plans are reported
PLAIN = "it crashed again and again, and follows Knative's rule alone until it is started anew"

log = get_logger(__name__)

NO_LEADER = "following: nobody leads yet"

Todo = Iterator[Instruction]
Outcome: TypeAlias = (
    seen.ActivatorAnswered | seen.ActivatorUnreachable | seen.PlanDone | seen.PlanFailed
)


class Controller:
    """The state of the controller; only `handle` changes what is decided."""

    def __init__(self, *, plain: bool = False) -> None:
        """plain: Knative's rule alone; advice and the annotations of kn-ahead are ignored."""
        self._plain = plain
        self._state = ControlState()
        self.revisions = Revisions(self._state, plain=plain)
        self.leadership, self._leader = Leadership.FOLLOWING, ""
        self.health = Health()
        self.changes = ChangeLog()
        self._failed_plans = FailedPlans()
        self._table: AdviceTable | None = None
        self._next_second = NONE_COUNTED
        self._counts = not plain
        if plain:
            self.health.report("breaker", PLAIN, 0.0)

    @property
    def fleet(self) -> Fleet:
        """All revisions as arrays."""
        return self._state.fleet

    @property
    def leader(self) -> str:
        """Identity of another replica that leads; "" = none is known."""
        return self._leader

    @property
    def follows_whom(self) -> str:
        """Who decides instead of this replica, as a sentence; "" = this one decides."""
        if self.leadership is not Leadership.FOLLOWING:
            return ""
        return f"following {self._leader}, which decides" if self._leader else NO_LEADER

    def uid_of(self, key: str) -> str:
        """Uid of a revision's PodAutoscaler; "" = there is none of our classes."""
        pa = self.revisions.podautoscaler(key)
        return pa.uid if pa else ""

    def private_service_of(self, key: str) -> str:
        """Name of a revision's private Service; "" = there is none yet."""
        if self.revisions.podautoscaler(key) is None:
            return ""
        sks = self.revisions.objects(key).serverlessservice
        return sks.private if sks else ""

    def note_scrape(self, key: str, seconds: float) -> None:
        """Show how long scraping a revision's pods took; nothing is decided by it."""
        if key in self.fleet:
            self.fleet.services.note_scrape(int(self.fleet.service[self.fleet.row(key)]), seconds)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Handle an event at Unix s ``now``; returns what has to be done."""
        match event:
            case seen.StatisticsReceived():
                return list(self._report(event, now))
            case seen.Ticked():
                return list(self._tick(now))
            case seen.ObjectsChanged():
                return list(self._decide_changed(now))
            case seen.LeadershipChanged():
                return list(self._change_leadership(event, now))
            case seen.StatusWritten():
                return list(self._follow_own_status(event, now))
            case _:
                self._note(event, now)
                return []

    def _note(self, event: Event, now: float) -> None:
        """Events that have no instructions: what follows from them is decided later."""
        match event:
            case (
                seen.ActivatorAnswered()
                | seen.ActivatorUnreachable()
                | seen.PlanDone()
                | seen.PlanFailed()
            ):
                self._note_outcome(event, now)
            case seen.AdviceSeen(table=table):
                self._table = None if self._plain else table
                if self._table:
                    self.revisions.reprice(self._table.revision, self._table.price_s)
                self._align_advice(now, anew=True)
            case seen.ConfigSeen():
                self._configure(event, now)
            case seen.ApiRecovered():
                requested = self.fleet.requested
                requested.retry_s[~np.isnan(requested.retry_s)] = now
            case seen.TicksFailed():
                self._rebuild(now)
            case _:
                self._observe(event, now)

    def _observe(self, event: Event, now: float) -> None:
        """An object was created, changed or deleted."""
        revisions = self.revisions
        match event:
            case seen.PodAutoscalerSeen(key=key, object=pa):
                revisions.saw_podautoscaler(key, pa, now)
                if revisions.podautoscaler(key) is None and key in self._failed_plans:
                    self._failed_plans.discard(key)
                    self._report_failed_plans(now)
            case seen.ServerlessServiceSeen(key=key, object=sks):
                revisions.saw_serverlessservice(key, sks)
            case seen.DeploymentSeen(key=key, object=deployment):
                revisions.saw_deployment(key, deployment)
            case seen.PodSeen(key=key, object=pod):
                revisions.saw_pod(key, pod, now)
            case seen.RouteSeen(key=key, object=route):
                revisions.saw_route(key, route)

    # --- deciding ----------------------------------------------------------------------------

    def _report(self, event: seen.StatisticsReceived, now: float) -> Todo:
        """Record statistics; revisions at zero are decided at once."""
        if self.leadership is Leadership.FOLLOWING:
            return
        self._align_advice(now)
        for report in reports_of(event, self.fleet, now):
            yield from self._instruct(control(self._state, report, now), now)
            self._count(partial(count_report, self._state, report), now)

    def _tick(self, now: float) -> Todo:
        if self.leadership is Leadership.FOLLOWING or not len(self.fleet):
            return
        self._align_advice(now)
        done = control(self._state, Tick(), now)
        self._next_second = count_demand(self.fleet, self._next_second, now)
        yield from self._instruct(done, now)
        self._count(partial(count_tick, self._state), now)

    def _count(self, count: Callable[[float], None], now: float) -> None:
        """Count what the other policy would do; what fails there must not keep anything waiting."""
        if not self._counts:
            return
        try:
            count(now)
        except Exception as error:  # nothing is decided by it
            log.exception("not counted any more")
            self._counts = False
            self.health.report(TWIN, f"not counted any more: {error!r:.200}", now)

    def _decide_changed(self, now: float) -> Todo:
        """Between ticks: decide for new revisions, and update the conditions of changed ones."""
        if self.leadership is not Leadership.LEADING:
            return
        rows = np.flatnonzero(self.fleet.requested.changed)
        if len(rows):
            self._align_advice(now)
            yield from self._instruct(control(self._state, Changed(rows=rows), now), now)

    def _align_advice(self, now: float, *, anew: bool = False) -> None:
        """Map the advice to the rows of the fleet; again when they changed, or ``anew``."""
        advice = self._state.advice
        if anew or (advice and advice.layout != self.fleet.layout):
            read = for_fleet(self._table, self.fleet) if self._table else None
            control(self._state, Advised(advice=read), now)

    # --- instructions ------------------------------------------------------------------------

    def _instruct(self, done: Instructions, now: float) -> Todo:
        """Plans for the rows that something has to be done for; none unless this replica leads."""
        self.changes.add(self.fleet, done)
        self.revisions.update_shares([self.fleet.keys[row] for row in done.initialized.tolist()])
        if self.leadership is Leadership.LEADING:
            for row in done.rows.tolist():
                yield from self._plan(row, now)

    def _plan(self, row: int, now: float) -> Todo:
        key = self.fleet.keys[row]
        objects, asked = self.revisions.objects(key), self.fleet.requested_of(row)
        sks = objects.serverlessservice
        if asked.probe and sks and sks.service:
            yield AskActivator(key=key, host=f"{sks.service}.{objects.podautoscaler.namespace}")
        plan = plan_of(objects, asked, now)
        if plan.writes or plan.problem:
            yield plan
        elif key in self._failed_plans or self.fleet.requested.wait_s[row] > 0:
            # A plan failed before, and the cluster is as asked by now.
            self._note_outcome(seen.PlanDone(key=key, uid=plan.uid), now)

    def _follow_own_status(self, event: seen.StatusWritten, now: float) -> Todo:
        """Replace a waiting plan: its conditions would get later transition times.

        Knative's timers are read from these times.
        """
        self.revisions.saw_own_status(event.key, event.object)
        leads = self.leadership is Leadership.LEADING
        if not (event.outdates and leads and event.key in self.fleet):
            return
        asked = self.fleet.requested_of(self.fleet.row(event.key))
        plan = plan_of(self.revisions.objects(event.key), asked, now)
        if not plan.problem:
            yield plan  # an empty one, too, replaces the plan that waits

    def _note_outcome(self, event: Outcome, now: float) -> None:
        """An instruction was carried out, or failed."""
        key = event.key
        if key not in self.fleet:
            return  # deleted meanwhile
        rows = self.fleet.rows([key])
        match event:
            case seen.ActivatorAnswered():
                control(self._state, Answered(rows=rows), now)
            case seen.ActivatorUnreachable():
                self.fleet.requested.changed[rows] = True  # asked again if it still has to be
            case seen.PlanDone(uid=uid) if uid == self.uid_of(key):
                control(self._state, Succeeded(rows=rows), now)
                self._failed_plans.discard(key)
            case seen.PlanFailed(uid=uid, why=why, wait_s=wait_s) if uid == self.uid_of(key):
                again = bool(self.fleet.requested.wait_s[rows][0] > 0)
                control(self._state, Failed(rows=rows, wait_s=np.array([wait_s])), now)
                if again or not event.conflict:  # one conflict alone is normal
                    self._failed_plans.add(key, why)
        self._report_failed_plans(now)

    def _report_failed_plans(self, now: float) -> None:
        self.health.report(WRITES, self._failed_plans.summary, now)

    # --- settings and leadership ---------------------------------------------------------------

    def _configure(self, event: seen.ConfigSeen, now: float) -> None:
        """Follow a ConfigMap; a wrong value is reported, and the former ones stay."""
        data = event.data or {}
        try:
            if event.name == "config-autoscaler":
                self.revisions.reconfigure(config=cluster_config(data))
            elif event.name == "config-deployment":
                self.revisions.reconfigure(deadline_s=progress_deadline_s(data))
        except PermanentError as error:
            self.health.report(event.name, f"{error}; the former values stay", now)
        else:
            self.health.report(event.name, "", now)

    def _change_leadership(self, event: seen.LeadershipChanged, now: float) -> Todo:
        former, self.leadership, self._leader = self.leadership, event.leadership, event.leader
        follows = self.leadership is Leadership.FOLLOWING
        if former is Leadership.FOLLOWING and not follows:
            self._rebuild(now)
        if self.leadership is Leadership.LEADING:
            self.fleet.requested.changed[:] = True
        else:
            self._failed_plans.clear()
            self._report_failed_plans(now)
            yield CancelWrites()
        yield ForwardTo(address=address_of(self._leader) if follows else "")

    def _rebuild(self, now: float) -> None:
        """Start from the objects, as after a restart: nothing is measured while another leads."""
        self.revisions.rebuild(now)
        self._next_second = NONE_COUNTED
        self._align_advice(now, anew=True)
