"""The pages that a person looks at: what is decided now, and the documentation of the API.

They are made here, whole, and load nothing from elsewhere: a cluster may have no way out.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autoscaler.api import readings
from autoscaler.board import Board
from autoscaler.clock import Clock

PAGE = 50  # services
REFRESH_S = 10

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def router(app: FastAPI, board: Board, clock: Clock) -> APIRouter:
    """The pages of an app."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @pages.get("/")
    async def overview(offset: Annotated[int, Query(ge=0)] = 0) -> str:
        """What is decided now, a line a revision."""
        page = readings.services(board, limit=PAGE, offset=offset)
        names = board.services[offset : offset + PAGE]
        return _TEMPLATES.get_template("overview.html.j2").render(
            page=page,
            rows=list(zip(page.services, [_decisions(board, name) for name in names], strict=True)),
            state=board.readiness(clock.now()),
            refresh_s=REFRESH_S,
        )

    @pages.get("/docs")
    async def documentation() -> str:
        """Every path with its parameters and an example of every answer."""
        schema = app.openapi()
        return _TEMPLATES.get_template("docs.html.j2").render(
            info=schema["info"],
            operations=list(_operations(schema)),
            shapes=[_shape(name, body) for name, body in schema["components"]["schemas"].items()],
        )

    return pages


def _decisions(board: Board, name: str) -> list[Any]:
    return [readings.decision(decided) for decided in board.decided(name)]


def _operations(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield {
                "path": path,
                "method": method.upper(),
                "about": operation["description"],
                "parameters": operation.get("parameters", []),
                "answers": list(_answers(operation)),
            }


def _answers(operation: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for status, response in sorted(operation["responses"].items()):
        for media_type, content in response["content"].items():
            example = content["example"]
            text = example if isinstance(example, str) else json.dumps(example, indent=2)
            yield {
                "status": status,
                "about": response["description"],
                "media_type": media_type,
                "text": text,
            }


def _shape(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        field: (_type(spec), spec.get("description", ""))
        for field, spec in body["properties"].items()
    }
    return {"name": name, "about": body.get("description", ""), "fields": fields}


def _type(spec: Mapping[str, Any]) -> str:
    """A JSON schema's type in a word or two."""
    if "$ref" in spec:
        return str(spec["$ref"]).rpartition("/")[2]
    if "anyOf" in spec:
        return " or ".join(_type(one) for one in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'])}"
    if "enum" in spec:
        return " | ".join(map(str, spec["enum"]))
    return str(spec.get("format") or spec.get("const") or spec.get("type", "any"))
