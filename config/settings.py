"""Every setting, read from the environment or `.env`; nothing need be set for a first run on one machine."""

from __future__ import annotations

from pathlib import Path

import environ
from csp.constants import NONE, SELF

from config.currency import read_currency
from config.database import read_database
from config.retention import kept_days
from config.secret_key import load_or_create_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

# FileAwareEnv: any NAME may come from the file that NAME_FILE names (Docker secrets).
env = environ.FileAwareEnv()
# By absolute path, because cron starts us with an empty environment in another folder.
env.read_env(BASE_DIR / ".env")

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data")))
SPOOL_DIR = DATA_DIR / "spool"

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or load_or_create_secret_key(DATA_DIR)
# After a change of SECRET_KEY the old ones go here, oldest last: management keys stay readable and client keys keep
# their identity (usage/secrets.py).
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# One CPA server may come from the environment; others are added on the pages or in the admin.
CPA_BASE_URL = env.str("CPA_BASE_URL", default="")
CPA_MANAGEMENT_KEY = env.str("CPA_MANAGEMENT_KEY", default="")
CPA_NAME = env.str("CPA_NAME", default="CPA")
# A third of the shortest time that CPA keeps a record (60 s, contract C) would be 20 s.
POLL_SECONDS = env.float("POLL_SECONDS", default=10.0)
LEGACY_POLL_SECONDS = env.float("LEGACY_POLL_SECONDS", default=120.0)
# Below this nothing is taken from CPA any more: what was taken must still find room, in the spool and the database.
SPOOL_FREE_BYTES = env.int("SPOOL_FREE_BYTES", default=64 * 2**20)
# A collector that stands by subscribes too: then the death of the other one loses nothing at all.
STANDBY_SUBSCRIBES = env.bool("STANDBY_SUBSCRIBES", default=False)

# How long records are kept unless the Settings page says so, 0 for ever; their sums stay in any case. A snapshot may
# bring the last weeks again.
RECORDS_KEPT_DAYS = kept_days(env.int("RECORDS_KEPT_DAYS", default=0))

# A price list that is compared each night, what is new and changed written: genai-prices, models.dev or litellm. Without
# one nothing ever goes to the internet. PRICE_URL is where it is instead of its own address.
PRICE_SOURCE = env.str("PRICE_SOURCE", default="")
PRICE_URL = env.str("PRICE_URL", default="")

INSTALLED_APPS = [
    "channels_app",
    "usage",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "config.foreign_apps.ApiTokensConfig",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.foreign_apps.SignInsConfig",
    "csp",
    "django_crontab",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "channels_app.viewer.ViewerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "channels_app.stats.remembering.remembering",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "channels_app.shell.shell",
            ]
        },
    }
]

# Empty, as a compose file may leave it, is as good as left out.
_database_url = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'cpa-meter.sqlite3'}"
DATABASES = {"default": read_database("DATABASE_URL", _database_url)}
# Answers the questions of pages and API instead of the main one (channels_app/stats/database.py).
REPLICA = "replica"
if _replica_url := env.str("DATABASE_REPLICA_URL", default=""):
    DATABASES[REPLICA] = read_database("DATABASE_REPLICA_URL", _replica_url) | {"TEST": {"MIRROR": "default"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "channels_app.sign_in.locked_out"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the page tells a wait that holds
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "channels_app:home"
LOGOUT_REDIRECT_URL = "login"
# Unless somebody asks to be kept signed in (channels_app/sign_in.py), and then for so many seconds: 14 days.
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = 1_209_600

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
USE_I18N = True
USE_TZ = True
# The report time zone: the days, weeks and months of every page. Rows are UTC.
TIME_ZONE = env.str("TIME_ZONE", default="") or "UTC"

# Of the pages; the database, the API and CSV files know USD only.
CURRENCY = read_currency(
    env.str("CURRENCY", default=""), env.str("CNY_PER_USD", default=""), env.str("CNY_RATE_DATE", default="")
)

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Source maps are most of what there is to compress and nobody downloads them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("jpg", "png", "webp", "gz", "br", "woff", "woff2", "map")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Behind TLS: HTTPS=true makes cookies secure and believes the proxy's X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
if HTTPS:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by who stands beside us
    SECURE_HSTS_SECONDS = 31_536_000

REST_FRAMEWORK = {
    # Tokens first: its WWW-Authenticate header makes a caller without a right get 401, not 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["config.json_renderer.FastJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
REST_KNOX = {"TOKEN_TTL": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "CPA Meter",
    "DESCRIPTION": "Usage of CLIProxyAPI servers: who used what, through which channel and account, at what cost.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# The housekeeping where there is a cron; the collector does the same work without one. Each call runs what is due. After
# a change here the installed line is refused until `manage.py crontab add`.
CRONJOBS = [("*/5 * * * *", "usage.cron.housekeeping")]
CRONTAB_LOCK_JOBS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    # httpx logs each poll's address at INFO.
    "loggers": {"httpx": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}

SITE_NAME = env.str("SITE_NAME", default="CPA Meter")
