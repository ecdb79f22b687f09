"""The bus on Redis, and Valkey as a child process for the embedded platform."""
