//! A git repository over smart HTTP: `git http-backend`, spoken to as CGI.

use super::cgi::{self, Head};
use super::visitor::Visitor;
use super::{Shared, User};
use crate::demo::Error;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::{TryStreamExt, stream};
use http::request::Parts;
use http::{Method, StatusCode, header};
use std::ffi::OsStr;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;

/// What one read of git's output takes at most.
const PIECE: usize = 64 * 1024;
/// Commits that the page lists.
const LISTED: &str = "-n10";
const README: &str = "# hello\n\nA repository of the Portcullis demo. Clone it, commit, push, and look at its page again.\n";

/// A bare repository with one commit, served for clone and push.
#[derive(Debug)]
pub struct Repository {
    /// The folder that has `demo/hello.git` in it.
    root: PathBuf,
    /// The program that serves it. Started directly and not by way of `git`, so that ending it ends
    /// it: `git` would leave it behind.
    backend: PathBuf,
}

/// A line of the history.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) subject: String,
}

impl Repository {
    /// Makes the repository in this folder, by running `git`; none: there is no git, or none that
    /// can serve HTTP.
    ///
    /// # Errors
    ///
    /// If git is there and fails.
    pub async fn create(root: &FilePath) -> Result<Option<Self>, Error> {
        let mut repository = Self {
            root: root.to_owned(),
            backend: PathBuf::new(),
        };
        let folder = match repository.git("--exec-path", &["--exec-path"], "").await {
            Err(Error::Git { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        };
        repository.backend = FilePath::new(&folder).join("git-http-backend");
        if !repository.backend.exists() {
            return Ok(None);
        }
        let path = repository.path();
        let at = path.to_string_lossy();
        let dir = format!("--git-dir={at}");
        let dir = dir.as_str();
        repository
            .git("init", &["init", "--quiet", "--bare", &at], "")
            .await?;
        // Plumbing, so that no working tree is needed.
        repository
            .git(
                "symbolic-ref",
                &[dir, "symbolic-ref", "HEAD", "refs/heads/main"],
                "",
            )
            .await?;
        repository
            .git("config", &[dir, "config", "http.receivepack", "true"], "")
            .await?;
        let blob = repository
            .git(
                "hash-object",
                &[dir, "hash-object", "-w", "--stdin"],
                README,
            )
            .await?;
        let listing = format!("100644 blob {blob}\tREADME.md\n");
        let tree = repository.git("mktree", &[dir, "mktree"], &listing).await?;
        let message = "Begin the demo\n";
        let commit = repository
            .git("commit-tree", &[dir, "commit-tree", &tree], message)
            .await?;
        repository
            .git(
                "update-ref",
                &[dir, "update-ref", "refs/heads/main", &commit],
                "",
            )
            .await?;
        Ok(Some(repository))
    }

    /// The latest commits of `main`.
    pub(super) async fn commits(&self) -> Result<Vec<Commit>, Error> {
        let dir = format!("--git-dir={}", self.path().display());
        let args = [
            dir.as_str(),
            "log",
            LISTED,
            "--format=%h%x00%an%x00%s",
            "main",
            "--",
        ];
        let log = self.git("log", &args, "").await?;
        let commit = |line: &str| {
            let mut parts = line.splitn(3, '\0').map(str::to_owned);
            Some(Commit {
                id: parts.next()?,
                author: parts.next()?,
                subject: parts.next()?,
            })
        };
        Ok(log.lines().filter_map(commit).collect())
    }

    fn path(&self) -> PathBuf {
        self.root.join("demo").join("hello.git")
    }

    /// A program of git, with nothing of this machine's or person's settings.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &self.root)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Portcullis demo")))
            .envs(
                ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "demo@example.com")),
            )
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs git to its end and answers what it wrote, without white space at the end.
    async fn git(&self, name: &'static str, args: &[&str], input: &str) -> Result<String, Error> {
        let run = async {
            let mut child = self
                .command("git")
                .args(args)
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes()).await?;
            }
            child.wait_with_output().await
        };
        let output = run.await.map_err(|source| Error::Git {
            command: name,
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(Error::GitFailed {
            command: name,
            status: output.status,
            message: message.lines().next().unwrap_or_default().to_owned(),
        })
    }

    /// Answers a request by `git http-backend`, both bodies streaming.
    async fn serve(&self, user: &User, path: &str, request: Request) -> io::Result<Response> {
        let (parts, body) = request.into_parts();
        let mut child = self
            .command(&self.backend)
            .envs(environment(&parts, path))
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("REMOTE_USER", &user.username)
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("git has no pipes"));
        };
        let mut attendant = JoinSet::new();
        attendant.spawn(attend(child, body.into_data_stream(), stdin));

        let mut written = BytesMut::with_capacity(PIECE);
        let (Head { status, headers }, length) = loop {
            if stdout.read_buf(&mut written).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match cgi::parse(&written) {
                Ok(Some(parsed)) => break parsed,
                Ok(None) => {}
                Err(malformed) => return Err(io::Error::other(malformed)),
            }
        };
        let written = written.split_off(length);
        let answer = Answer {
            written,
            stdout,
            attendant,
        };
        let body = stream::try_unfold(answer, Answer::next);
        Ok((status, headers, Body::from_stream(body)).into_response())
    }
}

/// What is left of an answer. Dropping it ends git.
struct Answer {
    written: BytesMut,
    stdout: ChildStdout,
    attendant: JoinSet<io::Result<ExitStatus>>,
}

impl Answer {
    async fn next(mut self) -> io::Result<Option<(bytes::Bytes, Self)>> {
        if self.written.is_empty() {
            self.written.reserve(PIECE);
            if self.stdout.read_buf(&mut self.written).await? == 0 {
                // A cut answer is a cut answer, not a short complete one.
                return match self.attendant.join_next().await {
                    Some(Ok(Ok(status))) if status.success() => Ok(None),
                    _ => Err(io::Error::other("git failed")),
                };
            }
        }
        let piece = self.written.split().freeze();
        Ok(Some((piece, self)))
    }
}

/// Feeds git until one of the two has had enough, and waits for its end.
async fn attend(
    mut child: Child,
    body: BodyDataStream,
    stdin: ChildStdin,
) -> io::Result<ExitStatus> {
    tokio::select! {
        () = feed(body, stdin) => child.wait().await,
        status = child.wait() => status,
    }
}

/// Writes the request's body to git, as fast as git reads. A body that was cut ends early for git
/// too, which its protocol notices: a pack ends with its own checksum.
async fn feed(mut body: BodyDataStream, mut stdin: ChildStdin) {
    while let Ok(Some(piece)) = body.try_next().await {
        // A git that stops reading has already said, or will say, why.
        if stdin.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// RFC 3875 §4.1, as far as `git http-backend` reads it.
fn environment(parts: &Parts, path: &str) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("GATEWAY_INTERFACE", "CGI/1.1".to_owned()),
        ("SERVER_PROTOCOL", "HTTP/1.1".to_owned()),
        ("REQUEST_METHOD", parts.method.to_string()),
        ("PATH_INFO", format!("/demo/hello.git/{path}")),
        (
            "QUERY_STRING",
            parts.uri.query().unwrap_or_default().to_owned(),
        ),
        ("REMOTE_ADDR", "127.0.0.1".to_owned()),
        ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
    ];
    let fields = [
        ("CONTENT_TYPE", header::CONTENT_TYPE.as_str()),
        ("CONTENT_LENGTH", header::CONTENT_LENGTH.as_str()),
        ("HTTP_CONTENT_ENCODING", header::CONTENT_ENCODING.as_str()),
        ("HTTP_GIT_PROTOCOL", "git-protocol"),
        ("GIT_PROTOCOL", "git-protocol"),
    ];
    for (name, field) in fields {
        let value = parts
            .headers
            .get(field)
            .and_then(|value| value.to_str().ok());
        environment.extend(value.map(|value| (name, value.to_owned())));
    }
    environment
}

pub(super) async fn serve(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    Path((project, name, path)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let Visitor::Known(user, _) = visitor else {
        let challenge = [(
            header::WWW_AUTHENTICATE,
            r#"Basic realm="Atlassian Bitbucket""#,
        )];
        return (
            StatusCode::UNAUTHORIZED,
            challenge,
            "Log in to read this repository.\n",
        )
            .into_response();
    };
    let Some(repository) = &app.repository else {
        let message = "There is no git on this machine, so the repository is not served.\n";
        return (StatusCode::NOT_IMPLEMENTED, message).into_response();
    };
    // The three addresses of smart HTTP; nothing else reaches git.
    let known = project.eq_ignore_ascii_case("demo") && name.eq_ignore_ascii_case("hello.git");
    let smart = match path.as_str() {
        "info/refs" => request.method() == Method::GET,
        "git-upload-pack" | "git-receive-pack" => request.method() == Method::POST,
        _ => false,
    };
    if !known || !smart {
        return (StatusCode::NOT_FOUND, "Repository not found.\n").into_response();
    }
    repository
        .serve(&user, &path, request)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "the demo's git failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "git failed.\n").into_response()
        })
}
