"""What is refused to a caller who is known, whatever credential it brought."""

from proxy.errors import Refusal


def inactive_organization() -> Refusal:
    return Refusal(403, "This organization is not active.", code="organization_inactive")


def no_plan() -> Refusal:
    return Refusal(
        402,
        "This organization has no plan at present. Choose a plan to go on.",
        type="insufficient_quota",
        code="no_active_plan",
    )
