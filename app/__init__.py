"""The web app: one script per page under `views`, nothing computed that the core does not know."""
