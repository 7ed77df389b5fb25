"""InstaNAS on scikit-learn's digits: an architecture for every image, without a download.

jaxnas search instanas_digits
"""

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.instance.config import (
    ControllerConfig,
    FinetuneConfig,
    InstanceConfig,
    InstanceSearchConfig,
    LatencyConfig,
    PretrainConfig,
)
from jaxnas.network_configs import MobileNetConfig

SHIFT = Augmentation(pad=1, flip=False)
SMOKE_MODULES = ("inverted_residual_3x3_6", "inverted_residual_3x3_3")


def config(variant: str = "") -> InstanceConfig:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    sizes = {"stages": ((8, 2, 2),), "stem": 8, "head": 8, "modules": SMOKE_MODULES}
    whole = {"stages": ((16, 1, 1), (24, 2, 2), (40, 2, 2)), "stem": 16, "head": 64}
    rates = OptimizerConfig(learning_rate=0.1, final_learning_rate=0.001)
    return InstanceConfig(
        name="instanas_digits",
        paper="Cheng et al. 2018, InstaNAS (arXiv:1811.10201), section 3; our sizes for digits, "
        "several samples an image and a bonus for information (not in the paper)",
        expected="aim: the accuracy of MobileNetV2 at half of its FLOPs (ours; the paper has no "
        "digits). Missed: seed 0 gave 97.75% at 2.2 times the FLOPs of MobileNetV2 1.0x, which has "
        "98.5%; four architectures, and nothing over permuted ones. See benchmarks/instanas.py",
        hardware="2 CPU cores",
        time="12 minutes, with other work on the second core (Intel Xeon, 2026-11-29)",
        # Counted in FLOPs a basic block is no cheap default.
        network=MobileNetConfig(
            default="inverted_residual_3x3_3",
            **(sizes if smoke else whole),
        ),
        controller=ControllerConfig(
            name="large_kernels",
            channels=(4,) if smoke else (16, 32),
            kernel=3 if smoke else 5,
            learning_rate=2e-3,
            # The published weight is for 85 bits and 500 epochs: here it outweighs the rewards.
            entropy=0.05,
            # As published, so few bits and images end with one architecture for all images.
            shaping=0.9,
            samples=2,
            baseline="others",
            information=1.0,
            start="classifier",
        ),
        latency=LatencyConfig(table="FLOPs", end=0.9 if smoke else 0.6),
        pretrain=PretrainConfig(
            epochs=1 if smoke else 15, batch_size=50, optimizer=rates, augmentation=SHIFT
        ),
        search=InstanceSearchConfig(
            epochs=1 if smoke else 15,
            batch_size=50,
            optimizer=OptimizerConfig(learning_rate=0.02, final_learning_rate=0.01),
            augmentation=SHIFT,
            policy_updates=2 if smoke else 60,
            reward_batch_size=25 if smoke else 50,
            points=1 if smoke else 3,
            recalibration_batches=2 if smoke else 8,
        ),
        finetune=FinetuneConfig(
            epochs=1 if smoke else 10,
            batch_size=50,
            optimizer=OptimizerConfig(learning_rate=0.05, final_learning_rate=0.0005),
            augmentation=SHIFT,
        ),
        widths=(1.0,) if smoke else (0.5, 1.0),
        train=TrainConfig(
            epochs=1 if smoke else 40, batch_size=50, optimizer=rates, augmentation=SHIFT
        ),
        static_candidates=4 if smoke else 200,
    )
