#!/usr/bin/env bash
# Builds programs for Windows from their sources in Debian's archive into a folder:
# openvpn-2.6.exe, openvpn-2.7.exe and wg.exe. Their sources are not changed; shims/ is linked with
# them, for what Wine lacks. What exists already stays. Needs gcc-mingw-w64-x86-64, make and apt.
# TUNIC_WIREGUARD_TOOLS may name a folder with the sources of wireguard-tools.
set -euo pipefail
target=$1
here=$(cd "$(dirname "$0")" && pwd)
compiler=x86_64-w64-mingw32-gcc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target"

# fetch SHA256 URL...: unpacks what one of these URLs has, as $work/NAME-VERSION.
fetch() {
    local sum=$1 url file=$work/${2##*/}
    shift
    for url; do
        if /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root \
            download-file "$url" "$file" "SHA256:$sum" 2>"$work/errors"; then
            tar --extract --file "$file" --directory "$work"
            return
        fi
        cat "$work/errors" >&2
    done
    echo "$0: none of these has the file with SHA-256 $sum: $*" >&2
    return 1
}
pool=http://deb.debian.org/debian/pool/main

mbedtls() {
    fetch 8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a \
        $pool/m/mbedtls/mbedtls_3.6.6.orig.tar.bz2 || return
    make --silent -j2 -C "$work/mbedtls-3.6.6/library" WINDOWS_BUILD=1 CC=$compiler \
        AR=x86_64-w64-mingw32-ar CFLAGS=-O1 static >/dev/null
}

# openvpn VERSION SHA256
openvpn() {
    local source=$work/openvpn-$1 library=$work/mbedtls-3.6.6 folder
    fetch "$2" "$pool/o/openvpn/openvpn_$1.orig.tar.gz" || return
    $compiler -O1 -c "$here/shims/openvpn.c" -o "$source/shim.o" || return
    (
        cd "$source"
        ./configure --quiet --host=x86_64-w64-mingw32 --disable-shared --disable-lzo \
            --disable-lz4 --disable-plugins --disable-unit-tests --with-crypto-library=mbedtls \
            MBEDTLS_CFLAGS="-I$library/include" \
            MBEDTLS_LIBS="-L$library/library -lmbedtls -lmbedx509 -lmbedcrypto -lbcrypt" \
            CPPFLAGS="-I$here/shims" CFLAGS=-O0 || exit
        make --silent -j2 -C include && make --silent -j2 -C src/compat &&
            make --silent -j2 -C src/openvpn LIBS="$source/shim.o"
    ) >"$source.log" 2>&1 || {
        tail -n 20 "$source.log" >&2
        return 1
    }
    x86_64-w64-mingw32-strip -o "$target/openvpn-${1%.*}.exe" "$source/src/openvpn/openvpn.exe"
}

wg() {
    local source=${TUNIC_WIREGUARD_TOOLS:-$work/wireguard-tools-1.0.20210914}
    [[ -d $source ]] || fetch e7d89a601978dddb3cfa33a91cb8f4001dbaabb3da7f570811a7d09c22a509d9 \
        $pool/w/wireguard/wireguard_1.0.20210914.orig.tar.xz \
        https://git.zx2c4.com/wireguard-tools/snapshot/wireguard-tools-1.0.20210914.tar.xz || return
    $compiler -O1 -c "$here/shims/wg.c" -o "$work/wg-shim.o" || return
    (
        cd "$source/src"
        # As its Makefile has it for Windows, but for what needs clang and lld.
        $compiler -O1 -s -std=gnu99 -D_GNU_SOURCE -DRUNSTATEDIR='"/var/run"' -w \
            -Iuapi/windows -Iwincompat/include -include wincompat/compat.h -DWINVER=0x0A00 \
            -D_WIN32_WINNT=0x0A00 ./*.c wincompat/libc.c wincompat/init.c "$work/wg-shim.o" \
            -o "$target/wg.exe" -lws2_32 -lsetupapi -lole32 -ladvapi32 -lntdll -lcfgmgr32
    )
}

has() { [[ -x $target/$1 ]]; }
failed=0
has wg.exe || wg || failed=1
if ! has openvpn-2.6.exe || ! has openvpn-2.7.exe; then
    mbedtls || exit
    # Side by side: most of it is configure, one process at a time.
    has openvpn-2.6.exe ||
        openvpn 2.6.14 9eb6a6618352f9e7b771a9d38ae1631b5edfeed6d40233e243e602ddf2195e7a &
    has openvpn-2.7.exe ||
        openvpn 2.7.7 3ab8f48fd6c26d49ba2333a092433949afdb5c85c0e6a1ff265784fbc04a2463 || failed=1
    wait $! || failed=1
fi
exit $failed
