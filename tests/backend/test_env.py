"""Reading the environment: nothing is misread in silence, nothing secret is shown, nothing else is raised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from config.env import FILE_LIMIT, Environment, shown

TRUE = ["1", "true", "yes", "on"]
FALSE = ["0", "false", "no", "off"]
VARIABLES = [
    "DEBUG",
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "CORS_ALLOWED_ORIGINS",
    "POSTGRES_HOST",
    "POSTGRES_PORT",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_PASSWORD_FILE",
    "HTTPS_ONLY",
    "LOG_FORMAT",
]

# What the operating system can put into a variable: any bytes but NUL; Python shows bad UTF-8 as surrogates.
raw_values = st.binary(max_size=80).map(lambda value: os.fsdecode(value.replace(b"\0", b"")))
values = st.one_of(
    raw_values,
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80),
    st.sampled_from(["0", "1", "*", ",", "db", "5432", "https://a.example", "a.example", "::1", "[::1]"]),
)
quick = settings(deadline=None, database=None, max_examples=300)


def spaced(words: list[str]) -> st.SearchStrategy[str]:
    """The words in any mixture of cases, with blanks around them."""
    mixed = st.sampled_from(words).flatmap(
        lambda word: st.tuples(*(st.sampled_from([letter, letter.upper()]) for letter in word)).map("".join)
    )
    blanks = st.sampled_from(["", " ", "\t", "\r\n"])
    return st.tuples(blanks, mixed, blanks).map("".join)


@quick
@given(spaced(TRUE), st.booleans())
def test_flag_true(value, default):
    env = Environment({"FLAG": value})
    assert env.flag("FLAG", default) is True
    assert env.problems == []


@quick
@given(spaced(FALSE), st.booleans())
def test_flag_false(value, default):
    env = Environment({"FLAG": value})
    assert env.flag("FLAG", default) is False
    assert env.problems == []


@pytest.mark.parametrize("variables", [{}, {"FLAG": ""}, {"FLAG": "  "}])
@pytest.mark.parametrize("default", [True, False])
def test_flag_not_set(variables, default):
    env = Environment(variables)
    assert env.flag("FLAG", default) is default
    assert env.problems == []


@quick
@given(values)
def test_flag_anything_else_is_a_problem_that_names_the_variable(value):
    assume(value.strip() and value.strip().lower() not in TRUE + FALSE)
    env = Environment({"FLAG": value})
    env.flag("FLAG", True)
    assert len(env.problems) == 1
    assert env.problems[0].startswith("FLAG is ")


@quick
@given(st.integers(-10, 70000))
def test_port(number):
    env = Environment({"PORT": str(number)})
    result = env.port("PORT", 5432)
    assert (result == number, env.problems == []) == (
        (True, True) if 1 <= number <= 65535 else (False, False)
    )


@quick
@given(values)
@example("+5432")
@example("5_432")
@example("5432.0")
@example("0x10")
@example("٥٤٣٢")
def test_port_takes_plain_digits_only(value):
    digits = value.strip()
    assume(digits and not (digits.isascii() and digits.isdigit()))
    env = Environment({"PORT": value})
    assert env.port("PORT", 5432) == 5432
    assert len(env.problems) == 1


@pytest.mark.parametrize(
    "value", ["db", "10.0.0.7", "::1", "/run/postgresql", "my_db.internal", "a,b", " db\r\n"]
)
def test_server(value):
    env = Environment({"POSTGRES_HOST": value})
    assert env.server("POSTGRES_HOST", "other") == value.strip()
    assert env.problems == []


@pytest.mark.parametrize(
    "value",
    ["postgres://user:hunter22@db/app", "host=db password=hunter22", "run/postgresql", "db db", "db;"],
)
def test_server_refused_and_not_shown(value):
    env = Environment({"POSTGRES_HOST": value, "POSTGRES_DB": "postgres://user:hunter22@db/app"})
    env.server("POSTGRES_HOST", "db")
    env.identifier("POSTGRES_DB", "eatfit24")
    assert [problem.split()[0] for problem in env.problems] == ["POSTGRES_HOST", "POSTGRES_DB"]
    assert "hunter22" not in str(env.problems)


def test_identifier_longer_than_postgresql_keeps():
    env = Environment({"SHORT": "ü" * 31, "LONG": "ü" * 32})
    assert env.identifier("SHORT", "") == "ü" * 31
    assert env.problems == []
    env.identifier("LONG", "")
    assert len(env.problems) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("api.example.com", ["api.example.com"]),
        (
            " API.Example.com , .example.org,[::1],127.0.0.1,",
            ["api.example.com", ".example.org", "[::1]", "127.0.0.1"],
        ),
    ],
)
def test_hosts(value, expected):
    env = Environment({"ALLOWED_HOSTS": value})
    assert env.hosts("ALLOWED_HOSTS") == expected
    assert env.problems == []


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("*", "name each host"),
        ("*.example.com", "write '.example.com'"),
        ("https://api.example.com", "without a scheme"),
        ("api.example.com/", "without a scheme or a path"),
        ("api.example.com:8000", "without a port"),
        ("[::1]:8000", "without a port"),
        ("::1", "square brackets"),
        ("my_host", "letters, digits, hyphens and dots"),
        ("bücher.example", "letters, digits, hyphens and dots"),
        ("a b", "letters, digits, hyphens and dots"),
        ("a..b", "letters, digits, hyphens and dots"),
    ],
)
def test_hosts_refused(value, advice):
    env = Environment({"ALLOWED_HOSTS": f"api.example.com,{value}"})
    env.hosts("ALLOWED_HOSTS")
    assert len(env.problems) == 1
    assert env.problems[0].startswith(f"ALLOWED_HOSTS contains {value!r}")
    assert advice in env.problems[0]


@pytest.mark.parametrize("value", ["", " ", ",", " , ,"])
def test_hosts_empty(value):
    env = Environment({"ALLOWED_HOSTS": value})
    env.hosts("ALLOWED_HOSTS")
    assert [problem.partition(":")[0] for problem in env.problems] == ["ALLOWED_HOSTS is empty"]


def test_origins():
    env = Environment({"ORIGINS": "https://App.example.com,http://localhost:3000 ,http://[::1]:8000"})
    assert env.origins("ORIGINS") == ["https://app.example.com", "http://localhost:3000", "http://[::1]:8000"]
    assert env.problems == []


@pytest.mark.parametrize(
    "value",
    [
        "app.example.com",
        "//app.example.com",
        "ftp://app.example.com",
        "null",
        "*",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?x=1",
        "https://app.example.com:0",
        "https://app.example.com:99999",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "https://[::1",
        "https://*.example.com",
        "https://user:hunter22@app.example.com",
    ],
)
def test_origins_refused(value):
    env = Environment({"ORIGINS": value})
    env.origins("ORIGINS")
    assert len(env.problems) == 1
    assert env.problems[0].startswith("ORIGINS contains ")
    assert "hunter22" not in env.problems[0]


def test_origins_with_wildcard():
    env = Environment({"ORIGINS": "https://*.example.com"})
    assert env.origins("ORIGINS", wildcard=True) == ["https://*.example.com"]
    assert env.problems == []


@pytest.mark.proves("Secrets may come from files")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\n\n", "s3cret\n"),
        (b"s3cret\r", "s3cret\r"),
        (b" s3cret ", " s3cret "),
        ("süß\n".encode(), "süß"),
    ],
)
def test_secret_from_a_file(tmp_path: Path, content, expected):
    file = tmp_path / "secret"
    file.write_bytes(content)
    env = Environment({"PASSWORD_FILE": str(file)})
    assert env.secret("PASSWORD") == expected
    assert env.problems == []


def make_secret_file(directory: Path, kind: str) -> Path:
    path = directory / "secret"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "newline": b"\n",
                "not UTF-8": b"s3cret\xff",
                "NUL": b"s3cret\0",
                "too large": b"s" * (FILE_LIMIT + 1),
            }[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "cannot be read (No such file or directory)"),
        ("directory", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("empty", "is empty"),
        ("newline", "is empty"),
        ("not UTF-8", "is not UTF-8 text"),
        ("NUL", "contains a NUL byte"),
        ("too large", "is larger than"),
    ],
)
def test_secret_file_refused(tmp_path: Path, kind, reason):
    env = Environment({"PASSWORD_FILE": str(make_secret_file(tmp_path, kind))})
    assert env.secret("PASSWORD") == ""
    assert len(env.problems) == 1
    assert env.problems[0].startswith("PASSWORD_FILE names ")
    assert reason in env.problems[0]
    assert "s3cret" not in env.problems[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_secret_file_without_permission(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("s3cret")
    file.chmod(0)
    env = Environment({"PASSWORD_FILE": str(file)})
    env.secret("PASSWORD")
    assert "cannot be read (Permission denied)" in env.problems[0]


def test_secret_set_twice(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("s3cret")
    env = Environment({"PASSWORD": "s3cret", "PASSWORD_FILE": str(file)})
    env.secret("PASSWORD")
    assert env.problems == ["PASSWORD and PASSWORD_FILE are both set: unset one of them."]


def test_empty_secret_beside_a_file_counts_as_not_set(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("s3cret")
    env = Environment({"PASSWORD": "", "PASSWORD_FILE": str(file)})
    assert env.secret("PASSWORD") == "s3cret"
    assert env.problems == []


@pytest.mark.proves("A weak or default `SECRET_KEY` is refused")
@pytest.mark.parametrize(
    "key",
    [
        "short-but-random-9f8g7h",
        "ab" * 40,
        "django-insecure-" + "kX3v9mQ7tZbR2wYh5LdN8sJ0cFgA4uPeVxTiOq6WnMyBjEzHf1KrDl",
        "please-change-me-please-change-me-please-change-me-0123",
        "my-very-own-SECRET_KEY-my-very-own-key-0123456789-abcdef",
    ],
)
def test_weak_secret_key(key):
    env = Environment({"SECRET_KEY": key})
    env.secret_key("SECRET_KEY")
    assert len(env.problems) == 1
    assert env.problems[0].startswith("SECRET_KEY is weak")
    assert "token_urlsafe" in env.problems[0]
    assert key not in env.problems[0]


@pytest.mark.parametrize(
    ("spelling", "wanted"),
    [
        ("POSTGRES_PASWORD", "POSTGRES_PASSWORD"),
        ("POSTGRESS_PASSWORD", "POSTGRES_PASSWORD"),
        ("postgres_password", "POSTGRES_PASSWORD"),
        ("POSTGRES_PASSWORD_FIEL", "POSTGRES_PASSWORD_FILE"),
        ("DJANGO_SECRET_KEY", "SECRET_KEY"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("CORS_ALOWED_ORIGINS", "CORS_ALLOWED_ORIGINS"),
        ("CSRF_TRUSTED_ORIGIN", "CSRF_TRUSTED_ORIGINS"),
    ],
)
def test_near_miss_is_pointed_out(spelling, wanted):
    env = Environment({spelling: "hunter22"})
    name = wanted.removesuffix("_FILE")
    env.hosts(name) if "_HOSTS" in name or "_ORIGINS" in name else env.secret(name)
    assert len(env.problems) == 1
    assert env.problems[0].endswith(f" {spelling} is set; did you mean {wanted}?")
    assert "hunter22" not in env.problems[0]


def test_no_near_miss_in_an_ordinary_environment():
    env = Environment(
        {
            "PATH": "/bin",
            "HOME": "/home/u",
            "HOSTNAME": "web-1",
            "POSTGRES_USER": "u",
            "POSTGRES_DB": "d",
            "POSTGRES_PORT": "5432",
            "AWS_SECRET_ACCESS_KEY": "x",
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
            "PYTHONPATH": "/x",
            "CSRF_TRUSTED_ORIGINS": "https://a.example",
        }
    )
    env.secret("SECRET_KEY")
    env.secret("POSTGRES_PASSWORD")
    env.hosts("ALLOWED_HOSTS")
    env.origins("CORS_ALLOWED_ORIGINS")
    assert len(env.problems) == 4
    assert "did you mean" not in str(env.problems)


@pytest.mark.proves("No environment breaks the parser, or is misread")
@settings(deadline=None, database=None, max_examples=1000)
@given(st.dictionaries(st.sampled_from(VARIABLES), values, max_size=4))
def test_any_environment_loads_or_is_refused_in_sentences(load, production, changes):
    """Never another exception than ImproperlyConfigured; each line about one variable, in one sentence."""
    variables = {**production, **changes, "DJANGO_LOG_TO_FILES": "0"}
    try:
        loaded = load(variables)
    except ImproperlyConfigured as error:
        lines = str(error).split("\n")
        assert all(line.split(" ")[0] in VARIABLES for line in lines)
        assert all(len(line) > 20 and line.isprintable() for line in lines)
    else:
        assert loaded["SECRET_KEY"] == variables["SECRET_KEY"]
        database = loaded["DATABASES"]["default"]
        assert database["PASSWORD"] == variables["POSTGRES_PASSWORD"]
        assert database["HOST"] == (variables.get("POSTGRES_HOST", "").strip() or "db")
        assert database["NAME"] == (variables.get("POSTGRES_DB", "").strip() or "eatfit24")
        assert str(database["PORT"]) == (variables.get("POSTGRES_PORT", "").strip().lstrip("0") or "5432")
        hosts = [host.strip().lower() for host in variables["ALLOWED_HOSTS"].split(",")]
        assert loaded["ALLOWED_HOSTS"] == [host for host in hosts if host]


# The end is what no sentence has: hypothesis also tries the program's own constants, such as django-insecure-.
secrets = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=4, max_size=72).map(
    lambda text: f"{text}~zq~4~W~"
)


@quick
@given(secrets, secrets, st.dictionaries(st.sampled_from(VARIABLES), values))
@example("django-insecure-~zq~4~W~", "p" * 20, {})
def test_secrets_are_never_shown(load, key, password, others):
    assume(not any(key in text or password in text for text in (*others.values(), *VARIABLES)))
    variables = {**others, "SECRET_KEY": key, "POSTGRES_PASSWORD": password, "DEBUG": "maybe"}
    with pytest.raises(ImproperlyConfigured) as refusal:
        load({**variables, "DJANGO_LOG_TO_FILES": "0"})
    assert key not in str(refusal.value)
    assert password not in str(refusal.value)


@quick
@given(values)
def test_shown_is_one_short_printable_line(value):
    assert shown(value).isprintable()
    assert len(shown(value)) < 1000
