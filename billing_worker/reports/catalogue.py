"""The table of templates, and of formats that they are written in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from billing_worker.reports.as_csv import as_csv
from billing_worker.reports.as_json import as_json
from billing_worker.reports.as_pdf import as_pdf
from billing_worker.reports.as_xlsx import as_xlsx
from billing_worker.reports.table import Table
from billing_worker.reports.template import Template
from billing_worker.reports.templates.cost_trend import COST_TREND
from billing_worker.reports.templates.performance import PERFORMANCE
from billing_worker.reports.templates.providers_models import PROVIDERS_MODELS
from billing_worker.reports.templates.revenue import REVENUE
from billing_worker.reports.templates.sla import SLA
from billing_worker.reports.templates.usage import USAGE
from ledger.invoice import Language


@dataclass(frozen=True, slots=True)
class Format:
    """`write` is work for a thread of its own."""

    write: Callable[[Table, Language], bytes]
    media_type: str


TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        "usage": USAGE,
        "providers_models": PROVIDERS_MODELS,
        "performance": PERFORMANCE,
        "cost_trend": COST_TREND,
        "sla": SLA,
        "revenue": REVENUE,
    }
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "json": Format(as_json, "application/json"),
        "pdf": Format(as_pdf, "application/pdf"),
        "csv": Format(as_csv, "text/csv; charset=utf-8"),
        "xlsx": Format(as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    }
)
