"""The report as a workbook: the source marked up (openpyxl) or a new one (XlsxWriter). May import what `report` may."""
