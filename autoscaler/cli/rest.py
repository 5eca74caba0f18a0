"""A running autoscaler's REST API, asked within limits; errors are reported without retries."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import ValidationError
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from autoscaler.access import Access, who_was_told
from autoscaler.api.answer import ApiAnswer
from autoscaler.clock import SystemClock
from autoscaler.errors import PermanentError
from autoscaler.limits import API_ANSWER_BYTES, API_ANSWER_S

Body = TypeVar("Body", bound=ApiAnswer)

PAGE = 1000  # entries
AT_ONCE = 8  # requests
PIECE = 1 << 16  # bytes read at a time
TIMEOUT_S = 10.0  # s until a connection, and between two pieces
FORWARD = "kubectl -n knative-serving port-forward deployment/autoscaler 9090"


class NotThereError(PermanentError):
    """The API knows nothing of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Body]):
    """What the API answered."""

    body: Body
    raw: dict[str, Any]  # the same, as it came


class RestApi:
    """Asks the API at a URL; may be used by `AT_ONCE` threads."""

    def __init__(self, url: str, access: Access | None = None) -> None:
        """access: sent with each request. Raises PermanentError for a token that is none."""
        self.url = url
        self._session, self._clock = requests.Session(), SystemClock()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=AT_ONCE))
        (access or Access()).apply(self._session)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._session.close()

    def ask(self, path: str, kind: type[Body], **parameters: str | int) -> Answer[Body]:
        """The answer to a path below the URL.

        Raises NotThereError for a service that is not known, PermanentError, in one line, if there
        is no answer or an unexpected one.
        """
        url = f"{self.url.rstrip('/')}{path}"
        response, content = self._get(url, parameters)
        if response.status_code != requests.codes.ok:
            raise _refused(url, response, content)
        try:
            body = kind.model_validate_json(content)
        except ValidationError as error:
            raise PermanentError(
                f"{url} answers with {response.headers.get('content-type', 'no type')!r} that is "
                f"no {_in_words(kind)} ({error.errors()[0]['msg']}); allowed: kn-ahead's REST API"
            ) from error
        return Answer(body=body, raw=json.loads(content))

    def pages(
        self, path: str, kind: type[Body], entries: str, **parameters: str | int
    ) -> Iterator[Answer[Body]]:
        """All pages of a list whose body has its entries in the field of that name."""
        offset = 0
        while True:
            answer = self.ask(path, kind, limit=PAGE, offset=offset, **parameters)
            yield answer
            came = len(answer.raw[entries])
            offset += came
            if not came or offset >= answer.raw["total"]:  # fewer may be known than a moment ago
                return

    def _get(self, url: str, parameters: dict[str, str | int]) -> tuple[requests.Response, bytes]:
        try:
            with self._session.get(
                url,
                params=parameters,
                timeout=TIMEOUT_S,
                stream=True,
                proxies=_proxies(url),
                verify=self._session.verify,  # else the environment's file is taken before it
            ) as response:
                return response, self._whole(url, response)
        except (RequestException, ValueError) as error:  # ValueError: an invalid URL
            raise PermanentError(
                f"no answer from {self.url} ({_cause(error)}); allowed: the address of kn-ahead's "
                f"REST API, such as http://127.0.0.1:9090 after: {FORWARD}"
            ) from error

    def _whole(self, url: str, response: requests.Response) -> bytes:
        content, end_s = bytearray(), self._clock.now() + API_ANSWER_S.most
        for piece in response.iter_content(PIECE):
            content += piece
            for limit, is_met in (
                (API_ANSWER_BYTES, len(content) > API_ANSWER_BYTES.most),
                (API_ANSWER_S, self._clock.now() > end_s),
            ):
                if is_met:
                    raise PermanentError(f"{url} answers without an end; allowed: {limit}")
        return bytes(content)


def _proxies(url: str) -> dict[str, Any]:
    """None for this machine itself, whatever the environment says; else as it says."""
    if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        return {"http": None, "https": None, "all": None}
    return {}


def _refused(url: str, response: requests.Response, content: bytes) -> PermanentError:
    """The error for a status that is not 200, with what a problem document says of it."""
    try:
        detail = str(json.loads(content)["detail"])[:500]
    except (ValueError, LookupError, TypeError):
        return PermanentError(
            f"{url} answers {response.status_code} {response.reason}; allowed: the address of a "
            "kn-ahead's REST API, as the API port of `kn-ahead autoscale`"
        )
    if response.status_code == requests.codes.not_found:
        return NotThereError(detail)
    who = ""
    if response.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
        who = f"; {who_was_told(response.request)}"
    return PermanentError(f"{url} answers {response.status_code}: {detail}{who}")


def _in_words(kind: type[ApiAnswer]) -> str:
    """A list of services, of `ServicesAnswer`."""
    name = kind.__name__.removesuffix("Answer").lower()
    return f"list of {name}" if name.endswith("s") else name


def _cause(error: Exception) -> str:
    """The innermost cause, in one line."""
    while (inner := error.__cause__ or error.__context__) and isinstance(inner, Exception):
        error = inner
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
