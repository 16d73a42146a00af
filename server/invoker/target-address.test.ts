import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isForbiddenAddress, targetProblem } from "./target-address.ts";

describe("a deployment's address", () => {
  for (const uri of [
    "http://169.254.169.254/",
    "http://169.254.0.1:9080/path",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.169.254./",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fd00:ec2::254]/",
    "http://[FD00:0EC2:0:0:0:0:0:254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.google.internal./",
    "http://metadata/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
  ]) {
    it(`may not be ${uri}`, () => {
      assert.match(targetProblem(new URL(uri)) ?? "allowed", /metadata/);
    });
  }

  for (const uri of [
    "http://127.0.0.1:9080/",
    "http://localhost:9080/",
    "http://[::1]:9080/",
    "http://10.0.0.1/",
    "http://[fd00::1]/",
    "https://service.example.com/prefix/",
    "http://169.253.169.254/",
    "http://[fec0::1]/",
    "http://metadata.example.com/",
  ]) {
    it(`may be ${uri}`, () => assert.equal(targetProblem(new URL(uri)), null));
  }

  it("is http or https, without credentials", () => {
    assert.match(targetProblem(new URL("ftp://example.com/")) ?? "", /scheme ftp/);
    assert.match(targetProblem(new URL("file:///etc/passwd")) ?? "", /scheme file/);
    assert.match(targetProblem(new URL("http://user:secret@example.com/")) ?? "", /credentials/);
    assert.doesNotMatch(targetProblem(new URL("http://user:secret@h/")) ?? "", /secret/);
  });

  it("is checked as resolved, too", () => {
    assert(isForbiddenAddress("169.254.169.254"));
    assert(isForbiddenAddress("fe80::1%eth0"));
    assert(isForbiddenAddress("::ffff:169.254.169.254"));
    assert(!isForbiddenAddress("93.184.216.34"));
    assert(!isForbiddenAddress("::1"));
    assert(!isForbiddenAddress("::"));
    assert(!isForbiddenAddress("not an address"));
  });
});
