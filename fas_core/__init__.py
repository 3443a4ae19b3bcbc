"""Making and reading Runs: what a face anti-spoofing autoencoder says about every image of a data set."""
