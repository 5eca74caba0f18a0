"""The shelf: what was published, to whoever does not have it yet."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from learner.shelf import NAME, serve_in_background


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "own-name.npz"


@pytest.fixture
def shelf(bundle: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve_in_background(bundle, "127.0.0.1", port)
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True


def test_there_is_nothing_until_something_was_published(shelf: str) -> None:
    assert requests.get(f"{shelf}/healthz", timeout=5).status_code == 200
    assert requests.get(f"{shelf}/{NAME}", timeout=5).status_code == 404


def test_a_bundle_is_sent_once_and_again_when_it_is_another(shelf: str, bundle: Path) -> None:
    bundle.write_bytes(b"first")
    answer = requests.get(f"{shelf}/{NAME}", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"first")
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = requests.get(f"{shelf}/{NAME}", headers=tag, timeout=5)
    assert (again.status_code, again.content) == (304, b"")

    draft = bundle.with_name("draft")
    draft.write_bytes(b"other")  # as long as the first
    draft.replace(bundle)
    answer = requests.get(f"{shelf}/{NAME}", headers=tag, timeout=5)
    assert (answer.status_code, answer.content) == (200, b"other")


@pytest.mark.parametrize("path", ["/", "/secret", "/%2e%2e/secret", "/own-name.npz"])
def test_nothing_else_of_the_folder_is_served(shelf: str, bundle: Path, path: str) -> None:
    bundle.with_name("secret").write_text("secret")
    assert requests.get(f"{shelf}{path}", timeout=5).status_code == 404
