"""Price lists as files, such as config/prices/openai.yaml, whose header explains them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from ledger.prices import Price, PriceList, PriceListError, decimal_rates

# Whoever reads and writes text may call tools, at the provider's price for them unless the model has its own.
_CALLS_TOOLS: Final = frozenset({"input", "output"})


def load_price_list(path: Path) -> PriceList:
    """Raises PriceListError, and OSError."""
    return parse_price_list(path.read_bytes(), path.name)


def parse_price_list(data: bytes, name: str) -> PriceList:
    """`name` is what it is called in the PriceListError of a list that cannot be used."""
    try:
        # Scalars stay strings: a float has no place between the list and a Decimal.
        return PriceList(_read(yaml.load(data, yaml.CBaseLoader)))  # noqa: S506 - builds strings only
    except PriceListError:
        raise
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise PriceListError(f"{name} is not a price list: {error!r}") from error


def _read(content: Mapping[str, Any]) -> Iterable[Price]:
    everywhere = content.get("pieces", {})
    for name, entry in content["models"].items():
        for period in entry["prices"]:
            start = datetime.fromisoformat(period["valid_from"]).replace(tzinfo=UTC)
            rates = {
                kind if group == "default" else f"{group}/{kind}": rate
                for group, kinds in period.items()
                if group != "valid_from"
                for kind, rate in kinds.items()
            }
            if rates.keys() >= _CALLS_TOOLS:
                rates = everywhere | rates
            for model in (name, *entry.get("aliases", ())):
                yield Price(
                    provider=content["provider"],
                    model=model,
                    valid_from=start,
                    valid_until=None,
                    rates=decimal_rates(rates, model),
                    source=entry.get("source", content["source"]),
                    source_date=date.fromisoformat(entry.get("source_date", content["source_date"])),
                )
