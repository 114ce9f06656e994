//! fastgo.
