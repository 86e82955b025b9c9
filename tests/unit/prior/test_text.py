"""Categories as words: a denoiser whose list of them is open."""

import json
import sys

import pytest
import torch

from hoi.config import TrainPrior
from hoi.errors import InputError
from hoi.prior import denoiser as module
from hoi.prior.denoiser import Denoiser
from hoi.prior.text import TextEncoder, TextSpec
from hoi.prior.train import Trainer

from .scenes import spec
from .test_denoiser import batch
from .test_train import batch as training_batch
from .test_train import settings

TEXT = TextSpec(encoder="abc", prompt="a photo of a {}", width=6)
WORDS = torch.eye(6)[:3]  # object, mug, bowl
T = torch.tensor([300, 700])


class StandIn:
    """An encoder whose features tell the sentence's length."""

    digest = "abc"

    def __init__(self, folder):
        self.folder = folder

    def features(self, sentences):
        return torch.stack([WORDS[len(s.removeprefix("a photo of a ")) % 3] for s in sentences])


@pytest.fixture
def worded():
    torch.manual_seed(0)
    return Denoiser(spec(text=TEXT), WORDS).eval()


def guess(denoiser, *names):
    x_t, given = batch(len(names))
    return denoiser.predict_noise(x_t, given, torch.tensor([denoiser.category_index(n) for n in names]), T)


def test_what_is_said_changes_the_guess(worded):
    mug, bowl, nothing = (guess(worded, name, name) for name in ("mug", "bowl", None))
    assert not torch.allclose(mug, bowl) and not torch.allclose(mug, nothing)


def test_words_are_saved_with_the_weights(worded, tmp_path):
    worded.save(tmp_path / "weights", "card")
    back = Denoiser.load(tmp_path / "weights")
    assert back.spec.text == TEXT and back.names == worded.names
    assert torch.equal(guess(back, "mug", None), guess(worded, "mug", None))


def test_another_category_is_known_by_its_words(worded, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TextEncoder", StandIn)
    before = guess(worded, "mug", "bowl")
    assert worded.category_index("wine glass") == 0, "an object, until it is learned"
    worded.learn("wine glass", tmp_path)  # ten letters: the words of "mug"
    assert worded.category_index("wine glass") == 4 and worded.category_index(None) == 3
    assert torch.equal(guess(worded, "wine glass", "bowl"), before)


def test_another_encoder_than_the_training_s_is_refused(worded, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TextEncoder", type("Other", (StandIn,), {"digest": "def"}))
    with pytest.raises(InputError, match="text encoder that the denoiser was trained with"):
        worded.learn("teapot", tmp_path)


def test_a_denoiser_of_categories_knows_no_words(tmp_path):
    with pytest.raises(InputError, match="conditioning: text"):
        Denoiser(spec()).learn("teapot", tmp_path)


def test_training_moves_the_projection_and_not_the_words():
    trainer = Trainer(spec(text=TEXT), settings(rate=0.01), 0, torch.device("cpu"), WORDS)
    described = trainer.denoiser.net.class_embedding
    words, weight = described.words.clone(), described.project.weight.detach().clone()
    assert all(trainer.step(training_batch()) > 0 for _ in range(3))
    assert torch.equal(described.words, words) and not torch.equal(described.project.weight, weight)
    assert not torch.equal(trainer.average.net.class_embedding.project.weight, weight)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"conditioning": "text"}, "needs text_encoder"), ({"prompt": "a photo"}, "no single")],
)
def test_settings_that_cannot_be_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        TrainPrior.model_validate(settings().model_dump() | change)


def test_an_encoder_without_transformers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"\.\[text\]"):
        TextEncoder(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """A tiny CLIP text encoder with random weights, and a tokenizer that knows letters."""
    transformers = pytest.importorskip("transformers", reason="optional: docs/stack.md has the run by hand")
    letters = [chr(c) + end for end in ("", "</w>") for c in range(33, 127)]
    vocabulary = {token: i for i, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path / "encoder")
    config = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, projection_dim=6, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, bos_token_id=len(letters), eos_token_id=len(letters) + 1,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.CLIPTextModelWithProjection(config).save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def test_an_encoder_of_transformers_gives_unit_features(folder):
    encoder = TextEncoder(folder)
    assert encoder.width == 6 and len(encoder.digest) == 64
    mug, bowl, again = encoder.features(["a photo of a mug", "a photo of a bowl, blue", "a photo of a mug"])
    assert mug.norm() == pytest.approx(1) and torch.allclose(mug, again, atol=1e-6) and not torch.allclose(mug, bowl)


def test_a_denoiser_learns_from_an_encoder_of_transformers(folder):
    encoder = TextEncoder(folder)
    text = encoder.spec("a photo of a {}")
    known = Denoiser(spec(text=text), encoder.features([text.sentence(c) for c in ("object", "mug", "bowl")])).eval()
    known.learn("teapot", folder)
    assert known.category_index("teapot") == 4
    assert not torch.allclose(guess(known, "teapot", "teapot"), guess(known, "mug", "mug"))
