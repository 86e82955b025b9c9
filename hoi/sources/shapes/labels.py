"""Printed matter: label and motif pictures, drawn at run time. Rows run down; linear RGB and coverage."""

import cv2
import numpy as np
from jaxtyping import Float

from hoi.sources.shapes.textures import Colour

Picture = Float[np.ndarray, "h w 4"]
NAMES = (
    "PORTER ORCHARD ALPINE NORD CITRON HARBOUR JUNIPER SOLARA MAPLE RIVERA COBALT FERNHILL KIOSK LUMEN BREEZE ZEPHYR "
    "AMBERLY GROVE TIDAL PEPPERS"
).split()
WORDS = "HELLO COFFEE TEA MORNING HOME SMILE No.7 CAFE BREW GOOD DAY COCOA LUNA".split()
KINDS = (
    "sparkling water",
    "dry cider",
    "amber ale",
    "cold brew",
    "iced tea",
    "lemon soda",
    "pale lager",
    "tonic",
    "kefir",
)


def blank(height: int, width: int, colour: Colour | None = None) -> np.ndarray:
    """An empty picture, or one filled with a colour."""
    picture = np.zeros((height, width, 4), dtype=np.float64)
    if colour is not None:
        picture[..., :3], picture[..., 3] = colour, 1.0
    return picture


def stamp(picture: np.ndarray, coverage: np.ndarray, colour: Colour) -> np.ndarray:
    """The picture with a colour laid where coverage (h,w) in [0,1] is, seen through elsewhere."""
    alpha = coverage[..., None]
    under, over = picture[..., 3:], np.asarray(colour)
    total = alpha + under * (1 - alpha)
    mixed = (over * alpha + picture[..., :3] * under * (1 - alpha)) / np.maximum(total, 1e-9)
    return np.concatenate([mixed, total], axis=-1)


def text_mask(
    height: int, width: int, text: str, top: float, tall: float, weight: int = 700, share: float = 0.9
) -> np.ndarray:
    """Coverage (h,w) of a centred line of text whose letters span `tall` of the height from `top`; shrunk to fit."""
    font, size = cv2.FontFace("sans"), int(tall * height * 1.35)
    canvas = np.zeros((height, max(width, 64) * 4, 3), np.uint8)
    cv2.putText(canvas, text, (width, int((top + tall) * height)), (255, 255, 255), font, size, weight)
    columns = np.flatnonzero(canvas[..., 0].max(axis=0))
    if not len(columns):
        return np.zeros((height, width))
    crop = canvas[:, columns[0] : columns[-1] + 1, 0].astype(np.float32) / 255
    room, centre = int(share * width), (top + tall / 2) * height
    shrink = min(1.0, room / crop.shape[1])
    rows = max(1, int(shrink * height))
    crop = cv2.resize(crop, (max(1, int(shrink * crop.shape[1])), rows), interpolation=cv2.INTER_AREA)
    mask = np.zeros((height, width))
    left, up = (width - crop.shape[1]) // 2, int(centre * (1 - shrink))
    mask[up : up + rows, left : left + crop.shape[1]] = crop[: height - up]
    return mask


def motif_mask(height: int, width: int, kind: str, centre: tuple[float, float], size: float) -> np.ndarray:
    """Coverage of a motif: leaf, star, heart, sun, mountain, drop, ring, flower; `size` relative to the height."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5 - centre[0] * width) / (size * height), -(y + 0.5 - centre[1] * height) / (size * height)
    r, a = np.hypot(x, y), np.arctan2(y, x)
    fold = np.abs((a - np.pi / 2 + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5)  # angle to the nearest of five tips
    field = {
        "leaf": np.minimum(0.55 - np.hypot(x - 0.14, y + 0.33), 0.55 - np.hypot(x + 0.14, y - 0.33)),
        "star": 0.1545 - r * (0.3091 * np.cos(fold) + 0.9510 * np.sin(fold)),  # the line from tip to notch
        "heart": -((1.25 * x) ** 2 + (1.25 * y + 0.05 - 0.75 * np.sqrt(np.abs(x))) ** 2 - 0.28),
        "sun": 0.36 + 0.12 * np.sign(np.sin(12 * a)) * (r > 0.3) - r,
        "mountain": np.minimum(0.45 - np.abs(x) * 0.9 + 0.25 * np.abs(((3 * x) % 1) - 0.5) - y - 0.3, y + 0.35),
        "drop": 0.33 - np.hypot(x * (1 + 1.1 * np.clip(y + 0.15, 0, 1)), np.where(y > -0.1, (y + 0.1) * 0.55, y + 0.1)),
        "ring": 0.07 - np.abs(r - 0.4),
        "flower": 0.30 + 0.16 * np.cos(6 * a) - r,
    }[kind]
    return np.clip(field * size * height + 0.5, 0, 1)


MOTIFS = ("leaf", "star", "heart", "sun", "mountain", "drop", "ring", "flower")


def disc_mask(size: int) -> np.ndarray:
    """Coverage of a disc that nearly fills a square."""
    y, x = np.mgrid[0:size, 0:size] + 0.5 - size / 2
    return np.clip(0.48 * size - np.hypot(x, y) + 0.5, 0, 1)


def rows_mask(height: int, width: int, top: float, bottom: float) -> np.ndarray:
    """Coverage of a full-width bar between two relative heights."""
    row = (np.arange(height) + 0.5) / height
    return np.repeat(((row >= top) & (row < bottom)).astype(float)[:, None], width, axis=1)


def product_label(rng: np.random.Generator, paper: Colour, ink: Colour, accent: Colour, aspect: float) -> np.ndarray:
    """A wrap-around label: bars, motif and name in front, small print behind. aspect = width / height."""
    h = 220
    w = int(h * aspect / 2)
    half = blank(h, w, paper)
    bar = rng.uniform(0.03, 0.08)
    for top in (0.05, 0.95 - bar):
        half = stamp(half, rows_mask(h, w, top, top + bar), accent)
    name = NAMES[rng.integers(len(NAMES))]
    style = rng.integers(3)
    if style == 1:
        half = stamp(half, rows_mask(h, w, 0.42, 0.72), ink)
    motif = MOTIFS[rng.integers(len(MOTIFS))]
    half = stamp(half, motif_mask(h, w, motif, (0.5, 0.29), 0.26), accent if style != 2 else ink)
    weight = int(rng.choice([600, 800, 950]))
    half = stamp(half, text_mask(h, w, name, 0.48, 0.18, weight, 0.56), paper if style == 1 else ink)
    half = stamp(half, text_mask(h, w, KINDS[rng.integers(len(KINDS))], 0.76, 0.07, 500, 0.5), ink)
    other = blank(h, w, paper)
    for top in (0.05, 0.95 - bar):
        other = stamp(other, rows_mask(h, w, top, top + bar), accent)
    print_ = np.zeros((h, w))
    for k in range(7):
        top, bottom = (int(h * (edge + 0.08 * k)) for edge in (0.24, 0.275))
        print_[top:bottom, int(0.3 * w) : int(w * rng.uniform(0.5, 0.72))] = 1
    other = stamp(other, print_, ink)
    quarter = w // 2
    return np.concatenate([other[:, quarter:], half, other[:, :quarter]], axis=1)


def logo(rng: np.random.Generator, ink: Colour, accent: Colour, word: str | None = None) -> np.ndarray:
    """A transparent print: a motif over a word, a motif alone or a word alone; square."""
    h = 256
    picture = blank(h, h)
    style = rng.integers(3)
    motif = MOTIFS[rng.integers(len(MOTIFS))]
    word = WORDS[rng.integers(len(WORDS))] if word is None else word
    if style == 0:
        picture = stamp(picture, motif_mask(h, h, motif, (0.5, 0.33), 0.5), accent)
        return stamp(picture, text_mask(h, h, word, 0.68, 0.17, 800), ink)
    if style == 1:
        return stamp(picture, motif_mask(h, h, motif, (0.5, 0.5), 0.85), ink)
    picture = stamp(picture, text_mask(h, h, word, 0.4, 0.24, 900), ink)
    for top in (0.3, 0.72):
        picture = stamp(picture, rows_mask(h, h, top, top + 0.03), accent)
    return picture


def lines_mask(height: int, width: int, lines: list[np.ndarray], thickness: int) -> np.ndarray:
    """Coverage of polylines, each (k,2) as (column, row) relative to the picture's size."""
    canvas = np.zeros((height, width), np.uint8)
    for line in lines:
        pixels = np.round(16 * (np.asarray(line) * [width, height] - 0.5)).astype(np.int32)
        cv2.polylines(canvas, [pixels[:, None]], False, 255, thickness, cv2.LINE_AA, 4)
    return canvas / 255.0
