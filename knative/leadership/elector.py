"""One leader at a time: who decides and writes for the whole fleet.

The leases are those of Knative's own autoscaler, so that it and we exclude each other. Knative
shares the fleet out by lease; we lead for all of it and therefore need them all: acquired in one
order, and handed back when one of them is somebody else's, so that two who want them all do not
wait for each other, and a lease is not kept from an autoscaler that would act for it.
"""

import asyncio
import ipaddress
import logging
import random
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from autoscaler.clock import Clock
from autoscaler.errors import AutoscalerError
from knative.client.api import Api
from knative.leadership.lease import Lease
from knative.settings.election import Election

RELEASE_S = 5.0  # s that handing back may take when we end

log = logging.getLogger(__name__)


class Standing(Enum):
    """What we may do."""

    LEADING = "leading"  # decide and write
    UNSURE = "unsure"  # decide, but write nothing: the leases could not be renewed in time
    FOLLOWING = "following"  # nothing: somebody else leads, or nobody knows yet


class Elector:
    """Holds all leases, or none."""

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
        self._led = False  # since somebody else was last seen to hold a lease
        self._woken = asyncio.Event()
        self.broken = ""  # why the leases could not be read or written; "" = they could
        self.adopt(Election())

    def adopt(self, election: Election) -> None:
        """Follow a change of config."""
        self.election = election
        place = self._namespace
        for name in election.leases:
            if name not in self._leases:
                lease = Lease(self._api, (place, name), self.identity, self._clock, self._elapsed)
                self._leases[name] = lease
        self._woken.set()

    @property
    def standing(self) -> Standing:
        """What we may do at this moment: leases run out by themselves."""
        leases, now_s = self._leases.values(), self._elapsed()
        if all(lease.is_ours and now_s < lease.until_s for lease in leases):
            return Standing.LEADING
        if self._led and not any(lease.is_others for lease in leases):
            return Standing.UNSURE
        return Standing.FOLLOWING

    @property
    def leader(self) -> str:
        """Identity of who leads beside us, as far as we know; "" = nobody is known."""
        return next((lease.holder for lease in self._leases.values() if lease.is_others), "")

    def may_write(self) -> bool:
        """Whether we lead at this moment."""
        return self.standing is Standing.LEADING

    def wake(self) -> None:
        """Look at once: the leader may have gone."""
        self._woken.set()

    async def run(self, attend: Callable[[], object]) -> None:
        """Acquire and renew until cancelled. attend: called when our standing may have changed."""
        while True:
            self._woken.clear()
            self.broken = await self._try(attend)
            try:
                attend()
            except Exception:
                log.exception("a change of our standing could not be followed")
            # Not in step, or two would cross each other for ever.
            wait_s = self.election.retry_period_s * random.uniform(0.8, 1.0)  # noqa: S311
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    async def _try(self, attend: Callable[[], object]) -> str:
        """Campaign once; why it failed, "" = it did not."""
        try:
            # Half, so that an API server that hangs once leaves time for another try.
            async with asyncio.timeout(self.election.renew_deadline_s / 2):
                await self.campaign(attend)
        except TimeoutError:
            return "the API server does not answer in time"
        except AutoscalerError as error:
            return str(error)
        except Exception as error:
            # Without an elector nobody would ever lead again.
            log.exception("the leases could not be dealt with")
            return repr(error)
        return ""

    async def campaign(self, attend: Callable[[], object]) -> None:
        """Acquire or renew all leases, in order; hand back where one is another's."""
        e = self.election
        for lease in list(self._leases.values()):
            await lease.hold(e.lease_duration_s, e.renew_deadline_s)
            if lease.is_others:
                self._led = False
                attend()  # stops acting before what was ours is free for others
                await self._hand_back()
                return
        self._led = self._led or self.may_write()

    async def resign(self) -> None:
        """Hand back what is held, so that the next leads at once; says it where that fails."""
        self._led = False
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._hand_back()
        except Exception as error:  # noqa: BLE001  # they run out by themselves
            log.warning("the leases were not handed back and have to run out: %r", error)

    async def _hand_back(self) -> None:
        """Release all leases; one that fails keeps none of the others. Raises its error."""
        failed = None
        for lease in list(self._leases.values()):
            try:
                await lease.release()
            except AutoscalerError as error:
                failed = error
        if failed:
            raise failed


def identity_of(pod_name: str, pod_ip: str) -> str:
    """As the leases name their holder: a pod that restarts keeps its name and its leases.

    Outside a pod a name nobody else has, without an address.
    """
    if pod_name and pod_ip:
        return f"{pod_name}_{pod_ip}"
    return f"{pod_name or socket.gethostname()}-{secrets.token_hex(4)}"


def address_of(identity: str) -> str:
    """The IP address in a holder's identity; "" = it tells none."""
    try:
        return str(ipaddress.ip_address(identity.rpartition("_")[2]))
    except ValueError:
        return ""
