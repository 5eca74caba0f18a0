"""HTML pages: the present decisions, each service, and the documentation of the API.

They load no external resource: a cluster may have no access to the Internet.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Query, Response

from autoscaler.advisor.read_model import MOST_CHANGES, Readiness, ReadModel
from autoscaler.api import readings
from autoscaler.api.answers import MODES
from autoscaler.api.bodies import body
from autoscaler.api.dependencies import Listing, listing
from autoscaler.api.graph.picture import svg
from autoscaler.api.history import picture
from autoscaler.api.history import readings as history
from autoscaler.api.ledger.answers import ServiceLedgerAnswer
from autoscaler.api.ledger.readings import DAYS, Period, sentences, service_ledger, version
from autoscaler.api.rendering import Renderer
from autoscaler.api.routes import Namespace, ServiceName, known
from autoscaler.api.words import TEMPLATES
from autoscaler.clock import Clock
from autoscaler.core.state.decision import Reason
from autoscaler.core.types import IntArray
from autoscaler.errors import PermanentError

PAGE = 50  # services
REFRESH_S = 10
MOST_DRAWN = 100  # dependencies in the picture beside the table
SPANS = (180, 60, 20)  # minutes of a service's past to choose from
HTML = "text/html"

Minutes = Annotated[int, Query(ge=min(SPANS), le=max(SPANS))]


def _nothing() -> str:
    """No notice."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What surrounds the decisions."""

    notice: Callable[[], str] = _nothing
    """HTML above the decisions."""

    refresh_s: float = REFRESH_S
    """From one renewal of a page to the next, s."""


def router(
    app: FastAPI, model: ReadModel, clock: Clock, renderer: Renderer, front: Front
) -> APIRouter:
    """The pages of an app."""
    pages = APIRouter(include_in_schema=False)

    @pages.get("/")
    async def overview(offset: Annotated[int, Query(ge=0)] = 0) -> Response:
        """What is decided now, a line a revision."""
        names = model.services[offset : offset + PAGE]
        edges = await listing(model, renderer)
        # Cached apart from the page, which changes with every tick: drawing takes longest.
        graph = await renderer.page(
            ("graph", offset), (edges.known, names), lambda: _graph(edges, names)
        )
        around = _Around(state=model.readiness(clock.now()), graph=graph, front=front)
        now, ledger = clock.now(), model.ledger
        saved = await renderer.page("saved", version(ledger, now), lambda: sentences(ledger, now))
        page = await renderer.page(
            ("overview", offset),
            (model.version, around.state, around.notice, *saved),
            lambda: _overview(model, offset, saved, around),
        )
        return body(page, HTML)

    @pages.get("/services/{namespace}/{service}")
    async def service(
        namespace: Namespace, service: ServiceName, minutes: Minutes = SPANS[0]
    ) -> Response:
        """All of one service: decisions, forecast, changes, dependencies."""
        name, now = known(model, namespace, service), clock.now()
        edges = await listing(model, renderer)
        graph = await renderer.page(("graph of", name), edges.known, lambda: _graph(edges, (name,)))
        ledger, period = model.ledger, Period.calendar(DAYS, now)
        saved = await renderer.page(
            ("saved by", name),
            version(ledger, now),
            lambda: service_ledger(ledger, period, name, "day"),
        )
        around = _Around(state=model.readiness(now), graph=graph, front=front)
        page = await renderer.page(
            ("service", name, minutes),
            (model.version, around.state, version(ledger, now)),
            lambda: _service(model, name, now, minutes, saved, around),
        )
        return body(page, HTML)

    @pages.get("/docs")
    async def documentation() -> Response:
        """Every path with its parameters and an example of every answer."""
        return body(await renderer.page("docs", "", lambda: _documentation(app)), HTML)

    return pages


class _Around:
    """What pages have besides their own content."""

    def __init__(self, *, state: Readiness, graph: Mapping[str, Any], front: Front) -> None:
        self.state, self.graph = state, graph
        self.notice, self.refresh_s = front.notice(), front.refresh_s


def _overview(model: ReadModel, offset: int, saved: Sequence[str], around: _Around) -> bytes:
    page = readings.services(model, limit=PAGE, offset=offset)
    names = [f"{one.namespace}/{one.service}" for one in page.services]
    decisions = [[readings.decision(state) for state in model.revisions(name)] for name in names]
    text = TEMPLATES.get_template("overview.html.j2").render(
        page=page,
        rows=list(zip(page.services, decisions, strict=True)),
        saved=[*saved, *readings.withdrawn(model)],
        bill=readings.cluster_bill(model),
        **vars(around),
    )
    return text.encode()


def _service(
    model: ReadModel,
    name: str,
    now: float,
    minutes: int,
    saved: ServiceLedgerAnswer,
    around: _Around,
) -> bytes:
    changes = history.numbered(model, name)
    chart = history.chart(model, name, changes, now=now, span_s=60.0 * minutes)
    text = TEMPLATES.get_template("service.html.j2").render(
        name=name,
        namespace=name.partition("/")[0],
        service=name.partition("/")[2],
        modes=MODES,
        saved=saved,
        withdrawn=readings.withdrawal(model, name),
        decided=[(readings.decision(one), readings.unit(one)) for one in model.revisions(name)],
        promise=readings.promise(model, name),
        bills=[one for one in (readings.bill(model, name), readings.cluster_bill(model)) if one],
        bounded=any(np.isfinite(one.max_extra) for one in model.revisions(name)),
        changes=changes,
        chart=chart,
        most_changes=MOST_CHANGES,
        minutes=minutes,
        spans=SPANS,
        pictures=[
            (kind, picture.draw(chart, width))
            for kind, width in (("broad", picture.WIDE), ("narrow", picture.NARROW))
        ],
        billed=model.changed.get((name, Reason.BILL), 0),
        forecast=readings.forecast(model, name, now=now),
        **vars(around),
    )
    return text.encode()


def _graph(edges: Listing, names: Sequence[str]) -> dict[str, Any]:
    """Edges to and from a page's services, by service, and their picture."""
    known = edges.known.edges
    near = edges.around(names)
    rows: dict[str, tuple[list[str], list[str], list[str]]] = {n: ([], [], []) for n in names}
    ends = zip(known.upstream[near].tolist(), known.downstream[near].tolist(), strict=True)
    for (u, d), together in zip(ends, edges.together[near].tolist(), strict=True):
        up, down = known.services[u], known.services[d]
        if down in rows:
            rows[down][2 if together else 0].append(up)
        if up in rows:
            rows[up][2 if together else 1].append(down)
    return {
        "known": len(edges.order),
        "rows": {name: row for name, row in rows.items() if any(row)},
        "picture": _picture(edges, near),
    }


def _picture(edges: Listing, near: IntArray) -> str:
    """Edges as SVG; "" if there are none, too many, or invalid numbers."""
    if not 0 < len(near) <= MOST_DRAWN:
        return ""
    try:
        known = edges.known.edges
        chosen = np.isin(np.arange(len(known)), near)
        return svg(known.where(known.both_ways(chosen)), edges.known.withdrawn)
    except PermanentError:
        return ""


def _documentation(app: FastAPI) -> bytes:
    schema = app.openapi()
    text = TEMPLATES.get_template("docs.html.j2").render(
        info=schema["info"],
        operations=list(_operations(schema)),
        shapes=[_shape(name, shape) for name, shape in schema["components"]["schemas"].items()],
    )
    return text.encode()


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
    """An optional parameter is "anyOf T or null" in the schema; here it is T."""
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
    """The type of a JSON schema, for people."""
    if "$ref" in spec:
        return str(spec["$ref"]).rpartition("/")[2]
    if "anyOf" in spec:
        return " or ".join(_type(one) for one in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'])}"
    if "enum" in spec:
        return " | ".join(map(str, spec["enum"]))
    return str(spec.get("format") or spec.get("const") or spec.get("type", "any"))
