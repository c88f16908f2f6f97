import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import { parseQueueAddress, shownAddress } from "./address.js";

describe("parseQueueAddress", () => {
  it.each([
    "redis://localhost",
    "redis://10.0.0.1:6379/0",
    "rediss://user:p%40ss@valkey.example:6380",
    "redis://[::1]/",
  ])("takes %s", (address) => expect(parseQueueAddress(address)).toBe(address));

  it.each(["localhost:6379", "http://localhost", "redis://", "redis://host/name", ""])("refuses %j", (text) => {
    expect(() => parseQueueAddress(text)).toThrow(OptionError);
    expect(() => parseQueueAddress(text)).toThrow(`--queue ${text}: not an address`);
  });
});

describe("a refusal", () => {
  it.each([
    ["redis//me:secret@host", "redis//***@host"],
    ["http://me:secret@host:1/0", "http://***@host:1/0"],
    ["redis://:secret", "redis://:***"],
    ["redis://me:secret/0", "redis://me:***"],
    ["redis://me:a/b@secret@host/name", "redis://***@host/name"],
    ["me:secret@host:6379", "***@host:6379"],
    ["redis://host/name?password=secret", "redis://host/name?***"],
  ])("of %s shows no password", (text, shown) => {
    expect(() => parseQueueAddress(text)).toThrow(
      new OptionError(`--queue ${shown}: not an address such as redis://host:6379/0 or rediss://:password@host`),
    );
  });
});

describe("shownAddress", () => {
  it("has no password", () => {
    expect(shownAddress("redis://me:secret@host:1/2")).toBe("redis://me@host:1/2");
  });
});
