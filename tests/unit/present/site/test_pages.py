import json
import re

import pytest

from hoi.present.site.markdown import parse_markdown
from hoi.present.site.pages import ASSETS, SITE, clip_page, flattened, index_page, script, shown

EVIL = "</script><script>globalThis.EVIL=1</script><img src=x onerror='EVIL=1'>\u2028\"&"
ABOUT = {"category": EVIL, "side": EVIL, "fps": 15.0, "frames": 3, "width": 4, "height": 3}
SCORE = {
    "clip": "a",
    "category": EVIL,
    "source": EVIL,
    "variant": "v",
    "f5": 0.5,
    "failed": True,
    "failure": {"found": EVIL},
    "made_by": EVIL,
}
RUN = {"commit": "0123456789abcdef", "dirty": True, "settings": {"rays": {EVIL: EVIL}}, "machine": EVIL, "seed": 0}


def tags(page):
    return set(re.findall(r"<(script|img|b)\b[^>]*>", page))


def test_scripts_cannot_be_left():
    text = script("X", {"a": EVIL, EVIL: [1, None]})
    assert "<" not in text and "\u2028" not in text and "&" not in text
    body = text.split("globalThis.X=")[1].removesuffix(";\n")
    assert json.loads(body) == {"a": EVIL, EVIL: [1, None]}


def test_scripts_refuse_nan():
    with pytest.raises(ValueError):
        script("X", float("nan"))


def test_clip_pages_escape_everything():
    page = clip_page(
        EVIL,
        ABOUT,
        {"path": EVIL, EVIL: 1},
        {EVIL: "", "truth": EVIL},
        {EVIL: SCORE},
        {EVIL: RUN},
        {EVIL: {EVIL: EVIL}},
    )
    plain = clip_page(
        "a",
        ABOUT | {"category": "mug", "side": None},
        {},
        {"v": "", "truth": "object"},
        {"v": SCORE},
        {"v": RUN},
        {"v": {}},
    )
    assert "<script>globalThis" not in page and "<img" not in page
    assert page.count("<script") == plain.count("<script")
    assert "&lt;script&gt;globalThis.EVIL" in page


def test_index_pages_escape_everything():
    table = parse_markdown(f"| {EVIL} |\n|---|\n| {EVIL} |\n\n{EVIL}\n")
    page = index_page([SCORE], [RUN], {"main": table}, ["f5"])
    assert "<script>globalThis" not in page and "onerror='" not in page and page.count("<img") == 1
    assert page.count("<script") == 1


def test_a_failed_fit_says_why():
    why = {"stage": "mask_clip", "found": "empty masks", "next_step": "give a hint"}
    score = SCORE | {"category": "mug", "failure": why}
    page = clip_page("a", ABOUT, {}, {"v": ""}, {"v": score}, {"v": RUN}, {"v": {}})
    assert "mask_clip found empty masks. What to do: give a hint." in page


def test_what_the_sides_nobody_filmed_rest_on_is_said():
    score = SCORE | {"failed": False, "failure": None}
    page = clip_page(
        "a", ABOUT | {"category": "hammer"}, {}, {"v": ""}, {"v": score}, {"v": RUN | {"body": "imagined"}}, {"v": {}}
    )
    assert "is no known category (mug," in page and "body: imagined" in page
    page = clip_page(
        "a", ABOUT | {"category": "mug"}, {}, {"v": ""}, {"v": score}, {"v": RUN | {"body": "none"}}, {"v": {}}
    )
    assert "no known category" not in page and "body: none" in page


def test_differing_settings_are_marked_and_counted():
    runs = {v: {"settings": {"steps": 10, "method": v}} for v in ("sdf", "hull")}
    page = clip_page("a", ABOUT, {}, dict.fromkeys(runs, ""), {v: SCORE for v in runs}, runs, {v: {} for v in runs})
    assert "(1 differ)" in page
    assert re.search(r'class="differs"><th scope="row">method</th><td>sdf</td><td>hull</td>', page)


def test_fits_of_different_commits_are_warned_of():
    runs = [{"commit": "a" * 40, "dirty": False}, {"commit": "b" * 40, "dirty": False}]
    assert "2 different commits" in index_page([SCORE], runs, {}, [])
    assert "different commits" not in index_page([SCORE], runs[:1], {}, [])
    assert "uncommitted" in index_page([SCORE], [RUN], {}, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "yes"), (30, "30"), (0.12345, "0.123"), (54321.0, "54,321"), ("a", "a"), (2.0, "2")],
)
def test_numbers_are_short(value, text):
    assert shown(value) == text


def test_settings_are_flattened():
    assert flattened({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {"a.b": "1", "a.c": "[1, 2]", "d": "null"}


def test_nothing_on_a_page_comes_from_elsewhere():
    for name in (*ASSETS, "base.html", "clip.html", "index.html"):
        text = (SITE / name).read_text()
        addresses = (
            set(re.findall(r"(?:https?:)?//[a-z][^\s\"'`)]*\.[a-z]+", text)) if name != "three.min.js" else set()
        )
        assert addresses <= {"http://www.w3.org"}, name
        if name.endswith(".js") and name != "three.min.js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|fetch\(", text), name


def test_the_vendored_three_is_the_pinned_one_with_its_licence():
    tools = SITE.parents[2] / "scripts/node/package.json"
    head = (SITE / "three.min.js").read_text()[:1500]
    assert f"three.js {json.loads(tools.read_text())['devDependencies']['three']}," in head
    assert "Permission is hereby granted, free of charge" in head
