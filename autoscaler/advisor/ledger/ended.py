"""The hours of a ledger that are over, each once and in order, for all that follows from them."""

from collections.abc import Iterator

from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.store import HOURS_KEPT_S
from autoscaler.advisor.ledger.table import HOUR_S, Table

ENDED_S = 60.0  # s after the end of an hour from which on it is read


class EndedHours:
    """Begins with those that the ledger still keeps apart."""

    def __init__(self) -> None:
        self._until_s: float | None = None  # Unix s; hours before it were handed out

    def due(self, now: float) -> bool:
        """Whether an hour is over that was not handed out, or time was set back. now: Unix s."""
        return self._until_s != until(now)

    def take(self, ledger: Ledger, now: float) -> Iterator[Table]:
        """Hand out those that are over at Unix s ``now``; one of which nothing is known is none."""
        end_s = until(now)
        begin_s = end_s - HOURS_KEPT_S if self._until_s is None else self._until_s
        self._until_s = end_s
        for table in ledger.hours(begin_s, end_s):
            if begin_s <= table.start_s < end_s:
                yield table

    def begin_anew(self) -> None:
        """Hand out all of them again: another replica has written them meanwhile."""
        self._until_s = None


def until(now: float) -> float:
    """Unix s until which hours are over at Unix s ``now``."""
    return (now - ENDED_S) // HOUR_S * HOUR_S
