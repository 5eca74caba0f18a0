"""An API server without capacity for the controller's requests."""

import contextlib
from threading import Event, Thread
from typing import Any

import requests
from kubernetes import client

from tests.apiserver.objects import CONTROLLER, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane


class Busy:
    """The API server has one place for our ServiceAccount, and others hold it.

    One, because a request that finds no other under way is served even where the shares are none.
    """

    def __init__(self, admin: Objects, plane: ControlPlane, token: str) -> None:
        self._flow: Any = client.FlowcontrolApiserverV1Api(admin.api)
        self._plane, self._token, self._ended = plane, token, Event()
        self._holders = [Thread(target=self._hold, daemon=True) for _ in range(4)]

    def begin(self) -> None:
        none = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "lendablePercent": 0}
        limited = none | {"limitResponse": {"type": "Reject"}}
        self._flow.create_priority_level_configuration(
            {"metadata": {"name": "none"}, "spec": {"type": "Limited", "limited": limited}}
        )
        account = {"name": CONTROLLER, "namespace": SYSTEM}
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        rule = {
            "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
            "resourceRules": [everything | {"clusterScope": True, "namespaces": ["*"]}],
        }
        spec = {"priorityLevelConfiguration": {"name": "none"}, "matchingPrecedence": 2}
        self._flow.create_flow_schema(
            {"metadata": {"name": "kn-ahead-busy"}, "spec": spec | {"rules": [rule]}}
        )
        for holder in self._holders:
            holder.start()

    def _hold(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        url, verify = f"{self._plane.server}/api/v1/pods", str(self._plane.certificate)
        with requests.Session() as session:
            while not self._ended.is_set():
                session.get(url, headers=headers, verify=verify, timeout=10)

    def end(self) -> None:
        if self._ended.is_set():
            return
        self._ended.set()
        for holder in self._holders:
            if holder.ident:
                holder.join()
        with contextlib.suppress(client.ApiException):  # it may not have begun
            self._flow.delete_flow_schema("kn-ahead-busy")
            self._flow.delete_priority_level_configuration("none")
