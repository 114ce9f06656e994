//! Returns memory to the system that a thread has freed and the allocator would otherwise keep.

/// Returns the calling thread's free memory to the system: what has been free for a moment, or all of it at once.
pub(crate) fn release_free_memory(at_once: bool) {
    // SAFETY: a foreign function that takes no pointer and may be called from any thread at any time; the allocator is linked
    // into every build of this program.
    #[expect(unsafe_code, reason = "a foreign function")]
    unsafe {
        libmimalloc_sys::mi_collect(at_once);
    }
}
