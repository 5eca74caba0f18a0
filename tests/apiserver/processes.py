"""Controller and advisor as processes of their own, started as in their containers."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from autoscaler.core.names import name_id
from autoscaler.core.state.decision import OneDecision, row_of
from autoscaler.exchange.snapshot import TICK, Snapshot, read_tick
from tests.apiserver.objects import HERE, SYSTEM
from tests.apiserver.plane import ControlPlane, free_ports, wait_until

ROOT = HERE.parents[1]
BINARY = [sys.executable, "-m", "autoscaler.cli.launch"]
PROBE = {"User-Agent": "kube-probe/1.36"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a process finds where it is started."""

    plane: ControlPlane
    account: str
    token: str  # of the ServiceAccount
    router_port: int = 0  # where Services resolve to; 0 = nowhere

    def env(self) -> dict[str, str]:
        """Its environment."""
        found = {
            "KUBECONFIG": str(self.plane.kubeconfig(self.account, self.token)),
            "SYSTEM_NAMESPACE": SYSTEM,
            "PYTHONPATH": f"{HERE / 'names'}:{ROOT}",
        }
        if self.router_port:
            found["ROUTER_PORT"] = str(self.router_port)
        return found


class Program:
    """One process, and what it has said."""

    def __init__(self, where: Surroundings, log_path: Path) -> None:
        self._where, self.log_path = where, log_path
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self, *args: str, **env: str) -> None:
        """Start `kn-ahead` with these arguments."""
        surroundings = os.environ | self._where.env() | env
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*BINARY, *args], stdout=log, stderr=log, env=surroundings, cwd=ROOT
            )

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None
        assert self.process.poll() is None, self.log[-4000:]
        return self.process.pid

    @property
    def children(self) -> list[int]:
        """Processes that it has started and that run, the eldest first."""
        return [
            int(pid)
            for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ]

    def status(self, field: str) -> str:
        """A field of what the kernel says of it, as VmRSS."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1] for line in lines if line.startswith(f"{field}:"))

    def pause(self) -> None:
        """It stands still, as on a machine that has no time for it."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """After a pause."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As the kernel does, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As the kubelet does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(30)
        self.process = None


class Controller(Program):
    """The controller; its folders are there before it is."""

    def __init__(self, where: Surroundings, folder: Path) -> None:
        super().__init__(where, folder / "controller.log")
        self.host = "127.0.0.1"
        (self.port,) = free_ports(1)
        self.advice, self.snapshots = folder / "advice", folder / "snapshots"
        self.state = folder / "state"
        for made in (self.advice, self.snapshots, self.state):
            made.mkdir(parents=True)

    def start(self, *args: str, ready: bool = True, **env: str) -> Self:
        """Start it; and wait until it answers the kubelet."""
        options = [
            f"--host={self.host}",
            f"--port={self.port}",
            f"--advice={self.advice}",
            f"--snapshots={self.snapshots}",
            f"--state={self.state}",
        ]
        own = {"POD_NAME": "autoscaler-0", "POD_IP": self.host}
        self.begin("controller", *options, *args, **(own | env))
        if ready:
            wait_until(self.listens, 30, "the controller to listen")
        return self

    def listens(self) -> bool:
        """Whether it answers the kubelet."""
        assert self.pid
        try:
            answer = requests.get(f"http://{self.host}:{self.port}/", headers=PROBE, timeout=2)
        except OSError:
            return False
        return answer.status_code == 200

    # --- what it shows ------------------------------------------------------------------------

    def snapshot(self) -> Snapshot | None:
        """What it has shown last; None = nothing yet."""
        try:
            return read_tick(self.snapshots / TICK)
        except FileNotFoundError:
            return None

    @property
    def notes(self) -> Mapping[str, Any]:
        """What it tells of itself."""
        shown = self.snapshot()
        return shown.notes if shown else {}

    @property
    def leads(self) -> bool:
        """Whether it decides and writes."""
        return bool(self.notes.get("leading"))

    def fault(self, part: str) -> str:
        """Why a part does not do its work; "" = it does."""
        return str(self.notes.get("faults", {}).get(part, ""))

    @property
    def faults(self) -> list[str]:
        """Of all parts."""
        return [why for why in self.notes.get("faults", {}).values() if why]

    def decision(self, key: str) -> OneDecision | None:
        """The last one for "namespace/revision"; None = none was made."""
        shown = self.snapshot()
        row = _row(shown, key)
        return None if shown is None or row is None else row_of(shown.decision, row)

    def column(self, name: str, key: str) -> float | None:
        """A number that is shown of a revision."""
        shown = self.snapshot()
        row = _row(shown, key)
        return None if shown is None or row is None else float(shown.columns[name][row])

    def ticks(self) -> int:
        """How many there were."""
        return sum(self.notes.get("tick_counts", ()))

    def wait_for_ticks(self, more: int = 2) -> None:
        """Wait until it has decided anew for all, so many times: what it would do, it has begun."""
        former = self.ticks()
        wait_until(lambda: self.ticks() >= former + more, 30, f"{more} ticks")


def _row(shown: Snapshot | None, key: str) -> int | None:
    rows = (shown.revision == name_id(key)).nonzero()[0].tolist() if shown else []
    return int(rows[0]) if rows else None


class Advisor(Program):
    """The advisor beside a controller."""

    def __init__(self, where: Surroundings, controller: Controller) -> None:
        super().__init__(where, controller.log_path.with_name("advisor.log"))
        self._beside = controller
        (self.port,) = free_ports(1)
        self.token = ""  # that is shown where it asks for one

    def start(self, *args: str, ready: bool = True, **env: str) -> Self:
        """Start it; and wait until it shows what the controller decides."""
        folders = [f"--snapshots={self._beside.snapshots}", f"--advice={self._beside.advice}"]
        listens = ["--host=127.0.0.1", f"--api-port={self.port}"]
        self.begin("advisor", *folders, *listens, *args, **env)
        if ready:
            wait_until(self.ready, 60, "the advisor to be ready", every_s=0.2)
        return self

    def get(self, path: str) -> Any:
        """JSON that the REST API answers, whatever the status; None = it does not answer."""
        try:
            return requests.get(self._url(path), headers=self._headers, timeout=10).json()
        except (OSError, ValueError):
            return None

    def ready(self) -> bool:
        """Whether pods are decided, as far as it sees."""
        assert self.pid
        return bool((self.get("/readyz") or {}).get("ready"))

    def ails(self) -> list[str]:
        """What people are told that does not do its work."""
        return list((self.get("/readyz") or {}).get("detail", ["no answer"]))

    def metrics(self) -> str:
        """The page for Prometheus."""
        return requests.get(self._url("/metrics"), headers=self._headers, timeout=10).text

    def degraded(self, part: str) -> bool:
        """Whether machines are told that a part does not do its work."""
        return f'kn_ahead_degraded{{part="{part}"}} 1' in self.metrics()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}
