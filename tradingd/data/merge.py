"""Merge streams of market events into one, in the order in which they become known."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from tradingd.domain.events import FeedEvent

__all__ = ["merge_by_time"]


def merge_by_time(streams: Sequence[Iterator[FeedEvent]]) -> Iterator[FeedEvent]:
    """One stream of all events by `ts`, ties in the order of `streams`; O(log k) per event.

    Each stream must be in order itself. A bar's `ts` is its close, so a daily bar comes out after the hourly bars
    of its day: merging by the open would let tomorrow's close be known today.
    """
    if len(streams) == 1:
        return streams[0]
    return _merge(streams)


def _merge(streams: Sequence[Iterator[FeedEvent]]) -> Iterator[FeedEvent]:
    heap = []
    for index, stream in enumerate(streams):
        head = next(stream, None)
        if head is not None:
            # (ts, index) is unique, so a comparison never reaches the event.
            heap.append((head.ts, index, head, stream))
    heapify(heap)
    while heap:
        _, index, event, stream = heap[0]
        yield event
        follower = next(stream, None)
        if follower is None:
            heappop(heap)
        else:
            heapreplace(heap, (follower.ts, index, follower, stream))
