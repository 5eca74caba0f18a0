"""What a worker of the cluster is handed: a call, and what code the learner that makes it runs.

Forecasts are equal to the bit, whoever makes them, as long as it is the same code. Scheduler and
workers import this module, so both run where the learner is installed.
"""

import pickle
import platform
import zlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from autoscaler.errors import PermanentError

OURS = ("autoscaler", "learner")
LIBRARIES = ("joblib", "numpy", "scipy", "xgboost-cpu")


class OtherCodeError(PermanentError):
    """A worker does not run what the learner does."""


@lru_cache(maxsize=1)
def code_here() -> str:
    """Which sources and libraries this process runs."""
    root, total = Path(__file__).parents[2], 0
    for package in OURS:
        for path in sorted((root / package).rglob("*.py")):
            total = zlib.crc32(path.read_bytes(), total)
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return ", ".join([f"kn-ahead {total:08x}", f"Python {platform.python_version()}", *libraries])


def packed(function: object, *arguments: object, **named: object) -> bytes:
    """A call for `run`. Scheduler and workers pass it on as it is."""
    return pickle.dumps((function, arguments, named), protocol=pickle.HIGHEST_PROTOCOL)


def run(code: str, call: bytes) -> object:
    """Do what was `packed`. Raises OtherCodeError."""
    if code != code_here():
        raise OtherCodeError(f"a worker runs {code_here()}; allowed: the learner's {code}")
    function, arguments, named = pickle.loads(call)  # noqa: S301  # from our own learner
    return function(*arguments, **named)
