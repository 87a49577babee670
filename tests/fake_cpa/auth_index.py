"""`auth_index`: the hash by which a record names its credential (contract E). Its seed changed three times."""

from __future__ import annotations

import hashlib
from functools import cache

from tests.fake_cpa.credentials import AnyCredential, ApiKeyCredential, AuthFile, CompatKey, CompatProvider, ConfigKey
from tests.fake_cpa.versions import Profile

# Words that the server puts into the internal ids and sources of configured keys.
_ID_KINDS = {
    "gemini-api-key": ("gemini:apikey", "gemini"),
    "interactions-api-key": ("gemini-interactions:apikey", "interactions"),
    "claude-api-key": ("claude:apikey", "claude"),
    "codex-api-key": ("codex:apikey", "codex"),
    "xai-api-key": ("xai:apikey", "xai"),
    "vertex-api-key": ("vertex:apikey", "vertex-apikey"),
}


def auth_index(credential: AnyCredential, profile: Profile, auth_dir: str) -> str:
    return _hash(_seed(credential, profile, auth_dir))


@cache
def _hash(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:16]


def _seed(credential: AnyCredential, profile: Profile, auth_dir: str) -> str:
    if isinstance(credential, AuthFile):
        return _file_seed(credential, profile, auth_dir)
    if profile.does("auth_index by config seed"):
        return _config_seed(credential)
    api_key = credential.api_key
    if profile.does("auth_index by file name"):
        return f"api_key:{api_key}" if api_key else f"id:{internal_id(credential)}"
    list_name = credential.list_name if isinstance(credential, ConfigKey) else "openai-compatibility"
    if not api_key or list_name == "vertex-api-key":
        return f"id:{internal_id(credential)}"
    return f"{list_name}:{credential.base_url}+{api_key}"


def _file_seed(file: AuthFile, profile: Profile, auth_dir: str) -> str:
    if file.runtime_only:
        return f"id:{file.name}"
    if not profile.does("auth_index by file name"):
        return f"{file.provider}:{auth_dir}/{file.name}"
    if not file.live:
        return f"file:{file.name}"
    if profile.does("auth_index by config seed"):
        return f"config:provider={file.provider}\0source={auth_dir}/{file.name}"
    return f"id:{file.name}"


def _config_seed(credential: ApiKeyCredential) -> str:
    provider = credential.provider if isinstance(credential, ConfigKey) else credential.compat_name
    _, source = _id_kind(credential)
    parts = {
        "provider": provider,
        "compat": credential.compat_name,
        "base": credential.base_url,
        "proxy": credential.proxy_url,
        "api_key": credential.api_key,
        "source": f"config:{source}[{_token(credential)}]",
    }
    return "config:" + "\0".join(f"{name}={value}" for name, value in parts.items() if value)


def internal_id(credential: ApiKeyCredential) -> str:
    return f"{_id_kind(credential)[0]}:{_token(credential)}"


def _token(credential: ApiKeyCredential) -> str:
    kind, _ = _id_kind(credential)
    return hashlib.sha256("\0".join((kind, *_id_parts(credential))).encode()).hexdigest()[:12]


def _id_parts(credential: ApiKeyCredential) -> tuple[str, ...]:
    if isinstance(credential, CompatProvider):
        return (credential.base_url,)
    if isinstance(credential, CompatKey) or credential.list_name == "vertex-api-key":
        return credential.api_key, credential.base_url, credential.proxy_url
    return credential.api_key, credential.base_url


def _id_kind(credential: ApiKeyCredential) -> tuple[str, str]:
    if isinstance(credential, ConfigKey):
        return _ID_KINDS[credential.list_name]
    return f"openai-compatibility:{credential.compat_name}", credential.compat_name
