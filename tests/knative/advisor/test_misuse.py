"""An advisor that is called wrongly says so in one line."""

import socket

import pytest

from tests.autoscaler.advisor.scene import Scene
from tests.knative.advisor.advising import FREE
from tests.programs import NO_CLUSTER, kn_ahead, running


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--authorize"], "--authorize needs a cluster to ask; allowed: without it"),
        (["--key=/none"], "the key /none cannot be read: No such file or directory"),
        (["--tls-cert=/none"], "/none and its key cannot be used: "),
        (["--host=192.0.2.1"], "192.0.2.1:0 cannot be listened on: .*; allowed: a free port"),
        (["--api-port=65536"], "'--api-port': '65536'; allowed: whole numbers 0 to 65535"),
        (["--memory=much"], "'--memory': 'much'; allowed: whole numbers >= 0"),
        (["--bundles=x"], "No such option: --bundles"),
    ],
)
def test_misuse_ends_with_one_line_that_names_value_and_what_is_allowed(
    scene: Scene, options: list[str], said: str
) -> None:
    with running(*kn_ahead("advisor", *scene.folders, *FREE, *options), **NO_CLUSTER) as it:
        assert it.ends() == 2
        (line,) = [line for line in it.lines if "WARNING" not in line]
        it.says(f"(?m)^kn-ahead: .*{said}")
        assert line.startswith("kn-ahead: ")


def test_a_port_that_is_taken_is_named(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = kn_ahead("advisor", *scene.folders, *FREE, f"--api-port={port}")
        with running(*command, **NO_CLUSTER) as it:
            assert it.ends() == 2
            it.says(f"kn-ahead: 127.0.0.1:{port} cannot be listened on: .*; allowed: a free port")
