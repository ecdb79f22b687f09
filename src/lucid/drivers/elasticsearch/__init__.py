"""Search in Elasticsearch, by its official client."""
