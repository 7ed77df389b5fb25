"""A whole instance-aware search on a very small configuration."""

import dataclasses

from jaxnas.config import DataConfig
from jaxnas.runtime.configs import load_config
from jaxnas.supernets import mobilenet


def tiny_instance_config(**changes):
    config = load_config("instanas_digits:smoke")
    given = {
        "name": "tiny_instance",
        "data": DataConfig(train=60, validation=50, test=30),
        "network": dataclasses.replace(config.network, stages=((8, 1, 1),)),
        "pretrain": dataclasses.replace(config.pretrain, batch_size=30),
        "search": dataclasses.replace(config.search, epochs=2, batch_size=30, points=2),
        "finetune": dataclasses.replace(config.finetune, batch_size=30),
        "train": dataclasses.replace(config.train, batch_size=30),
    }
    return dataclasses.replace(config, **(given | changes))


def two_blocks(image_shape, head):
    """A meta-graph of two blocks with two modules each, whose blocks may all be skipped."""
    return mobilenet(
        image_shape=image_shape,
        num_classes=2,
        stages=((4, 2, 1),),
        stem=4,
        head=head,
        modules=("inverted_residual_3x3_3", "basic_block"),
    )
