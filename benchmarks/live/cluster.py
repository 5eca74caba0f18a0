"""What a benchmark makes in a cluster, and takes away again, and what may be in the way."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import PermanentError
from benchmarks.live.learning import LEARNER, SYSTEM
from benchmarks.live.rights import REVIEWS, missing_rights
from benchmarks.live.services import GROUP, PLURAL, PREFIX, SELECTOR, VERSION
from knative.client.api import CONFLICT, NOT_FOUND, Api, ApiError, Object
from knative.services.listing import FORBIDDEN, PAGE, UNAUTHORIZED, resource_of

RIGHTS = "knative/manifests/bench-live.yaml"
SERVING = f"/apis/{GROUP}/{VERSION}"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
IN_SYSTEM = {
    "Deployment": DEPLOYMENTS,
    "Service": f"/api/v1/namespaces/{SYSTEM}/services",
    "ConfigMap": f"/api/v1/namespaces/{SYSTEM}/configmaps",
}
OURS, NAME_LABEL = "kn-ahead", "app.kubernetes.io/name"
READY_S, GONE_S, LOOK_S = 180.0, 180.0, 1.0  # waited for at most; from one look to the next
OURS_ALONE = {"labelSelector": SELECTOR}
PRESENT = "already present"  # in a kubelet's event of an image that its node had


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Where containers' images were."""

    told: int  # containers of which it is known
    present: int  # of these, those whose node had it already


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster, and the namespace in which services are made."""

    api: Api
    name: str  # of its context
    namespace: str
    clock: Clock = field(default_factory=SystemClock)

    @property
    def services(self) -> str:
        """Path of the namespace's Knative services."""
        return f"{SERVING}/namespaces/{self.namespace}/{PLURAL}"

    @property
    def pods(self) -> str:
        """Path of its pods."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    # --- before anything is made ----------------------------------------------------------------

    async def check(self) -> str:
        """The image of kn-ahead, where a benchmark may begin. Raises PermanentError where not."""
        await self.check_rights()
        try:
            await self.api.get(SERVING)
        except ApiError as error:
            if error.status == NOT_FOUND:
                raise PermanentError(
                    f"{self._said} has no Knative Serving; allowed: one where it is installed"
                ) from error
            raise self._refused(error, "get", SERVING) from error
        image = await self._autoscaler()
        if left := await self.made():
            raise PermanentError(
                f"{self._said} still has {len(left)} objects of a benchmark, such as"
                f" {left[0].rpartition('/')[2]}; allowed: none, see --cleanup"
            )
        return image

    async def check_rights(self) -> None:
        """Raises PermanentError that names those that are missing."""
        try:
            missing = await missing_rights(self.api, self.namespace)
        except ApiError as error:
            raise self._refused(error, "create", REVIEWS) from error
        if missing:
            raise PermanentError(
                f"context {self.name!r} may not {', '.join(missing)}; allowed: with the ClusterRole"
                f" of {RIGHTS}"
            )

    async def _autoscaler(self) -> str:
        """Its image. Raises PermanentError where it is not kn-ahead."""
        path = f"{DEPLOYMENTS}/autoscaler"
        found = await self._found(path)
        labels = (found or {}).get("metadata", {}).get("labels") or {}
        if found is None or labels.get(NAME_LABEL) != OURS:
            raise PermanentError(
                f"{self._said} does not have kn-ahead as its autoscaler; allowed: after kubectl"
                " apply -f knative/manifests/kn-ahead.yaml"
            )
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    async def has_learner(self) -> bool:
        """Whether there is one already."""
        return await self._found(f"{DEPLOYMENTS}/{LEARNER}") is not None

    # --- making -----------------------------------------------------------------------------------

    async def create(self, path: str, body: Object) -> Object:
        """Create an object. Raises PermanentError."""
        try:
            return await self.api.create(path, body)
        except ApiError as error:
            raise self._refused(error, "create", path, body) from error

    async def create_in_system(self, objects: Iterable[Object]) -> None:
        """Create objects of namespace knative-serving."""
        for body in objects:
            await self.create(IN_SYSTEM[body["kind"]], body)

    async def until_deployed(self, names: Collection[str]) -> None:
        """Wait until Deployments of namespace knative-serving are ready. Raises PermanentError."""

        async def waiting() -> list[str]:
            found = [(name, await self._found(f"{DEPLOYMENTS}/{name}")) for name in names]
            return [name for name, each in found if not _available(each)]

        await self._until(waiting, READY_S, "ready")

    async def until_ready(self, names: Sequence[str]) -> None:
        """Wait until Knative services are ready.

        Raises PermanentError where one cannot become so, as where its image cannot be had.
        """

        async def waiting() -> list[str]:
            found = {each["metadata"]["name"]: each for each in await self._list(self.services)}
            for name in names:
                if why := _failed(found.get(name, {})):
                    raise PermanentError(
                        f"service {self.namespace}/{name} does not become ready: {why}; allowed: an"
                        " image that the cluster can fetch and run, by --image"
                    )
            return [name for name in names if _condition(found.get(name, {})) != "True"]

        await self._until(waiting, READY_S, "ready")

    async def hosts(self, names: Sequence[str]) -> dict[str, str]:
        """The host by which a gateway knows each service."""
        found = {each["metadata"]["name"]: each for each in await self._list(self.services)}
        urls = {name: str((found[name].get("status") or {}).get("url") or "") for name in names}
        return {name: url.partition("://")[2].rstrip("/") for name, url in urls.items()}

    async def images(self) -> Images:
        """How containers of benchmarks' pods got their images, as far as events still tell."""
        path = f"/api/v1/namespaces/{self.namespace}/events"
        events = await self._list(path, {"fieldSelector": "reason=Pulled"})
        said = [
            str(each.get("message") or "")
            for each in events
            if str(each["involvedObject"].get("name") or "").startswith(PREFIX)
        ]
        return Images(told=len(said), present=sum(PRESENT in message for message in said))

    # --- taking away ------------------------------------------------------------------------------

    async def made(self) -> list[str]:
        """Paths of all that a benchmark has made and that is still there."""
        paths = []
        for path in (self.services, *IN_SYSTEM.values()):
            paths += [f"{path}/{each['metadata']['name']}" for each in await self._list(path)]
        return paths

    async def remove(self) -> int:
        """Delete all that a benchmark has made, and wait until it is gone, pods as well.

        Returns how many objects there were. Raises PermanentError.
        """
        made = await self.made()
        for path in made:
            try:
                await self.api.delete(path)
            except ApiError as error:
                if error.status not in (NOT_FOUND, CONFLICT):
                    raise self._refused(error, "delete", path) from error

        async def there() -> list[str]:
            pods = [each["metadata"]["name"] for each in await self._list(self.pods)]
            return [path.rpartition("/")[2] for path in await self.made()] + pods

        await self._until(there, GONE_S, "gone")
        return len(made)

    # --- asking -----------------------------------------------------------------------------------

    async def _found(self, path: str) -> Object | None:
        try:
            return await self.api.get(path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise self._refused(error, "get", path) from error

    async def _list(self, path: str, query: Mapping[str, str] = OURS_ALONE) -> list[Object]:
        """By default those of benchmarks."""
        found: list[Object] = []
        try:
            while True:
                page = await self.api.page(path, query, PAGE)
                found += list(page.items())
                if not page.more:
                    return found
                query = {**query, "continue": page.more}
        except ApiError as error:
            raise self._refused(error, "list", path) from error

    async def _until(
        self, waiting: Callable[[], Awaitable[list[str]]], within_s: float, what: str
    ) -> None:
        """Wait until nothing is waited for."""
        end_s = self.clock.now() + within_s
        while names := await waiting():
            if self.clock.now() > end_s:
                raise PermanentError(
                    f"{', '.join(names[:3])} of {self._said} {'are' if names[1:] else 'is'} not"
                    f" {what} after {within_s:g} s ({len(names)} in all)"
                )
            await asyncio.sleep(LOOK_S)

    @property
    def _said(self) -> str:
        return f"the cluster of context {self.name!r}"

    def _refused(
        self, error: ApiError, verb: str, path: str, body: Object | None = None
    ) -> PermanentError:
        name = f" {body['metadata']['name']}" if body and "metadata" in body else ""
        what = f"{verb} {resource_of(path)}{name}"
        if error.status == FORBIDDEN:
            return PermanentError(
                f"context {self.name!r} may not {what}; allowed: with the ClusterRole of {RIGHTS}"
            )
        if error.status == UNAUTHORIZED:
            return PermanentError(f"{self._said} does not accept its credentials: {error}")
        if error.status:
            return PermanentError(f"{self._said} refused to {what}: {error}")
        cause = " ".join(str(error.__cause__ or error).split())
        return PermanentError(f"{self._said} cannot be reached: {cause}")


def _condition(service: Object, kind: str = "Ready") -> str:
    conditions = (service.get("status") or {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == kind), "Unknown")


def _failed(service: Object) -> str:
    """Why a service will not become ready; "" = it may."""
    conditions = (service.get("status") or {}).get("conditions") or []
    for each in conditions:
        if each["type"] == "ConfigurationsReady" and each["status"] == "False":
            return " ".join(str(each.get("message") or each.get("reason")).split())
    return ""


def _available(deployment: Object | None) -> bool:
    status = (deployment or {}).get("status") or {}
    return bool(status.get("readyReplicas", 0) >= 1)
