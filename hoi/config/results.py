"""Sections of the stages that score, show, tabulate and report."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hoi.config.base import Count, Positive, Section
from hoi.metrics import METRICS


def _measured(key: str) -> str:
    """A key of METRICS, or an error that lists them."""
    if key not in METRICS:
        raise ValueError(f"no such metric; one of {', '.join(METRICS)}")
    return key


MetricKey = Annotated[str, AfterValidator(_measured)]


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

    `group_by` is a column of the clips table, or `frames`. `interval` adds the 95 % bootstrap
    interval of each mean over clips. `reported` names sets of config/reported.tsv that are listed below, never mixed in.
    `mixed: allow` lets in rows that different code or settings made.
    """

    variants: list[str]
    columns: list[MetricKey]
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

    @model_validator(mode="after")
    def _drawable(self) -> "MakeFigure":
        """A known metric, and a value of x a variant, where these are drawn."""
        if self.kind == "error":
            _measured(self.metric)
            if len(self.x) != len(self.variants):
                raise ValueError(f"{len(self.x)} values of x for {len(self.variants)} variants")
        return self


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

    columns: list[MetricKey]
