"""Invariant: nobody is let in but with their own password, and no file can make a check take long."""

import base64
import unicodedata

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.identity import passwords
from fastedge.identity.passwords import Users, new_hash, split_credentials, token_of

SALT = b"0123456789abcdef"


def b64(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def argon2id(password, memory=8, passes=1, lanes=1):
    kdf = Argon2id(salt=SALT, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return f"$argon2id$v=19$m={memory},t={passes},p={lanes}${b64(SALT)}${b64(kdf.derive(password.encode()))}"


def scrypt(password, log_n=4):
    return f"$scrypt$ln={log_n},r=8,p=1${b64(SALT)}${b64(Scrypt(salt=SALT, length=32, n=1 << log_n, r=8, p=1).derive(password.encode()))}"


def users(*lines):
    return Users.from_lines("\n".join(lines).encode(), name="users")


def problem(*lines):
    with pytest.raises(ConfigError) as caught:
        users(*lines)
    return str(caught.value)


@pytest.mark.parametrize("made", [argon2id, scrypt])
def test_password_fits_its_user_alone(made):
    known = users("# people", "", f"ann:{made('a')}", f"bob:{made('b')}\r")
    assert known.knows("ann", b"a") and known.knows("bob", b"b")
    assert not known.knows("ann", b"b")
    assert not known.knows("ann", b"")
    assert not known.knows("eve", b"a")


def test_scrypt_is_that_of_rfc_7914():
    """RFC 7914 §12, the third vector."""
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    known = users(f"a:$scrypt$ln=14,r=8,p=1${b64(b'SodiumChloride')}${b64(digest)}")
    assert known.knows("a", b"pleaseletmein")


def test_new_hash_is_one_that_fits():
    assert users(f"ann:{new_hash('pä', SALT)}").knows("ann", "pä".encode())


def test_unicode_is_compared_composed():
    decomposed = unicodedata.normalize("NFD", "bø ä")
    known = users(f"{unicodedata.normalize('NFD', 'är')}:{new_hash(decomposed, SALT)}")
    assert split_credentials(token_of(unicodedata.normalize("NFD", "är"), decomposed)) == ("är", "bø ä".encode())
    assert known.knows("är", "bø ä".encode())


def test_unknown_user_costs_a_check_of_the_usual_kind(monkeypatch):
    known = users(f"ann:{argon2id('a')}", f"bob:{argon2id('b')}", f"eve:{scrypt('e')}")
    derived = []
    monkeypatch.setattr(passwords.PasswordHash, "fits", lambda self, password: derived.append(self.parameters) or True)
    assert not known.knows("nobody", b"a")
    assert known.knows("eve", b"e")
    assert derived == ["$argon2id$v=19$m=8,t=1,p=1", "$scrypt$ln=4,r=8,p=1"]


def test_hashes_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(passwords, "compare_digest", lambda one, other: compared.append((one, other)) or False)
    assert not users(f"ann:{argon2id('a')}").knows("ann", b"a")
    [(one, other)] = compared
    assert one == other


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ann", "users: line 2: name:hash is expected, with a printable name"),
        (f":{argon2id('a')}", "users: line 2: name:hash is expected, with a printable name"),
        ("ann:" + argon2id("a").replace("t=", "t=\u0661"), "users: line 2 (ann): a hash by Argon2id or scrypt is expected"),
        (f"a :{argon2id('a')}", "users: line 2: name:hash is expected, with a printable name"),
        (f"a\tb:{argon2id('a')}", "users: line 2: name:hash is expected, with a printable name"),
        (f"{'a' * 129}:{argon2id('a')}", "users: line 2: name:hash is expected, with a printable name"),
        (f"eve:{argon2id('a')}", "users: line 2 (eve): this user is there twice"),
        ("ann:secret", "a hash by Argon2id or scrypt is expected, as a PHC string"),
        ("ann:", "a hash by Argon2id or scrypt is expected, as a PHC string"),
        ("ann:$2y$05$abcdefghijklmnopqrstuu", "bcrypt is not supported, Argon2id and scrypt are"),
        ("ann:$apr1$x$y", "MD5 is not supported"),
        ("ann:{SHA}x", "SHA-1 is not supported"),
        ("ann:$argon2i$v=19$m=8,t=1,p=1$x$y", "Argon2i is not supported"),
        (f"ann:{argon2id('a')} ", None),
        (f"ann:{argon2id('a')}$", "is expected, as a PHC string"),
        (f"ann:{argon2id('a').replace('v=19', 'v=16')}", "is expected, as a PHC string"),
        (f"ann:{argon2id('a').replace('m=8', 'm=65537')}", "65537 KiB of memory and 65537 KiB of work, at most 65536 and"),
        (f"ann:{argon2id('a').replace('m=8,t=1', 'm=65536,t=5')}", "of memory and 327680 KiB of work, at most"),
        (f"ann:{argon2id('a').replace('m=8,t=1', 'm=8,t=0')}", "the hash's parameters are out of range"),
        (f"ann:{argon2id('a').replace('m=8', 'm=7')}", "the hash's parameters are out of range"),
        (f"ann:{scrypt('a').replace('ln=4', 'ln=17')}", "131072 KiB of memory"),
        (f"ann:{scrypt('a').replace('ln=4', 'ln=99')}", "KiB of memory"),
        (f"ann:{scrypt('a').replace('ln=4,r=8,p=1', 'ln=16,r=8,p=3')}", "393216 KiB of work"),
        (f"ann:{scrypt('a').replace('ln=4', 'ln=0')}", "the hash's parameters are out of range"),
        (f"ann:{argon2id('a')[:-1]}B", "salt and hash are base64 without padding"),
    ],
)  # fmt: skip
def test_broken_line_is_told_with_its_place_and_without_the_hash(line, message):
    if message is None:
        assert users(f"eve:{scrypt('e')}", line).knows("ann", b"a")
        return
    told = problem(f"eve:{scrypt('e')}", line)
    assert told.startswith("users: line 2") and message in told
    assert "$v=" not in told and "secret" not in told


def test_file_without_users_or_not_utf8_is_an_error():
    assert problem("# nobody", "") == "users: holds no user"
    with pytest.raises(ConfigError, match=r"^users: line 1: not UTF-8$"):
        Users.from_lines(b"\xff:x", name="users")


def test_repr_shows_no_hash():
    known = users(f"ann:{argon2id('a')}")
    assert repr(known) == "<Users: 1>"
    assert repr(known._hashes["ann"]) == "PasswordHash(parameters='$argon2id$v=19$m=8,t=1,p=1')"


@pytest.mark.parametrize(
    ("token", "found"),
    [
        (b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", b"open sesame")),  # RFC 7617 §2
        (b"dGVzdDoxMjPCow==", ("test", "123£".encode())),  # RFC 7617 §2.1
        (base64.b64encode(b"a:"), ("a", b"")),
        (base64.b64encode(b"a:b:c"), ("a", b"b:c")),
        (base64.b64encode(b":b"), None),
        (base64.b64encode(b"ab"), None),
        (base64.b64encode(b"a\x00:b"), None),
        (base64.b64encode(b"a:b\x7f"), None),
        (base64.b64encode(b"a:\xff"), None),
        (b"YTpi=", None),
        (b"YTp", None),
        (b"YTpi ", None),
        (b"YT.pi", None),
        (b"", None),
    ],
)
def test_credentials_are_read_strictly(token, found):
    assert split_credentials(token) == found


@given(st.binary(max_size=80))
def test_no_bytes_raise(token):
    found = split_credentials(token)
    assert found is None or ":" not in found[0]
