"""What tests of several folders here use, by one name."""

from tests.knative.api_server import Call, FakeApi
from tests.knative.fast_loop import run_fast
from tests.knative.objects import (
    KPA,
    LONG_AGO,
    NAMESPACE,
    NOW_S,
    a_condition,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
    path_of,
)

__all__ = [
    "KPA",
    "LONG_AGO",
    "NAMESPACE",
    "NOW_S",
    "Call",
    "FakeApi",
    "a_condition",
    "a_deployment",
    "a_pod",
    "a_podautoscaler",
    "a_serverlessservice",
    "an_old_status",
    "path_of",
    "run_fast",
]
