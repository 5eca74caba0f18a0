"""Connects by a kubeconfig, to the context that somebody names, as kubectl does."""

import os
from pathlib import Path

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import list_kube_config_contexts, load_kube_config

from autoscaler.errors import PermanentError
from knative.client.api import Api

DEFAULT = "~/.kube/config"
MOST_NAMED = 10  # contexts in a message


async def connect(context: str, kubeconfig: Path | None = None) -> tuple[Api, str]:
    """A connection, by which nothing is asked yet, and the name of its context.

    context: "" = the current one. kubeconfig: by default that of KUBECONFIG, or of the home folder.
    Raises PermanentError.
    """
    files = _files(kubeconfig)
    settings = Configuration()
    try:
        contexts, current = list_kube_config_contexts(files)  # type: ignore[no-untyped-call]
        names = sorted(str(each["name"]) for each in contexts)
        asked = context or str(current["name"])
        if asked in names:
            await load_kube_config(  # type: ignore[no-untyped-call]
                files, context=asked, client_configuration=settings, persist_config=False
            )
    except Exception as error:  # a kubeconfig can be wrong in any way
        what = " ".join((str(error) or repr(error)).split())
        raise PermanentError(f"kubeconfig {files} cannot be used: {what}") from error
    if asked not in names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise PermanentError(
            f"context {asked!r} is not in {files};"
            f" allowed: {', '.join(names[:MOST_NAMED]) or 'none, it has no context'}{more}"
        )
    return Api(settings), asked


def _files(kubeconfig: Path | None) -> str:
    """Paths, one of which is there. Raises PermanentError."""
    files = str(kubeconfig or os.environ.get("KUBECONFIG") or Path(DEFAULT).expanduser())
    if not any(Path(file).is_file() for file in files.split(os.pathsep) if file):
        raise PermanentError(
            f"kubeconfig {files} is missing; allowed: a file by --kubeconfig or KUBECONFIG"
        )
    return files
