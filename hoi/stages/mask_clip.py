"""Visible pixels of hand and held object in every frame."""

from pathlib import Path

import numpy as np

from hoi.artefacts import Output, read_npz, write_npz
from hoi.clip import read_clip
from hoi.config import MaskClip
from hoi.masknet.network import MaskNet
from hoi.observe.auto import taken_masker
from hoi.observe.maskers import mask


def mask_clip(clip: Path, hands: Path, network: list[Path], config: MaskClip, output: Output) -> None:
    """Mask the holding hand and the held object through a prepared clip; `network`: the folder of its weights, or none."""
    source, tracked = read_clip(clip), read_npz("hands", hands)
    taken = taken_masker(config, source)
    learned = MaskNet.load(network[0]).probabilities if network else None
    settings = config.model_copy(update={"masker": taken.name})
    masks = mask(source.frames(), tracked, taken.given, settings, source.info.hint, learned)
    write_npz("masks", output, **masks, masker=np.array(str(taken)))
