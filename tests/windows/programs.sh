#!/usr/bin/env bash
# Builds programs for Windows from their sources into a folder: openvpn-2.6.exe, openvpn-2.7.exe
# and wg.exe. Their sources are not changed; shims/ is linked with them, for what Wine lacks. What
# exists already stays. Needs gcc-mingw-w64-x86-64, make and apt.
#
# Sources come from where they can be had: a version with a known SHA-256 from Debian's archive,
# from its history or from the authors, else whatever version Debian's archive has now, which
# apt-get checks. A program whose sources Debian's archive lists but doesn't give, and nobody else
# does, gets a file NAME.unavailable that says so, for tests/require. TUNIC_WIREGUARD_TOOLS,
# TUNIC_OPENVPN_2_6, TUNIC_OPENVPN_2_7 and TUNIC_MBEDTLS may name folders with sources.
set -euo pipefail
target=$1
here=$(cd "$(dirname "$0")" && pwd)
compiler=x86_64-w64-mingw32-gcc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target"

pool=http://deb.debian.org/debian/pool/main
security=http://security.debian.org/debian-security/pool/updates/main
# Debian's archive as it was when it had them all.
history=http://snapshot.debian.org/archive/debian/20260601T000000Z/pool/main
limits=(-o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=20
    -o Acquire::https::Timeout=20)

# pinned NAME SHA256 URL [SHA256 URL]...: unpacks what one of these URLs has as $work/NAME.
pinned() {
    local name=$1
    shift
    while (($#)); do
        if /usr/lib/apt/apt-helper -qq "${limits[@]}" \
            download-file "$2" "$work/$name.tar" "SHA256:$1" 2>>"$work/$name.errors"; then
            unpack "$name" "$work/$name.tar"
            return
        fi
        shift 2
    done
    return 1
}

# current NAME PACKAGE SUITE PATTERN: unpacks what a suite of Debian has now as $work/NAME, if the
# archive's name is of this pattern.
current() {
    local name=$1 package=$2 suite=$3 pattern=$4 state=$work/apt-$1
    local apt=(apt-get -qq "${limits[@]}" -o "Dir::State::lists=$state/lists"
        -o "Dir::Etc::sourcelist=$state/sources" -o "Dir::Etc::sourceparts=$state/parts")
    mkdir -p "$state"/{lists,parts,files}
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "http://deb.debian.org/debian $suite main" >"$state/sources"
    {
        "${apt[@]}" update && cd "$state/files" &&
            "${apt[@]}" --download-only source "$package"
    } >/dev/null 2>>"$work/$name.errors" || return
    local archive
    archive=$(find "$state/files" -name "$pattern" -print -quit)
    [[ -n $archive ]] && unpack "$name" "$archive"
}

unpack() {
    mkdir -p "$work/$1"
    tar --extract --file "$2" --directory "$work/$1" --strip-components=1
}

# missing NAME: says why there are no sources, and returns 1.
missing() {
    cat "$work/$1.errors" >&2
    echo "$0: the sources of $1 can't be had" >&2
    return 1
}

mbedtls() {
    local sum=8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a
    local file=m/mbedtls/mbedtls_3.6.6.orig.tar.bz2
    local releases=https://github.com/Mbed-TLS/mbedtls/releases/download
    if [[ -n ${TUNIC_MBEDTLS:-} ]]; then
        cp -r "$TUNIC_MBEDTLS" "$work/mbedtls"
    else
        pinned mbedtls $sum $pool/$file $sum $security/$file $sum $history/$file \
            $sum $releases/mbedtls-3.6.6/mbedtls-3.6.6.tar.bz2 ||
            (current mbedtls mbedtls trixie 'mbedtls_3.*.orig.tar.*') || missing mbedtls || return
    fi
    make --silent -j2 -C "$work/mbedtls/library" WINDOWS_BUILD=1 CC=$compiler \
        AR=x86_64-w64-mingw32-ar CFLAGS=-O1 static >/dev/null
}

openvpn-2.6() {
    local sum=9eb6a6618352f9e7b771a9d38ae1631b5edfeed6d40233e243e602ddf2195e7a
    local file=o/openvpn/openvpn_2.6.14.orig.tar.gz
    [[ -n ${TUNIC_OPENVPN_2_6:-} ]] && cp -r "$TUNIC_OPENVPN_2_6" "$work/openvpn-2.6" ||
        pinned openvpn-2.6 $sum $pool/$file $sum $security/$file $sum $history/$file \
            $sum https://swupdate.openvpn.org/community/releases/openvpn-2.6.14.tar.gz ||
        (current openvpn-2.6 openvpn bookworm 'openvpn_2.6*.orig.tar.*') || missing openvpn-2.6
}

openvpn-2.7() {
    local sum=3ab8f48fd6c26d49ba2333a092433949afdb5c85c0e6a1ff265784fbc04a2463
    local newer=c070d1d2440b5a6fca6c2c68645c98cd492116ac36ef4f0946177115532c8e36
    local file=o/openvpn/openvpn_2.7.7.orig.tar.gz
    [[ -n ${TUNIC_OPENVPN_2_7:-} ]] && cp -r "$TUNIC_OPENVPN_2_7" "$work/openvpn-2.7" ||
        pinned openvpn-2.7 $sum $pool/$file $newer $pool/o/openvpn/openvpn_2.7.8.orig.tar.gz \
            $sum $history/$file \
            $sum https://swupdate.openvpn.org/community/releases/openvpn-2.7.7.tar.gz ||
        (current openvpn-2.7 openvpn testing 'openvpn_2.[7-9]*.orig.tar.*') || missing openvpn-2.7
}

# build VERSION: its executable, from $work/openvpn-VERSION.
build() {
    local source=$work/openvpn-$1 library=$work/mbedtls
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
    x86_64-w64-mingw32-strip -o "$target/openvpn-$1.exe" "$source/src/openvpn/openvpn.exe"
}

wg() {
    local file=w/wireguard/wireguard_1.0.20210914.orig.tar.xz
    # The authors' archive is packed otherwise than Debian's.
    local sum=e7d89a601978dddb3cfa33a91cb8f4001dbaabb3da7f570811a7d09c22a509d9
    local theirs=97ff31489217bb265b7ae850d3d0f335ab07d2652ba1feec88b734bc96bd05ac
    local newer=af459827b80bfd31b83b08077f4b5843acb7d18ad9a33a2ef532d3090f291fbf
    local snapshot=https://git.zx2c4.com/wireguard-tools/snapshot/wireguard-tools
    if [[ -n ${TUNIC_WIREGUARD_TOOLS:-} ]]; then
        cp -r "$TUNIC_WIREGUARD_TOOLS" "$work/wg"
    else
        pinned wg $sum $pool/$file $sum $history/$file $theirs $snapshot-1.0.20210914.tar.xz \
            $newer $snapshot-1.0.20260223.tar.xz ||
            (current wg wireguard trixie 'wireguard*.orig.tar.*') ||
            (current wg wireguard testing 'wireguard*.orig.tar.*') || missing wg || return
    fi
    $compiler -O1 -c "$here/shims/wg.c" -o "$work/wg-shim.o" || return
    (
        cd "$work/wg/src"
        # As its Makefile has it for Windows, but for what needs clang and lld.
        $compiler -O1 -s -std=gnu99 -D_GNU_SOURCE -DRUNSTATEDIR='"/var/run"' -w \
            -Iuapi/windows -Iwincompat/include -include wincompat/compat.h -DWINVER=0x0A00 \
            -D_WIN32_WINNT=0x0A00 ./*.c wincompat/libc.c wincompat/init.c "$work/wg-shim.o" \
            -o "$target/wg.exe" -lws2_32 -lsetupapi -lole32 -ladvapi32 -lntdll -lcfgmgr32
    )
}

# verdict PROGRAM NAME: the note about a program that isn't there, or no note.
verdict() {
    local note=$target/$1.unavailable
    rm -f "$note"
    if ! has "$1"; then
        failed=1
        # Debian lists it and doesn't give it. Without a network, nothing is known.
        if grep -qs '404 ' "$work/$2.errors" && [[ ! -d $work/$2 ]]; then
            cp "$work/$2.errors" "$note"
        fi
    fi
}

has() { [[ -x $target/$1 ]]; }
failed=0
has wg.exe || wg || true
if ! has openvpn-2.6.exe || ! has openvpn-2.7.exe; then
    mbedtls || exit
    # Side by side: most of it is configure, one process at a time.
    has openvpn-2.6.exe || { openvpn-2.6 && build 2.6; } &
    has openvpn-2.7.exe || { openvpn-2.7 && build 2.7; } || true
    wait $! || true
fi
verdict wg.exe wg
verdict openvpn-2.6.exe openvpn-2.6
verdict openvpn-2.7.exe openvpn-2.7
exit $failed
