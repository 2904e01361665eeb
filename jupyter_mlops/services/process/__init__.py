"""The service's process: started, found, kept by systemd, and where its files are."""
