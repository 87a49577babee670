"""The server that the environment names, kept as a row like any other."""

from __future__ import annotations

from django.conf import settings

from usage.models import Instance


def ensure_instance_from_settings() -> Instance | None:
    """Create or bring up to date the server of CPA_BASE_URL and CPA_MANAGEMENT_KEY; None where they are not set."""
    if not settings.CPA_BASE_URL:
        return None
    base_url = settings.CPA_BASE_URL.rstrip("/")
    instance = Instance.objects.filter(base_url=base_url).first() or Instance(base_url=base_url, name=_free_name())
    if not instance.encrypted_key or instance.management_key != settings.CPA_MANAGEMENT_KEY:
        instance.management_key = settings.CPA_MANAGEMENT_KEY
        instance.save()
    return instance


def _free_name() -> str:
    taken = set(Instance.objects.values_list("name", flat=True))
    names = (settings.CPA_NAME if n == 1 else f"{settings.CPA_NAME} {n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
