"""Settings, read from the environment (prefix ``COSMO_``) and from files of secrets, and validated
at start-up.
"""

from shared.settings.api import ApiSettings, Scope, Token
from shared.settings.archive import ArchiveSettings
from shared.settings.calibrator import CalibratorSettings
from shared.settings.checks import CheckSettings
from shared.settings.jobs import JobSettings
from shared.settings.monitor import MonitorSettings
from shared.settings.references import ReferenceSettings
from shared.settings.secret_files import SecretFiles
from shared.settings.settings import Settings, described, get_settings

__all__ = [
    "ApiSettings",
    "ArchiveSettings",
    "CalibratorSettings",
    "CheckSettings",
    "JobSettings",
    "MonitorSettings",
    "ReferenceSettings",
    "Scope",
    "SecretFiles",
    "Settings",
    "Token",
    "described",
    "get_settings",
]
