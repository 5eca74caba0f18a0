"""What a pod costs, by what it requests and prices that somebody wrote down."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError

NAMES = ("cpu_hour", "gib_hour", "currency")
LONGEST_BYTES, LONGEST_CURRENCY = 2**16, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Of what pods request."""

    cpu_hour: float  # of a core, for an hour
    gib_hour: float  # of a GiB of memory, for an hour
    currency: str
    example: bool = False  # whether they are ours, for want of others

    def pod_hour(self, cpu: FloatArray, memory_gib: FloatArray) -> FloatArray:
        """(n,) of a pod, for an hour. cpu: cores. NaN where it is not known what it requests."""
        return cpu * self.cpu_hour + memory_gib * self.gib_hour

    def said(self) -> str:
        """In words."""
        pods = "Example prices (set your own with --prices FILE): pods" if self.example else "Pods"
        return (
            f"{pods} cost {self.cpu_hour:g} {self.currency} an hour for each core that they"
            f" request, and {self.gib_hour:g} for each GiB"
        )


# About what clouds ask for containers without a commitment; round, as nobody pays just that.
EXAMPLE = Prices(cpu_hour=0.04, gib_hour=0.005, currency="USD", example=True)


def read_prices(path: Path) -> Prices:
    """Read a TOML file of `NAMES`. Raises PermanentError."""
    try:
        text = path.read_bytes()[: LONGEST_BYTES + 1]
        if len(text) > LONGEST_BYTES:
            raise PermanentError(
                f"{path} is larger than {LONGEST_BYTES} bytes; allowed: a few lines"
            )
        given = tomllib.loads(text.decode())
    except OSError as error:
        raise PermanentError(f"prices {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PermanentError(f"prices {path} is no TOML: {error}") from error
    for name in given:
        if name not in NAMES:
            raise PermanentError(f"prices {path} has {name!r}; allowed: {', '.join(NAMES)}")
    currency = given.get("currency", "")
    if not (isinstance(currency, str) and 0 < len(currency.strip()) <= LONGEST_CURRENCY):
        raise PermanentError(
            f'prices {path}: currency is {currency!r}; allowed: such as "EUR", up to'
            f" {LONGEST_CURRENCY} characters"
        )
    return Prices(
        cpu_hour=_price(path, given, "cpu_hour"),
        gib_hour=_price(path, given, "gib_hour"),
        currency=currency.strip(),
    )


def _price(path: Path, given: dict[str, object], name: str) -> float:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        shown = "missing" if value is None else repr(value)
        raise PermanentError(f"prices {path}: {name} is {shown}; allowed: a number >= 0")
    return float(value)
