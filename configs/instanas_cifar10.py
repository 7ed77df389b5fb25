"""InstaNAS on CIFAR-10, at the size and with the schedule of the authors' code.

jaxnas search instanas_cifar10 --set data=npz:cifar10.npz
"""

from jaxnas.config import Augmentation, DataConfig, OptimizerConfig, TrainConfig
from jaxnas.instance.config import (
    ControllerConfig,
    FinetuneConfig,
    InstanceConfig,
    InstanceSearchConfig,
    LatencyConfig,
    PretrainConfig,
)
from jaxnas.network_configs import MobileNetConfig

CROP = Augmentation(pad=4, flip=True)
CUTOUT = Augmentation(pad=4, flip=True, cutout=16)


def config(variant: str = "") -> InstanceConfig:
    """The experiment; `smoke` runs every phase once at a small size."""
    smoke = variant == "smoke"
    small = {"stages": ((8, 1, 2), (16, 1, 2)), "stem": 8, "head": 16}
    return InstanceConfig(
        name="instanas_cifar10",
        paper="Cheng et al. 2018, InstaNAS (arXiv:1811.10201), section 4, and the authors' code; "
        "cosine learning rates in place of steps, and policies are trained on held-out images",
        expected="48.9% less latency than MobileNetV2 1.0x at no higher test error (the paper's "
        "variant C: 5.20% against 5.56%)",
        hardware="a GPU or TPU",
        time="not measured",
        data=DataConfig(source="tfds:cifar10", **({"train": 64, "test": 40} if smoke else {})),
        network=MobileNetConfig(**(small if smoke else {})),
        controller=ControllerConfig(
            name="small_resnet", channels=(4, 4) if smoke else (16, 32, 64), learning_rate=5e-4
        ),
        # The times of a tiny network are noise: any child has to fit.
        latency=LatencyConfig(table="measured", **({"lower": 0.0, "end": 2.0} if smoke else {})),
        pretrain=PretrainConfig(
            epochs=1 if smoke else 164,
            batch_size=16 if smoke else 64,
            optimizer=OptimizerConfig(0.05, 0.0005, 0.9, 1e-4, 5.0),
            augmentation=CUTOUT,
        ),
        search=InstanceSearchConfig(
            epochs=1 if smoke else 500,
            batch_size=16 if smoke else 32,
            # The authors take plain SGD at 5e-4 here.
            optimizer=OptimizerConfig(5e-4, 5e-4, 0.0, 0.0, 5.0),
            augmentation=CROP,
            policy_updates=1 if smoke else 150,
            reward_batch_size=8 if smoke else 32,
            points=1 if smoke else 5,
            recalibration_batches=2 if smoke else 32,
        ),
        finetune=FinetuneConfig(
            epochs=1 if smoke else 300,
            batch_size=16 if smoke else 256,
            optimizer=OptimizerConfig(1e-3, 1e-6, 0.9, 4e-5, 5.0),
            augmentation=CROP,
        ),
        widths=(1.0,) if smoke else (0.4, 1.0, 1.4),
        train=TrainConfig(
            epochs=1 if smoke else 300,
            batch_size=16 if smoke else 64,
            optimizer=OptimizerConfig(0.05, 0.0005, 0.9, 1e-4, 5.0),
            augmentation=CUTOUT,
        ),
        static_candidates=4 if smoke else 200,
    )
