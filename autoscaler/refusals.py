"""What exceeded a limit: raised as an error, counted, and logged once a minute for each limit."""

from collections import Counter
from collections.abc import Callable

from autoscaler.errors import PermanentError
from autoscaler.limits import Limit
from autoscaler.logs import get_logger

LOG_INTERVAL_S = 60.0  # s between two log lines about the same limit

Refuse = Callable[[Limit, str], None]  # called with the exceeded limit and the peer or object

log = get_logger(__name__)


def ignore(limit: Limit, who: str) -> None:
    """A `Refuse` that counts nothing."""


class LimitError(PermanentError):
    """An input exceeded a limit; whoever catches it counts the refusal."""

    def __init__(self, limit: Limit, who: str = "it") -> None:
        super().__init__(
            f"{who} has more than {limit.most:.10g} {limit.unit}; allowed: up to those"
        )
        self.limit = limit


class Refusals:
    """Counts refusals by limit; one instance a process."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()  # by the limit's name
        self._logged_s: dict[str, float] = {}  # when each was logged last

    def count(self, limit: Limit, who: str, now: float, n: int = 1) -> None:
        """Count ``n`` refusals, and log one line unless this limit had one in the last minute.

        who: a peer or an object, for people. now: s of any monotonic clock.
        """
        self.counts[limit.name] += n
        logged_s = self._logged_s.get(limit.name)
        if logged_s is None or now - logged_s >= LOG_INTERVAL_S:
            self._logged_s[limit.name] = now
            log.warning(
                "refused",
                who=who,
                more_than=str(limit),
                limit=limit.name,
                so_far=self.counts[limit.name],
                why=limit.why,
            )
