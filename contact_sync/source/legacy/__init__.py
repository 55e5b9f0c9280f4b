"""Workbooks that a child process reads within limits: .xls, .xlsb and .ods."""
