"""Hand and object meshes, in metres, from a short everyday video."""
