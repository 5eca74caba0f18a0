"""Leader election: one replica at a time decides and writes for all revisions.

The leases are those of Knative's own autoscaler, so that it and kn-ahead exclude each other.
Knative divides the revisions among its leases (buckets); we lead for all of them and need every
lease. They are acquired in one order, and all are released when another replica holds one of them:
so two replicas cannot block each other, and Knative's autoscaler can lead for the released ones.
"""

import asyncio
import ipaddress
import random
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from autoscaler.clock import Clock
from autoscaler.errors import AutoscalerError
from autoscaler.logs import get_logger
from knative.client.api import Api
from knative.leadership.lease import Lease
from knative.settings.election import Election

RELEASE_S = 5.0  # s that the release of all leases may take at the end

log = get_logger(__name__)


class Leadership(Enum):
    """What this replica may do."""

    LEADING = "leading"  # decide and write
    UNSURE = "unsure"  # decide, but write nothing: the leases could not be renewed in time
    FOLLOWING = "following"  # nothing: another replica leads, or no leader is known yet


class Elector:
    """Holds all leases or none."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        identity: str,
        clock: Clock,
        *,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        """elapsed: s since some moment, never set back; None = the event loop's."""
        self._api, self._namespace, self.identity, self._clock = api, namespace, identity, clock
        self._elapsed = elapsed or (lambda: asyncio.get_running_loop().time())
        self._leases: dict[str, Lease] = {}
        self._led = False  # whether we led since another replica was last seen to hold a lease
        self._woken = asyncio.Event()
        self.fault = ""  # why the leases could not be read or written; "" = they could
        self.adopt(Election())

    def adopt(self, election: Election) -> None:
        """Apply a changed config-leader-election."""
        self.election = election
        place = self._namespace
        for name in election.leases:
            if name not in self._leases:
                lease = Lease(self._api, (place, name), self.identity, self._clock, self._elapsed)
                self._leases[name] = lease
        self._woken.set()

    @property
    def leadership(self) -> Leadership:
        """What this replica may do at this moment: leases expire without an event."""
        leases, now_s = self._leases.values(), self._elapsed()
        if all(lease.is_ours and now_s < lease.until_s for lease in leases):
            return Leadership.LEADING
        if self._led and not any(lease.is_others for lease in leases):
            return Leadership.UNSURE
        return Leadership.FOLLOWING

    @property
    def leader(self) -> str:
        """Identity of another replica that leads; "" = none is known."""
        return next((lease.holder for lease in self._leases.values() if lease.is_others), "")

    def may_write(self) -> bool:
        """Whether this replica leads at this moment."""
        return self.leadership is Leadership.LEADING

    def wake(self) -> None:
        """Try to acquire the leases at once: the leader may have gone."""
        self._woken.set()

    async def run(self, changed: Callable[[], object]) -> None:
        """Acquire and renew until cancelled. changed: called when `leadership` may have changed."""
        while True:
            self._woken.clear()
            self.fault = await self._try(changed)
            try:
                changed()
            except Exception:
                log.exception("change of leadership not handled")
            # With jitter, or two replicas could collide again and again.
            wait_s = self.election.retry_period_s * random.uniform(0.8, 1.0)  # noqa: S311
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    async def _try(self, changed: Callable[[], object]) -> str:
        """Campaign once; returns why it failed, "" = it did not."""
        try:
            # Half, so that there is time for another try after one request that hangs.
            async with asyncio.timeout(self.election.renew_deadline_s / 2):
                await self.campaign(changed)
        except TimeoutError:
            return "the API server does not answer in time"
        except AutoscalerError as error:
            return str(error)
        except Exception as error:
            # The elector must go on, or no replica would lead any more.
            log.exception("leases neither acquired nor renewed")
            return repr(error)
        return ""

    async def campaign(self, changed: Callable[[], object]) -> None:
        """Acquire or renew all leases in order; release all where another replica holds one."""
        e = self.election
        for lease in list(self._leases.values()):
            await lease.hold(e.lease_duration_s, e.renew_deadline_s)
            if lease.is_others:
                self._led = False
                changed()  # stop writing before others can acquire our leases
                await self._release()
                return
        self._led = self._led or self.may_write()

    async def resign(self) -> None:
        """Release all leases, so that the next leader need not wait; a failure is logged."""
        self._led = False
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._release()
        except Exception as error:  # noqa: BLE001  # they expire
            log.warning("leases not released; they have to expire", error=repr(error))

    async def _release(self) -> None:
        """Release every lease, also after one has failed; then raise its error."""
        failed = None
        for lease in list(self._leases.values()):
            try:
                await lease.release()
            except AutoscalerError as error:
                failed = error
        if failed:
            raise failed


def identity_of(pod_name: str, pod_ip: str) -> str:
    """The identity of this replica in leases; a restarted container keeps it, and its leases.

    Outside a pod it is a unique name without an address.
    """
    if pod_name and pod_ip:
        return f"{pod_name}_{pod_ip}"
    return f"{pod_name or socket.gethostname()}-{secrets.token_hex(4)}"


def address_of(identity: str) -> str:
    """The IP address in a holder's identity; "" = there is none."""
    try:
        return str(ipaddress.ip_address(identity.rpartition("_")[2]))
    except ValueError:
        return ""
