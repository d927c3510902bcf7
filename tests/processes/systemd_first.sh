# systemd as the first process of namespaces of its own, with contrib/lbdns.service in it, for test_unit_systemd.py.
# Usage: systemd_first.sh WORK PYTHON_HOME TREE SITE PORT, below `unshare --pid --mount --cgroup`, in a cgroup of its own.
# WORK/asking is run as a service beside it; what is put over directories here nobody outside sees.
set -e
work=$1 python_home=$2 tree=$3 site=$4 port=$5
mount --make-rprivate /
for one in /sys/fs/cgroup/*; do
  [ "$one" = /sys/fs/cgroup/systemd ] || umount "$one" 2>/dev/null || true
done
umount /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
# The unit hides /root, /home and /tmp from what it runs: all that it needs is seen below /opt.
mount -t tmpfs none /opt
mkdir /opt/python /opt/tree /opt/site /opt/work
mount --bind "$python_home" /opt/python
mount --bind "$tree" /opt/tree
mount --bind "$site" /opt/site
mount --bind "$work" /opt/work
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/lock /run/etc
cp -a /etc/. /run/etc/
mount --bind /run/etc /etc
mount -t tmpfs none /var/lib
install -D -m 644 "/opt/tree/contrib/sysusers.d/lbdns.conf" /etc/sysusers.d/lbdns.conf
systemd-sysusers
install -m 644 /opt/tree/contrib/lbdns.service /etc/systemd/system/
mkdir -p /etc/lbdns /etc/systemd/system/lbdns.service.d
cat >/etc/systemd/system/lbdns.service.d/here.conf <<UNIT
[Unit]
DefaultDependencies=no
After=
Wants=
[Service]
ExecStart=
ExecStart=/opt/python/bin/python3 -P -m lbdns serve /etc/lbdns
Environment=PYTHONPATH=/opt/tree:/opt/site LD_LIBRARY_PATH=/opt/python/lib
StandardError=file:/run/lbdns.log
UNIT
printf 'listen: ["127.0.0.1:%s"]\nstate: /var/lib/lbdns\n' "$port" >/etc/lbdns/lbdns.yaml
cp /opt/work/example.com.zone /etc/lbdns/
cat >/etc/systemd/system/asking.service <<UNIT
[Unit]
DefaultDependencies=no
After=lbdns.service
[Service]
Type=oneshot
Environment=PORT=$port
ExecStart=/bin/sh /opt/work/asking
StandardOutput=file:/opt/work/said
StandardError=file:/opt/work/said
UNIT
printf '[Unit]\nDefaultDependencies=no\nWants=lbdns.service asking.service\n' >/etc/systemd/system/test.target
exec env -i container=lbdns PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=test.target --show-status=0
