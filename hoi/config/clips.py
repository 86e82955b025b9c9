"""Sections of the stages that make, track and mask a clip."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hoi.config.base import Count, Fraction, NonNegative, Positive, Section


class GraspSettings(Section):
    """How a hand is brought onto an object, and what counts as holding it."""

    contact_m: Positive
    penetration_m: Positive
    grid_voxel_m: Positive
    grasp_hints: Count
    grasp_starts: Count
    grasp_steps: Count
    grasp_refined: Count


class ProceduralSettings(GraspSettings):
    """Clips made by us: size, grasp search, motion, camera, rendering."""

    frames: Count
    fps: Positive
    width_px: Count
    height_px: Count
    focal_over_width: Positive
    view_range_deg: Annotated[float, Field(ge=1, le=150)]
    left_share: Fraction
    first_person_share: Fraction
    near_m: Positive
    far_m: Positive
    views_considered: Count
    supersampling: Count
    shadow_rays: Count
    ambient_rays: Count

    @model_validator(mode="after")
    def _near_is_nearer(self) -> "ProceduralSettings":
        if self.near_m >= self.far_m:
            raise ValueError(f"near_m {self.near_m} is not below far_m {self.far_m}")
        return self


class MediaLimits(Section):
    """The largest video or folder of frames that is opened: clips come from strangers."""

    megabytes: Positive
    megapixels: Positive
    frames: Count


class PrepareClip(Section):
    """Any source to one clip folder."""

    procedural: ProceduralSettings
    limits: MediaLimits
    longest_side_px: Count
    max_frames: Annotated[int, Field(ge=2)]
    focal_over_width: Positive
    fps_if_unknown: Positive


class HandFitting(Section):
    """The hand model fitted to a clip's keypoints; sigmas are standard deviations of residuals."""

    keypoint_sigma: Positive
    outlier_sigmas: Positive
    direction_sigma: Positive
    pose_prior: NonNegative
    limit_sigma_rad: Positive
    betas_prior: NonNegative
    acceleration_sigma_m: Positive
    velocity_sigma_m: Positive
    iterations: Count
    tolerance: Positive
    keypoint_weights: Annotated[list[NonNegative], Field(min_length=21, max_length=21)]
    keypoint_offsets_mm: Annotated[list[tuple[float, float, float]], Field(min_length=21, max_length=21)]


class TrackHand(Section):
    """The holding hand in every frame."""

    tracker: Literal["given", "noisy", "mediapipe", "file", "auto"]
    fitting: HandFitting
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


class Detectron2(Section):
    """Instances by detectron2: its config and weights, and which classes are hands or people, and objects."""

    config: str
    weights: str | None
    least_score: Fraction
    hand_classes: list[int]
    object_classes: list[int]


class Sam2(Section):
    """Masks by SAM 2: a repository of the Hugging Face hub and its commit, or a folder."""

    model: str
    revision: str


class MaskClip(Section):
    """Visible pixels of the hand and the held object in every frame."""

    masker: Literal["given", "grasp", "detectron2", "sam2", "auto"]
    detectron2: Detectron2
    sam2: Sam2
    detection_weight: NonNegative
    network_weight: NonNegative
    working_px: Count
    key_frames: Count
    rounds: Count
    colour_blur: NonNegative
    first_contrast: Positive
    first_shadow: Fraction
    evidence_weight: Positive
    max_evidence: Positive
    barrier_weight: NonNegative
    motion_weight: NonNegative
    plate_frames: Count
    plate_noise: Positive
    plate_share: Fraction
    shadow_share: Fraction
    clear_reach: Positive
    place_weight: NonNegative
    place_frames: Positive
    pair_weight: NonNegative
    field_steps: Count
    edge_radius: Count
    edge_eps: Positive
