"""What helps a training that goes wrong, in the words of the command that began it."""

from __future__ import annotations

from typing import NamedTuple


class Remedies(NamedTuple):
    """What a command calls the settings that help."""

    rate: str
    clip: str
    activation: str

    @property
    def of_divergence(self) -> str:
        """What helps where the loss is not finite, or gradients explode."""
        return f"lower {self.rate}, set {self.clip}, or look at these records"

    @property
    def of_dead_units(self) -> str:
        """What helps where units are dead."""
        return f"lower {self.rate}, or choose {self.activation}"


OF_RUN = Remedies("--learning-rate", "--gradient-clip", "--activation gelu")
OF_FIT = Remedies(
    "model.init_args.learning_rate", "trainer.gradient_clip_val", "another activation"
)
