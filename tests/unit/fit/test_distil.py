"""Novel views of the fit's scene, and the body that is fused from what the prior makes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
import yaml

from hoi.config import FitPrior, PriorViews
from hoi.errors import InputError
from hoi.fit import fit
from hoi.fit.distil import LOWEST, Distillation, Prior, Scene, distances, extended, fuse, noise_level, voted
from hoi.fit.grid import GridField
from hoi.fit.optimise import Optimisation
from hoi.fit.told import Teller
from hoi.hand.model import load_hand
from hoi.prior.encode import encode_hand, encode_object
from hoi.prior.grid_sdf import grid_sdf
from hoi.prior.render import Ball, ObjectImage, render_object
from hoi.prior.samples import Held, Thing, render_sample
from hoi.prior.views import View, draw_view

from ..prior.scenes import RENDER, denoiser
from .test_fit import _scene, _settings, _silent

CPU = torch.device("cpu")
CENTRE, RADIUS = torch.tensor([-0.09, -0.06, 0.0]), 0.04


def _prior_settings(**changes: object) -> FitPrior:
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    return FitPrior(**(yaml.safe_load(text)["fit_clip"]["prior"] | {"views": 2, "steps": 2} | changes))


def _ball(x: torch.Tensor) -> torch.Tensor:
    return (x - CENTRE).norm(dim=-1) - RADIUS


def _rough(x: torch.Tensor) -> torch.Tensor:
    """What silhouettes made of the ball: larger, and a little beside it."""
    return (x - CENTRE - 0.01).norm(dim=-1) - 1.3 * RADIUS


def _held_ball() -> Scene:
    hand = load_hand()
    vertices = hand(torch.zeros(1, 45), torch.zeros(1, 10)).vertices
    way = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    ball, body = CENTRE + RADIUS * way, CENTRE + 0.01 + 1.3 * RADIUS * way
    return Scene(_ball, _ball, ball, _rough, body, vertices, torch.eye(4)[None], hand)


def _pictures(count: int) -> list[tuple[View, ObjectImage]]:
    scene, rng = _held_ball(), np.random.default_rng(0)
    views = PriorViews(resolution=48, pool=1, distance_m=0.5, distance_jitter_m=0.1, margin=(1.0, 1.2), shift=0.0)
    ball = Ball.around(scene.points_obj, 0.02)
    drawn = [draw_view(rng, scene.points_obj, scene.vertices_hand[0], torch.eye(4), views) for _ in range(count)]
    return [(view, render_object(_ball, torch.tensor(0.001), view, ball, RENDER)) for view in drawn]


def test_noise_falls_from_start_to_end():
    settings = _prior_settings(noise_start=0.98, noise_end=0.5)
    assert noise_level(0.0, settings) == pytest.approx(0.98)
    assert noise_level(1.0, settings) == pytest.approx(0.5)
    c, ratio = 0.48 / (1 - (0.5 / 0.98) ** 4), 0.5 / 0.98
    assert noise_level(0.25, settings) == pytest.approx(c * ratio + 0.98 - c)
    assert noise_level(0.7, _prior_settings(noise_start=0.6, noise_end=0.6)) == 0.6


@pytest.mark.parametrize(
    "steps, changes, times",
    [
        (600, {"renewals": 1}, [0]),
        (900, {"renewals": 1}, [0]),
        (600, {"renewals": 3}, [0, 200, 400]),
        (900, {"renewals": 3}, [0, 300, 600]),
        (21, {"renewals": 3, "start": 8}, [8, 12, 16]),
        (600, {"renewals": 3, "start": 600}, []),
        (600, {"method": "score"}, []),
    ],
)
def test_renewals_are_spread_over_a_fit_of_any_length(steps, changes, times):
    teller = Teller(Prior(denoiser, "bottle"), _scene(), _prior_settings(**changes), True, 0, CPU)
    assert [step for step in range(steps) if teller.due(step, steps)] == times


def test_pictures_of_a_ball_fuse_to_the_ball():
    body = fuse(_pictures(24), _prior_settings(cells=60000))
    g = torch.Generator().manual_seed(1)
    way = torch.nn.functional.normalize(torch.randn(300, 3, generator=g), dim=-1)
    assert body.at(CENTRE + RADIUS * way).abs().mean() < 0.0015
    assert (body.at(CENTRE + (RADIUS - 0.006) * way) < -0.002).all()
    assert (body.at(CENTRE + (RADIUS + 0.006) * way) > 0.002).all()
    assert (body.at(CENTRE[None]) < -0.01).all()


def test_pictures_that_disagree_by_millimetres_fuse_to_a_smooth_body():
    """Each picture's surface off by its own 2 mm noise: smoothed, the fused surface's normals are the ball's."""
    g = torch.Generator().manual_seed(2)
    noisy = [
        (
            view,
            replace(
                image, depth=image.depth + 0.002 * (image.mask > 0.5) * torch.randn(image.depth.shape, generator=g)
            ),
        )
        for view, image in _pictures(24)
    ]
    way = torch.nn.functional.normalize(torch.randn(2000, 3, generator=g), dim=-1)
    tilts = []
    for smooth_m in (0.0, 0.004):
        body = fuse(noisy, _prior_settings(cells=60000, smooth_m=smooth_m))
        x = CENTRE + RADIUS * way
        taps = torch.stack([body.at(x + d) - body.at(x - d) for d in 0.002 * torch.eye(3)], -1)
        tilts.append((torch.nn.functional.normalize(taps, dim=-1) * way).sum(-1).clamp(-1, 1).acos().rad2deg().mean())
        assert abs(float(body.at(x).mean())) < 0.0015
    assert tilts[0] > 5 and tilts[1] < 0.6 * tilts[0], (
        "mean angle between the surface's normals and the ball's, degrees"
    )


def test_one_picture_tells_before_beside_and_behind():
    T = torch.eye(4)
    view = View(T, T, focal_px=100.0, centre_px=(5.0, 5.0), resolution=10)
    on = torch.zeros(10, 10)
    on[3:7, 3:7] = 1  # a plate 0.5 m away, seen straight on
    plate = ObjectImage(on.flatten(), torch.tensor([0.0, 0, -1]) * on.flatten()[:, None], 0.5 * on.flatten())
    points = torch.tensor([[0, 0, 0.49], [0, 0, 0.505], [0, 0, 0.6], [0.022, 0, 0.5]])
    before, within, far_behind, beside = distances(view, plate, points, _prior_settings(reach_m=0.015)).tolist()
    assert before == pytest.approx(0.01, abs=1e-6) and within == pytest.approx(-0.005, abs=1e-6)
    assert far_behind == pytest.approx(-0.015), "nothing is known there, which counts as inside"
    assert beside == pytest.approx(0.015), "15 mm from the outline, 3 pixels of 5 mm, and clipped"
    blind = distances(view, plate, points, _prior_settings(reach_m=0.015, mask=0)).tolist()
    assert blind[:3] == [before, within, far_behind] and np.isnan(blind[3]), "off the object nothing is told"


def test_a_share_of_the_views_that_tell_of_a_point_decides():
    none = float("nan")
    seen = torch.tensor([[1.0, 1.0, none], [2.0, none, none], [3.0, none, none], [4.0, 4.0, none], [5.0, none, none]])
    assert torch.allclose(voted(seen, 0.4), torch.tensor([4.0, 4.0, none]), equal_nan=True)
    assert voted(seen, 1.0)[:2].tolist() == [1.0, 1.0]
    assert voted(seen, 0.1)[:2].tolist() == [5.0, 4.0], "one at least"


def test_pictures_without_their_masks_still_fuse_to_a_ball():
    """Where views off the object tell nothing, the others carve it."""
    body = fuse(_pictures(24), _prior_settings(cells=60000, mask=0))
    g = torch.Generator().manual_seed(1)
    way = torch.nn.functional.normalize(torch.randn(300, 3, generator=g), dim=-1)
    assert (body.at(CENTRE + (RADIUS - 0.006) * way) < 0).all() and (body.at(CENTRE[None]) < 0).all()
    assert (body.at(CENTRE + (RADIUS + 0.012) * way) > 0).float().mean() > 0.8


def test_the_score_is_the_gradient_of_the_channels(monkeypatch):
    """sqrt(ᾱ (1 - ᾱ)) times each channel's weight times how far ε̂ is from ε, over the pixels."""
    settings = _prior_settings(method="score", noise_start=0.001, noise_end=0.001, mask=0, normal=2, depth=0.5)
    distillation = Distillation(Prior(denoiser, "bowl"), settings, 0, CPU)
    noise, field = torch.randn(2, 1, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(5, 16, 16, requires_grad=True)
    monkeypatch.setattr(distillation, "_picture", lambda *scene: x)
    monkeypatch.setattr(distillation, "_noise", lambda like: noise)
    monkeypatch.setattr(distillation.denoiser, "predict_noise", lambda *given: noise + field)
    distillation.score(_held_ball(), 0.0).backward()
    beta = np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2
    alpha_bar = np.prod(1 - beta[: LOWEST + 1])  # at the lowest level, the only one that is drawn
    weights = torch.tensor([0.0, 2.0, 2.0, 2.0, 0.5])[:, None, None]
    expected = (alpha_bar * (1 - alpha_bar)) ** 0.5 * weights * field[0] / 256
    torch.testing.assert_close(x.grad, expected.float(), rtol=1e-4, atol=1e-9)
    assert (x.grad[0] == 0).all() and torch.equal(x.grad[1:].sign(), field[0, 1:].sign())


def test_the_score_reaches_the_field_and_repeats():
    d, settings = denoiser(), _prior_settings(method="score", guidance=2.0)
    scale = torch.ones((), requires_grad=True)
    scene = _held_ball()
    term = Distillation(Prior(lambda: d, "bowl"), settings, 0, CPU).score(
        replace(scene, sdf=lambda x: scale * _ball(x)), 0.0
    )
    term.backward()
    assert torch.isfinite(scale.grad) and scale.grad != 0
    again = Distillation(Prior(lambda: d, "bowl"), settings, 0, CPU).score(scene, 0.0)
    assert torch.equal(again, term.detach()), "the same seed, the same view and noise"


def test_imagined_views_follow_seed_condition_and_category():
    d, scene = denoiser(), _held_ball()

    def first(category: str | None = "bowl", **changes: object) -> torch.Tensor:
        return (
            Distillation(Prior(lambda: d, category), _prior_settings(**changes), 0, CPU).imagine(scene, 0.5)[0][1].mask
        )

    assert torch.equal(first(), first())
    assert not torch.allclose(first(), first(condition="hand"))
    assert not torch.allclose(first(), first(condition="category"))
    assert not torch.allclose(first(), first(rough=False))
    assert torch.equal(first("teapot"), first("object")), "an unknown category is an object"


def test_the_prior_is_shown_what_it_was_trained_on():
    """The same hand, body and view as a training picture: the same channels, but for how far rays are sampled."""
    scene, d = _held_ball(), denoiser()
    distillation = Distillation(Prior(lambda: d, "bowl"), _prior_settings(), 0, CPU)
    view, hand = distillation._view(scene)
    given = distillation._given(scene, view, hand)
    mesh = trimesh.creation.icosphere(4, RADIUS).apply_translation(CENTRE)
    vertices = np.asarray(mesh.vertices, np.float32)
    true = Thing.of(grid_sdf(vertices, np.asarray(mesh.faces), 0.002, 100_000, 0.01), vertices, "ball", 0)
    held = Held(scene.vertices_hand[0], torch.eye(4), torch.eye(4), _rough, scene.rough_points_obj)
    obj, same, body = render_sample(true, held, scene.hand, np.random.default_rng(0), d.spec.views, d.spec.render)
    assert torch.equal(given[:7].flatten(1), encode_hand(same))
    off = (given[7:].flatten(1) - encode_object(body, same.mean_depth)).abs()
    assert off[0].mean() < 0.005 and off[:, body.mask > 0.99].median() < 0.01
    off = (distillation._picture(scene, view, hand).flatten(1) - encode_object(obj, same.mean_depth)).abs()
    assert off[0].mean() < 0.005 and off[:, obj.mask > 0.99].median() < 0.01


def test_what_the_prior_is_not_shown_is_zero():
    scene = _held_ball()

    def given(**changes: object) -> torch.Tensor:
        distillation = Distillation(Prior(denoiser, "bowl"), _prior_settings(**changes), 0, CPU)
        return distillation._given(scene, *distillation._view(scene))

    both = given()
    assert (both.flatten(1) != 0).any(1).all()
    for changes, shown in (({"rough": False}, slice(0, 7)), ({"condition": "category"}, slice(7, 12))):
        expected = torch.zeros_like(both)
        expected[shown] = both[shown]
        assert torch.equal(given(**changes), expected)


def test_distances_go_on_beyond_what_pictures_tell():
    """A ball's distances cut off at 1 cm come back as the way to its surface, to about a cell."""
    axis = torch.linspace(-0.08, 0.08, 65)
    true = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).norm(dim=-1) - 0.04
    step = 0.16 / 64
    whole = extended(true.clamp(-0.01, 0.01), 0.009, step)
    assert torch.equal(whole[true.abs() < 0.009], true[true.abs() < 0.009])
    assert float((whole - true).abs().max()) < 1.5 * step
    empty = torch.full((4, 4, 4), 0.01)
    assert torch.equal(extended(empty, 0.009, step), empty)


def test_a_body_that_the_masks_speak_against_is_not_believed():
    """Pictures that put the ball elsewhere leave the fit as it would be without a prior, but for the draws."""
    prior = _prior_settings(method="views", start=0).model_dump()
    settings = _settings(steps=2, prior=prior)
    settings = settings.model_copy(update={"weights": settings.weights.model_copy(update={"prior": 1.0})})
    for offset, believed in ((0.0, True), (0.3, False)):
        fit_ = Optimisation(_scene(), settings, 0, CPU, Prior(denoiser, "bottle"))
        body = GridField(fit_.rough.values, fit_.rough.low + offset, fit_.rough.high + offset)
        assert fit_.teller.believed(body, fit_.seen(), 0.7) is believed


def test_a_body_that_is_not_believed_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(Teller, "believed", lambda self, body, seen, agree: False)
    prior = _prior_settings(start=0).model_dump()
    settings = _settings(steps=4, prior=prior)
    weighted = settings.model_copy(update={"weights": settings.weights.model_copy(update={"prior": 1.0})})
    drawn, plain = fit(_scene(), weighted, 3, _silent, Prior(denoiser, "bottle")), fit(_scene(), settings, 3, _silent)
    assert "guess" in drawn.history and "prior" not in drawn.history
    assert np.array_equal(drawn.mesh.vertices, plain.mesh.vertices)


def test_nothing_pictured_is_no_body():
    view, image = _pictures(1)[0]
    empty = ObjectImage(torch.zeros_like(image.mask), torch.zeros_like(image.normal), torch.zeros_like(image.depth))
    assert fuse([(view, empty)], _prior_settings()) is None


@pytest.mark.parametrize("method", ["views", "score"])
def test_a_fit_with_the_prior_runs_and_repeats(method):
    prior = _prior_settings(method=method, start=8, renewals=3, every=4, noise_start=0.02, noise_end=0.02).model_dump()
    settings = _settings(steps=21, warm_steps=8, prior=prior)
    settings = settings.model_copy(update={"weights": settings.weights.model_copy(update={"prior": 1.0})})
    first, again = (fit(_scene(), settings, 3, _silent, Prior(denoiser, "bottle")) for _ in range(2))
    assert np.array_equal(first.mesh.vertices, again.mesh.vertices)
    assert first.history["prior"].notna().any() and np.isfinite(first.history["prior"].dropna()).all()


def test_a_weight_without_a_prior_is_refused():
    settings = _settings()
    settings = settings.model_copy(update={"weights": settings.weights.model_copy(update={"prior": 1.0})})
    with pytest.raises(InputError, match="prior"):
        fit(_scene(), settings, 0, _silent)


def test_a_denoiser_that_gives_nan_is_not_believed():
    d = denoiser()
    for parameter in d.net.parameters():
        parameter.data.fill_(float("nan"))
    distillation = Distillation(Prior(lambda: d, "bowl"), _prior_settings(), 0, CPU)
    assert fuse(distillation.imagine(_held_ball(), 0.5), _prior_settings()) is None
    assert distillation.score(_held_ball(), 0.5) == 0
