from __future__ import annotations

from django.urls import path

from channels_app import views
from channels_app.filter_bar.views import choices
from channels_app.overview.views import overview
from channels_app.quota.views import quota

app_name = "channels_app"
urlpatterns = [
    path("", overview, name="home"),
    path("channels/", views.channels, name="channels"),
    path("quota/", quota, name="quota"),
    path("filters/<str:name>/", choices, name="choices"),
    path("preferences/privacy/", views.choose_privacy, name="privacy"),
    path("preferences/theme/", views.choose_theme, name="theme"),
]
