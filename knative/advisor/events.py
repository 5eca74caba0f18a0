"""Kubernetes Events: what is wanted of a revision and why, where `kubectl describe` shows it.

Telling never waits and never fails. What is told goes on a bounded list, where equal things within
the same interval become one with a count; one task writes it, at a rate that the API server bears
however many revisions change. An event that is refused is counted and given up.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.advisor.read_model import Change
from autoscaler.clock import Clock
from autoscaler.core.state.decision import Reason
from knative.advisor.tokens import TokenBucket
from knative.client.api import Api, ApiError, Object
from knative.mirror.fields import kubernetes_time

EACH_BURST, EACH_PER_S = 10, 1 / 60  # events about one object
ALL_BURST, ALL_PER_S = 100, 10  # events about all
MOST_TOLD = 1000  # told and not written yet
PAUSE_S = 1.0  # s until what had to wait, or what comes after a refusal, is tried
LONGEST_MESSAGE = 1024  # what Kubernetes allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is told of an object."""

    about: Regarding
    reason: str  # short CamelCase
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    note: Note  # the last of them
    first_s: float  # Unix s
    last_s: float  # Unix s
    count: int = 1


class Events:
    """Writes what is told; `outcomes` counts what became of it."""

    def __init__(self, api: Api, clock: Clock, ailing: Callable[[str], None]) -> None:
        """ailing: hears why events cannot be written, "" = they can again."""
        self._api, self._clock, self._ailing = api, clock, ailing
        self._told: dict[tuple[Regarding, str], _Told] = {}  # the eldest first
        self._some = asyncio.Event()
        self._all = TokenBucket(per_s=ALL_PER_S, burst=ALL_BURST)
        self._each: dict[Regarding, TokenBucket] = {}
        self.outcomes = {"written": 0, "dropped": 0, "failed": 0}

    def tell(self, note: Note) -> None:
        """Have it written soon; dropped where too much is waiting."""
        key, now = (note.about, note.reason), self._clock.now()
        former = self._told.get(key)
        if former:
            self._told[key] = replace(former, note=note, last_s=now, count=former.count + 1)
        elif len(self._told) < MOST_TOLD:
            self._told[key] = _Told(note=note, first_s=now, last_s=now)
            self._some.set()
        else:
            self.outcomes["dropped"] += 1

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            wait_s = 0.0
            while not wait_s and (told := self._due(loop.time())):
                wait_s = await self._write(told)
            if not self._told:
                self._some.clear()
            await asyncio.sleep(wait_s or PAUSE_S)
            self._forget_full(loop.time())

    def _due(self, now: float) -> _Told | None:
        """The eldest that may be written now; it is taken off the list."""
        if not self._all.ready(now):
            return None
        for key in self._told:
            each = self._each.get(key[0])
            if each is None:
                each = self._each[key[0]] = TokenBucket(per_s=EACH_PER_S, burst=EACH_BURST)
            if each.ready(now):
                each.take()
                self._all.take()
                return self._told.pop(key)
        return None

    def _forget_full(self, now: float) -> None:
        if len(self._each) > MOST_TOLD:
            self._each = {about: it for about, it in self._each.items() if not it.full(now)}

    async def _write(self, told: _Told) -> float:
        """Returns how long to wait then, s."""
        path = f"/api/v1/namespaces/{told.note.about.namespace}/events"
        try:
            await self._api.create(path, _body(told))
        except Exception as error:  # noqa: BLE001
            # Whatever it is, an event is never worth the loop.
            self.outcomes["failed"] += 1
            self._ailing(f"Events cannot be written: {error}")
            return max(PAUSE_S, error.retry_after_s if isinstance(error, ApiError) else 0.0)
        self.outcomes["written"] += 1
        self._ailing("")
        return 0.0


def note_of(change: Change) -> Note | None:
    """What is told of a change; None = what is wanted is what there was before we came."""
    known = change.before is not None and change.before >= 0
    if change.decision.want < 0 or not (known or change.decision.scale):
        return None
    namespace, _, name = change.revision.revision.partition("/")
    about = Regarding(
        api_version="autoscaling.internal.knative.dev/v1alpha1",
        kind="PodAutoscaler",
        namespace=namespace,
        name=name,
        uid=change.revision.uid,
    )
    return Note(about=about, reason=_reason(change), message=change.sentence)


def _reason(change: Change) -> str:
    before = change.before or 0
    want = change.decision.want
    if want == 0:
        return "ScaledToZero"
    if change.reason == Reason.EARLY:
        return "ReleasedEarly"
    if change.reason in {Reason.FORECAST, Reason.UPSTREAM} and want > before:
        return "ScaledAhead"
    return "ScaledFromZero" if change.before == 0 else "Scaled"


def _body(told: _Told) -> Object:
    note, about = told.note, told.note.about
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
        "type": "Warning" if note.warning else "Normal",
        "reason": note.reason,
        "message": note.message[:LONGEST_MESSAGE],
        "source": {"component": "kn-ahead"},
        "reportingComponent": "kn-ahead",
        "firstTimestamp": kubernetes_time(told.first_s),
        "lastTimestamp": kubernetes_time(told.last_s),
        "count": told.count,
    }
