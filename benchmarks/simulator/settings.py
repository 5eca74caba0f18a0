"""Settings of services: one value for all of them, or an array with one for each.

`Spec` holds either. What changes a setting by array operations, such as ``np.maximum(min_scale,
1)``, does so for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar

import numpy as np

from autoscaler.core.state.revision import Revision, Spec
from autoscaler.core.types import IntArray

Value = TypeVar("Value")
Settings: TypeAlias = Spec[Any, Any, Any]  # scalars, or (n_services,) arrays
NAMES = tuple(field.name for field in fields(Spec))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """How services are set, and how their pods behave."""

    revision: Settings  # lead_s and drain_s are those that its pods take
    concurrency: int | IntArray  # requests in flight that one pod takes at most; 0 = no limit

    @classmethod
    def of(cls, revisions: Sequence[Revision], concurrency: Sequence[int]) -> "Configured":
        """Of services one by one."""
        columns = {name: np.array([getattr(each, name) for each in revisions]) for name in NAMES}
        return cls(revision=Spec(**columns), concurrency=np.array(concurrency, dtype=np.int64))


def rows(settings: Settings, n: int) -> list[Revision]:
    """The settings of n services one by one."""
    columns = [np.broadcast_to(getattr(settings, name), n).tolist() for name in NAMES]
    return [Spec(**dict(zip(NAMES, row, strict=True))) for row in zip(*columns, strict=True)]


def only(settings: Settings, services: IntArray) -> Settings:
    """Those of some services."""
    return Spec(**{name: value_of(getattr(settings, name), services) for name in NAMES})


def value_of(value: Value, services: IntArray) -> Value:
    """Of some services: a part of an array, or the one value that holds for all."""
    own: Any = value  # an array, or a scalar of any kind
    part: Value = own[services] if np.ndim(own) else own
    return part
