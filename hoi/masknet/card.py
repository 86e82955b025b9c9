"""The model card: what the weights are, what made them, how good they are."""

from typing import Any


def model_card(record: dict[str, Any]) -> str:
    """Markdown from a record of the training."""
    held_out = record["held_out"]
    return "\n".join(
        [
            "# Background, hand or held object",
            "",
            "Labels the pixels around a tracked hand from one frame's colours and what moves with the hand. Made as one voice in",
            "`hoi`'s masker `grasp`; not for anything else. MIT licence.",
            "",
            f"- parameters: {record['parameters']:,}",
            f"- data: {record['frames']:,} frames of made clips with {record['instances']} procedural training objects, in "
            f"{record['shards']} shards of `mask_data`; nothing filmed, nothing personal",
            f"- training: {record['steps']:,} steps of {record['batch']}, seed {record['seed']}, on {record['device']}, "
            f"{record['hours']:.2f} hours, commit {record['commit']}",
            f"- held out: IoU of the object {held_out['object']:.3f}, of the hand {held_out['hand']:.3f}, mean over "
            f"{record['judged']} frames of other objects",
            "- limits: six categories, one hand model, made pictures; real ones differ, so it is never believed alone",
            "",
            "Settings of the network: config.json. All settings: run.json of the training.",
            "",
        ]
    )
