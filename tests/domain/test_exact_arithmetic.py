"""What decides about money has no floats and no division: held over the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tradingd"
EXACT = sorted(
    [
        *(PACKAGE / "domain" / f"{name}.py" for name in ("money", "instrument", "position", "order")),
        *(path for name in ("portfolio", "execution", "risk") for path in (PACKAGE / name).rglob("*.py")),
    ]
)

ALLOWED = {
    # Ages in nanoseconds, told in seconds in a message.
    ("risk/limits/orders.py", "age / _NS"),
    ("risk/limits/orders.py", "self.max_age_ns / _NS"),
    # An order's price, to be compared with market data's floats; no money moves by it.
    ("execution/triggers.py", "float(price)"),
    # A signal's price is market data, that of an order at market decides no amount.
    ("risk/protection.py", "float(price)"),
    # The prices of a signal, which are market data, over a split.
    ("risk/signals.py", "float(restated_price(action, to_price(price)))"),
    # Counts orders.
    ("execution/engine.py", "sum((self.cancel_order(order.order_id, reason) for order in open_orders))"),
}


def inexact(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Floats, true divisions, and what rounds Decimals to the ambient context without looking like it."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()):
                yield node
            case ast.Call(func=ast.Name(id="float" | "abs" | "sum" | "round" | "pow" | "divmod")):
                yield node
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node


@pytest.mark.parametrize("path", EXACT, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_floats_and_no_rounding(path: Path) -> None:
    """No float literal, float(), true division, or rounding built-in occurs, but for the argued ones."""
    name = path.relative_to(PACKAGE).as_posix()
    found = {
        (name, ast.unparse(node)): node.lineno for node in inexact(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {where: line for where, line in found.items() if where not in ALLOWED} == {}
