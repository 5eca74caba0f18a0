"""Caches of the cluster's objects: every change of an object becomes an event."""

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
from knative.mirror.quota import Quota, of_pods, one_a_revision
from knative.mirror.reporters import REPORTERS, Reporter, reporter
from knative.mirror.routes import ROUTES, route

ROUTES_WAIT_S = 2.0  # s after everything else was listed

FollowConfig = Callable[[Mapping[str, str] | None], None]  # called with data; None = it is deleted


class Sources:
    """Lists and watches all that the controller has to know."""

    def __init__(
        self,
        namespace: str,
        *,
        handle: Callable[[Event], None],
        config: Mapping[str, FollowConfig],
        reporters: Callable[[str, Reporter | None], None],
        report: Callable[[str, str], None],
        refuse: Refuse,
    ) -> None:
        """namespace: Knative's own. handle: called with each change of an object.

        config: what to call with a ConfigMap's data, by its name. reporters: called with pods that
        may report statistics, by key; None = deleted. report: called with the name of a cache and
        why it is not current; "" = it is.
        """
        self._handle, self._config, self._report, self._refuse = handle, config, report, refuse
        self.parts: list[str] = []  # names of the caches, as `report` gets them
        self._objects = [
            self._cache(SERVERLESSSERVICES, serverlessservice, seen.ServerlessServiceSeen),
            self._cache(DEPLOYMENTS, deployment, seen.DeploymentSeen, labels=REVISION_LABEL),
            self._cache(PODS, pod, seen.PodSeen, labels=REVISION_LABEL, quota=of_pods()),
        ]
        # Routes may be hidden from us by RBAC, so that starting waits for them only a while.
        self._routes = self._cache(ROUTES, route, seen.RouteSeen)
        # Last, so that the pods of a revision are known when it is added.
        self.podautoscalers = self._cache(
            PODAUTOSCALERS, partial(podautoscaler, refuse=refuse), seen.PodAutoscalerSeen
        )
        core = f"/api/v1/namespaces/{namespace}/"
        self.config: Cache[Any] = Cache(
            core + "configmaps",
            configmaps(config.keys()),
            changed=self._config_changed,
            **self._hooks("configmaps"),
        )
        self._reporters: Cache[Any] = Cache(
            core + "pods", reporter, changed=reporters, labels=REPORTERS, **self._hooks("reporters")
        )

    def _hooks(self, part: str) -> dict[str, Any]:
        """Where the cache of a name reports its faults, and objects beyond a limit."""
        self.parts.append(part)
        return {"report": partial(self._report, part), "refuse": self._refuse}

    def _cache(
        self,
        path: str,
        parse: Callable[..., Any],
        event: Any,
        *,
        quota: Quota[Any] | None = None,
        labels: str = "",
    ) -> Cache[Any]:
        """A cache whose changes are events. quota: None = one object a revision."""

        def changed(key: str, found: Any) -> None:
            self._handle(event(key=key, object=found))

        return Cache(
            path,
            parse,
            changed=changed,
            quota=quota or one_a_revision(),
            labels=labels,
            **self._hooks(path.rpartition("/")[2]),
        )

    def _config_changed(self, key: str, data: Mapping[str, str] | None) -> None:
        follow = self._config.get(key.rpartition("/")[2])
        if follow:
            follow(data)

    async def follow(self, api: Api) -> None:
        """Follow every kind until cancelled; PodAutoscalers once everything else was listed."""
        async with asyncio.TaskGroup() as group:
            for cache in (self.config, self._reporters, self._routes, *self._objects):
                group.create_task(cache.follow(api))
            for cache in (self.config, *self._objects):
                await cache.synced.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._routes.synced.wait(), ROUTES_WAIT_S)
            group.create_task(self.podautoscalers.follow(api))
