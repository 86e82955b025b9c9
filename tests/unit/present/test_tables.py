"""Tables computed by hand."""

import csv
import io
import re
import shutil
import subprocess

import numpy as np
import pytest

from hoi.config import MakeTable
from hoi.errors import InputError
from hoi.metrics import METRICS
from hoi.present.table_text import to_csv, to_latex, to_markdown
from hoi.present.tables import bootstrap, check_same_making, failures, table_rows

TABLE = MakeTable(variants=["ours", "hull"], columns=["f5", "cd_cm2", "mask_iou_object", "seconds"])
WHY = {
    "stage": "track_hand",
    "log": "results/logs/a.log",
    "where": "frames",
    "found": "no hand in any of 4",
    "next_step": "light",
}


def score(variant, clip, category, f5, cd, iou, seconds=10.0, failed=False, code="c1", settings="s1"):
    values = {"f5": f5, "cd_cm2": cd, "mask_iou_object": iou, "seconds": seconds, "failed": failed}
    fit = {} if failed else {"code": {"fit_clip": code}, "settings": settings, "seed": 0}
    made = {"fit": fit, "score": {"score_clip": "x", "settings": "y", "seed": 0}}
    why = {"failure": WHY} if failed else {}
    return {"variant": variant, "clip": clip, "category": category, "frames": 30, "made_by": made} | values | why


SCORES = [
    score("ours", "m1", "mug", 0.5, 1.0, 0.9),
    score("ours", "m2", "mug", 0.7, 2.0, None),
    score("ours", "k1", "knife", 0.0, 100.0, 0.6, failed=True),
    score("ours", "film", "mug", None, None, 0.4),
    score("hull", "m1", "mug", 0.2, 1.5, 0.9, seconds=4.0, settings="s2"),
]


def rows_of(definition=TABLE, scores=SCORES, groups=None):
    return table_rows(scores, definition, groups or {}, 0)


def means(row):
    return {key: cell.mean for key, cell in row.cells.items()}


def test_means_failures_and_clips_without_truth():
    rows = {(r.variant, r.group): r for r in rows_of()}
    mug = rows["ours", "mug"]
    assert (mug.clips, mug.failures) == (2, 0)  # the film is no part of it
    assert means(mug) == pytest.approx({"f5": 0.6, "cd_cm2": 1.5, "mask_iou_object": 0.9, "seconds": 10})
    mean = rows["ours", "mean"]
    assert (mean.clips, mean.failures) == (3, 1)
    assert means(mean)["f5"] == pytest.approx(0.4)  # over clips, the failure counted
    assert means(mean)["mask_iou_object"] == pytest.approx(0.75)
    film = rows["ours", "film (no true shape)"]
    assert means(film) == {"f5": None, "cd_cm2": None, "mask_iou_object": 0.4, "seconds": 10.0}
    ours = [group for variant, group in rows if variant == "ours"]
    assert ours == ["mug", "knife", "mean", "film (no true shape)"]
    assert list(rows)[4:] == [("hull", "mug"), ("hull", "mean")]


def test_no_clip_counts_worse_than_a_failure():
    rows = rows_of(scores=[score("ours", "a", "mug", 0.1, 900.0, 0.5), score("ours", "b", "mug", 0.1, 10.0, 0.5)])
    assert rows[0].cells["cd_cm2"].mean == pytest.approx((100 + 10) / 2)


def test_groups_by_any_column_of_the_clips_table_or_of_the_score():
    groups = {"m1": {"side": "left"}, "m2": {"side": "right"}, "k1": {"side": "right"}, "film": {"side": None}}
    named = [r.group for r in rows_of(TABLE.model_copy(update={"group_by": "side"}), groups=groups)]
    assert named[:3] == ["left", "right", "mean"]
    assert rows_of(TABLE.model_copy(update={"group_by": "frames"}))[0].group == "30"
    with pytest.raises(InputError, match="colour"):
        rows_of(TABLE.model_copy(update={"group_by": "colour"}))
    failed = score("ours", "m1", "mug", 0.0, 100.0, 0.0) | {"failed": True}
    failed.pop("frames", None)
    assert rows_of(TABLE.model_copy(update={"group_by": "frames"}), scores=[failed])[0].group == "none"


def test_bootstrap_is_seeded_and_covers_the_mean():
    values = list(np.random.default_rng(0).normal(3, 1, 40))
    low, high = bootstrap(values, 0)
    assert bootstrap(values, 0) == (low, high)
    half = 1.96 * np.std(values) / np.sqrt(40)  # the normal approximation
    assert (low, high) == pytest.approx((np.mean(values) - half, np.mean(values) + half), abs=0.06)
    assert bootstrap([1.0, 2.0], 0) == (None, None)
    assert bootstrap([2.0] * 5, 0) == (2.0, 2.0)


def test_csv_is_plain_numbers():
    read = list(csv.DictReader(io.StringIO(to_csv(rows_of(), TABLE))))
    assert list(read[0]) == ["variant", "category", "clips", "failures", "F@5mm", "CD_cm2", "mask_IoU", "seconds"]
    assert [float(r["F@5mm"]) for r in read if r["category"] == "mean"] == pytest.approx([0.4, 0.2])
    assert read[3]["F@5mm"] == ""


def test_csv_with_intervals():
    definition = TABLE.model_copy(update={"interval": True})
    read = list(csv.DictReader(io.StringIO(to_csv(rows_of(definition), definition))))
    mean = next(r for r in read if r["category"] == "mean")
    assert float(mean["F@5mm_low"]) <= 0.4 <= float(mean["F@5mm_high"])
    assert read[0]["F@5mm_low"] == "", "two clips make no interval"


def test_markdown_bold_dashes_failures():
    text = to_markdown(rows_of(), TABLE, failures(SCORES, TABLE.variants), [])
    lines = text.splitlines()
    assert lines[0] == "| variant | category | clips | failures | F@5 mm ↑ | CD cm² ↓ | mask IoU ↑ | seconds ↓ |"
    assert lines[2] == "| ours | mug | 2 | 0 | **0.600** | **1.50** | **0.900** | 10 |"  # ties: both are best
    assert lines[3] == "|  | knife | 1 | 1 | 0.000 | 100.00 | 0.600 | 10 |"  # nobody to beat
    assert lines[5] == "|  | film (no true shape) | 1 | 0 | – | – | 0.400 | 10 |"
    assert lines[6] == "| hull | mug | 1 | 0 | 0.200 | **1.50** | **0.900** | **4** |"
    assert "- ours, k1: track\\_hand: frames: no hand in any of 4; next: light (results/logs/a.log)" in text


def test_a_reason_is_no_markup():
    bad = score("ours", "x", "mug", 0.0, 100.0, 0.0, failed=True) | {"failure": WHY | {"found": "<script>\n|a|"}}
    text = to_markdown(rows_of(scores=[bad]), TABLE, failures([bad], ["ours"]), [])
    assert "<script>" not in text.replace("\\<script\\>", "") and "\\|a\\|" in text


REPORTED = [
    {"set": "ho3d", "method": "HOLD", "metric": "F@5 mm", "unit": "%", "value": "57.2", "kind": "secondary", "source": "4D-HOF"},
    {"set": "ho3d", "method": "Other_1", "metric": "CD", "unit": "cm²", "value": "0.9", "kind": "primary", "source": "its own"},
]  # fmt: skip


def test_others_numbers_stand_apart_and_are_marked():
    text = to_markdown(rows_of(), TABLE, [], REPORTED)
    measured, reported = text.split("Reported by others")
    assert "HOLD" not in measured and "57.2" not in measured
    assert "| HOLD † | 57.2 | – | secondary | 4D-HOF |" in reported


def compiled(tex, tmp_path):
    page = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}" + tex + "\\end{document}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)


def latex(**changes):
    definition = TABLE.model_copy(update={"columns": list(METRICS), "interval": True, **changes})
    return to_latex(rows_of(definition), definition, failures(SCORES, TABLE.variants), REPORTED)


def test_latex_is_balanced_and_escaped():
    tex = latex()
    assert tex.count("{") == tex.count("}") and tex.count("\\begin") == tex.count("\\end") == 2
    body = tex[tex.index("\\toprule") : tex.index("\\bottomrule")]
    widths = {line.count(" & ") for line in body.splitlines() if line.endswith("\\\\")}
    assert widths == {3 + len(METRICS)}, "every row has every column"
    assert not re.search(r"(?<!\\)[_%#]", body) and tex.isascii()
    assert "\\textbf{0.600}" in tex and "track\\_hand" in tex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path):
    done = compiled(latex(), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]


def test_rows_of_different_making_are_refused():
    check_same_making(SCORES, "main")  # two variants differ in settings, a failed clip has none
    with pytest.raises(InputError, match="fitting code"):
        check_same_making([*SCORES, score("ours", "m3", "mug", 0.1, 1.0, 0.1, code="c2")], "main")
    with pytest.raises(InputError, match="fit settings of ours"):
        check_same_making([*SCORES, score("ours", "m3", "mug", 0.1, 1.0, 0.1, settings="s9")], "main")


def test_there_is_no_mean_of_nothing():
    assert [(r.group, r.clips) for r in rows_of(scores=SCORES[3:4])] == [("film (no true shape)", 1)]


def test_captions_stand_below_every_table_and_others_rows_are_plain():
    definition, others = TABLE.model_copy(update={"caption": "Mugs & co."}), [REPORTED[0] | {"method": "A|B*c*"}]
    assert r"Mugs \& co. Means over clips." in to_latex(rows_of(), definition, [], [])
    text = to_markdown(rows_of(), definition, [], others)
    assert "\nMugs & co. Means over clips." in text and r"| A\|B\*c\* †" in text
