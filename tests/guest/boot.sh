#!/usr/bin/env bash
# A virtual machine on Debian's kernel, for tests: that kernel has WireGuard and netem, which the
# kernel that runs the tests may lack. Its package is unpacked into a cache, never installed.
#
#   boot.sh build                   fetch the kernel, make the guest's initial RAM disk
#   boot.sh run NAMESPACE FOLDER    boot the guest in a network namespace; its state is in FOLDER
#
# `run` prints "READY" once the guest answers. It runs until its standard input ends, which is when
# the test process ends, however that ends; then it removes the namespace and the folder.
#
# In the namespace, the bridge br0 (198.18.77.1/30) has the guest's tap as a port. In the guest,
# eth0 has 198.18.77.2/30, and a shell listens on TCP port 2323. The guest runs under KVM where that
# works, else emulated.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tunic-guest
here=198.18.77.1/30
there=198.18.77.2/30
boot_seconds=60
# In the order of their insertion, behind what they depend on.
modules=(virtio_pci virtio-rng virtio_net wireguard sch_netem)
programs=(busybox wg iperf3 tc cmp)

die() {
    echo "$0: $*" >&2
    exit 1
}

# The newest kernel for virtual machines that apt knows: the name of its package.
kernel_package() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | tail -1
}

# Unpacks the package, if apt's lists are there and up to date.
download() {
    local package
    package=$(kernel_package)
    [[ -n $package ]] || return 1
    [[ ! -d $cache/$package ]] || return 0
    rm -rf "$cache/download"
    mkdir "$cache/download"
    (
        cd "$cache/download"
        timeout 240 apt-get download -qq -o APT::Sandbox::User=root "$package" &&
            dpkg-deb --extract ./*.deb root
    ) || return
    mv "$cache/download/root" "$cache/$package"
    rm -rf "$cache/download"
}

# Prints the folder of the unpacked package. A kernel that is in the cache needs no network.
kernel() {
    local folder
    folder=$(ls -d "$cache"/linux-image-* 2>/dev/null | tail -1)
    if [[ -z $folder ]]; then
        download || { [[ $UID == 0 ]] && timeout 240 apt-get update -qq >&2 && download; } ||
            die "can't download Debian's linux-image-cloud-amd64; has apt-get update been run?"
        folder=$(ls -d "$cache"/linux-image-* | tail -1)
    fi
    echo "$folder"
}

# Makes $cache/vmlinuz and $cache/initrd, unless this script has already made them.
build() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    local package root=$cache/root version stamp program file
    package=$(kernel)
    stamp="$package $(sha256sum <"$0")"
    [[ $(cat "$cache/stamp" 2>/dev/null) != "$stamp" ]] || return 0

    local base=$package
    # Where /lib is merged into /usr.
    [[ -d $base/lib/modules ]] || base=$package/usr
    version=$(basename "$base"/lib/modules/*)
    depmod -b "$base" "$version"
    rm -rf "$root"
    mkdir -p "$root"/{bin,modules,proc,sys,dev,etc,lib64,tmp,run}
    for program in "${programs[@]}"; do
        file=$(command -v "$program") || die "$program is missing"
        cp "$file" "$root/bin/"
        # A static program has no libraries.
        { ldd "$file" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } |
            while read -r library; do
                mkdir -p "$root$(dirname "$library")"
                cp -Lu "$library" "$root$library"
            done
    done
    # The rest of the programs are BusyBox's own.
    for program in $(busybox --list); do
        [[ -e $root/bin/$program ]] || ln -s busybox "$root/bin/$program"
    done
    # A module that is built into the kernel has no file.
    for program in "${modules[@]}"; do
        modprobe -d "$base" -S "$version" --show-depends "$program" |
            sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        program=$(basename "$file" | sed 's/\.[xz][^.]*$//')
        case $file in
            *.xz) xz -dc "$file" ;;
            *.zst) zstd -qdc "$file" ;;
            *) cat "$file" ;;
        esac >"$root/modules/$program"
        echo "/modules/$program"
    done >"$root/modules/order"
    cat >"$root/init" <<INIT
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
exec </dev/null
while read -r module; do
    insmod \$module || echo "GUEST-FAILED insmod \$module"
done </modules/order
ip link set lo up
# Addresses are usable at once.
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip addr add $there dev eth0
ip link set eth0 up
echo GUEST-READY
exec nc -ll -p 2323 -e /bin/sh
INIT
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) >"$cache/initrd"
    cp "$package"/boot/vmlinuz-* "$cache/vmlinuz"
    echo "$stamp" >"$cache/stamp"
}

# Boots with an accelerator and waits for the guest; fails where it isn't ready in time.
boot() {
    local accelerator
    case $1 in
        kvm) accelerator=(-accel kvm -cpu host) ;;
        # Emulated vector units are slow: without SSSE3 and AVX the kernel takes its scalar ciphers.
        # It needs RDRAND: WireGuard drops handshakes until the random generator is seeded.
        tcg) accelerator=(-accel tcg,thread=multi -cpu qemu64,+rdrand) ;;
    esac
    : >"$folder/console"
    local arguments="console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"
    arguments+=" tsc=reliable no_timer_check"
    ip netns exec "$namespace" qemu-system-x86_64 \
        -M pc,usb=off,vmport=off "${accelerator[@]}" -smp 2 -m 256 \
        -no-user-config -nodefaults -display none -no-reboot -serial "file:$folder/console" \
        -kernel "$cache/vmlinuz" -initrd "$cache/initrd" \
        -append "$arguments" \
        -device virtio-rng-pci -netdev tap,id=n0,ifname=tap0,script=no,downscript=no \
        -device virtio-net-pci,netdev=n0,romfile= </dev/null >"$folder/qemu.log" 2>&1 9>&- &
    qemu=$!
    local deadline=$((SECONDS + boot_seconds))
    until grep -q '^GUEST-READY' "$folder/console"; do
        if ((SECONDS >= deadline)) || ! kill -0 "$qemu" 2>/dev/null ||
            grep -qE '^GUEST-FAILED|Kernel panic' "$folder/console"; then
            tail -n 5 "$folder/console" "$folder/qemu.log" >&2
            stop
            return 1
        fi
        sleep 0.05
    done
}

stop() {
    [[ -z $qemu ]] || kill -9 "$qemu" 2>/dev/null || true
    [[ -z $qemu ]] || wait "$qemu" 2>/dev/null || true
    qemu=
}

clean_up() {
    stop
    ip netns del "$namespace" 2>/dev/null || true
    rm -rf "$folder"
}

run() {
    namespace=$1 folder=$2 qemu=
    build
    exec 9>&-
    mkdir -p "$folder"
    trap clean_up EXIT
    local ip=(ip -n "$namespace")
    "${ip[@]}" link add br0 type bridge mcast_snooping 0
    "${ip[@]}" tuntap add tap0 mode tap
    "${ip[@]}" link set tap0 txqueuelen 1000 master br0 up
    "${ip[@]}" addr add "$here" dev br0
    "${ip[@]}" link set br0 up
    # An emulated guest sometimes hangs before its first line; the next one doesn't.
    local accelerators=(tcg tcg)
    if [[ -w /dev/kvm ]] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accelerators=(kvm tcg tcg); fi
    local accelerator
    for accelerator in "${accelerators[@]}"; do
        if boot "$accelerator"; then
            echo READY
            cat >/dev/null
            exit 0
        fi
    done
    die "the guest did not boot"
}

case ${1:-} in
    build) build ;;
    run) run "$2" "$3" ;;
    *) sed -n '2,/^set /p' "$0" | sed '$d;s/^# \{0,1\}//' ;;
esac
