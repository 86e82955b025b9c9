"""Visible pixels of hand and held object in every frame."""

from pathlib import Path

from hoi.artefacts import Output, read_npz, write_npz
from hoi.clip import read_clip
from hoi.config import MaskClip
from hoi.masknet.network import MaskNet
from hoi.observe.maskers import mask


def mask_clip(clip: Path, hands: Path, network: list[Path], config: MaskClip, output: Output) -> None:
    """Mask the holding hand and the held object through a prepared clip; `network`: the folder of its weights, or none."""
    source = read_clip(clip)
    given = source.given_masks() if config.masker == "given" else None  # a few masks alone are no reason to stop
    learned = MaskNet.load(network[0]).probabilities if network else None
    masks = mask(source.frames(), read_npz("hands", hands), given, config, source.info.hint, learned)
    write_npz("masks", output, **masks)
