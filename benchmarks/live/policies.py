"""Policies that are compared: Knative's rule, and kn-ahead at a price, by annotations."""

import re
from dataclasses import dataclass

from autoscaler.annotations import COLD_PRICE, MODE
from autoscaler.errors import PermanentError

KNATIVE = "off"
DEFAULT = (KNATIVE, "outward@600s", "full@20s", "full@60s", "full@200s", "full@600s")
_PRICED = re.compile(r"(outward|full)@([1-9]\d{0,5})s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What scales a copy of a service."""

    name: str  # "off" is Knative's rule; "full@60s" is a mode and a price
    mode: str
    price_s: float | None = None  # s of idle pod that a cold request is worth; None = no forecast

    @property
    def annotations(self) -> dict[str, str]:
        """Of the revision's template."""
        priced = {} if self.price_s is None else {COLD_PRICE: f"{self.price_s:g}s"}
        return {MODE: self.mode} | priced

    @property
    def label(self) -> str:
        """Its name, as a part of a service's name."""
        return self.name.replace("@", "-")


def policy_of(text: str) -> Policy:
    """Read a policy. Raises PermanentError.

    >>> policy_of("full@60s").annotations
    {'kn-ahead.dev/mode': 'full', 'kn-ahead.dev/cold-price': '60s'}
    """
    if text == KNATIVE:
        return Policy(name=text, mode=text)
    if not (found := _PRICED.fullmatch(text)):
        raise PermanentError(
            f"policy {text!r} is not known; allowed: {KNATIVE} (Knative's rule), or outward or full"
            " at a price, such as full@60s"
        )
    return Policy(name=text, mode=found[1], price_s=float(found[2]))


def policies_of(texts: tuple[str, ...]) -> tuple[Policy, ...]:
    """Read policies, Knative's rule first, as all are compared with it. Raises PermanentError."""
    return tuple(policy_of(text) for text in dict.fromkeys((KNATIVE, *texts)))
