"""Every view of the application over the demo, by the name that its screenshots have (`ui.md` 11 and 18)."""

from __future__ import annotations

from datetime import timedelta

from usage.models import Account, ApiKey, Channel, ModelName, ModelPrice, Source, UsageRecord

NOBODY = {"login": "/login/"}


def views() -> dict[str, str]:
    """Return addresses by name, of the demo that was seeded."""
    limited = UsageRecord.objects.filter(status_code=429).latest("requested_at")
    failed, message = limited.pk, limited.message_id
    within = (limited.requested_at - timedelta(days=2)).date()
    succeeded = UsageRecord.objects.filter(failed=False, cost_nanousd__gt=0, reasoning__gt=0).latest("requested_at").pk
    price = ModelPrice.objects.get(pattern="claude-opus-4-6").pk
    account = Account.objects.exclude(retry_at=None).latest("pk").pk
    model, key = ModelName.objects.get(name="claude-opus-4-6").pk, ApiKey.objects.exclude(alias="").earliest("pk").pk
    unknown, channel = (
        Source.objects.filter(channel=None, account=None).earliest("pk").pk,
        Channel.objects.get(slug="kimi").pk,
    )
    return {
        "overview": "/",
        "overview-share": "/?by=type&stack=share&range=30d",
        "overview-failed": "/?metric=failed&by=model&open=claude&range=24h",
        "overview-gap": "/?range=1h",
        "overview-heat": "/?heat=requests",
        "overview-quarters": "/?range=24h&bucket=15m&by=model",
        "overview-compare-off": "/?cmp=off",
        "overview-empty-filter": "/?channel=xai&range=24h",
        "channels": "/channels/",
        "channels-expanded": "/channels/?open=claude,codex,unknown&sort=-cost",
        "channels-filtered": "/channels/?channel=claude&channel=codex&model=claude-opus-4-6&status=fail&tz=America/St_Johns&range=24h",
        "channels-current": "/channels/?basis=current&range=30d",
        "channels-dear": "/channels/?range=90d&open=claude",
        "channels-wrong": "/channels/?from=2026-11-20&to=2026-11-01",
        "channels-idle": "/channels/?idle=1",
        "channels-empty": "/channels/?channel=xai",
        "channels-columns": "/channels/?cols=delta&cols=last&cols=p95&metric=cost&stack=share",
        "channel": "/channels/claude/",
        "channel-errors": "/channels/codex/?view=code&range=30d&by=key",
        "channel-unknown": "/channels/unknown/",
        "account": f"/accounts/{account}/?range=30d",
        "model": f"/models/{model}/?view=endpoint",
        "key": f"/keys/{key}/?range=24h",
        "models": "/models/",
        "models-open": f"/models/?open=model-{model}&cols=ttft&cols=each&cols=size&sort=-speed",
        "models-unpriced": "/models/?unpriced=1&range=30d",
        "keys": "/keys/",
        "keys-edit": f"/keys/?open=key-{key}&edit={key}&metric=cost&cols=first",
        "records": "/records/",
        "records-columns": "/records/?sort=-tokens&cols=endpoint&cols=hit&cols=request&cols=tier&cols=attempts&cols=ip&cols=agent&q=opus&min_cost=0.1&bucket=1d",
        "records-own-columns": "/records/?cols=-input&cols=-cached&cols=-ttft&cols=total&cols=attempts",
        "records-retried": "/records/?retried=1&range=30d",
        "record": f"/records/{succeeded}/",
        "record-failed": f"/records/{failed}/",
        "errors": "/errors/",
        "errors-open": f"/errors/?open=429-{message}&range=30d",
        "errors-last": "/errors/?sort=-last&channel=codex&code=5xx&range=30d",
        "explore": "/explore/",
        "explore-lines": "/explore/?metric=p95&by=model&log=1&range=30d",
        "explore-divided": "/explore/?metric=cost&by2=model&view=share&range=30d",
        "explore-sum": "/explore/?metric=requests&by=status&view=sum&limit=5",
        "explore-clients": "/explore/?metric=client_success&range=30d",
        "explore-peaks": "/explore/?metric=peak_tpm&by=model&range=30d",
        "explore-active": "/explore/?metric=keys&by=model&range=30d",
        "explore-endpoints": "/explore/?by=endpoint&metric=requests&range=24h",
        "scatter": "/explore/?mode=scatter",
        "scatter-speed": "/explore/?mode=scatter&y=speed&min_speed=20&min_tokens=1000&color=model",
        "scatter-window": f"/explore/?mode=scatter&around=7d&from={within}&to={within}&min_latency=2&max_latency=40",
        "explore-saved": "/explore/?metric=saved&by=model&range=30d",
        "explore-rates": "/explore/?metric=rpm&by2=model&range=24h",
        "scatter-bounds": "/explore/?mode=scatter&x=input&y=cost&color=model&min_cost=0.01&range=30d",
        "records-current": "/records/?basis=current&sort=-cost",
        "quota": "/quota/",
        "settings": "/settings/",
        "shortcuts": "/shortcuts/",
        "settings-display": "/settings/display/?zone=Asia/Shanghai",
        "settings-channels": "/settings/channels/",
        "settings-assign": f"/settings/sources/{unknown}/assign/?next=/channels/",
        "settings-merge": f"/settings/channels/{channel}/merge/",
        "settings-matching": "/settings/channels/matching/",
        "settings-names": "/settings/names/",
        "settings-servers": "/settings/servers/",
        "settings-retention": "/settings/retention/",
        "settings-users": "/settings/users/",
        "settings-tokens": "/settings/tokens/",
        "settings-about": "/settings/about/",
        "prices": "/prices/",
        "prices-test": "/prices/?model=gpt-5-codex&tier=priority&input_tokens=300000",
        "prices-unpriced": "/prices/?show=unpriced",
        "price-add": "/prices/add/?model=aurora-mini-preview",
        "price-edit": f"/prices/{price}/",
        "price-delete": f"/prices/{price}/delete/",
        "prices-sync": "/prices/sync/",
        "prices-import": "/prices/import/",
        "multipliers": "/prices/multipliers/",
        "multipliers-import": "/prices/multipliers/import/",
        "multiplier-add": "/prices/multipliers/add/",
        "collector": "/collector/",
        "server": "/setup/server/",
    }
