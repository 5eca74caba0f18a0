import pytest

from autoscaler.errors import PermanentError
from knative.settings.network import Mesh, Network, network_of

REFUSED = [
    ("mesh-compatibility-mode", "sometimes", "auto, enabled, disabled"),
    ("mesh-compatibility-mode", "", "auto, enabled, disabled"),
    ("enable-mesh-pod-addressability", "perhaps", "true, false"),
    ("enable-mesh-pod-addressability", "", "true, false"),
]


def test_an_empty_config_is_knatives_defaults() -> None:
    assert network_of({}) == Network(mesh=Mesh.AUTO, pods_addressable=False)


@pytest.mark.parametrize("text", ["auto", "enabled", "disabled", "Enabled", " auto\n"])
def test_every_mode_is_known_by_its_name(text: str) -> None:
    network = network_of({"mesh-compatibility-mode": text})
    assert network == Network(mesh=Mesh[text.strip().upper()])


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), (" true ", True)])
def test_pods_may_be_addressable(text: str, value: bool) -> None:
    network = network_of({"enable-mesh-pod-addressability": text})
    assert network == Network(pods_addressable=value)


@pytest.mark.parametrize(("key", "text", "allowed"), REFUSED)
def test_a_wrong_value_is_refused_by_key_value_and_what_is_allowed(
    key: str, text: str, allowed: str
) -> None:
    with pytest.raises(PermanentError) as refusal:
        network_of({key: text})
    said = str(refusal.value)
    assert "config-network" in said
    assert key in said
    assert repr(text) in said
    assert said.endswith(f"allowed: {allowed}")


def test_the_example_and_other_keys_say_nothing() -> None:
    said = {"_example": "mesh-compatibility-mode: enabled", "system-internal-tls": "Enabled"}
    assert network_of(said) == Network()
