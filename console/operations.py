"""The whole API as one table: routes, the OpenAPI document and the docs are made from it."""

from typing import Any

from console.api import (
    alerts,
    audit,
    billing,
    dead_letters,
    insights,
    invoices,
    jobs,
    keys,
    members,
    my_invoices,
    notifications,
    organizations,
    plans,
    projects,
    quota,
    reconciliation,
    reports,
    storage,
    subscriptions,
    token_packs,
    usage,
)
from console.call import Operation

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    *organizations.OPERATIONS,
    *members.OPERATIONS,
    *token_packs.OPERATIONS,
    *projects.OPERATIONS,
    *keys.OPERATIONS,
    *plans.OPERATIONS,
    *subscriptions.OPERATIONS,
    *quota.OPERATIONS,
    *reconciliation.OPERATIONS,
    *usage.OPERATIONS,
    *billing.OPERATIONS,
    *invoices.OPERATIONS,
    *my_invoices.OPERATIONS,
    *notifications.OPERATIONS,
    *storage.OPERATIONS,
    *reports.OPERATIONS,
    *insights.OPERATIONS,
    *dead_letters.OPERATIONS,
    *jobs.OPERATIONS,
    *alerts.OPERATIONS,
    *audit.OPERATIONS,
)
