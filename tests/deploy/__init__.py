"""Checks of the manifests, alerts and dashboards in ``deploy/``."""
