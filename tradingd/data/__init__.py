"""Market data in: the catalog of recorded history, validation, merging by time."""
