//! A target with people in it, a configuration that fits, and a provisioner.

use super::*;
use crate::config::{BitbucketAccess, Credentials};
use crate::directory::people::{self, Entry};
use crate::secret::Secret;
use std::path::Path;

pub(super) struct World {
    pub(super) fake: Fake,
    pub(super) people: Arc<dyn People>,
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    pub(super) finish: Duration,
}

const CONFIG: &str = r#"
    [server]
    public_url = "https://git.example.com"
    [upstream]
    url = "http://127.0.0.1:7990"
    [session]
    store = "memory"
    keys = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"]
    [[providers]]
    id = "test"
    issuer = "https://idp.example.com"
    client_id = "c"
    client_secret = "s"
"#;

impl World {
    /// With Bitbucket as the target.
    pub(super) async fn new() -> Self {
        let fake = Fake::start().await;
        let parsed = config::parse(CONFIG, "p.toml", Path::new("."), &|_| None);
        let mut config = parsed.unwrap_or_else(|p| panic!("{p}")).config;
        config.provisioning.timeout = fake::LONG;
        config.provisioning.target = ProvisioningTarget::Bitbucket(BitbucketAccess {
            url: format!("http://{}/", fake.address).parse().unwrap(),
            credentials: Credentials::Basic {
                username: "svc".to_owned(),
                password: Secret::new("pass:word".to_owned()),
            },
            ca_file: None,
        });
        config.admin.groups = vec![group("admins")];
        Self {
            fake,
            people: people::open(&config::Store::Memory).await.unwrap(),
            config,
            clock: Clock::manual(Timestamp::from_secs(1_000_000)),
            metrics: Metrics::new(),
            limits: Limits {
                step: Duration::ZERO,
                ..Limits::default()
            },
            finish: fake::LONG,
        }
    }

    /// With the built-in directory as the target.
    pub(super) async fn directory() -> Self {
        let mut world = Self::new().await;
        world.config.provisioning.target = ProvisioningTarget::Directory;
        world
    }

    pub(super) async fn both() -> [Self; 2] {
        [Self::new().await, Self::directory().await]
    }

    /// Changes the configuration.
    pub(super) fn set(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(super) fn provisioner(&self) -> Provisioner {
        Provisioner::with_limits(
            &self.config,
            &self.people,
            self.clock.clone(),
            self.metrics.clone(),
            self.limits,
            self.finish,
        )
        .unwrap()
        .unwrap()
    }

    pub(super) fn is_directory(&self) -> bool {
        self.config.provisioning.target == ProvisioningTarget::Directory
    }

    /// The username in the world, and the groups, which are made when they are not there.
    pub(super) async fn person(&self, username: &str, of: &[&str]) {
        let entry = Entry {
            username: name(username),
            display_name: format!("The {username}"),
            email: format!("{}@example.com", username.to_lowercase()),
            active: true,
        };
        self.people.create(entry).await.unwrap();
        self.fake.user(username);
        self.group_names(of).await;
        self.people.add(&name(username), &groups(of)).await.unwrap();
        let mut town = self.fake.town();
        let memberships = of.iter().map(|of| (username.to_owned(), (*of).to_owned()));
        town.members.extend(memberships);
    }

    pub(super) async fn group_names(&self, names: &[&str]) {
        for name in names {
            if self.people.create_group(&group(name)).await.unwrap() {
                self.fake.town().groups.push((*name).to_owned());
            }
        }
        let mut town = self.fake.town();
        for name in names {
            let permission = match *name {
                "admins" => "ADMIN",
                "stash-users" => "LICENSED_USER",
                _ => continue,
            };
            let entry = (*name).to_owned();
            town.group_permissions.insert(entry, permission.to_owned());
        }
    }

    /// The groups of somebody, in their own spelling.
    pub(super) async fn groups_of(&self, username: &str) -> Vec<String> {
        if self.is_directory() {
            let groups = self.people.groups_of(&name(username)).await.unwrap();
            return groups.into_iter().map(String::from).collect();
        }
        let town = self.fake.town();
        let of = town.members.iter().filter(|(user, _)| user == username);
        of.map(|(_, group)| group.clone()).collect()
    }

    /// Username, name, address.
    pub(super) async fn profile(&self, username: &str) -> Option<[String; 3]> {
        if self.is_directory() {
            let found = self.people.by_username(&name(username)).await.unwrap()?;
            return Some([found.username.into(), found.display_name, found.email]);
        }
        let town = self.fake.town();
        let found = town.users.iter().find(|user| user["name"] == username)?;
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        Some([text("name"), text("displayName"), text("emailAddress")])
    }

    /// Whether the line is among the metrics.
    #[track_caller]
    pub(super) fn counted(&self, outcome: &str, count: u32) {
        let line = format!("portcullis_provisioning_total{{outcome=\"{outcome}\"}} {count}");
        let shown = self.metrics.render();
        assert!(shown.contains(&line), "{line} is not in:\n{shown}");
    }
}

/// Finds and applies, as a sign-in does.
pub(super) async fn sign_in(provisioner: &Provisioner, who: &Candidate) -> Result<Plan, Error> {
    let found = provisioner.find(who).await?;
    provisioner.apply(found, who).await
}

pub(super) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn group(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

pub(super) fn groups(texts: &[&str]) -> Vec<GroupName> {
    texts.iter().map(|text| group(text)).collect()
}

/// Somebody as the provider knows them, whose groups keep their names.
pub(super) fn candidate(username: &str, of: &[&str]) -> Candidate {
    Candidate {
        person: Person {
            username: name(username),
            email: Email::parse(&format!("{}@example.com", username.to_lowercase())).ok(),
            display_name: DisplayName::parse(format!("The {username}")).ok(),
            groups: groups(of),
        },
        claimed_username: None,
        verified_email: None,
        provider_groups: of.iter().map(|of| (*of).to_owned()).collect(),
        mapped_groups: groups(of),
    }
}
