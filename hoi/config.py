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


class HandChoice(Section):
    """The hand model, and the folder of MANO's licensed files: for it, and for data sets whose hands are MANO's."""

    model: Literal["open", "mano", "manopth"]
    files: str | None


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


class TrainPrior(Section):
    """The denoiser's training."""

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

    tracker: Literal["given", "noisy", "mediapipe", "file"]
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
    """Masks by SAM 2: its config and weights."""

    config: str
    weights: str | None


class MaskClip(Section):
    """Visible pixels of the hand and the held object in every frame."""

    masker: Literal["given", "grasp", "detectron2", "sam2"]
    detectron2: Detectron2
    sam2: Sam2
    detection_weight: NonNegative
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


class FitField(Section):
    """The object's signed distance field."""

    kernel: Literal["torch", "numba", "compile", "tcnn"]
    half_m: Positive
    levels: Count
    coarsest: Count
    finest: Count
    table_size_log2: Count
    hidden: Count
    radius_m: Positive
    beta_m: Positive
    beta_min_m: Positive
    probe_m: Positive
    probe_start: Positive


class FitRays(Section):
    """What a step looks at."""

    frames: Count
    rays: Count
    samples: Count
    bins: Count
    reach_m: Positive
    near_px: Positive
    share_start: tuple[Positive, Positive, Positive]
    share_end: tuple[Positive, Positive, Positive]
    share_near: Fraction
    probes: Count
    hand_points: Count


class FitRates(Section):
    """Learning rates of Adam at the start."""

    table: Positive
    network: Positive
    beta: NonNegative
    pose: NonNegative
    betas: NonNegative
    camera: NonNegative
    object: NonNegative
    focal: NonNegative
    end: Fraction


class FitWeights(Section):
    """Weights of the objective's terms."""

    label_object: NonNegative
    label_hand: NonNegative
    hand_contour: NonNegative
    hand_mask: NonNegative
    temporal: NonNegative
    camera_smooth: NonNegative
    tracker: NonNegative
    rigid: NonNegative
    eikonal: NonNegative
    curvature: NonNegative
    unseen: NonNegative
    guess: NonNegative
    prior: NonNegative
    penetration: NonNegative
    contact: NonNegative


class FitHull(Section):
    """The visual hull, the classical baseline."""

    cells: Count
    reach_m: Positive
    outside: Fraction
    seen: Fraction


class FitPrior(Section):
    """How the learned prior is distilled; its weight is `weights.prior`."""

    method: Literal["views", "score"]
    condition: Literal["hand_and_category", "hand", "category"]
    rough: bool
    start: Annotated[int, Field(ge=0)]
    every: Count
    views: Count
    steps: Count
    guidance: NonNegative
    noise_start: Annotated[float, Field(gt=0, le=1)]
    noise_end: Annotated[float, Field(gt=0, le=1)]
    mask: NonNegative
    normal: NonNegative
    depth: NonNegative
    tilt_rad: NonNegative
    reach_m: Positive
    free: Fraction
    cells: Count
    levels: Positive
    agree: Fraction


class FitTemplate(Section):
    """The template baseline: a training mesh of the category, fitted to the masks."""

    meshes: Count
    starts: Count
    explored: Count
    kept: Count
    frames: Count
    points: Count
    pixels: Count
    steps: Count
    rate: Positive
    scale_sigma: Positive
    place_m: Positive
    prior: NonNegative


class FitStart(Section):
    """Where the fit starts: inflated silhouettes, and poses registered to them."""

    inflations: Count
    rounds: Annotated[int, Field(ge=0)]
    share: Fraction
    cells: Count
    steps: Count
    rate: Positive
    tilt_rad: Positive
    turn_rad: Positive
    shift_m: Positive
    depth_m: Positive
    teach_steps: Annotated[int, Field(ge=0)]
    teach_rate: Positive


class FitClip(Section):
    """Object shape, hand and poses from masks and the tracked hand."""

    method: Literal["sdf", "hull", "template"]
    view_share: Fraction
    steps: Count
    warm_steps: Count
    level_start: Count
    level_steps: Count
    refresh: Count
    grid_cells: Count
    mesh_cells: Count
    log_every: Count
    sigma_px: Positive
    order_m: Positive
    start: FitStart
    prior: FitPrior
    field: FitField
    rays: FitRays
    rates: FitRates
    weights: FitWeights
    hull: FitHull
    template: FitTemplate


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
    registration: Registration


class ShowClip(Section):
    """Pictures of one fit."""

    frames: Count
    tile_px: Count
    views: Count


class MakeTable(Section):
    """One table: which variants, in which order, which metrics (keys of hoi.metrics.METRICS), and what groups its rows.

    `group_by` is a column of the clips table or a key of the scores, such as `frames`. `interval` adds the 95 % bootstrap
    interval of each mean over clips. `reported` names sets of config/reported.tsv that are listed below, never mixed in.
    `mixed: allow` lets in rows that different code or settings made.
    """

    variants: list[str]
    columns: list[str]
    caption: str = ""
    group_by: str = "category"
    interval: bool = False
    reported: list[str] = []
    mixed: Literal["refuse", "allow"] = "refuse"


class MakeFigure(Section):
    """One figure: pictures of several variants side by side, a metric along a setting, or a loss along the steps.

    `metric`: a key of hoi.metrics.METRICS (kind error), or a column of history.parquet (kind losses). `x`: a value a variant
    (kind error). `clips`: all of the clips table where none are named.
    """

    kind: Literal["gallery", "error", "losses"]
    variants: Annotated[list[str], Field(min_length=1)]
    clips: list[str] = []
    metric: str = "objective"
    x: list[float] = []
    x_label: str = ""
    tile_px: Count = 240


class ReportClip(Section):
    """One clip's page of the report."""

    variants: Annotated[list[str], Field(min_length=1)]
    frame_px: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    faces: Annotated[int, Field(ge=100)]
    error_mm: Positive
    samples: Count
    registration: Registration


class MakeReport(Section):
    """The report's first page: which metrics its table of clips has (keys of hoi.metrics.METRICS)."""

    columns: list[str]
