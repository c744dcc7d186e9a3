"""What the Studio's lists and exports show: reads, page by page, and never writes."""
