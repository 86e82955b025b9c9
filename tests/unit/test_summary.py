"""What a newcomer reads at the end of a run."""

import pytest

from hoi.artefacts import write_failure, write_json
from hoi.errors import DataFailure, InputError
from hoi.summary import failures, summary

HEADER = "variant,category,clips,failures,F@5mm,F@10mm,CD_cm2,MPJPE_mm,mask_IoU,silhouette_IoU,seconds"
ROW = "no_prior,mean,12,0,0.41872,0.667,4.62,18.2,0.843,0.757,57"


def _run(folder, monkeypatch, columns: int) -> None:
    (folder / "tables").mkdir()
    (folder / "tables" / "main.csv").write_text(f"{HEADER}\n{ROW}\n")
    (folder / "fits" / "no_prior" / "mug_0").mkdir(parents=True)
    for name in ("object.ply", "still.png"):
        (folder / "fits" / "no_prior" / "mug_0" / name).touch()
    monkeypatch.setenv("COLUMNS", str(columns))
    summary(folder)


def test_the_whole_table_where_it_fits(tmp_path, monkeypatch, capsys):
    _run(tmp_path, monkeypatch, 200)
    out = capsys.readouterr().out
    assert "0.419" in out and "seconds" in out and "in the file" not in out
    assert f"{tmp_path}/fits/no_prior/mug_0/  still.png  object.ply" in out


def test_a_narrow_terminal_names_the_columns_it_leaves_out(tmp_path, monkeypatch, capsys):
    _run(tmp_path, monkeypatch, 80)
    out = capsys.readouterr().out
    assert "0.419" in out and "…" not in out and "seconds: in the" in " ".join(out.split())
    assert max(len(line) for line in out.splitlines() if "┃" in line) <= 80


def _said_of(results, category, lens):
    (results / "clips/mug_0").mkdir(parents=True, exist_ok=True)
    (results / "clips/mug_0/clip.yaml").write_text(f"category: {category}\n")
    write_json(results / "clips/mug_0/source.json", {"intrinsics": lens})
    write_json(results / "fits/no_prior/mug_0/run.json", {"hands": "mediapipe", "masks": "given", "body": "recalled"})


def test_an_own_clip_is_told_what_it_rests_on(tmp_path, monkeypatch, capsys):
    _run(tmp_path, monkeypatch, 200)
    (tmp_path / "own.tsv").write_text("clip\tsource\tpath\nmug_0\tvideo\ta.mp4\n")
    _said_of(tmp_path, "mug", "the file's lens, 26 mm (35 mm equivalent)")
    summary(tmp_path, tmp_path / "own.tsv")
    told = capsys.readouterr().out
    assert "hands: mediapipe; masks: given; body: recalled\n" in told and "equivalent)\n" in told
    assert "10 %" not in told and "no known category" not in told
    _said_of(tmp_path, "hammer", "assumed: the picture's longer side")
    summary(tmp_path, tmp_path / "own.tsv")
    told = capsys.readouterr().out
    assert "longer side; all sizes are right to some 10 %" in told and "FOCAL" in told
    assert "'hammer' is no known category" in told


def test_no_tables_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="make demo"):
        summary(tmp_path)


def test_failures_are_listed_with_reason_and_log_and_the_exit_status_tells(tmp_path, capsys):
    write_json(tmp_path / "scores/hull/mug.json", {"failed": False, "variant": "hull", "clip": "mug"})
    with pytest.raises(SystemExit) as exit_:
        failures(tmp_path)
    assert exit_.value.code == 0 and capsys.readouterr().out == "0 of 1 scored fits failed\n"
    why = {
        "stage": "track_hand",
        "where": "frames",
        "found": "no hand in any of 4",
        "next_step": "light",
        "log": "logs/a",
    }
    write_json(tmp_path / "scores/hull/cup.json", {"failed": True, "variant": "hull", "clip": "cup", "failure": why})
    with pytest.raises(SystemExit) as exit_:
        failures(tmp_path)
    told = "hull, cup: track_hand: frames: no hand in any of 4; next: light (logs/a)\n1 of 2 scored fits failed\n"
    assert exit_.value.code == 1 and capsys.readouterr().out == told


def test_a_failed_clip_is_no_result_and_says_what_to_do(tmp_path, monkeypatch, capsys):
    _run(tmp_path, monkeypatch, 200)
    failure = DataFailure(
        "the clip's frames", "no hand in any of 4", "a hand", "film in better light", "track_hand", "a.log"
    )
    for name in ("object.ply", "coloured.glb"):
        write_failure(tmp_path / "fits/no_prior/cup" / name, failure)
    summary(tmp_path)
    told = capsys.readouterr().out
    assert f"{tmp_path}/fits/no_prior/cup/  no result: track_hand: the clip's frames\n" in told
    assert "found:    no hand in any of 4\n" in told and "next:     film in better light\n" in told and "a.log" in told
    assert "coloured.glb" not in told and "mug_0/  still.png  object.ply" in told
    table = tmp_path / "own.tsv"
    table.write_text("clip\tsource\tpath\nmug_0\tvideo\ta.mp4\n")
    _said_of(tmp_path, "mug", "clips table")
    summary(tmp_path, table)
    table.write_text("clip\tsource\tpath\ncup\tvideo\ta.mp4\n")
    with pytest.raises(SystemExit) as end:
        summary(tmp_path, table)
    assert end.value.code == 1
