#!/bin/bash
# Takes packages of Amazon Linux in two steps, each in a unit of its own: one that reaches the network and may change
# nothing but dnf's caches and records, and one that may change the system and reaches no network. Those that the host boots
# from are apart: the unit peersync-kernel installs them.
#
# Usage: packages fetch|apply agent|updates|kernel
set -u

# Kernels, and what builds an initial RAM disk or starts them. The kernels have their versions in their names.
boot='kernel,kernel[0-9]*,kernel-modules-extra*,dracut*,grub2*,grubby*,shim*,microcode_ctl*'
# They own folders that no unit may change, and no programs.
never='filesystem,rootfiles'
# A release of Amazon Linux has its own repository, in which nothing is ever new. A package whose update needs another one
# that is not taken here does not keep the rest from being updated.
updates=(upgrade --security --nobest --releasever=latest)

say() {
  echo "peersync: $*; the next attempt is later"
}

# A kernel whose scripts have failed is installed all the same, and does not boot without its initial RAM disk. What the
# scripts do is done here then; if that fails too, the host boots the kernel that runs.
every_kernel_boots() {
  local kernel version image result=0
  # What an attempt has left that was ended.
  rm -f /boot/initramfs-*.img.new
  for kernel in /lib/modules/*/vmlinuz; do
    version=$(basename "${kernel%/vmlinuz}")
    if [ -s "$kernel" ] && ! [ -s "/boot/initramfs-$version.img" ]; then
      kernel-install add "$version" "$kernel"
    fi
  done
  for kernel in /boot/vmlinuz-*; do
    version=${kernel#/boot/vmlinuz-}
    image=/boot/initramfs-$version.img
    # A kernel that was removed may have left files.
    if ! [ -s "$kernel" ] || ! [ -e "/lib/modules/$version/modules.builtin" ] || [ -s "$image" ]; then
      continue
    fi
    if ! { dracut --force "$image.new" "$version" && mv "$image.new" "$image"; }; then
      say "kernel: failed to build $image"
      if [ "$(grubby --default-kernel)" = "$kernel" ]; then
        grubby --set-default="/boot/vmlinuz-$(uname -r)"
      fi
      result=1
    fi
  done
  return "$result"
}

case $2 in
  agent) command=(install amazon-cloudwatch-agent) ;;
  kernel) command=("${updates[@]}" "--setopt=includepkgs=$boot") ;;
  *) command=("${updates[@]}" "--exclude=$boot,$never") ;;
esac
case $1 in
  # Who installs them checks the signatures; the key may have to be stored for that, which nobody may here.
  fetch) options=(--refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf) ;;
  *) options=(--cacheonly) ;;
esac
result=0
if ! dnf -y -q "${command[@]}" "${options[@]}"; then
  say "$2: failed to $1 packages"
  result=1
fi
if [ "$*" = "apply kernel" ]; then
  every_kernel_boots || result=1
fi
exit "$result"
