"""The shelf: what was published, to whoever does not have it yet."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.advisor.fetch import Fetcher
from autoscaler.api.server import ServerSettings
from autoscaler.clock import SimulatedClock
from autoscaler.errors import PermanentError
from autoscaler.limits import REST_CONNECTIONS, SERVICE_PODS
from learner.publishing.bundle_server import NAME, BundleServer
from learner.status import LearnerStatus, Outcomes
from tests.certificates import Certificates


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "own-name.npz"


@pytest.fixture
def shelf(bundle: Path) -> Iterator[str]:
    with serving(bundle) as url:
        yield url


@contextmanager
def serving(bundle: Path, status: LearnerStatus | None = None, **tls: Path) -> Iterator[str]:
    """The address of a shelf over a bundle."""
    settings = ServerSettings(host="127.0.0.1", port=0, **tls)
    shelf = BundleServer(bundle, settings, status or LearnerStatus())
    shelf.start()
    yield shelf.url.removesuffix(f"/{NAME}")
    shelf.stop()


def test_there_is_nothing_until_something_was_published(shelf: str) -> None:
    assert requests.get(f"{shelf}/healthz", timeout=5).status_code == 200
    assert requests.get(f"{shelf}/{NAME}", timeout=5).status_code == 404


def test_a_bundle_is_sent_once_and_again_when_it_is_another(shelf: str, bundle: Path) -> None:
    bundle.write_bytes(b"first")
    answer = requests.get(f"{shelf}/{NAME}", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"first")
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = requests.get(f"{shelf}/{NAME}", headers=tag, timeout=5)
    assert (again.status_code, again.content) == (304, b"")

    draft = bundle.with_name("draft")
    draft.write_bytes(b"other")  # as long as the first
    draft.replace(bundle)
    answer = requests.get(f"{shelf}/{NAME}", headers=tag, timeout=5)
    assert (answer.status_code, answer.content) == (200, b"other")


@pytest.mark.parametrize("path", ["/", "/secret", "/%2e%2e/secret", "/own-name.npz"])
def test_nothing_else_of_the_folder_is_served(shelf: str, bundle: Path, path: str) -> None:
    bundle.with_name("secret").write_text("secret")
    assert requests.get(f"{shelf}{path}", timeout=5).status_code == 404


def test_clients_that_ask_nothing_keep_nobody_out_and_are_counted(bundle: Path) -> None:
    status = LearnerStatus()
    with serving(bundle, status) as url, ExitStack() as stack:
        place = urlsplit(url)
        assert place.port
        for _ in range(int(REST_CONNECTIONS.most) + 8):
            stack.enter_context(socket.create_connection((place.hostname, place.port)))
        assert requests.get(url, timeout=10).status_code == 404
        assert status.refusals.counts[REST_CONNECTIONS.name] > 0


def test_a_port_that_is_taken_is_named_at_once(shelf: str, bundle: Path) -> None:
    port = int(shelf.rpartition(":")[2])
    with pytest.raises(PermanentError, match=f"127.0.0.1:{port} cannot be listened on"):
        BundleServer(bundle, ServerSettings(host="127.0.0.1", port=port), LearnerStatus())


def fetched(url: str, copy: Path, ca_file: Path | None) -> str:
    """What a fetcher says, asked for a look."""

    async def fetch() -> str:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            said = await Fetcher(url, copy, session, ca_file=ca_file).poll()
        await asyncio.sleep(0.1)  # until its connections are closed
        return said

    return asyncio.run(fetch())


def test_over_https_the_ca_that_is_given_is_trusted_and_no_other(
    tmp_path: Path, bundle: Path
) -> None:
    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    bundle.write_bytes(b"a bundle")
    copy = tmp_path / "copy.npz"
    with serving(bundle, tls_cert=ours.cert, tls_key=ours.key) as url:
        for ca_file in (others.ca, None):
            assert "certificate verify failed" in fetched(f"{url}/{NAME}", copy, ca_file)
        assert f"{ours.key} holds no certificates" in fetched(f"{url}/{NAME}", copy, ours.key)
        assert "No such file" in fetched(f"{url}/{NAME}", copy, tmp_path / "none.pem")
        assert not copy.exists()
        assert fetched(f"{url}/{NAME}", copy, ours.ca) == ""
    assert copy.read_bytes() == b"a bundle"


def test_a_ca_that_is_replaced_is_trusted_at_the_next_look(tmp_path: Path, bundle: Path) -> None:
    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    bundle.write_bytes(b"a bundle")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(others.ca.read_bytes())

    async def fetch(url: str) -> list[str]:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            fetcher = Fetcher(url, tmp_path / "copy.npz", session, ca_file=ca_file)
            said = [await fetcher.poll()]
            ca_file.write_bytes(ours.ca.read_bytes())
            said.append(await fetcher.poll())
        await asyncio.sleep(0.1)
        return said

    with serving(bundle, tls_cert=ours.cert, tls_key=ours.key) as url:
        first, second = asyncio.run(fetch(f"{url}/{NAME}"))
    assert "certificate verify failed" in first
    assert second == ""


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path, bundle: Path) -> None:
    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    settings = ServerSettings(host="127.0.0.1", port=0, tls_cert=ours.cert, tls_key=others.key)
    with pytest.raises(PermanentError, match=r"cert\.pem and its key cannot be used"):
        BundleServer(bundle, settings, LearnerStatus())


def test_a_loop_that_turns_is_well_and_one_that_does_not_is_to_be_restarted(bundle: Path) -> None:
    clock = SimulatedClock(1_700_000_000.0)
    status = LearnerStatus(clock, step_s=60.0, refit_s=3600.0)
    with serving(bundle, status) as url:
        clock.advance(4200.0)
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        clock.advance(1.0)
        answer = requests.get(f"{url}/healthz", timeout=5)
        assert answer.status_code == 503
        assert answer.text == "the loop has not turned for 4201 s; allowed: 4200"
        status.heartbeat()
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200


def test_metrics_tell_of_refusals_of_quarantine_and_of_the_last_publication(bundle: Path) -> None:
    clock = SimulatedClock(1_700_000_000.0)
    status = LearnerStatus(clock)
    with serving(bundle, status) as url:
        assert "kn_ahead_last_published" not in requests.get(f"{url}/metrics", timeout=5).text
        status.refuse(SERVICE_PODS, "shop/cart", 3)
        status.published({"shop/cart": "samples that cannot be"})
        status.outcomes = [Outcomes(window_end_s=60.0, probability_to=0.05, number=200.0, came=7.5)]
        answer = requests.get(f"{url}/metrics", timeout=5)
    assert answer.headers["Content-Type"].startswith("text/plain")
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert told == {
        ("kn_ahead_refused_total", "service_pods"): 3,
        ("kn_ahead_quarantined_services",): 1,
        ("kn_ahead_forecast_outcomes", "0.05", "60"): 200.0,
        ("kn_ahead_forecast_came", "0.05", "60"): 7.5,
        ("kn_ahead_last_published_timestamp_seconds",): 1_700_000_000.0,
    }
