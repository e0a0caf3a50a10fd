"""What is raised where a server or a database cannot be used."""


class ServiceError(RuntimeError):
    """A server or database does not come up; the message says which and what to do."""
