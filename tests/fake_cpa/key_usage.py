"""`GET /api-key-usage`: the counters of every configured key (contract I)."""

from __future__ import annotations

from tests.fake_cpa import go_json
from tests.fake_cpa.attempt import compat_provider
from tests.fake_cpa.credentials import ApiKeyCredential, AuthFile, ConfigKey
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.listings import Fields, recent_requests


def api_key_usage(instance: Instance) -> bytes:
    groups: dict[str, dict[str, list[ApiKeyCredential]]] = {}
    for credential in instance.credentials.each():
        if not isinstance(credential, AuthFile) and credential.api_key:
            of_provider = groups.setdefault(_provider(instance, credential), {})
            of_provider.setdefault(_key(instance, credential), []).append(credential)
    return go_json.encode(
        {
            provider: {key: _entry(instance, credentials) for key, credentials in sorted(keys.items())}
            for provider, keys in sorted(groups.items())
        }
    )


def _provider(instance: Instance, credential: ApiKeyCredential) -> str:
    if isinstance(credential, ConfigKey):
        return credential.provider
    if instance.profile.does("key usage by compat name"):
        return credential.compat_name
    return compat_provider(credential.compat_name, instance.profile)


def _key(instance: Instance, credential: ApiKeyCredential) -> str:
    if instance.profile.does("key usage by base url"):
        return f"{credential.base_url}|{credential.api_key}"
    return credential.api_key


def _entry(instance: Instance, credentials: list[ApiKeyCredential]) -> Fields | list[Fields]:
    """Entries that share base URL and key are added up."""
    recent = [_sum(buckets) for buckets in zip(*(recent_requests(instance, each) for each in credentials), strict=True)]
    if not instance.profile.does("key usage counts"):
        return recent
    success = sum(credential.success for credential in credentials)
    failed = sum(credential.failed for credential in credentials)
    return {"success": success, "failed": failed, "recent_requests": recent}


def _sum(buckets: tuple[Fields, ...]) -> Fields:
    success = sum(int(str(bucket["success"])) for bucket in buckets)
    failed = sum(int(str(bucket["failed"])) for bucket in buckets)
    return {"time": buckets[0]["time"], "success": success, "failed": failed}
