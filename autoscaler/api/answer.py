"""What the bodies of all answers have in common."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class ApiAnswer(BaseModel):
    """A body that the API returns."""

    model_config = ConfigDict(frozen=True)
    example: ClassVar[dict[str, Any]]
