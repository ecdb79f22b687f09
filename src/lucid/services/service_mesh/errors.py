"""Errors as Consul answers them: a status and a line of text. RFC 9457 is for Lucid's own API; clients of Consul's
expect Consul's."""

from starlette.responses import PlainTextResponse


class Refusal(Exception):
    """A request that is answered with `status` and `text`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def response(self) -> PlainTextResponse:
        return PlainTextResponse(self.text, self.status)


def bad(text: str) -> Refusal:
    return Refusal(400, text)
