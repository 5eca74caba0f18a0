"""The advisor as a process: real files, real HTTP, an API server of ours."""

import asyncio
import http.server
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from autoscaler.advisor.advisor import AdvisorSettings
from autoscaler.api.server import ServerSettings
from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SystemClock
from autoscaler.limits import MIB
from knative.advisor.process import BROKEN, NICENESS, AdvisorProcess, AdvisorProcessSettings
from tests.autoscaler.advisor.scene import SERVICE, Scene
from tests.knative.advisor.advising import advising, serves
from tests.knative.advisor.api_server import (
    OWN,
    PROMETHEUS,
    UNKNOWN_TOKEN,
    ApiServer,
    kubeconfig_of,
)
from tests.programs import NO_CLUSTER, until

# --- what it does ---------------------------------------------------------------------------------


def test_it_advises_and_shows_what_is_decided_and_forecast(scene: Scene) -> None:
    scene.learned(250.0)
    with advising(scene, f"--bundle={scene.bundle}") as (it, client):
        assert serves(client, "/readyz").status_code == 503  # nothing was decided yet
        scene.tick()
        until(lambda: (table := scene.advised()) and len(table.revision), "advice")
        table = scene.advised()
        assert table
        assert table.worth_starting.tolist() == [[250.0]]
        (decision,) = client.get(f"/v1/decisions/{SERVICE}").json()["revisions"]
        assert (decision["revision"], decision["desired_scale"]) == ("cart-00001", 1)
        (window,) = client.get(f"/v1/forecasts/{SERVICE}").json()["windows"]
        assert window["p99"] == 250.0
        assert client.get("/readyz").status_code == 200
        assert 'service="cart"' in client.get("/metrics").text
        assert client.get("/").status_code == 200
        assert it.stops() == 0


def test_without_a_cluster_it_does_all_but_writing_events(scene: Scene) -> None:
    with advising(scene) as (it, client):
        it.says('no Events are written error="no cluster')
        scene.tick()
        until(lambda: scene.advised() is not None, "advice")
        assert serves(client).status_code == 200
        assert it.stops() == 0


def test_it_takes_only_what_is_signed_where_a_key_is_given(scene: Scene, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    scene.learned()
    with advising(scene, f"--bundle={scene.bundle}", f"--key={key}") as (it, _):
        scene.tick()
        it.says("it is not signed; allowed: signed, as a key is given")
        until(lambda: (table := scene.advised()) is not None and not len(table.revision), "advice")


def test_a_bundle_is_fetched_from_a_learner_that_serves_it(scene: Scene, tmp_path: Path) -> None:
    scene.learned(250.0)
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as learner:
        threading.Thread(target=learner.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{learner.server_port}/{scene.bundle.name}"
            with advising(scene, f"--bundle={url}", TMPDIR=str(tmp_path), **NO_CLUSTER) as (it, _):
                scene.tick()
                until(lambda: (table := scene.advised()) and len(table.revision), "advice")
                assert it.stops() == 0
        finally:
            learner.shutdown()
    assert not list(tmp_path.glob("kn-ahead-*"))  # the copy has gone


def test_another_process_goes_on_with_the_ledger_of_one_that_ended(
    scene: Scene, tmp_path: Path
) -> None:
    folder = tmp_path / "ledger"

    def counted(client: httpx.Client) -> float:
        of_all = client.get("/v1/ledger").json()["comparison"]
        return float(of_all["requests"]) if of_all else 0.0

    scene.tick()
    with advising(scene, f"--ledger={folder}") as (it, client):
        until(lambda: client.get("/readyz").status_code == 200, "a snapshot")
        scene.controller.counts(SERVICE, requests=5.0)
        scene.tick()
        until((folder / "going-on").exists, "it is saved")
        assert it.stops() == 0
    scene.controller.counts(SERVICE, requests=2.0)
    scene.tick()
    with advising(scene, f"--ledger={folder}") as (it, client):
        until(lambda: counted(client) == 7.0, "all of it is known")
        (folder / "2026-01-01T00.hour").write_bytes(b"damaged")
        assert client.get("/v1/ledger", params={"days": 400}).status_code == 200
        it.says("unhealthy part=ledger why=.*2026-01-01T00.hour is damaged")
        it.says("healthy again part=ledger")
        assert it.stops() == 0


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *said: Any) -> None:
        """Nobody reads it."""


def test_it_leaves_the_core_to_others_and_takes_no_more_memory_than_it_is_given(
    scene: Scene,
) -> None:
    with advising(scene, "--memory=600") as (it, client):
        serves(client)
        proc = Path(f"/proc/{it.process.pid}")
        fields = (proc / "stat").read_text().rpartition(")")[2].split()
        assert int(fields[16]) == NICENESS
        (limit,) = (
            line
            for line in (proc / "limits").read_text().splitlines()
            if line.startswith("Max data size")
        )
        assert int(limit.split()[3]) == 600 * MIB


def test_it_ends_without_taking_down_its_interpreter(scene: Scene) -> None:
    """At its low priority, beside a busy machine, that takes longer than its keeper waits."""
    with advising(scene, PYTHONVERBOSE="1", **NO_CLUSTER) as (it, client):
        serves(client)
        assert it.stops() == 0
    assert "# code object from" in it.said  # it does tell
    assert "# cleanup[" not in it.said


def test_a_part_that_ends_by_itself_is_an_exit_code(scene: Scene) -> None:
    settings = AdvisorProcessSettings(
        advisor=AdvisorSettings(snapshots=scene.snapshots, advice=scene.advice, bundle=None),
        server=ServerSettings(host="127.0.0.1", port=0),
    )

    async def run() -> int:
        process = AdvisorProcess(settings, load_bundle, None, SystemClock())
        process.server.should_exit = True
        return await process.run()

    assert asyncio.run(asyncio.wait_for(run(), 30.0)) == BROKEN


# --- Events ---------------------------------------------------------------------------------------


def test_every_decision_says_why_in_an_event_the_api_and_a_metric(
    scene: Scene, tmp_path: Path
) -> None:
    """In the same sentence wherever one looks."""
    server = ApiServer()
    with kubeconfig_of(server, tmp_path) as path, advising(scene, KUBECONFIG=path) as (_, client):
        in_flight = [30.0]

        def told() -> bool:
            scene.tick(in_flight[0])
            in_flight[0] *= 3.0  # so that every tick wants more than the one before
            return any(event["reason"] == "Scaled" for event in server.events)

        until(told, "an Event", every_s=1.0)
        event = server.events[-1]
        assert event["involvedObject"]["name"] == "cart-00001"
        assert " pods: panicking, as demand " in event["message"]
        assert server.bearers == {OWN}
        answer = client.get(f"/v1/decisions/{SERVICE}").json()
        assert event["message"] in {change["sentence"] for change in answer["changes"]}
        assert answer["changes"][0]["sentence"] == answer["revisions"][0]["sentence"]
        assert answer["revisions"][0]["reason"] == "PANIC"
        metrics = client.get("/metrics").text
        found = re.search(r'kn_ahead_changes_total\{.*reason="PANIC".*\} (\S+)', metrics)
        assert found
        assert float(found[1]) >= 1
        assert 'kn_ahead_events_total{outcome="written"}' in metrics


def test_forecasts_that_are_gone_and_back_are_events_of_our_pod(
    scene: Scene, tmp_path: Path
) -> None:
    server = ApiServer()
    own = ("--pod-name=autoscaler-0", "--pod-uid=u-1", "--namespace=knative-serving")

    def reasons() -> list[str]:
        return [event["reason"] for event in server.events]

    with (
        kubeconfig_of(server, tmp_path) as path,
        advising(scene, f"--bundle={scene.bundle}", *own, KUBECONFIG=path),
    ):
        until(lambda: reasons() == ["ForecastsGone"], "an Event")
        scene.learned()
        until(lambda: reasons() == ["ForecastsGone", "ForecastsBack"], "another")
        assert {event["involvedObject"]["uid"] for event in server.events} == {"u-1"}
        assert server.events[0]["type"] == "Warning"


# --- who may ask ----------------------------------------------------------------------------------


def test_whoever_asks_needs_a_token_with_the_right_to(scene: Scene, tmp_path: Path) -> None:
    server = ApiServer("/metrics")
    with (
        kubeconfig_of(server, tmp_path) as path,
        advising(scene, "--authorize", KUBECONFIG=path) as (_, client),
    ):

        def status(path: str, token: str = "") -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return client.get(path, headers=headers).status_code

        assert serves(client, "/healthz").status_code == 200
        assert status("/metrics") == 401
        assert status("/metrics", UNKNOWN_TOKEN) == 401
        assert status("/metrics", PROMETHEUS) == 200
        assert status("/v1/services", PROMETHEUS) == 403
        asked = len(server.tokens)
        for _ in range(20):
            assert status("/metrics", PROMETHEUS) == 200
        assert len(server.tokens) == asked


def test_where_nobody_can_be_asked_nobody_may_read_and_advising_goes_on(
    scene: Scene, tmp_path: Path
) -> None:
    with kubeconfig_of(ApiServer("/metrics"), tmp_path) as path:
        pass  # it has gone
    with advising(scene, "--authorize", KUBECONFIG=path) as (it, client):
        serves(client)
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {PROMETHEUS}"})
        assert answer.status_code == 503
        assert PROMETHEUS not in answer.text + it.said
        scene.tick()
        until(lambda: scene.advised() is not None, "advice")
