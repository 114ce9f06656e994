//! Registrations on the `PostgreSQL` server that Debian has, alone and with a synchronous standby: `.ci/run postgres`.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastgo::store::model::{Answer, IdempotencyKey, Reason, Registration, RegistrationId, Status};
use fastgo::store::settings::Location;
use fastgo::store::{CourseRow, Import, StudentRow, clock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::checker::{check, export_from};
use super::roles::{COURSES, Crowd, CrowdProcess};
use super::{cancel, carry_out, open_registration_in, receipt, register, start_in, wish};
use crate::common::{Client, Random, Response, Server, wait_for};

/// Whom the server runs as when the tests run as root, which it refuses.
const NOBODY: u32 = 65534;

/// One server, its data and its socket in one directory.
struct Cluster {
    directory: TempDir,
    process: Option<Child>,
}

impl Cluster {
    fn new() -> Self {
        let cluster = Self { directory: directory(), process: None };
        cluster.run("initdb", &["--username=fastgo", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"]);
        cluster.started()
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    fn start(&mut self) {
        let mut command = self.command("postgres");
        command.arg("-k").arg(self.directory.path()).args(["-c", "listen_addresses=", "-c", "max_connections=60"]);
        command.stderr(File::options().create(true).append(true).open(self.log()).expect("a log"));
        self.process = Some(command.spawn().expect("start postgres"));
        wait_for("PostgreSQL", || self.try_sql("SELECT 1").status.success().then_some(()));
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// A server that follows this one, which from then on waits for it with each commit.
    fn standby(&self, name: &str) -> Self {
        let standby = Self { directory: directory(), process: None };
        let from = format!("host={} user=fastgo application_name={name}", self.directory.path().display());
        let data = standby.directory.path().join("data").display().to_string();
        let to = ["--pgdata", &data, "--no-sync", "--write-recovery-conf", "--checkpoint=fast", "--dbname", &from];
        standby.run("pg_basebackup", &to);
        let standby = standby.started();
        self.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        self.sql("SELECT pg_reload_conf()");
        wait_for("replication", || (self.sql("SELECT sync_state FROM pg_stat_replication") == "sync").then_some(()));
        standby
    }

    fn promote(&self) {
        // A copy of the old primary's settings.
        self.run("pg_ctl", &["promote", "--wait"]);
        self.sql("ALTER SYSTEM RESET synchronous_standby_names");
        self.sql("SELECT pg_reload_conf()");
    }

    fn stop(&mut self) {
        self.run("pg_ctl", &["stop", "--mode=fast"]);
        self.process.take().expect("running").wait().expect("wait");
    }

    /// Ends every process of the server at once, as a power cut does.
    fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = Pid::from_child(&process);
        // No new children while the old ones are being killed.
        let _ = kill_process(pid, Signal::STOP);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)) {
            // It may have ended already.
            let _ = kill_process(child, Signal::KILL);
        }
        let _ = process.kill();
        let _ = process.wait();
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).stderr(Stdio::piped()).output().expect("run");
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program of `PostgreSQL`, as a user that it accepts.
    fn command(&self, program: &str) -> Command {
        let program = programs().join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.env("PGDATA", self.directory.path().join("data")).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn try_sql(&self, statement: &str) -> Output {
        let mut command = self.command("psql");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.arg("--host").arg(self.directory.path()).args(["--username=fastgo", "--dbname=postgres", "-Atqc"]);
        command.arg(statement).output().expect("run psql")
    }

    /// What a statement gives.
    fn sql(&self, statement: &str) -> String {
        let output = self.try_sql(statement);
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn host(&self) -> String {
        self.directory.path().display().to_string().replace('/', "%2F")
    }

    fn url(&self) -> String {
        format!("postgres://fastgo@{}/postgres", self.host())
    }

    fn location(&self) -> Location {
        Location::parse(&self.url()).expect("a URL")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn directory() -> TempDir {
    let directory = TempDir::new().expect("directory");
    if rustix::process::geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    directory
}

/// Where Debian keeps the newest version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("apt install postgresql");
    let newest = versions.filter_map(|version| Some(version.ok()?.path())).max();
    newest.expect("a version").join("bin")
}

fn wish_with(student: &str, course: &str, pin: Option<&str>, key: Option<&str>) -> fastgo::store::model::Command {
    fastgo::store::model::Command::Register(Registration {
        student: student.into(),
        course: course.into(),
        pin: pin.map(Into::into),
        key: key.map(|key| IdempotencyKey::of(key.as_bytes())),
        arrived_at: clock::now(),
    })
}

fn post(client: &mut Client, student: &str, course: &str) -> Response {
    let body = json!({ "student_id": student, "course_id": course }).to_string();
    let length = body.len();
    client.send(format!("POST /registrations HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"));
    client.response()
}

fn serve(engine: &str, cluster: &Cluster) -> Server {
    let settings = [("RATE_LIMIT_STUDENT", "off"), ("RATE_LIMIT_ADDRESS", "off")];
    Server::start(engine, &[&settings[..], &[("DATABASE_URL", &cluster.url())]].concat())
}

fn fastgo(cluster: &Cluster, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fastgo"))
        .arg("registrations")
        .args(arguments)
        .args(["--database", &cluster.url()])
        .output()
        .expect("run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).expect("UTF-8"))
}

#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn the_rules_are_those_of_the_file() {
    let cluster = Cluster::new();
    let store = start_in(&cluster.location());
    assert_eq!(carry_out(&store, wish("ann", "art")), Ok(Answer::UnknownCourse), "before any import");
    let course = |id: &str, seats| CourseRow { line: 2, id: id.into(), title: id.into(), seats };
    let mut operator = cluster.location().administration(true).expect("create");
    let courses = vec![course("art", 2), course("chess", 1)];
    operator.import(&Import { courses, students: Vec::new() }).expect("import").expect("no problems");
    assert_eq!(carry_out(&store, wish("ann", "art")), Ok(Answer::Closed { opens_at: None }));
    operator.set_opening(Some(clock::now() + 1_000_000)).expect("opening");
    assert!(matches!(carry_out(&store, wish("ann", "art")), Ok(Answer::Closed { opens_at: Some(_) })));
    operator.set_opening(Some(0)).expect("opening");

    let ann = register(&store, "ann", "art");
    assert_eq!((ann.status, ann.position), (Status::Enrolled, None));
    assert_eq!(carry_out(&store, wish("ann", "art")), Ok(Answer::Known(ann.clone())));
    assert_eq!(carry_out(&store, wish_with("ann", "art", None, Some("2"))), Ok(Answer::Known(ann.clone())));
    assert_eq!(carry_out(&store, wish_with("ann", "chess", None, Some("2"))), Ok(Answer::KeyReused));
    assert_eq!(carry_out(&store, wish("ann", "music")), Ok(Answer::UnknownCourse));
    register(&store, "ben", "art");
    let cleo = register(&store, "cleo", "art");
    let dan = register(&store, "dan", "art");
    assert_eq!((cleo.position, dan.position, dan.status), (Some(1), Some(2), Status::Waiting));
    assert_eq!(carry_out(&store, wish("dan", "art")), Ok(Answer::Known(dan.clone())));
    assert_eq!(cancel(&store, RegistrationId { token: [7; 16], ..ann.id }), Ok(Answer::UnknownRegistration));
    for _ in 0..2 {
        assert!(matches!(cancel(&store, ann.id), Ok(Answer::Cancelled(_))), "twice, and no more than once");
    }
    let found = |id| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        store.find(id, move |outcome| sender.send(outcome).expect("somebody waits"));
        receiver.recv().expect("an answer").expect("an outcome")
    };
    assert_eq!(receipt(found(cleo.id)).status, Status::Enrolled);
    assert_eq!(receipt(found(dan.id)).position, Some(1));
    assert!(matches!(found(ann.id), Answer::Cancelled(_)));
    let ann_again = receipt(carry_out(&store, wish_with("ann", "art", None, None)).expect("an outcome"));
    assert_eq!(ann_again.position, Some(2), "who comes back comes last");
    wait_for("the list", || (store.courses().waiting() == 2).then_some(()));

    // Other programs that write are held to the rules.
    for wrong in [
        "UPDATE fastgo.courses SET taken = 3 WHERE id = 'art'",
        "UPDATE fastgo.registrations SET status = 0 WHERE student = 'dan'",
        "INSERT INTO fastgo.registrations VALUES (90, 'x', 'eve', 1, 0, 0)",
        "INSERT INTO fastgo.registrations VALUES (90, 'x', 'dan', 1, 1, 0)",
        "UPDATE fastgo.registrations SET status = 1 WHERE student = 'ben'",
        "UPDATE fastgo.registrations SET status = 0 WHERE status = 2",
    ] {
        assert!(!cluster.try_sql(wrong).status.success(), "{wrong}");
    }
    // Added seats go to those who wait, and fewer seats than are taken are a problem with its line.
    let import = |courses| Import { courses, students: Vec::new() };
    let problems = operator.import(&import(vec![course("art", 1)])).expect("import").unwrap_err();
    assert!(problems[0].0 == 2 && problems[0].1.contains("2 seats are taken"), "{problems:?}");
    let with_pin = StudentRow { id: "fay".into(), name: "Fay".into(), pin: Some("1234".into()) };
    let both = Import { courses: vec![course("art", 3)], students: vec![with_pin] };
    operator.import(&both).expect("import").expect("no problems");
    operator.set_opening(Some(0)).expect("opening");
    assert_eq!(receipt(found(dan.id)).status, Status::Enrolled);
    assert_eq!(carry_out(&store, wish("gus", "chess")), Ok(Answer::NotAllowed));
    assert_eq!(carry_out(&store, wish_with("fay", "chess", Some("4321"), None)), Ok(Answer::NotAllowed));
    assert!(matches!(carry_out(&store, wish_with("fay", "chess", Some("1234"), None)), Ok(Answer::Registered(_))));
    assert_eq!(export_from(&cluster.url()).lines().count(), 6);
    let log = fs::read_to_string(cluster.log()).expect("the server's log");
    assert!(!log.contains("WARNING"), "{log}");
}

#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn the_commands_work_on_a_server() {
    let cluster = Cluster::new();
    let (ok, said) = fastgo(&cluster, &["status"]);
    assert!(!ok && said.contains("import courses first"), "{said}");
    assert!(fastgo(&cluster, &["demo"]).0);
    let (ok, said) = fastgo(&cluster, &["status"]);
    assert!(ok && said.contains("20: 0 of 500 seats taken") && said.contains("open since"), "{said}");
    let csv = cluster.directory.path().join("courses.csv");
    fs::write(&csv, "id,title,seats\nart,Art,2\n").expect("write");
    assert!(fastgo(&cluster, &["import", "--courses", csv.to_str().expect("UTF-8")]).0);
    assert!(fastgo(&cluster, &["open"]).0 && fastgo(&cluster, &["close"]).0);
    let (ok, said) = fastgo(&cluster, &["demo"]);
    assert!(!ok && said.contains("nothing was changed"), "{said}");
    let (ok, said) = fastgo(&cluster, &["backup", "copy.db"]);
    assert!(!ok && said.contains("pg_dump"), "{said}");

    cluster.sql("UPDATE fastgo.version SET version = 99");
    let (ok, said) = fastgo(&cluster, &["status"]);
    assert!(!ok && said.contains("install the newer fastgo"), "{said}");
    let refused = carry_out(&start_in(&cluster.location()), wish("a", "art")).unwrap_err();
    assert!(matches!(refused.reason, Reason::Failed(_)), "{refused:?}");
    cluster.sql("UPDATE fastgo.version SET version = 1");
    cluster.sql("ALTER SYSTEM SET fsync = off");
    cluster.sql("SELECT pg_reload_conf()");
    wait_for("the setting", || (cluster.sql("SHOW fsync") == "off").then_some(()));
    let (ok, said) = fastgo(&cluster, &["status"]);
    assert!(!ok && said.contains("fsync is off"), "{said}");
}

/// Three boards with one engine each; the processes that die leave the others their turns.
#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn boards_share_one_server() {
    let cluster = Cluster::new();
    open_registration_in(&cluster.location(), 3, 50);
    let servers: Vec<Server> = crate::common::engines().map(|engine| serve(engine, &cluster)).collect();
    std::thread::scope(|scope| {
        for student in 0..300 {
            let server = &servers[student % servers.len()];
            scope.spawn(move || {
                let response = post(&mut server.connect(), &format!("s{student}"), &format!("c{}", student % 3));
                assert_eq!(response.status, 201, "{response:?}");
            });
        }
    });
    assert_eq!(check(&export_from(&cluster.url()), &[], 50), 300);
    for server in &servers {
        assert_eq!(server.metrics()["store"]["backend"], "postgres");
    }
    drop(servers);

    let cluster = Cluster::new();
    open_registration_in(&cluster.location(), COURSES as u64, 25);
    let (mut random, mut events, mut acknowledged) = (Random::new(3), Vec::new(), 0);
    for round in 0..6_u64 {
        let spawn = |board: u64| {
            let database = cluster.url();
            CrowdProcess::spawn(&Crowd { database, seed: round * 3 + board, sync: Duration::ZERO, survivors: None })
        };
        let boards: Vec<_> = (1..=3).map(spawn).collect();
        wait_for("answers", || boards.iter().all(|board| board.acknowledged() > 0).then_some(()));
        for board in boards {
            sleep(Duration::from_micros(random.below(100_000) as u64));
            acknowledged += board.acknowledged();
            events.extend(board.kill());
        }
    }
    let registrations = check(&export_from(&cluster.url()), &events, 25);
    println!("{acknowledged} answers, {registrations} registrations, 18 boards killed");
    assert!(acknowledged > 500, "{acknowledged}");
}

#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn a_server_that_stops_is_noticed_and_one_that_returns_is_used() {
    let mut cluster = Cluster::new();
    open_registration_in(&cluster.location(), 1, 10);
    for engine in crate::common::engines() {
        // The machine may be busy with other tests; one undisturbed run of a few is enough.
        let tries: Vec<_> = (0..4).map(|turn| stop_and_start(engine, turn, &mut cluster)).collect();
        let quick = |(refused, back): &(Duration, Duration)| {
            *refused < Duration::from_secs(1) && *back < Duration::from_secs(2)
        };
        assert!(tries.iter().any(quick), "{engine}: {tries:?}");
    }
}

/// The time to the first refusal after the server has stopped, and to the first registration after it has returned.
fn stop_and_start(engine: &str, turn: usize, cluster: &mut Cluster) -> (Duration, Duration) {
    let server = serve(engine, cluster);
    let (mut client, mut other) = (server.connect(), server.connect());
    assert_eq!(post(&mut client, &format!("{engine} before {turn}"), "c0").status, 201, "{engine}");
    wait_for("the list", || other.get("/courses", "").text().contains("c0").then_some(()));
    cluster.stop();
    let started = Instant::now();
    let refused = post(&mut client, &format!("{engine} during {turn}"), "c0");
    let took = started.elapsed();
    assert_eq!(refused.status, 503, "{engine}: {refused:?}");
    assert!(refused.header("retry-after").is_some(), "{engine}: {refused:?}");
    for path in ["/health", "/metrics", "/courses", "/dashboard"] {
        assert_eq!(other.get(path, "").status, 200, "{engine}: {path}");
    }
    server.wait_for_metrics("the breaker", |metrics| metrics["store"]["breaker"] != "closed");
    // Long enough for the longest pause between two probes.
    sleep(Duration::from_secs(3));
    cluster.start();
    let started = Instant::now();
    let back = wait_for("registrations", || {
        let response = post(&mut client, &format!("{engine} after {turn}"), "c0");
        (response.status == 201).then(|| started.elapsed())
    });
    println!("{engine}: refused after {took:?}, back {back:?} after the server");
    (took, back)
}

/// Runs a command where the name server never answers.
const NAME_SERVER_SILENT: &str = r#"
    ip link set lo up && echo nameserver 127.0.0.1 >resolv.conf && mount --bind resolv.conf /etc/resolv.conf &&
    exec python3 -c '
import socket, subprocess, sys
silent = socket.socket(type=socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
sys.exit(subprocess.call(sys.argv[1:]))' "$@""#;

#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn a_name_without_an_answer_leaves_the_next_host_its_time() {
    let cluster = Cluster::new();
    let database = format!("postgres://fastgo@db1.example,db2.example,{}/postgres", cluster.host());
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]).current_dir(cluster.directory.path());
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["sh", "-c", NAME_SERVER_SILENT, "sh", env!("CARGO_BIN_EXE_fastgo"), "registrations", "demo"]);
    let started = Instant::now();
    let output = command.args(["--database", &database]).output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("two names without an answer: connected to the third host and done after {:?}", started.elapsed());
}

#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn a_promoted_standby_has_everything_that_was_acknowledged() {
    let mut primary = Cluster::new();
    open_registration_in(&primary.location(), COURSES as u64, 25);
    let (mut random, mut events) = (Random::new(4), Vec::new());
    for round in 0..3_u64 {
        let standby = primary.standby(&format!("standby{round}"));
        let database = format!("postgres://fastgo@{},{}/postgres", primary.host(), standby.host());
        let spawn = |board: u64| {
            let database = database.clone();
            CrowdProcess::spawn(&Crowd {
                database,
                seed: 100 + round * 2 + board,
                sync: Duration::ZERO,
                survivors: None,
            })
        };
        let boards: Vec<_> = (1..=2).map(spawn).collect();
        wait_for("answers", || boards.iter().all(|board| board.acknowledged() > 20).then_some(()));
        sleep(Duration::from_micros(random.below(300_000) as u64));
        primary.kill();
        let before: usize = boards.iter().map(CrowdProcess::acknowledged).sum();
        standby.promote();
        wait_for("answers from the standby", || {
            let now: usize = boards.iter().map(CrowdProcess::acknowledged).sum();
            (now > before + 20).then_some(())
        });
        events.extend(boards.into_iter().flat_map(CrowdProcess::kill));
        let registrations = check(&export_from(&standby.url()), &events, 25);
        println!("primary {round} killed after {before} answers; {registrations} registrations on its standby");
        primary = standby;
    }
}

/// The rate with the server's own syncs on this machine's medium.
#[test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
fn many_registrations_share_a_commit() {
    let cluster = Cluster::new();
    open_registration_in(&cluster.location(), 20, 1000);
    let store = start_in(&cluster.location());
    register(&store, "first", "c0");
    let started = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..200 {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..10 {
                    register(store, &format!("s{client}-{turn}"), &format!("c{}", client % 20));
                }
            });
        }
    });
    let (rate, figures) = (2000.0 / started.elapsed().as_secs_f64(), store.figures());
    println!("{rate:.0}/s from 200 clients in {} commits", figures.commits);
    assert!(figures.commits <= 100, "batches, not one commit each: {figures:?}");
    assert_eq!(check(&export_from(&cluster.url()), &[], 1000), 2001);
}
