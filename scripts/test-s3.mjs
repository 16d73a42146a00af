// The bucket's suite, and the crash tests under durability `bucket`, against a real S3-compatible store.
// Usage: npm run test:s3
//   HOLDFAST_TEST_S3=s3://name/prefix, and HOLDFAST_TEST_S3_ENDPOINT where it is not AWS: that store, with credentials where the AWS SDK
//   finds them. The bucket must be there. The suite removes what it stores; what the crash tests store stays, below that prefix.
//   Without them: a Ceph of one machine, which is started for it and ended again.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "./bundle.mjs";
import { missingPrograms, startRgw } from "./rgw.mjs";

const PARTS = ["server/replica/buckets", "server/test/crash"];

/** Not synchronously: a signal must reach this process, or the store would outlive it. */
async function test(store) {
  const out = { HOLDFAST_TEST_OUT: process.env.HOLDFAST_TEST_OUT ?? ".test-build/s3" };
  const child = spawn(process.execPath, ["scripts/test.mjs", ...PARTS], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, ...out, ...store },
  });
  return await new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

async function testWithCeph() {
  const missing = missingPrograms();
  if (missing.length > 0) {
    console.error(
      `not installed: ${missing.join(", ")}. On Debian: apt-get install radosgw ceph-mon ceph-osd`,
    );
    console.error(
      "Or name a store of your own: HOLDFAST_TEST_S3=s3://name/prefix, HOLDFAST_TEST_S3_ENDPOINT",
    );
    return 1;
  }
  const directory = mkdtempSync(path.join(os.tmpdir(), "holdfast-s3-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  console.log("starting Ceph, which takes a quarter of a minute");
  const { endpoint, accessKeyId, secretAccessKey, stop } = await startRgw(directory);
  try {
    return await test({
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      HOLDFAST_TEST_S3: `s3://holdfast-${Date.now().toString(36)}/replica`,
      HOLDFAST_TEST_S3_ENDPOINT: endpoint,
    });
  } finally {
    await stop();
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
try {
  const given = process.env.HOLDFAST_TEST_S3 ?? "";
  process.exitCode = await (given === "" ? testWithCeph() : test({}));
} catch (error) {
  console.error(`test:s3: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
