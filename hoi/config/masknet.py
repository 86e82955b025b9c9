"""Sections of the masker's network: made clips with true labels, and its training."""

from typing import Annotated

from pydantic import Field, model_validator

from hoi.config.base import Count, Fraction, NonNegative, Positive, Section


class KeypointErrors(Section):
    """How far off keypoints are told to be, standard deviations in hand sizes: the same through a clip, or anew in every frame;
    each joint's own, or of all joints."""

    joint: NonNegative
    all: NonNegative
    joint_anew: NonNegative
    all_anew: NonNegative


class MaskData(Section):
    """Frames of made clips about the hand, with true labels, in shards: the first `held_out` of them for validation."""

    shards: Count
    held_out: Count
    first: Annotated[int, Field(ge=0)]
    instances: Count
    grasps_most: Count
    frames: Annotated[int, Field(ge=2)]
    fps: Positive
    supersampling: Count
    keypoints: KeypointErrors

    @model_validator(mode="after")
    def _some_to_train_on(self) -> "MaskData":
        if self.held_out >= self.shards:
            raise ValueError(f"{self.held_out} shards held out of {self.shards}: none to train on")
        return self


class MaskNetwork(Section):
    """The U-Net, and the square about the hand that it sees: pixels a side, and hand sizes from its middle to its sides."""

    resolution: Count
    reach: Positive
    widths: Annotated[tuple[Count, ...], Field(min_length=2)]
    blocks: tuple[Count, ...]
    groups: Count

    @model_validator(mode="after")
    def _levels_agree(self) -> "MaskNetwork":
        if len(self.blocks) != len(self.widths):
            raise ValueError(f"{len(self.blocks)} numbers of blocks for {len(self.widths)} widths")
        if self.resolution % 2 ** len(self.widths):
            raise ValueError(f"resolution {self.resolution}: no multiple of {2 ** len(self.widths)}")
        return self


class MaskAugment(Section):
    """What training does to a frame: shares of frames, and standard deviations or ranges."""

    turned: Fraction
    turn_rad: NonNegative
    zoom: NonNegative
    shift: NonNegative
    elsewhere: Fraction
    patterned: Fraction
    recoloured: Fraction
    relit: Fraction
    blurred: Fraction
    blur_px: tuple[NonNegative, NonNegative]
    noisy: Fraction
    noise: NonNegative
    motionless: Fraction


class TrainMasks(Section):
    """The training of the masker's network."""

    steps: Count
    batch: Count
    rate: Positive
    warm_steps: Count
    weight_decay: NonNegative
    average: Annotated[float, Field(gt=0, lt=1)]
    dice: NonNegative
    held_out_every: Count
    held_out_samples: Count
    log_every: Count
    checkpoint_minutes: Positive
    network: MaskNetwork
    augment: MaskAugment
