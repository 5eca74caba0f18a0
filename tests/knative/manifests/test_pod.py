"""The pod that takes the place of Knative's, and what keeps its containers apart."""

import pytest

from autoscaler.limits import LEDGER_FOLDER, MIB
from tests.knative.manifests.manifest import (
    ADVISOR,
    CONTAINERS,
    CONTROLLER,
    LEARNER,
    OBJECTS,
    TOKEN,
    Object,
    bytes_of,
    container,
    find,
    parsed,
    pod,
    volumes,
)


@pytest.mark.parametrize("objects", [OBJECTS, LEARNER])
def test_every_document_is_an_object(objects: list[Object]) -> None:
    for o in objects:
        assert o["apiVersion"]
        assert o["kind"]
        assert o["metadata"]["name"]


def test_takes_the_place_of_knatives_autoscaler() -> None:
    deployment = find("Deployment")
    meta = deployment["metadata"]
    assert (meta["namespace"], meta["name"]) == ("knative-serving", "autoscaler")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert labels["app"] == "autoscaler"  # what Knative's Service selects
    assert selector.items() <= labels.items()


def test_a_rollout_leaves_activators_a_socket_at_any_time() -> None:
    spec = find("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "RollingUpdate")
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_each_port_is_one_containers() -> None:
    """8080 is the activators', 9090 Prometheus's: Knative's Service names both."""
    ports = {c["name"]: [p["containerPort"] for p in c["ports"]] for c in pod()["containers"]}
    assert ports == {"autoscaler": [8080], "advisor": [9090]}


# --- what keeps the containers apart --------------------------------------------------------------


def test_each_container_has_the_token_of_its_own_account_alone() -> None:
    spec = pod()
    assert spec["serviceAccountName"] == CONTROLLER
    assert spec["automountServiceAccountToken"] is False  # or each would have the controller's
    assert find("ServiceAccount", ADVISOR)["automountServiceAccountToken"] is False
    controllers, advisors = volumes("autoscaler")[TOKEN], volumes("advisor")[TOKEN]
    assert any("serviceAccountToken" in source for source in controllers["projected"]["sources"])
    secret = find("Secret", advisors["secret"]["secretName"])
    assert secret["type"] == "kubernetes.io/service-account-token"
    account = secret["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    assert account == ADVISOR
    assert advisors["secret"]["optional"]  # the pod does not wait for it
    for name, own in (("autoscaler", controllers), ("advisor", advisors)):
        mounted = volumes(name)
        assert mounted[TOKEN] == own
        secrets = {path for path, v in mounted.items() if "secret" in v or "projected" in v}
        assert secrets - {TOKEN} <= {"/key"}
        assert own["ro"]
    assert "/key" not in volumes("autoscaler")


def test_each_shared_folder_is_written_by_one_and_read_by_the_other() -> None:
    for path, writer, reader in (
        ("/snapshots", "autoscaler", "advisor"),
        ("/advice", "advisor", "autoscaler"),
    ):
        written, read = volumes(writer)[path], volumes(reader)[path]
        assert written["name"] == read["name"]
        assert (written["ro"], read["ro"]) == (False, True)
        assert written["emptyDir"]["sizeLimit"]


def test_nothing_else_is_shared() -> None:
    shared = {v["name"] for v in volumes("autoscaler").values()}
    shared &= {v["name"] for v in volumes("advisor").values()}
    assert shared == {"snapshots", "advice"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_runs_without_privileges(name: str) -> None:
    security = pod(LEARNER if name == "learner" else OBJECTS)["securityContext"]
    own = container(name)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_container_says_what_it_needs_and_what_it_may_take(name: str) -> None:
    resources = container(name)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert bytes_of(resources["requests"]["memory"]) <= bytes_of(resources["limits"]["memory"])


def test_the_advisor_takes_no_core_from_the_controller_which_is_never_throttled() -> None:
    assert "cpu" in container("advisor")["resources"]["limits"]
    assert "cpu" not in container("autoscaler")["resources"]["limits"]


def test_the_advisor_fails_to_get_memory_before_its_limit_ends_it() -> None:
    """Its own limit and the folder in memory that it writes fit into the container's."""
    limit = bytes_of(container("advisor")["resources"]["limits"]["memory"])
    own = parsed("advisor")["memory"] * MIB
    assert own + bytes_of(volumes("advisor")["/advice"]["emptyDir"]["sizeLimit"]) < 0.9 * limit


def test_the_ledger_fits_twice_into_its_folder_which_takes_no_memory() -> None:
    """A folder that outgrows its limit has the whole pod evicted."""
    folder = volumes("advisor")[str(parsed("advisor")["ledger"])]
    assert 2 * LEDGER_FOLDER.most <= bytes_of(folder["emptyDir"]["sizeLimit"])
    assert "medium" not in folder["emptyDir"]
    assert not folder["ro"]


def test_the_controllers_limit_holds_what_it_takes_under_attack_and_its_folder() -> None:
    limit = bytes_of(container("autoscaler")["resources"]["limits"]["memory"])
    folder = bytes_of(volumes("autoscaler")["/snapshots"]["emptyDir"]["sizeLimit"])
    assert 250e6 + folder < 0.9 * limit


def test_only_the_controller_is_probed_where_activators_dial() -> None:
    controller, advisor = container("autoscaler"), container("advisor")
    assert controller["readinessProbe"]["httpGet"] == {"port": 8080}
    liveness = controller["livenessProbe"]
    assert liveness["httpGet"] == {"port": 8080}
    # A loop that is held up for a minute is restarted, and none that is held up for a moment.
    assert liveness["failureThreshold"] * liveness["periodSeconds"] == 60
    assert liveness["timeoutSeconds"] == 5
    assert not [key for key in advisor if key.endswith("Probe")]  # whatever becomes of it
    assert parsed("advisor")["keep"]  # and it is started again inside its container


def test_the_learner_needs_no_rights() -> None:
    assert pod(LEARNER)["automountServiceAccountToken"] is False
    assert {o["kind"] for o in LEARNER} == {"Deployment", "Service"}
