//! Where things are: ports of this demonstration, and addresses that are asked for anew at the authoritative servers.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, RecordType},
};
use tokio::time;

use crate::Failure;

/// A call that takes longer has failed: everything here is on one machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A region, as the client sees it: a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Fra,
    Dub,
}

impl Place {
    /// The region whose network holds the address.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(v4) if v4.octets().starts_with(&[127, 1]) => Some(Self::Fra),
            IpAddr::V4(v4) if v4.octets().starts_with(&[127, 2]) => Some(Self::Dub),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "fra" => Ok(Self::Fra),
            "dub" => Ok(Self::Dub),
            other => Err(format!("there is no region {other}").into()),
        }
    }
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fra => "fra",
            Self::Dub => "dub",
        }
    }
    fn host(self, last: u8) -> IpAddr {
        let network = match self {
            Self::Fra => 1,
            Self::Dub => 2,
        };
        IpAddr::V4(Ipv4Addr::new(127, network, 0, last))
    }
    /// Where its database is.
    pub(crate) fn database(self) -> IpAddr {
        self.host(10)
    }
    /// Where its object store is.
    pub(crate) fn objects(self) -> IpAddr {
        self.host(20)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The ports of a demonstration, as `tests/servers/regions.rs` writes them down.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Ports {
    /// PostgreSQL, in both regions.
    pub(crate) postgres: u16,
    /// The object store, by region.
    pub(crate) s3: BTreeMap<String, u16>,
    /// The authoritative name servers.
    pub(crate) dns: Vec<SocketAddr>,
}

impl Ports {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    }

    /// A client of the object store of a region. It tries once: whoever calls tries again elsewhere.
    pub(crate) fn objects(&self, place: Place, address: IpAddr) -> Client {
        let port = self.s3.get(place.name()).copied().unwrap_or_default();
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(300))
            .operation_attempt_timeout(PATIENCE)
            .operation_timeout(PATIENCE)
            .build();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("shop", "shop-secret", None, None, "two-regions"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(limits)
            .endpoint_url(format!("http://{}", SocketAddr::new(address, port)))
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    /// A session at a region's database. It ends when the value is dropped, or the server goes away.
    pub(crate) async fn database(&self, address: IpAddr) -> Result<tokio_postgres::Client, Failure> {
        let mut config = tokio_postgres::Config::new();
        config.host(address.to_string()).port(self.postgres).dbname("orders").user("shop").password("shop-secret");
        config.connect_timeout(Duration::from_millis(300));
        let (client, connection) = time::timeout(PATIENCE, config.connect(tokio_postgres::NoTls)).await??;
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }
}

/// The bucket of a region.
pub(crate) fn bucket(place: Place) -> &'static str {
    match place {
        Place::Fra => "uploads-fra",
        Place::Dub => "uploads-dub",
    }
}

/// Asks the authoritative servers; nothing is remembered, as if every record had just expired.
pub(crate) struct Names(TokioResolver);

impl Names {
    pub(crate) fn of(ports: &Ports) -> Result<Self, Failure> {
        let servers = ports.dns.iter().map(|server| {
            let at = |mut config: ConnectionConfig| {
                config.port = server.port();
                config
            };
            NameServerConfig::new(server.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
        });
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.recursion_desired = false;
        options.ndots = 0;
        options.timeout = PATIENCE;
        options.attempts = 1;
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self(builder.with_options(options).build()?))
    }

    /// The address of a name, and its region.
    pub(crate) async fn find(&self, name: &str) -> Result<(IpAddr, Place), Failure> {
        let found = self.0.lookup(format!("{name}."), RecordType::A).await?;
        let mut addresses = found.answers().iter().filter_map(|record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        });
        let address = addresses.next().ok_or("the name has no address")?;
        let place = Place::of(address).ok_or("the address is in no region")?;
        Ok((address, place))
    }
}
