"""What regportal writes into Tryton: buying phases, scores, and what a contact did."""
