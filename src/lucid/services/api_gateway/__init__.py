"""api-gateway: the one public HTTP door.

Owns who may pass: it checks each request's token and permission, counts limits, and hands the request to a healthy
instance of the service whose path it is, stating the person in a token of its own. Which services and paths there are
it learns from the catalog, the registry and the services' OpenAPI documents. Needs Tokens, Registry, Bus, Signer, its
Folder (for its certificate), and from the runtime Listener, Upstream and ApiCatalog. It stores nothing else, never
reads or changes a body, and never passes on a client's credentials.
"""
