"""The demo's shop: learned and replayed up to this morning, then live."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchmarks.replay import ReplaySettings
from benchmarks.traces.synthetic import MINUTES_A_DAY, synthetic_shop
from benchmarks.traces.trace import Trace
from learner.settings import LearnerSettings

LEARNED_DAYS, REPLAYED_DAYS, LIVE_DAYS = 14, 2, 2
DAY_S = 86_400.0
OPENS = 9  # o'clock, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is called when, and what of it is past."""

    whole: Trace
    live_from_s: float  # Unix s
    settings: ReplaySettings

    @property
    def past(self) -> Trace:
        """What is learned from and replayed."""
        steps = (LEARNED_DAYS + REPLAYED_DAYS) * MINUTES_A_DAY
        counts, duration_s = self.whole.counts[:, :steps], self.whole.duration_s[:, :steps]
        return replace(self.whole, counts=counts, duration_s=duration_s)


def shop_of(now: float) -> Shop:
    """The shop that goes on live from nine o'clock of the day of Unix s ``now``."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=OPENS, minute=0, second=0, microsecond=0)
    live_from_s = today.timestamp()
    start_s = live_from_s - (LEARNED_DAYS + REPLAYED_DAYS) * DAY_S
    return Shop(
        whole=synthetic_shop(LEARNED_DAYS + REPLAYED_DAYS + LIVE_DAYS, start_s=start_s),
        live_from_s=live_from_s,
        settings=ReplaySettings(
            fit_until_s=live_from_s - REPLAYED_DAYS * DAY_S,
            learner=LearnerSettings(max_rows=20_000, rounds=120),
        ),
    )
