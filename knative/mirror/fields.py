"""Reads fields of objects that others wrote, within bounds.

Equal texts are stored once (interned): namespaces, names, times and reasons repeat in many objects.
"""

import sys
from datetime import UTC, datetime

from autoscaler.limits import NAME_BYTES

LONGEST_TEXT = 1024  # characters of a text for people; longer ones are cut
LARGEST = 2**63 - 1  # what Kubernetes can count


def text(value: object) -> str:
    """A text for people; "" = there is none."""
    return sys.intern(value[:LONGEST_TEXT]) if isinstance(value, str) else ""


def name(value: object) -> str:
    """A name; "" = there is none, or it is too long."""
    if not isinstance(value, str) or len(value) > NAME_BYTES.most:
        return ""
    return sys.intern(value)


def whole(value: object) -> int:
    """A whole number; 0 where it is missing. Raises ValueError."""
    if value is None:
        return 0
    if not isinstance(value, int) or abs(value) > LARGEST:
        raise ValueError(f"{str(value)[:40]!r} is no count; allowed: whole numbers of 64 bits")
    return value


def unix(value: str | None) -> float | None:
    """Unix s of a Kubernetes time. Raises ValueError."""
    if not value:
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except OverflowError as error:
        raise ValueError(f"{value!r} is no time that can be") from error


def kubernetes_time(now: float) -> str:
    """A Kubernetes time of Unix s ``now``: whole seconds, UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
