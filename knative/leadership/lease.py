"""One Lease: acquired, renewed, released, as Kubernetes' own client library does it.

Clocks of two machines are never compared. Another's lease has expired when we have seen it
unchanged for its duration; ours is valid from before the write that renewed it. Writes are
optimistic: of two at the same time, one gets a conflict and reads again.
Source: client-go tools/leaderelection.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from autoscaler.clock import Clock
from autoscaler.errors import TransientError
from knative.client.api import CONFLICT, NOT_FOUND, Api, ApiError, Object
from knative.settings.quantities import LARGEST

TRIES = 3  # writes of one renewal, each after a conflict
NEVER_S = -math.inf


class Lease:
    """A lease as last read, when it was seen to change, and until when we hold it."""

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
        self._current = False  # whether `_found` is the newest version, as far as we know
        self._changed_s = NEVER_S  # `elapsed` when it was seen to change
        self.until_s = NEVER_S  # `elapsed` until which we hold it for certain

    @property
    def name(self) -> str:
        """Name of the Lease."""
        return self._place[1]

    @property
    def holder(self) -> str:
        """Identity of its holder, as last seen; "" = none."""
        return str(_spec(self._found).get("holderIdentity") or "")

    @property
    def is_ours(self) -> bool:
        """Whether we hold it, as far as we know."""
        return self.holder == self._identity

    @property
    def is_others(self) -> bool:
        """Whether another replica holds it, as far as we know."""
        return bool(self.holder) and not self.is_ours

    async def hold(self, duration_s: float, deadline_s: float) -> None:
        """Acquire or renew it, unless another replica holds it. Raises AutoscalerError.

        duration_s: for how long others have to see it unchanged before they acquire it. deadline_s:
        for how long we hold it after a renewal; shorter, so that we stop before others start.
        """
        for _ in range(TRIES):
            # Our own need not be read: no other replica acquires it while it is renewed.
            if not (self._current and self.is_ours):
                await self._read()
            if self.is_others and not self._expired(duration_s):
                self.until_s = NEVER_S
                return
            if await self._take(duration_s, deadline_s):
                return
        raise self._changed_again()

    async def release(self) -> None:
        """Release it, so that others can acquire it at once. Raises AutoscalerError."""
        self.until_s = NEVER_S
        for _ in range(TRIES):
            if self._found is not None and not self._current:
                await self._read()  # a write of ours had no answer
            if not self.is_ours:
                return
            now = _micro_time(self._clock.now())
            # Our last renewal may have been given up and arrive nevertheless: a conflict.
            if await self._written(
                holderIdentity="", leaseDurationSeconds=1, acquireTime=now, renewTime=now
            ):
                return
        raise self._changed_again()

    def _expired(self, duration_s: float) -> bool:
        duration = _count(_spec(self._found).get("leaseDurationSeconds")) or math.ceil(duration_s)
        return self._elapsed() >= self._changed_s + float(duration)

    async def _read(self) -> None:
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
        if found != self._found:  # including its version: any write shows that its holder is alive
            self._changed_s = self._elapsed()
        self._found, self._current = found, True

    async def _take(self, duration_s: float, deadline_s: float) -> bool:
        """Write ourselves as the holder; returns False after a conflict."""
        began_s, former = self._elapsed(), _spec(self._found)
        now = _micro_time(self._clock.now())
        changes = _count(former.get("leaseTransitions"))
        again = self.is_ours
        if not await self._written(
            holderIdentity=self._identity,
            leaseDurationSeconds=math.ceil(duration_s),
            acquireTime=(again and former.get("acquireTime")) or now,
            renewTime=now,
            leaseTransitions=min(changes + (self._found is not None and not again), LARGEST),
        ):
            return False
        self.until_s = began_s + deadline_s
        return True

    def _changed_again(self) -> TransientError:
        return TransientError(f"lease {self.name} changed {TRIES} times while it was written")

    async def _written(self, **spec: object) -> bool:
        """Write; returns False after a conflict, whereupon it has to be read again."""
        try:
            await self._write(**spec)
        except ApiError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
            return False
        return True

    async def _write(self, **spec: object) -> None:
        found, self._current = self._found, False  # until there is an answer
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
        # An empty answer has no version: read again before the next write.
        known = _is_lease(answer)
        self._see(answer if known else body)
        self._current = known


def _is_lease(answer: Object) -> bool:
    return isinstance(answer.get("metadata"), dict) and isinstance(answer.get("spec") or {}, dict)


def _spec(found: Object | None) -> Object:
    return (found or {}).get("spec") or {}


def _count(value: object) -> int:
    """A count that others wrote; 0 = there is none, or an impossible one."""
    return value if isinstance(value, int) and 0 <= value <= LARGEST else 0


def _micro_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
