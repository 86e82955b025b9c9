"""Optional segmenters that others trained: detectron2 (Wu et al. 2019) a frame, SAM 2 (Ravi et al. 2024) through a clip.

Neither is imported unless it is chosen. Weights are files of the user's, read without running what is in them.
"""

import importlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Bool, Float, Shaped, UInt8
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from hoi.config import Detectron2, Sam2
from hoi.device import choose_device
from hoi.errors import InputError
from hoi.hand.plain_pickle import numbers, read_pickle
from hoi.observe.instances import Detections, followed, hints_of, hints_of_masks
from hoi.observe.weights import SAM2_FILES, sam2_folder

Frames = UInt8[np.ndarray, "n h w 3"]
Masks = Bool[np.ndarray, "n h w"]
RGB_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]  # of the pictures that SAM 2's encoder was trained on
RGB_DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def detectron2_evidence(
    frames: Frames, keypoints_px: Float[np.ndarray, "n 21 2"], settings: Detectron2
) -> Float[np.ndarray, "n h w 3"]:
    """Hints by detectron2's instances, the held one followed through the clip."""
    found = list(predictions(frames, settings))
    return hints_of(found, followed(found, keypoints_px, settings), keypoints_px, settings)


def predictions(frames: Frames, settings: Detectron2) -> Iterator[Detections]:
    """What detectron2 is sure enough of, a frame at a time: 100 masks of a frame are taken off the GPU before the next."""
    try:
        config, transforms, modeling = (
            importlib.import_module(f"detectron2.{name}") for name in ("config", "data.transforms", "modeling")
        )
    except ImportError as error:
        raise _not_installed("detectron2", "detectron2", error) from error
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
    try:
        from transformers import Sam2VideoInferenceSession, Sam2VideoModel
    except ImportError as error:
        raise _not_installed("transformers", "sam2", error) from error
    device, (height, width) = choose_device("SAM 2"), frames.shape[1:3]
    model = _sam2(Sam2VideoModel, settings).to(device)
    session = Sam2VideoInferenceSession(None, height, width, device, device, dtype=torch.float32)
    session.processed_frames = _Prepared(frames, model.config.image_size)
    for number, prompt in enumerate(prompts):
        mask = _square(torch.from_numpy(prompt)[None].float(), model.config.image_size) >= 0.5
        session.add_mask_inputs(session.obj_id_to_idx(number), start, mask[None].float())
    session.obj_with_new_inputs = list(range(len(prompts)))
    reach = max(model.config.num_maskmem, model.config.max_object_pointers_in_encoder)
    out = np.zeros((len(prompts), *frames.shape[:3]), bool)
    for reverse in (False, True):
        for said in model.propagate_in_video_iterator(session, start_frame_idx=start, reverse=reverse):
            logits = functional.interpolate(said.pred_masks, (height, width), mode="bilinear")
            out[:, said.frame_idx] = (logits[:, 0] > 0).cpu().numpy()
            for outputs in session.output_dict_per_obj.values():
                _forget(outputs["non_cond_frame_outputs"], (start, said.frame_idx), reach)
    return out


def _sam2(kind: Any, settings: Sam2) -> Any:
    """The model with its weights, every one of them from the folder."""
    folder, where, expected = sam2_folder(settings), "mask_clip.sam2", " and ".join(SAM2_FILES)
    if folder is None:
        fetch = f"where there is Internet: hf download {settings.model} {' '.join(SAM2_FILES)} --revision {settings.revision}"
        raise InputError(
            where, f"{settings.model}: neither a folder that has them nor in the Hugging Face cache", expected,
            f"{fetch} (page: https://huggingface.co/{settings.model}), or name a folder that has them",
        )  # fmt: skip
    try:
        model, said = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        raise InputError(where, f"{folder}: {error}", expected, "get both anew, of one model") from error
    if said["missing_keys"]:
        found = f"{folder}: {len(said['missing_keys'])} weights missing, such as {min(said['missing_keys'])}"
        raise InputError(where, found, "all weights of a Sam2VideoModel", "name such a model")
    return model.eval()


class _Prepared:
    """A clip's frames as SAM 2 takes them, each made when it is asked for: 400 of them would be 5 GB."""

    def __init__(self, frames: Frames, size: int) -> None:
        self.frames, self.size = frames, size

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Float[Tensor, "3 size size"]:
        pixels = _square(torch.from_numpy(self.frames[index].transpose(2, 0, 1).copy()), self.size)
        return (pixels - 255 * RGB_MEAN) / (255 * RGB_DEVIATION)


def _square(image: Shaped[Tensor, "c h w"], size: int) -> Shaped[Tensor, "c size size"]:
    return functional.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]


def _forget(outputs: dict[int, Any], near: tuple[int, int], reach: int) -> None:
    """Lets go of frames that SAM 2 looks back at no more: 6 MB each, those near the start are for the way back."""
    for index in [i for i in outputs if min(abs(i - kept) for kept in near) > reach]:
        del outputs[index]


def _not_installed(package: str, masker: str, error: ImportError) -> InputError:
    return InputError(
        f"mask_clip.masker: {masker}", f"{error}", f"the package {package}", "install it as docs/stack.md says, or masker: grasp"
    )  # fmt: skip
