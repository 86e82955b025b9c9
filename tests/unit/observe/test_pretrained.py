"""detectron2: recorded predictions in their own output types, linked and handed on; what is refused."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from hoi.artefacts import check
from hoi.errors import InputError
from hoi.observe import pretrained
from hoi.observe.instances import Detections, box_iou, followed, hints_of
from hoi.observe.maskers import mask

from .test_maskers import iou, moving_scene


class Boxes:
    """detectron2.structures.Boxes: a tensor of corners."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __getitem__(self, kept):
        return Boxes(self.tensor[kept])


class Instances:
    """detectron2.structures.Instances: named fields of one length, and the picture's size."""

    def __init__(self, image_size, **fields):
        self.image_size, self._fields = image_size, fields

    def to(self, device):
        return Instances(self.image_size, **self._fields)

    def has(self, name):
        return name in self._fields

    def __getitem__(self, kept):
        return Instances(self.image_size, **{name: value[kept] for name, value in self._fields.items()})

    def __getattr__(self, name):
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(name) from None


def box_of(m):
    y, x = np.nonzero(m)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


@pytest.fixture(params=["stand-in", "detectron2"])
def kinds(request):
    """Classes of what is said: the stand-ins above, and detectron2's own where it is installed."""
    if request.param == "stand-in":
        return Instances, Boxes
    structures = pytest.importorskip("detectron2.structures", reason="not on PyPI: docs/stack.md says how it was tried")
    return structures.Instances, structures.Boxes


HANDS_AND_TARGETS = {0: 1, 39: 0, 41: 0, 74: 0}  # 100DOH's classes, from COCO's: hands, and whatever they touch


def recorded(held, hand, kinds=(Instances, Boxes), lost=(), with_masks=True, renamed=None):
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
            "pred_boxes": kinds[1](torch.tensor([box_of(m) for m in masks], dtype=torch.float32)),
            "scores": torch.tensor([r[2] for r in rows]),
            "pred_classes": torch.tensor([renamed[r[1]] if renamed else r[1] for r in rows]),
        }
        if with_masks:
            fields["pred_masks"] = torch.from_numpy(masks)
        out.append(kinds[0](held.shape[1:], **fields))
    return out


@pytest.fixture
def scene(flat_hand):
    return moving_scene(flat_hand, n=8, object_colour=(176, 170, 168), pan=0)  # of the wall's colours


def detections(scene, settings, **words):
    _, hands, held, hand = scene
    return read(recorded(held, hand, **words), settings), hands["keypoints_px"]


def read(said, settings):
    return [Detections.of(instances, settings.detectron2.least_score) for instances in said]


def test_what_is_too_unsure_is_left_out(scene, kinds):
    said = recorded(scene[2], scene[3], kinds)[0]
    found = Detections.of(said, 0.7)
    assert found.classes.tolist() == [0, 74] and found.masks.shape == (2, *scene[0].shape[1:3])
    np.testing.assert_allclose(found.scores, [0.98, 0.9])
    assert len(Detections.of(said, 0.99).masks) == 0


def test_the_held_object_is_followed_through_classes_gaps_and_distractors(scene, mask_settings, kinds):
    found, keypoints = detections(scene, mask_settings, lost=(3,), kinds=kinds)
    assert followed(found, keypoints, mask_settings.detectron2) == [2, 2, 2, None, 2, 2, 2, 2]


def test_classes_of_objects_can_be_named(scene, mask_settings):
    found, keypoints = detections(scene, mask_settings)
    only = mask_settings.detectron2.model_copy(update={"object_classes": [41]})
    assert followed(found, keypoints, only) == [2, None] * 4


def test_boxes_of_hands_and_what_they_touch_are_followed(scene, mask_settings, kinds):
    """A checkpoint in the manner of 100DOH: class 0 is a touched object, class 1 a hand, and there are no masks."""
    settings = mask_settings.detectron2.model_copy(update={"hand_classes": [1], "object_classes": [0]})
    words = {"lost": (3,), "with_masks": False, "renamed": HANDS_AND_TARGETS}
    found, keypoints = detections(scene, mask_settings, kinds=kinds, **words)
    path = followed(found, keypoints, settings)
    assert path == [2, 2, 2, None, 2, 2, 2, 2] and all(d.are_boxes for d in found)
    hints, held = hints_of(found, path, keypoints, settings), scene[2]
    np.testing.assert_allclose(hints.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(hints[0][held[0]], 1 / 3, atol=1e-6)
    assert (hints[0][~found[0].masks[2] & ~found[0].masks[0]][:, 2] < 0.1).all(), "boxes tell where the object is not"


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
    monkeypatch.setattr(pretrained, "predictions", lambda *_: read(recorded(held, hand, lost=(3,)), settings))
    alone = mask(frames, hands, None, mask_settings)["object"]  # an object of the wall's colours
    helped = check("masks", mask(frames, hands, None, settings), "masks")["object"]
    assert iou(alone, held) < 0.1 and iou(helped, held) > 0.8 and iou(helped[3], held[3]) > 0.55


def test_a_frame_without_detection_is_masked_by_what_others_taught(flat_hand, mask_settings, monkeypatch):
    """And boxes alone do no harm: an object of its own colour, missed in frame 3."""
    frames, hands, held, hand = moving_scene(flat_hand, n=8)
    settings = mask_settings.model_copy(update={"masker": "detectron2"})
    for with_masks in (True, False):
        said = read(recorded(held, hand, lost=(3,), with_masks=with_masks), settings)
        monkeypatch.setattr(pretrained, "predictions", lambda *_, said=said: said)
        found = mask(frames, hands, None, settings)["object"]
        assert iou(found, held) > 0.85 and iou(found[3], held[3]) > 0.8


class Recorded(torch.nn.Module):
    """A detector that says what it was told to, frame by frame."""

    def __init__(self, said):
        super().__init__()
        self.said, self.asked = said, 0

    def forward(self, batch):
        self.asked += 1
        return [{"instances": self.said[self.asked - 1]}]


def test_a_frame_s_detections_are_let_go_before_the_next(scene, mask_settings, monkeypatch, tmp_path):
    """100 masks a frame are 9 GB for a clip: they leave the GPU at once, and unsure ones are not asked for."""
    frames, _, held, hand = scene
    head = lambda: SimpleNamespace(SCORE_THRESH_TEST=0.05)  # noqa: E731
    sizes = SimpleNamespace(MIN_SIZE_TEST=240, MAX_SIZE_TEST=320, FORMAT="BGR")
    cfg = SimpleNamespace(MODEL=SimpleNamespace(ROI_HEADS=head(), RETINANET=head()), INPUT=sizes)
    cfg.merge_from_file = lambda *_, **__: None
    model = Recorded(recorded(held, hand))
    same = SimpleNamespace(get_transform=lambda _: SimpleNamespace(apply_image=lambda image: image))
    parts = {
        "config": {"get_cfg": lambda: cfg, "__file__": str(tmp_path / "config/__init__.py")},
        "data.transforms": {"ResizeShortestEdge": lambda *_: same},
        "modeling": {"build_model": lambda _: model},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"detectron2.{name}", module)
    for name in ("c.yaml", "w.pth"):
        torch.save({"model": {}}, tmp_path / name)
    words = {"config": str(tmp_path / "c.yaml"), "weights": str(tmp_path / "w.pth"), "least_score": 0.7}
    said = pretrained.predictions(frames, mask_settings.detectron2.model_copy(update=words))
    first = next(said)
    assert model.asked == 1 and first.classes.tolist() == [0, 74] and isinstance(first.masks, np.ndarray)
    assert cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST == cfg.MODEL.RETINANET.SCORE_THRESH_TEST == 0.7
    assert len(list(said)) == len(frames) - 1


def test_a_missing_package_is_said(scene, mask_settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    frames, hands, _, _ = scene
    with pytest.raises(InputError, match=r"mask_clip\.masker: detectron2(.|\n)*docs/stack\.md"):
        mask(frames, hands, None, mask_settings.model_copy(update={"masker": "detectron2"}))


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
    found = list(pretrained.predictions(scene[0][:2], settings))
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
        next(pretrained.predictions(np.zeros((1, 8, 8, 3), np.uint8), settings))
    assert not mark.exists()


def test_a_config_that_detectron2_does_not_ship_is_said(mask_settings):
    pytest.importorskip("detectron2", reason="not on PyPI: docs/stack.md says how it was tried")
    settings = mask_settings.detectron2.model_copy(update={"config": "COCO-Detection/none.yaml"})
    with pytest.raises(InputError, match=r"mask_clip\.detectron2\.config"):
        next(pretrained.predictions(np.zeros((1, 8, 8, 3), np.uint8), settings))
