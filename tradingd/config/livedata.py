"""`[data.live]` and `[data.record]`: market data as it happens, and keeping it."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from tradingd.config.fields import Count, Number, Section, Slug, Text

__all__ = ["LiveDataSettings", "RecordSettings", "Stream"]

Stream = Literal["trades", "quotes", "books", "ohlcv", "funding", "mark_prices"]


class LiveDataSettings(Section):
    """`[data.live]`: what is streamed from the exchanges of `run.accounts`."""

    bars_from: Literal["trades", "ohlcv"] = Field(
        "trades", description="Whether bars are built from the trades, or taken from the exchange's candles."
    )
    streams: list[Stream] = Field(
        default_factory=list, description="Streams beside those that strategies and bars need."
    )
    book_depth: int = Field(20, ge=1, le=5000, description="How many levels a side of a book is told.")
    stale_after_s: Annotated[Number, Field(ge=1, le=3600)] = Field(
        Decimal(15),
        description="A stream silent for so long, or for three times its usual pause, is closed and opened anew.",
    )
    warmup: Literal["exchange", "catalog", "off"] = Field(
        "exchange", description="Where the history that strategies need before they trade comes from."
    )
    max_dials_per_minute: Annotated[Count, Field(le=10_000)] = Field(
        120, description="How often sockets are opened in a minute, at most."
    )


class RecordSettings(Section):
    """`[data.record]`: keeps the live feed in a catalog, to be replayed tick for tick."""

    catalog: Text | None = Field(
        None, description="Folder, relative to the file that names it; unset, nothing is kept."
    )
    kinds: list[Literal["trades", "quotes", "books", "bars"]] = Field(
        ["trades", "quotes"], description="What is kept of what is streamed."
    )
    dataset: Slug = Field("recorded", description="The folder within the catalog.")
    part_rows: Count = Field(500_000, description="So many rows, and a file is closed and the next begun.")
    part_hours: Annotated[Number, Field(gt=0, le=8760)] = Field(Decimal(24), description="So many hours likewise.")
