"""The tiny benchmark, run for real to its table: what is made, what is shared, what reruns and what does not."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pandas as pd
import pytest

from hoi.artefacts import write_json
from hoi.records import Records, chain

from .conftest import TINY_CONFIG, Checkout

pytestmark = pytest.mark.slow


REPORT = {"report_clip": 2, "make_report": 1}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_table_and_pictures_are_there(finished):
    results = finished.path / "results"
    table = pd.read_csv(results / "tables/main.csv")
    assert {"mug", "bowl", "mean"} <= set(table["category"])
    assert "| mug" in (results / "tables/main.md").read_text()
    for variant in ("diffhoi", "oracle", "hull"):
        for clip in ("mug", "bowl"):
            fit = results / "fits" / variant / clip
            assert {p.name for p in fit.iterdir()} == {
                "object.ply", "poses.npz", "history.parquet", "run.json", "scene.glb", "still.png", "overlay.mp4",
                "coloured.ply", "coloured.glb",
            }  # fmt: skip


def test_the_report_leads_to_every_clip(finished):
    report = finished.path / "results/report"
    first = (report / "index.html").read_text()
    for clip in ("mug", "bowl"):
        assert f'href="clips/{clip}/index.html"' in first
        page = (report / "clips" / clip / "index.html").read_text()
        assert all(f"<h2>{name}</h2>" in page for name in ("no_prior", "oracle", "hull", "truth"))
    assert "<td>mug</td>" in first, "the table"
    assert (report / "site/main.csv").read_bytes() == (finished.path / "results/tables/main.csv").read_bytes()


def test_snakemakes_own_report_has_tables_and_stills(finished):
    text = finished.run(*TINY_CONFIG, "--report", "snakemake.html")
    assert "Adding main.csv" in text and text.count("Adding still.png") == 8
    assert (finished.path / "snakemake.html").stat().st_size > 10_000


def test_no_prior_uses_the_fit_of_the_first_variant_with_its_settings(finished):
    assert not (finished.path / "results/fits/no_prior").exists()
    assert (finished.path / "results/scores/no_prior/mug.json").exists()


@pytest.mark.parametrize("variant, term", [("imagined", "prior"), ("recalled", "recalled")])
def test_the_prior_that_ships_is_used(finished, variant, term):
    """With weights and memory of the package, by a variant of its own: another shape than that of the same evidence alone, true
    masks and hands, so that no masker's luck with so small a clip decides."""
    fits = finished.path / "results/fits"
    finished.run(*TINY_CONFIG, "--", *(f"results/fits/{v}/mug/object.ply" for v in ("given", variant)))
    history = pd.read_parquet(fits / variant / "mug/history.parquet")
    assert np.isfinite(history[term]).all() and "guess" not in history, "believed from the first step on"
    assert digest(fits / variant / "mug/object.ply") != digest(fits / "given/mug/object.ply")


def test_nothing_half_written_stays(finished):
    left = [p.name for p in (finished.path / "results").rglob(".*") if p.name != ".snakemake_timestamp"]
    assert left == []


def test_scores_say_what_they_are(finished):
    scores = json.loads((finished.path / "results/scores/oracle/mug.json").read_text())
    assert (scores["clip"], scores["category"], scores["variant"]) == ("mug", "mug", "oracle")
    assert scores["mask_iou_object"] == 1.0, "the oracle's masks are the truth"
    assert scores["mpjpe_mm"] is not None and scores["f5"] is not None


def test_run_record_names_settings_and_seed(finished):
    record = json.loads((finished.path / "results/fits/oracle/mug/run.json").read_text())
    assert record["seed"] == 0 and record["settings"]["method"] == "sdf" and record["seconds"] > 0
    assert record["versions"]["torch"]


def test_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run("--dry-run", *TINY_CONFIG)


def test_one_variants_setting_changed_reruns_that_variant(finished):
    change = finished.path / "config/change.yaml"
    change.write_text("variants: {hull: {fit_clip: {method: hull, hull: {cells: 24}}}}\n")
    jobs = finished.planned(*TINY_CONFIG, "config/change.yaml")
    change.unlink()
    assert jobs == {"fit_clip": 2, "show_clip": 2, "score_clip": 2, "make_table": 1, **REPORT}


def test_a_stages_code_edited_reruns_it_and_what_follows(finished):
    module = finished.path / "hoi/stages/score_clip.py"
    before = module.read_text()
    module.write_text(before + "\n# edited\n")
    jobs = finished.planned(*TINY_CONFIG)
    module.write_text(before)
    assert jobs == {"score_clip": 8, "make_table": 1, **REPORT}
    assert "Nothing to be done" in finished.run("--dry-run", *TINY_CONFIG)


def test_a_clip_added_runs_that_clip_alone(finished):
    table = finished.path / "config/tiny.tsv"
    before = table.read_text()
    table.write_text(before + "cup\tprocedural\tmug\ttrain\t5\n")
    jobs = finished.planned(*TINY_CONFIG)
    table.write_text(before)
    assert jobs["prepare_clip"] == 1 and jobs["fit_clip"] == 4 and jobs["make_table"] == 1


def test_a_table_deleted_is_rebuilt_alone(finished):
    path = finished.path / "results/tables/main.md"
    before = path.read_text()
    path.unlink()
    assert finished.planned(*TINY_CONFIG) == {"make_table": 1, "make_report": 1}
    finished.run(*TINY_CONFIG)
    assert path.read_text() == before


def test_same_seed_same_result(finished):
    fit = finished.path / "results/fits/oracle/mug"
    made = []
    for _ in range(2):
        finished.run(
            "results/fits/oracle/mug/object.ply", "--forcerun", "results/fits/oracle/mug/object.ply", *TINY_CONFIG
        )
        made.append((digest(fit / "object.ply"), digest(fit / "scene.glb")))
    assert made[0] == made[1]
    finished.run(*TINY_CONFIG)


def beside_the_mug(checkout, row, table):
    """An overlay config/TABLE.yaml: the tiny mug and a clip of one's own (name, source, path), a table of that name."""
    (checkout.path / f"config/{table}.tsv").write_text(
        f"clip\tsource\tpath\tcategory\tsplit\tseed\nmug\tprocedural\t\tmug\ttrain\t0\n{row}\t\t\t\n"
    )
    (checkout.path / f"config/{table}.yaml").write_text(
        f"clips: config/{table}.tsv\ntables: {{{table}: {{variants: [no_prior], columns: [mask_iou_object, seconds]}}}}\n"
        "report_clip: {variants: [no_prior]}\n"
    )


def test_a_clip_without_a_hand_is_recorded_and_counted(finished):
    frames = finished.path / "clips_empty/frames"
    shutil.copytree(finished.path / "results/clips/mug/frames", frames)
    for picture in frames.iterdir():
        blank(picture)
    beside_the_mug(finished, "empty\tfolder\t../clips_empty", "failing")
    text = finished.run("results/tables/failing.md", "results/report/clips/empty", *TINY_CONFIG, "config/failing.yaml")
    assert "recorded as failure of track_hand" in text
    table = (finished.path / "results/tables/failing.md").read_text()
    assert "| empty (no true shape) | 1 | 1 |" in table
    assert "- no\\_prior, empty: track\\_hand" in table
    assert "no hand in any of" in table and "results/logs/track\\_hand/diffhoi/empty.log" in table
    log = (finished.path / "results/logs/track_hand/diffhoi/empty.log").read_text()
    assert "expected" in log and "next" in log
    assert cv2.imread(str(finished.path / "results/fits/diffhoi/empty/still.png")) is not None
    assert "track_hand found no hand" in (finished.path / "results/report/clips/empty/index.html").read_text()
    again = finished.run("results/tables/failing.md", "--dry-run", *TINY_CONFIG, "config/failing.yaml")
    assert "Nothing to be done" in again


def test_one_unreadable_clip_among_many_is_listed_and_the_tables_come_out(finished):
    (finished.path / "broken.mp4").write_bytes(b"no video")
    beside_the_mug(finished, "broken\tvideo\t../broken.mp4", "breaking")
    finished.run("results/tables/breaking.md", "results/report/clips/broken", *TINY_CONFIG, "config/breaking.yaml")
    table = (finished.path / "results/tables/breaking.md").read_text()
    assert "- no\\_prior, broken: prepare\\_clip" in table and "no frame could be decoded" in table
    listed = subprocess.run(
        [sys.executable, "-m", "hoi", "failures"], cwd=finished.path, capture_output=True, text=True
    )
    assert listed.returncode == 1 and "no_prior, broken: prepare_clip: broken.mp4: no frame" in listed.stdout
    assert "(results/logs/prepare_clip/broken.log)" in listed.stdout


def test_a_real_fit_killed_half_way_ends_in_the_same_mesh(finished):
    mesh = finished.path / "results/fits/oracle/mug/object.ply"
    before = digest(mesh)
    words = ("results/fits/oracle/mug/object.ply", "--forcerun", "results/fits/oracle/mug/object.ply", *TINY_CONFIG)
    run = finished.start(*words)
    log = finished.path / "results/logs/fit_clip/oracle/mug.log"
    end = time.monotonic() + 120
    while mesh.exists() or not (log.exists() and "fit_clip" in log.read_text()):
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert not mesh.exists()
    finished.run("--unlock", *TINY_CONFIG)
    finished.run("results/fits/oracle/mug/object.ply", *TINY_CONFIG)
    assert digest(mesh) == before
    finished.run(*TINY_CONFIG)  # scores follow the new record


def test_what_comes_from_the_cache_brings_its_record(tmp_path):
    """A real shard: the second checkout fetches what the first made, in place of a record of its own."""
    first, second = (Checkout(tmp_path / name) for name in ("first", "second"))
    (tmp_path / "cache").mkdir()
    shard, record = "results/masknet/data/0.npz", "results/provenance/masknet/data/0.npz.json"
    write_json(second.path / record, {"stage": "mask_data", "outputs": {"masknet/data/0.npz": "another's"}})
    for checkout in (first, second):
        (checkout.path / "config/few.yaml").write_text(
            "mask_data: {shards: 2, held_out: 1, instances: 1, grasps_most: 1, frames: 2}\n"
            "prior_data: {grasp: {grasp_steps: 40}}\n"
            "prepare_clip: {procedural: {width_px: 160, height_px: 120, shadow_rays: 1, ambient_rays: 1}}\n"
        )
        words = ("--cache", "--configfile", "config/config.yaml", "config/few.yaml", "--", shard)
        environment = checkout.environment | {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
        run = checkout.start(*words, environment=environment)
        told = run.communicate(timeout=600)[0]
        assert run.returncode == 0, told
    assert f"Symlinking output file {shard} from cache" in told
    records = Records(second.path / "results/provenance")
    assert records.check([second.path / shard]), "not refused"
    assert any("by mask_data  commit" in line for line in chain(records, "masknet/data/0.npz"))


def blank(picture):
    cv2.imwrite(str(picture), np.full_like(cv2.imread(str(picture)), 128))


def test_a_damaged_file_is_refused_and_made_anew(finished):
    results = finished.path / "results"
    hands, masks, table = (
        results / "hands/diffhoi/mug.npz",
        results / "masks/diffhoi/mug.npz",
        results / "tables/main.md",
    )
    before = [digest(path) for path in (hands, masks, table)]
    whole = bytearray(hands.read_bytes())
    whole[len(whole) // 2] ^= 1
    hands.write_bytes(whole)
    told = finished.run("results/masks/diffhoi/mug.npz", *TINY_CONFIG, fails=True)
    assert "damaged or edited" in told and "as track_hand wrote it" in told and not masks.exists()
    hands.unlink()
    finished.run("results/masks/diffhoi/mug.npz", *TINY_CONFIG)
    assert "Nothing to be done" in finished.run("--dry-run", *TINY_CONFIG), "what follows saw the same contents"
    assert [digest(path) for path in (hands, masks, table)] == before
