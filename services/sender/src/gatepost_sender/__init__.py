"""Signs and delivers what was released."""
