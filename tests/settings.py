"""The portal's settings with the tests' own jobs, for worker processes that tests start."""

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.workshop"]
