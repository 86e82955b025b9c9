"""What all rules share: the validated configuration, the clips table, and which variant's file serves which."""

import sys
from pathlib import Path

from hoi.imports import NETWORK, shipped_masks, shipped_prior
from hoi.provenance import code_digest
from hoi.study import check_named, read_study
from hoi.table import DATASETS, joined, read_table, row_json

study = read_study(config)
clips = read_table(study.clips)
training = read_table(study.prior_data.table) if study.prior_data.table else {}
known_clips = joined(clips, training)
check_named(study, clips, Path("config/reported.tsv"))
own_python = f'export PATH="{Path(sys.executable).parent}:$PATH"; '
own_package = f'export PYTHONPATH="{workflow.basedir}:${{{{PYTHONPATH:-}}}}"; '
records = "export HOI_RECORDS=results/provenance; "  # hoi/records.py

shell.executable("bash")
shell.prefix(
    "set -euo pipefail; export OMP_WAIT_POLICY=passive; "
    + own_package
    + records
    + ("" if workflow.deployment_settings.deployment_method else own_python)
)


wildcard_constraints:
    clip="[A-Za-z0-9_-]+",
    variant="|".join(study.variants),
    table="|".join(study.tables),
    shard="[0-9]+",
    figure="|".join(study.figures) or "none",


onsuccess:
    # A clip without a result is no error, and ends no run: Snakemake's status is 0, that of `hoi failures` 1.
    from hoi.summary import failures_among

    scores = [Path(f"results/scores/{v}/{c}.json") for v, c in pairs(study.variants)]
    failed, count = failures_among([path for path in scores if path.exists()])
    if failed:
        sys.stderr.write("\n".join([*failed, f"{count}: `hoi failures` lists them too, and ends with status 1\n"]))


def code(stage):
    """Parameter: the digest of a stage's code, of jobs alone that are there: each job starts Snakemake, which reads all rules."""
    return lambda wildcards: code_digest(stage)


def settings(stage):
    """Parameter: a stage's settings under the job's variant, as one JSON word."""
    return lambda wildcards: study.as_json(wildcards.variant, stage)


def made_by(stage, path):
    """Input: the file of the variant that owns this stage's result for the job's variant."""
    return lambda wildcards: path.format(clip=wildcards.clip, variant=study.owner(wildcards.variant, stage))


def clip_row(wildcards):
    """Parameter: the clip's row of the table, as one JSON word."""
    if wildcards.clip not in known_clips:
        raise WorkflowError(f"{study.clips}: no clip {wildcards.clip!r}; it has {', '.join(clips)}")
    return row_json(known_clips[wildcards.clip])


def prior_weights(wildcards):
    """Input: folder of weights, and memory, that this variant's fit distils; none where it distils nothing."""
    if study.settings(wildcards.variant, "fit_clip").weights.prior == 0:
        return []
    if study.prior == "shipped" and not all(Path(p).exists() for p in shipped_prior()):
        raise WorkflowError("no prior ships with this version: set `prior: trained`, or fit_clip.weights.prior: 0")
    weights, memory = (
        ("results/prior/weights", "results/prior/memory.npz") if study.prior == "trained" else shipped_prior()
    )
    return [ancient(weights), memory]


def mask_network(wildcards):
    """Input: folder of the weights of the masker's network, where this variant's masks hear it."""
    chosen = study.settings(wildcards.variant, "mask_clip")
    if chosen.masker == "given" or chosen.network_weight == 0:
        return []
    return [ancient("results/masknet/weights" if study.masks == "trained" else shipped_masks())]


def weights_of(paths):
    """Input: by what a change of the folder, first of some inputs, is told: its files, or the record of its training."""

    def files(wildcards):
        for folder in paths(wildcards)[:1]:
            trained = folder.startswith("results/")
            return [str(Path(folder).with_name("run.json"))] if trained else [f"{folder}/{name}" for name in NETWORK]
        return []

    return files


def files_of(*patterns):
    """Input: what a clip of the table brings from outside, by patterns under its path; nothing if it is made here, or not there."""

    def matches(wildcards):
        row = known_clips.get(wildcards.clip)
        if row is None or row.path is None or row.source in DATASETS:
            return []
        path = row.path
        if not Path(path).is_dir():
            return [path] if "clip.*" in patterns and Path(path).exists() else []
        return [str(p) for pattern in patterns for p in sorted(Path(path).glob(pattern))]

    return matches
