"""What happened: shipments, sightings, milestones, ingest."""
