"""The commands that ask a running autoscaler: get, explain, ledger, graph.

Each imports its modules when it runs, so that help and completion come at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import (
    DAYS,
    ApiCaFile,
    ApiHeaders,
    ApiTokenFile,
    Context,
    Kubeconfig,
    Output,
    Url,
    one_line_errors,
)
from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Collection

    from autoscaler.core.prediction.dependencies import Edges, Pair

app = typer.Typer()

OF_THE_API = ("url", "context", "kubeconfig", "token_file", "header", "ca_file")
KINDS = ("services", "forecasts", "decisions", "dependencies")
COLUMNS = (
    "READY, WANTED, KNATIVE, FORECAST and UPSTREAM are pods: that there are, that are wanted, and "
    "that Knative's own rule, the forecast and calls of upstreams would have. P50 to P99 are "
    "requests in flight at once in the present window; PEAK is the highest P99 ahead. -o json and "
    "yaml give the API's own objects, -o name gives namespace/service, as explain takes it."
)


LEDGER_COLUMNS = (
    "KNATIVE and AHEAD are requests that arrived while no pod was ready, under Knative's rule and "
    "under kn-ahead: one of the two was in force, the other is estimated. SAVED is the one less "
    "the other, with an interval of 95 % that does not hold how wrong the estimate may be; "
    "MORE is hours of pod of kn-ahead less those of Knative's rule. In mode shadow it is what "
    "would have been saved."
)


def _kinds(incomplete: str) -> list[str]:
    """Completions of a resource."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def _services(called: typer.Context, incomplete: str) -> list[str]:
    """Completions of a service; none where nobody answers."""
    from autoscaler.cli.resources import all_services
    from autoscaler.cli.source import connected

    given = called.params.get  # what is typed so far may lack any of them
    where = given("url") or "", given("context") or "", given("kubeconfig")
    try:
        with connected(*where, given("token_file"), given("header"), given("ca_file")) as api:
            known = list(all_services(api))
    except AutoscalerError:
        return []
    return [name for name in known if name.startswith(incomplete)]


Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Only of this one.")]
AllNamespaces = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="As without --namespace.")
]
HowPrinted = Annotated[Output, typer.Option("--output", "-o", help="How it is printed.")]
SortBy = Annotated[
    str, typer.Option(metavar="COLUMN", help="A column's head; -COLUMN: from its other end.")
]
NoHeaders = Annotated[bool, typer.Option("--no-headers", help="Rows alone.")]


@app.command(epilog=COLUMNS)
def get(
    resource: Annotated[
        str,
        typer.Argument(metavar="RESOURCE", help=f"{', '.join(KINDS)}.", autocompletion=_kinds),
    ] = "",
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="service, or namespace/service.", autocompletion=_services
        ),
    ] = None,
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    output: HowPrinted = Output.TABLE,
    sort_by: SortBy = "",
    no_headers: NoHeaders = False,
    url: Url = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    token_file: ApiTokenFile = None,
    header: ApiHeaders = None,
    ca_file: ApiCaFile = None,
) -> None:
    """List what a running autoscaler knows: services, forecasts, decisions, dependencies."""
    from autoscaler.cli.get import get as show
    from autoscaler.cli.resources import Selection, resource_named
    from autoscaler.cli.source import connected
    from autoscaler.cli.table import View
    from autoscaler.clock import SystemClock

    with one_line_errors():
        kind = resource_named(resource)
        selection = Selection(namespace="" if all_namespaces else namespace, names=names or ())
        view = View(output=output, sort_by=sort_by, headers=not no_headers)
        with connected(url, context, kubeconfig, token_file, header, ca_file) as api:
            show(api, kind, selection, view, SystemClock())


@app.command()
def explain(
    service: Annotated[
        str, typer.Argument(help="service, or namespace/service.", autocompletion=_services)
    ],
    namespace: Namespace = "",
    url: Url = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    token_file: ApiTokenFile = None,
    header: ApiHeaders = None,
    ca_file: ApiCaFile = None,
) -> None:
    """Say why a service has its pods: what competed, what is forecast, and what it depends on."""
    from autoscaler.cli.explain import explain as show
    from autoscaler.cli.resources import Selection
    from autoscaler.cli.source import connected
    from autoscaler.clock import SystemClock

    with (
        one_line_errors(),
        connected(url, context, kubeconfig, token_file, header, ca_file) as api,
    ):
        show(api, Selection(namespace=namespace, names=(service,)), SystemClock())


@app.command(epilog=LEDGER_COLUMNS)
def ledger(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE",
            help="service, or namespace/service: its days; none: all services.",
            autocompletion=_services,
        ),
    ] = "",
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    days: Annotated[int, typer.Option(help="How many, until now.", parser=DAYS)] = 7,
    output: HowPrinted = Output.TABLE,
    sort_by: SortBy = "",
    no_headers: NoHeaders = False,
    url: Url = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    token_file: ApiTokenFile = None,
    header: ApiHeaders = None,
    ca_file: ApiCaFile = None,
) -> None:
    """Say what kn-ahead saved beside Knative's rule: cold requests, and pods for them."""
    from autoscaler.cli.ledger import fleet, one_service
    from autoscaler.cli.resources import Selection
    from autoscaler.cli.source import connected
    from autoscaler.cli.table import View

    with one_line_errors():
        selection = Selection(
            namespace="" if all_namespaces else namespace, names=(service,) if service else ()
        )
        view = View(output=output, sort_by=sort_by, headers=not no_headers)
        with connected(url, context, kubeconfig, token_file, header, ca_file) as api:
            (one_service if service else fleet)(api, selection, view, days)


@app.command()
def graph(
    called: typer.Context,
    url: Url = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    token_file: ApiTokenFile = None,
    header: ApiHeaders = None,
    ca_file: ApiCaFile = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Forecasts that the learner published, instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the picture goes: a name in .svg or .html.")
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct/--all", help="Leave out what others in between explain.")
    ] = True,
    service: Annotated[
        str, typer.Option(help="namespace/service: only what leads to it or from it.")
    ] = "",
    least: Annotated[
        float, typer.Option(help="Confidence below which none is shown.", min=0.0, max=1.0)
    ] = 0.0,
) -> None:
    """Show the dependencies between services, in the terminal and as a picture."""
    from autoscaler.api.graph.picture import check_suffix
    from autoscaler.bundle.file import load_bundle
    from autoscaler.cli.graph import picture, shown
    from autoscaler.cli.graph_source import read_edges
    from autoscaler.cli.source import connected
    from autoscaler.cli.table import console

    with one_line_errors():
        named = [name for name in OF_THE_API if _is_given(called, name)]
        if bundle and named:
            option = named[0].replace("_", "-")
            raise PermanentError(f"graph got --bundle and --{option}; allowed: one of both")
        if output:
            check_suffix(output)
            check_writable(output)
        withdrawn: dict[Pair, str] = {}  # of which a bundle knows nothing
        if bundle:
            known = load_bundle(bundle).edges
        else:
            with connected(url, context, kubeconfig, token_file, header, ca_file) as api:
                known, withdrawn = read_edges(api)
        edges = shown(known, direct=direct, least=least, service=service)
        console().print(picture(edges, of=known, withdrawn=withdrawn))
        if output:
            _draw(edges, known, withdrawn, output)


def _is_given(called: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line; the environment is no contradiction."""
    source = called.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _draw(edges: "Edges", known: "Edges", withdrawn: "Collection[Pair]", output: Path) -> None:
    from autoscaler.api.graph.picture import write_picture
    from autoscaler.cli.graph import hint, summary

    if not len(edges):
        typer.echo(f"Nothing to draw: {output} is not written.")
        return
    write_picture(edges, output, about=summary(edges, of=known), withdrawn=withdrawn)
    typer.echo(f"Picture: {output.resolve()}  {hint(edges)}".rstrip())
