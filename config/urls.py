"""All addresses: pages, setup, API, admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import DefaultRouter

from channels_app.api import ChannelViewSet
from channels_app.client_requests_api import ClientRequestViewSet
from channels_app.latency_api import LatencyViewSet
from channels_app.quota.api import QuotaViewSet
from channels_app.rates_api import RatesViewSet
from channels_app.records_api import RecordViewSet
from channels_app.sign_in import SignInView
from channels_app.usage_api import UsageViewSet
from config.api_docs import ApiDocsView
from usage.prices.crud_api import PriceViewSet
from usage.prices.multiplier_api import MultiplierViewSet

router = DefaultRouter()
router.include_root_view = False
router.register("channels", ChannelViewSet, basename="api-channels")
router.register("usage", UsageViewSet, basename="api-usage")
router.register("client-requests", ClientRequestViewSet, basename="api-client-requests")
router.register("latency", LatencyViewSet, basename="api-latency")
router.register("multipliers", MultiplierViewSet, basename="api-multipliers")
router.register("prices", PriceViewSet, basename="api-prices")
router.register("quota", QuotaViewSet, basename="api-quota")
router.register("rates", RatesViewSet, basename="api-rates")
router.register("records", RecordViewSet, basename="api-records")

handler404 = "channels_app.not_found.not_found"
handler500 = "config.migrating.server_error"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", SignInView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include(router.urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", ApiDocsView.as_view(), name="api_docs"),
    path("prices/", include("channels_app.prices_page.urls")),
    path("settings/", include("channels_app.settings_page.urls")),
    path("records/", include("channels_app.records_page.urls")),
    path("", include("usage.urls")),
    path("", include("channels_app.urls")),
]
