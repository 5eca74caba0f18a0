"""`kn-ahead ledger`: what was saved beside Knative's rule, by service, or by day of one service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from autoscaler.api.ledger.answers import (
    ComparisonAnswer,
    LedgerAnswer,
    LedgerPeriodAnswer,
    ServiceLedgerAnswer,
)
from autoscaler.cli.objects import print_objects
from autoscaler.cli.options import Output
from autoscaler.cli.resources import Selection, all_services, only_service
from autoscaler.cli.rest import RestApi
from autoscaler.cli.table import Column, View, print_table, sorted_by
from autoscaler.cli.words import joined, percent, plain

TOTAL = "TOTAL"
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    namespace: str | None
    name: str  # a service, a day, or TOTAL
    modes: Sequence[str] = ()
    covered: float | None = None
    comparison: ComparisonAnswer | None


def fleet(api: RestApi, selection: Selection, view: View, days: int) -> None:
    """Print all services, or those of a namespace, with a total.

    Raises PermanentError for a column that there is not, or without an answer.
    """
    columns = _columns(view, "NAME", "MODE", *([] if selection.namespace else ["NAMESPACE"]))
    asked: dict[str, str | int] = {"days": days, "namespace": selection.namespace}
    pages = list(api.pages("/v1/ledger", LedgerAnswer, "services", **asked))
    whole = pages[0].body
    entries = [entry for page in pages for entry in page.body.services]
    if view.output in (Output.JSON, Output.YAML):
        raw = [entry for page in pages for entry in page.raw["services"]]
        print_objects({**pages[0].raw, "limit": max(len(raw), 1), "services": raw}, view.output)
    elif view.output is Output.NAME:
        typer.echo("".join(f"{e.namespace}/{e.service}\n" for e in entries), nl=False)
    else:
        rows = [
            _Row(namespace=e.namespace, name=e.service, modes=e.modes, comparison=e.comparison)
            for e in entries
        ]
        _print(whole.sentences, rows, whole.comparison, columns, view)


def one_service(api: RestApi, selection: Selection, view: View, days: int) -> None:
    """Print the days of the one service of a selection, with a total.

    Raises PermanentError for a service that is not known, or that several namespaces have, for a
    column that there is not, or without an answer.
    """
    columns = _columns(view, "DAY", "KNOWN")
    name = only_service(_names(api, days), selection)
    answer = api.ask(f"/v1/ledger/{name}", ServiceLedgerAnswer, days=days)
    if view.output in (Output.JSON, Output.YAML):
        print_objects(answer.raw, view.output)
    elif view.output is Output.NAME:
        typer.echo(name)
    else:
        rows = [_day(period) for period in answer.body.periods]
        _print(answer.body.sentences, rows, answer.body.comparison, columns, view)


def _names(api: RestApi, days: int) -> list[str]:
    """Services that are there, and those that were."""
    pages = api.pages("/v1/ledger", LedgerAnswer, "services", days=days)
    were = {f"{e.namespace}/{e.service}" for page in pages for e in page.body.services}
    return sorted({*all_services(api), *were})


def _day(period: LedgerPeriodAnswer) -> _Row:
    return _Row(
        namespace=None,
        name=f"{period.start:%Y-%m-%d}",
        covered=period.covered,
        comparison=period.comparison,
    )


def _print(
    sentences: Sequence[str],
    rows: Sequence[_Row],
    total: ComparisonAnswer | None,
    columns: Sequence[Column[_Row]],
    view: View,
) -> None:
    if view.sort_by:
        rows = sorted_by(rows, columns, view.sort_by)
    if not view.headers:
        print_table(rows, columns, headers=False)
        return
    typer.echo(f"{plain(' '.join(sentences))}\n")
    if rows:
        last = _Row(namespace="", name=TOTAL, comparison=total)
        print_table([*rows, last], columns, headers=True)


def _columns(view: View, *own: str) -> Sequence[Column[_Row]]:
    """Columns of a table whose rows are about what the first one says."""
    first = [column for column in _FIRST if column.name.upper() in own]
    columns = [c for c in (*first, *_COMPARED) if view.output is Output.WIDE or not c.wide]
    if view.sort_by:
        sorted_by((), columns, view.sort_by)  # a wrong name is told before anything is asked
    return columns


def _of(read: Callable[[ComparisonAnswer], Any]) -> Callable[[_Row], Any]:
    return lambda row: read(row.comparison) if row.comparison else None


def _count(value: float) -> str:
    return f"{value:.0f}"


def _hours(value_s: float) -> str:
    return f"{value_s / HOUR_S:.1f}"


def _bounds(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.0f} to {pair[1]:.0f}"


def _style(row: _Row) -> str:
    saved = row.comparison.saved_cold_requests.value if row.comparison else 0.0
    return "green" if saved > 0 else "red" if saved < 0 else ""


_FIRST: Sequence[Column[_Row]] = (
    Column(head="NAMESPACE", value=lambda r: r.namespace),
    Column(head="NAME", value=lambda r: r.name),
    Column(head="DAY", value=lambda r: r.name),
    Column(head="MODE", value=lambda r: joined(r.modes)),
    Column(head="KNOWN(%)", value=lambda r: r.covered, text=percent, number=True),
)
_COMPARED: Sequence[Column[_Row]] = (
    Column(head="REQUESTS", value=_of(lambda c: c.requests), text=_count, number=True),
    Column(head="KNATIVE(cold)", value=_of(lambda c: c.knative.cold_requests), text=_count,
           number=True),
    Column(head="AHEAD(cold)", value=_of(lambda c: c.ahead.cold_requests), text=_count,
           number=True),
    Column(head="SAVED", value=_of(lambda c: c.saved_cold_requests.value), text=_count,
           number=True, style=_style),
    Column(head="95%", value=_of(lambda c: (c.saved_cold_requests.low,
                                            c.saved_cold_requests.high)),
           text=_bounds, number=True),
    Column(head="MORE(pod h)", value=_of(lambda c: c.more_pod_s.value), text=_hours, number=True),
    Column(head="KNATIVE-COLD(s)", value=_of(lambda c: c.knative.cold_s), text=_count,
           number=True, wide=True),
    Column(head="AHEAD-COLD(s)", value=_of(lambda c: c.ahead.cold_s), text=_count, number=True,
           wide=True),
    Column(head="KNATIVE-PODS(h)", value=_of(lambda c: c.knative.pod_s), text=_hours, number=True,
           wide=True),
    Column(head="AHEAD-PODS(h)", value=_of(lambda c: c.ahead.pod_s), text=_hours, number=True,
           wide=True),
    Column(head="PODS(x)", value=_of(lambda c: c.pod_ratio and c.pod_ratio.value),
           text="{:.2f}".format, number=True, wide=True),
    Column(head="KNATIVE-STARTS", value=_of(lambda c: c.knative.pod_starts), text=_count,
           number=True, wide=True),
    Column(head="AHEAD-STARTS", value=_of(lambda c: c.ahead.pod_starts), text=_count, number=True,
           wide=True),
)  # fmt: skip
