"""The command `kn-ahead` as people and containers start it: real processes."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autoscaler.cli.exit_codes import ExitCode
from tests.autoscaler.advisor.scene import Scene
from tests.knative.advisor.api_server import ApiServer, kubeconfig_of
from tests.programs import NO_CLUSTER, Running, alive, kn_ahead, running, until

# What the controller must not take in: each may take it along, by a fault or by its memory.
# Not pydantic, which Kubernetes's own client brings, nor rich, which structlog takes where it is:
# the controller's image has none.
HEAVY = (
    *("sklearn", "scipy", "statsmodels", "pandas", "matplotlib", "numba", "joblib", "xgboost"),
    *("fastapi", "starlette", "uvicorn", "jinja2", "prometheus_client", "prometheus_api_client"),
    *("typer", "simpy"),
    *("autoscaler.advisor", "autoscaler.api", "autoscaler.bundle", "autoscaler.cli.main"),
    *("knative.advisor", "knative.commands"),
    *("learner", "benchmarks"),
)
LOOK = """
import sys
import knative.controller.__main__
import asyncio, ssl
(rss,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(rss, *sys.modules)
"""


# --- the controller -------------------------------------------------------------------------------


def test_the_controller_takes_in_nothing_that_it_does_not_need_and_little_memory() -> None:
    with running(sys.executable, "-c", LOOK) as it:
        assert it.ends() == 0
    kib, *loaded = it.said.split()
    assert [name for name in HEAVY if name in loaded] == []
    assert int(kib) / 1024 < 100


def test_only_the_client_of_kubernetes_brings_pydantic() -> None:
    ours = "import kubernetes.aio.client, sys; before = set(sys.modules)\n"
    ours += "import knative.controller.__main__\n"
    ours += "print(*(name for name in set(sys.modules) - before if 'pydantic' in name), 'none')"
    with running(sys.executable, "-c", ours) as it:
        assert it.ends() == 0
    assert it.said == "none"


def test_the_controllers_options_are_explained() -> None:
    with running(*kn_ahead("controller", "--help")) as it:
        assert it.ends() == 0
    for option in ("--advice", "--snapshots", "--state", "--record", "--plain", "--port"):
        assert option in it.said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port=65536"], "--port: '65536' is no port; allowed: 0 to 65535"),
        (["--port=http"], "--port: 'http' is no port; allowed: 0 to 65535"),
        (["--port=-1"], "--port: '-1' is no port; allowed: 0 to 65535"),
        (["--statistics-from=me"], "'me' .choose from 'auto', 'activators', 'any'"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--state=/proc/none"], "No such file or directory: '/proc/none'"),
        ([], "no cluster: .*; allowed: KUBECONFIG, or a pod with a ServiceAccount"),
    ],
)
def test_a_controller_that_is_called_wrongly_says_so_in_one_line(
    options: list[str], said: str
) -> None:
    with running(*kn_ahead("controller", *options), **NO_CLUSTER) as it:
        assert it.ends() == 2
        it.says(f"^(.*WARNING.*\n)?kn-ahead controller: .*{said}.*$")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        kubeconfig_of(ApiServer(), tmp_path) as at,
    ):
        port = taken.getsockname()[1]
        options = ["--host=127.0.0.1", f"--port={port}"]
        with running(*kn_ahead("controller", *options), KUBECONFIG=at) as it:
            assert it.ends() == 2
            it.says(f"^kn-ahead controller: .*Address already in use .*'127.0.0.1', {port}.*$")


def test_what_is_not_installed_is_one_line_that_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from autoscaler.cli.launch import main; main()"
    with running(sys.executable, "-c", code) as it:
        assert it.ends() == ExitCode.UNUSABLE
    assert it.said.startswith("kn-ahead: typer is not installed; allowed here: ")
    assert "\n" not in it.said


# --- an advisor that is kept ----------------------------------------------------------------------


def test_an_advisor_that_is_killed_comes_back_and_ends_with_its_keeper(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    options = ["--keep", *scene.folders, "--host=127.0.0.1", "--api-port=0"]
    with running(*kn_ahead("advisor", *options), **NO_CLUSTER) as it:
        it.says(r"serving the API url=(http\S+)")
        (former,) = it.children
        os.kill(former, signal.SIGKILL)
        it.says(r'advisor why="ended with -9" wait_s=1.0(.*\n)*.*serving the API url=(http\S+)')
        scene.tick()
        until(lambda: scene.advised() is not None, "advice")
        assert it.process.poll() is None
        assert it.stops() == 0


def test_an_advisor_that_cannot_run_keeps_its_keeper_alive(tmp_path: Path) -> None:
    """Its container goes on, and with it the pod: the controller's is in there too."""
    options = ["--keep", *Scene(tmp_path).folders, "--key=/none"]
    with running(*kn_ahead("advisor", *options), **NO_CLUSTER) as it:
        it.says(r"(?s)(kn-ahead: the key /none cannot be read.*){2}")
        assert it.stops() == 0


# --- both -----------------------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Running]:
    """`kn-ahead autoscale`, on an empty cluster."""
    (tmp_path / "tmp").mkdir()
    ports = ["--host=127.0.0.1", "--port=0", "--api-port=0"]
    with (
        kubeconfig_of(ApiServer(), tmp_path) as path,
        running(
            *kn_ahead("autoscale", *ports), KUBECONFIG=path, TMPDIR=str(tmp_path / "tmp")
        ) as it,
    ):
        it.says("listening for activators host=")
        it.says(r"serving the API url=http\S+")
        yield it


def probe(it: Running) -> int:
    """What the kubelet is answered."""
    port = it.says(r"listening for activators host=127.0.0.1 port=(\d+)")[1]
    headers = {"User-Agent": "kube-probe/1.31"}
    return httpx.get(f"http://127.0.0.1:{port}/", headers=headers, trust_env=False).status_code


def ready(it: Running) -> bool:
    """Whether the advisor says that pods are being decided."""
    url = it.says(r"(?s).*serving the API url=(http\S+)")[1]
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=30.0).status_code == 200
    except httpx.TransportError:
        return False


def named(it: Running, name: str) -> int:
    """The process id of a child."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in it.children}
    (found,) = (pid for pid, words in lines.items() if name.encode() in words)
    return found


def test_both_run_side_by_side_and_end_together(both: Running, tmp_path: Path) -> None:
    assert probe(both) == 200
    until(lambda: ready(both), "snapshots reach the advisor", every_s=0.2)
    children = both.children
    assert len(children) == 2
    assert both.stops() == 0
    assert not any(map(alive, children))
    assert not list((tmp_path / "tmp").iterdir())


def test_the_controller_goes_on_without_the_advisor_which_comes_back(both: Running) -> None:
    controller = named(both, "controller")
    os.kill(named(both, "advisor"), signal.SIGKILL)
    both.says('process=advisor why="ended with -9"')
    assert probe(both) == 200
    until(lambda: both.said.count("serving the API") == 2, "it comes back")
    until(lambda: ready(both), "and shows what is decided", every_s=0.2)
    assert named(both, "controller") == controller
    assert both.stops() == 0


def test_the_end_of_the_controller_is_the_end_of_both(both: Running) -> None:
    advisor = named(both, "advisor")
    os.kill(named(both, "controller"), signal.SIGKILL)
    assert both.ends() == 128 + signal.SIGKILL
    assert not alive(advisor)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key=/none"], "kn-ahead: the key /none cannot be read: No such file or directory"),
        (["--port=x"], "kn-ahead: .*'--port': 'x'; allowed: whole numbers 0 to 65535"),
        (["--api-port=65536"], "kn-ahead: .*'65536'; allowed: whole numbers 0 to 65535"),
        ([], "kn-ahead controller: no cluster: .*; allowed: KUBECONFIG, or a pod"),
    ],
)
def test_what_is_called_wrongly_ends_with_one_line(options: list[str], said: str) -> None:
    with running(*kn_ahead("autoscale", *options), **NO_CLUSTER) as it:
        assert it.ends() == 2
        it.says(f"(?m)^{said}")
