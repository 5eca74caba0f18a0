"""Settings of the services that were called, as a cluster has them."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.policies.policies import revision
from benchmarks.simulator.settings import rows
from benchmarks.whatif.cluster import LEAST, own_settings
from knative.services.pods import Requested
from knative.services.reader import ClusterSettings, ServiceSettings

DEFAULT = revision(0, 5.0, 30.0)
CART = ServiceSettings(
    revision=replace(revision(3, 8.0, 30.0), min_scale=2),
    concurrency=3,
    start_up_s=8.0,
    requested=Requested(cpu=0.5, memory_gib=1.0),
    pods=2,
    knatives=True,
)
LOGIN = replace(CART, start_up_s=None, requested=None, revision=replace(DEFAULT, retention_s=60.0))
CALLED = ("shop/cart", "shop/gone", "shop/login")


def cluster(*, configured: bool = True, **services: ServiceSettings) -> ClusterSettings:
    names = {f"shop/{name}": each for name, each in services.items()}
    return ClusterSettings(
        context="prod", kubeconfig=None, services=names, configured=configured, observability=None
    )


def said(found: ClusterSettings) -> list[str]:
    return list(own_settings(CALLED, found, DEFAULT, 0).said)


def test_each_has_its_own_and_who_is_gone_has_knative_s_defaults() -> None:
    own = own_settings(CALLED, cluster(cart=CART, login=LOGIN), DEFAULT, 0)
    assert rows(own.configured.revision, 3) == [CART.revision, DEFAULT, LOGIN.revision]
    assert np.asarray(own.configured.concurrency).tolist() == [3, 0, 3]
    np.testing.assert_array_equal(own.cpu, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(own.memory_gib, [1.0, np.nan, np.nan])


def test_what_is_known_and_what_is_assumed_is_said() -> None:
    assert said(cluster(cart=CART, login=LOGIN, unused=LOGIN, idle=LOGIN)) == [
        "Settings of 2 of 3 services are those of context prod; 1 is not there any more: Knative's"
        " defaults.",
        "Pods of 1 of them were seen to start, in 8 s in the median; of all others 5 s is assumed,"
        " and that pods drain 30 s.",
        LEAST,
    ]


def test_min_scales_of_services_that_nobody_called_are_known() -> None:
    found = cluster(cart=CART, unused=CART, idle=LOGIN)
    assert own_settings(CALLED, found, DEFAULT, 0).uncalled == {"shop/unused": 2}


def test_of_who_exports_nothing_nobody_knows_whether_it_was_called() -> None:
    found = cluster(cart=CART, unused=CART, idle=LOGIN)
    assert own_settings(CALLED, found, DEFAULT, 0, ("shop/unused",)).uncalled == {}


def test_where_all_is_known_nothing_is_said_of_what_is_not() -> None:
    assert said(cluster(cart=CART, login=LOGIN, gone=LOGIN))[0] == (
        "Settings of 3 of 3 services are those of context prod."
    )


def test_what_cannot_be_as_it_is_there_is_said() -> None:
    other = replace(LOGIN, knatives=False)
    assert said(cluster(configured=False, login=other))[1:] == [
        "No pod is there to tell how long a start takes: 5 s is assumed, and that pods drain 30 s.",
        "Scaled by a class that is not simulated, as if by Knative's: shop/login.",
        "No config-autoscaler is in namespace knative-serving: its defaults hold.",
        LEAST,
    ]


@pytest.mark.parametrize(
    ("services", "part"),
    [
        ({}, "it has none"),
        ({"other": LOGIN}, "it has shop/other"),
        ({f"s{i}": LOGIN for i in range(9)}, "it has 9 services, such as shop/s0, shop/s1"),
    ],
)
def test_a_cluster_that_has_none_of_them_is_another_one(
    services: dict[str, ServiceSettings], part: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        said(replace(cluster(), services={f"shop/{n}": each for n, each in services.items()}))
    assert "context 'prod' has none of the 3 services that were called" in str(refused.value)
    assert part in str(refused.value)
