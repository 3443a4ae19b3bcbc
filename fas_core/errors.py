"""The one exception for input that a person can put right."""


class BadInputError(ValueError):
    """Bad input: one readable message that says what is wrong, where, and what would be right.

    The command line prints the message alone and exits with status 2; the app shows it in an error box.
    Anything else that is raised is a defect of ours and keeps its traceback.
    """
