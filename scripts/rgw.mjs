// A Ceph of one machine with its S3 gateway, on loopback, in memory: a real store for `npm run test:s3`.
// One monitor, one storage daemon, one gateway; no manager and no authentication inside.
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";

const COMMAND_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 7_000;
const ACCESS_KEY = "testkey";
const SECRET_KEY = "testsecret";

/** Missing programs; empty where the gateway can be started. */
export function missingPrograms() {
  const needed = ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd"];
  return needed.filter((name) => spawnSync(name, ["--version"]).error !== undefined);
}

/** Starts it with its files in `directory`. `stop` ends what was started. */
export async function startRgw(directory) {
  const root = path.resolve(directory);
  const [port, monitorPort] = await freePorts(2);
  const children = [];
  const stop = async () => {
    for (const child of children.toReversed()) await end(child);
  };
  // A caller that dies takes them along.
  process.on("exit", () => {
    for (const child of children) child.kill("SIGKILL");
  });
  for (const folder of ["mon", "osd", "run", "log"]) {
    mkdirSync(path.join(root, folder), { recursive: true });
  }
  const conf = path.join(root, "ceph.conf");
  const cluster = randomUUID();
  writeFileSync(conf, configuration(root, cluster, port, monitorPort));
  const daemon = (program, ...args) => {
    const child = spawn(program, ["-c", conf, ...args, "-f"], { stdio: "ignore" });
    children.push(child);
    return child;
  };
  try {
    makeMonitor(root, conf, cluster, monitorPort);
    daemon("ceph-mon", "-i", "a");
    await makeStorage(root, conf, daemon);
    const gateway = daemon("radosgw", "-n", "client.rgw");
    const endpoint = `http://127.0.0.1:${port}`;
    await until("the gateway answers", gateway, async () => (await fetch(endpoint)).ok);
    const user = ["user", "create", "--uid=test", "--display-name=test"];
    const keys = [`--access-key=${ACCESS_KEY}`, `--secret-key=${SECRET_KEY}`];
    run("radosgw-admin", ["-c", conf, ...user, ...keys]);
    return { endpoint, accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, stop };
  } catch (error) {
    const why = new Error(`${error.message}\n${lastLines(path.join(root, "log"))}`);
    await stop();
    throw why;
  }
}

function makeMonitor(root, conf, cluster, monitorPort) {
  const keyring = path.join(root, "keyring");
  const map = path.join(root, "monmap");
  writeFileSync(keyring, "");
  run("ceph-authtool", [keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"]);
  const address = `v1:127.0.0.1:${monitorPort}`;
  run("monmaptool", ["--create", "--clobber", "--fsid", cluster, "--addv", "a", address, map]);
  const files = ["--monmap", map, "--keyring", keyring];
  run("ceph-mon", ["-c", conf, "--mkfs", "-i", "a", ...files]);
}

async function makeStorage(root, conf, daemon) {
  const ceph = (...args) => run("ceph", ["-c", conf, "--connect-timeout", "20", ...args]);
  const id = randomUUID();
  ceph("osd", "new", id);
  // By hand: with its own update at the start the daemon asks before it knows the cluster, and ends.
  ceph("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h0");
  run("ceph-osd", ["-c", conf, "-i", "0", "--mkfs", "--osd-uuid", id]);
  const child = daemon("ceph-osd", "-i", "0");
  await until("the storage is up", child, () => ceph("osd", "stat").includes("1 up"));
}

function configuration(root, cluster, port, monitorPort) {
  return `[global]
fsid = ${cluster}
mon host = v1:127.0.0.1:${monitorPort}
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
run dir = ${root}/run
admin socket = ${root}/run/$cluster-$name.asok
log file = ${root}/log/$name.log
mon data = ${root}/mon
mon data avail warn = 1
mon data avail crit = 1
mon cluster log file = ${root}/log/cluster.log
osd data = ${root}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw thread pool size = 64
`;
}

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: COMMAND_TIMEOUT_MS,
  });
  if (status === 0) return stdout + stderr;
  throw new Error(`${program} failed: ${error?.message ?? stderr.trim()}`);
}

/** Tries until it is so; what throws is not so yet. */
async function until(what, child, isSo) {
  const endsAtMs = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${what}: ${child.spawnfile} has ended`);
    }
    try {
      if (await isSo()) return;
    } catch {
      // Not yet.
    }
    if (Date.now() > endsAtMs) throw new Error(`${what}: not within ${READY_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/** All listening at once, so that none is given twice. */
async function freePorts(count) {
  const servers = [];
  for (let each = 0; each < count; each += 1) {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function lastLines(folder) {
  const tail = (name) => {
    try {
      return readFileSync(path.join(folder, name), "utf8").trim().split("\n").slice(-3).join("\n");
    } catch {
      return "";
    }
  };
  return ["mon.a.log", "osd.0.log", "client.rgw.log"].map(tail).join("\n");
}
