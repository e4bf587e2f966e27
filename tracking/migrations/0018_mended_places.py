"""Eighteen ports that lay far off, where nobody has moved them since (tracking/data/LICENCES.md)."""

from django.db import migrations

_MENDED = (  # code, latitude and longitude as they were, as they are
    ("ARDDC", "-59.19976", "-34.04476", "-34.04476", "-59.19976"),
    ("AUGOV", "-12.37807", "130.87179", "-12.21879", "136.58152"),
    ("BRITQ", "-29.12940", "-56.54811", "-2.56961", "-44.34195"),
    ("CNPUT", "24.43000", "119.02000", "25.42680", "119.03687"),
    ("CNSWA", "23.13219", "113.26653", "23.35208", "116.69335"),
    ("CNTAP", "21.03000", "110.17000", "22.81755", "113.66550"),
    ("CNZHA", "23.13219", "113.26653", "21.16667", "110.40000"),
    ("COPBO", "10.68000", "-74.73000", "12.21298", "-72.17541"),
    ("EGEDK", "30.70515", "30.77163", "31.13333", "29.81667"),
    ("FRHON", "46.24757", "5.13077", "49.42381", "0.21735"),
    ("IDBUR", "-1.24600", "116.85664", "1.17525", "103.99863"),
    ("PEGSM", "-12.19759", "-76.92425", "-13.80534", "-76.31904"),
    ("PESNX", "-6.38671", "-77.50533", "-15.22880", "-75.20861"),
    ("QAMES", "25.63000", "51.92000", "25.08306", "51.61882"),
    ("THMAT", "13.69350", "100.53136", "12.67270", "101.18589"),
    ("THPKN", "15.90504", "103.16751", "13.60637", "100.58523"),
    ("UYCYR", "-32.52278", "-55.76584", "-34.46893", "-57.84039"),
    ("VEPSU", "8.96667", "-68.38333", "10.46739", "-64.17664"),
)
_SQL = "update tracking_place set lat = %s, lon = %s where code = %s and lat = %s and lon = %s"


class Migration(migrations.Migration):
    """Data only; taken back, the ports stay where they are."""

    dependencies = [("tracking", "0017_searoute")]

    operations = [
        migrations.RunSQL(
            [(_SQL, [lat, lon, code, was_lat, was_lon]) for code, was_lat, was_lon, lat, lon in _MENDED],
            migrations.RunSQL.noop,
        )
    ]
