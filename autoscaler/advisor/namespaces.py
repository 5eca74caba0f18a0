"""How edges and paths are shared out among namespaces, so that none takes another's place.

Namespaces are tenants: whoever may make a service in one of them may name upstreams there, as many
as he likes. Where namespaces do not trust each other, three rules hold:

1. An edge between two namespaces is acted on only where both of them know it (`dependency_graph`).
2. A path crosses from one namespace into another once at most. It runs through the namespaces of
   its two ends and through no third: what A and B agreed upon, and B and C, binds not A and C. Who
   wants such a path names its beginning as an upstream, and then there is an edge.
3. Whatever is capped is capped within one pair (the upstream's namespace, the downstream's). How
   much a pair has depends on two numbers alone: how many namespaces the fleet has, and in how many
   others the downstream's own namespace names upstreams. Both are rounded up to a power of two.

Together: edges and paths between two namespaces, or within one, are the same whatever a third
contains, names, consents to or switches off.

Where they trust each other, an edge needs nobody's consent, a path runs through any number of
namespaces, and all other namespaces share what a downstream's namespace has for them. There an
edge *to* a namespace still changes nothing for others; edges *from* it can take the places of other
upstreams.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler import limits
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much is kept; what each is for stands in `autoscaler.limits`."""

    upstreams: int = int(limits.UPSTREAMS.most)
    upstreams_elsewhere: int = int(limits.UPSTREAMS_ELSEWHERE.most)
    edges: int = int(limits.EDGES.most)
    path_edges: int = int(limits.PATH_EDGES.most)
    fan_out: int = int(limits.FAN_OUT.most)
    fan_out_elsewhere: int = int(limits.FAN_OUT_ELSEWHERE.most)
    paths: int = int(limits.PATHS.most)


CAPS = Caps()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """The namespaces of services, and what decides how much each has."""

    of: IntArray  # (n,) the namespace of each service, 0 ... k - 1
    n_fleet: int  # namespaces with a service of the fleet
    named: IntArray  # (k,) other namespaces in which each names upstreams
    trusting: bool  # whether they trust each other

    def fan_out_elsewhere(self, caps: Caps) -> int:
        """Paths from one service into one other namespace."""
        return max(1, min(caps.fan_out, _share(caps.fan_out_elsewhere, self.n_fleet)))

    def groups(self, upstream: IntArray, downstream: IntArray) -> IntArray:
        """(m,) which pairs of services compete for the places of one share."""
        up, down, k = self.of[upstream], self.of[downstream], len(self.named)
        if self.trusting:
            up = np.where(up == down, down, k)  # all others together
        return np.asarray(up * k + down)

    def share(self, total: int, upstream: IntArray, downstream: IntArray) -> IntArray:
        """(m,) how many of ``total`` the group of each pair of services has.

        All groups together have ``total`` at most. A namespace that names upstreams in more others
        than its share has places for has none for any of them.
        """
        each = _share(total, self.n_fleet)
        parts = np.ones_like(self.named) if self.trusting else self.named
        alone = np.full(len(parts), self.n_fleet == 1) if self.trusting else parts == 0
        own = np.where(alone, each, each - each // 2)
        elsewhere = each // 2 >> np.ceil(np.log2(np.maximum(parts, 1))).astype(np.int64)
        down = self.of[downstream]
        return np.where(self.of[upstream] == down, own[down], elsewhere[down])


def namespace_of(service: str) -> str:
    """The namespace of a service: shop of shop/cart."""
    return service.partition("/")[0]


def one_namespace(services: tuple[str, ...]) -> Namespaces:
    """Services that share everything, whatever their names."""
    n = len(services)
    return Namespaces(
        of=np.zeros(n, np.int64), n_fleet=1, named=np.zeros(1, np.int64), trusting=False
    )


def most_valuable(
    group: IntArray, places: IntArray, value: FloatArray, *then: IntArray
) -> BoolArray:
    """(m,) whether each is among the first of its group.

    group: (m,) any number. places: (m,) how many its group has. value: (m,) the greater the better;
    of equals the one that is least in ``then``, the first column first.
    """
    order = np.lexsort((*then[::-1], -value, group))
    ordered = group[order]
    first = np.searchsorted(ordered, ordered)
    kept = np.zeros(len(group), dtype=np.bool_)
    kept[order] = np.arange(len(group)) - first < places[order]
    return kept


def _share(total: int, parts: int) -> int:
    return total >> max(0, parts - 1).bit_length()
