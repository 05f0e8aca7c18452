"""SMTP in: stored, threaded, judged; publishes email.received."""
