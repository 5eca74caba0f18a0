"""statsmodels, which some rivals are defined by; only they need it."""

from importlib import import_module
from typing import Any

from autoscaler.errors import PermanentError


def statsmodels(part: str) -> Any:
    """A module of it, such as ``tsa.arima.model``. Raises PermanentError where it is missing."""
    try:
        return import_module(f"statsmodels.{part}")
    except ImportError as error:
        raise PermanentError(
            f"statsmodels.{part} is missing: {error}; install kn-ahead[bench], or statsmodels"
        ) from error
