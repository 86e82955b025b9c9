"""`snakemake --profile slurm` on a real SLURM on this machine: the tiny benchmark, a night of faults, and a run that is stopped.

Runs where there is root, and SLURM or apt-get to install it; is skipped with the reason elsewhere. Two clusters stand side by
side, so that the tiny benchmark goes on while nodes and controller of the other are lost.
"""

import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ..workflow.conftest import STUB_CONFIG, TABLE, TINY_CONFIG, StubbedCheckout, tiny_checkout
from .cluster import Cluster, install, missing

pytestmark = pytest.mark.slow

ONE_CLIP = """
tables: {main: {variants: [no_prior, hull], columns: [f5, mask_iou_object, seconds]}}
report_clip: {variants: [no_prior]}
"""
SOON = ("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5")  # nothing but haste, as is this:
STEADY = """
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)
"""
ONE_PAGE = (*STUB_CONFIG[:-1], "results/report/index.html")
RUNS = []  # every Snakemake that was started


@pytest.fixture(scope="module", autouse=True)
def none_is_left_behind():
    """A drill that fails leaves its Snakemake, which would ask after its jobs for ever."""
    yield
    for run in RUNS:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def stand(name, tmp_path_factory, **size):
    reason = missing()
    if reason:
        pytest.skip(reason)
    install()
    return Cluster(tmp_path_factory.mktemp(name), **size)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with stand("calm", tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def stormy(tmp_path_factory):
    """A node for every job, so that what befalls one does not befall another."""
    with stand("stormy", tmp_path_factory, nodes=5, cpus=1) as made:
        yield made


def start(checkout, cluster, *words):
    environment = checkout.environment | {n: cluster.environment[n] for n in ("SLURM_CONF", "PATH")}
    if not (checkout.path / "slurm").exists():
        (checkout.path / "slurm").symlink_to("workflow/profiles/slurm")
        with (checkout.path / "Snakefile").open("a") as file:
            file.write(STEADY)
    RUNS.append(checkout.start("--profile", "slurm", *SOON, *words, environment=environment))
    return RUNS[-1]


def tries(cluster, stage, clip):
    """Id, state, node, time limit and memory of a stage's jobs on a clip, the first first."""
    form = "--format=%i|%T|%N|%l|%m|%k"
    rows = [row.split("|") for row in cluster.command("squeue", "--noheader", "--states=all", form).splitlines()]
    return sorted((r[:5] for r in rows if r[5] == f"rule_{stage}_wildcards_{clip}"), key=lambda row: int(row[0]))


def wait_for(cluster, path):
    cluster.wait(path.exists, bool)


@pytest.fixture(scope="module")
def tiny(cluster, tmp_path_factory):
    """The tiny benchmark, on its way to its table; and what Snakemake says of it, when it has ended."""
    checkout = tiny_checkout(tmp_path_factory.mktemp("tiny") / "hoi", "mug", overlay=ONE_CLIP)
    run = start(checkout, cluster, *TINY_CONFIG, "--", TABLE)
    with ThreadPoolExecutor(1) as reader:
        yield checkout, run, reader.submit(run.communicate)
        run.kill()


@pytest.mark.usefixtures("tiny")
def test_a_night_of_faults_ends_as_if_nothing_had_been(stormy, tmp_path):
    """One fit runs out of memory, one is pre-empted, one is on a node that is lost, one hits its time limit; then nobody
    answers for a while. All else goes on, and the table is that of a run in which nothing happened."""
    checkout = StubbedCheckout(tmp_path / "hoi", clips=4)
    checkout.run(*STUB_CONFIG)
    undisturbed = checkout.end()
    for made in ("fits/diffhoi", "scores/diffhoi", "tables"):
        shutil.rmtree(checkout.path / "results" / made)
    (checkout.path / "drill/results+fits+diffhoi+c0+history.parquet.eat").write_text("1200")
    hold = {c: checkout.hold(f"results/fits/diffhoi/{c}/history.parquet") for c in ("c1", "c2", "c3")}
    resources = ("fit_clip:mem_mb=attempt*1000", "fit_clip:runtime=attempt if wildcards.clip == 'c3' else 30")
    run = start(checkout, stormy, "--set-resources", *resources, *STUB_CONFIG)
    fit = lambda clip: tries(stormy, "fit_clip", f"diffhoi_{clip}")  # noqa: E731
    ended = lambda rows: rows[-1][1] == "COMPLETED"  # noqa: E731
    for path in hold.values():
        wait_for(stormy, path.with_suffix(".held"))

    lost, _, node, *_ = fit("c2")[-1]
    stormy.lose_node(node)
    hold["c2"].unlink()
    job, _, on, *_ = fit("c1")[-1]
    stormy.command("sbatch", "--partition=urgent", f"--nodelist={on}", "--wrap=sleep 1", "--output=/dev/null")
    stormy.wait(lambda: stormy.restarts(job), bool)
    stormy.wait(lambda: stormy.restarts(lost), bool)
    stormy.start_node(node)

    eaten = stormy.wait(lambda: fit("c0"), ended)
    assert [row[4] for row in eaten] == ["1000M", "2000M"], "killed for memory, then given more"
    stormy.wait(lambda: fit("c3")[0][1], lambda state: state == "TIMEOUT")
    hold["c3"].unlink()
    assert [row[3] for row in stormy.wait(lambda: fit("c3"), ended)] == ["1:00", "2:00"], "twice the time"

    for clip in ("c0", "c2", "c3"):
        wait_for(stormy, checkout.path / f"results/scores/diffhoi/{clip}.json")
    stormy.stop_controller()
    log = max((checkout.path / ".snakemake/log").glob("*.log"))
    stormy.wait(log.read_text, lambda told: "SLURM does not answer" in told)
    stormy.start_controller()
    hold["c1"].unlink()

    told = run.communicate(timeout=600)[0]
    assert run.returncode == 0, told
    assert checkout.end() == undisturbed


def test_a_run_stopped_and_a_run_killed_go_on_to_the_report(cluster, tmp_path):
    checkout = StubbedCheckout(tmp_path / "hoi")
    checkout.run(*ONE_PAGE)
    report = checkout.path / "results/report"
    pages = lambda: {p: p.read_text() for p in (report / "index.html", *report.rglob("content"))}  # noqa: E731
    undisturbed = pages()
    for made in ("fits/diffhoi", "scores/diffhoi", "report"):
        shutil.rmtree(checkout.path / "results" / made)
    half = checkout.path / "results/fits/diffhoi/c1/history.parquet"
    hold = checkout.hold("results/fits/diffhoi/c1/history.parquet")
    held = hold.with_suffix(".held")
    fit = lambda: next(row for row in cluster.jobs("--states=all") if row[0] == held.read_text())  # noqa: E731

    run = start(checkout, cluster, *ONE_PAGE)
    wait_for(cluster, held)
    half.write_text("half")
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=120)
    assert run.returncode != 0
    cluster.wait(lambda: fit()[1], lambda state: state == "CANCELLED")

    held.unlink()
    run = start(checkout, cluster, *ONE_PAGE)
    wait_for(cluster, held)
    half.write_text("half")
    os.killpg(run.pid, signal.SIGKILL)
    name = re.search(r"SLURM run ID: (hoi_\S+)", run.communicate(timeout=120)[0])[1]
    assert fit()[1] == "RUNNING", "its jobs live on"
    cluster.command("scancel", f"--name={name}")
    cluster.wait(lambda: fit()[1], lambda state: state == "CANCELLED")
    checkout.run("--unlock", *ONE_PAGE)

    hold.unlink()
    run = start(checkout, cluster, *ONE_PAGE)
    told = run.communicate(timeout=300)[0]
    assert run.returncode == 0, told
    assert pages() == undisturbed and len(undisturbed) == 4, "a half-written fit was not taken for done"
    comments = {row[3] for row in cluster.jobs("--states=completed")}
    assert "rule_pages_report_clip" in comments and "rule_show_clip_wildcards_diffhoi_c1" in comments
    assert "rule_make_report" in comments


def test_a_gpu_is_asked_for_by_two_lines_of_the_profile(cluster, tmp_path):
    checkout = StubbedCheckout(tmp_path / "hoi")
    (checkout.path / "config/few.yaml").write_text("prior_data: {shards: 3, held_out: 1}\n")
    words = ("--configfile", "config/config.yaml", "config/stub.yaml", "config/few.yaml", "--")
    checkout.run(*words, *(f"results/prior/data/{k}.npz" for k in range(3)))
    profile = checkout.path / "workflow/profiles/slurm/profile.v9+.yaml"
    text = profile.read_text()
    assert "    # gpu: 1\n" in text and "    # slurm_partition: NAME    # of the GPUs" in text
    text = text.replace("    # gpu: 1\n", "    gpu: 1\n")
    profile.write_text(text.replace("    # slurm_partition: NAME    # of the GPUs", "    slurm_partition: urgent"))
    run = start(checkout, cluster, *words, "results/prior/weights")
    told = run.communicate(timeout=300)[0]
    assert run.returncode == 0, told
    job = next(row[0] for row in cluster.jobs("--states=all", "--partition=urgent") if row[3] == "rule_train_prior")
    assert "TresPerJob=gres:gpu:1" in cluster.command("scontrol", "show", "job", job)


def test_the_tiny_benchmark_runs_to_its_table(tiny):
    checkout, run, said = tiny
    told = said.result(timeout=1200)[0]
    assert run.returncode == 0, told
    assert "| mug" in (checkout.path / TABLE).read_text()
    assert "/group_observe_mask_clip_track_hand/" in told and "/rule_mask_clip/" not in told, "grouped"
    record = (checkout.path / "results/provenance/fits/hull/mug/object.ply.json").read_text()
    assert '"slurm_job": null' not in record
