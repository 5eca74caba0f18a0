"""Labels of a frame's rows, as text; made once until revisions are added or removed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from autoscaler.advisor.frame import Frame
from autoscaler.api.metrics.text import braced, pairs
from autoscaler.core.types import BoolArray, IntArray
from autoscaler.exchange.snapshot import Named


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels of the n revisions and k services of a frame; rows without a name have none."""

    made_from: Any  # the frame's mapping of names
    named: BoolArray  # (n,)
    revision: list[str]  # (n,) of kn_ahead_*, without braces
    knative_revision: list[str]  # (n,) Knative's, with braces
    named_service: BoolArray  # (k,)
    service: list[str]  # (k,) of kn_ahead_*, without braces
    group: IntArray  # (k,) index into `knative_service`; -1 = none
    knative_service: list[str]  # (g,) Knative's, without braces; services may share one

    @classmethod
    def of(cls, frame: Frame) -> "Labels":
        """Labels of all rows."""
        assert frame.snapshot is not None
        n, k = len(frame.snapshot.revision), len(frame.snapshot.service)
        named, revision, knative = np.zeros(n, np.bool_), [""] * n, [""] * n
        for row, name in frame.named.items():
            named[row] = True
            revision[row] = _labels(name.service, revision=name.revision.partition("/")[2])
            knative[row] = braced(_knative_labels(name, revision=True))
        service, group = [""] * k, np.full(k, -1)
        groups: dict[str, int] = {}
        for key, row in frame.services.items():
            service[row] = _labels(key)
            of_knative = _knative_labels(frame.named[frame.revisions[key][0]])
            group[row] = groups.setdefault(of_knative, len(groups))
        return cls(
            made_from=frame.named,
            named=named,
            revision=revision,
            knative_revision=knative,
            named_service=group >= 0,
            service=service,
            group=group,
            knative_service=list(groups),
        )


def _labels(service: str, **more: str) -> str:
    namespace, _, name = service.partition("/")
    return pairs(namespace=namespace, **more, service=name)


def _knative_labels(name: Named, *, revision: bool = False) -> str:
    namespace, _, revision_name = name.revision.partition("/")
    more = {"kn_revision_name": revision_name} if revision else {}
    return pairs(
        k8s_namespace_name=namespace,
        kn_configuration_name=name.configuration,
        **more,
        kn_service_name=name.labelled_service,
    )
