"""A Kubernetes control plane of its own: etcd, kube-apiserver and kube-controller-manager, the real
programs, on free ports of the loopback device; nothing is left when it stops.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import requests
import yaml

KUBE = Path(os.environ.get("KUBE_BIN", Path.home() / ".cache/kn-ahead/kube"))
READY_S = 90.0
# One line for each request of Knative's own namespace when it has been answered.
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts:knative-serving"]}],
}
CONTROLLERS = (
    "deployment-controller,replicaset-controller,serviceaccount-controller,namespace-controller,"
    "garbage-collector-controller,root-ca-certificate-publisher-controller,"
    "serviceaccount-token-controller"
)


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A request, as the API server's audit log tells it."""

    at_s: float  # Unix s of its arrival
    verb: str
    resource: str  # plural, and "/status" or the like
    key: str  # "namespace/name"
    uri: str
    code: int
    user: str

    @classmethod
    def of(cls, line: str) -> "Audited":
        """Read a line of the log."""
        told = json.loads(line)
        about = told.get("objectRef") or {}
        kind = [about.get("resource", ""), about.get("subresource")]
        return cls(
            at_s=datetime.fromisoformat(told["requestReceivedTimestamp"]).timestamp(),
            verb=told["verb"],
            resource="/".join(part for part in kind if part),
            key=f"{about.get('namespace', '')}/{about.get('name', '')}",
            uri=told["requestURI"],
            code=(told.get("responseStatus") or {}).get("code", 0),
            user=told["user"]["username"],
        )

    @property
    def writes(self) -> bool:
        """Whether it changes something; leases apart, which are renewed for ever."""
        return self.verb not in ("get", "list", "watch") and self.resource != "leases"


@dataclass
class ControlPlane:
    """Programs by name, and how to reach the API server."""

    root: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.etcd_port, self.peer_port, self.port = free_ports(3)
        for folder in ("etcd", "certs", "logs"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
        key, public = str(self.root / "sa.key"), str(self.root / "sa.pub")
        for made in (
            ["genrsa", "-out", key, "2048"],
            ["rsa", "-in", key, "-pubout", "-out", public],
        ):
            subprocess.run(["openssl", *made], check=True, capture_output=True)

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def audit_log(self) -> Path:
        return self.root / "logs" / "audit.log"

    @property
    def certificate(self) -> Path:
        return self.root / "certs" / "apiserver.crt"

    def start(self, *, controllers: bool = True) -> None:
        """Start all; without controllers nothing happens but what a test does."""
        etcd = f"http://127.0.0.1:{self.etcd_port}"
        peers = f"http://127.0.0.1:{self.peer_port}"
        self._start(
            "etcd",
            found("etcd"),
            f"--data-dir={self.root}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        self.start_api_server()
        if controllers:
            self._start_controllers()

    def _start_controllers(self) -> None:
        self._start(
            "controllers",
            found("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig('admin', self.token)}",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.root}/sa.key",
            f"--root-ca-file={self.certificate}",
            f"--controllers={CONTROLLERS}",
            "--kube-api-qps=400",
            "--kube-api-burst=800",
        )

    def start_api_server(self) -> None:
        """Start it, and wait until it is ready."""
        (self.root / "audit.yaml").write_text(yaml.safe_dump(AUDIT))
        self._start(
            "apiserver",
            found("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.root}/certs",
            f"--service-account-key-file={self.root}/sa.pub",
            f"--service-account-signing-key-file={self.root}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={self.root}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            "--shutdown-delay-duration=0s",
            f"--audit-policy-file={self.root}/audit.yaml",
            f"--audit-log-path={self.audit_log}",
        )
        wait_until(self._is_ready, READY_S, f"API server (log: {self.root}/logs/apiserver.log)")
        controllers = self.processes.pop("controllers", None)
        if controllers:  # which would be back at work only after a long back-off of their own
            controllers.kill()
            controllers.wait()
            self._start_controllers()

    def kill_api_server(self) -> None:
        """As if the machine that it runs on had gone."""
        process = self.processes.pop("apiserver")
        process.kill()
        process.wait()

    def audited(self, since_s: float = 0.0) -> list["Audited"]:
        """Requests of the autoscaler that were answered; since_s: Unix s of their arrival."""
        lines = self.audit_log.read_text().splitlines() if self.audit_log.exists() else []
        found = [Audited.of(line) for line in lines if line.endswith("}")]
        return [request for request in found if request.at_s >= since_s]

    def kubeconfig(self, user: str, token: str) -> Path:
        """A kubeconfig file for a user."""
        path = self.root / f"{user}.kubeconfig"
        cluster = {"server": self.server, "certificate-authority": str(self.certificate)}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": user}}],
            "current-context": "plane",
        }
        path.write_text(yaml.safe_dump(text))
        return path

    def stop(self) -> None:
        """End all that was started, last first."""
        for process in reversed(list(self.processes.values())):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def _start(self, name: str, *command: str) -> None:
        with (self.root / "logs" / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def _is_ready(self) -> bool:
        if self.processes["apiserver"].poll() is not None:
            raise RuntimeError(f"kube-apiserver ended: see {self.root}/logs/apiserver.log")
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = requests.get(
                f"{self.server}/readyz", headers=headers, verify=str(self.certificate), timeout=2
            )
            return answer.text == "ok"
        except OSError:
            return False


def found(program: str) -> str:
    """The path of a program. Raises FileNotFoundError with what to do."""
    place = shutil.which(program, path=f"{KUBE}:{os.environ['PATH']}:/usr/sbin")
    if place is None:
        raise FileNotFoundError(f"{program} is missing: run `make test-cluster`, which gets it")
    return place


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_until(
    holds: Callable[[], bool], seconds: float, what: str, every_s: float = 0.05
) -> float:
    """Wait until something holds; returns how long it took, s."""
    begin = time.monotonic()  # noqa: TID251
    while (took := time.monotonic() - begin) < seconds:  # noqa: TID251
        if holds():
            return took
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {seconds:g} s")
