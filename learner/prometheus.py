"""Reads demand from Prometheus, or from anything that speaks its query API.

Arrivals are a counter, read raw at every step's end and differenced by ``counters.py``. The
greatest number in flight is a gauge that the autoscaler exports once a step; it also says whether a
step was watched at all. Where either has no sample the step is a gap, never a zero.

A step is what happened in (t, t + step]. Prometheus 2 closes the window of a range selector on both
sides and Prometheus 3 leaves the left side open; one millisecond less than a step means the same to
both, as samples lie on whole milliseconds.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.util import Retry

from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from learner.counters import Grid, Instances, Labels, Sample, arrivals_of, peak_of, sample_on
from learner.demand import Demand

ATTEMPTS = 5  # with waits of 0.5, 1, 2 and 4 s between them: rides out a restart of a proxy
FIRST_PIECE = 64  # points a series: small, because how many series there are is not known yet
GROWTH = 8  # how much longer the next piece may be: services may still appear in it
LATEST_S = 253_402_300_799  # the last second of the year 9999
LARGEST_CHECKED = 65_536  # bytes; longer answers are data and are parsed once only

Series = dict[str, Instances]  # by "namespace/service"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """What is asked, and how much at a time."""

    requests_query: str = "last_over_time(kn_ahead_requests_total[$step])"
    """A counter of arrivals at a step's end, with labels namespace and service."""

    peak_query: str = "max_over_time(kn_ahead_peak_in_flight[$step])"
    """The greatest number of requests in flight during the step, with the same labels."""

    max_points_per_series: int = 11_000
    """Points a series in one answer; Prometheus refuses more than this."""

    max_points: int = 500_000
    """Points in one answer over all series: about 15 MB of text."""

    timeout_s: float = 30.0
    """Longest silence of the server, s, before a query is tried again."""

    min_steps: int = 2
    """Fewest steps with data that are worth returning."""


class PrometheusReader:
    """Past demand of all services that a Prometheus server knows."""

    def __init__(
        self,
        url: str,
        *,
        capacity: float,
        settings: PrometheusSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Capacity: requests in flight that one pod takes, for every service."""
        self.shown_url = _shown(url)
        self._url = url.rstrip("/")
        self._capacity = capacity
        self._settings = settings or PrometheusSettings()
        self._retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5),
            retry=retry_if_exception_type(TransientError),
            sleep=sleep,
            reraise=True,
        )

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), in steps of step_s; all three are whole seconds.

        Arrivals are NaN too where the peak is: such a step was not watched. Raises TransientError
        where Prometheus stays unreachable or overloaded after retries, PermanentError where it
        refuses, answers something else, knows no such series or has too few steps.
        """
        grid = _grid(start_s, end_s, step_s)
        with requests.Session() as session:
            session.hooks["response"].append(self._check)
            client = PrometheusConnect(
                self._url,
                session=session,
                retry=Retry(0, read=False),  # ours is the only one, around the whole query
                timeout=self._settings.timeout_s,  # type: ignore[arg-type]  # fractions work too
            )
            counters = self._series(client, self._settings.requests_query, grid)
            gauges = self._series(client, self._settings.peak_query, grid)
        services = tuple(sorted(counters.keys() | gauges.keys()))
        peak = np.array([peak_of(gauges.get(name, {}), grid.n_points) for name in services])
        arrivals = np.array(
            [arrivals_of(counters.get(name, {}), grid.n_points) for name in services]
        )
        demand = Demand(
            services=services,
            start_s=start_s,
            step_s=step_s,
            arrivals=np.where(np.isnan(peak), np.nan, arrivals),
            peak=peak,
            capacity=np.full(len(services), self._capacity),
        )
        self._check_length(demand)
        return demand

    def _series(self, client: PrometheusConnect, query: str, grid: Grid) -> Series:
        """All samples on the grid, asked for in pieces that the server accepts."""
        query = query.replace("$step", f"{grid.step_s * 1000 - 1}ms")
        series: Series = defaultdict(lambda: defaultdict(list))
        first, size = 0, FIRST_PIECE
        while first < grid.n_points:
            size = min(size, self._settings.max_points_per_series, grid.n_points - first)
            piece = grid.piece(first, size)
            answer = self._retrying(self._ask, client, query, piece)
            for service, labels, (points, values) in self._parse(answer, query, piece):
                series[service][labels].append((points + first, values))
            first += size
            size = min(size * GROWTH, max(self._settings.max_points // max(len(answer), 1), 1))
        if not series:
            raise PermanentError(
                f"Prometheus at {self.shown_url} has no series for {query} from"
                f" {_shown_time(grid.start_s)} to {_shown_time(grid.last_s)}"
            )
        return series

    def _ask(self, client: PrometheusConnect, query: str, piece: Grid) -> Any:
        where = f"Prometheus at {self.shown_url}"
        try:
            return client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(piece.start_s, UTC),
                end_time=datetime.fromtimestamp(piece.last_s, UTC),
                step=str(piece.step_s),
                # So that the server, too, gives up when we do.
                params={"timeout": str(self._settings.timeout_s)},
            )
        except requests.exceptions.SSLError as error:
            raise PermanentError(f"{where} cannot be trusted: {_root(error)}") from error
        except requests.exceptions.Timeout as error:
            patience = f"{self._settings.timeout_s:g} s"
            raise TransientError(f"{where} gave no answer within {patience}") from error
        except requests.exceptions.ConnectionError as error:
            raise TransientError(f"{where} cannot be reached: {_root(error)}") from error
        except (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
            requests.exceptions.JSONDecodeError,
        ) as error:
            raise TransientError(f"{where} gave half an answer: {_root(error)}") from error
        except requests.exceptions.RequestException as error:
            raise PermanentError(f"{where} cannot be asked: {_root(error)}") from error
        except (KeyError, TypeError) as error:
            raise PermanentError(f"{where} answered JSON that holds no data.result") from error

    def _check(self, response: requests.Response, **_: object) -> None:
        """Stop at an answer that is none before the client takes it for one."""
        body = response.content  # read in any case: an unread answer would keep its socket
        if response.is_redirect:
            return
        code, kind = response.status_code, response.headers.get("Content-Type", "nothing")
        said = f"Prometheus at {self.shown_url} answered {code}"
        if code in {408, 429} or code >= 500:
            raise TransientError(f"{said}: {_error_text(response)}")
        if code != 200:
            raise PermanentError(f"{said}: {_error_text(response)}")
        if "json" not in kind:
            raise PermanentError(f"{said} with {kind}; allowed: JSON. Is it a Prometheus?")
        if len(body) > LARGEST_CHECKED:
            return
        answer = response.json()
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise PermanentError(f"{said}: {_error_text(response)}")

    def _parse(self, answer: Any, query: str, piece: Grid) -> Iterator[tuple[str, Labels, Sample]]:
        where = f"Prometheus at {self.shown_url} answered {query} with"
        if not isinstance(answer, list):
            raise PermanentError(f"{where} no list of series; allowed: a matrix")
        seen = set()
        for one in answer:
            if not isinstance(one, dict) or not isinstance(one.get("values"), list):
                raise PermanentError(f"{where} a result that is no series; allowed: a matrix")
            metric = one.get("metric")
            if not isinstance(metric, dict) or not (
                metric.get("namespace") and metric.get("service")
            ):
                raise PermanentError(f"{where} {metric}; allowed: with namespace, service")
            namespace, service = metric["namespace"], metric["service"]
            labels = tuple(sorted(metric.items()))
            if labels in seen:
                raise PermanentError(f"{where} {namespace}/{service} twice; allowed: once")
            seen.add(labels)
            try:
                sample = sample_on(one["values"], piece)
            except (ValueError, TypeError, LookupError) as error:
                message = f"{where} bad samples of {namespace}/{service}: {error}"
                raise PermanentError(message) from error
            yield f"{namespace}/{service}", labels, sample

    def _check_length(self, demand: Demand) -> None:
        n_known = int(demand.known.any(axis=0).sum())
        if n_known < self._settings.min_steps:
            raise PermanentError(
                f"Prometheus at {self.shown_url} has {n_known} steps with data from"
                f" {_shown_time(demand.start_s)} to {_shown_time(demand.end_s)};"
                f" allowed: >= {self._settings.min_steps}"
            )


def _shown(url: str) -> str:
    """The address for messages: a password in it is for the server only."""
    allowed = "allowed: http(s)://host[:port][/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PermanentError(f"Prometheus's address is {url!r}; {allowed}") from error
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PermanentError(f"Prometheus's address is {shown!r}; {allowed}")
    return shown


def _grid(start_s: float, end_s: float, step_s: float) -> Grid:
    if not (step_s >= 1 and float(step_s).is_integer()):
        raise PermanentError(f"step_s is {step_s}; allowed: whole seconds >= 1")
    in_time = 0 <= start_s < end_s <= LATEST_S
    if not (in_time and float(start_s).is_integer() and (end_s - start_s) % step_s == 0):
        raise PermanentError(
            f"the range is {start_s} to {end_s};"
            f" allowed: whole seconds since 1970, a multiple of {step_s} s long"
        )
    n_points = int((end_s - start_s) // step_s) + 1  # both ends: a step lies between two points
    return Grid(start_s=int(start_s), step_s=int(step_s), n_points=n_points)


def _error_text(response: requests.Response) -> str:
    """What the server says went wrong: Prometheus's own words where it is one."""
    try:
        text = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        text = response.text if "html" not in response.headers.get("Content-Type", "") else "HTML"
    return " ".join(text.split())[:300] or "nothing"


def _root(error: BaseException) -> str:
    """The first cause in one line: libraries wrap "connection refused" four times."""
    while not isinstance(getattr(error, "errno", None), int):
        inner = error.__cause__ or error.__context__
        if inner is None or isinstance(inner, AutoscalerError):
            break
        error = inner
    return " ".join(str(error).split())[:200] or type(error).__name__


def _shown_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()
