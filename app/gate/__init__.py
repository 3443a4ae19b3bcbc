"""The gate in front of everything that the server answers: who is let in, for how long, and with which headers."""
