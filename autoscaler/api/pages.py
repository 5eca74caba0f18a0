"""The pages that a person looks at: what is decided now, and the documentation of the API.

They are made here, whole, and load nothing from elsewhere: a cluster may have no way out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse

from autoscaler.api import readings
from autoscaler.api.dependencies import in_order
from autoscaler.api.words import TEMPLATES
from autoscaler.board import Board
from autoscaler.clock import Clock
from autoscaler.graph_picture import svg

PAGE = 50  # services
REFRESH_S = 10
MOST_DRAWN = 100  # dependencies: more than that is no picture beside a table


def router(app: FastAPI, board: Board, clock: Clock) -> APIRouter:
    """The pages of an app."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @pages.get("/")
    async def overview(offset: Annotated[int, Query(ge=0)] = 0) -> str:
        """What is decided now, a line a revision."""
        page = readings.services(board, limit=PAGE, offset=offset)
        names = board.services[offset : offset + PAGE]
        return TEMPLATES.get_template("overview.html.j2").render(
            page=page,
            rows=list(zip(page.services, [_decisions(board, name) for name in names], strict=True)),
            state=board.readiness(clock.now()),
            pulls=_pulls(board, names),
            refresh_s=REFRESH_S,
        )

    @pages.get("/docs")
    async def documentation() -> str:
        """Every path with its parameters and an example of every answer."""
        schema = app.openapi()
        return TEMPLATES.get_template("docs.html.j2").render(
            info=schema["info"],
            operations=list(_operations(schema)),
            shapes=[_shape(name, body) for name, body in schema["components"]["schemas"].items()],
        )

    return pages


def _pulls(board: Board, names: Sequence[str]) -> dict[str, Any]:
    """What leads to a page's services or from them: who is called by whom, and the picture."""
    edges = board.edges
    here = np.isin(np.array(edges.services, dtype=np.str_), names)
    edges = in_order(edges.where(here[edges.upstream] | here[edges.downstream]))
    rows: dict[str, tuple[list[str], list[str]]] = {name: ([], []) for name in names}
    ends = zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True)
    for up, down in ((edges.services[u], edges.services[d]) for u, d in ends):
        if down in rows:
            rows[down][0].append(up)
        if up in rows:
            rows[up][1].append(down)
    return {
        "known": len(board.edges),
        "rows": {name: row for name, row in rows.items() if any(row)},
        "picture": svg(edges) if 0 < len(edges) <= MOST_DRAWN else "",
    }


def _decisions(board: Board, name: str) -> list[Any]:
    return [readings.decision(decided) for decided in board.decided(name)]


def _operations(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield {
                "path": path,
                "method": method.upper(),
                "about": operation["description"],
                "parameters": [_parameter(p) for p in operation.get("parameters", [])],
                "answers": list(_answers(operation)),
            }


def _parameter(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What may be left out is "one of these or null" in a schema; people want to know of which."""
    schema = spec["schema"]
    return {**spec, "schema": {**schema.get("anyOf", [{}])[0], **schema}}


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
