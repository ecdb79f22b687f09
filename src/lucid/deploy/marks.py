"""What a rendered file says of itself: only a file that says it is overwritten."""

MARK = "Rendered by `lucid deploy render` from src/lucid/catalog; edit that."
SIGN = "Rendered by `lucid deploy render`"
"""What a file must hold, near its head, to be ours."""

HEAD_BYTES = 2000


def is_ours(text: str) -> bool:
    """Whether the text says that it was rendered."""
    return SIGN in text[:HEAD_BYTES]
