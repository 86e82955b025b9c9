"""Pure functions of space: rotations, cameras, ray casting, surface samples, registration. No files, no settings."""
