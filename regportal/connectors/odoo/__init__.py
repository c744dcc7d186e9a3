"""The connector to Odoo, 17 and newer."""
