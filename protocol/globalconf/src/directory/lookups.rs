//! The questions that a configuration answers (features.md 2.10).

use protocol_message::identifier::{ClientId, GlobalGroupId, SecurityServerId};
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;

use super::{GlobalConf, GlobalConfError, Instance, Problem, Server, Tsa};
use crate::optional_parts::OptionalParts;
use crate::private_params::{ManagementService, PrivateParams};
use crate::shared_params::{MaintenanceMode, Member, MemberClass, SharedParams, Source};
use crate::version::Version;

/// Validity and the own instance.
impl GlobalConf {
    /// Code of the own instance.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.own.shared.instance
    }

    /// Codes of all instances that can be used, the own one among them, in any order.
    pub fn instances(&self) -> impl Iterator<Item = &str> {
        self.instances.keys().map(String::as_str)
    }

    /// Schema version of the own instance.
    #[must_use]
    pub fn version(&self) -> Version {
        self.own.version
    }

    /// Until when the configuration may be used: the earlier expiry of the own instance's shared and private
    /// parameters; nothing if the files say nothing.
    #[must_use]
    pub fn expires_at(&self) -> Option<OffsetDateTime> {
        [self.own.expires_at, self.private_expires_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the first federated instance expires; it must be left out from then on, by loading again.
    #[must_use]
    pub fn next_federated_expiry(&self) -> Option<OffsetDateTime> {
        let federated = self
            .instances
            .values()
            .filter(|instance| instance.shared.instance != self.instance());
        federated.filter_map(|instance| instance.expires_at).min()
    }

    /// Whether the configuration may be used at the given time.
    #[must_use]
    pub fn is_valid_at(&self, at: OffsetDateTime) -> bool {
        self.expires_at().is_none_or(|expires_at| at <= expires_at)
    }

    /// Whether the configuration may be used at the given time, as a result: every request begins with this.
    ///
    /// # Errors
    /// `global_conf_outdated` when it may not.
    pub fn verify_validity(&self, at: OffsetDateTime) -> Result<(), GlobalConfError> {
        match self.expires_at().filter(|_| !self.is_valid_at(at)) {
            Some(expired_at) => Err(GlobalConfError::Expired {
                instance: self.instance().to_owned(),
                expired_at,
            }),
            None => Ok(()),
        }
    }

    /// What is wrong with the configuration, though it can be used.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Private parameters of the own instance.
    #[must_use]
    pub fn private_params(&self) -> &PrivateParams {
        &self.private
    }

    /// Shared parameters of an instance.
    #[must_use]
    pub fn shared_params(&self, instance: &str) -> Option<&SharedParams> {
        self.instances.get(instance).map(|instance| &instance.shared)
    }

    /// Management services of the own instance.
    #[must_use]
    pub fn management_service(&self) -> &ManagementService {
        &self.private.management_service
    }

    /// How long a signature may stay without a time-stamp, in seconds.
    #[must_use]
    pub fn time_stamping_interval_seconds(&self) -> u32 {
        self.private.time_stamping_interval_seconds
    }

    /// How old an OCSP response may be, in seconds: of the own instance, for certificates of all (wire.md 3.7).
    #[must_use]
    pub fn ocsp_freshness_seconds(&self) -> u32 {
        self.own.shared.settings.ocsp_freshness_seconds
    }

    /// OCSP fetch interval, next-update rule and monitoring client.
    #[must_use]
    pub fn optional_parts(&self) -> &OptionalParts {
        &self.optional
    }

    /// Nodes that an instance's configuration can be downloaded from.
    #[must_use]
    pub fn sources(&self, instance: &str) -> &[Source] {
        self.shared_params(instance).map_or(&[], |shared| &shared.sources)
    }

    pub(crate) fn all_instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().map(AsRef::as_ref)
    }

    pub(crate) fn instance_named(&self, instance: &str) -> Option<&Instance> {
        self.instances.get(instance).map(AsRef::as_ref)
    }
}

/// Security servers.
impl GlobalConf {
    /// Servers on which the member or subsystem is registered or which it owns, in the order of the file.
    pub fn servers_of<'a>(&'a self, client: &ClientId) -> impl Iterator<Item = &'a Server> + use<'a> {
        let servers = self
            .instance_named(client.instance())
            .map(|instance| instance.clients.servers_of(client));
        servers.into_iter().flatten()
    }

    /// Addresses of the servers of a member or subsystem, without repetition.
    #[must_use]
    pub fn addresses<'a>(&'a self, client: &ClientId) -> Vec<&'a str> {
        let mut addresses: Vec<&'a str> = Vec::new();
        for address in self
            .servers_of(client)
            .filter_map(|server| server.address.as_deref())
        {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// A server by its identifier.
    #[must_use]
    pub fn server(&self, id: &SecurityServerId) -> Option<&Server> {
        self.instance_named(&id.instance)?.clients.server(id)
    }

    /// All servers of an instance.
    #[must_use]
    pub fn servers(&self, instance: &str) -> &[Server] {
        self.instance_named(instance)
            .map_or(&[], |instance| instance.clients.servers())
    }

    /// Whether a member or subsystem is registered on a server or owns it.
    #[must_use]
    pub fn is_server_client(&self, client: &ClientId, server: &SecurityServerId) -> bool {
        self.server(server)
            .is_some_and(|server| server.clients.contains(client))
    }

    /// Maintenance mode of a server, if it is in it.
    #[must_use]
    pub fn maintenance_mode(&self, server: &SecurityServerId) -> Option<&MaintenanceMode> {
        self.server(server)?.maintenance_mode.as_ref()
    }

    /// Whether some server of some instance has this address.
    #[must_use]
    pub fn is_known_address(&self, address: &str) -> bool {
        self.all_instances()
            .any(|instance| instance.clients.servers_at(address).next().is_some())
    }

    /// Addresses of all servers of all instances.
    pub fn known_addresses(&self) -> impl Iterator<Item = &str> {
        let servers = self
            .all_instances()
            .flat_map(|instance| instance.clients.servers());
        servers.filter_map(|server| server.address.as_deref())
    }
}

/// Authentication certificates.
impl GlobalConf {
    /// The server that the authentication certificate belongs to. Each instance names certificates with the hash
    /// of its own version; the own instance is asked first.
    #[must_use]
    pub fn server_by_auth_cert(&self, certificate: &Certificate) -> Option<&Server> {
        let hashes = AuthCertHashes::new(certificate);
        let others = self
            .all_instances()
            .filter(|instance| instance.shared.instance != self.instance());
        std::iter::once(&*self.own)
            .chain(others)
            .find_map(|instance| instance.clients.server_with_auth_cert(hashes.of(instance)))
    }

    /// The same by the SHA-256 hash of the certificate (instances of version 2 name certificates by SHA-1, and are
    /// not asked).
    #[must_use]
    pub fn server_id_by_auth_cert_hash(&self, sha256: &[u8]) -> Option<&SecurityServerId> {
        let instances = self.all_instances().filter(|instance| !instance.clients.by_sha1);
        let mut servers = instances.filter_map(|instance| instance.clients.server_with_auth_cert(sha256));
        servers.next().map(|server| &server.id)
    }

    /// Whether the authentication certificate belongs to a server that the member or subsystem owns or is
    /// registered on. Only the instance of the member itself is asked: no instance can vouch for another's.
    #[must_use]
    pub fn auth_cert_matches_member(&self, certificate: &Certificate, client: &ClientId) -> bool {
        let Some(instance) = self.instance_named(client.instance()) else {
            return false;
        };
        let hashes = AuthCertHashes::new(certificate);
        instance
            .clients
            .servers_of(client)
            .any(|server| server.has_auth_cert(hashes.of(instance)))
    }
}

/// Hashes of a certificate, SHA-1 only where an instance of version 2 needs it.
struct AuthCertHashes {
    sha256: Vec<u8>,
    sha1: std::cell::OnceCell<Vec<u8>>,
    certificate: Certificate,
}

impl AuthCertHashes {
    fn new(certificate: &Certificate) -> Self {
        Self {
            sha256: certificate.sha256().to_vec(),
            sha1: std::cell::OnceCell::new(),
            certificate: certificate.clone(),
        }
    }

    fn of(&self, instance: &Instance) -> &[u8] {
        match instance.clients.by_sha1 {
            true => self
                .sha1
                .get_or_init(|| DigestAlgorithm::Sha1.digest(self.certificate.as_der()).to_vec()),
            false => &self.sha256,
        }
    }
}

/// Members, subsystems, groups.
impl GlobalConf {
    /// Whether the member or subsystem is registered in its instance.
    #[must_use]
    pub fn is_member(&self, client: &ClientId) -> bool {
        self.instance_named(client.instance())
            .is_some_and(|instance| instance.clients.name(client).is_some())
    }

    /// All members of all instances, with their subsystems.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.all_instances().flat_map(|instance| &instance.shared.members)
    }

    /// Members of an instance.
    #[must_use]
    pub fn members_of(&self, instance: &str) -> &[Member] {
        self.shared_params(instance).map_or(&[], |shared| &shared.members)
    }

    /// Full name of the member that the identifier is or belongs to.
    #[must_use]
    pub fn member_name(&self, client: &ClientId) -> Option<&str> {
        self.instance_named(client.instance())?
            .clients
            .name(&client.member())?
    }

    /// Full name of a subsystem, if it has one.
    #[must_use]
    pub fn subsystem_name(&self, subsystem: &ClientId) -> Option<&str> {
        subsystem.subsystem_code()?;
        self.instance_named(subsystem.instance())?
            .clients
            .name(subsystem)?
    }

    /// Member classes of an instance.
    #[must_use]
    pub fn member_classes(&self, instance: &str) -> &[MemberClass] {
        self.shared_params(instance)
            .map_or(&[], |shared| &shared.settings.member_classes)
    }

    /// Whether the member or subsystem itself is in the group; a member does not stand for its subsystems.
    #[must_use]
    pub fn global_group_contains(&self, group: &GlobalGroupId, client: &ClientId) -> bool {
        let group = self
            .instance_named(&group.instance)
            .and_then(|i| i.clients.group(&group.group_code));
        group.is_some_and(|members| members.contains(client))
    }

    /// Description of a group.
    #[must_use]
    pub fn global_group_description(&self, group: &GlobalGroupId) -> Option<&str> {
        let groups = &self.shared_params(&group.instance)?.global_groups;
        groups
            .iter()
            .find(|candidate| candidate.id == *group)
            .map(|group| group.description.as_str())
    }
}

/// Time-stamping services.
impl GlobalConf {
    /// Time-stamping services of an instance; only those of the own one are used.
    #[must_use]
    pub fn tsas(&self, instance: &str) -> &[Tsa] {
        self.instance_named(instance)
            .map_or(&[], |instance| &instance.authorities.tsas)
    }

    /// URLs of the own instance's time-stamping services.
    pub fn tsa_urls(&self) -> impl Iterator<Item = &str> {
        self.own.authorities.tsas.iter().map(|tsa| tsa.url.as_str())
    }

    /// Certificates of all instances' time-stamping services: any of them may have stamped a container.
    pub fn tsa_certs(&self) -> impl Iterator<Item = &Certificate> {
        self.all_instances()
            .flat_map(|instance| &instance.authorities.tsas)
            .map(|tsa| &tsa.certificate)
    }
}
