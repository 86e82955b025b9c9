"""Hand and held object in every frame from pixels and the tracked hand; networks may be heard beside.

Three labels (background, hand, object) compete in every pixel. Evidence: colours of the whole clip (histograms), how
much colour changes on the way from the image's border, what moves with the hand, the background plate where the hand
has moved away, zones about the hand, and the object's place in the hand, which changes slowly; a network that has seen
many held objects (hoi.masknet) is one more voice, as a detector would be. Colours, plate and place are learned on key
frames in a few rounds of expectation and maximisation; then every frame is labelled once, by mean field with an
edge-aware filter (Krahenbuhl and Koltun 2011, the guided filter in place of their Gaussian), and its edges are refined
at full resolution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoi.clip import Hint
from hoi.config import MaskClip
from hoi.geometry.bars import content_box
from hoi.observe import colours, scene
from hoi.observe.barrier import barrier_distance, sharpest_edge
from hoi.observe.handzone import HandZone, steady_sizes, zone
from hoi.observe.hinting import is_object, may_be_object
from hoi.observe.labels import BACKGROUND, HAND, OBJECT, Labels, decidedness, finish, mean_field
from hoi.observe.motion import moves_with_hand, voted
from hoi.observe.scene import Plate, Transforms
from hoi.observe.smoothing import touching

OTHERS = 0.05  # what the object's first colours in other frames count beside a hint's
HINT_NATS = 20.0  # how much a hint says for the object at a click, and against it outside a box: it is to be believed
LEAST_SAID = 0.05  # of a label by the learned network: it tips what is open, and overrules nothing that is sure
STILL = -0.7  # moves_with_hand: below it what is seen surely rests
MAX_BARRIER = 3.0  # nats a pixel's barrier may say for or against background
GRID, REACH = 96, 3.2  # the hand-centred map: pixels a side, hand sizes from its middle to its sides

Clear = Bool[np.ndarray, "k h w"]
Places = Float[np.ndarray, "k 96 96 3"]
Learned = Callable[[UInt8[np.ndarray, "n h w 3"], Float[np.ndarray, "n h w"], np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Voice:
    """A network's probabilities of the labels, and the weight of their logarithms beside the rest of the evidence."""

    said: Float[np.ndarray, "n h w 3"]
    weight: float


@dataclass(frozen=True)
class SmallClip:
    """The clip at working resolution: Lab, histogram bins, hand sizes in pixels, keypoints, camera."""

    lab: UInt8[np.ndarray, "n h w 3"]
    bins: Int[np.ndarray, "n h w"]
    barriers: Int[np.ndarray, "n h w"]
    moving: Float[np.ndarray, "n h w"]
    keypoints: Float[np.ndarray, "n 21 2"]
    sizes: Float[np.ndarray, "n"]
    T_frame_first: Transforms
    resting: Bool[np.ndarray, "n h w"] | None = None  # patches that rest for sure: background, whatever their colour
    voices: tuple[Voice, ...] = ()  # what networks say
    hint: Hint | None = None  # in pixels here
    seeded: bool = False  # the barriers know edges at rest: what is far off and yet barred is not background

    def zone(self, t: int) -> HandZone:
        """Zones of frame t."""
        return zone(self.keypoints[t], float(self.sizes[t]), self.lab.shape[1:3])

    def allowed(self) -> Bool[np.ndarray, "h w"]:
        """Where the object may be in the hint's frame."""
        return may_be_object(self.hint, self.lab.shape[1:3])

    @cached_property
    def hinted(self) -> Bool[np.ndarray, "h w"]:
        """Where the object is in the hint's frame."""
        t = self.hint.frame
        return is_object(self.hint, self.lab[t], self.zone(t), float(self.sizes[t]))


@dataclass(frozen=True)
class Models:
    """What a round has learned: log densities (32^3) by label, plates of key frames' pixels, places in the hand."""

    log_density: Float[np.ndarray, "3 32768"]
    log_barrier: Float[np.ndarray, "3 256"]
    clear: Clear  # where key frames show background for sure
    at_rest: Plate | None  # the background of a camera at rest
    places: Places | None  # None before the first round


def segment(
    frames: UInt8[np.ndarray, "n h w 3"],
    keypoints_px: Float[np.ndarray, "n 21 2"],
    settings: MaskClip,
    hint: Hint | None = None,
    detected: Float[np.ndarray, "n h w 3"] | None = None,
    learned: Learned | None = None,
) -> tuple[Bool[np.ndarray, "n h w"], Bool[np.ndarray, "n h w"], Float[np.ndarray, "n"]]:
    """Visible masks of object and hand, and how decided each frame's pixels are (0 to 1). The hint's frame is a key frame.

    `detected`: what a detector says of the labels, added to the evidence; thirds where it says nothing. `learned`: says the
    same of frames in Lab and of what moves in them, with the hand's keypoints and sizes, all at working resolution. An object
    of the background's colours, which lies in one patch with it, may be lost to the patches' vote: then it is looked for without.
    """
    rows, columns = content_box(frames)
    inside, inner = frames[:, rows, columns], None if detected is None else detected[:, rows, columns]
    clip = shrink(inside, keypoints_px - (columns.start, rows.start), settings, inner)
    if learned is not None:
        said = LEAST_SAID + (1 - 3 * LEAST_SAID) * learned(clip.lab, clip.moving, clip.keypoints, clip.sizes)
        clip = replace(clip, voices=(*clip.voices, Voice(said, settings.network_weight)))
    keys = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), settings.key_frames)).round().astype(int))
    if hint is not None:
        scale = clip.lab.shape[2] / (columns.stop - columns.start)
        clip = replace(clip, hint=hint.moved(hint.frame, scale, (float(columns.start), float(rows.start))))
        keys = np.union1d(keys, [hint.frame])
    votes = [voted(moving, lab) for moving, lab in zip(clip.moving, clip.lab, strict=True)]
    by_patches, resting = (np.stack(each) for each in zip(*votes, strict=True))
    found = label(replace(clip, moving=by_patches, resting=resting), keys, inside, settings)
    if not found[0].any():
        found = label(clip, keys, inside, settings)
    masks = np.zeros((2, *frames.shape[:3]), bool)
    masks[:, :, rows, columns] = found[:2]
    return masks[0], masks[1], found[2]


def label(
    clip: SmallClip, keys: Int[np.ndarray, "k"], frames: UInt8[np.ndarray, "n h w 3"], settings: MaskClip
) -> tuple[Bool[np.ndarray, "n h w"], Bool[np.ndarray, "n h w"], Float[np.ndarray, "n"]]:
    """Masks of object and hand at the frames' resolution, and how decided: learned on key frames, then frame by frame."""
    clip = seed_still(clip, first_models(clip, keys, settings))
    models = first_models(clip, keys, settings)
    for _ in range(settings.rounds):
        labels = np.stack([label_frame(clip, keys, int(t), models, settings) for t in keys])
        models = learn(clip, keys, labels, settings)
    object_mask = np.zeros(frames.shape[:3], bool)
    hand_mask, decided = object_mask.copy(), np.zeros(len(frames), np.float32)
    for t, frame in enumerate(frames):
        q = label_frame(clip, keys, t, models, settings)
        object_mask[t], hand_mask[t] = finish(q, frame, clip.zone(t), settings)
        decided[t] = decidedness(q)
    return object_mask, hand_mask, decided


def shrink(
    frames: UInt8[np.ndarray, "n h w 3"],
    keypoints_px: Float[np.ndarray, "n 21 2"],
    settings: MaskClip,
    detected: Float[np.ndarray, "n h w 3"] | None,
) -> SmallClip:
    """Frames and keypoints at working resolution, and the camera's motion there."""
    scale = min(1.0, settings.working_px / max(frames.shape[1:3]))
    w, h = (max(1, round(scale * s)) for s in (frames.shape[2], frames.shape[1]))
    small = np.stack([cv2.resize(f, (w, h), interpolation=cv2.INTER_AREA) for f in frames])
    keypoints = keypoints_px.astype(np.float64) * (w / frames.shape[2], h / frames.shape[1])
    sizes = steady_sizes(keypoints)
    zones = [zone(k, float(s), (h, w)) for k, s in zip(keypoints, sizes, strict=True)]
    lab, T, moving = moving_with_hand(small, keypoints, sizes, zones)
    barriers = np.stack([_barrier_bins(image, _rim(z)) for image, z in zip(lab, zones, strict=True)])
    voices: tuple[Voice, ...] = ()
    if detected is not None:
        said = np.stack([cv2.resize(x, (w, h), interpolation=cv2.INTER_AREA) for x in detected])
        voices = (Voice(said, settings.detection_weight),)
    return SmallClip(lab, colours.bin_index(lab), barriers, moving, keypoints, sizes, T, voices=voices)


def moving_with_hand(
    small: UInt8[np.ndarray, "n h w 3"],
    keypoints: Float[np.ndarray, "n 21 2"],
    sizes: Float[np.ndarray, "n"],
    zones: Sequence[HandZone],
) -> tuple[UInt8[np.ndarray, "n h w 3"], Transforms, Float[np.ndarray, "n h w"]]:
    """Frames at working resolution in Lab, the camera's motion, and what moves with the hand rather than with the background."""
    gray = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in small])
    lab = np.stack([colours.to_lab(f) for f in small])
    T = scene.camera_motion(gray, np.stack([_far(z, 1.5) for z in zones]))
    parts = [moves_with_hand(lab, T, keypoints, z.silhouette, float(sizes[t]), t) for t, z in enumerate(zones)]
    return lab, T, np.stack(parts)


def seed_still(clip: SmallClip, models: Models) -> SmallClip:
    """The clip, its barriers also seeded at edges that move with the background and are not of the object's colours."""
    against = models.log_density[OBJECT] - models.log_density[BACKGROUND]
    barriers = np.empty_like(clip.barriers)
    for t in range(len(clip.lab)):
        z = clip.zone(t)
        still = (clip.moving[t] < STILL) & (against[clip.bins[t]] < 2.5)
        inner = cv2.erode(still.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # residuals spread over 5 x 5
        barriers[t] = _barrier_bins(clip.lab[t], _rim(z) | touching(inner, z.distance > 0.1, 8.0))
    return replace(clip, barriers=barriers, seeded=True)


def _rim(z: HandZone) -> Bool[np.ndarray, "h w"]:
    """The image's border but for hand and forearm."""
    return _border(z.distance.shape, 0.01) & (z.forearm == 0) & (z.distance > 0.3)


def _barrier_bins(lab: UInt8[np.ndarray, "h w 3"], seeds: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Barrier from seeds of background to each pixel: 16 steps of colour change times 16 of the sharpest edge."""
    change = np.minimum(barrier_distance(lab, seeds) / 12, 15).astype(np.int32)
    return 16 * change + np.minimum(sharpest_edge(lab, seeds) / 3, 15).astype(np.int32)


def first_models(clip: SmallClip, keys: Int[np.ndarray, "k"], settings: MaskClip) -> Models:
    """Colours before any labels: skin from the silhouette, background from far off, object from what else is near."""
    weights = np.stack([_first_weights(clip.zone(int(t)), clip.lab[t]) for t in keys])
    bins, barriers = clip.bins[keys].ravel(), clip.barriers[keys].ravel()
    log_barrier = barrier_densities(barriers, weights * (1.0, 1.0, 0.0))
    held = 1 / (1 + np.exp(log_barrier[BACKGROUND] - log_barrier[HAND]))[clip.barriers[keys]]
    weights[..., OBJECT] *= held
    if clip.seeded:
        weights[..., BACKGROUND] *= (1 - held) / (1 + np.exp(3 * clip.moving[keys]))
    likely = log_barrier[BACKGROUND] - log_barrier[HAND]
    clear = np.stack([_first_clear(clip, int(t), likely, settings) for t in keys])
    at_rest = plate_at_rest(clip, keys, clear, settings)
    for i, t in enumerate(keys):
        behind = at_rest or plate_of(clip, keys, int(t), clear, settings)
        weights[i, ..., OBJECT] /= 1 + np.exp(-3 * clip.moving[t])
        at_plate = scene.plate_log_density(clip.lab[t], behind, settings.shadow_share)
        weights[i, ..., OBJECT] *= 1 - scene.explained(at_plate, behind)
        for voice in clip.voices:
            weights[i] *= voice.said[t]
    contrast = settings.first_contrast
    if clip.hint is not None:
        weights, contrast = follow_hint(weights, clip, keys), 0.0 if clip.hint.click_px else 0.5 * contrast
    p = [colours.density(bins, weights[..., i].ravel(), settings.colour_blur).ravel() for i in range(3)]
    p[BACKGROUND] = colours.shaded(p[BACKGROUND], settings.shadow_share)
    elsewhere = colours.density(bins, weights[..., BACKGROUND].ravel(), 2 * settings.colour_blur).ravel()
    elsewhere = contrast * (colours.shaded(elsewhere, settings.first_shadow) + p[HAND])
    own = np.maximum(p[OBJECT] - elsewhere, 0.02 * p[OBJECT])
    p[OBJECT] = 0.98 * own / own.sum() + 0.02 * colours.UNIFORM
    return Models(np.log(np.stack(p)).astype(np.float32), log_barrier, clear, at_rest, None)


def follow_hint(
    weights: Float[np.ndarray, "k h w 3"], clip: SmallClip, keys: Int[np.ndarray, "k"]
) -> Float[np.ndarray, "k h w 3"]:
    """First weights that take the object's colours from the hint's frame."""
    out, i = weights.copy(), int(np.searchsorted(keys, clip.hint.frame))
    z = clip.zone(clip.hint.frame)
    out[..., OBJECT] *= OTHERS
    out[i, ..., OBJECT] = clip.hinted
    if clip.hint.box_px is not None:
        out[i, ..., BACKGROUND] = ~clip.allowed() & (z.distance > 0.1) & (z.behind == 0)
    return out


def _first_clear(
    clip: SmallClip, t: int, likely: Float[np.ndarray, "256"], settings: MaskClip
) -> Bool[np.ndarray, "h w"]:
    """Background for sure before any labels: what rests, or does not move along and is like the border, or far off not much
    unlike it."""
    z, like = clip.zone(t), likely[clip.barriers[t]]
    far = _far(z, settings.clear_reach)
    clear = ((_far(z, 0.3) & (like > 0.5)) | (far & (like > -0.5))) & (clip.moving[t] < 0.3)
    if not clip.seeded:
        clear |= far
    if clip.resting is not None:
        clear |= _far(z, 0.1) & clip.resting[t]
    return clear


def barrier_densities(
    barriers: Int[np.ndarray, "m"], weights: Float[np.ndarray, "k h w 3"]
) -> Float[np.ndarray, "3 256"]:
    """Log densities of the barrier's steps under each label; hand and object share theirs."""
    flat = weights.reshape(-1, 3)
    fore = flat[:, HAND] / flat[:, HAND].sum() + flat[:, OBJECT] / max(float(flat[:, OBJECT].sum()), 1e-6)
    counts = [np.bincount(barriers, w, 256).reshape(16, 16) for w in (flat[:, BACKGROUND], fore)]
    smooth = [cv2.GaussianBlur(c, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT).ravel() for c in counts]
    back, front = (np.log(0.9 * s / s.sum() + 0.1 / 256) for s in smooth)
    against = np.clip(front - back, -MAX_BARRIER, MAX_BARRIER).astype(np.float32)
    return np.stack([0 * against, against, against])


def _first_weights(z: HandZone, lab: UInt8[np.ndarray, "h w 3"]) -> Labels:
    far = _far(z, 2.0) | (_far(z, 0.8) & _border(z.distance.shape, 0.03))
    skin = z.silhouette * (0.02 + colours.typical_skin(lab))
    near = np.exp(-0.5 * (z.distance / 0.4) ** 2) * (1 - z.forearm)
    return np.stack([far, skin, near], -1).astype(np.float32)


def _far(z: HandZone, reach: float) -> Bool[np.ndarray, "h w"]:
    """Beyond `reach` hand sizes from the hand and off the forearm."""
    return (z.distance > reach) & (z.forearm == 0)


def _border(shape: tuple[int, int], share: float) -> Bool[np.ndarray, "h w"]:
    rim = np.ones(shape, bool)
    m = max(2, round(share * max(shape)))
    rim[m:-m, m:-m] = False
    return rim


def learn(
    clip: SmallClip, keys: Int[np.ndarray, "k"], labels: Float[np.ndarray, "k h w 3"], settings: MaskClip
) -> Models:
    """Colours and places from the key frames' labels."""
    bins = clip.bins[keys].ravel()
    p = [colours.density(bins, labels[..., i].ravel() ** 2, settings.colour_blur).ravel() for i in range(3)]
    p[BACKGROUND] = colours.shaded(p[BACKGROUND], settings.shadow_share)
    log_barrier = barrier_densities(clip.barriers[keys].ravel(), labels**2)
    rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    clear = np.stack([cv2.erode((q[..., BACKGROUND] > 0.8).astype(np.uint8), rim) > 0 for q in labels])
    places = np.stack([to_place(q, clip.zone(int(t)).to_hand) for q, t in zip(labels, keys, strict=True)])
    return Models(
        np.log(np.stack(p)).astype(np.float32), log_barrier, clear, plate_at_rest(clip, keys, clear, settings), places
    )


def to_place(q: Labels, to_hand: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "96 96 3"]:
    """A label map in hand-centred axes; outside the image: background one half, the rest unknown."""
    return cv2.warpAffine(q, _grid_map(to_hand), (GRID, GRID), flags=cv2.INTER_LINEAR, borderValue=(0.34, 0.33, 0.33))


def from_place(
    place: Float[np.ndarray, "96 96 3"], to_hand: Float[np.ndarray, "2 3"], shape: tuple[int, int]
) -> Labels:
    """A hand-centred map in the image's pixels; background beyond its reach."""
    back = cv2.invertAffineTransform(_grid_map(to_hand))
    return cv2.warpAffine(place, back, shape[::-1], flags=cv2.INTER_LINEAR, borderValue=(1.0, 0.0, 0.0))


def _grid_map(to_hand: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """cv2's affine map (pixel centres at integers) from image to the hand-centred grid."""
    A = to_hand.copy()
    A[:, 2] += REACH + A[:, :2] @ (0.5, 0.5)
    A *= GRID / (2 * REACH)
    A[:, 2] -= 0.5
    return A


def label_frame(clip: SmallClip, keys: Int[np.ndarray, "k"], t: int, models: Models, settings: MaskClip) -> Labels:
    """Probabilities of the three labels in frame t."""
    z, lab = clip.zone(t), clip.lab[t]
    evidence = models.log_density.T[clip.bins[t]]
    behind = models.at_rest or plate_of(clip, keys, t, models.clear, settings)
    at_plate = scene.plate_log_density(lab, behind, settings.shadow_share)
    evidence[..., BACKGROUND] = with_plate(evidence[..., BACKGROUND], at_plate, behind, settings)
    evidence = evidence + settings.barrier_weight * models.log_barrier.T[clip.barriers[t]]
    evidence[..., BACKGROUND] -= settings.motion_weight * but_shadows(clip.moving[t], at_plate, behind)
    top = np.maximum(np.maximum(evidence[..., 0], evidence[..., 1]), evidence[..., 2])[..., None]
    evidence = np.maximum(evidence - top, -settings.max_evidence)
    logits = settings.evidence_weight * evidence + np.log(zone_prior(z))
    logits += sum(voice.weight * np.log(voice.said[t]) for voice in clip.voices)
    if clip.hint is not None and clip.hint.frame == t:
        logits[..., OBJECT] += HINT_NATS * (clip.hinted.astype(np.float32) - ~clip.allowed())
    place = None if models.places is None else place_prior(clip, keys, t, models.places, z, settings)
    if place is not None:
        logits += settings.place_weight * np.log(0.1 + 0.9 * place)
    return mean_field(logits, lab, z, settings, place)


def zone_prior(z: HandZone) -> Labels:
    """Prior by place: hand near the silhouette and along the forearm, object near the hand, not behind it."""
    hand = 0.01 + 0.6 * np.exp(-0.5 * (z.distance / 0.12) ** 2) + 0.5 * z.forearm + 0.15 * z.behind
    held = (0.01 + 0.29 * np.exp(-0.5 * (z.distance / 1.2) ** 2)) * (1 - 0.9 * z.forearm) * (1 - 0.6 * z.behind)
    background = 0.1 + 0.9 * (1 - np.exp(-0.5 * (z.distance / 0.25) ** 2))
    prior = np.stack([background, hand, held], -1)
    return (prior / prior.sum(-1, keepdims=True)).astype(np.float32)


def plate_of(clip: SmallClip, keys: Int[np.ndarray, "k"], t: int, clear: Clear, settings: MaskClip) -> Plate:
    """The background behind frame t, from the nearest other key frames."""
    chosen = np.argsort(np.abs(keys - t) + 1e6 * (keys == t), kind="stable")[: settings.plate_frames]
    to_frame = clip.T_frame_first[t] @ np.linalg.inv(clip.T_frame_first[keys[chosen]])
    return scene.plate(clip.lab[keys[chosen]], clear[chosen], to_frame, settings.plate_noise)


def plate_at_rest(clip: SmallClip, keys: Int[np.ndarray, "k"], clear: Clear, settings: MaskClip) -> Plate | None:
    """The one background of a clip whose camera is at rest; None if it moves."""
    if not scene.is_static(clip.T_frame_first):
        return None
    return scene.plate(clip.lab[keys], clear, clip.T_frame_first[keys], settings.plate_noise)


def with_plate(
    log_colour: Float[np.ndarray, "h w"], at_plate: Float[np.ndarray, "h w"], behind: Plate, settings: MaskClip
) -> Float[np.ndarray, "h w"]:
    """Background's log density: a mixture of the plate, as far as it is known, and the clip's background colours."""
    share = settings.plate_share * behind.known
    return np.logaddexp(np.log1p(-share) + log_colour, np.log(share + 1e-6) + at_plate).astype(np.float32)


def but_shadows(
    moving: Float[np.ndarray, "h w"], at_plate: Float[np.ndarray, "h w"], behind: Plate
) -> Float[np.ndarray, "h w"]:
    """What moves with the hand (`moves_with_hand`), but for what the plate explains: shadows move with it too."""
    return np.where(moving > 0, moving * (1 - scene.explained(at_plate, behind)), moving)


def place_prior(
    clip: SmallClip, keys: Int[np.ndarray, "k"], t: int, places: Places, z: HandZone, settings: MaskClip
) -> Labels:
    """Where the labels were in the hand in the key frames around t, the frame itself left out."""
    weight = np.exp(-0.5 * ((keys - t) / max(settings.place_frames, len(clip.lab) / len(keys))) ** 2) * (keys != t)
    mean = np.tensordot(weight / max(weight.sum(), 1e-9), places, 1).astype(np.float32)
    return from_place(mean, z.to_hand, clip.lab.shape[1:3])
