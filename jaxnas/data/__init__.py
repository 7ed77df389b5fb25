"""What children learn from: labelled images and text, their batches and augmentation."""

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
from jaxnas.data.text import Text, load_text
from jaxnas.data.text_batches import Streams, TextBatches, make_streams, text_batches

__all__ = [
    "Augmentation",
    "DataError",
    "Dataset",
    "NO_AUGMENTATION",
    "Streams",
    "Text",
    "TextBatches",
    "augment",
    "batch_indices",
    "batches_per_epoch",
    "epoch_permutation",
    "from_arrays",
    "from_data",
    "gather",
    "load",
    "load_text",
    "make_streams",
    "normalize",
    "slice_batch",
    "text_batches",
]
