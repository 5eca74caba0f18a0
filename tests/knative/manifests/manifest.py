"""The manifests as objects, and their command lines as the real parsers read them."""

from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

import knative
from autoscaler.cli.main import app
from autoscaler.limits import MIB
from knative.controller.__main__ import command_line

Object = dict[str, Any]
FOLDER = Path(knative.__file__).parent / "manifests"
OBJECTS: list[Object] = list(yaml.safe_load_all((FOLDER / "kn-ahead.yaml").read_text()))
LEARNER: list[Object] = list(yaml.safe_load_all((FOLDER / "learner.yaml").read_text()))
READ = {"get", "list", "watch"}
CONTROLLER, ADVISOR = "kn-ahead", "kn-ahead-advisor"  # ServiceAccounts
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
UNITS = {"Mi": MIB, "Gi": 1024 * MIB}


def find(kind: str, name: str = "", objects: list[Object] = OBJECTS) -> Object:
    (found,) = (
        o for o in objects if o["kind"] == kind and (not name or o["metadata"]["name"] == name)
    )
    return found


def pod(objects: list[Object] = OBJECTS) -> Object:
    return dict(find("Deployment", objects=objects)["spec"]["template"]["spec"])


def container(name: str) -> Object:
    objects = LEARNER if name == "learner" else OBJECTS
    (found,) = (c for c in pod(objects)["containers"] if c["name"] == name)
    return dict(found)


CONTAINERS = ["autoscaler", "advisor", "learner"]


def verbs(kind: str, name: str) -> dict[str, set[str]]:
    """What a role may do, by "group/resource", and by "group/resource/name" where it is named."""
    found: dict[str, set[str]] = {}
    for rule in find(kind, name)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for own in rule.get("resourceNames", [""]):
                    key = f"{group}/{resource}" + (f"/{own}" if own else "")
                    found.setdefault(key, set()).update(rule["verbs"])
    return found


def bytes_of(text: str) -> float:
    return float(text[:-2]) * UNITS[text[-2:]]


def volumes(name: str) -> dict[str, Object]:
    """What a container mounts, by path: the volume, and whether it may only read."""
    by_name = {v["name"]: v for v in pod()["volumes"]}
    mounts = container(name)["volumeMounts"]
    return {m["mountPath"]: by_name[m["name"]] | {"ro": m.get("readOnly", False)} for m in mounts}


def parsed(name: str) -> dict[str, Any]:
    """What the real parser makes of a container's command line; misuse raises."""
    command, *args = container(name)["args"]
    if command == "controller":
        return vars(command_line().parse_args(args))
    commands = get_command(app).commands  # type: ignore[attr-defined]
    return dict(commands[command].make_context(command, args).params)
