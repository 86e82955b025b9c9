"""The hand: a model with MANO's interface, its anatomical angles and limits, and fitting it to keypoints."""
