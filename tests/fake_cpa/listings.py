"""What the server tells about its credentials: auth files and key lists (contract G, H)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tests.fake_cpa import go_json
from tests.fake_cpa.credentials import (
    RECENT_BUCKET_SECONDS,
    RECENT_BUCKETS,
    AuthFile,
    CompatKey,
    CompatProvider,
    ConfigKey,
    Credential,
)
from tests.fake_cpa.instance import Instance

Fields = dict[str, object]

_OPTIONAL_FILE_FIELDS = frozenset(
    [
        "email",
        "account",
        "project_id",
        "path",
        "next_retry_after",
        "id_token",
        "priority",
        "note",
        "websockets",
        "weight",
        "request_retry",
    ]
)
# Lists whose entries always show these three, even empty.
_TALKATIVE_LISTS = frozenset({"claude-api-key", "codex-api-key", "xai-api-key"})
_ALWAYS_SHOWN = frozenset({"base-url", "proxy-url", "models"})


def auth_files(instance: Instance, query: Mapping[str, str]) -> bytes:
    profile = instance.profile
    files = list(instance.credentials.files)
    if profile.does("auth files are sorted"):
        files.sort(key=lambda file: file.name.lower())
    if profile.does("auth file filters"):
        files = [file for file in files if _matches(instance, file, query)]
    return go_json.encode_map({"files": [_auth_file(instance, file) for file in files]})


def _matches(instance: Instance, file: AuthFile, query: Mapping[str, str]) -> bool:
    name, index = query.get("name", "").strip(), query.get("auth_index", "").strip()
    return name in ("", file.name) and index in ("", instance.auth_index_of(file))


def _auth_file(instance: Instance, file: AuthFile) -> Fields:
    fields = {**_file_identity(instance, file), **_file_state(instance, file)}
    always = fields.keys() - _OPTIONAL_FILE_FIELDS
    return {name: fields[name] for name in instance.profile.auth_file_fields if name in always or _is_set(fields[name])}


def _is_set(value: object) -> bool:
    return value is not None and value != "" and value != {}


def _file_identity(instance: Instance, file: AuthFile) -> Fields:
    return {
        "id": file.name,
        "name": file.name,
        "type": file.provider,
        "provider": file.provider,
        "label": file.email if file.label is None else file.label,
        "email": file.email,
        "account_type": "oauth",
        "account": file.email,
        "project_id": file.project_id,
        "auth_index": instance.auth_index_of(file),
        "id_token": _id_token(file),
        "source": "memory" if file.runtime_only else "file",
        "path": "" if file.runtime_only else f"{instance.auth_dir}/{file.name}",
        "runtime_only": file.runtime_only,
        "size": 0 if file.runtime_only else 2048,
    }


def _id_token(file: AuthFile) -> Fields:
    if file.provider != "codex" or not file.plan:
        return {}
    return {"chatgpt_account_id": "00000000-1111-4222-8333-555555555555", "plan_type": file.plan}


def _file_state(instance: Instance, file: AuthFile) -> Fields:
    created = go_json.timestamp(file.created_ns, instance.zone)
    retry_after = file.next_retry_after_ns
    return {
        "status": "disabled" if file.disabled else file.status,
        "status_message": file.status_message,
        "disabled": file.disabled,
        "unavailable": file.unavailable,
        "next_retry_after": go_json.timestamp(retry_after, instance.zone) if retry_after else "",
        "success": file.success,
        "failed": file.failed,
        "recent_requests": recent_requests(instance, file),
        "modtime": created,
        "created_at": created,
        "updated_at": created,
        "last_refresh": created,
        "priority": file.priority or None,
        "note": file.note,
        "websockets": file.websockets,
        "weight": file.weight,
        "request_retry": file.request_retry,
    }


def recent_requests(instance: Instance, credential: Credential) -> list[Fields]:
    """Twenty buckets of ten minutes, oldest first, labelled in the server's local time."""
    newest = int(instance.clock.now()) // RECENT_BUCKET_SECONDS
    return [_bucket(instance, credential, number) for number in range(newest - RECENT_BUCKETS + 1, newest + 1)]


def _bucket(instance: Instance, credential: Credential, number: int) -> Fields:
    success, failed = credential.recent.get(number, (0, 0))
    start, end = (
        datetime.fromtimestamp(edge * RECENT_BUCKET_SECONDS, instance.zone).strftime("%H:%M")
        for edge in (number, number + 1)
    )
    return {"time": f"{start}-{end}", "success": success, "failed": failed}


def key_list(instance: Instance, list_name: str) -> bytes:
    if list_name == "generative-language-api-key":
        entries: list[object] = [key.api_key for key in _keys_of(instance, "gemini-api-key")]
    else:
        entries = [_config_key(instance, key) for key in _keys_of(instance, list_name)]
    return _envelope(instance, list_name, entries)


def compat_list(instance: Instance) -> bytes:
    entries: list[object] = [_compat(instance, provider) for provider in instance.credentials.compat]
    return _envelope(instance, "openai-compatibility", entries)


def _keys_of(instance: Instance, list_name: str) -> list[ConfigKey]:
    return [key for key in instance.credentials.keys if key.list_name == list_name]


def _envelope(instance: Instance, name: str, entries: list[object]) -> bytes:
    empty: list[object] | None = [] if instance.profile.does("empty lists are []") else None
    return go_json.encode({name: entries or empty})


def _config_key(instance: Instance, key: ConfigKey) -> Fields:
    switched_off = key.disabled and instance.profile.does("excluded-models switches off")
    fields = {
        "api-key": key.api_key,
        "priority": key.priority,
        "weight": key.weight,
        "prefix": key.prefix,
        "base-url": key.base_url,
        "websockets": key.websockets,
        "proxy-url": key.proxy_url,
        "models": _models(key.models),
        "headers": key.headers,
        "excluded-models": ["*"] if switched_off else key.excluded_models,
        "auth-index": "" if key.disabled else instance.auth_index_of(key),
    }
    always = {"api-key"} | (_ALWAYS_SHOWN if key.list_name in _TALKATIVE_LISTS else set())
    return _present(fields, instance.profile.key_fields, always)


def _models(models: dict[str, str]) -> list[dict[str, str]] | None:
    return [{"name": name, "alias": alias} for name, alias in models.items()] or None


def _compat(instance: Instance, provider: CompatProvider) -> Fields:
    profile = instance.profile
    keyless_index = "" if provider.keys or provider.disabled else instance.auth_index_of(provider)
    fields = {
        "name": provider.name,
        "priority": provider.priority,
        "disabled": provider.disabled,
        "prefix": provider.prefix,
        "base-url": provider.base_url,
        "api-keys": [key.api_key for key in provider.keys],
        "api-key-entries": [_compat_key(instance, key) for key in provider.keys],
        "models": _models(provider.models),
        "headers": provider.headers,
        "auth-index": keyless_index,
    }
    always = {"name", "base-url", "disabled"} | (
        {"models"} if profile.does("compat models are always shown") else set()
    )
    return _present(fields, profile.compat_fields, always)


def _compat_key(instance: Instance, key: CompatKey) -> Fields:
    fields = {
        "api-key": key.api_key,
        "proxy-url": key.proxy_url,
        "weight": key.weight,
        "auth-index": "" if key.compat.disabled else instance.auth_index_of(key),
    }
    return _present(fields, instance.profile.compat_key_fields, {"api-key"})


def _present(fields: Mapping[str, object], names: tuple[str, ...], always: set[str] | frozenset[str]) -> Fields:
    return {name: fields[name] for name in names if name in always or fields[name]}
