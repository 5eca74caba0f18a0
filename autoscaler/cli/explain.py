"""`kn-ahead explain`: why a service has its pods, with its forecast and its neighbours."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoscaler.api.agreement_answers import PromiseAnswer
from autoscaler.api.answers import (
    MODES,
    ChangeAnswer,
    DecisionAnswer,
    DecisionsAnswer,
    ForecastAnswer,
    WindowAnswer,
)
from autoscaler.api.dependency_answers import DependencyAnswer
from autoscaler.cli.resources import Selection, all_services, dependencies_of, only_service
from autoscaler.cli.rest import RestApi
from autoscaler.cli.table import UNKNOWN, show
from autoscaler.cli.words import age, number, percent, plain, since
from autoscaler.clock import Clock

BAR = 32  # characters of the longest bar
INKS = ("█", "▓", "░")  # up to P50, P90, P99
QUANTILES = ("P50", "P90", "P99")
MOST_CHANGES = 5


def explain(api: RestApi, selection: Selection, clock: Clock) -> None:
    """Print all that is known of the one service of a selection.

    Raises PermanentError for a service that is not known, or that several namespaces have.
    """
    name = only_service(list(all_services(api)), selection)
    now = datetime.fromtimestamp(clock.now(), UTC)
    decisions = api.ask(f"/v1/decisions/{name}", DecisionsAnswer).body
    forecast = api.ask(f"/v1/forecasts/{name}", ForecastAnswer).body
    edges = [edge for edge, _ in dependencies_of(api, name)]
    show(
        Text(name, style="bold"),
        *_promised(decisions.promise),
        *(
            Text(plain(bill.sentence))
            for bill in (decisions.bill, decisions.cluster_bill)
            if bill is not None
        ),
        *_decided(decisions.revisions),
        *([Text(f"\n{plain(decisions.withdrawn.sentence)}")] if decisions.withdrawn else ()),
        *_forecast(forecast, now),
        *_neighbours(name, edges),
        *_changed(decisions.changes[:MOST_CHANGES], now),
    )


# --- decisions ------------------------------------------------------------------------------------


def _decided(decisions: Sequence[DecisionAnswer]) -> Iterator[RenderableType]:
    if not decisions:
        yield Text("Nothing is decided of it here: it has a forecast, and no revision.")
    for one in decisions:
        yield Text(f"\n{plain(one.revision)}  {plain(one.sentence)}")
        yield _candidates(one)
        price = f"a cold request is worth {number(one.cold_price_s)} s of idle pod"
        price += f", and {number(one.requests_waiting)} wait where the first pod is missing"
        yield _indented(Text(f"mode {one.mode}: {MODES[one.mode]}; price: {price}", style="dim"))
        if one.max_extra is not None and one.credit_s is not None:
            bill = f"at most {1 + one.max_extra:.4g} times what Knative wants"
            yield _indented(Text(f"bill: {bill}; credit: {one.credit_s:.0f} s", style="dim"))


def _promised(promise: PromiseAnswer | None) -> Iterator[RenderableType]:
    if promise:
        yield Text(plain(promise.sentence), style="red" if promise.missed else "")


def _candidates(one: DecisionAnswer) -> RenderableType:
    """The numbers of pods that competed, and what came of them."""
    pods = {
        "KNATIVE": one.candidates.kpa,
        "FORECAST": one.candidates.predicted,
        "UPSTREAM": one.candidates.anticipated,
        "TOGETHER": one.candidates.together,
        "WANTED": one.desired_scale,
        "READY": one.ready,
    }
    table = _listing()
    for head in ("", *pods):
        table.add_column(Text(head, style="dim"), justify="right", no_wrap=True)
    table.add_row("pods", *(UNKNOWN if n is None else str(n) for n in pods.values()))
    return _indented(table)


# --- the forecast ---------------------------------------------------------------------------------


def _forecast(forecast: ForecastAnswer, now: datetime) -> Iterator[RenderableType]:
    made_s, fitted_s = since(forecast.made_at, now), since(forecast.fitted_at, now)
    if forecast.reason:
        yield Text(f"\nNo forecast is in force: {plain(forecast.reason)}.")
    if made_s is None or fitted_s is None or not forecast.windows:
        return
    yield Text(
        f"\nForecast of requests in flight at once, made {age(made_s)} ago by "
        f"{plain(forecast.model or UNKNOWN)}, fitted {age(fitted_s)} ago:"
    )
    yield _plot(forecast.windows)


def _plot(windows: Sequence[WindowAnswer]) -> RenderableType:
    """A bar for each window: to its P50, its P90 and its P99."""
    table = _listing()
    legend = "  ".join(f"{ink} {name}" for ink, name in zip(INKS, QUANTILES, strict=True))
    table.add_column(Text("MINUTES", style="dim"), justify="right", no_wrap=True)
    table.add_column(Text(legend, style="dim"), no_wrap=True)
    for name in (*QUANTILES, "any"):
        table.add_column(Text(name, style="dim"), justify="right", no_wrap=True)
    begin, most = windows[0].start, max(window.p99 for window in windows)
    for window in windows:
        ends = ((t - begin).total_seconds() / 60 for t in (window.start, window.end))
        table.add_row(
            "-".join(f"{minutes:g}" for minutes in ends),
            Text(bar((window.p50, window.p90, window.p99), most), style="cyan"),
            *(number(value) for value in (window.p50, window.p90, window.p99)),
            f"{percent(window.probability_of_any)} %",
        )
    return _indented(table)


def bar(values: Sequence[float], most: float) -> str:
    """Ascending values as a bar in which each has an ink; `BAR` characters are ``most``.

    >>> bar((1.0, 2.0, 4.0), 8.0)
    '████▓▓▓▓░░░░░░░░'
    """
    text = ""
    for ink, value in zip(INKS, values, strict=True):
        text = text.ljust(round(BAR * value / most) if most else 0, ink)
    return text


# --- neighbours and changes -----------------------------------------------------------------------


def _neighbours(name: str, edges: Sequence[DependencyAnswer]) -> Iterator[RenderableType]:
    groups = {
        "Called by": [(e.upstream, e) for e in edges if e.downstream == name and not e.together],
        "Calls": [(e.downstream, e) for e in edges if e.upstream == name and not e.together],
        "Called together with": [
            (e.upstream if e.downstream == name else e.downstream, e) for e in edges if e.together
        ],
    }
    if not edges:
        yield Text("\nNo dependency of it is known.")
    for head, group in groups.items():
        if group:
            yield Text(f"\n{head}")
            yield _edges(group)


def _edges(group: Sequence[tuple[str, DependencyAnswer]]) -> RenderableType:
    table = _listing(headers=False)
    table.add_column(overflow="fold")
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for other, edge in group:
        table.add_row(
            Text(plain(other)),
            "" if edge.together else _known("lag {} s", edge.lag_s),
            _known("gain {}", edge.gain),
            f"{percent(edge.confidence)} % sure" if edge.confidence is not None else "",
            Text(_origin(edge), style="dim"),
        )
    return _indented(table)


def _known(text: str, value: float | None) -> str:
    return text.format(UNKNOWN if value is None else number(value))


def _origin(edge: DependencyAnswer) -> str:
    indirect = "" if edge.direct else ", not direct"
    idle = f"; not acted on: {plain(edge.not_acted_on)}" if edge.not_acted_on else ""
    return f"{edge.origin}{indirect}{idle}"


def _changed(changes: Sequence[ChangeAnswer], now: datetime) -> Iterator[RenderableType]:
    if not changes:
        return
    yield Text("\nChanged last")
    table = _listing(headers=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for change in changes:
        before, after = (
            UNKNOWN if n is None else str(n) for n in (change.before, change.desired_scale)
        )
        ago_s = since(change.at, now) or 0.0
        table.add_row(f"{age(ago_s)} ago", f"{before} to {after}", Text(plain(change.sentence)))
    yield _indented(table)


def _listing(*, headers: bool = True) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=headers)


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2), expand=False)
