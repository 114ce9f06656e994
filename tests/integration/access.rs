//! Who may ask for what: names of the server, pages of other origins, the access token.

use crate::common::{Response, Server, every_engine};

/// Routes that show how the server is doing.
const WATCHED: [&str; 6] = ["/metrics", "/dashboard", "/compare3", "/history", "/runs", "/sse/metrics"];

/// The response to one request, whose connection is then closed. Of a stream only the header is read.
fn ask(server: &Server, head: &str) -> Response {
    let mut client = server.connect();
    client.send(format!("{head}\r\n"));
    if head.contains(" /sse/") { client.read_header().expect("a header") } else { client.response() }
}

fn get(server: &Server, path: &str, fields: &str) -> Response {
    ask(server, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{fields}", server.address))
}

fn post(server: &Server, path: &str, fields: &str, body: &str) -> Response {
    let length = body.len();
    let mut client = server.connect();
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{fields}\r\n{body}",
        server.address
    ));
    client.response()
}

fn requests(server: &Server) -> u64 {
    server.metrics()["total_requests"].as_u64().expect("a number")
}

#[test]
fn a_name_of_somebody_else_does_not_lead_here() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "pi.local.evil.example"] {
            for path in WATCHED.into_iter().chain(["/", "/courses", "/static/css/page.css"]) {
                let response = ask(&server, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"));
                assert_eq!(response.status, 421, "{host} {path}");
            }
            ask(&server, &format!("GET /health HTTP/1.1\r\nHost: {host}\r\n")).expect(200);
        }
        for host in ["127.0.0.1", "[::1]:8080", "localhost:1", "pi", "pi.local:8080", "PI.Local", "x.internal", ""] {
            for path in WATCHED.into_iter().chain(["/"]) {
                ask(&server, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n")).expect(200);
            }
        }
        ask(&server, "GET / HTTP/1.0\r\n").expect(200);
        let server = Server::start(engine, &[("ALLOWED_HOSTS", "school.example, *.boards.example")]);
        for (host, status) in [("school.example", 200), ("a.boards.example:80", 200), ("www.school.example", 421)] {
            assert_eq!(ask(&server, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n")).status, status, "{host}");
        }
        let server = Server::start(engine, &[("ALLOWED_HOSTS", "*")]);
        ask(&server, "GET /metrics HTTP/1.1\r\nHost: any.example\r\n").expect(200);
    });
}

/// What every browser calls itself.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux aarch64)\r\n";

#[test]
fn a_page_from_elsewhere_cannot_make_the_board_work() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let port = server.address.port();
        let foreign = [
            "Sec-Fetch-Site: cross-site\r\n".to_owned(),
            "Sec-Fetch-Site: same-site\r\n".to_owned(),
            // On the network a browser sends neither Sec-Fetch-Site nor, with such a request, Origin.
            BROWSER.to_owned(),
            format!("{BROWSER}Origin: http://evil.example\r\n"),
            format!("Origin: http://evil.example:{port}\r\n"),
            "Origin: null\r\n".to_owned(),
            "Origin: http://127.0.0.1:9\r\n".to_owned(),
        ];
        for fields in &foreign {
            get(&server, "/", fields).expect_error(403);
        }
        for fields in foreign.iter().filter(|fields| *fields != BROWSER) {
            post(&server, "/", fields, "{}").expect_error(403);
            post(&server, "/registrations", fields, "{}").expect_error(403);
            post(&server, "/runs", fields, r#"{"action":"start"}"#).expect_error(403);
        }
        assert_eq!(requests(&server), 0);
        let own = [
            String::new(),
            "User-Agent: k6/1.8.1 (https://k6.io/)\r\n".to_owned(),
            format!("{BROWSER}Sec-Fetch-Site: same-origin\r\n"),
            format!("{BROWSER}Sec-Fetch-Site: none\r\n"),
            format!("{BROWSER}Origin: http://127.0.0.1:{port}\r\n"),
            // Another engine's page.
            format!("{BROWSER}Origin: http://127.0.0.1:{}\r\n", if engine == "may" { 8082 } else { 8081 }),
        ];
        for fields in &own {
            get(&server, "/", fields).expect(200);
            post(&server, "/", fields, "{}").expect(200);
        }
        assert_eq!(requests(&server), 2 * own.len() as u64);
        // Who follows a link from anywhere gets to the pages.
        let link = format!("{BROWSER}Sec-Fetch-Site: cross-site\r\nAccept: text/html\r\n");
        get(&server, "/", &link).expect(302);
        get(&server, "/compare3", &link).expect(200);
    });
}

#[test]
fn only_pages_of_this_host_may_read() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("ALLOWED_HOSTS", "board.example")]);
        let readable = |path: &str, fields: &str| {
            let response = get(&server, path, fields);
            let credentials = response.header("access-control-allow-credentials") == Some("true");
            let origin = response.header("access-control-allow-origin").map(str::to_owned);
            assert_eq!(origin.is_some(), credentials);
            (response.status, origin)
        };
        for path in ["/metrics", "/history", "/runs", "/sse/metrics"] {
            for origin in ["http://127.0.0.1:8081", "http://127.0.0.1", "http://board.example:8080"] {
                assert_eq!(readable(path, &format!("Origin: {origin}\r\n")), (200, Some(origin.to_owned())), "{path}");
            }
            for origin in ["http://evil.example", "http://localhost:8080", "null"] {
                assert_eq!(readable(path, &format!("Origin: {origin}\r\n")), (403, None), "{path} {origin}");
            }
            // A browser gives this answer to nobody.
            assert_eq!(readable(path, "Sec-Fetch-Site: cross-site\r\n"), (200, None), "{path}");
            assert_eq!(readable(path, ""), (200, None), "{path}");
        }
        let vary = get(&server, "/metrics", "");
        assert_eq!(vary.header("vary"), Some("accept, origin"));
    });
}

#[test]
fn pages_of_another_board_read_what_the_comparison_shows_and_nothing_else() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("BOARDS", "pi1.local, *.boards.example")]);
        for page in ["http://pi1.local:8080", "http://PI1.local", "http://a.boards.example:8082"] {
            let origin = format!("{BROWSER}Origin: {page}\r\n");
            for path in ["/metrics", "/sse/metrics", "/history", "/history?window=24h"] {
                let response = get(&server, path, &origin).expect(200);
                assert_eq!(response.header("access-control-allow-origin"), Some(page), "{path}");
            }
            let others = [
                "/",
                "/runs",
                "/runs/1",
                "/courses",
                "/sse/courses",
                "/registrations/1",
                "/compare3",
                "/static/js/dom.js",
            ];
            for path in others {
                let refusal = get(&server, path, &origin);
                assert_eq!(refusal.status, 403, "{path}");
                assert_eq!(refusal.header("access-control-allow-origin"), None, "{path}");
            }
            for path in ["/", "/runs", "/registrations", "/metrics", "/history"] {
                post(&server, path, &origin, "{}").expect_error(403);
            }
        }
        for page in ["http://pi2.local:8080", "http://pi1.local.evil.example", "http://boards.example", "null"] {
            get(&server, "/metrics", &format!("{BROWSER}Origin: {page}\r\n")).expect_error(403);
        }
        assert_eq!(requests(&server), 0);
    });
}

#[test]
fn the_access_token_is_asked_for_and_kept_in_a_cookie() {
    const TOKEN: &str = "a-token-of-the-school";
    every_engine(|engine| {
        let server = Server::start(engine, &[("ACCESS_TOKEN", TOKEN)]);
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        for path in WATCHED {
            for wrong in ["", "Authorization: Bearer x\r\n", "Authorization: Basic x\r\n", "Cookie: fastgo_token=x\r\n"]
            {
                let refusal = get(&server, path, wrong).expect(401);
                assert!(
                    refusal.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")),
                    "{path}"
                );
            }
            get(&server, path, &format!("Authorization: Bearer {TOKEN}x\r\n")).expect(401);
            get(&server, path, &format!("Cookie: fastgo_token={TOKEN}\r\n")).expect(401);
            get(&server, path, &bearer).expect(200);
        }
        post(&server, "/runs", "", r#"{"action":"stop"}"#).expect_error(401);
        post(&server, "/runs", &bearer, r#"{"action":"stop"}"#).expect_error(409);
        for open in ["/health", "/", "/static/css/page.css", "/courses"] {
            assert_ne!(get(&server, open, "").status, 401, "{open}");
        }
        let form = get(&server, "/compare3", "Accept: text/html\r\n").expect(401);
        assert!(form.text().contains("<form") && form.header("content-security-policy").is_some());
        get(&server, "/compare3?token=wrong-token", "").expect(401);
        let kept = get(&server, &format!("/compare3?engines=a&token={TOKEN}"), "").expect(303);
        assert_eq!(kept.header("location"), Some("/compare3?engines=a"));
        let cookie = kept.header("set-cookie").expect("a cookie");
        assert!(!cookie.contains(TOKEN) && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().expect("a pair");
        for path in WATCHED {
            get(&server, path, &format!("Cookie: other=1; {cookie}\r\n")).expect(200);
        }
        // The page of another engine of this host, whose browser sends the cookie along.
        let page = format!("Origin: http://127.0.0.1:8081\r\nCookie: {cookie}\r\n");
        assert_eq!(
            get(&server, "/metrics", &page).expect(200).header("access-control-allow-credentials"),
            Some("true")
        );
    });
}
