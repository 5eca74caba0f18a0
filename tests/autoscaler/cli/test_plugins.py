"""`kubectl ahead` and `kn ahead`: both find an executable on the PATH by its name."""

import shutil
import stat
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.programs import running

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH that begins with the console scripts as an installer writes them."""
    for name, entry in PROJECT["scripts"].items():
        module, function = entry.split(":")
        assert callable(getattr(import_module(module), function))
        script = tmp_path / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
            f"sys.exit({function}())\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"{tmp_path}:/usr/bin:/bin"


@pytest.mark.parametrize(("program", "host"), [("kn-ahead", "kn"), ("kubectl-ahead", "kubectl")])
def test_a_program_of_the_name_is_found_and_asks_as_the_other(
    path: str, url: str, program: str, host: str
) -> None:
    found, installed = shutil.which(program, path=path), shutil.which(host)
    assert found
    commands = [[found], *([[installed, "ahead"]] if installed else [])]
    for command in commands:
        words = (*command, "get", "services", "-n", "shop", "-o", "name")
        with running(*words, PATH=path, KN_AHEAD_URL=url) as it:
            assert it.ends() == 0, it.said
        assert it.lines == ["shop/browse", "shop/cart"]


def test_help_names_the_command_as_it_was_called(path: str) -> None:
    for program, called in (("kn-ahead", "kn-ahead"), ("kubectl-ahead", "kubectl ahead")):
        with running(str(shutil.which(program, path=path)), "get", "--help") as it:
            assert it.ends() == 0
        assert f"Usage: {called} get " in it.said
