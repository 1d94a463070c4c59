"""The command line.

Nothing heavy is imported before a command needs it: `tradingd --help` must answer at once.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from tradingd import __version__
from tradingd.errors import TradingdError, UsageError

__all__ = ["app", "main"]

_USAGE = 64
_INTERRUPTED = 130
_IO_ERROR = 74
_CUTS = 12
# typer carries click within itself since 0.26 or so; this is its error class in either case.
_UsageProblem: type[Any] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="tradingd",
    help="A trading daemon: paper trading and backtests through the same components.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Recorded market data: import, resample, list, check.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Files = Annotated[
    list[Path], typer.Argument(help="Configuration files, TOML or YAML; later ones override earlier ones.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one key; may be repeated.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write the run's records there."),
]
Format = Annotated[
    str | None, typer.Option("--format", help="Of the files in --out: parquet (unless told) or csv.")
]


def main() -> NoReturn:
    """Run the command line; errors of ours end in one line on stderr and their exit code."""
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except _UsageProblem as error:
        error.show()
        sys.exit(_USAGE)
    except TradingdError as error:
        typer.echo(f"tradingd: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:  # of ours all are told as what they mean; this is the output's own
        sys.stderr.write(f"tradingd: {error.strerror or error}: {error.filename or 'standard output'}\n")
        _drop_output()
        sys.exit(_IO_ERROR)
    sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """Let the interpreter's last flush go nowhere instead of failing once more."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def run(files: Files, sets: Overrides = None, out: Out = None, fmt: Format = None, as_json: Json = False) -> None:
    """Run the daemon until its feed ends or it is stopped (Ctrl-C, SIGTERM)."""
    from tradingd.commands.run import run_daemon

    raise typer.Exit(run_daemon(files, sets or [], out, fmt, as_json=as_json))


@app.command()
def backtest(
    files: Files,
    sets: Overrides = None,
    out: Out = None,
    fmt: Format = None,
    look_ahead: Annotated[
        bool,
        typer.Option(
            "--check-lookahead",
            help="Run on data cut off at several moments as well, and tell which decisions change: exit 10 if any "
            "does, 11 if it cannot be told.",
        ),
    ] = False,
    cuts: Annotated[
        int | None, typer.Option("--lookahead-cuts", metavar="N", help="How many moments (12 unless told).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the configured strategies over recorded data and tell what came of it."""
    if look_ahead:
        from tradingd.commands.lookahead import check_lookahead

        if out is not None or fmt is not None:
            raise UsageError("--check-lookahead records nothing; leave out --out and --format")
        raise typer.Exit(check_lookahead(files, sets or [], _CUTS if cuts is None else cuts, as_json=as_json))
    if cuts is not None:
        raise UsageError("--lookahead-cuts is of --check-lookahead; give that, too")
    from tradingd.commands.run import run_backtest

    run_backtest(files, sets or [], out, fmt, as_json=as_json)


@app.command()
def sweep(
    files: Files,
    param: Annotated[
        list[str],
        typer.Option("--param", metavar="NAME=VALUES", help="start:stop:step or a,b,c; once for each parameter."),
    ],
    sets: Overrides = None,
    top: Annotated[int, typer.Option(help="How many of the best to print.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write all results there, .csv or .parquet.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads; as many as there are cores unless told.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Prove the best by a backtest: same fills.")] = False,
    as_json: Json = False,
) -> None:
    """Run the configured strategy over a grid of parameters by a compiled kernel and rank the results."""
    from tradingd.commands.sweep import run_sweep

    run_sweep(files, sets or [], param, top=top, out=out, workers=workers, verify=verify, as_json=as_json)


@app.command()
def check(
    files: Files,
    sets: Overrides = None,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Ask the exchanges, too: keys, clock, markets, filters; exit 69 if any says no."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a configuration and print it resolved: secrets masked, limits as money."""
    from tradingd.commands.check import check_config

    raise typer.Exit(check_config(files, sets or [], online=online, as_json=as_json))


@app.command()
def exchanges(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="ccxt's ids; all unless told.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the exchanges with what each supports; nothing is asked online."""
    from tradingd.commands.exchanges import list_exchanges

    list_exchanges(ids or [], as_json=as_json)


@app.command()
def rehearse(
    config: Annotated[
        list[Path],
        typer.Option("--config", metavar="FILE", help="A live configuration; repeated, later ones override."),
    ],
    sets: Overrides = None,
    faults: Annotated[str, typer.Option(help="all, none, or names with commas; `list` lists them.")] = "all",
    seed: Annotated[int, typer.Option(help="Of the market, the orders and the faults.")] = 1,
    orders: Annotated[int, typer.Option(min=1, help="How many orders are sent for each fault.")] = 40,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="The longest that one fault may take.")
    ] = 60.0,
    cash: Annotated[int, typer.Option(min=1, help="What each account begins with, in dollars.")] = 10_000,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Add the daemons' log lines to it.")] = None,
    as_json: Json = False,
) -> None:
    """Run a live configuration against an exchange on this machine on which things go wrong; exit 1 if it fails.

    A fresh exchange and a fresh daemon for each fault. Nothing leaves this machine, and no key is read.
    """
    from tradingd.commands.rehearse import rehearse as perform

    raise typer.Exit(
        perform(
            config,
            sets or [],
            faults,
            seed=seed,
            orders=orders,
            duration_s=duration,
            cash=cash,
            log=log,
            as_json=as_json,
        )
    )


@app.command()
def strategies(as_json: Json = False) -> None:
    """List the strategies with their parameters."""
    from tradingd.commands.strategies import list_strategies

    list_strategies(as_json=as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if missing.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    template: Annotated[
        str, typer.Option(help="paper, or live: trading at an exchange, its test venue first.")
    ] = "paper",
    as_json: Json = False,
) -> None:
    """Write a commented configuration and a strategy skeleton that run as they are."""
    from tradingd.commands.init import write_skeleton

    write_skeleton(folder, force=force, template=template, as_json=as_json)


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    typer.echo(f'{{"version":"{__version__}"}}' if as_json else __version__)


@data_app.command("list")
def data_list(
    folder: Annotated[Path, typer.Argument(help="A catalog folder, or pkg:tradingd/sample_data.")],
    as_json: Json = False,
) -> None:
    """List the series of a catalog."""
    from tradingd.commands.data import list_catalog

    list_catalog(folder, as_json=as_json)


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="A catalog folder, or pkg:tradingd/sample_data.")],
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    as_json: Json = False,
) -> None:
    """Read every row of a catalog and tell what is wrong and what is missing; exit 65 if anything is wrong."""
    from tradingd.commands.data import check_catalog

    raise typer.Exit(check_catalog(folder, symbol, as_json=as_json))


@data_app.command("import")
def data_import(
    source: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    catalog: Annotated[Path, typer.Option(help="The catalog folder; made if missing.")],
    symbol: Annotated[str, typer.Option(help="For example AAPL or BTC/USD.")],
    interval: Annotated[str | None, typer.Option(help="Of bars: 1m, 1h, 1d.")] = None,
    dataset: Annotated[str, typer.Option(help="The folder within the catalog.")] = "imported",
    kind: Annotated[str, typer.Option(help="bars, trades, quotes or books.")] = "bars",
    calendar: Annotated[str, typer.Option(help="24/7 or weekdays: when no gap is a gap.")] = "24/7",
    instrument: Annotated[
        list[str] | None,
        typer.Option("--instrument", metavar="FIELD=VALUE", help="For example tick=0.01; may be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a series that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Check a file and add it to a catalog."""
    from tradingd.commands.data import import_series

    import_series(
        source,
        catalog,
        symbol=symbol,
        interval=interval,
        dataset=dataset,
        kind=kind,
        calendar=calendar,
        instrument=instrument or [],
        overwrite=overwrite,
        as_json=as_json,
    )


@data_app.command("resample")
def data_resample(
    symbol: Annotated[str, typer.Argument(help="For example AAPL or BTC/USD.")],
    to: Annotated[str, typer.Option("--to", help="The length of the new bars: 5m, 1h, 1d, 1w.")],
    catalog: Annotated[Path, typer.Option(help="The catalog folder.")],
    source: Annotated[
        str, typer.Option("--from", help="What to build from where there are several: 1m, trades, quotes.")
    ] = "",
    dataset: Annotated[
        str, typer.Option(help="The folder within the catalog; resampled_5m etc. unless told.")
    ] = "",
    prices: Annotated[str, typer.Option(help="raw, or adjusted by the file's adj_close.")] = "raw",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a series that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Build longer bars from a series of a catalog, and add them to it."""
    from tradingd.commands.data import resample_series

    resample_series(
        catalog,
        symbol,
        to,
        source=source,
        dataset=dataset,
        prices=prices,
        overwrite=overwrite,
        as_json=as_json,
    )
