"""How a change in the ledger reaches every proxy at once: one Redis channel that names the organization.

Whoever changes a key, a plan, a project or a subscription publishes after the commit; each proxy forgets what
it had cached of that organization. A message lost (Redis away) is bounded by the cache's own age.
"""

CHANNEL = "tollkeeper:changed"
EVERYONE = "*"
"""Instead of an organization's id: forget all, as after a change of a plan or of prices."""
