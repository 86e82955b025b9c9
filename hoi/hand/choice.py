"""Which hand model: the setting `hand`, and the same choice as it stands in the artefacts that a tracker or fit wrote."""

from collections.abc import Mapping

import numpy as np

from hoi.config import HandChoice
from hoi.errors import InputError
from hoi.hand.mano import load_mano
from hoi.hand.model import HandModel, Side, load_hand

OPEN = HandChoice(model="open", files=None)


def chosen_hand(side: Side, choice: HandChoice) -> HandModel:
    """The hand of a side, by the setting."""
    if choice.model == "open":
        return load_hand(side)
    if choice.files is None:
        raise InputError(
            f"hand.model: {choice.model}", "no `hand.files`", "the folder of MANO_RIGHT.pkl and MANO_LEFT.pkl",
            "set hand.files, or hand.model: open (docs/stack.md)",
        )  # fmt: skip
    if choice.model == "mano":
        return load_mano(choice.files, side)
    from hoi.hand.manopth import load_manopth

    return load_manopth(choice.files, side)


def hand_keys(choice: HandChoice) -> dict[str, np.ndarray]:
    """The choice, as artefacts hold it."""
    return {"model": np.array(choice.model), "model_files": np.array(choice.files or "")}


def hand_of(arrays: Mapping[str, np.ndarray]) -> HandModel:
    """The hand that an artefact's pose and betas are of (schemas `hands`, `poses`); the open one where it does not say."""
    files = str(arrays.get("model_files", "")) or None
    choice = HandChoice.model_validate({"model": str(arrays.get("model", "open")), "files": files})
    return chosen_hand("right" if arrays["is_right"] else "left", choice)
