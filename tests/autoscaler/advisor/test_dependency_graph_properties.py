"""Laws of isolation: whatever a namespace does, it takes nothing from two others."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.dependency_graph import DependencyGraph, dependency_graph
from autoscaler.advisor.namespaces import Caps
from autoscaler.core.prediction.dependencies import Edges, merged
from autoscaler.core.state.revision import Mode
from tests.autoscaler.advisor.graphs import NAN, edges_of
from tests.autoscaler.core.stories import LAW
from tests.examples import examples

MANY = settings(LAW, max_examples=examples(60, many=200))
OTHERS, CHANGED = ("a", "b", "c"), "x"
TIGHT = Caps(
    upstreams=2,
    upstreams_elsewhere=1,
    edges=24,
    path_edges=4,
    fan_out=2,
    fan_out_elsewhere=4,
    paths=48,
)


def services(*namespaces: str) -> list[str]:
    return [f"{namespace}/s{i}" for namespace in namespaces for i in range(3)]


ALL = services(*OTHERS, CHANGED)


@st.composite
def declarations(draw: st.DrawFn, names: list[str]) -> dict[str, list[Declaration]]:
    """What services declare, most of it with others in mind."""
    some = st.lists(st.sampled_from(ALL), max_size=4).map(",".join)
    consent = st.sampled_from(("*", "*", "a,b,c,x", "a", "b,x", ""))
    mode = st.sampled_from((Mode.SHADOW, Mode.OUTWARD, Mode.FULL, Mode.OFF))
    return {
        name: [
            Declaration(upstreams=draw(some), downstream_namespaces=draw(consent), mode=draw(mode))
        ]
        for name in names
    }


@st.composite
def some_edges(draw: st.DrawFn, pairs: list[tuple[str, str]]) -> Edges:
    """Learned edges between some of the pairs."""
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=14, unique=True))
    ends = [(ALL.index(up), ALL.index(down)) for up, down in chosen]
    probability = [draw(st.sampled_from((NAN, 1.0, 0.8, 0.6, 0.3))) for _ in ends]
    lag_s = [draw(st.sampled_from((NAN, 1.0, 5.0))) for _ in ends]
    return edges_of(ALL, ends, probability=probability, lag_s=lag_s, origin=3)


def between(*namespaces: str) -> list[tuple[str, str]]:
    return list(permutations(services(*namespaces), 2))


def touching(namespace: str) -> list[tuple[str, str]]:
    return [pair for pair in permutations(ALL, 2) if any(e.startswith(namespace) for e in pair)]


def made(known: Edges, declared: dict[str, list[Declaration]], *, trust: bool) -> DependencyGraph:
    graph = dependency_graph(known, declared, trust_namespaces=trust, caps=TIGHT)
    assert graph is not None
    return graph


def elsewhere(graph: DependencyGraph) -> tuple[set[object], set[object]]:
    """Edges with what becomes of them, and paths, whose ends are not in the changed namespace."""
    edges, paths = graph.edges, graph.paths
    edge_columns = edges.upstream, edges.downstream, graph.cause
    path_columns = (
        paths.upstream,
        paths.downstream,
        paths.probability,
        paths.confidence,
        paths.gain,
        paths.lag_s,
        paths.hops,
        paths.origin,
    )

    def rows(names: tuple[str, ...], columns: tuple[object, ...]) -> set[object]:
        every = zip(*(column.tolist() for column in columns), strict=True)  # type: ignore[attr-defined]
        ends = ((names[up], names[down], *rest) for up, down, *rest in every)
        return {row for row in ends if CHANGED not in {row[0][0], row[1][0]}}

    return rows(edges.services, edge_columns), rows(paths.services, path_columns)


Worlds = tuple[tuple[Edges, dict[str, list[Declaration]]], ...]
NOTHING: dict[str, list[Declaration]] = {}
others = declarations(services(*OTHERS))
changed = st.one_of(st.just(NOTHING), declarations(services(CHANGED)))


@MANY
@given(
    known=some_edges(between(*OTHERS)),
    declared=others,
    worlds=st.tuples(*[st.tuples(some_edges(touching(CHANGED)), changed)] * 2),
)
def test_all_that_a_namespace_can_do_changes_nothing_between_others(
    known: Edges,
    declared: dict[str, list[Declaration]],
    worlds: Worlds,
) -> None:
    one, other = (
        elsewhere(made(merged(known, more), declared | its, trust=False)) for more, its in worlds
    )
    assert one == other


def without(declared: dict[str, list[Declaration]]) -> dict[str, list[Declaration]]:
    """Declarations that do not name services of the changed namespace."""
    return {
        service: [
            Declaration(
                upstreams=",".join(n for n in r.upstreams.split(",") if n[:1] not in {"", CHANGED}),
                downstream_namespaces=r.downstream_namespaces,
                mode=r.mode,
            )
            for r in revisions
        ]
        for service, revisions in declared.items()
    }


@MANY
@given(
    known=some_edges(between(*OTHERS)),
    declared=others,
    worlds=st.tuples(
        *[
            st.tuples(
                some_edges([pair for pair in touching(CHANGED) if pair[0][0] != CHANGED]), changed
            )
        ]
        * 2
    ),
)
def test_where_all_trust_each_other_edges_into_a_namespace_change_nothing_between_others(
    known: Edges,
    declared: dict[str, list[Declaration]],
    worlds: Worlds,
) -> None:
    one, other = (
        elsewhere(made(merged(known, more), without(declared) | its, trust=True))
        for more, its in worlds
    )
    assert one == other


@MANY
@given(known=some_edges(between(*OTHERS, CHANGED)), declared=declarations(ALL))
def test_every_path_crosses_once_and_along_edges_that_are_acted_on(
    known: Edges, declared: dict[str, list[Declaration]]
) -> None:
    graph = made(known, declared, trust=False)
    acted = graph.edges.where(graph.cause == 0)
    names = graph.paths.services
    for up, down in zip(graph.paths.upstream, graph.paths.downstream, strict=True):
        ends = {names[up][0], names[down][0]}
        inside = [
            (acted.services[u], acted.services[d])
            for u, d in zip(acted.upstream, acted.downstream, strict=True)
            if {acted.services[u][0], acted.services[d][0]} <= ends
        ]
        known_from = {names[up]}
        for _ in range(TIGHT.path_edges):
            known_from |= {d for u, d in inside if u in known_from}
        assert names[down] in known_from


@MANY
@given(known=some_edges(between(*OTHERS, CHANGED)), declared=declarations(ALL), trust=st.booleans())
def test_nothing_exceeds_its_cap(
    known: Edges, declared: dict[str, list[Declaration]], trust: bool
) -> None:
    graph = made(known, declared, trust=trust)
    assert (graph.cause == 0).sum() <= TIGHT.edges
    assert len(graph.paths) <= TIGHT.paths
    for up in set(graph.paths.upstream.tolist()):
        downs = graph.paths.downstream[graph.paths.upstream == up].tolist()
        into = [graph.paths.services[down][0] for down in downs]
        assert max(into.count(namespace) for namespace in into) <= TIGHT.fan_out


@LAW
@given(known=some_edges(between(*OTHERS, CHANGED)), declared=declarations(ALL))
def test_trust_acts_on_all_edges_that_consent_does_where_there_is_room(
    known: Edges, declared: dict[str, list[Declaration]]
) -> None:
    acted = []
    for trust in (False, True):
        graph = dependency_graph(known, declared, trust_namespaces=trust)
        assert graph is not None
        paths = graph.paths
        ends = zip(paths.upstream.tolist(), paths.downstream.tolist(), strict=True)
        acted.append({(paths.services[up], paths.services[down]) for up, down in ends})
    assert acted[0] <= acted[1]
