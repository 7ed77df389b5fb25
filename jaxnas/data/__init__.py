"""What children learn from: labelled images and texts, their batches, their augmentation."""

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
from jaxnas.data.embedding_table import EmbeddingTable, load_embeddings
from jaxnas.data.errors import DataError
from jaxnas.data.labelled_text import LabelledTexts, load_task, load_texts
from jaxnas.data.load import load
from jaxnas.data.tasks import DIGIT_TASKS, Tasks, digit_task, load_tasks, tasks_of
from jaxnas.data.text import Text, load_text
from jaxnas.data.text_batches import Streams, TextBatches, make_streams, text_batches
from jaxnas.data.vocabulary import (
    HashVocabulary,
    LearnedVocabulary,
    learn_vocabulary,
    number_tokens,
    tokenize,
)

__all__ = [
    "Augmentation",
    "DIGIT_TASKS",
    "DataError",
    "Dataset",
    "EmbeddingTable",
    "HashVocabulary",
    "LabelledTexts",
    "LearnedVocabulary",
    "NO_AUGMENTATION",
    "Streams",
    "Tasks",
    "Text",
    "TextBatches",
    "augment",
    "batch_indices",
    "batches_per_epoch",
    "digit_task",
    "epoch_permutation",
    "from_arrays",
    "from_data",
    "gather",
    "learn_vocabulary",
    "load",
    "load_embeddings",
    "load_task",
    "load_tasks",
    "load_text",
    "load_texts",
    "make_streams",
    "normalize",
    "number_tokens",
    "slice_batch",
    "tasks_of",
    "text_batches",
    "tokenize",
]
