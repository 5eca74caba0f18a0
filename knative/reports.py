"""What is told to operators: which part ails, and what is wanted of each revision and why."""

from collections.abc import Callable
from functools import partial

from autoscaler.board import Change
from autoscaler.clock import Clock
from autoscaler.faults import FORECASTS
from knative.api import Api
from knative.events import Events, Note, Regarding, note_of
from knative.seat import Seat


class Reports:
    """Faults go to the board; changes, and the end and return of forecasts, become Events too."""

    def __init__(self, api: Api, seat: Seat, clock: Clock, own: Regarding | None) -> None:
        """own: the pod that we run in; None = in none, and nothing is told of us by Events.

        Our pod and no ConfigMap or Deployment: `kubectl describe` finds Events by the uid, which a
        pod knows of itself, and the Event names the replica of us that has no forecasts.
        """
        self._seat, self._clock, self._own = seat, clock, own
        self.events = Events(api, clock, self.part("events"))
        seat.board.events = self.events.outcomes
        seat.board.on_change = self._tell_change

    def part(self, name: str) -> Callable[[str], None]:
        """Whom a part tells why it ails; "" = it is well, as it is at first."""
        self.say(name, "")
        return partial(self.say, name)

    def say(self, part: str, why: str) -> None:
        """A part ails; "" = it is well."""
        turned = self._seat.board.faults.say(part, why, self._clock.now())
        if turned and part == FORECASTS and self._own:
            note = (
                Note(about=self._own, reason="ForecastsGone", message=why, warning=True)
                if why
                else Note(about=self._own, reason="ForecastsBack", message="Forecasts are in force")
            )
            self.events.tell(note)

    def _tell_change(self, change: Change) -> None:
        pa = self._seat.podautoscaler(change.revision)
        note = note_of(change, pa) if pa else None
        if note:
            self.events.tell(note)
