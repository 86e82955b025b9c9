"""HOI4D's raw release (Liu et al., CVPR 2022): a video of the right hand with a rigid object, its masks, poses and CAD model.

ROOT/HOI4D_release/VIDEO/align_rgb/: image.mp4, or %05d.jpg decoded from it at 15 frames a second
ROOT/HOI4D_annotations/VIDEO/: 2Dseg/mask/%05d.png (or 2Dseg/shift_mask), objpose/%05d.json (or %d), action/color.json
ROOT/handpose/refinehandpose_right/VIDEO/%d.pickle
ROOT/camera_params/CAMERA/intrin.npy
ROOT/HOI4D_CAD_Model_for_release/rigid/CATEGORY/%03d.obj

VIDEO is ZY2021080000*/H*/C*/N*/S*/s*/T*. Lengths are metres, the camera is OpenCV's, poses count from the flat hand.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation

from hoi.artefacts import read_json
from hoi.clip import Prepared
from hoi.config import HandChoice, MediaLimits, PrepareClip
from hoi.errors import InputError
from hoi.hand.plain_pickle import numbers, read_pickle
from hoi.sources.datasets import (
    NO_MANO,
    PAGE,
    DatasetTruth,
    ManoHands,
    Recording,
    chosen_frames,
    file_of,
    folder_of,
    keypoints_cam,
    mano_file,
    numbered,
    prepared,
    read_rgb,
    rigid,
    rotations,
    sequence_of,
    to_size,
)
from hoi.sources.timing import video_timing
from hoi.sources.video import FrameRange, read_footage
from hoi.table import ClipRow

FPS, VIDEO_FRAMES = 15.0, 300
CATEGORIES = {"C1": "ToyCar", "C2": "Mug", "C5": "Bottle", "C7": "Bowl", "C12": "Kettle", "C13": "Knife"}
EVENTS = (("events", "startTime", "endTime"), ("marks", "hdTimeStart", "hdTimeEnd"))  # both are released
PARTS = ("HOI4D_annotations", "handpose/refinehandpose_right", "camera_params", "HOI4D_CAD_Model_for_release/rigid")
IDLE = ("rest", "reachout", "stop")  # events between which an object is handled
HAND_SHAPES = {"poseCoeff": (48,), "beta": (10,), "trans": (3,), "kps2D": (21, 2)}  # of a frame
OBJECT, HAND = 1, 2  # labels of rigid categories' masks
BOX_PAD, BOX_LEAST_PX, HAND_PAD = 0.8, 150, 0.4  # of the published crops


@dataclass(frozen=True)
class Annotation:
    """What is known of a frame: labels of its pixels, MANO's parameters as the file has them, the object's pose."""

    labels: UInt8[np.ndarray, "H W"]
    hand: dict[str, np.ndarray]
    T_cam_obj: Float[np.ndarray, "4 4"]


def load_hoi4d(row: ClipRow, settings: PrepareClip, choice: HandChoice) -> tuple[Prepared, DatasetTruth]:
    """A video of the release, cut to a part of it and to the window that the object's published crops span.

    A frame without annotation is an InputError; of a row whose split is train it is left out.
    """
    video = Path(str(row.path))
    name = Path(*video.parts[-7:])
    if len(video.parts) < 8 or video.parts[-8] != "HOI4D_release" or name.parts[2] not in CATEGORIES:
        expected = f"ROOT/HOI4D_release/ZY*/H*/C*/N*/S*/s*/T*, with C one of {', '.join(CATEGORIES)} (rigid objects)"
        raise InputError(video, f"{Path(*video.parts[-8:])}", expected, "correct the path in the clips table")
    root = video.parents[7]
    sequence_of(video, "a video's folder, ROOT/HOI4D_release/ZY*/H*/C*/N*/S*/s*/T*", root, PARTS)
    notes = folder_of(root / "HOI4D_annotations" / name, "the video's annotations")
    indices, frames = _frames(video, row if row.part is None else _part(notes, video, row), settings.limits)
    hands_folder = folder_of(root / "handpose/refinehandpose_right" / name, "the video's right hands")
    known, missing = _annotations(notes, hands_folder, indices, row.split == "train")
    if missing:
        frames = np.delete(frames, [indices.index(i) for i in missing], axis=0)
    indices, annotated = list(known), list(known.values())
    masks = {
        "object": np.stack([a.labels == OBJECT for a in annotated]),
        "hand": np.stack([(a.labels == HAND) & _near(a.hand["kps2D"], a.labels.shape) for a in annotated]),
    }
    K = np.load(file_of(root / "camera_params" / name.parts[0], ["intrin.npy"], "the camera's intrinsics"))
    whole = Recording(frames, K.astype(np.float64), indices, masks)
    recording = to_size(whole, settings.longest_side_px, _window(masks["object"], notes))
    file = mano_file(choice, "right")
    hands = None if file is None else _hands([a.hand for a in annotated]).given(file)
    category = CATEGORIES[name.parts[2]]
    models = root / "HOI4D_CAD_Model_for_release" / "rigid" / category
    mesh = trimesh.load_mesh(file_of(models, [f"{int(name.parts[3][1:]):03d}.obj"], "the CAD model"), process=False)
    poses = {"T_cam_obj": np.stack([a.T_cam_obj for a in annotated]).astype(np.float32)}
    if hands is not None:
        poses["joints_cam"] = keypoints_cam(hands, "right", choice)
    origin = {"hands": "refinehandpose_right" if hands else NO_MANO, "left_out": missing}
    clip = prepared(row, recording, "right", category.lower(), FPS, hands, origin)
    return clip, DatasetTruth(mesh, poses, recording.masks)


def _part(notes: Path, video: Path, row: ClipRow) -> ClipRow:
    """The row with the frames of its part: the n-th stretch of events in which the object is handled, as published."""
    path = file_of(notes / "action", ["color.json"], "the video's events")
    events, declared_s = _events(path)
    clock = 1 if row.split == "test" else _clock(path, events[-1][2], declared_s, _length_s(video / "align_rgb"))
    parts, start = [], None
    for name, start_s, _ in events:
        idle = name.lower() in IDLE
        if start is None and not idle:
            start = start_s
        elif start is not None and idle:
            parts.append((start, start_s))
            start = None
    number = int(row.part or 1)
    if len(parts) < number:
        raise InputError(path, f"{len(parts)} parts", f"part {number} or more", "correct `part` of the row")
    first, stop = (int(FPS * clock * t) for t in parts[number - 1])
    return row.model_copy(update={"first": first, "last": stop - 1})


def _events(path: Path) -> tuple[list[tuple[str, float, float]], float]:
    """Events with their start and end, and the video's length, all by the file's clock; without it, the last end."""
    content = read_json(path)
    try:
        given = content | content.get("markResult", {})
        key, start, end = next(form for form in EVENTS if form[0] in given)
        events = [(str(e["event"]), float(e[start]), float(e[end])) for e in given[key]]
        info, last_s = content.get("info") or {}, events[-1][2]
        return events, float(info.get("duration") or info.get("Duration") or last_s)
    except (StopIteration, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        expected = "events or markResult.marks, each with event and its start and end (s)"
        raise InputError(
            path, f"no events that are understood: {error!r}", expected, "give first and last instead"
        ) from error


def _clock(path: Path, last_s: float, declared_s: float, length_s: float) -> int:
    """How often a file's second goes into one of the video's: some files count 20 s as 10. Events must reach its end."""
    clock = max(1, round(length_s / declared_s))
    if not 0.75 < clock * last_s / length_s < 1.25:
        found = f"events until {last_s:g} s, {declared_s:g} s declared"
        raise InputError(path, found, f"a video of {length_s:g} s, or half", "give first and last instead")
    return clock


def _length_s(folder: Path) -> float:
    """Length of a video, of its pictures or its film; 20 s as all of the release, where the film does not say."""
    count = len(list(folder.glob("*.jpg"))) or (video_timing(folder / "image.mp4").promised() or VIDEO_FRAMES)
    return count / FPS


def _frames(video: Path, row: ClipRow, limits: MediaLimits) -> tuple[list[int], UInt8[np.ndarray, "N H W 3"]]:
    """Frames of the range, from pictures if they were decoded, else from the film."""
    folder, film = folder_of(video / "align_rgb", "image.mp4 or %05d.jpg"), video / "align_rgb/image.mp4"
    if any(folder.glob("*.jpg")):
        files = numbered(folder, (".jpg",), "frames 00000.jpg, ...")
        indices = chosen_frames(row, len(files), folder)
        return indices, np.stack([read_rgb(files[i]) for i in indices])
    fps = video_timing(film).rate() if film.is_file() else FPS
    if fps is not None and abs(fps - FPS) > 0.1:
        found, then = (
            f"{fps:g} frames a second",
            "decode it to %05d.jpg with ffmpeg's filter fps=15, as the release says",
        )
        raise InputError(film, found, "15, as the annotations count", then)
    footage = read_footage(film, FrameRange(row.first, row.last, row.stride), 10**6, limits)
    return footage.indices, footage.frames


def colour_map() -> UInt8[np.ndarray, "10 3"]:
    """RGB of labels 0 to 9, Pascal VOC's: bits of the label, three a place, spread over the channels' highest bits."""
    bits = [[(label >> (3 * place + channel)) & 1 for place in range(8)] for label in range(10) for channel in range(3)]
    return (np.array(bits) << (7 - np.arange(8))).sum(1).reshape(10, 3).astype(np.uint8)


def _labels(folder: Path, index: int) -> UInt8[np.ndarray, "H W"]:
    """Labels of a frame's mask."""
    path = file_of(folder, [f"mask/{index:05d}.png", f"shift_mask/{index:05d}.png"], "a mask a frame")
    codes = read_rgb(path).astype(np.int32) @ [1 << 16, 1 << 8, 1]
    table = colour_map().astype(np.int32) @ [1 << 16, 1 << 8, 1]
    unknown = np.setdiff1d(codes, table)
    if len(unknown):
        colour = tuple(int(unknown[0]) >> s & 255 for s in (16, 8, 0))
        expected = "the ten colours of HOI4D's masks, object (128, 0, 0), right hand (0, 128, 0)"
        raise InputError(path, f"colour {colour}: masks of another palette", expected, f"{PAGE}; use 2Dseg as released")
    order = np.argsort(table)
    return order[np.searchsorted(table[order], codes)].astype(np.uint8)


def _near(keypoints_px: Float[np.ndarray, "21 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "H W"]:
    """The box around a hand's keypoints, padded as published: the label covers the whole arm."""
    low, high = keypoints_px.min(0), keypoints_px.max(0)
    low, high = low - HAND_PAD * (high - low), high + HAND_PAD * (high - low)
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (x >= int(low[0])) & (x < int(high[0])) & (y >= int(low[1])) & (y < int(high[1]))


def _window(masks: Bool[np.ndarray, "N H W"], where: Path) -> tuple[int, int, int, int]:
    """Union of the square crops that were published one a frame, within the picture."""
    boxes = []
    for mask in masks:
        y, x = np.nonzero(mask)
        if len(x):
            middle = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
            side = max(np.ptp(x), np.ptp(y), BOX_LEAST_PX) * (1 + 2 * BOX_PAD)
            boxes.append([*(middle - side / 2), *(middle + side / 2)])
    if not boxes:
        raise InputError(
            where / "2Dseg", "no object in any mask", "the object, label 1", "take another part of the video"
        )
    low, high = np.array(boxes)[:, :2].min(0), np.array(boxes)[:, 2:].max(0)
    x0, y0 = (max(0, int(v)) for v in low)
    x1, y1 = (min(size, int(np.ceil(v))) for size, v in zip(masks.shape[:0:-1], high, strict=True))
    return x0, y0, x1, y1


def _annotations(
    notes: Path, hands: Path, indices: list[int], may_miss: bool
) -> tuple[dict[int, Annotation], list[int]]:
    """Annotations by frame, and frames that have none, where some may be missing."""
    known: dict[int, Annotation] = {}
    missing: list[int] = []
    for i in indices:
        try:
            known[i] = Annotation(_labels(notes / "2Dseg", i), _hand(hands, i), _object_pose(notes / "objpose", i))
        except InputError:
            missing.append(i)
            if not may_miss or len(missing) > len(indices) - 2:
                raise
    return known, missing


def _hand(folder: Path, index: int) -> dict[str, np.ndarray]:
    """Hand parameters of a frame."""
    path = file_of(folder, [f"{index}.pickle", f"{index:05d}.pickle"], "MANO parameters, one file a frame")
    content = read_pickle(path)
    hand = {k: numbers(content, k, path).astype(np.float64) for k in HAND_SHAPES if k in content}
    shapes = {k: v.shape for k, v in hand.items()}
    if shapes != HAND_SHAPES:
        raise InputError(path, f"{shapes}", f"{HAND_SHAPES}", "known faults of the release: take other frames")
    return hand


def _hands(annotated: list[dict[str, np.ndarray]]) -> ManoHands:
    """MANO parameters: global rotation, then 45 angles from the flat hand; one shape a person."""
    pose = np.stack([h["poseCoeff"] for h in annotated])
    trans, betas = np.stack([h["trans"] for h in annotated]), np.mean([h["beta"] for h in annotated], 0)
    return ManoHands("right", rotations(pose[:, :3]), trans, pose[:, 3:], betas)


def _object_pose(folder: Path, index: int) -> Float[np.ndarray, "4 4"]:
    """Object to camera: metres, and intrinsic Euler angles X, Y, Z in radians."""
    path = file_of(folder, [f"{index:05d}.json", f"{index}.json"], "the object's pose, one file a frame")
    content: dict[str, Any] = read_json(path)
    thing = (content.get("dataList") or content.get("objects") or [{}])[0]
    if not {"center", "rotation"} <= set(thing):
        raise InputError(path, f"keys {sorted(content)}", "dataList or objects with center, rotation", f"{PAGE}")
    angles, centre = ([thing[key][axis] for axis in "xyz"] for key in ("rotation", "center"))
    return rigid(Rotation.from_euler("XYZ", angles).as_matrix(), np.array(centre, np.float64))
