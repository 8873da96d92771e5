"""Lightning's loop over the steps of an epoch, without what Lightning does in each for nobody."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loops.fetchers import _DataFetcher, _PrefetchDataFetcher
from lightning.pytorch.loops.optimization.automatic import (
    Closure,
    ClosureResult,
    _AutomaticOptimization,
)
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import (
    DoublePrecision,
    HalfPrecision,
    MixedPrecision,
    Precision,
)
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature
from torch import Tensor
from torch.autograd.graph import _engine_run_backward
from torch.optim import Optimizer

from bionn.data.batches import Batch
from bionn.data.resident import ResidentDataModule

KNOWN = "2.6."
"""The Lightning whose steps are known here; under another its own loop stays."""

PRECISIONS = (Precision, MixedPrecision, DoublePrecision, HalfPrecision)
"""Which, without a scaler of losses, alter a batch and the forward pass, and nothing else of a step."""

TRANSFER = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
"""Hooks of a module or a data module that can alter a batch."""

TOLD = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)
"""Hooks of a step that callbacks have, and a module too."""


def slim_down(trainer: L.Trainer) -> None:
    """Give a trainer the loop below in the place of Lightning's, if it has that.

    Any module may call this in its ``setup``; ours do.

    Args:
        trainer: about to fit; where it stands, and what hangs on the loop, stays.
    """
    loop = trainer.fit_loop.epoch_loop
    if type(loop) is _TrainingEpochLoop and L.__version__.startswith(KNOWN):
        slim = SlimEpochLoop(trainer, loop.min_steps, loop.max_steps)
        vars(slim).update(vars(loop))
        trainer.fit_loop.epoch_loop = slim


class SlimEpochLoop(_TrainingEpochLoop):
    """Lightning's loop, which calls but the hooks that somebody has overridden.

    Before a step and after it all is as under Lightning's: the order of hooks, counters, what a
    checkpoint holds. Saved are calls of hooks that do nothing, of a profiler that measures nothing,
    the collecting of values that nobody logged, and looking up again in each step what does not change
    in an epoch. Several processes, scaled losses, steps of several batches, manual optimisation and
    a profiler take Lightning's way.
    """

    _step: Step | None = None
    _validates: bool | None = None

    def run(self, data_fetcher: _DataFetcher) -> None:
        """Take the steps of an epoch."""
        self._step = Step(self) if can_be_slim(self.trainer, data_fetcher) else None
        self._validates = super()._should_check_val_epoch()
        try:
            super().run(data_fetcher)
        finally:
            self._step = self._validates = None

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Take a step."""
        step, progress = self._step, self.batch_progress
        if step is None or self.restarting:
            super().advance(data_fetcher)
            return
        if self.val_loop.restarting:  # setting it looks for loops within
            self.val_loop.restarting = False
        batch, _, _ = next(data_fetcher)
        batch_idx = progress.current.ready
        progress.is_last_batch = data_fetcher.done
        batch = step.to_device(batch)
        progress.increment_ready()
        step.begin(batch)
        if batch is None:
            self._warning_cache.warn("train_dataloader yielded None; the step is left out")
            outputs = None
        elif step.tell("on_train_batch_start", batch, batch_idx) == -1:
            progress.increment_by(0, is_last_batch=True)
            progress.increment_processed()
            self._schedule()
            raise StopIteration
        else:
            progress.increment_started()
            outputs = step.take(batch, batch_idx)
        progress.increment_processed()
        self._schedule()
        step.tell("on_train_batch_end", outputs, batch, batch_idx)
        step.end()
        progress.increment_completed()
        if self.trainer.loggers:
            self.trainer._logger_connector.update_train_step_metrics()

    def on_advance_end(self, data_fetcher: _DataFetcher) -> None:
        """Validate if it is time."""
        trainer = self.trainer
        if (
            self._step is None
            or self._skip_next_val
            or trainer.should_stop
            or self._should_check_val_fx(data_fetcher)
        ):
            super().on_advance_end(data_fetcher)
            return
        if trainer.lr_scheduler_configs:
            self._update_learning_rates("step", update_plateau_schedulers=True)
        self._batches_that_stepped += 1
        if trainer.received_sigterm and not self._is_training_done:
            raise SIGTERMException

    def _schedule(self) -> None:
        """Let schedules of steps, and at the end of those of epochs, go on."""
        if self.trainer.lr_scheduler_configs:
            self._update_learning_rates("step", update_plateau_schedulers=False)
            if self._num_ready_batches_reached():
                self._update_learning_rates("epoch", update_plateau_schedulers=False)

    def _should_check_val_epoch(self) -> bool:
        return super()._should_check_val_epoch() if self._validates is None else self._validates


def can_be_slim(trainer: L.Trainer, data_fetcher: _DataFetcher) -> bool:
    """Whether a step of this trainer is one of which :class:`Step` knows everything."""
    loop = trainer.fit_loop.epoch_loop
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and trainer.strategy.model is trainer.lightning_module
        and type(trainer.precision_plugin) in PRECISIONS
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and isinstance(trainer.profiler, PassThroughProfiler)  # pyright: ignore[reportAttributeAccessIssue]
        and trainer.lightning_module.automatic_optimization
        and trainer.accumulate_grad_batches == 1
        and type(loop.automatic_optimization) is _AutomaticOptimization
        and not loop.automatic_optimization._skip_backward
        and type(data_fetcher) is _PrefetchDataFetcher
    )


class Step:
    """What a step does, with all found out that stays so for an epoch.

    Args:
        loop: at the beginning of the epoch.
    """

    def __init__(self, loop: _TrainingEpochLoop) -> None:
        trainer, module = loop.trainer, loop.trainer.lightning_module
        self.lightning_module = module
        self._trainer = trainer
        self._device = trainer.strategy.root_device
        self._connector, self._results = trainer._logger_connector, loop._results
        self._progress = loop.automatic_optimization.optim_progress.optimizer
        self._optimizer = LightningOptimizer(trainer.optimizers[0])
        self._optimizer._strategy = self  # pyright: ignore[reportAttributeAccessIssue]
        plugin = trainer.precision_plugin
        self._precision = None if type(plugin) is Precision else plugin
        self._takes_index = _takes_index(
            getattr(module.training_step, "__func__", module.training_step)
        )
        self._told = {name: self._listeners(name) for name in TOLD}
        self._transfers = not _transfers_plainly(trainer)
        self._derives_plainly = not _has_own(module, "backward", L.LightningModule)
        self._found: dict[str, Any] | None = None

    def _listeners(self, name: str) -> tuple[list[Callable[..., Any]], Callable[..., Any] | None]:
        """The hook of a name of the callbacks, and of the module, that have one of their own."""
        callbacks: list[Callback] = self._trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
        hooks = [getattr(c, name) for c in callbacks if _has_own(c, name, Callback)]
        module = self.lightning_module
        own = getattr(module, name) if _has_own(module, name, L.LightningModule) else None
        return hooks, own

    def tell(self, name: str, *args: Any) -> Any:
        """Call a hook of the callbacks, then the module's; what that returns."""
        hooks, own = self._told[name]
        if not hooks and own is None:
            return None
        module = self.lightning_module
        before, module._current_fx_name = module._current_fx_name, name
        for hook in hooks:
            hook(self._trainer, module, *args)
        answer = None if own is None else own(*args)
        module._current_fx_name = before
        return answer

    def _ask(self, name: str, *args: Any, **options: Any) -> Any:
        """Call a method of the module, which logs under its name."""
        module = self.lightning_module
        before, module._current_fx_name = module._current_fx_name, name
        answer = getattr(module, name)(*args, **options)
        module._current_fx_name = before
        return answer

    def to_device(self, batch: Any) -> Any:
        """The batch where the network is."""
        device = self._device
        if self._precision is not None:
            batch = self._precision.convert_input(batch)
        if isinstance(batch, Batch) and not self._transfers:
            inputs, targets, ids = batch
            if inputs.device == targets.device == ids.device == device:
                return batch
        batch = self.lightning_module._on_before_batch_transfer(batch, dataloader_idx=0)
        return self._trainer.strategy.batch_to_device(batch, dataloader_idx=0)

    def begin(self, batch: Any) -> None:
        """What ``on_batch_start`` of Lightning's logging does."""
        connector, results = self._connector, self._results
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None

    def end(self) -> None:
        """What ``on_batch_end`` of Lightning's logging does."""
        results = self._results
        if any(not value.has_reset for value in results.values()):
            self._connector.on_batch_end()
        else:  # nothing has been logged in this epoch
            results.batch = results.batch_size = None

    def take(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Forward, backward and the optimiser's step; the loss and what else ``training_step`` gave."""
        epoch, counted = self._trainer.current_epoch, self._progress.step
        counted.increment_ready()
        closure = partial(self._closure, batch, batch_idx)
        self._ask("optimizer_step", epoch, batch_idx, self._optimizer, closure)
        counted.increment_completed()
        found, self._found = self._found, None
        if found is None:
            raise MisconfigurationException(
                "optimizer_step has to call the closure that it is given, or pass it to optimizer.step"
            )
        return found

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: L.LightningModule | None = None,
        **options: Any,
    ) -> Any:
        """What Lightning's optimiser asks a strategy for."""
        del model
        return optimizer.step(closure=partial(self._derive, optimizer, closure), **options)

    def _derive(self, optimizer: Optimizer, closure: Callable[[], Any]) -> Any:
        """Gradients, as the optimiser is to see them."""
        trainer = self._trainer
        loss = closure()
        self.tell("on_before_optimizer_step", optimizer)
        self._ask(
            "configure_gradient_clipping",
            optimizer,
            gradient_clip_val=trainer.gradient_clip_val,
            gradient_clip_algorithm=trainer.gradient_clip_algorithm,
        )
        return loss

    def _closure(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Forward and backward; the loss."""
        if torch.is_grad_enabled():
            return self._computed(batch, batch_idx)
        with torch.enable_grad():  # which the optimiser left to us
            return self._computed(batch, batch_idx)

    def _computed(self, batch: Any, batch_idx: int) -> Tensor | None:
        arguments = (batch, batch_idx) if self._takes_index else (batch,)
        if self._precision is None:
            output = self._ask("training_step", *arguments)
        else:
            with self._precision.train_step_context():
                output = self._ask("training_step", *arguments)
        if isinstance(output, Tensor):  # what follows would divide it by 1, and copy it
            loss, self._found = output, {"loss": output.detach()}
        else:
            found = ClosureResult.from_training_step_output(output)
            loss, self._found = found.closure_loss, found.asdict()
        self._zero_gradients(batch_idx)
        if loss is None:
            Closure.warning_cache.warn("`training_step` returned None; the step has no gradients")
            self._found = {}
            return None
        self.tell("on_before_backward", loss)
        if self._derives_plainly and type(loss) is Tensor and loss.requires_grad and not loss.dim():
            # what `loss.backward()` comes to
            ones = (torch.ones((), dtype=loss.dtype, device=loss.device),)
            told = {"allow_unreachable": True, "accumulate_grad": True}
            _engine_run_backward((loss,), ones, False, False, (), **told)
        else:
            self._ask("backward", loss)
        self.tell("on_after_backward")
        return self._found["loss"]

    def _zero_gradients(self, batch_idx: int) -> None:
        optimizer, counted = self._trainer.optimizers[0], self._progress.zero_grad
        counted.increment_ready()
        self.tell("on_before_zero_grad", optimizer)
        counted.increment_started()
        self._ask("optimizer_zero_grad", self._trainer.current_epoch, batch_idx, optimizer)
        counted.increment_completed()


@lru_cache(maxsize=16)
def _takes_index(training_step: Callable[..., Any]) -> bool:
    """Whether a training step wants the number of its batch."""
    return is_param_in_hook_signature(training_step, "batch_idx", min_args=2)


def _transfers_plainly(trainer: L.Trainer) -> bool:
    """Whether nobody alters batches on their way to the device."""
    data: Any = getattr(trainer, "datamodule", None)
    ours = ResidentDataModule.transfer_batch_to_device
    return not any(
        _has_own(trainer.lightning_module, name, L.LightningModule)
        or (
            data is not None
            and _has_own(data, name, L.LightningDataModule)
            and getattr(type(data), name) is not ours
        )
        for name in TRANSFER
    )


def _has_own(instance: object, name: str, base: type) -> bool:
    """Whether an instance has another method of a name than its base."""
    found = getattr(instance, name)
    return getattr(found, "__func__", found) is not getattr(base, name)
