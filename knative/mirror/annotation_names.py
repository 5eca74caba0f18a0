"""The annotations that are read, and the one name under which each is stored.

Most of Knative's have two spellings; a newer one and those of kn-ahead have one.
Source: knative/serving pkg/apis/autoscaling/register.go.
"""

from collections.abc import Mapping

from autoscaler.annotations import (
    COLD_PRICE,
    DOWNSTREAM_NAMESPACES,
    EXTRA_ALLOWANCE,
    MAX_COLD_RATE,
    MAX_EXTRA,
    MODE,
    UPSTREAMS,
)
from autoscaler.limits import ANNOTATION_CHARS, ANNOTATION_LENGTH, Limit

PREFIX = "autoscaling.knative.dev/"
CLASS = f"{PREFIX}class"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"

_KNATIVES = (
    "class",
    "initial-scale",
    "max-scale",
    "metric",
    "metric-aggregation-algorithm",
    "min-scale",
    "panic-threshold-percentage",
    "panic-window-percentage",
    "scale-down-delay",
    "scale-to-zero-pod-retention-period",
    "target",
    "target-burst-capacity",
    "target-utilization-percentage",
    "window",
)
_OF_NAMES = (UPSTREAMS, DOWNSTREAM_NAMESPACES)
_OURS = (MODE, COLD_PRICE, MAX_COLD_RATE, MAX_EXTRA, EXTRA_ALLOWANCE, *_OF_NAMES)
_ONE_SPELLING = (f"{PREFIX}activation-scale", PROGRESS_DEADLINE, *_OURS)


def _camel_case(key: str) -> str:
    head, *rest = key.split("-")
    return head + "".join(word.capitalize() for word in rest)


NAME_OF: Mapping[str, str] = (
    {PREFIX + key: PREFIX + key for key in _KNATIVES}
    | {PREFIX + _camel_case(key): PREFIX + key for key in _KNATIVES if "-" in key}
    | {key: key for key in _ONE_SPELLING}
)
"""From each spelling to the name."""


def limit_of(name: str) -> Limit:
    """The limit of its value's length."""
    return ANNOTATION_CHARS if name in _OF_NAMES else ANNOTATION_LENGTH
