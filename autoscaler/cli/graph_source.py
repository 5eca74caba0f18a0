"""Dependencies, read from a running autoscaler's REST API."""

from autoscaler.api.dependencies import edges_of
from autoscaler.api.dependency_answers import DependenciesAnswer, DependencyAnswer
from autoscaler.cli.rest import RestApi
from autoscaler.core.prediction.dependencies import Edges, Pair
from autoscaler.errors import PermanentError


def read_edges(api: RestApi) -> tuple[Edges, dict[Pair, str]]:
    """All edges known to the autoscaler, and why withdrawn ones are not acted on.

    Raises PermanentError, in one line, if there is no answer, or an unexpected one.
    """
    pages = api.pages("/v1/dependencies", DependenciesAnswer, "dependencies")
    answers = [one for page in pages for one in page.body.dependencies]
    withdrawn = {
        ends: one.not_acted_on or "" for one in answers if one.withdrawn for ends in _both_ways(one)
    }
    try:
        return edges_of(answers), withdrawn
    except PermanentError as error:
        raise PermanentError(f"{api.url} answers with what cannot be: {error}") from error


def _both_ways(one: DependencyAnswer) -> tuple[Pair, ...]:
    """The pair of an answer; of services that come together either may be shown first."""
    there, back = (one.upstream, one.downstream), (one.downstream, one.upstream)
    return (there, back) if one.together else (there,)
