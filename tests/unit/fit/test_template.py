"""The template baseline finds a known mesh of another size."""

import numpy as np
import pytest
import trimesh

from hoi.errors import DataFailure
from hoi.fit import fit

from .test_fit import CENTRE, RADIUS, _scene, _settings, _silent


def test_a_larger_ball_is_placed_and_shrunk():
    settings = _settings(method="template")
    free = settings.template.model_copy(update={"prior": 1e-4, "starts": 2, "steps": 60, "frames": 3})
    templates = [trimesh.creation.icosphere(3, 1.3 * RADIUS), trimesh.creation.box([0.02, 0.02, 0.3])]
    settings = settings.model_copy(update={"template": free})
    result = fit(_scene(), settings, 0, _silent, templates=templates)
    assert len(result.mesh.faces) == len(templates[0].faces), "the ball explains the masks, the rod does not"
    assert result.mesh.extents / 2 == pytest.approx(RADIUS, abs=0.006)
    middle = result.poses["T_hand_obj"][:, :3, 3] + result.mesh.bounds.mean(0)
    np.testing.assert_allclose(middle, np.tile(CENTRE, (6, 1)), atol=0.02)
    T = result.poses
    np.testing.assert_allclose(T["T_cam_obj"], T["T_cam_hand"] @ T["T_hand_obj"], atol=1e-5)


def test_a_clip_without_a_category_is_a_failure_of_its_data():
    with pytest.raises(DataFailure, match="category"):
        fit(_scene(), _settings(method="template"), 0, _silent)
