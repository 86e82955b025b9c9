"""What goes wrong on one machine, on purpose: each drill ends with the same last file as a run that nothing disturbed.

The workflow is the real one; its stages are stubs whose outputs are digests of all that went in (tests/slurm/stub.py).
"""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import STUB_CONFIG, TABLE, StubbedCheckout

FIT = "results/fits/diffhoi/c1/history.parquet"


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.05)


def held(stubbed, *words):
    """A run that has come as far as the fit of c1, which waits there."""
    hold = stubbed.hold(FIT)
    run = stubbed.start(*words, *STUB_CONFIG)
    wait_for(hold.with_suffix(".held"))
    return run, hold


def stage_processes(stubbed):
    """The held fit in a checkout, as a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if FIT.encode() in words and (entry / "cwd").resolve() == stubbed.path.resolve():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_stage_killed_half_way_is_repeated(stubbed, undisturbed):
    run, hold = held(stubbed)
    (stubbed.path / FIT).parent.mkdir(parents=True, exist_ok=True)
    (stubbed.path / FIT).write_text("half")
    for pid in stage_processes(stubbed):
        os.kill(pid, signal.SIGKILL)
    told = run.communicate(timeout=120)[0]
    assert run.returncode == 1 and "results/logs/fit_clip/diffhoi/c1.log" in told
    assert not (stubbed.path / FIT).exists(), "nothing half-written is taken for done"
    assert (stubbed.path / "results/scores/diffhoi/c0.json").exists(), "the other clip went on"
    rows = (stubbed.path / "config/stub.tsv").read_text().splitlines(keepends=True)
    (stubbed.path / "config/rest.tsv").write_text("".join(row for row in rows if not row.startswith("c1")))
    stubbed.run("--config", "clips=config/rest.tsv", *STUB_CONFIG)
    assert (stubbed.path / TABLE).exists(), "a table of what there is"
    hold.unlink()
    stubbed.run(*STUB_CONFIG)
    assert stubbed.end() == undisturbed


def test_clips_without_a_result_are_listed_at_the_end_of_a_run_that_ends_well(stubbed):
    score = "results/scores/diffhoi/c0.json"
    assert "failed" not in stubbed.run(*STUB_CONFIG[:-1], score)
    why = {"stage": "track_hand", "where": "frames", "found": "no hand", "log": "results/logs/a.log"}
    (stubbed.path / score).write_text(json.dumps({"failed": True, "variant": "diffhoi", "clip": "c0", "failure": why}))
    told = stubbed.run(*STUB_CONFIG)
    assert (
        "diffhoi, c0: track_hand: frames: no hand (results/logs/a.log)\n1 of 4 scored fits failed: `hoi failures`"
        in told
    )


def test_after_ctrl_c_the_same_command_goes_on(stubbed, undisturbed):
    run, hold = held(stubbed)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=120)
    assert run.returncode != 0 and not (stubbed.path / "results/tables").exists()
    hold.unlink()
    text = stubbed.run(*STUB_CONFIG)
    assert "rule prepare_clip" not in text, "what was done stays done"
    assert stubbed.end() == undisturbed


def test_a_killed_snakemake_leaves_a_lock_and_says_how_to_go_on(stubbed, undisturbed):
    run, hold = held(stubbed)
    (stubbed.path / FIT).parent.mkdir(parents=True, exist_ok=True)
    (stubbed.path / FIT).write_text("half")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=120)
    for pid in stage_processes(stubbed):
        os.kill(pid, signal.SIGKILL)
    hold.unlink()
    assert "--unlock" in stubbed.run(*STUB_CONFIG, fails=True)
    stubbed.run("--unlock", *STUB_CONFIG)
    stubbed.run(*STUB_CONFIG)
    assert stubbed.end() == undisturbed, "the half-written fit was not taken for done"


def test_a_second_run_at_once_is_refused_and_the_first_goes_on(stubbed, undisturbed):
    run, hold = held(stubbed)
    assert "Directory cannot be locked" in stubbed.run(*STUB_CONFIG, fails=True)
    hold.unlink()
    assert run.communicate(timeout=120) and run.returncode == 0
    assert stubbed.end() == undisturbed


def test_a_file_from_the_future_reruns_nothing(stubbed):
    stubbed.run(*STUB_CONFIG)
    tomorrow = time.time() + 86400
    ahead = ("hands/diffhoi/c0.npz", "fits/oracle/c1/object.ply", "clips/c0/.snakemake_timestamp", "clips/c1.sha256")
    for name in (f"results/{name}" for name in ahead):
        os.utime(stubbed.path / name, (tomorrow, tomorrow))
    assert "Nothing to be done" in stubbed.run("--dry-run", *STUB_CONFIG), "contents count, not clocks"
    (stubbed.path / "results/hands/diffhoi/c0.npz").write_text("edited\n")
    os.utime(stubbed.path / "results/hands/diffhoi/c0.npz", (tomorrow, tomorrow))
    assert stubbed.planned(*STUB_CONFIG)["mask_clip"] == 1
    (stubbed.path / "results/clips/c1.sha256").write_text("another clip\n")
    assert stubbed.planned(*STUB_CONFIG)["track_hand"] == 2, "under both variants"


@pytest.fixture
def small_disk(stubbed: StubbedCheckout):
    """results/ on a disk of its own, as small as a test says."""
    (stubbed.path / "results").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(stubbed.path / "results")]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root (CAP_SYS_ADMIN)")
    yield stubbed
    subprocess.run(["umount", "--lazy", str(stubbed.path / "results")], check=True)


def remount(checkout, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(checkout.path / "results")], check=True)


def test_a_full_disk_stops_the_run_and_more_room_ends_it_well(small_disk, undisturbed):
    filler = small_disk.path / "results/filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(5_000_000))
    assert "Error in rule prepare_clip" in small_disk.run(*STUB_CONFIG, fails=True)
    assert not list((small_disk.path / "results/clips").glob("*/content")), "nothing half-written is taken for done"
    filler.unlink()
    small_disk.run(*STUB_CONFIG)
    assert small_disk.end() == undisturbed


def test_a_full_disk_under_snakemake_itself_loses_nothing(tmp_path, undisturbed):
    """The whole checkout lies on that disk, and 150 kB are left when Snakemake starts."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root (CAP_SYS_ADMIN)")
    try:
        full = StubbedCheckout(disk / "hoi")
        filler = disk / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(64_000_000))
        os.truncate(filler, filler.stat().st_size - 150_000)
        assert "No space left" in full.run(*STUB_CONFIG, fails=True)
        filler.unlink()
        full.run(*STUB_CONFIG)
        assert full.end() == undisturbed
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_read_only_results_are_said_and_nothing_is_lost(small_disk, undisturbed):
    small_disk.run("--configfile", "config/config.yaml", "config/stub.yaml", "--", "results/scores/diffhoi/c0.json")
    remount(small_disk, "ro")
    assert "Read-only file system" in small_disk.run(*STUB_CONFIG, fails=True)
    remount(small_disk, "rw")
    text = small_disk.run(*STUB_CONFIG)
    assert "results/clips/c0" not in [line.split(": ")[-1] for line in text.splitlines() if "output:" in line]
    assert small_disk.end() == undisturbed


def test_the_prior_is_shared_between_checkouts_through_snakemakes_cache(stubbed, tmp_path):
    other = StubbedCheckout(tmp_path / "other")
    words = ("--cache", "--configfile", "config/config.yaml", "config/stub.yaml", "config/few.yaml", "--")
    cache = tmp_path / "cache"
    cache.mkdir()
    weights = "results/prior/weights"
    for place, more in ((stubbed, ""), (other, "fit_clip: {steps: 7}\n")):
        (place.path / "config/few.yaml").write_text("prior_data: {shards: 3, held_out: 1}\n" + more)
    first = stubbed.start(*words, weights, environment=stubbed.environment | {"SNAKEMAKE_OUTPUT_CACHE": str(cache)})
    assert first.communicate(timeout=300) and first.returncode == 0
    assert len({p.read_text() for p in (stubbed.path / "results/prior/data").iterdir()}) == 3, (
        "no shard stands for another"
    )
    stubs = other.path / "hoi/__main__.py"
    stubs.write_text("raise SystemExit('nothing should run')\n")
    second = other.start(*words, weights, environment=other.environment | {"SNAKEMAKE_OUTPUT_CACHE": str(cache)})
    told = second.communicate(timeout=300)[0]
    assert second.returncode == 0, told
    for name in (f"{weights}/content", "results/provenance/prior/weights.json"):
        assert (other.path / name).read_bytes() == (stubbed.path / name).read_bytes()


def test_results_move_to_another_checkout_and_touched_files_rerun_nothing(stubbed, tmp_path):
    stubbed.run(*STUB_CONFIG)
    for folder in (
        "hoi",
        "config",
        "results/masks",
    ):  # as a fresh clone does, folders such as those of weights among them
        for path in (stubbed.path / folder).rglob("*"):
            path.touch()
    assert "Nothing to be done" in stubbed.run("--dry-run", *STUB_CONFIG), "contents count, not times"
    other = StubbedCheckout(tmp_path / "other")
    (stubbed.path / "results").rename(other.path / "results")
    (stubbed.path / ".snakemake").rename(other.path / ".snakemake")
    assert "Nothing to be done" in other.run("--dry-run", *STUB_CONFIG), "moved with Snakemake's notes on it"
