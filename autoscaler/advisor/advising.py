"""From forecasts, prices and the dependency graph to the advice that the controller reads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

import numpy as np

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.paths import NamedPaths
from autoscaler.core.names import name_id
from autoscaler.core.prediction.advice import NO_PATHS
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.missing import Missing
from autoscaler.core.prediction.predictive import AtPrice, PodCosts, at_price, capacity
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.exchange.advice import MAY_BE_NAN, AdviceTable
from autoscaler.exchange.snapshot import Named, Snapshot


def advice_of(
    snapshot: Snapshot,
    names: Mapping[int, Named],
    bundle: ForecastBundle | None,
    paths: NamedPaths | None,
    promised_s: Mapping[str, float] | None = None,
    withdrawn: Collection[str] = (),
) -> AdviceTable:
    """Advice for the revisions of a snapshot; those whose mode is off get none.

    promised_s: prices that keep promises, by service. withdrawn: services whose forecasts are
    shown, and not applied. Equal revisions, modes, prices, leads,
    drains, forecasts and paths give advice that is equal except for ``written_at_s``.
    """
    advised = np.flatnonzero(snapshot.columns["spec_mode"] != Mode.OFF)
    row = _rows_of(bundle, names, snapshot.revision[advised])
    has, edges_s, none = row >= 0, np.zeros(1), np.zeros((0, 0))
    found = AtPrice(worth_starting=none, worth_keeping=none, called=none)
    price_s = _promised(snapshot, names, advised[has], promised_s or {})
    if bundle is not None:
        edges_s = bundle.made_at_s + bundle.window_edges_s
        costs = _costs_of(snapshot, advised[has], price_s)
        found = at_price(bundle, row[has], costs)
    return AdviceTable(
        written_at_s=snapshot.at_s,
        starts_s=edges_s[:-1],
        ends_s=edges_s[1:],
        revision=snapshot.revision[advised[has]],
        price_s=price_s,
        worth_starting=found.worth_starting,
        worth_keeping=found.worth_keeping,
        called=found.called,
        service=_ids(paths.services) if paths else np.zeros(0, np.int64),
        paths=paths.without_names() if paths else NO_PATHS,
        withdrawn=_revisions_of(withdrawn, names, snapshot.revision),
    )


def same_advice(one: AdviceTable, other: AdviceTable) -> bool:
    """Whether two tables are equal except for ``written_at_s``."""
    left, right = one.arrays(), other.arrays()
    del left["written_at_s"]
    return all(
        np.array_equal(left[name], right[name], equal_nan=name in MAY_BE_NAN) for name in left
    )


def declared(snapshot: Snapshot, names: Mapping[int, Named]) -> dict[str, list[Declaration]]:
    """Declarations of reachable revisions, by service."""
    found: dict[str, list[Declaration]] = {}
    mode, reachable = snapshot.columns["spec_mode"].tolist(), _reachable(snapshot).tolist()
    for i, revision in enumerate(snapshot.revision.tolist()):
        named = names.get(revision)
        if named and reachable[i]:
            declaration = Declaration(
                upstreams=named.upstreams,
                downstream_namespaces=named.downstream_namespaces,
                mode=Mode(mode[i]),
            )
            found.setdefault(named.service, []).append(declaration)
    return found


def _reachable(snapshot: Snapshot) -> BoolArray:
    return np.asarray(snapshot.columns["spec_reachable"], dtype=np.bool_)


def _costs_of(snapshot: Snapshot, rows: IntArray, promised_s: FloatArray) -> PodCosts:
    """Of rows (n,). promised_s: (n,) prices that keep promises; NaN = there is none."""
    columns = snapshot.columns
    price_s = np.where(np.isnan(promised_s), columns["spec_cold_price_s"][rows], promised_s)
    missing = Missing(**{f.name: columns[f"missing_{f.name}"][rows] for f in fields(Missing)})
    return PodCosts(
        first_s=missing.first_s(price_s),
        further_s=missing.further_s(price_s),
        lead_s=columns["spec_lead_s"][rows],
        drain_s=columns["spec_drain_s"][rows],
        capacity=capacity(columns["spec_pod_capacity"][rows], columns["spec_share"][rows]),
    )


def _promised(
    snapshot: Snapshot, names: Mapping[int, Named], rows: IntArray, promised_s: Mapping[str, float]
) -> FloatArray:
    """(n,) prices of rows (n,) of a snapshot that have a promise; NaN = they have none."""
    price_s = np.full(len(rows), np.nan)
    for i in np.flatnonzero(np.isfinite(snapshot.columns["spec_max_cold_rate"][rows])).tolist():
        named = names[int(snapshot.revision[rows[i]])]
        price_s[i] = promised_s.get(named.service, np.nan)
    return price_s


def _rows_of(
    bundle: ForecastBundle | None, names: Mapping[int, Named], revisions: IntArray
) -> IntArray:
    """(n,) rows of the bundle for revisions' services; -1 = it has none."""
    if bundle is None:
        return np.full(len(revisions), -1)
    place = {service: i for i, service in enumerate(bundle.services)}
    named = (names.get(revision) for revision in revisions.tolist())
    rows = [place.get(name.service, -1) if name else -1 for name in named]
    return np.array(rows, dtype=np.int64)


def _revisions_of(
    services: Collection[str], names: Mapping[int, Named], revisions: IntArray
) -> IntArray:
    """Those of some services, ascending."""
    if not services:
        return revisions[:0]
    named = ((i, names.get(i)) for i in revisions.tolist())
    return np.array(sorted(i for i, n in named if n and n.service in services), dtype=np.int64)


def _ids(services: Sequence[str]) -> IntArray:
    return np.array([name_id(service) for service in services], dtype=np.int64)
