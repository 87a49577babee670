from __future__ import annotations

from django.urls import path

from channels_app.prices_page.edit_views import DeletePrice, EditPrice, Matches
from channels_app.prices_page.import_views import MULTIPLIER_FILE, ApplyCsv, ChooseCsv
from channels_app.prices_page.multiplier_views import DeleteMultiplier, EditMultiplier, multipliers
from channels_app.prices_page.sync_views import ApplyList, ChooseList
from channels_app.prices_page.views import prices

urlpatterns = [
    path("", prices, name="prices"),
    path("add/", EditPrice.as_view(), name="price_add"),
    path("<int:pk>/", EditPrice.as_view(), name="price_edit"),
    path("<int:pk>/delete/", DeletePrice.as_view(), name="price_delete"),
    path("matches/", Matches.as_view(), name="price_matches"),
    path("sync/", ChooseList.as_view(), name="price_sync"),
    path("sync/<slug:key>/", ApplyList.as_view(), name="price_sync_preview"),
    path("import/", ChooseCsv.as_view(), name="price_import"),
    path("import/<slug:key>/", ApplyCsv.as_view(), name="price_import_preview"),
    path("multipliers/", multipliers, name="multipliers"),
    path("multipliers/add/", EditMultiplier.as_view(), name="multiplier_add"),
    path("multipliers/import/", ChooseCsv.as_view(kind=MULTIPLIER_FILE), name="multiplier_import"),
    path("multipliers/import/<slug:key>/", ApplyCsv.as_view(kind=MULTIPLIER_FILE), name="multiplier_import_preview"),
    path("multipliers/<int:pk>/", EditMultiplier.as_view(), name="multiplier_edit"),
    path("multipliers/<int:pk>/delete/", DeleteMultiplier.as_view(), name="multiplier_delete"),
]
