"""What adapters say where their framework is not installed; it imports little, for the plugin of `llm`."""

from numpyclip.errors import MissingPackageError


def missing(framework: str, extra: str, error: ImportError) -> MissingPackageError:
    """Return the error of an adapter that needs an extra."""
    return MissingPackageError(f'{framework} needs the package {error.name}: pip install "numpyclip[{extra}]".')
