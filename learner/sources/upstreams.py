"""Any series of Prometheus as an upstream of a service: a queue's length, a partner's traffic.

The user names the series and the service; whether the service follows it, and at which lag, is
searched as between continuous services.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.health import Health
from autoscaler.limits import REQUESTS
from autoscaler.logs import get_logger
from learner.demand import Demand, DemandSource, ExternalSeries
from learner.sources.counters import Grid
from learner.sources.quarantine import impossible
from learner.sources.queries import PrometheusServer

log = get_logger(__name__)

SERVICE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONGEST_SLUG = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSeries:
    """A series that a user declared as upstream of a service."""

    name: str  # "prometheus/<number>-<words of the query>", beside names of services
    downstream: str  # "namespace/service"
    query: str  # PromQL; where it answers with several series they are added up


def upstreams_of(texts: Sequence[str]) -> tuple[UpstreamSeries, ...]:
    """Upstreams as the command line has them, "namespace/service=PromQL" each.

    Raises PermanentError for one that is malformed.

    >>> [u.name for u in upstreams_of(["shop/cart=sum(kafka_lag)"])]
    ['prometheus/1-sum-kafka-lag']
    """
    found = []
    for number, text in enumerate(texts, 1):
        service, _, query = (part.strip() for part in text.partition("="))
        if not SERVICE.fullmatch(service) or not query:
            raise PermanentError(
                f"the upstream is {text!r}; allowed: namespace/service=query, such as"
                " shop/cart=sum(kafka_consumergroup_lag)"
            )
        slug = re.sub(r"[^a-z0-9]+", "-", query.lower())[:LONGEST_SLUG].strip("-")
        name = f"prometheus/{number}-{slug}"
        found.append(UpstreamSeries(name=name, downstream=service, query=query))
    return tuple(found)


class WithUpstreams:
    """Demand with external series added. A series that cannot be read is a gap."""

    def __init__(
        self, source: DemandSource, server: PrometheusServer, upstreams: Sequence[UpstreamSeries]
    ) -> None:
        self._source, self._server, self._upstreams = source, server, upstreams
        self._faults = Health()

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), with external series. Raises as the source of demand does.

        A query that fails is logged once.
        """
        demand = self._source.read(start_s=start_s, end_s=end_s, step_s=step_s)
        if not self._upstreams:
            return demand
        external = ExternalSeries(
            names=tuple(upstream.name for upstream in self._upstreams),
            followers=tuple(upstream.downstream for upstream in self._upstreams),
            values=np.stack([self._values(upstream, demand) for upstream in self._upstreams]),
        )
        return replace(demand, external=external)

    def _values(self, upstream: UpstreamSeries, demand: Demand) -> FloatArray:
        part = f"the upstream {upstream.query!r} of {upstream.downstream}"
        try:
            values = values_of(self._server, upstream.query, demand)
        except AutoscalerError as error:
            self._faults.report(part, str(error), demand.end_s)
            return np.full(demand.n_steps, np.nan)
        except Exception as error:  # an error in our code costs that series only
            log.exception("upstream series could not be read", part=part)
            self._faults.report(part, f"{error!r:.200}", demand.end_s)
            return np.full(demand.n_steps, np.nan)
        self._faults.report(part, "", demand.end_s)
        return values


def values_of(server: PrometheusServer, query: str, demand: Demand) -> FloatArray:
    """(n_steps,) a query's value at the end of each step of ``demand``.

    NaN = gap, or an impossible count. Several series are added up. Raises AutoscalerError.
    """
    n_steps, step_s = demand.n_steps, demand.step_s
    grid = Grid(start_s=int(demand.start_s + step_s), step_s=int(step_s), n_points=n_steps)
    total = np.full(n_steps, np.nan)
    for _, at_s, values in server.series(query, grid):
        place = np.rint((at_s - grid.start_s) / step_s).astype(np.int64)
        sound = ~(np.isnan(values) | impossible(values)) & (place >= 0) & (place < n_steps)
        total[place[sound]] = np.nan_to_num(total[place[sound]]) + values[sound]
    total[impossible(total, REQUESTS.most)] = np.nan
    return total
