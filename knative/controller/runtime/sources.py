"""The caches that events come from: each kind of object, kept current, told as events."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from autoscaler.refusals import Refuse
from knative.client.api import Api
from knative.controller.state import events as seen
from knative.controller.state.events import Event
from knative.mirror.cache import Cache
from knative.mirror.objects import (
    DEPLOYMENTS,
    PODAUTOSCALERS,
    PODS,
    REVISION_LABEL,
    SERVERLESSSERVICES,
    configmaps,
    deployment,
    pod,
    podautoscaler,
    serverlessservice,
)
from knative.mirror.quota import of_pods, one_a_revision
from knative.mirror.reporters import REPORTERS, Reporter, reporter
from knative.mirror.routes import ROUTES, route

ROUTES_WAIT_S = 2.0  # s after all else was listed

Report = Callable[[str, str], None]  # hears which cache is not current and why; "" = it is


class Sources:
    """Lists and watches everything that the controller has to know."""

    def __init__(
        self,
        namespace: str,
        *,
        tell: Callable[[Event], None],
        config: Mapping[str, Callable[[Mapping[str, str] | None], None]],
        reporters: Callable[[str, Reporter | None], None],
        report: Report,
        refuse: Refuse,
    ) -> None:
        """namespace: of Knative's own objects. tell: hears of every change of an object.

        config: by name of a ConfigMap, who hears of its data. reporters: hears of pods that may
        report statistics, by key; None = gone.
        """
        self._config = config
        own = f"/api/v1/namespaces/{namespace}"
        self.parts: list[str] = []  # of which `report` hears

        def part(name: str) -> Callable[[str], None]:
            self.parts.append(name)
            return partial(report, name)

        def cache(path: str, parse: Callable[..., Any], kind: Any, **limits: Any) -> Cache[Any]:
            def changed(key: str, found: Any) -> None:
                tell(kind(key=key, object=found))

            return Cache(
                path,
                parse,
                changed=changed,
                report=part(path.rpartition("/")[2]),
                refuse=refuse,
                **limits,
            )

        revisions = {"labels": REVISION_LABEL}
        self._objects: list[Cache[Any]] = [
            cache(
                SERVERLESSSERVICES,
                serverlessservice,
                seen.ServerlessServiceSeen,
                quota=one_a_revision(),
            ),
            cache(
                DEPLOYMENTS, deployment, seen.DeploymentSeen, quota=one_a_revision(), **revisions
            ),
            cache(PODS, pod, seen.PodSeen, quota=of_pods(), **revisions),
        ]
        # Not every cluster lets us see its Routes: nobody waits long for them.
        self._routes = cache(ROUTES, route, seen.RouteSeen, quota=one_a_revision())
        # Last, so that a revision is admitted with its pods known.
        self.podautoscalers = cache(
            PODAUTOSCALERS,
            partial(podautoscaler, refuse=refuse),
            seen.PodAutoscalerSeen,
            quota=one_a_revision(),
        )
        self.config: Cache[Any] = Cache(
            f"{own}/configmaps",
            configmaps(config.keys()),
            changed=self._saw_config,
            report=part("configmaps"),
            refuse=refuse,
        )
        self._reporters: Cache[Any] = Cache(
            f"{own}/pods",
            reporter,
            changed=reporters,
            report=part("reporters"),
            refuse=refuse,
            labels=REPORTERS,
        )

    def _saw_config(self, key: str, data: Mapping[str, str] | None) -> None:
        hear = self._config.get(key.rpartition("/")[2])
        if hear:
            hear(data)

    async def follow(self, api: Api) -> None:
        """Follow every kind until cancelled: revisions are told when all else has been listed."""
        async with asyncio.TaskGroup() as group:
            for cache in (self.config, self._reporters, self._routes, *self._objects):
                group.create_task(cache.follow(api))
            for cache in (self.config, *self._objects):
                await cache.synced.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._routes.synced.wait(), ROUTES_WAIT_S)
            group.create_task(self.podautoscalers.follow(api))
