"""Objects of the API as JSON or YAML."""

import json
from typing import Any

import typer
import yaml

from autoscaler.cli.options import Output


def print_objects(objects: Any, output: Output) -> None:
    """Print them as they came."""
    if output is Output.JSON:
        typer.echo(json.dumps(objects, indent=4))
    else:
        typer.echo(yaml.safe_dump(objects, sort_keys=False).rstrip())
