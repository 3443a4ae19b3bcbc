"""Who may do what: the settings of a server that others reach, and who has signed in at it."""
