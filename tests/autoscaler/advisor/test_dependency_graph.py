"""Which edges are acted on: those that both namespaces know, while there is room."""

from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.dependency_graph import Cause, DependencyGraph, dependency_graph
from autoscaler.advisor.namespaces import Caps
from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.state.revision import Mode
from tests.autoscaler.advisor.graphs import edges_of, random_pairs

NOBODY = no_edges(())
Declarations = dict[str, list[Declaration]]


def learned(*pairs: tuple[str, str], probability: object = 0.8, **columns: object) -> Edges:
    names = sorted({name for pair in pairs for name in pair})
    ends = [(names.index(up), names.index(down)) for up, down in pairs]
    columns = {"origin": Origin.LEARNED_STARTS, "gain": 0.5, "lag_s": 2.0} | columns
    return edges_of(names, ends, probability=probability, **columns)


def fleet(*services: str, **declared: Declaration) -> Declarations:
    """Services with one revision each; those that declare something by name with _ for /."""
    said = {name.replace("_", "/"): declaration for name, declaration in declared.items()}
    return {service: [said.get(service, Declaration())] for service in (*services, *said)}


def named(upstreams: str) -> Declaration:
    return Declaration(upstreams=upstreams)


def graph_of(known: Edges, declared: Declarations, **options: object) -> DependencyGraph:
    options = {"trust_namespaces": False} | options
    graph = dependency_graph(known, declared, **options)  # type: ignore[arg-type]
    assert graph is not None
    return graph


def causes(graph: DependencyGraph) -> dict[tuple[str, str], Cause]:
    edges = graph.edges
    ends = zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True)
    return {
        (edges.services[up], edges.services[down]): Cause(cause)
        for (up, down), cause in zip(ends, graph.cause.tolist(), strict=True)
    }


def paths(graph: DependencyGraph) -> set[tuple[str, str]]:
    some = graph.paths
    ends = zip(some.upstream.tolist(), some.downstream.tolist(), strict=True)
    return {(some.services[up], some.services[down]) for up, down in ends}


def test_named_and_learned_edges_lead_on_together() -> None:
    graph = graph_of(learned(("s/a", "s/b")), fleet("s/a", "s/b", s_c=named("b")))
    assert set(causes(graph).values()) == {Cause.NONE}
    assert paths(graph) == {("s/a", "s/b"), ("s/b", "s/c"), ("s/a", "s/c")}


def test_a_named_edge_takes_from_a_learned_one_what_it_does_not_say() -> None:
    graph = graph_of(learned(("s/a", "s/b"), confidence=0.5), fleet("s/a", s_b=named("a")))
    some = graph.paths
    assert graph.edges.origin.tolist() == [Origin.ANNOTATION]
    numbers = some.probability, some.gain, some.lag_s, some.confidence
    assert [float(column[0]) for column in numbers] == [0.8, 0.5, 2.0, 1.0]


@pytest.mark.parametrize(
    ("upstreams", "namespaces", "trusting", "cause"),
    [
        ("", "", False, Cause.NOT_NAMED),
        ("", "*", False, Cause.NOT_NAMED),
        ("u/gate", "", False, Cause.NO_CONSENT),
        ("u/gate", "other", False, Cause.NO_CONSENT),
        ("u/gate", "d, other", False, Cause.NONE),
        ("u/gate", "*", False, Cause.NONE),
        ("u/other", "*", False, Cause.NOT_NAMED),
        ("", "", True, Cause.NONE),
        ("u/gate", "", True, Cause.NONE),
    ],
)
@pytest.mark.parametrize("origin", [o for o in Origin if o != Origin.PROMETHEUS])
def test_between_namespaces_both_sides_have_to_know_an_edge_whoever_says_it(
    upstreams: str, namespaces: str, trusting: bool, cause: Cause, origin: Origin
) -> None:
    declared = fleet(
        "u/other",
        u_gate=Declaration(downstream_namespaces=namespaces),
        d_cart=named(upstreams),
    )
    known = learned(("u/gate", "d/cart"), origin=origin)
    graph = graph_of(known, declared, trust_namespaces=trusting)
    assert causes(graph)["u/gate", "d/cart"] == cause
    assert (("u/gate", "d/cart") in paths(graph)) == (cause == Cause.NONE)


def test_what_two_namespaces_agreed_upon_binds_no_third() -> None:
    consent = Declaration(downstream_namespaces="*")
    declared = fleet(
        a_gate=consent,
        b_cart=replace(consent, upstreams="a/gate"),
        c_bank=named("b/cart"),
    )
    direct = {("a/gate", "b/cart"), ("b/cart", "c/bank")}
    assert paths(graph_of(NOBODY, declared)) == direct
    trusting = graph_of(NOBODY, declared, trust_namespaces=True)
    assert paths(trusting) == direct | {("a/gate", "c/bank")}


def test_a_path_runs_within_the_namespaces_of_its_two_ends() -> None:
    declared = fleet(
        "a/front",
        a_gate=Declaration(upstreams="front", downstream_namespaces="b"),
        b_cart=named("a/gate"),
        b_bank=named("cart"),
    )
    assert paths(graph_of(NOBODY, declared)) >= {("a/front", "b/bank"), ("a/gate", "b/bank")}


def test_a_series_outside_is_shown_and_starts_nothing() -> None:
    known = learned(("prometheus/1-lag", "s/a"), ("s/a", "s/b"), origin=[2, 3])
    for trusting in (True, False):
        graph = graph_of(known, fleet("s/a", "s/b"), trust_namespaces=trusting)
        assert causes(graph)["prometheus/1-lag", "s/a"] == Cause.OUTSIDE
        assert paths(graph) == {("s/a", "s/b")}


def test_services_that_are_not_there_are_shown_and_nothing_follows() -> None:
    known = learned(("s/gone", "s/a"), ("s/a", "s/idle"))
    graph = graph_of(known, fleet("s/a") | {"s/idle": []} | fleet(s_c=named("nobody")))
    assert causes(graph) == {
        ("s/gone", "s/a"): Cause.NO_UPSTREAM,
        ("s/a", "s/idle"): Cause.NO_DOWNSTREAM,
        ("s/nobody", "s/c"): Cause.NO_UPSTREAM,
    }
    assert len(graph.paths) == 0


def test_nothing_leads_to_a_service_that_is_off_and_all_from_it() -> None:
    off, shadow = Declaration(mode=Mode.OFF), Declaration(mode=Mode.SHADOW)
    known = learned(("s/a", "s/b"), ("s/b", "s/c"))
    graph = graph_of(known, fleet("s/a", "s/c") | {"s/b": [off, off]})
    assert causes(graph) == {("s/a", "s/b"): Cause.OFF, ("s/b", "s/c"): Cause.NONE}
    graph = graph_of(known, fleet("s/a", "s/c") | {"s/b": [off, shadow]})
    assert paths(graph) == {("s/a", "s/b"), ("s/b", "s/c"), ("s/a", "s/c")}


def test_what_is_improbable_is_shown_and_not_acted_on() -> None:
    known = learned(("s/a", "s/b"), probability=0.2, confidence=0.2)
    graph = graph_of(known, fleet("s/a", "s/b"))
    assert causes(graph) == {("s/a", "s/b"): Cause.IMPROBABLE}


def test_what_lost_its_say_is_shown_with_why_and_nothing_leads_over_it() -> None:
    known, declared = learned(("s/a", "s/b"), ("s/b", "s/c")), fleet("s/a", "s/b", "s/c")
    graph = graph_of(known, declared, withdrawn={("s/a", "s/b"): "nobody came"})
    assert causes(graph) == {("s/a", "s/b"): Cause.WITHDRAWN, ("s/b", "s/c"): Cause.NONE}
    assert graph.not_acted_on == ["nobody came", ""]
    assert paths(graph) == {("s/b", "s/c")}
    again = graph_of(known, declared, former=graph)
    assert paths(again) == {("s/a", "s/b"), ("s/b", "s/c"), ("s/a", "s/c")}


def test_of_many_upstreams_the_most_probable_are_kept_of_each_namespace_apart() -> None:
    known = learned(
        *[(f"s/u{i}", "s/d") for i in range(4)],
        *[(f"x/u{i}", "s/d") for i in range(3)],
        probability=[0.5, 0.9, 0.6, 0.7, 0.8, 0.99, 0.9],
    )
    declared = fleet(
        *[f"s/u{i}" for i in range(4)],
        s_d=named("x/u0,x/u1,x/u2"),
        **{f"x_u{i}": Declaration(downstream_namespaces="s") for i in range(3)},
    )
    graph = graph_of(known, declared, caps=Caps(upstreams=2, upstreams_elsewhere=1))
    left_out = {up for (up, _), cause in causes(graph).items() if cause == Cause.UPSTREAMS}
    assert left_out == {"s/u0", "s/u2", "x/u0", "x/u2"}
    assert graph.excess == {"upstreams": 4}


def test_of_many_edges_the_most_probable_are_kept() -> None:
    known = learned(("s/a", "s/b"), ("s/b", "s/c"), ("s/c", "s/d"), probability=[0.7, 0.9, 0.8])
    graph = graph_of(known, fleet("s/a", "s/b", "s/c", "s/d"), caps=Caps(edges=2))
    assert causes(graph)["s/a", "s/b"] == Cause.EDGES
    assert graph.excess == {"edges": 1}


def test_limits_of_annotations_and_paths_are_counted_together() -> None:
    declared = fleet("s/a", s_b=named("x" * 9_000), s_c=named("b,!"))
    graph = graph_of(learned(("s/a", "s/b"), gain=1e9), declared)
    assert graph.excess == {"annotation_chars": 1, "path_gain": 1}
    assert [wrong.service for wrong in graph.wrong_names] == ["s/b", "s/c"]


def test_equal_inputs_cost_nothing() -> None:
    names = [f"s/s{i:04d}" for i in range(1000)]
    declared = fleet(*names)
    known = edges_of(names, random_pairs(1000, 10_000), probability=0.7)
    again = edges_of(names, random_pairs(1000, 10_000), probability=0.7)
    graph = graph_of(known, declared)
    begun_s = process_time()
    assert graph_of(again, dict(declared), former=graph) is graph
    assert process_time() - begun_s < 0.3


def test_paths_stay_the_same_object_where_nothing_that_they_rest_on_has_changed() -> None:
    known = learned(("s/a", "s/b"), ("s/b", "s/c"))
    graph = graph_of(known, fleet("s/a", "s/b", "s/c"))
    newer = replace(known, seen_at_s=np.full(2, 9.0), evidence=np.full(2, 70.0))
    wider = fleet("s/0", "s/a", "s/b", "s/c", "s/d")
    next_graph = graph_of(newer, wider, former=graph)
    assert next_graph is not graph
    assert next_graph.paths is graph.paths
    assert next_graph.edges.evidence.tolist() == [70.0, 70.0]


@pytest.mark.parametrize("column", ["probability", "confidence", "gain", "lag_s"])
def test_paths_are_made_anew_where_an_edge_has_changed(column: str) -> None:
    known = learned(("s/a", "s/b"), ("s/b", "s/c"))
    declared = fleet("s/a", "s/b", "s/c")
    graph = graph_of(known, declared)
    other = learned(("s/a", "s/b"), ("s/b", "s/c"), **{column: 0.6})
    changed = graph_of(other, declared, former=graph)
    assert changed.paths is not graph.paths


def test_a_switch_or_a_cap_that_changes_is_noticed() -> None:
    known, declared = learned(("s/a", "x/b")), fleet("s/a", "x/b")
    graph = graph_of(known, declared)
    assert len(graph_of(known, declared, former=graph, trust_namespaces=True).paths) == 1
    assert graph_of(known, declared, former=graph, caps=Caps(edges=8)) is not graph


def test_it_stops_when_it_is_told_to() -> None:
    known, declared = learned(("s/a", "s/b")), fleet("s/a", "s/b")
    stopped = dependency_graph(known, declared, trust_namespaces=False, stop=lambda: True)
    assert stopped is None


def test_each_edge_comes_with_the_reason_why_it_is_not_acted_on() -> None:
    graph = graph_of(learned(("s/a", "s/b"), ("s/b", "s/gone")), fleet("s/a", "s/b"))
    assert graph.not_acted_on == ["", "no revision of the downstream is there"]
