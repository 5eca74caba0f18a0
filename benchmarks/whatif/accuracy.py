"""How far a what-if is off by what counted the requests, as `sources` has measured it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEASURED = Path(__file__).with_name("sources.json")
COMMAND = "python -m benchmarks.whatif.sources"
AGAIN = "(drawn again)"  # no source: a replay of the same requests, by another seed
SMALL = 0.005  # of a figure: as good as none


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Figures of a what-if over those of a replay of the same requests, less one."""

    cold_now: float  # requests under Knative
    cold_ahead: float  # under kn-ahead
    pods_now: float  # pod-hours
    pods_ahead: float

    def said(self) -> str:
        """The greater error of both policies.

        >>> Accuracy(cold_now=-0.02, cold_ahead=0.2, pods_now=0.001, pods_ahead=-0.002).said()
        '+20% of cold requests and less than 1% of pod-hours'
        """
        cold = max(self.cold_now, self.cold_ahead, key=abs)
        pods = max(self.pods_now, self.pods_ahead, key=abs)
        return f"{_off(cold)} of cold requests and {_off(pods)} of pod-hours"


@cache
def measured() -> dict[str, Accuracy]:
    """By source, as `--source` names it; "" = a query of the user's own. And of `AGAIN`."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    return {name: Accuracy(**errors) for name, errors in found["sources"].items()}


def accuracy_of(source: str) -> str:
    """In words."""
    found = measured().get(source)
    if found is None:
        return f"How far figures from this source are off is not measured ({COMMAND})."
    return (
        f"Figures from this source were off by up to {found.said()} on made requests, of which all"
        f" is known; by {measured()[AGAIN].said()} where the seconds at which they came were drawn"
        f" again ({COMMAND})."
    )


def _off(error: float) -> str:
    return f"{error:+.0%}" if abs(error) >= SMALL else "less than 1%"
