"""What came in and what it cost."""

from usage.models.attempts import Attempt, AttemptHour, StaleHour
from usage.models.channel_merge import ChannelMerge
from usage.models.collection import (
    CollectionGap,
    CollectionState,
    CollectorEvent,
    CollectorProcess,
    JobRun,
    Reconciliation,
)
from usage.models.distribution import DistributionState, UsageDistribution
from usage.models.identity import Account, ApiKey, Channel, ChannelName, Source
from usage.models.instance import Instance
from usage.models.multiplier import PriceMultiplier
from usage.models.peak import UsagePeak
from usage.models.preferences import Preferences
from usage.models.price import ModelPrice
from usage.models.quota import QuotaWindow
from usage.models.record import (
    ClientTraits,
    FailureMessage,
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
    UsageDailyByChannel,
    UsageDailyByChannelKey,
    UsageDailyByChannelModel,
    UsageDailyByKey,
    UsageDailyByKeyChannelModel,
    UsageDailyByModel,
    UsageDailyBySource,
    UsageDailyBySourceKeyModel,
    UsageDailyFailureKinds,
    UsageDailyFailures,
    UsageDailyFailuresByKey,
    UsageFailures,
    UsageFailuresByChannel,
    UsageHourly,
    UsageHourlyByChannel,
    UsageHourlyByChannelModel,
    UsageHourlyByModel,
    UsageHourlyBySource,
    UsageQuarterHourly,
    UsageWeekly,
    UsageWeeklyByKeyChannelModel,
    UsageWeeklyBySource,
)
from usage.models.saved_view import SavedView
from usage.models.site import SiteSettings

__all__ = [
    "Account",
    "ApiKey",
    "Attempt",
    "AttemptHour",
    "Channel",
    "ChannelMerge",
    "ChannelName",
    "ClientTraits",
    "CollectionGap",
    "CollectionState",
    "CollectorEvent",
    "CollectorProcess",
    "DistributionState",
    "FailureMessage",
    "FailureText",
    "Instance",
    "JobRun",
    "ModelName",
    "ModelPrice",
    "Preferences",
    "PriceMultiplier",
    "QuarantinedPayload",
    "QuotaWindow",
    "Reconciliation",
    "RequestTraits",
    "RollupState",
    "SavedView",
    "SiteSettings",
    "Source",
    "StaleHour",
    "TokenCounts",
    "UsageDaily",
    "UsageDailyByChannel",
    "UsageDailyByChannelKey",
    "UsageDailyByChannelModel",
    "UsageDailyByKey",
    "UsageDailyByKeyChannelModel",
    "UsageDailyByModel",
    "UsageDailyBySource",
    "UsageDailyBySourceKeyModel",
    "UsageDailyFailureKinds",
    "UsageDailyFailures",
    "UsageDailyFailuresByKey",
    "UsageDistribution",
    "UsageFailures",
    "UsageFailuresByChannel",
    "UsageHourly",
    "UsageHourlyByChannel",
    "UsageHourlyByChannelModel",
    "UsageHourlyByModel",
    "UsageHourlyBySource",
    "UsagePeak",
    "UsageQuarterHourly",
    "UsageRecord",
    "UsageWeekly",
    "UsageWeeklyByKeyChannelModel",
    "UsageWeeklyBySource",
]
