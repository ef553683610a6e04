//! A private Postfix: its own configuration, queue, data and log below a temporary directory, on a free loopback port.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::Duration,
};

use tempfile::TempDir;

pub(crate) struct Instance {
    root: TempDir,
    pub(crate) port: u16,
}

impl Instance {
    /// Writes the configuration; `settings` are further lines of `main.cf`. Nothing runs yet.
    pub(crate) fn new(settings: &str) -> Self {
        let root = tempfile::Builder::new()
            .prefix("postwarden-")
            .tempdir()
            .unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let instance = Self { root, port };
        for name in ["etc", "queue", "data", "log"] {
            fs::create_dir(instance.path(name)).unwrap();
        }
        let owner = nix::unistd::User::from_name("postfix")
            .unwrap()
            .expect("Postfix is installed");
        for name in ["data", "log"] {
            chown(instance.path(name), Some(owner.uid.as_raw()), None).unwrap();
        }
        let root = instance.root.path().display();
        fs::write(
            instance.path("etc/main.cf"),
            format!(
                "compatibility_level = 3.6\nqueue_directory = {root}/queue\ndata_directory = {root}/data\n\
                 maillog_file = {root}/log/mail.log\nmaillog_file_prefixes = {root}\nmyhostname = mx.example.com\n\
                 mydestination =\nalias_maps =\nalias_database =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
                 mynetworks = 127.0.0.0/8\nsmtpd_recipient_restrictions = permit_mynetworks, reject\n\
                 smtpd_client_connection_rate_limit = 0\n{settings}\n"
            ),
        )
        .unwrap();
        fs::write(
            instance.path("etc/master.cf"),
            MASTER.replace("SMTP", &format!("127.0.0.1:{port}")),
        )
        .unwrap();
        instance
    }

    /// The same, and Postfix started.
    pub(crate) fn start(settings: &str) -> Self {
        let instance = Self::new(settings);
        instance.run("postfix", &["start"]);
        instance
    }

    pub(crate) fn stop(&self) {
        self.run("postfix", &["stop"]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("etc")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log/mail.log")).unwrap_or_default()
    }

    /// Runs a Postfix command and demands that it succeeds.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.config()).args(arguments);
        command.output().unwrap()
    }

    /// Sends one message and returns smtpd's last word on it.
    pub(crate) fn send(&self, from: &str, body: &str) -> String {
        let mut smtp = Smtp::connect(self.port);
        smtp.send(from, body)
    }

    /// Sends one message and returns its queue ID.
    pub(crate) fn queue(&self, from: &str, body: &str) -> String {
        let reply = self.send(from, body);
        let id = reply.trim().strip_prefix("250 2.0.0 Ok: queued as ");
        id.unwrap_or_else(|| panic!("{reply}\n{}", self.log()))
            .to_owned()
    }

    /// The names below a queue, wherever it keeps them.
    pub(crate) fn list(&self, queue: &str) -> Vec<String> {
        let mut names = Vec::new();
        collect(&self.path("queue").join(queue), &mut names);
        names.sort();
        names
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.command("postfix", &["stop"]));
    }
}

/// A client that talks to smtpd line by line.
pub(crate) struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut smtp = Self {
            stream: BufReader::new(stream),
        };
        smtp.reply();
        smtp.say("HELO client.example.org");
        smtp
    }

    /// A client whose login smtpd takes on trust (`smtpd_authorized_xclient_hosts`).
    pub(crate) fn with_login(port: u16, login: &str) -> Self {
        let mut smtp = Self::connect(port);
        let reply = smtp.say(&format!("XCLIENT LOGIN={login}"));
        assert!(reply.starts_with("220 "), "{reply}");
        smtp.say("HELO client.example.org");
        smtp
    }

    /// The same from another address.
    pub(crate) fn with_login_from(port: u16, login: &str, address: &str) -> Self {
        let mut smtp = Self::connect(port);
        let reply = smtp.say(&format!("XCLIENT LOGIN={login} ADDR={address}"));
        assert!(reply.starts_with("220 "), "{reply}");
        smtp.say("HELO client.example.org");
        smtp
    }

    pub(crate) fn send(&mut self, from: &str, body: &str) -> String {
        for line in [
            &format!("MAIL FROM:<{from}>"),
            "RCPT TO:<bob@example.net>",
            "DATA",
        ] {
            let reply = self.say(line);
            if !reply.starts_with(['2', '3']) {
                self.say("RSET");
                return reply;
            }
        }
        self.say(&format!(
            "From: <{from}>\r\nSubject: test\r\n\r\n{body}\r\n."
        ))
    }

    fn say(&mut self, line: &str) -> String {
        self.stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// Looks until something has come true that other processes do.
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_true() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 30 s: {what}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn collect(directory: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), names);
        } else {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
}

const MASTER: &str = "\
SMTP      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
";
