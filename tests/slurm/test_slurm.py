"""`snakemake --profile slurm` on a real SLURM of two nodes on this machine: the tiny benchmark, and a night of faults.

Runs where there is root, and SLURM or apt-get to install it; is skipped with the reason elsewhere.
"""

import shutil
from pathlib import Path

import pytest

from ..workflow.conftest import STUB_CONFIG, TABLE, TINY, Checkout, StubbedCheckout
from .cluster import Cluster, install, missing

pytestmark = pytest.mark.slow

ONE_CLIP = """
tables: {main: {variants: [no_prior, hull], columns: [f5, mask_iou_object, seconds]}}
report_clip: {variants: [no_prior]}
"""
SOON = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5")  # nothing but haste


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    reason = missing()
    if reason:
        pytest.skip(reason)
    install()
    with Cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


def start(checkout, cluster, *words):
    environment = checkout.environment | {n: cluster.environment[n] for n in ("SLURM_CONF", "PATH")}
    (checkout.path / "slurm").symlink_to("workflow/profiles/slurm")
    return checkout.start("--profile", "slurm", *SOON, *words, environment=environment)


def job_of(cluster, stage, clip):
    """Id, state and node of the last job of a stage on a clip; None if there is none yet."""
    rows = [r for r in cluster.jobs("--states=all") if f"rule_{stage}" in r[3] and r[3].endswith(f"_{clip}")]
    return max(rows, key=lambda row: int(row[0]))[:3] if rows else None


def test_the_tiny_benchmark_runs_to_its_table(cluster, tmp_path):
    checkout = Checkout(tmp_path / "hoi")
    (checkout.path / "config/tiny.yaml").write_text(TINY.read_text() + ONE_CLIP)
    (checkout.path / "config/tiny.tsv").write_text("clip\tsource\tcategory\tsplit\tseed\nmug\tprocedural\tmug\ttrain\t0\n")
    table = checkout.path / TABLE
    run = start(checkout, cluster, "--configfile", "config/config.yaml", "config/tiny.yaml", "--", TABLE)
    told = run.communicate(timeout=1200)[0]
    assert run.returncode == 0, told
    assert "| mug" in table.read_text()
    comments = {row[3] for row in cluster.jobs("--states=completed")}
    assert "rule_fit_clip_wildcards_hull_mug" in comments, "squeue tells rule and clip"
    assert any("observe" in c for c in comments) and not any("wildcards_mask_clip" in c for c in comments), "grouped"
    record = (checkout.path / "results/provenance/fits/hull/mug/object.ply.json").read_text()
    assert '"slurm_job": null' not in record


def test_a_night_of_faults_ends_as_if_nothing_had_been(cluster, tmp_path):
    """At once: one fit runs out of memory, one is pre-empted, one is on a node that is lost, one hits its time limit; the
    controller is restarted meanwhile. All else goes on, and the table is that of a run in which nothing happened."""
    checkout = StubbedCheckout(tmp_path / "hoi", clips=4)
    checkout.run(*STUB_CONFIG)
    undisturbed = checkout.end()
    for made in ("fits", "scores", "tables"):
        shutil.rmtree(checkout.path / "results" / made)
    (checkout.path / "drill/results+fits+diffhoi+c0+history.parquet.eat").write_text("1200")
    hold = {c: checkout.hold(f"results/fits/diffhoi/{c}/history.parquet") for c in ("c1", "c2", "c3")}
    resources = ("--set-resources", "fit_clip:mem_mb=attempt*1000", "fit_clip:runtime=5")
    run = start(checkout, cluster, *resources, *STUB_CONFIG)

    for path in hold.values():
        cluster.wait(lambda p=path: p.with_suffix(".held").exists(), bool)
    cluster.stop_controller()
    cluster.start_controller()

    job, _, node = job_of(cluster, "fit_clip", "diffhoi_c1")
    cluster.command("sbatch", "--partition=urgent", f"--nodelist={node}", "--exclusive", "--wrap=sleep 1", "--output=/dev/null")
    cluster.wait(lambda: cluster.restarts(job), bool)
    hold["c1"].unlink()

    running = lambda: job_of(cluster, "fit_clip", "diffhoi_c2")  # noqa: E731
    lost, _, node = cluster.wait(running, lambda row: row[1] == "RUNNING")
    before = cluster.restarts(lost)
    cluster.lose_node(node)
    hold["c2"].unlink()
    cluster.wait(lambda: cluster.restarts(lost), lambda restarts: restarts > before)
    cluster.start_node(node)

    limited = cluster.wait(lambda: job_of(cluster, "fit_clip", "diffhoi_c3"), lambda row: row[1] == "RUNNING")[0]
    cluster.command("scontrol", "update", f"JobId={limited}", "TimeLimit=1")
    state = lambda: next(row[1] for row in cluster.jobs("--states=all") if row[0] == limited)  # noqa: E731
    assert cluster.wait(state, lambda now: now not in ("RUNNING", "COMPLETING")) == "TIMEOUT"
    hold["c3"].unlink()

    told = run.communicate(timeout=600)[0]
    assert run.returncode == 0, told
    assert checkout.end() == undisturbed
    eaten = [row[1] for row in cluster.jobs("--states=all") if row[3] == "rule_fit_clip_wildcards_diffhoi_c0"]
    assert len(eaten) >= 2 and eaten.count("COMPLETED") == 1, "killed for memory, then given more"


def test_a_gpu_is_asked_for_by_two_lines_of_the_profile(cluster, tmp_path):
    checkout = StubbedCheckout(tmp_path / "hoi")
    (checkout.path / "config/few.yaml").write_text("prior_data: {shards: 3, held_out: 1}\n")
    words = ("--configfile", "config/config.yaml", "config/stub.yaml", "config/few.yaml", "--")
    checkout.run(*words, *(f"results/prior/data/{k}.npz" for k in range(3)))
    profile = checkout.path / "workflow/profiles/slurm/profile.v9+.yaml"
    text = profile.read_text()
    assert "    # gpu: 1 " in text and "    # slurm_partition: NAME    # of the GPUs" in text
    text = text.replace("    # gpu: 1 ", "    gpu: 1 ")
    profile.write_text(text.replace("    # slurm_partition: NAME    # of the GPUs", "    slurm_partition: urgent"))
    run = start(checkout, cluster, *words, "results/prior/weights")
    told = run.communicate(timeout=300)[0]
    assert run.returncode == 0, told
    job = next(row[0] for row in cluster.jobs("--states=all", "--partition=urgent") if row[3] == "rule_train_prior")
    assert "TresPerJob=gres:gpu:1" in cluster.command("scontrol", "show", "job", job)
