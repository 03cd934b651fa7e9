"""The one kind of error that a user can mend."""


class InputError(Exception):
    """One sentence that names the file or setting at fault and what to do; shown without a traceback."""
