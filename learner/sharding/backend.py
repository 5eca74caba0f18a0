"""Where the learner's tasks run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from learner.sharding.shard import Answer, Asked


class Backend(Protocol):
    """Runs tasks; what they give does not depend on where that is."""

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """`answer` to each. Raises AutoscalerError where there is nobody to answer."""
        ...

    def fitting(self) -> AbstractContextManager[object]:
        """Within it joblib's calls of this thread run there, and raise likewise."""
        ...
