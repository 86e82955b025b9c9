"""Colour models: densities over Lab as smoothed histograms, fitted to weighted pixels of a whole clip."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import gaussian_filter

BINS = 32  # an axis: lightness in steps of 8 of 255; a and b in steps of 4 within +-64 of neutral
UNIFORM = 1.0 / BINS**3

Lab = UInt8[np.ndarray, "*n 3"]
Density = Float[np.ndarray, "32 32 32"]


def to_lab(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Lab in OpenCV's 8-bit form: lightness 0 to 255, a and b about 128."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def bin_index(lab: Lab) -> Int[np.ndarray, "*n"]:
    """The flat histogram bin of every pixel."""
    chroma = (np.clip(lab[..., 1:], 64, 191).astype(np.int32) - 64) >> 2
    return ((lab[..., 0].astype(np.int32) >> 3) * BINS + chroma[..., 0]) * BINS + chroma[..., 1]


def density(bins: Int[np.ndarray, "n"], weight: Float[np.ndarray, "n"], smooth_bins: float) -> Density:
    """Probability a bin of the weighted pixels, blurred by `smooth_bins` and mixed with 2 % uniform."""
    counts = np.bincount(bins, weights=weight, minlength=BINS**3).reshape(BINS, BINS, BINS)
    blurred = gaussian_filter(counts, smooth_bins)
    return 0.98 * blurred / max(blurred.sum(), 1e-12) + 0.02 * UNIFORM


def typical_skin(lab: Lab) -> Float[np.ndarray, "*n"]:
    """How typical a colour is of human skin, 0 to 1: reddish and yellowish, as haemoglobin and melanin make it.

    ASSUME: chroma a in about 8 to 28 and b in about 8 to 36 covers skin of all tones in everyday light; lightness is
    free except near black, where chroma means nothing.
    """
    light, a, b = (lab[..., i].astype(np.float32) - (0, 128, 128)[i] for i in range(3))
    inside = np.exp(-0.5 * (((a - 15) / 7) ** 2 + ((b - 19) / 9) ** 2))
    return inside * np.clip((light - 30) / 40, 0, 1)


def shaded(p: Float[np.ndarray, "32768"], share: float) -> Float[np.ndarray, "32768"]:
    """A density of which `share` lies in soft shadow: the same chroma at 0.6 to 0.9 of the lightness."""
    by_light = p.reshape(BINS, -1)
    bins = np.arange(BINS)
    dark = np.zeros_like(by_light)
    for factor in (0.6, 0.7, 0.8, 0.9):
        np.add.at(dark, np.round(bins * factor).astype(int), by_light / 4)
    return ((1 - share) * by_light + share * dark).ravel()
