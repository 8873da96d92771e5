"""Data sets come whole and checked into their folder, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bionn.cli.main import main
from bionn.data import registry as room
from bionn.data.obtain import obtain
from bionn.data.registry import DataSet, File, data_folder, data_set, registry
from tests.support.refusals import refused
from tests.support.server import body, redirect, serving

CONTENTS = {"a.fa": b">x\nACGT\n", "b.tsv": b"id\tlabel\nx\t1\n" * 50}
ENTRY = DataSet(
    name="made_up",
    title="",
    kind="public",
    task=("binary",),
    licence="CC0-1.0",
    licence_note=None,
    repository="https://github.com/someone/something",
    commit="0123abc",
    files=tuple(
        File(name, len(raw), hashlib.sha256(raw).hexdigest(), f"deep/{name}")
        for name, raw in CONTENTS.items()
    ),
)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


WHOLE = {f"made_up/{name}": raw for name, raw in CONTENTS.items()}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    (folder / "made_up").mkdir(parents=True)
    for name, raw in CONTENTS.items():
        (folder / "made_up" / name).write_bytes(raw)
    return folder


def rearrange(mirror: Path, layout: str) -> None:
    """The mirror's files in another of the layouts that are understood."""
    files = mirror / "made_up"
    if layout == "clone":
        files.rename(mirror / "deep")
    elif layout == "flat":
        for path in list(files.iterdir()):
            path.rename(mirror / path.name)
    elif layout == "gz":
        for path in list(files.iterdir()):
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    elif layout == "zip":
        with zipfile.ZipFile(mirror / "made_up.zip", "w") as opened:
            for path in files.iterdir():
                opened.write(path, f"something-0123abc/deep/{path.name}")
        shutil.rmtree(files)
    elif layout == "part":
        with tarfile.open(mirror / "made_up.tar.gz", "w:gz") as opened:
            opened.add(files / "b.tsv", "made_up/b.tsv")
        (files / "b.tsv").unlink()


@pytest.mark.parametrize("layout", ["plain", "clone", "flat", "gz", "zip", "part"])
def test_a_mirror_may_be_laid_out_in_several_ways(
    layout: str, mirror: Path, tmp_path: Path
) -> None:
    rearrange(mirror, layout)
    done = obtain(ENTRY, tmp_path / "new" / "data", mirror=str(mirror))
    assert set(done.new) == set(CONTENTS)
    assert tree(tmp_path / "new" / "data") == WHOLE
    assert done.folder == tmp_path / "new" / "data" / "made_up"
    assert os.access(done.folder, os.R_OK | os.X_OK)
    assert obtain(ENTRY, tmp_path / "new" / "data", mirror="nowhere").new == ()


def test_a_mirror_may_be_an_address(mirror: Path, tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body((mirror / request.path.lstrip("/")).read_bytes())(request)

    with serving(answer) as address:
        obtain(ENTRY, tmp_path / "data", mirror=address)
    assert tree(tmp_path / "data") == WHOLE


def test_the_source_is_github_at_the_commit(tmp_path: Path, monkeypatch) -> None:
    asked = []

    def download(url: str, file, *, size: int) -> None:
        asked.append(url)
        file.write(CONTENTS[url.rpartition("/")[2]])

    monkeypatch.setattr("bionn.data.obtain.download", download)
    obtain(ENTRY, tmp_path)
    base = "https://raw.githubusercontent.com/someone/something/0123abc/deep/"
    assert asked == [f"{base}a.fa", f"{base}b.tsv"]
    assert tree(tmp_path) == WHOLE


def damage(mirror: Path, how: str) -> None:
    path = mirror / "made_up" / "b.tsv"
    raw = path.read_bytes()
    if how == "changed":
        path.write_bytes(raw.replace(b"1", b"2", 1))
    elif how == "short":
        path.write_bytes(raw[:-1])
    elif how == "long":
        path.write_bytes(raw + b"\n")
    elif how == "absent":
        path.unlink()
    elif how == "bomb":
        path.unlink()
        Path(f"{path}.gz").write_bytes(gzip.compress(bytes(1 << 24)))
    elif how == "device":
        path.unlink()
        os.mkfifo(path)


@pytest.mark.parametrize("how", ["changed", "short", "long", "absent", "bomb", "device"])
def test_nothing_appears_if_one_file_is_not_as_it_should_be(
    how: str, mirror: Path, tmp_path: Path
) -> None:
    damage(mirror, how)
    with refused("b.tsv"):
        obtain(ENTRY, tmp_path / "data", mirror=str(mirror))
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        body(b"x" * len(CONTENTS["a.fa"])),
        body(CONTENTS["a.fa"][:-1], told=len(CONTENTS["a.fa"])),
        body(b"", code=404),
        redirect("file:///etc/hostname"),
    ],
    ids=["other", "short", "404", "redirect"],
)
def test_nothing_appears_after_a_download_that_went_wrong(answer, tmp_path: Path) -> None:
    with serving(answer) as address, refused():
        obtain(ENTRY, tmp_path / "data", mirror=address)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_hostile_archive_leaves_nothing(mirror: Path, tmp_path: Path) -> None:
    shutil.rmtree(mirror / "made_up")
    with zipfile.ZipFile(mirror / "made_up.zip", "w") as opened:
        for name, raw in CONTENTS.items():
            opened.writestr(f"x/{name}", raw)
        opened.writestr("../../evil", b"x")
    with refused("made_up.zip", "do not use this archive"):
        obtain(ENTRY, tmp_path / "data", mirror=str(mirror))
    assert not list(tmp_path.rglob("evil"))
    assert list((tmp_path / "data").iterdir()) == []


def test_what_is_missing_is_added_and_what_is_other_is_kept(mirror: Path, tmp_path: Path) -> None:
    target = tmp_path / "data" / "made_up"
    target.mkdir(parents=True)
    (target / "a.fa").write_bytes(CONTENTS["a.fa"])
    (target / "mine.txt").write_text("mine")
    assert obtain(ENTRY, tmp_path / "data", mirror=str(mirror)).new == ("b.tsv",)
    assert tree(target) == CONTENTS | {"mine.txt": b"mine"}
    (target / "a.fa").write_text("edited")
    with refused(target / "a.fa", "another one found", "--overwrite"):
        obtain(ENTRY, tmp_path / "data", mirror=str(mirror))
    assert (target / "a.fa").read_text() == "edited"
    obtain(ENTRY, tmp_path / "data", mirror=str(mirror), overwrite=True)
    assert tree(target) == CONTENTS | {"mine.txt": b"mine"}


def test_a_file_without_a_known_place_is_told_with_a_way(tmp_path: Path) -> None:
    with refused("splice.data: its place in https://github.com/drusk", "e862a92", "--from"):
        obtain(data_set("splice"), tmp_path)


def test_simulated_sets_come_with_the_source(tmp_path: Path, monkeypatch) -> None:
    entry = data_set("promoters_simulated")
    obtain(entry, tmp_path)
    assert entry.is_in(tmp_path / "promoters_simulated")
    monkeypatch.setattr(room, "_SHIPPED", tmp_path / "nowhere")
    with refused("promoters_simulated: shipped with the source"):
        obtain(entry, tmp_path / "other")


def test_every_name_of_the_registry_is_a_plain_file_name_and_every_size_is_bounded() -> None:
    for entry in registry().values():
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names)
        for name in [entry.name, *names]:
            assert Path(name).name == name
            assert not name.startswith(".")
        assert all(0 < file.size < 1 << 26 for file in entry.files)
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in entry.files)


def test_the_folder_is_the_one_named_or_the_users(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIONN_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("BIONN_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_folder() == tmp_path / "xdg" / "bionn"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".local" / "share" / "bionn"


def test_public_sets_come_out_of_the_public_folder(public: Path, tmp_path: Path) -> None:
    for name in ("splice", "gue_prom_core"):
        obtain(data_set(name), tmp_path, mirror=str(public))
        assert data_set(name).is_in(tmp_path / name)


def test_a_disk_that_cannot_be_written_is_named(tmp_path: Path, mirror: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused("cannot be written", "BIONN_DATA"):
        obtain(ENTRY, tmp_path / "file", mirror=str(mirror))


def test_the_command_gets_and_lists(tmp_path: Path, monkeypatch, capsys) -> None:
    import json

    monkeypatch.setenv("BIONN_DATA", str(tmp_path))
    assert main(["data", "get", "regulation_simulated"]) == 0
    assert "2 files, checked" in capsys.readouterr().out
    assert main(["data", "get", "regulation_simulated"]) == 0
    assert "already" in capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(registry())
    assert rows["regulation_simulated"]["folder"] == str(tmp_path / "regulation_simulated")
    assert rows["splice"]["folder"] is None
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in registry())
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "list or get needed; see bionn data --help"),
        (["gte"], "'gte' found (did you mean 'get'?)"),
        (
            ["get", "splise"],
            "no such data set: 'splise' (did you mean 'splice'?); see bionn data list",
        ),
        (["get", "../x"], "no such data set: '../x'"),
        (["get", "splice", "--form", "x"], "no such option: --form"),
        (["get"], "NAME"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], says: str, capsys) -> None:
    assert main(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
