"""Excel workbooks (.xlsx, .xlsm), read cell by cell from their XML."""
