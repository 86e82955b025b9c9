"""Tables computed by hand."""

import csv
import io

import pytest

from hoi.errors import InputError
from hoi.present.tables import COLUMNS, table_rows, to_csv, to_markdown, write_table

COLS = ["f5", "cd_cm2", "mask_iou_object", "seconds"]


def score(variant, clip, category, f5, cd, iou, seconds=10.0, failed=False):
    values = {"f5": f5, "cd_cm2": cd, "mask_iou_object": iou, "seconds": seconds, "failed": failed}
    return {"variant": variant, "clip": clip, "category": category} | values


SCORES = [
    score("ours", "m1", "mug", 0.5, 1.0, 0.9),
    score("ours", "m2", "mug", 0.7, 2.0, None),
    score("ours", "k1", "knife", 0.0, 100.0, 0.6, failed=True),
    score("ours", "film", "mug", None, None, 0.4),
    score("hull", "m1", "mug", 0.2, 1.5, 0.9, seconds=4.0),
]


def test_means_failures_and_clips_without_truth():
    rows = {(r.variant, r.category): r for r in table_rows(SCORES, ["ours", "hull"], COLS)}
    mug = rows["ours", "mug"]
    assert (mug.clips, mug.failures) == (2, 0)  # the film is no part of it
    assert mug.values == pytest.approx({"f5": 0.6, "cd_cm2": 1.5, "mask_iou_object": 0.9, "seconds": 10})
    mean = rows["ours", "mean"]
    assert (mean.clips, mean.failures) == (3, 1)
    assert mean.values["f5"] == pytest.approx(0.4)  # over clips, the failure counted
    assert mean.values["mask_iou_object"] == pytest.approx(0.75)
    film = rows["ours", "film (no true shape)"]
    assert film.values == {"f5": None, "cd_cm2": None, "mask_iou_object": 0.4, "seconds": 10.0}
    ours = [category for variant, category in rows if variant == "ours"]
    assert ours == ["mug", "knife", "mean", "film (no true shape)"]
    assert list(rows)[4:] == [("hull", "mug"), ("hull", "mean")]


def test_csv_is_plain_numbers():
    text = to_csv(table_rows(SCORES, ["ours", "hull"], COLS), COLS)
    read = list(csv.DictReader(io.StringIO(text)))
    assert list(read[0]) == ["variant", "category", "clips", "failures", "F@5mm", "CD_cm2", "mask_IoU", "seconds"]
    assert [float(r["F@5mm"]) for r in read if r["category"] == "mean"] == pytest.approx([0.4, 0.2])
    assert read[3]["F@5mm"] == ""


def test_markdown_bold_and_dashes():
    lines = to_markdown(table_rows(SCORES, ["ours", "hull"], COLS), COLS).splitlines()
    assert lines[0] == "| variant | category | clips | failures | F@5 mm ↑ | CD cm² ↓ | mask IoU ↑ | seconds ↓ |"
    assert lines[2] == "| ours | mug | 2 | 0 | **0.600** | **1.50** | **0.900** | 10 |"  # ties: both are best
    assert lines[3] == "|  | knife | 1 | 1 | 0.000 | 100.00 | 0.600 | 10 |"  # nobody to beat
    assert lines[5] == "|  | film (no true shape) | 1 | 0 | – | – | 0.400 | 10 |"
    assert lines[6] == "| hull | mug | 1 | 0 | 0.200 | **1.50** | **0.900** | **4** |"


def test_mean_row_stands_even_without_any_truth():
    rows = table_rows(SCORES[3:4], ["ours"], COLS)
    assert [(r.category, r.clips) for r in rows] == [("mean", 0), ("film (no true shape)", 1)]
    assert to_csv(rows, COLS).splitlines()[1] == "ours,mean,0,0,,,,"


def test_unknown_column_is_refused():
    with pytest.raises(InputError, match="f6"):
        table_rows(SCORES, ["ours"], ["f6"])


def test_files(tmp_path):
    write_table(tmp_path / "main.csv", tmp_path / "main.md", SCORES, ["ours"], list(COLUMNS))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["main.csv", "main.md"]
    assert "F@20 mm, in hand" in (tmp_path / "main.md").read_text()
