/** The built server with a certificate: both listeners speak TLS, and a renewed one is taken without a restart. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import https from "node:https";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { persist, type RunningServer, startServer, temporaryDirectory } from "./harness.ts";
import { selfSigned } from "./self-signed.ts";

const first = selfSigned() ?? { cert: "", key: "" };
const second = selfSigned() ?? { cert: "", key: "" };

interface Answer {
  readonly status: number | undefined;
  readonly serial: string;
}

function get(url: string, ca: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ca, agent: false }, (response) => {
      const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode, serial }));
    });
    request.on("error", reject);
  });
}

describe("a server with a certificate", { skip: first.cert === "" && "no openssl" }, () => {
  const directory = temporaryDirectory();
  const [certFile, keyFile] = ["tls.crt", "tls.key"].map((name) => path.join(directory.path, name));
  const write = ({ cert, key }: typeof first): void => {
    writeFileSync(keyFile ?? "", key);
    writeFileSync(certFile ?? "", cert);
  };
  let server: RunningServer;
  const secure = (url: string) => url.replace("http:", "https:");

  before(async () => {
    write(first);
    const flags = ["--tls-cert", certFile ?? "", "--tls-key", keyFile ?? ""];
    server = await startServer(`${directory.path}/data`, flags);
  });
  after(async () => {
    await server.process.stop();
    directory.remove();
  });

  it("speaks TLS on both listeners, and nothing else", async () => {
    const ingress = await get(`${secure(server.ingress)}/restate/health`, first.cert);
    const admin = await get(`${secure(server.admin)}/health`, first.cert);
    assert.deepEqual([ingress.status, admin.status], [200, 200]);
    await assert.rejects(fetch(`${server.ingress}/restate/health`));
    await assert.rejects(fetch(`${server.admin}/health`));
  });

  it("takes a renewed certificate without a restart", async () => {
    const url = `${secure(server.admin)}/health`;
    const { serial } = await get(url, first.cert);
    write(second);
    const renewed = await persist(async () => {
      const answer = await get(url, second.cert);
      return answer.serial === serial ? undefined : answer;
    }, 30_000);
    assert.equal(renewed.status, 200);
  });

  it("refuses to start with half a pair, or one that does not fit", async () => {
    const flags = ["--tls-cert", certFile ?? ""];
    const halved = startServer(`${directory.path}/other`, flags);
    await assert.rejects(halved, /exited with 2[^]*go together/);
    writeFileSync(`${certFile}.other`, first.cert);
    const mixed = ["--tls-cert", `${certFile}.other`, "--tls-key", keyFile ?? ""];
    await assert.rejects(
      startServer(`${directory.path}/other`, mixed),
      /exited with 2[^]*cannot be used together/,
    );
  });
});
