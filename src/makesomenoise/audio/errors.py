"""What is said of sound that cannot be read or written, or of which something is missing; one sentence each."""

from makesomenoise.errors import FileError


class AudioError(FileError):
    """A sound that cannot be read or written; the message is one sentence for the user."""


class AudioWarning(UserWarning):
    """Sound of which something is missing or was given up; the message is one sentence for the user."""
