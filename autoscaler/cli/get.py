"""`kn-ahead get`: objects of a running autoscaler as a table, JSON, YAML or names."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from autoscaler.cli.objects import print_objects
from autoscaler.cli.options import Output
from autoscaler.cli.resources import Found, Resource, Selection
from autoscaler.cli.rest import RestApi
from autoscaler.cli.table import Column, View, print_table, sorted_by
from autoscaler.clock import Clock


def get(api: RestApi, resource: Resource, selection: Selection, view: View, clock: Clock) -> None:
    """Print what there is of a resource.

    Raises PermanentError for a name or a column that there is not, or without an answer.
    """
    columns = _columns(resource, view, datetime.fromtimestamp(clock.now(), UTC))
    if view.sort_by:
        sorted_by((), columns, view.sort_by)  # a wrong name is told before anything is asked
    found = resource.find(api, selection)
    if view.output in (Output.JSON, Output.YAML):
        one = resource.one_a_name and len(selection.names) == len(found.objects) == 1
        print_objects(found.objects[0] if one else found.objects, view.output)
    elif not found.rows:
        where = f" in namespace {selection.namespace}" if selection.namespace else ""
        typer.echo(f"No {resource.name} found{where}.", err=True)
    elif view.output is Output.NAME:
        typer.echo("\n".join(found.names))
    else:
        _print_rows(found, columns, selection, view)


def _columns(resource: Resource, view: View, now: datetime) -> Sequence[Column[Any]]:
    wide = view.output is Output.WIDE
    return [column for column in resource.columns(now) if wide or not column.wide]


def _print_rows(
    found: Found, columns: Sequence[Column[Any]], selection: Selection, view: View
) -> None:
    rows = sorted_by(found.rows, columns, view.sort_by) if view.sort_by else found.rows
    shown = [c for c in columns if not (selection.namespace and c.name == "namespace")]
    print_table(rows, shown, headers=view.headers)
