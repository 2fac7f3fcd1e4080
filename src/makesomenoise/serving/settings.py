"""What a server is told when it starts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How a server answers.

    Attributes:
        model_id: the name of the model that clients give.
        api_keys: keys of which a request must bring one; none lets everybody in.
        max_seconds: the longest sound that may be sent or asked for, seconds.
        max_body: the largest body of a request, bytes.
        body_timeout: how long a client may be silent while it sends, seconds.
        keep_seconds: how long a made sound can be named by its id.
        page: whether the page for people is there.
    """

    model_id: str = "makesomenoise"
    api_keys: tuple[str, ...] = ()
    max_seconds: float = 600.0
    max_body: int = 64 << 20
    body_timeout: float = 30.0
    keep_seconds: int = 3600
    page: bool = False
