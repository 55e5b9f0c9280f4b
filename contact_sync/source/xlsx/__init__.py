"""Excel workbooks (.xlsx, .xlsm), read cell by cell from their XML. May import the shared modules of `source`."""
