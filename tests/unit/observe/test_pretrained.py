"""Segmenters of others: recorded predictions in their own output types, linked and handed on; what is refused."""

import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from hoi.artefacts import check
from hoi.config import Sam2
from hoi.errors import InputError
from hoi.observe import pretrained
from hoi.observe.instances import Detections, box_iou, followed, hints_of
from hoi.observe.maskers import mask

from .test_maskers import iou, moving_scene


class Boxes:
    """detectron2.structures.Boxes: a tensor of corners."""

    def __init__(self, tensor):
        self.tensor = tensor


class Instances:
    """detectron2.structures.Instances: named fields of one length, and the picture's size."""

    def __init__(self, image_size, **fields):
        self.image_size, self._fields = image_size, fields

    def to(self, device):
        return Instances(self.image_size, **self._fields)

    def has(self, name):
        return name in self._fields

    def __getattr__(self, name):
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(name) from None


def box_of(m):
    y, x = np.nonzero(m)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def recorded(held, hand, kind=Instances, box_kind=Boxes, lost=(), with_masks=True):
    """What Mask R-CNN might say: the person, the object now and then as another class, a clock on the wall, a false start."""
    out, clock = [], np.zeros_like(held[0])
    clock[5:45, 250:300] = True
    for t, (thing, skin) in enumerate(zip(held, hand, strict=True)):
        person = skin | np.roll(skin, 120, 1)
        rows = [(person, 0, 0.98), (clock, 74, 0.9)]
        if t not in lost:
            rows.append((thing, 39 if t % 2 else 41, 0.6))
        masks = np.stack([r[0] for r in rows])
        fields = {
            "pred_boxes": box_kind(torch.tensor([box_of(m) for m in masks], dtype=torch.float32)),
            "scores": torch.tensor([r[2] for r in rows]),
            "pred_classes": torch.tensor([r[1] for r in rows]),
        }
        if with_masks:
            fields["pred_masks"] = torch.from_numpy(masks)
        out.append(kind(held.shape[1:], **fields))
    return out


@pytest.fixture
def scene(flat_hand):
    return moving_scene(flat_hand, n=8, object_colour=(176, 170, 168), pan=0)  # of the wall's colours


def detections(scene, settings, **words):
    _, hands, held, hand = scene
    found = [Detections.of(i, settings.detectron2.least_score) for i in recorded(held, hand, **words)]
    return found, hands["keypoints_px"]


def test_the_held_object_is_followed_through_classes_gaps_and_distractors(scene, mask_settings):
    found, keypoints = detections(scene, mask_settings, lost=(3,))
    assert followed(found, keypoints, mask_settings.detectron2) == [2, 2, 2, None, 2, 2, 2, 2]


def test_classes_of_objects_can_be_named(scene, mask_settings):
    found, keypoints = detections(scene, mask_settings)
    only = mask_settings.detectron2.model_copy(update={"object_classes": [41]})
    assert followed(found, keypoints, only) == [2, None] * 4


def test_box_iou_by_hand():
    a, b = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])
    assert box_iou(a, b) == pytest.approx(1 / 3) and box_iou(a, a + 5) == 0


def test_hints_are_probabilities_and_say_nothing_where_nothing_was_found(scene, mask_settings):
    found, keypoints = detections(scene, mask_settings, lost=(3,))
    path = followed(found, keypoints, mask_settings.detectron2)
    hints = hints_of(found, path, keypoints, mask_settings.detectron2)
    np.testing.assert_allclose(hints.sum(-1), 1, atol=1e-6)
    assert (hints.argmax(-1)[0] == 2)[scene[2][0]].all()
    away = ~scene[3][3] & ~np.roll(scene[3][3], 120, 1)
    np.testing.assert_allclose(hints[3][away], 1 / 3, atol=1e-6)


def test_a_person_s_far_parts_are_not_the_hand(scene, mask_settings):
    found, keypoints = detections(scene, mask_settings)
    path = followed(found, keypoints, mask_settings.detectron2)
    hand = hints_of(found, path, keypoints, mask_settings.detectron2).argmax(-1) == 1
    assert not hand[0][:, 300:].any() and (hand[0] & scene[3][0]).sum() > 0.5 * scene[3][0].sum()


def test_detections_find_what_colours_do_not(scene, mask_settings, monkeypatch):
    frames, hands, held, hand = scene
    settings = mask_settings.model_copy(update={"masker": "detectron2"})
    monkeypatch.setattr(pretrained, "predictions", lambda *_: recorded(held, hand, lost=(3,)))
    alone = mask(frames, hands, None, mask_settings)["object"]  # an object of the wall's colours
    helped = check("masks", mask(frames, hands, None, settings), "masks")["object"]
    assert iou(alone, held) < 0.1 and iou(helped, held) > 0.8 and iou(helped[3], held[3]) > 0.55


def test_a_frame_without_detection_is_masked_by_what_others_taught(flat_hand, mask_settings, monkeypatch):
    """And boxes alone do no harm: an object of its own colour, missed in frame 3."""
    frames, hands, held, hand = moving_scene(flat_hand, n=8)
    settings = mask_settings.model_copy(update={"masker": "detectron2"})
    for with_masks in (True, False):
        said = recorded(held, hand, lost=(3,), with_masks=with_masks)
        monkeypatch.setattr(pretrained, "predictions", lambda *_, said=said: said)
        found = mask(frames, hands, None, settings)["object"]
        assert iou(found, held) > 0.85 and iou(found[3], held[3]) > 0.8


class Predictor:
    """SAM 2's video predictor: prompts of one frame, then (frame, ids, logits) both ways."""

    def __init__(self, held, hand):
        self.truth, self.prompts, self.directions = (held, hand), {}, []

    def init_state(self, video_path):
        from pathlib import Path

        assert [p.name for p in sorted(Path(video_path).glob("*.jpg"))] == [
            f"{i:05d}.jpg" for i in range(len(self.truth[0]))
        ]
        return {"prompts": self.prompts}

    def add_new_mask(self, inference_state, frame_idx, obj_id, mask):
        assert mask.dtype == torch.bool and mask.shape == self.truth[0].shape[1:]
        inference_state["prompts"][obj_id] = frame_idx

    def propagate_in_video(self, inference_state, start_frame_idx=None, max_frame_num_to_track=None, reverse=False):
        assert set(inference_state["prompts"]) == {0, 1}
        n = len(self.truth[0])
        for t in range(start_frame_idx, -1, -1) if reverse else range(start_frame_idx, n):
            logits = torch.stack([torch.from_numpy(m[t]).float() * 20 - 10 for m in self.truth])[:, None]
            yield t, [0, 1], logits


@pytest.fixture
def sam2(scene, monkeypatch, tmp_path):
    module, (_, _, held, hand) = ModuleType("sam2.build_sam"), scene
    module.build_sam2_video_predictor = lambda config, path, device: Predictor(held, hand)
    monkeypatch.setitem(sys.modules, "sam2", ModuleType("sam2"))
    monkeypatch.setitem(sys.modules, "sam2.build_sam", module)
    (tmp_path / "weights.pt").write_bytes(b"")
    return module, Sam2(config="configs/sam2.1/sam2.1_hiera_t.yaml", weights=str(tmp_path / "weights.pt"))


def test_sam2_is_prompted_in_one_frame_and_followed_both_ways(scene, sam2, mask_settings):
    frames, hands, held, _ = scene
    settings = mask_settings.model_copy(update={"masker": "sam2", "sam2": sam2[1]})
    assert iou(mask(frames, hands, None, settings)["object"], held) > 0.8


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("size mismatch for image_encoder"), "another architecture"),
        (EOFError("Ran out of input"), "another architecture"),
        (OSError("Cannot find primary config 'none.yaml'"), r"mask_clip\.sam2\.config"),
    ],
)
def test_what_sam2_cannot_be_built_from_is_refused(scene, sam2, error, said):
    def build(*_, **__):
        raise error

    sam2[0].build_sam2_video_predictor = build
    frames, _, held, hand = scene
    with pytest.raises(InputError, match=said):
        pretrained.sam2_evidence(frames, (held, hand, np.ones(len(frames), np.float32)), sam2[1])


@pytest.mark.parametrize("masker", ["detectron2", "sam2"])
def test_a_missing_package_is_said(scene, mask_settings, monkeypatch, masker):
    for name in ("detectron2.config", "sam2.build_sam"):
        monkeypatch.setitem(sys.modules, name, None)
    frames, hands, _, _ = scene
    with pytest.raises(InputError, match=rf"mask_clip\.masker: {masker}(.|\n)*docs/stack\.md"):
        mask(frames, hands, None, mask_settings.model_copy(update={"masker": masker}))


# ---- weights


@pytest.fixture
def network():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
def test_weights_are_read(network, tmp_path, name):
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    save(tmp_path / name, other.state_dict())
    pretrained.load_weights(network, tmp_path / name)
    torch.testing.assert_close(network[1].weight, other[1].weight)


def save(path, weights):
    if path.suffix == ".pkl":  # as the model zoo's files: numpy arrays, and who made them
        content = {"model": {k: v.numpy() for k, v in weights.items()}, "__author__": "them"}
        path.write_bytes(pickle.dumps(content, 2))
    else:
        torch.save({"model": weights}, path)


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_a_checkpoint_of_another_architecture_is_refused(network, tmp_path, name, change):
    weights = network.state_dict()
    if change == "missing":
        del weights["1.weight"]
    else:
        weights["1.weight"] = torch.zeros(2, 5)
    save(tmp_path / name, weights)
    with pytest.raises(InputError, match=r"another architecture(.|\n)*1\.weight"):
        pretrained.load_weights(network, tmp_path / name)


class FrozenNorm(torch.nn.Module):
    """As detectron2's FrozenBatchNorm2d: all of it buffers."""

    def __init__(self):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((3,), value))


@pytest.mark.parametrize("lost", ["weight", "bias"])
def test_a_frozen_norm_without_its_scale_is_refused(tmp_path, lost):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), FrozenNorm())
    weights = model.state_dict()
    del weights[f"1.{lost}"]
    save(tmp_path / "w.pth", weights)
    with pytest.raises(InputError, match=rf"another architecture(.|\n)*1\.{lost}"):
        pretrained.load_weights(model, tmp_path / "w.pth")


def test_a_frozen_norm_takes_its_scale_and_may_lack_statistics(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), FrozenNorm())
    weights = {k: v + 2 for k, v in model.state_dict().items() if "running" not in k}
    save(tmp_path / "w.pth", weights)
    pretrained.load_weights(model, tmp_path / "w.pth")
    torch.testing.assert_close(model[1].weight, torch.full((3,), 3.0))
    torch.testing.assert_close(model[1].running_var, torch.ones(3))


def test_missing_weights_are_named(network, tmp_path):
    with pytest.raises(InputError, match=r"mask_clip\.detectron2\.weights"):
        pretrained.load_weights(network, tmp_path / "none.pkl")


def test_detectron2_itself_gives_what_is_read(scene, mask_settings, tmp_path):
    """A Mask R-CNN with random weights, where detectron2 is installed (docs/stack.md says where it was tried)."""
    detectron2 = pytest.importorskip("detectron2", reason="not on PyPI: docs/stack.md says how it was tried")
    from detectron2.config import get_cfg
    from detectron2.modeling import build_model

    cfg = get_cfg()
    cfg.merge_from_file(f"{detectron2.__path__[0]}/model_zoo/configs/{mask_settings.detectron2.config}")
    cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE = "", "cpu"  # not the backbone's, which would be downloaded
    weights = build_model(cfg).state_dict()
    scale = {"conv1.norm.weight": 0.3, "conv3.norm.weight": 0.1, "cls_score.weight": 300}
    for name in weights:  # a random ResNet's activations kept near 1, and sure of its classes
        weights[name] *= next((by for end, by in scale.items() if name.endswith(end)), 1)
    torch.save(weights, tmp_path / "w.pth")
    settings = mask_settings.detectron2.model_copy(update={"weights": str(tmp_path / "w.pth")})
    found = [Detections.of(i, settings.least_score) for i in pretrained.predictions(scene[0][:2], settings)]
    assert len(found) == 2 and all(len(d.scores) for d in found)
    assert all(d.masks.shape[1:] == scene[0].shape[1:3] and not d.are_boxes for d in found)
    hints = pretrained.detectron2_evidence(scene[0][:2], scene[1]["keypoints_px"][:2], settings)
    assert hints.shape == (2, *scene[0].shape[1:3], 3)
    np.testing.assert_allclose(hints.sum(-1), 1, atol=1e-6)


def test_a_config_of_the_users_runs_nothing(mask_settings, tmp_path):
    pytest.importorskip("detectron2", reason="not on PyPI: docs/stack.md says how it was tried")
    config, mark = tmp_path / "c.yaml", tmp_path / "ran"
    config.write_text(f"MODEL: !!python/object/apply:os.mkdir ['{mark}']\n")
    settings = mask_settings.detectron2.model_copy(update={"config": str(config)})
    with pytest.raises(InputError, match=r"mask_clip\.detectron2\.config"):
        pretrained.predictions(np.zeros((1, 8, 8, 3), np.uint8), settings)
    assert not mark.exists()


def test_a_config_that_detectron2_does_not_ship_is_said(mask_settings):
    pytest.importorskip("detectron2", reason="not on PyPI: docs/stack.md says how it was tried")
    settings = mask_settings.detectron2.model_copy(update={"config": "COCO-Detection/none.yaml"})
    with pytest.raises(InputError, match=r"mask_clip\.detectron2\.config"):
        pretrained.predictions(np.zeros((1, 8, 8, 3), np.uint8), settings)


@pytest.mark.parametrize("content", [b"", b"hello there"])
def test_what_is_no_checkpoint_is_refused(network, tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match="plain checkpoint"):
        pretrained.load_weights(network, tmp_path / "w.pth")
