"""A strategy that asks for all there is: exits that risk keeps, groups, children, algorithms, re-quotes."""

from decimal import Decimal
from typing import Any

from tests.runtime.chaotic import Chaotic
from tradingd.domain.enums import Direction, Side, TimeInForce
from tradingd.domain.terms import PROTECTION, AlgoSpec, Requote, Trail

_DAY_S = 86_400


class Wild(Chaotic):
    """Each of its deeds stands beside the chaos of its base, so that they meet."""

    def act(self, symbol: str, price: float, likely: float) -> None:
        """Do one of all that can be done, or nothing."""
        if self.chance.random() > likely:
            return
        own = [self.wish, self.request, self.request, self.change, self.recall, self.recall]
        more = [self.guarded, self.enter, self.guard, self.pair, self.triggering, self.split, self.quote]
        self.chance.choice([*own, *more])(symbol, price)

    def near(self, price: float, least: float, most: float) -> float:
        return price * (1 + self.chance.uniform(least, most))

    def coin(self, likely: float = 0.5) -> bool:
        return self.chance.random() < likely

    def trail(self) -> Trail:
        return Trail(Decimal(self.chance.randint(1, 5)), is_percent=self.coin())

    def guarded(self, symbol: str, price: float) -> None:
        """A signal with its exits."""
        side = self.chance.choice([1, -1])
        direction = Direction.LONG if side > 0 else Direction.SHORT
        stop = price * (1 - side * self.chance.uniform(0.005, 0.04)) if self.coin(0.8) else None
        target = price * (1 + side * self.chance.uniform(0.005, 0.06)) if self.coin(0.8) else None
        limit = self.near(price, -0.02, 0.02) if self.coin(0.3) else None
        self.signal(symbol, direction, price, stop=stop, target=target, limit=limit, strength=0.5)

    def enter(self, symbol: str, price: float) -> None:
        """A bracket; now and then one of its orders is changed or canceled at once."""
        side = self.chance.choice(list(Side))
        options: dict[str, Any] = {}
        entry = self.chance.choice(["market", "limit", "entry_stop"])
        if entry != "market":
            options[entry] = self.near(price, -0.02, 0.02)
        inside = float(options.get(entry, price))  # exits on the wrong side of the entry are refused
        options["target"] = inside * (1 + side.sign * self.chance.uniform(0.005, 0.05))
        if self.coin(0.3):
            options["trail"] = self.trail()
        elif self.coin(0.8):
            options["stop"] = inside * (1 - side.sign * self.chance.uniform(0.005, 0.04))
        if entry == "limit" and self.coin(0.3):
            options["time_in_force"] = TimeInForce.DAY
        placed = self.bracket(symbol, side, self.chance.randint(1, 150), **options)
        if self.coin(0.1):
            self.cancel(self.chance.choice([each for each in placed if each]))

    def guard(self, symbol: str, price: float) -> None:
        """Protection of whatever it holds, or none any more."""
        held = self.position(symbol).quantity
        side = -1 if held < 0 else 1
        wanted: dict[str, Any] = {}
        if self.coin(0.6):
            wanted["stop"] = price * (1 - side * self.chance.uniform(-0.005, 0.04))
        if self.coin(0.3):
            wanted["trail"] = self.trail()
        if self.coin(0.4):
            wanted["target"] = price * (1 + side * self.chance.uniform(0, 0.05))
        self.protect(symbol, then=self.chance.choice(["close", "close", "alarm"]), **wanted)
        if held and self.coin(0.2):
            out = Side.SELL if held > 0 else Side.BUY
            self.order(
                symbol, out, abs(held), limit=self.near(price, -0.03, 0.03), reduce_only=True, oco=PROTECTION
            )

    def pair(self, symbol: str, price: float) -> None:
        """A group of its own, of two or three."""
        group = f"g{self.chance.randint(1, 3)}"
        side, quantity = self.chance.choice(list(Side)), self.chance.randint(1, 150)
        reduce_only = self.coin(0.3)
        both: dict[str, Any] = {"oco": group, "reduce_only": reduce_only}
        first = self.order(
            symbol, side, quantity, limit=price * (1 - side.sign * self.chance.uniform(0, 0.03)), **both
        )
        self.order(symbol, side, quantity, stop=price * (1 + side.sign * self.chance.uniform(0, 0.03)), **both)
        if self.coin(0.3):
            self.order(symbol, side, self.chance.randint(1, 200), trail=self.trail(), **both)
        if self.coin(0.15):
            self.cancel(first)

    def triggering(self, symbol: str, price: float) -> None:
        """An order whose fills release others, some of these an algorithm's or of a group."""
        side, quantity = self.chance.choice(list(Side)), self.chance.randint(1, 150)
        parent = self.order(symbol, side, quantity, limit=self.near(price, -0.02, 0.02))
        group = f"t{parent}" if self.coin(0.4) else ""
        for _ in range(self.chance.randint(1, 3)):
            child, kind = self.chance.choice(list(Side)), self.chance.choice(["limit", "stop", "trail", "market"])
            options: dict[str, Any] = {"reduce_only": self.coin(0.5), "oco": group if kind != "market" else ""}
            if kind == "trail":
                options["trail"] = self.trail()
            elif kind != "market":
                options[kind] = self.near(price, -0.03, 0.03)
            elif self.coin():
                options["algo"] = self.algo()
            self.order(symbol, child, self.chance.randint(1, 200), parent=parent, **options)

    def algo(self) -> AlgoSpec:
        return self.chance.choice(
            [
                AlgoSpec.of(
                    "twap", duration_s=_DAY_S * self.chance.randint(1, 6), slices=self.chance.randint(2, 5)
                ),
                AlgoSpec.of("twap", duration_s=_DAY_S * 4, slices=3, jitter="0.4"),
                AlgoSpec.of("vwap", duration_s=_DAY_S * 4, curve="3,1,2"),
            ]
        )

    def split(self, symbol: str, price: float) -> None:
        """An order that an algorithm works."""
        side, quantity = self.chance.choice(list(Side)), self.chance.randint(10, 250)
        options: dict[str, Any] = {"reduce_only": self.coin(0.2)}
        if self.coin(0.2):
            options["time_in_force"] = TimeInForce.DAY
        if self.coin(0.15):
            options["oco"] = f"g{self.chance.randint(1, 3)}"
        if self.coin(0.4):
            options["algo"] = AlgoSpec.of("iceberg", display=str(self.chance.randint(1, 60)))
            options["limit"] = self.near(price, -0.02, 0.02)
        else:
            options["algo"] = self.algo()
            if self.coin():
                options["limit"] = self.near(price, -0.02, 0.02)
            if self.coin(0.2):
                options["stop"] = self.near(price, -0.02, 0.02)
        self.order(symbol, side, quantity, **options)

    def quote(self, symbol: str, price: float) -> None:
        """An order that is re-quoted, and may end at market."""
        side = self.chance.choice(list(Side))
        worst = None
        if self.coin():
            worst = self.instrument(symbol).round_price(Decimal(repr(self.near(price, -0.01, 0.03))), side)
        requote = Requote(
            after_ns=self.chance.randint(1, 4 * _DAY_S) * 1_000_000_000,
            times=self.chance.randint(0, 3),
            worst=worst,
            then=self.chance.choice(["cancel", "market"]),
        )
        options: dict[str, Any] = {"requote": requote, "limit": self.near(price, -0.03, 0.01)}
        if self.coin(0.2):
            options["post_only"] = True
        if self.coin(0.2):
            options["oco"] = f"g{self.chance.randint(1, 3)}"
        if self.coin(0.2):
            options["stop"] = self.near(price, -0.02, 0.02)
        self.order(symbol, side, self.chance.randint(1, 150), **options)
