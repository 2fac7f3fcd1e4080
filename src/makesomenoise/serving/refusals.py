"""What a client is told when it gets no answer: HTTP statuses, in the form of OpenAI's errors."""

from dataclasses import dataclass

from makesomenoise.errors import MakeSomeNoiseError

TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - it is an answer as others are
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        message: one sentence for the client.
        code: a name that programs know it by.
        param: the field of the request that is wrong.
        retry_after: seconds after which it may be tried again.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None

    def body(self) -> dict:
        """The error in OpenAI's form."""
        kind = TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """What stands in the head of the answer."""
        found = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return found | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})  # noqa: PLR2004 - unauthorized


def refusal_of(error: Exception) -> Refusal:
    """What is said about an error that ended a request; nothing of one that is our own fault."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, MakeSomeNoiseError):
        return Refusal(400, str(error))
    return Refusal(500, "The server failed to answer this request; its log says why.", "internal_error")
