"""What a person looks at: an animated scene, overlays, stills, tables, figures.

Drawing takes arrays and gives arrays; a few writers (`write_*`) write whole files.
"""
