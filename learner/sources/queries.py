"""Range queries to Prometheus, or to anything with its API: in pieces, with retries.

What the server cannot do now is tried again, what it refuses is an error of one line. What it gives
up on for its own limits (samples, time) is asked for in shorter pieces. The readers
(`demand_reader`, `activity_reader`, `istio`, `upstreams`) interpret the answers. An answer that is
too slow, too large, or no series at all is an error; where single series are wrong, the others are
used.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity import wait_exponential as wait

from autoscaler.access import Access, who_was_told
from autoscaler.core.types import FloatArray
from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from autoscaler.health import Health
from autoscaler.limits import (
    LABEL_BYTES,
    PROMETHEUS_BYTES,
    PROMETHEUS_PARTS,
    PROMETHEUS_S,
    PROMETHEUS_SERIES,
    READ_S,
    Limit,
)
from autoscaler.logs import get_logger
from autoscaler.refusals import LimitError
from learner.sources.bounded_http import MOST_REDIRECTS, BoundedAdapter, TooLargeError, TooSlowError
from learner.sources.counters import Grid
from learner.status import LearnerStatus

Labels = dict[str, str]
Series = tuple[Labels, FloatArray, FloatArray]  # labels; times (k,) in Unix s; values (k,)

AT_ONCE = 2  # queries of a past that is read in parts
ATTEMPTS = 5  # with waits of 0.5, 1, 2 and 4 s between them: rides out a restart of a proxy
FIRST_PIECE = 64  # points a series: small, because how many series there are is not known yet
GROWTH = 8  # how much longer the next piece may be: series may still appear in it
LARGEST_CHECKED = 65_536  # bytes; longer answers are data and are parsed once only
MAX_POINTS_PER_SERIES = 11_000  # in one answer; Prometheus refuses more than this
MAX_POINTS = 500_000  # in one answer over all series: about 15 MB of text
TIMEOUT_S = 30.0  # without a byte from the server, after which a query is tried again
SHOWN = 200  # characters of a query in messages
# Of Prometheus's web/api/v1 and promql/engine.go: errorType where its time is over, and what it
# says where a query would take more samples, or its storage more time, than it is allowed.
TIMED_OUT = "timeout"
GAVE_UP = ("too many samples", "deadline exceeded")

log = get_logger(__name__)


class SlowError(TransientError):
    """An answer took too long."""


class GaveUpError(PermanentError):
    """The server has given up on a query; it may answer it over a shorter time."""


class PrometheusServer:
    """Asks one server. Raises TransientError after all attempts, PermanentError at once."""

    def __init__(
        self,
        url: str,
        *,
        points: tuple[int, int] = (MAX_POINTS_PER_SERIES, MAX_POINTS),
        timeout_s: float = TIMEOUT_S,
        within_s: float = PROMETHEUS_S.most,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        status: LearnerStatus | None = None,
        access: Access | None = None,
    ) -> None:
        """``points``: of a series in one answer, and of all of its series.

        ``timeout_s``: between two bytes; ``within_s``: until an answer is whole.

        Raises PermanentError for an address that is none.
        """
        self.shown_url = _without_password(url)
        self._url = url.rstrip("/")
        self._max_points_per_series, self._max_points = points
        self._timeout_s, self._within_s = timeout_s, within_s
        self._status = status or LearnerStatus()
        self._access = access or Access()
        self._faults = Health()
        self._retrying = Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait(multiplier=0.5),
            retry=retry_if_exception_type(TransientError),
            before_sleep=_log_slow,
            sleep=sleep,
            reraise=True,
        )

    def pieces(self, query: str, grid: Grid) -> Iterator[tuple[int, Grid, list[Any]]]:
        """Answers that cover the grid in turn: the first point of each, its grid, its series."""
        started_s = self._status.now()
        with requests.Session() as session:
            client = self._client(session)
            first, size, most = 0, FIRST_PIECE, self._max_points_per_series
            while first < grid.n_points:
                if self._status.now() - started_s > READ_S.most:
                    self._status.refuse(READ_S, self.shown_url)
                    raise SlowError(
                        f"{self._where(query)} has not answered all within {READ_S.most:g} s"
                    )
                size = min(size, most, grid.n_points - first)
                piece = grid.piece(first, size)
                try:
                    answer = self._retrying(self._ask, client, query, piece)
                except (LimitError, GaveUpError):
                    if size == 1:
                        raise
                    most = size = max(size // GROWTH, 1)
                    continue
                yield first, piece, answer
                first += size
                size = min(size * GROWTH, max(self._max_points // max(len(answer), 1), 1))

    def series(self, query: str, grid: Grid) -> Iterator[Series]:
        """All series, with values that are NaN or infinite, too.

        A series that the grid's pieces cut in two comes in parts. An invalid one is left out and
        logged once. Raises PermanentError for an answer without a valid series.
        """
        first_wrong = ""
        for _, piece, answer in self.pieces(query, grid):
            right, wrong = self._sorted(answer, piece)
            if wrong and not right:
                raise PermanentError(f"{self._where(query)} answered {wrong}")
            first_wrong = first_wrong or wrong
            yield from right
        fault = f"left out {first_wrong}" if first_wrong else ""
        self._faults.report(self._where(query), fault, self._status.now())

    def parts(self, query: str, grids: Sequence[Grid]) -> Iterator[list[Series]]:
        """`series` of each grid, in order, with `AT_ONCE` queries at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            read = pool.map(lambda grid: list(self.series(query, grid)), grids)
            try:
                yield from read
            finally:
                pool.shutdown(cancel_futures=True)

    def metric_names(self, grid: Grid) -> list[str]:
        """Of all metrics between the grid's ends."""
        with requests.Session() as session:
            client = self._client(session)
            params = {"start": str(grid.start_s), "end": str(grid.last_s)}
            return [
                str(name)
                for name in self._retrying(
                    self._asked, "the names of its metrics", lambda: client.all_metrics(params)
                )
            ]

    def _sorted(self, answer: list[Any], piece: Grid) -> tuple[list[Series], str]:
        """The valid series, and what is wrong with the first invalid one."""
        right, wrong = [], ""
        for one in answer:
            try:
                right.append((self.labels_of(one), *_columns(one["values"], piece)))
            except (LookupError, TypeError, ValueError, OverflowError) as error:
                wrong = wrong or f"a series that is none ({error!s:.200})"
        return right, wrong

    def labels_of(self, one: Any) -> Labels:
        """The labels of a series. Raises ValueError, LookupError or TypeError where it is none."""
        if not isinstance(one, dict) or not isinstance(one.get("values"), list):
            raise TypeError("a result that is no series; allowed: a matrix")
        labels: Labels = one["metric"]
        try:
            text = "".join([*labels, *labels.values()])  # in one go: series are many
        except (AttributeError, TypeError) as error:
            raise TypeError("a series whose labels are no text") from error
        if len(text) > LABEL_BYTES.most:
            self._status.refuse(LABEL_BYTES, self.shown_url)
            raise ValueError(f"a series with labels of more than {LABEL_BYTES.most:g} characters")
        return labels

    def _client(self, session: requests.Session) -> PrometheusConnect:
        session.hooks["response"].append(self._check)
        session.max_redirects = MOST_REDIRECTS
        self._access.apply(session)
        client = PrometheusConnect(
            self._url,
            session=session,
            timeout=self._timeout_s,  # type: ignore[arg-type]  # fractions work too
        )
        adapter = BoundedAdapter(within_s=self._within_s, most_bytes=int(PROMETHEUS_BYTES.most))
        for prefix in ("http://", "https://", self._url):  # the client has put its own there
            session.mount(prefix, adapter)
        return client

    def _where(self, query: str) -> str:
        return f"Prometheus at {self.shown_url}, asked for {query:.{SHOWN}},"

    def _ask(self, client: PrometheusConnect, query: str, piece: Grid) -> list[Any]:
        def ask() -> Any:
            return client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(piece.start_s, UTC),
                end_time=datetime.fromtimestamp(piece.last_s, UTC),
                step=str(piece.step_s),
                # So that the server, too, stops when we do.
                params={"timeout": str(self._timeout_s)},
            )

        return self._asked(query, ask)

    def _asked(self, what: str, ask: Callable[[], Any]) -> list[Any]:
        self._status.heartbeat()
        asked = self._where(what)
        try:
            answer = self._answer(ask)
        except TooSlowError as error:
            self._status.refuse(PROMETHEUS_S, self.shown_url)
            raise SlowError(f"{asked} has not answered within {self._within_s:g} s") from error
        except TooLargeError as error:
            raise self._too_much(PROMETHEUS_BYTES, asked) from error
        except (RecursionError, ValueError) as error:  # too deep, or an integer without end
            raise PermanentError(f"{asked} answered JSON that cannot be: {error!s:.200}") from error
        if not isinstance(answer, list):
            raise PermanentError(f"{asked} answered no list of series; allowed: a matrix")
        if len(answer) > PROMETHEUS_SERIES.most:
            raise self._too_much(PROMETHEUS_SERIES, asked)
        return answer

    def _answer(self, ask: Callable[[], Any]) -> Any:
        where = f"Prometheus at {self.shown_url}"
        try:
            return ask()
        except requests.exceptions.SSLError as error:
            raise PermanentError(f"{where} cannot be trusted: {_root(error)}") from error
        except requests.exceptions.Timeout as error:
            raise TransientError(f"{where} gave no answer within {self._timeout_s:g} s") from error
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
        """Raise for an answer that is an error, before the client parses it."""
        if response.is_redirect:
            return
        body = response.content
        code, kind = response.status_code, response.headers.get("Content-Type", "nothing")
        answered = f"Prometheus at {self.shown_url} answered {code}"
        if code in {422, 503} and _has_given_up(response):
            raise GaveUpError(f"{answered}: {_error_text(response)}")
        if code in {408, 429} or code >= 500:
            raise TransientError(f"{answered}: {_error_text(response)}")
        if code in {401, 403}:
            who = who_was_told(response.request)
            raise PermanentError(f"{answered}: {_error_text(response)}; {who}")
        if code != 200:
            raise PermanentError(f"{answered}: {_error_text(response)}")
        if "json" not in kind:
            raise PermanentError(f"{answered} with {kind:.100}; allowed: JSON. Is it a Prometheus?")
        if sum(body.count(mark) for mark in (b"[", b"{", b",")) > PROMETHEUS_PARTS.most:
            raise self._too_much(PROMETHEUS_PARTS, f"Prometheus at {self.shown_url}")
        if len(body) > LARGEST_CHECKED:
            return
        answer = response.json()
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise PermanentError(f"{answered}: {_error_text(response)}")

    def _too_much(self, limit: Limit, source: str) -> LimitError:
        self._status.refuse(limit, source)
        return LimitError(limit, source)


def _log_slow(state: RetryCallState) -> None:
    """Log a slow answer at each retry: all of them together take minutes."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, SlowError):
        log.warning("query is tried again", error=str(error))


def _columns(pairs: list[Any], piece: Grid) -> tuple[FloatArray, FloatArray]:
    both = np.array([[float(at), float(value)] for at, value in pairs], dtype=np.float64)
    at_s, values = both.reshape(-1, 2).T
    if not ((at_s > piece.start_s - 1) & (at_s < piece.last_s + 1)).all():
        raise ValueError("times outside the range that was asked for")
    return at_s, values


def _without_password(url: str) -> str:
    """The address for messages. Raises PermanentError for one that is none."""
    allowed = "allowed: http(s)://host[:port][/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PermanentError(f"Prometheus's address is {url!r}; {allowed}") from error
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PermanentError(f"Prometheus's address is {shown!r}; {allowed}")
    return shown


def _has_given_up(response: requests.Response) -> bool:
    """Whether a Prometheus says that it has, and not whatever stands before it."""
    try:
        answer = json.loads(response.content[:LARGEST_CHECKED])
        kind, text = str(answer["errorType"]), str(answer["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
    return kind == TIMED_OUT or any(words in text for words in GAVE_UP)


def _error_text(response: requests.Response) -> str:
    """The error in the server's answer; Prometheus has it in a field."""
    body = response.content[:LARGEST_CHECKED]
    try:
        text = str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        html = "html" in response.headers.get("Content-Type", "")
        text = "HTML" if html else body.decode(errors="replace")
    return " ".join(text.split())[:300] or "nothing"


def _root(error: BaseException) -> str:
    """The first cause in one line: libraries wrap "connection refused" four times."""
    while not isinstance(getattr(error, "errno", None), int):
        inner = error.__cause__ or error.__context__
        if inner is None or isinstance(inner, AutoscalerError):
            break
        error = inner
    return " ".join(str(error).split())[:200] or type(error).__name__
