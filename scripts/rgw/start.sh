#!/bin/bash
# start.sh DIR PORT: one-node Ceph (1 mon, 1 OSD, 1 RGW; no mgr, no cephx) on loopback, for tests. S3 user testkey / testsecret.
#   STORE=memstore|bluestore (default memstore), MONP=mon port (default 16789)
set -euo pipefail
D=$(readlink -m "${1:?dir}"); PORT=${2:-18000}; STORE=${STORE:-memstore}; MONP=${MONP:-16789}
rm -rf "$D"; mkdir -p "$D"/{mon,osd,run,log}
FSID=$(cat /proc/sys/kernel/random/uuid); OSDU=$(cat /proc/sys/kernel/random/uuid)
cat > "$D/ceph.conf" <<C
[global]
fsid = $FSID
mon host = v1:127.0.0.1:$MONP
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd class update on start = false
osd crush update on start = false
mon max pg per osd = 1000
run dir = $D/run
admin socket = $D/run/\$cluster-\$name.asok
log file = $D/log/\$name.log
mon data = $D/mon
mon data avail warn = 1
mon data avail crit = 1
mon cluster log file = $D/log/cluster.log
osd data = $D/osd
osd objectstore = $STORE
memstore device bytes = 2147483648
bluestore block size = 2147483648
bluestore block create = true
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$PORT
rgw thread pool size = 64
C
c() { timeout 30 ceph -c "$D/ceph.conf" --connect-timeout 20 "$@"; }
die() { echo "rgw: $1" >&2; tail -n 3 "$D"/log/*.out >&2 || true; for p in $(cat "$D/pids"); do kill -9 "$p" 2>/dev/null || true; done; exit 1; }
: > "$D/pids"; : > "$D/keyring"
ceph-authtool "$D/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
monmaptool --create --clobber --fsid "$FSID" --addv a "v1:127.0.0.1:$MONP" "$D/monmap" >/dev/null
ceph-mon -c "$D/ceph.conf" --mkfs -i a --monmap "$D/monmap" --keyring "$D/keyring" >"$D/log/mon-mkfs.out" 2>&1
ceph-mon -c "$D/ceph.conf" -i a -f >"$D/log/mon.out" 2>&1 & echo $! >> "$D/pids"
c osd new "$OSDU" >/dev/null
c osd crush add osd.0 1.0 root=default host=h0 2>/dev/null
timeout 60 ceph-osd -c "$D/ceph.conf" -i 0 --mkfs --osd-uuid "$OSDU" >"$D/log/osd-mkfs.out" 2>&1 || die 'osd mkfs failed'
ceph-osd -c "$D/ceph.conf" -i 0 -f >"$D/log/osd.out" 2>&1 & OSD=$!; echo $OSD >> "$D/pids"
for i in $(seq 1 100); do c osd stat 2>/dev/null | grep -q '1 up' && break; kill -0 $OSD 2>/dev/null || die 'osd died'; sleep 0.1; done
radosgw -c "$D/ceph.conf" -n client.rgw -f >"$D/log/rgw.out" 2>&1 & RGW=$!; echo $RGW >> "$D/pids"
for i in $(seq 1 400); do curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$PORT/" 2>/dev/null && break; kill -0 $RGW 2>/dev/null || die 'rgw died'; sleep 0.1; done
timeout 30 radosgw-admin -c "$D/ceph.conf" user create --uid=test --display-name=test --access-key=testkey --secret-key=testsecret >"$D/user.json" 2>"$D/log/user.out" || die 'no user'
echo "S3 ready on http://127.0.0.1:$PORT  pids: $(tr '\n' ' ' <"$D/pids")"
