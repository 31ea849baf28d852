//! Where requests may go: by name, and again by the addresses that the name resolves to.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::Refusal;
use crate::plugin::Check;
use crate::plugin::grants::Reach;

/// The hosts that the operator named.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    scheme: &'static str,
    /// In lower case; `.example.com` for every name below.
    host: String,
    port: u16,
    reach: Reach,
}

impl Allowed {
    pub(super) fn new(hosts: &[(String, Reach)]) -> Check<Self> {
        let rules = hosts.iter().map(|(host, reach)| rule(host, *reach));
        Ok(Self {
            rules: rules.collect::<Check<_>>()?,
        })
    }

    /// Refuses an address whose name, scheme or port nobody granted.
    pub(super) fn check(&self, uri: &Uri) -> Result<(), Refusal> {
        // A name before an @ is there to look like a host.
        let plain = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        match self.rule(uri).filter(|_| plain) {
            Some(_) => Ok(()),
            None => {
                let message = format!(
                    "{uri}: is not among the granted hosts: {self}; pass --grant http:HOST"
                );
                Err(Refusal::denied("http.host", message))
            }
        }
    }

    fn rule(&self, uri: &Uri) -> Option<&Rule> {
        let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
        let port = uri.port_u16().unwrap_or_else(|| usual_port(scheme));
        self.rules.iter().find(|rule| {
            let named = match rule.host.starts_with('.') {
                true => host.ends_with(&rule.host),
                false => host == rule.host,
            };
            named && scheme == rule.scheme && port == rule.port
        })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules.iter();
        let rules = rules.map(|rule| format!("{}://{}:{}", rule.scheme, rule.host, rule.port));
        f.write_str(&rules.collect::<Vec<_>>().join(", "))
    }
}

fn rule(text: &str, reach: Reach) -> Check<Rule> {
    let malformed =
        || format!("is granted http to {text:?}, which is no host; write api.example.com");
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => ("http", rest),
        Some(("https", rest)) => ("https", rest),
        Some(_) => return Err(malformed()),
        None => ("https", text),
    };
    let below = rest.strip_prefix('*');
    let name = below
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(rest);
    let uri: Uri = format!("{scheme}://{name}/")
        .parse()
        .map_err(|_| malformed())?;
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(malformed)?;
    let dot = if below.is_some() { "." } else { "" };
    if name.contains(['/', '@', '*']) {
        return Err(malformed());
    }
    Ok(Rule {
        scheme,
        host: format!("{dot}{}", host.to_ascii_lowercase()),
        port: uri.port_u16().unwrap_or_else(|| usual_port(scheme)),
        reach,
    })
}

fn usual_port(scheme: &str) -> u16 {
    match scheme {
        "http" => 80,
        _ => 443,
    }
}

/// Resolves names and refuses addresses that their rule does not reach. What it gives is what is connected
/// to, so a name cannot change its mind in between.
#[derive(Debug)]
pub(super) struct CheckedResolver<R = DefaultResolver> {
    allowed: Allowed,
    resolver: R,
}

impl CheckedResolver {
    pub(super) fn new(allowed: Allowed) -> Self {
        let resolver = DefaultResolver::default();
        Self { allowed, resolver }
    }
}

impl<R: Resolver> Resolver for CheckedResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        let reach = self
            .allowed
            .rule(uri)
            .map_or(Reach::Public, |rule| rule.reach);
        let stray = addresses
            .iter()
            .find(|address| !reaches(reach, address.ip()));
        match stray {
            None => Ok(addresses),
            Some(address) => {
                let (host, address) = (uri.host().unwrap_or_default().to_owned(), address.ip());
                let forbidden = Forbidden { host, address };
                Err(io::Error::new(io::ErrorKind::PermissionDenied, forbidden).into())
            }
        }
    }
}

/// A name that leads where it was not granted to.
#[derive(Debug)]
pub(super) struct Forbidden {
    host: String,
    address: IpAddr,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} resolves to {}, which is no public address; --grant http-private:HOST allows private \
             ones, and nothing those of cloud metadata",
            self.host, self.address
        )
    }
}

impl std::error::Error for Forbidden {}

fn reaches(reach: Reach, address: IpAddr) -> bool {
    let address = embedded(address);
    match (is_never(address), reach) {
        (true, _) => false,
        (false, Reach::Private) => true,
        (false, Reach::Public) => is_public(address),
    }
}

/// The IPv4 address inside an IPv6 one that only wraps it.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let tail = |s: &[u16]| {
        let [a, b] = s[0].to_be_bytes();
        let [c, d] = s[1].to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, rest @ ..] => tail(&rest),
        [0x64, 0xff9b, 0, 0, 0, 0, rest @ ..] => tail(&rest),
        [0x2002, a, b, ..] => tail(&[a, b]),
        _ => address,
    }
}

/// Where clouds keep the credentials of a machine, and what is no host at all.
fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || [
                    Ipv4Addr::new(100, 100, 100, 200),
                    Ipv4Addr::new(168, 63, 129, 16),
                ]
                .contains(&v4)
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            // Of Amazon, Google and Oracle; the last leads to IPv4 addresses of a network's own choice.
            let metadata = [(0xfd00, 0xec2), (0xfd20, 0xce), (0xfd00, 0xc1)].contains(&(a, b));
            let translated = (a, b, c) == (0x64, 0xff9b, 1);
            v6.is_multicast() || v6.is_unicast_link_local() || metadata || translated
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (18..20).contains(&b);
            let reserved = a == 0 || a >= 240 || (a, b, c) == (192, 0, 0);
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                || shared
                || benchmark
                || reserved)
        }
        // Global unicast, less the parts for protocols (Teredo among them) and for documentation.
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            let protocols = a == 0x2001 && b < 0x200;
            let documentation = (a, b) == (0x2001, 0xdb8) || (a == 0x3fff && b < 0x1000);
            (0x2000..0x4000).contains(&a) && !protocols && !documentation
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str], url: &str) -> bool {
        let hosts: Vec<_> = hosts
            .iter()
            .map(|h| ((*h).to_owned(), Reach::Public))
            .collect();
        let allowed = Allowed::new(&hosts).expect("hosts");
        allowed.check(&url.parse().expect("an address")).is_ok()
    }

    #[test]
    fn only_named_hosts_are_allowed() {
        let hosts = [
            "api.example.com",
            "*.example.org",
            "http://plain.example.com:81",
        ];
        for url in [
            "https://api.example.com/v1",
            "https://API.Example.com:443/",
            "https://a.b.example.org/",
            "http://plain.example.com:81/",
        ] {
            assert!(check(&hosts, url), "{url}");
        }
        for url in [
            "http://api.example.com/",
            "https://api.example.com:444/",
            "https://example.com/",
            "https://example.org/",
            "https://evilexample.org/",
            "https://api.example.com.evil.org/",
            "https://api.example.com@evil.org/",
            "https://evil.org@api.example.com/",
            "http://plain.example.com/",
        ] {
            assert!(!check(&hosts, url), "{url}");
        }
    }

    #[test]
    fn a_pattern_is_a_host() {
        for text in ["", "*", "a b", "ftp://a", "a/b", "*.*.a"] {
            assert!(
                Allowed::new(&[(text.to_owned(), Reach::Public)]).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn addresses_are_checked_in_every_spelling() {
        let reaches = |reach, text: &str| reaches(reach, text.parse().expect("an address"));
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::",
            "240.0.0.1",
            "2001::1",
            "2001:20::1",
            "3fff:fff::1",
        ] {
            assert!(!reaches(Reach::Public, private), "{private}");
            assert!(reaches(Reach::Private, private), "{private}");
        }
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "224.0.0.1",
        ] {
            assert!(!reaches(Reach::Private, never), "{never}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
            assert!(reaches(Reach::Public, public), "{public}");
        }
    }

    /// A name server that changes its mind: each answer once, the last one first.
    #[derive(Debug)]
    struct Rebinding(std::sync::Mutex<Vec<std::net::SocketAddr>>);

    impl Resolver for Rebinding {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut answers = self.empty();
            answers.push(self.0.lock().expect("no panic").pop().expect("asked twice"));
            Ok(answers)
        }
    }

    #[test]
    fn a_name_that_changes_its_mind_is_checked_again() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let here = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let request = stream.read(&mut [0; 1_024]).expect("a request");
            assert!(request > 0);
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
            stream.write_all(answer.as_bytes()).expect("it listens");
        });
        let host = format!("http://rebind.example:{}", here.port());
        let allowed = Allowed::new(&[(host.clone(), Reach::Private)]).expect("a host");
        let metadata = (Ipv4Addr::new(169, 254, 169, 254), here.port()).into();
        let resolver = Rebinding(std::sync::Mutex::new(vec![metadata, here]));
        let resolver = CheckedResolver { allowed, resolver };
        let connector = ureq::unversioned::transport::DefaultConnector::default();
        let agent = ureq::Agent::with_parts(Config::default(), connector, resolver);
        let mut first = agent.get(&host).call().expect("its own address");
        assert_eq!(first.body_mut().read_to_string().expect("text"), "hello");
        server.join().expect("no panic");
        let error = agent.get(&host).call().expect_err("metadata");
        assert!(error.to_string().contains("169.254.169.254"), "{error}");
    }
}
