"""Every version that an object ever had, as a watch tells them."""

from collections import defaultdict

from knative.client.api import Object
from knative.mirror.objects import AUTOSCALING, NETWORKING
from tests.apiserver.standins import World
from tests.apiserver.watching import followed

FOLLOWED = {
    "pa": f"{AUTOSCALING}/namespaces/{{}}/podautoscalers",
    "sks": f"{NETWORKING}/namespaces/{{}}/serverlessservices",
    "deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


class Versions:
    """Follows what a revision consists of, in one namespace."""

    def __init__(self, world: World, namespace: str) -> None:
        self._world = world
        self._seen: dict[tuple[str, str], list[Object]] = defaultdict(list)
        self._tasks = [
            world.spawn(self._follow(kind, path.format(namespace)))
            for kind, path in FOLLOWED.items()
        ]

    async def _follow(self, kind: str, path: str) -> None:
        async for _, found in followed(self._world.api, path):
            seen = self._seen[kind, found["metadata"]["name"]]
            if not seen or found != seen[-1]:
                seen.append(found)

    def of(self, kind: str, name: str) -> list[Object]:
        """All versions of a pa, sks or deployment, in order."""
        return list(self._seen[kind, name])

    def pods(self, revision: str) -> list[int]:
        """The numbers of pods that were asked for a revision, in order."""
        asked = [o["spec"]["replicas"] for o in self.of("deployment", f"{revision}-deployment")]
        return [n for i, n in enumerate(asked) if not i or n != asked[i - 1]]

    def stop(self) -> None:
        """Follow no longer."""
        self._world.cancel(*self._tasks)


def conditions(o: Object) -> dict[str, Object]:
    """The conditions of an object's status, by type, in their order."""
    return {c["type"]: c for c in (o.get("status") or {}).get("conditions") or []}
