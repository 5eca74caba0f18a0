"""Edges between continuous services, and from external series to them."""

from dataclasses import replace

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, merged, no_edges
from learner.demand import Demand, ExternalSeries
from learner.dependencies.counts.edges import edges_from_counts

MOST_SERVICES = 1_000  # whose pairs are all searched: more would take minutes


def edges_in_counts(demand: Demand) -> Edges:
    """Edges between continuous services, and from external series."""
    external = demand.external.names if demand.external else ()
    services = (*demand.services, *external)
    found = edges_from_external(demand), edges_among_busiest(demand)
    return merged(*(edges.onto(services) for edges in found))


def edges_among_busiest(demand: Demand) -> Edges:
    """Edges from counts, between the services with the most arrivals."""
    if len(demand.services) <= MOST_SERVICES:
        return edges_from_counts(demand)
    # Row by row: all of a large past, its gaps filled, would be a copy of it.
    number = np.array([np.nansum(row, dtype=np.float64) for row in demand.arrivals])
    busiest = np.argsort(-number, kind="stable")[:MOST_SERVICES]
    return edges_from_counts(demand.only(np.sort(busiest)))


def edges_from_external(demand: Demand) -> Edges:
    """Edges from external series to the services declared to follow them, where they do.

    Each pair is searched on its own. The series is upstream whatever the lag, as declared.
    """
    external = demand.external
    if external is None:
        return no_edges(())
    services = (*external.names, *dict.fromkeys(external.followers))
    found = [
        _edges_of_pair(demand, external, i).onto(services)
        for i, follower in enumerate(external.followers)
        if follower in demand.services
    ]
    return merged(no_edges(services), *found)


def _edges_of_pair(demand: Demand, external: ExternalSeries, i: int) -> Edges:
    row = demand.services.index(external.followers[i])
    both = np.stack([external.values[i], demand.arrivals[row]])
    pair = replace(
        demand,
        services=(external.names[i], external.followers[i]),
        arrivals=both,
        peak=np.minimum(both, 1.0),  # not used
        capacity=np.ones(2),
        external=None,
    )
    edges = edges_from_counts(pair)
    edges = edges.where(edges.upstream == 0)
    return replace(
        edges,
        direct=np.ones(len(edges), dtype=np.bool_),
        origin=np.full(len(edges), int(Origin.PROMETHEUS)),
    )
