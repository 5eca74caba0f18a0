"""Prometheus's text format, version 0.0.4, from arrays.

A page of 10,000 revisions has half a million lines, and an object for each would take ten times as
long. So labels are text, reused until rows change, and a family is made in one pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from autoscaler.core.types import BoolArray

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["gauge", "counter", "histogram", "summary"]
Values = np.ndarray[Any, np.dtype[Any]]

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def head(name: str, kind: Kind, about: str) -> str:
    """The first two lines of a family."""
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n"


def pairs(**labels: str) -> str:
    """Labels without their braces, as ``a="x",b="y"``."""
    return ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items())


def braced(labels: str) -> str:
    """Labels with braces, as they follow a metric's name."""
    return f"{{{labels}}}" if labels else ""


def family(
    name: str, kind: Kind, about: str, labels: Sequence[str], values: Values, known: BoolArray
) -> str:
    """A family with a sample for each row that is known and has a finite value.

    labels: (n,) with braces. values: (n,) numbers or booleans. known: (n,).
    """
    if values.dtype == np.bool_:
        values = values.astype(np.int64)
    rows = np.flatnonzero(known & np.isfinite(values))
    samples = zip(rows.tolist(), values[rows].tolist(), strict=True)
    return head(name, kind, about) + "".join(
        [f"{name}{labels[row]} {value}\n" for row, value in samples]
    )


def labelled(name: str, kind: Kind, about: str, label: str, values: Mapping[str, float]) -> str:
    """A family with a sample for each value of one label."""
    lines = (f"{name}{{{pairs(**{label: what})}}} {value}\n" for what, value in values.items())
    return head(name, kind, about) + "".join(lines)


def single(name: str, kind: Kind, about: str, value: float) -> str:
    """A family of one sample without labels."""
    return f"{head(name, kind, about)}{name} {value}\n"


def histogram(name: str, labels: str, below: Iterable[tuple[str, float]], total: float) -> str:
    """The lines of one histogram. labels: without braces. below: counts up to each bound."""
    begin = labels and f"{labels},"
    counts = [(bound, count) for bound, count in below]
    lines = [f'{name}_bucket{{{begin}le="{bound}"}} {count}\n' for bound, count in counts]
    rest = braced(labels)
    many = counts[-1][1] if counts else 0
    return "".join([*lines, f"{name}_sum{rest} {total}\n", f"{name}_count{rest} {many}\n"])
