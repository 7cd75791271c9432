"""What a spare calls while it waits: a module like a user's, found and loaded as those are."""


def nothing() -> None:
    """Do nothing."""
