"""Words as a CLIP text encoder sees them (Radford et al., "Learning transferable visual models", 2021): an optional backend that
opens the denoiser's list of categories. Its weights are the user's; nothing is fetched.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from hoi.errors import InputError
from hoi.provenance import file_sha256

WEIGHTS = "model.safetensors"
NEEDED = "a folder with the config, tokenizer and model.safetensors of a CLIP text encoder with projection"


class TextSpec(BaseModel):
    """What a denoiser's words depend on; saved with its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    encoder: str  # sha256 of its weights
    prompt: str
    width: int = Field(gt=0)

    def sentence(self, category: str) -> str:
        """The prompt with a category in its place, which may hold anything."""
        before, after = self.prompt.split("{}")
        return f"{before}{category}{after}"


class TextEncoder:
    """An encoder in a local folder, in the layout of `transformers`."""

    def __init__(self, folder: Path) -> None:
        try:
            from transformers import AutoTokenizer, CLIPTextModelWithProjection
        except ImportError as error:
            raise InputError("conditioning: text", "no package transformers", "transformers",
                             "pip install -e '.[text]', or condition on the category") from error  # fmt: skip
        if not (folder / WEIGHTS).is_file():
            raise InputError(folder, f"no {WEIGHTS}", NEEDED, "save one there with save_pretrained of transformers")
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model = CLIPTextModelWithProjection.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(folder, str(error), NEEDED, "save it anew with save_pretrained of transformers") from error
        self.model.eval()
        self.digest, self.width = file_sha256(folder / WEIGHTS), int(self.model.config.projection_dim)

    def spec(self, prompt: str) -> TextSpec:
        """This encoder with a prompt."""
        return TextSpec(encoder=self.digest, prompt=prompt, width=self.width)

    @torch.no_grad()
    def features(self, sentences: Sequence[str]) -> Float[Tensor, "n width"]:
        """A unit vector a sentence."""
        tokens = self.tokenizer(list(sentences), padding=True, truncation=True, return_tensors="pt")
        return functional.normalize(self.model(**tokens).text_embeds.float(), dim=-1)


class Described(nn.Module):
    """In place of an embedding a category: its words' features, projected; the last row, of zeros, says nothing."""

    def __init__(self, categories: int, width: int, out: int) -> None:
        super().__init__()
        self.register_buffer("words", torch.zeros(categories + 1, width))
        self.project = nn.Linear(width, out)

    def set(self, features: Float[Tensor, "k width"]) -> None:
        """The words of the categories in order."""
        self.words[:-1] = self._rows(features)

    def learn(self, feature: Float[Tensor, "width"]) -> int:
        """Another category; its index."""
        self.words = torch.cat([self.words, self._rows(feature[None])])
        return len(self.words) - 1

    def _rows(self, features: Float[Tensor, "k width"]) -> Float[Tensor, "k width"]:
        """Features whose components have a mean square of 1."""
        return functional.normalize(features.to(self.words), dim=-1) * self.words.shape[1] ** 0.5

    def forward(self, index: Int[Tensor, "b"]) -> Float[Tensor, "b out"]:
        """Embeddings of categories."""
        return self.project(self.words[index])
