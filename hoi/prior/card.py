"""The model card: what the weights are, what made them, how good they are."""

from typing import Any

OTHER = {False: "taken for an object", True: "told in words, if the text encoder of the training is at hand"}


def model_card(record: dict[str, Any]) -> str:
    """Markdown from a record of the training: categories, parameters, data, steps, device, hours, held-out losses.

    Where clips are among the data, these decide on the licence, and on what is pictured.
    """
    clips = record["clips"]
    licence = f"Trained on {clips} clips: the licences of their data sets apply." if clips else "MIT licence."
    shown = f" and {clips} clips" if clips else ""
    nothing = "" if clips else "; nothing scanned, nothing personal"
    limits = "" if clips else "made-up objects of six categories in one hand model; "
    return "\n".join(
        [
            "# A prior of held objects",
            "",
            "Denoises pictures (mask, normals, depth) of an object, given those of the hand that holds it and of the rough body",
            "that a clip's silhouettes give, and the category. Made for `hoi`'s `fit_clip`; not for anything else.",
            licence,
            "",
            f"- categories: {', '.join(record['categories'])} (any other name is {OTHER[record['text']]})",
            f"- parameters: {record['parameters']:,}",
            f"- data: {record['pictures']:,} pictures of {record['instances']} procedural training instances{shown}, in "
            f"{record['shards']} shards of `prior_data`, seed {record['data_seed']}{nothing}",
            f"- training: {record['steps']:,} steps of {record['batch']}, seed {record['seed']}, on {record['device']}, "
            f"{record['hours']:.2f} hours, commit {record['commit']}",
            f"- limits: {limits}views without background, one object, one hand",
            "",
            "Held-out error of ε (mean over noise levels and held-out pictures, 95 % interval over pictures):",
            "",
            "| told | error | interval |",
            "|---|---|---|",
            *interval_rows(record["held_out"]),
            "",
            "How much less it is where more is told (the same pictures and noise, paired):",
            "",
            "| told | error less | interval |",
            "|---|---|---|",
            *interval_rows(record["held_out_less"]),
            "",
            "Settings of network, schedule, views and renderer: config.json. All settings: run.json of the training.",
            "",
        ]
    )


def interval_rows(intervals: dict[str, dict[str, float]]) -> list[str]:
    """Markdown rows of named means and their intervals."""
    return [f"| {name} | {v['mean']:.4f} | {v['low']:.4f} to {v['high']:.4f} |" for name, v in intervals.items()]
