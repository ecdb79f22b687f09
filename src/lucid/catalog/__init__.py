"""The one typed list of services: what each needs, offers, listens on and keeps."""
