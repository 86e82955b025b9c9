"""Records of what made a file: written beside it, checked before it is used, told as a chain back to the video."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hoi import cli
from hoi.artefacts import Output, Product, read_json, write_json
from hoi.errors import DataFailure, InputError
from hoi.provenance import made_with
from hoi.records import Records, checksum, provenance
from hoi.table import ClipRow

ROW = '{"clip": "a", "source": "video", "path": "my.mp4"}'


def prepare_clip(row: ClipRow, output: Product) -> None:
    output.mkdir(parents=True)
    (output / "frame.png").write_bytes(b"pixels")
    write_json(output / "source.json", {"path": "my.mp4", "sha256": "5eed" * 16})


def track_hand(clip: Path, seed: int, output: Output) -> None:
    if (clip / "dark").exists():
        raise DataFailure("frames", "no hand in any of 4", "a hand", "look")
    write_json(output, {"seed": seed})


def mask_clip(clip: Path, hands: Path, output: Output) -> None:
    write_json(output, {"from": read_json(hands)})


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Three stages run one after the other, with records."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOI_RECORDS", "results/provenance")
    monkeypatch.setattr(cli, "stage_function", lambda name: globals()[name])
    cli.main(["prepare_clip", "--row", ROW, "--output", "results/clips/a"])
    cli.main(["track_hand", "--clip", "results/clips/a", "--seed", "3", "--output", "results/hands/v/a.npz"])
    masks("results")
    return tmp_path / "results"


def masks(root):
    words = ["--clip", f"{root}/clips/a", "--hands", f"{root}/hands/v/a.npz", "--output", f"{root}/masks/v/a.npz"]
    cli.main(["mask_clip", *words])


def test_a_checksum_is_sha256_and_a_folders_follows_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_bytes(b"abc")
    assert checksum(tmp_path / "a/x").startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1
    before = checksum(tmp_path / "a")
    (tmp_path / "a/.snakemake_timestamp").touch()
    assert checksum(tmp_path / "a") == before
    (tmp_path / "a/x").rename(tmp_path / "a/y")
    assert checksum(tmp_path / "a") != before


def test_a_record_names_everything(results):
    record = json.loads((results / "provenance/hands/v/a.npz.json").read_text())
    assert record["stage"] == "track_hand" and record["settings"] == {"seed": 3}
    assert record["inputs"] == {"clips/a": checksum(results / "clips/a")}
    assert record["outputs"] == {"hands/v/a.npz": checksum(results / "hands/v/a.npz")}
    assert record["versions"]["numpy"] and record["host"] and record["device"] and record["started"].endswith("+00:00")
    assert {"commit", "dirty", "code", "python", "seconds", "slurm_job"} <= set(record)


def test_where_git_cannot_say_neither_commit_nor_dirty_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr("hoi.provenance.__file__", str(tmp_path / "provenance.py"))
    made = made_with()
    assert made["commit"] is None and made["dirty"] is None
    assert {"scipy", "diffusers", "ai-edge-litert", "imageio-ffmpeg"} <= set(made["versions"])


def test_whether_files_differ_from_the_commit_is_said(tmp_path, monkeypatch):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    (tmp_path / "provenance.py").write_text("one\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr("hoi.provenance.__file__", str(tmp_path / "provenance.py"))
    assert made_with()["dirty"] is False
    (tmp_path / "provenance.py").write_text("two\n")
    assert made_with()["dirty"] is True


def test_the_chain_ends_at_the_videos_checksum(results, capsys):
    provenance(results / "masks/v/a.npz")
    told = capsys.readouterr().out
    steps = [line.split()[1] for line in told.splitlines() if line.strip().startswith("by ")]
    assert steps == ["mask_clip", "prepare_clip", "track_hand", "prepare_clip,"], "a step told once is not told again"
    assert "from my.mp4  sha256 " + "5eed" * 16 in told and "seed 3" in told


def test_results_can_be_moved(results, capsys):
    moved = results.rename(results.parent / "elsewhere")
    provenance(moved / "masks/v/a.npz")
    assert "CHANGED" not in capsys.readouterr().out
    Records(moved / "provenance").check([moved / "hands/v/a.npz"])


def test_a_damaged_input_is_refused_before_it_is_used(results, capsys):
    hands = results / "hands/v/a.npz"
    hands.write_text(hands.read_text().replace("3", "4"))  # still whole JSON: no schema would notice
    with pytest.raises(SystemExit) as exit_:
        masks("results")
    told = capsys.readouterr().err
    assert exit_.value.code == 2 and "hands/v/a.npz" in told and "as track_hand wrote it" in told and "next:" in told
    provenance(results / "masks/v/a.npz")
    assert "CHANGED since" in capsys.readouterr().out


def test_a_frame_changed_within_a_clip_is_refused(results):
    (results / "clips/a/frame.png").write_bytes(b"pixelz")
    with pytest.raises(SystemExit):
        masks("results")


def test_a_failure_has_a_record_too(results, capsys):
    (results / "clips/b").mkdir()
    (results / "clips/b/dark").touch()
    cli.main(["track_hand", "--clip", "results/clips/b", "--seed", "3", "--output", "results/hands/v/b.npz"])
    provenance(results / "hands/v/b.npz")
    assert "NO RESULT: track_hand: no hand in any of 4" in capsys.readouterr().out


def test_without_a_folder_there_are_no_records(results, monkeypatch):
    monkeypatch.delenv("HOI_RECORDS")
    (results / "provenance/masks/v/a.npz.json").unlink()
    masks("results")
    assert not (results / "provenance/masks/v/a.npz.json").exists()


def test_a_file_without_a_record_is_said(tmp_path):
    with pytest.raises(InputError, match="no record of it"):
        provenance(tmp_path / "x.npz")


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path):
    """A limit on file size stands for a full disk: the writer is told at the same place, by another errno."""
    script = (
        "import resource, numpy as np\nfrom pathlib import Path\nfrom hoi.artefacts import write_npz\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "noise = np.random.default_rng(0).random((99, 64, 64)) > 0.5\n"
        f"write_npz('masks', Path({str(tmp_path)!r}) / 'a.npz', object=noise, hand=noise, confidence=np.ones(99, 'f4'))\n"
    )
    (tmp_path / "a.npz").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode != 0 and "File too large" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"] and (tmp_path / "a.npz").read_bytes() == b"old"
