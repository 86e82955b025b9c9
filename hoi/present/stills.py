"""One picture that says how a fit went: input, overlay, novel views, and the object beside the true one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from hoi.artefacts import whole
from hoi.present.overlay import Fitted, MovingObject, blend
from hoi.present.render import render
from hoi.present.views import View, view_tile

Tile = UInt8[np.ndarray, "_h _w 3"]
INK = (60, 60, 60)
GAP = 6
AROUND = ("front", "side", "back", "other side", "top", "below")


def _font(points: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", points)


def sheet(rows: Sequence[tuple[str, Sequence[Tile], Sequence[str]]]) -> Tile:
    """Rows of equal square tiles on white. A row: its label (written upright at the left), tiles, a caption a tile."""
    size = rows[0][1][0].shape[0]
    font, margin = _font(max(11, size // 16)), max(18, size // 9)
    line = max(16, size // 12)
    heights = [size + GAP + (line if any(captions) else 0) for _, _, captions in rows]
    width = margin + max(len(tiles) for _, tiles, _ in rows) * (size + GAP)
    page = Image.new("RGB", (width, sum(heights) + GAP), "white")
    draw, y = ImageDraw.Draw(page), GAP
    for (label, tiles, captions), height in zip(rows, heights, strict=True):
        top = y + height - size - GAP
        for i, tile in enumerate(tiles):
            page.paste(Image.fromarray(tile), (margin + i * (size + GAP), top))
        for i, caption in enumerate(captions):
            place = (margin + i * (size + GAP) + size / 2, top - 3)
            draw.text(place, caption, INK, font, anchor="mb")
        upright = Image.new("RGB", (size, margin), "white")
        ImageDraw.Draw(upright).text((size / 2, margin / 2), label, INK, font, anchor="mm")
        page.paste(upright.rotate(90, expand=True), (0, top))
        y += height
    return np.asarray(page)


def _square(picture: Tile, middle: Float[np.ndarray, "2"], side: int, size: int) -> Tile:
    """A square cut out of a picture around a pixel, moved inside where it can be, scaled to `size`."""
    height, width = picture.shape[:2]
    side = min(side, height, width)
    x, y = (int(np.clip(m - side / 2, 0, n - side)) for m, n in zip(middle, (width, height), strict=True))
    return cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)


def _frame_row(frame: Tile, fitted: Fitted, i: int, view: View) -> list[Tile]:
    """Input and overlay, cut to where the fit is, and four novel views."""
    bodies = fitted.bodies(i)
    picture = render(bodies, fitted.K[i], frame.shape[1], frame.shape[0], sky=32)
    rows, columns = np.nonzero(picture.instance >= 0)
    box = np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]]) if len(rows) else np.zeros((2, 2))
    middle, side = box.mean(0), int(1.5 * np.ptp(box, axis=0).max()) or min(frame.shape[:2])
    flat = [_square(p, middle, side, view.size) for p in (frame, blend(frame, picture))]
    return flat + [view_tile(bodies, name, view) for name in ("front", "side", "back", "top")]


def shape_row(moving: MovingObject, frame: int, view: View) -> list[Tile]:
    """An object alone from six sides, in its pose in the camera at one frame."""
    return [view_tile([moving.body(frame)], name, view) for name in AROUND]


def still(
    frames: UInt8[np.ndarray, "N h w 3"],
    fitted: Fitted,
    chosen: Sequence[int],
    truth: MovingObject | None = None,
    size: int = 240,
) -> Tile:
    """A row a chosen frame (input, overlay, four novel views of hand and object), then the object alone from six sides.

    `truth`: the true object from the same sides, in its true pose; give it TRUTH_RGB. The novel views share one scale,
    those of the object alone another; tiles have `size` pixels.
    """
    view = View.around([fitted.bodies(i) for i in chosen], size)
    rows = [(f"frame {i}", _frame_row(frames[i], fitted, i, view), ()) for i in chosen]
    rows[0] = (*rows[0][:2], ("input", "overlay", "front", "side", "back", "top"))
    middle = chosen[len(chosen) // 2]
    shapes = {"fit, object": fitted.object} | ({"truth, object": truth} if truth is not None else {})
    return _stacked(sheet(rows), gallery(shapes, middle, size))


def _stacked(above: Tile, below: Tile) -> Tile:
    """Two sheets of tiles of one size, one above the other, the narrower filled up with white."""
    width = max(above.shape[1], below.shape[1])
    filled = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in (above, below)]
    return np.concatenate(filled)


def gallery(objects: Mapping[str, MovingObject], frame: int, size: int = 200, one_scale: bool = True) -> Tile:
    """Objects alone, each from six sides in its pose at one frame, a row each; at one scale or each its own."""
    every = [[moving.body(frame)] for moving in objects.values()]
    views = [View.around(every if one_scale else [bodies], size) for bodies in every]
    rows = [(name, shape_row(m, frame, view), ()) for (name, m), view in zip(objects.items(), views, strict=True)]
    rows[0] = (*rows[0][:2], AROUND)
    return sheet(rows)


def clip_row(frame: Tile, fitted: Fitted, i: int, truth: MovingObject | None, size: int = 160) -> list[Tile]:
    """One clip in a row: input, overlay, the fitted object from the front and the side, then the true one where it is known."""
    flat = _frame_row(frame, fitted, i, View.around([fitted.bodies(i)], size))[:2]
    shapes = [fitted.object] + ([truth] if truth is not None else [])
    close = View.around([[moving.body(i)] for moving in shapes], size)
    return flat + [view_tile([moving.body(i)], name, close) for moving in shapes for name in ("front", "side")]


def captioned(picture: Tile, text: str) -> Tile:
    """A picture with a line of text across its top, on white; what does not fit is cut."""
    font = _font(max(11, picture.shape[0] // 24))
    page = Image.fromarray(picture.copy())
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, 2 * font.size), "white")
    draw.text((font.size / 2, font.size), text, INK, font, anchor="lm")
    return np.asarray(page)


def write_png(path: Path | str, picture: Tile) -> None:
    """Write an RGB picture."""
    with whole(path) as scratch:
        Image.fromarray(picture).save(scratch)
