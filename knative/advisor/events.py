"""Kubernetes Events: what is wanted of a revision and why, where `kubectl describe` shows it.

`EventRecorder.record` neither waits nor fails: it puts an event on a bounded queue, where events of
the same object and reason become one with a count. One task writes them, at limited rates: for each
object, and for all together. An event that the API server refuses is counted and not tried again.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.advisor.occasions import Begun, Occasion
from autoscaler.advisor.read_model import Change
from autoscaler.clock import Clock
from autoscaler.core.state.decision import Reason
from autoscaler.exchange.snapshot import Named
from knative.advisor.tokens import TokenBucket
from knative.client.api import Api, ApiError, Object
from knative.mirror.fields import kubernetes_time

EACH_BURST, EACH_PER_S = 10, 1 / 60  # events about one object
ALL_BURST, ALL_PER_S = 100, 10  # events about all
MOST_PENDING = 1000  # events that wait to be written
PAUSE_S = 1.0  # s between two looks at the queue, and after a refusal
LONGEST_MESSAGE = 1024  # what Kubernetes allows
REASONS = {
    Occasion.BILL_REACHED: "BillReached",
    Occasion.PROMISE_MISSED: "PromiseMissed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReference:
    """The object that an Event is about, as in Kubernetes' API."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


def pod_reference(namespace: str, name: str, uid: str) -> ObjectReference | None:
    """A pod; None where its name or its uid is not known."""
    if not (name and uid):
        return None
    return ObjectReference(api_version="v1", kind="Pod", namespace=namespace, name=name, uid=uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """An Event about an object."""

    about: ObjectReference
    reason: str  # short CamelCase
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """Equal events that wait to be written as one."""

    event: ObjectEvent  # the newest of them
    first_s: float  # Unix s
    last_s: float  # Unix s
    count: int = 1


class EventRecorder:
    """Writes Events; `outcomes` counts what became of them."""

    def __init__(self, api: Api, clock: Clock, report: Callable[[str], None]) -> None:
        """report: called with the reason why events cannot be written; "" = they can again."""
        self._api, self._clock, self._report = api, clock, report
        self._pending: dict[tuple[ObjectReference, str], _Pending] = {}  # the oldest first
        self._added = asyncio.Event()
        self._all = TokenBucket(per_s=ALL_PER_S, burst=ALL_BURST)
        self._each: dict[ObjectReference, TokenBucket] = {}
        self.outcomes = {"written": 0, "dropped": 0, "failed": 0}

    def record(self, event: ObjectEvent) -> None:
        """Queue an event; dropped where `MOST_PENDING` others wait. Returns at once."""
        key, now = (event.about, event.reason), self._clock.now()
        former = self._pending.get(key)
        if former:
            self._pending[key] = replace(former, event=event, last_s=now, count=former.count + 1)
        elif len(self._pending) < MOST_PENDING:
            self._pending[key] = _Pending(event=event, first_s=now, last_s=now)
            self._added.set()
        else:
            self.outcomes["dropped"] += 1

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._added.wait()
            wait_s = 0.0
            while not wait_s and (pending := self._due(loop.time())):
                wait_s = await self._write(pending)
            if not self._pending:
                self._added.clear()
            await asyncio.sleep(wait_s or PAUSE_S)
            self._forget_full(loop.time())

    def _due(self, now: float) -> _Pending | None:
        """Take the oldest that the rates allow to be written now."""
        if not self._all.ready(now):
            return None
        for key in self._pending:
            each = self._each.get(key[0])
            if each is None:
                each = self._each[key[0]] = TokenBucket(per_s=EACH_PER_S, burst=EACH_BURST)
            if each.ready(now):
                each.take()
                self._all.take()
                return self._pending.pop(key)
        return None

    def _forget_full(self, now: float) -> None:
        if len(self._each) > MOST_PENDING:
            self._each = {about: it for about, it in self._each.items() if not it.full(now)}

    async def _write(self, pending: _Pending) -> float:
        """Returns how long to wait before the next write, s."""
        path = f"/api/v1/namespaces/{pending.event.about.namespace}/events"
        try:
            await self._api.create(path, _body(pending))
        except Exception as error:  # noqa: BLE001  # no failed event may end the loop
            self.outcomes["failed"] += 1
            self._report(f"Events cannot be written: {error}")
            return max(PAUSE_S, error.retry_after_s if isinstance(error, ApiError) else 0.0)
        self.outcomes["written"] += 1
        self._report("")
        return 0.0


def scaling_event(change: Change) -> ObjectEvent | None:
    """The Event for a changed decision.

    None where the revision has no decision, and for the first decision of a revision that keeps
    the pods it had before.
    """
    known = change.before is not None and change.before >= 0
    if change.want < 0 or not (known or change.scale):
        return None
    about = _podautoscaler(change.revision)
    return ObjectEvent(about=about, reason=_reason(change), message=change.sentence)


def begun_event(begun: Begun) -> ObjectEvent:
    """The Event for what has begun, once until it is over."""
    return ObjectEvent(
        about=_podautoscaler(begun.revision),
        reason=REASONS[begun.occasion],
        message=begun.sentence,
        warning=True,
    )


def _podautoscaler(revision: Named) -> ObjectReference:
    namespace, _, name = revision.revision.partition("/")
    return ObjectReference(
        api_version="autoscaling.internal.knative.dev/v1alpha1",
        kind="PodAutoscaler",
        namespace=namespace,
        name=name,
        uid=revision.uid,
    )


def _reason(change: Change) -> str:
    before = change.before or 0
    want = change.want
    if want == 0:
        return "ScaledToZero"
    if change.reason == Reason.EARLY:
        return "ReleasedEarly"
    if change.reason in {Reason.FORECAST, Reason.UPSTREAM, Reason.BILL} and want > before:
        return "ScaledAhead"
    return "ScaledFromZero" if change.before == 0 else "Scaled"


def _body(pending: _Pending) -> Object:
    event, about = pending.event, pending.event.about
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "namespace": about.namespace,
            "name": f"{about.name}.{secrets.token_hex(8)}",
        },
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message[:LONGEST_MESSAGE],
        "source": {"component": "kn-ahead"},
        "reportingComponent": "kn-ahead",
        "firstTimestamp": kubernetes_time(pending.first_s),
        "lastTimestamp": kubernetes_time(pending.last_s),
        "count": pending.count,
    }
