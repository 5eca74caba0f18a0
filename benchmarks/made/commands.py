"""The command that writes a made workload."""

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import COUNT, one_line_errors

app = typer.Typer()


@app.command()
def made(
    name: Annotated[str, typer.Argument(help="A family; without it, all are listed.")] = "",
    output: Annotated[Path | None, typer.Argument(help="Where the npz goes.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed makes the same bytes.", parser=COUNT)
    ] = 0,
    services: Annotated[int, typer.Option(help="How many.", parser=COUNT)] = 100,
    graphs: Annotated[
        Path | None,
        typer.Option(help="Recorded call graphs that fan_outs follow, .jsonl.gz; else drawn ones."),
    ] = None,
    days: Annotated[int, typer.Option(help="How long.", parser=COUNT)] = 14,
) -> None:
    """Write a made workload whose law is known, as an npz that --trace reads."""
    from benchmarks.made.families import FAMILIES, make
    from benchmarks.traces.call_graphs import read_graphs

    with one_line_errors():
        if not name:
            for family, law in FAMILIES.items():
                typer.echo(f"{family:12} {(law.__doc__ or '').splitlines()[0]}")
            return
        shapes = read_graphs(graphs) if graphs else None
        traffic = make(name, services=services, days=days, seed=seed, graphs=shapes)
        path = output or Path(f"{name}-{seed}.npz")
        traffic.write(path)
        requests = len(traffic.requests.arrival_s)
        typer.echo(f"{path.resolve()}: {len(traffic.services)} services, {requests:,} requests")
