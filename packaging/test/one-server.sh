# What the tests that run one server in a guest share: the guest, the server, and a directory for the guest.

# arm64, which is emulated; amd64 with GUEST_KVM=1 is quicker, and is no Raspberry Pi.
arch=${GUEST_ARCH:-arm64}

build() { # builds fastgo for the guest, and sets $server to its path
    if [ $arch = amd64 ]; then
        server=target/release/fastgo
        cargo build --release --locked --quiet
        return
    fi
    local target=aarch64-unknown-linux-gnu
    server=target/$target/release/fastgo
    # Debian's cargo knows the arm64 standard library.
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc PATH=/usr/bin:$PATH \
        cargo build --release --locked --quiet --target $target
}

# prepare FILE...: builds what is missing; $dir then holds fastgo, lib.sh and the files. FASTGO_GUEST names a fastgo that
# is built already.
prepare() {
    [ -f target/guest-$arch/root.ext4 ] || packaging/test/build-guest $arch
    server=${FASTGO_GUEST:-}
    [ -n "$server" ] || build
    dir=$(mktemp -d /tmp/guest.XXXXXX)
    trap 'rm -rf "$dir"' EXIT
    cp packaging/test/lib.sh "$@" "$dir/"
    cp "$server" "$dir/fastgo"
}
