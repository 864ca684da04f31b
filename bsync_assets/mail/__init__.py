"""Receipts by e-mail: `render` makes messages of figures, `deliver` hands them to a Maildir or SMTP server.

What belongs here: wording, layout, addresses of one message, delivery and its failures. What does not:
counting (the stages and `exchange`), deciding who gets a receipt and remembering what was sent (the receipts
stage).
"""
