"""What can go wrong, drawn once.

    AutoscalerError
    ├── TransientError    may pass by itself; carries when to try again
    └── PermanentError    will not; the message names the thing, the value and what is allowed

Edges raise them (``from`` the library's own error); one place a program catches them. The command
line turns either into one line and exit code 2, the API into problem details, the loop into "this
service falls back to KPA".
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
