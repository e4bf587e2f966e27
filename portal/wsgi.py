"""The WSGI entry for gunicorn or granian."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
# What is loaded by now stays: looking through it again and again would cost a large message a tenth of its time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)
