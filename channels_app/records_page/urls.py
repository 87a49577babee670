from __future__ import annotations

from django.urls import path

from channels_app.records_page.views import newcomers, record, record_list

urlpatterns = [
    path("", record_list, name="records"),
    path("new/", newcomers, name="new_records"),
    path("<int:pk>/", record, name="record"),
]
