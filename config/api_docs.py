"""The page of the API."""

from __future__ import annotations

from csp.decorators import csp_replace
from django.contrib.auth.mixins import LoginRequiredMixin
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularSwaggerSplitView


# Swagger UI draws with style attributes and inline SVG; its scripts are our own files like all others.
@method_decorator(csp_replace({"style-src": ["'self'", "'unsafe-inline'"]}), name="dispatch")
class ApiDocsView(LoginRequiredMixin, SpectacularSwaggerSplitView):
    url_name = "api_schema"
