"""Sections of the learned prior: its pictures and its training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hoi.config.base import Count, Fraction, NonNegative, Positive, Section
from hoi.config.clips import GraspSettings


class PriorViews(Section):
    """Novel views of hand and object, for training and distillation alike."""

    resolution: Annotated[int, Field(ge=8)]
    pool: Count
    distance_m: Positive
    distance_jitter_m: NonNegative
    margin: tuple[Annotated[float, Field(ge=1)], Annotated[float, Field(ge=1)]]
    shift: Annotated[float, Field(ge=0, lt=0.5)]


class PriorRender(Section):
    """How the object of a novel view is rendered."""

    beta_m: Positive
    bins: Count
    samples: Count
    probe_m: Positive


class PriorNetwork(Section):
    """The denoiser's UNet."""

    patch: Count
    channels: Annotated[tuple[Count, ...], Field(min_length=2)]
    layers: Count
    attention_levels: Annotated[int, Field(ge=0)]
    head_channels: Count
    groups: Count


class PriorSchedule(Section):
    """The noise: scaled-linear β."""

    steps: Count
    beta_start: Annotated[float, Field(gt=0, lt=1)]
    beta_end: Annotated[float, Field(gt=0, lt=1)]


class Rehearsals(Section):
    """Made clips of the prior's training objects, whose evidence gives the rough bodies that the prior is shown."""

    frames: Annotated[int, Field(ge=3)]
    width_px: Count
    height_px: Count
    view_range_deg: tuple[Positive, Positive]
    lost_share: Fraction
    lost_m: tuple[NonNegative, NonNegative]
    noise_scale: tuple[NonNegative, NonNegative]
    betas: NonNegative


class PriorData(Section):
    """Pictures to train the prior on, in shards: the first `held_out` of them for validation."""

    shards: Annotated[int, Field(ge=0)]
    held_out: Count
    instances: Count
    grasps_most: Count
    views_per_grasp: Count
    grasp: GraspSettings
    rehearsal: Rehearsals
    voxel_m: Positive
    max_cells: Count
    views: PriorViews
    render: PriorRender
    clips: list[str]
    table: str | None
    views_per_clip: Count
    apart_m: Positive

    @model_validator(mode="after")
    def _some_to_train_on(self) -> "PriorData":
        if self.table is None and self.held_out >= self.shards + len(self.clips):
            raise ValueError(f"{self.held_out} shards held out of {self.shards + len(self.clips)}: none to train on")
        return self


class PriorMemory(Section):
    """The objects that the prior remembers: training instances from seed `first` on, of every category."""

    first: Annotated[int, Field(ge=0)]
    instances: Count
    further: Annotated[int, Field(ge=0)]
    grasps_most: Count
    points: Count


class TrainPrior(Section):
    """The denoiser's training. `text_encoder`: folder of a CLIP text encoder, for `conditioning: text`."""

    conditioning: Literal["category", "text"]
    text_encoder: str | None
    prompt: str
    steps: Count
    batch: Count
    rate: Positive
    warm_steps: Count
    weight_decay: NonNegative
    weight_most: Positive
    category_dropout: Fraction
    hand_dropout: Fraction
    rough_dropout: Fraction
    unnamed: Fraction
    average_power: Positive
    left_out_most: Fraction
    buffer_shards: Count
    held_out_samples: Count
    judged_samples: Annotated[int, Field(ge=2)]
    held_out_levels: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    held_out_every: Count
    log_every: Count
    checkpoint_minutes: Positive
    grid_minutes: Positive
    grid_steps: Count
    grid_guidance: Positive
    network: PriorNetwork
    schedule: PriorSchedule

    @model_validator(mode="after")
    def _words_need_an_encoder(self) -> "TrainPrior":
        if self.conditioning == "text" and not self.text_encoder:
            raise ValueError("conditioning: text needs text_encoder, the folder of a CLIP text encoder")
        if self.prompt.count("{}") != 1:
            raise ValueError(f"prompt {self.prompt!r}: no single {{}} for the category")
        return self
