"""What came in and what it cost."""

from usage.models.collection import (
    CollectionGap,
    CollectionState,
    CollectorEvent,
    CollectorProcess,
    JobRun,
    Reconciliation,
)
from usage.models.identity import Account, ApiKey, Channel, Source
from usage.models.instance import Instance
from usage.models.price import ModelPrice
from usage.models.record import (
    FailureText,
    ModelName,
    QuarantinedPayload,
    RequestTraits,
    TokenCounts,
    UsageRecord,
)
from usage.models.rollup import (
    RollupState,
    UsageDaily,
    UsageDailyByKey,
    UsageDailyByKeyModel,
    UsageDailyByModel,
    UsageDailyBySource,
    UsageDailyBySourceKey,
    UsageFailures,
    UsageHourly,
    UsageHourlyByModel,
    UsageHourlyBySource,
)

__all__ = [
    "Account",
    "ApiKey",
    "Channel",
    "CollectionGap",
    "CollectionState",
    "CollectorEvent",
    "CollectorProcess",
    "FailureText",
    "Instance",
    "JobRun",
    "ModelName",
    "ModelPrice",
    "QuarantinedPayload",
    "Reconciliation",
    "RequestTraits",
    "RollupState",
    "Source",
    "TokenCounts",
    "UsageDaily",
    "UsageDailyByKey",
    "UsageDailyByKeyModel",
    "UsageDailyByModel",
    "UsageDailyBySource",
    "UsageDailyBySourceKey",
    "UsageFailures",
    "UsageHourly",
    "UsageHourlyByModel",
    "UsageHourlyBySource",
    "UsageRecord",
]
