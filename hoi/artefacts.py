"""Every file that passes between stages: its keys, types, shapes, units; checked when written and when read.

Files are written to a temporary name beside the target and renamed, so that a file either is whole or is not there.
`results/README.md` documents the same schemas; a test keeps page and code equal.
"""

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from hoi.errors import DataFailure, InputError

Output = Annotated[Path, "written by the stage"]  # of a stage's parameters: where the CLI records a DataFailure
Product = Annotated[Path, "written by the stage, failure or not"]
FAILURE = "hoi_failure"
MOST_BYTES = 4 * 10**9  # of a file's arrays, unpacked: the masks of 3,000 frames are 2.5 GB
FAILED = "failure.json"  # in a folder that stands in for what there is not


@dataclass(frozen=True)
class Array:
    """The type of one array in a file: dtype, shape (numbers or letters that must agree within the file), meaning."""

    dtype: str
    shape: str
    meaning: str
    optional: bool = False
    finite: bool = True


SCHEMAS: dict[str, dict[str, Array]] = {
    "hands": {
        "T_cam_hand": Array("float32", "N 4 4", "hand frame to camera, metres"),
        "pose": Array("float32", "N 45", "articulation, axis-angle in radians, flat mean, MANO's joint order"),
        "betas": Array("float32", "10", "hand shape, one per clip"),
        "K": Array("float32", "3 3", "intrinsics in pixels of the frames"),
        "keypoints_px": Array("float32", "N 21 2", "observed keypoints in pixels, OpenPose order"),
        "confidence": Array("float32", "N", "of the observation, 0 (bridged gap) to 1"),
        "found": Array("bool", "N", "was the hand detected in this frame"),
        "is_right": Array("bool", "", "side of the hand"),
        "model": Array("str", "", "the hand: open, mano or manopth; open where it is not said", optional=True),
        "model_files": Array("str", "", "folder of MANO's licensed files, empty for the open hand", optional=True),
        "tracker": Array("str", "", "which one it was, with what the clip brought, or why not", optional=True),
    },
    "masks": {
        "object": Array("bool", "N H W", "visible pixels of the held object"),
        "hand": Array("bool", "N H W", "visible pixels of the holding hand (the forearm may be in it)"),
        "confidence": Array("float32", "N", "trust in this frame's masks, 0 to 1"),
        "masker": Array("str", "", "which one it was, with what the clip brought, or why not", optional=True),
    },
    "poses": {
        "T_cam_obj": Array("float32", "N 4 4", "object frame to camera, metres"),
        "T_cam_hand": Array("float32", "N 4 4", "hand frame to camera, metres"),
        "T_hand_obj": Array("float32", "N 4 4", "object frame to hand frame, metres"),
        "pose": Array("float32", "N 45", "articulation, axis-angle in radians, flat mean, MANO's joint order"),
        "betas": Array("float32", "10", "hand shape"),
        "joints_cam": Array("float32", "N 21 3", "keypoints in OpenPose order, in the camera, metres"),
        "K": Array("float32", "N 3 3", "refined intrinsics in pixels"),
        "is_right": Array("bool", "", "side of the hand"),
        "model": Array("str", "", "the hand: open, mano or manopth; open where it is not said", optional=True),
        "model_files": Array("str", "", "folder of MANO's licensed files, empty for the open hand", optional=True),
    },
    "given_hands": {
        "model": Array("str", "", "open or mano"),
        "T_cam_hand": Array("float32", "N 4 4", "hand frame to camera, metres"),
        "pose": Array("float32", "N 45", "axis-angle in radians, flat mean"),
        "betas": Array("float32", "10", "hand shape"),
        "found": Array("bool", "N", "is this frame's hand known, not bridged; all where it is not said", optional=True),
    },
    "tracks": {
        "keypoints_cam": Array(
            "float32",
            "M 21 3",
            "OpenPose order, in the tracker's camera, metres (cam_t added); else MANO's four",
            optional=True,
        ),
        "focal_px": Array(
            "float32", "", "focal length of the tracker's camera, pixels of the frames; centre in the middle"
        ),
        "is_right": Array("bool", "M", "side of each row's hand"),
        "frames": Array("int64", "M", "frame of each row, from 0; a frame may have none, or several hands"),
        "confidence": Array("float32", "M", "0 to 1; 1 if not given", optional=True),
        "global_orient": Array(
            "float32", "M 3", "MANO's right hand, axis-angle; mirrored if it is a left one", optional=True
        ),
        "hand_pose": Array("float32", "M 45", "the same, from the flat hand", optional=True),
        "betas": Array("float32", "M 10", "of MANO's right hand", optional=True),
        "cam_t": Array("float32", "M 3", "MANO's translation, after the mirror, metres", optional=True),
    },
    "scored_poses": {
        "T_cam_obj": Array("float32", "N 4 4", "object frame to camera, metres", optional=True),
        "joints_cam": Array("float32", "N 21 3", "keypoints in OpenPose order, in the camera, metres", optional=True),
        "hand_vertices_cam": Array("float32", "N V 3", "the hand's surface in the camera, metres", optional=True),
        "hand_faces": Array("int64", "F 3", "its triangles", optional=True),
        "frames": Array("int64", "N", "which of the truth's frames the rows are, from 0", optional=True),
        "is_right": Array("bool", "", "side of the hand", optional=True),
    },
    "true_depth": {
        "depth_mm": Array("uint16", "N H W", "z-depth of hand, forearm and object in millimetres, 0 = background"),
    },
    "prior_renders": {
        "object_mask": Array("uint8", "S R R", "amodal, 255 = 1"),
        "object_normal": Array("int8", "S R R 3", "unit normal times mask in the camera, 127 = 1"),
        "object_depth": Array("uint16", "S R R", "z in tenths of a millimetre, 0 off the object"),
        "rough_mask": Array("uint8", "S R R", "of the rough body that a made clip's silhouettes give, 255 = 1"),
        "rough_normal": Array("int8", "S R R 3", "as the object's"),
        "rough_depth": Array("uint16", "S R R", "as the object's"),
        "hand_mask": Array("uint8", "S R R", "amodal, 0 or 255"),
        "hand_normal": Array("int8", "S R R 3", "unit normal in the camera, 127 = 1"),
        "hand_depth": Array("uint16", "S R R", "z in tenths of a millimetre, 0 off the hand"),
        "hand_uv": Array("uint8", "S R R 2", "place on the hand's skin, 255 = 1"),
        "hand_mean_depth": Array("float32", "S", "mean z of the hand's vertices, metres"),
        "category": Array("str", "S", "of the object"),
        "instance": Array("int32", "S", "seed of the procedural training instance, -1: of a clip"),
    },
    "prior_memory": {
        "category": Array("str", "I", "of a remembered object"),
        "seed": Array("int64", "I", "of the procedural training instance"),
        "points": Array("int16", "I P 3", "on its surface, object frame, fiftieths of a millimetre"),
        "held": Array("int64", "M", "which object a grasp holds"),
        "T_hand_obj": Array("float32", "M 4 4", "object frame to the frame of the right hand that holds it, metres"),
    },
    "mask_frames": {
        "lab": Array(
            "uint8", "S R R 3", "a square of a frame about the hand, Lab as OpenCV's 8 bits; beyond the frame its edge"
        ),
        "moving": Array("int8", "S R R", "log ratio of motion, fiftieths: positive moves with the hand"),
        "label": Array("uint8", "S R R", "true: 0 background, 1 hand and forearm, 2 object; 255 beyond the frame"),
        "keypoints_px": Array("float32", "S 21 2", "of the hand as a tracker may have them, pixels of the square"),
        "size_px": Array("float32", "S", "of the hand (wrist to the farthest knuckle), pixels of the square"),
        "category": Array("str", "S", "of the object"),
        "instance": Array("int32", "S", "seed of the procedural training instance"),
    },
    "true_poses": {
        "T_cam_obj": Array("float32", "N 4 4", "object frame to camera, metres"),
        "joints_cam": Array("float32", "N 21 3", "keypoints in OpenPose order, in the camera, metres", optional=True),
        "known": Array(
            "bool", "N", "is this frame annotated; others are not scored; all where it is not said", optional=True
        ),
    },
}


def check(
    kind: str, arrays: dict[str, Any], where: object, keys: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays (of these keys alone, if given) as their schema's types; an InputError names the first key that does not fit."""
    letters, out = {}, {}
    _check_keys(kind, arrays, where)
    for key in SCHEMAS[kind] if keys is None else keys:
        spec = SCHEMAS[kind][key]
        if key not in arrays:
            if spec.optional:
                continue
            raise InputError(where, f"keys {sorted(arrays)}", f"a key {key!r}: {spec.meaning}", f"add {key!r}")
        out[key] = _check_array(spec, np.asarray(arrays[key]), letters, f"{where}: {key}")
    return out


def _check_keys(kind: str, keys: Collection[str], where: object) -> None:
    unknown = sorted(set(keys) - set(SCHEMAS[kind]))
    if unknown:
        expected = f"keys of {kind}: {sorted(SCHEMAS[kind])}"
        raise InputError(where, f"unknown keys {unknown}", expected, "remove or rename them")


def _check_array(spec: Array, a: np.ndarray, letters: dict[str, int], where: str) -> np.ndarray:
    same = a.dtype.kind == "U" if spec.dtype == "str" else a.dtype.kind == np.dtype(spec.dtype).kind
    if not same:
        raise InputError(where, f"dtype {a.dtype}", spec.dtype, "save it with that dtype")
    want = spec.shape.split()
    fits = len(want) == a.ndim and all(
        n == (int(w) if w.isdigit() else letters.setdefault(w, n)) for n, w in zip(a.shape, want, strict=True)
    )
    if not fits:
        known = {w: letters[w] for w in want if w in letters}
        raise InputError(where, f"shape {a.shape}", f"({spec.shape}) {known or ''}".strip(), "give one row per frame")
    if a.dtype.kind == "f" and spec.finite and not np.isfinite(a).all():
        bad = np.argwhere(~np.isfinite(a))[0].tolist()
        raise InputError(where, f"NaN or infinity at index {bad}", "finite numbers", "remove or repair that frame")
    return a if spec.dtype == "str" else a.astype(spec.dtype)


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and removed on failure: for a file or a directory."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    target = scratch / path.name
    try:
        yield target
        if target.is_dir() and path.is_dir():
            shutil.rmtree(path)
        target.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_failure(path: Path | str, failure: DataFailure) -> None:
    """In place of any artefact, or in the folder that stands in for it: why this clip has none.

    A small JSON file, whatever the path's suffix.
    """
    write_json(_reason(path), {FAILURE: failure.record()})


def raise_recorded(path: Path | str) -> None:
    """Raise the DataFailure that stands in place of the artefact at this path, or in its folder, if one does."""
    path = _reason(path)
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(64)
    if FAILURE.encode() in start and start.startswith(b"{"):
        raise DataFailure(**json.loads(path.read_text())[FAILURE])


def _reason(path: Path | str) -> Path:
    path = Path(path)
    return path / FAILED if path.is_dir() else path


def write_npz(kind: str, path: Path | str, **arrays: Any) -> None:
    """Check against the schema `kind`, write compressed."""
    checked = check(kind, arrays, path)
    with whole(path) as scratch:
        np.savez_compressed(scratch, **checked)


@contextmanager
def _readable(path: Path | str) -> Iterator[None]:
    """A damaged npz is an InputError."""
    try:
        yield
    except (OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(path, str(error), "a readable npz", "delete it and make it again") from error


def _sizes(path: Path | str) -> dict[str, int]:
    """Bytes of every array of an npz once unpacked, as its directory has them; a recorded failure is raised again."""
    raise_recorded(path)
    sizes: dict[str, int] = {}
    with _readable(path), zipfile.ZipFile(path) as file:
        for member in file.infolist():
            name = member.filename.removesuffix(".npy")
            sizes[name] = sizes.get(name, 0) + member.file_size
    return sizes


def load_arrays(path: Path | str, keys: Collection[str]) -> dict[str, np.ndarray]:
    """Those of an npz's arrays, 4 GB at most, that have these keys, read without pickle; the others are not unpacked.

    A recorded failure is raised again.
    """
    total = sum(size for key, size in _sizes(path).items() if key in keys)
    if total > MOST_BYTES:
        expected = f"at most {MOST_BYTES / 1e9:g} GB"
        raise InputError(path, f"{total / 1e9:.2g} GB of arrays", expected, "take fewer or smaller frames")
    with _readable(path), np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key in keys}


def read_npz(kind: str, path: Path | str, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read and check against the schema `kind`, all of it or these keys alone; a file with keys of another is refused before they
    are unpacked."""
    _check_keys(kind, _sizes(path), path)
    return check(kind, load_arrays(path, SCHEMAS[kind] if keys is None else keys), path, keys)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text."""
    with whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Any) -> None:
    """Write indented JSON; NaN is refused (null says 'not measured')."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read JSON; a damaged file is an InputError, a recorded failure is raised again."""
    raise_recorded(path)
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(path, str(error), "a readable JSON file", "delete it and run again") from error
