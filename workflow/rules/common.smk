"""What all rules share: the validated configuration, the clips table, and which variant's file serves which."""

import sys
from pathlib import Path

from hoi.imports import stage_code
from hoi.study import read_study
from hoi.table import read_table, row_json

study = read_study(config)
clips = read_table(study.clips)
own_python = f'export PATH="{Path(sys.executable).parent}:$PATH"; '
own_package = f'export PYTHONPATH="{workflow.basedir}:${{{{PYTHONPATH:-}}}}"; '

shell.executable("bash")
shell.prefix(
    "set -euo pipefail; export OMP_WAIT_POLICY=passive; "
    + own_package
    + ("" if workflow.deployment_settings.deployment_method else own_python)
)


wildcard_constraints:
    clip="[A-Za-z0-9_-]+",
    variant="|".join(study.variants),
    table="|".join(study.tables),
    figure="|".join(study.figures) or "none",


def settings(stage):
    """Parameter: a stage's settings under the job's variant, as one JSON word."""
    return lambda wildcards: study.as_json(wildcards.variant, stage)


def made_by(stage, path):
    """Input: the file of the variant that owns this stage's result for the job's variant."""
    return lambda wildcards: path.format(clip=wildcards.clip, variant=study.owner(wildcards.variant, stage))


def clip_row(wildcards):
    """Parameter: the clip's row of the table, as one JSON word."""
    if wildcards.clip not in clips:
        raise WorkflowError(f"{study.clips}: no clip {wildcards.clip!r}; it has {', '.join(clips)}")
    return row_json(clips[wildcards.clip])


def files_of(*patterns):
    """Input: what a clip of the table brings from outside, by patterns under its path; nothing if it is made here."""

    def matches(wildcards):
        path = clips[wildcards.clip].path if wildcards.clip in clips else None
        if path is None:
            return []
        if not Path(path).is_dir():
            return [path] if "clip.*" in patterns else []
        return [str(p) for pattern in patterns for p in sorted(Path(path).glob(pattern))]

    return matches


def pairs(variants):
    """Pairs (variant, clip) that can run."""
    return [(v, c) for v in variants for c, row in clips.items() if study.runs_on(v, row)]


def table_definition(wildcards):
    """Parameter: a table's definition, as one JSON word."""
    return study.tables[wildcards.table].model_dump_json()


def scores_of_table(wildcards):
    """Input: the scores of every clip under every variant of a table."""
    chosen = pairs(study.tables[wildcards.table].variants)
    return [f"results/scores/{v}/{c}.json" for v, c in chosen]


def figure_definition(wildcards):
    """Parameter: a figure's definition, as one JSON word."""
    return study.figures[wildcards.figure].model_dump_json()


def of_figure(pattern):
    """Input or parameter: one word for each variant and clip of a figure."""

    def words(wildcards):
        figure = study.figures[wildcards.figure]
        chosen = [(v, c) for v, c in pairs(figure.variants) if not figure.clips or c in figure.clips]
        return [pattern.format(variant=v, clip=c, owner=study.owner(v, "fit_clip")) for v, c in chosen]

    return words


def shown_variants(wildcards):
    """Parameter: the variants side by side on a clip's page."""
    clip_row(wildcards)
    return [v for v, c in pairs(study.report_clip.variants) if c == wildcards.clip]


def shown(stage, path):
    """Input: a stage's file of every variant on a clip's page, in their order."""
    return lambda wildcards: [
        path.format(clip=wildcards.clip, variant=study.owner(v, stage) if stage else v)
        for v in shown_variants(wildcards)
    ]


def files_of_report(path, stage=None):
    """Input: a file of every clip and variant in the report; of the variant that owns a stage's result, if one is given."""
    chosen = pairs(study.report_clip.variants)
    return list(dict.fromkeys(path.format(clip=c, variant=study.owner(v, stage) if stage else v) for v, c in chosen))


def pictures_of_all():
    """The stills of every fit in any table."""
    shown = {v for table in study.tables.values() for v in table.variants}
    owned = {(study.owner(v, "show_clip"), c) for v, c in pairs(sorted(shown))}
    return [f"results/fits/{v}/{c}/still.png" for v, c in sorted(owned)]
