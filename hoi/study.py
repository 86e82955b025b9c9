"""The whole configuration: settings, variants and tables, and which variant's file serves which.

A variant is data: sections of settings that it changes. Where two variants have the same settings for a stage and for all
stages before it, the first of them in the config owns the file and the other uses it.
"""

import csv
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hoi.config import (
    FitClip,
    HandChoice,
    MakeFigure,
    MakeReport,
    MakeTable,
    MaskClip,
    MaskData,
    PrepareClip,
    PriorData,
    PriorMemory,
    ReportClip,
    ScoreClip,
    Section,
    ShowClip,
    TrackHand,
    TrainMasks,
    TrainPrior,
)
from hoi.errors import InputError
from hoi.table import DATASETS, NAME, ClipRow

UPSTREAM = {
    "hand": (),
    "track_hand": ("hand",),
    "mask_clip": ("hand", "track_hand"),
    "fit_clip": ("hand", "track_hand", "mask_clip"),
    "show_clip": ("hand", "track_hand", "mask_clip", "fit_clip"),
    "score_clip": ("hand", "track_hand", "mask_clip", "fit_clip"),
}


GROUPS = {*ClipRow.model_fields, "frames"}  # what a table's rows may be grouped by


class Study(BaseModel):
    """Everything that the config files say, validated when the Snakefile is parsed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    clips: str
    seed: int
    prior: Literal["shipped", "trained"]
    masks: Literal["shipped", "trained"]
    hand: HandChoice
    prior_data: PriorData
    train_prior: TrainPrior
    prior_memory: PriorMemory
    mask_data: MaskData
    train_masks: TrainMasks
    prepare_clip: PrepareClip
    track_hand: TrackHand
    mask_clip: MaskClip
    fit_clip: FitClip
    show_clip: ShowClip
    score_clip: ScoreClip
    report_clip: ReportClip
    make_report: MakeReport
    variants: dict[str, dict[str, dict[str, Any]]]
    tables: dict[str, MakeTable]
    figures: dict[str, MakeFigure] = {}

    @model_validator(mode="after")
    def _variants_hold(self) -> "Study":
        """Names are parts of paths; every variant changes known settings; every table names known variants."""
        for kind in ("variants", "tables", "figures"):
            for name in getattr(self, kind):
                if not NAME.fullmatch(name):
                    raise ValueError(f"{kind}: {name!r}: letters, digits, _ and - only")
        if "truth" in self.variants:
            raise ValueError("variants: 'truth' is what the report calls the truth: choose another name")
        for name, changes in self.variants.items():
            for section in changes:
                if section not in UPSTREAM:
                    raise ValueError(f"variant {name}: unknown section {section!r}, expected one of {sorted(UPSTREAM)}")
                self._changed(name, section)
        named = {f"table {name}": d.variants for name, d in self.tables.items()}
        named |= {f"figure {name}": d.variants for name, d in self.figures.items()}
        for where, variants in (named | {"report_clip": self.report_clip.variants}).items():
            unknown = sorted(set(variants) - set(self.variants))
            if unknown:
                raise ValueError(f"{where}: unknown variants {unknown}, expected some of {sorted(self.variants)}")
        return self

    @cached_property
    def all_settings(self) -> dict[tuple[str, str], Section]:
        """The settings of every variant's every stage, worked out once: the workflow asks for them job by job."""
        return {(v, s): self._changed(v, s) for v in self.variants for s in UPSTREAM}

    @cached_property
    def owners(self) -> dict[tuple[str, str], str]:
        """The first variant whose settings of a stage and of all before it are the same as a variant's."""
        found = {}
        for stage, before in UPSTREAM.items():
            first: dict[str, str] = {}
            for variant in self.variants:
                key = "\n".join(self.as_json(variant, s) for s in (*before, stage))
                found[variant, stage] = first.setdefault(key, variant)
        return found

    def _changed(self, variant: str, stage: str) -> Section:
        base: Section = getattr(self, stage)
        return type(base).model_validate(_merge(base.model_dump(), self.variants[variant].get(stage, {})))

    def settings(self, variant: str, stage: str) -> Section:
        """A stage's settings under a variant."""
        return self.all_settings[variant, stage]

    def owner(self, variant: str, stage: str) -> str:
        """The variant whose file of this stage serves another variant too: the first with the same settings up to there."""
        return self.owners[variant, stage]

    def runs_on(self, variant: str, row: ClipRow) -> bool:
        """Can this variant run on this clip: given hands, tracks and masks must be there; `auto` does without."""
        tracker = self.settings(variant, "track_hand").tracker
        if row.source == "procedural":
            return tracker != "file"
        path = Path(str(row.path))
        if row.source in DATASETS:  # planned before their data are there; HO-3D is read without masks
            files = self.settings(variant, "hand").model_dump()["files"]
            given_hands, given_masks = files is not None and tracker != "file", row.source != "ho3d"
        else:
            given = "tracks.npz" if tracker == "file" else "hands.npz"
            given_hands, given_masks = (path / given).exists(), (path / "masks").is_dir()
        hands = tracker in ("mediapipe", "auto") or given_hands
        return hands and (self.settings(variant, "mask_clip").masker != "given" or given_masks)

    def as_json(self, variant: str, stage: str) -> str:
        """A stage's settings as one JSON word, for its command line."""
        return json.dumps(self.settings(variant, stage).model_dump(), sort_keys=True)


def read_study(config: dict[str, Any], where: str = "config/config.yaml and overlays") -> Study:
    """Validate what Snakemake merged from config files and command line."""
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        todo = "correct the key; config/README.md and hoi/config list them"
        if not key:  # of names that refer to each other: the input is all that was read
            found = first["msg"].removeprefix("Value error, ")
            raise InputError(where, found, "names as they are listed", todo) from error
        raise InputError(f"{where}: {key}", repr(first["input"])[:200], first["msg"], todo) from error


def check_named(study: Study, clips: Iterable[str], reported: Path) -> None:
    """Refuse tables and figures that name clips, columns of the clips table, or sets of others' numbers that there are not."""
    with reported.open(newline="") as file:
        sets = {row["set"] for row in csv.DictReader(file, delimiter="\t")}
    for name, table in study.tables.items():
        if table.group_by not in GROUPS:
            _refuse(f"tables.{name}.group_by", table.group_by, GROUPS)
        for unknown in set(table.reported) - sets:
            _refuse(f"tables.{name}.reported", unknown, sets)
    for name, figure in study.figures.items():
        if figure.clips and not set(figure.clips) & set(clips):
            _refuse(f"figures.{name}.clips", ", ".join(figure.clips), clips)


def _refuse(where: str, found: str, known: Iterable[str]) -> NoReturn:
    raise InputError(where, repr(found), f"one of {', '.join(sorted(known))}", "correct it, or the clips table")


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`changes` over `base`, nested; unknown keys are kept, so that validation refuses them."""
    out = dict(base)
    for key, value in changes.items():
        out[key] = _merge(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out
