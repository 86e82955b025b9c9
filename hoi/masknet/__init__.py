"""A network that tells background, hand and held object apart around a tracked hand, and its training on made clips.

Reads hoi.observe (zones about the hand, motion, labels): the network is told what the masker knows. Reads hoi.sources (made
clips).
"""
