"""``bionn fit``, ``validate``, ``test``: from a YAML file to a model, and slips in one line."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

import bionn
from bionn.cli.main import main
from bionn.training.checkpoints import read_checkpoint
from bionn.training.resume import Checkpoints
from tests.small_sets import expression, sequences, write_fasta

COMMAND = str(Path(sys.executable).with_name("bionn"))


def config(model: str, task: str, data: str, **settings: Any) -> dict[str, Any]:
    """A configuration of one epoch, as a user would write it."""
    network = {"class_path": f"bionn.models.{model}", "init_args": settings.pop("network", {})}
    stop = {
        "class_path": "lightning.pytorch.callbacks.EarlyStopping",
        "init_args": {"monitor": "val_loss", "patience": 2},
    }
    return {
        "model": {"class_path": f"bionn.tasks.{task}", "init_args": {"model": network}},
        "data": {"class_path": f"bionn.data.{data}", "init_args": settings},
        "trainer": {
            "max_epochs": 1,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "callbacks": [stop],
        },
    }


SEQUENCES = {"inputs": "s.fa", "labels": "l.csv", "target": "label"}
CONFIGS = {
    "mlp": config(
        "MLP", "Classifier", "FastaDataModule", network={"hidden_features": [8]}, **SEQUENCES
    ),
    "linear": config(
        "LinearRegression", "Regressor", "ExpressionDataModule", inputs="t.csv", target=["y1", "y2"]
    ),
    "softmax": config(
        "SoftmaxRegression",
        "Classifier",
        "FastaDataModule",
        inputs="s.fa",
        labels="l.csv",
        target="site",
    ),
    "logistic": config("LogisticRegression", "Classifier", "FastaDataModule", **SEQUENCES),
}
SHAPES = {"mlp": (1, 8), "linear": (2, 5), "softmax": (3, 4, 12), "logistic": (1, 4, 12)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with the data and a configuration for each model."""
    monkeypatch.chdir(tmp_path)
    frame = sequences()
    write_fasta(frame, tmp_path / "s.fa")
    frame[["id", "label", "site"]].to_csv("l.csv", index=False)
    expression().drop(columns="state").to_csv("t.csv", index=False)
    for name, options in CONFIGS.items():
        Path(f"{name}.yaml").write_text(yaml.safe_dump(options))
    return tmp_path


def latest(pattern: str) -> Path:
    """The newest file below the working folder that matches."""
    return max(Path().rglob(pattern), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize("name", CONFIGS)
def test_fit_then_validate_and_test_then_predict(name: str, folder: Path, capsys) -> None:
    assert main(["fit", "--config", f"{name}.yaml"]) == 0
    checkpoint, resolved = str(latest("*.ckpt")), str(latest("config.yaml"))
    assert str(latest("manifest.json").parent) in capsys.readouterr().out.replace("\n", "")
    predictor = bionn.load(latest("manifest.json").parent)
    assert predictor.manifest["threads"] == torch.get_num_threads()
    assert predictor.manifest["versions"]["torch"] == torch.__version__
    final = list(predictor.model.parameters())[-2]
    assert tuple(final.shape) == SHAPES[name]
    assert len(predictor.predict("t.csv" if name == "linear" else "s.fa")) == 90
    scores = []
    for settings in (f"{name}.yaml", resolved):
        for verb, part in (("validate", "val"), ("test", "test")):
            assert main([verb, "--config", settings, "--ckpt_path", checkpoint]) == 0
            shown = capsys.readouterr().out
            main_score = "r2" if name == "linear" else "auroc"
            assert f"{part}_{main_score}" in shown
            scores.append([line for line in shown.splitlines() if f"{part}_" in line])
    assert scores[:2] == scores[2:]


def test_the_resolved_configuration_repeats_the_training(folder: Path) -> None:
    assert main(["fit", "--config", "mlp.yaml"]) == 0
    first = latest("manifest.json")
    assert main(["fit", "--config", str(latest("config.yaml"))]) == 0
    again = latest("manifest.json")
    assert first != again
    digests = [json.loads(path.read_text())["weights_sha256"] for path in (first, again)]
    assert digests[0] == digests[1]


def test_any_key_can_be_overridden(folder: Path) -> None:
    options = ["--trainer.max_epochs=3", "--model.init_args.learning_rate=0.5", "--data.seed=4"]
    assert main(["fit", "--config", "mlp.yaml", *options]) == 0
    resolved = yaml.safe_load(latest("config.yaml").read_text())
    assert resolved["trainer"]["max_epochs"] == 3
    assert resolved["model"]["init_args"]["learning_rate"] == 0.5
    assert resolved["data"]["init_args"]["seed"] == 4
    log = pd.read_csv(latest("metrics.csv"))
    assert log["epoch"].max() == 2


def test_the_installed_command_fits(folder: Path) -> None:
    command = [COMMAND, "fit", "--config", "mlp.yaml", "--save_model.directory", "saved"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "model: saved" in done.stdout
    assert bionn.load("saved").classes == ["no", "yes"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "no.yaml"], "no.yaml"),
        (["--config", "mlp.yaml", "--modle", "x"], "did you mean 'model'?"),
        (["--config", "mlp.yaml", "--trainer.max_epoch", "3"], "max_epoch"),
        (["--config", "mlp.yaml", "--trainer.max_epochs", "many"], "trainer.max_epochs"),
        (["--config", "mlp.yaml", "--trainer.accelerator", "cuda"], "trainer: "),
        (
            ["--config", "mlp.yaml", "--model", "bionn.tasks.Clasifier"],
            "did you mean 'Classifier'?",
        ),
        (["--config", "mlp.yaml", "--data.init_args.label", "l.csv"], "did you mean 'labels'?"),
        (
            ["--config", "mlp.yaml", "--data.init_args.inputs", "no.fa"],
            "no.fa: no such file; check",
        ),
        (
            ["--config", "mlp.yaml", "--data.init_args.target", "lable"],
            "l.csv: no column 'lable' (did you mean 'label'?)",
        ),
        (
            ["--config", "mlp.yaml", "--model.init_args.learning_rat", "1"],
            "did you mean 'learning_rate'?",
        ),
        (
            ["--config", "mlp.yaml", "--model.init_args.learning_rate", "-1"],
            "learning_rate: a finite number from 0 on needed, -1 found",
        ),
        (
            ["--config", "mlp.yaml", "--model.init_args.model.init_args.activation", "rellu"],
            "did you mean 'relu'?",
        ),
        (["--config", "mlp.yaml", "--trainer.max_epochs", "-1"], "one_cycle needs an end"),
        ([], "bionn fit --config FILE"),
    ],
)
def test_slips_are_one_line(arguments: list[str], says: str, folder: Path, capsys) -> None:
    assert main(["fit", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("bionn fit: error: ")
    assert "  " not in error
    assert says in error
    assert not list(Path().rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ("no.ckpt", "Checkpoint file not found: no.ckpt"),
        ("l.csv", "ckpt_path: a checkpoint of bionn fit needed, found another file"),
    ],
)
def test_a_checkpoint_that_is_none_is_one_line(checkpoint, says, folder: Path, capsys) -> None:
    assert main(["test", "--config", "mlp.yaml", "--ckpt_path", checkpoint]) == 2
    assert capsys.readouterr().err == f"bionn test: error: {says}\n"


def test_a_checkpoint_of_another_network_is_one_line(folder: Path, capsys) -> None:
    assert main(["fit", "--config", "mlp.yaml"]) == 0
    checkpoint = str(latest("*.ckpt"))
    capsys.readouterr()
    assert main(["test", "--config", "softmax.yaml", "--ckpt_path", checkpoint]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "do not fit the network" in error


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_a_network_that_was_never_trained_is_not_scored(verb: str, folder: Path, capsys) -> None:
    assert main([verb, "--config", "mlp.yaml"]) == 2
    assert "name its checkpoint with --ckpt_path" in capsys.readouterr().err


def test_a_task_that_does_not_fit_the_targets_is_refused(folder: Path, capsys) -> None:
    wrong = config(
        "MLP", "Regressor", "FastaDataModule", network={"hidden_features": [8]}, **SEQUENCES
    )
    Path("wrong.yaml").write_text(yaml.safe_dump(wrong))
    assert main(["fit", "--config", "wrong.yaml"]) == 2
    error = capsys.readouterr().err
    assert "Regressor is for regression, the data's targets are binary" in error
    assert not list(Path().rglob("manifest.json"))


LONG = ["--trainer.max_epochs=6", "--data.init_args.batch_size=8", "--checkpoints.seconds=0"]


def stop_after(saves: int, monkeypatch) -> None:
    """Have the process be sent SIGTERM after so many checkpoints."""
    real, calls = Checkpoints._save, iter(range(10**6))

    def save(self: Checkpoints, *arguments: Any) -> None:
        real(self, *arguments)
        if next(calls) == saves:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "_save", save)


@pytest.mark.parametrize("name", ["mlp", "linear"])
def test_ckpt_path_last_goes_on_exactly(name: str, folder: Path, monkeypatch, capsys) -> None:
    command = ["fit", "--config", f"{name}.yaml", *LONG, "--ckpt_path", "last"]
    assert main(command) == 0
    assert "resume: no checkpoint yet" in capsys.readouterr().out
    whole = json.loads(latest("manifest.json").read_text())["weights_sha256"]
    shutil.rmtree("lightning_logs")
    for saves in (3, 7):
        with monkeypatch.context() as patch:
            stop_after(saves, patch)
            assert main(command) == 3
        assert "saved: the same command with --ckpt_path last goes on" in capsys.readouterr().err
    assert not list(Path().rglob("manifest.json"))
    newest = latest("last.ckpt")
    newest.write_bytes(newest.read_bytes()[:-1000])
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "previous.ckpt" in shown.out
    assert "damaged, passed over; going on from previous.ckpt" in shown.err
    assert json.loads(latest("manifest.json").read_text())["weights_sha256"] == whole


def test_other_batches_are_not_gone_on_with(folder: Path, capsys) -> None:
    assert main(["fit", "--config", "mlp.yaml"]) == 0
    capsys.readouterr()
    command = ["fit", "--config", "mlp.yaml", "--ckpt_path", "last", "--trainer.max_epochs=2"]
    assert main([*command, "--data.init_args.batch_size=8"]) == 2
    error = capsys.readouterr().err
    assert "ckpt_path: the batch_size differs from that of the training (256, now 8)" in error
    labels = pd.read_csv("l.csv")
    labels.loc[0, "label"] = "yes" if labels.loc[0, "label"] == "no" else "no"
    labels.to_csv("l.csv", index=False)
    assert main(command) == 2
    assert "differs from that of the training; leave it as it was" in capsys.readouterr().err


def test_checkpoints_can_be_done_without(folder: Path) -> None:
    assert main(["fit", "--config", "mlp.yaml", "--trainer.enable_checkpointing=false"]) == 0
    assert not list(Path().rglob("*.ckpt"))


def test_a_second_training_in_one_folder_is_refused_but_may_go_on(folder: Path, capsys) -> None:
    command = ["fit", "--config", "mlp.yaml", "--trainer.logger=false"]
    command += ["--trainer.default_root_dir=own", "--model.init_args.schedule=constant"]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in Path("own").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "config.yaml: a training is there already; go on with it by --ckpt_path last" in error
    assert len(error.splitlines()) == 1
    assert before == {path: path.read_bytes() for path in Path("own").rglob("*") if path.is_file()}
    assert main([*command, "--ckpt_path", "last", "--trainer.max_epochs=2"]) == 0
    assert yaml.safe_load(Path("own/config.yaml").read_text())["trainer"]["max_epochs"] == 2


def test_more_epochs_than_the_schedule_of_a_checkpoint_are_refused(folder: Path, capsys) -> None:
    assert main(["fit", "--config", "mlp.yaml"]) == 0
    longer = ["--ckpt_path", "last", "--trainer.max_epochs=2"]
    assert main(["fit", "--config", "mlp.yaml", *longer]) == 2
    assert "schedule: the checkpoint's one_cycle ends with step" in capsys.readouterr().err


def test_a_training_that_diverges_is_named(folder: Path, capsys) -> None:
    command = ["fit", "--config", "linear.yaml", "--data.init_args.batch_size=8"]
    command += ["--trainer.max_epochs=3", "--model.init_args.schedule=constant"]
    assert main([*command, "--model.init_args.learning_rate=1e37"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "error: training: epoch 1, step " in error
    assert "records a" in error
    assert "lower model.init_args.learning_rate, set trainer.gradient_clip_val" in error


def test_dead_units_are_noted(folder: Path, capsys) -> None:
    command = ["fit", "--config", "mlp.yaml", "--data.init_args.batch_size=4"]
    command += ["--model.init_args.learning_rate=20", "--model.init_args.schedule=constant"]
    assert main(command) == 0
    error = capsys.readouterr().err
    assert "note: layers.1: " in error
    assert "lower model.init_args.learning_rate, or choose another activation" in error


def test_the_state_before_gradients_exploded_is_kept(folder: Path, capsys) -> None:
    settings = ["--data.init_args.batch_size=8", "--model.init_args.schedule=constant"]
    settings += ["--checkpoints.seconds=0", "--seed_everything=1"]
    command = ["fit", "--config", "linear.yaml", *settings]
    assert main([*command, "--trainer.max_epochs=2", "--trainer.default_root_dir=good"]) == 0
    (healthy,) = Path("good").rglob("last.ckpt")
    assert sorted(p.name for p in healthy.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]
    options = yaml.safe_load(Path("linear.yaml").read_text())
    inflate = {"epoch": 2, "step": 2, "factor": 1e4}
    options["trainer"]["callbacks"] = [
        {"class_path": "tests.support.inflating.Inflate", "init_args": inflate}
    ]
    Path("linear.yaml").write_text(yaml.safe_dump(options))
    capsys.readouterr()
    assert main([*command, "--trainer.max_epochs=5", "--trainer.default_root_dir=bad"]) == 0
    (kept,) = Path("bad").rglob("good.ckpt")
    (note,) = [line for line in capsys.readouterr().err.splitlines() if "explode" in line]
    assert note.startswith("note: epoch 3, step 3: gradients explode")
    assert note.endswith(f"; the state before is kept: {kept}")
    found, expected, last = map(read_checkpoint, (kept, healthy, kept.with_name("last.ckpt")))
    assert (found["epoch"], last["epoch"]) == (1, 4)
    for name, values in expected["state_dict"].items():
        assert torch.equal(found["state_dict"][name], values), name


@pytest.mark.parametrize("strategy", ["fsdp", "fsdp_cpu_offload"])
def test_a_strategy_of_gpus_alone_is_refused_in_a_line(strategy: str, folder: Path, capsys) -> None:
    assert main(["fit", "--config", "mlp.yaml", "--trainer.strategy", strategy]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"trainer: The strategy `{strategy.split('_')[0]}` requires a GPU" in error
    assert "or take ModelParallelStrategy" in error
