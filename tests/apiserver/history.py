"""All numbers of pods that were ever asked for, whatever becomes of the API server meanwhile."""

import math
from collections import defaultdict

from tests.apiserver.plane import wait_until
from tests.apiserver.standins import World
from tests.apiserver.watching import followed


class Scales:
    """Follows every Deployment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, list[int]] = defaultdict(list)  # by "namespace/deployment"
        self._task = world.spawn(self._follow())

    async def _follow(self) -> None:
        async for kind, deployment in followed(self._world.api, "/apis/apps/v1/deployments"):
            meta = deployment["metadata"]
            if kind != "DELETED":
                pods = deployment["spec"]["replicas"]
                self._seen[f"{meta['namespace']}/{meta['name']}"].append(pods)

    def of(self, key: str) -> list[int]:
        """What was asked for a revision, in order."""
        return list(self._seen[f"{key}-deployment"])

    def least(self, key: str) -> float:
        """The fewest pods asked for a revision since `forget`; inf = nothing has changed."""
        return min(self.of(key), default=math.inf)

    def forget(self, key: str, pods: int) -> None:
        """Forget what was asked for a revision before ``pods``, once the watch has seen these.

        Who has read the number by a GET may be ahead of the watch.
        """
        wait_until(lambda: self.of(key)[-1:] == [pods], 10, f"{pods} pods of {key}, as watched")
        self._seen[f"{key}-deployment"] = [pods]

    def stop(self) -> None:
        self._world.cancel(self._task)
