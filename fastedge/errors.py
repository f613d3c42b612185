"""What can go wrong, as types. Errors of the world are handled; errors of ours are assertions and never caught."""


class FastEdgeError(Exception):
    """The root of all errors that fastedge raises on purpose."""


class ConfigError(FastEdgeError):
    """A configuration, a policy or a stage's options cannot be used. The text says where, what and what is expected."""


class StageError(FastEdgeError):
    """A stage broke the contract of its hook. The client gets a 500; the log names stage and hook."""


class WireError(FastEdgeError):
    """Bytes that are not the HTTP/1.1 that RFC 9112 allows.

    `status` is the answer a client is owed (400, 413, 414, 417, 431, 501 or 505); `reason` is one token for the log.
    From an origin, any WireError is a 502.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
