"""One function a stage: load, call, save."""
