from __future__ import annotations

from django.urls import path

from usage.api import SyncView
from usage.setup.views import AdministratorView, ServerView

urlpatterns = [
    path("setup/server/", ServerView.as_view(), name="setup_server"),
    path("setup/server/<int:pk>/", ServerView.as_view(), name="setup_server"),
    path("setup/<str:token>/", AdministratorView.as_view(), name="setup"),
    path("api/sync/", SyncView.as_view(), name="api_sync"),
]
