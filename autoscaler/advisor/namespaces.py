"""How limits on edges and paths are shared out among namespaces, so that none can use another's.

Namespaces are tenants: everybody who may create a service in one may name any number of upstreams
there. If namespaces do not trust each other, three rules hold:

1. An edge between two namespaces is acted on only if both declare it (`dependency_graph`).
2. A path leads through the namespaces of its two ends and no third, and crosses between them at
   most once: consent between A and B, and B and C, is none between A and C. For a path from A to C
   a service of C names the one of A as its upstream.
3. Caps apply within one pair (the upstream's namespace, the downstream's). The share of a pair
   depends on two numbers only: how many namespaces the fleet has, and in how many others the
   downstream's namespace names upstreams. Both are rounded up to a power of two.

So edges and paths between two namespaces, or within one, do not depend on what a third contains,
names, consents to or switches off.

If they trust each other, edges need no consent, a path leads through any number of namespaces, and
all other namespaces share one part of a downstream namespace's caps: an edge *to* a namespace still
changes nothing for others, but edges *from* it can displace other upstreams.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler import limits
from autoscaler.core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Caps on edges and paths; `autoscaler.limits` explains each."""

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
    """The namespaces of services, and what determines the share of each."""

    of: IntArray  # (n,) the namespace of each service, 0 ... k - 1
    n_fleet: int  # namespaces with a service of the fleet
    named: IntArray  # (k,) other namespaces in which each names upstreams
    trusting: bool  # whether they trust each other

    def fan_out_elsewhere(self, caps: Caps) -> int:
        """Paths from one service into one other namespace."""
        return max(1, min(caps.fan_out, _share(caps.fan_out_elsewhere, self.n_fleet)))

    def groups(self, upstream: IntArray, downstream: IntArray) -> IntArray:
        """(m,) group of each pair of services; a group has one share."""
        up, down, k = self.of[upstream], self.of[downstream], len(self.named)
        if self.trusting:
            up = np.where(up == down, down, k)  # all others in one group
        return np.asarray(up * k + down)

    def share(self, total: int, upstream: IntArray, downstream: IntArray) -> IntArray:
        """(m,) the share of ``total`` of each pair's group.

        All shares add up to ``total`` at most. A namespace that names upstreams in more others than
        its share has places gets none for any of them.
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
    """All services as of one namespace, whatever their names."""
    n = len(services)
    return Namespaces(
        of=np.zeros(n, np.int64), n_fleet=1, named=np.zeros(1, np.int64), trusting=False
    )


def most_valuable(
    group: IntArray, places: IntArray, value: FloatArray, *then: IntArray
) -> BoolArray:
    """(m,) whether each is among the most valuable of its group.

    group: (m,) any number. places: (m,) of its group. value: (m,) the greater the better; of equal
    values the least in ``then`` comes first, compared column by column.
    """
    order = np.lexsort((*then[::-1], -value, group))
    ordered = group[order]
    first = np.searchsorted(ordered, ordered)
    chosen = np.zeros(len(group), dtype=np.bool_)
    chosen[order] = np.arange(len(group)) - first < places[order]
    return chosen


def _share(total: int, parts: int) -> int:
    return total >> max(0, parts - 1).bit_length()
