"""The error that search spaces raise."""


class SpaceError(ValueError):
    """A malformed search space, or an architecture that does not belong to it."""
