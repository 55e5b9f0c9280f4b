"""The report as one HTML page, with its rows as JSON. May import what `report` may."""
