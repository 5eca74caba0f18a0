from httpx import Client
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.clock import SimulatedClock

CART = {"namespace": "shop", "service": "cart", "revision": "cart-00001"}


def samples(client: Client) -> dict[tuple[str, str, str], float]:
    """By metric, revision and reason."""
    return {
        (s.name, s.labels.get("revision", ""), s.labels.get("reason", "")): s.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for s in family.samples
    }


def test_shows_what_was_decided_of_each_revision(client: Client) -> None:
    seen = samples(client)
    assert seen["kn_ahead_desired_pods", "cart-00001", ""] == 4
    assert seen["kn_ahead_kpa_pods", "cart-00001", ""] == 2
    assert seen["kn_ahead_predicted_pods", "cart-00001", ""] == 4
    assert seen["kn_ahead_ready_pods", "cart-00001", ""] == 2
    assert seen["kn_ahead_decision_reason", "cart-00001", "FORECAST"] == 1


def test_labels_name_namespace_service_and_revision(client: Client) -> None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    desired = next(f for f in families if f.name == "kn_ahead_desired_pods")
    assert CART in [s.labels for s in desired.samples]


def test_what_is_not_known_has_no_sample(client: Client) -> None:
    assert ("kn_ahead_predicted_pods", "nightly-00001", "") not in samples(client)
    assert ("kn_ahead_ready_pods", "nightly-00001", "") in samples(client)


def test_shows_the_age_of_the_forecasts(client: Client, clock: SimulatedClock) -> None:
    clock.advance(20.0)
    assert samples(client)["kn_ahead_forecast_age_seconds", "", ""] == 30.0
    assert samples(client)["kn_ahead_services", "", ""] == 3


def test_an_empty_board_has_no_age_and_no_services(bare: Client) -> None:
    seen = samples(bare)
    assert seen == {
        ("kn_ahead_services", "", ""): 0.0,
        ("kn_ahead_dependencies", "", ""): 0.0,
    }


def test_two_apps_do_not_share_a_registry(client: Client, bare: Client) -> None:
    assert len(samples(client)) > len(samples(bare))
