"""What `kn-ahead get` gets: services, forecasts, decisions, dependencies, each with its columns."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from autoscaler.api.answers import (
    DecisionAnswer,
    DecisionsAnswer,
    ForecastAnswer,
    ServiceAnswer,
    ServicesAnswer,
    WindowAnswer,
)
from autoscaler.api.dependency_answers import DependenciesAnswer, DependencyAnswer
from autoscaler.cli.rest import AT_ONCE, Answer, Body, NotThereError, RestApi
from autoscaler.cli.table import Column
from autoscaler.cli.words import age, joined, number, percent, since
from autoscaler.errors import PermanentError

MOST_HINTS = 3  # names that may have been meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for."""

    namespace: str = ""  # "" = all
    names: Sequence[str] = ()  # service or namespace/service; none = all

    def __contains__(self, service: str) -> bool:
        """Whether a namespace/service is in the namespace."""
        return not self.namespace or service.startswith(f"{self.namespace}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of it."""

    objects: Sequence[Any]  # of the API, as they came
    rows: Sequence[Any]  # of the table: one an object, or several
    names: Sequence[str]  # of the objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of objects that the API has."""

    name: str  # in the plural
    aliases: Sequence[str]
    find: Callable[[RestApi, Selection], Found]
    columns: Callable[[datetime], Sequence[Column[Any]]]  # at the present time
    one_a_name: bool = True  # else a service has any number of them


# --- services by name -----------------------------------------------------------------------------


def all_services(api: RestApi) -> dict[str, tuple[ServiceAnswer, Any]]:
    """All services by their namespace/service, parsed and as they came."""
    return {
        f"{one.namespace}/{one.service}": (one, raw)
        for page in api.pages("/v1/services", ServicesAnswer, "services")
        for one, raw in zip(page.body.services, page.raw["services"], strict=True)
    }


def services_named(known: Sequence[str], selection: Selection) -> list[str]:
    """The services of a selection, of those known.

    Raises PermanentError for a name that none has, with the nearest that there are.
    """
    if not selection.names:
        return [name for name in known if name in selection]
    return [found for name in selection.names for found in _named(known, name, selection)]


def only_service(known: Sequence[str], selection: Selection) -> str:
    """The one service of a selection. Raises PermanentError where there is none, or several."""
    found = services_named(known, selection)
    if len(found) != 1:
        raise PermanentError(
            f"service {selection.names[0]!r} is in several namespaces; "
            f"allowed: one of {', '.join(found)}"
        )
    return found[0]


def _named(known: Sequence[str], name: str, selection: Selection) -> list[str]:
    whole = f"{selection.namespace}/{name}" if selection.namespace and "/" not in name else name
    found = [one for one in known if whole in (one, one.partition("/")[2]) and one in selection]
    if found:
        return found
    if whole in known:
        raise PermanentError(
            f"service {whole!r} is not in namespace {selection.namespace!r}; allowed: one that is"
        )
    near = _nearest(known, whole)
    hint = f"did you mean {' or '.join(near)}?" if near else f"{len(known)} others are known"
    raise PermanentError(f"no service {whole!r}; {hint}")


def _nearest(known: Sequence[str], name: str) -> list[str]:
    """Services whose own name is near, of the namespace rather than of others."""
    namespace, _, own = name.rpartition("/")
    for among in ([one for one in known if one.startswith(f"{namespace}/")], known):
        services: dict[str, list[str]] = {}
        for one in among:
            services.setdefault(one.partition("/")[2], []).append(one)
        if near := get_close_matches(own, list(services), n=2):
            return [one for service in near for one in services[service]][:MOST_HINTS]
    return []


def each(api: RestApi, path: str, kind: type[Body], names: Sequence[str]) -> list[Answer[Body]]:
    """The answer for each service at the path; without those that have gone meanwhile."""

    def ask(name: str) -> Answer[Body] | None:
        try:
            return api.ask(f"{path}/{name}", kind)
        except NotThereError:
            return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [answer for answer in threads.map(ask, names) if answer]


# --- services -------------------------------------------------------------------------------------


def _services(api: RestApi, selection: Selection) -> Found:
    known = all_services(api)
    names = services_named(list(known), selection)
    return Found(
        objects=[known[name][1] for name in names],
        rows=[known[name][0] for name in names],
        names=names,
    )


def _service_columns(now: datetime) -> Sequence[Column[ServiceAnswer]]:
    return (
        Column(head="NAMESPACE", value=lambda s: s.namespace),
        Column(head="NAME", value=lambda s: s.service),
        Column(head="REVISIONS", value=lambda s: s.revisions, number=True, wide=True),
        Column(head="READY", value=lambda s: s.ready, number=True),
        Column(
            head="WANTED",
            value=lambda s: s.desired_scale,
            number=True,
            style=lambda s: "yellow" if s.ready < (s.desired_scale or 0) else "",
        ),
        Column(head="KNATIVE", value=lambda s: s.kpa, number=True),
        Column(head="MODE", value=lambda s: joined(s.modes)),
        Column(head="REASON", value=lambda s: joined(s.reasons)),
        Column(head="FORECAST", value=lambda s: since(s.forecast_made_at, now), text=age),
        Column(head="CREDIT(s)", value=lambda s: s.credit_s, text=number, number=True, wide=True),
        Column(head="MODEL", value=lambda s: s.model, wide=True),
    )


# --- forecasts ------------------------------------------------------------------------------------


def _forecasts(api: RestApi, selection: Selection) -> Found:
    names = services_named(list(all_services(api)), selection)
    answers = each(api, "/v1/forecasts", ForecastAnswer, names)
    return Found(
        objects=[answer.raw for answer in answers],
        rows=[answer.body for answer in answers],
        names=[f"{answer.body.namespace}/{answer.body.service}" for answer in answers],
    )


def _forecast_columns(now: datetime) -> Sequence[Column[ForecastAnswer]]:
    def window(forecast: ForecastAnswer) -> WindowAnswer | None:
        """The one that is going on; before them the first, after them the last."""
        ahead = [w for w in forecast.windows if w.end > now]
        return next(iter(ahead or forecast.windows[-1:]), None)

    def of_window(read: Callable[[WindowAnswer], float]) -> Callable[[ForecastAnswer], Any]:
        return lambda f: read(w) if (w := window(f)) else None

    return (
        Column(head="NAMESPACE", value=lambda f: f.namespace),
        Column(head="NAME", value=lambda f: f.service),
        Column(head="ANY(%)", value=of_window(lambda w: w.probability_of_any), text=percent,
               number=True),
        Column(head="P50(req)", value=of_window(lambda w: w.p50), text=number, number=True),
        Column(head="P90(req)", value=of_window(lambda w: w.p90), text=number, number=True),
        Column(head="P99(req)", value=of_window(lambda w: w.p99), text=number, number=True),
        Column(head="PEAK(req)", value=lambda f: max((w.p99 for w in f.windows), default=None),
               text=number, number=True),
        Column(head="AGE", value=lambda f: since(f.made_at, now), text=age),
        Column(head="FITTED", value=lambda f: since(f.fitted_at, now), text=age, wide=True),
        Column(head="MODEL", value=lambda f: f.model, wide=True),
        Column(head="WITHOUT", value=lambda f: f.reason, wide=True),
    )  # fmt: skip


# --- decisions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    namespace: str
    decision: DecisionAnswer


def _decisions(api: RestApi, selection: Selection) -> Found:
    names = services_named(list(all_services(api)), selection)
    answers = each(api, "/v1/decisions", DecisionsAnswer, names)
    return Found(
        objects=[answer.raw for answer in answers],
        rows=[
            _Decided(namespace=answer.body.namespace, decision=decision)
            for answer in answers
            for decision in answer.body.revisions
        ],
        names=[f"{answer.body.namespace}/{answer.body.service}" for answer in answers],
    )


def _decision_columns(now: datetime) -> Sequence[Column[_Decided]]:
    def of(read: Callable[[DecisionAnswer], Any]) -> Callable[[_Decided], Any]:
        return lambda decided: read(decided.decision)

    return (
        Column(head="NAMESPACE", value=lambda d: d.namespace),
        Column(head="REVISION", value=of(lambda d: d.revision)),
        Column(head="READY", value=of(lambda d: d.ready), number=True),
        Column(head="WANTED", value=of(lambda d: d.desired_scale), number=True),
        Column(head="KNATIVE", value=of(lambda d: d.candidates.kpa), number=True),
        Column(head="FORECAST", value=of(lambda d: d.candidates.predicted), number=True),
        Column(head="UPSTREAM", value=of(lambda d: d.candidates.anticipated), number=True),
        Column(head="REASON", value=of(lambda d: d.reason)),
        Column(head="AGE", value=of(lambda d: since(d.decided_at, now)), text=age),
        Column(head="MODE", value=of(lambda d: d.mode), wide=True),
        Column(head="PRICE(s)", value=of(lambda d: d.cold_price_s), text=number, number=True,
               wide=True),
        Column(head="CREDIT(s)", value=of(lambda d: d.credit_s), text=number, number=True,
               wide=True),
        Column(head="STABLE", value=of(lambda d: d.averages.stable), text=number, number=True,
               wide=True),
        Column(head="PANIC", value=of(lambda d: d.averages.panic), text=number, number=True,
               wide=True),
        Column(head="WHY", value=of(lambda d: d.sentence), wide=True),
    )  # fmt: skip


# --- dependencies ---------------------------------------------------------------------------------


def dependencies_of(api: RestApi, service: str = "") -> Iterator[tuple[DependencyAnswer, Any]]:
    """All dependencies, or those of one service, parsed and as they came."""
    parameters = {"service": service} if service else {}
    pages = api.pages("/v1/dependencies", DependenciesAnswer, "dependencies", **parameters)
    for page in pages:
        yield from zip(page.body.dependencies, page.raw["dependencies"], strict=True)


def _dependencies(api: RestApi, selection: Selection) -> Found:
    found = list(dependencies_of(api))
    ends = {name for edge, _ in found for name in (edge.upstream, edge.downstream)}
    known = sorted({*ends, *all_services(api)}) if selection.names else sorted(ends)
    wanted = set(services_named(known, selection))
    chosen = [(e, raw) for e, raw in found if e.upstream in wanted or e.downstream in wanted]
    return Found(
        objects=[raw for _, raw in chosen],
        rows=[edge for edge, _ in chosen],
        names=[f"{edge.upstream} {edge.downstream}" for edge, _ in chosen],
    )


def _dependency_columns(now: datetime) -> Sequence[Column[DependencyAnswer]]:
    return (
        Column(head="UPSTREAM", value=lambda e: e.upstream),
        Column(head="DOWNSTREAM", value=lambda e: e.downstream),
        Column(head="LAG(s)", value=lambda e: e.lag_s, text=number, number=True),
        Column(head="GAIN", value=lambda e: e.gain, text=number, number=True),
        Column(head="PROB(%)", value=lambda e: e.probability, text=percent, number=True),
        Column(head="SURE(%)", value=lambda e: e.confidence, text=percent, number=True),
        Column(head="ORIGIN", value=lambda e: e.origin),
        Column(head="ORDER", value=lambda e: "together" if e.together else "in turn", wide=True),
        Column(head="DIRECT", value=lambda e: "yes" if e.direct else "no", wide=True),
        Column(head="EVIDENCE", value=lambda e: e.evidence, text=number, number=True, wide=True),
        Column(head="SEEN", value=lambda e: since(e.seen_at, now), text=age, wide=True),
        Column(head="WITHOUT", value=lambda e: e.not_acted_on, wide=True),
    )


RESOURCES = (
    Resource(
        name="services",
        aliases=("service", "svc", "ksvc"),
        find=_services,
        columns=_service_columns,
    ),
    Resource(
        name="forecasts", aliases=("forecast", "fc"), find=_forecasts, columns=_forecast_columns
    ),
    Resource(
        name="decisions", aliases=("decision", "dec"), find=_decisions, columns=_decision_columns
    ),
    Resource(
        name="dependencies",
        aliases=("dependency", "dep", "deps"),
        find=_dependencies,
        columns=_dependency_columns,
        one_a_name=False,
    ),
)


def resource_named(text: str) -> Resource:
    """The resource of a name, in the plural or not, or of a short one.

    Raises PermanentError for a name that none has, with the nearest that there is.
    """
    by_name = {name: one for one in RESOURCES for name in (one.name, *one.aliases)}
    if text.lower() in by_name:
        return by_name[text.lower()]
    near = get_close_matches(text.lower(), list(by_name), n=1)
    hint = f" {text!r}; did you mean {by_name[near[0]].name}?" if near else f" {text!r};"
    raise PermanentError(
        f"no resource{hint if text else ' is given;'} "
        f"allowed: {', '.join(one.name for one in RESOURCES)}"
    )
