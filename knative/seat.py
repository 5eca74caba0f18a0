"""In the seat of Knative's autoscaler: what is known of every PodAutoscaler of ours, and decided.

Caches call in here when something changes; statistics come from activators and queue-proxies. A
tick decides for the whole fleet in one pass, and whoever acts hears only of revisions whose answer,
or whose world, has changed. A request to a revision at zero does not wait for the tick: it is
decided in the same turn of the event loop in which the activator's word arrives.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from autoscaler.board import Board
from autoscaler.clock import Clock
from autoscaler.core.decider import decide
from autoscaler.core.decision import Decisions
from autoscaler.core.demand_meter import DemandMeter
from autoscaler.core.dependencies import no_edges
from autoscaler.core.fleet import Fleet, take
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.predictive import Outlook, read_at_price
from autoscaler.core.revision import Active, Revision
from autoscaler.core.surge import Links, asked_with
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.core.zero import next_active
from knative.annotations import revision_of
from knative.api import Object
from knative.config import ClusterConfig
from knative.objects import CLASS, Pod, PodAutoscaler, ServerlessService, podautoscaler, unix
from knative.pods import READY, Pods
from knative.pulling import Pulling
from knative.recorded import Statistics
from knative.startup import StartUps
from knative.status import INITIALIZED, active_of, condition
from knative.telemetry import Gauges
from knative.traffic import Traffic
from knative.wishes import Wish, Wishes

OURS = ("kpa.autoscaling.knative.dev", "predictive.kn-ahead.dev")

log = logging.getLogger(__name__)


class Seat:
    """The fleet, and what the cluster has told of it; no I/O.

    Everything here runs in the event loop's thread; nothing awaits, so a pass is never torn.
    """

    def __init__(self, clock: Clock, config: ClusterConfig) -> None:
        self.clock = clock
        self.config = config
        self.progress_deadline_s = 600.0
        self.fleet = Fleet()
        self.board = Board()
        self.meter = DemandMeter()
        self.board.demand = self.meter
        self.start_ups = StartUps()
        self.pods = Pods()
        self.traffic = Traffic(lambda: self.fleet)
        self.pulling = Pulling()
        self.gauges = Gauges(self.pods, self.start_ups)
        self.statistics = Statistics(self)
        self.decisions: Decisions | None = None
        self.outlook: Outlook | None = None
        self.bundle: ForecastBundle | None = None
        self.dirty: set[str] = set()  # keys whose world has changed since they were acted for
        self.on_change: Callable[[], None] = _tell_nobody  # hears that there are more of them
        self._wishes = Wishes()
        self._pas: dict[str, PodAutoscaler] = {}
        self._sks: dict[str, ServerlessService] = {}
        self._replicas: dict[str, int] = {}  # by "namespace/deployment"
        self._services: tuple[int, list[str]] = (-1, [])  # layout of the fleet, and row -> service
        self._target_of: dict[str, str] = {}  # "namespace/deployment" -> revision

    # --- what caches tell -------------------------------------------------------------------

    def saw_podautoscaler(self, key: str, pa: PodAutoscaler | None) -> None:
        """A PodAutoscaler came, changed or went; others' are never touched."""
        if pa is None or pa.annotations.get(CLASS) not in OURS:
            self._forget(key)
            return
        former = self._pas.get(key)
        if former and former.uid != pa.uid:
            self._forget(key)  # made anew under the same name
        elif former and former.service != pa.service:
            self._services = (-1, [])
        self._pas[key] = pa
        self.gauges.know(key, pa)
        self.pulling.saw_revision(key, pa)
        self.traffic.saw_revision(key, pa)
        self._target_of[f"{pa.namespace}/{pa.target.get('name')}"] = key
        if key in self.fleet:
            self._configure(key, pa)
        else:
            self._admit([key])
        self._mark(key)

    def saw_own_podautoscaler(self, answer: Object) -> None:
        """The answer to a write of ours, newer than what was watched.

        A watch event that was under way meanwhile is older and takes its place until the next one
        comes; at worst the same status is written once more. Versions are not compared to tell:
        only Kubernetes >= 1.35 promises that they are ordered, and after a restore of etcd, which
        turns them back, a comparison would hide what is true from us.
        """
        pa = podautoscaler(answer)
        key = f"{pa.namespace}/{pa.name}"
        if key in self._pas:
            self._pas[key] = pa

    def saw_serverlessservice(self, key: str, sks: ServerlessService | None) -> None:
        """A ServerlessService came, changed or went."""
        if sks is None:
            self._sks.pop(key, None)
        else:
            self._sks[key] = sks
        self._look_again(key)

    def saw_deployment(self, key: str, replicas: int | None) -> None:
        """What a Deployment asks for has changed; None = it went."""
        if replicas is None:
            self._replicas.pop(key, None)
        else:
            self._replicas[key] = replicas
        if key in self._target_of:
            self._look_again(self._target_of[key])

    def saw_pod(self, key: str, pod: Pod | None) -> None:
        """A pod came, changed or went."""
        if pod is None:
            self._look_again(self.pods.drop(key))
            return
        if self.pods.put(key, pod) and pod.revision in self._pas:
            self._learn_start_up(pod.revision, pod)
        self._look_again(pod.revision)

    def reconfigure(self, config: ClusterConfig) -> None:
        """Follow a change of config for every revision."""
        self.config = config
        for key, pa in self._pas.items():
            self.fleet.configure(key, self._revision(pa))
        self.dirty.update(self._pas)
        self._read_bundle()

    # --- what is known of one revision -------------------------------------------------------

    def podautoscaler(self, key: str) -> PodAutoscaler | None:
        """The PodAutoscaler of a revision of ours."""
        return self._pas.get(key)

    def serverlessservice(self, key: str) -> ServerlessService | None:
        """Its ServerlessService."""
        return self._sks.get(key)

    def ready_pods(self, key: str) -> list[Pod]:
        """Its pods that are ready."""
        return self.pods.ready(key)

    @property
    def services(self) -> list[str]:
        """Row -> "namespace/service"; the same list for as long as it holds."""
        if self._services[0] != self.fleet.layout:
            services = [self._pas[key].service for key in self.fleet.keys]
            self._services = (self.fleet.layout, services)
        return self._services[1]

    def replicas(self, key: str) -> int | None:
        """What its Deployment asks for; None = there is none."""
        pa = self._pas.get(key)
        return self._replicas.get(f"{pa.namespace}/{pa.target.get('name')}") if pa else None

    def scrapable(self) -> list[str]:
        """Revisions of ours with a ready pod, that shall be scraped."""
        ready = self.fleet.seen.ready > 0
        return [self.fleet.keys[row] for row in np.flatnonzero(ready).tolist()]

    def stable_window_s(self, key: str) -> float:
        """A revision's stable window, s; pods older than it have settled. 0 = it went."""
        fleet = self.fleet
        return float(fleet.spec.stable_window_s[fleet.row(key)]) if key in fleet else 0.0

    # --- deciding -----------------------------------------------------------------------------

    def forecast(self, bundle: ForecastBundle | None) -> None:
        """Put new forecasts in force; None = none."""
        self.bundle = bundle
        self.pulling.learn(bundle.edges if bundle else no_edges(()))
        self.board.post_edges(self.pulling.edges)
        if bundle:
            self.board.post_forecasts(bundle)
        else:
            self.board.withdraw_forecasts()
        self._read_bundle()

    def decide(self, keys: Sequence[str] | None = None) -> Decisions:
        """Decide for the fleet, or for some revisions, and carry the memory on."""
        if self.outlook is None or self.outlook.layout != self.fleet.layout:
            self._read_bundle()
        links = self.links
        rows = None
        if keys is not None:
            rows = asked_with(links, np.array([self.fleet.row(key) for key in keys]))
        now = self.clock.now()
        decisions = decide(self.fleet, self.outlook, now=now, rows=rows, links=links)
        decisions = self._unseated_hold(decisions)
        self.fleet.remember(decisions)
        self._conclude(decisions.rows, decisions.want, decisions.now)
        self.meter.count(self.fleet, self.services, self.clock.now())
        self.board.post_edges(self.pulling.edges)
        self.board.post_decisions(self.fleet, self.services, decisions)
        self.gauges.post(self.fleet, decisions)
        return decisions

    @property
    def links(self) -> Links:
        """Who pulls whom, between the rows as they are now."""
        return self.pulling.links(self.services, self.fleet.layout)

    def _unseated_hold(self, decisions: Decisions) -> Decisions:
        """Nothing is decided for a revision whose ServerlessService is not set up yet."""
        keys = [self.fleet.keys[row] for row in decisions.rows]
        seated = np.array([self.seated(key) for key in keys], dtype=np.bool_)
        if seated.all():
            return decisions
        return replace(
            decisions,
            want=np.where(seated, decisions.want, -1),
            apply=decisions.apply & seated,
            probe=decisions.probe & seated,
        )

    def seated(self, key: str) -> bool:
        """Whether the revision's ServerlessService is ours and set up."""
        sks, pa = self._sks.get(key), self._pas.get(key)
        return bool(sks and pa and sks.private and sks.owner == pa.uid)

    def _conclude(self, rows: IntArray, want: IntArray, now: float | FloatArray) -> None:
        """Conditions that follow from what is wanted of rows, at Unix s ``now``."""
        seen = self.fleet.seen
        active = next_active(want, take(self.fleet.spec, rows), take(seen, rows))
        changed = active != seen.active[rows]
        seen.active[rows] = active
        seen.active_since_s[rows] = np.where(changed, now, seen.active_since_s[rows])
        seen.probe_passed[rows] &= active == Active.FALSE
        # Last: what was reached only now sets the threshold of the next pass.
        waiting = rows[~seen.initialized[rows]]
        reached = waiting[self._reached(waiting)]
        seen.initialized[reached] = True
        self.traffic.share_out([self.fleet.keys[row] for row in reached.tolist()])

    def _reached(self, rows: IntArray) -> BoolArray:
        spec, seen = self.fleet.spec, self.fleet.seen
        least = np.where(spec.reachable[rows], spec.min_scale[rows], 0)
        first = np.maximum(least, spec.initial_scale[rows])
        names = [self._service_name(self.fleet.keys[row]) for row in rows.tolist()]
        named = np.array([bool(name) for name in names], dtype=np.bool_)
        return np.asarray((seen.ready[rows] >= first) & named, dtype=np.bool_)

    def _service_name(self, key: str) -> str:
        sks = self._sks.get(key)
        return sks.service if sks else ""

    def wish(self, key: str) -> Wish | None:
        """What the last decision wants of a revision; None = none was made yet."""
        return self._wishes.get(self.fleet, key)

    def probe_passed(self, key: str) -> None:
        """The activator answers at the revision's address."""
        if key in self.fleet:
            self.fleet.seen.probe_passed[self.fleet.row(key)] = True

    def to_act_for(self, decisions: Decisions) -> set[str]:
        """Keys whose answer or whose world has changed since this was last asked."""
        keys = {self.fleet.keys[row] for row in decisions.rows.tolist()}
        due = self._wishes.note(self.fleet, decisions) | (self.dirty & keys)
        self.dirty -= due
        return due

    def undecided(self) -> list[str]:
        """Keys that are new: nothing was decided for them yet."""
        return sorted(key for key in self.dirty if key in self.fleet and not self.wish(key))

    def follow_up(self) -> set[str]:
        """Bring conditions up to what was seen since the last decision; returns keys to act for.

        Nothing is decided: that is for ticks, as in Knative, whose rule counts them.
        """
        keys = [key for key in self.dirty if key in self.fleet and self.wish(key)]
        rows = np.array([self.fleet.row(key) for key in keys], dtype=np.int64)
        wants = [wish.want for wish in map(self.wish, keys) if wish]
        self._conclude(rows, np.array(wants, dtype=np.int64), self.clock.now())
        self.dirty.difference_update(keys)
        return set(keys)

    # --- when our standing changes ------------------------------------------------------------

    def begin_anew(self) -> None:
        """As at a start, with the pods that there are: while another led, nothing was measured."""
        layout = self.fleet.layout + 1  # none that rows of the former fleet were read by
        self.fleet, self._wishes = Fleet(), Wishes()
        self.fleet.layout = layout
        self.outlook = self.decisions = None
        self._admit(list(self._pas))
        self.act_anew()

    def step_down(self) -> None:
        """Show nothing more of what another measures and decides now: it would count twice."""
        self.board.demand = self.meter = DemandMeter()
        self.board.withdraw_decisions()
        self.gauges.withdraw()

    def act_anew(self) -> None:
        """Act for every revision in its next decision, whether or not something has changed."""
        self.dirty.update(self._pas)

    # --- keeping the fleet --------------------------------------------------------------------

    def _admit(self, keys: Sequence[str]) -> None:
        now = self.clock.now()
        revisions = {key: self._revision(self._pas[key]) for key in keys}
        ready = [self.pods.counts(key).get(READY, 0) for key in keys]
        self.fleet.add(revisions, now=now, ready=ready)
        for key in keys:
            row, pa, seen = self.fleet.row(key), self._pas[key], self.fleet.seen
            seen.active[row] = int(active_of(pa))
            since = unix(condition(pa, "Active").get("lastTransitionTime"))
            seen.active_since_s[row] = now if since is None else since
            seen.initialized[row] = condition(pa, INITIALIZED).get("status") == "True"
            self._look_again(key)

    def _configure(self, key: str, pa: PodAutoscaler) -> None:
        price = self.fleet.spec.cold_price_s[self.fleet.row(key)]
        self.fleet.configure(key, self._revision(pa))
        if self.fleet.spec.cold_price_s[self.fleet.row(key)] != price:
            self.outlook = None  # read at another price: the next decision reads it anew

    def _forget(self, key: str) -> None:
        if key in self.fleet:
            self.fleet.remove(key)  # first: a row without its PodAutoscaler would end every tick
        pa = self._pas.pop(key, None)
        self.gauges.forget(key)
        self.pulling.forget(key)
        self.traffic.forget(key)
        if pa:
            self._target_of.pop(f"{pa.namespace}/{pa.target.get('name')}", None)
        self._wishes.forget(key)
        self.dirty.discard(key)

    def _look_again(self, key: str) -> None:
        """Bring a revision's row up to what the caches hold."""
        if key not in self.fleet:
            return
        row, seen, sks = self.fleet.row(key), self.fleet.seen, self._sks.get(key)
        seen.ready[row] = self.pods.counts(key).get(READY, 0)
        asked = self.replicas(key)
        seen.replicas[row] = -1 if asked is None else asked
        proxied = sks.proxied_since_s if sks else None
        seen.proxied_since_s[row] = np.nan if proxied is None else proxied
        self._mark(key)

    def _mark(self, key: str) -> None:
        """The world of a revision has changed."""
        self.dirty.add(key)
        self.on_change()

    def _revision(self, pa: PodAutoscaler) -> Revision:
        return revision_of(
            pa,
            self.config,
            progress_deadline_s=self.progress_deadline_s,
            lead_s=partial(self.start_ups.lead_s, pa.service),
            share=self.traffic.share(f"{pa.namespace}/{pa.name}"),
        )

    def _learn_start_up(self, key: str, pod: Pod) -> None:
        service = self._pas[key].service
        self.start_ups.add_pod(service, pod)
        if key in self.fleet:
            row, spec = self.fleet.row(key), self.fleet.spec
            spec.lead_s[row] = self.start_ups.lead_s(service, float(spec.cold_price_s[row]))

    def _read_bundle(self) -> None:
        """Read the forecasts at every revision's price, for the rows as they are now."""
        if self.bundle is None:
            self.outlook = None
            return
        place = {service: i for i, service in enumerate(self.bundle.services)}
        index = [place.get(self._pas[key].service, -1) for key in self.fleet.keys]
        try:
            self.outlook = read_at_price(
                self.bundle,
                np.array(index, dtype=np.int64),
                self.fleet.spec.cold_price_s,
                layout=self.fleet.layout,
            )
        except Exception:
            # Whatever a forecast does, Knative's rule goes on.
            log.exception("the forecasts cannot be read at the prices in force and are left out")
            self.forecast(None)


def _tell_nobody() -> None:
    """Nobody listens."""
