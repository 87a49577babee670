from __future__ import annotations

from django.urls import path

from channels_app import views
from channels_app.columns import choose_columns
from channels_app.dismissed import dismiss
from channels_app.entity_page import views as entity
from channels_app.errors_page.views import errors
from channels_app.explore_page.views import delete_view, explore, save_view
from channels_app.filter_bar.views import choices
from channels_app.keys_page.views import alias, keys
from channels_app.models_page.views import models
from channels_app.overview.views import overview
from channels_app.quota.views import quota
from channels_app.shortcuts import shortcuts

app_name = "channels_app"
urlpatterns = [
    path("", overview, name="home"),
    path("channels/", views.channels, name="channels"),
    path("channels/<slug:which>/", entity.channel, name="channel"),
    path("accounts/<int:which>/", entity.account, name="account"),
    path("models/", models, name="models"),
    path("models/<int:which>/", entity.model, name="model"),
    path("keys/", keys, name="keys"),
    path("keys/<int:which>/", entity.key, name="key"),
    path("keys/<int:pk>/alias/", alias, name="alias"),
    path("errors/", errors, name="errors"),
    path("explore/", explore, name="explore"),
    path("explore/views/", save_view, name="save_view"),
    path("explore/views/<int:pk>/delete/", delete_view, name="delete_view"),
    path("quota/", quota, name="quota"),
    path("filters/<str:name>/", choices, name="choices"),
    path("shortcuts/", shortcuts, name="shortcuts"),
    path("preferences/dismiss/", dismiss, name="dismiss"),
    path("preferences/columns/", choose_columns, name="columns"),
    path("preferences/refresh/", views.choose_refresh, name="refresh"),
    path("preferences/privacy/", views.choose_privacy, name="privacy"),
    path("preferences/theme/", views.choose_theme, name="theme"),
]
