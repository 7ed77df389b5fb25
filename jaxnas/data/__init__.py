"""What children learn from: labelled images, their batches and their augmentation."""

from jaxnas.data.augment import NO_AUGMENTATION, Augmentation, augment
from jaxnas.data.batches import (
    batch_indices,
    batches_per_epoch,
    epoch_permutation,
    gather,
    normalize,
    slice_batch,
)
from jaxnas.data.dataset import Dataset, from_arrays, from_data
from jaxnas.data.errors import DataError
from jaxnas.data.load import load

__all__ = [
    "Augmentation",
    "DataError",
    "Dataset",
    "NO_AUGMENTATION",
    "augment",
    "batch_indices",
    "batches_per_epoch",
    "epoch_permutation",
    "from_arrays",
    "from_data",
    "gather",
    "load",
    "normalize",
    "slice_batch",
]
