"""Upstreams by annotation and by what was learned: known to the tick, and wrong ones left out."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.dependencies import Edges, Origin
from knative.objects import podautoscaler
from knative.pulling import UPSTREAMS, Pulling
from tests.knative.conftest import Cluster, a_bundle, a_podautoscaler, run_fast

OUTWARD = {"kn-ahead.dev/mode": "outward"}


def saw(pulling: Pulling, name: str, upstreams: str = "") -> None:
    annotations = {UPSTREAMS: upstreams} if upstreams else {}
    pa = podautoscaler(a_podautoscaler(name, annotations=annotations))
    pulling.saw_revision(f"shop/{name}", pa)


def pairs(edges: Edges) -> set[tuple[str, str]]:
    ends = zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True)
    return {(edges.services[up], edges.services[down]) for up, down in ends}


def learned(up: str, down: str, **said: float) -> Edges:
    values = {"lag_s": 4.0, "gain": 0.3, "needed": 0.8, "confidence": 0.9} | said
    return Edges(
        services=(up, down),
        upstream=np.array([0]),
        downstream=np.array([1]),
        evidence=np.array([50.0]),
        seen_at_s=np.array([0.0]),
        direct=np.array([True]),
        origin=np.array([int(Origin.LEARNED_STARTS)]),
        **{name: np.array([value]) for name, value in values.items()},
    )


def test_an_annotation_names_upstreams_here_and_elsewhere() -> None:
    pulling = Pulling()
    saw(pulling, "cart", "browse-service, back/office")
    expected = {("shop/browse-service", "shop/cart-service"), ("back/office", "shop/cart-service")}
    assert pairs(pulling.edges) == expected


@pytest.mark.parametrize("word", ["", "Browse!", "a/b/c", "cart-service", "/x", "x/"])
def test_a_wrong_name_is_said_and_the_others_count(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    pulling = Pulling()
    with caplog.at_level(logging.WARNING):
        saw(pulling, "cart", f"{word},browse-service")
        saw(pulling, "cart", f"{word},browse-service")
    assert pairs(pulling.edges) == {("shop/browse-service", "shop/cart-service")}
    (said,) = {record.getMessage() for record in caplog.records}
    assert f"shop/cart: {UPSTREAMS} names {word!r}, which is left out; allowed: another" in said


def test_an_annotation_that_goes_takes_its_edges_along() -> None:
    pulling = Pulling()
    saw(pulling, "cart", "browse-service")
    saw(pulling, "cart")
    assert pairs(pulling.edges) == set()
    saw(pulling, "cart", "browse-service")
    pulling.forget("shop/cart")
    assert pairs(pulling.edges) == set()


def test_what_an_annotation_does_not_say_is_filled_by_what_was_learned() -> None:
    pulling = Pulling()
    saw(pulling, "cart", "browse-service")
    pulling.learn(learned("shop/browse-service", "shop/cart-service"))
    edges = pulling.edges
    assert (edges.origin.tolist(), edges.lag_s.tolist()) == ([Origin.ANNOTATION], [4.0])
    assert (edges.gain.tolist(), edges.confidence.tolist()) == ([0.3], [1.0])


def test_contradictory_annotations_are_a_cycle_and_no_harm() -> None:
    pulling = Pulling()
    saw(pulling, "cart", "till-service")
    saw(pulling, "till", "cart-service")
    links = pulling.links(["shop/cart-service", "shop/till-service"], 3)
    assert sorted(zip(links.upstream.tolist(), links.downstream.tolist(), strict=True)) == [
        (0, 1),
        (1, 0),
    ]


def test_a_service_that_is_not_there_is_said_once_and_makes_no_link(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pulling, rows = Pulling(), ["shop/cart-service"]
    saw(pulling, "cart", "nobody")
    with caplog.at_level(logging.WARNING):
        assert [len(pulling.links(rows, layout)) for layout in (3, 4, 5)] == [0, 0, 0]
    said = f"{UPSTREAMS} names 'shop/nobody', which is not there: nothing follows it yet"
    assert [record.getMessage() for record in caplog.records] == [said]
    assert len(pulling.links([*rows, "shop/nobody"], 6)) == 1


def a_chain(cluster: Cluster, *names: str) -> list[str]:
    """Revisions at zero, each called by the one before."""
    keys = []
    for before, name in zip(("", *names), names, strict=False):
        upstreams = {UPSTREAMS: f"{before}-service"} if before else {}
        keys.append(
            cluster.has_revision(name, active="False", ready=0, annotations=OUTWARD | upstreams)
        )
    return keys


def replicas(cluster: Cluster, *names: str) -> list[int | None]:
    return [cluster.seat.replicas(f"shop/{name}") for name in names]


def test_a_chain_of_cold_services_starts_with_the_first_request() -> None:
    names = ("front", "cart", "stock", "bank")

    async def story() -> None:
        cluster = Cluster()
        head, *_ = a_chain(cluster, *names)
        await cluster.settle()
        assert replicas(cluster, *names) == [0, 0, 0, 0]
        poked = cluster.hears(head, concurrency=1.0)
        assert poked == [head]
        await cluster.tick(*poked)  # of the head alone: no tick of the fleet has come
        assert replicas(cluster, *names) == [1, 1, 1, 1]
        (decided,) = cluster.seat.board.decided("shop/bank-service")
        assert "'shop/front-service' rose to 1 rps 0 s ago" in decided.sentence

    run_fast(story())


def test_a_warm_gateway_that_is_called_after_idleness_wakes_what_hangs_on_it_at_once() -> None:
    async def story() -> None:
        cluster = Cluster()
        gate = cluster.has_revision("gate", ready=1, annotations=OUTWARD)
        upstreams = {UPSTREAMS: "gate-service"}
        cluster.has_revision("cart", active="False", ready=0, annotations=OUTWARD | upstreams)
        cluster.hears(gate, concurrency=0.0)
        await cluster.settle()
        assert replicas(cluster, "gate", "cart") == [1, 0]
        poked = cluster.hears(gate, concurrency=1.0)
        assert poked == [gate]
        await cluster.tick(*poked)
        assert replicas(cluster, "gate", "cart") == [1, 1]
        assert cluster.hears(gate, concurrency=1.0) == []  # it goes on: no start

    run_fast(story())


def test_a_learned_chain_starts_as_well_and_without_it_each_waits_for_its_own() -> None:
    async def story() -> None:
        cluster = Cluster()
        for name in ("front", "cart"):
            cluster.has_revision(name, active="False", ready=0, annotations=OUTWARD)
        bundle = replace(
            a_bundle(1.0, "shop/other"), edges=learned("shop/front-service", "shop/cart-service")
        )
        cluster.seat.forecast(bundle)
        await cluster.settle()
        await cluster.tick(*cluster.hears("shop/front", concurrency=1.0))
        assert replicas(cluster, "front", "cart") == [1, 1]

        alone = Cluster()
        for name in ("front", "cart"):
            alone.has_revision(name, active="False", ready=0, annotations=OUTWARD)
        await alone.settle()
        await alone.tick(*alone.hears("shop/front", concurrency=1.0))
        assert replicas(alone, "front", "cart") == [1, 0]

    run_fast(story())


def test_what_is_known_hangs_on_the_board() -> None:
    async def story() -> None:
        cluster = Cluster()
        a_chain(cluster, "front", "cart")
        await cluster.settle()
        assert pairs(cluster.seat.board.edges) == {("shop/front-service", "shop/cart-service")}
        bundle = replace(a_bundle(1.0, "shop/other"), edges=learned("shop/a", "shop/b"))
        cluster.seat.forecast(bundle)  # also before, or without, a tick
        assert ("shop/a", "shop/b") in pairs(cluster.seat.board.edges)

    run_fast(story())
