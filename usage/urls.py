from __future__ import annotations

from django.urls import path

from usage.api import SyncView
from usage.collector_page import views as collector
from usage.health import healthz, readyz
from usage.prices.resolve_api import ResolveView
from usage.setup.views import AdministratorView, ServerView

urlpatterns = [
    path("setup/server/", ServerView.as_view(), name="setup_server"),
    path("setup/server/<int:pk>/", ServerView.as_view(), name="setup_server"),
    path("setup/<str:token>/", AdministratorView.as_view(), name="setup"),
    path("collector/", collector.collector, name="collector"),
    path("collector/<int:pk>/poll/", collector.PollNow.as_view(), name="collector_poll"),
    path("collector/<int:pk>/accounts/", collector.SyncAccounts.as_view(), name="collector_accounts"),
    path("collector/<int:pk>/check/", collector.CheckConnection.as_view(), name="collector_check"),
    path("collector/<int:pk>/mode/", collector.ChangeMode.as_view(), name="collector_mode"),
    path("collector/<int:pk>/statistics/", collector.SwitchStatisticsOn.as_view(), name="collector_statistics"),
    path("collector/gaps/<int:pk>/acknowledge/", collector.AcknowledgeGap.as_view(), name="collector_acknowledge"),
    path("collector/quarantine/<int:pk>/retry/", collector.RetryPayload.as_view(), name="collector_retry"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/prices/resolve/", ResolveView.as_view(), name="api_resolve_price"),
    path("api/sync/", SyncView.as_view(), name="api_sync"),
]
