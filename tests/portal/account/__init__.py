"""Tests of portal.account."""
