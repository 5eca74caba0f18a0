"""The controller's command line: ``kn-ahead controller``, or ``python -m knative.controller``.

It imports nothing that the controller does not need: after a crash it has to listen within two
seconds.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from autoscaler.clock import SystemClock
from autoscaler.errors import AutoscalerError
from autoscaler.logs import add_options, get_logger, set_up
from knative.client.api import Api
from knative.controller.runtime.breaker import Breaker
from knative.controller.runtime.process import CLEAN, Process
from knative.controller.runtime.settings import ControllerSettings
from knative.statistics.peers import ReporterPolicy
from knative.statistics.port.descriptors import make_room

MISUSED = 2  # exit code for wrong options or surroundings

log = get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the controller until SIGTERM; returns the exit code."""
    options = command_line().parse_args(argv)
    set_up(options.log_level, options.log_format)
    for noisy in ("websockets", "websockets.server", "websockets.client"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # they log every probe
    try:
        for folder in (options.advice, options.snapshots, options.state):
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_run(options))
    except (AutoscalerError, OSError) as error:
        print(f"kn-ahead controller: {error}", file=sys.stderr)
        return MISUSED


async def _run(options: argparse.Namespace) -> int:
    clock = SystemClock()
    breaker = Breaker(options.state / "starts") if options.state else None
    plain = options.plain or bool(breaker and breaker.start(clock.now()))
    if plain:
        log.error("starting with Knative's rule alone, without advice or annotations of ours")
    settings = ControllerSettings(
        namespace=options.namespace,
        host=options.host,
        port=options.port,
        statistics_from=ReporterPolicy(options.statistics_from),
        advice=options.advice,
        snapshots=options.snapshots,
        record=options.record,
        cluster_domain=options.cluster_domain,
        pod_name=options.pod_name,
        pod_ip=options.pod_ip,
    )
    api = await Api.connect()
    try:
        process = Process(api, settings, clock, plain=plain, scrapes=make_room())
        code = await process.run()
    finally:
        await api.close()
    if breaker and code == CLEAN:
        breaker.end()
    return code


class _Parser(argparse.ArgumentParser):
    """Reports misuse in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with a message."""
        self.exit(MISUSED, f"{self.prog}: {message}\n")


def command_line() -> argparse.ArgumentParser:
    """The options of the command."""
    env = os.environ.get
    parser = _Parser(
        prog="kn-ahead controller",
        description="Scale Knative's revisions, in the place of its own autoscaler. Without an "
        "advisor beside it, it is Knative's rule, to the digit.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    add("--port", type=_port, default=8080, help="where activators dial and the kubelet probes")
    add(
        "--statistics-from",
        choices=[policy.value for policy in ReporterPolicy],
        default=ReporterPolicy.AUTO.value,
        help="who may report: auto = activators, once one was seen by its own address",
    )
    add("--advice", type=Path, help="folder in which the advisor puts advice")
    add("--snapshots", type=Path, help="folder for what the advisor shows")
    add("--state", type=Path, help="folder in which starts are counted, for the crash-loop breaker")
    add("--record", type=Path, help="file for all events and instructions, to be replayed")
    add("--plain", action="store_true", help="Knative's rule alone, whatever is advised")
    add("--namespace", default=env("SYSTEM_NAMESPACE", "knative-serving"), help="of Knative")
    add("--cluster-domain", default=env("CLUSTER_DOMAIN", "cluster.local"), help="of Services")
    add("--pod-name", default=env("POD_NAME", ""), help="of our pod, by which leases name us")
    add("--pod-ip", default=env("POD_IP", ""), help="of our pod, where followers pass frames on")
    add_options(parser)
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed: 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
