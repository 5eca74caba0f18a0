"""All contenders by name: ours, the rivals, and those of the user's.

A contender of the user's is an object as `Contender` says, or something that makes one when called
without arguments. It is named ``module:attribute``, or found by itself where an installed package
declares an entry point of the group ``kn_ahead.contenders``. ``python -m
benchmarks.policies.contract module:attribute`` holds it to what all contenders are held to.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from autoscaler.errors import PermanentError
from benchmarks.policies.auto_theta import auto_theta
from benchmarks.policies.contender import Contender, Knob
from benchmarks.policies.cron import Cron
from benchmarks.policies.femux_choice import Femux
from benchmarks.policies.holt_winters import holt_winters
from benchmarks.policies.hybrid_histogram import HybridHistogram
from benchmarks.policies.icebreaker import icebreaker
from benchmarks.policies.keep_alive import KeepAlive
from benchmarks.policies.kn_ahead import KnAhead, Tables, Walked, foreseen
from benchmarks.policies.kpa import Kpa
from benchmarks.policies.min_scale import MinScale
from benchmarks.policies.mpc import Mpc
from benchmarks.policies.point_forecast import OfInFlight, PointForecast
from benchmarks.policies.tsb import tsb
from benchmarks.policies.weekly_copy import same_minute_last_week

GROUP = "kn_ahead.contenders"
OURS, ORACLE = "kn-ahead", "oracle"


def contenders(tables: Tables | None = None) -> dict[str, Contender]:
    """By name, ours first, then the rivals, bounds, and plug-ins. Raises PermanentError.

    tables: make our forecasts; by default the learner does, walking forward.
    """
    femux = Femux()
    known: list[Contender] = [
        KnAhead(OURS, tables or Walked()),
        Kpa(),
        KeepAlive(),
        MinScale(),
        HybridHistogram(),
        PointForecast("weekly copy", OfInFlight(same_minute_last_week)),
        PointForecast("IceBreaker", icebreaker),
        femux,
        PointForecast("Holt-Winters", holt_winters),
        PointForecast("TSB", OfInFlight(tsb)),
        PointForecast("AutoTheta", OfInFlight(auto_theta)),
        Mpc(),
        Femux("FeMux, told by the test set", told_by=femux),
        Cron(),
        KnAhead(ORACLE, foreseen, hindsight=True),
    ]
    found = {each.name: each for each in known}
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        plugged = contender(point.value)
        if plugged.name in found:
            raise PermanentError(
                f"{GROUP}: {point.value} is named {plugged.name!r}, as another is; allowed: a name"
                " of its own"
            )
        found[plugged.name] = plugged
    return found


def contender(where: str) -> Contender:
    """The contender at ``module:attribute``. Raises PermanentError."""
    module, _, attribute = where.partition(":")
    try:
        found: Any = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PermanentError(
            f"contender {where!r}: {error}; allowed: module:attribute of one that can be imported"
        ) from error
    makes = isinstance(found, type) or (callable(found) and not hasattr(found, "plan"))
    return _checked(where, found() if makes else found)


def _checked(where: str, made: Any) -> Contender:
    missing = [n for n in ("name", "knob", "hindsight", "plan") if not hasattr(made, n)]
    if missing:
        raise PermanentError(
            f"contender {where!r} has no {', '.join(missing)}; allowed: what"
            " benchmarks.policies.contender.Contender asks for"
        )
    knob = made.knob
    if not isinstance(knob, Knob) or not knob.values or list(knob.values) != sorted(knob.values):
        raise PermanentError(
            f"contender {where!r} has the knob {knob!r}; allowed: a Knob with ascending values"
        )
    found: Contender = made
    return found
