"""What the page Data shows: a manifest, what left on the way to it, its faces, its leaks."""
