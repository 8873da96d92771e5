"""Checkpoint files: read back as they were, refused when a bit is off, the newest whole one found."""

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch

from bionn.errors import InputError, InputWarning, StorageError
from bionn.training import checkpoints
from bionn.training.checkpoints import (
    LAST,
    NEXT,
    PREVIOUS,
    clear,
    is_whole,
    keep,
    newest,
    read_checkpoint,
    write_checkpoint,
)


def content(number: int) -> dict:
    return {"weights": torch.full((40,), number), "nested": [1, (2.5, None), {"a": "text"}]}


def save(folder: Path, number: int) -> None:
    write_checkpoint(content(number), folder / NEXT)
    keep(folder)


def number_in(path: Path | None) -> int:
    assert path is not None
    return int(read_checkpoint(path)["weights"][0])


def test_what_is_written_is_read_back_by_us_and_by_torch(tmp_path: Path) -> None:
    write_checkpoint(content(3), tmp_path / "folder" / "a.ckpt")
    for read in (read_checkpoint, lambda path: torch.load(path, weights_only=True)):
        found = read(tmp_path / "folder" / "a.ckpt")
        assert torch.equal(found["weights"], content(3)["weights"])
        assert found["nested"] == content(3)["nested"]


def test_any_flipped_bit_and_any_missing_end_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(content(0), path)
    raw = path.read_bytes()
    assert is_whole(path)
    for place in range(0, len(raw), 7):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :])
        assert not is_whole(path), place
        path.write_bytes(raw[:place])
        assert not is_whole(path), place


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path, number)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, PREVIOUS}
    assert (number_in(tmp_path / LAST), number_in(tmp_path / PREVIOUS)) == (4, 3)
    assert newest(tmp_path) == tmp_path / LAST


def test_a_process_that_ends_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    write_checkpoint(content(3), tmp_path / NEXT)
    assert number_in(newest(tmp_path)) == 3
    (tmp_path / LAST).replace(tmp_path / PREVIOUS)
    assert number_in(newest(tmp_path)) == 3


@pytest.mark.parametrize("harm", ["torn", "flipped", "empty"])
def test_a_damaged_one_is_passed_over_with_a_warning(harm: str, tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    raw = (tmp_path / LAST).read_bytes()
    damaged = {"torn": raw[:-100], "flipped": raw[:200] + b"\xff" + raw[201:], "empty": b""}
    (tmp_path / LAST).write_bytes(damaged[harm])
    with pytest.warns(InputWarning, match=r"last.ckpt: damaged, passed over; .* previous.ckpt"):
        assert number_in(newest(tmp_path)) == 1


def test_without_a_whole_one_there_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path / "absent") is None
    (tmp_path / LAST).write_bytes(b"something")
    with pytest.warns(InputWarning, match="damaged"):
        assert newest(tmp_path) is None


def test_a_damaged_one_that_is_named_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(content(0), path)
    raw = path.read_bytes()
    path.write_bytes(raw[:300] + bytes([raw[300] ^ 4]) + raw[301:])
    with pytest.raises(InputError, match=r"a.ckpt: damaged: its sha256"):
        read_checkpoint(path)


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_not_run(way: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "a.ckpt", tmp_path / "trace"
    if way == "torch":
        torch.save({"weights": Hostile(trace)}, path)
    else:
        path.write_bytes(pickle.dumps({"weights": Hostile(trace)}))
    with pytest.raises(InputError, match="a checkpoint of bionn fit needed"):
        read_checkpoint(path)
    assert not trace.exists()


def test_a_full_disk_leaves_the_last_one(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path, 1)

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bionn.formats.output.sync", full)
    with pytest.raises(StorageError, match=r"next.ckpt: cannot be written \(No space left"):
        write_checkpoint(content(2), tmp_path / NEXT)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert number_in(newest(tmp_path)) == 1


def test_what_was_half_written_is_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / f".{checkpoints.NEXT}.abc").write_bytes(b"half")
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
