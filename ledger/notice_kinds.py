"""What people are told about, and the values that each message needs. Money is a decimal beside its currency."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer

from ledger.alerts import Severity
from ledger.records import Instant, Record, decimal_text

Currency = Literal["EUR", "USD"]
Amount = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str)]
Line = Annotated[str, Field(max_length=500)]
At = Annotated[Instant, Field(strict=False)]


class QuotaReached(Record):
    """`limit` is a month's: of tokens, requests or money, or what the plan's price includes.

    `refused`: whether calls are refused beyond it. `used` and `allowed` are money where there is a `currency`.
    """

    limit: Literal["monthly_quota", "tokens_per_month", "requests_per_month", "spend_per_month"]
    percent: int
    used: Amount
    allowed: Amount
    currency: Currency | None = None
    plan: Line
    refused: bool
    resets_at: At


class PlanLimitReached(Record):
    """`used` and `allowed` are MB for storage, GB for traffic, else counts."""

    limit: Literal["members", "projects", "traffic_gb_per_month", "storage_mb"]
    percent: int
    used: Amount
    allowed: Amount
    plan: Line


class InvoiceIssued(Record):
    """The PDF is attached."""

    number: Line
    gross: Amount
    currency: Currency
    issued_on: date
    due_on: date | None = None


class CreditNoteIssued(Record):
    """The PDF is attached. `preceding` is the invoice that it corrects."""

    number: Line
    preceding: Line
    gross: Amount
    currency: Currency
    issued_on: date


class InvoiceOverdue(Record):
    number: Line
    due: Amount
    currency: Currency
    due_on: date


class PaymentConfirmed(Record):
    """`subject` is what was paid: an invoice's number or a plan's name."""

    subject: Line
    amount: Amount
    currency: Currency
    paid_on: date
    reference: Line | None = None


class TrialEnding(Record):
    plan: Line
    ends_at: At
    monthly_price: Amount
    currency: Currency


class KeyExpiring(Record):
    """`prefix` is what people see of the key."""

    name: Line
    prefix: Line
    expires_at: At


class ReportReady(Record):
    """The report is attached, or too large to be sent. `title` is in the language of the message."""

    title: Line
    start: At
    end: At
    attached: bool = True


class UsageAnomaly(Record):
    """A day that is far from what was to be expected of it, by days before it."""

    day: date
    measure: Literal["tokens", "cost"]
    seen: Amount
    expected: Amount
    currency: Currency | None = None


class AdminAlert(Record):
    """Something that those who run the system must look at."""

    alert: Line
    object: Line
    severity: Severity
    message: Annotated[str, Field(max_length=2000)]
    raised_at: At


KINDS: Final[Mapping[str, type[Record]]] = MappingProxyType(
    {
        "quota_reached": QuotaReached,
        "plan_limit_reached": PlanLimitReached,
        "invoice_issued": InvoiceIssued,
        "credit_note_issued": CreditNoteIssued,
        "invoice_overdue": InvoiceOverdue,
        "payment_confirmed": PaymentConfirmed,
        "trial_ending": TrialEnding,
        "key_expiring": KeyExpiring,
        "report_ready": ReportReady,
        "usage_anomaly": UsageAnomaly,
        "admin_alert": AdminAlert,
    }
)
