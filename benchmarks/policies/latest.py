"""What was worked out of a scene, kept until another scene comes: knobs need it again and again."""

from collections.abc import Callable
from typing import Generic, TypeVar

from benchmarks.policies.contender import Scene

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """A function of a scene that remembers its last answer. Copies to other processes forget it."""

    def __init__(self, function: Callable[[Scene], Value]) -> None:
        self._function = function
        self._last: tuple[Scene, Value] | None = None

    def __call__(self, scene: Scene) -> Value:
        """The function's answer."""
        last = self._last
        if last is None or last[0] is not scene:
            self._last = last = (scene, self._function(scene))
        return last[1]

    def __reduce__(self) -> tuple[type["Latest[Value]"], tuple[Callable[[Scene], Value]]]:
        return Latest, (self._function,)
