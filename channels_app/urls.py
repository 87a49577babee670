from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from channels_app import views

app_name = "channels_app"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="channels_app:channels"), name="home"),
    path("channels/", views.channels, name="channels"),
    path("preferences/theme/", views.choose_theme, name="theme"),
]
