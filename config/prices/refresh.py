"""Writes openai.yaml anew from the maintained data of the package genai-prices and from additions.yaml.

    python -m config.prices.refresh      (or: make prices)

Run it after an update of genai-prices, read the difference, commit the list. Two runs with the same inputs
write the same bytes. What the source has and the list leaves out, it prints with the reason.

The source gives no first day for most prices. The list then takes the date of the model's oldest snapshot, or
`UNDATED`. Rates of service tiers go to the latest price only: the source's dates for them are those of its
own check.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml
from genai_prices import types as source
from genai_prices.data_snapshot import get_snapshot

FOLDER: Final = Path(__file__).parent
UNDATED: Final = date(2020, 1, 1)
SNAPSHOT: Final = re.compile(r"-(\d{4}-\d{2}-\d{2})$")
SHORT_SNAPSHOT: Final = re.compile(r"-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")
ANY_SNAPSHOT: Final = r"-\d{4}-\d{2}-\d{2}$"
TIERS: Final = ("flex", "priority", "fast", "batch")

# The source's key -> our kind and what divides the source's figure: it counts calls by the thousand and audio
# by the hour where the list has single calls and minutes.
KINDS: Final[Mapping[str, tuple[str, int]]] = {
    "input_mtok": ("input", 1),
    "cache_read_mtok": ("cached_input", 1),
    "cache_write_mtok": ("cache_write", 1),
    "output_mtok": ("output", 1),
    "input_audio_mtok": ("audio_input", 1),
    "cache_audio_read_mtok": ("cached_audio_input", 1),
    "output_audio_mtok": ("audio_output", 1),
    "input_image_mtok": ("image_input", 1),
    "cache_image_read_mtok": ("cached_image_input", 1),
    "output_image_mtok": ("image_output", 1),
    "web_searches_kcount": ("web_search_call", 1000),
    "storage_searches_kcount": ("file_search_call", 1000),
    "audio_hours": ("second", 60),
    "input_mchars": ("character", 1),
}
SAID_TWICE: Final = {"input_audio_hours"}  # beside audio_hours, with the same figure

LEFT_OUT: Final[Mapping[str, str]] = {
    "gpt-4o:extended": "not a model of OpenAI's API",
    "gpt-5-image": "a reseller's name and price",
    "gpt-5-image-mini": "a reseller's name and price",
    "gpt-5.4-image-2": "a reseller's price",
    "gpt-oss-120b": "a reseller's price",
    "gpt-oss-20b": "a reseller's price",
    "gpt-oss-safeguard-20b": "a reseller's price",
    "gpt-4o-mini-2024-07-18.ft-": "matches by prefix only; the list needs whole names",
    "moderation": "matches by substring only; additions.yaml has the names",
}

# Names behind the source's prefixes. The list holds whole names, so that nothing is priced by resemblance.
BEHIND_PREFIX: Final[Mapping[str, tuple[str, ...]]] = {
    "computer-use": ("computer-use-preview",),
    "ft:gpt-3.5-turbo": ("ft:gpt-3.5-turbo",),
    "ft:gpt-4-0": (),  # the source takes the untuned price, which is lower than what a tuned gpt-4 cost
    "ft:gpt-4o-2024-": ("ft:gpt-4o",),
    "ft:gpt-4o-mini-2024-": ("ft:gpt-4o-mini",),
    "gpt-3.5-turbo-instruct": ("gpt-3.5-turbo-instruct",),
    "gpt-4.5-preview": ("gpt-4.5-preview",),
    "gpt-4o-audio-preview": ("gpt-4o-audio-preview",),
    "gpt-4o-mini-audio": ("gpt-4o-mini-audio-preview",),
    "gpt-4o-mini-realtime": ("gpt-4o-mini-realtime-preview",),
    "gpt-4o-realtime": ("gpt-4o-realtime-preview",),
    "gpt-5-nano-": (),
}

Rates = dict[str, dict[str, str]]
"""Group (`default`, `flex`, `default>272000`) -> kind -> US dollars."""


def names(clause: Any) -> Iterator[str]:
    """Whole names that a clause of the source matches. Raises ValueError for one that is not understood."""
    match clause:
        case source.ClauseOr():
            for part in clause.or_:
                yield from names(part)
        case source.ClauseEquals():
            yield clause.equals
        case source.ClauseStartsWith() if clause.starts_with in BEHIND_PREFIX:
            yield from BEHIND_PREFIX[clause.starts_with]
        case source.ClauseRegex() if clause.regex.endswith(ANY_SNAPSHOT):
            pass  # a dated snapshot of a name that the clause gives too: looked up by its date
        case _:
            raise ValueError(f"a way to match models that this program does not know: {clause!r}")


def short(name: str) -> str:
    """The name without a snapshot's date."""
    return SHORT_SNAPSHOT.sub("", SNAPSHOT.sub("", name))


def figure(value: Decimal, divisor: int) -> str:
    quotient = value / divisor
    if quotient * divisor != value:
        raise ValueError(f"{value} / {divisor} is not exact")
    return f"{quotient.normalize():f}"


def rates(prices: source.ModelPrice, tier: str) -> Rates:
    groups: Rates = {}
    for key, value in prices.__dict__.items():
        if value is None or key in SAID_TWICE:
            continue
        kind, divisor = KINDS[key]
        levels = [(tier, value)]
        if isinstance(value, source.TieredPrices):
            levels = [(tier, value.base)] + [(f"{tier}>{level.start}", level.price) for level in value.tiers]
        for group, amount in levels:
            groups.setdefault(group, {})[kind] = figure(amount, divisor)
    order = [kind for kind, _ in KINDS.values()]
    return {
        group: dict(sorted(groups[group].items(), key=lambda it: order.index(it[0])))
        for group in sorted(groups)
    }


def price_periods(model: source.ModelInfo, first_day: date) -> list[dict[str, Any]]:
    conditional = (
        model.prices if isinstance(model.prices, list) else [source.ConditionalPrice(prices=model.prices)]
    )
    periods: list[dict[str, Any]] = []
    for price in conditional:
        if isinstance(price.constraint, source.TimeOfDateConstraint):
            raise ValueError(f"{model.id}: a price by the time of day")  # noqa: TRY004 - a fault of the data
        start = price.constraint.start_date if price.constraint else first_day
        periods.append({"valid_from": start.isoformat(), **rates(price.prices, "default")})
    for variant in model.price_variants or ():
        tier = variant.when.get("service_tier") or variant.when["processing"]
        if tier in TIERS:
            periods[-1] |= rates(variant.prices, tier)
        elif tier != "default":
            raise ValueError(f"{model.id}: unknown service tier {tier}")
    return periods


def entry(model: source.ModelInfo) -> tuple[str, dict[str, Any]] | None:
    listed = sorted(names(model.match))
    if not listed:
        return None
    name = model.id if model.id in listed else listed[0]
    dates = [date.fromisoformat(found[1]) for known in listed if (found := SNAPSHOT.search(known))]
    # Dated names are left to the lookup, which takes a date off, where what remains is listed here.
    others = {known for known in listed if short(known) == known or short(known) not in listed} - {name}
    return name, {
        "aliases": sorted(others),
        "prices": price_periods(model, min(dates, default=UNDATED)),
    }


def flow(kinds: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{kind}: "{amount}"' for kind, amount in kinds.items()) + "}"


def written(
    models: Mapping[str, Mapping[str, Any]], head: Mapping[str, str], pieces: Mapping[str, str]
) -> str:
    lines = (FOLDER / "header.txt").read_text().splitlines()
    lines += [f"{key}: {value}" for key, value in head.items()]
    lines.append("pieces:")
    lines += [f'  {kind}: "{amount}"' for kind, amount in pieces.items()]
    lines.append("models:")
    for name in sorted(models):
        model = models[name]
        lines.append(f'  "{name}":')
        if model.get("aliases"):
            lines.append("    aliases: [" + ", ".join(f'"{alias}"' for alias in model["aliases"]) + "]")
        lines += [f"    {key}: {model[key]}" for key in ("source", "source_date") if key in model]
        lines.append("    prices:")
        for period in model["prices"]:
            lines.append(f"      - valid_from: {period['valid_from']}")
            for group, kinds in period.items():
                if group != "valid_from":
                    lines.append(f'        "{group}": {flow(kinds)}')
    return "\n".join(lines) + "\n"


def main() -> None:
    provider = next(one for one in get_snapshot().providers if one.id == "openai")
    models: dict[str, Mapping[str, Any]] = {}
    checked = [UNDATED.isoformat()]
    for model in provider.models:
        checked += re.findall(r"verified on (\d{4}-\d{2}-\d{2})", model.price_comments or "")
        reason = LEFT_OUT.get(model.id)
        made = None if reason else entry(model)
        if made is None:
            sys.stderr.write(f"left out {model.id}: {reason or 'no whole name'}\n")
            continue
        models[made[0]] = made[1]
    additions = yaml.load((FOLDER / "additions.yaml").read_text(), yaml.BaseLoader)  # noqa: S506 - strings only
    models |= additions["models"]
    for name, kinds in additions["more"].items():
        for period in models[name]["prices"]:
            period["default"] |= kinds
    for name in additions["batched_at_half"]:
        for period in models[name]["prices"]:
            tokens = {kind: rate for kind, rate in period["default"].items() if kind in ("input", "output")}
            period["batch"] = {kind: figure(Decimal(rate), 2) for kind, rate in tokens.items()}
    head = {
        "provider": "openai",
        "source": f"genai-prices {version('genai-prices')}",
        "source_version": f'"{version("genai-prices")}"',
        "source_date": max(checked),
    }
    (FOLDER / "openai.yaml").write_text(written(models, head, additions["pieces"]))
    sys.stderr.write(f"openai.yaml: {len(models)} models\n")


if __name__ == "__main__":
    main()
