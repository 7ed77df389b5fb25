"""The error that data sources raise."""


class DataError(ValueError):
    """Images or labels that cannot be used, or a source of them that cannot be read."""
