"""The section `fit_clip`."""

from typing import Annotated, Literal

from pydantic import Field

from hoi.config.base import Count, Fraction, NonNegative, Positive, Section


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
    bend: Positive
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
    recalled: NonNegative
    bend: NonNegative
    penetration: NonNegative
    contact: NonNegative


class FitHull(Section):
    """The visual hull, the classical baseline."""

    cells: Count
    reach_m: Positive
    outside: Fraction
    seen: Fraction


class FitRecall(Section):
    """How a remembered object is found again: first all of them coarsely, then the best few; pairs are those two looks."""

    points: Count
    few: Count
    settling: Count
    tried: Count
    kept: Count
    places: Count
    frames: tuple[Count, Count]
    pixels: tuple[Count, Count]
    steps: tuple[Count, Count]
    rate: Positive
    touch: NonNegative
    cells: Count
    agree: Fraction
    beta_m: Positive
    cell_m: Positive


class FitPrior(Section):
    """How the learned prior is distilled; its weight is `weights.prior`."""

    bodies: Annotated[list[Literal["recalled", "imagined"]], Field(min_length=1)]
    recall: FitRecall
    method: Literal["views", "score"]
    condition: Literal["hand_and_category", "hand", "category"]
    text_encoder: str | None
    rough: bool
    start: Annotated[int, Field(ge=0)]
    renewals: Count
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
    touch: NonNegative
    reach_m: Positive
    free: Fraction
    cells: Count
    smooth_m: NonNegative
    levels: Positive
    agree: Fraction
    beta_m: Positive


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


class FitOutline(Section):
    """Tracked hands brought under the outline of their masks, before anything else; sigmas are standard deviations."""

    frames: Annotated[int, Field(ge=0)]
    log_depth: Positive
    turn_rad: Positive
    shift: Positive
    near: NonNegative
    tries: Count
    looks: Annotated[int, Field(ge=0)]
    tries_alone: Count
    smooth_frames: NonNegative


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
    average: Fraction
    warm_steps: Count
    level_start: Count
    level_steps: Count
    refresh: Count
    grid_cells: Count
    mesh_cells: Count
    mesh_cell_m: Positive
    log_every: Count
    checkpoint_minutes: Positive
    sigma_px: Positive
    order_m: Positive
    outline: FitOutline
    start: FitStart
    prior: FitPrior
    field: FitField
    rays: FitRays
    rates: FitRates
    weights: FitWeights
    hull: FitHull
    template: FitTemplate
