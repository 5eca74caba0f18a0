"""Lists objects of a cluster once; what is in the way is said for people."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from autoscaler.errors import PermanentError
from autoscaler.limits import LIST_OBJECTS
from autoscaler.refusals import LimitError
from knative.client.api import NOT_FOUND, Api, ApiError, Object, TooLargeAnswerError

T = TypeVar("T")
PAGE = 250  # objects a page
RIGHTS = "knative/manifests/whatif.yaml"
UNAUTHORIZED, FORBIDDEN = 401, 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A connection, and what its user calls it."""

    api: Api
    name: str  # of its context

    async def listed(self, path: str, parse: Callable[[Object], T], labels: str = "") -> list[T]:
        """All objects of a kind, of all namespaces, parsed. labels: a selector.

        What is not understood is left out. Raises PermanentError where they cannot be listed.
        """
        found: list[T] = []
        query, size = ({"labelSelector": labels} if labels else {}), PAGE
        try:
            while len(found) <= LIST_OBJECTS.most:
                try:
                    page = await self.api.page(path, query, size)
                except TooLargeAnswerError:
                    size //= 2  # a page of one object is never too large
                    continue
                found += _parsed(page.items(), parse)
                if not page.more:
                    return found
                query = {**query, "continue": page.more}
        except ApiError as error:
            raise self._refused(error, "list", path) from error
        except ValueError as error:
            raise PermanentError(f"{self._said} answered no list of {path}: {error}") from error
        raise PermanentError(
            f"{self._said} has too many {path.rpartition('/')[2]};"
            f" allowed: {LIST_OBJECTS.most:,.0f}"
        )

    async def configmap(
        self, namespace: str, name: str, *, optional: bool = False
    ) -> dict[str, str] | None:
        """A ConfigMap's data without its examples; None = there is none.

        optional: None as well where it must not be read. Raises PermanentError.
        """
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        try:
            data = (await self.api.get(path)).get("data") or {}
        except ApiError as error:
            if error.status == NOT_FOUND or (optional and error.status == FORBIDDEN):
                return None
            raise self._refused(error, "get", path) from error
        return {key: value for key, value in data.items() if not key.startswith("_")}

    @property
    def _said(self) -> str:
        return f"the cluster of context {self.name!r}"

    def _refused(self, error: ApiError, verb: str, path: str) -> PermanentError:
        resource = resource_of(path)
        if error.status == FORBIDDEN:
            return PermanentError(
                f"context {self.name!r} may not {verb} {resource};"
                f" allowed: with the ClusterRole of {RIGHTS}, which only reads"
            )
        if error.status == UNAUTHORIZED:
            return PermanentError(f"{self._said} does not accept its credentials: {error}")
        if error.status == NOT_FOUND:
            return PermanentError(
                f"{self._said} has no {resource}; allowed: one where Knative Serving is installed"
            )
        if error.status:
            return PermanentError(f"{self._said} refused: {error}")
        return PermanentError(f"{self._said} cannot be reached: {_cause(error)}")


def _parsed(objects: Iterable[Object], parse: Callable[[Object], T]) -> Iterator[T]:
    for each in objects:
        with suppress(AttributeError, KeyError, LimitError, TypeError, ValueError):
            yield parse(each)


def _cause(error: ApiError) -> str:
    return " ".join(str(error.__cause__ or error).split()) or repr(error.__cause__)


def resource_of(path: str) -> str:
    """As kubectl names it.

    >>> resource_of("/apis/serving.knative.dev/v1/revisions")
    'revisions.serving.knative.dev'
    >>> resource_of("/api/v1/namespaces/knative-serving/configmaps/config-autoscaler")
    'configmaps/config-autoscaler in namespace knative-serving'
    """
    _, kind, *rest = path.split("/")
    group = f".{rest[0]}" if kind == "apis" else ""
    rest = rest[2:] if group else rest[1:]
    if rest[0] != "namespaces":
        return rest[0] + group
    return "/".join(rest[2:]) + group + f" in namespace {rest[1]}"
