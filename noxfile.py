"""Tasks of developers, each in an environment of its own: `nox --list` names them, `nox -s test` runs one.

Arguments after `--` are passed on: `nox -s test -- tests/model -x`, `nox -s bench -- search.py`.
`nox -s test --force-python 3.14` uses another Python.
"""

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "types", "test"]
nox.options.reuse_existing_virtualenvs = True

DEV = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["dev"]


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests, or those that are named."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers for hours; $NUMPYCLIP_FUZZ_EXAMPLES sets how long, in examples for each test."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/fuzz", *session.posargs, env={"HYPOTHESIS_PROFILE": "hours"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of all code, and its format."""
    session.install(*(requirement for requirement in DEV if requirement.startswith("ruff")))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install("-e", ".[dev]")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/site, then run every example of the README, of docs/ and of examples/."""
    session.install("-e", ".[test,docs]")
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("pytest", "-m", "", "tests/test_docs.py", "tests/test_readme.py", "tests/test_examples.py")


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions of dependencies that pyproject.toml allows, on Python 3.11."""
    dependencies = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    session.install(".", *(requirement.replace(">=", "==") for requirement in dependencies), "pytest==8.0.0")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def integrations(session: nox.Session) -> None:
    """Test the adapters of other frameworks with the frameworks themselves."""
    session.install("-e", ".[chroma,langchain,llama-index,llm,sklearn,test]", "langchain-tests")
    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")  # for langchain-tests
    session.run("pytest", *options, "tests/integrations", *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """Test `numpyclip embed` on a real Ray cluster of two nodes; on Linux."""
    session.install("-e", ".[ray,remote,parquet,test]", "s3fs", "moto[server]")
    session.run("pytest", "-m", "cluster", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run scripts of benchmarks/ that need no other library; by default import_time.py."""
    session.install("-e", ".")
    for script in session.posargs or ["import_time.py"]:
        session.run("python", f"benchmarks/{script}")


@nox.session(name="release-check")
def release_check(session: nox.Session) -> None:
    """Run all of CI and every test, then check the distribution and its extras: those that are named, or all."""
    session.run("bash", ".ci/run", external=True)
    extras = "test,graph,onnxruntime,openvino,parquet,ray,remote,raw,video,mcp,watch,places"
    session.install("-e", f".[{extras}]", "s3fs", "moto[server]")
    session.run("pytest", "-m", "exhaustive or cluster")
    session.notify("oldest")
    session.install("build", "twine", "cyclonedx-bom")
    session.run("python", "tools/check_release.py", session.create_tmp(), *session.posargs)
