"""A clip whose data do not allow a stage is recorded and passed on; a programming error still stops the run."""

from pathlib import Path

import numpy as np
import pytest

from hoi import cli
from hoi.artefacts import Output, raise_recorded, read_json, read_npz, write_failure
from hoi.errors import DataFailure, InputError
from hoi.meshes import read_mesh

FAILURE = DataFailure("the clip's frames", "no hand in any of 4", "a hand", "look at it", "track_hand", "logs/x.log")


@pytest.mark.parametrize("read", [read_json, read_mesh, lambda path: read_npz("hands", path)])
def test_a_recorded_failure_is_raised_again_whatever_the_file_should_be(tmp_path, read):
    path = tmp_path / "hands.npz"
    write_failure(path, FAILURE)
    with pytest.raises(DataFailure) as again:
        read(path)
    assert again.value.record() == FAILURE.record()


def test_a_folder_that_stands_in_for_a_clip_holds_the_reason(tmp_path):
    raise_recorded(tmp_path)
    write_failure(tmp_path, FAILURE)
    with pytest.raises(DataFailure, match="no hand"):
        raise_recorded(tmp_path)


def stage(raises):
    def track_hand(clip: str, output: Output, second: Output) -> None:
        raise raises

    return track_hand


def run(monkeypatch, tmp_path, raises, *words):
    monkeypatch.setattr(cli, "stage_function", lambda name: stage(raises))
    outputs = ["--output", str(tmp_path / "a.npz"), "--second", str(tmp_path / "b.ply")]
    cli.main(["track_hand", "--clip", "x", *outputs, *words])


def test_the_cli_records_it_in_every_output_and_ends_well(monkeypatch, tmp_path, capsys):
    run(monkeypatch, tmp_path, DataFailure("frames", "no hand", "a hand", "look"), "--log", "results/logs/a.log")
    for name in ("a.npz", "b.ply"):
        with pytest.raises(DataFailure) as again:
            read_mesh(tmp_path / name)
        assert (again.value.stage, again.value.log) == ("track_hand", "results/logs/a.log")
    told = capsys.readouterr()
    assert "no hand; next: look" in told.out and "expected" in told.err


def test_a_failure_passed_on_keeps_its_first_stage_and_log(monkeypatch, tmp_path):
    run(monkeypatch, tmp_path, FAILURE, "--log", "later.log")
    with pytest.raises(DataFailure) as again:
        read_mesh(tmp_path / "a.npz")
    assert (again.value.stage, again.value.log) == ("track_hand", "logs/x.log")


def test_other_errors_stop_the_run_and_write_nothing(monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, tmp_path, InputError("a", "b", "c", "d"))
    assert exit_.value.code == 2
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, tmp_path, ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


def test_a_mesh_with_nan_is_refused_by_name(tmp_path):
    path = tmp_path / "object.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match=r"object\.obj.*\n.*1 vertices with NaN or infinity, the first at index 2"):
        read_mesh(path)


def test_a_damaged_mesh_is_refused_by_name(tmp_path):
    path = tmp_path / "object.ply"
    path.write_bytes(np.arange(9).tobytes())
    with pytest.raises(InputError, match=r"object\.ply"):
        read_mesh(path)


def test_paths_beyond_a_command_line_come_from_a_list(monkeypatch, tmp_path, capsys):
    found = []

    def make_table(scores: list[Path], seed: int) -> None:
        found.extend(scores)

    monkeypatch.setattr(cli, "stage_function", lambda name: make_table)
    many = [f"shard {k % 7}/results/scores/{k}.json" for k in range(10_000)]
    (tmp_path / "all.txt").write_text("\n".join(many) + "\n")
    cli.main(["make_table", "--scores", f"@{tmp_path / 'all.txt'}", "--seed", "0"])
    assert [str(path) for path in found] == many
    with pytest.raises(SystemExit):
        cli.main(["make_table", "--scores", "@nowhere.txt", "--seed", "0"])
    assert "a file with a path a line" in capsys.readouterr().err


def test_a_bad_setting_on_the_command_line_is_named(capsys):
    words = ["--scores", "a", "--clips", "b", "--reported", "c", "--seed", "0", "--csv", "d", "--md", "e", "--tex", "f"]
    with pytest.raises(SystemExit):
        cli.main(["make_table", *words, "--config", '{"variants": ["a"], "columns": [], "columnz": []}'])
    said = capsys.readouterr().err
    assert "columnz: found []" in said and "correct the JSON" in said and "lambda" not in said


def test_help_ends_well(capsys):
    cli.main(["--help"])
    assert "fit_clip" in capsys.readouterr().out
