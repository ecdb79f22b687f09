"""The passwords that containers share, beside the keys of the installation."""

from lucid.catalog.types import Password

MONGODB_PASSWORD = Password("mongodb-password", "of MongoDB's user `lucid`")
MONGODB_URI = Password(
    "mongodb-uri",
    "where services find MongoDB",
    "mongodb://lucid:{mongodb-password}@lucid-mongodb:27017/?authSource=admin",
)
REDIS_PASSWORD = Password("redis-password", "of Redis")
REDIS_URL = Password("redis-url", "where services find Redis", "redis://:{redis-password}@lucid-redis:6379/0")
ELASTICSEARCH_PASSWORD = Password("elasticsearch-password", "of Elasticsearch's user `elastic`")
ADMINISTRATOR_PASSWORD = Password("administrator-password", "the first password of the account `admin`")
OIDC_CLIENT_SECRET = Password("oidc-client-secret", "by which the OpenID provider knows the platform", given=True)

PASSWORDS = (
    MONGODB_PASSWORD,
    MONGODB_URI,
    REDIS_PASSWORD,
    REDIS_URL,
    ELASTICSEARCH_PASSWORD,
    ADMINISTRATOR_PASSWORD,
    OIDC_CLIENT_SECRET,
)
