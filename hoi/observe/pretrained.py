"""Optional segmenters that others trained: detectron2 (Wu et al. 2019) a frame, SAM 2 (Ravi et al. 2024) through a clip.

Neither is imported unless it is chosen. Weights are files of the user's, read without running what is in them.
"""

import importlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from jaxtyping import Bool, Float, UInt8
from torch import nn

from hoi.config import Detectron2, Sam2
from hoi.device import choose_device
from hoi.errors import InputError
from hoi.hand.plain_pickle import numbers, read_pickle
from hoi.observe.instances import Detections, followed, hints_of, hints_of_masks

Frames = UInt8[np.ndarray, "n h w 3"]
Masks = Bool[np.ndarray, "n h w"]


def detectron2_evidence(
    frames: Frames, keypoints_px: Float[np.ndarray, "n 21 2"], settings: Detectron2
) -> Float[np.ndarray, "n h w 3"]:
    """Hints by detectron2's instances, the held one followed through the clip."""
    found = list(predictions(frames, settings))
    return hints_of(found, followed(found, keypoints_px, settings), keypoints_px, settings)


def predictions(frames: Frames, settings: Detectron2) -> Iterator[Detections]:
    """What detectron2 is sure enough of, a frame at a time: 100 masks of a frame are taken off the GPU before the next."""
    config = _package("detectron2.config", "mask_clip.masker: detectron2")
    transforms, modeling = (importlib.import_module(f"detectron2.{name}") for name in ("data.transforms", "modeling"))
    cfg = config.get_cfg()
    _read_config(cfg, settings.config, Path(config.__file__).parents[1] / "model_zoo/configs")
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = cfg.MODEL.RETINANET.SCORE_THRESH_TEST = settings.least_score
    cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE = "", choose_device("detectron2").type
    model = modeling.build_model(cfg).eval()
    load_weights(model, Path(settings.weights or ""))
    resize = transforms.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
    for frame in frames:
        ordered = frame[..., ::-1] if cfg.INPUT.FORMAT == "BGR" else frame
        image = resize.get_transform(ordered).apply_image(np.ascontiguousarray(ordered))
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1).astype(np.float32)))
        with torch.no_grad():
            result = model([{"image": tensor, "height": frame.shape[0], "width": frame.shape[1]}])
        yield Detections.of(result[0]["instances"], settings.least_score)


def _read_config(cfg: Any, name: str, shipped: Path) -> None:
    """A config file of the user's or, by its name, one that detectron2 ships: only the latter may run code in its YAML.

    detectron2.model_zoo would find it too, but needs pkg_resources, which setuptools 82 no longer has.
    """
    own = Path(name).is_file()
    path = Path(name) if own else shipped / name
    where, expected = "mask_clip.detectron2.config", "a .yaml of detectron2's model zoo, or a file like them"
    if not path.is_file() or path.suffix != ".yaml":
        raise InputError(where, f"{name}: no such file", expected, "see configs/ in detectron2's sources")
    try:
        cfg.merge_from_file(str(path), allow_unsafe=not own)
    except (yaml.YAMLError, KeyError, AssertionError) as error:
        raise InputError(where, f"{name}: {error}", expected, "write plain values, without YAML tags") from error


def load_weights(model: nn.Module, path: Path) -> None:
    """A checkpoint's weights (.pkl of the model zoo, or .pth) into a model; every one must be there, in its shape.

    So must scales and shifts of frozen batch norms, which are buffers; their means and variances may be missing, as in
    checkpoints that folded them into the rest (detectron2's FrozenBatchNorm2d then takes 0 and 1).
    """
    if not path.is_file():
        raise InputError(path, "no such file", "a checkpoint", "set mask_clip.detectron2.weights (docs/stack.md)")
    wanted = model.state_dict()
    if path.suffix == ".pkl":
        content = read_pickle(path)
        given = content["model"] if isinstance(content.get("model"), dict) else content
        read = {k: torch.from_numpy(numbers(given, k, path)) for k in given if k in wanted}
    else:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(path, f"no plain checkpoint ({error})", "weights alone", "get the file again") from error
        read = content.get("model", content)
    learned = {k for k, _ in model.named_parameters()} | {k for k in wanted if k.endswith((".weight", ".bias"))}
    missing = sorted(learned - read.keys())
    other = [k for k in read if k in wanted and read[k].shape != wanted[k].shape]
    if missing or other:
        name = (missing or other)[0]
        found = f"{len(missing)} weights missing and {len(other)} of another shape, such as {name}"
        raise InputError(
            path, f"a checkpoint of another architecture: {found}", "the weights of the chosen config",
            "choose the config that the weights were trained with",
        )  # fmt: skip
    model.load_state_dict({k: v for k, v in read.items() if k in wanted}, strict=False)


def sam2_evidence(frames: Frames, first: tuple[Masks, Masks, Float[np.ndarray, "n"]], settings: Sam2) -> np.ndarray:
    """Hints by SAM 2, prompted with the most decided frame of the embedded masker and propagated both ways."""
    held, hand, decided = first
    both = held.any((1, 2)) & hand.any((1, 2))
    best = int(np.argmax(np.where(both, decided, -1)))
    if not both[best]:
        return np.full((*frames.shape[:3], 3), 1 / 3, np.float32)
    masks = propagated(frames, best, [held[best], hand[best]], settings)
    return np.stack([hints_of_masks(o, h & ~o) for o, h in zip(masks[0], masks[1], strict=True)])


def propagated(frames: Frames, start: int, prompts: list[Bool[np.ndarray, "h w"]], settings: Sam2) -> np.ndarray:
    """Masks (prompt, frame, h, w) of things given by their masks in one frame."""
    build = _package("sam2.build_sam", "mask_clip.masker: sam2")
    path = Path(settings.weights or "")
    if not path.is_file():
        raise InputError(path, "no such file", "a checkpoint of SAM 2", "set mask_clip.sam2.weights (docs/stack.md)")
    try:
        predictor = build.build_sam2_video_predictor(settings.config, str(path), device=choose_device("SAM 2").type)
    except OSError as error:  # hydra's MissingConfigException is one
        expected = "a config that SAM 2 ships, such as configs/sam2.1/sam2.1_hiera_t.yaml"
        raise InputError("mask_clip.sam2.config", f"{error}", expected, "give its name") from error
    except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        where, expected = path, f"weights of {settings.config}"
        raise InputError(where, f"a checkpoint of another architecture ({error})", expected, "match the two") from error
    out = np.zeros((len(prompts), *frames.shape[:3]), bool)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for i, frame in enumerate(frames):
            cv2.imwrite(f"{folder}/{i:05d}.jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        state = predictor.init_state(video_path=folder)
        for number, prompt in enumerate(prompts):
            predictor.add_new_mask(state, frame_idx=start, obj_id=number, mask=torch.from_numpy(prompt))
        for reverse in (False, True):
            for index, ids, logits in predictor.propagate_in_video(state, start_frame_idx=start, reverse=reverse):
                for number, logit in zip(ids, logits, strict=True):
                    out[number, index] = (logit[0] > 0).cpu().numpy()
    return out


def _package(module: str, setting: str) -> Any:
    """An optional package's module; an InputError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            setting, f"{error}", f"the package {module.split('.')[0]}", "install it as docs/stack.md says, or masker: grasp"
        ) from error  # fmt: skip
