"""Sources: files, folders, archives, the Hub and addresses in; rows with their provenance out."""
