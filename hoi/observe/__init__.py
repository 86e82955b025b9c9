"""What the pixels say: the holding hand in every frame (trackers) and the visible hand and object (maskers).

Reads hoi.hand (the hand model: its projection, and fitting it to keypoints) and hoi.field (how loops are compiled).
"""
