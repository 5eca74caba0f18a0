"""`/metrics`, a family at a time: many revisions make a page of many megabytes.

Each family is printed when the one before it was sent, so that no page is ever held whole and the
event loop has its turn in between.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

END = b"# EOF\n"  # of a page of OpenMetrics, not of each family


def pieces(
    registry: CollectorRegistry, encode: Callable[[CollectorRegistry], bytes]
) -> Iterator[bytes]:
    """The page that `encode` would make of a registry, in pieces."""
    for family in registry.collect():
        yield encode(_Only([family])).removesuffix(END)
    yield encode(_Only([]))


class _Only(CollectorRegistry):
    """Nothing but some families."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__(auto_describe=False)
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
