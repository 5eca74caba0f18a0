"""A port-forward to the REST API of the autoscaler in a cluster, for the command line.

As `kubectl port-forward deployment/autoscaler`, with the official client: connections to a port of
this machine are carried by the API server to a pod. Blocking, unlike the rest of this package: it
serves a command, not the controller.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.stream import portforward

from autoscaler.errors import PermanentError
from autoscaler.limits import ANSWER_S

NAMESPACE, DEPLOYMENT, PORT = "knative-serving", "autoscaler", 9090
# A websocket begins as a GET; newer API servers ask for `create` beside `get` nevertheless.
FORWARD_RIGHT = "get and create pods/portforward"
RIGHTS = f"get deployments.apps, list pods, {FORWARD_RIGHT}"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
PIECE = 1 << 16  # bytes
CLOSING, CLOSING_S = 100, 2.0  # looks at whether a connection is closed, within so many s


@contextmanager
def forwarded(context: str, kubeconfig: Path | None) -> Iterator[str]:
    """The URL of a port of this machine that leads to the autoscaler; it ends with the block.

    context: of the kubeconfig; "" = its current one. kubeconfig: None = $KUBECONFIG or
    ~/.kube/config. Raises PermanentError where there is no such context, cluster, right or pod.
    """
    cluster = _Cluster(context, kubeconfig)
    pod = cluster.pod()
    with _Forward(cluster, pod) as forward:
        try:
            yield forward.url
        except PermanentError as error:
            if forward.fault:
                raise PermanentError(
                    f"the port-forward to {NAMESPACE}/{pod} ended: {forward.fault}; "
                    f"allowed: a pod whose advisor listens on port {PORT}"
                ) from error
            raise


class _Cluster:
    """The cluster of a context."""

    def __init__(self, context: str, kubeconfig: Path | None) -> None:
        self._settings = client.Configuration()
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig) if kubeconfig else None,
                context=context or None,
                client_configuration=self._settings,
            )
        except Exception as error:  # a kubeconfig can be wrong in any way
            raise PermanentError(
                f"no cluster: {_line(error)}; allowed: {_contexts(kubeconfig)}"
            ) from error

    def pod(self) -> str:
        """A ready pod of the Deployment: of several the one that leads, where leases can be read.

        Raises PermanentError.
        """
        with self._api() as api:
            deployment = self._asked(
                "get deployments.apps",
                client.AppsV1Api(api).read_namespaced_deployment,
                DEPLOYMENT,
            )
            labels = deployment.spec.selector.match_labels or {}
            pods = self._asked(
                "list pods",
                client.CoreV1Api(api).list_namespaced_pod,
                label_selector=",".join(f"{name}={value}" for name, value in labels.items()),
            )
            ready = sorted(pod.metadata.name for pod in pods.items if _is_ready(pod))
            if not ready:
                raise PermanentError(
                    f"Deployment {NAMESPACE}/{DEPLOYMENT} has {len(pods.items)} pods, none of them "
                    "ready; allowed: a ready one"
                )
            return self._leading(api, ready) if len(ready) > 1 else ready[0]

    def connection(self, pod: str) -> Any:
        """A connection to the port of a pod. Raises PermanentError."""
        with self._api() as api:  # of its own: the call replaces a method of it meanwhile
            connect = client.CoreV1Api(api).connect_get_namespaced_pod_portforward
            return self._asked(FORWARD_RIGHT, partial(portforward, connect), pod, ports=str(PORT))

    @contextmanager
    def _api(self) -> Iterator[Any]:
        with client.ApiClient(self._settings) as api:
            try:
                yield api
            finally:  # what is kept alive for further requests, the client itself leaves open
                api.rest_client.pool_manager.clear()

    def _leading(self, api: Any, pods: Sequence[str]) -> str:
        """Holders of leases are named pod_address; without the right to read them, the first."""
        try:
            leases = client.CoordinationV1Api(api).list_namespaced_lease(NAMESPACE)
        except client.ApiException:
            return pods[0]
        specs = [lease.spec for lease in leases.items if lease.spec]
        holders = {(spec.holder_identity or "").partition("_")[0] for spec in specs}
        return next((pod for pod in pods if pod in holders), pods[0])

    def _asked(self, right: str, method: Any, *names: str, **parameters: str) -> Any:
        """What the API server answers. right: verb and resource that it takes."""
        try:
            return method(*names, NAMESPACE, _request_timeout=ANSWER_S.most, **parameters)
        except client.ApiException as error:
            raise PermanentError(self._refusal(error, right)) from error
        except Exception as error:  # of urllib3, TLS, sockets
            raise PermanentError(
                f"no answer from the API server {self._settings.host} ({_line(error)}); "
                "allowed: a context whose cluster can be reached"
            ) from error

    def _refusal(self, error: client.ApiException, right: str) -> str:
        host, status, said = self._settings.host, _status(error), _message(error)
        if status == UNAUTHORIZED:
            return f"{host} does not know the user ({said}); allowed: a context whose user it knows"
        if status == FORBIDDEN:
            return (
                f"{host} forbids to {right} in namespace {NAMESPACE} ({said}); "
                f"allowed: a user who may {RIGHTS} there"
            )
        if status == NOT_FOUND:
            return (
                f"{host} knows no Deployment {NAMESPACE}/{DEPLOYMENT} ({said}); "
                "allowed: a cluster in which kn-ahead runs"
            )
        return (
            f"{host} fails to {right}: {status or 'no status'} ({said}); "
            "allowed: a cluster whose API server reaches its nodes"
        )


class _Forward:
    """A port of this machine whose connections are carried to a pod."""

    def __init__(self, cluster: _Cluster, pod: str) -> None:
        self._cluster, self._pod = cluster, pod
        self.fault = ""  # why a connection ended that was carried; "" = none did
        # Before anybody connects, so that a refusal is told as such.
        self._opened = [cluster.connection(pod)]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> "_Forward":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port, and all connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes up who accepts
        self._listening.close()
        for each in self._opened:
            each.close()
        for each in self._opened:
            _see_closed(each.websocket)

    def _accept(self) -> None:
        ready = list(self._opened)
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                carried = ready.pop() if ready else None
                threading.Thread(target=self._carry, args=(near, carried), daemon=True).start()

    def _carry(self, near: socket.socket, carried: Any | None) -> None:
        """carried: a connection that is open already; None = a new one."""
        if carried is None:
            try:
                carried = self._cluster.connection(self._pod)
            except PermanentError as error:
                self.fault = str(error)
                near.close()
                return
            self._opened.append(carried)
        far = carried.socket(PORT)
        threading.Thread(target=_pump, args=(near, far), daemon=True).start()
        _copy(far, near)
        # Before whoever asked hears of the end, so that it can be told why.
        self.fault = _line(carried.error(PORT) or "") or self.fault
        _shut(near)
        near.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on all bytes, and then the end."""
    _copy(source, target)
    _shut(target)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)


def _see_closed(websocket: Any) -> None:
    """A thread of the client's closes it, but where an error has ended that."""
    for _ in range(CLOSING):
        if websocket.sock is None:
            return
        threading.Event().wait(CLOSING_S / CLOSING)
    websocket.shutdown()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _is_ready(pod: Any) -> bool:
    conditions = pod.status.conditions or ()
    ready = any(each.type == "Ready" and each.status == "True" for each in conditions)
    return ready and not pod.metadata.deletion_timestamp


def _contexts(kubeconfig: Path | None) -> str:
    """What could have been named instead."""
    try:
        contexts, _ = config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            str(kubeconfig) if kubeconfig else None
        )
    except Exception:  # noqa: BLE001  # as above
        return "a kubeconfig, by --kubeconfig, $KUBECONFIG or as ~/.kube/config"
    return f"one of the contexts {', '.join(each['name'] for each in contexts)}"


def _status(error: client.ApiException) -> int:
    """HTTP's; of a refused websocket it is in the error that the client replaced. 0 = none."""
    return int(getattr(error.__context__, "status_code", error.status) or 0)


def _message(error: client.ApiException) -> str:
    """What the server said, in one line."""
    body = getattr(error.__context__, "resp_body", None) or error.body or ""
    with suppress(ValueError, LookupError, TypeError):
        return _line(json.loads(body)["message"])
    return _line(error.reason or "no reason given")


def _line(text: object) -> str:
    return re.sub(r"\s+", " ", str(text)).strip()[:300]
