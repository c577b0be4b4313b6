//! The keys of a configuration, one by one: what a reload changes, and what is in force.

use super::{
    Access, Admin, Backdoor, Branding, Config, Groups, Identity, Log, Provider, Provisioning,
    Server, Session, SignIn, SignOut, Upstream, Users,
};

/// One key of two configurations.
#[derive(Clone)]
pub(super) struct Row {
    /// Dotted, as in the file.
    pub(super) key: String,
    /// Whether its values differ.
    pub(super) changed: bool,
    /// The new value as `Debug` prints it: a [`Secret`](crate::secret::Secret) does not print itself.
    pub(super) value: String,
}

/// Compares two values of a struct field by field. Taking the old one apart makes a forgotten field
/// a compile error.
macro_rules! differences {
    ($table:expr, $old:expr, $new:expr, $type:ident { $($field:ident => $key:expr),* $(,)? }) => {{
        let ($type { $($field),* }, new) = ($old, $new);
        vec![$(Row {
            key: format!("{}.{}", $table, $key),
            changed: *$field != new.$field,
            value: format!("{:?}", new.$field),
        }),*]
    }};
}

impl Config {
    /// The keys whose values differ in `other`, dotted, in the order of the file. No value is ever
    /// among them.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let rows = self.compared(other).into_iter();
        rows.filter(|row| row.changed).map(|row| row.key).collect()
    }

    /// Every key, changed or not.
    pub(super) fn compared(&self, other: &Self) -> Vec<Row> {
        // Taken apart for the same reason as in the macro.
        let Self {
            server,
            upstream,
            identity,
            session,
            providers,
            users,
            groups,
            provisioning,
            sign_in,
            sign_out,
            access,
            backdoor,
            branding,
            admin,
            log,
        } = self;
        [
            differences!("server", server, &other.server, Server {
                public_url => "public_url",
                listen => "listen",
                admin_listen => "admin_listen",
                prefix => "prefix",
                trusted_proxies => "trusted_proxies",
                tls => "tls",
                head_timeout => "head_timeout_secs",
                drain_timeout => "drain_timeout_secs",
                max_connections => "max_connections",
            }),
            differences!("upstream", upstream, &other.upstream, Upstream {
                url => "url",
                kind => "kind",
                context_path => "context_path",
                connect_timeout => "connect_timeout_secs",
                head_timeout => "head_timeout_secs",
                idle_timeout => "idle_timeout_secs",
                ca_file => "ca_file",
                client_tls => "client_cert_file",
            }),
            differences!("identity", identity, &other.identity, Identity {
                user_header => "user_header",
                email_header => "email_header",
                name_header => "name_header",
                groups_header => "groups_header",
                assertion => "assertion_header",
            }),
            differences!("session", session, &other.session, Session {
                store => "store",
                keys => "keys",
                cookie_name => "cookie_name",
                idle_timeout => "idle_timeout_secs",
                max_age => "max_age_secs",
                remember_me => "remember_me",
                remember_me_max_age => "remember_me_max_age_secs",
                refresh => "refresh_secs",
                stale => "stale_secs",
            }),
            providers_differ(providers, &other.providers),
            differences!("users", users, &other.users, Users {
                match_by => "match_by",
                username_case => "username_case",
                require_verified_email => "require_verified_email",
                allowed_domains => "allowed_domains",
                create => "create",
                update_profile => "update_profile",
                link_by_verified_email => "link_by_verified_email",
                link_providers => "link_providers",
            }),
            differences!("groups", groups, &other.groups, Groups {
                mode => "mode",
                default => "default",
                assign_default_to => "assign_default_to",
                update_existing => "update_existing",
                create_missing => "create_missing",
                keep_existing => "keep_existing",
                exclude => "exclude",
                require_mapped_group_to_create => "require_mapped_group_to_create",
                map => "map",
            }),
            differences!("provisioning", provisioning, &other.provisioning, Provisioning {
                target => "target",
                on_error => "on_error",
                timeout => "timeout_secs",
            }),
            differences!("sign_in", sign_in, &other.sign_in, SignIn {
                enabled => "enabled",
                auto_redirect => "auto_redirect",
                auto_redirect_delay => "auto_redirect_delay_secs",
                default_provider => "default_provider",
                rules => "rules",
            }),
            differences!("sign_out", sign_out, &other.sign_out, SignOut {
                provider_logout => "provider_logout",
                redirect_to => "redirect_to",
            }),
            differences!("access", access, &other.access, Access {
                api => "api",
                allow_password_change => "allow_password_change",
                plugin_admin_groups => "plugin_admin_groups",
                rules => "rules",
            }),
            differences!("backdoor", backdoor, &other.backdoor, Backdoor {
                enabled => "enabled",
                path => "path",
                accounts => "accounts",
                allowed_networks => "allowed_networks",
                max_age => "max_age_secs",
            }),
            differences!("branding", branding, &other.branding, Branding {
                title => "title",
                button_text => "button_text",
                footer => "footer",
                logo => "logo_file",
                css => "css_file",
                light => "colors",
                dark => "colors (dark)",
                languages => "languages",
                translations => "languages_dir",
                messages => "messages",
                templates => "templates_dir",
                style => "templates_dir/style.css",
            }),
            differences!("admin", admin, &other.admin, Admin { groups => "groups" }),
            differences!("log", log, &other.log, Log { format => "format", level => "level" }),
        ]
        .concat()
    }

    /// The keys that differ in `other` and cannot change in a running process: sockets are bound,
    /// the store is open and the log's subscriber is set once.
    #[must_use]
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let (old, new) = (&self.server, &other.server);
        [
            ("server.listen", old.listen != new.listen),
            ("server.admin_listen", old.admin_listen != new.admin_listen),
            ("server.tls", old.tls.is_some() != new.tls.is_some()),
            (
                "server.max_connections",
                old.max_connections != new.max_connections,
            ),
            ("session.store", self.session.store != other.session.store),
            ("log.format", self.log.format != other.log.format),
            ("log.level", self.log.level != other.log.level),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
    }
}

fn providers_differ(old: &[Provider], new: &[Provider]) -> Vec<Row> {
    let find = |list: &'_ [Provider], id: &str| list.iter().position(|provider| provider.id == id);
    let mark = |key: String| Row {
        key,
        changed: true,
        value: String::new(),
    };
    let mut rows = Vec::new();
    for provider in old {
        match find(new, &provider.id).and_then(|index| new.get(index)) {
            None => rows.push(mark(format!("providers.{} (removed)", provider.id))),
            Some(other) => rows.extend(provider_differs(provider, other)),
        }
    }
    let added = new
        .iter()
        .filter(|provider| find(old, &provider.id).is_none());
    rows.extend(added.map(|provider| mark(format!("providers.{} (added)", provider.id))));
    let moved = || old.iter().zip(new).any(|(old, new)| old.id != new.id);
    if !rows.iter().any(|row| row.changed) && moved() {
        rows.push(mark("providers (order)".to_owned()));
    }
    rows
}

fn provider_differs(old: &Provider, new: &Provider) -> Vec<Row> {
    let mut changed = differences!(format!("providers.{}", old.id), old, new, Provider {
        id => "id",
        preset => "preset",
        name => "name",
        icon => "icon",
        protocol => "protocol",
        issuer => "issuer",
        discovery_url => "discovery_url",
        endpoints => "endpoints",
        client_id => "client_id",
        client_auth => "client_auth",
        client_secret_expires_on => "client_secret_expires_on",
        scopes => "scopes",
        pkce => "pkce",
        extra_params => "extra_params",
        ca_file => "ca_file",
        logout => "logout",
        logout_style => "logout_style",
        logout_returns => "logout_returns",
        refresh => "refresh",
        signing_algs => "signing_algs",
        response_mode => "response_mode",
        extra_audiences => "extra_audiences",
        userinfo => "userinfo",
        subject_claim => "subject_claim",
        insecure_http => "insecure_http",
        issuer_aliases => "issuer_aliases",
        nonce => "nonce",
        fetch => "fetch",
        graph_url => "graph_url",
        email_trust => "email_trust",
        require => "require",
        claims => "claims",
        tests => "tests",
    });
    // These follow from the preset, and are no keys of the file.
    let derived = [".protocol", ".logout_returns"];
    changed.retain(|row| !derived.iter().any(|end| row.key.ends_with(end)));
    changed
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Try;

    const PROVIDER: &str = "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"hunter2\"\n";

    #[track_caller]
    fn check(old: &str, new: &str, changes: &[&str], restart: &[&str]) {
        let tried = Try::new(old);
        let (old, new) = (tried.accepted(), tried.rewritten(new).accepted());
        assert_eq!(old.changes(&new), changes);
        assert_eq!(old.needs_restart(&new), restart);
        assert!(old.changes(&old).is_empty() && old.needs_restart(&old).is_empty());
    }

    #[test]
    fn a_change_is_named_by_its_key() {
        check(
            "",
            "[users]\nallowed_domains = [\"example.com\"]\n[sign_out]\nprovider_logout = false",
            &["users.allowed_domains", "sign_out.provider_logout"],
            &[],
        );
        check(
            "",
            "[groups]\ndefault = [\"a\"]\n[provisioning]\ntarget = \"directory\"\n[admin]\ngroups = []",
            &["groups.default", "provisioning.target", "admin.groups"],
            &[],
        );
        check(
            PROVIDER,
            &format!(
                "{PROVIDER}[providers.claims]\nusername = {{ claim = \"upn\", steps = [\"lower\"] }}"
            ),
            &["providers.a.claims"],
            &[],
        );
        check(
            PROVIDER,
            &PROVIDER.replace("hunter2", "hunter3"),
            &["providers.a.client_auth"],
            &[],
        );
        check(
            PROVIDER,
            &PROVIDER.replace("https://idp.", "https://id."),
            &["providers.a.issuer", "providers.a.discovery_url"],
            &[],
        );
    }

    #[test]
    fn providers_come_go_and_move() {
        let b = PROVIDER.replace("\"a\"", "\"b\"");
        check(
            PROVIDER,
            &b,
            &["providers.a (removed)", "providers.b (added)"],
            &[],
        );
        check(
            &format!("{PROVIDER}{b}"),
            &format!("{b}{PROVIDER}"),
            &["providers (order)"],
            &[],
        );
    }

    #[test]
    fn what_is_bound_or_open_needs_a_restart() {
        let server = "[server]\npublic_url = \"https://git.example.com\"\n";
        check(
            server,
            &format!(
                "{server}listen = \"0.0.0.0:80\"\nadmin_listen = \"127.0.0.1:1\"\nmax_connections = 1\nhead_timeout_secs = 1\n[log]\nlevel = \"warn\"\nformat = \"json\""
            ),
            &[
                "server.listen",
                "server.admin_listen",
                "server.head_timeout_secs",
                "server.max_connections",
                "log.format",
                "log.level",
            ],
            &[
                "server.listen",
                "server.admin_listen",
                "server.max_connections",
                "log.format",
                "log.level",
            ],
        );
        check(
            "[session]\nkeys = [{ env = \"KEY\" }]",
            "[session]\nkeys = [{ env = \"KEY\" }]\nstore = \"memory\"",
            &["session.store"],
            &["session.store"],
        );
    }
}
