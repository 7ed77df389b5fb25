"""What the application of an operation may depend on besides its parameters and inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax


@dataclasses.dataclass
class Context:
    """Noise and normalisation statistics of one application of one operation.

    Attributes:
      key: the key of this application's noise (dropout); `None` where there is none.
      moments: the moments of the operation's batch normalisations; `None` for those of the batch.
      record: if given, batch normalisations put the moments of the batch in it while the
        operation is traced.
      counted: `bool [B]`, the rows that moments of the batch are taken over; `None` for all. The
        others fill a batch up to a size.
      per_image: each image is normalised by its own moments.
    """

    key: jax.Array | None = None
    moments: Mapping[str, Any] | None = None
    record: dict[str, Any] | None = None
    counted: jax.Array | None = None
    per_image: bool = False

    def part(self, name: str, index: int) -> Context:
        """The context of one part of a composed operation: its own key, moments and record."""
        return Context(
            key=None if self.key is None else jax.random.fold_in(self.key, index),
            moments=None if self.moments is None else self.moments.get(name, {}),
            record=None if self.record is None else self.record.setdefault(name, {}),
            counted=self.counted,
            per_image=self.per_image,
        )
