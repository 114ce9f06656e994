//! `may_minihttp` as published, with its own defaults: the may engine is compared with it.

use std::io;

use fastgo_peers::{BODY, address, is_known};
use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: application/json");
        if is_known(request.path()) {
            response.body(BODY);
        } else {
            response.status_code(404, "Not Found");
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    // It runs until it is killed; joining it would only name a panic.
    HttpServer(Hello).start(address())?.wait();
    Ok(())
}
