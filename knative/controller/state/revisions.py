"""The objects of every revision of our classes, and the fleet's rows that follow from them.

Each change of an object is stored here, and written into the columns of the revision's row: its
settings (`Fleet.spec`) and what was observed (`Fleet.observed`). Nothing is decided here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from autoscaler.core.control import ControlState
from autoscaler.core.names import name_id
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Mode, Revision
from autoscaler.core.types import FloatArray, IntArray
from knative.controller.state.carried import Carried
from knative.controller.state.drain import Drains, drain_of
from knative.controller.state.plan import RevisionObjects
from knative.controller.state.start_up import StartUps, parts_of
from knative.controller.state.status import active_of, is_initialized
from knative.controller.state.traffic import Traffic
from knative.mirror.annotation_names import CLASS
from knative.mirror.conditions import ACTIVE
from knative.mirror.fields import unix
from knative.mirror.objects import Deployment, Pod, PodAutoscaler, ServerlessService
from knative.mirror.pods import PENDING, READY, TERMINATING, UNREADY, Pods
from knative.mirror.routes import Route
from knative.settings.annotations import revision_of
from knative.settings.cluster import ClusterConfig

T = TypeVar("T")
OUR_CLASSES = ("kpa.autoscaling.knative.dev", "predictive.kn-ahead.dev")


class Revisions:
    """All revisions whose PodAutoscaler is of one of our classes."""

    def __init__(self, state: ControlState, *, plain: bool) -> None:
        """state: whose fleet is updated. plain: settings of kn-ahead are ignored."""
        self._state, self._plain = state, plain
        self._config, self._deadline_s = ClusterConfig(), 600.0
        self._podautoscalers: dict[str, PodAutoscaler] = {}
        self._serverlessservices: dict[str, ServerlessService] = {}
        self._deployments: dict[str, Deployment] = {}
        # Revisions by their scale target, "namespace/deployment"; several may name the same.
        self._scaled: dict[str, set[str]] = {}
        self._pods = Pods()
        self._start_ups, self._drains = StartUps(), Drains()
        self._traffic = Traffic()
        self._promised_s: dict[int, float] = {}  # prices that keep promises, by `name_id`
        self._carried = Carried()  # what was counted before a restart, until it is given
        self.texts = 0  # incremented when a name or an annotation that snapshots show changes

    @property
    def fleet(self) -> Fleet:
        """All revisions as arrays."""
        return self._state.fleet

    @property
    def config(self) -> ClusterConfig:
        """config-autoscaler."""
        return self._config

    def podautoscalers(self) -> Iterator[tuple[str, PodAutoscaler]]:
        """Every PodAutoscaler of our classes, by "namespace/name"."""
        return iter(self._podautoscalers.items())

    def podautoscaler(self, key: str) -> PodAutoscaler | None:
        """A revision's PodAutoscaler; None = there is none of our classes."""
        return self._podautoscalers.get(key)

    def objects(self, key: str) -> RevisionObjects:
        """The objects of a revision. Raises KeyError without a PodAutoscaler."""
        pa = self._podautoscalers[key]
        return RevisionObjects(
            podautoscaler=pa,
            serverlessservice=self._serverlessservices.get(key),
            deployment=self._deployments.get(_target_of(pa)),
        )

    def ready_pods(self, key: str) -> list[Pod]:
        """A revision's pods that are ready."""
        return self._pods.ready(key)

    def resume(self, carried: Carried) -> None:
        """Go on with what was counted of revisions and services, once they are seen."""
        self._carried = carried

    # --- changes of objects ------------------------------------------------------------------

    def saw_podautoscaler(self, key: str, pa: PodAutoscaler | None, now: float) -> None:
        """Follow a PodAutoscaler; None = deleted. Those of other classes are ignored."""
        if pa is None or pa.annotations.get(CLASS) not in OUR_CLASSES:
            self._forget(key)
            return
        former = self._podautoscalers.get(key)
        if former and former.uid != pa.uid:
            self._forget(key)  # another object with the same name
            former = None
        if former is None or _texts_of(former) != _texts_of(pa):
            self.texts += 1
        self._podautoscalers[key] = pa
        if former:
            self._leave_target(key, former)
        self._scaled.setdefault(_target_of(pa), set()).add(key)
        resplit = self._traffic.saw_revision(key, pa)
        if key not in self.fleet:
            self._admit([key], now)
        else:
            if former and former.service != pa.service:
                self.fleet.move(key, pa.service)
                self._forget_times(former.service)
            self.fleet.configure(key, self._revision(key, pa))
            self._observe(key)
        self.update_shares(resplit)

    def saw_own_status(self, key: str, pa: PodAutoscaler) -> None:
        """Store the answer to a write of a status, which is newer than what was watched.

        An older watch event that arrives after it replaces it until the next event; at worst the
        same status is written once more. Resource versions are not compared: only Kubernetes >=
        1.35 promises that they are ordered, and after a restore of etcd, which sets them back, a
        comparison would reject the present object.
        """
        former = self._podautoscalers.get(key)
        if former and former.uid == pa.uid:
            self._podautoscalers[key] = pa

    def saw_serverlessservice(self, key: str, sks: ServerlessService | None) -> None:
        """Follow a ServerlessService; None = deleted."""
        _put(self._serverlessservices, key, sks)
        self._observe(key)

    def saw_deployment(self, key: str, deployment: Deployment | None) -> None:
        """Follow a Deployment; None = deleted."""
        _put(self._deployments, key, deployment)
        for revision in self._scaled.get(key, ()):
            self._observe(revision)

    def saw_pod(self, key: str, pod: Pod | None, now: float) -> None:
        """Follow a pod; None = gone, since Unix s ``now``."""
        if pod is None:
            gone = self._pods.served(key)
            if gone and gone.revision in self.fleet:
                self._measure_drain(gone.revision, gone, now)
            self._observe(self._pods.drop(key))
            return
        if self._pods.put(key, pod) and pod.revision in self.fleet:
            self._measure_start(pod.revision, pod)
        self._observe(pod.revision)

    def saw_route(self, key: str, route: Route | None) -> None:
        """Follow a Route; None = deleted."""
        self.update_shares(self._traffic.saw_route(key, route))

    def reconfigure(
        self, *, config: ClusterConfig | None = None, deadline_s: float | None = None
    ) -> None:
        """Apply changed cluster settings to every revision."""
        self._config = config or self._config
        self._deadline_s = deadline_s or self._deadline_s
        self._limit_cluster()
        for key, pa in self._podautoscalers.items():
            self.fleet.configure(key, self._revision(key, pa))
            self._changed(key)

    def _limit_cluster(self) -> None:
        config = self._config
        opens = np.isinf(self.fleet.cluster_credit.max_extra)
        self.fleet.limit_cluster(config.cluster_max_extra, config.cluster_extra_allowance)
        credit = self.fleet.cluster_credit
        if opens and np.isfinite(credit.max_extra):
            left_s = min(credit.left_s, self._carried.cluster_s)
            self.fleet.cluster_credit = replace(credit, left_s=left_s)
            self._carried = replace(self._carried, cluster_s=np.inf)

    def update_shares(self, keys: Iterable[str]) -> None:
        """Update the share of their services' traffic that revisions get."""
        for key in keys:
            if key in self.fleet:
                self.fleet.spec.share[self.fleet.row(key)] = self._share(key)

    def reprice(self, revision: IntArray, price_s: FloatArray) -> None:
        """Put prices that keep promises in force, of those that have one.

        revision: (n,) `name_id`. price_s: (n,) s of idle pod; NaN = there is no promise.
        """
        priced = ~np.isnan(price_s)
        self._promised_s = dict(
            zip(revision[priced].tolist(), price_s[priced].tolist(), strict=True)
        )
        fleet = self.fleet
        for row in np.flatnonzero(np.isfinite(fleet.spec.max_cold_rate)).tolist():
            found_s = self._promised_s.get(int(fleet.ids[row]))
            if found_s is not None and found_s != fleet.spec.cold_price_s[row]:
                fleet.spec.cold_price_s[row] = found_s
                self._update_lead(row)

    def rebuild(self, now: float) -> None:
        """Make the fleet anew from the objects, as after a restart."""
        layout = self.fleet.layout
        self.resume(Carried.of(self.fleet))
        self._state.fleet = Fleet()
        self._limit_cluster()
        self._admit(list(self._podautoscalers), now)
        self.fleet.layout += layout  # so that advice mapped to the former rows is mapped again

    # --- rows of the fleet -------------------------------------------------------------------

    def _admit(self, keys: list[str], now: float) -> None:
        pas = [self._podautoscalers[key] for key in keys]
        self.fleet.add(
            {key: self._revision(key, pa) for key, pa in zip(keys, pas, strict=True)},
            now=now,
            ready=[self._pods.counts(key).get(READY, 0) for key in keys],
            services=[pa.service for pa in pas],
        )
        for key, pa in zip(keys, pas, strict=True):
            row, observed = self.fleet.row(key), self.fleet.observed
            self._carried.give(self.fleet, key)
            observed.active[row] = int(active_of(pa))
            since = unix(pa.status.condition(ACTIVE).since or None)
            observed.active_since_s[row] = now if since is None else since
            observed.initialized[row] = is_initialized(pa)
            self._observe(key)

    def _forget(self, key: str) -> None:
        if key in self.fleet:
            service = self.fleet.services.keys[int(self.fleet.service[self.fleet.row(key)])]
            self.fleet.remove(
                key
            )  # first: a row without a PodAutoscaler would make every tick fail
            self._forget_times(service)
        pa = self._podautoscalers.pop(key, None)
        if pa:
            self.texts += 1
            self._leave_target(key, pa)
            self.update_shares(self._traffic.forget(key))

    def _forget_times(self, service: str) -> None:
        if service not in self.fleet.services:
            self._start_ups.forget(service)
            self._drains.forget(service)

    def _leave_target(self, key: str, pa: PodAutoscaler) -> None:
        target = _target_of(pa)
        self._scaled[target].discard(key)
        if not self._scaled[target]:
            del self._scaled[target]

    def _observe(self, key: str) -> None:
        """Write what was observed of a revision into its row."""
        if key not in self.fleet:
            return
        row, observed, objects = self.fleet.row(key), self.fleet.observed, self.objects(key)
        sks, deployment, counts = (
            objects.serverlessservice,
            objects.deployment,
            self._pods.counts(key),
        )
        observed.ready[row] = counts.get(READY, 0)
        observed.replicas[row] = deployment.replicas if deployment else -1
        observed.set_up[row] = objects.set_up
        observed.named[row] = bool(sks and sks.service)
        proxied_s = sks.proxied_since_s if sks else None
        observed.proxied_since_s[row] = np.nan if proxied_s is None else proxied_s
        for state, column in (
            (UNREADY, self.fleet.pods.unready),
            (PENDING, self.fleet.pods.pending),
            (TERMINATING, self.fleet.pods.terminating),
        ):
            column[row] = counts.get(state, 0)
        self._changed(key)

    def _changed(self, key: str) -> None:
        self.fleet.requested.changed[self.fleet.row(key)] = True

    def _revision(self, key: str, pa: PodAutoscaler) -> Revision:
        revision = revision_of(
            pa,
            self._config,
            progress_deadline_s=self._deadline_s,
            lead_s=partial(self._start_ups.lead_s, pa.service),
            drain_s=self._drains.drain_s(pa.service),
            share=self._share(key),
            promised_s=self._promised_s.get(name_id(key), np.nan),
        )
        return replace(revision, mode=Mode.OFF) if self._plain else revision

    def _share(self, key: str) -> float:
        pa = self._podautoscalers[key]
        initialized = is_initialized(pa)
        if key in self.fleet:  # its column is newer than the watched status
            initialized = bool(self.fleet.observed.initialized[self.fleet.row(key)])
        return self._traffic.share(key, pa, initialized=initialized)

    def _measure_start(self, key: str, pod: Pod) -> None:
        """A pod became ready for the first time: note its start-up time."""
        fleet, row = self.fleet, self.fleet.row(key)
        service = int(fleet.service[row])
        name = fleet.services.keys[service]
        parts = parts_of(pod)
        for part, seconds in parts.items():
            fleet.services.note_start(service, part, seconds)
        if "total" in parts:
            self._start_ups.add(name, parts["total"])
        self._update_lead(row)

    def _update_lead(self, row: int) -> None:
        fleet = self.fleet
        name, price_s = fleet.services.keys[fleet.service[row]], float(fleet.spec.cold_price_s[row])
        fleet.spec.lead_s[row] = self._start_ups.lead_s(name, price_s)

    def _measure_drain(self, key: str, pod: Pod, now: float) -> None:
        """A pod that had been ready is gone: note for how long it drained."""
        fleet, row, drained_s = self.fleet, self.fleet.row(key), drain_of(pod, now)
        if drained_s is None:
            return
        service = int(fleet.service[row])
        name = fleet.services.keys[service]
        fleet.services.note_drain(service, drained_s)
        self._drains.add(name, drained_s)
        fleet.spec.drain_s[row] = self._drains.drain_s(name)


def _put(objects: dict[str, T], key: str, found: T | None) -> None:
    if found is None:
        objects.pop(key, None)
    else:
        objects[key] = found


def _target_of(pa: PodAutoscaler) -> str:
    return f"{pa.namespace}/{pa.target.name}"


def _texts_of(pa: PodAutoscaler) -> tuple[str, ...]:
    """Names and annotations that snapshots show."""
    return (pa.uid, pa.service, pa.configuration, *(f"{k}={v}" for k, v in pa.annotations.items()))
