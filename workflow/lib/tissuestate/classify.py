"""Classification from Python: what other programs import."""

from tissuestate.classification.classifier import Classifier
from tissuestate.classification.result import Predictions
from tissuestate.errors import InputError

__all__ = ["Classifier", "InputError", "Predictions"]
