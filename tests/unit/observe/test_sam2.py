"""SAM 2 of transformers: a stand-in of its interface, itself with random weights, where its weights are, what is refused."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from hoi.config import Sam2
from hoi.errors import InputError
from hoi.observe import pretrained, weights
from hoi.observe.maskers import mask

from .test_maskers import iou, moving_scene

REACH, SIZE = 3, 128


@pytest.fixture
def scene(flat_hand):
    return moving_scene(flat_hand, n=8, object_colour=(176, 170, 168), pan=0)  # of the wall's colours


@pytest.fixture
def settings(tmp_path):
    """Of a folder with weights."""
    for name in weights.SAM2_FILES:
        (tmp_path / name).touch()
    return Sam2(model=str(tmp_path), revision="main")


class Session:
    """transformers.Sam2VideoInferenceSession: the clip, prompts, and what was said of each frame."""

    def __init__(self, video, video_height, video_width, inference_device, inference_state_device, dtype):
        assert video is None and dtype == torch.float32
        self.prompts, self.output_dict_per_obj = {}, {}

    def obj_id_to_idx(self, obj_id):
        self.output_dict_per_obj[obj_id] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        return obj_id

    def add_mask_inputs(self, obj_idx, frame_idx, inputs):
        assert inputs.shape == (1, 1, SIZE, SIZE) and set(inputs.unique().tolist()) <= {0, 1}
        self.prompts[obj_idx] = frame_idx


class Model:
    """transformers.Sam2VideoModel: knows the truth, and looks back at the frames before, which must still be there."""

    config = SimpleNamespace(image_size=SIZE, num_maskmem=2, max_object_pointers_in_encoder=REACH)

    def __init__(self, *truth):
        self.truth, self.most = torch.from_numpy(np.stack(truth)).float(), 0
        self.eval = lambda: self
        self.to = lambda device: self

    def from_pretrained(self, folder, local_files_only, use_safetensors, output_loading_info):
        assert local_files_only and use_safetensors and output_loading_info
        return self, {"missing_keys": set()}

    def propagate_in_video_iterator(self, session, start_frame_idx, reverse):
        assert session.obj_with_new_inputs == [0, 1] and session.prompts == {0: start_frame_idx, 1: start_frame_idx}
        n, way = len(session.processed_frames), -1 if reverse else 1
        for t in range(start_frame_idx, -1 if reverse else n, way):
            assert session.processed_frames[t].shape == (3, SIZE, SIZE)
            for outputs in session.output_dict_per_obj.values():
                past = outputs["non_cond_frame_outputs"]
                back = [t - way * k for k in range(1, REACH)]
                assert all(
                    i in past or i == start_frame_idx for i in back if 0 <= i < n and (i > start_frame_idx or reverse)
                )
                if t != start_frame_idx:
                    past[t] = object()
                self.most = max(self.most, len(past))
            low = functional.interpolate(self.truth[:, t][:, None], (SIZE // 2, SIZE // 2), mode="bilinear")
            yield SimpleNamespace(frame_idx=t, pred_masks=20 * low - 10)


@pytest.fixture
def taught(monkeypatch):
    """A stand-in of the package whose model knows these masks."""

    def put(*truth):
        module, model = ModuleType("transformers"), Model(*truth)
        module.Sam2VideoModel, module.Sam2VideoInferenceSession = model, Session
        monkeypatch.setitem(sys.modules, "transformers", module)
        return model

    return put


def test_it_is_prompted_in_one_frame_and_followed_both_ways(scene, settings, mask_settings, taught):
    frames, hands, held, hand = scene
    taught(held, hand)
    masks = pretrained.propagated(frames, 3, [held[3], hand[3]], settings)
    assert all(iou(found, true) > 0.9 for found, true in zip(masks, (held, hand), strict=True))
    chosen = mask_settings.model_copy(update={"masker": "sam2", "sam2": settings})
    assert iou(mask(frames, hands, None, chosen)["object"], held) > 0.8


def test_a_long_clip_is_held_in_few_frames(settings, taught):
    """Whole clips would be 5 GB of frames and as much of memories; the model sees all that it looks back at."""
    truth = np.random.default_rng(0).random((2, 40, 12, 16)) < 0.5
    model = taught(*truth)
    pretrained.propagated(np.zeros((40, 12, 16, 3), np.uint8), 15, list(truth[:, 15]), settings)
    assert 2 * REACH < model.most <= 3 * REACH + 2


def test_colours_are_those_that_it_was_trained_on():
    frame = np.full((1, 6, 8, 3), (0, 255, 51), np.uint8)
    pixels = pretrained._Prepared(frame, 4)[0]
    by_hand = torch.tensor([-0.485 / 0.229, (1 - 0.456) / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(pixels, by_hand[:, None, None].expand(3, 4, 4))


def test_without_a_frame_that_shows_both_it_says_nothing(scene, settings):
    frames, _, held, hand = scene
    hints = pretrained.sam2_evidence(frames, (held & False, hand, np.ones(len(frames), np.float32)), settings)
    assert (hints == np.float32(1 / 3)).all()


def test_weights_are_found_in_a_folder_or_the_cache(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert weights.sam2_folder(settings) == tmp_path
    (tmp_path / "config.json").unlink()
    assert weights.sam2_folder(settings) is None
    hub = Sam2(model="facebook/sam2.1-hiera-base-plus", revision="a" * 40)
    snapshot = tmp_path / f"hub/models--facebook--sam2.1-hiera-base-plus/snapshots/{hub.revision}"
    snapshot.mkdir(parents=True)
    for name in weights.SAM2_FILES:
        assert weights.sam2_folder(hub) is None
        (snapshot / name).touch()
    assert weights.sam2_folder(hub) == snapshot
    assert weights.sam2_folder(hub.model_copy(update={"revision": "b" * 40})) is None
    assert weights.sam2_folder(hub.model_copy(update={"model": "no/such/folder"})) is None


def test_missing_weights_name_the_command_that_fetches_them(scene, taught, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    frames, _, held, hand = scene
    taught(held, hand)
    settings = Sam2(model="some/weights", revision="abc")
    with pytest.raises(InputError) as refused:
        pretrained.propagated(frames, 0, [held[0], hand[0]], settings)
    assert "hf download some/weights config.json model.safetensors --revision abc" in refused.value.next_step
    assert "https://huggingface.co/some/weights" in refused.value.next_step


@pytest.mark.parametrize("error", [OSError("no JSON"), RuntimeError("another size"), None])
def test_other_weights_are_refused(scene, settings, taught, error):
    frames, _, held, hand = scene

    def from_pretrained(*_, **__):
        if error:
            raise error
        return model, {"missing_keys": {"no_memory_embedding"}}

    model = taught(held, hand)
    model.from_pretrained = from_pretrained
    with pytest.raises(InputError, match=rf"mask_clip\.sam2(.|\n)*({error}|no_memory_embedding)"):
        pretrained.propagated(frames, 0, [held[0], hand[0]], settings)


def test_a_missing_package_is_said(scene, settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    frames, _, held, hand = scene
    with pytest.raises(InputError, match=r"mask_clip\.masker: sam2(.|\n)*docs/stack\.md"):
        pretrained.propagated(frames, 0, [held[0], hand[0]], settings)


@pytest.fixture
def random_sam2(tmp_path):
    """transformers' own class, tiny, its weights random, where it is installed: pictures of 64 pixels."""
    transformers = pytest.importorskip("transformers", reason="optional: docs/stack.md has the run by hand")
    pixels, width = 64, 128
    backbone = {
        "model_type": "sam2_hiera_det_model", "image_size": [pixels, pixels], "hidden_size": 8,
        "blocks_per_stage": [1, 2, 1, 1], "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1] * 4,
        "window_size_per_stage": [4] * 4, "global_attention_blocks": [2],
        "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[pixels // k] * 2 for k in (4, 8, 16)], "fpn_hidden_size": width,
    }  # fmt: skip
    config = transformers.Sam2VideoConfig(
        image_size=pixels, vision_config=vision, prompt_encoder_config={"hidden_size": width, "image_size": pixels},
        mask_decoder_config={"hidden_size": width, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        memory_attention_hidden_size=width, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=16,
        memory_attention_rope_feat_sizes=[pixels // 16] * 2, memory_encoder_hidden_size=width, num_maskmem=3,
        max_object_pointers_in_encoder=4, mask_downsampler_embed_dim=width, memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.Sam2VideoModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * (weight[0].numel() ** -0.5 if weight.dim() > 1 else 0.3))
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(50)  # sure that things are seen
    model.save_pretrained(tmp_path)
    return transformers, Sam2(model=str(tmp_path), revision="main")


def test_sam2_itself_with_random_weights(random_sam2, monkeypatch):
    """The prompts come back, and no mask changes if frames are kept that we let go of. Nothing is asked of the network."""
    _, settings = random_sam2
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asks the network"))
    frames = np.random.default_rng(0).integers(0, 255, (10, 48, 64, 3), np.uint8)
    prompts = [np.zeros((48, 64), bool) for _ in range(2)]
    prompts[0][10:30, 10:30] = prompts[1][25:40, 20:50] = True
    masks = pretrained.propagated(frames, 4, prompts, settings)
    assert masks.shape == (2, 10, 48, 64) and len({m.tobytes() for m in masks[0]}) == 10
    assert all(iou(found[4], prompt) > 0.95 for found, prompt in zip(masks, prompts, strict=True))
    forget = pretrained._forget
    monkeypatch.setattr(pretrained, "_forget", lambda *_: None)
    np.testing.assert_array_equal(pretrained.propagated(frames, 4, prompts, settings), masks)
    monkeypatch.setattr(pretrained, "_forget", lambda outputs, near, reach: forget(outputs, near, 1))
    assert (pretrained.propagated(frames, 4, prompts, settings) != masks).any(), "it looks back further than that"


def test_what_sam2_itself_cannot_be_read_from_is_refused(random_sam2, tmp_path):
    transformers, settings = random_sam2
    file, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    for broken, content in (
        (file, file.read_bytes()[:1000]),
        (config, b"{}"),
        (config, b"{"),
        (config, b'{"num_maskmem": "x"}'),
    ):
        whole = broken.read_bytes()
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"mask_clip\.sam2"):
            pretrained._sam2(transformers.Sam2VideoModel, settings)
        broken.write_bytes(whole)
