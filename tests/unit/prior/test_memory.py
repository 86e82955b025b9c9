"""What the prior remembers, on disk and as it ships."""

from pathlib import Path

import numpy as np
import pytest

from hoi.geometry.raycast import build_scene
from hoi.imports import shipped_prior
from hoi.prior.memory import Kept, Memory, save
from hoi.sources.shapes import CATEGORIES, make_object


def _shape(category: str, seed: int):
    made = make_object(category, seed, "train")
    return made.vertices, made.faces


def test_a_memory_comes_back_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    kept = [
        Kept("mug", 7, rng.uniform(-0.2, 0.2, (5, 3)).astype(np.float32), np.stack([np.eye(4)] * n)) for n in (1, 2)
    ]
    save([kept[0], Kept("bowl", 8, *(getattr(kept[1], k) for k in ("points", "T_hand_obj")))], tmp_path / "m.npz")
    back = Memory.load(tmp_path / "m.npz", _shape)
    assert [(k.category, k.seed, len(k.T_hand_obj)) for k in back.kept] == [("mug", 7, 1), ("bowl", 8, 2)]
    np.testing.assert_allclose(back.kept[0].points, kept[0].points, atol=1.1e-5)
    assert len(back.held("bowl", True)) == 2 * 4 and back.held("object", True) == [] == back.held(None, True)


@pytest.mark.parametrize("category", CATEGORIES)
def test_shipped_memories_are_of_the_shapes_that_their_seeds_make(category):
    """Were a family changed, what ships would be recalled as one shape and built as another."""
    import open3d as o3d

    memory = Memory.load(Path(shipped_prior()[1]), _shape)
    of_category = [k for k in memory.kept if k.category == category]
    assert len(of_category) >= 20
    scene = build_scene(*_shape(category, of_category[3].seed))
    points = o3d.core.Tensor(np.ascontiguousarray(of_category[3].points))
    assert float(scene.compute_distance(points).numpy().max()) < 1e-4


def test_half_turns_keep_the_middle_and_turn_the_rest():
    points = np.random.default_rng(1).uniform(0, 0.1, (50, 3)).astype(np.float32)
    held = Memory([Kept("mug", 7, points, np.eye(4, dtype=np.float32)[None])], _shape).held("mug", True)
    clouds = [h.cloud().numpy() for h in held]
    np.testing.assert_array_equal(clouds[0], points)
    for cloud in clouds[1:]:
        np.testing.assert_allclose(cloud.mean(0), points.mean(0), atol=1e-6)
        offs = (cloud - points.mean(0)) / (points - points.mean(0))
        assert sorted(np.sign(offs[0])) == [-1, -1, 1] and np.allclose(np.abs(offs), 1, atol=1e-2)
