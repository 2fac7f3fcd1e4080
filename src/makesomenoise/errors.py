"""Every error that is meant for a user, under one base; knows nothing of what goes wrong.

A message is one sentence: what was received, what is expected, how to mend it. Whatever does not derive from
`MakeSomeNoiseError` is a bug and keeps its traceback. The base derives from `ValueError`, so that code which expects
Python's own kind catches it too.
"""


class MakeSomeNoiseError(ValueError):
    """Anything that a user can mend; catch this to catch all of them."""


class RequestError(MakeSomeNoiseError):
    """Something was asked for that cannot be done: a text, labels, a shape, a length or a number out of range."""


class FileError(MakeSomeNoiseError):
    """A file or folder cannot be read or written."""


class ModelError(MakeSomeNoiseError):
    """A model folder is missing or damaged, or models do not belong together."""


class DataError(MakeSomeNoiseError):
    """A corpus, its shards or what is made of them cannot be used."""


class ConfigError(MakeSomeNoiseError):
    """A configuration has an unknown key or a value that does not fit."""
