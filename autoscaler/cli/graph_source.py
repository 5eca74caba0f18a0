"""Dependencies, read from a running autoscaler's REST API."""

from autoscaler.api.answers import DependenciesAnswer
from autoscaler.api.dependencies import edges_of
from autoscaler.cli.rest import RestApi
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.errors import PermanentError


def read_edges(api: RestApi) -> Edges:
    """All edges known to the autoscaler.

    Raises PermanentError, in one line, if there is no answer, or an unexpected one.
    """
    pages = api.pages("/v1/dependencies", DependenciesAnswer, "dependencies")
    answers = [one for page in pages for one in page.body.dependencies]
    try:
        return edges_of(answers)
    except PermanentError as error:
        raise PermanentError(f"{api.url} answers with what cannot be: {error}") from error
