"""NAS-RL's convolutional children, trained from scratch: layers of any size with any skips.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), sections 3.1, 3.3 and 4.1. Each convolution is followed by batch normalisation
and ReLU. A layer reads the outputs that its skip bits choose, concatenated; one that chooses none
reads the image. Smaller maps are filled up with zeros. The outputs that no layer reads are
concatenated for the classifier, here after global average pooling. The paper's three variants: no
change of size; strides that are chosen; pooling at fixed depths, with blocks of 3 convolutions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.children import exact_layers, masked_layers
from jaxnas.children.exact_convolution import Layers
from jaxnas.children.masked_layers import LayerMoments
from jaxnas.children.nasrl_settings import Codes, ConvSettings, read_codes
from jaxnas.evaluators.child_model import Layout
from jaxnas.objectives import cross_entropy
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.nasrl_conv import FILTERS, SIZES


@dataclasses.dataclass(frozen=True)
class NasRLConv:
    """All children of `jaxnas.spaces.nasrl_conv`, as a `ChildModel`; made by `nasrl_conv`.

    A batch is images `[B, H, W, C]` and labels `int [B]`; there is no carry. Children are
    normalised by the statistics of each batch, in scoring too.

    Attributes:
      settings: the sizes.
      masked: whether layers are computed at the largest shape, for `vmap`.
    """

    settings: ConvSettings
    masked: bool = False

    @property
    def space(self) -> SearchSpace:
        """The search space; a child may also have fewer layers, the others padding."""
        return self.settings.space

    def for_layout(self, layout: Layout) -> NasRLConv:
        """Exact shapes for `one_by_one`, masks for `side_by_side`."""
        return dataclasses.replace(self, masked=layout == "side_by_side")

    def init(self, key: jax.Array, architecture: Any) -> dict[str, Any]:
        """Weights by He et al. 2015 at the sizes of the child; those that it lacks are 0."""
        codes, settings = read_codes(self.settings, architecture), self.settings
        number, rows = settings.depth, settings.most_filters
        kernel_key, head_key = jax.random.split(key)
        masks = jnp.stack(
            [
                masked_layers.kernel_mask(settings, codes, i, jnp.result_type(float))
                for i in range(number)
            ]
        )
        fan_in = jnp.maximum(codes.height * codes.width * codes.inputs, 1)
        deviation = jnp.sqrt(2.0 / fan_in)[:, None, None, None, None]
        kernel = jax.random.normal(kernel_key, masks.shape, masks.dtype) * masks * deviation
        used = self._features(codes)
        head = jax.random.normal(head_key, (number * rows, settings.num_classes), masks.dtype)
        head = head * used[:, None] / jnp.sqrt(jnp.maximum(used.sum(), 1))
        layers = Layers(kernel, jnp.ones((number, rows)), jnp.zeros((number, rows)))
        return {
            "layers": layers._asdict(),
            "head": {"kernel": head, "bias": jnp.zeros(settings.num_classes)},
        }

    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Nothing."""
        return ()

    def loss(self, parameters, architecture, carry, batch, key):
        """The mean cross-entropy of a batch."""
        images, labels = batch
        return cross_entropy(self.logits(parameters, architecture, images), labels), carry

    def score(self, parameters, architecture, carry, batch):
        """How many answers are right, and of how many; not a number where a logit is not finite."""
        images, labels = batch
        logits = self.logits(parameters, architecture, images)
        right = (logits.argmax(-1) == labels).sum(dtype=logits.dtype)
        right = jnp.where(jnp.isfinite(logits).all(), right, jnp.nan)
        return {"right": right, "count": jnp.asarray(len(labels), logits.dtype)}, carry

    def value(self, sums: dict[str, jax.Array]) -> jax.Array:
        """The accuracy."""
        return sums["right"] / sums["count"]

    def logits(self, parameters: Any, architecture: Any, images: jax.Array) -> jax.Array:
        """The logits `[B, K]` of one child on images `[B, H, W, C]`, normalised by the batch."""
        codes, layers = read_codes(self.settings, architecture), Layers(**parameters["layers"])
        form = masked_layers if self.masked else exact_layers
        outputs = form.outputs(self.settings, layers, images.astype(layers.kernel.dtype), codes)
        return self._classify(parameters["head"], outputs, codes)

    def moments(self, parameters: Any, architecture: Any, images: jax.Array) -> LayerMoments:
        """The moments of what each layer of a child normalises on images `[B, H, W, C]`."""
        return self._with_moments(parameters, architecture, images, None)[1]

    def logits_by(
        self, moments: LayerMoments, parameters: Any, architecture: Any, images: jax.Array
    ) -> jax.Array:
        """The logits `[B, K]` of one child, normalised by given moments: those of deployment."""
        return self._with_moments(parameters, architecture, images, moments)[0]

    def count_parameters(self, architecture: Any) -> int:
        """How many weights a child uses."""
        codes = jax.device_get(read_codes(self.settings, architecture))
        filters = codes.channels[1:]
        kernels = (codes.height * codes.width * codes.inputs * filters).sum()
        features = filters[codes.loose].sum()
        classes = self.settings.num_classes
        return int(kernels + 2 * filters.sum() + (features + 1) * classes)

    def shorten(self, architectures: Any, layers: int) -> np.ndarray:
        """Architectures `int32 [N, T]` cut to their first layers; the rest is padding."""
        result = np.array(architectures, np.int32)
        result[:, self._of_depth(layers).max_length :] = -1
        return result

    def encode(self, architecture: Any) -> dict[str, Any]:
        """The walk of a child, of as many layers as it has; see `SearchSpace.encode`."""
        row = np.asarray(architecture)
        heights = row[self.settings.columns("height")]
        space = self._of_depth(int((heights >= 0).sum()))
        return space.encode(row[: space.max_length])

    def decode(self, encoded: dict[str, Any]) -> np.ndarray:
        """The architecture `int32 [T]` of an encoded child; the inverse of `encode`."""
        layers = sum(str(name).endswith("/height") for name, _ in encoded["walk"])
        row = self._of_depth(layers).decode(encoded)
        return np.pad(row, (0, self.space.max_length - len(row)), constant_values=-1)

    def _of_depth(self, layers: int) -> SearchSpace:
        """The space of children of so many layers, whose walks begin those of this space."""
        return dataclasses.replace(self.settings, layers=layers).space

    def _with_moments(self, parameters: Any, architecture: Any, images, moments):
        codes, layers = read_codes(self.settings, architecture), Layers(**parameters["layers"])
        images = images.astype(layers.kernel.dtype)
        arguments = self.settings, layers, images, codes, moments
        outputs, moments = masked_layers.outputs_and_moments(*arguments)
        return self._classify(parameters["head"], outputs, codes), moments

    def _classify(self, head: Any, outputs: jax.Array, codes: Codes) -> jax.Array:
        """The logits of the outputs `[D, F, H, W, B]` that no layer reads."""
        pixels = codes.extent[1:].prod(-1)[:, None, None]
        pooled = outputs.sum((2, 3)) / pixels
        pooled = jnp.where(codes.loose[:, None, None], pooled, 0)
        return pooled.reshape(-1, outputs.shape[-1]).T @ head["kernel"] + head["bias"]

    def _features(self, codes: Codes) -> jax.Array:
        """Which rows `[D F]` of the classifier a child uses."""
        rows = jnp.arange(self.settings.most_filters) < codes.channels[1:, None]
        return (rows & codes.loose[:, None]).reshape(-1)


def nasrl_conv(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    layers: int = 6,
    heights: Sequence[int] = SIZES,
    widths: Sequence[int] = SIZES,
    filters: Sequence[int] = FILTERS,
    strides: Sequence[int] | None = None,
    skips: bool = True,
    most_classes: int = 8,
    block: int = 1,
    pools: Sequence[int] | None = None,
) -> NasRLConv:
    """The children of NAS-RL's convolutional space, for a `Population`.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: `K`.
      layers: `L`; shallower children, whose architectures end in padding, are served too.
      heights: of the filters, as for `jaxnas.spaces.nasrl_conv`, and so on.
      widths: of the filters.
      filters: numbers of filters.
      strides: that can be chosen; all 1 by default.
      skips: whether there are skip bits.
      most_classes: numbers of input channels that get a program of their own, on a CPU; others are
        rounded up. One program compiles for each number, height, width and number of filters.
      block: convolutions that each layer stands for; each reads what the layer reads and those
        before it in the block, and others read the last. The paper's third search: 13 layers of 3.
      pools: the convolutions, counted from 1, after which all that is read is pooled by 2 x 2;
        none by default. The paper's third search: 13 and 24. See `jaxnas.children.pooling`.

    Raises:
      SpaceError: sizes that no space has.
      ValueError: an image or a number of classes below 1, or pooling where no layer follows.

    Example:
      >>> children = nasrl_conv((8, 8, 1), 10, layers=3, heights=(3,), widths=(3,), filters=(4, 8))
      >>> children.space.count()
      64
    """
    if min(*image_shape, num_classes, most_classes, block) < 1:
        raise ValueError(
            f"image_shape is {image_shape}, num_classes {num_classes}, most_classes "
            f"{most_classes}, block {block}: give numbers from 1 on."
        )
    pools = () if pools is None else tuple(pools)
    if len(set(pools)) < len(pools) or any(not 1 <= p < layers * block for p in pools):
        raise ValueError(
            f"pools is {pools}, but there are {layers * block} convolutions: give different "
            f"numbers from 1 to {layers * block - 1}."
        )
    settings = ConvSettings(
        image_shape=image_shape,
        num_classes=num_classes,
        layers=layers,
        heights=tuple(heights),
        widths=tuple(widths),
        filters=tuple(filters),
        strides=None if strides is None else tuple(strides),
        skips=skips,
        most_classes=most_classes,
        block=block,
        pools=pools,
    )
    settings.space  # noqa: B018  what is wrong with the sizes fails here
    return NasRLConv(settings)
