"""Parses Go's text forms of values in Knative's ConfigMaps and annotations.

A text that is too long is refused before it is parsed, which could take minutes.
"""

import math
import re

from autoscaler.limits import ANNOTATION_LENGTH

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
LARGEST = 2**31 - 1  # what Kubernetes can count
LARGEST_FRACTION = 10.0  # so that 20, which may mean 20%, is refused
LONGEST_S = (2**63 - 1) // 10**9  # of a Go duration
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def duration_s(text: str) -> float:
    """Seconds of a Go duration such as 1m30s. Raises ValueError."""
    body = _short(text).removeprefix("+")
    if body == "0":
        return 0.0
    parts = _PART.findall(body)
    if not parts or "".join(n + u for n, u in parts) != body:
        raise ValueError(f"{text!r} is no duration; allowed: such as 30s, 1m30s, 1h")
    value = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if value > LONGEST_S:
        raise ValueError(f"{text!r} is too long; allowed: up to {LONGEST_S} s")
    return value


def integer(text: str) -> int:
    """A whole number of 32 bits. Raises ValueError."""
    if not _INTEGER.fullmatch(_short(text)) or not -LARGEST - 1 <= int(text) <= LARGEST:
        raise ValueError(f"{text!r} is no count; allowed: whole numbers up to {LARGEST}")
    return int(text)


def number(text: str) -> float:
    """A finite number. Raises ValueError."""
    if not _NUMBER.fullmatch(_short(text)) or not math.isfinite(float(text)):
        raise ValueError(f"{text!r} is no number; allowed: such as 70 or 0.7")
    return float(text)


def fraction(text: str) -> float:
    """A part of something: 0.2, or 20%. Raises ValueError."""
    body = _short(text)
    try:
        value = number(body.removesuffix("%").rstrip()) / (100 if body.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LARGEST_FRACTION:
        raise ValueError(f"{text!r} is no part; allowed: such as 20% or 0.2, up to 1000%")
    return value


def boolean(text: str) -> bool:
    """A Go boolean. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{_short(text)!r} is no boolean; allowed: true, false")


def _short(text: str) -> str:
    if len(text) > ANNOTATION_LENGTH.most:
        raise ValueError(
            f"{text[:20]!r}... has {len(text)} characters; allowed: {ANNOTATION_LENGTH.most:g}"
        )
    return text
