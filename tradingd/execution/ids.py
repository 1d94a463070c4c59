"""Client order ids: never reused."""

__all__ = ["OrderIds"]


class OrderIds:
    """Makes client order ids `<prefix><epoch>-<instance>-<counter>`.

    `epoch` tells the runs of one account apart and `instance` the daemons that share it, so that an id made after
    a restart can never equal one made before. Only letters, digits and `-`: every venue takes those.
    """

    __slots__ = ("_counter", "_stem")

    def __init__(self, *, prefix: str = "t", epoch: int = 1, instance: str = "1", counter: int = 0) -> None:
        self._stem = f"{prefix}{epoch}-{instance}-"
        self._counter = counter

    def next(self) -> str:
        """A new id."""
        self._counter += 1
        return f"{self._stem}{self._counter}"
