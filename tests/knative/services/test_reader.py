"""Settings of services, as an API server in memory has their objects."""

import asyncio
from pathlib import Path

import pytest

from autoscaler.core.state.revision import Metric, Mode
from autoscaler.errors import PermanentError
from knative.client.api import Object
from knative.mirror.annotation_names import PREFIX
from knative.mirror.objects import CONFIGURATION_LABEL, GENERATION_LABEL, SERVICE_LABEL
from knative.services.listing import Cluster
from knative.services.pods import Requested
from knative.services.reader import ClusterSettings, read_from, read_settings
from tests.knative.api_server import FakeApi
from tests.knative.objects import (
    NOW_S,
    a_configmap,
    a_pod,
    a_podautoscaler,
    a_revision,
)

START_UP_S, DRAIN_S = 5.0, 30.0


def read(*objects: Object) -> ClusterSettings:
    api = FakeApi()
    api.put(*objects)
    return asyncio.run(read_from(Cluster(api=api, name="prod"), START_UP_S, DRAIN_S))


def a_revisions_podautoscaler(
    name: str,
    generation: int = 1,
    *,
    concurrency: int = 0,
    reachability: str = "Reachable",
    **said: str,
) -> Object:
    """Of service shop/cart; annotations with _ for -."""
    marks = {PREFIX + key.replace("_", "-"): value for key, value in said.items()}
    made = a_podautoscaler(
        name, annotations=marks, containerConcurrency=concurrency, reachability=reachability
    )
    made["metadata"]["labels"] |= {
        SERVICE_LABEL: "cart",
        CONFIGURATION_LABEL: "cart",
        GENERATION_LABEL: str(generation),
    }
    return made


def test_a_service_has_the_settings_of_its_annotations_over_the_cluster_s() -> None:
    found = read(
        a_configmap("config-autoscaler", stable_window="90s", scale_to_zero_grace_period="10s"),
        a_revisions_podautoscaler(
            "cart-1",
            concurrency=4,
            min_scale="2",
            max_scale="9",
            metric="rps",
            target="30",
            scale_to_zero_pod_retention_period="5m",
            initial_scale="3",
            panic_window_percentage="20",
        ),
    ).services["shop/cart"]
    revision = found.revision
    assert (revision.min_scale, revision.max_scale, revision.initial_scale) == (2, 9, 3)
    assert (revision.stable_window_s, revision.panic_window_s, revision.grace_s) == (90, 18, 10.0)
    assert (revision.metric, revision.total, revision.retention_s) == (Metric.RPS, 30.0, 300.0)
    assert (found.concurrency, revision.pod_capacity) == (4, 4.0)
    assert revision.mode == Mode.OFF
    assert found.knatives


def test_the_newest_revision_that_is_reached_speaks_for_its_service() -> None:
    found = read(
        a_revisions_podautoscaler("cart-1", 1, min_scale="1"),
        a_revisions_podautoscaler("cart-2", 2, min_scale="2"),
        a_revisions_podautoscaler("cart-3", 3, min_scale="3", reachability="Unreachable"),
    )
    assert found.services["shop/cart"].revision.min_scale == 2
    assert set(found.services) == {"shop/cart"}


def test_a_service_that_no_route_leads_to_is_simulated_as_if_one_did() -> None:
    found = read(a_revisions_podautoscaler("cart-1", min_scale="1", reachability="Unreachable"))
    revision = found.services["shop/cart"].revision
    assert (revision.min_scale, revision.reachable) == (1, True)


def test_its_start_up_is_that_of_pods_of_all_its_revisions() -> None:
    pods = (
        a_pod(f"{revision}-x", revision, created_s=NOW_S, ready_s=NOW_S + took)
        for revision, took in (("cart-1", 4.0), ("cart-2", 6.0), ("other", 90.0))
    )
    pas = a_revisions_podautoscaler("cart-1"), a_revisions_podautoscaler("cart-2", 2)
    found = read(*pas, *pods).services["shop/cart"]
    assert found.start_up_s == found.revision.lead_s == 5.0


def test_where_no_pod_tells_the_given_start_up_holds() -> None:
    found = read(a_revisions_podautoscaler("cart-1")).services["shop/cart"]
    assert found.start_up_s is None
    assert (found.revision.lead_s, found.revision.drain_s) == (START_UP_S, DRAIN_S)


def test_pods_request_what_the_revision_says_and_their_queue_proxy() -> None:
    container = {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    found = read(a_revisions_podautoscaler("cart-1"), a_revision("cart-1", container))
    assert found.services["shop/cart"].requested == Requested(cpu=0.525, memory_gib=1.0)
    alone = read(a_revisions_podautoscaler("cart-1"))
    assert alone.services["shop/cart"].requested is None


def test_without_config_autoscaler_its_defaults_hold_and_that_is_known() -> None:
    found = read(a_revisions_podautoscaler("cart-1"))
    assert not found.configured
    assert found.services["shop/cart"].revision.stable_window_s == 60
    assert read(a_configmap("config-autoscaler")).configured


def test_services_of_another_class_are_known_as_such() -> None:
    other = a_podautoscaler("cart", kind="hpa.autoscaling.knative.dev")
    assert not read(other).services["shop/cart-service"].knatives


def test_an_object_that_is_not_understood_costs_no_other() -> None:
    broken = a_podautoscaler("broken", containerConcurrency="many")
    found = read(broken, a_revisions_podautoscaler("cart-1"))
    assert set(found.services) == {"shop/cart"}


def test_a_config_that_is_wrong_is_named() -> None:
    with pytest.raises(PermanentError, match="config-autoscaler: stable-window is '1s'"):
        read(a_configmap("config-autoscaler", stable_window="1s"))


KUBECONFIG = """
clusters: [{name: there, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: me, user: {}}]
contexts: [{name: prod, context: {cluster: there, user: me}}]
current-context: prod
"""


@pytest.mark.parametrize(
    ("context", "text", "part"),
    [
        ("staging", KUBECONFIG, "context 'staging' is not in {file}; allowed: prod"),
        ("prod", "clusters: [", "kubeconfig {file} cannot be used: while parsing a flow node"),
        ("prod", "a: b", "kubeconfig {file} cannot be used: Invalid kube-config file."),
        ("prod", None, "kubeconfig {file} is missing; allowed: a file by --kubeconfig or"),
        ("prod", KUBECONFIG, "cluster of context 'prod' cannot be reached: Cannot connect to host"),
        ("", KUBECONFIG, "cluster of context 'prod' cannot be reached: Cannot connect to host"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_said_in_one_line(
    tmp_path: Path, context: str, text: str | None, part: str
) -> None:
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PermanentError) as refused:
        read_settings(context, file, start_up_s=START_UP_S, drain_s=DRAIN_S)
    said = str(refused.value)
    assert part.format(file=file) in said
    assert "\n" not in said


def test_the_kubeconfig_of_the_environment_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{tmp_path / 'config'}")
    with pytest.raises(PermanentError, match="cannot be reached"):
        read_settings("prod", None, start_up_s=START_UP_S, drain_s=DRAIN_S)
