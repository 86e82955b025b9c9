import numpy as np
import pytest
import yaml

from hoi.config import TrainMasks
from hoi.imports import PACKAGE

SMALL = {"resolution": 32, "reach": 2.0, "widths": [8, 16], "blocks": [1, 1], "groups": 4}
COLOURS = np.array([(60, 128, 128), (150, 150, 150), (220, 100, 170)], np.uint8)  # of background, hand, object


@pytest.fixture
def settings():
    """Of the config, but a small network."""
    content = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())["train_masks"]
    return TrainMasks.model_validate(content | {"network": SMALL, "steps": 6, "batch": 4, "warm_steps": 2})


def made_rows(count, flat_hand, seed=0, side=44):
    """Rows in which every label has its own colour: a hand's rectangle, an object's disc, a frame that ends at the right."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    rows = {key: [] for key in ("lab", "moving", "label", "keypoints_px", "size_px", "category", "instance")}
    for i in range(count):
        cx, cy = rng.uniform(0.4, 0.6, 2) * side
        label = np.zeros((side, side), np.uint8)
        label[(abs(x - side / 2) < 6) & (y > side / 2 - 4)] = 1
        label[np.hypot(x - cx, y - cy + 8) < 6] = 2
        lab = COLOURS[label]
        label[:, -4:], lab[:, -4:] = 255, 0
        rows["lab"].append(lab)
        rows["moving"].append(np.where(label == 2, 60, -60).astype(np.int8))
        rows["label"].append(label)
        rows["keypoints_px"].append((8 * flat_hand + (side / 2, side / 2 + 6)).astype(np.float32))
        rows["size_px"].append(np.float32(8))
        rows["category"].append("mug")
        rows["instance"].append(np.int32(i))
    return {key: np.stack(values) for key, values in rows.items()}
