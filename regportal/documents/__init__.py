"""What marketers write down: plan, apply, export, versions."""
