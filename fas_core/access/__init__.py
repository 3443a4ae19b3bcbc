"""Who may do what, and who may be believed: settings of a server, logins, roles, the log, keys that sign results."""
