"""``bionn fit``, ``validate`` and ``test``: Lightning's command line over our tasks and data."""

from __future__ import annotations

import contextlib
import inspect
import pickle
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger

from bionn.cli.followers import one_voice
from bionn.cli.parser import Parser, noted
from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError, Stopped, did_you_mean
from bionn.tasks.base import Task
from bionn.training.callbacks import SaveModel
from bionn.training.checkpoints import last_checkpoint
from bionn.training.health import TellHealth, Watch
from bionn.training.loop import quiet_lightning
from bionn.training.remedies import OF_FIT
from bionn.training.resume import Checkpoints

LINKS = {
    "input_shape": "model.init_args.in_features",
    "num_outputs": "model.init_args.out_features",
    "num_classes": "model.init_args.num_classes",
    "classes": "classes",
    "target_names": "target_names",
}
"""What the data module finds, and the argument of the task or its network that it becomes."""


OPTIONS = (
    "config",
    "ckpt_path",
    "model",
    "data",
    "trainer",
    "checkpoints",
    "save_model",
    "seed_everything",
    "print_config",
    "engine",
    "workers",
    "restarts",
)
"""The options that stand before a dot."""


ENGINES = ("local", "ray")

LONGEST = 400
"""Characters of a complaint that quotes a whole file."""


class Command(LightningCLI):
    """A ``LightningCLI`` that fills in what only the data can tell, saves the model, and can resume."""

    def _parse_ckpt_path(self) -> None:
        """Find the checkpoint that ``last`` means; nothing else is taken from one before its turn."""
        given = self.config[self.config["subcommand"]]
        given["weights_only"] = True
        if given.get("ckpt_path") != "last":
            return
        found = self.last_checkpoint
        given["ckpt_path"] = None if found is None else str(found)
        print("resume: no checkpoint yet" if found is None else f"resume: {found}")

    @property
    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint where the configuration has them."""
        given = self.config[self.config["subcommand"]]
        root = Path(given["trainer"].get("default_root_dir") or ".")
        return last_checkpoint(root, given["checkpoints"].get("directory"))

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Log to CSV whatever loggers are installed; leave out checkpoints that nobody wants; watch."""
        if config.get("logger") in (None, True):
            config["logger"] = CSVLogger(config.get("default_root_dir") or ".")
        if config.get("enable_checkpointing") is False or config.get("fast_dev_run"):
            callbacks = [c for c in callbacks if not isinstance(c, Checkpoints)]
        watch = Watch(remedies=OF_FIT)
        for callback in callbacks:
            if isinstance(callback, Checkpoints):
                callback.watch = watch
        try:
            return super()._instantiate_trainer(config, [*callbacks, watch, TellHealth(watch)])
        except ValueError as error:  # of Lightning's: a strategy, say, that is not to be had here
            raise InputError(
                f"trainer: {str(error).strip().rstrip('.')}{_instead(config)}"
            ) from None

    def before_instantiate_classes(self) -> None:
        """Refuse to score a network that was never trained; let a training go on in its own folder."""
        verb = self.subcommand
        if verb == "fit" and self.config[verb].get("ckpt_path") is not None:
            self.save_config_kwargs["overwrite"] = True
        if verb in ("validate", "test") and self.config[verb].get("ckpt_path") is None:
            raise InputError(
                f"{verb}: a trained network needed; name its checkpoint with --ckpt_path"
            )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link data to task and network; add ``save_model`` and ``checkpoints``."""
        for source, target in LINKS.items():
            parser.link_arguments(
                f"data.{source}", f"model.init_args.{target}", apply_on="instantiate"
            )
        parser.add_lightning_class_args(SaveModel, "save_model")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")


def fit(arguments: Sequence[str]) -> int:
    """Train from a configuration and save the model, in several processes if asked to."""
    given, others = _engine_parser().parse_known_args(arguments)
    if given.engine not in ENGINES:
        raise InputError(
            f"engine: local or ray needed, {given.engine!r} found"
            f"{did_you_mean(given.engine, ENGINES)}; choose one"
        )
    if given.workers is not None and given.workers < 1:
        raise InputError(f"workers: a number from 1 needed, {given.workers} found; choose one")
    if given.engine == "ray":
        from bionn.cli.fit_on_ray import fit_on_ray

        return fit_on_ray(others, workers=given.workers or 1, restarts=given.restarts)
    if given.workers is not None:
        strategy = "ddp" if given.workers > 1 else "auto"
        others += [f"--trainer.devices={given.workers}", f"--trainer.strategy={strategy}"]
    return run_command("fit", others)


def validate(arguments: Sequence[str]) -> int:
    """Score the validation rows."""
    return run_command("validate", arguments)


def test(arguments: Sequence[str]) -> int:
    """Score the test rows."""
    return run_command("test", arguments)


def _engine_parser() -> Parser:
    """The options of ``fit`` that are not Lightning's."""
    parser = Parser(prog="bionn fit", add_help=False)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--restarts", type=int, default=3)
    return parser


def run_command(verb: str, arguments: Sequence[str], command: type[Command] | None = None) -> int:
    """Have Lightning's command line do what the arguments say.

    Args:
        verb: ``fit``, ``validate`` or ``test``.
        arguments: what stands behind it.
        command: another kind of :class:`Command`.

    Raises:
        InputError: bad input or usage, in one line.
    """
    quiet = {"exit_on_error": False, "allow_abbrev": False}
    if not arguments:
        raise InputError(f"a configuration needed: bionn {verb} --config FILE; see README.md")
    with noted(), one_voice(), _command_line([verb, *arguments]), quiet_lightning():
        try:
            (command or Command)(
                Task,
                ResidentDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                load_from_checkpoint_support=False,
                parser_kwargs={verb: quiet, **quiet},
            )
        except SystemExit as stop:
            if stop.code != 1:  # --help and --print_config end with 0
                raise
            raise Stopped(signal.SIGINT) from None  # what Lightning makes of SIGINT
        except ArgumentError as error:
            raise InputError(_essence(str(error))) from None
        except MisconfigurationException as error:
            raise InputError(f"trainer: {error}") from None
        except pickle.UnpicklingError:
            raise InputError(
                "ckpt_path: a checkpoint of bionn fit needed, found another file"
            ) from None
        except ValueError as error:
            if not str(error).startswith("Does not validate"):  # jsonargparse's, around one of ours
                raise
            raise InputError(_essence(str(error))) from None
        except RuntimeError as error:
            if there := re.match(r"SaveConfigCallback expected (.*) to NOT exist", str(error)):
                raise InputError(
                    f"{there[1]}: a training is there already; go on with it by --ckpt_path last, or "
                    "choose another trainer.default_root_dir"
                ) from None
            if "Error(s) in loading state_dict" not in str(error):
                raise
            raise InputError(
                "ckpt_path: the checkpoint's weights do not fit the network of the configuration; "
                "name the configuration that it was trained with"
            ) from None
    return 0


def _instead(config: dict[str, Any]) -> str:
    """What to take where Lightning's own name for a wide network's strategy asks for a GPU."""
    if not str(config.get("strategy")).startswith("fsdp"):
        return ""
    return "; or take ModelParallelStrategy, which needs none: see bionn/training/README.md"


@contextlib.contextmanager
def _command_line(arguments: Sequence[str]) -> Iterator[None]:
    """What Lightning's command line reads, and repeats to start the other processes of a training."""
    command = find_spec("bionn.cli.main")
    with (
        mock.patch.object(sys, "argv", ["bionn", *arguments]),
        mock.patch.object(sys.modules["__main__"], "__spec__", command),
    ):
        yield


def _essence(message: str) -> str:
    """The innermost complaint of a nested message, with the nearest names to a slip."""
    message = re.sub(
        r"\n\s*(- Expected a <class 'NoneType'>|Given value).*", "", message, flags=re.DOTALL
    )
    message = re.sub(
        r"Does not validate against any of the Union subtypes\s*Subtypes:.*?Errors:\s*-",
        "",
        message,
        flags=re.DOTALL,
    )
    if slip := re.search(r"unrecognized arguments: --([^\s=]+)", message):
        message += did_you_mean(slip[1], OPTIONS)
    if slip := re.search(r"class_path '([\w.]+)':\s*Option '(\w+)' is not accepted", message):
        room, _, name = slip[1].rpartition(".")
        accepted = inspect.signature(getattr(import_module(room), name)).parameters
        message += did_you_mean(slip[2], accepted)
    if slip := re.search(r"module '([\w.]+)' has no attribute '(\w+)'", message):
        module = import_module(slip[1])
        message += did_you_mean(slip[2], getattr(module, "__all__", dir(module)))
    message = re.sub(r"\s+", " ", message).strip()
    return message if len(message) <= LONGEST else f"{message[:LONGEST]}..."
