"""Workbooks that a worker process reads within limits of memory and time: .xls, .xlsb and .ods.

May import the shared modules of `source`; the worker's side (`worker`, `spool`, `xls`, `xlsb`, `ods`) must not import openpyxl.
"""
