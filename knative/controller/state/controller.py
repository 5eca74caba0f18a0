"""The controller as a state machine: events in, instructions out; no I/O, no clock.

It keeps what was observed of every revision of ours (`Revisions`), lets the core decide
(`control`), and plans what has to be written. Nothing here awaits, so no event is handled by
halves; the same events give the same instructions, live and when a recording is replayed.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from autoscaler.core.control import (
    Advised,
    Answered,
    Changed,
    ControlState,
    Failed,
    Instructions,
    Reported,
    Succeeded,
    Tick,
    control,
)
from autoscaler.core.demand import NONE_COUNTED, count_demand
from autoscaler.core.state.fleet import Fleet
from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import AdviceTable, for_fleet
from autoscaler.health import Health
from knative.controller.state import events as seen
from knative.controller.state.changes import ChangeLog
from knative.controller.state.events import Event
from knative.controller.state.failing import FailedPlans
from knative.controller.state.instructions import AskActivator, ForwardTo, GiveUp, Instruction, Plan
from knative.controller.state.plan import plan_of
from knative.controller.state.revisions import Revisions
from knative.leadership.elector import Standing, address_of
from knative.settings.cluster import cluster_config, progress_deadline_s

AHEAD_S = 5.0  # s that an activator's clock may be ahead; more would make all the others late
WRITES = "writes"  # of the parts that report their health
PLAIN = "it crashed again and again, and follows Knative's rule alone until it is started anew"

NOBODY_LEADS = "following: nobody leads yet"

Todo = Iterator[Instruction]
Outcome: TypeAlias = seen.ActivatorAnswered | seen.ActivatorSilent | seen.PlanDone | seen.PlanFailed


class Controller:
    """All that the controller knows; `handle` alone changes it."""

    def __init__(self, *, plain: bool = False) -> None:
        """plain: Knative's rule alone, without advice and without our own annotations."""
        self._plain = plain
        self._state = ControlState()
        self.revisions = Revisions(self._state, plain=plain)
        self.standing, self._leader = Standing.FOLLOWING, ""
        self.health = Health()
        self.changes = ChangeLog()
        self._failing = FailedPlans()
        self._table: AdviceTable | None = None
        self._next_second = NONE_COUNTED
        if plain:
            self.health.say("breaker", PLAIN, 0.0)

    @property
    def fleet(self) -> Fleet:
        """The fleet; `handle` alone changes it."""
        return self._state.fleet

    @property
    def leader(self) -> str:
        """Identity of who leads beside us, as far as we know; "" = nobody is known."""
        return self._leader

    @property
    def standing_in_words(self) -> str:
        """Who decides in our place; "" = we do."""
        if self.standing is not Standing.FOLLOWING:
            return ""
        return f"following {self._leader}, which decides" if self._leader else NOBODY_LEADS

    def uid_of(self, key: str) -> str:
        """Of the PodAutoscaler of a revision; "" = there is none of ours."""
        pa = self.revisions.podautoscaler(key)
        return pa.uid if pa else ""

    def private_service_of(self, key: str) -> str:
        """Name of a revision's private Service; "" = there is none yet."""
        if self.revisions.podautoscaler(key) is None:
            return ""
        sks = self.revisions.objects(key).serverlessservice
        return sks.private if sks else ""

    def note_scrape(self, key: str, seconds: float) -> None:
        """Asking a revision's pods took so long; it is shown, and decides nothing."""
        if key in self.fleet:
            self.fleet.services.note_scrape(int(self.fleet.service[self.fleet.row(key)]), seconds)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in an event at Unix s ``now``; returns what has to be done."""
        match event:
            case seen.StatisticsCame():
                return list(self._report(event, now))
            case seen.Ticked():
                return list(self._tick(now))
            case seen.Settled():
                return list(self._settle(now))
            case seen.StandingChanged():
                return list(self._stand(event, now))
            case seen.StatusWritten():
                return list(self._saw_own_status(event, now))
            case _:
                self._take_in(event, now)
                return []

    def _take_in(self, event: Event, now: float) -> None:
        """What asks for nothing by itself."""
        match event:
            case (
                seen.ActivatorAnswered()
                | seen.ActivatorSilent()
                | seen.PlanDone()
                | seen.PlanFailed()
            ):
                self._learn(event, now)
            case seen.AdviceSeen(table=table):
                self._table = None if self._plain else table
                self._align(now, anew=True)
            case seen.ConfigSeen():
                self._configure(event, now)
            case seen.Recovered():
                asked = self.fleet.requested
                asked.retry_s[~np.isnan(asked.retry_s)] = now
            case seen.BegunAnew():
                self._begin_anew(now)
            case _:
                self._observe(event, now)

    def _observe(self, event: Event, now: float) -> None:
        """An object came, changed or went."""
        revisions = self.revisions
        match event:
            case seen.PodAutoscalerSeen(key=key, object=pa):
                revisions.saw_podautoscaler(key, pa, now)
                if revisions.podautoscaler(key) is None and key in self._failing:
                    self._failing.discard(key)
                    self._say_failing(now)
            case seen.ServerlessServiceSeen(key=key, object=sks):
                revisions.saw_serverlessservice(key, sks)
            case seen.DeploymentSeen(key=key, object=deployment):
                revisions.saw_deployment(key, deployment)
            case seen.PodSeen(key=key, object=pod):
                revisions.saw_pod(key, pod)
            case seen.RouteSeen(key=key, object=route):
                revisions.saw_route(key, route)

    # --- deciding ----------------------------------------------------------------------------

    def _report(self, event: seen.StatisticsCame, now: float) -> Todo:
        """Statistics, second by second; who is at zero is decided in this very turn."""
        rows = self.fleet.rows(event.keys)
        known = np.flatnonzero(rows >= 0)
        if not len(known) or self.standing is Standing.FOLLOWING:
            return
        self._align(now)
        seconds = event.seconds[known]
        timely = (seconds > 0) & (seconds <= now + AHEAD_S)
        seconds = np.where(timely, seconds, int(now))
        rows, samples = rows[known], event.samples[:, known]
        for second in np.unique(seconds).tolist():
            then = seconds == second
            each, place = np.unique(rows[then], return_inverse=True)
            added = [np.bincount(place, kind[then], len(each)) for kind in samples]
            report = Reported(
                rows=each,
                seconds=np.full(len(each), second),
                samples=np.stack(added),
                by_activator=event.by_activator,
            )
            yield from self._do(control(self._state, report, now), now)

    def _tick(self, now: float) -> Todo:
        if self.standing is Standing.FOLLOWING or not len(self.fleet):
            return
        self._align(now)
        done = control(self._state, Tick(), now)
        self._next_second = count_demand(self.fleet, self._next_second, now)
        yield from self._do(done, now)

    def _settle(self, now: float) -> Todo:
        """What changed between ticks shows at once; only what is new is decided then."""
        if self.standing is not Standing.LEADING:
            return
        rows = np.flatnonzero(self.fleet.requested.changed)
        if len(rows):
            self._align(now)
            yield from self._do(control(self._state, Changed(rows=rows), now), now)

    def _align(self, now: float, *, anew: bool = False) -> None:
        """Have the advice read for the rows as they are now."""
        advice = self._state.advice
        if anew or (advice and advice.layout != self.fleet.layout):
            read = for_fleet(self._table, self.fleet) if self._table else None
            control(self._state, Advised(advice=read), now)

    # --- instructing -------------------------------------------------------------------------

    def _do(self, done: Instructions, now: float) -> Todo:
        """Plans for the rows that something has to be done for, as far as our standing allows."""
        self.changes.add(self.fleet, done)
        self.revisions.share_out([self.fleet.keys[row] for row in done.initialized.tolist()])
        if self.standing is Standing.LEADING:
            for row in done.rows.tolist():
                yield from self._plan(row, now)

    def _plan(self, row: int, now: float) -> Todo:
        key = self.fleet.keys[row]
        objects, asked = self.revisions.objects(key), self.fleet.requested_of(row)
        sks = objects.serverlessservice
        if asked.probe and sks and sks.service:
            yield AskActivator(key=key, host=f"{sks.service}.{objects.podautoscaler.namespace}")
        plan: Plan = plan_of(objects, asked, now)
        if plan.writes or plan.problem:
            yield plan
        elif key in self._failing or self.fleet.requested.wait_s[row] > 0:
            # What failed is as it should be by now, whoever wrote it.
            self._learn(seen.PlanDone(key=key, uid=plan.uid), now)

    def _saw_own_status(self, event: seen.StatusWritten, now: float) -> Todo:
        """Plan anew what waits: times of conditions in it would be later than they are.

        Timers are read from them.
        """
        self.revisions.saw_own_status(event.key, event.object)
        leads = self.standing is Standing.LEADING
        if not (event.outdates and leads and event.key in self.fleet):
            return
        asked = self.fleet.requested_of(self.fleet.row(event.key))
        plan = plan_of(self.revisions.objects(event.key), asked, now)
        if not plan.problem:
            yield plan  # an empty one, too, takes the place of what waits

    def _learn(self, event: Outcome, now: float) -> None:
        """What became of an instruction."""
        key = event.key
        if key not in self.fleet:
            return  # it went meanwhile
        rows = self.fleet.rows([key])
        match event:
            case seen.ActivatorAnswered():
                control(self._state, Answered(rows=rows), now)
            case seen.ActivatorSilent():
                self.fleet.requested.changed[rows] = True  # asked again where that is still of use
            case seen.PlanDone(uid=uid) if uid == self.uid_of(key):
                control(self._state, Succeeded(rows=rows), now)
                self._failing.discard(key)
            case seen.PlanFailed(uid=uid, why=why, wait_s=wait_s) if uid == self.uid_of(key):
                again = bool(self.fleet.requested.wait_s[rows][0] > 0)
                control(self._state, Failed(rows=rows, wait_s=np.array([wait_s])), now)
                if again or not event.conflict:  # a first conflict is an everyday thing
                    self._failing.add(key, why)
        self._say_failing(now)

    def _say_failing(self, now: float) -> None:
        self.health.say(WRITES, self._failing.summary, now)

    # --- settings and standing ---------------------------------------------------------------

    def _configure(self, event: seen.ConfigSeen, now: float) -> None:
        """Follow a ConfigMap; a wrong value keeps the former ones, and is said."""
        data = event.data or {}
        try:
            if event.name == "config-autoscaler":
                self.revisions.reconfigure(config=cluster_config(data))
            elif event.name == "config-deployment":
                self.revisions.reconfigure(deadline_s=progress_deadline_s(data))
        except PermanentError as error:
            self.health.say(event.name, f"{error}; the former values stay", now)
        else:
            self.health.say(event.name, "", now)

    def _stand(self, event: seen.StandingChanged, now: float) -> Todo:
        """Lead or follow from now on."""
        former, self.standing, self._leader = self.standing, event.standing, event.leader
        following = self.standing is Standing.FOLLOWING
        if former is Standing.FOLLOWING and not following:
            self._begin_anew(now)
        if self.standing is Standing.LEADING:
            self.fleet.requested.changed[:] = True
        else:
            self._failing.clear()
            self._say_failing(now)
            yield GiveUp()
        yield ForwardTo(address=address_of(self._leader) if following else "")

    def _begin_anew(self, now: float) -> None:
        """As at a start, with the pods that there are: while another led, nothing was measured."""
        self.revisions.begin_anew(now)
        self._next_second = NONE_COUNTED
        self._align(now, anew=True)
