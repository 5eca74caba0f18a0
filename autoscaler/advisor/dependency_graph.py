"""The dependency graph: all known edges, which of them are acted on, and the paths they form.

Edges come from a bundle (learned, counted by a mesh, or from an external series) and from what
services declare. All of them are shown; each has a `Cause` that says why it is not acted on, if it
is not. Between namespaces both sides have to declare an edge, wherever it comes from: the
downstream names the upstream, and the upstream consents to the downstream's namespace. Otherwise a
tenant could start another's pods, or learn from its own pods when another's service is called.

An external series, such as a queue's length, is shown as an upstream but never acted on: the
controller sees only calls of services. The learner uses it in the forecast of the downstream.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from hashlib import blake2b

import numpy as np

from autoscaler import limits
from autoscaler.advisor.declarations import Declaration, Declared, WrongName
from autoscaler.advisor.namespaces import CAPS, Caps, Namespaces, most_valuable, namespace_of
from autoscaler.advisor.paths import LEAST_VALUE, NamedPaths, best_paths, value_of
from autoscaler.core.prediction.dependencies import COLUMNS, Edges, Origin, Pair, merged
from autoscaler.core.types import BoolArray, IntArray


class Cause(IntEnum):
    """Why an edge is not acted on; of several causes the first."""

    NONE = 0  # it is acted on
    OUTSIDE = 1  # the upstream is an external series, no service
    NO_UPSTREAM = 2  # the upstream has no revision in the fleet
    NO_DOWNSTREAM = 3  # the downstream has no revision in the fleet
    OFF = 4  # all revisions of the downstream are in mode off
    NOT_NAMED = 5  # the downstream, in another namespace, does not name the upstream
    NO_CONSENT = 6  # the upstream does not consent to the downstream's namespace
    WITHDRAWN = 7  # what it warned of did not come
    IMPROBABLE = 8  # probability x confidence is below LEAST_VALUE
    UPSTREAMS = 9  # the downstream has as many upstreams that are more valuable
    EDGES = 10  # the downstream's namespace has as many edges that are more valuable


SHOWN = {
    Cause.NONE: "",
    Cause.OUTSIDE: "the upstream is a series and no service; the forecast has it",
    Cause.NO_UPSTREAM: "no revision of the upstream is there",
    Cause.NO_DOWNSTREAM: "no revision of the downstream is there",
    Cause.OFF: "the downstream's mode is off",
    Cause.NOT_NAMED: "the downstream, in another namespace, does not name the upstream",
    Cause.NO_CONSENT: "the upstream does not consent to the downstream's namespace",
    Cause.WITHDRAWN: "withdrawn",  # and since when and why
    Cause.IMPROBABLE: "it is too improbable",
    Cause.UPSTREAMS: "the downstream has enough upstreams that are more valuable",
    Cause.EDGES: "the downstream's namespace has enough edges that are more valuable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyGraph:
    """All known edges, and what to act on."""

    edges: Edges  # all that are known, each pair once
    cause: IntArray  # (m,) a Cause for each of them
    paths: NamedPaths  # what follows from those that are acted on; its services are their ends
    excess: Mapping[str, int]  # least number that each limit left out or changed, by its name
    wrong_names: tuple[WrongName, ...]
    withdrawn: Mapping[Pair, str]  # edges that lost their say, and why
    key: bytes  # hash of everything it was made from
    paths_key: bytes  # hash of everything its paths were made from

    @property
    def not_acted_on(self) -> list[str]:
        """(m,) why each edge is not acted on; "" = it is."""
        causes = [SHOWN[Cause(cause)] for cause in self.cause.tolist()]
        for edge in np.flatnonzero(self.cause == Cause.WITHDRAWN).tolist():
            causes[edge] = self.withdrawn[self.edges.pair(edge)]
        return causes


def dependency_graph(
    known: Edges,
    declared: Mapping[str, Sequence[Declaration]],
    *,
    trust_namespaces: bool,
    withdrawn: Mapping[Pair, str] | None = None,
    caps: Caps = CAPS,
    former: DependencyGraph | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DependencyGraph | None:
    """The graph of a fleet; None if ``stop`` returned true (see `best_paths`).

    known: edges of a bundle. declared: by service of the fleet ("namespace/service"), what its
    reachable revisions declare. withdrawn: edges that lost their say, and why. former: the graph so
    far; returned itself if nothing has changed, and its paths are reused, as the same object, if
    they would be equal.
    """
    withdrawn = withdrawn or {}
    declares, out = sorted(declared.items()), sorted(withdrawn)
    key = _key(*_bytes(known, COLUMNS), declares, out, trust_namespaces, astuple(caps))
    if former is not None and former.key == key:
        return former
    fleet = Declared(declared)
    edges = _merged(known, fleet, declared)
    namespaces = _namespaces(edges.services, fleet, declared, trusting=trust_namespaces)
    cause = _causes(edges, fleet, namespaces, caps, withdrawn)
    acted, shares = _connected(edges.where(cause == Cause.NONE), namespaces)
    paths_key = _paths_key(acted, shares, caps)
    paths = (
        former.paths
        if former is not None and former.paths_key == paths_key
        else best_paths(acted, namespaces=shares, caps=caps, stop=stop)
    )
    if paths is None:
        return None
    return DependencyGraph(
        edges=edges,
        cause=cause,
        paths=paths,
        excess=dict(_capped(cause) + fleet.excess + Counter(paths.excess)),
        wrong_names=fleet.wrong_names,
        withdrawn=withdrawn,
        key=key,
        paths_key=paths_key,
    )


def _merged(known: Edges, fleet: Declared, declared: Mapping[str, Sequence[Declaration]]) -> Edges:
    """Edges of all sources over all services in alphabetical order, each pair once."""
    pairs = [(up, service) for service, ups in fleet.upstreams.items() for up in ups]
    names = {*known.services, *declared, *(up for up, _ in pairs)}
    services = tuple(sorted(names))
    place = {name: i for i, name in enumerate(services)}
    ends = np.array([(place[up], place[down]) for up, down in pairs], np.int64).reshape(-1, 2)
    m = len(pairs)
    unknown = np.full(m, np.nan)
    named = Edges(
        services=services,
        upstream=ends[:, 0],
        downstream=ends[:, 1],
        lag_s=unknown,
        gain=unknown,
        probability=unknown,
        confidence=np.ones(m),
        evidence=unknown,
        seen_at_s=unknown,
        direct=np.ones(m, dtype=np.bool_),
        origin=np.full(m, int(Origin.ANNOTATION)),
    )
    return merged(named, known.onto(services))


def _namespaces(
    services: tuple[str, ...],
    fleet: Declared,
    declared: Mapping[str, Sequence[Declaration]],
    *,
    trusting: bool,
) -> Namespaces:
    """The namespaces of services, and how many others each of them names upstreams in."""
    of = [namespace_of(service) for service in services]
    place = {name: i for i, name in enumerate(sorted(set(of)))}
    named: list[set[str]] = [set() for _ in place]
    for service, ups in fleet.upstreams.items():
        home = namespace_of(service)
        named[place[home]].update(name for up in ups if (name := namespace_of(up)) != home)
    return Namespaces(
        of=np.array([place[name] for name in of], dtype=np.int64),
        n_fleet=len({namespace_of(service) for service in declared}),
        named=np.array([len(names) for names in named], dtype=np.int64),
        trusting=trusting,
    )


def _causes(
    edges: Edges, fleet: Declared, namespaces: Namespaces, caps: Caps, withdrawn: Collection[Pair]
) -> IntArray:
    """(m,) a Cause for each edge."""
    cause = np.full(len(edges), int(Cause.NONE))
    for reason, holds in _objections(edges, fleet, namespaces, withdrawn):
        cause[(cause == Cause.NONE) & holds] = reason
    _cap(edges, cause, namespaces, caps)
    return cause


def _capped(cause: IntArray) -> Counter[str]:
    """How many edges each cap leaves out, by the name of its limit."""
    capped = ((limits.UPSTREAMS, Cause.UPSTREAMS), (limits.EDGES, Cause.EDGES))
    return Counter({limit.name: int((cause == reason).sum()) for limit, reason in capped})


def _objections(
    edges: Edges, fleet: Declared, namespaces: Namespaces, withdrawn: Collection[Pair]
) -> Iterator[tuple[Cause, BoolArray]]:
    """For each cause, except those of caps, (m,) which edges it holds for; the first counts."""
    services, up, down = edges.services, edges.upstream, edges.downstream
    present = np.array([service in fleet.present for service in services], dtype=np.bool_)
    off = np.array([service in fleet.off for service in services], dtype=np.bool_)
    yield Cause.OUTSIDE, edges.origin == Origin.PROMETHEUS
    yield Cause.NO_UPSTREAM, ~present[up]
    yield Cause.NO_DOWNSTREAM, ~present[down]
    yield Cause.OFF, off[down]
    if not namespaces.trusting:
        across = np.flatnonzero(namespaces.of[up] != namespaces.of[down])
        ends = [(services[up[i]], services[down[i]]) for i in across.tolist()]
        not_named, no_consent = np.zeros((2, len(edges)), dtype=np.bool_)
        not_named[across] = [u not in fleet.upstreams.get(d, ()) for u, d in ends]
        no_consent[across] = [not fleet.consent(u, namespace_of(d)) for u, d in ends]
        yield Cause.NOT_NAMED, not_named
        yield Cause.NO_CONSENT, no_consent
    if withdrawn:
        out = [edges.pair(edge) in withdrawn for edge in range(len(edges))]
        yield Cause.WITHDRAWN, np.array(out, dtype=np.bool_)
    yield Cause.IMPROBABLE, value_of(edges) < LEAST_VALUE


def _cap(edges: Edges, cause: IntArray, namespaces: Namespaces, caps: Caps) -> None:
    """Set the cause of those edges that exceed the caps."""
    up, down, value = edges.upstream, edges.downstream, value_of(edges)
    own = namespaces.of[up] == namespaces.of[down]
    by_service = down * len(namespaces.named) + namespaces.of[up]
    places = np.where(own, caps.upstreams, caps.upstreams_elsewhere)
    by_namespace = namespaces.groups(up, down)
    share = namespaces.share(caps.edges, up, down)
    for reason, group, room in (
        (Cause.UPSTREAMS, by_service, places),
        (Cause.EDGES, by_namespace, share),
    ):
        some = np.flatnonzero(cause == Cause.NONE)
        kept = most_valuable(group[some], room[some], value[some], up[some], down[some])
        cause[some[~kept]] = reason


def _connected(edges: Edges, namespaces: Namespaces) -> tuple[Edges, Namespaces]:
    """Edges over the services that they connect: the others must not change `paths_key`."""
    ends = np.union1d(edges.upstream, edges.downstream).astype(np.int64)
    present, of = np.unique(namespaces.of[ends], return_inverse=True)
    shares = Namespaces(
        of=of.astype(np.int64),
        n_fleet=namespaces.n_fleet,
        named=namespaces.named[present],
        trusting=namespaces.trusting,
    )
    return edges.onto(tuple(edges.services[i] for i in ends.tolist())), shares


def _paths_key(edges: Edges, namespaces: Namespaces, caps: Caps) -> bytes:
    """Of everything that paths are made from; evidence, for example, is not."""
    columns = ("upstream", "downstream", "lag_s", "gain", "probability", "confidence", "origin")
    rest = namespaces.n_fleet, namespaces.named.tolist(), namespaces.trusting, astuple(caps)
    return _key(*_bytes(edges, columns), *rest)


def _bytes(edges: Edges, columns: Sequence[str]) -> list[object]:
    return [edges.services, *(getattr(edges, name).tobytes() for name in columns)]


def _key(*parts: object) -> bytes:
    """A hash of the parts."""
    key = blake2b(digest_size=16)
    for part in parts:
        text = part if isinstance(part, bytes) else repr(part).encode()
        key.update(len(text).to_bytes(8, "little"))
        key.update(text)
    return key.digest()
