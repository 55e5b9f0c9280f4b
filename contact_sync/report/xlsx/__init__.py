"""The report as a workbook: the operator's own with its mistakes marked, or a new one."""
