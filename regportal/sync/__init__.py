"""Whether a CRM and regportal are in step: looked at before, proven after, watched meanwhile."""
