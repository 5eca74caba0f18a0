"""An API server that several of us share: leases with their versions."""

import copy
from collections.abc import Awaitable, Callable, Mapping

from knative.client.api import CONFLICT, NOT_FOUND, ApiError, Object
from tests.knative.api_server import FakeApi

SYSTEM = "knative-serving"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
FIRST = "autoscaler-bucket-00-of-01"

Apply = Callable[[], Object]
Network = Callable[[Apply], Awaitable[Object]]


async def at_once(apply: Apply) -> Object:
    """A network without faults."""
    return apply()


class LeaseStore:
    """Leases, changed as an API server changes them: by whoever knows the version."""

    def __init__(self) -> None:
        self.leases: dict[str, Object] = {}  # by path
        self._version = 0

    def read(self, path: str) -> Object:
        if path not in self.leases:
            raise ApiError(f"GET {path}: 404", status=NOT_FOUND)
        return copy.deepcopy(self.leases[path])

    def write(self, path: str, body: Object, *, new: bool) -> Object:
        former = self.leases.get(path)
        if former is None and not new:
            raise ApiError(f"PUT {path}: 404", status=NOT_FOUND)
        version = former["metadata"]["resourceVersion"] if former else None
        if former and (new or version != body["metadata"].get("resourceVersion")):
            raise ApiError(f"{path}: 409", status=CONFLICT)
        self._version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        self.leases[path] = copy.deepcopy({**body, "metadata": metadata})
        return self.read(path)

    def spec(self, name: str = FIRST) -> Object:
        """What is said in a lease."""
        return dict(self.leases[f"{LEASES}/{name}"]["spec"])

    def put(self, name: str = FIRST, **spec: object) -> None:
        """Somebody else writes a lease."""
        path = f"{LEASES}/{name}"
        found = self.leases.get(path, {"metadata": {"namespace": SYSTEM, "name": name}})
        body = {**found, "spec": {**found.get("spec", {}), **spec}}
        self.write(path, body, new=path not in self.leases)


class LeaseApi(FakeApi):
    """One client's way to the store and to a cluster's objects."""

    def __init__(self, store: LeaseStore, network: Network = at_once) -> None:
        super().__init__()
        self.store, self.network = store, network
        self.asked = 0  # times that leases were read or written

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        if path.startswith(LEASES):
            self.asked += 1
            return await self.network(lambda: self.store.read(path))
        return await super().get(path, query)

    async def create(self, path: str, body: Object) -> Object:
        if path.startswith(LEASES):
            self.asked += 1
            at = f"{path}/{body['metadata']['name']}"
            return await self.network(lambda: self.store.write(at, body, new=True))
        return await super().create(path, body)

    async def replace(self, path: str, body: Object) -> Object:
        self.asked += 1
        return await self.network(lambda: self.store.write(path, body, new=False))


class Switch:
    """A network that can be cut."""

    def __init__(self) -> None:
        self.cut = False

    async def __call__(self, apply: Apply) -> Object:
        if self.cut:
            raise ApiError("not reached", status=0)
        return apply()
