"""Text classifiers: word embeddings, a convolution, a deep and a wide tower, and their training.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780), whose table of
ranges was not available to us; the decisions and ranges here are those of the same authors' later
"Parameter-efficient transfer learning for NLP" (Houlsby et al. 2019, arXiv:1902.00751). Ours:
embeddings are named by their width, ranges in two ends are lists, a training length is in epochs,
and the wide tower can be left out.
"""

from __future__ import annotations

import dataclasses

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import SearchSpace
from jaxnas.spaces.parts import Part
from jaxnas.spaces.towers import FIELDS, NO_YES, TowerOptions, check_among, check_numbers

SCRATCH = "scratch"
"""What embeddings are called that are drawn at random and trained."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions(TowerOptions):
    """The actions of each decision of `text`; hashable.

    Attributes:
      embeddings: `scratch-E` for one of width `E` that is trained from scratch, `NAME-E` for a
        table of that name and width (`jaxnas.data.load_embeddings`).
      fine_tune: whether a table is trained on, `no` or `yes`.
      lowercase: whether letters are made small, `no` or `yes`.
      strip: whether marks without letters are left out, `no` or `yes`.
      ngrams: the tokens that the convolution spans.
      embedding_dropouts: shares of the embedded tokens' numbers that are dropped before the
        convolution.
    """

    embeddings: tuple[str, ...] = ("scratch-16", "scratch-64")
    fine_tune: tuple[str, ...] = NO_YES
    lowercase: tuple[str, ...] = NO_YES
    strip: tuple[str, ...] = NO_YES
    ngrams: tuple[str, ...] = ("2", "3")
    embedding_dropouts: tuple[str, ...] = ("0", "0.2", "0.4")

    @property
    def tables(self) -> tuple[str, ...]:
        """The names `NAME-E` of the embeddings that are read from tables."""
        return tuple(label for label in self.embeddings if label.rpartition("-")[0] != SCRATCH)

    @property
    def embedding_widths(self) -> tuple[int, ...]:
        """The width of each embedding."""
        return tuple(int(label.rpartition("-")[2]) for label in self.embeddings)

    @property
    def _name(self) -> str:
        return "text"

    @property
    def decision_fields(self) -> dict[str, str]:
        """The field that holds the actions of each decision, by the decision's name."""
        return FIELDS | {
            "embedding": "embeddings",
            "fine_tune": "fine_tune",
            "lowercase": "lowercase",
            "strip": "strip",
            "ngram": "ngrams",
            "embedding_dropout": "embedding_dropouts",
        }

    def _parts(self) -> list[Part]:
        return [
            self._embedding(),
            self._decision("lowercase"),
            self._decision("strip"),
            self._convolution(*map(self._decision, ("ngram", "embedding_dropout"))),
            *self._towers(),
        ]

    def _embedding(self) -> Part:
        tuned = self._decision("fine_tune")
        after = {label: tuned if label in self.tables else None for label in self.embeddings}
        return self._branch("embedding", after)

    def _check_labels(self) -> None:
        super()._check_labels()
        for label in self.embeddings:
            name, _, width = label.rpartition("-")
            if not name or not width.isdigit() or int(width) < 1:
                raise SpaceError(
                    f"embedding {label!r} does not end in its width: call it, say, {SCRATCH}-32."
                )
        for field in ("fine_tune", "lowercase", "strip"):
            check_among(field, getattr(self, field), NO_YES)
        check_numbers(self, "ngrams", whole=True, least=1)
        check_numbers(self, "embedding_dropouts", below=1)


def text(options: TextOptions | None = None) -> SearchSpace:
    """The space of text classifiers with their training.

    Args:
      options: the actions of each decision; those of the paper's authors by default.

    Example:
      >>> options = TextOptions(layers=("0", "1"), widths=("64",), embeddings=("scratch-16",))
      >>> text(options).vertex_index["layers"] >= 0
      True
    """
    return (options or TextOptions()).space
