//! Instruction counts, which do not depend on how busy the machine is; the benches are in `http.rs`.
