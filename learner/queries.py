"""Range queries to Prometheus, or to anything that speaks its API: in pieces, and patiently.

What the server cannot do now is tried again, what it refuses is said in one line. What the answers
mean is for others (`prometheus`, `starts_reader`, `istio`, `upstreams`).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.util import Retry

from autoscaler.core.types import FloatArray
from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from learner.counters import Grid

Labels = dict[str, str]

ATTEMPTS = 5  # with waits of 0.5, 1, 2 and 4 s between them: rides out a restart of a proxy
FIRST_PIECE = 64  # points a series: small, because how many series there are is not known yet
GROWTH = 8  # how much longer the next piece may be: series may still appear in it
LARGEST_CHECKED = 65_536  # bytes; longer answers are data and are parsed once only
MAX_POINTS_PER_SERIES = 11_000  # in one answer; Prometheus refuses more than this
MAX_POINTS = 500_000  # in one answer over all series: about 15 MB of text
TIMEOUT_S = 30.0  # longest silence of the server before a query is tried again


class PrometheusServer:
    """Asks one server. Raises TransientError after all attempts, PermanentError at once."""

    def __init__(
        self,
        url: str,
        *,
        max_points_per_series: int = MAX_POINTS_PER_SERIES,
        max_points: int = MAX_POINTS,
        timeout_s: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises PermanentError for an address that is none."""
        self.shown_url = _shown(url)
        self._url = url.rstrip("/")
        self._max_points_per_series, self._max_points = max_points_per_series, max_points
        self._timeout_s = timeout_s
        self._retrying = Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(multiplier=0.5),
            retry=retry_if_exception_type(TransientError),
            sleep=sleep,
            reraise=True,
        )

    def pieces(self, query: str, grid: Grid) -> Iterator[tuple[int, Grid, Any]]:
        """Answers that cover the grid in turn: the first point of each, its grid, its JSON.

        The JSON is what stood under data.result; whoever asks checks that it is a list.
        """
        with requests.Session() as session:
            session.hooks["response"].append(self._check)
            client = PrometheusConnect(
                self._url,
                session=session,
                retry=Retry(0, read=False),  # ours is the only one, around the whole query
                timeout=self._timeout_s,  # type: ignore[arg-type]  # fractions work too
            )
            first, size = 0, FIRST_PIECE
            while first < grid.n_points:
                size = min(size, self._max_points_per_series, grid.n_points - first)
                piece = grid.piece(first, size)
                answer = self._retrying(self._ask, client, query, piece)
                yield first, piece, answer
                first += size
                size = min(size * GROWTH, max(self._max_points // max(len(answer), 1), 1))

    def series(self, query: str, grid: Grid) -> Iterator[tuple[Labels, FloatArray, FloatArray]]:
        """Labels, times (k,) in Unix s and values (k,), NaN and infinite ones too, of all series.

        A series that the grid's pieces cut in two comes in parts. Raises PermanentError for an
        answer that holds no series.
        """
        for _, _, answer in self.pieces(query, grid):
            try:
                for one in answer:
                    yield one["metric"], *_columns(one["values"])
            except (LookupError, TypeError, ValueError) as error:
                raise PermanentError(
                    f"Prometheus at {self.shown_url} answered {query} with a result that is no"
                    f" series ({error}); allowed: a matrix"
                ) from error

    def _ask(self, client: PrometheusConnect, query: str, piece: Grid) -> Any:
        where = f"Prometheus at {self.shown_url}"
        try:
            return client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(piece.start_s, UTC),
                end_time=datetime.fromtimestamp(piece.last_s, UTC),
                step=str(piece.step_s),
                # So that the server, too, gives up when we do.
                params={"timeout": str(self._timeout_s)},
            )
        except requests.exceptions.SSLError as error:
            raise PermanentError(f"{where} cannot be trusted: {_root(error)}") from error
        except requests.exceptions.Timeout as error:
            patience = f"{self._timeout_s:g} s"
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


def _columns(pairs: list[Any]) -> tuple[FloatArray, FloatArray]:
    both = np.array([[float(at), float(value)] for at, value in pairs], dtype=np.float64)
    both = both.reshape(-1, 2)
    return both[:, 0], both[:, 1]


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
