"""What objects in hands look like, learned from renderings: novel views, their encoding, and the denoiser.

Stands on `field` (rendering), `hand` and `geometry`. Training and distillation use the same views, renderer, encoding and
noise schedule: all of them come from the settings that are saved with the weights.
"""
