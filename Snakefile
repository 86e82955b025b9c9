"""A short video of a hand with an object -> meshes of both, in metres. Stages: workflow/rules; settings: config/config.yaml."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


container: "workflow/container/hoi.sif"  # used with --sdm apptainer alone; docs/cluster.md builds it


include: "workflow/rules/common.smk"
include: "workflow/rules/scheduler.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/prior.smk"
include: "workflow/rules/masknet.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/observe.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    """Every table, the pictures of every clip in it, and the report."""
    default_target: True
    input:
        tables=expand("results/tables/{table}.md", table=study.tables),
        figures=expand("results/figures/{figure}.pdf", figure=study.figures),
        pictures=pictures_of_all(),
        report="results/report/index.html",
