"""What of certificates is refused before anything is served, each in one line."""

from pathlib import Path

from ...certificates import CA, PEMS
from ...cli.inside import gossamer
from ...parts import ask_each

CERTIFICATE = ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "server.key"))

MISTAKES = {
    "no file": (("--ssl-certfile", "/no/such.pem"), "tls.certfile /no/such.pem: No such file or directory"),
    "a folder": (("--ssl-certfile", str(PEMS)), "Is a directory"),
    "no certificate": (("--ssl-certfile", str(PEMS / "server.key")), "server.key: it holds no certificate"),
    "no key": (("--ssl-certfile", str(PEMS / "server.pem")), "server.pem: it holds no private key"),
    "another's key": (
        ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "other.key")),
        "other.key: the key is not that of the certificate in",
    ),
    "a passphrase": (
        ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "locked.key")),
        "locked.key: the key has a passphrase",
    ),
    "no key file": ((*CERTIFICATE[:2], "--ssl-keyfile", "/no/such.key"), "tls.keyfile /no/such.key: No such"),
    "a short key": (
        ("--ssl-certfile", str(PEMS / "small.pem"), "--ssl-keyfile", str(PEMS / "small.key")),
        "ee key too small",
    ),
    "a key alone": (("--ssl-keyfile", str(PEMS / "server.key")), "keyfile: found without certfile"),
    "no authorities": (
        (*CERTIFICATE, "--ssl-ca-certs", str(PEMS / "README.md"), "--ssl-cert-reqs", "required"),
        "README.md: it holds no certificate",
    ),
    "authorities for nothing": ((*CERTIFICATE, "--ssl-ca-certs", str(CA)), "so that nobody were asked"),
    "asked of nobody": ((*CERTIFICATE, "--ssl-cert-reqs", "required"), "cert_reqs: found 'required' without"),
    "asked oddly": ((*CERTIFICATE, "--ssl-cert-reqs", "2"), "allowed: 'none', 'optional', 'required'"),
    "no ciphers": ((*CERTIFICATE, "--ssl-ciphers", "GOOD"), "tls.ciphers: found 'GOOD'"),
    "an old version": ((*CERTIFICATE, "--set", "tls.version_min=1.0"), "allowed: '1.2', '1.3'"),
    "a host's files": (
        (*CERTIFICATE, "--set", 'tls.certificates={"b.example" = ["/no/such.pem"]}'),
        "tls.certificates b.example /no/such.pem: No such file",
    ),
    "no host": ((*CERTIFICATE, "--set", 'tls.certificates={"B/" = ["x"]}'), "tls.certificates"),
    "too many tickets": ((*CERTIFICATE, "--set", "tls.session_tickets=99"), "from 0 to 16"),
    "a protocol that is not spoken": (
        (*CERTIFICATE, "--set", 'tls.alpn=["h2"]'),
        "tls.alpn: found 'h2'; allowed: what is spoken here",
    ),
    "no time": ((*CERTIFICATE, "--set", "tls.handshake_timeout=0s"), "tls.handshake_timeout"),
}


def test_mistakes__each_is_one_line_and_exit_code_2(site: Path, tmp_path: Path) -> None:
    def is_refused(argv: tuple[str, ...], says: str) -> None:
        for more in (("--check-config",), ("--stack", "kernel", "--port", "0", "--run-dir", str(tmp_path))):
            done = gossamer("serve", str(site), *argv, *more)
            assert done.returncode == 2, done
            assert says in done.stderr, done
            assert done.stderr.count("\n") == 1, done

    ask_each([(name, lambda case=case: is_refused(*case)) for name, case in MISTAKES.items()])  # type: ignore[misc]
