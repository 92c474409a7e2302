"""The fold from events to what is shown."""
