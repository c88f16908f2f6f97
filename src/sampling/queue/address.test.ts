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

describe("shownAddress", () => {
  it("has no password", () => {
    expect(shownAddress("redis://me:secret@host:1/2")).toBe("redis://me@host:1/2");
  });
});
