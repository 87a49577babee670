from __future__ import annotations

from django.urls import path

from channels_app.prices_page.edit_views import DeletePrice, EditPrice
from channels_app.prices_page.views import prices

urlpatterns = [
    path("", prices, name="prices"),
    path("add/", EditPrice.as_view(), name="price_add"),
    path("<int:pk>/", EditPrice.as_view(), name="price_edit"),
    path("<int:pk>/delete/", DeletePrice.as_view(), name="price_delete"),
]
