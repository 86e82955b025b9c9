import torch

from hoi.prior.encode import (
    GIVEN_CHANNELS,
    HAND_CHANNELS,
    OBJECT_CHANNELS,
    decode_object,
    encode_hand,
    encode_object,
    mirrored,
    quarter_turned,
)
from hoi.prior.render import Ball, HandImage, ObjectImage, render_object

from .scenes import RENDER, ahead

BETA = torch.tensor(0.0005)


def test_given_are_the_hand_and_then_a_body():
    assert GIVEN_CHANNELS[:7] == HAND_CHANNELS and GIVEN_CHANNELS[7:] == OBJECT_CHANNELS


def test_channels_by_hand():
    image = ObjectImage(
        torch.tensor([1.0, 0.0]), torch.tensor([[0.6, 0.0, -0.8], [0.0, 0.0, 0.0]]), torch.tensor([0.53, 0.0])
    )
    x = encode_object(image, 0.5)
    assert torch.allclose(x[:, 0], torch.tensor([0.5, 0.6, 0.0, 0.8, 0.3]), atol=1e-5)
    assert torch.allclose(x[:, 1], torch.tensor([-0.5, 0.0, 0.0, 0.0, 0.0]))


def test_hand_channels_by_hand():
    image = HandImage(
        torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([0.45, 0.0]),
        torch.tensor([[0.25, 1.0], [0.0, 0.0]]), 0.5,
    )  # fmt: skip
    x = encode_hand(image)
    assert torch.allclose(x[:, 0], torch.tensor([0.5, 0.0, -1.0, 0.0, -0.5, -0.5, 1.0]), atol=1e-6)
    assert torch.allclose(x[:, 1], torch.tensor([-0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))


def test_decoding_undoes_encoding():
    g = torch.Generator().manual_seed(0)
    mask = (torch.rand(40, generator=g) < 0.5).float() * (0.6 + 0.4 * torch.rand(40, generator=g))
    image = ObjectImage(
        mask, torch.randn(40, 3, generator=g) * mask[:, None], (0.4 + 0.2 * torch.rand(40, generator=g)) * (mask > 0)
    )
    back = decode_object(encode_object(image, 0.47), 0.47)
    for name in ("mask", "normal", "depth"):
        assert torch.allclose(getattr(image, name), getattr(back, name), atol=1e-5), name


def box(x):
    """A tilted, off-centre ellipsoid-like body without any symmetry of the picture."""
    y = x * torch.tensor([1.0, 1.8, 1.2]) + 0.3 * x[..., [1, 2, 0]] - torch.tensor([0.01, 0.006, 0.0])
    return (y.norm(dim=-1) - 0.04) / 2.2


def picture(view, sdf=box):
    return encode_object(render_object(sdf, BETA, view, Ball(torch.zeros(3), 0.08), RENDER), 0.5).reshape(5, 64, 64)


def test_a_mirror_shows_the_mirrored_object():
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(mirrored(picture(ahead())), picture(ahead(), lambda x: box(x * mirror)), atol=2e-3)


def test_a_turned_picture_is_that_of_a_rolled_camera():
    view = ahead()
    roll = torch.tensor([[0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    rolled = type(view)(roll @ view.T_view_obj, roll @ view.T_view_hand, view.focal_px, view.centre_px, 64)
    assert torch.allclose(quarter_turned(picture(view)), picture(rolled), atol=2e-3)
    four = picture(view)
    for _ in range(4):
        four = quarter_turned(four)
    assert torch.equal(four, picture(view))
