"""Files made to harm: pickles, archives, JSON, YAML. None of their code runs, each is refused in a line.

Every payload would make a file, the canary, by another way into the interpreter.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import stat
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import yaml

from bionn import artifact
from bionn.data.registry import data_set
from bionn.manifest import sealed
from bionn.models import MLP
from tests.faults.harness import DATA, Figures, finished, one_line, small_run
from tests.small_sets import prepared, sequences

CANARY = "canary"
LETTERS = list(pairwise("abcdefghijklmnopqrstuvwx"))


class Payload:
    """What calls a function when it is unpickled."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


def payloads(canary: Path) -> Iterator[tuple[str, Any]]:
    """Ways to run code from a pickle."""
    text = f"open({str(canary)!r}, 'w').close()"
    yield "os.system", Payload(os.system, f"touch {canary}")
    yield "exec", Payload(exec, text)
    yield "eval", Payload(eval, text)
    yield "open", Payload(open, str(canary), "w")
    yield "os.open", Payload(os.open, str(canary), os.O_CREAT)
    yield "nested", {"state_dict": {"w": torch.zeros(2), "x": [Payload(os.mkdir, str(canary))]}}


def test(folder: Path, *, short: bool) -> Figures:
    """Offer each file to each command that would read such a one."""
    figures = Figures()
    data = prepared("binary")
    artifact.save(folder / "model", MLP(data.encoder.input_shape, (8,), 1), data.manifest())
    sequences()[["id", "sequence", "label"]].to_csv(folder / "s.csv", index=False)
    cases = [
        *_models(folder),
        *_checkpoints(folder, short=short),
        *_inputs(folder),
        *_archives(folder),
        *_configurations(folder),
    ]
    os.environ["BIONN_DATA"] = str(folder / "data")
    for name, command in cases:
        begin = time.monotonic()
        ended = finished(command, folder)
        seconds = time.monotonic() - begin
        if os.environ.get("FAULTS_LOUD"):
            print(f"{seconds:6.1f} s  {ended.code}  {name}", file=sys.stderr, flush=True)
            print(ended.error[-1500:] if ended.code == 70 else "", file=sys.stderr, flush=True)
        figures.count("hostile artefacts tried")
        ran = (folder / CANARY).exists() or any(folder.rglob("evil*"))
        figures.count("code executed", int(ran))
        figures.check(not ran, f"{name}: code ran, or a file was made outside")
        refused = ended.code == 2 and one_line(ended)
        figures.count("refused in a line", int(refused))
        figures.check(refused, f"{name}: code {ended.code}: {ended.error[-300:]!r}")
        for path in (folder / CANARY, folder / "data"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return figures


def _predict(model: str) -> list[str]:
    return ["predict", model, "s.csv", "--out", "p.tsv"]


def _models(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Model folders whose checksums are right: the stranger knows how to make them."""
    base = json.loads((folder / "model" / artifact.MANIFEST).read_text())
    weights = (folder / "model" / artifact.WEIGHTS).read_bytes()

    def model(name: str, manifest: bytes, content: bytes = weights) -> tuple[str, list[str]]:
        place = folder / f"m_{name.replace(' ', '_')}"
        place.mkdir()
        (place / artifact.MANIFEST).write_bytes(manifest)
        (place / artifact.WEIGHTS).write_bytes(content)
        return f"model: {name}", _predict(place.name)

    def right(content: bytes = weights, **entries: Any) -> bytes:
        told = {
            "weights_sha256": hashlib.sha256(content).hexdigest(),
            "weights_bytes": len(content),
        }
        return json.dumps(sealed(base | told | entries)).encode()

    for how, payload in payloads(folder / CANARY):
        archive = io.BytesIO()
        torch.save(payload, archive)
        for kind, raw in (("pickle", pickle.dumps(payload)), ("torch", archive.getvalue())):
            yield model(f"{kind} {how} for weights", right(raw), raw)
            yield model(f"{kind} {how} for a manifest", raw)
    for path in (
        "os.system",
        "builtins.exec",
        "torch.hub.load",
        "subprocess.Popen",
        "pickle.loads",
    ):
        spec = {"class_path": path, "init_args": {"command": f"touch {folder / CANARY}"}}
        yield model(f"class {path}", right(model=spec))
    nan = json.dumps(base | {"x": float("nan")}).encode()
    steps = [{"step": "os.system", "command": f"touch {folder / CANARY}"}]
    table = {"kind": "table", "features": [], "categories": [], "width": 1, "steps": steps}
    yield model("step os.system", right(input=table))
    yield model("alphabet", right(input=base["input"] | {"alphabet": "__import__('os')"}))
    yield model("deep lists", b"[" * 1_000_000)
    yield model("deep objects", b'{"a":' * 1_000_000)
    yield model("deep but closed", b"[" * 5_000 + b"]" * 5_000)
    yield model("a huge number", b'{"format_version": ' + b"9" * 1_000_000 + b"}")
    yield model("a huge exponent", b'{"format_version": 1e999999}')
    yield model("NaN", nan)
    yield model("twice a name", b'{"format_version": 2, "format_version": 1}')
    yield model("huge layers", right(model=_mlp([10**9] * 4)))
    yield model("too many layers", right(model=_mlp([1] * 1_000_000)))
    yield model("negative layers", right(model=_mlp([-5])))
    yield model("a long sequence", right(input=base["input"] | {"length": 10**15}))
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}})
    claimed = len(header).to_bytes(8, "little") + header.encode()
    yield model("safetensors that claim terabytes", right(claimed), claimed)
    endless = (1 << 62).to_bytes(8, "little") + b"{}"
    yield model("safetensors with an endless header", right(endless), endless)


def _mlp(widths: list[int]) -> dict[str, Any]:
    arguments = {"in_features": [4, 12], "hidden_features": widths, "out_features": 1}
    return {"class_path": "bionn.models.MLP", "init_args": arguments}


def _checkpoints(folder: Path, *, short: bool) -> Iterator[tuple[str, list[str]]]:
    """Checkpoints for ``fit``, ``validate`` and ``test``, with the mark of whole ones and without."""
    config = {
        "model": {
            "class_path": "Classifier",
            "init_args": {"model": {"class_path": "bionn.models.MLP", "init_args": {}}},
        },
        "data": {"class_path": "FastaDataModule", "init_args": {"inputs": "s.csv"}},
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    }
    config["model"]["init_args"]["model"]["init_args"] = {"hidden_features": [4]}
    config["data"]["init_args"]["target"] = "label"
    (folder / "fit.yaml").write_text(yaml.safe_dump(config))
    verbs = ("fit",) if short else ("fit", "validate", "test")
    for how, payload in payloads(folder / CANARY):
        archive = io.BytesIO()
        torch.save({"state_dict": payload, "epoch": 0}, archive)
        content = archive.getvalue()[:-2]
        mark = b"sha256:" + hashlib.sha256(content).hexdigest().encode()
        marked = content + len(mark).to_bytes(2, "little") + mark
        kinds = {"torch": archive.getvalue(), "marked": marked, "pickle": pickle.dumps(payload)}
        for kind, raw in kinds.items():
            path = folder / f"{kind}_{how}.ckpt"
            path.write_bytes(raw)
            for verb in verbs:
                command = [verb, "--config", "fit.yaml", "--ckpt_path", path.name]
                yield f"checkpoint: {kind} {how} for {verb}", command


def _inputs(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Pickles under the names of data files."""
    raw = pickle.dumps(Payload(os.system, f"touch {folder / CANARY}"))
    for suffix in (
        "csv",
        "tsv",
        "parquet",
        "fasta",
        "fastq",
        "h5ad",
        "pkl",
        "npy",
        "csv.gz",
        "bed",
    ):
        path = folder / f"in.{suffix}"
        path.write_bytes(raw)
        yield f"input: pickle as {suffix}", ["predict", "model", path.name, "--out", "p.tsv"]
        yield f"run: pickle as {suffix}", ["run", path.name, "--target", "label", "--out", "r"]


def _archives(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Archives of a data set that is asked for by name, from a mirror."""
    content = (DATA / "labels.csv").read_bytes()
    names = [file.name for file in data_set("promoters_simulated").files]
    escapes = ["../evil", "/tmp/../" + str(folder / "evil"), str(folder / "evil"), "a/../../evil"]
    for number, escape in enumerate(escapes):
        for suffix in ("zip", "tar"):
            mirror = folder / f"mirror_{number}_{suffix}"
            mirror.mkdir()
            _pack(mirror / f"promoters_simulated.{suffix}", [escape, *names], content)
            yield f"archive: {escape} in {suffix}", _get(mirror)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        mirror = folder / f"mirror_kind_{kind.decode()}"
        mirror.mkdir()
        with tarfile.open(mirror / "promoters_simulated.tar", "w") as opened:
            for name in names:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, str(folder / "evil")
                opened.addfile(info)
        yield f"archive: members of type {kind!r}", _get(mirror)
    mirror = folder / "mirror_zip_link"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / "promoters_simulated.zip", "w") as opened:
        info = zipfile.ZipInfo(names[0])
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, str(folder / "evil"))
    yield "archive: a link in zip", _get(mirror)
    mirror = folder / "mirror_bomb"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / "promoters_simulated.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            opened.writestr(name, bytes(1 << 26))
    yield "archive: a bomb", _get(mirror)


def _pack(path: Path, names: list[str], content: bytes) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as opened:
            for name in names:
                opened.writestr(name, content)
        return
    with tarfile.open(path, "w") as opened:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))


def _get(mirror: Path) -> list[str]:
    return ["data", "get", "promoters_simulated", "--from", str(mirror)]


def _configurations(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """YAML with tags that make Python objects."""
    texts = {
        "apply": f"!!python/object/apply:os.system ['touch {folder / CANARY}']",
        "new": f"!!python/object/new:os.system ['touch {folder / CANARY}']",
        "name": "!!python/name:os.system",
        "in a value": f"inputs: !!python/object/apply:os.system ['touch {folder / CANARY}']",
        "laughs": "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in LETTERS),
    }
    for name, text in texts.items():
        path = folder / f"config_{name.replace(' ', '_')}.yaml"
        path.write_text(text)
        yield f"configuration: {name}", ["run", "--config", path.name]
        if (
            name != "laughs"
        ):  # jsonargparse spells it out; a configuration of fit is a script anyway
            yield f"configuration of fit: {name}", ["fit", "--config", path.name]
    (folder / ".r.unfinished").mkdir()
    (folder / ".r.unfinished" / ".state.json").write_text('{"same": ' + "[" * 100_000)
    yield "state of an unfinished run", small_run("r2", "--labels", "nowhere.csv")
