// The bucket's suite, and the crash test under durability `bucket`, against a real S3-compatible store.
// Usage: node scripts/test-s3.mjs
//   HOLDFAST_TEST_S3=s3://name/prefix and HOLDFAST_TEST_S3_ENDPOINT (none: AWS), with credentials where the AWS SDK finds them: that store.
//   Without them: a Ceph of one node that is started for it, when `radosgw`, `ceph-mon` and `ceph-osd` are installed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "./bundle.mjs";

const PORT = 18_000;

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

function test(env) {
  const credentials = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true", ...env };
  const parts = ["server/replica/buckets", "server/test/crash"];
  const out = { HOLDFAST_TEST_OUT: ".test-build/s3" };
  return run(process.execPath, ["scripts/test.mjs", ...parts], { ...credentials, ...out });
}

function testWithCeph() {
  const missing = ["radosgw", "ceph-mon", "ceph-osd"].filter(
    (name) => spawnSync("which", [name]).status !== 0,
  );
  if (missing.length > 0) {
    console.error(
      `not installed: ${missing.join(", ")}. On Debian: apt-get install radosgw ceph-mon ceph-osd curl`,
    );
    console.error("Or name a store of your own: HOLDFAST_TEST_S3, HOLDFAST_TEST_S3_ENDPOINT");
    return 1;
  }
  const directory = mkdtempSync(path.join(os.tmpdir(), "holdfast-rgw-"));
  const endpoint = `http://127.0.0.1:${PORT}`;
  try {
    const started = run("bash", ["scripts/rgw/start.sh", directory, String(PORT)]);
    if (started !== 0) return started;
    return test({
      AWS_ACCESS_KEY_ID: "testkey",
      AWS_SECRET_ACCESS_KEY: "testsecret",
      HOLDFAST_TEST_S3: `s3://holdfast-${Date.now().toString(36)}/replica`,
      HOLDFAST_TEST_S3_ENDPOINT: endpoint,
    });
  } finally {
    run("bash", ["scripts/rgw/stop.sh", directory]);
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = process.env.HOLDFAST_TEST_S3 === undefined ? testWithCeph() : test({});
