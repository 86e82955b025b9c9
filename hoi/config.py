"""Every setting of the project: names, types and bounds. Values, units and reasons stand in `config/config.yaml`.

A section belongs to the stage of the same name. Unknown keys are refused. Hardware, paths and threads are not settings.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A group of settings; a key that is not listed is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PrepareClip(Section):
    """Any source to one clip folder."""

    longest_side_px: Count
    focal_over_width: Positive
    fps_if_unknown: Positive


class TrackHand(Section):
    """The holding hand in every frame."""

    tracker: Literal["given", "noisy", "mediapipe"]
    palm_threshold: Fraction
    palm_threshold_hard: Fraction
    presence_threshold: Fraction
    min_easy: Fraction
    hard_stride: Count
    max_gap: Count
    max_jump: Positive
    noise_scale: NonNegative
    noise_rotation_deg: NonNegative
    noise_translation_mm: NonNegative
    noise_articulation_rad: NonNegative
    noise_jitter: NonNegative
    noise_period_frames: Positive


class MaskClip(Section):
    """Visible pixels of the hand and the held object in every frame."""

    masker: Literal["given", "grasp"]
    working_px: Count
    key_frames: Count
    rounds: Count
    colour_blur: NonNegative
    first_contrast: Positive
    evidence_weight: Positive
    max_evidence: Positive
    plate_frames: Count
    plate_noise: Positive
    plate_share: Fraction
    shadow: Fraction
    place_weight: NonNegative
    place_frames: Positive
    pair_weight: NonNegative
    field_steps: Count
    edge_radius: Count
    edge_eps: Positive


class FitClip(Section):
    """Object shape, hand and poses from masks and the tracked hand."""

    method: Literal["sdf", "hull"]


class Registration(Section):
    """How thoroughly a shape is brought onto another: hoi/geometry/registration.py."""

    starts: Count
    coarse_points: Count
    coarse_steps: Count
    refined: Count
    points: Count
    polished: Count


class ScoreClip(Section):
    """Metrics of one fit against the truth."""

    samples: Count
    relative_samples: Count
    failure_cd_cm2: Positive
    registration: Registration


class ShowClip(Section):
    """Pictures of one fit."""


class MakeTable(Section):
    """One table: which variants, in which order."""

    variants: list[str]
