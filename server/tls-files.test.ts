import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "./base/log.ts";
import type { TlsMaterial } from "./http/listener.ts";
import { temporaryDirectory } from "./test/harness.ts";
import { selfSigned } from "./test/self-signed.ts";
import { readTls, watchTls } from "./tls-files.ts";

const first = selfSigned() ?? { cert: "", key: "" };
const second = selfSigned() ?? { cert: "", key: "" };

describe("the files of a certificate", { skip: first.cert === "" && "no openssl" }, () => {
  const directory = temporaryDirectory();
  const files = {
    certFile: path.join(directory.path, "tls.crt"),
    keyFile: path.join(directory.path, "tls.key"),
  };
  const write = ({ cert, key }: TlsMaterial): void => {
    writeFileSync(files.certFile, cert);
    writeFileSync(`${files.keyFile}.next`, key);
    renameSync(`${files.keyFile}.next`, files.keyFile);
  };

  it("are refused in words", () => {
    assert.throws(() => readTls(files), /--tls-cert .* cannot be read: ENOENT/);
    write({ cert: first.cert, key: second.key });
    assert.throws(() => readTls(files), /cannot be used together/);
    write({ cert: "nonsense", key: first.key });
    assert.throws(() => readTls(files), /cannot be used together/);
    write(first);
    assert.deepEqual(readTls(files), first);
  });

  it("are read again when they change, and not before they fit", async () => {
    const seen: TlsMaterial[] = [];
    const warned: string[] = [];
    const log = { ...silentLog, warn: (event: string) => void warned.push(event) };
    const stop = watchTls(files, (material) => seen.push(material), log, 20);
    try {
      writeFileSync(files.certFile, second.cert);
      await until(() => warned.length > 0);
      assert.deepEqual(seen, []);
      write(second);
      await until(() => seen.length > 0);
      assert.deepEqual(seen, [second]);
    } finally {
      stop();
      directory.remove();
    }
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !isSo(); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(isSo());
}
