"""A message of every kind."""

from datetime import UTC, datetime
from typing import Any, Final

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "quota_reached": {
        "limit": "tokens_per_month",
        "percent": 80,
        "used": 800_000,
        "allowed": 1_000_000,
        "plan": "Pro",
        "refused": True,
        "resets_at": "2026-11-30T23:00:00Z",
    },
    "plan_limit_reached": {
        "limit": "storage_mb",
        "percent": 95,
        "used": "97.5",
        "allowed": 100,
        "plan": "Free",
    },
    "invoice_issued": {
        "number": "TK-2026-0042",
        "gross": "1234.50",
        "currency": "EUR",
        "issued_on": "2026-11-01",
        "due_on": "2026-12-01",
    },
    "credit_note_issued": {
        "number": "TK-2026-0043",
        "preceding": "TK-2026-0042",
        "gross": "34.50",
        "currency": "USD",
        "issued_on": "2026-11-02",
    },
    "invoice_overdue": {
        "number": "TK-2026-0042",
        "due": "1234.50",
        "currency": "EUR",
        "due_on": "2026-12-01",
    },
    "payment_confirmed": {
        "subject": "TK-2026-0042",
        "amount": "1234.50",
        "currency": "EUR",
        "paid_on": "2026-11-20",
        "reference": "VIR 17",
    },
    "trial_ending": {
        "plan": "Pro",
        "ends_at": "2026-11-24T10:00:00Z",
        "monthly_price": "3.00",
        "currency": "EUR",
    },
    "key_expiring": {"name": "production", "prefix": "sk-tk-abcd", "expires_at": "2026-11-28T10:00:00Z"},
    "report_ready": {
        "title": "Usage",
        "start": "2026-10-31T23:00:00Z",
        "end": "2026-11-30T23:00:00Z",
    },
    "usage_anomaly": {"day": "2026-11-20", "measure": "tokens", "seen": 5_000_000, "expected": 120_000},
    "admin_alert": {
        "alert": "job_failed",
        "object": "closing",
        "severity": "critical",
        "message": "The job closing failed three times: DatabaseUnavailable.",
        "raised_at": "2026-11-21T11:58:00Z",
    },
}
