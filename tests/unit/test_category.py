"""What is held, in the words of whoever filmed it."""

import pandas as pd
import pytest

from hoi.category import CATEGORIES, SYNONYMS, plain_category, unknown_category
from hoi.clip import ClipInfo
from hoi.stages.fit_clip import _body
from hoi.table import ClipRow


@pytest.mark.parametrize(
    ("word", "category"),
    [("Mug", "mug"), ("BOTTLE", "bottle"), ("Toy Car", "toycar"), ("toy_car", "toycar"), ("toy-car", "toycar"),
     ("cup", "mug"), ("Coffee Mug", "mug"), ("teapot", "kettle"), ("Théière", "théière"), ("3d  Print", "3d print"),
     ("bottle opener", "bottle opener"), ("object", "object")],
)  # fmt: skip
def test_a_word_means_the_same_however_it_is_written(word, category):
    assert ClipRow(clip="a", source="video", path="a.mp4", category=word).category == category
    assert ClipInfo(category=word).category == category, "and in a clip.yaml"
    assert plain_category(category) == category


def test_synonyms_are_of_known_categories_and_found_however_they_are_written():
    assert set(SYNONYMS.values()) <= set(CATEGORIES) and all(plain_category(word) == word for word in CATEGORIES)
    assert all(word == word.lower() and word.isalpha() for word in SYNONYMS)


def test_what_is_unknown_is_said():
    assert not any(map(unknown_category, CATEGORIES))
    assert unknown_category("hammer").startswith("'hammer' is no known category (mug, ")
    assert unknown_category(None) == unknown_category("object") and "imagined" in unknown_category(None)


@pytest.mark.parametrize(
    ("terms", "body"),
    [({"guess": [1, None], "recalled": [None, 2]}, "recalled"), ({"guess": [1, None], "prior": [None, 2]}, "imagined"),
     ({"guess": [1, 1]}, "none"), ({"recalled": [1, None], "prior": [None, 2]}, "imagined")],
)  # fmt: skip
def test_a_run_says_whence_its_body_is(terms, body):
    assert _body(pd.DataFrame(terms)) == body
