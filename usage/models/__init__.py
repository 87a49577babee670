"""What came in and what it cost."""

from usage.models.identity import Account, ApiKey, Channel, Source
from usage.models.instance import Instance
from usage.models.price import ModelPrice
from usage.models.record import (
    FailureText,
    ModelName,
    QuarantinedPayload,
    RequestTraits,
    TokenCounts,
    UsageDaily,
    UsageHourly,
    UsageRecord,
)

__all__ = [
    "Account",
    "ApiKey",
    "Channel",
    "FailureText",
    "Instance",
    "ModelName",
    "ModelPrice",
    "QuarantinedPayload",
    "RequestTraits",
    "Source",
    "TokenCounts",
    "UsageDaily",
    "UsageHourly",
    "UsageRecord",
]
