"""The parts of the pages Latent space and Latent side by side, each a function of what it shows."""
