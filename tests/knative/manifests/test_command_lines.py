"""The containers would start: their command lines, as the real parsers read them."""

from pathlib import Path

import pytest

from tests.knative.manifests.manifest import (
    LEARNER,
    container,
    find,
    parsed,
    volumes,
)


def test_the_controller_starts_with_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYSTEM_NAMESPACE", "POD_NAME", "POD_IP"):
        monkeypatch.setenv(name, f"value of {name}")
    options = parsed("autoscaler")
    paths = options["advice"], options["snapshots"], options["state"]
    assert {str(path) for path in paths} <= volumes("autoscaler").keys()
    assert (options["port"], options["plain"], options["record"]) == (8080, False, None)
    assert options["namespace"] == "value of SYSTEM_NAMESPACE"
    assert (options["pod_name"], options["pod_ip"]) == ("value of POD_NAME", "value of POD_IP")


def test_the_advisor_starts_with_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYSTEM_NAMESPACE", "POD_NAME", "POD_UID"):
        monkeypatch.setenv(name, f"value of {name}")
    options = parsed("advisor")
    assert {str(options["advice"]), str(options["snapshots"])} <= volumes("advisor").keys()
    assert options["api_port"] == 9090
    assert options["namespace"] == "value of SYSTEM_NAMESPACE"
    assert (options["pod_name"], options["pod_uid"]) == ("value of POD_NAME", "value of POD_UID")


def test_the_advisor_asks_the_learner_where_it_serves() -> None:
    service = find("Service", objects=LEARNER)["metadata"]
    url = parsed("advisor")["bundle"]
    assert url == f"http://{service['name']}.{service['namespace']}.svc/forecasts.npz"
    options = parsed("learner")
    assert Path(options["bundle"]).name == "forecasts.npz"
    assert options["serve"] == container("learner")["ports"][0]["containerPort"]


@pytest.mark.parametrize("name", ["autoscaler", "advisor"])
def test_a_container_is_told_of_its_pod_what_its_command_reads(name: str) -> None:
    fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container(name)["env"]}
    known = {
        "SYSTEM_NAMESPACE": "metadata.namespace",
        "POD_NAME": "metadata.name",
        "POD_IP": "status.podIP",
        "POD_UID": "metadata.uid",
    }
    other = {"autoscaler": "POD_UID", "advisor": "POD_IP"}[name]
    assert fields == {key: path for key, path in known.items() if key != other}
