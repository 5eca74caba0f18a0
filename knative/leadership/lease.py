"""One Lease: acquired, renewed, released, as Kubernetes' own client library does it.

Clocks of two machines are never compared. Whether another's lease has expired is judged by how long
we have seen it unchanged; how long ours is good is counted from before the write that renewed it.
Every write is optimistic: of two who try at the same time, one is refused and looks again.
Source: client-go tools/leaderelection.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from autoscaler.clock import Clock
from autoscaler.errors import TransientError
from knative.client.api import CONFLICT, NOT_FOUND, Api, ApiError, Object
from knative.settings.quantities import LARGEST

TRIES = 3  # writes of one renewal that others may cross
NEVER_S = -math.inf


class Lease:
    """What was read of a lease, when it changed in our sight, and until when it is ours."""

    def __init__(
        self,
        api: Api,
        place: tuple[str, str],
        identity: str,
        clock: Clock,
        elapsed: Callable[[], float],
    ) -> None:
        """place: namespace and name. elapsed: s since some moment, never set back."""
        self._api, self._place, self._identity = api, place, identity
        self._clock, self._elapsed = clock, elapsed
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{place[0]}/leases"
        self._found: Object | None = None  # as last read or written; None = there is none
        self._current = False  # whether it is, as far as we know, still what was found
        self._changed_s = NEVER_S  # elapsed when it was found other than before
        self.until_s = NEVER_S  # elapsed until which it is ours beyond doubt

    @property
    def name(self) -> str:
        """Of the object."""
        return self._place[1]

    @property
    def holder(self) -> str:
        """Identity of who holds it, as last seen; "" = nobody."""
        return str(_spec(self._found).get("holderIdentity") or "")

    @property
    def is_ours(self) -> bool:
        """Whether we hold it, as far as we know."""
        return self.holder == self._identity

    @property
    def is_others(self) -> bool:
        """Whether somebody else holds it, as far as we know."""
        return bool(self.holder) and not self.is_ours

    async def hold(self, duration_s: float, deadline_s: float) -> None:
        """Acquire or renew it; left alone while it is another's. Raises AutoscalerError.

        duration_s: for how long others have to see it unchanged before they take it. deadline_s:
        for how long we count on it; shorter, so that we have stopped when they begin.
        """
        for _ in range(TRIES):
            # Ours needs no look: nobody else takes it while it is renewed.
            if not (self._current and self.is_ours):
                await self._look()
            if self.is_others and not self._expired(duration_s):
                self.until_s = NEVER_S
                return
            if await self._take(duration_s, deadline_s):
                return
        raise TransientError(f"lease {self.name} changed {TRIES} times while it was written")

    async def release(self) -> None:
        """Leave it to the next who asks. Raises AutoscalerError."""
        self.until_s = NEVER_S
        if self._found is not None and not self._current:
            await self._look()  # a write of ours was cut short
        if not self.is_ours:
            return
        now = _micro_time(self._clock.now())
        await self._write(holderIdentity="", leaseDurationSeconds=1, acquireTime=now, renewTime=now)

    def _expired(self, duration_s: float) -> bool:
        said = _count(_spec(self._found).get("leaseDurationSeconds")) or math.ceil(duration_s)
        return self._elapsed() >= self._changed_s + float(said)

    async def _look(self) -> None:
        try:
            found = await self._api.get(f"{self._path}/{self.name}")
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            self._see(None)
        else:
            if not _is_lease(found):
                raise TransientError(f"lease {self.name}: an answer that is no lease")
            self._see(found)

    def _see(self, found: Object | None) -> None:
        if found != self._found:  # its version included: any write is a sign of life
            self._changed_s = self._elapsed()
        self._found, self._current = found, True

    async def _take(self, duration_s: float, deadline_s: float) -> bool:
        """Write it as ours; whether nobody crossed it."""
        began_s, former = self._elapsed(), _spec(self._found)
        now = _micro_time(self._clock.now())
        changes = _count(former.get("leaseTransitions"))
        again = self.is_ours
        try:
            await self._write(
                holderIdentity=self._identity,
                leaseDurationSeconds=math.ceil(duration_s),
                acquireTime=(again and former.get("acquireTime")) or now,
                renewTime=now,
                leaseTransitions=min(changes + (self._found is not None and not again), LARGEST),
            )
        except ApiError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
            return False
        self.until_s = began_s + deadline_s
        return True

    async def _write(self, **spec: object) -> None:
        found, self._current = self._found, False  # until the answer says so
        body: Object = {
            **(found or {"metadata": {"namespace": self._place[0], "name": self.name}}),
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "spec": {**_spec(found), **spec},
        }
        if found is None:
            answer = await self._api.create(self._path, body)
        else:
            answer = await self._api.replace(f"{self._path}/{self.name}", body)
        # An empty answer tells nothing of the version: look before the next write.
        told = _is_lease(answer)
        self._see(answer if told else body)
        self._current = told


def _is_lease(answer: Object) -> bool:
    return isinstance(answer.get("metadata"), dict) and isinstance(answer.get("spec") or {}, dict)


def _spec(found: Object | None) -> Object:
    return (found or {}).get("spec") or {}


def _count(value: object) -> int:
    """A count that others wrote; 0 = there is none that can be."""
    return value if isinstance(value, int) and 0 <= value <= LARGEST else 0


def _micro_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
