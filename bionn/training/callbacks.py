"""Callbacks: stop by gradient norm or loss change, keep the best epoch, show progress."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim import Optimizer

from bionn import artifact
from bionn.data.resident import ResidentDataModule
from bionn.formats.output import replacing
from bionn.models.decision import take_off
from bionn.tasks.sharding import gathered


class KeepBest(L.Callback):
    """Remembers the weights of the best epoch and puts them back when training ends.

    Args:
        monitor: the logged quantity; smaller is better.

    Attributes:
        best: the smallest value seen.
        epoch: its epoch, counted from 0; None before the first.
    """

    def __init__(self, monitor: str = "val_loss") -> None:
        self.monitor = monitor
        self.best = math.inf
        self.epoch: int | None = None
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Copy the weights if the epoch is the best so far."""
        value = float(trainer.callback_metrics.get(self.monitor, math.nan))
        if trainer.sanity_checking or not value < self.best:
            return
        self.best, self.epoch = value, trainer.current_epoch
        self._weights = {k: v.detach().clone() for k, v in pl_module.state_dict().items()}

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the best weights back."""
        del trainer
        if self._weights:
            pl_module.load_state_dict(self._weights)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The same where training had ended before it was taken up again, and so did not begin."""
        self.on_train_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {"best": self.best, "epoch": self.epoch, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best, self.epoch = state_dict["best"], state_dict["epoch"]
        self._weights = state_dict["weights"]


class StopOnGradientNorm(L.Callback):
    """Stops when the gradient's Euclidean norm falls below a threshold.

    Looks at the last batch of an epoch; with ``batch_size="full"`` that is the whole gradient.

    Args:
        threshold: the norm, above 0.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.norm = math.inf

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure the gradient that the optimiser is about to use."""
        del optimizer
        if trainer.is_last_batch:
            gradients = [p.grad.detach() for p in pl_module.parameters() if p.grad is not None]
            self.norm = float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients])))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if it was small."""
        del pl_module
        if self.norm < self.threshold:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {"norm": self.norm}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.norm = state_dict["norm"]


class StopOnLossChange(L.Callback):
    """Stops when the training loss changes by less than a threshold from epoch to epoch.

    Args:
        threshold: the absolute change, above 0.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.last = math.inf

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compare the epoch's mean loss with the last epoch's."""
        del pl_module
        loss = float(trainer.callback_metrics.get("train_loss", math.nan))
        if abs(self.last - loss) < self.threshold:
            trainer.should_stop = True
        self.last = loss

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.last = state_dict["last"]


class StopAfter(L.Callback):
    """Stops after some epochs, whatever length the schedule was laid out for.

    Args:
        epochs: how many, from 1.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop when the last of them is done."""
        del pl_module
        if trainer.current_epoch + 1 >= self.epochs:
            trainer.should_stop = True


class EpochProgress(L.Callback):
    """One progress bar over the epochs with the losses beside it, redrawn once an epoch.

    Args:
        console: where to draw.
        label: what stands before the bar.
        epochs: the length of the bar; the trainer's ``max_epochs`` when None.
    """

    def __init__(
        self, console: Console, label: str = "training", *, epochs: int | None = None
    ) -> None:
        self._epochs = epochs
        self._progress = Progress(
            TextColumn(label),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task(label, total=None, losses="")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the bar."""
        del pl_module
        total = self._epochs or trainer.max_epochs
        self._progress.update(self._bar, total=total, completed=trainer.current_epoch)
        self._progress.start()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Move it on."""
        del pl_module
        metrics = trainer.callback_metrics
        losses = "  ".join(
            f"{part} {float(metrics[f'{part}_loss']):.4f}"
            for part in ("train", "val")
            if f"{part}_loss" in metrics
        )
        self._progress.update(self._bar, advance=1, losses=losses)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave it standing."""
        del trainer, pl_module
        self._progress.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        del trainer, pl_module, exception
        self._progress.stop()


class SaveModel(L.Callback):
    """Writes the model directory when fitting ends, and says where.

    Args:
        directory: where; ``model`` in the logger's folder when None.
    """

    def __init__(self, directory: str | None = None) -> None:
        self.directory = directory

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save network and manifest; the data module knows what prediction needs."""
        data = getattr(trainer, "datamodule", None)
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # asked for by every process
        assert isinstance(pl_module.model, torch.nn.Module)
        model = gathered(pl_module.model)  # likewise
        if not trainer.is_global_zero or not isinstance(data, ResidentDataModule):
            return
        directory = Path(self.directory or folder / "model")
        shift = getattr(pl_module, "logit_shift", None)
        if isinstance(shift, Tensor):
            model = deepcopy(model)
            if not take_off(model, shift.cpu().double().numpy()):
                print("note: probabilities of the saved network are those of the weighted classes")
        manifest = data.prepared.manifest() | {"threads": torch.get_num_threads()}
        artifact.save(directory, model, manifest)  # pyright: ignore[reportArgumentType]
        print(f"model: {directory}")


class EpochLog(L.Callback):
    """Writes ``metrics.csv``: a row an epoch with its losses and learning rate.

    Args:
        path: the file, begun anew, or with the epochs before the one that training goes on with.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[str] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the header and the epochs so far."""
        del pl_module
        if trainer.is_global_zero:
            with replacing(self.path) as file:
                file.write("".join(["epoch,train_loss,val_loss,learning_rate\n", *self._rows]))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Append the epoch."""
        del pl_module
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        train, val = (float(metrics.get(f"{part}_loss", math.nan)) for part in ("train", "val"))
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._rows.append(f"{trainer.current_epoch + 1},{train:.6g},{val:.6g},{rate:.6g}\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self._rows[-1])

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {"rows": list(self._rows)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._rows = list(state_dict["rows"])
