//! The provisioning room against a fake Bitbucket, and against the built-in directory.

mod answers;
mod double;
mod fake;
mod find;
mod plan;
mod requests;
mod suite;
mod waiting;
mod world;

use super::bitbucket::Limits;
use super::plan::AccountChange;
use super::*;
use crate::clock::Timestamp;
use crate::config::{self, AssignDefault, GroupMode, Pattern};
use crate::identity::{DisplayName, Email, GroupName, Person};
use fake::{Canned, Fake};
use serde_json::json;
use std::collections::BTreeSet;
use world::{World, candidate, group, groups, name};
