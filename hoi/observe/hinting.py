"""What a hint says of its frame: which pixels are the object, and which may be."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from hoi.clip import Hint
from hoi.observe.handzone import HandZone

CLICK = 0.25  # hand sizes around a click that are taken to be object


def may_be_object(hint: Hint, shape: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The box; every pixel for a click."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    left, top, right, bottom = hint.box_px or (0.0, 0.0, np.inf, np.inf)
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def is_object(hint: Hint, lab: UInt8[np.ndarray, "h w 3"], z: HandZone, size: float) -> Bool[np.ndarray, "h w"]:
    """A disc around a click; of a box, what in it has other colours than its surroundings (`cut_out`)."""
    if hint.click_px is None:
        return cut_out(lab, may_be_object(hint, lab.shape[:2]), z)
    y, x = np.mgrid[: lab.shape[0], : lab.shape[1]] + 0.5
    return np.hypot(x - hint.click_px[0], y - hint.click_px[1]) < CLICK * size


def cut_out(lab: UInt8[np.ndarray, "h w 3"], inside: Bool[np.ndarray, "h w"], z: HandZone) -> Bool[np.ndarray, "h w"]:
    """GrabCut (Rother et al. 2004) in a box: the hand's middle is not the object, its rim and the forearm hardly are."""
    core = cv2.erode(z.silhouette.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    label = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    label[inside & (z.silhouette | (z.forearm > 0.5))] = cv2.GC_PR_BGD
    label[core] = cv2.GC_BGD
    if not (label == cv2.GC_PR_FGD).any() or not (label == cv2.GC_BGD).any():
        return inside & ~z.silhouette
    cv2.setRNGSeed(0)
    cv2.grabCut(lab, label, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    return (label == cv2.GC_FGD) | (label == cv2.GC_PR_FGD)
