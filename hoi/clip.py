"""The clip folder: the one format by which clips come in, and in which `prepare_clip` hands them on (docs/clip_folder.md).

frames/00000.png ...       RGB, all of one size
clip.yaml                  category, side, fps, intrinsics {fx, fy, cx, cy} in pixels, hint {frame, box_px or click_px}
source.json                where the frames come from (prepared clips only)
failure.json               why the clip could not be read; its frames are then grey (prepared clips only)
masks/{object,hand}/*.png  given masks, 0/255                                 -- read by masker `given`
hands.npz                  given hands                                        -- read by trackers `given`, `noisy`
tracks.npz                 another tracker's keypoints or MANO parameters     -- read by tracker `file`
gt/                        object.ply, poses.npz, masks/{object,hand}/*.png   -- read by scoring alone
"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hoi.artefacts import read_json, read_npz, write_json, write_npz
from hoi.category import plain_category
from hoi.errors import InputError

MANO_PARAMETERS = ("global_orient", "hand_pose", "betas", "cam_t")  # of a tracker's file, in place of keypoints
TRUE_HANDS = ("procedural", "hoi4d", "ho3d", "dexycb")  # sources whose hands are made, or annotated by hand and depth
FRAME_SUFFIXES = (".png", ".jpg", ".jpeg")


class Intrinsics(BaseModel):
    """Pinhole camera in pixels of the frames."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    fx: float = Field(gt=0)
    fy: float = Field(gt=0)
    cx: float
    cy: float

    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float32)


class Hint(BaseModel):
    """Where the held object is in one frame: a box (left, top, right, bottom) or a point (x, y) on it, pixels."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    frame: int
    box_px: tuple[float, float, float, float] | None = None
    click_px: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Hint":
        """A box or a click."""
        if (self.box_px is None) == (self.click_px is None):
            raise ValueError("a hint has one of box_px and click_px")
        if self.box_px is not None and not (self.box_px[0] < self.box_px[2] and self.box_px[1] < self.box_px[3]):
            raise ValueError("a box is left, top, right, bottom")
        return self

    def moved(self, frame: int, scale: float, corner: tuple[float, float] = (0.0, 0.0)) -> "Hint":
        """The same in a picture that begins at `corner` of this one, scaled, and in its numbering of frames."""
        box, click = (
            p and tuple(scale * (v - corner[i % 2]) for i, v in enumerate(p)) for p in (self.box_px, self.click_px)
        )
        return Hint(frame=frame, box_px=box, click_px=click)


class ClipInfo(BaseModel):
    """What `clip.yaml` may say; everything is optional."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    category: str | None = None
    side: str | None = None
    fps: float | None = Field(None, gt=0)
    intrinsics: Intrinsics | None = None
    hint: Hint | None = None

    @field_validator("category")
    @classmethod
    def _plain_word(cls, word: str | None) -> str | None:
        """A category is one of ours where it means one."""
        return word and plain_category(word)


@dataclass(frozen=True)
class Clip:
    """A clip folder opened for reading."""

    path: Path
    info: ClipInfo

    def frames(self) -> UInt8[np.ndarray, "N H W 3"]:
        """All frames, RGB."""
        return read_frames(self.path / "frames")

    def K(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics in pixels; a prepared clip always has them."""
        if self.info.intrinsics is None:
            raise InputError(
                self.path / "clip.yaml", "no intrinsics", "fx, fy, cx, cy", "run prepare_clip on this folder"
            )
        return self.info.intrinsics.matrix()

    def given_masks(self) -> dict[str, Bool[np.ndarray, "N H W"]] | None:
        """Given masks of every frame, or None if the clip brings none."""
        return _complete_masks(self.path / "masks", len(frame_files(self.path / "frames")))

    def given_hands(self) -> dict[str, np.ndarray] | None:
        """Given hands (schema `given_hands`), or None if the clip brings none."""
        path = self.path / "hands.npz"
        if not path.exists():
            return None
        hands, n = read_npz("given_hands", path), len(frame_files(self.path / "frames"))
        if len(hands["pose"]) != n:
            raise InputError(path, f"{len(hands['pose'])} rows", f"{n}, one per frame", "give one row per frame")
        return hands

    def given_tracks(self) -> dict[str, np.ndarray] | None:
        """Another tracker's hands (schema `tracks`), or None if the clip brings none."""
        path = self.path / "tracks.npz"
        if not path.exists():
            return None
        tracks = read_npz("tracks", path)
        if "keypoints_cam" not in tracks and not tracks.keys() >= set(MANO_PARAMETERS):
            expected = f"keypoints_cam, or all of {', '.join(MANO_PARAMETERS)}"
            raise InputError(path, f"keys {sorted(tracks)}", expected, "add them (docs/wild.md)")
        return tracks


def read_clip(path: Path | str) -> Clip:
    """Open a clip folder; `clip.yaml` is validated here, frames and masks when they are read."""
    path = Path(path)
    if not path.is_dir():
        raise InputError(
            path, "no such folder", "a clip folder (docs/clip_folder.md)", "check the path in the clips table"
        )
    info_path = path / "clip.yaml"
    if not info_path.exists():
        return Clip(path, ClipInfo())
    try:
        content = yaml.safe_load(info_path.read_text(encoding="utf-8")) or {}
        return Clip(path, ClipInfo.model_validate(content))
    except (UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise InputError(
            info_path,
            str(error),
            "UTF-8; category, side, fps, intrinsics: {fx, fy, cx, cy}, hint: {frame, box_px}, all finite",
            "correct clip.yaml",
        ) from error


@dataclass(frozen=True)
class Prepared:
    """All that a source knows of a clip, ready to be written as a clip folder. Masks go by frame index."""

    frames: UInt8[np.ndarray, "N H W 3"]
    info: ClipInfo
    origin: dict[str, Any]
    masks: dict[str, dict[int, np.ndarray]] | None = None
    hands: dict[str, np.ndarray] | None = None
    tracks: dict[str, np.ndarray] | None = None


def write_clip(path: Path, clip: Prepared) -> None:
    """Write frames, clip.yaml, source.json and, where known, given masks and hands into the folder `path`."""
    write_frames(path / "frames", clip.frames)
    (path / "clip.yaml").write_text(
        yaml.safe_dump(clip.info.model_dump(mode="json", exclude_none=True), sort_keys=False)
    )
    write_json(path / "source.json", clip.origin)
    for name, masks in (clip.masks or {}).items():
        write_masks(path / "masks" / name, masks)
    if clip.hands is not None:
        write_npz("given_hands", path / "hands.npz", **clip.hands)
    if clip.tracks is not None:
        write_npz("tracks", path / "tracks.npz", **clip.tracks)


@dataclass(frozen=True)
class Truth:
    """What is known of a clip beyond its frames, for scoring alone. Masks go by the prepared clip's frame index."""

    object_path: Path | None
    poses: dict[str, np.ndarray] | None
    masks: dict[str, dict[int, np.ndarray]]
    hands_given: bool = False  # the hands given with the clip are its true ones


def read_truth(clip_path: Path) -> Truth:
    """The truth of a prepared clip: `source.json` says where it lies and which of the source's frames were taken."""
    origin = read_json(clip_path / "source.json")
    if origin["truth"] is None:
        return Truth(None, None, {})
    folder, indices = clip_path / origin["truth"], origin["frames"]
    size, given_size = read_frames_size(clip_path), tuple(origin["size"]) if "size" in origin else None
    object_path, poses_path = folder / "object.ply", folder / "poses.npz"
    poses = read_npz("true_poses", poses_path) if poses_path.exists() else None
    if poses is not None:
        if len(poses["T_cam_obj"]) <= max(indices):
            raise InputError(
                poses_path, f"{len(poses['T_cam_obj'])} rows", f"more than {max(indices)}", "give one row per frame"
            )
        poses = {key: value[indices] for key, value in poses.items()}
    masks = {name: read_masks(folder / "masks" / name, given_size) for name in ("object", "hand")}
    masks = {name: _renumbered(some, indices, size) for name, some in masks.items()}
    known = {name: some for name, some in masks.items() if some}
    return Truth(object_path if object_path.exists() else None, poses, known, origin["source"] in TRUE_HANDS)


def _renumbered(masks: dict[int, np.ndarray], indices: list[int], size: tuple[int, int]) -> dict[int, np.ndarray]:
    return {new: scaled_mask(masks[old], size) for new, old in enumerate(indices) if old in masks}


def read_frames_size(clip_path: Path) -> tuple[int, int]:
    """(height, width) of a clip's frames."""
    return read_picture(frame_files(clip_path / "frames")[0]).shape[:2]


def frame_files(folder: Path) -> list[Path]:
    """The picture files of a folder, by name; numbers in names count as numbers: 2.png comes before 10.png. Hidden files, as
    macOS writes them beside each picture, are none."""
    files = [p for p in folder.glob("[!.]*") if p.suffix.lower() in FRAME_SUFFIXES]
    return sorted(files, key=lambda p: [int(t) if i % 2 else t for i, t in enumerate(re.split("([0-9]+)", p.name))])


def read_picture(path: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """One picture (BGR or gray); an unreadable one is an InputError."""
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise InputError(path, "an unreadable picture", "a png or jpg", "replace or delete it")
    return picture


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture by its header, before a turn that it may ask for; nothing is decoded."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(path, f"an unreadable picture ({error})", "a png or jpg", "replace or delete it") from error


def check_whole(path: Path) -> None:
    """Refuse a picture that ends before its end: OpenCV gives a JPEG's rest as gray."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(path, f"a damaged picture ({error})", "a whole png or jpg", "replace or delete it") from error


def read_frames(folder: Path) -> UInt8[np.ndarray, "N H W 3"]:
    """All frames of a folder, RGB; they must be of one size."""
    files = frame_files(folder)
    if not files:
        raise InputError(folder, "no frames", "frames/00000.png, 00001.png, ... or clip.mp4", "add frames")
    h, w = read_picture(files[0]).shape[:2]
    frames = np.empty((len(files), h, w, 3), np.uint8)
    for frame, path in zip(frames, files, strict=True):
        picture = read_picture(path)
        if picture.shape != frame.shape:
            found, expected = f"{picture.shape[1]}x{picture.shape[0]}", f"{w}x{h}, as {files[0].name}"
            raise InputError(path, found, expected, "make all frames one size")
        frame[:] = picture[..., ::-1]
    return frames


def read_masks(folder: Path, size: tuple[int, int] | None = None) -> dict[int, Bool[np.ndarray, "H W"]]:
    """Masks by frame index (the file's name). `size` = (height, width) is checked where given, before they are decoded.

    Labels (0 and 1, a palette) and masks in an alpha channel are refused: they would be read as empty, or as full.
    """
    masks, most = {}, 0.0
    for path in frame_files(folder):
        if not re.fullmatch("[0-9]+", path.stem):
            raise InputError(path, f"name {path.name}", "a frame index such as 00012.png", "rename it")
        if size is not None and sorted(picture_size(path)) != sorted(size):
            raise _other_size(path, picture_size(path), size)
        if _see_through(path):
            raise InputError(path, "an alpha channel", "0 and 255, one channel", "write the mask as grey values")
        values = read_picture(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        if size is not None and values.shape != tuple(size):
            raise _other_size(path, values.shape, size)
        brightness = values / np.iinfo(values.dtype).max
        masks[int(path.stem)], most = brightness > 0.5, max(most, float(brightness.max()))
    if 0 < most <= 0.5:
        found = f"no mask with anything in it, but values up to {most:.1%} of white"
        raise InputError(folder, found, "0 and 255", "write masks as 0 and 255, not as labels or a palette")
    return masks


def _see_through(path: Path) -> bool:
    """Does a picture have an alpha channel that says something?"""
    with Image.open(path) as picture:
        return "A" in picture.getbands() and picture.getchannel("A").getextrema()[0] < 255


def _other_size(path: Path, found: tuple[int, int], size: tuple[int, int]) -> InputError:
    expected = f"{size[1]}x{size[0]}, the size of the frames"
    return InputError(path, f"{found[1]}x{found[0]}", expected, "resize the mask")


def _complete_masks(folder: Path, n: int) -> dict[str, np.ndarray] | None:
    if not folder.is_dir():
        return None
    out = {}
    for name in ("object", "hand"):
        masks = read_masks(folder / name)
        missing = sorted(set(range(n)) - set(masks))
        if missing:
            raise InputError(folder / name, f"no mask for frame {missing[0]}", f"{n} masks, one per frame", "add it")
        out[name] = np.stack([masks[i] for i in range(n)])
    return out


def scaled_mask(mask: Bool[np.ndarray, "_h _w"], size: tuple[int, int]) -> Bool[np.ndarray, "_H _W"]:
    """A mask at (height, width), as frames are scaled: where more than half of the area is in it."""
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0.5


def write_frames(folder: Path, frames: Iterable[UInt8[np.ndarray, "H W 3"]]) -> None:
    """RGB frames as frames 00000.png, 00001.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i:05d}.png"), frame[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])


def write_masks(folder: Path, masks: dict[int, Bool[np.ndarray, "H W"]]) -> None:
    """Masks by frame index as 0/255 png."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, mask in masks.items():
        cv2.imwrite(str(folder / f"{i:05d}.png"), mask.astype(np.uint8) * 255)
