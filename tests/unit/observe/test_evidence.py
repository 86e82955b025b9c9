"""The masker's cues one by one: colours, barrier, plate, motion, zones, smoothing."""

import cv2
import numpy as np
import pytest

from hoi.observe import colours, labels, scene
from hoi.observe.barrier import barrier_distance
from hoi.observe.grasp import from_place, to_place
from hoi.observe.handzone import hand_axes, steady_sizes, zone
from hoi.observe.motion import agreement, detail, difference, moves_with_hand, patches, relit, voted
from hoi.observe.smoothing import Guide, fill_holes, likely, touching


def texture(shape, seed):
    noise = np.random.default_rng(seed).uniform(0, 255, (*shape, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(128 + 6 * (smooth - 128), 0, 255).astype(np.uint8)


def test_density_is_one_and_shadow_keeps_it():
    lab = np.random.default_rng(0).integers(0, 255, (500, 3)).astype(np.uint8)
    p = colours.density(colours.bin_index(lab), np.ones(500), 1.0).ravel()
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert colours.shaded(p, 0.3).sum() == pytest.approx(1, abs=1e-6)


def test_shadow_is_darker_not_greener():
    lit = np.zeros((32, 32, 32))
    lit[20, 5, 7] = 1.0
    dark = colours.shaded(lit.ravel(), 0.4).reshape(32, 32, 32)
    assert dark[20, 5, 7] == pytest.approx(0.6)
    assert np.argwhere(dark)[:, 0].tolist() == [12, 14, 16, 18, 20]
    assert dark[:, 5, 7].sum() == pytest.approx(1)


def test_skin_of_all_tones_is_typical_and_a_blue_wall_is_not():
    rgb = np.array([[[240, 200, 175], [200, 150, 120], [140, 95, 70], [90, 55, 40], [90, 120, 200], [60, 160, 60]]])
    skin = colours.typical_skin(colours.to_lab(rgb.astype(np.uint8)))[0]
    assert (skin[:4] > 0.2).all() and (skin[4:] < 0.01).all(), skin


def test_barrier_by_hand():
    image = np.array([[10, 12, 14, 90, 14, 13]], np.uint8)[..., None]
    seeds = np.array([[True, False, False, False, False, False]])
    np.testing.assert_array_equal(barrier_distance(image, seeds), [[0, 2, 4, 80, 80, 80]])


def test_barrier_goes_round():
    image = np.zeros((20, 20, 1), np.uint8)
    image[5:15, 5:15] = 100
    image[8:12, 8:20] = 30  # an opening to the border on the right
    rim = np.ones((20, 20), bool)
    rim[1:-1, 1:-1] = False
    cost = barrier_distance(image, rim)
    assert cost[10, 10] == 0 and cost[6, 6] == 70, "from 30 to 100, by way of the opening"


def test_guided_filter_keeps_edges_and_constants():
    guide = np.zeros((40, 40, 3), np.float32)
    guide[:, 20:] = (0.8, 0.2, 0.5)
    filtering = Guide(guide, 4, 1e-4)
    np.testing.assert_allclose(filtering.filter(np.full((40, 40), 0.7, np.float32)), 0.7, atol=1e-4)
    noise = np.random.default_rng(0).normal(0, 0.3, (40, 40)).astype(np.float32)
    step = (guide[..., 0] > 0).astype(np.float32)
    smooth = filtering.filter(step + noise)
    assert np.abs(smooth - step).std() < 0.1
    assert smooth[:, 21].mean() - smooth[:, 18].mean() > 0.8, "the edge stays where the guide has it"


def test_guided_filter_spreads_to_full_resolution():
    full = np.zeros((80, 80, 3), np.float32)
    full[:, 41:] = 1.0  # an edge between two small pixels
    small = full[:, :].reshape(40, 2, 40, 2, 3).mean((1, 3))
    rough = np.zeros((40, 40), np.float32)
    rough[:, 20:] = 1.0
    rough[:, 20] = 0.5
    labels = Guide(small, 3, 1e-4).spread(rough, full) > 0.5
    np.testing.assert_array_equal(labels[40], full[40, :, 0] > 0)


def test_clean_up_by_hand():
    mask = np.zeros((10, 12), bool)
    mask[1:4, 1:4] = mask[6:9, 6:9] = True
    core = np.zeros_like(mask)
    core[2, 2] = True
    assert touching(mask, core, 1.0).sum() == 9
    assert touching(mask, core, 10.0).sum() == 0
    ring = np.ones((9, 9), bool)
    ring[4, 4] = ring[0, 0] = False
    ring[6:8, 6:8] = False
    assert fill_holes(ring, 1.0).sum() == 81 - 4


def test_plate_looks_behind_the_hand():
    background = texture((60, 80), 1)
    frames, clear = np.stack([background] * 6), np.ones((6, 60, 80), bool)
    for t in range(6):
        frames[t, 20:40, 10 * t : 10 * t + 20] = (40, 200, 90)
        clear[t, 18:42, max(0, 10 * t - 2) : 10 * t + 22] = False
    plate = scene.plate(frames, clear, np.tile(np.eye(3), (6, 1, 1)), 4.0)
    assert plate.known.min() == 1
    np.testing.assert_allclose(plate.lab, background, atol=1.0)
    match = scene.plate_log_density(frames[2], plate, 0.15)
    moved = np.zeros((60, 80), bool)
    moved[20:40, 20:40] = True
    assert np.percentile(match[~moved], 5) > np.percentile(match[moved], 90) + 2


def test_a_shadow_on_the_plate_is_still_background():
    wall = np.full((1, 1, 3), (200, 128, 130), np.float32)
    plate = scene.Plate(wall, np.full((1, 1), 4.0), np.ones((1, 1)))
    lit, shadow, brown, bright = (
        float(scene.plate_log_density(np.full((1, 1, 3), c, np.uint8), plate, 0.15)[0, 0])
        for c in ((200, 128, 130), (150, 128, 130), (150, 150, 160), (250, 128, 130))
    )
    assert lit > shadow > max(brown, bright) + 2


def panned(n, step):
    wide = texture((90, 160), 2)
    return np.stack([wide[5:85, step * t : step * t + 100, 0] for t in range(n)])


def test_camera_motion_is_found_and_rest_is_rest():
    still = np.ones((6, 80, 100), bool)
    T = scene.camera_motion(panned(6, 3), still)
    np.testing.assert_allclose(T[:, 0, 2], -3.0 * np.arange(6), atol=0.3)
    noise = np.random.default_rng(0).integers(-3, 4, (6, 80, 100))
    resting = np.clip(panned(6, 0).astype(int) + noise, 0, 255).astype(np.uint8)
    assert scene.is_static(scene.camera_motion(resting, still))
    assert scene.is_static(scene.camera_motion(np.full((6, 80, 100), 200, np.uint8), still)), "a plain wall"


def test_what_moves_with_the_hand(flat_hand):
    background, thing = texture((120, 160), 3), texture((60, 50), 4)
    lab, keypoints = np.stack([background] * 5), np.stack([30 * flat_hand + (50 + 4 * t, 90) for t in range(5)])
    for t in range(5):
        lab[t, 30:90, 30 + 4 * t : 80 + 4 * t] = thing
    silhouette = np.zeros((120, 160), bool)
    silhouette[40:80, 45:80] = True
    rest = np.tile(np.eye(3), (5, 1, 1))
    moving = moves_with_hand(lab, rest, keypoints, silhouette, 30.0, 2)
    inside = np.zeros((120, 160), bool)
    inside[35:85, 43:83] = True
    assert np.median(moving[inside]) > 0.7 and np.median(moving[:, 110:]) < -0.7
    nothing = moves_with_hand(lab, rest, np.stack([keypoints[2]] * 5), silhouette, 30.0, 2)
    assert (nothing == 0).all(), "a hand at rest says nothing"


def test_edges_speak_for_the_plain_inside_of_a_patch():
    lab, moving = np.full((60, 120, 3), 128, np.uint8), np.zeros((60, 120), np.float32)
    for left, value in ((10, 1.0), (70, -1.0)):
        lab[10:50, left : left + 40, 0] = 60
        moving[10:50, left : left + 40] = 0.001 * value
        moving[10:50, left : left + 3] = moving[10:50, left + 37 : left + 40] = value
        moving[25:30, left + 15 : left + 20] = -0.9
    told, resting = voted(moving, lab)
    assert told[40, 30] > 0.2 and told[40, 90] < -0.4, "plain insides follow their edges"
    assert told[27, 27] > 0 and told[27, 87] < -0.8, "of a patch that moves no part is at rest"
    assert resting[10:50, 70:110].mean() > 0.95 and not resting[:, :65].any(), (
        "decided pixels speak for the whole patch"
    )


def test_blurred_rims_belong_to_the_patches_beside_them():
    lab = np.full((60, 120, 3), 128, np.uint8)
    lab[10:50, 30:80, 0] = 60
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    found = patches(lab)
    assert len(np.unique(found)) == 2
    assert abs((found == found[30, 55]).sum() - 40 * 50) < 0.1 * 40 * 50


def test_shadows_move_with_the_hand_and_are_background_yet():
    wall = np.full((1, 1, 3), (200, 128, 130), np.float32)
    plate = scene.Plate(wall, np.full((1, 1), 4.0), np.ones((1, 1)))
    shadow, blue, unknown = (
        np.uint8([[[150, 128, 130]]]),
        np.uint8([[[150, 128, 90]]]),
        scene.Plate(wall, plate.sigma, np.zeros((1, 1))),
    )

    def explained(lab, behind):
        return scene.explained(scene.plate_log_density(lab, behind, 0.2), behind)

    assert explained(wall.astype(np.uint8), plate) > 0.9
    assert explained(shadow, plate) > 0.1 > 0.001 > explained(blue, plate)
    assert explained(shadow, unknown) == 0


def test_a_moving_shadow_is_no_moving_thing():
    wall = texture((60, 80), 1)
    shaded, painted = wall.copy(), wall.copy()
    shaded[20:40, 20:60, 0] = 0.7 * wall[20:40, 20:60, 0]
    painted[20:40, 20:60, 2] = 40
    inside = (slice(26, 34), slice(26, 54))
    assert difference(shaded, wall)[inside].mean() > 15
    assert difference(shaded, relit(wall, shaded))[inside].mean() < 5
    assert difference(painted, relit(wall, painted))[inside].mean() > 40


def test_zones_by_hand(flat_hand):
    z = zone(40 * flat_hand + (80, 120), 40.0, (200, 160))
    assert z.silhouette[100, 80] and not z.silhouette[100, 140]
    assert z.distance[100, 80] == 0
    np.testing.assert_allclose(z.distance[30, 5], np.linalg.norm([80 - 32 - 5, 84 - 30]) / 40, atol=0.3)  # thumb tip
    assert z.forearm[180, 80] == 1 and z.forearm[60, 80] == 0 and z.forearm[180, 10] == 0


def test_hand_axes_by_hand():
    keypoints = np.zeros((21, 2))
    keypoints[9] = (10.0, 0.0)  # fingers to the right
    A = hand_axes(keypoints, 10.0)
    middle = keypoints[[0, 1, 5, 9, 13, 17]].mean(0)
    np.testing.assert_allclose(A[:, :2] @ middle + A[:, 2], 0, atol=1e-12)
    np.testing.assert_allclose(A[:, :2] @ (10.0, 0.0), [0, -1])
    np.testing.assert_allclose(A[:, :2] @ (0.0, 10.0), [1, 0])


def test_places_there_and_back(flat_hand):
    to_hand = hand_axes(20 * flat_hand + (64, 60), 20.0)
    y, x = np.mgrid[:96, :128]
    blob = np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 200).astype(np.float32)
    q = np.dstack([1 - blob, blob / 2, blob / 2])
    back = from_place(to_place(q, to_hand), to_hand, (96, 128))
    np.testing.assert_allclose(back[8:-8, 8:-8], q[8:-8, 8:-8], atol=0.03)  # beyond the image's border all is unknown


def test_sizes_forget_a_bad_frame(flat_hand):
    clip = np.stack([30 * flat_hand] * 12)
    clip[5] *= 4
    np.testing.assert_allclose(steady_sizes(clip), steady_sizes(clip[:1])[0])


def test_grain_shows_through_a_shadow():
    rng = np.random.default_rng(0)
    grain, other = (cv2.GaussianBlur(rng.normal(0, 8, (60, 80)), (0, 0), 1.2) for _ in range(2))
    table = np.clip(150 + grain, 0, 255).astype(np.uint8)
    shadow = np.clip(0.6 * (150 + grain) + rng.normal(0, 0.5, grain.shape), 0, 255).astype(np.uint8)
    thing = np.clip(90 + 0.6 * other, 0, 255).astype(np.uint8)
    plain = np.full_like(table, 120)
    table, shadow, thing, plain = (detail(np.dstack([image] * 3)) for image in (table, shadow, thing, plain))
    assert np.median(agreement(table, shadow)) > 0.6
    assert np.median(agreement(table, thing)) < 0.3
    assert (agreement(plain, plain) == 0).all(), "plain surfaces say nothing"


def test_what_does_not_touch_the_hand_is_object_where_neighbouring_frames_had_it():
    keypoints = np.array([(40.0, 60.0)] + [(40.0 + 4 * (i % 4), 40.0 - 3 * (i % 5)) for i in range(20)])
    z = zone(keypoints, 20.0, (120, 160))
    there = np.zeros((2, 120, 160), bool)
    there[0, 50:60, 44:60], there[1, 80:110, 90:130] = True, True  # beside the hand, and far from it
    assert z.distance[there[0]].min() < 0.25 < z.distance[there[1]].min()
    q = np.where(there.any(0)[..., None], (0.1, 0.0, 0.9), (0.9, 0.1, 0.0)).astype(np.float32)
    place = np.zeros_like(q)
    kept = [labels.detach(q.copy(), z)[..., labels.OBJECT] > 0.5]
    for share in (0.2, 0.4):
        place[..., labels.OBJECT] = share
        kept.append(labels.detach(q.copy(), z, place)[..., labels.OBJECT] > 0.5)
    for found, expected in zip(kept, (there[0], there[0], there.any(0)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_components_by_the_mean_of_a_share():
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool)
    share = np.array([[0.1, 0.6, 1.0, 0.1], [1.0, 1.0, 1.0, 0.2]])
    np.testing.assert_array_equal(likely(mask, share, 0.3), [[1, 1, 0, 0], [0, 0, 0, 0]])
