"""The errors of this project.

    AutoscalerError
    ├── TransientError    may pass by itself; says when to try again
    └── PermanentError    will not; the message names the thing, the value and what is allowed

Code that calls libraries raises them ``from`` the library's error, and they are caught in one place
of each process: the command line prints one line and exits with 2, the API answers problem details,
the loops report a fault and go on.
"""


class AutoscalerError(Exception):
    """The root: everything this project raises on purpose."""


class TransientError(AutoscalerError):
    """May pass by itself: try again after ``retry_after_s``."""

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PermanentError(AutoscalerError):
    """Will not pass by itself: something has to be changed first."""
