"""Archives: the files that are wanted come out, and nothing else ever does."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bionn.errors import FormatError
from bionn.formats import archives
from bionn.formats.archives import SUFFIXES, extract, unpack_gzip
from tests.support.refusals import refused

CONTENT = b"ACGT\n" * 100
WANTED = {"a.fa": len(CONTENT)}
MODES = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz", ".tar": "w"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where files come to lie; beside it nothing may change."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    """An archive of entries; those that are files hold ``CONTENT``."""
    with tarfile.open(path, MODES["".join(path.suffixes)]) as opened:
        for member in members:
            if member.isreg():
                member.size = len(CONTENT)
            opened.addfile(member, io.BytesIO(CONTENT) if member.isreg() else None)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_of(path: Path, *names: str, mode: int = stat.S_IFREG | 0o644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, CONTENT)
    return path


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", ["a.fa", "./a.fa", "repo-1f2e/data/set/a.fa"])
def test_a_wanted_file_comes_out_of_any_folder(
    suffix: str, place: str, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / f"set{suffix}"
    if suffix == ".zip":
        zip_of(path, "other.txt", place)
    else:
        tar_of(path, entry("other.txt"), entry("repo", tarfile.DIRTYPE), entry(place))
    assert extract(path, WANTED, folder) == {"a.fa"}
    assert everything(folder) == {"a.fa"}
    assert (folder / "a.fa").read_bytes() == CONTENT


def test_a_file_of_the_name_and_another_size_is_another_file(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("old/a.fa", b"x")
        opened.writestr("new/a.fa", CONTENT)
    assert extract(path, WANTED, folder) == {"a.fa"}
    assert (folder / "a.fa").read_bytes() == CONTENT
    assert extract(path, {"b.fa": 3}, folder) == set()


HOSTILE = ["/etc/a.fa", "../a.fa", "x/../../a.fa", "..\\a.fa", "C:\\a.fa", "C:/a.fa", "x/../a.fa"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_a_name_that_leads_out_is_refused_with_the_archive(
    name: str, suffix: str, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / f"set{suffix}"
    if suffix == ".zip":
        zip_of(path, name, "a.fa")
    else:
        tar_of(path, entry(name), entry("a.fa"))
    with refused(path, "do not use this archive", kind=FormatError):
        extract(path, WANTED, folder)
    assert everything(tmp_path) == {path.name, "out"}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_are_never_made(kind: bytes, tmp_path: Path, folder: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    path = tar_of(tmp_path / "set.tar", entry("a.fa", kind, str(secret)), entry("a.fa"))
    with refused("as a link or a device", kind=FormatError):
        extract(path, WANTED, folder)
    folder_link = tar_of(
        tmp_path / "two.tar", entry("x", kind, str(tmp_path)), entry("x/secret"), entry("x/a.fa")
    )
    assert extract(folder_link, WANTED, folder) == {"a.fa"}
    assert everything(folder) == {"a.fa"}
    assert not (folder / "a.fa").is_symlink()
    assert secret.read_text() == "kept"


def test_links_in_zip_archives_are_not_made(tmp_path: Path, folder: Path) -> None:
    path = zip_of(tmp_path / "set.zip", "a.fa", mode=stat.S_IFLNK | 0o777)
    with refused("as a link or a device", kind=FormatError):
        extract(path, WANTED, folder)
    assert everything(folder) == set()


def bomb_in_tar(path: Path) -> None:
    """Zeros before the wanted file; a thousandth when packed."""
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as opened:
        zeros = entry("zeros")
        zeros.size = 1 << 22
        opened.addfile(zeros, io.BytesIO(bytes(zeros.size)))
        wanted = entry("a.fa")
        wanted.size = len(CONTENT)
        opened.addfile(wanted, io.BytesIO(CONTENT))


def bomb_in_a_header(path: Path) -> None:
    """A name of megabytes."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as opened:
        opened.addfile(entry("x" * (1 << 22)))


@pytest.mark.parametrize("make", [bomb_in_tar, bomb_in_a_header])
def test_a_bomb_is_put_out(
    make: Callable[[Path], None], tmp_path: Path, folder: Path, monkeypatch
) -> None:
    monkeypatch.setattr(archives, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "set.tar.gz"
    make(path)
    with refused("more than 1048576 bytes unpacked", kind=FormatError):
        extract(path, WANTED, folder)
    assert everything(folder) == set()


def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_said(
    tmp_path: Path, folder: Path
) -> None:
    """The size in its directory is the wanted one, the member is larger."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.fa", bytes(1 << 22))
    raw = path.read_bytes()
    path.write_bytes(
        raw.replace((1 << 22).to_bytes(4, "little"), WANTED["a.fa"].to_bytes(4, "little"))
    )
    with pytest.raises(FormatError):
        extract(path, WANTED, folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= WANTED["a.fa"]


def test_too_many_members_are_refused(tmp_path: Path, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    path = tar_of(tmp_path / "set.tar", *(entry(f"{n}") for n in range(4)))
    with refused("more than 3 members", kind=FormatError):
        extract(path, WANTED, folder)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"not an archive", b"PK\x03\x04", b"\x1f\x8b\x08", b"\0" * 100]
)
def test_what_is_no_archive_is_refused_or_empty(
    suffix: str, content: bytes, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / f"set{suffix}"
    path.write_bytes(content)
    with suppress(FormatError):
        assert extract(path, WANTED, folder) == set()
    assert everything(folder) == set()


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz", ".tar"])
def test_a_truncated_archive_gives_whole_files_or_an_error(
    suffix: str, tmp_path: Path, folder: Path
) -> None:
    whole = tmp_path / f"whole{suffix}"
    zip_of(whole, "a.fa") if suffix == ".zip" else tar_of(whole, entry("a.fa"))
    raw = whole.read_bytes()
    for end in range(0, len(raw), max(1, len(raw) // 60)):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(raw[:end])
        try:
            found = extract(path, WANTED, folder)
        except FormatError:
            found = set()
        if found:
            assert (folder / "a.fa").read_bytes() == CONTENT
        (folder / "a.fa").unlink(missing_ok=True)


def test_an_encrypted_member_is_refused(tmp_path: Path, folder: Path) -> None:
    path = zip_of(tmp_path / "set.zip", "a.fa")
    raw = bytearray(path.read_bytes())
    raw[6] |= 1  # the flag in the member's header
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(raw)
    with refused("damaged archive", "encrypted", kind=FormatError):
        extract(path, WANTED, folder)


def test_gzip_is_unpacked_no_further_than_a_byte_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(1 << 24)))
    file = io.BytesIO()
    unpack_gzip(path, file, 100)
    assert len(file.getvalue()) == 101
    path.write_bytes(gzip.compress(CONTENT)[:-9])
    with refused(path, "damaged gzip file", kind=FormatError):
        unpack_gzip(path, io.BytesIO(), len(CONTENT))
