"""Settings: environment in, settings out; production refuses to start half-configured (W2).

`PLIMSOLL_MODE` is `production` (default), `demo` or `test`; only the last two allow a set clock and plain http.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from portal import env

BASE_DIR = Path(__file__).resolve().parent.parent
MODE = env.text("PLIMSOLL_MODE", "production")
if MODE not in ("production", "demo", "test"):
    raise ImproperlyConfigured("PLIMSOLL_MODE must be production, demo or test.")
PRODUCTION = MODE == "production"
DEBUG = False
ALLOW_SET_CLOCK = not PRODUCTION
ALLOW_FAULTS = MODE == "test"

SECRET_KEY = env.text("SECRET_KEY", "" if PRODUCTION else "only-for-the-demo-and-tests-" + "0" * 40)
if PRODUCTION and (len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10):
    raise ImproperlyConfigured("SECRET_KEY must be set to at least 50 random characters.")
if PRODUCTION and env.text("PLIMSOLL_FAULT", ""):
    raise ImproperlyConfigured("PLIMSOLL_FAULT is for tests only.")

PUBLIC_URL = env.text("PUBLIC_URL", "" if PRODUCTION else "http://localhost:8000").rstrip("/")
if PRODUCTION and not PUBLIC_URL.startswith("https://"):
    raise ImproperlyConfigured("PUBLIC_URL must be the portal's https address, for example https://portal.example.com.")
PLAIN_HTTP = PUBLIC_URL.startswith("http://")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "" if PRODUCTION else "localhost 127.0.0.1 [::1]")
if PRODUCTION and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the portal's hosts; a wildcard is refused.")
CSRF_TRUSTED_ORIGINS = [] if PLAIN_HTTP else [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "portal.account",  # before allauth, whose pages it replaces
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "django_tables2",
    "portal.tenancy",
    "portal.web",
    "portal.brand",
    "portal.outbox",
    "portal.notify",
    "portal.shares",
    "portal.webhooks",
    "portal.checks",
    "portal.demo",
    "tracking",
    "kpis",
    "tiers",
]

MIDDLEWARE = [
    "portal.web.middleware.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.web.middleware.HeadersMiddleware",
    "portal.web.language.LanguageMiddleware",
    "portal.web.middleware.TextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.web.middleware.ProblemMiddleware",
    "portal.tenancy.middleware.ScopeMiddleware",
    "portal.web.language.OwnLanguageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.account.middleware.SecondFactorMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "portal" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.shell",
            ],
        },
    },
]


def _database(variable: str, **options: Any) -> dict[str, Any]:
    found = env.database(variable)
    found["ENGINE"] = "portal.tenancy.backend"
    found.setdefault("OPTIONS", {})
    found.update(options)
    return found


_THREADS = env.number("WEB_THREADS", 4)
_POOLER = env.flag("DATABASE_POOLER", False)  # through PgBouncer in transaction mode
# One connection a thread, kept open; no server-side cursors through a pooler.
_CONNECTION = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": _POOLER}
DATABASES = {
    "default": _database("DATABASE_URL", **_CONNECTION),
    "operator": _database("DATABASE_OPERATOR_URL", **_CONNECTION),
    "owner": _database("DATABASE_OWNER_URL", CONN_MAX_AGE=0),
}
DATABASE_ROUTERS = ["portal.tenancy.router.ScopeRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = ["portal.account.backends.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "portal.account.validators.OwnNamesValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portal.account.adapter.AccountAdapter"
MFA_ADAPTER = "portal.account.adapter.MFAAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation, which proves the address
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_RATE_LIMITS = False  # ours are exact and stand in portal.account.limits (A3)
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_FORMS = {
    "login": "portal.account.forms.SignInForm",
    "reset_password": "portal.account.forms.ResetForm",
    "reset_password_from_key": "portal.account.forms.NewPasswordForm",
    "change_password": "portal.account.forms.ChangePasswordForm",
    "reauthenticate": "portal.account.forms.ConfirmPasswordForm",
}
MFA_FORMS = {
    "authenticate": "portal.account.forms.CodeForm",
    "reauthenticate": "portal.account.forms.ConfirmCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Plimsoll"
MFA_RECOVERY_CODE_COUNT = 10

# allauth rate limits and Django's messages use it; correctness never rests on a cache.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SECURE = not PLAIN_HTTP
SESSION_COOKIE_NAME = "sessionid" if PLAIN_HTTP else "__Host-sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SECURE = not PLAIN_HTTP
CSRF_COOKIE_NAME = "csrftoken" if PLAIN_HTTP else "__Host-csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.web.problems.csrf_failure"
SECURE_SSL_REDIRECT = False  # the proxy's business; the portal itself never speaks plain http in production
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not PLAIN_HTTP
SECURE_HSTS_PRELOAD = not PLAIN_HTTP
SECURE_PROXY_SSL_HEADER = None if PLAIN_HTTP else ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
PROXY_COUNT = env.number("PROXY_COUNT", 0)  # how many proxies' forwarded headers count (W3)
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # SECURE_SSL_REDIRECT, see above

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
INGEST_MAX_BYTES = 5 * 1024 * 1024
# Above these marks the doors for messages say "later" before anything is stored (G13).
INGEST_MOST_WAITING = env.number("INGEST_MOST_WAITING", 20_000)  # received and not applied, of one account
INGEST_DISK = env.text("INGEST_DISK", "")  # a folder on the database's disk, where it is on this host
INGEST_LEAST_FREE_MB = env.number("INGEST_LEAST_FREE_MB", 1024)

# Partners' folders (SFTP), one a source; empty: none are looked at.
INBOX_DIR = env.text("INBOX_DIR", "")
INBOX_SETTLE_SECONDS = env.number("INBOX_SETTLE_SECONDS", 30)  # a file that did not change for so long is whole

# Addresses that people configure are called by portal.lib.egress alone (H6). A host may be named with a port.
EGRESS_PORTS = env.numbers("EGRESS_PORTS", "443")
EGRESS_ALLOW_HOSTS = env.words("EGRESS_ALLOW_HOSTS", "")  # may have addresses that are not public
EGRESS_PLAIN_HOSTS = env.words("EGRESS_PLAIN_HOSTS", "")  # may be called without TLS
WEBHOOK_ALLOW_HOSTS = env.words("WEBHOOK_ALLOW_HOSTS", "")  # the demo and tests: customers' endpoints on this machine
if PRODUCTION and WEBHOOK_ALLOW_HOSTS:
    raise ImproperlyConfigured("WEBHOOK_ALLOW_HOSTS is for the demo and tests: customers' addresses must be public.")
if PRODUCTION and (public := [host for host in EGRESS_PLAIN_HOSTS if not env.is_closed_host(host)]):
    raise ImproperlyConfigured(
        f"EGRESS_PLAIN_HOSTS is for closed networks: {' '.join(public)} may be public and needs https."
    )

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("zh-hans", "简体中文")]  # each in its own words
LANGUAGE_COOKIE_NAME = "language" if PLAIN_HTTP else "__Host-language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SECURE = not PLAIN_HTTP
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
if not PRODUCTION:  # files are served from their sources; the folder is only looked for
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "portal" / "web" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # files live in PostgreSQL
    # production serves what collectstatic hashed and compressed; the demo and the tests serve the files as they stand
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_MANIFEST_STRICT = PRODUCTION

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CALLS_QUEUE = "plimsoll_calls"  # work that waits for other people's machines; a worker without -Q takes it too
CELERY_APP = "portal.celery.app"  # found by name: it stands above everything that publishes
OUTBOX_LEASE_SECONDS = env.number("OUTBOX_LEASE_SECONDS", 30)  # of a first try; each further one holds twice as long
OUTBOX_AGAIN_SECONDS = env.number("OUTBOX_AGAIN_SECONDS", 30)  # published, but nobody took it: publish again
OUTBOX_IN_FLIGHT = env.number("OUTBOX_IN_FLIGHT", 200)  # at most so many published rows a tenant

_MAIL = env.mail("EMAIL_URL")
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _MAIL.host, _MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.user, _MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL.starttls, _MAIL.tls
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", "Plimsoll <portal@localhost>")
MAIL_BOUNCES = env.text("MAIL_BOUNCES", "")  # mail comes back to local+tag@domain of this address; empty: to MAIL_FROM
if MAIL_BOUNCES and not re.fullmatch(r"[A-Za-z0-9._-]{1,20}@[A-Za-z0-9.-]+", MAIL_BOUNCES):
    raise ImproperlyConfigured("MAIL_BOUNCES must be one plain address such as bounces@portal.example.com.")
BOUNCE_KEY = env.text("BOUNCE_KEY", "")  # whoever posts what came back must know it; empty: that door is closed
if BOUNCE_KEY and len(BOUNCE_KEY) < 32:
    raise ImproperlyConfigured("BOUNCE_KEY must have 32 characters or more.")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.account.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.web.policy.DeniedByDefault"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "portal.web.problems.api_exception",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "portal.web.schema.ApiSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Plimsoll API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "What an account's pages show, for its systems to read. Times are in UTC, exact numbers are texts.",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SORT_OPERATIONS": False,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer",
                    "description": "An API key of the account, made under Settings."},
            "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE_NAME,
                        "description": "The session of a person who is signed in."},
        }
    },
}  # fmt: skip
API_CALLS_A_MINUTE = env.number("API_CALLS_A_MINUTE", 600)  # of one key, or of one person's session
API_ACCOUNT_CALLS_A_MINUTE = env.number("API_ACCOUNT_CALLS_A_MINUTE", 3000)  # of all of an account's together
DJANGO_TABLES2_TEMPLATE = "web/table.html"

# The key that seals secrets at rest and signs snapshots; 64 hex digits each.
SEAL_KEY = env.text("SEAL_KEY", "" if PRODUCTION else "5ea1" * 16)
SIGNING_KEY = env.text("SIGNING_KEY", "" if PRODUCTION else "51" * 32)
if PRODUCTION and (len(SEAL_KEY) != 64 or len(SIGNING_KEY) != 64):
    raise ImproperlyConfigured("SEAL_KEY and SIGNING_KEY must be 64 hexadecimal digits each.")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "portal.web.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.server": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}
