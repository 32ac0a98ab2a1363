"""What every journey through one proxy process shares; made at start, handed to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.endpoints import Allowed
from proxy.deferred.deferrals import Deferrals
from proxy.identity.ephemeral import Seal
from proxy.identity.identities import Identities
from proxy.measures import Measures
from proxy.meter.tokenizer import Tokenizers
from proxy.ownership.register import Register
from proxy.pricing import PriceBook
from proxy.quota.clock import RedisClock
from proxy.quota.gate import Gate
from proxy.realtime.attendants import Attendants
from proxy.record.settler import Settler
from proxy.running import Running
from proxy.upstream.route import Route


@dataclass(frozen=True, slots=True)
class House:
    identities: Identities
    prices: PriceBook
    tokenizers: Tokenizers
    gate: Gate
    clock: RedisClock
    settler: Settler
    deferrals: Deferrals
    register: Register
    running: Running
    attendants: Attendants
    route: Route
    measures: Measures
    seal: Seal
    max_body_bytes: int
    allowed: Sequence[Allowed]
    """What passes beside the catalogue."""
    max_upload_bytes: int
    last_turn_seconds: float
    """How long the last response of a Realtime session may go on when the server stops."""
