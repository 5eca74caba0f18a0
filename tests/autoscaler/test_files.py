from pathlib import Path

import pytest

from autoscaler.errors import PermanentError
from autoscaler.files import whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "page.html") as file:
        file.write(b"half")
        assert "page.html" not in names(tmp_path)
        file.write(b" and half")
    assert names(tmp_path) == ["page.html"]
    assert (tmp_path / "page.html").read_bytes() == b"half and half"


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with whole_file(tmp_path / "page.html") as file:
        file.write(b"new")
        assert (tmp_path / "page.html").read_text() == "old"
    assert (tmp_path / "page.html").read_text() == "new"


def test_nothing_is_left_of_a_file_whose_writing_failed(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(TypeError), whole_file(tmp_path / "page.html") as file:
        file.writelines([b"new", None])  # type: ignore[list-item]
    assert names(tmp_path) == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"


@pytest.mark.parametrize("name", ["missing/page.html", "a-file/page.html", "a-folder"])
def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(PermanentError) as raised, whole_file(tmp_path / name) as file:
        file.write(b"new")
    assert str(raised.value).startswith(f"{tmp_path / name} cannot be written: ")
    assert "allowed: a file name in a folder" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == ["a-file", "a-folder"]


def test_two_who_write_at_once_both_write_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with whole_file(path) as one, whole_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert names(tmp_path) == ["page.html"]
    assert path.read_text() == "one"
