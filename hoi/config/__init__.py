"""Every setting of the project: names, types and bounds. Values, units and reasons stand in `config/config.yaml`.

A section belongs to the stage of the same name. Unknown keys are refused. Hardware, paths and threads are not settings.
"""

from hoi.config.base import RATE, HandChoice, Section
from hoi.config.clips import (
    Detectron2,
    GraspSettings,
    HandFitting,
    MaskClip,
    MediaLimits,
    PrepareClip,
    ProceduralSettings,
    Sam2,
    TrackHand,
)
from hoi.config.fit import (
    FitClip,
    FitField,
    FitHull,
    FitOutline,
    FitPrior,
    FitRates,
    FitRays,
    FitRecall,
    FitStart,
    FitTemplate,
    FitWeights,
)
from hoi.config.masknet import KeypointErrors, MaskAugment, MaskData, MaskNetwork, TrainMasks
from hoi.config.prior import (
    PriorData,
    PriorMemory,
    PriorNetwork,
    PriorRender,
    PriorSchedule,
    PriorViews,
    Rehearsals,
    TrainPrior,
)
from hoi.config.results import MakeFigure, MakeReport, MakeTable, Registration, ReportClip, ScoreClip, ShowClip

__all__ = [
    "RATE",
    "Detectron2",
    "FitClip",
    "FitField",
    "FitHull",
    "FitOutline",
    "FitPrior",
    "FitRates",
    "FitRays",
    "FitRecall",
    "FitStart",
    "FitTemplate",
    "FitWeights",
    "GraspSettings",
    "HandChoice",
    "HandFitting",
    "KeypointErrors",
    "MakeFigure",
    "MakeReport",
    "MakeTable",
    "MaskAugment",
    "MaskClip",
    "MaskData",
    "MaskNetwork",
    "MediaLimits",
    "PrepareClip",
    "PriorData",
    "PriorMemory",
    "PriorNetwork",
    "PriorRender",
    "PriorSchedule",
    "PriorViews",
    "ProceduralSettings",
    "Registration",
    "Rehearsals",
    "ReportClip",
    "Sam2",
    "ScoreClip",
    "Section",
    "ShowClip",
    "TrackHand",
    "TrainMasks",
    "TrainPrior",
]
