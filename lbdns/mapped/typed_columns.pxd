# The class, written from columns.py by setup.py.
include "lbdns/mapped/columns.pxi"
