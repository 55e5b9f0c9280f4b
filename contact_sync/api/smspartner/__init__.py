"""The endpoints of SMS Partner, one file each; the quirks of an endpoint stay inside its file."""
