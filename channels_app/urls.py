from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from channels_app import views
from channels_app.filter_bar.views import choices

app_name = "channels_app"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="channels_app:channels"), name="home"),
    path("channels/", views.channels, name="channels"),
    path("filters/<str:name>/", choices, name="choices"),
    path("preferences/theme/", views.choose_theme, name="theme"),
]
