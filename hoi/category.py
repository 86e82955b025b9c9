"""The word for what a clip's hand holds, and the categories that masks, prior and memory were made for."""

import re

CATEGORIES = ("mug", "bottle", "kettle", "bowl", "knife", "toycar")
SYNONYMS = {
    "cup": "mug", "teacup": "mug", "coffeecup": "mug", "coffeemug": "mug", "waterbottle": "bottle", "flask": "bottle",
    "teapot": "kettle", "teakettle": "kettle", "car": "toycar", "modelcar": "toycar",
}  # fmt: skip
WORD = r"\w[\w -]*"  # letters of any language, digits, spaces, - and _


def plain_category(word: str) -> str:
    """A category however it is written (`Mug`, `Toy Car`, `toy_car`, `cup`); any other word in lower case."""
    compact = re.sub(r"[\s_-]+", "", word.lower())
    named = SYNONYMS.get(compact, compact)
    return named if named in CATEGORIES else " ".join(word.lower().split())


def unknown_category(word: str | None) -> str:
    """What it means that a word, or its absence, is none of the categories; empty where it is one."""
    if word in CATEGORIES:
        return ""
    found = "no category was said" if word in (None, "", "object") else f"{word!r} is no known category"
    known = ", ".join(CATEGORIES)
    return f"{found} ({known}): nothing is recalled, sides that no frame shows are imagined or left plain"
