"""What Snakemake would do, and what it refuses before the first job."""

import json
import re
import shlex
import shutil
import tomllib

import pytest
import torch
import yaml

from hoi.artefacts import raise_recorded
from hoi.errors import DataFailure
from hoi.table import read_table

from .conftest import ROOT


def test_whole_benchmark_is_planned(checkout):
    jobs = checkout.planned()
    assert jobs["prepare_clip"] == 13
    assert jobs["fit_clip"] == 4 * 13 + 12, "oracle only where truth is given"
    assert jobs["mask_clip"] == 13 + 12, "baselines share their masks with no_prior"
    assert jobs["make_table"] == 1
    assert (jobs["report_clip"], jobs["make_report"]) == (13, 1)


@pytest.mark.parametrize(
    ("overlay", "clips", "tables"),
    [("benchmark", 13, 2), ("length", 10, 2), ("viewpoint", 12, 2), ("stress", 30, 2), ("ablations", 13, 6)],
)
def test_overlays_are_planned(checkout, overlay, clips, tables):
    jobs = checkout.planned("--configfile", "config/config.yaml", f"config/{overlay}.yaml")
    assert jobs["prepare_clip"] == clips and jobs["make_table"] == tables


def test_the_published_benchmark_is_planned_without_its_data(checkout):
    """Twelve clips of HOI4D, and as many videos as the table of the prior's training has."""
    jobs = checkout.planned("--configfile", "config/config.yaml", "config/paper.yaml")
    videos = len(read_table(ROOT / "config/hoi4d_train.tsv"))
    assert jobs["prepare_clip"] == 12 + videos and jobs["prior_data"] == videos and jobs["train_prior"] == 1
    variants = 5 + 16
    assert jobs["fit_clip"] == variants * 12 and jobs["score_clip"] == variants * 12, "oracle among them"
    assert jobs["make_table"] == 6 and jobs["make_figure"] == 2


def test_the_published_benchmark_is_told_by_its_own_prior_and_its_ablations_are_ours():
    paper = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    assert paper["fit_clip"]["prior"]["bodies"] == ["imagined"], "no made object stands in for the trained prior"
    ours = yaml.safe_load((ROOT / "config/ablations.yaml").read_text())["variants"]
    shared = paper["variants"].keys() - {"made_memory"}
    assert {name: paper["variants"][name] for name in shared} == {name: ours[name] for name in shared}


def test_ablations_of_the_published_benchmark_are_planned(checkout):
    overlays = ("config/config.yaml", "config/ablations.yaml", "config/paper.yaml")
    jobs = checkout.planned("--configfile", *overlays)
    assert jobs["make_table"] == 7 and jobs["fit_clip"] > 15 * 12


@pytest.mark.parametrize(("overlay", "clips"), [("ho3d_hold", 18), ("ho3d_short", 14)])
def test_ho3d_s_benchmarks_are_planned_without_their_data(checkout, overlay, clips):
    jobs = checkout.planned("--configfile", "config/config.yaml", f"config/{overlay}.yaml")
    assert jobs["prepare_clip"] == clips and jobs["fit_clip"] == 3 * clips and jobs["make_table"] == 1


def test_a_scored_clip_may_not_train_the_prior(checkout):
    (checkout.path / "config/hoi4d_train.tsv").write_text((ROOT / "config/hoi4d.tsv").read_text())
    overlays = ("config/config.yaml", "config/paper.yaml")
    assert "a clip that is scored" in checkout.run("--dry-run", "--configfile", *overlays, fails=True)


def test_demo_is_planned(checkout):
    jobs = checkout.planned("--configfile", "config/config.yaml", "config/demo.yaml")
    assert jobs["prepare_clip"] == 7 and jobs["make_table"] == 1 and jobs["report_clip"] == 7
    assert jobs["fit_clip"] == 14, "the report asks for no variant that the table has not"


def test_training_of_the_prior_is_planned(checkout):
    (checkout.path / "config/mine.yaml").write_text("prior_data: {shards: 5, held_out: 2, clips: [clips/bottle_cup]}\n")
    jobs = checkout.planned("results/prior/weights", "--configfile", "config/config.yaml", "config/mine.yaml")
    assert jobs == {"prior_data": 6, "train_prior": 1}


def test_training_of_the_masks_is_planned(checkout):
    (checkout.path / "config/mine.yaml").write_text("masks: trained\nmask_data: {shards: 3}\n")
    overlays = ("--configfile", "config/config.yaml", "config/mine.yaml")
    assert checkout.planned("results/masknet/weights", *overlays) == {"mask_data": 3, "train_masks": 1}
    jobs = checkout.planned("results/masks/diffhoi/mug_0.npz", *overlays)
    assert jobs == {"mask_data": 3, "train_masks": 1, "prepare_clip": 1, "track_hand": 1, "mask_clip": 1}
    silent = checkout.planned("results/masks/diffhoi/mug_0.npz", *overlays, "--config", "mask_clip={network_weight: 0}")
    assert silent == {"prepare_clip": 1, "track_hand": 1, "mask_clip": 1}


def test_slurm_profile_is_planned(checkout):
    assert (ROOT / "slurm").resolve() == ROOT / "workflow/profiles/slurm"
    jobs = checkout.planned("--profile", "workflow/profiles/slurm", "results/scores/oracle/mug_0.json")
    assert jobs == {"prepare_clip": 1, "track_hand": 1, "mask_clip": 1, "fit_clip": 1, "score_clip": 1}


def resources(text: str) -> dict[str, dict[str, str]]:
    """What a dry run asks for, by rule."""
    found = re.findall(r"^\s*rule (\w+):$.*?^\s*resources: (.*?)$", text, re.M | re.S)
    return {rule: dict(each.split("=", 1) for each in words.split(", ")) for rule, words in found}


def test_stages_that_a_gpu_serves_are_given_one_by_lines_of_the_profile(checkout):
    profile = checkout.path / "workflow/profiles/slurm/profile.v9+.yaml"
    text = profile.read_text().replace("    # gpu: 1\n", "    gpu: 1\n")
    profile.write_text(text.replace("    # slurm_partition: NAME    # of the GPUs", "    slurm_partition: fast"))
    overlays = ("--configfile", "config/config.yaml", "config/paper.yaml", "--")
    clip = next(iter(read_table(ROOT / "config/hoi4d.tsv")))
    words = ("--profile", "workflow/profiles/slurm", "--dry-run", *overlays)
    asked = resources(checkout.run(*words, f"results/scores/diffhoi/{clip}.json", "results/prior/weights"))
    assert {rule for rule, words in asked.items() if words.get("gpu") == "1"} == {
        "train_prior",
        "fit_clip",
        "mask_clip",
    }
    assert all(words["slurm_partition"] == "fast" for words in asked.values() if "gpu" in words)
    assert asked["track_hand"]["slurm_partition"] == "fast", "jobs of one group must name one partition"
    assert "slurm_partition" not in asked["score_clip"]


def test_the_profile_s_own_command_keeps_memory_and_time(checkout):
    text = (checkout.path / "workflow/profiles/slurm/profile.v9+.yaml").read_text()
    command = shlex.split(re.search(r"^#   snakemake --profile slurm (--default-resources .*)$", text, re.M).group(1))
    words = ("--profile", "workflow/profiles/slurm", "--dry-run", "results/scores/no_prior/mug_0.json")
    asked = resources(checkout.run(*words, *command))
    assert asked["prepare_clip"].items() >= {"mem_mb": "3000", "runtime": "30", "slurm_partition": "NAME"}.items()
    assert asked["fit_clip"].items() >= {"mem_mb": "6000", "runtime": "60", "slurm_account": "NAME"}.items()


def test_a_strangers_clip_is_scored_by_its_name(checkout):
    (checkout.path / "my.tsv").write_text("clip\tsource\tpath\tcategory\nmine\tfolder\tclips/bottle_cup\tbottle\n")
    jobs = checkout.planned("results/scores/diffhoi/mine.json", "--config", "clips=my.tsv")
    assert jobs == {"prepare_clip": 1, "track_hand": 1, "mask_clip": 1, "fit_clip": 1, "score_clip": 1}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--config", "colour=red"), "colour"),
        (("--config", "clips=nowhere.tsv"), "nowhere.tsv"),
        (("results/scores/diffhoi/nobody.json",), "nobody"),
    ],
)
def test_bad_configuration_stops_before_the_first_job(checkout, words, found):
    text = checkout.run("--dry-run", *words, fails=True)
    assert found in text
    assert not (checkout.path / "results").exists()


@pytest.mark.parametrize("name", ["../evil", "a b", "x;rm"])
def test_unsafe_clip_names_stop_before_the_first_job(checkout, name):
    (checkout.path / "my.tsv").write_text(f"clip\tsource\tpath\n{name}\tvideo\ta.mp4\n")
    text = checkout.run("--dry-run", "--config", "clips=my.tsv", fails=True)
    assert "my.tsv, row 2" in text and "letters, digits" in text


def test_unknown_key_in_a_section_is_named(checkout):
    (checkout.path / "config/mine.yaml").write_text("fit_clip: {stepz: 10}\n")
    text = checkout.run("--dry-run", "--configfile", "config/config.yaml", "config/mine.yaml", fails=True)
    assert "fit_clip" in text and "stepz" in text


def test_distilling_weights_that_do_not_ship_is_said_at_once(checkout):
    shutil.rmtree(checkout.path / "hoi/prior/weights", ignore_errors=True)
    (checkout.path / "config/mine.yaml").write_text("fit_clip: {weights: {prior: 300}}\n")
    fit = "results/fits/diffhoi/mug_0/object.ply"
    text = checkout.run(fit, "--dry-run", "--configfile", "config/config.yaml", "config/mine.yaml", fails=True)
    assert "prior: trained" in text


def test_a_missing_video_is_its_clips_failure_alone_and_runs_once_it_is_there(checkout):
    (checkout.path / "my.tsv").write_text("clip\tsource\tpath\ngone\tvideo\tgone.mp4\n")
    words = ("results/clips/gone", "--config", "clips=my.tsv")
    assert "recorded as failure of prepare_clip: no such file" in checkout.run(*words)
    with pytest.raises(DataFailure) as failure:
        raise_recorded(checkout.path / "results/clips/gone")
    assert failure.value.where == "gone.mp4" and failure.value.log == "results/logs/prepare_clip/gone.log"
    record = json.loads((checkout.path / "results/provenance/clips/gone.json").read_text())
    assert record["failure"] == "prepare_clip: no such file"
    assert checkout.planned(*words) == {}
    (checkout.path / "gone.mp4").write_bytes(b"a video")
    assert checkout.planned(*words) == {"prepare_clip": 1}


def test_environment_names_the_pins_of_the_package():
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert next(d["pip"] for d in conda if isinstance(d, dict)) == pins
    assert all("==" in pin for pin in pins)


def test_environment_for_gpus_names_the_same_pins_and_commits():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    conda = yaml.safe_load((ROOT / "environment-gpu.yml").read_text())["dependencies"]
    pins = next(d["pip"] for d in conda if isinstance(d, dict))
    torchvision = [pin for pin in extras["detectron2"] if pin.startswith("torchvision")]
    assert pins == [*project["dependencies"], *torchvision], "all that needs no building"
    for pin in [*extras["gpu"], *extras["mano"], *extras["detectron2"], *extras["sam2"]]:
        assert "==" in pin or re.search(r" @ git\+https://\S+@[0-9a-f]{40}(#|$)", pin), pin
    named = re.findall(r"transformers (\d+(?:\.\d+)+)", (ROOT / "docs/stack.md").read_text())
    assert {f"transformers=={version}" for version in named} == set(extras["sam2"]) == set(extras["text"])


def test_extensions_are_built_with_the_cuda_of_torch_s_wheel():
    cuda = re.search(r'"torch==.*CUDA (\d+\.\d+)$', (ROOT / "pyproject.toml").read_text(), re.M).group(1)
    conda = yaml.safe_load((ROOT / "environment-gpu.yml").read_text())["dependencies"]
    assert f"cuda-version ={cuda}" in conda
    assert f"({cuda}, noted beside its pin" in (ROOT / "docs/stack.md").read_text()
    assert torch.version.cuda in (None, cuda), "the wheel that is installed, unless it is one for CPUs"
