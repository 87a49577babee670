from __future__ import annotations

from django.urls import path

from channels_app.prices_page import views

urlpatterns = [
    path("", views.prices, name="prices"),
]
