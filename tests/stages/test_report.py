"""The report of one small clip, made by its stages and opened from disk in a real browser."""

import json
from pathlib import Path

import numpy as np
import pytest

from hoi.artefacts import read_npz
from hoi.config import MakeReport, Registration, ReportClip
from hoi.hand.choice import hand_of
from hoi.present.hands import hand_vertices_cam
from hoi.stages.make_report import make_report
from hoi.stages.report_clip import report_clip

from .browser import Browser, find_browser
from .made import EVIL, NAME, N, write_fits, write_source

QUICK = Registration(starts=8, coarse_points=50, coarse_steps=4, refined=2, points=100, polished=1)
SETTINGS = ReportClip(
    variants=["box", "broken"], frame_px=120, jpeg_quality=70, faces=200, error_mm=20.0, samples=300, registration=QUICK
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report's folder."""
    root = tmp_path_factory.mktemp("report")
    write_source(root / "clip")
    write_fits(root / "fits", "clip")
    fits = {key: [root / "fits" / v / "clip" / name for v in SETTINGS.variants] for key, name in {
        "hands": "hands.npz", "tracks": "track.json", "masks": "masks.npz",
        "meshes": "object.ply", "poses": "poses.npz", "runs": "run.json",
        "overlays": "overlay.mp4", "coloured": "coloured.ply", "scores": "score.json",
    }.items()}  # fmt: skip
    out = root / "report"
    report_clip(
        clip=root / "clip", variants=SETTINGS.variants, **fits, config=SETTINGS, seed=0, output=out / "clips" / NAME
    )
    (root / "main.md").write_text(f"| variant | F@5 mm ↑ |\n|---|---:|\n| {EVIL} | **0.5** |\n\n{EVIL}\n")
    (root / "main.csv").write_text("variant,f5\n")
    make_report(
        fits["scores"], fits["runs"], [root / "main.md"], [root / "main.csv"], MakeReport(columns=["f5"]), out / "site",
        out / "index.html",
    )  # fmt: skip
    return out


def test_the_page_is_whole_and_says_why_a_fit_failed(report):
    page = report / "clips" / NAME
    assert {p.name for p in page.iterdir()} == {
        "index.html", "data.js", "frames", "thumbnail.jpg", "box.mp4", "broken.mp4"
    }  # fmt: skip
    assert len(list((page / "frames").iterdir())) == N
    content = (page / "data.js").read_text().split("globalThis.HOI_CLIP=")[1].removesuffix(";\n")
    columns = json.loads(content)["columns"]
    assert [c["name"] for c in columns] == ["box", "broken", "truth"]
    assert [c["object"] is None for c in columns] == [False, True, False]
    layers = {layer["name"]: layer for layer in columns[0]["object"]["layers"]}
    assert list(layers) == ["filmed", "seen", "error"] and layers["seen"]["ends"] == ["inferred", "seen"]
    error = layers["error"]["values"]
    low, high = error["low"], error["low"] + 65535 * error["step"]
    assert 3 < low < 5.5 and 8 < high < 11, "5 mm too large on every side, 8.7 at the corners; roughly registered here"
    assert '<td class="number">2-2</td>' in (page / "index.html").read_text(), "the gap in the tracked hand"
    held = f'<th scope="row">held</th><td class="number">1-{N - 1}</td>'
    assert held in (page / "index.html").read_text(), "it is not held in the first frame"
    assert "fit_clip found &lt;/script&gt;" in (page / "index.html").read_text()


@pytest.fixture(scope="module")
def browser():
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with Browser(program) as opened:
        opened.screen(1200, 900)
        yield opened


def drawn(frame):
    """Has the page drawn this frame (and, after a link was followed, is there a page)?"""
    return f"document.documentElement?.dataset.drawn === '{frame}'"


@pytest.fixture
def clip_page(report, browser):
    browser.open((report / "clips" / NAME / "index.html").as_uri())
    browser.until(drawn(0))
    yield browser
    assert browser.errors() == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


def free(column):
    """The canvas of a column's 3D view."""
    return f"document.querySelector('[data-column=\"{column}\"] .free')"


def colours(column):
    """How many distinct colours a column's 3D view has. (Canvases with pictures from disk cannot be read.)"""
    return f"""((canvas) => {{
        const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }})({free(column)})"""


def test_the_viewer_has_the_hand_where_the_fit_has_it(report, clip_page):
    poses = read_npz("poses", report.parent / "fits" / "box" / "clip" / "poses.npz")
    there = hand_vertices_cam(hand_of(poses), poses["pose"], poses["betas"], poses["T_cam_hand"])
    shown = clip_page.js("Array.from(HOI_BODIES.blended(HOI_CLIP.columns[0].hand))")
    np.testing.assert_allclose(np.reshape(shown, there.shape), there, atol=4e-4)


def test_nothing_that_texts_say_is_done(report, clip_page):
    assert clip_page.js("typeof EVIL") == "undefined"
    assert clip_page.js("document.querySelector('h1').textContent") == NAME
    assert clip_page.js("document.title") == f"{NAME} · hoi"
    assert EVIL in clip_page.js("document.body.textContent")
    assert clip_page.js("document.querySelectorAll('img').length") == 0


def test_the_slider_moves_with_keys_and_everything_is_drawn_anew(clip_page):
    clip_page.js("document.querySelector('#time').focus()")
    clip_page.key("ArrowRight", 39)
    clip_page.key("ArrowRight", 39)
    clip_page.until(drawn(2))
    assert clip_page.js("document.querySelector('#now').value") == "frame 2 · 0.20 s"
    assert (
        clip_page.js("document.querySelector('#time').getAttribute('aria-valuetext')")
        == f"frame 2, the last is {N - 1}"
    )
    clip_page.key("End", 35)
    clip_page.until(drawn(N - 1))


def test_webgl_draws_the_object_and_the_hand_of_each_column(clip_page):
    assert clip_page.js(colours(0)) > 50, "shaded surfaces have many colours"
    assert clip_page.js(colours(2)) > 50
    both = clip_page.js(colours(0))
    clip_page.js("document.querySelector('[data-show=hand]').click()")
    clip_page.until(f"{colours(0)} < {both}")


def test_turning_one_view_turns_all(clip_page):
    before = clip_page.js(f"{free(2)}.toDataURL()")
    clip_page.js(f"{free(0)}.focus()")
    clip_page.key("ArrowLeft", 37)
    clip_page.until(f"{free(2)}.toDataURL() !== {json.dumps(before)}")


def test_the_error_map_has_a_legend_in_millimetres(clip_page):
    assert clip_page.js("document.querySelector('#legend').hidden")
    before = clip_page.js(f"{free(0)}.toDataURL()")
    clip_page.js("document.querySelector('[name=colour][value=error]').click()")
    assert clip_page.js("document.querySelector('#legend').innerText").split("\n") == ["0 mm", "≥ 20 mm"]
    clip_page.until(f"{free(0)}.toDataURL() !== {json.dumps(before)}")


def test_the_object_is_shown_as_filmed_and_says_what_was_seen(clip_page):
    pictures = [clip_page.js(f"{free(0)}.toDataURL()")]
    for layer, legend in (("filmed", None), ("seen", ["inferred", "seen"])):
        clip_page.js(f"document.querySelector('[name=colour][value={layer}]').click()")
        clip_page.until(f"!{json.dumps(pictures)}.includes({free(0)}.toDataURL())")
        pictures.append(clip_page.js(f"{free(0)}.toDataURL()"))
        assert clip_page.js("document.querySelector('#legend').hidden") == (legend is None)
        if legend:
            assert clip_page.js("document.querySelector('#legend').innerText").split("\n") == legend


def test_a_link_leads_to_a_moment_and_a_layer(report, browser):
    address = (report / "clips" / NAME / "index.html").as_uri()
    browser.open("about:blank")
    browser.open(f"{address}#frame=2&colour=error")
    browser.until(drawn(2))
    assert not browser.js("document.querySelector('#legend').hidden")
    browser.js("location.hash = 'frame=99&colour=<script>'")
    browser.until(drawn(0))
    assert browser.errors() == []


def test_play_runs_until_it_is_paused(clip_page):
    clip_page.js("document.querySelector('#play').click()")
    clip_page.until(drawn(3))
    clip_page.until(drawn(0))
    clip_page.js("document.querySelector('#play').click()")
    assert clip_page.js("document.querySelector('#play').textContent") == "Play"


def test_the_film_plays(clip_page):
    clip_page.until("document.querySelector('video').readyState >= 1")
    assert clip_page.js("document.querySelector('video').duration") == pytest.approx(N / 10, abs=0.05)
    clip_page.js("document.querySelector('video').play()")
    clip_page.until("document.querySelector('video').currentTime > 0.05")


def test_a_phone_shows_one_column_and_needs_no_sideways_scrolling(clip_page):
    clip_page.screen(390, 800, dark=True, scale=2)
    clip_page.until(f"{free(0)}.width > 600")
    assert clip_page.js("document.documentElement.scrollWidth") <= 390
    clip_page.screen(1200, 900)


def test_the_first_page_sorts_its_table_and_leads_to_the_clip(report, browser):
    browser.open((report / "index.html").as_uri())
    cells = "[...document.querySelectorAll('.sortable tbody td:nth-child(3)')].map((cell) => cell.textContent).join()"
    assert browser.js(cells) == "box,broken"
    head = "document.querySelector('.sortable th:nth-child(4) button').click()"
    browser.js(head)
    assert browser.js(cells) == "broken,box", "by F@5, ascending"
    browser.js(head)
    assert browser.js(cells) == "box,broken"
    assert browser.js("typeof EVIL") == "undefined"
    assert EVIL in browser.js("document.body.textContent")
    assert browser.errors() == []
    browser.js("document.querySelector('.cards a').click()")
    browser.until(drawn(0))
    assert Path(browser.js("decodeURIComponent(location.pathname)")) == report / "clips" / NAME / "index.html"


def test_without_webgl_the_page_says_so_and_shows_the_rest(report, browser):
    hide = """const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind) { return kind === "2d" ? real.call(this, kind) : null; }"""
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=hide)
    browser.open((report / "clips" / NAME / "index.html").as_uri())
    browser.until(drawn(0))
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    assert "No 3D" in browser.js("document.querySelector('#trouble').textContent")
