"""Lightning modules over any network that returns logits: ``Classifier`` and ``Regressor``."""

from bionn.tasks.classifier import Classifier
from bionn.tasks.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
