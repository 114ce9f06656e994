//! Names for addresses, from the symbol table of a binary or a shared library.
//!
//! Only the table is read, and only the names that are wanted: debug information, whose decompression takes tens of
//! megabytes, is not read. Inlined functions are therefore part of the function they were inlined into.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

use object::read::elf::ElfFile64;
use object::{Object, ObjectSegment, ObjectSymbol, ReadCache, SymbolKind};

/// The demangled names of the functions in `file` to which the bytes at `offsets` of it belong, as far as they are
/// known: from its symbol table, or else from what it exports; none when it cannot be read.
pub(super) fn resolve(file: &Path, offsets: impl Iterator<Item = u64>) -> HashMap<u64, String> {
    let Ok(file) = File::open(file) else { return HashMap::new() };
    let cache = ReadCache::new(file);
    let Ok(elf) = ElfFile64::<object::Endianness, _>::parse(&cache) else { return HashMap::new() };
    // A segment's place in the file and the address it is linked for differ.
    let wanted = offsets.filter_map(|offset| {
        let segment =
            elf.segments().find(|segment| offset.wrapping_sub(segment.file_range().0) < segment.file_range().1)?;
        Some((offset - segment.file_range().0 + segment.address(), offset))
    });
    let offset_at: HashMap<u64, u64> = wanted.collect();
    let addresses: BTreeSet<u64> = offset_at.keys().copied().collect();
    let mut names = HashMap::new();
    let symbols = if elf.symbol_table().is_some() { elf.symbols() } else { elf.dynamic_symbols() };
    for symbol in symbols.filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let mut inside = addresses.range(symbol.address()..symbol.address().saturating_add(symbol.size())).peekable();
        if let (Some(_), Ok(name)) = (inside.peek(), symbol.name()) {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            names.extend(inside.map(|address| (offset_at[address], name.clone())));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_function_of_this_binary() -> u64 {
        std::hint::black_box(1)
    }

    #[test]
    fn a_function_has_its_name_and_what_lies_outside_has_none() {
        let map = procfs::process::Process::myself().unwrap().maps().unwrap().into_iter();
        let address = a_function_of_this_binary as *const () as u64;
        let map = map.into_iter().find(|map| (map.address.0..map.address.1).contains(&address)).unwrap();
        let offset = address - map.address.0 + map.offset;
        let names = resolve(Path::new("/proc/self/exe"), [offset, 0, u64::MAX].into_iter());
        assert_eq!(names.len(), 1);
        assert_eq!(names[&offset], "fastgo::pprof::symbols::tests::a_function_of_this_binary");
    }

    #[test]
    fn what_is_no_binary_has_no_names() {
        assert!(resolve(Path::new("/proc/self/status"), [0].into_iter()).is_empty());
        assert!(resolve(Path::new("/nonexistent"), [0].into_iter()).is_empty());
    }
}
