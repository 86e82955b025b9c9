import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hoi.errors import InputError
from hoi.imports import shipped_prior
from hoi.prior.denoiser import ChannelStatistics, Denoiser, denoising_levels, noise_schedule

from .scenes import NETWORK, SCHEDULE, denoiser, spec


def batch(count=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, 16, 16, generator=g), torch.randn(count, 12, 16, 16, generator=g)


def test_schedule_is_scaled_linear():
    beta = np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2
    assert np.allclose(noise_schedule(SCHEDULE).betas.numpy(), beta, rtol=1e-4)
    assert np.allclose(denoiser().alpha_bar.numpy(), np.cumprod(1 - beta), rtol=1e-3)


def test_noise_added_and_taken_away():
    d, (x, _), t = denoiser(), batch(), torch.tensor([10, 900])
    noise = torch.randn(x.shape)
    x_t = d.add_noise(x, noise, t)
    a = d.alpha_bar[t][:, None, None, None]
    assert torch.allclose(x_t, a.sqrt() * x + (1 - a).sqrt() * noise, atol=1e-6)


def test_noise_and_clean_picture_are_of_one_guess():
    d, (x_t, given), t = denoiser(), batch(), torch.tensor([300, 700])
    category = torch.tensor([1, 2])
    noise, clean = d.predict_noise(x_t, given, category, t, 2.0), d.predict_clean(x_t, given, category, t, 2.0)
    free = (clean.abs() < d.range).expand_as(clean)
    assert free.any()
    assert torch.allclose(d.add_noise(clean, noise, t)[free], x_t[free], atol=1e-4)
    assert (clean.abs() <= d.range).all()


def test_guidance_goes_on_from_the_null_category():
    d, (x_t, given), t = denoiser(), batch(), torch.tensor([300, 700])
    named, null = torch.tensor([1, 2]), torch.full((2,), d.null_category)
    a, b = d.predict_noise(x_t, given, named, t), d.predict_noise(x_t, given, null, t)
    assert not torch.allclose(a, b)
    assert torch.allclose(d.predict_noise(x_t, given, named, t, 3.0), b + 3 * (a - b), atol=1e-4)
    assert torch.equal(d.predict_noise(x_t, given, null, t, 3.0), b), "nothing to guide by"


@pytest.mark.parametrize("part", [slice(0, 7), slice(7, 12)], ids=["hand", "rough body"])
def test_a_picture_depends_on_hand_and_on_rough_body(part):
    d, (x_t, given), t = denoiser(), batch(), torch.tensor([300, 700])
    c, other = torch.tensor([1, 2]), given.clone()
    other[:, part] = 0
    assert not torch.allclose(d.predict_noise(x_t, given, c, t), d.predict_noise(x_t, other, c, t))


def test_unknown_categories_are_objects():
    d = denoiser()
    assert [d.category_index(name) for name in ("object", "bowl", "teapot", None)] == [0, 2, 0, 3]


def test_a_schema_without_a_fallback_is_refused():
    with pytest.raises(ValueError, match="object"):
        spec(categories=("mug",))


def test_levels_fall_to_the_last_step():
    assert denoising_levels(999, 4) == [999, 749, 500, 250]
    assert denoising_levels(2, 50) == [2, 1, 1], "no more steps than levels"
    assert denoising_levels(600, 1) == [600]


def test_denoising_with_a_perfect_guess_gives_the_picture(monkeypatch):
    d, (x, given) = denoiser(), batch()
    x, noise, t = x.clamp(-0.4, 0.4), torch.randn(x.shape), torch.full((2,), 800)

    def perfect(x_t, given, category, t, guidance):
        guess, error = d.linear_guess(x_t, given, t)
        return (x - guess) / error

    monkeypatch.setattr(d, "_guided", perfect)
    assert torch.allclose(d.denoise(d.add_noise(x, noise, t), given, t * 0, 800, 5), x, atol=1e-4)


def test_denoising_is_deterministic():
    d, (_, given), c = denoiser(), batch(), torch.tensor([1, 2])
    made = [d.sample(given, c, 3, 2.0, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*made) and made[0].shape == (2, 5, 16, 16)


def test_saved_weights_come_back(tmp_path):
    d, (x, given), t, c = denoiser(), batch(), torch.tensor([3, 900]), torch.tensor([0, 1])
    d.save(tmp_path / "weights", "card")
    back = Denoiser.load(tmp_path / "weights")
    assert torch.equal(back.predict_noise(x, given, c, t), d.predict_noise(x, given, c, t))
    assert back.spec == d.spec and (tmp_path / "weights/README.md").read_text() == "card"
    assert not any(p.requires_grad for p in back.parameters())


def test_statistics_are_saved_with_the_weights(tmp_path):
    other = ChannelStatistics(mean=(0.0, 0.1, 0.2, 0.3, 0.4))
    denoiser(statistics=other).save(tmp_path / "weights", "card")
    back = Denoiser.load(tmp_path / "weights")
    assert back.spec.statistics == other and back.mean.flatten().tolist() == pytest.approx(other.mean)


def test_shipped_weights_have_the_statistics_that_they_do_not_name():
    folder = Path(shipped_prior()[0])
    assert "statistics" not in json.loads((folder / "config.json").read_text())
    d = Denoiser.load(folder)
    found = {name: getattr(d, name).flatten().tolist() for name in ("range", "mean", "follows")}
    assert found["range"] == [0.5, 1.0, 1.0, 1.0, 3.0]
    assert found["mean"] == pytest.approx([-0.30, 0.0, 0.0, 0.12, -0.06])
    assert found["follows"] == pytest.approx([0.70, 0.36, 0.36, 0.63, 0.72])
    assert d.variance.flatten().tolist() == pytest.approx([0.39**2, 0.22**2, 0.22**2, 0.28**2, 0.28**2])
    assert d.spec.categories == ("object", "mug", "bottle", "kettle", "bowl", "knife", "toycar")


@pytest.fixture
def folder(tmp_path):
    denoiser().save(tmp_path / "weights", "card")
    return tmp_path / "weights"


def test_a_truncated_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        Denoiser.load(folder)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        Denoiser.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("section", "change"),
    [("schedule", {"beta_end": 0.02}), ("views", {"distance_jitter_m": 0.01}), ("network", {"channels": [16, 24]})],
)
def test_a_config_of_other_weights_is_refused(folder, section, change):
    config = json.loads((folder / "config.json").read_text())
    config[section] |= change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="keep weights and config together"):
        Denoiser.load(folder)


def test_weights_of_another_architecture_are_refused(folder):
    other = spec(network=NETWORK.model_copy(update={"channels": (16, 32)}))
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors, folder / "model.safetensors", metadata={"spec": other.model_dump_json()})
    (folder / "config.json").write_text(other.model_dump_json())
    with pytest.raises(InputError, match="architecture"):
        Denoiser.load(folder)


def test_an_unknown_key_in_the_config_is_refused(folder):
    config = json.loads((folder / "config.json").read_text()) | {"colour": "red"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="colour"):
        Denoiser.load(folder)
