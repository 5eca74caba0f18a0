"""Dependencies, read from a running autoscaler's REST API; errors are reported without retries."""

import requests
from pydantic import ValidationError
from requests.exceptions import RequestException

from autoscaler.api.answers import DependenciesAnswer, DependencyAnswer
from autoscaler.api.dependencies import edges_of
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.errors import PermanentError

PAGE = 1000  # edges
TIMEOUT_S = 10.0  # s for each page
FORWARD = "kubectl -n knative-serving port-forward deployment/autoscaler 9090"


def read_edges(url: str) -> Edges:
    """All edges known to the autoscaler at a URL.

    Raises PermanentError, in one line, if there is no answer, or an unexpected one.
    """
    with requests.Session() as session:
        first = _page(session, url, 0)
        answers = list(first.dependencies)
        while len(answers) < first.total and (page := _page(session, url, len(answers))):
            if not page.dependencies:
                break  # fewer are known than a moment ago
            answers += page.dependencies
    return _edges(url, answers)


def _edges(url: str, answers: list[DependencyAnswer]) -> Edges:
    try:
        return edges_of(answers)
    except PermanentError as error:
        raise PermanentError(f"{url} answers with what cannot be: {error}") from error


def _page(session: requests.Session, url: str, offset: int) -> DependenciesAnswer:
    path = f"{url.rstrip('/')}/v1/dependencies"
    parameters = {"limit": PAGE, "offset": offset}
    try:
        answer = session.get(path, params=parameters, timeout=TIMEOUT_S)
    except (RequestException, ValueError) as error:  # ValueError: an invalid URL
        raise PermanentError(
            f"no answer from {url} ({_cause(error)}); allowed: the address of kn-ahead's REST API, "
            f"such as http://127.0.0.1:9090 after: {FORWARD}"
        ) from error
    if answer.status_code != requests.codes.ok:
        raise PermanentError(
            f"{path} answers {answer.status_code} {answer.reason}; allowed: the address of a "
            "kn-ahead's REST API that knows dependencies, as the API port of `kn-ahead autoscale`"
        )
    try:
        return DependenciesAnswer.model_validate_json(answer.content)
    except ValidationError as error:
        raise PermanentError(
            f"{path} answers with {answer.headers.get('content-type', 'no type')!r} that is no "
            f"list of dependencies ({error.errors()[0]['msg']}); allowed: kn-ahead's REST API"
        ) from error


def _cause(error: Exception) -> str:
    """The innermost cause, in one line."""
    while (inner := error.__cause__ or error.__context__) and isinstance(inner, Exception):
        error = inner
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
