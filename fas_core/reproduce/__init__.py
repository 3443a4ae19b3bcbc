"""Chapter 4 of the thesis on anybody's data: its five experiments, figures 4.1 to 4.18, and what of it holds there."""
